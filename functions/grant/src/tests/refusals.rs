//! Webhooks that are refused: who may cost the ledger an entry, and what each is told.

use curfew_testkit::fixtures::CATALOG;
use curfew_testkit::{CallName, Delivery, Fault};
use http::HeaderValue;
use jiff::SignedDuration;
use serde_json::json;

use super::{Bench, approval, assert_problem, with};
use crate::SecretsUnavailable;

#[test]
fn a_request_against_the_rules_is_denied_on_the_record() {
    for (body, status, code) in [
        (
            with(
                approval("CHG-1"),
                "approvals",
                json!([{ "approver": "ana@example.com", "at": "2026-11-21T10:00:00Z" }]),
            ),
            403,
            "self-approval",
        ),
        (with(approval("CHG-1"), "requester", json!("eve@example.com")), 403, "unknown-person"),
        (with(approval("CHG-1"), "tenant", json!("initech")), 422, "unknown-tenant"),
        (with(approval("CHG-1"), "role", json!("root")), 422, "unknown-role"),
        (with(approval("CHG-1"), "window", json!({ "duration": "5h" })), 422, "window-too-long"),
    ] {
        let bench = Bench::new();
        let reply = bench.send(&body);
        assert_problem(&reply, status, code);
        assert!(reply.body["remedy"].is_string(), "{}", reply.body);
        assert_eq!(bench.written(), (0, 1), "{code}");
        assert_eq!(bench.told(), ["Requested".to_owned(), format!("Denied:{code}")]);

        // Sent again and again, it stays one entry.
        bench.send(&body);
        assert_eq!(bench.written(), (0, 1), "{code}");
    }
}

#[test]
fn an_unverified_caller_writes_nothing_and_learns_nothing() {
    let bench = Bench::new();
    let good = || bench.signed(&approval("CHG-1").to_string());

    let mut forged = good();
    forged.headers.insert(
        "webhook-signature",
        HeaderValue::from_static("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    );
    let mut other_source = good();
    other_source.raw_path = Some("/webhooks/nobody".to_owned());
    let (forged, other_source) = (bench.post(&forged), bench.post(&other_source));
    assert_problem(&forged, 401, "unverified");
    assert_eq!(forged.body, other_source.body, "an unknown source reads like a wrong signature");

    let mut changed = good();
    changed.body = Some(approval("CHG-2").to_string());
    assert_problem(&bench.post(&changed), 401, "unverified");
    let mut unsigned = good();
    unsigned.headers.remove("webhook-signature");
    assert_problem(&bench.post(&unsigned), 401, "unverified");
    let old = good();
    bench.world.advance(SignedDuration::from_secs(301));
    assert_problem(&bench.post(&old), 401, "unverified");

    assert_eq!(bench.calls(), [], "nothing was read or written");
    assert_eq!(
        bench.told(),
        [
            "Unverified:signature-mismatch",
            "SignatureFailures:itsm",
            // What a stranger calls himself makes no metric.
            "Unverified:unknown-source",
            "Unverified:signature-mismatch",
            "SignatureFailures:itsm",
            "Unverified:header-missing",
            "SignatureFailures:itsm",
            "Unverified:too-old",
            "SignatureFailures:itsm",
        ]
    );
}

#[test]
fn a_body_that_is_not_as_documented_is_answered_with_every_problem() {
    let bench = Bench::new();
    let body = with(with(approval("CHG 1"), "colour", json!("red")), "requester", json!(7));
    let reply = bench.send(&body);
    assert_problem(&reply, 400, "malformed");
    let pointers: Vec<_> = reply.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    for pointer in ["/ticket", "/colour", "/requester"] {
        assert!(pointers.contains(&pointer), "{pointer} is not in {pointers:?}");
    }
    assert_eq!(bench.calls(), []);
    assert_eq!(bench.told(), ["Denied:malformed"]);

    let truncated = bench.signed(r#"{"type":"access.approved","ticket":"#);
    assert_problem(&bench.post(&truncated), 400, "malformed");
}

#[test]
fn nothing_is_granted_without_a_catalog_that_checks() {
    for broken in
        [Some(CATALOG.replace("max_duration", "maximum_duration")), Some("[tenant".to_owned()), None]
    {
        let bench = Bench::with(broken.as_deref(), Ok(()));
        let reply = bench.send(&approval("CHG-1"));
        assert_problem(&reply, 503, "catalog-invalid");
        assert!(reply.headers.contains_key("retry-after"));
        assert!(
            !reply.body.to_string().contains("maximum_duration"),
            "what is in the catalog stays in the log"
        );
        assert_eq!(bench.written(), (0, 1));
        assert_eq!(bench.told(), ["Requested", "Denied:catalog-invalid"]);
    }
}

#[test]
fn nobody_is_let_in_without_secrets() {
    for (error, code) in [
        (SecretsUnavailable::NotFetched("throttled".to_owned()), "try-again"),
        (SecretsUnavailable::NotUsable("source number 1".to_owned()), "secrets-invalid"),
    ] {
        let bench = Bench::with(Some(CATALOG), Err(error));
        let reply = bench.send(&approval("CHG-1"));
        assert_problem(&reply, 503, code);
        assert!(!reply.body.to_string().contains("source number 1"));
        assert_eq!(bench.calls(), []);
    }
}

#[test]
fn a_ledger_that_is_out_of_order_needs_an_operator() {
    let bench = Bench::new();
    bench.world.plan(Fault::once(CallName::Open, Delivery::Forbidden));
    assert_problem(&bench.send(&approval("CHG-1")), 503, "ledger-failed");
    assert!(!bench.ana_has_access());
}
