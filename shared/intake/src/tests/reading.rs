//! What is read from a body, and how a body that is not as documented is told so.

use curfew_domain::request::{AccessRequest, Basis, TicketFacts, WindowEnd};
use jiff::SignedDuration;

use super::*;

fn approved(name: &str) -> AccessRequest {
    match read(&payload(name)) {
        Ok(Notice::Approved(request)) => *request,
        other => panic!("{name}: {other:?}"),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The problems of a payload, one a line.
fn problems(name: &str) -> String {
    match read(&payload(name)) {
        Err(malformed) => {
            assert!(!malformed.problems.is_empty());
            malformed.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Ok(notice) => panic!("{name} was read: {notice:?}"),
    }
}

#[test]
fn an_approval_is_read_field_by_field() {
    let request = approved("curfew-approved");
    assert_eq!(request.source.as_str(), "itsm");
    assert_eq!(request.delivery.as_str(), ID);
    assert_eq!(request.ticket.as_str(), "CHG0030192");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!(request.tenant.as_str(), "acme-prod");
    assert_eq!(request.role.as_str(), "prod-readonly");
    assert_eq!(request.principal, None);
    assert_eq!(request.approvals.len(), 1);
    assert_eq!(request.approvals[0].approver.as_str(), "bo@example.com");
    assert_eq!(request.approvals[0].at, at("2026-11-21T08:55:00Z"));
    assert_eq!(request.window.starts_at, Some(at("2026-11-21T09:00:00Z")));
    assert_eq!(request.window.end, Some(WindowEnd::At(at("2026-11-21T10:00:00Z"))));
    assert!(request.justification.starts_with("Read the order service's logs"));
}

#[test]
fn windows_are_read_in_every_documented_form() {
    let minutes = |n| Some(WindowEnd::After(SignedDuration::from_mins(n)));
    assert_eq!(approved("curfew-approved-duration").window.end, minutes(45));
    assert_eq!(approved("curfew-approved-duration").window.starts_at, None);
    assert_eq!(approved("curfew-approved-duration-iso").window.end, minutes(90));
    assert_eq!(approved("curfew-approved-defaults").window, curfew_domain::request::WindowRequest::default());
    for (text, seconds) in
        [("1h30m", 5400), ("PT45M", 2700), ("90s", 90), ("2h5s", 7205), ("PT8H", 28800), ("0h1m", 60)]
    {
        let body = payload("curfew-approved-duration").replace("45m", text);
        let Ok(Notice::Approved(request)) = read(&body) else { panic!("{text}") };
        assert_eq!(request.window.end, Some(WindowEnd::After(SignedDuration::from_secs(seconds))), "{text}");
    }
    for text in [
        "", "45", "m", "45 m", "1.5h", "1h 30m", "30m1h", "1d", "P1D", "PT", "PT1.5H", "-45m", "+45m",
        "45m ago", "1h30m\n", "0s", "PT0S", "1:30:00", "1000000h",
    ] {
        let body = payload("curfew-approved-duration").replace("\"45m\"", &format!("{text:?}"));
        let error = read(&body).unwrap_err().to_string();
        assert!(error.contains("/window/duration: ") && error.contains("`1h30m`"), "{text:?}: {error}");
    }
}

#[test]
fn times_are_kept_in_utc_and_whole_seconds() {
    let request = approved("curfew-approved-offset-times");
    assert_eq!(request.window.starts_at, Some(at("2026-11-21T09:00:00Z")));
    assert_eq!(request.window.end, Some(WindowEnd::At(at("2026-11-21T10:00:00Z"))));
    assert_eq!(request.approvals[0].at, at("2026-11-21T08:55:00Z"));
    for text in [
        "2026-11-21",
        "2026-11-21 09:00:00Z",
        "2026-11-21T09:00Z",
        "20261121T090000Z",
        "2026-11-21T09:00:00+01:00[Europe/Berlin]",
        "2026-11-21T25:00:00Z",
        "now",
        "1795251600",
        "+002026-11-21T09:00:00Z",
    ] {
        let body = payload("curfew-approved").replace("2026-11-21T09:00:00Z", text);
        let error = read(&body).unwrap_err().to_string();
        assert!(
            error.contains(&format!("/window/start: `{text}` is not valid: a time by RFC 3339")),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn people_are_one_person_in_any_case_and_one_approval_has_one_digest() {
    let request = approved("curfew-approved-upper-case-people");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!(request.approvals[0].approver.as_str(), "bo@example.com");
    assert_eq!(request.digest(), approved("curfew-approved").digest());
    assert_eq!(approved("curfew-approved-offset-times").digest(), approved("curfew-approved").digest());
}

#[test]
fn whether_access_is_right_is_not_judged_here() {
    assert!(approved("curfew-approved-no-approvals").approvals.is_empty());
    assert_eq!(approved("curfew-approved-two-approvals").approvals.len(), 2);
    assert_eq!(approved("curfew-approved-principal").principal.unwrap().name(), "OnCall");
    assert!(approved("curfew-approved-unicode-justification").justification.contains("支払い"));
    for name in [
        "self-approval",
        "backward-window",
        "past-window",
        "too-long-window",
        "unknown-tenant",
        "unknown-role",
        "unknown-person",
    ] {
        approved(&format!("curfew-approved-{name}"));
    }
}

#[test]
fn what_a_request_rests_on_is_read() {
    let request = approved("curfew-approved");
    assert_eq!((request.basis, request.ticket_facts.kind.as_str()), (Basis::Approvals, ""));
    let named = approved("curfew-approved-basis-named");
    assert_eq!(named.basis, Basis::Approvals);
    assert_eq!(named.ticket_facts.kind, "change");
    assert_eq!(named.ticket_facts.state, "implement");
    // The same approval, whatever the ticket's state is by now.
    assert_eq!(named.digest(), request.digest());

    let on_call = approved("curfew-on-call");
    assert_eq!(on_call.basis, Basis::OnCall { since: at("2026-11-21T08:57:00Z") });
    assert!(on_call.approvals.is_empty());
    let TicketFacts { sender, kind, state } = on_call.ticket_facts;
    assert_eq!((sender.as_str(), kind.as_str(), state.as_str()), ("standard", "incident", "open"));

    let break_glass = approved("curfew-break-glass");
    assert_eq!(break_glass.basis, Basis::BreakGlass { since: at("2026-11-21T08:57:30Z") });
    assert!(break_glass.approvals.is_empty());
    assert_eq!(approved("curfew-break-glass-with-approval").approvals.len(), 1);
}

#[test]
fn a_closed_ticket_is_read() {
    let Ok(Notice::TicketClosed(closed)) = read(&payload("curfew-ticket-closed")) else { panic!() };
    assert_eq!(
        (closed.source.as_str(), closed.ticket.as_str(), closed.delivery.as_str()),
        ("itsm", "CHG0030192", ID)
    );
    assert_eq!(closed.closed_by.unwrap().as_str(), "bo@example.com");
    assert_eq!(closed.reason.as_deref(), Some("Fixed by a rollback."));
    let Ok(Notice::TicketClosed(closed)) = read(&payload("curfew-ticket-closed-minimal")) else { panic!() };
    assert_eq!((closed.closed_by, closed.reason), (None, None));
}

/// Whoever asked may write the note that a ticket is closed with: it must not keep the ticket from being closed.
#[test]
fn a_closed_ticket_is_read_whatever_else_it_says() {
    for (name, closed_by, reason) in [
        ("long-reason", Some("bo@example.com"), Some(format!("Fixed. {}…", "x".repeat(992)))),
        ("bidi-reason", Some("bo@example.com"), Some("Fixed by ob [2Jall gone".to_owned())),
        ("blank-reason", None, None),
        ("unusable-closer", None, Some("Fixed by a rollback.".to_owned())),
        ("null-fields", None, None),
        ("objects", None, None),
        ("unknown-field", None, None),
    ] {
        let read = read(&payload(&format!("curfew-ticket-closed-{name}")));
        let Ok(Notice::TicketClosed(closed)) = read else { panic!("{name}: {read:?}") };
        assert_eq!(closed.ticket.as_str(), "CHG0030192", "{name}");
        assert_eq!(closed.closed_by.as_ref().map(|person| person.as_str()), closed_by, "{name}");
        assert_eq!(closed.reason, reason, "{name}");
    }
    // Words that can be kept are kept, with their lines.
    let Ok(Notice::TicketClosed(closed)) =
        read(r#"{"type":"ticket.closed","ticket":"CHG1","reason":"a\n b"}"#)
    else {
        panic!()
    };
    assert_eq!(closed.reason.as_deref(), Some("a\n b"));
    for body in [
        r#"{"type":"ticket.closed"}"#,
        r#"{"type":"ticket.closed","ticket":null}"#,
        r#"{"type":"ticket.closed","ticket":"CHG 1"}"#,
    ] {
        assert!(read(body).is_err(), "{body}");
    }
}

/// Every payload that is refused, and words that its reply must have: one for each problem.
const REFUSED: [(&str, &[&str]); 48] = [
    (
        "approved-bidi-justification",
        &["/justification: `approved by \\u{202e}ob` is not valid: words for people"],
    ),
    (
        "approved-blank-justification",
        &["/justification: ` \\t\\n ` is not valid: words for people: 1 to 1000 characters, not blank"],
    ),
    ("approved-camel-case-role", &["/role: `prodReadonly` is not valid: a name from the catalog"]),
    ("approved-control-character-justification", &["/justification: `fine\\u{1b}[2Jall gone` is not valid"]),
    (
        "approved-control-character-ticket",
        &["/ticket: `CHG0030192\\u{0}\\nlevel=info` is not valid: the ticket's id"],
    ),
    (
        "approved-end-and-duration",
        &["/window: is not valid: when access holds: `start` (default: now) and either `end` or `duration`"],
    ),
    (
        "approved-impossible-date",
        &["/approvals/0/at: `2026-02-30T08:55:00Z` is not valid: a time by RFC 3339"],
    ),
    (
        "approved-local-time",
        &["/window/start: `2026-11-21T09:00:00` is not valid: a time by RFC 3339 with its offset"],
    ),
    ("approved-long-justification", &["x…` is not valid: words for people"]),
    ("approved-long-ticket", &["C…` is not valid: the ticket's id: 1 to 100"]),
    (
        "approved-look-alike-requester",
        &["/requester: `\\u{430}na@example.com` is not valid: a person's email address: plain ASCII"],
    ),
    ("approved-many-approvals", &["/approvals: is not valid: who approved and when: at most 32 approvals"]),
    (
        "approved-many-problems",
        &[
            "/ticket: `` is",
            "/tenant: `A` is",
            "/role: `` is",
            "/approvals/0/approver: `bo` is",
            "/approvals/0/at: `now` is",
            "/approvals/1/by: is not a known field; known are `approver`, `at`",
            "/approvals/1: the field `approver` is missing",
            "/approvals/1: the field `at` is missing",
            "/window: is of type array, and must be of type object",
            "/justification: is of type number, and must be of type string",
        ],
    ),
    (
        "approved-missing-fields",
        &[
            "the field `ticket` is missing",
            "the field `role` is missing",
            "the field `justification` is missing",
        ],
    ),
    ("approved-negative-duration", &["/window/duration: `-45m` is not valid: a length of time above zero"]),
    (
        "approved-null-principal",
        &["/principal: is of type null, and must be of type string: the ARN of an IAM user or role"],
    ),
    ("approved-number-for-ticket", &["/ticket: is of type number, and must be of type string"]),
    (
        "approved-number-for-time",
        &["/window/start: is of type number, and must be of type string: a time by RFC 3339"],
    ),
    ("approved-service-linked-principal", &["is a service-linked role, which only AWS can modify"]),
    ("approved-unicode-ticket", &["/ticket: `\\u{ff23}\\u{ff28}\\u{ff27}0030192` is not valid"]),
    ("approved-unmodifiable-principal", &["a role of IAM Identity Center, which only AWS can modify"]),
    (
        "approved-unrepresentable-time",
        &["/window/end: `9999-12-31T23:59:59-01:00` is not a time with an offset that can be kept"],
    ),
    ("approved-upper-case-tenant", &["/tenant: `Acme-Prod` is not valid: a name from the catalog"]),
    (
        "approved-wildcard-principal",
        &["/principal: `arn:aws:iam::111122223333:role/*` is not valid: the ARN"],
    ),
    ("approved-zero-duration", &["/window/duration: `0m` is not valid: a length of time above zero"]),
    (
        "approved-basis-named-since",
        &[
            "/since: `2026-11-21T08:57:00Z` is not valid: `since` belongs to the bases `on-call` and `break-glass`",
        ],
    ),
    (
        "approved-since",
        &[
            "/since: `2026-11-21T08:57:00Z` is not valid: `since` belongs to the bases `on-call` and `break-glass`",
        ],
    ),
    ("approved-missing-approvals", &["the field `approvals` is missing"]),
    ("break-glass-missing-since", &["the field `since` is missing"]),
    ("null-basis", &["/basis: `null` is not valid: what the request rests on: `approvals`"]),
    ("on-call-local-since", &["/since: `2026-11-21 08:57` is not valid: a time by RFC 3339"]),
    ("on-call-missing-since", &["the field `since` is missing"]),
    ("on-call-null-approvals", &["/approvals: is of type null, and must be of type array"]),
    ("on-call-null-since", &["/since: is of type null, and must be of type string"]),
    ("unknown-basis", &["/basis: `urgent` is not valid: what the request rests on: `approvals`"]),
    (
        "upper-case-ticket-state",
        &[
            "/ticket_kind: `Change Request` is not valid: a word for guardrails",
            "/ticket_state: `Open` is not valid: a word for guardrails",
        ],
    ),
    ("array", &["is of type array, and must be of type object"]),
    ("deep-nesting", &["not valid JSON: nested deeper than 8 levels at line 1 column"]),
    ("empty", &["not valid JSON: EOF"]),
    ("form-encoded", &["not valid JSON: expected value at line 1 column 1"]),
    ("huge-number", &["not valid JSON: number out of range at line "]),
    ("no-type", &["the field `type` is missing"]),
    ("repeated-field", &["not valid JSON: the field `role` appears twice at line "]),
    ("trailing-text", &["not valid JSON: trailing characters at line "]),
    ("truncated", &["not valid JSON: EOF while parsing"]),
    ("unknown-field", &["/priority: is not a known field; known are `approvals`, `basis`, `justification`"]),
    (
        "unknown-field-nested",
        &[
            "/approvals/0/decision: is not a known field",
            "/window/timezone: is not a known field; known are `duration`, `end`, `start`",
        ],
    ),
    (
        "unknown-type",
        &["/type: `access.requested` is not valid: what happened: `access.approved` or `ticket.closed`"],
    ),
];

#[test]
fn every_refusal_names_the_place_the_cause_and_the_rule() {
    for (name, words) in REFUSED {
        let told = problems(&format!("curfew-{name}"));
        for word in words {
            assert!(told.contains(word), "{name}: wanted {word:?} in\n{told}");
        }
        assert_eq!(told.lines().count(), words.len(), "{name}: told more than is wrong:\n{told}");
        assert!(told.chars().all(|c| c == '\n' || !c.is_control()), "{name}: {told:?}");
    }
}

#[test]
fn every_payload_is_either_read_or_listed_as_refused() {
    for (name, text) in payloads() {
        let listed = REFUSED.iter().any(|(refused, _)| name.strip_prefix("curfew-") == Some(*refused));
        assert_eq!(read(&text).is_err(), listed, "{name}");
    }
}

#[test]
fn names_of_unknown_fields_are_escaped_and_cut() {
    let odd = payload("curfew-approved").replacen('{', &format!(r#"{{"a/b~c\n{}":1,"#, "x".repeat(5000)), 1);
    let error = read(&odd).unwrap_err();
    assert!(error.problems[0].pointer.starts_with("/a~1b~0c\\nxxx"), "{error}");
    assert!(error.problems[0].pointer.len() < 80 && error.to_string().len() < 400, "{error}");
}

#[test]
fn a_body_full_of_mistakes_gets_a_short_answer() {
    let fields: String = (0..5000).map(|n| format!(r#""x{n}":1,"#)).collect();
    let error = read(&payload("curfew-approved").replacen('{', &format!("{{{fields}"), 1)).unwrap_err();
    assert_eq!(error.problems.len(), 33);
    assert!(error.to_string().ends_with("and 4968 more problems"), "{error}");
}

#[test]
fn the_documented_examples_are_read() {
    let page = std::fs::read_to_string(payload_folder().join("../../docs/webhook.md")).unwrap();
    let examples: Vec<&str> = page
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .filter(|example| {
            example.contains(r#""type": "access.approved""#) || example.contains(r#""type": "ticket.closed""#)
        })
        .collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        assert!(read(example).is_ok(), "{example}");
    }
    for code in curfew_domain::decision::DenialCode::ALL {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
    // The limits that the page states, and the request that it shows.
    for stated in
        ["65,536 bytes", "at most 300 s", "nested at most 8 deep", "1 to 1000 characters", "At most 32"]
    {
        assert!(page.to_lowercase().contains(&stated.to_lowercase()), "{stated}");
    }
    // A library computes the signature, because Curfew refuses the page's secret: everybody knows it.
    let secret = "whsec_exampleFromTheDocsOfCurfewMakeYourOwnRandoA=";
    assert_eq!(Secret::parse(secret).unwrap_err(), crate::SecretError::Placeholder);
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    let body = r#"{"type":"ticket.closed","ticket":"CHG0030192"}"#;
    let signature = webhook.sign(ID, now().as_second(), body.as_bytes()).unwrap();
    assert!(page.contains(secret) && page.contains(body));
    for (name, value) in &headers(ID, &now().as_second().to_string(), &signature) {
        let line = format!("{name}: {}", value.to_str().unwrap());
        assert!(page.contains(&line), "{line}");
    }
}

#[test]
fn line_ends_are_read_and_lone_returns_are_not() {
    let approved = payload("curfew-approved");
    let said = "Read the order service's logs: checkout fails for some customers.";
    assert!(approved.contains(said));
    let with = |words: &str| approved.replace(said, words);
    for (words, good) in [
        ("a\\nb\\tc", true),
        ("a\\r\\nb", true),
        ("a\\rb", false),
        ("a\\r\\r\\nb", false),
        ("a\\u2028b", false),
    ] {
        assert_eq!(read(&with(words)).is_ok(), good, "{words}");
    }
    let longest = |n| with(&"ü".repeat(n));
    assert!(read(&longest(curfew_domain::decision::JUSTIFICATION_LIMIT)).is_ok());
    assert!(read(&longest(curfew_domain::decision::JUSTIFICATION_LIMIT + 1)).is_err());
}
