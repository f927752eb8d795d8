//! HTML for a CloudWatch widget: no scripts, and no text but escaped.
//!
//! The templates in `templates/` are all the markup there is; they are compiled, and whatever stands in `{{ }}` is
//! escaped for HTML, in a text as in an attribute. The one exception is [`action::Payload`], which is JSON. The dashboard
//! says which colours it has; the rest of its context is not believed.
//!
//! Must not know how the ledger is read.

mod action;
mod rows;
mod words;

use askama::Template;
use curfew_app::console::{Filter, Overview};
use curfew_app::story::{circumstances, in_words};
use jiff::Timestamp;

use crate::input::{Theme, Typed, Widget};
use crate::shown::Shown;
use action::Action;
use rows::{ReviewRow, Row};
use words::{count, moment, whole_moment};

/// How many grants are shown. They are sorted by urgency, and nobody reads more; a filter leads to the others. With every
/// name as long as it can be it is still far less than Lambda lets a function answer (6 MB).
pub const ROWS_MAX: usize = 300;

/// How many owed reviews are shown.
pub const REVIEWS_MAX: usize = 100;

/// What buttons call, and where this is.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// This function's ARN, as its caller named it.
    pub console: &'a str,
    /// The revoke function's ARN.
    pub revoke: &'a str,
    /// The grant function's ARN.
    pub grant: &'a str,
}

/// A page could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the widget's HTML could not be written: {0}")]
pub struct Unwritten(#[from] askama::Error);

#[derive(Template)]
#[template(path = "grants.html")]
struct Grants<'a> {
    theme: &'static str,
    stack: &'a str,
    summary: String,
    is_urgent: bool,
    as_of: String,
    notices: Vec<String>,
    typed: &'a Typed,
    filter: Action<'a>,
    nobody: &'static str,
    /// None, if they are not known.
    rows: Option<Vec<Row<'a>>>,
    rows_hidden: usize,
    reviews: Vec<ReviewRow<'a>>,
    reviews_hidden: usize,
}

#[derive(Template)]
#[template(path = "story.html")]
struct Story<'a> {
    theme: &'static str,
    shown: &'a Shown,
    state: String,
    window: String,
    review: String,
    circumstances: Vec<(&'static str, String)>,
    events: Vec<Told>,
}

struct Told {
    at: String,
    name: &'static str,
    seq: u32,
    words: String,
    /// How many events before it are left out.
    left_out: usize,
}

#[derive(Template)]
#[template(path = "alert.html")]
struct Alert<'a> {
    theme: &'static str,
    problem: &'a str,
}

/// Who has what now.
///
/// # Errors
/// [`Unwritten`].
pub fn grants(
    seen: &Overview,
    filter: &Filter,
    widget: &Widget,
    links: &Links<'_>,
) -> Result<String, Unwritten> {
    let now = seen.as_of;
    let rows = seen.grants.iter().take(ROWS_MAX).map(|listed| Row::of(listed, now, links));
    let reviews = seen.reviews_owed.iter().take(REVIEWS_MAX).map(|owed| ReviewRow::of(owed, now, links));
    let page = Grants {
        theme: theme(widget),
        stack: links.stack,
        summary: summary(seen),
        is_urgent: seen.grants.iter().any(|listed| listed.standing.wants_attention()),
        as_of: moment(now, now),
        notices: notices(seen, widget),
        typed: &widget.typed,
        filter: action::filter(links),
        nobody: if filter.is_set() {
            "Nobody has access that fits the filter."
        } else {
            "Nobody has access now."
        },
        rows: Some(rows.collect()),
        rows_hidden: seen.grants.len().saturating_sub(ROWS_MAX),
        reviews: reviews.collect(),
        reviews_hidden: seen.reviews_owed.len().saturating_sub(REVIEWS_MAX),
    };
    Ok(page.render()?)
}

/// Why nothing can be shown, above the filter to put it right with.
///
/// # Errors
/// [`Unwritten`].
pub fn problem(problems: &[String], widget: &Widget, links: &Links<'_>) -> Result<String, Unwritten> {
    let page = Grants {
        theme: theme(widget),
        stack: links.stack,
        summary: "Nothing can be shown".to_owned(),
        is_urgent: true,
        as_of: String::new(),
        notices: problems.iter().chain(&widget.notices).cloned().collect(),
        typed: &widget.typed,
        filter: action::filter(links),
        nobody: "",
        rows: None,
        rows_hidden: 0,
        reviews: Vec::new(),
        reviews_hidden: 0,
    };
    Ok(page.render()?)
}

/// One grant and all that happened to it.
///
/// # Errors
/// [`Unwritten`].
pub fn story(shown: &Shown, widget: &Widget) -> Result<String, Unwritten> {
    let grant = &shown.grant;
    let state = match grant.outcome {
        Some(outcome) => format!("{} ({outcome})", grant.state),
        None => grant.state.to_owned(),
    };
    let review = grant.review.map_or_else(String::new, |review| match review {
        curfew_domain::grant::Review::Owed { since } => format!("owed since {}", whole_moment(since)),
        curfew_domain::grant::Review::Done { at } => format!("done {}", whole_moment(at)),
    });
    let mut before = None;
    let events = shown.events.iter().map(|event| {
        let left_out = before.map_or(0, |seq: u32| event.seq.saturating_sub(seq).saturating_sub(1));
        before = Some(event.seq);
        Told {
            at: whole_moment(event.at),
            name: event.fact.name(),
            seq: event.seq,
            words: in_words(event),
            left_out: usize::try_from(left_out).unwrap_or(usize::MAX),
        }
    });
    let page = Story {
        theme: theme(widget),
        shown,
        state,
        window: window(grant.starts_at, grant.expires_at),
        review,
        circumstances: circumstances(&shown.events),
        events: events.collect(),
    };
    Ok(page.render()?)
}

/// Why there is nothing, alone.
///
/// # Errors
/// [`Unwritten`].
pub fn alert(problem: &str, widget: &Widget) -> Result<String, Unwritten> {
    Ok(Alert { theme: theme(widget), problem }.render()?)
}

fn theme(widget: &Widget) -> &'static str {
    match widget.theme {
        Theme::Light => "cf-light",
        Theme::Dark => "cf-dark",
    }
}

fn window(starts_at: Timestamp, expires_at: Timestamp) -> String {
    format!("{} – {}", whole_moment(starts_at), whole_moment(expires_at))
}

fn summary(seen: &Overview) -> String {
    let urgent = seen.grants.iter().filter(|listed| listed.standing.wants_attention()).count();
    let mut parts = vec![count(seen.grants.len(), "live grant", "live grants")];
    if urgent > 0 {
        parts.push(format!("{urgent} failed or overdue"));
    }
    if !seen.reviews_owed.is_empty() {
        parts.push(count(seen.reviews_owed.len(), "review owed", "reviews owed"));
    }
    parts.join(" · ")
}

fn notices(seen: &Overview, widget: &Widget) -> Vec<String> {
    let mut notices = widget.notices.clone();
    if seen.truncated {
        notices.push(
            "There are more live grants than one read gives: any may be missing here, overdue ones too. Name a tenant \
             in the filter."
                .to_owned(),
        );
    }
    if seen.reviews_truncated {
        notices
            .push("There are more owed reviews than one read gives; those owed longest are here.".to_owned());
    }
    notices.extend(seen.unreadable.iter().map(|problem| format!("Not shown: {problem}")));
    notices
}

#[cfg(test)]
#[path = "../tests/html.rs"]
mod tests;
