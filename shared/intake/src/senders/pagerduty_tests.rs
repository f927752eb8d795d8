//! PagerDuty: signatures, on-call access, and the incident as its leash.

use jiff::SignedDuration;

use super::super::payload::tests::{
    CURRENT, Few, PREVIOUS, at, closed, hmac_hex, maimed, payload, payloads, problems, request, sender,
    senders, verified, verified_with, why,
};
use super::*;
use crate::Nobody;
use curfew_domain::request::WindowEnd;

const HEADER: &str = "x-pagerduty-signature";

const CONFIG: &str = r#"
[source.it]
kind = "pagerduty"

[source.it.services.PSVC4ON]
tenant = "example"
role = "prod-ops"
duration = "2h"
"#;

const PEOPLE: Few = Few(&[("PANA7QX", "ana@example.com"), ("PBO31KL", "bo@example.com")]);

fn read_as(config: &str, body: &str) -> Result<Reading, Malformed> {
    let signature = format!("v1={}", hmac_hex(CURRENT, body.as_bytes()));
    let delivery = verified(config, HEADER, &[&signature], body).unwrap();
    sender(config).read(&delivery, &PEOPLE)
}

fn read(name: &str) -> Result<Reading, Malformed> {
    read_as(CONFIG, &payload(name))
}

#[test]
fn whoever_acknowledges_an_incident_of_theirs_gets_access() {
    let request = request(read("pagerduty-acknowledged"));
    assert_eq!(request.source.as_str(), "it");
    assert_eq!(request.ticket.as_str(), "Q1ORDERS5XX");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("example", "prod-ops"));
    assert_eq!(request.basis, Basis::OnCall { since: at("2026-11-21T08:55:30Z") });
    assert_eq!(request.approvals, []);
    assert_eq!(request.window.starts_at, None);
    assert_eq!(request.window.end, Some(WindowEnd::After(SignedDuration::from_hours(2))));
    let facts = &request.ticket_facts;
    assert_eq!((&*facts.sender, &*facts.kind, &*facts.state), ("pagerduty", "incident", "open"));
    assert_eq!(
        request.justification,
        "Orders answer with 5xx (incident #4711, https://acme.pagerduty.com/incidents/Q1ORDERS5XX)"
    );
}

#[test]
fn the_same_event_is_the_same_request_and_acknowledging_again_is_a_later_one() {
    let first = request(read("pagerduty-acknowledged"));
    assert_eq!(first.digest(), request(read("pagerduty-acknowledged")).digest());
    let again = request(read("pagerduty-acknowledged-again"));
    assert_eq!(again.ticket, first.ticket);
    assert!(again.basis.since() > first.basis.since());
    assert_ne!(again.digest(), first.digest());
}

#[test]
fn only_a_person_who_has_the_incident_gets_access_by_acknowledging_it() {
    assert_eq!(request(read("pagerduty-acknowledged-two-assignees")).requester.as_str(), "ana@example.com");
    for (name, told) in [
        (
            "pagerduty-acknowledged-by-somebody-else",
            "`PBO31KL` acknowledged the incident, and it is not assigned",
        ),
        ("pagerduty-acknowledged-by-integration", "not a person"),
        ("pagerduty-acknowledged-by-nobody", "not a person"),
        ("pagerduty-acknowledged-meanwhile-resolved", "its status is `resolved`"),
        ("pagerduty-acknowledged-other-service", "incidents of service `PSVC9ZZ`"),
    ] {
        let why = why(read(name));
        assert!(why.contains(told), "{name}: {why}");
    }
}

#[test]
fn an_incident_that_is_given_to_one_person_gives_them_access() {
    for (name, requester) in [
        ("pagerduty-triggered", "ana@example.com"),
        ("pagerduty-reassigned", "bo@example.com"),
        ("pagerduty-delegated", "bo@example.com"),
        ("pagerduty-escalated", "bo@example.com"),
    ] {
        let request = request(read(name));
        assert_eq!(request.requester.as_str(), requester, "{name}");
        assert_eq!(request.basis.name(), "on-call", "{name}");
    }
    assert!(why(read("pagerduty-triggered-two-assignees")).contains("whoever acknowledges it"));
    assert!(why(read("pagerduty-triggered-nobody")).contains("assigned to nobody"));
}

#[test]
fn a_resolved_incident_ends_its_access_whatever_is_configured_by_now() {
    let ended = closed(read("pagerduty-resolved"));
    assert_eq!(ended.ticket.as_str(), "Q1ORDERS5XX");
    assert_eq!(ended.closed_by.unwrap().as_str(), "ana@example.com");
    assert_eq!(ended.reason.as_deref(), Some("the incident was resolved"));
    assert_eq!(closed(read("pagerduty-resolved-by-integration")).closed_by, None);
    assert_eq!(closed(read("pagerduty-resolved-other-service")).ticket.as_str(), "Q1ORDERS5XX");
    let body = payload("pagerduty-resolved");
    let signature = format!("v1={}", hmac_hex(CURRENT, body.as_bytes()));
    let delivery = verified(CONFIG, HEADER, &[&signature], &body).unwrap();
    assert_eq!(closed(sender(CONFIG).read(&delivery, &Nobody)).ticket.as_str(), "Q1ORDERS5XX");
}

