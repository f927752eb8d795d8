//! Test support: grants in every state, made from JSON so that they need no catalog.

use curfew_domain::access::{Access, AgentRole, Route};
use curfew_domain::effect::AccessChange;
use curfew_domain::event::{Actor, Event};
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::principal::Principal;
use curfew_domain::transition::BeginClosing;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const ID: &str = "g-aaaaaaaaaaaaaaaaaaaaaaaaa7";
pub(crate) const OTHER_ID: &str = "g-bbbbbbbbbbbbbbbbbbbbbbbbb2";
pub(crate) const USER: &str = "arn:aws:iam::111122223333:user/eng/ana";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/Ops";
pub(crate) const POLICY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";
pub(crate) const OPENED_AT: &str = "2026-11-21T01:02:03Z";
pub(crate) const LEASE_UNTIL: &str = "2026-11-21T01:03:03Z";
pub(crate) const EXPIRES_AT: &str = "2026-11-21T02:02:03Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn inline(principal: &str) -> Access {
    Access::Inline {
        principal: Principal::parse(principal).unwrap(),
        policy_name: format!("curfew-{ID}"),
        document: r#"{"Version":"2012-10-17"}"#.to_owned(),
    }
}

pub(crate) fn managed(principal: &str) -> Access {
    Access::Managed { principal: Principal::parse(principal).unwrap(), policy_arn: POLICY.to_owned() }
}

pub(crate) fn agent() -> AgentRole {
    AgentRole {
        role_arn: "arn:aws:iam::111122223333:role/curfew-agent".to_owned(),
        external_id: "acme-7f3a".to_owned(),
    }
}

pub(crate) fn change(access: Access, agent: Option<AgentRole>) -> AccessChange {
    AccessChange {
        route: Route { account: "111122223333".to_owned(), agent },
        access,
        ..grant(opening()).access_change()
    }
}

pub(crate) fn opening() -> Value {
    json!({ "name": "opening", "lease_until": LEASE_UNTIL })
}

pub(crate) fn active() -> Value {
    json!({ "name": "active", "activated_at": "2026-11-21T01:02:05Z" })
}

pub(crate) fn closing() -> Value {
    json!({
        "name": "closing", "cause": "revoked", "actor": { "kind": "operator", "name": "Ops on duty" },
        "reason": "incident", "begun_at": "2026-11-21T01:30:00Z", "settle_after": "2026-11-21T01:30:00Z",
        "failures": 2, "retry_at": "2026-11-21T01:32:00Z"
    })
}

pub(crate) fn closed() -> Value {
    json!({
        "name": "closed", "outcome": "revoked", "closed_at": "2026-11-21T01:30:02Z",
        "proof": { "found": "deleted", "at": "2026-11-21T01:30:01Z", "aws_request_id": "r-9" }
    })
}

/// A change of the window that AWS has not confirmed, under a lease.
pub(crate) fn changing() -> Value {
    json!({
        "name": "active", "activated_at": "2026-11-21T01:02:05Z", "unsettled_until": LEASE_UNTIL,
        "changing": { "previous_end": EXPIRES_AT }
    })
}

fn grant_json(state: Value) -> Value {
    json!({
        "id": ID, "version": 1,
        "request": {
            "source": "itsm", "ticket": "CHG0030192", "requester": "ana@example.com", "tenant": "acme",
            "role": "prod-ops", "window": {}, "justification": "restart the queue", "delivery": "msg_1",
            "approvals": [{ "approver": "bo@example.com", "at": "2026-11-21T01:00:00Z" }]
        },
        "request_digest": "d1", "attempt": 0, "access": inline(USER),
        "route": { "account": "111122223333", "agent": agent() },
        "window": { "starts_at": OPENED_AT, "expires_at": EXPIRES_AT },
        "timer": {
            "kind": "scheduler", "name": format!("curfew-{ID}"), "fires_at": "2026-11-21T02:03:00Z",
            "overdue_at": "2026-11-21T02:04:00Z"
        },
        "catalog_digest": "c1", "guardrails_digest": "g1", "permitted_by": ["approved"], "approved_at": OPENED_AT, "opened_at": OPENED_AT, "chain": { "seq": 0, "head": "" }, "state": state
    })
}

pub(crate) fn grant(state: Value) -> Grant {
    serde_json::from_value(grant_json(state)).unwrap()
}

pub(crate) fn grant_with(state: Value, access: &Access, version: u64) -> Grant {
    let mut grant = grant_json(state);
    grant["access"] = json!(access);
    grant["version"] = json!(version);
    serde_json::from_value(grant).unwrap()
}

/// A grant of a privileged role.
pub(crate) fn privileged(state: Value) -> Grant {
    let mut grant = grant_json(state);
    grant["privileged"] = json!(true);
    serde_json::from_value(grant).unwrap()
}

/// A grant with a review.
pub(crate) fn reviewed(state: Value, review: Value) -> Grant {
    let mut grant = grant_json(state);
    grant["review"] = review;
    serde_json::from_value(grant).unwrap()
}

pub(crate) fn event(seq: u32) -> Event {
    serde_json::from_value(json!({
        "grant_id": ID, "seq": seq, "at": "2026-11-21T01:30:00Z",
        "actor": { "kind": "operator", "name": "Ops on duty" },
        "fact": { "type": "RevocationRequested", "reason": "Störung, Ticket \"INC-7\"" }, "prev": "00"
    }))
    .unwrap()
}

