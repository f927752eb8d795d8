//! Every call of a grant's life × everything that can go wrong with a call: whatever happens, it ends.
//!
//! Which calls there are is not written down here: each part of a life is first lived without trouble, and every call
//! that it made then is in for all of it. Of two cases one is helped by whoever would try again (the sender, Lambda,
//! the operator); the other is left to the sweep. Nobody is ever told more than is true; at the end the persons' own
//! keys, IAM, the timers and the ledger agree that nothing is left.

mod in_time;
mod stage;
mod swept;
mod trouble;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_cli::edge;
use curfew_domain::effect::TimerKind;
use curfew_tests::catalog::{Kind, PEOPLE, people};
use curfew_tests::proxy::Gate;
use curfew_tests::wait::later;
use curfew_tests::{Curfew, Flavour, World, now, until, world};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use stage::{Act, Case, Part, Stage};
use trouble::{Point, Trouble};

/// How long an opening may take: its lease is over so much sooner.
const OPENING_SECONDS: i64 = 12;

/// How long an ending may take: what the template gives a closed ticket. Nothing new is begun in the last 15 seconds.
const ENDING_SECONDS: i64 = 25;

/// How many cases are under way at once.
const AT_ONCE: usize = 32;

/// The persons' numbers: from the first that is nobody's in another test.
const NUMBERS: RangeInclusive<usize> = PEOPLE + 1..=PEOPLE + 600;

/// A lease ends half a minute after its invocation's deadline, and a closer has a minute's head start; twice, for a
/// redelivery may have been cut short as well.
const PATIENCE: Duration = Duration::from_secs(200);

/// Two deployments whose ledgers hold nothing but these grants: timers by Scheduler, and by rules.
async fn curfews(world: &'static World) -> &'static [Curfew; 2] {
    static CURFEWS: OnceCell<[Curfew; 2]> = OnceCell::const_new();
    let people = people(NUMBERS, &[Kind::User, Kind::Role], world.acme().account());
    let catalog = [("people.toml", &*people)];
    CURFEWS
        .get_or_init(async || {
            let (schedules, rules) = tokio::join!(
                world.deploy("every-call", &[("DriftMinutes", "0")], &catalog),
                world.deploy("every-call-rules", &[("TimerKind", "rules"), ("DriftMinutes", "0")], &catalog),
            );
            [schedules, rules]
        })
        .await
}

/// The parts of a life. Of those that follow another of the same act, only what that one did not do is tried.
async fn parts(world: &'static World) -> Vec<Part> {
    let [schedules, rules] = curfews(world).await;
    let abroad = world.curfew_with_agent(Flavour::Scheduler).await;
    let part = |name, act, curfew, timers, kind, role| Part { name, act, curfew, timers, kind, role };
    let (by_schedule, by_rule) = (TimerKind::Scheduler, TimerKind::Rule);
    vec![
        part("opening", Act::Open, schedules, by_schedule, Kind::User, "reader"),
        part("opening with a rule", Act::Open, rules, by_rule, Kind::User, "reader"),
        part("opening of managed access", Act::Open, schedules, by_schedule, Kind::User, "auditor"),
        part("opening abroad", Act::Open, abroad, by_schedule, Kind::Abroad, "reader"),
        part("expiry", Act::Expire, schedules, by_schedule, Kind::User, "reader"),
        part("expiry with a rule", Act::Expire, rules, by_rule, Kind::User, "reader"),
        part("expiry of managed access", Act::Expire, schedules, by_schedule, Kind::User, "auditor"),
        part("revocation", Act::Revoke, schedules, by_schedule, Kind::Role, "reader"),
        part("revocation with a rule", Act::Revoke, rules, by_rule, Kind::Role, "reader"),
        part("closed ticket", Act::CloseTicket, schedules, by_schedule, Kind::User, "reader"),
    ]
}

/// What is tried.
struct Plan {
    part: Part,
    point: Point,
    trouble: Trouble,
}

#[tokio::test]
async fn whatever_goes_wrong_with_whatever_call_it_ends() {
    let world = world().await;
    let mut plans = Vec::new();
    let mut tried: BTreeSet<(&str, Point)> = BTreeSet::new();
    let mut numbers = NUMBERS;
    let mut number = || numbers.next().expect("more people are needed: raise `NUMBERS`");
    let mut cases: Vec<Case> = Vec::new();
    for part in parts(world).await {
        let (case, points) = untroubled(part, number()).await;
        cases.push(case);
        for point in points {
            if tried.insert((act_name(part.act), point.clone())) {
                plans.extend(Trouble::ALL.map(|trouble| Plan { part, point: point.clone(), trouble }));
            }
        }
    }
    plans.sort_by_key(|plan| Trouble::ALL.iter().position(|trouble| *trouble == plan.trouble));
    let count = plans.len();
    let all = plans.into_iter().enumerate().map(|(n, plan)| troubled(plan, number(), n % 2 == 0));
    let all: Vec<_> = all.collect();
    cases.extend(side_by_side(all).await);
    println!("{count} cases at {} calls", tried.len());

    settle(&cases).await;
    let still_active: Vec<bool> = side_by_side(cases.iter().map(still_active)).await;
    let active = cases.iter().zip(still_active).filter_map(|(case, active)| active.then_some(case));
    let active: Vec<&Case> = active.collect();
    println!("{} of them are still in effect, as they may be", active.len());
    side_by_side(active.into_iter().map(async |case| match case.part.act {
        Act::Open => case.close_ticket().await,
        Act::CloseTicket => {
            assert!(!case.ticket_is_closed().await, "{}: what was begun was not finished", case.name);
            case.close_ticket().await;
        }
        Act::Revoke => case.again().await,
        Act::Expire => panic!("{}: nobody ended it", case.name),
    }))
    .await;
    settle(&cases).await;

    side_by_side(cases.iter().map(assert_over)).await;
    for curfew in curfews(world).await {
        assert_empty(world, curfew).await;
    }
}

/// Does many things, some at once; what came of them, in order.
async fn side_by_side<T>(all: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(all).buffered(AT_ONCE).collect().await
}

fn act_name(act: Act) -> &'static str {
    match act {
        Act::Open => "open",
        Act::Expire => "expire",
        Act::Revoke => "revoke",
        Act::CloseTicket => "close-ticket",
    }
}

