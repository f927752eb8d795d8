//! GitLab: approvals of merge requests and deployments, and both as leashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use jiff::SignedDuration;
use sha2::Sha256;

use super::super::payload::tests::{
    Few, NOW, at, closed, maimed, payload, payloads, problems, request, sender, senders, why,
};
use super::*;
use crate::{Body, Nobody, Secrets, Unverified};
use curfew_domain::decision::JUSTIFICATION_LIMIT;
use curfew_domain::request::{Notice, WindowEnd};

const CONFIG: &str = r#"
[source.it]
kind = "gitlab"

[source.it.projects."platform/access"]
tenant = "example"
role = "prod-ops"
duration = "1h"

[source.it.projects."platform/orders".environments.production]
tenant = "example"
role = "prod-deploy"
"#;

const PEOPLE: Few = Few(&[("51", "ana@example.com"), ("6", "bo@example.com")]);

/// A signing token as GitLab makes it: 32 bytes.
const TOKEN: &str = "yP1mYJ7l0sXb9o5cQk3tRz8wVn2dGf6hAu4eTi0jKqE=";
const ID: &str = "0f3c1b7e-5a44-4a0e-9b1f-2d6f6f0a7c11";

fn verify_at(now: &str, id: &str, body: &str, signed: &str) -> Result<VerifiedDelivery, Unverified> {
    let sent = at(NOW).as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(TOKEN).unwrap()).unwrap();
    mac.update(format!("{ID}.{sent}.{signed}").as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", id.parse().unwrap());
    headers.insert("webhook-timestamp", sent.into());
    headers.insert(
        "webhook-signature",
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())).parse().unwrap(),
    );
    headers.insert("x-gitlab-token", "whatever".parse().unwrap());
    let senders = senders(CONFIG).unwrap();
    let secrets = Secrets::parse(&format!(r#"{{"it":{{"current":"whsec_{TOKEN}"}}}}"#), &senders).unwrap();
    senders.of("it").verify("it", &headers, Body::decode(body, false).unwrap(), &secrets, at(now))
}

fn read_as(config: &str, body: &str) -> Result<Reading, Malformed> {
    sender(config).read(&verify_at(NOW, ID, body, body).unwrap(), &PEOPLE)
}

fn read(name: &str) -> Result<Reading, Malformed> {
    read_as(CONFIG, &payload(name))
}

#[test]
fn an_approved_merge_request_is_a_request_of_its_author() {
    let request = request(read("gitlab-merge-request-approved"));
    assert_eq!(request.ticket.as_str(), "platform/access/merge_requests/17");
    assert_eq!(request.delivery.as_str(), ID);
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("example", "prod-ops"));
    let approval = Approval {
        approver: "bo@example.com".to_owned().try_into().unwrap(),
        at: at("2026-11-21T08:55:07Z"),
    };
    assert_eq!(request.approvals, [approval]);
    assert_eq!(request.basis, Basis::Approvals);
    assert_eq!(request.window.end, Some(WindowEnd::After(SignedDuration::from_hours(1))));
    let facts = &request.ticket_facts;
    assert_eq!((&*facts.sender, &*facts.kind, &*facts.state), ("gitlab", "merge-request", "approved"));
    assert_eq!(
        request.justification,
        "Access to orders: checkout fails for some customers \
         (https://gitlab.example.com/platform/access/-/merge_requests/17)"
    );
    // One more is required: an approval all the same.
    let one = super::tests::request(read("gitlab-merge-request-approval"));
    assert_eq!(one.digest(), request.digest());
}

#[test]
fn an_approval_is_as_old_as_the_payload_says() {
    for (name, time) in [
        ("gitlab-merge-request-approved", "2026-11-21T08:55:07Z"),
        ("gitlab-merge-request-approved-no-action-time", "2026-11-21T08:41:44Z"),
        ("gitlab-merge-request-approved-ruby-times", "2026-11-21T08:41:44Z"),
        ("gitlab-deployment-approved", "2026-11-21T08:55:35Z"),
    ] {
        assert_eq!(request(read(name)).approvals[0].at, at(time), "{name}");
    }
    // Sent again later, it is signed anew and still the same request.
    let body = payload("gitlab-merge-request-approved");
    let later = verify_at("2026-11-21T09:04:00Z", ID, &body, &body).unwrap();
    let later = request(sender(CONFIG).read(&later, &PEOPLE));
    assert_eq!(later.digest(), request(read("gitlab-merge-request-approved")).digest());
}

