//! Closed tickets: what they end, and what is not opened on them any more.

use curfew_testkit::{CallName, Delivery, Fault};
use serde_json::{Value, json};

use super::{Bench, approval, assert_problem};

fn closed(ticket: &str) -> Value {
    json!({ "type": "ticket.closed", "ticket": ticket, "closed_by": "dora@example.com", "reason": "solved" })
}

#[test]
fn a_closed_ticket_ends_its_access_and_says_so() {
    let bench = Bench::new();
    let granted = bench.send(&approval("CHG-1"));
    let reply = bench.send(&closed("CHG-1"));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body["message"], "ticket CHG-1 is closed; nothing is left of its 1 grant(s)");
    let grant = &reply.body["grants"][0];
    assert_eq!(grant["grant_id"], granted.body["grant_id"]);
    assert_eq!(
        (&grant["result"], &grant["state"], &grant["outcome"]),
        (&json!("removed"), &json!("closed"), &json!("revoked"))
    );
    assert_eq!(
        grant["message"],
        "access of ana@example.com to ops in acme has been removed: AWS confirmed DeleteUserPolicy at 2026-11-21T10:00:00Z"
    );
    assert!(!bench.ana_has_access());
    assert_eq!(bench.told(), ["Requested", "Activated", "Revoked"]);
    bench.assert_promises_kept();

    let again = bench.send(&closed("CHG-1"));
    assert_eq!((again.status, &again.body["grants"][0]["result"]), (200, &json!("already-closed")));
}

#[test]
fn nothing_is_opened_on_a_closed_ticket() {
    let bench = Bench::new();
    let reply = bench.send(&closed("CHG-1"));
    assert_eq!(reply.body["message"], "ticket CHG-1 is closed; it had no grants");
    assert_problem(&bench.send(&approval("CHG-1")), 409, "ticket-closed");
    assert!(!bench.ana_has_access());
    assert_eq!(bench.told(), ["Requested", "Denied:ticket-closed"]);
}

#[test]
fn a_removal_that_began_is_done_for_the_sender_even_if_unproven() {
    let bench = Bench::new();
    bench.send(&approval("CHG-1"));
    bench.world.plan(Fault::once(CallName::Detach, Delivery::LostRequest));
    let reply = bench.send(&closed("CHG-1"));
    assert_eq!((reply.status, &reply.body["grants"][0]["result"]), (200, &json!("unproven")));
    assert_eq!(bench.told().last().map(String::as_str), Some("RevocationFailures"));
}

#[test]
fn a_removal_that_may_not_have_begun_is_asked_for_again() {
    let bench = Bench::new();
    bench.send(&approval("CHG-1"));
    bench.world.plan(Fault::once(CallName::Claim, Delivery::LostRequest));
    let reply = bench.send(&closed("CHG-1"));
    assert_problem(&reply, 503, "removal-not-begun");
    assert_eq!(reply.body["grants"][0]["result"], "unknown");
    assert_eq!(bench.send(&closed("CHG-1")).status, 200);
    assert!(!bench.ana_has_access());

    bench.world.plan(Fault::once(CallName::CloseTicket, Delivery::LostRequest));
    assert_problem(&bench.send(&closed("CHG-2")), 503, "try-again");
}
