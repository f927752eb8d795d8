/*
 * Business Rule `Curfew: tell of a ticket`, twice: for Requested Item [sc_req_item] and for Change Request
 * [change_request].
 * When: after   Insert, Update   Order: 10000
 * Filter condition: Approval changes OR State changes OR Active changes
 *                   and for changes: OR Planned start date changes OR Planned end date changes
 */
(function executeRule(current, previous) {
    new CurfewNotice().queue(current, previous);
})(current, previous);
