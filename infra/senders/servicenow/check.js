// Runs the scripts of this folder on Node, against a small imitation of the parts of ServiceNow that they use, and
// compares what they would send with what is recorded (tests/payloads/servicenow-script-*.json, recorded.json), which the
// tests of shared/intake verify and read.
//
//   node check.js           compares; exit status 1, if anything differs
//   node check.js --write   records anew, after a change of the scripts
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

// For these recordings alone; a secret that Curfew would take, but nobody's.
const SECRET = 'whsec_' + crypto.createHash('sha256').update('recorded deliveries of ServiceNow').digest('base64');
const URL = 'https://curfew.example.com/webhooks/snow';

const read = (file) => fs.readFileSync(path.join(__dirname, file), 'utf8');
const SCRIPTS = fs.readdirSync(__dirname).filter((file) => /\.(script-include|business-rule|script-action)\.js$/.test(file));

// Rhino reads ES5. Node would not complain about more.
for (const file of SCRIPTS) {
  const code = read(file).replace(/\/\*[\s\S]*?\*\//g, '').replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
  assert.doesNotMatch(code, /=>|`|\b(?:let|const|class|async|await|of)\b(?!\s*:)|\.\.\./, `${file} is not ES5`);
}

/** An instance: tables of records, the time, who is at work, and what was sent and queued. */
class Instance {
  constructor() {
    this.now = Date.parse('2026-11-21T08:55:00Z');
    this.tables = { sys_user: [], sc_request: [], sc_req_item: [], change_request: [], sysapproval_approver: [] };
    this.properties = { 'curfew.url': URL, 'curfew.credential': 'c0ffee00c0ffee00c0ffee00c0ffee00' };
    this.acting = null;
    this.impersonating = null;
    this.sent = [];
    this.queue = [];
    this.log = [];
    this.replies = [];
    const instance = this;

    class GlideDateTime {
      constructor() {
        this.at = instance.now;
      }
      getValue() {
        return new Date(this.at).toISOString().slice(0, 19).replace('T', ' ');
      }
      addSeconds(seconds) {
        this.at += seconds * 1000;
      }
    }

    class GlideRecord {
      constructor(table) {
        assert.ok(instance.tables[table], `no table ${table}`);
        this.table = table;
        this.queries = [];
        this.row = {};
      }
      get(column, value) {
        const [name, wanted] = value === undefined ? ['sys_id', column] : [column, value];
        const row = instance.tables[this.table].find((row) => row[name] === wanted);
        if (row) this.row = row;
        return Boolean(row);
      }
      addQuery(column, operator, value) {
        if (value === undefined) return void this.queries.push((row) => row[column] === operator);
        assert.equal(operator, '!=');
        this.queries.push((row) => row[column] !== value);
      }
      addNotNullQuery(column) {
        this.queries.push((row) => Boolean(row[column]));
      }
      orderBy(column) {
        this.order = column;
      }
      setLimit(limit) {
        this.limit = limit;
      }
      query() {
        const rows = instance.tables[this.table].filter((row) => this.queries.every((holds) => holds(row)));
        rows.sort((a, b) => (a[this.order] < b[this.order] ? -1 : 1));
        this.found = rows.slice(0, this.limit);
      }
      next() {
        const row = this.found.shift();
        if (row) this.row = row;
        return Boolean(row);
      }
      getValue(name) {
        const value = this.row[name];
        return value === undefined || value === '' ? null : String(value);
      }
      setValue(name, value) {
        this.row[name] = value;
      }
      getUniqueValue() {
        return this.row.sys_id;
      }
      getTableName() {
        return this.table;
      }
      isNewRecord() {
        return Boolean(this.isNew);
      }
      get variables() {
        return this.row.variables || {};
      }
    }
    this.GlideRecord = GlideRecord;

    class RESTMessageV2 {
      constructor() {
        this.headers = {};
        this.substitutes = true;
      }
      setHttpMethod(method) {
        assert.equal(method, 'post');
      }
      setEndpoint(url) {
        assert.equal(url, URL);
      }
      setHttpTimeout(milliseconds) {
        assert.ok(milliseconds >= 10000);
      }
      disableForcedVariableSubstitution() {
        this.substitutes = false;
      }
      setRequestHeader(name, value) {
        this.headers[name] = value;
      }
      setRequestBody(body) {
        this.body = body;
      }
      execute() {
        assert.equal(this.substitutes, false);
        instance.sent.push({ headers: this.headers, body: this.body });
        const status = instance.replies.length ? instance.replies.shift() : 201;
        if (status === 0) throw new Error('no answer');
        return { getStatusCode: () => status, getBody: () => '{"message":"…"}' };
      }
    }

    this.context = vm.createContext({
      Class: {
        create: () =>
          function () {
            this.initialize.apply(this, arguments);
          },
      },
      Date: class extends Date {
        constructor() {
          super(instance.now);
        }
      },
      GlideCertificateEncryption: class {
        generateMac(key, algorithm, data) {
          assert.equal(algorithm, 'HmacSHA256');
          assert.match(data, /^[\x20-\x7e]*$/, 'what is signed is ASCII');
          return crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(data).digest('base64');
        }
      },
      GlideDateTime,
      GlideDigest: class {
        getSHA256Hex(text) {
          return crypto.createHash('sha256').update(text).digest('hex');
        }
      },
      GlideRecord,
      gs: {
        getProperty: (name) => instance.properties[name],
        getUserID: () => instance.person(instance.acting).sys_id,
        getImpersonatingUserName: () => instance.impersonating,
        eventQueue: (name, record, parm1, parm2) => instance.event(name, record, parm1, parm2, instance.now),
        eventQueueScheduled: (name, record, parm1, parm2, at) => instance.event(name, record, parm1, parm2, at.at),
        info: (text) => instance.log.push(['info', text]),
        warn: (text) => instance.log.push(['warn', text]),
        error: (text) => instance.log.push(['error', text]),
      },
      sn_cc: {
        StandardCredentialsProvider: class {
          getCredentialByID(id) {
            return id === instance.properties['curfew.credential'] ? { getAttribute: () => SECRET } : null;
          }
        },
      },
      sn_ws: { RESTMessageV2 },
    });
    this.run('CurfewNotice.script-include.js');
  }

  run(file, globals = {}) {
    Object.assign(this.context, globals);
    vm.runInContext(read(file), this.context, { filename: file });
  }

  event(name, record, parm1, parm2, at) {
    assert.ok(parm1.length <= 255 && parm2.length <= 255, 'a parameter of an event holds 255 characters');
    this.queue.push({ name, record, parm1, parm2, at });
  }

  id(text) {
    return crypto.createHash('md5').update(text).digest('hex');
  }

  person(name) {
    return this.tables.sys_user.find((user) => user.user_name === name);
  }

  /** Inserts or updates as a person, with the rules that belong to the table. */
  write(table, key, values, by) {
    this.acting = by;
    const record = new this.GlideRecord(table);
    const previous = new this.GlideRecord(table);
    const sys_id = this.id(`${table} ${key}`);
    record.isNew = !record.get(sys_id);
    if (record.isNew) {
      record.row = { sys_id, sys_mod_count: 0 };
      this.tables[table].push(record.row);
    } else {
      previous.row = { ...record.row };
      record.row.sys_mod_count += 1;
    }
    Object.assign(record.row, values, { sys_updated_by: by });
    const changes = (name) => record.row[name] !== previous.row[name];
    const globals = { current: record, previous: record.isNew ? undefined : previous };
    if (table === 'sysapproval_approver') {
      this.run('stamp-the-decision.business-rule.js', globals);
      if (changes('state') && [record.row.state, previous.row.state].includes('approved')) {
        this.run('tell-of-a-decision.business-rule.js', globals);
      }
    }
    const told = ['approval', 'state', 'active', ...(table === 'change_request' ? ['start_date', 'end_date'] : [])];
    if (['sc_req_item', 'change_request'].includes(table) && told.some(changes)) {
      this.run('tell-of-a-ticket.business-rule.js', globals);
    }
    return record;
  }

  /** Deletes as a person, with the rules that belong to the table. */
  remove(table, key, by) {
    this.acting = by;
    const record = new this.GlideRecord(table);
    assert.ok(record.get(this.id(`${table} ${key}`)));
    this.run('tell-of-a-deletion.business-rule.js', { current: record });
    this.tables[table] = this.tables[table].filter((row) => row !== record.row);
  }

  /** Handles every event that is queued, in order of time. Returns the last delivery. */
  work() {
    while (this.queue.length) {
      this.queue.sort((a, b) => a.at - b.at);
      const { name, record, parm1, parm2, at } = this.queue.shift();
      assert.equal(name, 'curfew.ticket');
      this.now = Math.max(this.now, at);
      this.run('send.script-action.js', { current: record, event: { parm1, parm2 } });
    }
    return this.sent[this.sent.length - 1];
  }
}

function instance() {
  const snow = new Instance();
  for (const name of ['ana', 'bo', 'cy']) {
    snow.tables.sys_user.push({ sys_id: snow.id(name), user_name: name, email: `${name}@example.com` });
  }
  snow.tables.sys_user.push({ sys_id: snow.id('integration'), user_name: 'integration.user', email: '' });
  return snow;
}

const user = (snow, name) => snow.id(name);

/** A requested item of ana's, asked for approval. */
function item(more = {}) {
  const snow = instance();
  snow.tables.sc_request.push({ sys_id: snow.id('REQ0010007'), requested_for: user(snow, 'ana') });
  snow.write('sc_req_item', 'RITM0010042', {
    number: 'RITM0010042',
    request: snow.id('REQ0010007'),
    requested_for: user(snow, 'ana'),
    active: '1',
    state: '1',
    approval: 'requested',
    short_description: 'AWS access',
    variables: {
      curfew_tenant: 'acme-prod',
      curfew_role: 'prod-readonly',
      curfew_duration: '1h30m',
      curfew_justification: 'Read the order service’s logs: checkout fails for ${customers} (支払い).',
    },
    ...more,
  }, 'ana');
  return snow;
}

/** A change that ana implements, asked for approval. */
function change(more = {}) {
  const snow = instance();
  snow.write('change_request', 'CHG0030192', {
    number: 'CHG0030192',
    assigned_to: user(snow, 'ana'),
    requested_by: user(snow, 'cy'),
    active: '1',
    state: '-3',
    approval: 'requested',
    short_description: 'Rotate the database password',
    justification: 'It was in a log.',
    start_date: '2026-11-21 09:00:00',
    end_date: '2026-11-21 11:00:00',
    u_curfew_tenant: 'acme-prod',
    u_curfew_role: 'prod-operator',
    ...more,
  }, 'cy');
  return snow;
}

function ask(snow, table, number, approver) {
  const values = { sysapproval: snow.id(`${table} ${number}`), approver: user(snow, approver), state: 'requested' };
  snow.write('sysapproval_approver', `${number} ${approver}`, values, 'cy');
}

function decide(snow, number, approver, by = approver, state = 'approved') {
  snow.write('sysapproval_approver', `${number} ${approver}`, { state }, by);
}

const RITM = ['sc_req_item', 'RITM0010042'];
const CHG = ['change_request', 'CHG0030192'];

/** A ticket whose approvals by `people` are in. */
function approved(snow, [table, number], people, more = {}) {
  for (const name of people) ask(snow, table, number, name);
  for (const name of people) {
    decide(snow, number, name);
    snow.now += 60000;
  }
  snow.write(table, number, { approval: 'approved', ...more }, 'bo');
  snow.work();
  return snow;
}

/** What is queued at the end of a scenario is sent; the last delivery is recorded. */
const SCENARIOS = {
  'request-approved': () => approved(item(), RITM, ['bo'], { state: '2' }),
  'request-two-approvals': () => approved(item(), RITM, ['bo', 'cy']),
  'request-for-an-older-release': () => approved(item({ requested_for: '' }), RITM, ['bo']),
  'request-not-yet-approved': () => {
    const snow = item();
    return snow;
  },
  'request-edited-after-approval': () => {
    const snow = approved(item(), RITM, ['bo']);
    snow.write(...RITM, { state: '2', variables: { ...snow.tables.sc_req_item[0].variables, curfew_role: 'prod-admin' } }, 'ana');
    return snow;
  },
  'request-with-other-words-after-approval': () => {
    const snow = approved(item(), RITM, ['bo']);
    const variables = { ...snow.tables.sc_req_item[0].variables, curfew_justification: 'What bo never read.' };
    snow.write(...RITM, { state: '2', variables }, 'ana');
    return snow;
  },
  'request-forged-stamp': () => {
    const snow = item();
    ask(snow, ...RITM, 'bo');
    snow.write('sysapproval_approver', 'RITM0010042 bo', {
      u_curfew_decided_by: user(snow, 'bo'),
      u_curfew_decided_at: '2026-11-21 08:55:00',
      u_curfew_given_for: '{}',
    }, 'ana');
    assert.equal(snow.tables.sysapproval_approver[0].u_curfew_given_for, '');
    decide(snow, 'RITM0010042', 'bo');
    const stamp = snow.tables.sysapproval_approver[0].u_curfew_given_for;
    snow.write('sysapproval_approver', 'RITM0010042 bo', { u_curfew_given_for: '{}', comments: 'fine' }, 'ana');
    assert.equal(snow.tables.sysapproval_approver[0].u_curfew_given_for, stamp);
    snow.write(...RITM, { approval: 'approved' }, 'bo');
    return snow;
  },
  'request-approved-for-somebody': () => {
    const snow = item();
    ask(snow, ...RITM, 'bo');
    decide(snow, 'RITM0010042', 'bo', 'cy');
    snow.write(...RITM, { approval: 'approved' }, 'cy');
    return snow;
  },
  'request-approved-by-impersonation': () => {
    const snow = item();
    ask(snow, ...RITM, 'bo');
    snow.impersonating = 'ana';
    decide(snow, 'RITM0010042', 'bo');
    snow.impersonating = null;
    snow.write(...RITM, { approval: 'approved' }, 'bo');
    return snow;
  },
  'request-closed': () => {
    const snow = approved(item(), RITM, ['bo'], { state: '2' });
    snow.now += 1800000;
    snow.write(...RITM, { state: '3', active: '0', close_notes: 'Fixed by a rollback.' }, 'bo');
    return snow;
  },
  'request-emptied-and-closed': () => {
    const snow = approved(item(), RITM, ['bo'], { state: '2' });
    snow.write(...RITM, { variables: {} }, 'ana');
    snow.write(...RITM, { state: '4', active: '0' }, 'ana');
    return snow;
  },
  'request-rejected': () => {
    const snow = item();
    ask(snow, ...RITM, 'bo');
    decide(snow, 'RITM0010042', 'bo', 'bo', 'rejected');
    snow.write(...RITM, { approval: 'rejected' }, 'integration.user');
    return snow;
  },
  'request-with-half-a-character': () => {
    const snow = approved(item({ short_description: 'AWS \ud83d access 🔥 \ude00' }), RITM, ['bo']);
    snow.write(...RITM, { state: '3', active: '0', close_notes: 'cut \ud83d' }, 'bo');
    return snow;
  },
  'request-moved-approval': () => {
    const snow = approved(item(), RITM, ['bo']);
    const { sys_id, ...twin } = snow.tables.sc_req_item[0];
    snow.write('sc_req_item', 'RITM0010043', { ...twin, number: 'RITM0010043' }, 'ana');
    const sysapproval = snow.id('sc_req_item RITM0010043');
    snow.write('sysapproval_approver', 'RITM0010042 bo', { sysapproval }, 'ana');
    snow.write('sc_req_item', 'RITM0010043', { state: '2' }, 'ana');
    return snow;
  },
  'request-deleted': () => {
    const snow = approved(item(), RITM, ['bo']);
    snow.write(...RITM, { variables: {} }, 'ana');
    snow.remove(...RITM, 'ana');
    snow.replies = [503, 200];
    return snow;
  },
  'request-approval-deleted': () => {
    const snow = approved(item(), RITM, ['bo']);
    snow.remove('sysapproval_approver', 'RITM0010042 bo', 'ana');
    return snow;
  },
  'request-half-approved': () => {
    const snow = item();
    ask(snow, ...RITM, 'bo');
    ask(snow, ...RITM, 'cy');
    decide(snow, 'RITM0010042', 'bo');
    return snow;
  },
  'request-approval-rejected-afterwards': () => {
    const snow = approved(item(), RITM, ['bo', 'cy']);
    decide(snow, 'RITM0010042', 'bo', 'bo', 'rejected');
    return snow;
  },
  'change-approved': () => approved(change(), CHG, ['bo'], { state: '-2' }),
  'change-implementing': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    snow.now += 600000;
    snow.write(...CHG, { state: '-1' }, 'ana');
    return snow;
  },
  'change-shortened': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    snow.write(...CHG, { end_date: '2026-11-21 10:00:00' }, 'ana');
    return snow;
  },
  'change-extended': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    snow.write(...CHG, { end_date: '2026-11-21 12:00:00' }, 'ana');
    return snow;
  },
  'change-extended-and-approved-again': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    snow.now += 1800000;
    snow.write(...CHG, { end_date: '2026-11-21 12:00:00' }, 'ana');
    decide(snow, 'CHG0030192', 'bo', 'bo', 'requested');
    snow.now += 60000;
    decide(snow, 'CHG0030192', 'bo');
    return snow;
  },
  'change-reverted': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    snow.write(...CHG, { state: '-5', approval: 'not requested' }, 'ana');
    return snow;
  },
  'change-reverted-emptied-and-canceled': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    // As `Revert to New` does; the approvals' rules may run before the ticket's.
    decide(snow, 'CHG0030192', 'bo', 'ana', 'requested');
    snow.write(...CHG, { state: '-5', approval: 'not requested' }, 'ana');
    snow.work();
    snow.write(...CHG, { u_curfew_tenant: '', u_curfew_role: '' }, 'ana');
    snow.sent = [];
    snow.write(...CHG, { state: '4', active: '0' }, 'ana');
    snow.work();
    assert.equal(snow.sent.length, 1, 'nobody slips the leash by emptying a field');
    return snow;
  },
  'change-approvals-reset': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    snow.tables.change_request[0].approval = 'requested';
    decide(snow, 'CHG0030192', 'bo', 'ana', 'requested');
    return snow;
  },
  'change-approved-again-when-emptied': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    decide(snow, 'CHG0030192', 'bo', 'bo', 'requested');
    const { u_curfew_tenant, u_curfew_role } = snow.tables.change_request[0];
    snow.write(...CHG, { u_curfew_tenant: '', u_curfew_role: '' }, 'ana');
    decide(snow, 'CHG0030192', 'bo');
    snow.write(...CHG, { u_curfew_tenant, u_curfew_role, state: '-1' }, 'ana');
    return snow;
  },
  'change-canceled': () => {
    const snow = approved(change(), CHG, ['bo'], { state: '-2' });
    snow.write(...CHG, { state: '4', active: '0' }, 'cy');
    return snow;
  },
};

// What nobody asked for is not told.
{
  const snow = change({ u_curfew_tenant: '', u_curfew_role: '' });
  ask(snow, ...CHG, 'bo');
  decide(snow, 'CHG0030192', 'bo');
  snow.write(...CHG, { approval: 'approved' }, 'bo');
  decide(snow, 'CHG0030192', 'bo', 'bo', 'requested');
  snow.remove('sysapproval_approver', 'CHG0030192 bo', 'ana');
  snow.remove(...CHG, 'ana');
  assert.deepEqual([snow.work(), snow.queue], [undefined, []]);
}

// What is not taken is sent again, later and signed anew; what will never be taken is not.
{
  const snow = item();
  snow.work();
  snow.sent = [];
  snow.replies = [503, 0, 429, 401, 500, 201];
  approved(snow, RITM, ['bo']);
  snow.work();
  const times = snow.sent.map((one) => Number(one.headers['webhook-timestamp']));
  // The decision and the ticket are two events: two attempts at each of the times 0, 1 and 3 min, one at 8 min.
  assert.equal(times.length, 7);
  assert.deepEqual([...new Set(times)].map((time) => time - times[0]), [0, 60, 180, 480]);
  assert.equal(new Set(snow.sent.map((one) => one.headers['webhook-signature'])).size, 4);
  snow.replies = [400];
  snow.sent = [];
  snow.write(...RITM, { state: '2' }, 'bo');
  snow.work();
  assert.equal(snow.sent.length, 1);
  assert.equal(snow.log[snow.log.length - 1][0], 'error');
  snow.replies = Array(1000).fill(503);
  snow.sent = [];
  snow.write(...RITM, { state: '3', active: '0' }, 'bo');
  snow.work();
  assert.equal(snow.sent.length, 41, 'it is given up after a day and a half');
  assert.ok(!JSON.stringify(snow.log).includes(SECRET.slice(6)), 'a secret is in the log');
}

const payloads = path.join(__dirname, '../../../tests/payloads');
const recorded = { secret: SECRET, deliveries: {} };
const bodies = {};
for (const [name, play] of Object.entries(SCENARIOS)) {
  const { headers, body } = play().work();
  assert.match(body, /^[\x20-\x7e]*$/);
  recorded.deliveries[name] = {
    'webhook-id': headers['webhook-id'],
    'webhook-timestamp': headers['webhook-timestamp'],
    'webhook-signature': headers['webhook-signature'],
  };
  bodies[`servicenow-script-${name}.json`] = `${body}\n`;
}
const files = { [path.join(__dirname, 'recorded.json')]: `${JSON.stringify(recorded, null, 2)}\n` };
for (const [name, text] of Object.entries(bodies)) files[path.join(payloads, name)] = text;

let differ = 0;
for (const [file, text] of Object.entries(files)) {
  if (process.argv.includes('--write')) {
    fs.writeFileSync(file, text);
  } else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
    console.error(`${path.basename(file)} is not what the scripts send; look at what changed, then: node check.js --write`);
    differ += 1;
  }
}
for (const file of fs.readdirSync(payloads)) {
  if (file.startsWith('servicenow-script-') && !bodies[file]) {
    console.error(`${file} is recorded, and no scenario sends it`);
    differ += 1;
  }
}
console.log(`${Object.keys(SCENARIOS).length} deliveries, ${differ} differ`);
process.exitCode = differ ? 1 : 0;
