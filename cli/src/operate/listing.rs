//! Lists of grants and reviews, for people.
//!
//! Must not know: how they were had.

use jiff::Timestamp;

use super::reply::{Ended, LiveGrant, Overview, ReviewOwed};
use super::table::Table;
use super::words::{count, relative, safe, utc};

/// What stands in a cell where nothing is known.
const NOTHING: &str = "-";

/// Who has what now. Times are told from that of the answer: this machine's clock may be another.
#[must_use]
pub fn overview(overview: &Overview) -> String {
    let mut lines = match overview.grants.as_slice() {
        [] => vec!["nobody has access that has not ended, as far as was asked".to_owned()],
        grants => live(grants, overview.as_of).lines(),
    };
    lines.push(String::new());
    lines.push(format!("{} live as of {}", count(overview.grants.len(), "grant"), utc(overview.as_of)));
    lines.push("what was granted in the last seconds may not be listed yet".to_owned());
    match overview.reviews_owed.as_slice() {
        [] => {}
        reviews => lines.push(format!("{} owed: `curfew review` lists them", count(reviews.len(), "review"))),
    }
    lines.extend(warnings(overview));
    lines.join("\n")
}

/// Which reviews are owed.
#[must_use]
pub fn reviews(overview: &Overview) -> String {
    let mut lines = match overview.reviews_owed.as_slice() {
        [] => vec!["no review is owed, as far as was asked".to_owned()],
        reviews => {
            let mut lines = owed(reviews, overview.as_of).lines();
            lines.push(String::new());
            lines.push("once it has ended: `curfew review <grant> --note '<what you found>'`".to_owned());
            lines
        }
    };
    lines.extend(warnings(overview));
    lines.join("\n")
}

/// What would end, or has ended.
#[must_use]
pub fn ended(grants: &[Ended], now: Timestamp) -> Vec<String> {
    let mut table =
        Table::new(&["GRANT", "PERSON", "ROLE", "TENANT", "TICKET", "STATE", "UNTIL", "", "RESULT"]);
    for grant in grants {
        let [until, left] = time(grant.expires_at, now);
        let id = or_nothing(&grant.grant_id);
        let what = [&grant.person, &grant.role, &grant.tenant, &grant.ticket, &grant.state]
            .map(|text| or_nothing(text));
        table.row(std::iter::once(id).chain(what).chain([until, left, or_nothing(&grant.result)]));
    }
    table.lines()
}

fn live(grants: &[LiveGrant], now: Timestamp) -> Table {
    let mut table = Table::new(&["GRANT", "PERSON", "ROLE", "TENANT", "TICKET", "STANDING", "UNTIL", ""]);
    for grant in grants {
        // What somebody should look at must not be overlooked.
        let standing = match grant.standing.as_str() {
            urgent @ ("overdue" | "removal-fails") => urgent.to_uppercase(),
            other => or_nothing(other),
        };
        let [until, left] = match grant.starts_at {
            Some(start) if start > now => {
                let [from, away] = time(Some(start), now);
                [format!("from {from}"), away]
            }
            _ => time(grant.expires_at, now),
        };
        let who = [&grant.grant_id, &grant.person, &grant.role, &grant.tenant, &grant.ticket]
            .map(|text| or_nothing(text));
        table.row(who.into_iter().chain([standing, until, left]));
    }
    table
}

fn owed(reviews: &[ReviewOwed], now: Timestamp) -> Table {
    let mut table = Table::new(&["GRANT", "PERSON", "ROLE", "TENANT", "TICKET", "ENDED", "OWED SINCE", ""]);
    for review in reviews {
        let [since, ago] = time(review.since, now);
        let ended = review.outcome.clone().unwrap_or_else(|| "not yet".to_owned());
        let who = [&review.grant_id, &review.person, &review.role, &review.tenant, &review.ticket]
            .map(|text| or_nothing(text));
        table.row(who.into_iter().chain([ended, since, ago]));
    }
    table
}

fn warnings(overview: &Overview) -> Vec<String> {
    let mut lines = Vec::new();
    if overview.truncated {
        lines.push("NOT ALL LISTED: there are more live grants than one read gives, overdue ones perhaps too; name a `--tenant`".to_owned());
    }
    if overview.reviews_truncated {
        lines.push("NOT ALL LISTED: there are more owed reviews than one read gives".to_owned());
    }
    lines.extend(overview.unreadable.iter().map(|what| format!("NOT READABLE: {}", safe(what))));
    lines
}

fn time(at: Option<Timestamp>, now: Timestamp) -> [String; 2] {
    at.map_or_else(|| [NOTHING.to_owned(), String::new()], |at| [utc(at), relative(at, now)])
}

fn or_nothing(text: &str) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text.to_owned() }
}
