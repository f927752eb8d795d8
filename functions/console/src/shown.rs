//! One grant with its story, as it is shown: what was asked, approved, decided and done, and whether its events hang
//! together.
//!
//! Must not know whether it becomes HTML or JSON.

use curfew_app::console::{AccessKind, LiveGrant, Standing};
use curfew_app::ports::Story;
use curfew_domain::access::Access;
use curfew_domain::event::{Chain, Event, verify_chain};
use curfew_domain::grant::{Grant, Outcome, Review, State};
use curfew_domain::ids::{Email, GrantId, GuardrailId, RoleName, Source, TenantId, TicketId};
use curfew_domain::request::{Approval, Basis};
use jiff::Timestamp;
use serde::Serialize;

/// How many of a grant's first events are shown: all that happens before its end.
const EVENTS_FIRST: usize = 100;

/// How many of its last ones: a removal that keeps failing writes one every 15 minutes, and Lambda answers 6 MB at most.
const EVENTS_LAST: usize = 400;

/// A grant with its story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// As of when.
    pub as_of: Timestamp,
    /// The grant.
    pub grant: ShownGrant,
    /// Its events, oldest first.
    pub events: Vec<Event>,
    /// How many events in the middle of the story are left out.
    pub events_left_out: usize,
    /// Why its events, those left out among them, are not what was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_problem: Option<String>,
}

/// A grant, flat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownGrant {
    /// Which.
    pub grant_id: GrantId,
    /// Where it is in its life.
    pub state: &'static str,
    /// How it ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What there is to say of it, if it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// Who has it.
    pub person: Email,
    /// Where.
    pub tenant: TenantId,
    /// The tenant's AWS account.
    pub account: String,
    /// What.
    pub role: RoleName,
    /// The ARN of who receives it.
    pub principal: String,
    /// How it takes effect.
    pub access_kind: AccessKind,
    /// The inline policy's name, or the managed policy's ARN.
    pub policy: String,
    /// The inline policy's document, as it is in IAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The source of its ticket.
    pub source: Source,
    /// Its ticket.
    pub ticket: TicketId,
    /// Why, in the requester's words.
    pub justification: String,
    /// What the request rests on.
    pub basis: Basis,
    /// Who approved, and when.
    pub approvals: Vec<Approval>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when at most.
    pub expires_at: Timestamp,
    /// When it was written down.
    pub opened_at: Timestamp,
    /// When the sweep looks at it, unless it changes before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Whether its role is privileged.
    pub privileged: bool,
    /// How often in a row its removal failed.
    pub failures: u32,
    /// Whether somebody has to look at it afterwards, or did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The digest of the catalog that decided.
    pub catalog_digest: String,
    /// The digest of the guardrails that decided.
    pub guardrails_digest: String,
    /// The guardrails that permitted it.
    pub permitted_by: Vec<GuardrailId>,
    /// The end of its chain of events.
    pub chain: Chain,
}

impl Shown {
    /// A story as of `now`.
    #[must_use]
    pub fn of(story: Story, now: Timestamp) -> Self {
        let Story { stored, mut events } = story;
        let chain_problem =
            verify_chain(&events, stored.grant.chain()).err().map(|broken| broken.to_string());
        let events_left_out = events.len().saturating_sub(EVENTS_FIRST + EVENTS_LAST);
        if events_left_out > 0 {
            events.drain(EVENTS_FIRST..EVENTS_FIRST + events_left_out);
        }
        let grant = ShownGrant::of(&stored.grant, now);
        Self { as_of: now, grant, events, events_left_out, chain_problem }
    }
}

impl ShownGrant {
    fn of(grant: &Grant, now: Timestamp) -> Self {
        let request = grant.request();
        let live = LiveGrant::of(grant);
        let (policy, document) = match grant.access() {
            Access::Inline { policy_name, document, .. } => (policy_name.clone(), Some(document.clone())),
            Access::Managed { policy_arn, .. } => (policy_arn.clone(), None),
        };
        Self {
            grant_id: grant.id().clone(),
            state: grant.state().name(),
            outcome: match grant.state() {
                State::Closed { outcome, .. } => Some(*outcome),
                State::Opening { .. } | State::Active { .. } | State::Closing { .. } => None,
            },
            standing: live.as_ref().map(|live| live.standing(now)),
            person: request.requester.clone(),
            tenant: request.tenant.clone(),
            account: grant.route().account.clone(),
            role: request.role.clone(),
            principal: grant.access().principal().arn().to_owned(),
            access_kind: AccessKind::of(grant.access()),
            policy,
            document,
            source: request.source.clone(),
            ticket: request.ticket.clone(),
            justification: request.justification.clone(),
            basis: request.basis,
            approvals: request.approvals.clone(),
            starts_at: grant.window().starts_at(),
            expires_at: grant.window().expires_at(),
            opened_at: grant.opened_at(),
            due_at: grant.due_at(),
            privileged: grant.privileged(),
            failures: live.as_ref().map_or(0, |live| live.failures),
            review: grant.review(),
            catalog_digest: grant.decided().catalog_digest.clone(),
            guardrails_digest: grant.decided().guardrails_digest.clone(),
            permitted_by: grant.decided().permitted_by.clone(),
            chain: grant.chain().clone(),
        }
    }
}
