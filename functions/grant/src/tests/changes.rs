//! Later approvals on the same ticket: what a sender is told when they change a live grant, and when they don't.

use curfew_app::close::Ended;
use curfew_app::open::Opened;
use curfew_app::sweep::{Lap, sweep};
use curfew_domain::grant::Grant;
use curfew_domain::transition::{CHANGES_MAX, Illegal};
use curfew_testkit::{CallName, Delivery, Fault};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Bench, approval, assert_problem, with};
use crate::opened::answer_opened;

/// The approval of CHG-1, given anew now, with another window.
fn anew(bench: &Bench, window: Value) -> Value {
    let approvals = json!([
        { "approver": "carl@example.com", "at": "2026-11-21T10:00:00Z" },
        { "approver": "dora@example.com", "at": bench.world.now() },
    ]);
    with(with(approval("CHG-1"), "approvals", approvals), "window", window)
}

fn granted() -> Bench {
    let bench = Bench::new();
    assert_eq!(bench.send(&approval("CHG-1")).status, 201);
    bench.world.advance(SignedDuration::from_mins(30));
    bench
}

/// Whether Ana has access at a time of 2026-11-21, as AWS judges by the policy as it is.
fn ana_has_access_at(bench: &Bench, time: &str) -> bool {
    let at: Timestamp = format!("2026-11-21T{time}Z").parse().unwrap();
    bench.world.look(|aws| aws.iam.allows(&super::ana(), at))
}

fn only_grant(bench: &Bench) -> Grant {
    bench.world.look(|aws| {
        let mut rows = aws.ledger.rows();
        let grant = rows.next().unwrap().grant.clone();
        assert!(rows.next().is_none(), "a change makes no second grant");
        grant
    })
}

#[test]
fn a_later_approval_extends_and_the_reply_says_from_when_to_when() {
    let bench = granted();
    let before = bench.calls().len();
    let reply = bench.send(&anew(&bench, json!({ "duration": "2h" })));
    assert_eq!((reply.status, &reply.body["changed"]), (200, &json!(true)), "{}", reply.body);
    assert_eq!(reply.body["duplicate"], false);
    assert_eq!(reply.body["state"], "active");
    assert_eq!(
        reply.body["window"],
        json!({ "starts_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T12:30:00Z" }),
        "spans count from the change, and the window keeps its start"
    );
    assert_eq!(
        reply.body["message"],
        "access of ana@example.com to ops in acme holds from 2026-11-21T10:00:00Z until 2026-11-21T12:30:00Z now, and \
         not until 2026-11-21T11:00:00Z"
    );
    assert_eq!(
        bench.calls()[before..],
        [CallName::Open, CallName::Commit, CallName::Attach, CallName::SetTimer, CallName::Commit]
    );
    assert!(ana_has_access_at(&bench, "12:29:59"));
    assert!(!ana_has_access_at(&bench, "12:30:00"));
    assert_eq!(bench.told(), ["Requested", "Activated", "Requested", "Extended"]);
    assert_eq!(only_grant(&bench).version(), 4);
    bench.assert_promises_kept();
}

#[test]
fn a_later_approval_shortens() {
    let bench = granted();
    let reply = bench.send(&anew(&bench, json!({ "end": "2026-11-21T10:40:00Z" })));
    assert_eq!((reply.status, &reply.body["changed"]), (200, &json!(true)), "{}", reply.body);
    assert_eq!(reply.body["window"]["expires_at"], "2026-11-21T10:40:00Z");
    assert!(ana_has_access_at(&bench, "10:39:59"));
    assert!(!ana_has_access_at(&bench, "10:40:00"));
    assert_eq!(bench.told(), ["Requested", "Activated", "Requested", "Shortened"]);
    bench.assert_promises_kept();
}