/// A webhook of one service alone does not hear that the incident is resolved elsewhere.
#[test]
fn an_incident_that_is_moved_to_other_access_ends_its_access() {
    let body = payload("pagerduty-incident-service-updated");
    let same = format!("{CONFIG}\n[source.it.services.PSVC9ZZ]\ntenant = \"example\"\nrole = \"prod-ops\"\n");
    let other = same.replace(
        "[source.it.services.PSVC4ON]\ntenant = \"example\"",
        "[source.it.services.PSVC4ON]\ntenant = \"x\"",
    );
    let default = |role| format!("[source.it.default]\ntenant = \"example\"\nrole = \"{role}\"\n");
    for config in [
        CONFIG.to_owned(),
        other,
        format!("{same}{}", default("prod-readonly")),
        // A default is no sign that the new service is heard.
        format!("{CONFIG}{}", default("prod-ops")),
    ] {
        let ended = closed(read_as(&config, &body));
        assert_eq!(ended.ticket.as_str(), "Q1ORDERS5XX", "{config}");
        assert_eq!(ended.closed_by.unwrap().as_str(), "ana@example.com");
        assert_eq!(ended.reason.as_deref(), Some("the incident was moved to another service"));
    }
    for config in [same.clone(), format!("{same}{}", default("prod-ops"))] {
        let why = why(read_as(&config, &body));
        assert!(why.contains("`PSVC9ZZ`, which stands for the same access"), "{why}");
    }
    let nowhere = body.replace("PSVC9ZZ", "");
    assert_eq!(closed(read_as(&same, &nowhere)).ticket.as_str(), "Q1ORDERS5XX");
}

#[test]
fn other_events_say_nothing() {
    for name in [
        "pagerduty-reopened",
        "pagerduty-unacknowledged",
        "pagerduty-priority-updated",
        "pagerduty-annotated",
        "pagerduty-responder-added",
        "pagerduty-ping",
        "pagerduty-service-updated",
        "pagerduty-unknown-event",
    ] {
        let why = why(read(name));
        assert!(why.contains("neither gives nor takes access"), "{name}: {why}");
    }
}

#[test]
fn what_is_not_as_documented_is_told_with_its_place() {
    let told = problems(read("pagerduty-version-2"));
    assert_eq!(told, "/event/event_type: is missing, and should be a text");
    let told = problems(read("pagerduty-acknowledged-null-fields"));
    assert_eq!(told, "/event/data/service/id: is missing, and should be a text");
    let told = problems(read("pagerduty-acknowledged-assignees-object"));
    assert!(told.starts_with("/event/data/assignees: is `{"), "{told}");
    let told = problems(read("pagerduty-acknowledged-assignee-without-id"));
    assert!(told.starts_with("/event/data/assignees/0: is `{"), "{told}");
    let told = problems(read("pagerduty-repeated-agent"));
    assert!(told.contains("not valid JSON") && told.contains("`agent`"), "{told}");
    let told = problems(read_as(CONFIG, "[]"));
    assert_eq!(told, "is not a JSON object");
    let body = payload("pagerduty-acknowledged").replace("2026-11-21T08:55:30.169Z", "yesterday");
    let told = problems(read_as(CONFIG, &body));
    assert!(told.starts_with("/event/occurred_at: `yesterday` is not a time"), "{told}");
    let body = payload("pagerduty-acknowledged").replace("\"id\": \"Q1ORDERS5XX\"", "\"id\": \"Q1#\"");
    let told = problems(read_as(CONFIG, &body));
    assert!(told.starts_with("/event/data/id: ticket `Q1#` is not valid"), "{told}");
}

#[test]
fn a_title_becomes_a_justification_whatever_it_is() {
    let ugly = request(read("pagerduty-acknowledged-ugly-title")).justification;
    assert!(ugly.starts_with("elur Bestellungen <script>alert(1)</script> 注文 🔥 xxx"), "{ugly}");
    assert!(ugly.ends_with("… (incident #4711, https://acme.pagerduty.com/incidents/Q1ORDERS5XX)"), "{ugly}");
    let blank = request(read("pagerduty-acknowledged-no-title")).justification;
    assert_eq!(blank, "(no title) (https://acme.pagerduty.com/incidents/Q1ORDERS5XX)");
}

