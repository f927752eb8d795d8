//! The console: who has what now, and which reviews are owed, for people to look at.
//!
//! What is shown comes from indexes that lag by a moment, in few large reads and none for each grant: good to look at,
//! never to act on (whatever acts decides on the grant itself). The port can read and nothing else, so whoever shows
//! cannot change. Must not know how it is shown.

use std::cmp::Reverse;
use std::future::Future;

use curfew_domain::access::Access;
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::{Email, GrantId, RoleName, Source, TenantId, TicketId};
use curfew_domain::window::{plus, whole_second};
use futures_util::future::try_join;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::ports::{LedgerError, Story};

/// How long a removal may be under way before it is told as overdue: the longest that a request which could undo it may
/// still be under way, and the minutes in which the sweep looks again.
pub const REMOVAL_OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// What the console needs of the ledger. It only reads.
pub trait LiveView: Send + Sync {
    /// One page of the grants that have not ended, in no order; those of one tenant, if one is named.
    fn live(
        &self,
        tenant: Option<&TenantId>,
    ) -> impl Future<Output = Result<Page<LiveGrant>, LedgerError>> + Send;

    /// One page of the grants that somebody owes a review, those first that owe it longest.
    fn reviews(&self) -> impl Future<Output = Result<Page<ReviewOwed>, LedgerError>> + Send;

    /// A grant with all its events, read consistently.
    fn story(&self, id: &GrantId) -> impl Future<Output = Result<Option<Story>, LedgerError>> + Send;
}

/// One page of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// Entries that can't be read, each as a sentence: told, never left out in silence, and no reason to show nothing.
    pub unreadable: Vec<String>,
    /// Whether there are more entries than one page holds.
    pub truncated: bool,
}

/// Where a live grant is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveState {
    /// Written down; access may or may not hold yet.
    Opening,
    /// AWS confirmed access and timer.
    Active,
    /// Being removed; access may still hold until AWS confirmed the removal.
    Closing,
}

impl LiveState {
    /// The state of this name, as in the ledger; none, if no live grant has such a one.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "opening" => Some(Self::Opening),
            "active" => Some(Self::Active),
            "closing" => Some(Self::Closing),
            _ => None,
        }
    }
}

/// How access takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessKind {
    /// A policy of the grant's own, which carries its window: AWS refuses after its end, whatever became of Curfew.
    Inline,
    /// A standing policy, which AWS cannot time-box: it may allow until it is detached.
    Managed,
}

impl AccessKind {
    /// The kind of some access.
    #[must_use]
    pub fn of(access: &Access) -> Self {
        match access {
            Access::Inline { .. } => Self::Inline,
            Access::Managed { .. } => Self::Managed,
        }
    }

    /// Its name, as in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Managed => "managed",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Inline, Self::Managed].into_iter().find(|kind| kind.name() == name)
    }
}

/// A grant that has not ended, as far as an index tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveGrant {
    /// Which.
    pub grant_id: GrantId,
    /// Who has it.
    pub person: Email,
    /// Where.
    pub tenant: TenantId,
    /// What.
    pub role: RoleName,
    /// The ARN of who receives it.
    pub principal: String,
    /// The source of its ticket.
    pub source: Source,
    /// Its ticket.
    pub ticket: TicketId,
    /// Where it is in its life.
    pub state: LiveState,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when at most.
    pub expires_at: Timestamp,
    /// When the sweep looks at it, unless it changes before.
    pub due_at: Timestamp,
    /// How it takes effect; none, if it was written before this was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_kind: Option<AccessKind>,
    /// Whether its role is privileged.
    pub privileged: bool,
    /// How often in a row its removal failed.
    pub failures: u32,
    /// Since when it is being removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing_since: Option<Timestamp>,
    /// A change of its end that AWS has not confirmed: until then what is in AWS may last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_aws_until: Option<Timestamp>,
}

impl LiveGrant {
    /// What an index tells of a grant; none, if it has ended.
    #[must_use]
    pub fn of(grant: &Grant) -> Option<Self> {
        let due_at = whole_second(grant.due_at()?);
        let (state, failures, closing_since, in_aws_until) = match grant.state() {
            State::Opening { .. } => (LiveState::Opening, 0, None, None),
            State::Active { changing, .. } => {
                (LiveState::Active, 0, None, changing.map(|_| whole_second(grant.ends_in_aws_by())))
            }
            State::Closing { begun_at, failures, .. } => {
                (LiveState::Closing, *failures, Some(whole_second(*begun_at)), None)
            }
            State::Closed { .. } => return None,
        };
        let request = grant.request();
        Some(Self {
            grant_id: grant.id().clone(),
            person: request.requester.clone(),
            tenant: request.tenant.clone(),
            role: request.role.clone(),
            principal: grant.access().principal().arn().to_owned(),
            source: request.source.clone(),
            ticket: request.ticket.clone(),
            state,
            starts_at: grant.window().starts_at(),
            expires_at: grant.window().expires_at(),
            due_at,
            access_kind: Some(AccessKind::of(grant.access())),
            privileged: grant.privileged(),
            failures,
            closing_since,
            in_aws_until,
        })
    }

    /// What there is to say of it at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let is_due = self.due_at <= now;
        match self.state {
            LiveState::Closing if self.failures > 0 => Standing::RemovalFails,
            LiveState::Closing => {
                let since = self.closing_since.unwrap_or(self.due_at);
                if plus(since, REMOVAL_OVERDUE_AFTER) <= now { Standing::Overdue } else { Standing::Ending }
            }
            LiveState::Opening if is_due => Standing::Overdue,
            LiveState::Opening => Standing::Opening,
            // A change that was cut short is due before the window's end, and access is as it should be.
            LiveState::Active if self.expires_at <= now => {
                if is_due {
                    Standing::Overdue
                } else {
                    Standing::Ending
                }
            }
            LiveState::Active if now < self.starts_at => Standing::Waiting,
            LiveState::Active => Standing::Active,
        }
    }
}

