//! What only the sweep can end: functions that die between two calls, attaches that land late, openings that fail so
//! that AWS's word on them is missing. All at once, because all wait for the same: for leases to run out.

use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_cli::edge;
use curfew_tests::proxy::{Fault, Gate, Rule};
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Flavour, Person, World, now, until, world};
use futures_util::future::{FutureExt as _, LocalBoxFuture, join_all};
use serde_json::json;

use crate::support::{
    Heard, Wired, approval_event, assert_active, assert_gone, grants_of, is_allowed, operator, timer,
};

const OPEN: &str = "TransactWriteItems";
const CLOSE: &str = "TransactWriteItems";
const CLAIM: &str = "UpdateItem";
const ATTACH: &str = "PutUserPolicy";
const DETACH: &str = "DeleteUserPolicy";
const TIMER: &str = "CreateSchedule";

/// A lease ends half a minute after its invocation's deadline, and a closer has a minute's head start.
const PATIENCE: Duration = Duration::from_secs(150);

/// What is left to the sweep.
struct Left {
    name: &'static str,
    curfew: &'static Curfew,
    person: Person,
    approval: Approval,
    id: String,
    state: &'static str,
    access: bool,
    outcome: &'static str,
}

struct Scene {
    world: &'static World,
    curfew: &'static Curfew,
    person: Person,
    approval: Approval,
}

impl Scene {
    async fn new() -> Self {
        Self::of(Flavour::Scheduler).await
    }

    async fn of(flavour: Flavour) -> Self {
        let world = world().await;
        let person = world.person().await;
        let approval = Approval::of(&person, "acme", "reader");
        Self { world, curfew: world.curfew(flavour).await, person, approval }
    }

    async fn grant(&self) -> Wired {
        Wired::start(self.curfew, Function::Grant).await
    }

    async fn only_grant(&self) -> String {
        let ids = grants_of(self.curfew, &self.approval).await;
        let [id] = ids.as_slice() else { panic!("one grant was opened: {ids:?}") };
        id.clone()
    }

    /// Checks what is left, now.
    async fn left(
        self,
        name: &'static str,
        state: &'static str,
        access: bool,
        outcome: &'static str,
    ) -> Left {
        let id = self.only_grant().await;
        let record = self.curfew.record(&id).await.expect("a grant");
        assert_eq!(record.state(), state, "{name}");
        assert_eq!(is_allowed(self.world, &self.person).await, access, "{name}");
        Left {
            name,
            curfew: self.curfew,
            person: self.person,
            approval: self.approval,
            id,
            state,
            access,
            outcome,
        }
    }
}

#[tokio::test]
async fn the_sweep_ends_what_was_left_behind() {
    let scenes: Vec<LocalBoxFuture<'static, Left>> = vec![
        attach_unanswered("attach: throttled", Fault::Throttle).boxed_local(),
        attach_unanswered("attach: failing", Fault::Fail).boxed_local(),
        attach_unanswered("attach: not sent", Fault::BreakBefore).boxed_local(),
        attach_unanswered("attach: done, and answers lost", Fault::BreakAfter).boxed_local(),
        attach_that_lands_after_it_was_given_up().boxed_local(),
        attach_that_lands_after_the_deadline().boxed_local(),
        attach_whose_retry_is_refused_before_it_lands().boxed_local(),
        attach_whose_first_try_lands_after_it_was_revoked().boxed_local(),
        rule_unanswered("rule: failing", Rule::on("PutRule", Fault::Fail)).boxed_local(),
        rule_unanswered("rule: done, and answers lost", Rule::on("PutRule", Fault::BreakAfter)).boxed_local(),
        rule_unanswered("rule: its target fails", Rule::on("PutTargets", Fault::Fail)).boxed_local(),
        rule_that_lands_after_it_was_given_up().boxed_local(),
        opening_whose_answers_are_lost().boxed_local(),
        activation_that_fails().boxed_local(),
        killed_before_attach().boxed_local(),
        killed_before_activation().boxed_local(),
        killed_and_revoked_before_its_attach_lands().boxed_local(),
        revoke_killed_before_detach().boxed_local(),
        revoke_killed_before_close().boxed_local(),
    ];
    let all = join_all(scenes).await;
    let (world, count) = (world().await, all.len());

    until("everything is closed", PATIENCE, async || {
        for flavour in [Flavour::Scheduler, Flavour::Rules] {
            let swept = world.curfew(flavour).await.invoke(Function::Sweep, &json!({})).await;
            assert_eq!(swept.error, None, "{swept:?}");
        }
        let records = join_all(all.iter().map(|left| left.curfew.record(&left.id))).await;
        let closed = records.into_iter().flatten().filter(|record| record.state() == "closed").count();
        if closed == count {
            return Some(());
        }
        edge::pause(Duration::from_secs(2)).await;
        None
    })
    .await;

    join_all(all.iter().map(async |left| {
        let curfew = left.curfew;
        assert_gone(left.name, curfew, &left.person, &left.id, left.outcome).await;
        let told = (left.state, left.access);
        let again = curfew.approve(&left.approval).await;
        if left.outcome == "failed" {
            // Never took effect, as far as anybody was told: it may be tried anew.
            assert_eq!(again.status, 201, "{}: {told:?}: {}", left.name, again.text());
            let id = again.json()["grant_id"].as_str().expect("a grant's id").to_owned();
            assert_eq!(
                curfew.record(&id).await.map(|record| record.grant.attempt()),
                Some(1),
                "{}",
                left.name
            );
            assert_active(left.name, curfew, &left.person, &id).await;
        } else {
            // Revoked is revoked, and a redelivery does not revive it.
            assert_eq!((again.status, &again.json()["state"]), (200, &json!("closed")), "{}", left.name);
            assert!(!is_allowed(world, &left.person).await, "{}", left.name);
        }
    }))
    .await;
}

