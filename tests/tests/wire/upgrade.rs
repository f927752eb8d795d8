//! Stacks that change and stacks that have neighbours: an update in place takes nothing from grants that are live, and
//! two stacks in one account know nothing of each other.

use std::cell::Cell;
use std::collections::BTreeSet;

use curfew_cli::artifacts::Function;
use curfew_cli::seed::TENANT_TAG;
use curfew_tests::approval::fresh_ticket;
use curfew_tests::catalog::{ACME, INITECH};
use curfew_tests::curfew::fresh_delivery;
use curfew_tests::{Approval, Curfew, World, minute_after, ticket_closed, until, world};
use http::Method;
use serde_json::{Value, json};

use crate::evidence::{archived, deployed, sealed, seals_soon};
use crate::support::{
    STORY_OF_A_REVOCATION, STORY_OF_AN_EXPIRY, TIMER_PATIENCE, assert_bare, assert_denied, assert_ended,
    assert_problem,
};

/// A role that only the next version's catalog has.
const LATER_ROLE: &str = r#"
[role.later]
description = "What the next version brings"
permissions = ["read_bucket"]
max_duration = "4h"
default_duration = "1h"
eligible = ["engineering"]
"#;

/// How many approvals at least are sent while the stack changes.
const MEANWHILE: usize = 6;

/// What a stack consists of: each resource's type and physical id, by its name in the template.
async fn resources(world: &World, curfew: &Curfew) -> Vec<(String, String, String)> {
    let name = &curfew.deployment().name;
    let command = ["cloudformation", "describe-stack-resources", "--stack-name", name];
    let said = world.stack().root().call(command).await.expect("the stack's resources");
    let text = |resource: &Value, key: &str| resource[key].as_str().expect("a text").to_owned();
    let resources = said["StackResources"].as_array().expect("resources");
    let mut all: Vec<_> = resources
        .iter()
        .map(|one| {
            (text(one, "LogicalResourceId"), text(one, "ResourceType"), text(one, "PhysicalResourceId"))
        })
        .collect();
    all.sort();
    assert!(all.len() > 50, "{all:?}");
    all
}

async fn configuration(world: &World, curfew: &Curfew, function: Function) -> Value {
    let name = curfew.deployment().function(function).expect("an output of the template");
    let path = format!("/2015-03-31/functions/{name}/configuration");
    world.root().rest("lambda", Method::GET, &path, &[], b"").await.expect("a function").json()
}

/// Approvals that arrive while `until_done` says so, and what became of each: a sender that gets no success sends the
/// same delivery again, later.
async fn approvals_until(curfew: &Curfew, approvals: Vec<Approval>, done: &Cell<bool>) -> Vec<Approval> {
    let mut given = Vec::new();
    let mut unanswered = Vec::new();
    for approval in approvals {
        if done.get() && given.len() + unanswered.len() >= MEANWHILE {
            break;
        }
        let delivery = fresh_delivery();
        let reply = curfew.post_as(&delivery, approval.body()).await;
        match reply.status {
            201 => given.push(approval),
            429 | 500.. => unanswered.push((delivery, approval)),
            _ => panic!("{}", reply.text()),
        }
    }
    until("the stack has changed", TIMER_PATIENCE * 4, async || done.get().then_some(())).await;
    for (delivery, approval) in unanswered {
        // The emulator ends what a function is at when its code changes (AWS lets it finish). Then the grant stays as it
        // was until the lease is over and the sweep has taken it back; after that it can be had.
        until("the same delivery is taken", TIMER_PATIENCE * 4, async || {
            let reply = curfew.post_as(&delivery, approval.body()).await;
            assert!([200, 201, 503].contains(&reply.status), "{}", reply.text());
            (reply.status != 503).then_some(())
        })
        .await;
        given.push(approval);
    }
    given
}

