/*
 * Business Rule `Curfew: stamp the decision`
 * Table: Approval [sysapproval_approver]   When: before   Insert, Update   Order: 10000 (after all others)
 * No filter condition: it also puts back what others wrote into the stamp.
 */
(function executeRule(current, previous) {
    new CurfewNotice().stamp(current, current.isNewRecord() ? null : previous);
})(current, previous);
