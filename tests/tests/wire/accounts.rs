//! Tenants in other accounts, reached by the agent role of `infra/tenant.yaml`.

use curfew_tests::{Approval, Flavour, ticket_closed, world};

use crate::support::{STORY_OF_A_REVOCATION, assert_bare, assert_denied, assert_ended, assert_problem};

#[tokio::test]
async fn access_in_another_account_goes_through_its_agent_role() {
    let world = world().await;
    let curfew = world.curfew_with_agent(Flavour::Scheduler).await;
    let person = world.person_abroad().await;
    let root = world.root_of(world.globex().account());
    let (bucket, table) = (world.globex().bucket(), world.globex().table());
    assert_denied(person.keys.object(&bucket).await);

    let approval = Approval::of(&person, "globex", "wide");
    let id = curfew.grant(&approval).await;
    person.keys.object(&bucket).await.expect("what was approved is allowed");
    person.keys.item(&table).await.expect("what was approved is allowed");
    assert_denied(person.keys.object(&world.acme().bucket()).await);
    assert_eq!(root.inline_policies(&person.principal).await, Ok(vec![format!("curfew-{id}")]));

    let standing = Approval::of(&person, "globex", "auditor");
    let standing_id = curfew.grant(&standing).await;
    let attached = root.attached_policies(&person.principal).await;
    assert_eq!(attached, Ok(vec![world.auditor_policy(world.globex())]));

    for (approval, id) in [(approval, id), (standing, standing_id)] {
        let closed = curfew.post(&ticket_closed(approval.ticket_id())).await;
        assert_eq!(closed.status, 200, "{}", closed.text());
        let record = curfew.record(&id).await.expect("a grant");
        assert_eq!(record.story(), STORY_OF_A_REVOCATION);
        assert_ended(curfew, &record, "revoked").await;
        assert!(!curfew.has_schedule(&id).await);
    }
    assert_bare(&root, &person.principal).await;
    assert_eq!(root.attached_policies(&person.principal).await, Ok(vec![]));
    assert_denied(person.keys.object(&bucket).await);
}

/// The tenant `hooli` names the agent role of `globex` with an external id of its own: the confused deputy's case.
#[tokio::test]
async fn a_wrong_external_id_gives_nothing() {
    let world = world().await;
    let curfew = world.curfew_with_agent(Flavour::Scheduler).await;
    let person = world.person_abroad().await;
    let reply = curfew.approve(&Approval::of(&person, "hooli", "reader")).await;
    assert_problem(&reply, 422, "not-permitted");
    let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("AssumeRole") && detail.contains("agent-of-curfew"), "{detail}");
    assert_bare(&world.root_of(world.globex().account()), &person.principal).await;
    assert_denied(person.keys.object(&world.globex().bucket()).await);
    let id = reply.json()["grant_id"].as_str().expect("a grant's id").to_owned();
    assert!(!curfew.has_schedule(&id).await);
    let record = curfew.record(&id).await.expect("a grant");
    assert_ended(curfew, &record, "failed").await;
}

/// Whoever may not attach may not detach either: the grant still comes to its end, and tells why.
#[tokio::test]
async fn a_principal_without_the_tenants_boundary_is_given_nothing() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let user = person.principal.rsplit('/').next().expect("a name");
    let unbound = world.root().query("iam", "DeleteUserPermissionsBoundary", &[("UserName", user)]).await;
    unbound.expect("a boundary to remove");
    let approval = Approval::of(&person, "acme", "reader");
    let mut ids = Vec::new();
    for attempt in 0..2 {
        let reply = curfew.approve(&approval).await;
        assert_problem(&reply, 422, "not-permitted");
        let id = reply.json()["grant_id"].as_str().expect("a grant's id").to_owned();
        let record = curfew.record(&id).await.expect("a grant");
        assert_eq!(record.story(), ["Requested", "Opened", "OpeningFailed", "Revoked"]);
        assert_eq!(record.grant.attempt(), attempt);
        assert_ended(curfew, &record, "failed").await;
        assert!(!curfew.has_schedule(&id).await);
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    assert_bare(&world.root(), &person.principal).await;
}