#[test]
fn who_approved_is_told_as_it_is_also_if_it_was_the_author() {
    let own = request(read("gitlab-merge-request-approved-by-author"));
    assert_eq!(own.requester, own.approvals[0].approver);
    let body = payload("gitlab-merge-request-approved").replace("\"id\": 6,", "\"id\": 31337,");
    let stranger = request(read_as(CONFIG, &body));
    assert_eq!(stranger.approvals[0].approver.as_str(), "it.31337@unknown-account.invalid");
}

#[test]
fn only_open_merge_requests_of_configured_projects_ask() {
    assert!(why(read("gitlab-merge-request-approved-merged")).contains("its state is `merged`"));
    assert!(
        why(read("gitlab-merge-request-approved-other-project")).contains("project `ana.garcia/playground`")
    );
    let body = payload("gitlab-merge-request-approved").replace("platform/access", "platform/orders");
    assert!(why(read_as(CONFIG, &body)).contains("ask for no access"));
    let body = payload("gitlab-merge-request-approved").replace("platform/access", "Platform/Access");
    assert_eq!(request(read_as(CONFIG, &body)).role.as_str(), "prod-ops");
}

#[test]
fn a_merge_request_that_ends_or_loses_an_approval_closes_the_ticket() {
    for (name, by, reason) in [
        ("gitlab-merge-request-unapproved", "bo@example.com", "an approval was taken back"),
        ("gitlab-merge-request-unapproval", "bo@example.com", "an approval was taken back"),
        ("gitlab-merge-request-unapproved-by-push", "ana@example.com", "GitLab reset its approvals"),
        ("gitlab-merge-request-close", "ana@example.com", "the merge request was closed"),
        ("gitlab-merge-request-merge", "bo@example.com", "the merge request was merged"),
    ] {
        let closed = closed(read(name));
        assert_eq!(closed.ticket.as_str(), "platform/access/merge_requests/17", "{name}");
        assert_eq!(closed.closed_by.unwrap().as_str(), by, "{name}");
        assert_eq!(closed.reason.as_deref(), Some(reason), "{name}");
    }
    assert_eq!(
        closed(read("gitlab-merge-request-close-other-project")).ticket.as_str(),
        "ana.garcia/playground/merge_requests/17"
    );
    let body = payload("gitlab-merge-request-close").replace("\"id\": 51,", "\"id\": null,");
    assert_eq!(closed(read_as(CONFIG, &body)).closed_by, None);
    let delivery = verify_at(NOW, ID, &body, &body).unwrap();
    assert!(closed(sender(CONFIG).read(&delivery, &Nobody)).ticket.as_str().ends_with("/17"));
}

#[test]
fn an_approved_deployment_is_a_request_of_whoever_started_it() {
    let request = request(read("gitlab-deployment-approved"));
    assert_eq!(request.ticket.as_str(), "platform/orders/deployments/150325");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!(request.approvals[0].approver.as_str(), "bo@example.com");
    assert_eq!((request.role.as_str(), request.window.end), ("prod-deploy", None));
    assert_eq!(request.ticket_facts.kind, "deployment");
    assert_eq!(
        request.justification,
        "Orders 2026.11.3 (deployment to production, https://gitlab.example.com/platform/orders/-/jobs/1566421)"
    );
    assert!(why(read("gitlab-deployment-approved-other-environment")).contains("environment `review/7`"));
    let told = problems(read("gitlab-deployment-approved-no-approval"));
    assert_eq!(
        told,
        "/approver/id: is missing, and should be a whole number\n/approval/created_at: is missing, and should be a text"
    );
}

#[test]
fn a_deployment_that_is_not_carried_out_closes_the_ticket() {
    for (name, by) in [
        ("gitlab-deployment-rejected", Some("bo@example.com")),
        ("gitlab-deployment-canceled", None),
        ("gitlab-deployment-skipped", None),
    ] {
        let closed = closed(read(name));
        assert_eq!(closed.ticket.as_str(), "platform/orders/deployments/150325", "{name}");
        assert_eq!(closed.closed_by.as_ref().map(|by| by.as_str()), by, "{name}");
    }
}

#[test]
fn other_events_say_nothing() {
    for name in [
        "gitlab-merge-request-open",
        "gitlab-merge-request-reopen",
        "gitlab-merge-request-update",
        "gitlab-deployment-blocked",
        "gitlab-deployment-success",
        "gitlab-deployment-failed",
        "gitlab-note",
        "gitlab-push",
    ] {
        let why = why(read(name));
        assert!(why.contains("neither gives nor takes access"), "{name}: {why}");
    }
}

