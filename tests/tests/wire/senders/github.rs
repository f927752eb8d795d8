//! GitHub: an approved deployment or issue, until it is over.

use curfew_tests::wait::later;
use curfew_tests::{Edit as _, Person, Signed, now, payload, world};
use serde_json::{Value, json};

use super::round::{Round, whose};
use super::{Senders, account, fresh_number, number, senders};
use crate::support::{assert_bare, assert_problem};

const ACTORS: [&str; 2] = ["/workflow_run/actor/id", "/workflow_run/triggering_actor/id"];

/// An account as GitHub writes it: a number.
fn id(number: u64) -> Value {
    json!(account("github", number).parse::<u64>().expect("a number"))
}

fn run(name: &str, run: u64, person: &Person) -> Value {
    let event = payload(&format!("github-{name}")).put("/workflow_run/id", run);
    whose(event, &ACTORS, &id(number(person)))
}

fn approved_run(run_id: u64, person: &Person, approver: u64) -> Value {
    run("deployment-approved", run_id, person)
        .put("/approver/id", id(approver))
        .put("/since", later(now(), -30).to_string())
}

/// The fixture's form, asking for what the tests have.
fn form() -> String {
    let body = payload("github-issue-labeled")["issue"]["body"].as_str().expect("a form").to_owned();
    let form = body.replace("\nexample\n", "\nacme\n").replace("\nprod-ops\n", "\nreader\n");
    assert!(form.contains("acme") && form.contains("reader"), "{form}");
    form
}

fn issue(name: &str, number_of_issue: u64, person: &Person) -> Value {
    payload(&format!("github-issue-{name}"))
        .put("/issue/number", number_of_issue)
        .put("/issue/user/id", id(number(person)))
        .put("/issue/body", form())
        .put("/issue/updated_at", later(now(), -30).to_string())
        .put("/sender/id", id(0))
}

async fn signed(senders: &Senders, event: &str, body: &Value) -> Signed {
    senders.sign("github", event, body.to_string()).await
}

#[tokio::test]
async fn an_approved_deployment_gives_access_until_the_run_ends() {
    let senders = senders().await;
    let person = world().await.person().await;
    let number = fresh_number();
    let approved = approved_run(number, &person, 0);
    let approved = signed(senders, "deployment_review", &approved).await;
    let round = Round::begin(senders, "github", &person, approved).await;
    let completed = run("workflow-run-completed", number, &person);
    round.end(signed(senders, "workflow_run", &completed).await).await;
}

#[tokio::test]
async fn a_labelled_issue_gives_access_until_it_is_closed() {
    let senders = senders().await;
    let person = world().await.person().await;
    let number = fresh_number();
    let labelled = signed(senders, "issues", &issue("labeled", number, &person)).await;
    let round = Round::begin(senders, "github", &person, labelled).await;
    let window = round.record().await.grant.window();
    assert_eq!(window.expires_at().duration_since(window.starts_at()).as_mins(), 90, "as the form says");
    // Delivered by a GitHub whose secret nobody has changed yet.
    let closed = issue("closed", number, &person).to_string();
    round.end(senders.sign_as_before("github", "issues", closed).await).await;
}

#[tokio::test]
async fn the_header_that_names_the_event_decides_nothing() {
    let senders = senders().await;
    let person = world().await.person().await;
    let url = senders.url("github");
    let mut approved = signed(senders, "deployment_review", &approved_run(fresh_number(), &person, 0)).await;
    for (name, value) in &mut approved.headers {
        if name == "x-github-event" {
            *value = "ping".to_owned();
        }
    }
    let round = Round::begin(senders, "github", &person, approved.clone()).await;
    let record = round.record().await;
    assert_eq!(record.grant.request().ticket_facts.kind, "deployment");

    // The signature is over the body alone, and the older one that GitHub sends beside it is none.
    approved.headers.retain(|(name, _)| name != "x-hub-signature-256");
    assert_problem(&approved.post(&url).await, 401, "unverified");
}

#[tokio::test]
async fn whoever_started_a_run_can_not_approve_it() {
    let senders = senders().await;
    let person = world().await.person().await;
    let approved = approved_run(fresh_number(), &person, number(&person));
    let reply = signed(senders, "deployment_review", &approved).await.post(&senders.url("github")).await;
    assert_problem(&reply, 403, "self-approval");
    assert_bare(&senders.world.root(), &person.principal).await;
}
