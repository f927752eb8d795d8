//! Changes of a window when functions die in the middle of them, and what a change costs.

use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_cli::edge;
use curfew_tests::catalog::APPROVER;
use curfew_tests::proxy::{Fault, Gate, Rule};
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Flavour, Person, Record, World, now, until, world};
use futures_util::future::{FutureExt as _, LocalBoxFuture, join_all};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Heard, Wired, approval_event, is_allowed};

const WRITE: &str = "TransactWriteItems";
const ATTACH: &str = "PutUserPolicy";
const TIMER: &str = "CreateSchedule";

/// A lease ends half a minute after its invocation's deadline.
const PATIENCE: Duration = Duration::from_secs(150);

/// The time that a function gets that is to die. Its lease is half a minute longer.
const SECONDS: i64 = 10;

/// The same, approved a little later, with another end.
fn approved_again(approval: &Approval, ends: Timestamp) -> Approval {
    let approvals = json!([{ "approver": APPROVER, "at": later(now(), 10) }]);
    approval.clone().with("approvals", approvals).until(ends)
}

/// A grant of twenty minutes, and a later approval of another end.
struct Scene {
    world: &'static World,
    curfew: &'static Curfew,
    person: Person,
    id: String,
    first_end: Timestamp,
    change: Approval,
    ends: Timestamp,
}

impl Scene {
    async fn new(seconds: i64) -> Self {
        let world = world().await;
        let curfew = world.curfew(Flavour::Scheduler).await;
        let person = world.person().await;
        let first_end = later(now(), 1200);
        let first = Approval::of(&person, "acme", "reader").until(first_end);
        let id = curfew.grant(&first).await;
        let ends = later(now(), seconds);
        Self { world, curfew, person, id, first_end, change: approved_again(&first, ends), ends }
    }

    async fn record(&self) -> Record {
        self.curfew.record(&self.id).await.expect("a grant")
    }

    /// The end of the one policy that is there.
    async fn end_in_iam(&self) -> Value {
        let name = format!("curfew-{}", self.id);
        let root = self.world.root();
        assert_eq!(root.inline_policies(&self.person.principal).await, Ok(vec![name.clone()]));
        let document = root.inline_policy(&self.person.principal, &name).await.expect("a policy");
        document["Statement"][0]["Condition"]["DateLessThan"]["aws:CurrentTime"].clone()
    }

    async fn timer(&self) -> Value {
        let group = self.curfew.output("ScheduleGroup");
        let path = format!("/schedules/curfew-{}?groupName={group}", self.id);
        let said = self.world.root().rest("scheduler", Method::GET, &path, &[], b"").await;
        said.expect("a schedule").json()["ScheduleExpression"].clone()
    }

    /// Starts the change and kills the function when so many of its calls have come to the gate.
    async fn killed(&self, rules: impl FnOnce(&Gate) -> Vec<Rule>, calls: usize) -> Gate {
        let mut grant = Wired::start(self.curfew, Function::Grant).await;
        let gate = Gate::new();
        for rule in rules(&gate) {
            grant.proxy.add(rule);
        }
        let event = approval_event(self.curfew, &self.change);
        let invocation = grant.lambda.begin(&event, later(now(), SECONDS));
        gate.reached_by(calls).await.expect("the calls that are held");
        grant.lambda.kill().await.expect("a dead process");
        assert_eq!(invocation.answer().await, None);
        gate
    }
}

/// The ledger says the new window, and that AWS has not confirmed it.
async fn assert_changing(name: &str, scene: &Scene, kind: &str) {
    let record = scene.record().await;
    assert_eq!(record.story(), ["Requested", "Opened", "Activated", kind], "{name}");
    let grant = &record.item["grant"];
    assert_eq!(grant["window"]["expires_at"], json!(scene.ends), "{name}");
    assert_eq!(grant["state"]["changing"]["previous_end"], json!(scene.first_end), "{name}");
    assert!(is_allowed(scene.world, &scene.person).await, "{name}: what was granted is refused");
    // Nobody else changes it meanwhile.
    let busy = scene.curfew.approve(&scene.change).await;
    assert_eq!(busy.status, 503, "{name}: {}", busy.text());
    assert!(busy.headers.contains_key("retry-after"), "{name}");
}

#[tokio::test]
async fn the_sweep_makes_changes_again_that_were_cut_short() {
    let scenes: Vec<LocalBoxFuture<'static, (&str, Scene)>> = vec![
        killed_before_attach_and_timer("extension, killed before attach and timer", 3600, "Extended")
            .boxed_local(),
        killed_before_attach_and_timer("shortening, killed before attach and timer", 600, "Shortened")
            .boxed_local(),
        killed_before_it_was_confirmed("extension, killed before it was confirmed", 3600, "Extended")
            .boxed_local(),
        killed_before_it_was_confirmed("shortening, killed before it was confirmed", 600, "Shortened")
            .boxed_local(),
        killed_and_its_attach_lands_late().boxed_local(),
        attach_throttled().boxed_local(),
    ];
    let all = join_all(scenes).await;
    until("every change is made", PATIENCE, async || {
        let curfew = world().await.curfew(Flavour::Scheduler).await;
        let swept = curfew.invoke(Function::Sweep, &json!({})).await;
        assert_eq!(swept.error, None, "{swept:?}");
        let records = join_all(all.iter().map(|(_, scene)| scene.record())).await;
        let made = records.iter().all(|record| record.item["grant"]["state"]["changing"].is_null());
        if !made {
            edge::pause(Duration::from_secs(2)).await;
        }
        made.then_some(())
    })
    .await;

    join_all(all.iter().map(async |(name, scene)| {
        let record = scene.record().await;
        assert_eq!(record.state(), "active", "{name}");
        assert_eq!(record.story()[4..], ["ChangeResumed", "Activated"], "{name}");
        record.verify();
        assert_eq!(scene.end_in_iam().await, json!(scene.ends), "{name}");
        let fires = curfew_domain::window::whole_minute_up(scene.ends);
        let expected = format!("at({})", fires.strftime("%Y-%m-%dT%H:%M:%S"));
        assert_eq!(scene.timer().await, json!(expected), "{name}");
        assert!(is_allowed(scene.world, &scene.person).await, "{name}");
        let again = scene.curfew.approve(&scene.change).await;
        let said = again.json();
        assert_eq!((again.status, &said["duplicate"]), (200, &json!(true)), "{name}: {said}");
        assert_eq!(said["window"]["expires_at"], json!(scene.ends), "{name}");
    }))
    .await;
}

