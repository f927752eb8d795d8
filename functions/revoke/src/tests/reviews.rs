//! Reviews through the function: listed until somebody says what they found.

use curfew_domain::decision::Permit;
use curfew_testkit::guardrails::{Scripted, permit};

use super::*;

const NOTE: &str = "what was done is what the incident needed";

impl Bench {
    /// Access that has to be looked at afterwards.
    fn open_for_review(&self, request: AccessRequest) -> Grant {
        let guardrails = Scripted::new(|_, _| {
            Ok(Permit { review: Some("break-glass is looked at".to_owned()), ..permit() })
        });
        self.open_under(Rules { catalog: &fixtures::catalog(), guardrails: &guardrails }, request)
    }

    fn owed(&self) -> Value {
        json!(self.call(&json!({ "reviews": "owed" })).unwrap())
    }

    fn review(&self, grant: &Grant) -> Value {
        let input = json!({ "reviewed": grant.id(), "note": NOTE, "operator": "carl@example.com" });
        json!(self.call(&input).unwrap())
    }

    fn end(&self, grant: &Grant) {
        assert!(self.ask(json!({ "grant_id": grant.id() })).unwrap().ok);
    }
}

#[test]
fn what_is_owed_is_listed_with_what_it_is_until_it_is_done() {
    let bench = Bench::new();
    assert_eq!(bench.owed()["reviews"], json!([]));
    let first = bench.open_for_review(request("INC-1"));
    bench.world.advance(SignedDuration::from_mins(3));
    let second = bench.open_for_review(managed_request("INC-2"));
    bench.open(request("CHG-3"));

    let reply = bench.owed();
    assert_eq!((&reply["ok"], &reply["grants"]), (&json!(true), &json!([])));
    let message = reply["message"].as_str().unwrap();
    assert!(message.starts_with("2 review(s) are owed, the longest since 2026-11-21T10:00:00Z"), "{message}");
    let expected = json!({
        "grant_id": first.id(), "since": "2026-11-21T10:00:00Z", "state": "active", "person": "ana@example.com",
        "tenant": "acme", "role": "ops", "principal": ANA, "source": "itsm", "ticket": "INC-1",
        "expires_at": "2026-11-21T11:00:00Z"
    });
    assert_eq!(reply["reviews"][0], expected);
    assert_eq!(reply["reviews"][1]["grant_id"], json!(second.id()));

    // The whole story is there only when it is over.
    let early = bench.review(&first);
    assert_eq!(early["ok"], false);
    assert!(early["message"].as_str().unwrap().contains("has not ended yet"), "{early}");
    bench.end(&first);
    assert_eq!(bench.owed()["reviews"][0]["outcome"], "revoked");

    assert_eq!(bench.review(&first)["ok"], true);
    let left = bench.owed()["reviews"].as_array().unwrap().clone();
    assert_eq!(left.iter().map(|owed| &owed["grant_id"]).collect::<Vec<_>>(), [&json!(second.id())]);
    let again = bench.review(&first);
    assert_eq!(again["ok"], true);
    assert!(again["message"].as_str().unwrap().contains("nothing was added"), "{again}");

    let story = bench.world.look(|aws| aws.ledger.row(first.id()).unwrap().story().unwrap());
    let last = json!(story.events.last().unwrap());
    assert_eq!(last["fact"], json!({ "type": "Reviewed", "note": format!("{NOTE} (invocation r-1)") }));
    assert_eq!(last["actor"], json!({ "kind": "operator", "name": "carl@example.com" }));
    bench.assert_promises_kept();
}

#[test]
fn an_index_that_is_behind_shows_no_review_that_is_done() {
    let bench = Bench::new();
    let grant = bench.open_for_review(request("INC-1"));
    bench.end(&grant);
    bench.world.change(|aws| aws.ledger.freeze_indexes());
    bench.review(&grant);
    assert_eq!(bench.owed()["reviews"], json!([]));
}

#[test]
fn what_owes_no_review_is_not_reviewed() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    bench.end(&grant);
    let reply = bench.review(&grant);
    assert_eq!(reply["ok"], false);
    assert!(reply["message"].as_str().unwrap().contains("no review of the grant is owed"), "{reply}");
    let input =
        json!({ "reviewed": "g-abcdefghijklmnopqrstuvwxyz", "note": NOTE, "operator": "carl@example.com" });
    let reply = json!(bench.call(&input).unwrap());
    assert_eq!(reply["ok"], false);
    assert!(reply["message"].as_str().unwrap().contains("there is no grant"), "{reply}");
}

#[test]
fn a_bad_input_on_reviews_is_answered_with_all_problems_and_an_example() {
    let bench = Bench::new();
    let reply = json!(bench.call(&json!({ "reviewed": 7 })).unwrap());
    assert_eq!((reply["ok"].clone(), reply["problems"].as_array().unwrap().len()), (json!(false), 3));
    assert!(crate::input::parse(&reply["example"]).is_ok(), "the example must itself be good: {reply}");
}

#[test]
fn a_ledger_that_fails_is_asked_again() {
    let bench = Bench::new();
    let grant = bench.open_for_review(request("INC-1"));
    bench.end(&grant);
    let input = json!({ "reviewed": grant.id(), "note": NOTE, "operator": "carl@example.com" });
    for (name, delivery) in [
        (CallName::ReviewsOwed, Delivery::LostRequest),
        (CallName::Load, Delivery::LostRequest),
        (CallName::Commit, Delivery::LostRequest),
        (CallName::Commit, Delivery::LostAnswer),
    ] {
        bench.world.plan(Fault::once(name, delivery));
        let asked = if name == CallName::ReviewsOwed { json!({ "reviews": "owed" }) } else { input.clone() };
        assert_eq!(bench.call(&asked).unwrap_err().remedy, Remedy::Retryable, "{name:?}");
    }
    // The last one was written, and only its answer was lost.
    let reply = bench.call(&input).unwrap();
    assert!(reply.ok && reply.message.contains("nothing was added"), "{}", reply.message);
    bench.assert_promises_kept();
}