#[test]
fn an_account_of_nobody_is_a_person_of_nobody() {
    let body = payload("pagerduty-acknowledged").replace("PANA7QX", "PMALLRY");
    let request = request(read_as(CONFIG, &body));
    assert!(request.requester.is_unknown_account());
    assert_eq!(request.requester.as_str(), "it.pmallry@unknown-account.invalid");
}

#[test]
fn a_default_is_for_every_other_service() {
    let config = format!("{CONFIG}\n[source.it.default]\ntenant = \"example\"\nrole = \"prod-readonly\"\n");
    let other = request(read_as(&config, &payload("pagerduty-acknowledged-other-service")));
    assert_eq!((other.role.as_str(), other.window.end), ("prod-readonly", None));
    assert_eq!(request(read_as(&config, &payload("pagerduty-acknowledged"))).role.as_str(), "prod-ops");
}

#[test]
fn a_configuration_that_can_not_be_meant_is_refused() {
    for (config, told) in [
        ("", "no service has any access"),
        (
            "[source.it.services.orders]\ntenant = \"a\"\nrole = \"b\"",
            "service `orders` is not PagerDuty's id",
        ),
        ("[source.it.services.PA]\ntenant = \"a\"", "missing field `role`"),
        ("[source.it.services.PA]\ntenant = \"A b\"\nrole = \"b\"", "tenant `A b` is not valid"),
        (
            "[source.it.services.PA]\ntenant = \"a\"\nrole = \"b\"\nduration = \"2\"",
            "`2` is not a length of time",
        ),
        (
            "[source.it.services.PA]\ntenant = \"a\"\nrole = \"b\"\nurgency = \"high\"",
            "unknown field `urgency`",
        ),
        ("service = 1", "unknown field `service`"),
    ] {
        let error = senders(&format!("[source.it]\nkind = \"pagerduty\"\n{config}\n")).unwrap_err();
        assert!(error.contains(told) && error.contains("source `it`"), "{config}: {error}");
    }
}

#[test]
fn one_right_signature_of_either_secret_is_enough_and_nothing_else_is() {
    let body = payload("pagerduty-acknowledged");
    let (current, previous) = (hmac_hex(CURRENT, body.as_bytes()), hmac_hex(PREVIOUS, body.as_bytes()));
    let wrong = hmac_hex("another secret that is long enough", body.as_bytes());
    for good in [
        format!("v1={current}"),
        format!("v1={previous}"),
        format!("v1={wrong},v1={current}"),
        format!("v1={current}, v1={wrong}"),
        format!("v2={wrong},v1={current}"),
    ] {
        let delivery = verified(CONFIG, HEADER, &[&good], &body).unwrap();
        assert_eq!(delivery.sent_at(), None);
    }
    for (bad, reason) in [
        (format!("v1={wrong}"), "signature-mismatch"),
        (current.clone(), "header-invalid"),
        (format!("v0={current}"), "header-invalid"),
        (format!("sha256={current}"), "header-invalid"),
        (format!("v1={}", &current[..62]), "header-invalid"),
        (format!("v1={current},v1=zz"), "header-invalid"),
        (String::new(), "header-invalid"),
    ] {
        assert_eq!(verified(CONFIG, HEADER, &[&bad], &body).unwrap_err().reason(), reason, "{bad}");
    }
    let good = format!("v1={current}");
    assert_eq!(verified(CONFIG, HEADER, &[], &body).unwrap_err().reason(), "header-missing");
    assert_eq!(verified(CONFIG, HEADER, &[&good, &good], &body).unwrap_err().reason(), "header-repeated");
    let other = body.replace("PANA7QX", "PBO31KL");
    assert_eq!(verified(CONFIG, HEADER, &[&good], &other).unwrap_err().reason(), "signature-mismatch");
}

#[test]
fn signatures_are_those_of_pagerdutys_own_library() {
    // The secret, body and signature that PagerDuty's library is tested with:
    // https://github.com/PagerDuty/go-pagerduty/blob/main/webhookv3/webhookv3_test.go
    let secrets = r#"{"it":{"current":"lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"}}"#;
    let signature = "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd";
    let body = payload("pagerduty-published-vector");
    verified_with(secrets, CONFIG, HEADER, &[signature], &body).unwrap();
    verified_with(secrets, CONFIG, HEADER, &[signature], &format!("{body}\n")).unwrap_err();
}

#[test]
fn no_payload_makes_a_panic_and_a_request_is_always_complete() {
    for (name, text) in payloads("pagerduty") {
        let _ = read_as(CONFIG, &text);
        if name == "pagerduty-acknowledged" || name == "pagerduty-resolved" {
            for body in maimed(&text) {
                if let Ok(Reading::Notice(curfew_domain::request::Notice::Approved(request))) =
                    read_as(CONFIG, &body)
                {
                    assert!(!request.justification.trim().is_empty());
                    assert_eq!(request.ticket.as_str(), "Q1ORDERS5XX");
                }
            }
        }
    }
}
