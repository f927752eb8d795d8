//! Tests of items: a grant is read as it was written, and a person can read it too.

use curfew_domain::event::Actor;
use curfew_domain::grant::Cause;
use proptest::prelude::*;

use super::*;
use crate::samples::{
    EXPIRES_AT, ID, LEASE_UNTIL, OPENED_AT, USER, active, any_grant, at, begin, changing, closed, closing,
    event, grant, opening, reviewed,
};

proptest! {
    #[test]
    fn a_grant_is_read_as_it_was_written(grant in any_grant()) {
        let item = state_item(&grant).unwrap();
        prop_assert_eq!(stored(&item).unwrap(), Stored::settled(grant));
    }

    #[test]
    fn only_a_closed_grant_is_in_no_index(grant in any_grant()) {
        let item = state_item(&grant).unwrap();
        let open = !matches!(grant.state(), State::Closed { .. });
        for attribute in ["due_shard", "due_order", "due_at", "live_person", "live_tenant"] {
            prop_assert_eq!(item.contains_key(attribute), open, "{}", attribute);
        }
        prop_assert_eq!(item.contains_key("lease_until"), matches!(grant.state(), State::Opening { .. }));
    }
}

#[test]
fn what_stands_beside_the_map_is_not_in_it_again() {
    let item = state_item(&grant(active())).unwrap();
    let whole = item["grant"].as_m().unwrap();
    let inner = |name: &str| whole[name].as_m().unwrap();
    for name in ["source", "ticket", "requester", "tenant", "role"] {
        assert!(!inner("request").contains_key(name), "{name}");
    }
    assert!(!inner("access").contains_key("principal") && !inner("access").contains_key("policy_name"));
    assert!(!inner("timer").contains_key("name") && !whole.contains_key("id"));
    assert!(whole.contains_key("version"), "the one beside it counts the claim as well");
}

#[test]
fn a_large_document_is_small_in_the_item() {
    let mut plain = serde_json::to_value(grant(active())).unwrap();
    let statement = r#"{"Effect":"Allow","Action":["logs:GetLogEvents"],"Resource":"arn:aws:logs:*:*:log-group:/acme/*"}"#;
    let document = format!(r#"{{"Statement":[{}]}}"#, vec![statement; 40].join(","));
    plain["access"]["document"] = document.clone().into();
    let grant: Grant = serde_json::from_value(plain).unwrap();
    let item = state_item(&grant).unwrap();
    let packed = item["grant"].as_m().unwrap()["access"].as_m().unwrap()["document"].as_b().unwrap();
    assert!(packed.as_ref().len() * 4 < document.len(), "{} of {}", packed.as_ref().len(), document.len());
    assert_eq!(stored(&item).unwrap().grant, grant);
}

#[test]
fn an_item_that_was_written_whole_is_read_as_well() {
    let grant = grant(active());
    let mut item = state_item(&grant).unwrap();
    item.insert("grant".to_owned(), serde_dynamo::to_attribute_value(&grant).unwrap());
    assert_eq!(stored(&item).unwrap(), Stored::settled(grant));
}

#[test]
fn a_document_that_can_not_be_unpacked_is_an_error_that_names_the_item() {
    let mut item = state_item(&grant(active())).unwrap();
    let AttributeValue::M(whole) = item.get_mut("grant").unwrap() else { panic!("a map") };
    let AttributeValue::M(access) = whole.get_mut("access").unwrap() else { panic!("a map") };
    access.insert("document".to_owned(), AttributeValue::B(vec![0xff, 0xfe].into()));
    let error = stored(&item).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("attribute `grant` of item `GRANT#{ID} STATE` is not readable")),
        "{error}"
    );
}

#[test]
fn a_person_can_read_a_grants_item() {
    let item = state_item(&grant(opening())).unwrap();
    let expected = [
        ("pk", "GRANT#g-aaaaaaaaaaaaaaaaaaaaaaaaa7"),
        ("sk", "STATE"),
        ("state", "opening"),
        ("person", "ana@example.com"),
        ("tenant", "acme"),
        ("role", "prod-ops"),
        ("principal", USER),
        ("ticket", "CHG0030192"),
        ("source", "itsm"),
        ("starts_at", OPENED_AT),
        ("expires_at", EXPIRES_AT),
        ("lease_until", LEASE_UNTIL),
        ("due_at", LEASE_UNTIL),
        ("due_order", "2026-11-21T01:03:03Z#g-aaaaaaaaaaaaaaaaaaaaaaaaa7"),
        ("due_shard", "due#normal#3"),
        ("live_person", "ana@example.com"),
        ("live_tenant", "acme"),
        ("access_kind", "inline"),
    ];
    for (attribute, value) in expected {
        assert_eq!(text_of(&item, attribute), Some(value), "{attribute}");
    }
    assert_eq!(number_of(&item, "version"), Some(1));
    assert_eq!(item.len(), expected.len() + 2, "and `version` and `grant`: {item:?}");
}

