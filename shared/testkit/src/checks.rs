//! The promises (`ARCHITECTURE.md`), checked against what AWS holds: after every step those that must
//! hold always, and when all is settled those that must hold in the end.

use std::collections::BTreeMap;
use std::fmt;

use curfew_app::ports::Story;
use curfew_domain::event::{Chain, Fact, verify_chain};
use curfew_domain::grant::{Grant, State};
use curfew_domain::ids::{GrantId, OBJECT_PREFIX};
use curfew_domain::principal::Principal;
use curfew_domain::window::whole_minute_up;
use jiff::Timestamp;

use crate::ledger::Row;
use crate::policy;
use crate::world::{Aws, World};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise, for example `P1`.
    pub promise: &'static str,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}

fn broken(promise: &'static str, what: String) -> Violation {
    Violation { promise, what }
}

/// What must hold after every step.
#[must_use]
pub(crate) fn after_step(aws: &Aws) -> Vec<Violation> {
    let mut violations = Vec::new();
    let grants: Vec<Grant> = aws.ledger.rows().filter_map(|row| Some(row.stored().ok()?.grant)).collect();

    // What somebody else did is none of Curfew's promises, until Curfew has put it right.
    let ours = |(principal, name): &(&Principal, &str)| {
        name.starts_with(OBJECT_PREFIX) && !aws.iam.is_by_hand(principal, name)
    };
    for (principal, name) in aws.iam.inline_policies().filter(ours) {
        let grant = grants.iter().find(|grant| grant.id().object_name() == name);
        match grant.map(Grant::state) {
            None => violations.push(broken("P1", format!("policy {name} on {principal} was never recorded"))),
            Some(State::Closed { .. }) => {
                violations.push(broken("P6", format!("policy {name} is there, but its grant is closed")));
            }
            Some(State::Opening { .. } | State::Active { .. } | State::Closing { .. }) => {}
        }
    }
    for attachment in aws.iam.attachments() {
        let mut of_it = grants.iter().filter(|grant| grant.access().shared().as_ref() == Some(&attachment));
        let owed = of_it.any(|grant| !matches!(grant.state(), State::Closed { .. }));
        if !owed && !aws.iam.is_by_hand(&attachment.principal, &attachment.policy_arn) {
            let what =
                format!("{} is attached, but no grant that is not closed needs it", attachment.policy_arn);
            violations.push(broken("P3", what));
        }
    }
    for grant in &grants {
        match grant.state() {
            State::Active { .. } if is_quiet(&grants, grant) => {
                if !is_attached(aws, grant) {
                    violations
                        .push(broken("P3", format!("grant {} is active, but not attached", grant.id())));
                }
            }
            State::Closed { .. } => {
                if grant.access().shared().is_some_and(|a| aws.ledger.holders(&a).contains(grant.id())) {
                    violations.push(broken("P3", format!("grant {} is closed, but a holder", grant.id())));
                }
            }
            State::Opening { .. } | State::Active { .. } | State::Closing { .. } => {}
        }
    }
    violations.extend(ends_on_time(aws));
    violations
}

/// P2: what is in AWS ends with its grant's window. While a change of it is under way, it may be what was there
/// before.
fn ends_on_time(aws: &Aws) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (principal, name, document) in aws.iam.documents() {
        let Some(row) = GrantId::of_object_name(name).and_then(|id| aws.ledger.row(&id)) else {
            continue;
        };
        let end = latest_end(row);
        if policy::in_effect(document, end) && !aws.iam.is_by_hand(principal, name) {
            violations.push(broken("P2", format!("policy {name} still allows something at {end}")));
        }
    }
    for (id, fires_at) in aws.timers.set_timers() {
        let end = aws.ledger.row(id).map(latest_end);
        if end.is_some_and(|end| fires_at > whole_minute_up(end)) {
            violations
                .push(broken("P2", format!("the timer of grant {id} fires at {fires_at}, after {end:?}")));
        }
    }
    violations
}

/// The latest of the ends that a grant had since AWS confirmed one, as its events say.
fn latest_end(row: &Row) -> Timestamp {
    let (mut latest, mut current) = (Timestamp::MIN, Timestamp::MIN);
    for event in &row.events {
        match &event.fact {
            Fact::Opened { window, .. } => current = window.expires_at(),
            Fact::Extended { change } | Fact::Shortened { change } => current = change.to.expires_at(),
            Fact::Activated { .. } => latest = current,
            _ => {}
        }
        latest = latest.max(current);
    }
    latest
}