pub(crate) fn begin(cause: Cause, actor: Actor) -> BeginClosing {
    BeginClosing { cause, actor, reason: "for a test".to_owned(), settled: false }
}

/// Whole seconds over some centuries.
fn any_time() -> impl Strategy<Value = String> {
    (0_i64..7_000_000_000).prop_map(|second| Timestamp::from_second(second).unwrap().to_string())
}

fn any_actor() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({ "kind": "timer" })),
        Just(json!({ "kind": "sweep" })),
        Just(json!({ "kind": "person", "name": "ana@example.com" })),
        "[a-z ]{0,20}x".prop_map(|name| json!({ "kind": "operator", "name": name })),
    ]
}

fn any_proof() -> impl Strategy<Value = Value> {
    (
        any_time(),
        proptest::option::of("[a-z0-9-]{1,40}"),
        proptest::sample::select(vec!["deleted", "absent", "held_by_others"]),
    )
        .prop_map(|(at, id, found)| match id {
            Some(id) => json!({ "found": found, "at": at, "aws_request_id": id }),
            None => json!({ "found": found, "at": at }),
        })
}

fn any_review() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(Value::Null),
        1 => any_time().prop_map(|since| json!({ "name": "owed", "since": since })),
        1 => any_time().prop_map(|at| json!({ "name": "done", "at": at })),
    ]
}

fn any_basis() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({ "kind": "approvals" })),
        any_time().prop_map(|since| json!({ "kind": "on-call", "since": since })),
        any_time().prop_map(|since| json!({ "kind": "break-glass", "since": since })),
    ]
}

fn any_state() -> impl Strategy<Value = Value> {
    let cause = proptest::sample::select(vec!["expired", "revoked", "opening_failed", "abandoned"]);
    let outcome = proptest::sample::select(vec!["expired", "revoked", "failed"]);
    prop_oneof![
        any_time().prop_map(|at| json!({ "name": "opening", "lease_until": at })),
        any_time().prop_map(|at| json!({ "name": "active", "activated_at": at })),
        (any_time(), any_time(), any_time()).prop_map(|(at, until, end)| json!({
            "name": "active", "activated_at": at, "unsettled_until": until, "changing": { "previous_end": end }
        })),
        (cause, any_actor(), ".{0,40}", any_time(), any_time(), any::<u32>(), any_time()).prop_map(
            |(cause, actor, reason, begun_at, settle_after, failures, retry_at)| json!({
                "name": "closing", "cause": cause, "actor": actor, "reason": reason, "begun_at": begun_at,
                "settle_after": settle_after, "failures": failures, "retry_at": retry_at
            })
        ),
        (outcome, any_time(), any_proof()).prop_map(|(outcome, closed_at, proof)| json!({
            "name": "closed", "outcome": outcome, "closed_at": closed_at, "proof": proof
        })),
    ]
}

/// Grants of every shape that the domain can hold.
pub(crate) fn any_grant() -> impl Strategy<Value = Grant> {
    let window = (0_i64..7_000_000_000, 1_i64..90_000).prop_map(|(start, length)| {
        let time = |second| Timestamp::from_second(second).unwrap();
        json!({ "starts_at": time(start), "expires_at": time(start + length) })
    });
    let asked = prop_oneof![
        Just(json!({})),
        any_time().prop_map(|at| json!({ "end": { "at": at } })),
        (any_time(), 1_i64..90_000).prop_map(
            |(at, span)| json!({ "starts_at": at, "end": { "after": jiff::SignedDuration::from_secs(span) } })
        ),
    ];
    let access = (proptest::sample::select(vec![USER, ROLE]), any::<bool>(), ".{0,200}").prop_map(
        |(principal, shared, document)| match (shared, inline(principal)) {
            (false, Access::Inline { principal, policy_name, .. }) => {
                Access::Inline { principal, policy_name, document }
            }
            _ => managed(principal),
        },
    );
    let kind = proptest::sample::select(vec!["scheduler", "rule"]);
    let superseded = proptest::collection::vec("[0-9a-f]{64}", 0..3);
    let permitted_by = proptest::collection::vec("[a-z][a-z0-9-]{0,20}", 0..3);
    let was_changed = (any::<bool>(), superseded, any_review(), any_basis(), permitted_by);
    (
        any_state(),
        window,
        asked,
        access,
        kind,
        any::<bool>(),
        1_u64..=u64::MAX,
        any::<u32>(),
        ".{0,80}",
        was_changed,
    )
        .prop_map(
            |(state, window, asked, access, kind, own, version, seq, justification, was_changed)| {
                let mut grant = grant_json(state);
                grant["privileged"] = json!(was_changed.0);
                grant["superseded"] = json!(was_changed.1);
                grant["review"] = was_changed.2;
                grant["request"]["basis"] = was_changed.3;
                grant["permitted_by"] = json!(was_changed.4);
                grant["window"] = window;
                grant["request"]["window"] = asked;
                grant["request"]["justification"] = json!(justification);
                grant["access"] = json!(access);
                grant["timer"]["kind"] = json!(kind);
                grant["version"] = json!(version);
                grant["chain"]["seq"] = json!(seq);
                if own {
                    grant["route"] = json!({ "account": "111122223333" });
                } else {
                    grant["request"]["principal"] = json!(USER);
                }
                serde_json::from_value(grant).unwrap()
            },
        )
}
