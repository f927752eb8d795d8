//! Sample grants in each state, and every kind of command.

use curfew_domain::catalog::Catalog;
use curfew_domain::decision::{DecisionFacts, Plan, decide};
use curfew_domain::effect::{Found, Proof, TimerKind};
use curfew_domain::event::{Actor, OperatorName};
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::request::AccessRequest;
use curfew_domain::transition::{BeginClosing, Command, Opening, Removal, Transition, open, transition};
use curfew_domain::window::plus;
use curfew_testkit::fixtures::{LEASE, OWN_ACCOUNT, START};
use jiff::{SignedDuration, Timestamp};

/// Some seconds after the grant was opened.
pub(crate) fn at(seconds: i64) -> Timestamp {
    plus(START, SignedDuration::from_secs(seconds))
}

pub(crate) fn plan(catalog: &Catalog, request: &AccessRequest) -> Plan {
    let facts = DecisionFacts { now: START, own_account: OWN_ACCOUNT.to_owned() };
    decide(catalog, request, &facts).unwrap()
}

/// A grant that was opened at [`START`].
pub(crate) fn opened(plan: Plan, timer: TimerKind) -> Transition {
    let opening = Opening {
        attempt: 0,
        timer,
        lease_until: plus(START, LEASE),
        sweep_grace: SignedDuration::from_secs(60),
    };
    open(plan, opening, START)
}

pub(crate) fn proof(found: Found, at: Timestamp) -> Proof {
    Proof { found, at, aws_request_id: Some("request-1".to_owned()) }
}

pub(crate) fn activate(now: Timestamp) -> Command {
    Command::Activate { attached: proof(Found::Applied, now), timer_set: proof(Found::Applied, now) }
}

/// An earlier try of the attach went without an answer.
pub(crate) fn activate_at_second_try(now: Timestamp) -> Command {
    let attached = proof(Found::AppliedUnsettled, now);
    Command::Activate { attached, timer_set: proof(Found::Applied, now) }
}

pub(crate) fn begin(cause: Cause, settled: bool) -> Command {
    let actor = match cause {
        Cause::Expired => Actor::Timer,
        Cause::Revoked => Actor::Operator(OperatorName::new("olga").unwrap()),
        Cause::OpeningFailed => Actor::GrantFunction,
        Cause::Abandoned => Actor::Sweep,
    };
    Command::BeginClosing(BeginClosing { cause, actor, reason: "because".to_owned(), settled })
}

pub(crate) fn overrule() -> Command {
    let actor = Actor::Operator(OperatorName::new("olga").unwrap());
    Command::Overrule { actor, reason: "because".to_owned() }
}

pub(crate) fn record_failure() -> Command {
    Command::RecordFailure { actor: Actor::RevokeFunction, error: "throttled".to_owned() }
}

/// A removal that began at `now` and found what is said.
pub(crate) fn removal(now: Timestamp, access: Found, timer: Option<Found>) -> Removal {
    Removal {
        actor: Actor::RevokeFunction,
        began_at: now,
        by_lease_holder: false,
        access: proof(access, now),
        timer: timer.map(|found| proof(found, now)),
    }
}

/// Applies a command that applies.
pub(crate) fn after(grant: &Grant, command: Command, now: Timestamp) -> Grant {
    transition(grant, command, now).unwrap().grant
}
