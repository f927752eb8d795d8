//! An operator's change of a live grant: one approval, theirs, given now, of another window for the same access on the
//! same ticket.
//!
//! Decided like a later approval that its source sends, and by one rule more: the role must take no other approval than
//! theirs. Whether they are who they say is not known here.

use jiff::Timestamp;

use super::{Current, DecisionFacts, Denial, DenialCode, Plan, decide_change, missing_approvals};
use crate::catalog::{Catalog, Person, Role};
use crate::grant::Grant;
use crate::ids::{DeliveryId, Email};
use crate::request::{AccessRequest, Approval, Basis, TicketFacts, WindowEnd, WindowRequest};

/// What guardrails see as the kind of sender of an operator's change (`context.source.kind`).
pub const OPERATOR_SENDER: &str = "operator";

/// What an operator who changes a live grant's end asks for.
///
/// It is what was approved last, but for the window, and it rests on their approval alone: earlier ones were given for
/// another window, and who is on call or broke the glass said so for another. Of the ticket it says nothing but its
/// kind, because nobody has asked for its state.
#[must_use]
pub fn operators_request(
    grant: &Grant,
    operator: &Email,
    until: Timestamp,
    at: Timestamp,
    delivery: DeliveryId,
) -> AccessRequest {
    let before = grant.request();
    AccessRequest {
        principal: Some(grant.access().principal().clone()),
        window: WindowRequest {
            starts_at: Some(grant.window().starts_at()),
            end: Some(WindowEnd::At(until)),
        },
        approvals: vec![Approval { approver: operator.clone(), at }],
        basis: Basis::Approvals,
        ticket_facts: TicketFacts {
            sender: OPERATOR_SENDER.to_owned(),
            kind: before.ticket_facts.kind.clone(),
            state: String::new(),
        },
        delivery,
        ..before.clone()
    }
}

/// Decides an operator's change.
///
/// # Errors
/// As [`decide_change`]; and [`DenialCode::OperatorNotEntitled`], if the role takes another approval than theirs, or more.
pub fn decide_operators_change(
    catalog: &Catalog,
    request: &AccessRequest,
    facts: &DecisionFacts,
    current: Current,
) -> Result<Plan, Denial> {
    let plan = decide_change(catalog, request, facts, current)?;
    if let Some(role) = catalog.role(&request.role) {
        let people = plan.approvers.iter().filter_map(|approver| catalog.person(approver));
        is_enough(role, &people.collect::<Vec<_>>(), request)?;
    }
    Ok(plan)
}

fn is_enough(role: &Role, approvers: &[&Person], request: &AccessRequest) -> Result<(), Denial> {
    let missing = missing_approvals(role.approvals(), approvers);
    let Some(first) = missing.first() else { return Ok(()) };
    let (name, ticket) = (role.name(), &request.ticket);
    let people: usize = role.approvals().iter().map(|quorum| quorum.count).sum();
    let (reason, remedy) = match (&first.group, people) {
        (Some(group), 0 | 1) => (
            format!("role `{name}` takes the approval of group `{group}`, which the operator is not in"),
            format!("let somebody of that group extend it, or approve the change on ticket `{ticket}`"),
        ),
        _ => (
            format!("role `{name}` takes the approvals of {people} people, and an operator is one"),
            format!("have the change approved on ticket `{ticket}`, by everybody whose approval it takes"),
        ),
    };
    Err(Denial::new(DenialCode::OperatorNotEntitled, reason, remedy))
}
