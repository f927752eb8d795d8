//! What the revoke function answers: a sentence for the whole, and one for each grant.

use curfew_app::revoke::Selector;
use curfew_domain::grant::Grant;
use curfew_domain::ids::GrantId;
use curfew_runtime::revocation::{GrantFacts, GrantReport, GrantResult};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// The answer to an operator or a timer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reply {
    /// Whether what was asked is done, proven. If not, the message says who goes on with it.
    pub ok: bool,
    /// The whole in words.
    pub message: String,
    /// Every grant that was looked at.
    pub grants: Vec<GrantReport>,
    /// Reviews that are owed, if that was asked: those first that are owed longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Vec<ReviewOwed>>,
    /// Everything that is wrong with the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// How an input looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// A grant that somebody has to look at, once it has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewOwed {
    /// Which.
    pub grant_id: GrantId,
    /// Since when.
    pub since: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub grant: GrantFacts,
}

impl Reply {
    fn saying(ok: bool, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { ok, message, grants: Vec::new(), reviews: None, problems: Vec::new(), example: None }
    }

    /// The input can't be acted on.
    #[must_use]
    pub fn bad_input(problems: Vec<String>) -> Self {
        Self {
            problems,
            example: Some(json!({
                "grant_id": "g-abcdefghijklmnopqrstuvwxyz",
                "reason": "incident INC0010023 is over",
                "operator": "you@example.com",
                "dry_run": true,
            })),
            ..Self::saying(false, NOTHING_CHANGED)
        }
    }

    /// An input on reviews can't be acted on.
    #[must_use]
    pub fn bad_review(problems: Vec<String>) -> Self {
        Self {
            problems,
            example: Some(json!({
                "reviewed": "g-abcdefghijklmnopqrstuvwxyz",
                "note": "what was done in CloudTrail is what the incident needed",
                "operator": "you@example.com",
            })),
            ..Self::saying(false, NOTHING_CHANGED)
        }
    }

    /// The reviews that are owed.
    #[must_use]
    pub fn of_reviews(grants: &[Grant]) -> Self {
        let owed = |grant: &Grant| {
            let since = grant.review_owed_since()?;
            Some(ReviewOwed { grant_id: grant.id().clone(), since, grant: grant.into() })
        };
        let reviews: Vec<ReviewOwed> = grants.iter().filter_map(owed).collect();
        let message = match reviews.as_slice() {
            [] => format!("no review is owed; {LAG}"),
            [first, ..] => {
                format!("{} review(s) are owed, the longest since {}; {LAG}", reviews.len(), first.since)
            }
        };
        Self { reviews: Some(reviews), ..Self::saying(true, message) }
    }

    /// Nothing was found, or what was asked is not clear.
    #[must_use]
    pub fn nothing(ok: bool, message: impl Into<String>) -> Self {
        Self::saying(ok, message)
    }

    /// What became of each grant.
    #[must_use]
    pub fn of(grants: Vec<GrantReport>) -> Self {
        let ok = grants.iter().all(|grant| grant.result.is_proven());
        let message = match grants.as_slice() {
            [one] => one.message.clone(),
            many => summary(many),
        };
        Self { grants, ..Self::saying(ok, message) }
    }

    /// The same, saying that there may be more.
    #[must_use]
    pub fn with_lag(mut self) -> Self {
        self.message = format!("{}; {LAG}", self.message);
        self
    }

    /// What would become of each grant.
    #[must_use]
    pub fn of_dry_run(grants: Vec<GrantReport>) -> Self {
        let would = grants.iter().filter(|grant| grant.result == GrantResult::WouldEnd).count();
        let message = format!(
            "dry run, nothing was changed: {would} of {} grant(s) would be ended; send the same without \
             `dry_run` to end them",
            grants.len()
        );
        Self { grants, ..Self::saying(true, message) }
    }
}

