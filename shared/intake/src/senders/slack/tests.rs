//! Slack, from its clicks to notices.

use super::*;
use crate::Sender;
use crate::senders::payload::tests::{
    CURRENT, Few, NOW, PREVIOUS, at, closed, hmac_hex, maimed, payload as recorded, payloads, problems,
    request, sender, senders, why,
};

const CONFIG: &str = "[source.it]\nkind = \"slack\"\n";
const PEOPLE: Few = Few(&[("U024BE7LH", "ben@example.com"), ("U0ANA0001", "ana@example.com")]);

fn form(payload: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", payload).finish()
}

fn sent(timestamps: &[&str], signature: &str, body: &str) -> Result<VerifiedDelivery, Unverified> {
    let text = format!(r#"{{"it":{{"current":"{CURRENT}","previous":"{PREVIOUS}"}}}}"#);
    let senders = senders(CONFIG).unwrap();
    let secrets = Secrets::parse(&text, &senders).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-slack-signature", signature.parse().unwrap());
    for timestamp in timestamps {
        headers.append("x-slack-request-timestamp", timestamp.parse().unwrap());
    }
    senders.of("it").verify("it", &headers, Body::decode(body, false).unwrap(), &secrets, at(NOW))
}

fn signed(key: &str, timestamp: &str, body: &str) -> String {
    format!("v0={}", hmac_hex(key, format!("v0:{timestamp}:{body}").as_bytes()))
}

fn delivery(body: &str) -> VerifiedDelivery {
    let now = at(NOW).as_second().to_string();
    sent(&[&now], &signed(CURRENT, &now, body), body).unwrap()
}

fn read_as(config: &str, payload: &str) -> Result<Reading, Malformed> {
    sender(config).read(&delivery(&form(payload)), &PEOPLE)
}

fn read_file(name: &str) -> Result<Reading, Malformed> {
    read_as(CONFIG, &recorded(name))
}

/// The example of <https://docs.slack.dev/authentication/verifying-requests-from-slack>.
#[test]
fn a_signature_is_that_of_the_documentation() {
    let secret = "8f742231b10e8888abcd99yyyzzz85a5";
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let senders = senders(CONFIG).unwrap();
    let secrets = Secrets::parse(&format!(r#"{{"it":{{"current":"{secret}"}}}}"#), &senders).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-slack-signature", signature.parse().unwrap());
    headers.insert("x-slack-request-timestamp", "1531420618".parse().unwrap());
    let verified = |now| verify("it", &headers, Body::decode(body, false).unwrap(), &secrets, now);
    let then = Timestamp::from_second(1_531_420_618).unwrap();
    let delivery = verified(then).unwrap();
    assert_eq!(delivery.sent_at(), Some(then));
    // A slash command is a form without our field.
    assert!(problems(senders.of("it").read(&delivery, &PEOPLE)).contains("`payload`"));
    assert!(verified(at(NOW)).is_err());
}

#[test]
fn time_and_body_are_signed() {
    let body = form(&recorded("slack-approve"));
    let now = at(NOW).as_second();
    for (offset, fine) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
        let then = (now + offset).to_string();
        for key in [CURRENT, PREVIOUS] {
            assert_eq!(sent(&[&then], &signed(key, &then, &body), &body).is_ok(), fine, "{offset}");
        }
    }
    let now = now.to_string();
    let good = signed(CURRENT, &now, &body);
    assert!(sent(&[&now], &good, &body).is_ok());
    for (timestamps, signature, body) in [
        (vec![now.as_str()], signed("another secret of that length", &now, &body), body.clone()),
        (vec![&now], good.clone(), format!("{body}&x=y")),
        (vec![&now], good.replace("v0=", "v1="), body.clone()),
        (vec![&now], format!("{good},{good}"), body.clone()),
        (vec![&now, &now], good.clone(), body.clone()),
        (vec![], good.clone(), body.clone()),
    ] {
        assert!(sent(&timestamps, &signature, &body).is_err(), "{timestamps:?} {signature}");
    }
    let later = (at(NOW).as_second() + 1).to_string();
    assert!(sent(&[&later], &good, &body).is_err());
    for odd in [format!("0{now}"), format!("+{now}"), format!("{now}.0"), "-1".to_owned(), "x".to_owned()] {
        let error = sent(&[&odd], &signed(CURRENT, &odd, &body), &body).unwrap_err();
        assert_eq!(error.reason(), "header-invalid", "{odd}");
    }
}

#[test]
fn a_click_is_the_approval_of_whoever_clicked() {
    let request = request(read_file("slack-approve"));
    assert_eq!(request.ticket.as_str(), "ACC-42");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("acme-prod", "prod-readonly"));
    assert_eq!(request.window.end, Some(WindowEnd::After("1h".parse().unwrap())));
    let approval =
        Approval { approver: Email::new("ben@example.com").unwrap(), at: at("2026-11-21T08:30:04Z") };
    assert_eq!(request.approvals, [approval]);
    assert_eq!(request.basis, Basis::Approvals);
    let facts = &request.ticket_facts;
    assert_eq!((&*facts.sender, &*facts.kind, &*facts.state), ("slack", "request", "approved"));
}

#[test]
fn a_button_can_stand_for_a_window_and_for_an_account() {
    let request = request(read_file("slack-approve-window"));
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!(request.window.starts_at, Some(at("2026-11-21T09:00:00Z")));
    assert_eq!(request.window.end, Some(WindowEnd::At(at("2026-11-21T11:00:00Z"))));
    assert_eq!(request.principal.unwrap().arn(), "arn:aws:iam::111122223333:user/ana");
}

#[test]
fn words_of_people_are_kept_as_they_are() {
    let request = request(read_file("slack-value-unicode"));
    assert_eq!(request.justification, "Störung <b>Übergabe</b> & 日本語 🔥");
}

#[test]
fn a_denial_closes_the_ticket() {
    for name in ["slack-deny", "slack-deny-bare-value"] {
        let closed = closed(read_file(name));
        assert_eq!(closed.ticket.as_str(), "ACC-42", "{name}");
        assert_eq!(closed.closed_by.unwrap().as_str(), "ben@example.com", "{name}");
        assert_eq!(closed.reason.as_deref(), Some("it was denied in Slack"), "{name}");
    }
}

#[test]
fn other_interactions_mean_nothing() {
    for (name, reason) in [
        ("slack-another-button", "neither `curfew_approve` nor `curfew_deny` was clicked"),
        ("slack-view-submission", "an interaction of type `view_submission`"),
        ("slack-shortcut", "an interaction of type `message_action`"),
    ] {
        let why = why(read_file(name));
        assert!(why.starts_with(reason), "{name}: {why}");
    }
}

#[test]
fn workspaces_can_be_named() {
    let config = format!("{CONFIG}workspaces = [\"T0123ABC456\"]\n");
    request(read_as(&config, &recorded("slack-approve")));
    let told = why(read_as(&config, &recorded("slack-another-workspace")));
    assert!(told.contains("workspace `T0EVIL00001` may not click"), "{told}");
    why(read_as(&config, &recorded("slack-enterprise-grid")));
    let config = format!("{CONFIG}workspaces = [\"E0123ABC456\"]\n");
    request(read_as(&config, &recorded("slack-enterprise-grid")));
    // Without names everybody's click is taken, as an approval of somebody whom nobody knows.
    let stranger = request(read_file("slack-another-workspace"));
    assert!(stranger.approvals[0].approver.is_unknown_account());
}

#[test]
fn what_is_wrong_with_a_click_is_told_with_its_place() {
    for (name, told) in [
        ("slack-two-buttons", "/payload/actions: has several"),
        ("slack-value-not-json", "/payload/actions/0/value: not valid JSON"),
        ("slack-value-unknown-field", "unknown field"),
        ("slack-value-repeated-field", "the field `requester` appears twice"),
        ("slack-value-end-and-duration", "has both `end` and `duration`"),
        ("slack-value-long", "is longer than 2000 characters"),
        ("slack-select-instead-of-button", "/payload/actions/0/value: is missing"),
        ("slack-no-user", "/payload/user/id: is missing"),
        ("slack-odd-time", "/payload/actions/0/action_ts"),
    ] {
        let found = problems(read_file(name));
        assert!(found.contains(told), "{name}: {found}");
    }
    let found = problems(read_file("slack-value-many-problems"));
    for field in ["ticket", "requester", "tenant", "role", "duration", "justification"] {
        assert!(found.contains(&format!("/payload/actions/0/value/{field}: ")), "{field}: {found}");
    }
    for body in
        ["", "payload", "payload=", "payload=%7B%7D&payload=%7B%7D", "Payload=%7B%7D", "{}", "payload=%ff"]
    {
        problems(sender(CONFIG).read(&delivery(body), &PEOPLE));
    }
}

#[test]
fn whoever_clicked_is_told_at_slack() {
    let reply_to = |config: &str, name: &str| sender(config).reply_to(&delivery(&form(&recorded(name))));
    let to = reply_to(CONFIG, "slack-approve").unwrap();
    assert_eq!(to.url(), "https://hooks.slack.com/actions/T0123ABC456/1232321423432/D09sSasdasdAS9091209");
    assert_eq!(format!("{to:?}"), "ReplyTo(…)");
    let body: Value = serde_json::from_str(&to.body("done <!channel> & \"more\"\n")).unwrap();
    assert_eq!(body["text"], "done &lt;!channel&gt; &amp; \"more\"\n");
    assert_eq!((&body["response_type"], &body["replace_original"]), (&json!("ephemeral"), &json!(false)));
    let long: Value = serde_json::from_str(&to.body(&"ü".repeat(5000))).unwrap();
    assert_eq!(long["text"].as_str().unwrap().chars().count(), ANSWER_LIMIT);

    // A mistake is told too.
    for name in ["slack-deny", "slack-value-not-json", "slack-two-buttons", "slack-no-user"] {
        assert!(reply_to(CONFIG, name).is_some(), "{name}");
    }
    for name in
        ["slack-response-elsewhere", "slack-another-button", "slack-view-submission", "slack-shortcut"]
    {
        assert!(reply_to(CONFIG, name).is_none(), "{name}");
    }
    let local = format!("{CONFIG}answers = \"http://127.0.0.1:4000\"\n");
    assert!(reply_to(&local, "slack-approve").is_none());
    let there = recorded("slack-approve").replace("https://hooks.slack.com", "http://127.0.0.1:4000");
    assert!(sender(&local).reply_to(&delivery(&form(&there))).is_some());
    for elsewhere in
        ["https://hooks.slack.com@example.com", "https://hooks.slack.com:8443", "http://hooks.slack.com"]
    {
        let there = recorded("slack-approve").replace("https://hooks.slack.com", elsewhere);
        assert!(sender(CONFIG).reply_to(&delivery(&form(&there))).is_none(), "{elsewhere}");
    }
    let text = format!(r#"{{"it":{{"current":"{CURRENT}"}}}}"#);
    assert!(
        Secrets::parse(&text, &senders("").unwrap()).is_err(),
        "another kind of sender has other secrets"
    );
}

#[test]
fn a_configuration_is_checked() {
    for (line, told) in [
        ("workspaces = [\"example\"]", "workspace `example` is not one"),
        ("workspaces = [\"T\"]", "workspace `T` is not one"),
        ("answers = \"https://example.com\"", "`answers` is"),
        ("answers = \"https://hooks.slack.com/\"", "`answers` is"),
        ("answers = \"http://10.0.0.1:80\"", "`answers` is"),
        ("answers = \"http://127.0.0.1:80/x\"", "`answers` is"),
        ("answers = \"http://x@127.0.0.1:80\"", "`answers` is"),
        ("fields = {}", "unknown field `fields`"),
    ] {
        let found = senders(&format!("{CONFIG}{line}\n")).map(|_| ()).unwrap_err();
        assert!(found.contains(told), "{line}: {found}");
    }
    for origin in ["http://127.0.0.1:4000", "http://localhost:1", "http://[::1]:8080"] {
        assert!(is_loopback_origin(origin), "{origin}");
    }
}

/// Whatever is sent by somebody with the secret: never a panic, and never an approver who did not click.
#[test]
fn no_payload_makes_a_panic() {
    let kind: Sender = sender(CONFIG);
    let mut approved = 0;
    for (name, text) in payloads("slack") {
        for payload in std::iter::once(text.clone()).chain(maimed(&text)) {
            let delivery = delivery(&form(&payload));
            let _ = kind.reply_to(&delivery);
            if let Ok(Reading::Notice(Notice::Approved(request))) = kind.read(&delivery, &PEOPLE) {
                approved += 1;
                assert_eq!(request.approvals.len(), 1, "{name}");
                let approver = &request.approvals[0].approver;
                assert!(approver.as_str() == "ben@example.com" || approver.is_unknown_account(), "{name}");
            }
        }
    }
    assert!(approved > 100, "{approved}");
}
