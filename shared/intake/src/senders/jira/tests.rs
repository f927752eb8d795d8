//! Jira, from its events and its answers to notices.

use curfew_domain::request::WindowEnd;
use http::HeaderMap;

use super::*;
use crate::senders::payload::tests::{
    CURRENT, Few, PREVIOUS, at, closed, hmac_hex, maimed, payload, payloads, problems, request, sender,
    senders, verified, why,
};
use crate::senders::signature;
use crate::{Body, Lookup, Secrets, Sender};

const CONFIG: &str = r#"
[source.it]
kind = "jira"
site = "https://example.atlassian.net"
fields = { tenant = "/issue/fields/customfield_10050/value", role = "/issue/fields/customfield_10051/value", end = "/issue/fields/customfield_10052" }
"#;

const ANA: &str = "5b10ac8d82e05b22cc7d4ef5";
const BEN: &str = "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077";
const CLEO: &str = "70121:0a1b2c3d-1111-4222-8333-444455556666";
const PEOPLE: Few = Few(&[
    (ANA, "ana@example.com"),
    (BEN, "ben@example.com"),
    (CLEO, "cleo@example.com"),
    ("alima", "ana@example.com"),
    ("bito", "ben@example.com"),
]);

fn delivery(config: &str, body: &str) -> VerifiedDelivery {
    let signature = format!("sha256={}", hmac_hex(CURRENT, body.as_bytes()));
    verified(config, "x-hub-signature", &[&signature], body).unwrap()
}

fn read_as(config: &str, body: &str) -> Result<Reading, Malformed> {
    sender(config).read(&delivery(config, body), &PEOPLE)
}

fn read_text(body: &str) -> Result<Reading, Malformed> {
    read_as(CONFIG, body)
}

fn read_file(name: &str) -> Result<Reading, Malformed> {
    read_text(&payload(name))
}

fn lookup(reading: Result<Reading, Malformed>) -> Lookup {
    match reading {
        Ok(Reading::Lookup(lookup)) => lookup,
        other => panic!("no lookup: {other:?}"),
    }
}

/// What an event means with these answers.
fn told(event: &str, approvals: &str, history: &str) -> Result<Reading, Malformed> {
    match lookup(read_file(event)).answer(&payload(approvals), &PEOPLE)? {
        Reading::Lookup(second) => second.answer(&payload(history), &PEOPLE),
        other => Ok(other),
    }
}

fn approvers(request: &AccessRequest) -> Vec<String> {
    request.approvals.iter().map(|approval| format!("{} {}", approval.approver, approval.at)).collect()
}

#[test]
fn a_signature_is_of_the_whole_body() {
    let body = payload("jira-approved");
    let good = hmac_hex(CURRENT, body.as_bytes());
    for (signature, fine) in [
        (format!("sha256={good}"), true),
        (format!("sha256={}", hmac_hex(PREVIOUS, body.as_bytes())), true),
        (format!("sha256={}", hmac_hex("another secret of that length", body.as_bytes())), false),
        (format!("sha256={}", hmac_hex(CURRENT, body.trim_end().as_bytes())), false),
        (format!("sha1={good}"), false),
        (good.clone(), false),
        (format!("sha256={}", &good[2..]), false),
        (String::new(), false),
    ] {
        assert_eq!(verified(CONFIG, "x-hub-signature", &[&signature], &body).is_ok(), fine, "{signature}");
    }
    let twice = format!("sha256={good}");
    assert!(verified(CONFIG, "x-hub-signature", &[&twice, &twice], &body).is_err());
    assert!(verified(CONFIG, "x-hub-signature-256", &[&twice], &body).is_err());
}

/// The example of <https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks>.
#[test]
fn a_signature_is_that_of_the_documentation() {
    let signature = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";
    assert_eq!(hmac_hex("It's a Secret to Everybody", b"Hello World!"), signature);
    let text = r#"{"it":{"current":"It's a Secret to Everybody"}}"#;
    let senders = senders(CONFIG).unwrap();
    let secrets = Secrets::parse(text, &senders).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-hub-signature", format!("sha256={signature}").parse().unwrap());
    let body = Body::decode("Hello World!", false).unwrap();
    assert!(signature::verify(SCHEME, "it", &headers, body, &secrets, None).is_ok());
}

