//! No unsigned byte influences a decision.
//!
//! What decides is what [`kinds::Outcome::told`](crate::kinds::Outcome::told) shows: the reading, the delivery's id and
//! time, and where anybody would be asked or told. What a request has besides its headers and its body (the query, the
//! protocol, the caller's address) intake is not even given.

use curfew_domain::request::Notice;
use curfew_intake::Reading;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};

use crate::fixtures::{Fixture, answers, fixtures};
use crate::kinds::{Bench, KINDS, Kind, Outcome, headers, signed};

/// Headers that senders, proxies and attackers send, each with what somebody would gain by being believed.
const UNSIGNED: &[(&str, &str)] = &[
    ("authorization", "Bearer token"),
    ("content-encoding", "identity"),
    ("content-type", "text/plain"),
    ("cookie", "session=1"),
    ("date", "Sat, 21 Nov 2026 09:00:00 GMT"),
    ("digest", "SHA-256=4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo="),
    ("forwarded", "for=127.0.0.1"),
    ("from", "mallory@example.com"),
    ("host", "elsewhere.example"),
    ("idempotency-key", "1"),
    ("user-agent", "GitHub-Hookshot/0000000"),
    ("x-atlassian-token", "no-check"),
    ("x-atlassian-webhook-flow", "Primary"),
    ("x-atlassian-webhook-identifier", "1"),
    ("x-atlassian-webhook-retry", "1"),
    ("x-event-key", "jira:issue_updated"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "elsewhere.example"),
    ("x-forwarded-user", "mallory@example.com"),
    ("x-github-delivery", "7f4b2c6e-0000-4000-8000-000000000001"),
    ("x-github-event", "deployment_review"),
    ("x-github-event", "issues"),
    ("x-github-hook-id", "1"),
    ("x-github-hook-installation-target-id", "1"),
    ("x-github-hook-installation-target-type", "organization"),
    ("x-gitlab-event", "Merge Request Hook"),
    ("x-gitlab-event-uuid", "7f4b2c6e-0000-4000-8000-000000000001"),
    ("x-gitlab-instance", "https://elsewhere.example"),
    ("x-gitlab-token", "token"),
    ("x-gitlab-webhook-uuid", "7f4b2c6e-0000-4000-8000-000000000002"),
    ("x-http-method-override", "DELETE"),
    ("x-original-url", "/webhooks/standard"),
    ("x-pagerduty-event", "incident.resolved"),
    ("x-request-id", "1"),
    ("x-servicenow-table", "change_request"),
    ("x-servicenow-user", "admin"),
    ("x-slack-retry-num", "1"),
    ("x-slack-retry-reason", "http_timeout"),
    ("x-webhook-id", "7f4b2c6e-0000-4000-8000-000000000003"),
    ("x-webhook-subscription", "PSUB001"),
    // What other kinds sign. A kind's own are left out for it.
    ("webhook-id", "msg_other"),
    ("webhook-signature", "v1,AAAA"),
    ("webhook-timestamp", "1"),
    ("x-hub-signature", "sha1=0000000000000000000000000000000000000000"),
    ("x-hub-signature-256", "sha256=00"),
    ("x-pagerduty-signature", "v1=00"),
    ("x-slack-request-timestamp", "1"),
    ("x-slack-signature", "v0=00"),
];

type Pairs = Vec<(String, String)>;

fn own(kind: Kind) -> Pairs {
    kind.sign("").into_iter().map(|(name, _)| (name.to_owned(), String::new())).collect()
}

/// The headers above that a kind does not sign.
fn unsigned_by(kind: Kind) -> Pairs {
    let own = own(kind);
    let others = UNSIGNED.iter().filter(|(name, _)| !own.iter().any(|(signed, _)| signed == name));
    others.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Delivers a payload with these headers in front of and behind the signed ones.
fn outcome(bench: &Bench, fixture: &Fixture, before: &Pairs, after: &Pairs, shout: bool) -> String {
    let body = fixture.kind.body(&fixture.text);
    let mut pairs = before.clone();
    pairs.extend(fixture.kind.sign(&body).into_iter().map(|(name, value)| (name.to_owned(), value)));
    pairs.extend(after.iter().cloned());
    if shout {
        pairs.iter_mut().for_each(|(name, _)| *name = name.to_ascii_uppercase());
    }
    let headers = headers(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    told(bench, fixture, &headers).told()
}

fn told(bench: &Bench, fixture: &Fixture, headers: &http::HeaderMap) -> Outcome {
    let body = fixture.kind.body(&fixture.text);
    let answers = answers(fixture.kind);
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    bench
        .deliver(fixture.kind, headers, &body, &answers)
        .unwrap_or_else(|why| panic!("{}: {why}", fixture.name))
}

fn plain(bench: &Bench, fixture: &Fixture) -> Outcome {
    told(bench, fixture, &signed(fixture.kind, &fixture.kind.body(&fixture.text)))
}

/// Or the properties would be about nothing.
#[test]
fn every_kind_gives_access_and_takes_it() {
    let bench = Bench::new();
    for kind in KINDS {
        let (mut approved, mut closed) = (0, 0);
        for fixture in fixtures(kind) {
            match plain(&bench, &fixture).reading {
                Ok(Reading::Notice(Notice::Approved(_))) => approved += 1,
                Ok(Reading::Notice(Notice::TicketClosed(_))) => closed += 1,
                _ => {}
            }
        }
        assert!(approved > 0 && closed > 0, "{}: {approved} approvals, {closed} closed tickets", kind.name);
    }
}

#[test]
fn a_header_that_is_not_signed_changes_nothing() {
    let bench = Bench::new();
    for kind in KINDS {
        let noise = unsigned_by(kind);
        assert!(noise.len() >= UNSIGNED.len() - 3);
        for fixture in fixtures(kind) {
            let expected = plain(&bench, &fixture).told();
            for header in &noise {
                let with = outcome(&bench, &fixture, &vec![header.clone()], &Vec::new(), false);
                assert_eq!(with, expected, "{}: by {header:?}", fixture.name);
            }
        }
    }
}

/// In any number, order and case, repeated, with any value.
#[test]
fn headers_that_are_not_signed_change_nothing_together() {
    let bench = Bench::new();
    for kind in KINDS {
        let fixtures = fixtures(kind);
        let noise = unsigned_by(kind);
        let some = || {
            let known = subsequence(noise.clone(), 0..noise.len()).prop_shuffle();
            let odd = (select(noise.clone()), "[ -~]{0,40}").prop_map(|((name, _), value)| (name, value));
            let own = own(kind);
            let strange = ("x-[a-z]{1,12}", "[ -~]{0,40}")
                .prop_filter("is signed", move |(name, _)| !own.iter().any(|(signed, _)| signed == name));
            let more = prop::collection::vec(prop_oneof![odd, strange], 0..8);
            (known, more).prop_map(|(known, more)| [known, more].concat())
        };
        let cases = (select(fixtures), some(), some(), any::<bool>());
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(256) });
        let held = runner.run(&cases, |(fixture, before, after, shout)| {
            let expected = plain(&bench, &fixture).told();
            prop_assert_eq!(outcome(&bench, &fixture, &before, &after, shout), expected, "{}", fixture.name);
            Ok(())
        });
        held.unwrap_or_else(|error| panic!("{}: {error}", kind.name));
    }
}
