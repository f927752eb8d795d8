//! The revoke function from input to reply, on an AWS in memory.

mod reviews;

use std::sync::{Arc, Mutex};

use curfew_app::Rules;
use curfew_app::open::{self, Opened};
use curfew_app::ports;
use curfew_domain::grant::{Grant, State};
use curfew_domain::request::AccessRequest;
use curfew_domain::window::plus;
use curfew_runtime::error::Remedy;
use curfew_runtime::revocation::GrantResult;
use curfew_runtime::{FunctionError, Invocation, Metrics};
use curfew_testkit::fixtures::{self, ANA, managed_request, request, request_of};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallName, Delivery, Fault, MemoryPorts, Task, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::RevokeFunction;
use crate::reply::Reply;

type MakePorts = Box<dyn Fn(ports::Invocation) -> MemoryPorts + Send + Sync>;

struct Bench {
    world: World,
    ports: MemoryPorts,
    function: RevokeFunction<MakePorts>,
    metrics: Arc<Mutex<Vec<Value>>>,
}

impl Bench {
    fn new() -> Self {
        let world = fixtures::world();
        let ports = world.invocation();
        let metrics = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&metrics);
        let sink =
            Arc::new(move |line: &str| lines.lock().unwrap().push(serde_json::from_str(line).unwrap()));
        let same = ports.clone();
        let make: MakePorts = Box::new(move |invocation| same.clone().leased(invocation.lease_until));
        let function = RevokeFunction::new(make, Metrics::to("curfew-revoke", sink));
        Self { world, ports, function, metrics }
    }

    fn open(&self, request: AccessRequest) -> Grant {
        self.open_under(permissive(&fixtures::catalog()), request)
    }

    fn open_under(&self, rules: Rules<'_>, request: AccessRequest) -> Grant {
        let ports = self.world.invocation();
        let settings = fixtures::settings();
        let opened = self.world.finish(open::open(&ports, rules, request, settings)).unwrap().unwrap();
        let Opened::Activated(grant) = opened else { unreachable!("{opened:?}") };
        *grant
    }

    fn call(&self, input: &Value) -> Result<Reply, FunctionError> {
        let deadline = plus(self.world.now(), SignedDuration::from_secs(60));
        let invocation = Invocation { request_id: "r-1".to_owned(), deadline };
        self.world.finish(self.function.handle(input, &invocation)).unwrap()
    }

    fn ask(&self, selector: Value) -> Result<Reply, FunctionError> {
        let mut input = json!({ "reason": "incident over", "operator": "ops@example.com" });
        input.as_object_mut().unwrap().extend(selector.as_object().unwrap().clone());
        self.call(&input)
    }

    fn ana_has_access(&self) -> bool {
        self.world.look(|aws| aws.iam.inline_policies().any(|(principal, _)| principal.arn() == ANA))
    }

    fn told(&self, metric: &str) -> Vec<Value> {
        let told = self.metrics.lock().unwrap();
        told.iter().filter_map(|line| line.get(metric).cloned()).collect()
    }

    fn assert_promises_kept(&self) {
        assert_eq!(self.world.violations(), [], "{}", self.world.history());
    }
}

fn timer(grant: &Grant) -> Value {
    json!({ "grant_id": grant.id(), "trigger": "timer" })
}

#[test]
fn a_timer_ends_its_grant_in_three_calls() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    bench.world.advance(SignedDuration::from_mins(60) + SignedDuration::from_secs(7));
    let reply = bench.call(&timer(&grant)).unwrap();
    assert!(reply.ok);
    assert_eq!(
        reply.message,
        "access of ana@example.com to ops in acme has been removed: AWS confirmed DeleteUserPolicy at 2026-11-21T11:00:07Z"
    );
    assert_eq!(bench.world.calls(&bench.ports), [CallName::Claim, CallName::Detach, CallName::Commit]);
    assert_eq!(bench.told("RevocationLagSeconds"), [json!(7)]);
    bench.assert_promises_kept();

    // Delivered once more, it changes nothing.
    let reply = bench.call(&timer(&grant)).unwrap();
    assert!(reply.ok);
    assert!(
        reply.message.contains("was already closed (expired) at 2026-11-21T11:00:07Z"),
        "{}",
        reply.message
    );
    assert_eq!(bench.told("Revoked"), [json!(1)]);
}

