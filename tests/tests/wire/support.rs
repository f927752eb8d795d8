//! What several of the tests here share.

use std::time::Duration;

use curfew_cli::http::Reply;
use curfew_domain::window::whole_minute_up;
use curfew_tests::wait::later;
use curfew_tests::{Client, Curfew, Record, Refused, now};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How long a timer may take after its minute began, on a machine that does much else.
pub(crate) const TIMER_PATIENCE: Duration = Duration::from_secs(50);

/// The events of a grant that was ended by its timer.
pub(crate) const STORY_OF_AN_EXPIRY: [&str; 5] = ["Requested", "Opened", "Activated", "Expired", "Revoked"];

/// The events of a grant that was ended early.
pub(crate) const STORY_OF_A_REVOCATION: [&str; 5] =
    ["Requested", "Opened", "Activated", "RevocationRequested", "Revoked"];

/// What every ended grant leaves: nothing in the indexes, and an unbroken story.
pub(crate) async fn assert_ended(curfew: &Curfew, record: &Record, outcome: &str) {
    assert_eq!(record.state(), "closed");
    assert_eq!(record.item["grant"]["state"]["outcome"], outcome);
    record.verify();
    assert!(!curfew.is_indexed(record).await, "a closed grant owes nothing and gives nothing");
    for attribute in ["due_at", "due_order", "due_shard", "live_person", "live_tenant", "claim"] {
        assert_eq!(record.item[attribute], Value::Null, "{attribute}");
    }
}

#[track_caller]
pub(crate) fn assert_denied(outcome: Result<(), Refused>) {
    let refused = outcome.expect_err("IAM must refuse it");
    assert!(refused.is_denied(), "{refused:?}");
}

/// A problem document of this status and code.
#[track_caller]
pub(crate) fn assert_problem(reply: &Reply, status: u16, code: &str) {
    let body = reply.json();
    assert_eq!(
        (reply.status, &body["type"]),
        (status, &json!(format!("urn:curfew:problem:{code}"))),
        "{body}"
    );
    assert_eq!(reply.headers["content-type"], "application/problem+json");
}

/// No inline policy is on a principal.
pub(crate) async fn assert_bare(root: &Client, principal: &str) {
    assert_eq!(root.inline_policies(principal).await, Ok(vec![]));
}

/// The end of a window that is over soon, and well before its timer fires.
pub(crate) fn end_before_the_timer() -> (Timestamp, Timestamp) {
    let soon = later(now(), 10);
    let fires = whole_minute_up(soon);
    if later(soon, 15) <= fires { (soon, fires) } else { (later(fires, 2), later(fires, 60)) }
}
