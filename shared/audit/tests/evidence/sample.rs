//! The archive that is tampered with: five grants and three denials over a night, in four sealed periods and a tail
//! that no checkpoint has sealed yet; with duplicates, lines in other orders than events, and an empty period.

use std::sync::LazyLock;

use curfew_app::ports::DeniedRequest;
use curfew_audit::record::{Attached, Mapping, Origin, Record, Subject};
use curfew_domain::effect::{Found, Proof};
use curfew_domain::event::{Actor, Decided, Fact};
use curfew_domain::grant::Outcome;
use curfew_domain::ids::{DeliveryId, Email, GrantId, RoleName, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::request::{AccessRequest, Approval, Basis, TicketFacts, WindowRequest};

use super::builder::{Archive, Story, moment};

/// The sample and the keys of its objects, in the order they were written.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) archive: Archive,
    pub(crate) keys: Vec<String>,
}

pub(crate) fn id(letter: char) -> GrantId {
    GrantId::new(format!("g-{}", letter.to_string().repeat(26))).expect("an id")
}

fn valid<T, E: std::fmt::Debug>(made: Result<T, E>) -> T {
    made.expect("a valid literal")
}

pub(crate) fn origin() -> Origin {
    Origin {
        stack: super::builder::STACK.to_owned(),
        account: "999900001111".to_owned(),
        region: "eu-central-1".to_owned(),
        version: "0.1.0",
    }
}

pub(crate) fn subject() -> Subject {
    Subject {
        source: valid(Source::new("itsm")),
        ticket: valid(TicketId::new("CHG-1")),
        requester: valid(Email::new("ana@example.com")),
        tenant: valid(TenantId::new("acme")),
        role: valid(RoleName::new("ops")),
        principal: valid(Principal::parse("arn:aws:iam::111122223333:user/ana")),
        access: Attached::Inline("curfew-g".to_owned()),
        privileged: false,
    }
}

fn request() -> AccessRequest {
    let subject = subject();
    AccessRequest {
        source: subject.source,
        ticket: subject.ticket,
        requester: subject.requester,
        tenant: subject.tenant,
        role: subject.role,
        principal: None,
        window: WindowRequest::default(),
        approvals: vec![Approval { approver: valid(Email::new("carl@example.com")), at: moment("22:00:00") }],
        basis: Basis::Approvals,
        ticket_facts: TicketFacts::default(),
        justification: "disk full: \"db-3\" 漢\u{7f}\u{1}\n\\".to_owned(),
        delivery: valid(DeliveryId::new("msg-1")),
    }
}

fn decided() -> Decided {
    Decided { catalog_digest: "c1".repeat(32), guardrails_digest: String::new(), permitted_by: Vec::new() }
}

fn denial(seconds: u8) -> String {
    let at = moment(&format!("22:30:{seconds:02}.25"));
    Record::of_denial(Mapping::V1_8, &origin(), &DeniedRequest::of(&request(), "no-approval", "why", at))
        .detail()
}

fn story(letter: char) -> Story {
    Story::new(id(letter), subject(), origin())
}

fn requested(story: &mut Story, time: &str) -> String {
    let fact = Fact::Requested { request: Box::new(request()), decided: decided() };
    story.next(time, Actor::Source(subject().source), fact)
}

fn noted(story: &mut Story, time: &str, note: &str) -> String {
    story.next(time, Actor::Sweep, Fact::Reviewed { note: note.to_owned() })
}

fn expired(story: &mut Story, time: &str) -> String {
    story.next(time, Actor::Timer, Fact::Expired {})
}

fn revoked(story: &mut Story, time: &str) -> String {
    let at = moment(time);
    let access = Proof { found: Found::Deleted, at, aws_request_id: None, unsettled: false };
    story.next(time, Actor::RevokeFunction, Fact::Revoked { outcome: Outcome::Expired, access, timer: None })
}

/// The sample. Made once: the properties ask for thousands.
pub(crate) fn sample() -> Sample {
    static SAMPLE: LazyLock<Sample> = LazyLock::new(make);
    SAMPLE.clone()
}

fn make() -> Sample {
    let mut archive = Archive::new(7);
    let mut keys = Vec::new();
    let [mut a, mut b, mut c, mut d, mut e] = ['a', 'b', 'c', 'd', 'e'].map(story);
    let a1 = requested(&mut a, "22:31:00");
    let a2 = noted(&mut a, "22:31:01.5", "one");
    keys.push(archive.put("22:31:02.123", &[a1, a2, denial(1)]));
    let [b1, b2] = [requested(&mut b, "22:44:00"), noted(&mut b, "22:44:01", "two")];
    let a3 = noted(&mut a, "22:45:00", "three");
    keys.push(archive.put("22:45:01", &[b1, b2, a3.clone()]));
    archive.seal("23:00:00");
    let a4 = expired(&mut a, "23:10:00");
    let [c1, c2] = [requested(&mut c, "23:10:01"), noted(&mut c, "23:10:02", "four")];
    keys.push(archive.put("23:10:03", &[a4, a3, c1, c2]));
    let b3 = expired(&mut b, "23:39:00");
    let [c3, c4] = [noted(&mut c, "23:39:30", "five"), expired(&mut c, "23:39:40")];
    keys.push(archive.put("23:40:00", &[b3.clone(), c4, c3]));
    archive.seal("23:59:59.999");
    let [a5, b4] = [revoked(&mut a, "00:20:00"), revoked(&mut b, "00:20:01")];
    let batch = [a5, b4, denial(2), denial(1)];
    keys.push(archive.put("00:20:02", &batch));
    // The same batch once more: the answer to the first try was lost.
    keys.push(archive.put("00:20:03", &batch));
    let c5 = revoked(&mut c, "00:30:00");
    keys.push(archive.put("00:30:01", &[c5]));
    archive.seal("01:00:00");
    archive.seal("02:00:00");
    let [d1, d2] = [requested(&mut d, "02:10:00"), noted(&mut d, "02:10:01", "six")];
    keys.push(archive.put("02:10:02", &[d2, d1, denial(3)]));
    let [e1, d3] = [requested(&mut e, "02:20:00"), expired(&mut d, "02:20:01")];
    keys.push(archive.put("02:20:02", &[e1, d3, b3]));
    let [d4, e2] = [revoked(&mut d, "02:30:00"), noted(&mut e, "02:30:01", "seven")];
    keys.push(archive.put("02:30:02", &[d4, e2]));
    Sample { archive, keys }
}
