//! Approvals that are granted, that were granted before, and that AWS has its own mind about.

use curfew_testkit::{CallName, Delivery, Fault};
use jiff::SignedDuration;
use serde_json::json;

use super::{Bench, approval, assert_problem, with};

#[test]
fn an_approval_becomes_access_and_the_reply_says_which() {
    let bench = Bench::new();
    let reply = bench.send(&approval("CHG-1"));
    let id = bench.world.look(|aws| aws.ledger.rows().next().unwrap().grant.id().clone());
    assert_eq!(
        (reply.status, reply.body),
        (
            201,
            json!({
                "grant_id": id,
                "state": "active",
                "window": { "starts_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T11:00:00Z" },
                "person": "ana@example.com",
                "tenant": "acme",
                "role": "ops",
                "principal": "arn:aws:iam::111122223333:user/ana",
                "ticket": "CHG-1",
                "duplicate": false,
                "changed": false,
                "message": "access of ana@example.com to ops in acme holds from 2026-11-21T10:00:00Z until \
                            2026-11-21T11:00:00Z",
            })
        )
    );
    assert_eq!(reply.headers["content-type"], "application/json");
    assert!(bench.ana_has_access());
    assert_eq!(
        bench.calls(),
        [CallName::Open, CallName::Attach, CallName::SetTimer, CallName::Commit],
        "four calls, however it is wrapped"
    );
    assert_eq!(bench.told(), ["Requested", "Activated"]);
    bench.assert_promises_kept();
}

#[test]
fn the_same_approval_again_changes_nothing_and_tells_what_became_of_it() {
    let bench = Bench::new();
    let first = bench.send(&approval("CHG-1"));
    let second = bench.send(&approval("CHG-1"));
    assert_eq!((second.status, &second.body["duplicate"]), (200, &json!(true)));
    assert_eq!(second.body["grant_id"], first.body["grant_id"]);
    assert_eq!(second.body["state"], "active");
    assert_eq!(bench.written(), (1, 0));
    assert_eq!(bench.told(), ["Requested", "Activated", "Requested"]);

    // Long after the window, a late copy of the delivery is still told so.
    bench.world.advance(SignedDuration::from_hours(2));
    let late = bench.send(&approval("CHG-1"));
    assert_eq!((late.status, &late.body["duplicate"]), (200, &json!(true)));
    assert_eq!(bench.written(), (1, 0));
}

#[test]
fn another_content_on_the_same_ticket_is_a_conflict() {
    let bench = Bench::new();
    let first = bench.send(&approval("CHG-1"));
    let reply = bench.send(&with(approval("CHG-1"), "window", json!({ "duration": "2h" })));
    assert_problem(&reply, 409, "conflict");
    assert_eq!(reply.body["grant_id"], first.body["grant_id"]);
    assert_eq!(bench.written(), (1, 0));
    assert_eq!(bench.told(), ["Requested", "Activated", "Requested", "Denied:conflict"]);
}

#[test]
fn what_fails_for_now_is_asked_for_again_and_then_succeeds() {
    for call in [CallName::Open, CallName::Attach, CallName::SetTimer] {
        let bench = Bench::new();
        bench.world.plan(Fault::once(call, Delivery::LostRequest));
        let reply = bench.send(&approval("CHG-1"));
        assert_problem(&reply, 503, "try-again");
        assert_eq!(reply.headers["retry-after"], "30");
        assert!(!bench.ana_has_access(), "{call:?}");

        // The lease of the first try is over when the sender comes again.
        bench.world.advance(SignedDuration::from_mins(3));
        let mut again = bench.send(&approval("CHG-1"));
        if again.status == 503 {
            // The attach's fate was not known, so its try is closed by the sweep first.
            let ports = bench.world.invocation();
            let lap = curfew_app::sweep::Lap { limit: 10, stop_at: jiff::Timestamp::MAX };
            bench.world.finish(curfew_app::sweep::sweep(&ports, lap)).unwrap().unwrap();
            again = bench.send(&approval("CHG-1"));
        }
        assert_eq!(again.status, 201, "{call:?}: {}", again.body);
        assert!(bench.ana_has_access());
        bench.assert_promises_kept();
    }
}

#[test]
fn what_aws_refuses_for_good_is_not_asked_for_again() {
    for (delivery, code) in [(Delivery::Refused, "refused-by-aws"), (Delivery::Forbidden, "not-permitted")] {
        let bench = Bench::new();
        bench.world.plan(Fault::once(CallName::Attach, delivery));
        let reply = bench.send(&approval("CHG-1"));
        assert_problem(&reply, 422, code);
        assert_eq!(reply.body["state"], "closed");
        assert!(reply.body["remedy"].is_string());
        assert!(!bench.ana_has_access());
        assert_eq!(bench.told(), ["Requested", "OpeningFailures"]);
        bench.assert_promises_kept();
    }
}

#[test]
fn an_approval_that_fails_again_and_again_is_refused_in_the_end() {
    let bench = Bench::new();
    bench.world.plan(Fault::always(CallName::Attach, Delivery::Refused));
    let tries = curfew_app::open::ATTEMPTS_MAX;
    for _ in 0..tries {
        assert_problem(&bench.send(&approval("CHG-1")), 422, "refused-by-aws");
    }
    assert_problem(&bench.send(&approval("CHG-1")), 422, "too-many-attempts");
    assert_eq!(bench.written(), (usize::try_from(tries).unwrap(), 0));
}