#[test]
fn an_approved_issue_is_asked_about_and_then_a_request() {
    let first = lookup(read_file("jira-approved"));
    assert_eq!(
        first.url(),
        "https://example.atlassian.net/rest/servicedeskapi/request/ACC-42/approval?start=0&limit=100"
    );
    assert_eq!(first.source().as_str(), "it");
    let second = lookup(first.answer(&payload("jira-approvals"), &PEOPLE));
    assert_eq!(
        second.url(),
        "https://example.atlassian.net/rest/api/2/issue/ACC-42?fields=updated&expand=changelog"
    );
    let request = request(second.answer(&payload("jira-history"), &PEOPLE));
    assert_eq!(request.ticket.as_str(), "ACC-42");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("acme-prod", "prod-readonly"));
    assert_eq!(request.window.end, Some(WindowEnd::At(at("2026-11-21T17:00:00Z"))));
    assert_eq!(request.window.starts_at, None);
    assert_eq!(request.justification, "Read the logs of acme-prod for the stuck ingest");
    // Not whoever moved the issue, nor who was asked and said nothing; nor by the address, which is Ana's here.
    assert_eq!(approvers(&request), ["ben@example.com 2026-11-21T08:30:04Z"]);
    assert_eq!(request.basis, Basis::Approvals);
    let facts = &request.ticket_facts;
    assert_eq!((&*facts.sender, &*facts.kind, &*facts.state), ("jira", "request", "approved"));
}

#[test]
fn the_same_delivery_is_the_same_request() {
    let digest = |history| request(told("jira-approved", "jira-approvals", history)).digest();
    assert_eq!(digest("jira-history"), digest("jira-history"));
    // Days later somebody has edited the issue: nothing that this event is about.
    assert_eq!(digest("jira-history"), digest("jira-history-role-edited-after-the-event"));
}

#[test]
fn an_issue_type_can_be_a_change() {
    let request = request(told("jira-approved-change", "jira-approvals", "jira-history"));
    assert_eq!(request.ticket_facts.kind, "change");
}

