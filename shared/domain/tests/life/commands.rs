//! Sample grants in each state, and every kind of command.

use curfew_domain::catalog::Catalog;
use curfew_domain::decision::{Current, DecisionFacts, Permit, Permitted, Plan, decide, decide_change};
use curfew_domain::effect::{Found, Proof, TimerKind};
use curfew_domain::event::{Actor, Drift, DriftResponse, OperatorName};
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::request::{AccessRequest, Approval, WindowEnd, WindowRequest};
use curfew_domain::transition::{
    Amendment, BeginClosing, Command, Opening, Removal, Transition, open, transition,
};
use curfew_domain::window::plus;
use curfew_testkit::fixtures::{self, LEASE, OWN_ACCOUNT, START, person, request};
use curfew_testkit::guardrails::permit;
use jiff::{SignedDuration, Timestamp};

/// Some seconds after the grant was opened.
pub(crate) fn at(seconds: i64) -> Timestamp {
    plus(START, SignedDuration::from_secs(seconds))
}

pub(crate) fn plan(catalog: &Catalog, request: &AccessRequest) -> Plan {
    let facts = DecisionFacts { now: START, own_account: OWN_ACCOUNT.to_owned() };
    decide(catalog, request, &facts).unwrap()
}

/// The guardrails' permit for access that somebody has to look at afterwards.
pub(crate) fn permit_with_review() -> Permit {
    Permit { review: Some("emergency access is looked at afterwards".to_owned()), ..permit() }
}

/// A grant that was opened at [`START`].
pub(crate) fn opened(plan: Plan, timer: TimerKind) -> Transition {
    opened_with(plan, permit(), timer)
}

/// A grant that was opened at [`START`], as guardrails permitted it.
pub(crate) fn opened_with(plan: Plan, permit: Permit, timer: TimerKind) -> Transition {
    let opening = Opening {
        attempt: 0,
        timer,
        lease_until: plus(START, LEASE),
        sweep_grace: SignedDuration::from_secs(60),
    };
    open(plan.permitted(permit), opening, START)
}

pub(crate) fn proof(found: Found, at: Timestamp) -> Proof {
    Proof { found, at, aws_request_id: Some("request-1".to_owned()), unsettled: false }
}

pub(crate) fn activate(now: Timestamp) -> Command {
    Command::Activate {
        by: Actor::GrantFunction,
        attached: proof(Found::Applied, now),
        timer_set: proof(Found::Applied, now),
    }
}

/// An earlier try of the attach went without an answer.
pub(crate) fn activate_at_second_try(now: Timestamp) -> Command {
    let attached = Proof { unsettled: true, ..proof(Found::Applied, now) };
    Command::Activate { by: Actor::GrantFunction, attached, timer_set: proof(Found::Applied, now) }
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

/// A later approval, given at `now`, of the same role until `end`.
pub(crate) fn approved_again(catalog: &Catalog, now: Timestamp, end: Timestamp) -> Plan {
    let mut request = request("CHG-1");
    request.approvals = vec![Approval { approver: person("carl"), at: now }];
    request.window = WindowRequest { starts_at: None, end: Some(WindowEnd::At(end)) };
    let facts = DecisionFacts { now: START, own_account: OWN_ACCOUNT.to_owned() };
    let current = plan(catalog, &fixtures::request("CHG-1")).window;
    decide_change(catalog, &request, &facts, Current { window: current, approved_at: START }).unwrap()
}

/// That approval's change of the window.
pub(crate) fn amend(plan: Plan) -> Command {
    amend_permitted(plan.permitted(permit()))
}

/// That change, as guardrails permit it.
pub(crate) fn amend_permitted(permitted: Permitted) -> Command {
    let lease_until = plus(START, LEASE);
    Command::Amend(Box::new(Amendment {
        permitted,
        by: None,
        sweep_grace: SignedDuration::from_secs(60),
        lease_until,
    }))
}

pub(crate) fn resume(now: Timestamp) -> Command {
    Command::Resume { actor: Actor::Sweep, lease_until: plus(now, LEASE) }
}

pub(crate) fn find_drift(drift: Drift, response: DriftResponse, now: Timestamp) -> Command {
    Command::FindDrift { drift, response, lease_until: plus(now, LEASE) }
}

pub(crate) fn overrule() -> Command {
    let actor = Actor::Operator(OperatorName::new("olga").unwrap());
    Command::Overrule { actor, reason: "because".to_owned() }
}

pub(crate) fn review() -> Command {
    Command::Review { operator: OperatorName::new("olga").unwrap(), note: "as it should be".to_owned() }
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
