//! A quarter's archive in memory, made by the code that makes archives and signed with a real key: every way in which a
//! grant can go, with words in it that try to break out of whatever they are shown in.
//!
//! Also for the tests of the command line, which write it into a folder.

use std::collections::BTreeMap;

use curfew_app::ports::DeniedRequest;
use curfew_audit::archive::{checkpoint_key, events_key, public_key_key};
use curfew_audit::checkpoint::{Draft, PublicKey, Signed};
use curfew_audit::record::{Attached, Mapping, Origin, Record, Subject};
use curfew_domain::effect::{Found, Proof, Timer, TimerKind};
use curfew_domain::event::{
    Actor, Decided, Drift, DriftResponse, Event, Fact, GENESIS, OperatorName, WindowChange,
};
use curfew_domain::grant::Outcome;
use curfew_domain::ids::{GrantId, GuardrailId, Source};
use curfew_domain::principal::Principal;
use curfew_domain::request::AccessRequest;
use curfew_domain::window::Window;
use jiff::{SignedDuration, Timestamp};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use serde_json::json;

/// Objects by key, and the key that signs.
pub(crate) struct Archive {
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    signer: SigningKey,
    last: Option<Signed>,
}

impl Archive {
    pub(crate) fn new() -> Self {
        let signer = SigningKey::from_slice(&[7; 32]).expect("a scalar");
        let mut archive = Self { objects: BTreeMap::new(), signer, last: None };
        let key = archive.public();
        archive.objects.insert(public_key_key(key.id()), key.pem().as_bytes().to_vec());
        archive
    }

    /// The public half of the key.
    pub(crate) fn public(&self) -> PublicKey {
        let der = self.signer.verifying_key().to_public_key_der().expect("DER");
        PublicKey::from_der(der.as_bytes()).expect("a key")
    }

    pub(crate) fn put(&mut self, at: &str, lines: &[String]) {
        let body: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        self.objects.insert(events_key(time(at), body.as_bytes()), body.into_bytes());
    }

    pub(crate) fn seal(&mut self, until: &str) {
        let until = time(until);
        let sealed_at = until.checked_add(SignedDuration::from_mins(5)).expect("a time");
        let mut draft = Draft::new("curfew", self.last.as_ref(), until, sealed_at).expect("a period");
        for (key, body) in self.objects.iter().filter(|(key, _)| key.starts_with("events/")) {
            // What is of other periods is refused.
            let _ = draft.object(key, body);
        }
        let statement = draft.finish();
        let signature: DerSignature = self.signer.sign_prehash(&statement.digest()).expect("a signature");
        let signed = Signed::new(statement, &self.public(), signature.as_bytes()).expect("its own signature");
        self.objects.insert(checkpoint_key(signed.statement.number), signed.to_bytes());
        self.last = Some(signed);
    }
}

/// A time.
pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// The id of a grant of the archive, by its letter.
pub(crate) fn id(letter: char) -> GrantId {
    GrantId::new(format!("g-{}", letter.to_string().repeat(26))).expect("an id")
}

/// The catalog that decided most of it.
pub(crate) const CATALOG: &str = include_str!("catalog.toml");

fn origin() -> Origin {
    Origin {
        stack: "curfew".into(),
        account: "111122223333".into(),
        region: "eu-central-1".into(),
        version: "0.1.0",
    }
}

pub(crate) struct Story {
    id: GrantId,
    subject: Subject,
    request: AccessRequest,
    decided: Decided,
    window: Window,
    seq: u32,
    head: String,
}

pub(crate) fn proof(found: Found, at: &str) -> Proof {
    Proof { found, at: time(at), aws_request_id: Some(format!("request-of-{at}")), unsettled: false }
}

fn timer(fires_at: Timestamp) -> Timer {
    Timer { kind: TimerKind::Scheduler, name: "curfew-timer".into(), fires_at, overdue_at: fires_at }
}

