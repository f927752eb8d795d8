//! One event of every kind, with every kind of actor and both kinds of access.

use curfew_app::ports::DeniedRequest;
use curfew_audit::record::{Attached, Origin, Subject};
use curfew_domain::effect::{Found, Proof, Timer, TimerKind};
use curfew_domain::event::{
    Actor, Decided, Drift, DriftResponse, Event, Fact, GENESIS, OperatorName, WindowChange,
};
use curfew_domain::grant::Outcome;
use curfew_domain::ids::{Email, GrantId, GuardrailId};
use curfew_domain::request::{AccessRequest, Basis};
use curfew_domain::window::Window;
use curfew_testkit::fixtures::{
    ANA, ANA_IN_GLOBEX, AUDIT_POLICY, START, person, principal, request_of, source,
};
use jiff::{SignedDuration, Timestamp};

pub(crate) fn origin() -> Origin {
    Origin {
        stack: "curfew-prod".to_owned(),
        account: "999900001111".to_owned(),
        region: "eu-central-1".to_owned(),
        version: "0.1.0",
    }
}

pub(crate) fn grant_id(letter: char) -> GrantId {
    GrantId::new(format!("g-{}", letter.to_string().repeat(26))).unwrap()
}

/// Ana's user receives `ops` in `acme` by a policy of its own.
pub(crate) fn inline() -> Subject {
    subject("acme", "ops", ANA, Attached::Inline("curfew-g-aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()), true)
}

/// Ana's role receives `audit` in `globex` by a standing policy.
pub(crate) fn managed() -> Subject {
    subject("globex", "audit", ANA_IN_GLOBEX, Attached::Managed(AUDIT_POLICY.to_owned()), false)
}

fn subject(tenant: &str, role: &str, arn: &str, access: Attached, privileged: bool) -> Subject {
    let request = request_of("ana", tenant, role, "CHG-1");
    Subject {
        source: request.source,
        ticket: request.ticket,
        requester: request.requester,
        tenant: request.tenant,
        role: request.role,
        principal: principal(arn),
        access,
        privileged,
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    START.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub(crate) fn decided() -> Decided {
    Decided {
        catalog_digest: "c1".repeat(32),
        guardrails_digest: "9a".repeat(32),
        permitted_by: vec![GuardrailId::new("approved-by-another").unwrap()],
    }
}

pub(crate) fn window(seconds: i64) -> Window {
    Window::new(START, at(seconds)).unwrap()
}

fn timer(seconds: i64) -> Timer {
    Timer {
        kind: TimerKind::Scheduler,
        name: "curfew-g-aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        fires_at: at(seconds),
        overdue_at: at(seconds + 60),
    }
}

pub(crate) fn proof(found: Found, seconds: i64) -> Proof {
    Proof { found, at: at(seconds), aws_request_id: Some(format!("aws-request-{seconds}")), unsettled: false }
}

/// A request whose justification is what an attacker would write.
pub(crate) fn hostile() -> AccessRequest {
    AccessRequest {
        justification: "<script>alert(1)</script>\n\"}{\\ ü 漢 \u{1f512} '; drop table grants; -- =cmd()"
            .to_owned(),
        basis: Basis::BreakGlass { since: START },
        ..request_of("ana", "acme", "ops", "CHG-1")
    }
}

fn change(seconds: i64, reason: Option<&str>) -> Box<WindowChange> {
    Box::new(WindowChange {
        request: request_of("ana", "acme", "ops", "CHG-1"),
        decided: decided(),
        from: window(3_600),
        to: window(seconds),
        document_sha256: Some("d0".repeat(32)),
        timer: timer(seconds),
        lease_until: at(50),
        reason: reason.map(str::to_owned),
    })
}

fn operator() -> Actor {
    Actor::Operator(OperatorName::new("ben@example.com").unwrap())
}

/// One fact of every kind, with who caused it.
pub(crate) fn facts() -> Vec<(Actor, Fact)> {
    let carl = || Actor::Person(Email::new("carl@example.com").unwrap());
    vec![
        (Actor::Source(source()), Fact::Requested { request: Box::new(hostile()), decided: decided() }),
        (
            Actor::GrantFunction,
            Fact::Opened {
                access: "inline policy `curfew-g-aaaaaaaaaaaaaaaaaaaaaaaaaa`".to_owned(),
                document_sha256: Some("d0".repeat(32)),
                window: window(3_600),
                timer: timer(3_600),
                lease_until: at(50),
            },
        ),
        (
            Actor::GrantFunction,
            Fact::Activated { attached: proof(Found::Applied, 1), timer_set: proof(Found::Applied, 2) },
        ),
        (Actor::Source(source()), Fact::Extended { change: change(7_200, None) }),
        (operator(), Fact::Shortened { change: change(1_800, Some("the fix is in (invocation r-1)")) }),
        (Actor::Sweep, Fact::ChangeResumed { lease_until: at(90) }),
        (Actor::Sweep, Fact::DriftFound { drift: Drift::Edited, response: DriftResponse::Close }),
        (Actor::Sweep, Fact::DriftRemoved { access: proof(Found::Deleted, 3) }),
        (Actor::Timer, Fact::Expired {}),
        (carl(), Fact::RevocationRequested { reason: "ticket closed: solved".to_owned() }),
        (Actor::GrantFunction, Fact::OpeningFailed { reason: "NoSuchEntity: no user ana".to_owned() }),
        (Actor::GrantFunction, Fact::ReviewOwed { reason: "an emergency".to_owned() }),
        (operator(), Fact::Reviewed { note: "looked at the session's log".to_owned() }),
        (
            Actor::RevokeFunction,
            Fact::RevocationFailed {
                error: "AccessDenied: not authorized".to_owned(),
                failures: 3,
                retry_at: at(120),
            },
        ),
        (
            Actor::RevokeFunction,
            Fact::Revoked {
                outcome: Outcome::Revoked,
                access: proof(Found::Deleted, 4),
                timer: Some(proof(Found::Absent, 5)),
            },
        ),
    ]
}

/// One event of every kind, as if they were one grant's.
pub(crate) fn events() -> Vec<Event> {
    let mut prev = GENESIS.to_owned();
    let mut events = Vec::new();
    for (seq, (actor, fact)) in (1..).zip(facts()) {
        let at = Timestamp::from_millisecond(START.as_millisecond() + i64::from(seq) * 1_234).unwrap();
        let event = Event { grant_id: grant_id('a'), seq, at, actor, fact, prev };
        prev = event.digest();
        events.push(event);
    }
    events
}

pub(crate) fn denied(code: &str) -> DeniedRequest {
    let mut denied = DeniedRequest::of(
        &request_of("ana", "acme", "ops", "CHG-7"),
        code,
        "nobody but ana@example.com approved",
        at(7),
    );
    denied.guardrails = vec![GuardrailId::new("approved-by-another").unwrap()];
    denied.catalog_digest = "c1".repeat(32);
    denied.guardrails_digest = "9a".repeat(32);
    assert_eq!(denied.requester, person("ana"));
    denied
}
