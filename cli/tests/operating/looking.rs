//! `grants`, `show`, and the list of `review`.

use curfew_domain::effect::{Found, Proof};
use curfew_domain::event::{Actor, Chain, Decided, Event, Fact};
use curfew_domain::grant::Outcome;
use curfew_domain::ids::{GrantId, Source};
use curfew_domain::request::AccessRequest;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Desk, NOW, assert_says};

const ID: &str = "g-abcdefghijklmnopqrstuvwxyz";
const OTHER: &str = "g-bcdefghijklmnopqrstuvwxyza";

fn live(id: &str, standing: &str, starts_at: &str, expires_at: &str) -> Value {
    json!({
        "standing": standing, "grant_id": id, "person": "ana@example.com", "tenant": "acme", "role": "prod-readonly",
        "principal": "arn:aws:iam::111122223333:user/ana", "source": "servicenow", "ticket": "CHG0030192",
        "state": "active", "starts_at": starts_at, "expires_at": expires_at, "due_at": expires_at,
        "privileged": false, "failures": 0, "something_new": { "of": "a later version" },
    })
}

fn overview(grants: Vec<Value>) -> Value {
    json!({
        "ok": true, "as_of": NOW, "grants": grants, "reviews_owed": [], "truncated": false,
        "reviews_truncated": false,
    })
}

#[test]
fn what_is_live_is_listed_with_the_urgent_in_capitals() {
    let mut answer = overview(vec![
        live(OTHER, "overdue", "2026-11-21T09:00:00Z", "2026-11-21T10:20:00Z"),
        live(ID, "active", "2026-11-21T09:00:00Z", "2026-11-21T11:00:00Z"),
        live(ID, "waiting", "2026-11-22T09:00:00Z", "2026-11-22T11:00:00Z"),
    ]);
    answer["reviews_owed"] = json!([{ "grant_id": ID }]);
    let desk = Desk::new("grants").function(&answer);
    let run = desk.run(&["grants"]);
    let expected = "\
GRANT                         PERSON           ROLE           TENANT  TICKET      STANDING  UNTIL
g-bcdefghijklmnopqrstuvwxyza  ana@example.com  prod-readonly  acme    CHG0030192  OVERDUE   2026-11-21 10:20:00Z       8m ago
g-abcdefghijklmnopqrstuvwxyz  ana@example.com  prod-readonly  acme    CHG0030192  active    2026-11-21 11:00:00Z       in 32m
g-abcdefghijklmnopqrstuvwxyz  ana@example.com  prod-readonly  acme    CHG0030192  waiting   from 2026-11-22 09:00:00Z  in 22h 32m

3 grants live as of 2026-11-21 10:28:00Z
what was granted in the last seconds may not be listed yet
1 review owed: `curfew review` lists them
";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, expected, ""));
    let [call] = desk.calls().try_into().expect("one call");
    assert_eq!(
        call.line(),
        "--output json --cli-read-timeout 120 lambda invoke --function-name curfew-console --payload fileb:///dev/stdin \
         /dev/stdout"
    );
    assert_eq!(call.payload, json!({ "format": "json", "list": {} }));
}

