//! What guardrails forbid is refused on the wire too, and stands in the ledger with what decided it.

use curfew_tests::{Approval, world};
use serde_json::{Value, json};

use super::senders;
use crate::support::{assert_bare, assert_problem};

#[tokio::test]
async fn a_denial_names_its_guardrail_and_is_on_record_with_the_digests_of_what_decided_it() {
    let senders = senders().await;
    let person = world().await.person().await;
    let approval = Approval::of(&person, "acme", "rare");
    let signed = senders.sign("standard", "", approval.body().to_string()).await;
    for _ in 0..2 {
        let reply = signed.post(&senders.url("standard")).await;
        assert_problem(&reply, 403, "forbidden-by-guardrail");
        let said = reply.json();
        assert!(said.to_string().contains("never-standing-takes-a-ticket"), "{said}");
        assert!(said["remedy"].as_str().is_some_and(|remedy| remedy.contains("change")), "{said}");
    }
    let items = senders.curfew.items(&format!("TICKET#{}", approval.ticket_id())).await;
    let [denied] = items.as_slice() else { panic!("one denial, once: {items:?}") };
    assert_eq!(denied["guardrails"], json!(["never-standing-takes-a-ticket"]), "{denied}");
    for digest in ["catalog_digest", "guardrails_digest"] {
        let text = denied[digest].as_str().unwrap_or_default();
        assert!(text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()), "{digest}: {denied}");
    }
    assert_bare(&senders.world.root(), &person.principal).await;

    // The same decided whatever is had, and says so.
    let allowed = Approval::of(&person, "acme", "reader");
    let id = senders.curfew.grant(&allowed).await;
    let record = senders.curfew.record(&id).await.expect("a grant");
    let requested = serde_json::to_value(&record.events[0].fact).expect("JSON");
    let of = |digest: &str| requested.pointer(&format!("/{digest}")).cloned().unwrap_or(Value::Null);
    assert_eq!(of("catalog_digest"), denied["catalog_digest"], "{requested}");
    assert_eq!(of("guardrails_digest"), denied["guardrails_digest"], "{requested}");
    assert_eq!(of("permitted_by"), json!(["eligible-and-approved"]), "{requested}");
}
