//! ServiceNow: what its scripts were recorded to send (`infra/senders/servicenow/check.js`), and what they never should.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curfew_domain::request::{TicketClosed, WindowEnd};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use jiff::SignedDuration;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::body::Body;
use crate::senders::{Nobody, Sender, SenderFile, Senders};
use crate::{HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Secrets};

#[derive(Deserialize)]
struct Recorded {
    secret: String,
    deliveries: BTreeMap<String, BTreeMap<String, String>>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn recorded() -> Recorded {
    let file = repository().join("infra/senders/servicenow/recorded.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn payload(name: &str) -> String {
    let file = repository().join(format!("tests/payloads/servicenow-{name}.json"));
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn senders(more: &str) -> Result<Senders, String> {
    let text = format!("[source.snow]\nkind = \"servicenow\"\n{more}");
    Senders::parse(&[SenderFile { name: "senders.toml".to_owned(), text }])
        .map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The Standard Webhooks signature, without the code that is tested.
fn signature(secret: &str, id: &str, seconds: &str, body: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn verified(sender: &Sender, senders: &Senders, body: &str) -> VerifiedDelivery {
    let secret = recorded().secret;
    let secrets = Secrets::parse(&format!(r#"{{"snow":{{"current":"{secret}"}}}}"#), senders).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_ID, "sn_1".parse().unwrap());
    headers.insert(HEADER_TIMESTAMP, "1795251600".parse().unwrap());
    headers.insert(HEADER_SIGNATURE, signature(&secret, "sn_1", "1795251600", body).parse().unwrap());
    let body = Body::decode(body, false).unwrap();
    sender.verify("snow", &headers, body, &secrets, "2026-11-21T09:00:00Z".parse().unwrap()).unwrap()
}

fn read_by(config: &str, body: &str) -> Result<Reading, Malformed> {
    let senders = senders(config).unwrap();
    let sender = senders.of("snow");
    sender.read(&verified(sender, &senders, body), &Nobody)
}

fn read(body: &str) -> Result<Reading, Malformed> {
    read_by("", body)
}

fn request_of(reading: Result<Reading, Malformed>, name: &str) -> AccessRequest {
    match reading {
        Ok(Reading::Notice(Notice::Approved(request))) => *request,
        other => panic!("{name}: {other:?}"),
    }
}

fn approved(name: &str) -> AccessRequest {
    request_of(read(&payload(name)), name)
}

fn closed(name: &str) -> TicketClosed {
    match read(&payload(name)) {
        Ok(Reading::Notice(Notice::TicketClosed(closed))) => closed,
        other => panic!("{name}: {other:?}"),
    }
}

fn nothing_of(name: &str) -> String {
    match read(&payload(name)) {
        Ok(Reading::Nothing { why }) => why,
        other => panic!("{name}: {other:?}"),
    }
}

fn told(name: &str) -> String {
    read(&payload(name)).map(|reading| panic!("{name} was read: {reading:?}")).unwrap_err().to_string()
}

fn time_of(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn approvers(request: &AccessRequest) -> Vec<String> {
    let mut found: Vec<String> =
        request.approvals.iter().map(|approval| format!("{} {}", approval.approver, approval.at)).collect();
    found.sort();
    found
}

#[test]
fn what_the_scripts_sign_is_believed() {
    let recorded = recorded();
    let senders = senders("").unwrap();
    let sender = senders.of("snow");
    let secrets =
        Secrets::parse(&format!(r#"{{"snow":{{"current":"{}"}}}}"#, recorded.secret), &senders).unwrap();
    assert!(recorded.deliveries.len() > 15);
    for (name, headers) in &recorded.deliveries {
        let text = payload(&format!("script-{name}"));
        let body = text.strip_suffix('\n').unwrap();
        let (id, seconds) = (&headers[HEADER_ID], &headers[HEADER_TIMESTAMP]);
        assert_eq!(headers[HEADER_SIGNATURE], signature(&recorded.secret, id, seconds, body), "{name}");

        let mut map = HeaderMap::new();
        for name in [HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE] {
            map.insert(name, headers[name].parse().unwrap());
        }
        let sent_at = Timestamp::from_second(seconds.parse().unwrap()).unwrap();
        let check =
            |body: &str, now| sender.verify("snow", &map, Body::decode(body, false).unwrap(), &secrets, now);
        let delivery = check(body, sent_at).unwrap();
        assert_eq!((delivery.id().as_str(), delivery.sent_at()), (id.as_str(), Some(sent_at)), "{name}");
        assert!(check(&text, sent_at).is_err(), "{name}: with a line break that was not signed");
        assert!(check(body, sent_at + SignedDuration::from_secs(301)).is_err(), "{name}: too late");
    }
}

#[test]
fn an_approved_item_is_a_request() {
    let request = approved("script-request-approved");
    assert_eq!(request.source.as_str(), "snow");
    assert_eq!(request.ticket.as_str(), "RITM0010042");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("acme-prod", "prod-readonly"));
    assert_eq!(request.principal, None);
    assert_eq!(request.window.starts_at, None);
    assert_eq!(request.window.end, Some(WindowEnd::After(SignedDuration::from_mins(90))));
    assert_eq!(approvers(&request), ["bo@example.com 2026-11-21T08:55:00Z"]);
    assert_eq!(request.basis, Basis::Approvals);
    let TicketFacts { sender, kind, state } = &request.ticket_facts;
    assert_eq!(
        (sender.as_str(), kind.as_str(), state.as_str()),
        ("servicenow", "request", "work-in-progress")
    );
    assert!(request.justification.contains("${customers} (支払い)"), "{}", request.justification);

    // Later deliveries of the same approval are the same request.
    assert_eq!(approved("script-request-for-an-older-release").digest(), request.digest());
    assert_eq!(
        approvers(&approved("script-request-two-approvals")),
        ["bo@example.com 2026-11-21T08:55:00Z", "cy@example.com 2026-11-21T08:56:00Z"]
    );
}

#[test]
fn a_change_has_its_planned_window() {
    let request = approved("script-change-approved");
    assert_eq!(request.ticket.as_str(), "CHG0030192");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("acme-prod", "prod-operator"));
    assert_eq!(request.window.starts_at, Some(time_of("2026-11-21T09:00:00Z")));
    assert_eq!(request.window.end, Some(WindowEnd::At(time_of("2026-11-21T11:00:00Z"))));
    assert_eq!(request.ticket_facts.kind, "change");
    assert_eq!(request.ticket_facts.state, "scheduled");
    assert_eq!(request.justification, "It was in a log.");

    let implementing = approved("script-change-implementing");
    assert_eq!(implementing.ticket_facts.state, "implement");
    assert_eq!(implementing.digest(), request.digest());
    assert_eq!(approved("state-as-number").ticket_facts.state, "implement");
    assert_eq!(approved("custom-state").ticket_facts.state, "other");
    assert_eq!(approved("change-without-plan").window, Default::default());
}

#[test]
fn an_end_moves_within_what_was_approved() {
    let shortened = approved("script-change-shortened");
    assert_eq!(shortened.window.end, Some(WindowEnd::At(time_of("2026-11-21T10:00:00Z"))));
    assert_eq!(approvers(&shortened), ["bo@example.com 2026-11-21T08:55:00Z"]);

    let told = told("script-change-extended");
    assert!(
        told.contains("/approvals/0: does not count: the planned end is `2026-11-21T12:00:00Z` now, and was `2026-11-21T11:00:00Z`"),
        "{told}"
    );
    let again = approved("script-change-extended-and-approved-again");
    assert_eq!(again.window.end, Some(WindowEnd::At(time_of("2026-11-21T12:00:00Z"))));
    assert_eq!(approvers(&again), ["bo@example.com 2026-11-21T09:27:00Z"]);

    for (name, moved) in [
        ("change-planned-after-approval", "the planned start is `2026-11-21T09:00:00Z` now, and was none"),
        ("change-begun-earlier", "the planned start is `2026-11-21T07:00:00Z` now"),
        ("change-plan-removed", "the planned start is none now"),
        ("change-odd-plan", "the field `end` of source `snow`: `21.11.2026 12:00` is not a time"),
    ] {
        let told = self::told(name);
        assert!(told.contains(moved), "{name}: {told}");
    }
}

#[test]
fn an_approval_is_for_what_was_asked_when_it_was_given() {
    for (name, changed) in [
        ("script-request-edited-after-approval", "`curfew_role` changed after it was given"),
        ("script-request-with-other-words-after-approval", "`justification` changed after it was given"),
        ("unstamped-approval", "before Curfew's rules were there, or past them"),
        ("script-request-moved-approval", "it was given for another ticket"),
        ("script-change-approved-again-when-emptied", "before Curfew's rules were there, or past them"),
    ] {
        let told = told(name);
        assert!(told.contains("/approvals/0: does not count: ") && told.contains(changed), "{name}: {told}");
        assert!(told.contains("ask for approval of the ticket as it is now"), "{name}: {told}");
    }
    assert_eq!(approvers(&approved("one-unstamped-approval")), ["bo@example.com 2026-11-21T08:55:00Z"]);
    // The rule took back what was not the rule's.
    assert_eq!(
        approved("script-request-forged-stamp").digest(),
        approved("script-request-approved").digest()
    );
}

#[test]
fn whoever_decided_is_the_approver_and_not_whom_it_was_asked_of() {
    let delegate = approved("script-request-approved-for-somebody");
    assert_eq!(approvers(&delegate), ["cy@example.com 2026-11-21T08:55:00Z"]);
    // Ana at bo's desk is ana.
    let impersonator = approved("script-request-approved-by-impersonation");
    assert_eq!(approvers(&impersonator), ["ana@example.com 2026-11-21T08:55:00Z"]);
}

#[test]
fn a_ticket_that_ended_is_closed() {
    for (name, ticket, by, reason) in [
        ("script-request-closed", "RITM0010042", "bo@example.com", "closed: Fixed by a rollback."),
        ("script-request-emptied-and-closed", "RITM0010042", "ana@example.com", "closed"),
        (
            "script-request-rejected",
            "RITM0010042",
            "snow.integration.user@unknown-account.invalid",
            "rejected",
        ),
        ("script-change-canceled", "CHG0030192", "cy@example.com", "canceled"),
        ("custom-closed-state", "CHG0030192", "bo@example.com", "closed"),
    ] {
        let closed = closed(name);
        assert_eq!(closed.ticket.as_str(), ticket, "{name}");
        assert_eq!(closed.closed_by.unwrap().as_str(), by, "{name}");
        assert_eq!(closed.reason.as_deref(), Some(reason), "{name}");
    }
    for (name, ticket, by, reason) in [
        ("script-request-deleted", "RITM0010042", "ana@example.com", "deleted"),
        ("script-request-approval-deleted", "RITM0010042", "ana@example.com", "an approval was deleted"),
        ("script-change-reverted", "CHG0030192", "ana@example.com", "no longer approved"),
        ("script-change-reverted-emptied-and-canceled", "CHG0030192", "ana@example.com", "canceled"),
        ("script-change-approvals-reset", "CHG0030192", "ana@example.com", "an approval was taken back"),
        (
            "script-request-approval-rejected-afterwards",
            "RITM0010042",
            "bo@example.com",
            "an approval was taken back",
        ),
        ("script-request-with-half-a-character", "RITM0010042", "bo@example.com", "closed: cut \u{fffd}"),
    ] {
        let closed = closed(name);
        assert_eq!(closed.ticket.as_str(), ticket, "{name}");
        assert_eq!(closed.reason.as_deref(), Some(reason), "{name}");
        if name != "script-change-approvals-reset" {
            assert_eq!(closed.closed_by.unwrap().as_str(), by, "{name}");
        }
    }
    let notes = closed("closed-html-notes");
    assert_eq!(notes.closed_by, None);
    let reason = notes.reason.unwrap();
    assert!(reason.starts_with("closed: <p>done</p> xxx") && reason.chars().count() <= 1000, "{reason}");
}

/// Whatever else is wrong with it: an end that is refused is an access that stays.
#[test]
fn a_closing_needs_its_ticket_and_nothing_else() {
    let bare = |more: Value| {
        let mut ticket = serde_json::json!({"table": "sc_req_item", "number": "RITM0010042"});
        ticket.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(&serde_json::json!({"type": "servicenow.ticket", "ticket": ticket}).to_string())
    };
    for (more, wanted) in [
        (serde_json::json!({"state": "3"}), "closed"),
        (serde_json::json!({"state": 4, "active": "false"}), "closed"),
        (serde_json::json!({"approval": "rejected", "active": []}), "rejected"),
        (serde_json::json!({"approval": "cancelled", "active": null}), "canceled"),
        (serde_json::json!({"active": false, "state": {}}), "closed"),
        (serde_json::json!({"ended": "deleted", "active": 1}), "deleted"),
        (serde_json::json!({"ended": "unapproved"}), "no longer approved"),
        // From newer scripts than this: an end all the same.
        (serde_json::json!({"ended": "archived"}), "ended"),
        (serde_json::json!({"ended": true}), "ended"),
    ] {
        match bare(more.clone()) {
            Ok(Reading::Notice(Notice::TicketClosed(closed))) => {
                assert_eq!(closed.reason.as_deref(), Some(wanted), "{more}");
            }
            other => panic!("{more}: {other:?}"),
        }
    }
    assert!(bare(serde_json::json!({"state": "1"})).is_err());
}

/// Approvers of several are still to come, or are asked again: nobody who approved has taken it back for good.
#[test]
fn a_ticket_that_waits_for_approvals_has_not_ended() {
    assert_eq!(nothing_of("script-request-half-approved"), "the approval of RITM0010042 is `requested`");
    let mut body: Value = serde_json::from_str(&payload("script-request-two-approvals")).unwrap();
    body["approvals"][0]["state"] = "requested".into();
    body["approvals"][0]["taken_back"] = true.into();
    let request = request_of(read(&body.to_string()), "asked again");
    assert_eq!(request.approvals.len(), 1);
    for state in ["rejected", "cancelled"] {
        body["approvals"][0]["state"] = state.into();
        assert!(matches!(read(&body.to_string()), Ok(Reading::Notice(Notice::TicketClosed(_)))), "{state}");
        body["approvals"][0]["taken_back"] = false.into();
        assert!(matches!(read(&body.to_string()), Ok(Reading::Notice(Notice::Approved(_)))), "{state}");
        body["approvals"][0]["taken_back"] = true.into();
    }
}

/// With a planned end the window only gets shorter by a later start; with a length alone, it moves.
#[test]
fn a_later_start_without_a_planned_end_needs_another_approval() {
    let mut body: Value = serde_json::from_str(&payload("script-change-approved")).unwrap();
    for place in ["/asked", "/approvals/0/asked"] {
        body.pointer_mut(place).unwrap()["variables"]["curfew_duration"] = "2h".into();
    }
    body["planned"]["start"] = "2026-11-21T10:00:00Z".into();
    assert_eq!(request_of(read(&body.to_string()), "with an end").approvals.len(), 1);
    for place in ["/planned", "/approvals/0/planned"] {
        body.pointer_mut(place).unwrap()["end"] = Value::Null;
    }
    let told = read(&body.to_string()).unwrap_err().to_string();
    assert!(told.contains("the planned start is `2026-11-21T10:00:00Z` now"), "{told}");
    body["planned"]["start"] = "2026-11-21T09:00:00Z".into();
    assert_eq!(request_of(read(&body.to_string()), "as it was").approvals.len(), 1);
}

#[test]
fn what_is_not_about_access_is_nothing() {
    assert_eq!(nothing_of("script-request-not-yet-approved"), "the approval of RITM0010042 is `requested`");
    assert!(nothing_of("unknown-type").contains("`servicenow.test`"));
    assert!(nothing_of("other-table").contains("`incident`"));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    for (name, wanted) in [
        (
            "missing-variables",
            "the field `tenant` of source `snow` is mapped to `/asked/variables/curfew_tenant`, where there is nothing (`/asked/variables` holds `curfew_",
        ),
        (
            "null-variables",
            "the field `role` of source `snow` is mapped to `/asked/variables/curfew_role`, where there is nothing",
        ),
        ("array-for-object", "the field `tenant` of source `snow`"),
        ("array-for-value", "/asked/variables/curfew_role: the field `role` of source `snow`"),
        ("display-values", "the field `role` of source `snow`: role `production read-only` is not valid"),
        ("renamed-variables", "(`/asked/variables` holds `u_customer`, `u_for`, `u_profile`)"),
        (
            "no-requester",
            "/asked/requester: is missing, and should be somebody with an `email` or a `user_name`",
        ),
        ("approval-without-time", "/approvals/0/decided_at: is `null`, and should be a text"),
        ("approval-by-nobody", "/approvals/0/decided_by: is "),
        (
            "local-decision-time",
            "/approvals/0/decided_at: `2026-11-21 08:55:00` is not a time with an offset",
        ),
        ("bidi-justification", "the field `justification` of source `snow`: `approved by \\u{202e}ob`"),
        (
            "empty-justification",
            "the field `justification` of source `snow` is mapped to `/justification`, where there is an empty text",
        ),
        ("long-justification", "is not 1 to 1000 characters of plain text"),
        ("active-as-text", "/ticket/active: is `\\\"false\\\"`, and should be `true` or `false`"),
        ("no-number", "/ticket/number: is empty, and should be a text"),
        ("odd-number", "/ticket/number: ticket `RITM 42\\nlevel=info` is not valid"),
        ("no-type", "/type: is missing, and should be `servicenow.ticket`"),
        ("array", "is not a JSON object"),
        ("repeated-key", "the field `approval` appears twice"),
        ("truncated", "not valid JSON: EOF"),
        ("deep", "nested deeper than 64 levels"),
    ] {
        let told = told(name);
        assert!(told.contains(wanted), "{name}: {told}");
        assert!(told.chars().all(|c| !c.is_control()), "{name}: {told:?}");
    }
}

#[test]
fn what_is_odd_but_clear_is_read() {
    let upper = approved("upper-case-values");
    assert_eq!((upper.tenant.as_str(), upper.role.as_str()), ("acme-prod", "prod-readonly"));
    assert!(approved("html-justification").justification.contains("<script>alert(1)</script>\r\nЗачем?"));
    // Denied further on, on record.
    for name in ["no-approvals", "approvals-missing", "approvals-object", "approvals-in-other-states"] {
        assert!(approved(name).approvals.is_empty(), "{name}");
    }
    let unknown = approved("redacted-addresses");
    assert_eq!(unknown.requester.as_str(), "snow.ana@unknown-account.invalid");
    assert_eq!(approvers(&unknown), ["snow.bo@unknown-account.invalid 2026-11-21T08:55:00Z"]);
    let many = approved("many-approvals");
    assert_eq!(many.approvals.len(), 60);
    assert_eq!(many.digest(), approved("script-request-approved").digest());
}

#[test]
fn fields_can_be_elsewhere_as_long_as_they_are_bound_to_the_approvals() {
    let renamed = "[source.snow.fields]\ntenant = \"/asked/variables/u_customer\"\nrole = \"/asked/variables/u_profile\"\n\
        duration = \"/asked/variables/u_for\"\n";
    let request = request_of(read_by(renamed, &payload("renamed-variables")), "renamed");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("acme-prod", "prod-readonly"));
    assert_eq!(request.window.end, Some(WindowEnd::After(SignedDuration::from_mins(45))));

    let fixed = "[source.snow.fields]\nrole = \"=prod-logs\"\nrequester = \"/asked/requester/user_name\"\n";
    let request = request_of(read_by(fixed, &payload("script-request-approved")), "fixed");
    assert_eq!(
        (request.role.as_str(), request.requester.as_str()),
        ("prod-logs", "snow.ana@unknown-account.invalid")
    );

    let accounts =
        request_of(read_by("people = \"user-name\"\n", &payload("script-request-approved")), "accounts");
    assert_eq!(accounts.requester.as_str(), "snow.ana@unknown-account.invalid");
    assert_eq!(approvers(&accounts), ["snow.bo@unknown-account.invalid 2026-11-21T08:55:00Z"]);
    // An address that somebody can change is nobody's, also where a field is mapped to it.
    let mapped = "people = \"user-name\"\n[source.snow.fields]\nrequester = \"/asked/requester/email\"\n";
    let mapped = request_of(read_by(mapped, &payload("script-request-approved")), "mapped");
    assert!(mapped.requester.is_unknown_account(), "{}", mapped.requester);

    for field in ["tenant", "role", "requester", "principal", "duration", "start", "end"] {
        let told =
            senders(&format!("[source.snow.fields]\n{field} = \"/ticket/description\"\n")).unwrap_err();
        let wanted =
            format!("the field `{field}` is mapped to `/ticket/description`; only what is below `/asked/`");
        assert!(told.contains(&wanted) && told.contains("is bound to the approvals"), "{told}");
        assert!(
            senders(&format!("[source.snow.fields]\n{field} = \"/asked/variables/x\"\n")).is_ok(),
            "{field}"
        );
    }
    for odd in ["x = 1", "people = \"phone\"", "[source.snow.fields]\napprovers = \"/x\""] {
        assert!(senders(odd).is_err(), "{odd}");
    }
}

/// Every place in a document, as JSON pointers.
fn places(at: &str, value: &Value, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                places(&format!("{at}/{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(&format!("{at}/{index}"), value, found);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_payload_makes_it_panic_and_no_change_of_what_was_asked_keeps_an_approval(
        which in any::<prop::sample::Index>(),
        change in any::<bool>(),
        to in prop_oneof![
            Just(Value::Null),
            Just(serde_json::json!([])),
            Just(serde_json::json!({"a": [1]})),
            Just(serde_json::json!(-1e300)),
            Just(serde_json::json!(false)),
            "\\PC{0,30}".prop_map(Value::from),
        ],
    ) {
        let name = if change { "script-change-approved" } else { "script-request-approved" };
        let mut body: Value = serde_json::from_str(&payload(name)).unwrap();
        let mut found = Vec::new();
        places("", &body, &mut found);
        let place = which.get(&found);
        let place_holds = body.pointer_mut(place).unwrap();
        prop_assume!(*place_holds != to);
        *place_holds = to;
        let reading = read(&body.to_string());
        if place.starts_with("/asked") || place.starts_with("/approvals/0/asked") {
            let counted = matches!(&reading, Ok(Reading::Notice(Notice::Approved(request))) if !request.approvals.is_empty());
            prop_assert!(!counted, "{place}: {reading:?}");
        }
    }
}
