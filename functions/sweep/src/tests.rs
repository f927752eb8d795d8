//! The sweep function on an AWS in memory.

use std::sync::{Arc, Mutex};

use curfew_app::open::{self, Opened};
use curfew_app::{ports, revoke};
use curfew_domain::event::{Actor, OperatorName};
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::transition::BeginClosing;
use curfew_domain::window::plus;
use curfew_runtime::error::Remedy;
use curfew_runtime::{FunctionError, Invocation, Metrics};
use curfew_testkit::fixtures::{self, request};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallName, Delivery, Fault, MemoryPorts, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{Summary, SweepFunction};

mod drift;

struct Bench {
    world: World,
    metrics: Arc<Mutex<Vec<Value>>>,
}

impl Bench {
    fn new() -> Self {
        Self { world: fixtures::world(), metrics: Arc::default() }
    }

    fn open(&self, ticket: &str) -> Grant {
        let ports = self.world.invocation();
        let catalog = fixtures::catalog();
        let settings = fixtures::settings();
        let opened = self
            .world
            .finish(open::open(&ports, permissive(&catalog), request(ticket), settings))
            .unwrap()
            .unwrap();
        let Opened::Activated(grant) = opened else { unreachable!("{opened:?}") };
        *grant
    }

    fn revoke(&self, grant: &Grant) {
        let begin = BeginClosing {
            cause: Cause::Revoked,
            actor: Actor::Operator(OperatorName::new("ops@example.com").unwrap()),
            reason: "incident over".to_owned(),
            settled: false,
        };
        let ports = self.world.invocation();
        self.world.finish(revoke::revoke(&ports, grant.id(), begin)).unwrap().unwrap();
    }

    fn sweep(&self, time: SignedDuration) -> Result<Summary, FunctionError> {
        let function = SweepFunction::new(self.ports(), self.metrics(), None);
        self.world.finish(function.handle(&self.invocation(time))).unwrap()
    }

    fn invocation(&self, time: SignedDuration) -> Invocation {
        Invocation { request_id: "r-1".to_owned(), deadline: plus(self.world.now(), time) }
    }

    fn ports(&self) -> impl Fn(ports::Invocation) -> MemoryPorts + Send + Sync {
        let world = self.world.clone();
        move |invocation| world.invocation().leased(invocation.lease_until)
    }

    fn metrics(&self) -> Metrics {
        let lines = Arc::clone(&self.metrics);
        let sink =
            Arc::new(move |line: &str| lines.lock().unwrap().push(serde_json::from_str(line).unwrap()));
        Metrics::to("curfew-sweep", sink)
    }

    fn told(&self, metric: &str) -> Vec<Value> {
        let told = self.metrics.lock().unwrap();
        told.iter().filter_map(|line| line.get(metric).cloned()).collect()
    }
}

const LAP: SignedDuration = SignedDuration::from_secs(55);

#[test]
fn a_lap_with_nothing_due_tells_an_empty_backlog() {
    let bench = Bench::new();
    bench.open("CHG-1");
    assert_eq!(bench.sweep(LAP), Ok(Summary::default()));
    assert_eq!(bench.told("SweepBacklog"), [json!(0)]);
}

#[test]
fn what_its_timer_forgot_is_ended_and_its_lag_is_told() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_secs(3600 + 75));
    let summary = bench.sweep(LAP).unwrap();
    assert_eq!(summary, Summary { due: 1, expired: 1, ..Summary::default() });
    assert_eq!(bench.told("RevocationLagSeconds"), [json!(75)]);
    assert_eq!(bench.told("RevocationFailures"), Vec::<Value>::new());
    assert_eq!(bench.world.violations(), []);
}

#[test]
fn the_lag_of_an_early_end_counts_from_when_it_was_asked_for() {
    let bench = Bench::new();
    let grant = bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(10));
    bench.world.plan(Fault::once(CallName::Detach, Delivery::LostRequest));
    bench.revoke(&grant);
    bench.world.advance(SignedDuration::from_secs(90));
    assert_eq!(bench.sweep(LAP), Ok(Summary { due: 1, revoked: 1, ..Summary::default() }));
    assert_eq!(bench.told("RevocationLagSeconds"), [json!(90)]);
}

#[test]
fn what_fails_again_stays_in_the_backlog() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(62));
    bench.world.plan(Fault::once(CallName::Detach, Delivery::Forbidden));
    let summary = bench.sweep(LAP).unwrap();
    assert_eq!(summary, Summary { due: 1, failed: 1, backlog: 1, ..Summary::default() });
    assert_eq!(
        (bench.told("SweepBacklog"), bench.told("RevocationFailures")),
        (vec![json!(1)], vec![json!(1)])
    );
    assert_eq!(bench.told("Revoked"), Vec::<Value>::new());
}

/// The pauses between tries grow, so most laps see nothing of a removal that keeps failing; those that do tell how long.
#[test]
fn how_long_a_removal_is_unproven_is_told_by_each_lap_that_tries_it() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(62));
    bench.world.plan(Fault::always(CallName::Detach, Delivery::Forbidden));
    let mut told = Vec::new();
    for _ in 0..40 {
        bench.sweep(LAP).unwrap();
        let ages = bench.told("OldestUnprovenSeconds");
        told.push(ages.last().and_then(Value::as_i64).filter(|_| ages.len() > told.iter().flatten().count()));
        bench.world.advance(SignedDuration::from_mins(1));
    }
    let laps: Vec<(usize, i64)> =
        told.iter().enumerate().filter_map(|(lap, age)| Some((lap, (*age)?))).collect();
    assert_eq!(
        laps,
        [(0, 120), (1, 180), (3, 300), (7, 540), (15, 1020), (30, 1920)],
        "since the window's end"
    );
}

#[test]
fn access_that_ends_early_is_unproven_since_its_end_was_begun() {
    let bench = Bench::new();
    let grant = bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(10));
    bench.world.plan(Fault::always(CallName::Detach, Delivery::Forbidden));
    bench.revoke(&grant);
    bench.world.advance(SignedDuration::from_secs(90));
    bench.sweep(LAP).unwrap();
    assert_eq!(bench.told("OldestUnprovenSeconds"), [json!(90)]);
}

#[test]
fn a_lap_that_proves_all_tells_no_age() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(62));
    bench.sweep(LAP).unwrap();
    bench.sweep(LAP).unwrap();
    assert_eq!(bench.told("OldestUnprovenSeconds"), Vec::<Value>::new());
}

#[test]
fn nothing_is_begun_that_could_not_be_finished_in_time() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(62));
    let summary = bench.sweep(SignedDuration::from_secs(15)).unwrap();
    assert_eq!(summary, Summary { due: 1, left_over: 1, backlog: 1, ..Summary::default() });
}

#[test]
fn a_lap_that_can_not_find_out_what_is_due_fails() {
    let bench = Bench::new();
    bench.world.plan(Fault::once(CallName::Due, Delivery::LostRequest));
    assert_eq!(bench.sweep(LAP).unwrap_err().remedy, Remedy::Retryable);
    assert_eq!(
        bench.told("SweepBacklog"),
        Vec::<Value>::new(),
        "a backlog that is not known is not told as zero"
    );
}

#[test]
fn a_grant_whose_story_can_not_be_read_is_still_closed() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(62));
    bench.world.plan(Fault::once(CallName::Story, Delivery::LostRequest));
    assert_eq!(bench.sweep(LAP).unwrap().expired, 1);
    assert_eq!(bench.told("RevocationLagSeconds"), Vec::<Value>::new());
}
