/*
 * Business Rule `Curfew: tell of a deletion`, three times: for Requested Item [sc_req_item], for Change Request
 * [change_request] and for Approval [sysapproval_approver].
 * When: before   Delete   Order: 100
 * No filter condition.
 */
(function executeRule(current) {
    new CurfewNotice().queueDeletion(current);
})(current);