/// Nothing is known of the attach, so the removal proves nothing before the lease is over.
async fn attach_unanswered(name: &'static str, fault: Fault) -> Left {
    let scene = Scene::new().await;
    let grant = scene.grant().await;
    grant.proxy.add(Rule::on(ATTACH, fault));
    grant.approve(scene.curfew, &scene.approval).await.assert_try_again(name);
    grant.proxy.heal();
    let heard = grant.approve(scene.curfew, &scene.approval).await;
    heard.assert_try_again(name);
    let detail = heard.body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("cleaned up"), "{name}: an earlier try is not over yet: {detail}");
    scene.left(name, "closing", false, "failed").await
}

/// The sender gave up, took back what was not there, and then it came.
async fn attach_that_lands_after_it_was_given_up() -> Left {
    const NAME: &str = "attach: lands after it was given up";
    let scene = Scene::new().await;
    let grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on(ATTACH, Fault::Hold(gate.clone())));
    grant.approve(scene.curfew, &scene.approval).await.assert_try_again(NAME);
    gate.open();
    lands(&scene).await;
    scene.left(NAME, "closing", true, "failed").await
}

/// The sender hears something before its own patience is over, whatever AWS does.
async fn attach_that_lands_after_the_deadline() -> Left {
    const NAME: &str = "attach: lands after the deadline";
    let scene = Scene::new().await;
    let grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on(ATTACH, Fault::Hold(gate.clone())));
    // Less than a call may take that has the time.
    let invocation = grant.lambda.begin(&approval_event(scene.curfew, &scene.approval), later(now(), 8));
    gate.reached_by(1).await.expect("the attach");
    Heard::of(&grant.answered(invocation).await).assert_try_again(NAME);
    gate.open();
    lands(&scene).await;
    // There was no time left to write down that it was given up; but who knows what a request does that nobody waits for.
    let id = scene.only_grant().await;
    let claimed = scene.curfew.record(&id).await.is_some_and(|record| record.state() == "closing");
    scene.left(NAME, if claimed { "closing" } else { "opening" }, true, "failed").await
}

/// AWS's word on the second try says nothing about the first, which is still on its way.
async fn attach_whose_retry_is_refused_before_it_lands() -> Left {
    const NAME: &str = "attach: lands after its retry was refused";
    let scene = Scene::new().await;
    let grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on(ATTACH, Fault::Hold(gate.clone())).once());
    grant.proxy.add(Rule::on(ATTACH, Fault::Refuse(409, "LimitExceeded")));
    grant.approve(scene.curfew, &scene.approval).await.assert_try_again(NAME);
    gate.open();
    lands(&scene).await;
    scene.left(NAME, "closing", true, "failed").await
}

/// Granted by the second try, revoked, and then the first one comes through (P4).
async fn attach_whose_first_try_lands_after_it_was_revoked() -> Left {
    const NAME: &str = "attach: its first try lands after it was revoked";
    let scene = Scene::new().await;
    let grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on(ATTACH, Fault::Hold(gate.clone())).once());
    let heard = grant.approve(scene.curfew, &scene.approval).await;
    assert_eq!((heard.status, &heard.body["state"]), (201, &json!("active")), "{NAME}: {heard:?}");
    let id = scene.only_grant().await;
    let revoked = scene.curfew.invoke(Function::Revoke, &operator(&id)).await;
    assert_eq!(revoked.payload["grants"][0]["result"], "settling", "{NAME}: {revoked:?}");
    assert!(!is_allowed(scene.world, &scene.person).await, "{NAME}: what is there is removed at once");
    gate.open();
    lands(&scene).await;
    scene.left(NAME, "closing", true, "revoked").await
}

async fn lands(scene: &Scene) {
    let patience = Duration::from_secs(20);
    until("the attach lands", patience, async || is_allowed(scene.world, &scene.person).await.then_some(()))
        .await;
}

/// Access is taken back at once, as its attach was answered; the rule may still land.
async fn rule_unanswered(name: &'static str, rule: Rule) -> Left {
    let scene = Scene::of(Flavour::Rules).await;
    let grant = scene.grant().await;
    grant.proxy.add(rule);
    grant.approve(scene.curfew, &scene.approval).await.assert_try_again(name);
    scene.left(name, "closing", false, "failed").await
}

