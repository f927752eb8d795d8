//! Curfew's own JSON, signed by the scheme's own library: the way there and back, and an emergency.

use curfew_cli::artifacts::Function;
use curfew_tests::approval::fresh_ticket;
use curfew_tests::wait::later;
use curfew_tests::{Edit as _, Signed, now, payload, ticket_closed, world};
use serde_json::{Value, json};

use super::round::Round;
use super::{Senders, senders};
use crate::support::assert_problem;

async fn signed(senders: &Senders, body: &Value) -> Signed {
    senders.sign("standard", "", body.to_string()).await
}

#[tokio::test]
async fn an_approval_gives_access_until_its_ticket_is_closed() {
    let senders = senders().await;
    let person = world().await.person().await;
    let ticket = fresh_ticket();
    let approved = payload("curfew-approved")
        .put("/ticket", ticket.clone())
        .put("/requester", person.email.clone())
        .put("/tenant", "acme")
        .put("/role", "reader")
        .put("/approvals/0/approver", curfew_tests::catalog::APPROVER)
        .put("/approvals/0/at", later(now(), -30).to_string())
        .put("/window", json!({}));
    let round = Round::begin(senders, "standard", &person, signed(senders, &approved).await).await;
    round.end(signed(senders, &ticket_closed(&ticket)).await).await;
}

#[tokio::test]
async fn a_broken_glass_gives_access_at_once_and_owes_a_review_until_somebody_made_it() {
    let senders = senders().await;
    let person = world().await.person().await;
    let ticket = fresh_ticket();
    let emergency = |role: &str, justification: &str| {
        payload("curfew-break-glass")
            .put("/ticket", ticket.clone())
            .put("/requester", person.email.clone())
            .put("/tenant", "acme")
            .put("/role", role)
            .put("/since", later(now(), -30).to_string())
            .put("/window", json!({ "duration": "45m" }))
            .put("/justification", justification)
    };
    let url = senders.url("standard");
    let why = "orders are lost since the failover, and nobody else is awake";
    let denied = [
        ("emergency", "it is urgent", "forbidden-by-guardrail"),
        ("reader", why, "not-permitted-by-guardrails"),
    ];
    for (role, why, code) in denied {
        let reply = signed(senders, &emergency(role, why)).await.post(&url).await;
        assert_problem(&reply, 403, code);
    }
    let body = emergency("emergency", why);
    let round = Round::begin(senders, "standard", &person, signed(senders, &body).await).await;
    let id = round.id.clone();
    let record = round.close(signed(senders, &ticket_closed(&ticket)).await).await;
    assert!(record.story().contains(&"ReviewOwed"), "{:?}", record.story());

    let owed = senders.curfew.invoke(Function::Revoke, &json!({ "reviews": "owed" })).await;
    assert_eq!(owed.error, None, "{owed:?}");
    assert!(owed.payload.to_string().contains(&id), "{owed:?}");
    assert!(owed.payload.to_string().contains(&person.email), "{owed:?}");
    let done = json!({ "reviewed": id, "note": "it was one, and the cause is gone", "operator": "olga@example.test" });
    let done = senders.curfew.invoke(Function::Revoke, &done).await;
    assert_eq!(done.error, None, "{done:?}");
    let record = senders.curfew.record(&id).await.expect("a grant");
    assert_eq!(record.story().last(), Some(&"Reviewed"));
    record.verify();
    let owed = senders.curfew.invoke(Function::Revoke, &json!({ "reviews": "owed" })).await;
    assert!(!owed.payload.to_string().contains(&id), "{owed:?}");
}