/// P7 of one grant after a step about it. What was verified before is not verified again, because a
/// long history would cost more than what it tells.
#[must_use]
pub(crate) fn evidence_so_far(
    aws: &Aws,
    id: &GrantId,
    verified: &mut BTreeMap<GrantId, Chain>,
) -> Vec<Violation> {
    let Some(story) = aws.ledger.row(id).map(Row::story) else {
        return Vec::new();
    };
    let story = match story {
        Ok(story) => story,
        Err(error) => return vec![broken("P7", error.to_string())],
    };
    let mut end = verified.remove(id).unwrap_or_default();
    let known = usize::try_from(end.seq).unwrap_or(usize::MAX);
    for event in story.events.iter().skip(known) {
        if event.seq != end.seq + 1 || event.prev != end.head {
            return vec![broken("P7", format!("event {} of grant {id} does not follow", event.seq))];
        }
        end = Chain { seq: event.seq, head: event.digest() };
    }
    let mut violations = Vec::new();
    if end != *story.stored.grant.chain() {
        violations.push(broken("P7", format!("the events of grant {id} end elsewhere than it says")));
    }
    violations.extend(as_many_as_transitions(&story));
    verified.insert(id.clone(), end);
    violations
}

/// The first transition has two events: what was asked, and what was opened. Every other has one. One of them has
/// one more, if a review is owed from then on.
fn as_many_as_transitions(story: &Story) -> Option<Violation> {
    let grant = &story.stored.grant;
    let expected = grant.version() + 1 + u64::from(grant.review().is_some());
    let found = story.events.len();
    let what = format!("grant {} has {found} events for {expected}", story.stored.grant.id());
    (u64::try_from(found) != Ok(expected)).then(|| broken("P7", what))
}

/// Whether nobody else is changing the grant's attachment right now.
fn is_quiet(grants: &[Grant], grant: &Grant) -> bool {
    let Some(attachment) = grant.access().shared() else {
        return true;
    };
    grants
        .iter()
        .filter(|other| other.access().shared().as_ref() == Some(&attachment))
        .all(|other| matches!(other.state(), State::Active { .. } | State::Closed { .. }))
}

/// Whether it is there, or somebody else took it away.
fn is_attached(aws: &Aws, grant: &Grant) -> bool {
    let principal = grant.access().principal();
    match grant.access().shared() {
        Some(attachment) => {
            aws.iam.has_attached(&attachment) || aws.iam.is_by_hand(principal, &attachment.policy_arn)
        }
        None => {
            let name = grant.id().object_name();
            aws.iam.has_inline(principal, &name) || aws.iam.is_by_hand(principal, &name)
        }
    }
}

/// P7 of one grant: its events are whole, and as many as its transitions.
#[must_use]
pub fn evidence(row: &Row) -> Vec<Violation> {
    let id = row.grant.id();
    let story = match row.story() {
        Ok(story) => story,
        Err(error) => return vec![broken("P7", error.to_string())],
    };
    let mut violations = Vec::new();
    if let Err(error) = verify_chain(&story.events, story.stored.grant.chain()) {
        violations.push(broken("P7", format!("the events of grant {id}: {error}")));
    }
    violations.extend(as_many_as_transitions(&story));
    violations
}

/// What must hold once everything has ended: nothing that Curfew made is left anywhere, and every grant
/// is closed.
#[must_use]
pub fn after_the_end(world: &World) -> Vec<Violation> {
    let mut violations = world.violations();
    world.look(|aws| {
        violations.extend(
            aws.iam.inline_policies().map(|(_, name)| broken("P2", format!("policy {name} is left"))),
        );
        violations.extend(
            aws.iam.attachments().map(|a| broken("P2", format!("{} is left attached", a.policy_arn))),
        );
        violations
            .extend(aws.timers.names().iter().map(|name| broken("P5", format!("timer {name} is left"))));
        for attachment in aws.ledger.attachments() {
            for holder in aws.ledger.holders(attachment) {
                violations.push(broken("P3", format!("grant {holder} is left as a holder")));
            }
        }
        for row in aws.ledger.rows() {
            violations.extend(evidence(row));
            match row.stored().map(|stored| stored.grant.state().name()) {
                Ok("closed") => {}
                Ok(state) => {
                    violations.push(broken("P6", format!("grant {} is left {state}", row.grant.id())))
                }
                Err(error) => violations.push(broken("P7", error.to_string())),
            }
        }
        if aws.ledger.index_sizes() != (0, 0) {
            violations.push(broken("P2", "index entries are left".to_owned()));
        }
    });
    violations
}
