//! The sweep in trouble: every call of a lap × everything that can go wrong with it, while some of what is due can't even
//! be read. What is not about a grant's own calls holds up no other; what can't be read is told, and holds up nobody.

use std::time::Duration;

use curfew_app::Ports as _;
use curfew_app::ports::{Ledger as _, OpenWrite};
use curfew_cli::artifacts::Function;
use curfew_cli::edge;
use curfew_domain::effect::TimerKind;
use curfew_domain::transition::{Opening, open};
use curfew_domain::window::Window;
use curfew_tests::catalog::{Kind, PEOPLE, people};
use curfew_tests::ports::{permitted, plan, ports};
use curfew_tests::proxy::{Calls, Gate};
use curfew_tests::wait::later;
use curfew_tests::{Curfew, Person, World, now, until, world};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stage::run_out;
use super::trouble::{Point, Trouble};
use super::{assert_empty, side_by_side};
use crate::support::Wired;

/// What goes wrong in one lap, each at a grant of its own.
const IN_ONE_LAP: [Trouble; 5] =
    [Trouble::Failing, Trouble::NotSent, Trouble::AnswersLost, Trouble::Late, Trouble::Stalled];

const KILLS: [Trouble; 3] = [Trouble::KilledBefore, Trouble::KilledAfter, Trouble::KilledAndLands];

/// The first of the persons' numbers that nobody else has.
const FIRST: usize = PEOPLE + 601;

/// How long a lap may take, before its end: many calls wait for their limits.
const SECONDS: i64 = 900;

/// How long one may take that is asked too often: the last 15 seconds are not for new work.
const THROTTLED_SECONDS: i64 = 25;

/// A pause after a failure, and a head start: a minute each.
const PATIENCE: Duration = Duration::from_secs(200);

/// A grant that is due.
struct Due {
    name: String,
    id: String,
    person: Person,
}

/// A Curfew that nobody sweeps but these tests.
async fn curfew(world: &World) -> Curfew {
    let people = people(FIRST..=FIRST + 150, &[Kind::User], world.acme().account());
    let curfew = world.deploy("swept", &[("DriftMinutes", "0")], &[("people.toml", &people)]).await;
    let rules = world.root().json("events", "AWSEvents.ListRules", &json!({})).await.expect("rules");
    let rules = rules["Rules"].as_array().expect("a list").clone();
    let own: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule["Name"].as_str())
        .filter(|name| name.starts_with("swept-SweepFunction"))
        .collect();
    let [rule] = own.as_slice() else { panic!("one rule of the sweep: {rules:?}") };
    world.root().json("events", "AWSEvents.DisableRule", &json!({ "Name": rule })).await.expect("a rule");
    curfew
}

#[tokio::test]
async fn a_lap_in_trouble_holds_up_nobody_and_the_next_ones_finish_it() {
    let world = world().await;
    let curfew = &curfew(world).await;
    let mut number = FIRST;
    let mut next = async |name: String| {
        number += 1;
        due(world, curfew, name, number).await
    };
    let poison = poison(world, curfew, FIRST).await;

    let untroubled = next("untroubled".to_owned()).await;
    let sweep = Wired::start(curfew, Function::Sweep).await;
    let swept = sweep.invoke(&json!({})).await;
    assert_eq!(
        (&swept.payload["failed"], &swept.payload["expired"]),
        (&json!(poison.len()), &json!(1)),
        "{swept:?}"
    );
    assert_told(&sweep, &poison);
    let points = points_about(&sweep.proxy.take_calls(), &untroubled.id);
    assert!(points.len() >= 5, "{points:?}");
    let mut all = vec![untroubled];

    // One lap, in which something else goes wrong with every grant.
    let sweep = &mut Wired::start(curfew, Function::Sweep).await;
    let gate = Gate::new();
    for point in &points {
        for trouble in IN_ONE_LAP {
            let due = next(format!("{} {trouble:?}", point.operation)).await;
            sweep.proxy.add(trouble.rule(point, &gate).about(&due.id));
            all.push(due);
        }
    }
    let healthy = next("beside all that".to_owned()).await;
    let swept = sweep.lambda.run(&json!({}), later(now(), SECONDS)).await.expect("a process");
    let swept = swept.expect("a lap ends before its time does");
    assert_eq!(swept.error, None, "{swept:?}");
    assert!(sweep.proxy.take_calls().struck() >= all.len() - 1, "everything went wrong that was to");
    assert_eq!(state(curfew, &healthy).await, "closed", "the others' trouble is none of its");
    all.push(healthy);
    gate.open();

    // One in which AWS says "too often". That is about all of the account, so whoever hears it holds the others up; the
    // next lap goes on where this one stopped.
    let mut sweep = Wired::start(curfew, Function::Sweep).await;
    for point in &points {
        let due = next(format!("{} {:?}", point.operation, Trouble::Throttled)).await;
        sweep.proxy.add(Trouble::Throttled.rule(point, &Gate::new()).about(&due.id));
        all.push(due);
    }
    let swept = sweep.lambda.run(&json!({}), later(now(), THROTTLED_SECONDS)).await.expect("a process");
    let swept = swept.expect("a lap ends before its time does");
    assert_eq!(swept.error, None, "{swept:?}");

    // A lap is killed at each of its calls.
    let looking = Point { operation: "Query".to_owned(), nth: 0 };
    for trouble in KILLS {
        for point in points.iter().chain([&looking]) {
            let due = next(format!("{} {trouble:?}", point.operation)).await;
            let mut sweep = Wired::start(curfew, Function::Sweep).await;
            let gate = Gate::new();
            let rule = trouble.rule(point, &gate);
            let about = if point == &looking { "due_shard" } else { &due.id };
            sweep.proxy.add(rule.about(about));
            let invocation = sweep.lambda.begin(&json!({}), later(now(), SECONDS));
            gate.reached_by(1).await.unwrap_or_else(|error| panic!("{}: {error}", due.name));
            sweep.lambda.kill().await.expect("a dead process");
            assert_eq!(invocation.answer().await, None, "{}", due.name);
            if trouble.lands_late() {
                gate.open();
            }
            all.push(due);
        }
    }

    until("all of it has ended", PATIENCE, async || {
        let swept = curfew.invoke(Function::Sweep, &json!({})).await;
        assert_eq!(swept.error, None, "{swept:?}");
        let states = side_by_side(all.iter().map(|due| state(curfew, due))).await;
        if states.iter().all(|state| state == "closed") {
            return Some(());
        }
        edge::pause(Duration::from_secs(3)).await;
        None
    })
    .await;
    side_by_side(all.iter().map(|due| assert_over(world, curfew, due))).await;

    // It is still told, lap by lap; and once it is put right there is nothing left.
    let swept = curfew.invoke(Function::Sweep, &json!({})).await;
    assert_eq!(
        (&swept.payload["failed"], &swept.payload["due"]),
        (&json!(poison.len()), &json!(poison.len()))
    );
    for item in items(world, curfew, "due").await {
        let key = json!({ "TableName": curfew.table(), "Key": { "pk": item["pk"], "sk": item["sk"] } });
        world.root().json("dynamodb", "DynamoDB_20120810.DeleteItem", &key).await.expect("a deleted item");
    }
    assert_empty(world, curfew).await;
}