#[test]
fn a_timer_that_comes_early_changes_nothing() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    let reply = bench.call(&timer(&grant)).unwrap();
    assert!(!reply.ok);
    assert!(reply.message.contains("lasts until 2026-11-21T11:00:00Z"), "{}", reply.message);
    assert!(bench.ana_has_access());
}

#[test]
fn a_timers_failure_is_an_error_so_that_lambda_tries_again() {
    for call in [CallName::Claim, CallName::Detach, CallName::Commit] {
        let bench = Bench::new();
        let grant = bench.open(request("CHG-1"));
        bench.world.advance(SignedDuration::from_mins(61));
        bench.world.plan(Fault::once(call, Delivery::LostRequest));
        let error = bench.call(&timer(&grant)).unwrap_err();
        assert_eq!(error.remedy, Remedy::Retryable, "{call:?}: {error}");
        assert_eq!(bench.told("RevocationFailures"), [json!(1)], "{call:?}");

        bench.world.advance(SignedDuration::from_mins(1));
        assert!(bench.call(&timer(&grant)).unwrap().ok, "{call:?}");
        assert!(!bench.ana_has_access());
        bench.assert_promises_kept();
    }
}

#[test]
fn a_timer_without_a_grant_is_for_an_operator() {
    let bench = Bench::new();
    for input in [
        json!({ "trigger": "timer" }),
        json!({ "trigger": "timer", "grant_id": "g-abcdefghijklmnopqrstuvwxyz" }),
    ] {
        assert_eq!(bench.call(&input).unwrap_err().remedy, Remedy::NeedsOperator, "{input}");
    }
}

#[test]
fn an_operator_ends_a_grant_by_its_id() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    bench.world.advance(SignedDuration::from_mins(5));
    let reply = json!(bench.ask(json!({ "grant_id": grant.id() })).unwrap());
    assert_eq!(
        reply,
        json!({
            "ok": true,
            "message": "access of ana@example.com to ops in acme has been removed: AWS confirmed \
                        DeleteUserPolicy at 2026-11-21T10:05:00Z",
            "grants": [{
                "grant_id": grant.id(),
                "result": "removed",
                "message": "access of ana@example.com to ops in acme has been removed: AWS confirmed \
                            DeleteUserPolicy at 2026-11-21T10:05:00Z",
                "state": "closed",
                "outcome": "revoked",
                "person": "ana@example.com",
                "tenant": "acme",
                "role": "ops",
                "principal": ANA,
                "source": "itsm",
                "ticket": "CHG-1",
                "expires_at": "2026-11-21T11:00:00Z",
            }],
        })
    );
    let story = bench.world.look(|aws| aws.ledger.row(grant.id()).unwrap().story().unwrap());
    let asked = json!(story.events[3]);
    assert_eq!(asked["actor"], json!({ "kind": "operator", "name": "ops@example.com" }));
    let expected = json!({ "type": "RevocationRequested", "reason": "incident over (invocation r-1)" });
    assert_eq!(
        asked["fact"], expected,
        "the words are theirs, and who called is in CloudTrail under that id"
    );
    bench.assert_promises_kept();
}

#[test]
fn a_widgets_viewer_ends_a_grant_by_its_button_and_form() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    let form = json!({ "operator": ["olga@example.com"], "reason": "laptop <b>stolen</b>" });
    let widget =
        json!({ "dashboardName": "Curfew", "theme": "dark", "params": {}, "forms": { "all": form } });
    let reply = bench.call(&json!({ "grant_id": grant.id(), "widgetContext": widget })).unwrap();
    assert!(reply.ok, "{}", reply.message);
    assert!(!bench.ana_has_access());
    let story = bench.world.look(|aws| aws.ledger.row(grant.id()).unwrap().story().unwrap());
    let asked = json!(story.events[3]);
    assert_eq!(asked["actor"]["name"], "olga@example.com");
    assert_eq!(asked["fact"]["reason"], "laptop <b>stolen</b> (invocation r-1)");
    bench.assert_promises_kept();
}