async fn killed_before_attach_and_timer(
    name: &'static str,
    seconds: i64,
    kind: &str,
) -> (&'static str, Scene) {
    let scene = Scene::new(seconds).await;
    let timer = scene.timer().await;
    let held = |gate: &Gate| [ATTACH, TIMER].map(|call| Rule::on(call, Fault::Hold(gate.clone()))).to_vec();
    scene.killed(held, 2).await;
    assert_changing(name, &scene, kind).await;
    assert_eq!(scene.end_in_iam().await, json!(scene.first_end), "{name}");
    assert_eq!(scene.timer().await, timer, "{name}");
    (name, scene)
}

async fn killed_before_it_was_confirmed(
    name: &'static str,
    seconds: i64,
    kind: &str,
) -> (&'static str, Scene) {
    let scene = Scene::new(seconds).await;
    // The first finds the grant, the second says the change, the third confirms it.
    let held = |gate: &Gate| vec![Rule::on(WRITE, Fault::Hold(gate.clone())).after(2)];
    scene.killed(held, 1).await;
    assert_changing(name, &scene, kind).await;
    assert_eq!(scene.end_in_iam().await, json!(scene.ends), "{name}");
    (name, scene)
}

/// What a dead function had sent comes through all the same.
async fn killed_and_its_attach_lands_late() -> (&'static str, Scene) {
    const NAME: &str = "shortening, killed, and its attach lands late";
    let scene = Scene::new(600).await;
    let held = |gate: &Gate| [ATTACH, TIMER].map(|call| Rule::on(call, Fault::Hold(gate.clone()))).to_vec();
    let gate = scene.killed(held, 2).await;
    gate.open();
    until("the attach lands", Duration::from_secs(20), async || {
        (scene.end_in_iam().await == json!(scene.ends)).then_some(())
    })
    .await;
    assert_changing(NAME, &scene, "Shortened").await;
    (NAME, scene)
}

async fn attach_throttled() -> (&'static str, Scene) {
    const NAME: &str = "extension, attach throttled";
    let scene = Scene::new(3600).await;
    let grant = Wired::start(scene.curfew, Function::Grant).await;
    grant.proxy.add(Rule::on(ATTACH, Fault::Throttle));
    let invocation = grant.lambda.begin(&approval_event(scene.curfew, &scene.change), later(now(), SECONDS));
    Heard::of(&grant.answered(invocation).await).assert_try_again(NAME);
    assert_changing(NAME, &scene, "Extended").await;
    assert_eq!(scene.end_in_iam().await, json!(scene.first_end), "{NAME}");
    (NAME, scene)
}

/// Ended before the sweep is there, and a late attach of the change is removed with it (P4).
#[tokio::test]
async fn a_revocation_wins_over_a_change_that_was_cut_short() {
    let scene = Scene::new(3600).await;
    let held = |gate: &Gate| [ATTACH, TIMER].map(|call| Rule::on(call, Fault::Hold(gate.clone()))).to_vec();
    let gate = scene.killed(held, 2).await;
    let revoked = scene.curfew.invoke(Function::Revoke, &crate::support::operator(&scene.id)).await;
    assert_eq!(revoked.payload["grants"][0]["result"], "settling", "{revoked:?}");
    assert!(!is_allowed(scene.world, &scene.person).await, "what is there is removed at once");
    gate.open();
    until("the attach lands", Duration::from_secs(20), async || {
        is_allowed(scene.world, &scene.person).await.then_some(())
    })
    .await;
    until("the grant is closed", PATIENCE, async || {
        scene.curfew.invoke(Function::Sweep, &json!({})).await;
        let closed = scene.record().await.state() == "closed";
        if !closed {
            edge::pause(Duration::from_secs(2)).await;
        }
        closed.then_some(())
    })
    .await;
    crate::support::assert_gone("revoked while changing", scene.curfew, &scene.person, &scene.id, "revoked")
        .await;
}

#[tokio::test]
async fn a_change_costs_one_write_more_than_an_opening_and_moves_its_timer() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let grant = Wired::start(curfew, Function::Grant).await;
    let first = Approval::of(&person, "acme", "reader").until(later(now(), 1200));
    let heard = grant.approve(curfew, &first).await;
    assert_eq!(heard.status, 201, "{heard:?}");
    drop(grant.proxy.take_calls());

    let meeting = Fault::meet(2);
    for operation in [ATTACH, TIMER] {
        grant.proxy.add(Rule::on(operation, meeting.clone()).once());
    }
    let heard = grant.approve(curfew, &approved_again(&first, later(now(), 3600))).await;
    assert_eq!((heard.status, &heard.body["changed"]), (200, &json!(true)), "{heard:?}");
    let calls = grant.proxy.take_calls();
    assert_eq!(
        calls.rounds(),
        [vec![WRITE], vec![WRITE], vec![TIMER, ATTACH], vec!["UpdateSchedule"], vec![WRITE]]
    );
}
