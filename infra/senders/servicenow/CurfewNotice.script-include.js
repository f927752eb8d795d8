/*
 * Script Include `CurfewNotice` (global scope, "Accessible from: This application scope only").
 *
 * Stamps approvals with what they were given for, and tells Curfew what a ticket says, signed by Standard Webhooks:
 * id, time and body are in the MAC. What the facts mean is decided by Curfew and not here.
 *
 * ES5: ServiceNow runs it on Rhino. check.js beside this file runs it on Node.
 */
var CurfewNotice = Class.create();

/* The catalog variables that are sent; on a change, the columns of these names behind `u_`. Beside them, the words of
 * `curfew_justification`. */
CurfewNotice.VARIABLES = ['curfew_tenant', 'curfew_role', 'curfew_duration', 'curfew_principal'];
CurfewNotice.TABLES = ['sc_req_item', 'change_request'];
CurfewNotice.EVENT = 'curfew.ticket';
/* Minutes until each further attempt; the last one repeats until GIVE_UP_AFTER attempts: a day and a half. */
CurfewNotice.WAITS = [1, 2, 5, 10, 20, 40, 60];
CurfewNotice.GIVE_UP_AFTER = 40;

CurfewNotice.prototype = {
    initialize: function () {},

    /*
     * For the rule `Curfew: stamp the decision`, before an approval is written. The stamp is written here alone: a
     * value that anybody else put there is replaced by what was there before, or by nothing. What an approval was given
     * for outlives its being taken back, without time and person: it says that the ticket was once approved.
     */
    stamp: function (approval, previous) {
        var was = previous ? String(previous.getValue('state') || '') : '';
        var is = String(approval.getValue('state') || '');
        var columns = ['u_curfew_decided_at', 'u_curfew_decided_by', 'u_curfew_given_for'];
        var i;
        if (is === 'approved' && was === 'approved') {
            for (i = 0; i < columns.length; i++) {
                approval.setValue(columns[i], previous.getValue(columns[i]) || '');
            }
            return;
        }
        approval.setValue('u_curfew_decided_at', '');
        approval.setValue('u_curfew_decided_by', '');
        approval.setValue('u_curfew_given_for', (previous && previous.getValue('u_curfew_given_for')) || '');
        var ticket = is === 'approved' ? this._ticketOf(approval) : null;
        if (!ticket || !this._asksForAccess(ticket)) {
            return;
        }
        var by = this._whoIsActing();
        if (!by) {
            return;
        }
        approval.setValue('u_curfew_decided_at', new GlideDateTime().getValue());
        approval.setValue('u_curfew_decided_by', by);
        approval.setValue('u_curfew_given_for', JSON.stringify({
            asked: this._asked(ticket),
            planned: this._planned(ticket)
        }));
    },

    /*
     * For the rules `Curfew: tell`, after a ticket or an approval was written. A ticket that was approved and is not any
     * more has ended, whatever it says by the time that this is sent.
     */
    queue: function (record, previous) {
        var isApproval = record.getTableName() === 'sysapproval_approver';
        var ticket = isApproval ? this._ticketOf(record) : record;
        if (!ticket || !this._concernsCurfew(ticket)) {
            return;
        }
        var was = !isApproval && previous ? String(previous.getValue('approval') || '') : '';
        if (was === 'approved' && String(ticket.getValue('approval')) !== 'approved') {
            this._queueEnd(ticket, 'unapproved');
        } else {
            gs.eventQueue(CurfewNotice.EVENT, ticket, '0', '');
        }
    },

    /* For the rules `Curfew: tell of a deletion`, before a ticket or an approval is deleted. */
    queueDeletion: function (record) {
        var isApproval = record.getTableName() === 'sysapproval_approver';
        var ticket = isApproval ? this._ticketOf(record) : record;
        if (isApproval && ticket && record.getValue('u_curfew_given_for')) {
            this._queueEnd(ticket, 'approval-deleted');
        } else if (!isApproval && this._concernsCurfew(ticket)) {
            this._queueEnd(ticket, 'deleted');
        }
    },

    /* All that an end needs is in the event, because its ticket may be gone when it is sent. */
    _queueEnd: function (ticket, ended) {
        gs.eventQueue(CurfewNotice.EVENT, null, '0', JSON.stringify({
            ended: ended,
            table: String(ticket.getTableName()),
            sys_id: String(ticket.getUniqueValue()),
            number: String(ticket.getValue('number')),
            by: this._whoIsActing()
        }));
    },

    /*
     * For the script action on the event `curfew.ticket`. Each attempt reads the ticket anew and signs anew, so what
     * arrives late is not what was true once, and its signature is never too old.
     */
    send: function (record, attempt, end) {
        /* An end stays one, even of a ticket that is gone. */
        var ended = this._parsed(String(end || ''));
        var ticket = ended ?
            this._read(ended.table, ended.sys_id) :
            this._read(record.getTableName(), record.getUniqueValue());
        if (!ticket && !ended) {
            return;
        }
        var number = ended ? ended.number : String(ticket.getValue('number'));
        var status = 0;
        var told = '';
        try {
            var response = this._request(ticket, ended).execute();
            status = parseInt(response.getStatusCode(), 10) || 0;
            told = String(response.getBody() || '').substring(0, 1000);
        } catch (error) {
            told = String(error);
        }
        if (status >= 200 && status < 300) {
            gs.info('Curfew: ' + number + ': ' + told);
            return;
        }
        /* 401 too: a secret or a clock can be put right, and a ticket's end must not be lost meanwhile. */
        var again = status === 0 || status === 401 || status === 408 || status === 429 || status >= 500;
        if (!again || attempt >= CurfewNotice.GIVE_UP_AFTER) {
            gs.error('Curfew: ' + number + ' was not taken (' + status + '), and is not sent again: ' + told);
            return;
        }
        var wait = CurfewNotice.WAITS[Math.min(attempt, CurfewNotice.WAITS.length - 1)];
        var at = new GlideDateTime();
        at.addSeconds(60 * wait);
        gs.eventQueueScheduled(CurfewNotice.EVENT, ended ? null : ticket, String(attempt + 1), String(end || ''), at);
        gs.warn('Curfew: ' + number + ' was not taken (' + status + '), next attempt in ' + wait + ' min: ' + told);
    },

    /* The facts of a ticket, as they are now. */
    facts: function (ticket) {
        var table = String(ticket.getTableName());
        return {
            type: 'servicenow.ticket',
            ticket: {
                table: table,
                sys_id: String(ticket.getUniqueValue()),
                number: String(ticket.getValue('number')),
                active: String(ticket.getValue('active')) === '1' || String(ticket.getValue('active')) === 'true',
                state: this._text(ticket.getValue('state')),
                approval: this._text(ticket.getValue('approval')),
                short_description: this._text(ticket.getValue('short_description')),
                close_notes: this._text(ticket.getValue('close_notes')),
                changed_by: this._user('user_name', ticket.getValue('sys_updated_by'))
            },
            asked: this._asked(ticket),
            planned: this._planned(ticket),
            approvals: this._approvals(ticket),
            justification: this._justification(ticket)
        };
    },

    /* The facts of a ticket that ended, whether it is still there or not. */
    _ended: function (ticket, ended) {
        var facts = ticket ? this.facts(ticket) : {
            type: 'servicenow.ticket',
            ticket: { table: ended.table, sys_id: ended.sys_id, number: ended.number }
        };
        facts.ticket.ended = ended.ended;
        facts.ticket.changed_by = this._user('sys_id', ended.by);
        return facts;
    },

    _request: function (ticket, ended) {
        var body = this._json(ended ? this._ended(ticket, ended) : this.facts(ticket));
        var id = 'sn_' + (ended ? ended.sys_id + '_' + ended.ended :
            ticket.getUniqueValue() + '_' + ticket.getValue('sys_mod_count'));
        var now = String(Math.floor(new Date().getTime() / 1000));
        var request = new sn_ws.RESTMessageV2();
        request.setHttpMethod('post');
        request.setEndpoint(gs.getProperty('curfew.url'));
        request.setHttpTimeout(20000);
        /* Nothing in the body is a variable of ServiceNow's, and a signed body must arrive as it is. */
        request.disableForcedVariableSubstitution();
        request.setRequestHeader('content-type', 'application/json');
        request.setRequestHeader('webhook-id', id);
        request.setRequestHeader('webhook-timestamp', now);
        request.setRequestHeader('webhook-signature', 'v1,' + this._mac(id + '.' + now + '.' + body));
        request.setRequestBody(body);
        return request;
    },

    /* HMAC-SHA256, base64. generateMac takes the key as base64, which is what stands behind `whsec_`. */
    _mac: function (text) {
        var credential = new sn_cc.StandardCredentialsProvider().getCredentialByID(gs.getProperty('curfew.credential'));
        var secret = credential ? String(credential.getAttribute('password') || '') : '';
        if (secret.indexOf('whsec_') !== 0) {
            throw new Error('the credential that the property curfew.credential names holds no secret of Curfew');
        }
        return String(new GlideCertificateEncryption().generateMac(secret.substring(6), 'HmacSHA256', text));
    },

    /*
     * JSON in ASCII, so that no character set on the way can change what was signed; `$` for RESTMessageV2's sake. Half
     * a character (a text that was cut, or that somebody made) would be no JSON for others.
     */
    _json: function (value) {
        var text = JSON.stringify(value, function (name, value) {
            return typeof value !== 'string' ? value :
                value.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, function (found) {
                    return found.length === 2 ? found : '\ufffd';
                });
        });
        return text.replace(/[$\u007f-\uffff]/g, function (c) {
            return '\\u' + ('0000' + c.charCodeAt(0).toString(16)).slice(-4);
        });
    },

    _asksForAccess: function (ticket) {
        var variables = this._variables(ticket);
        return Boolean(variables.curfew_tenant || variables.curfew_role);
    },

    /* A ticket that asks for access, or that did when it was approved: nobody slips the leash by emptying a field. */
    _concernsCurfew: function (ticket) {
        if (this._asksForAccess(ticket)) {
            return true;
        }
        var approvals = new GlideRecord('sysapproval_approver');
        approvals.addQuery('sysapproval', ticket.getUniqueValue());
        approvals.addNotNullQuery('u_curfew_given_for');
        approvals.setLimit(1);
        approvals.query();
        return approvals.next();
    },

    _asked: function (ticket) {
        var requester;
        if (String(ticket.getTableName()) === 'sc_req_item') {
            requester = ticket.getValue('requested_for');
            if (!requester) {
                var order = this._read('sc_request', ticket.getValue('request'));
                requester = order && order.getValue('requested_for');
            }
        } else {
            requester = ticket.getValue('assigned_to');
        }
        return {
            /* An approval that is moved to another ticket is not for that. */
            ticket: String(ticket.getUniqueValue()),
            requester: this._user('sys_id', requester),
            variables: this._variables(ticket),
            /* A digest: the words are sent once, and not with each approval. */
            words: String(new GlideDigest().getSHA256Hex(this._justification(ticket)))
        };
    },

    _variables: function (ticket) {
        var found = {};
        for (var i = 0; i < CurfewNotice.VARIABLES.length; i++) {
            var value = this._variable(ticket, CurfewNotice.VARIABLES[i]);
            if (value) {
                found[CurfewNotice.VARIABLES[i]] = value;
            }
        }
        return found;
    },

    _variable: function (ticket, name) {
        var isItem = String(ticket.getTableName()) === 'sc_req_item';
        return this._text(isItem ? ticket.variables[name] : ticket.getValue('u_' + name)).trim();
    },

    _planned: function (ticket) {
        if (String(ticket.getTableName()) !== 'change_request') {
            return { start: null, end: null };
        }
        return { start: this._time(ticket.getValue('start_date')), end: this._time(ticket.getValue('end_date')) };
    },

    _approvals: function (ticket) {
        return this._listed(this._approvalsOf(ticket, false)).concat(this._listed(this._approvalsOf(ticket, true)));
    },

    _listed: function (approvals) {
        var found = [];
        while (approvals.next()) {
            var state = String(approvals.getValue('state'));
            /* Without a time, it is of an approval that was taken back since. */
            var decided = state === 'approved' && approvals.getValue('u_curfew_decided_at');
            var given = decided ? this._parsed(approvals.getValue('u_curfew_given_for')) : null;
            found.push({
                sys_id: String(approvals.getUniqueValue()),
                state: state,
                taken_back: state !== 'approved',
                approver: this._user('sys_id', approvals.getValue('approver')),
                decided_by: this._user('sys_id', approvals.getValue('u_curfew_decided_by')),
                decided_at: this._time(approvals.getValue('u_curfew_decided_at')),
                asked: given ? given.asked : null,
                planned: given ? given.planned : null
            });
        }
        return found;
    },

    /* Those that approve, or those that did and do not any more. */
    _approvalsOf: function (ticket, takenBack) {
        var approvals = new GlideRecord('sysapproval_approver');
        approvals.addQuery('sysapproval', ticket.getUniqueValue());
        if (takenBack) {
            approvals.addQuery('state', '!=', 'approved');
            approvals.addNotNullQuery('u_curfew_given_for');
        } else {
            approvals.addQuery('state', 'approved');
        }
        approvals.orderBy('sys_id');
        approvals.setLimit(32);
        approvals.query();
        return approvals;
    },

    /* The ticket of an approval, if it is of a kind that Curfew is told about. */
    _ticketOf: function (approval) {
        var id = approval.getValue('sysapproval') || approval.getValue('document_id');
        for (var i = 0; id && i < CurfewNotice.TABLES.length; i++) {
            var ticket = this._read(CurfewNotice.TABLES[i], id);
            if (ticket) {
                return ticket;
            }
        }
        return null;
    },

    /* Who is at the keyboard: whoever impersonates, and not whom they impersonate. */
    _whoIsActing: function () {
        var impersonating = gs.getImpersonatingUserName();
        if (!impersonating) {
            return gs.getUserID();
        }
        var user = new GlideRecord('sys_user');
        return user.get('user_name', impersonating) ? user.getUniqueValue() : '';
    },

    _user: function (column, value) {
        var user = new GlideRecord('sys_user');
        if (!value || !user.get(column, value)) {
            return null;
        }
        return {
            sys_id: String(user.getUniqueValue()),
            user_name: this._text(user.getValue('user_name')),
            email: this._text(user.getValue('email'))
        };
    },

    _justification: function (ticket) {
        var isChange = String(ticket.getTableName()) === 'change_request';
        return this._variable(ticket, 'curfew_justification') ||
            this._text(isChange ? ticket.getValue('justification') : '') ||
            this._text(ticket.getValue('short_description'));
    },

    _read: function (table, id) {
        var record = new GlideRecord(table);
        return id && record.get(id) ? record : null;
    },

    _parsed: function (text) {
        try {
            return text ? JSON.parse(text) : null;
        } catch (error) {
            return null;
        }
    },

    /* What the database holds is UTC: `2026-11-21 09:00:00`. */
    _time: function (value) {
        return value ? String(value).replace(' ', 'T') + 'Z' : null;
    },

    _text: function (value) {
        return value === null || value === undefined ? '' : String(value);
    },

    type: 'CurfewNotice'
};