#[test]
fn what_is_not_as_documented_is_told_with_its_place() {
    for (name, told) in [
        ("gitlab-merge-request-approved-no-user-id", "/user/id: is missing, and should be a whole number"),
        ("gitlab-merge-request-approved-user-list", "/user/id: is missing, and should be a whole number"),
        (
            "gitlab-merge-request-approved-null-author",
            "/object_attributes/author_id: is `null`, and should be",
        ),
        (
            "gitlab-merge-request-approved-text-iid",
            "/object_attributes/iid: is `\\\"17\\\"`, and should be a whole number",
        ),
        ("gitlab-repeated-action", "not valid JSON"),
    ] {
        let problems = problems(read(name));
        assert!(problems.contains(told), "{name}: {problems}");
    }
    let config =
        CONFIG.replace("platform/access", &format!("platform/{}access", "very-long-group/".repeat(5)));
    let body = payload("gitlab-merge-request-approved")
        .replace("platform/access\"", &format!("platform/{}access\"", "very-long-group/".repeat(5)));
    let told = problems(read_as(&config, &body));
    assert!(told.contains("is not valid: 1 to 100 of"), "{told}");
    assert!(why(read("gitlab-merge-request-approved-long-path")).contains("no access is configured"));
}

#[test]
fn a_title_becomes_a_justification_whatever_it_is() {
    let ugly = request(read("gitlab-merge-request-approved-ugly-title")).justification;
    assert!(ugly.starts_with("Draft: <b>x</b> アクセス [31m éé"), "{ugly}");
    assert!(ugly.ends_with("/merge_requests/17)"), "{ugly}");
    assert_eq!(ugly.chars().count(), JUSTIFICATION_LIMIT);
}

#[test]
fn a_configuration_that_can_not_be_meant_is_refused() {
    for (config, told) in [
        ("", "missing field `projects`"),
        ("[source.it.projects]", "no project has any access"),
        ("[source.it.projects.\"a/b\"]", "nothing in it asks for access"),
        ("[source.it.projects.a]\ntenant = \"a\"\nrole = \"b\"", "`a`: is no path"),
        ("[source.it.projects.\"a/*\"]\ntenant = \"a\"\nrole = \"b\"", "is no path"),
        ("[source.it.projects.\"a/b\"]\ntenant = \"a\"", "`tenant` and `role` go together"),
        ("[source.it.projects.\"a/b\"]\nduration = \"1h\"", "`duration` is for merge requests"),
        ("[source.it.projects.\"a/b\".environments.x]\ntenant = \"a\"", "missing field `role`"),
        (
            "[source.it.projects.\"a/b\"]\ntenant = \"a\"\nrole = \"b\"\nlabel = \"x\"",
            "unknown field `label`",
        ),
    ] {
        let error = senders(&format!("[source.it]\nkind = \"gitlab\"\n{config}\n")).unwrap_err();
        assert!(error.contains(told), "{config}: {error}");
    }
}

#[test]
fn only_what_the_signing_token_signed_is_believed_and_only_now() {
    let body = payload("gitlab-merge-request-approved");
    let delivery = verify_at(NOW, ID, &body, &body).unwrap();
    assert_eq!(delivery.sent_at(), Some(at(NOW)));
    let other = body.replace("\"author_id\": 51", "\"author_id\": 6");
    assert_eq!(verify_at(NOW, ID, &other, &body).unwrap_err().reason(), "signature-mismatch");
    assert_eq!(verify_at(NOW, "another-id", &body, &body).unwrap_err().reason(), "signature-mismatch");
    assert_eq!(verify_at("2026-11-21T09:05:01Z", ID, &body, &body).unwrap_err().reason(), "too-old");
    assert_eq!(verify_at("2026-11-21T08:54:59Z", ID, &body, &body).unwrap_err().reason(), "in-future");
}

#[test]
fn no_payload_makes_a_panic_and_a_request_is_always_complete() {
    for (name, text) in payloads("gitlab") {
        let _ = read_as(CONFIG, &text);
        if name == "gitlab-deployment-approved" || name == "gitlab-merge-request-approved" {
            for body in maimed(&text) {
                if let Ok(Reading::Notice(Notice::Approved(request))) = read_as(CONFIG, &body) {
                    assert!(!request.justification.trim().is_empty());
                    assert_eq!(request.approvals.len(), 1);
                }
            }
        }
    }
}