#[test]
fn a_jira_of_ones_own_has_names_for_accounts() {
    let config = CONFIG
        .replace("example.atlassian.net", "jira.example.com/jira")
        .replace("fields = { ", r#"fields = { requester = "/issue/fields/reporter/name", "#);
    let first = lookup(read_as(&config, &payload("jira-approved-datacenter")));
    assert!(first.url().starts_with("https://jira.example.com/jira/rest/servicedeskapi/request/ACC-42/"));
    let second = lookup(first.answer(&payload("jira-approvals-datacenter"), &PEOPLE));
    let request = request(second.answer(&payload("jira-history"), &PEOPLE));
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!(approvers(&request), ["ben@example.com 2026-11-21T08:30:04Z"]);
}

#[test]
fn accounts_that_nobody_has_are_nobodys() {
    let first = lookup(sender(CONFIG).read(&delivery(CONFIG, &payload("jira-approved")), &crate::Nobody));
    let second = lookup(first.answer(&payload("jira-approvals"), &crate::Nobody));
    let request = request(second.answer(&payload("jira-history"), &crate::Nobody));
    assert!(request.requester.is_unknown_account());
    assert!(request.approvals.iter().all(|approval| approval.approver.is_unknown_account()));
}

#[test]
fn approvals_count_if_they_were_given() {
    for (approvals, counted) in [
        (
            "jira-approvals-two-steps",
            vec![
                "ben@example.com 2026-11-21T08:29:04Z",
                "cleo@example.com 2026-11-21T08:30:04Z",
                "ben@example.com 2026-11-21T08:30:04Z",
            ],
        ),
        ("jira-approvals-pending", vec![]),
        ("jira-approvals-declined-since", vec![]),
        ("jira-approvals-none", vec![]),
    ] {
        let request = request(told("jira-approved", approvals, "jira-history"));
        assert_eq!(approvers(&request), counted, "{approvals}");
    }
}

/// What Ben approved must be what Ana gets.
#[test]
fn an_edit_after_the_approval_takes_its_force() {
    for history in [
        "jira-history-role-edited-since",
        "jira-history-closed-since",
        "jira-history-moved-since",
        "jira-history-nameless-field",
    ] {
        let request = request(told("jira-approved", "jira-approvals", history));
        assert!(request.approvals.is_empty(), "{history}");
    }
    // Edited between two steps of approval: who was asked after it has seen it.
    assert_eq!(
        steps_with_an_edit_at("T09:29:04.950+0100", |_| ()),
        ["cleo@example.com 2026-11-21T08:30:04Z", "ben@example.com 2026-11-21T08:30:04Z"]
    );
}

/// Who counts of two steps, the second of which Cleo and Ben approved, with the role edited at a time.
fn steps_with_an_edit_at(time: &str, change: impl Fn(&mut Value)) -> Vec<String> {
    let mut approvals: Value = serde_json::from_str(&payload("jira-approvals-two-steps")).unwrap();
    change(&mut approvals["values"][1]);
    let history = payload("jira-history-role-edited-since").replace("T09:30:05.000+0100", time);
    let second = lookup(lookup(read_file("jira-approved")).answer(&approvals.to_string(), &PEOPLE));
    approvers(&request(second.answer(&history, &PEOPLE)))
}

/// Jira tells one time for all of them: the second's signature must not bring the first one's along.
#[test]
fn an_edit_within_a_step_takes_the_force_of_all_who_approved_it() {
    let within = "T09:29:30.000+0100";
    assert!(steps_with_an_edit_at(within, |_| ()).is_empty());
    // Nobody else approved it: its end is when they did.
    let alone = |step: &mut Value| step["approvers"][1]["approverDecision"] = "pending".into();
    assert_eq!(steps_with_an_edit_at(within, alone), ["cleo@example.com 2026-11-21T08:30:04Z"]);
    // An edit before the step is known to all of it, unless it is not known when the step began.
    let before = "T09:14:00.000+0100";
    assert_eq!(steps_with_an_edit_at(before, |_| ()).len(), 3);
    for odd in [Value::Null, Value::from("Today 9:29 AM"), serde_json::json!({"epochMillis": 1e300})] {
        let counted = steps_with_an_edit_at(before, |step| step["createdDate"] = odd.clone());
        assert_eq!(counted, ["ben@example.com 2026-11-21T08:29:04Z"], "{odd}");
    }
}

/// Ben's decision, so long after the event, with an edit of the field before that.
fn decided_after_the_event(decision: i64, edit: i64, history: &str) -> usize {
    let event: Value = serde_json::from_str(&payload("jira-approved")).unwrap();
    let happened_at = event["timestamp"].as_i64().unwrap();
    let mut approvals: Value = serde_json::from_str(&payload("jira-approvals")).unwrap();
    approvals["values"][0]["completedDate"]["epochMillis"] = (happened_at + decision).into();
    let mut history: Value = serde_json::from_str(&payload(history)).unwrap();
    let edited_at = Timestamp::from_millisecond(happened_at + edit).unwrap();
    history["changelog"]["histories"][0]["created"] = edited_at.to_string().into();
    let second = lookup(lookup(read_file("jira-approved")).answer(&approvals.to_string(), &PEOPLE));
    request(second.answer(&history.to_string(), &PEOPLE)).approvals.len()
}

/// What was edited between the two was approved as it was afterwards, and the event says what it was before.
#[test]
fn a_decision_just_after_the_event_is_not_for_what_the_issue_said_before_it() {
    for history in
        ["jira-history-role-edited-since", "jira-history-end-put-off", "jira-history-end-brought-forward"]
    {
        assert_eq!(decided_after_the_event(30_000, 20_000, history), 0, "{history}");
        assert_eq!(decided_after_the_event(30_000, 90_000, history), 1, "{history}");
    }
    assert_eq!(decided_after_the_event(30_000, -1_000, "jira-history-role-edited-since"), 1);
}

#[test]
fn an_end_can_be_brought_forward_and_not_put_off() {
    for (history, counted) in [
        ("jira-history-end-brought-forward", 1),
        ("jira-history-end-put-off", 0),
        ("jira-history-end-unreadable", 0),
    ] {
        let request = request(told("jira-end-changed", "jira-approvals", history));
        assert_eq!(request.window.end, Some(WindowEnd::At(at("2026-11-21T14:00:00Z"))));
        assert_eq!(request.approvals.len(), counted, "{history}");
    }
    // The edit that comes after an event is not this event's.
    let request = request(told("jira-approved", "jira-approvals", "jira-history-end-put-off"));
    assert_eq!(request.approvals.len(), 1);
}

#[test]
fn a_closed_issue_ends_its_access() {
    for (event, ticket, by, reason) in [
        ("jira-status-closed", "ACC-42", "ben@example.com", "the issue's status became `Closed`"),
        ("jira-status-declined", "ACC-42", "ben@example.com", "the issue's status became `Declined`"),
        ("jira-deleted", "ACC-42", "ana@example.com", "the issue was deleted"),
        ("jira-moved", "ACC-42", "ana@example.com", "the issue was moved and has another key"),
    ] {
        let closed = closed(read_file(event));
        assert_eq!(closed.ticket.as_str(), ticket, "{event}");
        assert_eq!(closed.closed_by.unwrap().as_str(), by, "{event}");
        assert_eq!(closed.reason.as_deref(), Some(reason), "{event}");
    }
    // A field that is not as it should be is no reason to keep access.
    let mut body: Value = serde_json::from_str(&payload("jira-status-closed")).unwrap();
    body["issue"]["fields"] = Value::Null;
    body["user"] = Value::Null;
    body["timestamp"] = Value::Null;
    assert_eq!(closed(read_text(&body.to_string())).closed_by, None);
}

/// Whatever a site calls the end: Jira itself knows which statuses are one.
#[test]
fn a_status_that_jira_counts_as_done_ends_access_too() {
    let read = |event: &str, key: &str| {
        let mut body: Value = serde_json::from_str(&payload(event)).unwrap();
        body["issue"]["fields"]["status"]["statusCategory"]["key"] = key.into();
        read_text(&body.to_string())
    };
    let ended = closed(read("jira-status-in-progress", "done"));
    assert_eq!(ended.ticket.as_str(), "ACC-42");
    assert_eq!(ended.reason.as_deref(), Some("the issue's status became `In Progress`, which is a done one"));
    why(read("jira-status-in-progress", "indeterminate"));
    // Configured as an approved one, and edits that don't change the status.
    lookup(read("jira-approved", "done"));
    why(read("jira-comment-only", "done"));
}

#[test]
fn closed_wins_over_approved() {
    let mut body: Value = serde_json::from_str(&payload("jira-approved")).unwrap();
    let items = body["changelog"]["items"].as_array_mut().unwrap();
    let mut other = items[0].clone();
    other["toString"] = Value::from("cLOSED ");
    items.push(other);
    closed(read_text(&body.to_string()));
}

#[test]
fn other_events_mean_nothing() {
    for (event, reason) in [
        ("jira-comment-only", "neither the status nor the end of access was changed"),
        ("jira-edited-while-approved", "neither the status nor the end of access was changed"),
        ("jira-custom-field-named-status", "neither the status nor the end of access was changed"),
        ("jira-status-in-progress", "the status `In Progress` is neither in `approved` nor in `closed`"),
        ("jira-status-reopened", "the status `Reopened` is neither in `approved` nor in `closed`"),
        ("jira-end-changed-while-waiting", "the end was changed while the status, `Waiting for approval`"),
        ("jira-unknown-event", "the event `sprint_started`"),
    ] {
        let why = why(read_file(event));
        assert!(why.starts_with(reason), "{event}: {why}");
    }
    assert!(why(read_text("{}")).contains("names no event"));
}

#[test]
fn statuses_are_told_apart_by_their_letters_alone() {
    lookup(read_file("jira-approved-in-another-case"));
}

#[test]
fn what_is_wrong_with_an_issue_is_told_with_its_field() {
    let told = problems(read_file("jira-approved-null-fields"));
    for part in [
        "the field `tenant` of source `it` is mapped to `/issue/fields/customfield_10050/value`, where there is nothing",
        "the field `role`",
        "the field `requester` of source `it` is mapped to `/issue/fields/reporter/accountId`",
        "the field `justification`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = problems(read_file("jira-approved-list-for-role"));
    assert!(told.contains("the field `role`") && told.contains("the field `end`"), "{told}");
    assert!(problems(read_file("jira-approved-bidi-summary")).contains("justification"));
    assert!(problems(read_file("jira-approved-no-timestamp")).contains("/timestamp"));
    assert!(problems(read_file("jira-approved-repeated-key")).contains("the field `key` appears twice"));
    assert!(problems(read_text("[]")).contains("not a JSON object"));
}

#[test]
fn nothing_of_a_key_can_change_the_address() {
    let told = problems(read_file("jira-approved-key-with-path"));
    assert!(told.contains("/issue/key") && told.contains("an issue's key"), "{told}");
    for key in ["ACC-1", "A1-0", "A_B-123456"] {
        assert!(is_key(key), "{key}");
    }
    for key in [
        "", "-", "A-1", "acc-1", "1AC-1", "ACC", "ACC-", "ACC-1a", "ACC-1/", "ACC-1?x", "ACC-1#", "ACC-1%2e",
        "ACC--1", "../x-1", "ACC-１", "ÄCC-1", "ACC-1\n", " ACC-1", "ACC-1-2", "_AC-1",
    ] {
        assert!(!is_key(key), "{key:?}");
    }
    assert!(!is_key(&format!("ACC-{}", "1".repeat(80))));
}

#[test]
fn words_of_people_are_kept_as_they_are() {
    let request = request(told("jira-approved-unicode-html", "jira-approvals", "jira-history"));
    assert_eq!(request.justification, "<b>Zugriff</b> für Störung: Übergabe & Prüfung 🔥 – 日本語");
}

#[test]
fn an_answer_that_is_not_as_documented_is_refused() {
    for (approvals, told) in [
        ("jira-approvals-more-pages", "isLastPage"),
        ("jira-approvals-no-account", "/values/0/approvers/0/approver"),
        ("jira-approvals-no-time", "/values/0/completedDate/epochMillis"),
        ("jira-approvals-login-page", "/values"),
    ] {
        let reading = lookup(read_file("jira-approved")).answer(&payload(approvals), &PEOPLE);
        let found = problems(reading);
        assert!(found.contains(told) && found.contains("Jira's answer"), "{approvals}: {found}");
    }
    let reading = told("jira-approved", "jira-approvals", "jira-history-cut");
    assert!(problems(reading).contains("lists 2 of `140` changes"));
    for answer in ["", "<html>", "[]", "null", "{}"] {
        let first = lookup(read_file("jira-approved"));
        problems(first.answer(answer, &PEOPLE));
        let second = lookup(lookup(read_file("jira-approved")).answer(&payload("jira-approvals"), &PEOPLE));
        problems(second.answer(answer, &PEOPLE));
    }
}

#[test]
fn what_is_mapped_can_be_fixed_or_chosen() {
    let config = CONFIG.replace("/issue/fields/customfield_10050/value", "=acme-prod").replace(
        "fields = { ",
        r#"fields = { requester = "/issue/fields/customfield_10054/0/accountId", duration = "=2h", "#,
    );
    let first = lookup(read_as(&config, &payload("jira-approved-unicode-html")));
    let second = lookup(first.answer(&payload("jira-approvals"), &PEOPLE));
    let request = request(second.answer(&payload("jira-history"), &PEOPLE));
    assert_eq!(request.requester.as_str(), "ben@example.com");
    assert_eq!(request.tenant.as_str(), "acme-prod");
}

#[test]
fn a_configuration_is_checked() {
    let check = |from: &str, to: &str| {
        assert!(CONFIG.contains(from), "{from}");
        senders(&CONFIG.replace(from, to)).map(|_| ()).unwrap_err()
    };
    let site = "https://example.atlassian.net";
    for bad in [
        "",
        "example.atlassian.net",
        "http://example.atlassian.net",
        "https://example.atlassian.net/",
        "https://example.atlassian.net/a//b",
        "https://example.atlassian.net/a/../b",
        "https://example.atlassian.net?x=",
        "https://example.atlassian.net#",
        "https://user@example.atlassian.net",
        "https://",
        "http://127.0.0.1:80/jira",
        "http://10.0.0.1:80",
    ] {
        let told = check(&format!("\"{site}\""), &format!("\"{bad}\""));
        assert!(told.contains("`site`"), "{bad}: {told}");
    }
    for good in ["https://jira.example.com/jira", "https://jira.example.com:8443", "http://127.0.0.1:4000"] {
        assert!(senders(&CONFIG.replace(site, good)).is_ok(), "{good}");
    }
    let line = "kind = \"jira\"";
    for (more, told) in [
        ("approved = []", "`approved` must name statuses"),
        ("closed = [\" \"]", "`closed` must name statuses"),
        ("approved = [\"Ok\", \"done\"]", "status `done` is in `approved` and in `closed`"),
        ("approvals = \"webhook\"", "unknown variant"),
        ("sight = 1", "unknown field"),
    ] {
        let found = check(line, &format!("{line}\n{more}"));
        assert!(found.contains(told), "{more}: {found}");
    }
    for (from, to, told) in [
        ("tenant = \"/issue/fields/customfield_10050/value\", ", "", "`tenant` and `role`"),
        ("/issue/fields/customfield_10052", "/user/accountId", "the field `end` must be one of the issue's"),
        ("/issue/fields/customfield_10052", "/issue/fields/", "the field `end` must be one of the issue's"),
    ] {
        let found = check(from, to);
        assert!(found.contains(told), "{found}");
    }
}

/// Whatever is sent by somebody with the secret, or answered by the site: never a panic, and never an approver whom
/// the site does not name.
#[test]
fn no_payload_and_no_answer_makes_a_panic() {
    let kind: Sender = sender(CONFIG);
    let history = payload("jira-history");
    let answers = maimed(&payload("jira-approvals"));
    let mut asked = 0;
    for (_, text) in payloads("jira") {
        let _ = kind.read(&delivery(CONFIG, &text), &PEOPLE);
    }
    for name in ["jira-approved", "jira-end-changed", "jira-status-closed", "jira-moved", "jira-deleted"] {
        for body in maimed(&payload(name)) {
            if let Ok(Reading::Lookup(first)) = kind.read(&delivery(CONFIG, &body), &PEOPLE) {
                let answer = &answers[asked % answers.len()];
                asked += 1;
                assert!(
                    first.url().starts_with("https://example.atlassian.net/rest/servicedeskapi/request/")
                );
                if let Ok(Reading::Lookup(second)) = first.answer(answer, &PEOPLE)
                    && let Ok(reading) = second.answer(&history, &PEOPLE)
                {
                    let approvals = request(Ok(reading)).approvals;
                    assert!(approvals.iter().all(|one| {
                        let known = ["ben@example.com", "cleo@example.com"].contains(&one.approver.as_str());
                        known || one.approver.is_unknown_account()
                    }));
                }
            }
        }
    }
    assert!(asked > 500, "{asked}");
    for answer in maimed(&history) {
        let second = lookup(lookup(read_file("jira-approved")).answer(&payload("jira-approvals"), &PEOPLE));
        let _ = second.answer(&answer, &PEOPLE);
    }
}