#[test]
fn an_operator_ends_all_of_a_ticket_a_person_or_a_tenant() {
    for (selector, ended) in [
        (json!({ "ticket": "CHG-1" }), [true, false, false]),
        (json!({ "ticket": "CHG-1", "source": "itsm" }), [true, false, false]),
        (json!({ "person": "ana@example.com" }), [true, false, true]),
        (json!({ "tenant": "acme" }), [true, true, false]),
    ] {
        let bench = Bench::new();
        let grants = [
            bench.open(request("CHG-1")),
            bench.open(request_of("ben", "acme", "ops", "CHG-2")),
            bench.open(request_of("ana", "globex", "ops", "CHG-3")),
        ];
        let reply = bench.ask(selector.clone()).unwrap();
        assert!(reply.ok, "{selector}: {}", reply.message);
        let closed = grants.map(|grant| {
            bench.world.look(|aws| {
                matches!(
                    aws.ledger.row(grant.id()).unwrap().stored().unwrap().grant.state(),
                    State::Closed { .. }
                )
            })
        });
        assert_eq!(closed, ended, "{selector}");
        bench.assert_promises_kept();
    }
}

#[test]
fn a_dry_run_says_what_would_end_and_ends_nothing() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    let reply = bench.ask(json!({ "person": "ana@example.com", "dry_run": true })).unwrap();
    assert!(reply.ok);
    assert!(reply.message.starts_with("dry run, nothing was changed: 1 of 1 grant(s)"), "{}", reply.message);
    assert_eq!(reply.grants[0].grant_id, *grant.id());
    assert!(bench.ana_has_access());
    assert_eq!(bench.world.calls(&bench.ports), [CallName::LiveOfPerson, CallName::Load]);
}

#[test]
fn what_can_not_be_acted_on_changes_nothing_and_is_explained() {
    let bench = Bench::new();
    bench.open(request("CHG-1"));
    for (input, ok, said) in [
        (json!({ "key1": "value1" }), false, "the input can't be acted on"),
        (
            json!({ "grant_id": "g-abcdefghijklmnopqrstuvwxyz", "reason": "r", "operator": "o" }),
            false,
            "there is no grant g-abcdefghijklmnopqrstuvwxyz in the ledger; find ids",
        ),
        (
            json!({ "grant_id": "g-abcdefghijklmnopqrstuvwxyz", "reason": "r", "operator": "o", "dry_run": true }),
            false,
            "there is no grant",
        ),
        (json!({ "ticket": "CHG-9", "reason": "r", "operator": "o" }), false, "no grant of ticket CHG-9"),
        (
            json!({ "person": "ben@example.com", "reason": "r", "operator": "o" }),
            true,
            "has no access that could be ended",
        ),
        (json!({ "tenant": "globex", "reason": "r", "operator": "o" }), true, "nobody has access in globex"),
    ] {
        let reply = bench.call(&input).unwrap();
        assert_eq!(reply.ok, ok, "{input}");
        assert!(reply.message.contains(said), "`{}` does not say `{said}`", reply.message);
    }
    assert!(bench.ana_has_access());
}

#[test]
fn a_ticket_of_two_sources_is_not_guessed() {
    let bench = Bench::new();
    bench.open(request("CHG-1"));
    let mut other = request_of("ben", "acme", "ops", "CHG-1");
    other.source = curfew_domain::ids::Source::new("jira").unwrap();
    bench.open(other);
    let reply = bench.ask(json!({ "ticket": "CHG-1" })).unwrap();
    assert!(!reply.ok);
    assert!(reply.message.contains("itsm, jira"), "{}", reply.message);
    assert!(bench.ana_has_access());
    assert!(bench.ask(json!({ "ticket": "CHG-1", "source": "itsm" })).unwrap().ok);
    assert!(!bench.ana_has_access());
}

