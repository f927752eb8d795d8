//! GitLab: an approved merge request or deployment, until it is over.

use curfew_tests::wait::later;
use curfew_tests::{Edit as _, Person, Signed, now, payload, world};
use serde_json::{Value, json};

use super::round::{Round, whose};
use super::{Senders, account, fresh_number, number, senders};
use crate::support::{assert_bare, assert_problem};

/// An account as GitLab writes it: a number.
fn id(number: u64) -> Value {
    json!(account("gitlab", number).parse::<u64>().expect("a number"))
}

fn merge_request(name: &str, iid: u64, author: &Person, user: u64) -> Value {
    let event = payload(&format!("gitlab-merge-request-{name}"))
        .put("/object_attributes/iid", iid)
        .put("/object_attributes/updated_at", later(now(), -40).to_string())
        .put("/object_attributes/actioned_at", later(now(), -30).to_string())
        .put("/user/id", id(user));
    whose(event, &["/object_attributes/author_id"], &id(number(author)))
}

fn deployment(name: &str, deployment: u64, person: &Person) -> Value {
    payload(&format!("gitlab-deployment-{name}"))
        .put("/deployment_id", deployment)
        .put("/user/id", id(number(person)))
}

async fn signed(senders: &Senders, event: &str, body: &Value) -> Signed {
    senders.sign("gitlab", event, body.to_string()).await
}

#[tokio::test]
async fn an_approved_merge_request_gives_access_until_it_is_merged() {
    let senders = senders().await;
    let person = world().await.person().await;
    let iid = fresh_number();
    let hook = "Merge Request Hook";
    let approved = signed(senders, hook, &merge_request("approved", iid, &person, 0)).await;
    let round = Round::begin(senders, "gitlab", &person, approved).await;
    // Delivered by a GitLab whose token nobody has changed yet.
    let merged = merge_request("merge", iid, &person, 0).to_string();
    round.end(senders.sign_as_before("gitlab", hook, merged).await).await;
}

#[tokio::test]
async fn an_approved_deployment_gives_access_until_it_is_canceled() {
    let senders = senders().await;
    let person = world().await.person().await;
    let number = fresh_number();
    let hook = "Deployment Hook";
    let approved = deployment("approved", number, &person)
        .put("/approver/id", id(0))
        .put("/approval/created_at", later(now(), -30).to_string());
    let round = Round::begin(senders, "gitlab", &person, signed(senders, hook, &approved).await).await;
    let canceled = deployment("canceled", number, &person);
    round.end(signed(senders, hook, &canceled).await).await;
}

#[tokio::test]
async fn an_authors_own_approval_and_one_of_an_unknown_account_give_nothing() {
    let senders = senders().await;
    let person = world().await.person().await;
    for (user, code) in [(number(&person), "self-approval"), (999, "unknown-approver")] {
        let iid = fresh_number();
        let approved = merge_request("approved", iid, &person, user);
        let reply = signed(senders, "Merge Request Hook", &approved).await.post(&senders.url("gitlab")).await;
        // GitLab stops sending to whoever refuses too often.
        assert_problem(&reply, 200, code);
        let ticket = format!("TICKET#platform/access/merge_requests/{iid}");
        let items = senders.curfew.items(&ticket).await;
        let [denied] = items.as_slice() else { panic!("one denial, on record: {items:?}") };
        assert_eq!(denied["code"], code, "{denied}");
    }
    assert_bare(&senders.world.root(), &person.principal).await;
}