/// Unlike a schedule, a rule would stay for ever.
async fn rule_that_lands_after_it_was_given_up() -> Left {
    const NAME: &str = "rule: lands after it was given up";
    let scene = Scene::of(Flavour::Rules).await;
    let grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on("PutRule", Fault::Hold(gate.clone())));
    grant.approve(scene.curfew, &scene.approval).await.assert_try_again(NAME);
    gate.open();
    let id = scene.only_grant().await;
    let patience = Duration::from_secs(20);
    until("the rule lands", patience, async || scene.curfew.has_rule(&id).await.then_some(())).await;
    scene.left(NAME, "closing", false, "failed").await
}

async fn opening_whose_answers_are_lost() -> Left {
    const NAME: &str = "opening: answers lost";
    let scene = Scene::new().await;
    let grant = scene.grant().await;
    grant.proxy.add(Rule::on(OPEN, Fault::BreakAfter));
    grant.approve(scene.curfew, &scene.approval).await.assert_try_again(NAME);
    scene.left(NAME, "opening", false, "failed").await
}

async fn activation_that_fails() -> Left {
    const NAME: &str = "activation: failing";
    let scene = Scene::new().await;
    let grant = scene.grant().await;
    grant.proxy.add(Rule::on(OPEN, Fault::Fail).after(1));
    grant.approve(scene.curfew, &scene.approval).await.assert_try_again(NAME);
    scene.left(NAME, "opening", true, "failed").await
}

async fn killed_before_attach() -> Left {
    let scene = Scene::new().await;
    let mut grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on(ATTACH, Fault::Hold(gate.clone())));
    grant.proxy.add(Rule::on(TIMER, Fault::Hold(gate.clone())));
    let invocation = grant.begin(&approval_event(scene.curfew, &scene.approval));
    gate.reached_by(2).await.expect("attach and timer");
    grant.lambda.kill().await.expect("a dead process");
    assert_eq!(invocation.answer().await, None);
    scene.left("killed before attach and timer", "opening", false, "failed").await
}

async fn killed_before_activation() -> Left {
    let scene = Scene::new().await;
    let mut grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on(OPEN, Fault::Hold(gate.clone())).after(1));
    let invocation = grant.begin(&approval_event(scene.curfew, &scene.approval));
    gate.reached_by(1).await.expect("the activation");
    grant.lambda.kill().await.expect("a dead process");
    assert_eq!(invocation.answer().await, None);
    scene.left("killed after attach, before activation", "opening", true, "failed").await
}

/// Revocation wins (P4), although what it removes comes only after it.
async fn killed_and_revoked_before_its_attach_lands() -> Left {
    const NAME: &str = "killed, revoked, and then the attach lands";
    let scene = Scene::new().await;
    let mut grant = scene.grant().await;
    let gate = Gate::new();
    grant.proxy.add(Rule::on(ATTACH, Fault::Hold(gate.clone())));
    let invocation = grant.begin(&approval_event(scene.curfew, &scene.approval));
    gate.reached_by(1).await.expect("the attach");
    grant.lambda.kill().await.expect("a dead process");
    assert_eq!(invocation.answer().await, None);
    let id = scene.only_grant().await;
    let revoked = scene.curfew.invoke(Function::Revoke, &operator(&id)).await;
    assert_eq!(revoked.payload["grants"][0]["result"], "settling", "{NAME}: {revoked:?}");
    assert_eq!(revoked.payload["ok"], false, "{NAME}: nothing is proven yet: {revoked:?}");
    gate.open();
    lands(&scene).await;
    scene.left(NAME, "closing", true, "revoked").await
}

async fn revoke_killed_before_detach() -> Left {
    revoke_killed_before("revoke killed before the detach", DETACH, true).await
}

async fn revoke_killed_before_close() -> Left {
    revoke_killed_before("revoke killed before the close", CLOSE, false).await
}

async fn revoke_killed_before(name: &'static str, call: &'static str, access: bool) -> Left {
    let scene = Scene::new().await;
    let id = scene.curfew.grant(&scene.approval).await;
    let mut revoke = Wired::start(scene.curfew, Function::Revoke).await;
    // A timer that comes before the end of the window changes nothing.
    let early = revoke.invoke(&timer(&id)).await;
    assert_eq!(early.payload["grants"][0]["result"], "not-due", "{name}: {early:?}");
    assert_eq!(revoke.proxy.take_calls().operations(), [CLAIM], "{name}");
    let gate = Gate::new();
    revoke.proxy.add(Rule::on(call, Fault::Hold(gate.clone())));
    let invocation = revoke.begin(&operator(&id));
    gate.reached_by(1).await.expect("the call");
    revoke.lambda.kill().await.expect("a dead process");
    assert_eq!(invocation.answer().await, None);
    scene.left(name, "closing", access, "revoked").await
}