#[test]
fn a_removal_that_began_is_told_as_such_to_an_operator() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    bench.world.plan(Fault::once(CallName::Detach, Delivery::LostRequest));
    let reply = bench.ask(json!({ "grant_id": grant.id() })).unwrap();
    assert!(!reply.ok);
    for said in [
        "has begun, but AWS did not confirm it yet",
        "the sweep tries again at 2026-11-21T10:0",
        "stops working at 2026-11-21T11:00:00Z",
    ] {
        assert!(reply.message.contains(said), "`{}` does not say `{said}`", reply.message);
    }
}

#[test]
fn an_operators_failure_is_an_error_if_nothing_may_have_begun() {
    for call in [CallName::LiveOfPerson, CallName::Claim] {
        let bench = Bench::new();
        bench.open(request("CHG-1"));
        bench.world.plan(Fault::once(call, Delivery::LostRequest));
        let error = bench.ask(json!({ "person": "ana@example.com" })).unwrap_err();
        assert_eq!(error.remedy, Remedy::Retryable, "{call:?}");
        assert!(bench.ask(json!({ "person": "ana@example.com" })).unwrap().ok);
        assert!(!bench.ana_has_access());
    }
}

#[test]
fn what_there_is_no_time_for_is_begun_and_said() {
    let bench = Bench::new();
    for n in 0..20 {
        // A role's inline policies have room for so many; a user's do not.
        bench.open(request_of("ben", "acme", "ops", &format!("CHG-{n}")));
    }
    // Its deadline is so near that no removal is tried: all of them are the sweep's work from then on.
    let invocation = Invocation { request_id: "r-1".to_owned(), deadline: bench.world.now() };
    let input = json!({ "person": "ben@example.com", "reason": "r", "operator": "o" });
    let reply = bench.world.finish(bench.function.handle(&input, &invocation)).unwrap().unwrap();
    assert!(!reply.ok);
    let said = "of 20 grant(s): 20 being removed, but not yet confirmed: the sweep goes on; what was granted";
    assert!(reply.message.starts_with(said), "{}", reply.message);
    let again = bench.ask(json!({ "person": "ben@example.com" })).unwrap();
    assert!(again.ok, "{}", again.message);
    assert_eq!(again.grants.len(), 20);
}

/// Fired on time, but this function's clock is a moment behind: the schedule is gone, so somebody has to come again.
#[test]
fn a_timer_that_seems_a_moment_early_is_tried_again() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    let timer = json!({ "grant_id": grant.id(), "trigger": "timer" });
    let invocation = |bench: &Bench| Invocation {
        request_id: "r-1".to_owned(),
        deadline: plus(bench.world.now(), SignedDuration::from_secs(60)),
    };
    for (before, tried_again) in [(6, false), (5, true), (1, true)] {
        bench.world.set_time(plus(grant.window().expires_at(), SignedDuration::from_secs(-before)));
        let invocation = invocation(&bench);
        let answer = bench.world.finish(bench.function.handle(&timer, &invocation)).unwrap();
        assert_eq!(answer.is_err(), tried_again, "{before} s before the end: {answer:?}");
    }
}

#[test]
fn a_shared_policy_that_others_still_need_stays_and_the_reply_says_so() {
    let bench = Bench::new();
    let first = bench.open(managed_request("CHG-1"));
    let second = bench.open(managed_request("CHG-2"));
    let reply = bench.ask(json!({ "grant_id": first.id() })).unwrap();
    assert!(reply.ok);
    assert!(reply.message.contains("stays, because other live grants hold it"), "{}", reply.message);
    let reply = bench.ask(json!({ "grant_id": second.id() })).unwrap();
    assert!(reply.message.contains("AWS confirmed DetachUserPolicy"), "{}", reply.message);
    bench.assert_promises_kept();
}

