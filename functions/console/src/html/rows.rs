//! What a row says of a live grant: how it stands, in words beside every colour, and how much of its time is left.

use curfew_app::console::{AccessKind, Listed, LiveGrant, LiveState, ReviewOwed, Standing};
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use super::Links;
use super::action::{self, Action};
use super::words::{moment, span, whole_moment};

/// One live grant.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Its looks.
    pub(super) class: &'static str,
    /// How it stands, in a word or two.
    pub(super) label: &'static str,
    /// The same, with what follows from it.
    pub(super) detail: String,
    /// The grant.
    pub(super) grant: &'a LiveGrant,
    /// Who receives it, without the account.
    pub(super) principal: &'a str,
    /// How much time is left, in words.
    pub(super) left: String,
    /// When it ends.
    pub(super) ends: String,
    /// How much of its window is left, in percent; none, if there is nothing to be said by it.
    pub(super) bar: Option<i64>,
    /// What can be done about it.
    pub(super) actions: Vec<Action<'a>>,
}

/// One review that is owed.
#[derive(Debug)]
pub(super) struct ReviewRow<'a> {
    /// The review.
    pub(super) review: &'a ReviewOwed,
    /// Who received it, without the account.
    pub(super) principal: &'a str,
    /// How long it has been owed.
    pub(super) since: String,
    /// How the access ended.
    pub(super) end: String,
    /// What can be done about it.
    pub(super) actions: Vec<Action<'a>>,
}

impl<'a> Row<'a> {
    pub(super) fn of(listed: &'a Listed, now: Timestamp, links: &Links<'a>) -> Self {
        let Listed { standing, grant } = listed;
        let (label, class) = match standing {
            Standing::RemovalFails => ("Removal fails", "cf-bad"),
            Standing::Overdue => ("Overdue", "cf-bad"),
            Standing::Ending => ("Ending", "cf-warn"),
            Standing::Opening => ("Opening", "cf-calm"),
            Standing::Active => ("Active", "cf-good"),
            Standing::Waiting => ("Not begun", "cf-calm"),
        };
        let (left, bar) = time_left(grant, *standing, now);
        Self {
            class,
            label,
            detail: detail(grant, *standing, now),
            grant,
            principal: without_account(&grant.principal),
            left,
            ends: whole_moment(grant.expires_at),
            bar,
            actions: action::of_grant(grant, *standing, links),
        }
    }
}

impl<'a> ReviewRow<'a> {
    pub(super) fn of(review: &'a ReviewOwed, now: Timestamp, links: &Links<'a>) -> Self {
        Self {
            review,
            principal: without_account(&review.principal),
            since: span(review.since, now),
            end: match review.outcome {
                Some(outcome) => outcome.to_string(),
                None => "still live: it is reviewed once it has ended".to_owned(),
            },
            actions: action::of_review(review, links),
        }
    }
}

/// `user/<path>/<name>` or `role/…`, of an ARN.
fn without_account(arn: &str) -> &str {
    arn.rsplit_once(':').map_or(arn, |(_, name)| name)
}

fn time_left(grant: &LiveGrant, standing: Standing, now: Timestamp) -> (String, Option<i64>) {
    if standing == Standing::Waiting {
        return (format!("begins in {}", span(now, grant.starts_at)), None);
    }
    if grant.expires_at <= now {
        return (format!("over for {}", span(grant.expires_at, now)), Some(0));
    }
    let whole = grant.expires_at.duration_since(grant.starts_at).as_secs().max(1);
    let left = grant.expires_at.duration_since(now).as_secs();
    (span(now, grant.expires_at), Some((left.saturating_mul(100) / whole).clamp(0, 100)))
}

fn detail(grant: &LiveGrant, standing: Standing, now: Timestamp) -> String {
    let LiveGrant { due_at, failures, closing_since, in_aws_until, .. } = grant;
    let since = moment(closing_since.unwrap_or(plus(*due_at, -SignedDuration::from_mins(1))), now);
    match (standing, grant.state) {
        (Standing::RemovalFails, _) => {
            let tries = super::words::count(usize::try_from(*failures).unwrap_or(usize::MAX), "try", "tries");
            let next = if *due_at <= now { "now".to_owned() } else { format!("at {}", moment(*due_at, now)) };
            format!("{tries} failed, the next is {next}. {}", may_allow(grant, now))
        }
        (Standing::Overdue, LiveState::Opening) => {
            format!("Its opening was cut short; the sweep ends it. {}", may_allow(grant, now))
        }
        (Standing::Overdue, LiveState::Active) => {
            format!("Its timer did not end it; the sweep does. {}", may_allow(grant, now))
        }
        (Standing::Overdue, LiveState::Closing) => {
            format!("Being removed since {since}, and AWS has not confirmed it. {}", may_allow(grant, now))
        }
        (Standing::Ending, LiveState::Closing) => format!("Being removed since {since}."),
        (Standing::Ending, _) => "Its window is over; its timer fires within the minute.".to_owned(),
        (Standing::Opening, _) => "AWS has not confirmed it yet.".to_owned(),
        (Standing::Active | Standing::Waiting, _) => in_aws_until.map_or_else(String::new, |until| {
            format!("A change of its end is not confirmed: in AWS it may last until {}.", moment(until, now))
        }),
    }
}

/// What AWS may still allow of a grant that should be gone.
fn may_allow(grant: &LiveGrant, now: Timestamp) -> &'static str {
    let is_over = grant.in_aws_until.unwrap_or(grant.expires_at) <= now;
    match grant.access_kind {
        Some(AccessKind::Inline) if is_over => "AWS refuses it by its dates.",
        Some(AccessKind::Managed) => "Its managed policy may still allow it.",
        Some(AccessKind::Inline) | None => "It may still be allowed.",
    }
}

#[cfg(test)]
#[path = "../tests/rows.rs"]
mod tests;
