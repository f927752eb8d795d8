//! Calls of an opening that go wrong, and what the sender hears. What is left to the sweep is in [`crate::crashes`].

use curfew_cli::artifacts::Function;
use curfew_tests::proxy::{Fault, Rule};
use curfew_tests::{Approval, Curfew, Flavour, World, world};
use futures_util::future::join_all;

use crate::support::{Wired, assert_active, assert_gone, assert_quiet, grants_of, is_allowed};

/// The first transaction writes the grant down, the second says that it is active.
const OPEN: &str = "TransactWriteItems";
const ATTACH: &str = "PutUserPolicy";
const TIMER: &str = "CreateSchedule";

fn opening(fault: Fault) -> Rule {
    Rule::on(OPEN, fault)
}

fn activation(fault: Fault) -> Rule {
    Rule::on(OPEN, fault).after(1)
}

/// What a retry of the SDK mends, nobody hears of; and what was done twice, was done once.
#[tokio::test]
async fn one_bad_answer_is_not_noticed() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let cases = [
        ("opening: throttled", opening(Fault::Throttle).once()),
        ("opening: failed", opening(Fault::Fail).once()),
        ("opening: not sent", opening(Fault::BreakBefore).once()),
        ("opening: answer lost", opening(Fault::BreakAfter).once()),
        ("opening: answer broken off", opening(Fault::Truncate).once()),
        ("attach: throttled", Rule::on(ATTACH, Fault::Throttle).once()),
        ("attach: failed", Rule::on(ATTACH, Fault::Fail).once()),
        ("attach: not sent", Rule::on(ATTACH, Fault::BreakBefore).once()),
        ("attach: answer lost", Rule::on(ATTACH, Fault::BreakAfter).once()),
        ("attach: answer broken off", Rule::on(ATTACH, Fault::Truncate).once()),
        ("timer: throttled", Rule::on(TIMER, Fault::Throttle).once()),
        ("timer: answer lost", Rule::on(TIMER, Fault::BreakAfter).once()),
        ("activation: failed", activation(Fault::Fail).once()),
        ("activation: answer lost", activation(Fault::BreakAfter).once()),
        ("secret: failed", Rule::on("GetSecretValue", Fault::Fail).once()),
    ];
    join_all(cases.map(async |(name, rule)| {
        let (grant, approval, person) = approved(world, curfew).await;
        grant.proxy.add(rule);
        let heard = grant.approve(curfew, &approval).await;
        assert_eq!(heard.status, 201, "{name}: {heard:?}");
        assert_eq!(heard.body["duplicate"], false, "{name}: its own first try is taken for somebody else's");
        let id = heard.body["grant_id"].as_str().expect("a grant's id");
        assert_eq!(grants_of(curfew, &approval).await, [id], "{name}");
        assert_active(name, curfew, &person, id).await;
        assert_quiet(name, &grant, curfew);
    }))
    .await;
}

/// A failure that goes on is told to the sender, who sends the same again later.
#[tokio::test]
async fn an_opening_that_failed_is_taken_back_and_a_redelivery_tries_anew() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let cases = [
        ("timer: failing", Rule::on(TIMER, Fault::Fail)),
        ("timer: throttled", Rule::on(TIMER, Fault::Throttle)),
        ("timer: answers lost, so it is there and not known to be", Rule::on(TIMER, Fault::BreakAfter)),
    ];
    join_all(cases.map(async |(name, rule)| {
        let (grant, approval, person) = approved(world, curfew).await;
        grant.proxy.add(rule);
        if name.contains("lost") {
            // Else it is found by asking.
            grant.proxy.add(Rule::on("GetSchedule", Fault::BreakAfter));
        }
        let heard = grant.approve(curfew, &approval).await;
        heard.assert_try_again(name);
        let ids = grants_of(curfew, &approval).await;
        let [id] = ids.as_slice() else { panic!("{name}: one grant was tried: {ids:?}") };
        assert_gone(name, curfew, &person, id, "failed").await;

        grant.proxy.heal();
        let heard = grant.approve(curfew, &approval).await;
        assert_eq!(heard.status, 201, "{name}: {heard:?}");
        let again = heard.body["grant_id"].as_str().expect("a grant's id");
        assert_ne!(again, id, "{name}: the second try is a grant of its own");
        assert_active(name, curfew, &person, again).await;
        assert_eq!(curfew.record(again).await.map(|record| record.grant.attempt()), Some(1), "{name}");
    }))
    .await;
}

