//! Calls of a revocation that go wrong: what the operator is told, whether access still holds, and that the same again
//! ends it.

use curfew_cli::artifacts::Function;
use curfew_tests::proxy::{Fault, Rule};
use curfew_tests::{Approval, Flavour, ticket_closed, world};
use futures_util::future::join_all;

use crate::support::{Heard, Wired, assert_gone, is_allowed, operator, signed_event};

const CLAIM: &str = "UpdateItem";
const DETACH: &str = "DeleteRolePolicy";
const CLEAR: &str = "DeleteSchedule";
const CLOSE: &str = "TransactWriteItems";

/// What the first call comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// Removed, and so said.
    Removed,
    /// Begun, and said not to be confirmed.
    Unproven,
    /// An error: it is not known what was done.
    Error,
}

/// Whether access holds after the first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Holds,
    Gone,
}

/// People with roles, so that these calls are tried, too.
#[tokio::test]
async fn a_revocation_tells_how_far_it_came_and_the_same_again_ends_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let cases = [
        (
            "claim: throttled once",
            Rule::on(CLAIM, Fault::Throttle).once(),
            First::Removed,
            Access::Gone,
            "closed",
        ),
        ("claim: throttled", Rule::on(CLAIM, Fault::Throttle), First::Error, Access::Holds, "active"),
        ("claim: failing", Rule::on(CLAIM, Fault::Fail), First::Error, Access::Holds, "active"),
        ("claim: not sent", Rule::on(CLAIM, Fault::BreakBefore), First::Error, Access::Holds, "active"),
        (
            "claim: answer lost once",
            Rule::on(CLAIM, Fault::BreakAfter).once(),
            First::Removed,
            Access::Gone,
            "closed",
        ),
        (
            "claim: answer broken off",
            Rule::on(CLAIM, Fault::Truncate).once(),
            First::Removed,
            Access::Gone,
            "closed",
        ),
        ("claim: answers lost", Rule::on(CLAIM, Fault::BreakAfter), First::Error, Access::Holds, "closing"),
        ("detach: throttled", Rule::on(DETACH, Fault::Throttle), First::Unproven, Access::Holds, "closing"),
        ("detach: failing", Rule::on(DETACH, Fault::Fail), First::Unproven, Access::Holds, "closing"),
        (
            "detach: not permitted",
            Rule::on(DETACH, Fault::Refuse(403, "AccessDenied")),
            First::Unproven,
            Access::Holds,
            "closing",
        ),
        (
            "detach: answer lost once",
            Rule::on(DETACH, Fault::BreakAfter).once(),
            First::Removed,
            Access::Gone,
            "closed",
        ),
        (
            "detach: answers lost",
            Rule::on(DETACH, Fault::BreakAfter),
            First::Unproven,
            Access::Gone,
            "closing",
        ),
        ("timer: failing", Rule::on(CLEAR, Fault::Fail), First::Unproven, Access::Gone, "closing"),
        (
            "timer: answer lost once",
            Rule::on(CLEAR, Fault::BreakAfter).once(),
            First::Removed,
            Access::Gone,
            "closed",
        ),
        (
            "close: throttled once",
            Rule::on(CLOSE, Fault::Throttle).once(),
            First::Removed,
            Access::Gone,
            "closed",
        ),
        ("close: failing", Rule::on(CLOSE, Fault::Fail), First::Error, Access::Gone, "closing"),
        (
            "close: answer lost once",
            Rule::on(CLOSE, Fault::BreakAfter).once(),
            First::Removed,
            Access::Gone,
            "closed",
        ),
        ("close: answers lost", Rule::on(CLOSE, Fault::BreakAfter), First::Error, Access::Gone, "closed"),
    ];
    join_all(cases.map(async |(name, rule, first, access, state)| {
        let person = world.person_with_role().await;
        let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
        assert!(is_allowed(world, &person).await, "{name}");

        let revoke = Wired::start(curfew, Function::Revoke).await;
        revoke.proxy.add(rule);
        let invoked = revoke.invoke(&operator(&id)).await;
        let told = match (&invoked.error, invoked.payload["grants"][0]["result"].as_str()) {
            (None, Some("removed")) => First::Removed,
            (None, Some("unproven")) => First::Unproven,
            (Some(_), _) => First::Error,
            other => panic!("{name}: {other:?}: {invoked:?}"),
        };
        assert_eq!(told, first, "{name}: {invoked:?}");
        assert_eq!(invoked.payload["ok"] == true, first == First::Removed, "{name}: {invoked:?}");
        if first == First::Error {
            // Of what may be mended by waiting, Lambda is to know that it is so.
            assert_eq!(invoked.payload["errorType"], "Retryable", "{name}: {invoked:?}");
        }
        assert_eq!(is_allowed(world, &person).await, access == Access::Holds, "{name}");
        let record = curfew.record(&id).await.expect("a grant");
        assert_eq!(record.state(), state, "{name}");
        if first == First::Unproven {
            // "Too often" is not about this grant, and nothing is counted against it.
            let counted = record.story().last() == Some(&"RevocationFailed");
            assert_eq!(counted, name != "detach: throttled", "{name}");
        }

        revoke.proxy.heal();
        let invoked = revoke.invoke(&operator(&id)).await;
        assert_eq!(invoked.payload["ok"], true, "{name}: {invoked:?}");
        let expected = if state == "closed" { "already-closed" } else { "removed" };
        assert_eq!(invoked.payload["grants"][0]["result"], expected, "{name}: {invoked:?}");
        assert_gone(name, curfew, &person, &id, "revoked").await;
        let asked = curfew.record(&id).await.expect("a grant").story();
        let asked = asked.iter().filter(|event| **event == "RevocationRequested").count();
        assert_eq!(asked, 1, "{name}: one revocation was begun");
    }))
    .await;
}

/// The sender is to send it again until all removals have at least begun; the ticket stays closed meanwhile.
#[tokio::test]
async fn a_closed_ticket_is_told_again_until_its_removals_have_begun() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let cases = [
        ("mark: failing", Rule::on("PutItem", Fault::Fail), "try-again", Access::Holds),
        ("links: failing", Rule::on("Query", Fault::Fail), "try-again", Access::Holds),
        ("claim: failing", Rule::on(CLAIM, Fault::Fail), "removal-not-begun", Access::Holds),
        ("close: failing", Rule::on(CLOSE, Fault::Fail), "removal-not-begun", Access::Gone),
    ];
    join_all(cases.map(async |(name, rule, code, access)| {
        let person = world.person_with_role().await;
        let approval = Approval::of(&person, "acme", "reader");
        let id = curfew.grant(&approval).await;
        let closed = ticket_closed(approval.ticket_id());
        let grant = Wired::start(curfew, Function::Grant).await;
        grant.proxy.add(rule);
        let heard = Heard::of(&grant.invoke(&signed_event(curfew, &closed)).await);
        assert_eq!((heard.status, heard.code()), (503, Some(code)), "{name}: {heard:?}");
        assert_eq!(heard.headers["retry-after"], "30", "{name}: {heard:?}");
        assert_eq!(is_allowed(world, &person).await, access == Access::Holds, "{name}");

        grant.proxy.heal();
        let heard = Heard::of(&grant.invoke(&signed_event(curfew, &closed)).await);
        assert_eq!((heard.status, &heard.body["state"]), (200, &"closed".into()), "{name}: {heard:?}");
        assert_gone(name, curfew, &person, &id, "revoked").await;
    }))
    .await;
}
