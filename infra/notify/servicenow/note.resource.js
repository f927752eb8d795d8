// Scripted REST resource: adds a work note to the ticket of a number, and can do nothing else. docs/notify.md says how it
// is set up. Method POST; requires authentication; requires the role `x_curfew.note` (or any that its account alone has).
//
// Body: { "number": "RITM0010042", "event": "g-…#000003", "note": "Curfew: AWS confirmed the access: …" }
(function process(request, response) {
    // Where Curfew's tickets are. Others are none of its business.
    var TABLES = ['sc_req_item', 'change_request'];
    var LONGEST = 2000;

    var body = request.body.data || {};
    var number = String(body.number || '');
    var note = String(body.note || '');
    var event = String(body.event || '');

    function answer(status, message) {
        response.setStatus(status);
        return { message: message };
    }

    if (!/^[A-Z]{2,10}[0-9]{4,12}$/.test(number)) {
        return answer(400, 'number is not the number of a ticket');
    }
    if (!note || note.length > LONGEST || !/^[A-Za-z0-9#-]{1,100}$/.test(event)) {
        return answer(400, 'note or event is missing, too long or not one');
    }
    for (var i = 0; i < TABLES.length; i += 1) {
        var ticket = new GlideRecord(TABLES[i]);
        if (ticket.get('number', number)) {
            // Curfew delivers at least once: what is noted already is not noted again.
            var journal = new GlideRecord('sys_journal_field');
            journal.addQuery('element_id', ticket.getUniqueValue());
            journal.addQuery('element', 'work_notes');
            journal.addQuery('value', 'CONTAINS', '[' + event + ']');
            journal.setLimit(1);
            journal.query();
            if (!journal.hasNext()) {
                // A note is shown as text, unless it says `[code]`: then as markup.
                ticket.work_notes = note.replace(/\[\/?code\]/gi, '') + ' [' + event + ']';
                ticket.update();
            }
            return answer(200, 'noted');
        }
    }
    return answer(404, 'there is no ticket of that number');
})(request, response);