/// As long as nothing can be written down nothing is done, and nothing is forgotten.
#[tokio::test]
async fn without_a_ledger_nothing_is_attached() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let cases = [
        ("opening: failing", opening(Fault::Fail)),
        ("opening: throttled", opening(Fault::Throttle)),
        ("opening: not sent", opening(Fault::BreakBefore)),
        ("secret: failing", Rule::on("GetSecretValue", Fault::Fail)),
        ("secret: throttled", Rule::on("GetSecretValue", Fault::Throttle)),
    ];
    join_all(cases.map(async |(name, rule)| {
        let person = world.person_with_role().await;
        let approval = Approval::of(&person, "acme", "reader");
        let grant = Wired::start(curfew, Function::Grant).await;
        grant.proxy.add(rule);
        let heard = grant.approve(curfew, &approval).await;
        heard.assert_try_again(name);
        assert_eq!(grants_of(curfew, &approval).await, [""; 0], "{name}");
        assert!(!is_allowed(world, &person).await, "{name}");
        assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![]), "{name}");
        let called = grant.proxy.take_calls();
        let asked = called.operations().into_iter().filter(|call| ![OPEN, "GetSecretValue"].contains(call));
        assert_eq!(asked.count(), 0, "{name}: written first, attached then: {called:?}");

        grant.proxy.heal();
        let heard = grant.approve(curfew, &approval).await;
        assert_eq!(heard.status, 201, "{name}: {heard:?}");
        let id = heard.body["grant_id"].as_str().expect("a grant's id");
        assert_active(name, curfew, &person, id).await;
    }))
    .await;
}

/// It took effect, and was written; only nobody could be told.
#[tokio::test]
async fn an_activation_whose_answers_are_all_lost_is_a_duplicate_at_the_redelivery() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let (grant, approval, person) = approved(world, curfew).await;
    grant.proxy.add(activation(Fault::BreakAfter));
    grant.approve(curfew, &approval).await.assert_try_again("all lost");
    grant.proxy.heal();
    let heard = grant.approve(curfew, &approval).await;
    assert_eq!((heard.status, &heard.body["duplicate"]), (200, &true.into()), "{heard:?}");
    let id = heard.body["grant_id"].as_str().expect("a grant's id");
    assert_active("all lost", curfew, &person, id).await;
}

/// AWS's own word that it did not do it needs no lease to run out.
#[tokio::test]
async fn what_aws_refuses_for_good_is_told_with_its_reason_and_closed_at_once() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let cases = [
        ("NoSuchEntity", 404, "refused-by-aws"),
        ("LimitExceeded", 409, "refused-by-aws"),
        ("MalformedPolicyDocument", 400, "refused-by-aws"),
        ("AccessDenied", 403, "not-permitted"),
    ];
    join_all(cases.map(async |(error, status, code)| {
        let (grant, approval, person) = approved(world, curfew).await;
        grant.proxy.add(Rule::on(ATTACH, Fault::Refuse(status, error)));
        let heard = grant.approve(curfew, &approval).await;
        assert_eq!((heard.status, heard.code()), (422, Some(code)), "{error}: {heard:?}");
        let detail = heard.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(error) && detail.contains(ATTACH), "{error}: {detail}");
        assert!(heard.body["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{error}: {heard:?}");
        assert_eq!(heard.body["state"], "closed", "{error}: {heard:?}");
        let id = heard.body["grant_id"].as_str().expect("a grant's id");
        assert_gone(error, curfew, &person, id, "failed").await;
    }))
    .await;
}

/// A fresh function, somebody, and what they are approved for.
async fn approved(world: &World, curfew: &Curfew) -> (Wired, Approval, curfew_tests::Person) {
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    (Wired::start(curfew, Function::Grant).await, approval, person)
}
