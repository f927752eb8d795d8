//! Access by a standing policy: one attachment in AWS, however many grants need it (P3).

use curfew_cli::artifacts::Function;
use curfew_tests::{
    Approval, Client, Curfew, Flavour, Person, World, minute_after, now, ticket_closed, world,
};
use serde_json::json;

use crate::support::{TIMER_PATIENCE, assert_denied, assert_ended};

/// The attachment as IAM has it, and as its owner sees it.
async fn assert_holds(world: &World, person: &Person, caller: &Client) {
    let attached = world.root().attached_policies(&person.principal).await;
    assert_eq!(attached, Ok(vec![world.auditor_policy(world.acme())]));
    caller.object(&world.acme().bucket()).await.expect("what the policy allows");
}

async fn assert_gone(world: &World, curfew: &Curfew, person: &Person, caller: &Client) {
    assert_eq!(world.root().attached_policies(&person.principal).await, Ok(vec![]));
    assert_denied(caller.object(&world.acme().bucket()).await);
    let policy = world.auditor_policy(world.acme());
    let items = curfew.items(&format!("ATTACHMENT#{}#{policy}", person.principal)).await;
    let [item] = items.as_slice() else { panic!("one item for an attachment: {items:?}") };
    assert!(item["holders"].is_null(), "nobody holds it: {item}");
}

#[tokio::test]
async fn a_users_standing_policy_stays_until_its_last_grant_ends() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    assert_denied(person.keys.object(&world.acme().bucket()).await);
    let ends = minute_after(15);
    let short = curfew.grant(&Approval::of(&person, "acme", "auditor").until(ends)).await;
    let long = Approval::of(&person, "acme", "auditor");
    let long_id = curfew.grant(&long).await;
    assert_holds(world, &person, &person.keys).await;

    let record = curfew.record_in("closed", &short, TIMER_PATIENCE * 2).await;
    assert!(now() >= ends);
    assert_ended(curfew, &record, "expired").await;
    assert_eq!(record.item["grant"]["state"]["proof"]["found"], "held_by_others");
    assert_holds(world, &person, &person.keys).await;

    let closed = curfew.post(&ticket_closed(long.ticket_id())).await;
    assert_eq!(closed.status, 200, "{}", closed.text());
    let record = curfew.record(&long_id).await.expect("a grant");
    assert_ended(curfew, &record, "revoked").await;
    assert_eq!(record.item["grant"]["state"]["proof"]["found"], "deleted");
    assert_gone(world, curfew, &person, &person.keys).await;
}

#[tokio::test]
async fn a_roles_standing_policy_stays_until_its_last_grant_ends() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person_with_role().await;
    let session = person.caller().await;
    assert_denied(session.object(&world.acme().bucket()).await);
    let (first, second) =
        tokio::join!(async { curfew.grant(&Approval::of(&person, "acme", "auditor")).await }, async {
            curfew.grant(&Approval::of(&person, "acme", "auditor")).await
        },);
    assert_holds(world, &person, &session).await;

    for (id, found) in [(first, "held_by_others"), (second, "deleted")] {
        assert_holds(world, &person, &session).await;
        let order = json!({ "grant_id": id, "reason": "no longer needed", "operator": "ops@example.test" });
        let revoked = curfew.invoke(Function::Revoke, &order).await;
        assert_eq!(revoked.payload["ok"], true, "{revoked:?}");
        let record = curfew.record(&id).await.expect("a grant");
        assert_ended(curfew, &record, "revoked").await;
        assert_eq!(record.item["grant"]["state"]["proof"]["found"], found);
        assert!(!curfew.has_rule(&id).await);
    }
    assert_gone(world, curfew, &person, &session).await;
}