#[test]
fn a_grant_that_is_being_opened_is_ended_but_not_called_proven() {
    let bench = Bench::new();
    let ports = bench.world.invocation();
    let catalog = fixtures::catalog();
    let settings = fixtures::settings();
    let mut opening = Task::new(open::open(&ports, permissive(&catalog), request("CHG-1"), settings));
    bench.world.plan(Fault::hold(CallName::Attach));
    assert!(bench.world.run(&mut opening).is_err(), "its attach is held back");

    let reply = bench.ask(json!({ "ticket": "CHG-1" })).unwrap();
    assert!(!reply.ok);
    assert_eq!(reply.grants[0].result, GrantResult::Settling);
    assert!(reply.message.contains("may still be under way until 2026-11-21T10:00:50Z"), "{}", reply.message);
}

#[test]
fn being_asked_too_often_is_nobodys_fault_and_not_called_proven() {
    let bench = Bench::new();
    let grant = bench.open(request("CHG-1"));
    bench.world.advance(SignedDuration::from_mins(60));
    bench.world.plan(Fault::always(CallName::Detach, Delivery::Throttled));
    // To Lambda it went well: the sweep goes on, in its own order.
    assert!(!bench.call(&timer(&grant)).unwrap().ok);
    let reply = bench.ask(json!({ "grant_id": grant.id() })).unwrap();
    assert!(!reply.ok);
    assert_eq!(reply.grants[0].result, GrantResult::Unproven);
    assert!(reply.message.contains("it is asked too often at the moment"), "{}", reply.message);
    let story = bench.world.look(|aws| aws.ledger.row(grant.id()).unwrap().story().unwrap());
    let names: Vec<_> = story.events.iter().map(|event| event.fact.name()).collect();
    assert!(!names.contains(&"RevocationFailed"), "{names:?}");

    bench.world.heal();
    assert!(bench.call(&timer(&grant)).unwrap().ok);
    bench.assert_promises_kept();
}

/// One grant ends twice at once, and the slower call attaches for another holder what nobody needs any more when it
/// comes. If that can't be taken back, it is for a person: no sweep looks at a closed grant.
#[test]
fn what_may_be_left_of_a_closed_grant_is_for_an_operator() {
    for by_timer in [true, false] {
        let bench = Bench::new();
        let first = bench.open(managed_request("CHG-1"));
        let second = bench.open(managed_request("CHG-2"));
        bench.world.advance(SignedDuration::from_mins(60));
        let input = if by_timer {
            timer(&first)
        } else {
            json!({ "grant_id": first.id(), "reason": "over", "operator": "ops@example.com" })
        };
        let deadline = plus(bench.world.now(), SignedDuration::from_secs(60));
        let invocation = Invocation { request_id: "r-2".to_owned(), deadline };
        let mut slow = Task::new(bench.function.handle(&input, &invocation));
        bench.world.plan(Fault::hold(CallName::Attach).of(first.id()));
        assert!(bench.world.run(&mut slow).is_err(), "it waits for its attach");
        bench.world.heal();

        bench.world.advance(SignedDuration::from_mins(3));
        for grant in [&second, &first] {
            assert!(bench.call(&timer(grant)).unwrap().ok, "the slow call's time is over");
        }
        let attach = bench.world.in_flight().into_iter().find(|call| call.name == CallName::Attach).unwrap();
        bench.world.deliver(attach.id, Delivery::Done);
        bench.world.plan(Fault::always(CallName::Detach, Delivery::Forbidden));
        let answer = bench.world.run(&mut slow).unwrap();
        let message = match answer {
            Err(error) if by_timer => {
                assert_eq!(error.remedy, Remedy::NeedsOperator, "{error}");
                error.message
            }
            Ok(reply) if !by_timer => {
                assert!(!reply.ok);
                assert_eq!(reply.grants[0].result, GrantResult::LeftBehind);
                reply.message
            }
            other => unreachable!("{other:?}"),
        };
        assert!(message.contains("is closed, but something of it may still be there"), "{message}");
        assert!(message.contains("make sure by hand") && !message.contains("the sweep"), "{message}");
        assert!(!bench.told("RevocationFailures").is_empty());
    }
}