/// What there is to say of a live grant at some time. In the order of how urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// AWS refused its removal, or did not answer. The sweep tries again.
    RemovalFails,
    /// It should have ended: its timer, whoever removes it, or its opening is late. The sweep sees to it.
    Overdue,
    /// It is being removed, or its window is over and its timer fires within the minute.
    Ending,
    /// Access is being given.
    Opening,
    /// Access holds.
    Active,
    /// Its window has not begun.
    Waiting,
}

impl Standing {
    /// Whether somebody should look at it.
    #[must_use]
    pub fn wants_attention(self) -> bool {
        match self {
            Self::RemovalFails | Self::Overdue => true,
            Self::Ending | Self::Opening | Self::Active | Self::Waiting => false,
        }
    }

    /// Its place in a list: what wants attention, then what is ending, then the rest by its end alone.
    fn rank(self) -> u8 {
        match self {
            Self::RemovalFails | Self::Overdue => 0,
            Self::Ending => 1,
            Self::Opening | Self::Active | Self::Waiting => 2,
        }
    }
}

/// A grant that somebody owes a review, as far as an index tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewOwed {
    /// Which.
    pub grant_id: GrantId,
    /// Since when.
    pub since: Timestamp,
    /// Who had it.
    pub person: Email,
    /// Where.
    pub tenant: TenantId,
    /// What.
    pub role: RoleName,
    /// The ARN of who received it.
    pub principal: String,
    /// The source of its ticket.
    pub source: Source,
    /// Its ticket.
    pub ticket: TicketId,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when at most.
    pub expires_at: Timestamp,
    /// How it ended; none, if it has not: it is reviewed once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl ReviewOwed {
    /// What an index tells of a grant; none, if it owes no review.
    #[must_use]
    pub fn of(grant: &Grant) -> Option<Self> {
        let request = grant.request();
        Some(Self {
            grant_id: grant.id().clone(),
            since: whole_second(grant.review_owed_since()?),
            person: request.requester.clone(),
            tenant: request.tenant.clone(),
            role: request.role.clone(),
            principal: grant.access().principal().arn().to_owned(),
            source: request.source.clone(),
            ticket: request.ticket.clone(),
            starts_at: grant.window().starts_at(),
            expires_at: grant.window().expires_at(),
            outcome: match grant.state() {
                State::Closed { outcome, .. } => Some(*outcome),
                State::Opening { .. } | State::Active { .. } | State::Closing { .. } => None,
            },
        })
    }
}

/// Which grants to show: those that fit all that is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// In this tenant.
    pub tenant: Option<TenantId>,
    /// Of this person.
    pub person: Option<Email>,
    /// On this ticket, of whatever source.
    pub ticket: Option<TicketId>,
}

impl Filter {
    /// Whether it leaves anything out.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.tenant.is_some() || self.person.is_some() || self.ticket.is_some()
    }

    fn fits(&self, tenant: &TenantId, person: &Email, ticket: &TicketId) -> bool {
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant)
            && self.person.as_ref().is_none_or(|wanted| wanted == person)
            && self.ticket.as_ref().is_none_or(|wanted| wanted == ticket)
    }
}

/// A live grant, and what there is to say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What there is to say of it.
    pub standing: Standing,
    /// The grant.
    #[serde(flatten)]
    pub grant: LiveGrant,
}

/// Who has what now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// As of when.
    pub as_of: Timestamp,
    /// Live grants: failed and overdue ones first, then those that are ending, then by their end.
    pub grants: Vec<Listed>,
    /// Reviews that are owed, those first that are owed longest.
    pub reviews_owed: Vec<ReviewOwed>,
    /// What can't be read, each as a sentence. Filters leave none of it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// Whether there are more live grants than one read gives: any may be missing, overdue ones too.
    pub truncated: bool,
    /// Whether there are more owed reviews than one read gives.
    pub reviews_truncated: bool,
}

/// Reads who has what now: one read for the grants, one for the reviews, side by side.
///
/// # Errors
/// [`LedgerError`], if one of them failed.
pub async fn overview<V: LiveView>(
    view: &V,
    filter: &Filter,
    now: Timestamp,
) -> Result<Overview, LedgerError> {
    let (live, reviews) = try_join(view.live(filter.tenant.as_ref()), view.reviews()).await?;
    let fits = |grant: &LiveGrant| filter.fits(&grant.tenant, &grant.person, &grant.ticket);
    let list = |grant: LiveGrant| Listed { standing: grant.standing(now), grant };
    let mut grants: Vec<Listed> = live.entries.into_iter().filter(fits).map(list).collect();
    sort(&mut grants);
    let fits = |review: &ReviewOwed| filter.fits(&review.tenant, &review.person, &review.ticket);
    Ok(Overview {
        as_of: now,
        grants,
        reviews_owed: reviews.entries.into_iter().filter(fits).collect(),
        unreadable: live.unreadable.into_iter().chain(reviews.unreadable).collect(),
        truncated: live.truncated,
        reviews_truncated: reviews.truncated,
    })
}

/// Total, so that two looks at the same grants show the same.
fn sort(grants: &mut [Listed]) {
    grants.sort_by(|a, b| {
        let key = |listed: &Listed| {
            let Listed { standing, grant } = listed;
            (standing.rank(), grant.expires_at, Reverse(grant.privileged))
        };
        key(a).cmp(&key(b)).then_with(|| a.grant.grant_id.cmp(&b.grant.grant_id))
    });
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
