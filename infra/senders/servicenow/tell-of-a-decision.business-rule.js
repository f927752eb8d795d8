/*
 * Business Rule `Curfew: tell of a decision`
 * Table: Approval [sysapproval_approver]   When: after   Insert, Update   Order: 10000
 * Filter condition: State changes to Approved OR State changes from Approved
 */
(function executeRule(current) {
    new CurfewNotice().queue(current);
})(current);