/// The next version: another catalog in the packages, another kind of timer, other words in the logs. What was given
/// before it is known, lasts, and ends, each grant in its own way, and so do those that were being given meanwhile.
#[tokio::test]
async fn an_update_in_place_loses_no_grant() {
    let world = world().await;
    // No grace: what lost its timer is the sweep's at once.
    let curfew = deployed("curfew-updated", &[("SweepGraceSeconds", "0")]).await;
    let bucket = world.acme().bucket();
    let (timed, swept, closed) = (world.person().await, world.person().await, world.person().await);
    let (standing, many) = (world.person_with_role().await, world.person_with_role().await);
    let ends = minute_after(45);
    let by_timer = curfew.grant(&Approval::of(&timed, ACME, "reader").until(ends)).await;
    let by_sweep = curfew.grant(&Approval::of(&swept, ACME, "reader").until(ends)).await;
    curfew.lose_schedule(&by_sweep).await;
    let of_ticket = Approval::of(&closed, ACME, "reader");
    let by_ticket = curfew.grant(&of_ticket).await;
    let by_operator = curfew.grant(&Approval::of(&standing, ACME, "auditor")).await;
    let before = resources(world, &curfew).await;
    let (grant, revoke) = (
        configuration(world, &curfew, Function::Grant).await,
        configuration(world, &curfew, Function::Revoke).await,
    );

    let done = Cell::new(false);
    let meanwhile = (0..60).map(|_| Approval::of(&many, ACME, "reader")).collect();
    let update = async {
        let changes = [("TimerKind", "rules"), ("LogFilter", "debug")];
        let next = world.update(&curfew, &changes, &[("later.toml", LATER_ROLE)]).await;
        seals_soon(&next).await;
        done.set(true);
        next
    };
    let (next, given) = tokio::join!(update, approvals_until(&curfew, meanwhile, &done));

    assert_eq!(resources(world, &next).await, before, "nothing was replaced, left out or added");
    assert_eq!(next.table(), curfew.table());
    let code = configuration(world, &next, Function::Grant).await["CodeSha256"].clone();
    assert_ne!(code, grant["CodeSha256"], "the catalog is in the package");
    let variables = configuration(world, &next, Function::Revoke).await["Environment"].clone();
    assert_ne!(variables, revoke["Environment"], "the filter of the log is in the configuration");

    // Of those whose window is short it is not said here that they still have it: it ends while the machine is at it.
    closed.keys.object(&bucket).await.expect("what was given before the update is still allowed");
    for id in [&by_ticket, &by_operator] {
        assert_eq!(next.record(id).await.expect("a grant").state(), "active");
        assert!(next.has_schedule(id).await, "what AWS had of it, it has");
    }
    let later = next.grant(&Approval::of(&many, ACME, "later")).await;
    assert!(next.has_rule(&later).await && !next.has_schedule(&later).await, "the new kind of timer");

    assert!(given.len() >= MEANWHILE);
    for approval in &given {
        let reply = next.post(&ticket_closed(approval.ticket_id())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let body = reply.json();
        let removed =
            body["grants"].as_array().expect("grants").iter().filter(|one| one["result"] == "removed");
        assert_eq!(removed.count(), 1, "one grant for each approval: {body}");
    }
    let reply = next.post(&ticket_closed(of_ticket.ticket_id())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    for id in [&by_operator, &later] {
        let order =
            json!({ "grant_id": id, "operator": "olga@example.test", "reason": "the update is over" });
        let said = next.invoke(Function::Revoke, &order).await;
        assert_eq!(said.payload["ok"], true, "{}", said.payload);
    }
    for id in [&by_ticket, &by_operator, &later] {
        let record = next.record(id).await.expect("a grant");
        assert_eq!(record.story(), STORY_OF_A_REVOCATION);
        assert_ended(&next, &record, "revoked").await;
        assert!(!next.has_schedule(id).await && !next.has_rule(id).await, "no timer is left");
    }
    for id in [&by_timer, &by_sweep] {
        let record = next.record_in("closed", id, TIMER_PATIENCE * 3).await;
        assert_eq!(record.story(), STORY_OF_AN_EXPIRY);
        assert_ended(&next, &record, "expired").await;
    }
    for person in [&timed, &swept, &closed, &standing, &many] {
        assert_bare(&world.root(), &person.principal).await;
    }
    assert_eq!(world.root().attached_policies(&standing.principal).await, Ok(vec![]));
    assert_denied(timed.keys.object(&bucket).await);

    for id in [&by_timer, &by_sweep, &by_ticket, &by_operator, &later] {
        archived(&next, id, STORY_OF_A_REVOCATION.len()).await;
    }
    sealed(&next).await;
    let copy = archived(&next, &later, STORY_OF_A_REVOCATION.len()).await;
    assert_eq!(
        copy.verified(&next).await.findings,
        [],
        "one unbroken story, from before the update to after it"
    );
}

/// Two stacks of one account, told about the same tickets, each for a tenant of its own.
#[tokio::test]
async fn two_stacks_stand_side_by_side() {
    let world = world().await;
    let left = deployed("curfew-left", &[("TenantIds", ACME)]).await;
    let right = deployed("curfew-right", &[("TenantIds", INITECH)]).await;
    let physical = |all: Vec<(String, String, String)>| -> BTreeSet<(String, String)> {
        // A stage is named within its API: all of them are called `$default`.
        let named = all.into_iter().filter(|(_, kind, _)| kind != "AWS::ApiGatewayV2::Stage");
        named.map(|(_, kind, id)| (kind, id)).collect()
    };
    let (of_left, of_right) =
        (physical(resources(world, &left).await), physical(resources(world, &right).await));
    let shared: Vec<_> = of_left.intersection(&of_right).collect();
    assert!(shared.is_empty(), "{shared:?}");

    let (ann, bob) = (world.person().await, world.person().await);
    let bobs_user = bob.principal.rsplit('/').next().expect("a name");
    let tag = [("UserName", bobs_user), ("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", INITECH)];
    world.root().query("iam", "TagUser", &tag).await.expect("bob is of the other tenant now");
    let ticket = fresh_ticket();
    let anns = left.grant(&Approval::of(&ann, ACME, "reader").ticket(&ticket)).await;
    let bobs = right.grant(&Approval::of(&bob, INITECH, "reader").ticket(&ticket)).await;
    for (curfew, person, tenant) in [(&right, &ann, ACME), (&left, &bob, INITECH)] {
        let refused = curfew.approve(&Approval::of(person, tenant, "table-reader")).await;
        assert_problem(&refused, 422, "not-permitted");
    }

    let reply = left.post(&ticket_closed(&ticket)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_ended(&left, &left.record(&anns).await.expect("a grant"), "revoked").await;
    assert_bare(&world.root(), &ann.principal).await;
    assert_eq!(right.record(&bobs).await.expect("a grant").state(), "active");
    assert_eq!(world.root().inline_policies(&bob.principal).await, Ok(vec![format!("curfew-{bobs}")]));
    assert!(right.has_schedule(&bobs).await);
    assert!(right.record(&anns).await.is_none() && left.record(&bobs).await.is_none());

    let copies = (archived(&left, &anns, 5).await, archived(&right, &bobs, 3).await);
    assert_eq!((copies.0.story(&bobs), copies.1.story(&anns)), (vec![], vec![]), "each its own evidence");
    let reply = right.post(&ticket_closed(&ticket)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_ended(&right, &right.record(&bobs).await.expect("a grant"), "revoked").await;
    assert_bare(&world.root(), &bob.principal).await;
}