/// The calls of a lap that name a grant.
fn points_about(calls: &Calls, id: &str) -> Vec<Point> {
    let about = calls.0.iter().filter(|call| call.names(id)).cloned().collect();
    Point::all(&Calls(about))
}

async fn due(world: &World, curfew: &Curfew, name: String, n: usize) -> Due {
    let acme = world.acme();
    let endpoint = world.stack().endpoint();
    let person = Person::make(&world.root(), endpoint, Kind::User, n, acme).await;
    let timer = (TimerKind::Scheduler, SignedDuration::ZERO);
    let (id, _) = run_out(world, curfew, &person, "reader", timer).await;
    Due { name, id, person }
}

/// Grants that are due before all others, and that can't be read; and an entry of the index that is no grant's at all.
/// Gives the ids of those that are grants.
async fn poison(world: &World, curfew: &Curfew, n: usize) -> Vec<String> {
    let acme = world.acme();
    let endpoint = world.stack().endpoint();
    let person = Person::make(&world.root(), endpoint, Kind::User, n, acme).await;
    let ports = ports(world, curfew);
    let mut ids = Vec::new();
    for broken in ["SET #grant = :garbage", "SET #grant.#window = :garbage"] {
        let opened_at = later(now(), -7200);
        let window = Window::new(opened_at, later(now(), -3600)).expect("a window");
        let plan = plan(world, curfew, &person, "reader", window, opened_at);
        let lease_until = later(opened_at, 55);
        let sweep_grace = SignedDuration::ZERO;
        let opening = Opening { attempt: 0, timer: TimerKind::Scheduler, lease_until, sweep_grace };
        let opened = open(permitted(plan), opening, opened_at);
        assert_eq!(ports.ledger().open(&opened.grant, &opened.events).await, Ok(OpenWrite::Written));
        let id = opened.grant.id().to_string();
        let mut names = json!({ "#grant": "grant", "#window": "window" });
        if !broken.contains("#window") {
            names = json!({ "#grant": "grant" });
        }
        let update = json!({
            "TableName": curfew.table(),
            "Key": { "pk": { "S": format!("GRANT#{id}") }, "sk": { "S": "STATE" } },
            "UpdateExpression": broken,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": { ":garbage": { "S": "edited by hand" } },
        });
        world.root().json("dynamodb", "DynamoDB_20120810.UpdateItem", &update).await.expect("an edited item");
        ids.push(id);
    }
    let mut stray = items(world, curfew, "due").await.swap_remove(0);
    stray["pk"] = json!({ "S": "GRANT#nonsense" });
    let put = json!({ "TableName": curfew.table(), "Item": stray });
    world.root().json("dynamodb", "DynamoDB_20120810.PutItem", &put).await.expect("an item");
    ids
}

/// That operators hear of what can't be read.
fn assert_told(sweep: &Wired, poison: &[String]) {
    let log = sweep.lambda.log().expect("a log");
    for id in poison {
        assert!(log.contains(&format!("the sweep could not finish grant {id}")), "{log}");
    }
    assert!(log.contains("a due item is unreadable"), "{log}");
    assert!(log.contains(&format!("\"RevocationFailures\":{}", poison.len())), "the alarm's metric: {log}");
}

async fn items(world: &World, curfew: &Curfew, index: &str) -> Vec<Value> {
    let scan = json!({ "TableName": curfew.table(), "IndexName": index });
    let said = world.root().json("dynamodb", "DynamoDB_20120810.Scan", &scan).await.expect("an index");
    said["Items"].as_array().expect("items").clone()
}

async fn state(curfew: &Curfew, due: &Due) -> String {
    curfew.record(&due.id).await.expect("a grant").state().to_owned()
}

/// That nothing is left of a grant.
async fn assert_over(world: &World, curfew: &Curfew, due: &Due) {
    let Due { name, id, person } = due;
    assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![]), "{name}: a policy is left");
    let refused = person.keys.object(&world.acme().bucket()).await.expect_err(name);
    assert!(refused.is_denied(), "{name}: {refused:?}");
    let record = curfew.record(id).await.expect("a grant");
    let story = record.story();
    assert_eq!(story.iter().filter(|event| **event == "Revoked").count(), 1, "{name}: {story:?}");
    record.verify();
}