/// A part of a life as it should be: what calls it makes.
async fn untroubled(part: Part, n: usize) -> (Case, Vec<Point>) {
    let stage = Stage::set(part, part.name.to_owned(), n).await;
    let told = stage.wired.invoke(&stage.event).await;
    stage.case.check_told(&told).await;
    let expected = if part.act == Act::Open { "active" } else { "closed" };
    assert_eq!(stage.case.state().await.as_deref(), Some(expected), "{}: {told:?}", part.name);
    (stage.case, Point::all(&stage.wired.proxy.take_calls()))
}

/// A part of a life in which one call goes wrong, and what is done about it at once.
async fn troubled(plan: Plan, n: usize, is_helped: bool) -> Case {
    let Plan { part, point, trouble } = plan;
    let help = if is_helped { "tried again" } else { "left to the sweep" };
    let name = format!("{}: {} #{} {trouble:?}, {help}", part.name, point.operation, point.nth);
    let Stage { mut wired, event, mut case } = Stage::set(part, name, n).await;
    case.timer_landed_late = point.operation == "CreateSchedule" && trouble.lands_late();
    let name = &case.name;
    let gate = Gate::new();
    wired.proxy.add(trouble.rule(&point, &gate));
    let seconds = if part.act == Act::Open { OPENING_SECONDS } else { ENDING_SECONDS };
    let deadline = later(now(), seconds);
    let told = if trouble.kills() {
        let invocation = wired.lambda.begin(&event, deadline);
        if let Err(error) = gate.reached_by(1).await {
            panic!("{name}: {error}: {:?}: {:?}", wired.proxy.take_calls().operations(), wired.lambda.log());
        }
        wired.lambda.kill().await.expect("a dead process");
        assert_eq!(invocation.answer().await, None, "{name}");
        None
    } else {
        wired.lambda.run(&event, deadline).await.expect("a process")
    };
    assert!(wired.proxy.take_calls().struck() > 0, "{name}: nothing went wrong");
    if let Some(told) = &told {
        case.check_told(told).await;
    }
    wired.proxy.heal();
    if is_helped {
        case.again().await;
    }
    if trouble.lands_late() {
        gate.open();
    }
    case
}

