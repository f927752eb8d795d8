//! Guardrails: a denial names them, is on record with what decided it, and a broken set lets nothing through.

use serde_json::json;

use super::{Bench, CATALOG, approval, assert_problem};

const NOT_ON_SUNDAYS: &str = r#"
@id("everybody") permit (principal, action, resource);
@id("never-ops") @reason("`ops` is locked this week") @remedy("ask again on Monday")
forbid (principal, action, resource in Role::"ops");
"#;

#[test]
fn a_denial_names_the_guardrail_its_reason_and_its_remedy() {
    let bench = Bench::guarded_by(NOT_ON_SUNDAYS);
    let reply = bench.send(&approval("CHG-1"));
    assert_problem(&reply, 403, "forbidden-by-guardrail");
    assert_eq!(reply.body["guardrails"], json!(["never-ops"]));
    assert!(reply.body["detail"].as_str().unwrap().contains("locked this week"), "{}", reply.body);
    assert!(reply.body["remedy"].as_str().unwrap().contains("on Monday"), "{}", reply.body);
    assert_eq!(bench.written(), (0, 1), "nothing is granted, and the denial is on record");
    let denial = bench.world.look(|aws| aws.ledger.denials().next().cloned().unwrap());
    assert_eq!(denial.guardrails.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["never-ops"]);
    assert_eq!((denial.catalog_digest.len(), denial.guardrails_digest.len()), (64, 64));
    assert!(!bench.ana_has_access());
    assert_eq!(bench.told(), ["Requested", "Denied:forbidden-by-guardrail"]);
    bench.assert_promises_kept();
}

#[test]
fn a_grant_says_which_guardrails_permitted_it() {
    let bench = Bench::new();
    assert_eq!(bench.send(&approval("CHG-1")).status, 201);
    let decided = bench.world.look(|aws| {
        let row = aws.ledger.rows().next().unwrap();
        row.grant.decided().clone()
    });
    assert_eq!(decided.permitted_by.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["everybody"]);
    assert_eq!((decided.catalog_digest.len(), decided.guardrails_digest.len()), (64, 64));
}

#[test]
fn what_no_guardrail_permits_is_denied() {
    let bench =
        Bench::guarded_by(r#"@id("audit-only") permit (principal, action, resource in Role::"audit");"#);
    assert_problem(&bench.send(&approval("CHG-1")), 403, "not-permitted-by-guardrails");
    assert_eq!(bench.written(), (0, 1));
}

#[test]
fn broken_guardrails_let_nothing_through() {
    for broken in ["permit (", r#"@id("x") permit (principal, action, resource) when { context.nonsense };"#]
    {
        let bench = Bench::guarded_by(broken);
        let reply = bench.send(&approval("CHG-1"));
        assert_problem(&reply, 503, "guardrails-invalid");
        assert!(!reply.body.to_string().contains("nonsense"), "the log says what is wrong, not the reply");
        assert_eq!(bench.written(), (0, 1), "denied, on the record");
        assert!(!bench.ana_has_access());
    }
}

#[test]
fn a_source_that_sends_too_fast_is_told_when_to_send_again() {
    let bench = Bench::of(Some(CATALOG), super::EVERYBODY, Ok(()), 2);
    let replies: Vec<u16> =
        ["CHG-1", "CHG-2", "CHG-3"].map(|ticket| bench.send(&approval(ticket)).status).to_vec();
    assert_eq!(replies, [201, 201, 429]);
    let refused = bench.send(&approval("CHG-3"));
    assert_problem(&refused, 429, "too-fast");
    let wait: i64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(bench.written(), (2, 0), "what is put off is not denied");
    let closed = json!({ "type": "ticket.closed", "ticket": "CHG-1" });
    assert_eq!(bench.send(&closed).status, 200, "what ends access is not put off");
    bench.world.advance(jiff::SignedDuration::from_secs(wait));
    assert_eq!(bench.send(&approval("CHG-3")).status, 201);
    bench.assert_promises_kept();
}