/// Who, where, what, by which ticket; and what the request says besides.
pub(crate) fn story(
    letter: char,
    who: &str,
    what: (&str, &str),
    ticket: &str,
    window: (&str, &str),
    more: serde_json::Value,
) -> Story {
    let (tenant, role) = what;
    let mut request = json!({
        "source": "servicenow", "ticket": ticket, "requester": format!("{who}@example.com"), "tenant": tenant, "role": role,
        "window": {}, "approvals": [], "justification": "orders are stuck", "delivery": format!("d-{letter}"),
    });
    request.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
    let request: AccessRequest = serde_json::from_value(request).expect("a request");
    let subject = Subject {
        source: request.source.clone(),
        ticket: request.ticket.clone(),
        requester: request.requester.clone(),
        tenant: request.tenant.clone(),
        role: request.role.clone(),
        principal: Principal::parse(&format!("arn:aws:iam::111122223333:user/{who}")).expect("a principal"),
        access: Attached::Inline(format!("curfew-{}", id(letter))),
        privileged: role == "admin",
    };
    Story {
        id: id(letter),
        subject,
        request,
        decided: Decided {
            catalog_digest: "c".repeat(64),
            guardrails_digest: "d".repeat(64),
            permitted_by: vec![GuardrailId::new("standard").expect("an id")],
        },
        window: Window::new(time(window.0), time(window.1)).expect("a window"),
        seq: 0,
        head: GENESIS.to_owned(),
    }
}

impl Story {
    pub(crate) fn next(&mut self, at: &str, actor: Actor, fact: Fact) -> String {
        self.seq += 1;
        let prev = std::mem::take(&mut self.head);
        let event = Event { grant_id: self.id.clone(), seq: self.seq, at: time(at), actor, fact, prev };
        self.head = event.digest();
        let record = Record::of_event(Mapping::V1_8, &origin(), &self.subject, &event.canonical());
        record.expect("an event").detail()
    }

    pub(crate) fn requested(&mut self, at: &str) -> String {
        let (request, decided) = (Box::new(self.request.clone()), self.decided.clone());
        self.next(at, servicenow(), Fact::Requested { request, decided })
    }

    pub(crate) fn opening(&self) -> Fact {
        Fact::Opened {
            access: format!("inline policy `curfew-{}` on {}", self.id, self.subject.principal),
            document_sha256: Some("e".repeat(64)),
            window: self.window,
            timer: timer(self.window.expires_at()),
            lease_until: self.window.starts_at(),
        }
    }

    pub(crate) fn opened(&mut self, at: &str) -> String {
        let fact = self.opening();
        self.next(at, Actor::GrantFunction, fact)
    }

    pub(crate) fn activated(&mut self, at: &str) -> String {
        let fact =
            Fact::Activated { attached: proof(Found::Applied, at), timer_set: proof(Found::Applied, at) };
        self.next(at, Actor::GrantFunction, fact)
    }

    pub(crate) fn begun(&mut self, at: &str) -> Vec<String> {
        vec![self.requested(at), self.opened(at), self.activated(at)]
    }

    pub(crate) fn revoked(&mut self, at: &str, outcome: Outcome) -> String {
        let fact = Fact::Revoked { outcome, access: proof(Found::Deleted, at), timer: None };
        self.next(at, Actor::RevokeFunction, fact)
    }
}

fn servicenow() -> Actor {
    Actor::Source(Source::new("servicenow").expect("a source"))
}

pub(crate) fn operator(name: &str) -> Actor {
    Actor::Operator(OperatorName::new(name).expect("a name"))
}

pub(crate) fn approved(by: &str, at: &str) -> serde_json::Value {
    json!({ "approvals": [{ "approver": format!("{by}@example.com"), "at": at }] })
}

fn denied(at: &str, code: &str, reason: &str) -> String {
    let denied: DeniedRequest = serde_json::from_value(json!({
        "source": "servicenow", "ticket": "CHG9", "requester": "eve@example.com", "tenant": "acme", "role": "admin",
        "delivery": "d-9", "request_digest": "f".repeat(64), "code": code, "reason": reason, "guardrails": ["no-eve"],
        "catalog_digest": "c".repeat(64), "guardrails_digest": "d".repeat(64), "at": at,
    }))
    .expect("a denial");
    Record::of_denial(Mapping::V1_8, &origin(), &denied).detail()
}