fn summary(grants: &[GrantReport]) -> String {
    let count =
        |results: &[GrantResult]| grants.iter().filter(|grant| results.contains(&grant.result)).count();
    let mut parts = Vec::new();
    for (results, words) in [
        (&[GrantResult::Removed][..], "removed, as AWS confirmed"),
        (&[GrantResult::AlreadyClosed], "already closed"),
        (
            &[GrantResult::Settling, GrantResult::Unproven],
            "being removed, but not yet confirmed: the sweep goes on",
        ),
        (&[GrantResult::LeftBehind], "closed, but something of it may still be there: see its message"),
        (&[GrantResult::NotFound], "not in the ledger"),
        (&[GrantResult::NotDue], "not due"),
        (&[GrantResult::Unknown], "not known to have begun: send the same again"),
    ] {
        let count = count(results);
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    format!("of {} grant(s): {}", grants.len(), parts.join("; "))
}

/// Whether a selector's grants are found through an index that lags.
#[must_use]
pub fn may_lag(selector: &Selector) -> bool {
    match selector {
        Selector::Person(_) | Selector::Tenant(_) => true,
        Selector::Grant(_) | Selector::Ticket(..) => false,
    }
}

/// What to say where a selector found nothing.
#[must_use]
pub fn found_nothing(selector: &Selector) -> Reply {
    match selector {
        Selector::Grant(id) => Reply::nothing(false, format!("there is no grant {id} in the ledger; {FIND}")),
        Selector::Ticket(Some(source), ticket) => Reply::nothing(
            false,
            format!("there is no grant of ticket {ticket} of source {source} in the ledger; check both"),
        ),
        Selector::Ticket(None, ticket) => {
            Reply::nothing(false, format!("there is no grant of ticket {ticket} in the ledger; check its id"))
        }
        Selector::Person(person) => {
            Reply::nothing(true, format!("{person} has no access that could be ended; {LAG}"))
        }
        Selector::Tenant(tenant) => {
            Reply::nothing(true, format!("nobody has access in {tenant} that could be ended; {LAG}"))
        }
    }
}

const NOTHING_CHANGED: &str = "nothing was changed, because the input can't be acted on";

/// How to find a grant's id.
pub const FIND: &str = "find ids by `ticket`, `person` or `tenant` with `\"dry_run\": true`";

/// The indexes by person, by tenant and of reviews are a moment behind the ledger.
const LAG: &str = "what was granted in the last seconds may not be listed yet, so look once more in a moment";

#[cfg(test)]
mod tests {
    use curfew_domain::ids::{Email, GrantId, TicketId};

    use super::*;

    fn report(letter: char, result: GrantResult) -> GrantReport {
        let id = GrantId::new(format!("g-{}", letter.to_string().repeat(26))).unwrap();
        GrantReport { grant_id: id, result, message: format!("the story of {letter}"), grant: None }
    }

    #[test]
    fn one_grant_is_told_by_its_own_sentence() {
        let reply = Reply::of(vec![report('a', GrantResult::Removed)]);
        assert!(reply.ok);
        assert_eq!(reply.message, "the story of a");
    }

    #[test]
    fn many_grants_are_counted_and_all_is_well_only_if_each_is_proven() {
        let proven = vec![report('a', GrantResult::Removed), report('b', GrantResult::AlreadyClosed)];
        let reply = Reply::of(proven);
        assert!(reply.ok);
        assert_eq!(reply.message, "of 2 grant(s): 1 removed, as AWS confirmed; 1 already closed");

        for (open, words) in [
            (GrantResult::Settling, "the sweep goes on"),
            (GrantResult::Unproven, "the sweep goes on"),
            (GrantResult::LeftBehind, "may still be there"),
            (GrantResult::Unknown, "send the same again"),
            (GrantResult::NotFound, "not in the ledger"),
        ] {
            let reply = Reply::of(vec![report('a', GrantResult::Removed), report('b', open)]);
            assert!(!reply.ok, "{open:?}");
            assert!(reply.message.contains(words), "{}", reply.message);
        }
    }

    #[test]
    fn a_bad_input_is_answered_with_all_problems_and_an_example() {
        let reply = json!(Reply::bad_input(vec!["say why".to_owned()]));
        assert_eq!(reply["ok"], false);
        assert_eq!(reply["problems"], json!(["say why"]));
        let example = crate::input::parse(&reply["example"]);
        assert!(example.is_ok(), "the example must itself be good: {example:?}");
    }

    #[test]
    fn what_is_not_there_is_said_as_the_case_may_be() {
        let id = GrantId::new("g-abcdefghijklmnopqrstuvwxyz").unwrap();
        let reply = found_nothing(&Selector::Grant(id));
        assert!(!reply.ok);
        assert!(reply.message.contains("dry_run"), "{}", reply.message);
        let reply = found_nothing(&Selector::Person(Email::new("ana@example.com").unwrap()));
        assert!(reply.ok);
        assert!(reply.message.starts_with("ana@example.com has no access"), "{}", reply.message);
        assert!(!found_nothing(&Selector::Ticket(None, TicketId::new("CHG-1").unwrap())).ok);
    }
}