#[test]
fn each_state_is_named_and_due_when_the_domain_says() {
    for (state, name, due_at) in [
        (opening(), "opening", Some(LEASE_UNTIL)),
        (active(), "active", Some("2026-11-21T02:04:00Z")),
        (changing(), "active", Some(LEASE_UNTIL)),
        (closing(), "closing", Some("2026-11-21T01:32:00Z")),
        (closed(), "closed", None),
    ] {
        let item = state_item(&grant(state)).unwrap();
        assert_eq!((text_of(&item, "state"), text_of(&item, "due_at")), (Some(name), due_at));
    }
}

#[test]
fn whoever_owes_a_review_is_in_its_index_until_it_is_done() {
    let since = "2026-11-21T01:02:03Z";
    let place = |state, review: serde_json::Value| {
        let item = state_item(&reviewed(state, review)).unwrap();
        (text_of(&item, "review_owed").map(str::to_owned), text_of(&item, "review_since").map(str::to_owned))
    };
    let owed = || serde_json::json!({ "name": "owed", "since": since });
    let there = (Some("owed".to_owned()), Some(format!("{since}#{ID}")));
    for state in [opening(), active(), changing(), closing(), closed()] {
        assert_eq!(place(state.clone(), owed()), there);
        assert_eq!(place(state.clone(), serde_json::json!({ "name": "done", "at": since })), (None, None));
        assert_eq!(place(state, serde_json::Value::Null), (None, None));
    }
    let mut failed = closed();
    failed["outcome"] = serde_json::json!("failed");
    assert_eq!(place(failed, owed()), (None, None));
}

#[test]
fn only_a_closed_grants_item_has_an_outcome_and_it_is_the_grants() {
    for outcome in ["expired", "revoked", "failed"] {
        let mut state = closed();
        state["outcome"] = serde_json::json!(outcome);
        assert_eq!(text_of(&state_item(&grant(state)).unwrap(), "outcome"), Some(outcome));
    }
    for state in [opening(), active(), changing(), closing()] {
        assert!(!state_item(&grant(state)).unwrap().contains_key("outcome"));
    }
}

#[test]
fn a_lease_never_looks_shorter_than_it_is() {
    for (lease, written) in [("2026-11-21T01:03:03Z", LEASE_UNTIL), ("2026-11-21T01:03:02.001Z", LEASE_UNTIL)]
    {
        let grant = grant(serde_json::json!({ "name": "opening", "lease_until": lease }));
        assert_eq!(text_of(&state_item(&grant).unwrap(), "lease_until"), Some(written));
    }
}

#[test]
fn a_claim_is_read_as_the_transition_that_it_means() {
    let before = grant(active());
    for cause in [Cause::Revoked, Cause::Expired] {
        let claim = Claim { begin: begin(cause, Actor::Timer), at: at(EXPIRES_AT) };
        let mut item = state_item(&before).unwrap();
        item.insert("claim".to_owned(), claim_attribute(&claim).unwrap());
        assert_eq!(claim_of(&item).unwrap().as_ref(), Some(&claim));
        assert_eq!(stored(&item).unwrap(), Stored::claimed(&before, claim).unwrap());
        assert_eq!(stored(&item).unwrap().unwritten.len(), 1);
    }
}

#[test]
fn a_claim_that_cannot_be_is_an_error_that_names_the_item() {
    let mut item = state_item(&grant(closed())).unwrap();
    let claim = Claim { begin: begin(Cause::Revoked, Actor::Timer), at: at(EXPIRES_AT) };
    item.insert("claim".to_owned(), claim_attribute(&claim).unwrap());
    let error = stored(&item).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("the claim of item `GRANT#{ID} STATE` does not fit its grant: the grant is closed already")
    );
}

#[test]
fn an_edited_item_is_an_error_that_names_it() {
    let mut item = state_item(&grant(active())).unwrap();
    item.insert("grant".to_owned(), text("oops"));
    let error = stored(&item).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("attribute `grant` of item `GRANT#{ID} STATE` is not readable")),
        "{error}"
    );
    item.remove("grant");
    let error = stored(&item).unwrap_err().to_string();
    assert!(error.contains("has no readable attribute `grant`"), "{error}");
}

#[test]
fn an_event_keeps_the_bytes_that_its_digest_is_made_of() {
    let event = event(7);
    let item = event_item(&event);
    assert_eq!(text_of(&item, "sk"), Some("EVENT#000007"));
    assert_eq!(text_of(&item, "type"), Some("RevocationRequested"));
    assert_eq!(text_of(&item, "body"), Some(event.canonical().as_str()));
    assert_eq!(event_of(&item).unwrap(), event);
    assert_eq!(event_of(&item).unwrap().digest(), event.digest());
}