/// The last quarter of 2026, and something before and after it. Grants by their letters: `a` extended by an operator, then
/// expired; `b` break-glass, reviewed; `c` ended early; `d` never took effect; `e` on call, not ended; `f` ended before the
/// quarter; `g` too, but found changed in it; `h` after it.
pub(crate) fn quarter() -> Archive {
    let mut archive = Archive::new();

    let mut f = story(
        'f',
        "ana",
        ("acme", "reader"),
        "CHG1",
        ("2026-09-01T10:00:00Z", "2026-09-01T11:00:00Z"),
        approved("carl", "2026-09-01T09:59:00Z"),
    );
    let mut g = story(
        'g',
        "ana",
        ("acme", "reader"),
        "CHG2",
        ("2026-09-30T22:00:00Z", "2026-09-30T23:00:00Z"),
        approved("carl", "2026-09-30T21:59:00Z"),
    );
    archive.put("2026-09-01T10:00:05Z", &f.begun("2026-09-01T10:00:00Z"));
    let end = [
        f.next("2026-09-01T11:00:00Z", Actor::Timer, Fact::Expired {}),
        f.revoked("2026-09-01T11:00:01Z", Outcome::Expired),
    ];
    archive.put("2026-09-01T11:00:05Z", &end);
    archive.put("2026-09-30T22:00:05Z", &g.begun("2026-09-30T22:00:00Z"));
    let end = [
        g.next("2026-09-30T23:00:00Z", Actor::Timer, Fact::Expired {}),
        g.revoked("2026-09-30T23:00:01Z", Outcome::Expired),
    ];
    archive.put("2026-09-30T23:00:05Z", &end);
    archive.put(
        "2026-09-30T23:10:00Z",
        &[denied("2026-09-30T23:10:00Z", "unknown-tenant", "before the quarter")],
    );
    archive.seal("2026-10-01T00:00:00Z");

    let mut a = story(
        'a',
        "ana",
        ("acme", "reader"),
        "CHG3",
        ("2026-10-05T09:00:00Z", "2026-10-05T10:00:00Z"),
        approved("carl", "2026-10-05T08:59:30Z"),
    );
    let begun = a.begun("2026-10-05T09:00:00Z");
    archive.put("2026-10-05T09:00:02Z", &begun);
    let from = a.window;
    let to = Window::new(from.starts_at(), time("2026-10-05T11:00:00Z")).expect("a window");
    let mut request = a.request.clone();
    request.approvals = serde_json::from_value(approved("dora", "2026-10-05T09:50:00Z")["approvals"].clone())
        .expect("approvals");
    let change = WindowChange {
        request,
        decided: a.decided.clone(),
        from,
        to,
        document_sha256: Some("e".repeat(64)),
        timer: timer(to.expires_at()),
        lease_until: time("2026-10-05T09:51:00Z"),
        reason: Some("not done yet (invocation 8f5a2c31)".into()),
    };
    let change = a.next(
        "2026-10-05T09:50:00Z",
        operator("dora@example.com"),
        Fact::Extended { change: Box::new(change) },
    );
    let again = a.activated("2026-10-05T09:50:01Z");
    // What was delivered twice is in the archive twice.
    archive.put("2026-10-05T09:50:02Z", &[change, again, begun[2].clone()]);
    let end = [
        a.next("2026-10-05T11:00:00Z", Actor::Timer, Fact::Expired {}),
        a.revoked("2026-10-05T11:00:02Z", Outcome::Expired),
    ];
    archive.put("2026-10-05T11:00:03Z", &end);

    let mut b = story(
        'b',
        "ben",
        ("acme", "admin"),
        "INC1",
        ("2026-10-20T03:00:00Z", "2026-10-20T04:00:00Z"),
        json!({ "basis": { "kind": "break-glass", "since": "2026-10-20T02:59:00Z" }, "justification": "everything is down" }),
    );
    let mut begun = vec![b.requested("2026-10-20T03:00:00Z")];
    begun.push(b.next(
        "2026-10-20T03:00:00Z",
        Actor::GrantFunction,
        Fact::ReviewOwed { reason: "break-glass is looked at afterwards".into() },
    ));
    begun.extend([b.opened("2026-10-20T03:00:00Z"), b.activated("2026-10-20T03:00:01Z")]);
    archive.put("2026-10-20T03:00:02Z", &begun);
    let failed = Fact::RevocationFailed {
        error: "Throttling".into(),
        failures: 1,
        retry_at: time("2026-10-20T04:01:00Z"),
    };
    let end = [
        b.next("2026-10-20T04:00:00Z", Actor::Timer, Fact::Expired {}),
        b.next("2026-10-20T04:00:01Z", Actor::RevokeFunction, failed),
        b.revoked("2026-10-20T04:01:30Z", Outcome::Expired),
        b.next(
            "2026-10-21T09:00:00Z",
            operator("carl@example.com"),
            Fact::Reviewed { note: "as INC1 says".into() },
        ),
    ];
    // Written side by side, so that the later object has the earlier events.
    archive.put("2026-10-21T09:00:01Z", &end[2..]);
    archive.put("2026-10-21T09:00:02Z", &end[..2]);
    let drift = Fact::DriftFound { drift: Drift::Leftover, response: DriftResponse::Remove };
    let drift = [
        g.next("2026-10-25T12:00:00Z", Actor::Sweep, drift),
        g.next(
            "2026-10-25T12:00:01Z",
            Actor::Sweep,
            Fact::DriftRemoved { access: proof(Found::Deleted, "2026-10-25T12:00:01Z") },
        ),
    ];
    archive.put("2026-10-25T12:00:02Z", &drift);
    archive.seal("2026-11-01T00:00:00Z");

    let mut c = story(
        'c',
        "ben",
        ("acme", "reader"),
        "CHG4",
        ("2026-11-10T09:00:00Z", "2026-11-10T17:00:00Z"),
        json!({
            "approvals": [{ "approver": "carl@example.com", "at": "2026-11-10T08:58:00Z" }, { "approver": "dora@example.com", "at": "2026-11-10T08:59:00Z" }],
            "justification": "=HYPERLINK(\"http://evil.example\")\n<script>alert('1')</script>\u{202e}txt.exe",
        }),
    );
    archive.put("2026-11-10T09:00:05Z", &c.begun("2026-11-10T09:00:00Z"));
    let reason = "@evil </td><img src=x onerror=alert(1)> (invocation 1a2b)".to_owned();
    let end = [
        c.next(
            "2026-11-10T12:00:00Z",
            operator("ops <ops@example.com>"),
            Fact::RevocationRequested { reason },
        ),
        c.revoked("2026-11-10T12:00:07Z", Outcome::Revoked),
    ];
    archive.put("2026-11-10T12:00:10Z", &end);

    let mut d = story(
        'd',
        "ana",
        ("globex", "reader"),
        "CHG5",
        ("2026-11-11T09:00:00Z", "2026-11-11T10:00:00Z"),
        approved("carl", "2026-11-11T08:59:00Z"),
    );
    let failed = Fact::OpeningFailed { reason: "AccessDenied: no permissions boundary".into() };
    let lines = [
        d.requested("2026-11-11T09:00:00Z"),
        d.opened("2026-11-11T09:00:00Z"),
        d.next("2026-11-11T09:00:02Z", Actor::GrantFunction, failed),
        d.revoked("2026-11-11T09:00:03Z", Outcome::Failed),
    ];
    archive.put("2026-11-11T09:00:04Z", &lines);
    archive.put(
        "2026-11-11T09:10:00Z",
        &[
            denied("2026-11-11T09:09:00Z", "forbidden-by-guardrail", "+eve may not"),
            denied("2026-11-11T09:09:30Z", "self-approval", "eve@example.com alone approved"),
        ],
    );
    archive.seal("2026-12-01T00:00:00Z");

    let mut e = story(
        'e',
        "old.name",
        ("acme", "reader"),
        "INC2",
        ("2026-12-31T23:00:00Z", "2027-01-01T01:00:00Z"),
        json!({ "basis": { "kind": "on-call", "since": "2026-12-31T22:58:00Z" } }),
    );
    let mut begun = e.begun("2026-12-31T23:00:00Z");
    begun.push(e.next(
        "2026-12-31T23:00:00Z",
        Actor::GrantFunction,
        Fact::ReviewOwed { reason: "on call".into() },
    ));
    archive.put("2026-12-31T23:00:02Z", &begun);
    let mut h = story(
        'h',
        "ana",
        ("acme", "reader"),
        "CHG6",
        ("2027-01-01T00:00:00Z", "2027-01-01T01:00:00Z"),
        approved("carl", "2026-12-31T23:59:00Z"),
    );
    archive.put("2027-01-01T00:00:02Z", &h.begun("2027-01-01T00:00:00Z"));
    archive.seal("2027-01-01T00:30:00Z");
    archive
}