/// The sweep goes on until only what may be in effect has not ended.
async fn settle(cases: &[Case]) {
    let world = world().await;
    let curfews = curfews(world).await;
    let abroad = world.curfew(Flavour::Scheduler).await;
    until("everything has ended that must", PATIENCE, async || {
        let nothing = json!({});
        let sweeping = curfews.iter().chain([abroad]);
        let swept = join_all(sweeping.map(|curfew| curfew.invoke(Function::Sweep, &nothing))).await;
        for swept in &swept {
            assert_eq!(swept.error, None, "{swept:?}");
        }
        let unfinished = side_by_side(cases.iter().map(Case::must_end)).await;
        if !unfinished.contains(&true) {
            return Some(());
        }
        edge::pause(Duration::from_secs(3)).await;
        None
    })
    .await;
}

async fn still_active(case: &Case) -> bool {
    let is_active = case.state().await.as_deref() == Some("active");
    assert_eq!(case.holds().await, is_active, "{}: access and ledger differ", case.name);
    is_active
}

/// That nothing is left of a case.
async fn assert_over(case: &Case) {
    let name = &case.name;
    assert!(!case.holds().await, "{name}: access is left");
    let root = case.root().await;
    let world = world().await;
    let principal = &case.person.principal;
    assert_eq!(root.inline_policies(principal).await, Ok(vec![]), "{name}: a policy is left");
    assert_eq!(root.attached_policies(principal).await, Ok(vec![]), "{name}: a policy is left");
    for record in case.records().await {
        let (state, story) = (record.state(), record.story());
        assert_eq!(state, "closed", "{name}: {story:?}");
        assert_eq!(story.iter().filter(|event| **event == "Revoked").count(), 1, "{name}: {story:?}");
        record.verify();
        let id = record.grant.id().as_str();
        match case.part.timers {
            TimerKind::Scheduler => {
                let left = schedule(world, case.part.curfew, id).await;
                if let (true, Some(left)) = (case.timer_landed_late, &left) {
                    // It fires once, at a grant that is closed, and deletes itself: nobody waits for its landing.
                    assert_eq!(left["ActionAfterCompletion"], "DELETE", "{name}: {left}");
                    case.part.curfew.lose_schedule(id).await;
                } else {
                    assert_eq!(left, None, "{name}: a timer is left");
                }
            }
            TimerKind::Rule => assert!(!case.part.curfew.has_rule(id).await, "{name}: a timer is left"),
        }
    }
}

/// A grant's schedule, if it is there.
async fn schedule(world: &World, curfew: &Curfew, id: &str) -> Option<Value> {
    let path = format!("/schedules/curfew-{id}?groupName={}", curfew.output("ScheduleGroup"));
    match world.root().rest("scheduler", Method::GET, &path, &[], b"").await {
        Ok(found) => Some(found.json()),
        Err(refused) => {
            assert_eq!(refused.code, "ResourceNotFoundException", "{refused:?}");
            None
        }
    }
}

/// That a deployment with nothing but ended grants has nothing to do: no timer, and no entry in an index.
async fn assert_empty(world: &World, curfew: &Curfew) {
    let path = format!("/schedules?ScheduleGroup={}", curfew.output("ScheduleGroup"));
    let listed = world.root().rest("scheduler", Method::GET, &path, &[], b"").await.expect("schedules");
    assert_eq!(listed.json()["Schedules"], json!([]), "a schedule is left");
    for index in ["due", "live_by_person", "live_by_tenant"] {
        let scan = json!({ "TableName": curfew.table(), "IndexName": index });
        let left = world.root().json("dynamodb", "DynamoDB_20120810.Scan", &scan).await.expect("an index");
        assert_eq!(left["Items"], json!([]), "{index}: something is left");
        assert!(left["LastEvaluatedKey"].is_null(), "{index}: something is left");
    }
}