#[test]
fn filters_region_profile_endpoint_and_stack_are_handed_on() {
    let desk = Desk::new("handed-on").function(&overview(vec![]));
    let run = desk.run(&[
        "grants",
        "--tenant",
        "acme",
        "--person",
        "Ana@Example.com",
        "--ticket",
        "CHG-1",
        "--stack",
        "curfew-prod",
        "--region",
        "eu-central-1",
        "--profile",
        "ops",
        "--endpoint-url",
        "http://127.0.0.1:4566",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(&run.out, &["nobody has access", "0 grants live"]);
    let [call] = desk.calls().try_into().expect("one call");
    let expected = "--region eu-central-1 --profile ops --endpoint-url http://127.0.0.1:4566 --output json ";
    assert!(call.line().starts_with(expected), "{}", call.line());
    assert_says(&call.line(), &["--function-name curfew-prod-console"]);
    assert_eq!(
        call.payload["list"],
        json!({ "tenant": "acme", "person": "ana@example.com", "ticket": "CHG-1" })
    );
}

#[test]
fn the_stack_is_that_of_the_environment_unless_it_is_named() {
    for (named, function) in [(&[][..], "curfew-test-console"), (&["--stack", "other"], "other-console")] {
        let desk = Desk::new(&format!("environment-{}", named.len())).function(&overview(vec![]));
        let arguments = [&["grants"], named].concat();
        let run = crate::support::run(desk.command(&arguments).env("CURFEW_STACK", "curfew-test"));
        assert_eq!(run.code, 0, "{run:?}");
        assert_says(&desk.calls()[0].line(), &[function]);
    }
    let desk = Desk::new("environment-bad");
    let run = crate::support::run(desk.command(&["grants"]).env("CURFEW_STACK", "--profile"));
    assert_eq!(run.code, 1);
    assert_says(&run.err, &["CURFEW_STACK is not usable"]);
    assert!(desk.calls().is_empty());
}

#[test]
fn what_was_not_listed_or_not_readable_is_said() {
    let mut answer = overview(vec![]);
    answer["truncated"] = json!(true);
    answer["unreadable"] = json!(["grant g-1 has no `tenant`\u{1b}[2K"]);
    let run = Desk::new("truncated").function(&answer).run(&["grants"]);
    assert_eq!(run.code, 0);
    assert_says(&run.out, &["NOT ALL LISTED", "NOT READABLE: grant g-1 has no `tenant`\\u{1b}[2K"]);
}

#[test]
fn json_is_what_the_function_answered() {
    let answer = overview(vec![live(ID, "active", NOW, NOW)]);
    let run = Desk::new("grants-json").function(&answer).run(&["grants", "--json"]);
    assert_eq!((run.code, serde_json::from_str(&run.out).ok()), (0, Some(answer)));
    let no = json!({ "ok": false, "message": "the ledger does not answer", "hint": "wait" });
    let run = Desk::new("grants-json-no").function(&no).run(&["grants", "--json"]);
    assert_eq!((run.code, serde_json::from_str(&run.out).ok()), (1, Some(no)));
}

#[test]
fn owed_reviews_are_listed_without_what_is_live() {
    let mut answer = overview(vec![live(ID, "active", NOW, NOW)]);
    answer["reviews_owed"] = json!([
        {
            "grant_id": ID, "since": "2026-11-18T08:00:00Z", "person": "ben@example.com", "tenant": "acme",
            "role": "break-glass", "ticket": "INC7", "outcome": "expired",
        },
        { "grant_id": OTHER, "since": "2026-11-21T10:00:00Z", "person": "eve@example.com" },
    ]);
    let expected = "\
GRANT                         PERSON           ROLE         TENANT  TICKET  ENDED    OWED SINCE
g-abcdefghijklmnopqrstuvwxyz  ben@example.com  break-glass  acme    INC7    expired  2026-11-18 08:00:00Z  3d 2h ago
g-bcdefghijklmnopqrstuvwxyza  eve@example.com  -            -       -       not yet  2026-11-21 10:00:00Z  28m ago

once it has ended: `curfew review <grant> --note '<what you found>'`
";
    let run = Desk::new("reviews").function(&answer).run(&["review"]);
    assert_eq!((run.code, run.out.as_str()), (0, expected));
    let run = Desk::new("reviews-json").function(&answer).run(&["review", "--json"]);
    let told: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!((&told["reviews_owed"], &told["grants"]), (&answer["reviews_owed"], &json!([])));
    let run = Desk::new("reviews-none").function(&overview(vec![])).run(&["review"]);
    assert_says(&run.out, &["no review is owed"]);
}

/// A grant's events as the ledger has them, in a chain, and its end.
fn story() -> (Vec<Value>, Chain) {
    let proof = |found: Found, at: &str, request: &str| Proof {
        found,
        at: time(at),
        aws_request_id: Some(request.to_owned()),
        unsettled: false,
    };
    let request: AccessRequest = serde_json::from_value(json!({
        "source": "servicenow", "ticket": "CHG0030192", "requester": "ana@example.com", "tenant": "acme",
        "role": "prod-readonly", "window": {}, "approvals": [{ "approver": "carl@example.com", "at": "2026-11-21T08:59:00Z" }],
        "justification": "look at \u{1b}[2J orders", "delivery": "d-1",
    }))
    .expect("a request");
    let decided =
        Decided { catalog_digest: "c".repeat(64), guardrails_digest: "d".repeat(64), permitted_by: vec![] };
    let facts = [
        (
            "2026-11-21T09:00:00Z",
            Actor::Source(Source::new("servicenow").expect("a source")),
            Fact::Requested { request: Box::new(request), decided },
        ),
        ("2026-11-21T10:00:00Z", Actor::Timer, Fact::Expired {}),
        (
            "2026-11-21T10:00:02Z",
            Actor::RevokeFunction,
            Fact::Revoked {
                outcome: Outcome::Expired,
                access: proof(Found::Deleted, "2026-11-21T10:00:02Z", "r-2"),
                timer: None,
            },
        ),
    ];
    let mut end = Chain::new();
    let mut events = Vec::new();
    for (at, actor, fact) in facts {
        let grant_id = GrantId::new(ID).expect("an id");
        let event = Event { grant_id, seq: end.seq + 1, at: time(at), actor, fact, prev: end.head.clone() };
        end = Chain { seq: event.seq, head: event.digest() };
        events.push(json!(event));
    }
    (events, end)
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn shown(events: &[Value], end: &Chain) -> Value {
    json!({
        "ok": true, "as_of": NOW, "events": events, "events_left_out": 0,
        "grant": {
            "grant_id": ID, "state": "closed", "outcome": "expired", "starts_at": "2026-11-21T09:00:00Z",
            "expires_at": "2026-11-21T10:00:00Z", "principal": "arn:aws:iam::111122223333:user/ana",
            "permitted_by": ["standard"], "review": { "name": "owed", "since": "2026-11-21T09:00:00Z" }, "chain": end,
        },
    })
}

#[test]
fn a_story_is_told_from_its_beginning() {
    let (events, end) = story();
    let desk = Desk::new("show").function(&shown(&events, &end));
    let run = desk.run(&["show", ID]);
    let expected = "\
grant      g-abcdefghijklmnopqrstuvwxyz
state      closed (expired)
starts     2026-11-21 09:00:00Z (1h 28m ago)
ends       2026-11-21 10:00:00Z (28m ago)
to         arn:aws:iam::111122223333:user/ana
permitted  standard
review     OWED since 2026-11-21T09:00:00Z
asked      ana@example.com by ticket CHG0030192 of servicenow
because    look at \\u{1b}[2J orders
approved   carl@example.com at 2026-11-21T08:59:00Z
what       role prod-readonly in tenant acme

2026-11-21 09:00:00Z  1h 28m ago   Requested            by source servicenow, signature verified
2026-11-21 10:00:00Z  28m ago      Expired              by the expiry timer
2026-11-21 10:00:02Z  27m 58s ago  Revoked              expired; AWS confirmed that the access is gone (deleted, request r-2)

3 events, each sealed with the digest of the one before it: unbroken
";
    assert_eq!((run.code, run.out.as_str()), (0, expected), "{run:?}");
    assert_eq!(desk.calls()[0].payload, json!({ "format": "json", "show": ID }));
}

#[test]
fn a_story_that_was_tampered_with_or_is_not_whole_says_so() {
    let (events, end) = story();
    let mut changed = events.clone();
    changed[1]["actor"] = json!({ "kind": "sweep" });
    let mut unknown = events.clone();
    unknown[1]["fact"] = json!({ "type": "Danced" });
    let left_out = {
        let mut it = shown(&events, &end);
        it["events_left_out"] = json!(7);
        it
    };
    let told = {
        let mut it = shown(&events, &end);
        it["chain_problem"] = json!("event 3 stands\u{1b} where");
        it
    };
    for (number, (answer, code, parts)) in [
        (shown(&changed, &end), 1, &["BROKEN: event 3 does not follow"][..]),
        (shown(&events[..2], &end), 1, &["BROKEN: the last event is number 2, but the grant says 3"]),
        (shown(&[], &end), 1, &["BROKEN: there is no event"]),
        (shown(&unknown, &end), 0, &["does not know: {", "Danced", "of 3 events 1 are not known"]),
        (left_out, 0, &["7 more events are not shown"]),
        (told, 1, &["BROKEN: event 3 stands\\u{1b} where"]),
    ]
    .into_iter()
    .enumerate()
    {
        let run = Desk::new(&format!("show-{number}")).function(&answer).run(&["show", ID]);
        assert_eq!(run.code, code, "{run:?}");
        assert_says(&run.out, parts);
        assert!(!run.out.contains("unbroken"), "{}", run.out);
    }
}