#[test]
fn approvals_that_are_no_later_change_nothing_whichever_way_they_come() {
    let bench = granted();
    let extended = anew(&bench, json!({ "duration": "2h" }));
    assert_eq!(bench.send(&extended).status, 200);
    let (told, grant) = (bench.told().len(), only_grant(&bench));

    // The first approval, the last one, and one between them that was held up on its way.
    let between = json!([{ "approver": "dora@example.com", "at": "2026-11-21T10:20:00Z" }]);
    let held_up = with(approval("CHG-1"), "approvals", between);
    for (body, words) in [
        (approval("CHG-1"), "was granted before"),
        (extended.clone(), "was granted before"),
        (held_up, "a later approval on this ticket is in force"),
    ] {
        let reply = bench.send(&body);
        assert_eq!((reply.status, &reply.body["duplicate"]), (200, &json!(true)), "{}", reply.body);
        assert_eq!(reply.body["changed"], false);
        assert_eq!(reply.body["window"]["expires_at"], "2026-11-21T12:30:00Z");
        let message = reply.body["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains("nothing was changed"), "{message}");
    }

    // Not later, and of other content: nobody can say which one counts.
    let same_time = with(extended, "window", json!({ "duration": "3h" }));
    let reply = bench.send(&same_time);
    assert_problem(&reply, 409, "conflict");
    assert!(reply.body["remedy"].as_str().unwrap().contains("by somebody else"), "{}", reply.body);
    assert_eq!(bench.told()[told..], ["Requested", "Requested", "Requested", "Requested", "Denied:conflict"]);
    assert_eq!(only_grant(&bench), grant);
    bench.assert_promises_kept();
}

/// The first approval, delivered with a later one that counts for nothing, does not approve the change.
#[test]
fn a_change_rests_on_an_approval_of_its_own() {
    for approver in ["ana@example.com", "stranger@example.com"] {
        let bench = granted();
        let approvals = json!([
            { "approver": "carl@example.com", "at": "2026-11-21T10:00:00Z" },
            { "approver": approver, "at": bench.world.now() },
        ]);
        let body = with(approval("CHG-1"), "window", json!({ "duration": "2h" }));
        let reply = bench.send(&with(body, "approvals", approvals));
        assert_problem(&reply, 409, "conflict");
        assert!(!ana_has_access_at(&bench, "11:00:00"), "{approver}");
        assert_eq!(only_grant(&bench).version(), 2);
        bench.assert_promises_kept();
    }
}

#[test]
fn a_change_against_the_rules_is_denied_and_the_window_stays() {
    let bench = granted();
    // Three and a half hours from now are four hours in all; a second more is too much.
    let reply = bench.send(&anew(&bench, json!({ "duration": "3h30m1s" })));
    assert_problem(&reply, 422, "window-too-long");
    assert!(ana_has_access_at(&bench, "10:59:59"));
    let alone = json!([{ "approver": "ana@example.com", "at": bench.world.now() }]);
    let reply = bench.send(&with(anew(&bench, json!({ "duration": "2h" })), "approvals", alone));
    assert_problem(&reply, 403, "self-approval");
    assert!(!ana_has_access_at(&bench, "11:00:00"));
    bench.assert_promises_kept();
}

/// It must not go on for longer than was approved last.
#[test]
fn a_change_to_an_end_that_is_past_ends_the_grant() {
    let bench = granted();
    let reply = bench.send(&anew(&bench, json!({ "end": "2026-11-21T10:30:01Z" })));
    assert_problem(&reply, 409, "revoked-meanwhile");
    assert!(reply.body["detail"].as_str().unwrap().contains("an end that it can't have"), "{}", reply.body);
    assert!(!ana_has_access_at(&bench, "10:30:01"));
    assert_eq!(only_grant(&bench).state().name(), "closed");
    bench.assert_promises_kept();
}

#[test]
fn what_has_ended_is_not_extended() {
    for by_timer in [true, false] {
        let bench = granted();
        if by_timer {
            bench.world.advance(SignedDuration::from_mins(32));
            let ports = bench.world.invocation();
            bench.world.finish(sweep(&ports, Lap { limit: 10, stop_at: Timestamp::MAX })).unwrap().unwrap();
            let reply = bench.send(&anew(&bench, json!({ "duration": "2h" })));
            assert_problem(&reply, 409, "conflict");
            assert!(reply.body["detail"].as_str().unwrap().contains("closed (expired)"), "{}", reply.body);
            assert_eq!(reply.body["remedy"], "approve the access on a new ticket");
        } else {
            bench.send(&json!({ "type": "ticket.closed", "ticket": "CHG-1" }));
            assert_problem(&bench.send(&anew(&bench, json!({ "duration": "2h" }))), 409, "conflict");
        }
        assert!(!bench.ana_has_access());
        bench.assert_promises_kept();
    }
}

#[test]
fn a_change_that_was_cut_short_is_asked_for_again_and_made_then() {
    for call in [CallName::Attach, CallName::SetTimer] {
        for delivery in [Delivery::LostRequest, Delivery::LostAnswer, Delivery::Throttled] {
            let bench = granted();
            bench.world.plan(Fault::once(call, delivery));
            let extended = anew(&bench, json!({ "duration": "2h" }));
            let reply = bench.send(&extended);
            assert_problem(&reply, 503, "try-again");
            assert_eq!(reply.headers["retry-after"], "30");

            // As long as something of it may be under way nothing else is begun, be it the same again.
            bench.world.advance(SignedDuration::from_secs(1));
            for busy in [extended.clone(), anew(&bench, json!({ "duration": "1h" }))] {
                let reply = bench.send(&busy);
                assert_problem(&reply, 503, "try-again");
                assert!(reply.headers.contains_key("retry-after"));
            }

            bench.world.advance(SignedDuration::from_mins(3));
            let reply = bench.send(&extended);
            assert_eq!((reply.status, &reply.body["changed"]), (200, &json!(true)), "{}", reply.body);
            assert_eq!(reply.body["window"]["expires_at"], "2026-11-21T12:30:00Z");
            assert!(ana_has_access_at(&bench, "12:29:59"), "{call:?} {delivery:?}");
            assert_eq!(bench.told().last().map(String::as_str), Some("Extended"));
            bench.assert_promises_kept();
        }
    }
}

#[test]
fn a_change_that_aws_refuses_ends_the_access_and_says_so() {
    for (delivery, code) in [(Delivery::Refused, "refused-by-aws"), (Delivery::Forbidden, "not-permitted")] {
        let bench = granted();
        bench.world.plan(Fault::once(CallName::Attach, delivery));
        let reply = bench.send(&anew(&bench, json!({ "duration": "2h" })));
        assert_problem(&reply, 422, code);
        let detail = reply.body["detail"].as_str().unwrap();
        assert!(detail.contains("could not be changed, so the access"), "{detail}");
        assert!(reply.body["remedy"].as_str().unwrap().ends_with("approve the access on a new ticket"));
        assert!(!bench.ana_has_access());
        let told = bench.told();
        assert!(told.contains(&"OpeningFailures".to_owned()), "{told:?}");
        bench.assert_promises_kept();
    }
}

#[test]
fn a_grant_is_not_changed_without_end() {
    let bench = granted();
    for n in 0..CHANGES_MAX {
        bench.world.advance(SignedDuration::from_secs(10));
        let reply = bench.send(&anew(&bench, json!({ "duration": "2h" })));
        assert_eq!(reply.status, 200, "{n}: {}", reply.body);
    }
    bench.world.advance(SignedDuration::from_secs(10));
    let reply = bench.send(&anew(&bench, json!({ "duration": "2h" })));
    assert_problem(&reply, 409, "too-many-changes");
    assert_eq!(reply.body["remedy"], "approve the access on a new ticket");
    assert!(bench.ana_has_access(), "what is in force stays");
    bench.assert_promises_kept();
}

/// What a race leaves a sender with, in words.
#[test]
fn whatever_comes_of_a_change_has_words_and_what_can_be_done_a_remedy() {
    let bench = granted();
    let grant = || Box::new(only_grant(&bench));
    for (why, status, code) in [
        (Illegal::OtherAccess, 409, "conflict"),
        (Illegal::NotNewer, 409, "conflict"),
        (Illegal::AlreadyClosing, 409, "conflict"),
        (Illegal::TooManyChanges, 409, "too-many-changes"),
        (Illegal::NotChanging, 503, "try-again"),
    ] {
        let problem = answer_opened(Opened::NotChanged { grant: grant(), why: why.clone() }).unwrap_err();
        let reply = problem.into();
        assert_problem(&reply, status, code);
        assert!(reply.body["detail"].as_str().unwrap().contains(&why.to_string()), "{}", reply.body);
        assert!(reply.body["remedy"].is_string(), "{}", reply.body);
    }
    let error = "make sure by hand".to_owned();
    for (ended, words) in [
        (Ended::Closed(grant()), "no access is left"),
        (Ended::Settling { grant: grant(), until: bench.world.now() }, "the sweep finishes"),
        (Ended::Throttled { grant: grant(), error: error.clone() }, "the sweep finishes"),
        (Ended::Unproven { grant: grant(), error: error.clone() }, "the sweep finishes"),
        (Ended::LeftBehind { grant: grant(), error }, "may still be there"),
    ] {
        let reply = answer_opened(Opened::RevokedMeanwhile(ended)).unwrap_err().into();
        assert_problem(&reply, 409, "revoked-meanwhile");
        assert!(reply.body["detail"].as_str().unwrap().contains(words), "{}", reply.body);
    }
}
