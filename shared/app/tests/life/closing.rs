//! Closing: what an end costs, who may bring it about, and that it is never claimed without proof.

use curfew_app::close::Ended;
use curfew_app::open::{OpenSettings, open};
use curfew_app::revoke::{Revoked, SelectError, Selector, expire, revoke, revoke_all, select};
use curfew_domain::effect::{Found, TimerKind};
use curfew_domain::event::Actor;
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::{GrantId, Source, TenantId};
use curfew_domain::request::AccessRequest;
use curfew_domain::transition::RETRY_PAUSE_MAX;
use curfew_domain::window::plus;
use curfew_testkit::CallName::{Claim, ClearTimer, Commit, Detach, Release};
use curfew_testkit::fixtures::{ANA, START, managed_request, person, request, request_of, source, ticket};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallName, Delivery, Fault, Task};
use jiff::SignedDuration;

use crate::support::{Life, by_operator, closed};

fn active_with(life: &Life, kind: TimerKind, asked: &AccessRequest) -> Grant {
    let settings = OpenSettings { timer: kind, ..life.settings() };
    let opening =
        async { open(&life.world.invocation(), permissive(&life.catalog), asked.clone(), settings).await };
    life.run(Task::new(opening)).unwrap();
    life.grant(&crate::support::id_of(life, asked))
}

/// The calls and round trips of one expiry.
fn cost_of_expiry(life: &Life, id: &GrantId) -> (Vec<CallName>, usize) {
    let ports = life.world.invocation();
    let revoked = life.world.finish(async { expire(&ports, id).await }).unwrap().unwrap();
    assert!(closed(&revoked), "{revoked:?}");
    (life.world.calls(&ports), life.world.rounds(&ports))
}

#[test]
fn an_expiry_costs_three_calls_in_three_rounds_however_many_grants_there_are() {
    for others in [0, 40] {
        let life = Life::new();
        for n in 0..others {
            life.active(&managed_request(&format!("CHG-more-{n}")));
        }
        let grant = life.active(&request("CHG-1"));
        life.world.set_time(grant.timer().fires_at);
        life.world.change(|aws| aws.timers.fire(aws.now));
        assert_eq!(cost_of_expiry(&life, grant.id()), (vec![Claim, Detach, Commit], 3));
        life.assert_sound();
    }
}

#[test]
fn an_expiry_by_a_rule_removes_the_rule_in_the_same_three_rounds() {
    let life = Life::new();
    let grant = active_with(&life, TimerKind::Rule, &request("CHG-1"));
    life.world.set_time(grant.timer().fires_at);
    life.world.change(|aws| aws.timers.fire(aws.now));
    assert_eq!(cost_of_expiry(&life, grant.id()), (vec![Claim, Detach, ClearTimer, Commit], 3));
    life.assert_nothing_left();
}

#[test]
fn an_end_of_a_shared_attachment_costs_one_call_and_round_more() {
    let life = Life::new();
    let grant = life.active(&managed_request("CHG-1"));
    life.world.set_time(grant.timer().fires_at);
    life.world.change(|aws| aws.timers.fire(aws.now));
    assert_eq!(cost_of_expiry(&life, grant.id()), (vec![Claim, Release, Detach, Commit], 4));
    life.assert_nothing_left();
}

#[test]
fn an_early_end_removes_access_and_timer_side_by_side() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    let ports = life.world.invocation();
    let revoked =
        life.world.finish(async { revoke(&ports, grant.id(), by_operator()).await }).unwrap().unwrap();
    assert!(closed(&revoked), "{revoked:?}");
    assert_eq!(life.world.calls(&ports), [Claim, Detach, ClearTimer, Commit]);
    assert_eq!(life.world.rounds(&ports), 3);
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    assert!(!life.allows(ANA));
    life.assert_nothing_left();
}

#[test]
fn ending_what_has_ended_or_never_was_changes_nothing() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.revoke(grant.id());
    let before = life.everything();
    assert!(matches!(life.revoke(grant.id()), Revoked::AlreadyClosed(_)));
    assert!(matches!(life.expire(grant.id()), Revoked::AlreadyClosed(_)));
    let nobody = GrantId::new("g-aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
    assert_eq!(life.revoke(&nobody), Revoked::NoSuchGrant(nobody));
    assert_eq!(life.everything(), before);
}

#[test]
fn a_timer_that_comes_early_ends_nothing() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(plus(grant.window().expires_at(), SignedDuration::from_secs(-1)));
    let before = life.everything();
    assert_eq!(life.expire(grant.id()), Revoked::NotDue(Box::new(grant)));
    assert_eq!(life.everything(), before);
    assert!(life.allows(ANA));
}

#[test]
fn a_timer_that_fires_twice_ends_the_grant_once() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(grant.timer().fires_at);
    life.fire_timers();
    let before = life.everything();
    assert!(matches!(life.expire(grant.id()), Revoked::AlreadyClosed(_)));
    assert_eq!(life.everything(), before);
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Expired));
}

#[test]
fn a_closed_grant_carries_the_word_of_aws_that_its_access_is_gone() {
    let life = Life::new();
    for (asked, found) in [(request("CHG-1"), Found::Deleted), (request("CHG-2"), Found::Absent)] {
        let grant = life.active(&asked);
        if found == Found::Absent {
            // Somebody else was faster.
            life.world.change(|aws| aws.iam.delete(grant.access().principal()));
        }
        life.revoke(grant.id());
        let State::Closed { proof, .. } = life.state(grant.id()) else { panic!("not closed") };
        assert_eq!(proof.found, found);
        assert!(proof.aws_request_id.is_some());
    }
}

#[test]
fn a_removal_that_fails_is_never_called_an_end() {
    for call in [CallName::Detach, CallName::ClearTimer] {
        for delivery in [
            Delivery::LostRequest,
            Delivery::LostAnswer,
            Delivery::Late,
            Delivery::Refused,
            Delivery::Forbidden,
        ] {
            let life = Life::new();
            let grant = life.active(&request("CHG-1"));
            life.world.plan(Fault::once(call, delivery));
            let revoked = life.revoke(grant.id());
            assert!(
                matches!(revoked, Revoked::Ended(Ended::Unproven { .. })),
                "{call:?} {delivery:?} {revoked:?}"
            );
            let State::Closing { failures, retry_at, .. } = life.state(grant.id()) else {
                panic!("{call:?} {delivery:?}: not closing");
            };
            assert_eq!((failures, retry_at), (1, plus(START, SignedDuration::from_mins(1))));
            life.world.set_time(retry_at);
            life.sweep();
            assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked), "{call:?} {delivery:?}");
            assert_eq!(
                life.events(grant.id())[3..],
                ["RevocationRequested", "RevocationFailed", "Revoked"],
                "{call:?} {delivery:?}"
            );
            for call in life.world.late() {
                life.world.land(call.id);
            }
            life.assert_nothing_left();
        }
    }
}

#[test]
fn a_long_outage_is_outlasted_with_growing_pauses_and_no_lie() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.plan(Fault::always(CallName::Detach, Delivery::Refused));
    life.revoke(grant.id());
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let State::Closing { retry_at, .. } = life.state(grant.id()) else { panic!("closed without proof") };
        pauses.push(retry_at.duration_since(life.world.now()));
        assert_eq!(life.sweep().items.len(), 0, "swept before its pause was over");
        life.world.set_time(retry_at);
        assert_eq!(life.sweep().backlog(), 1);
    }
    let minutes: Vec<i64> = pauses.iter().map(|pause| pause.as_mins()).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 15, 15, 15, 15]);
    assert_eq!(pauses.last(), Some(&RETRY_PAUSE_MAX));
    life.world.heal();
    life.pass(16);
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
}

#[test]
fn whoever_asks_again_while_a_grant_closes_helps_to_close_it() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.plan(Fault::once(CallName::Detach, Delivery::LostRequest));
    life.revoke(grant.id());
    assert!(closed(&life.revoke(grant.id())));
    // It keeps the cause and the actor that began it.
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
}

#[test]
fn a_ledger_that_fails_leaves_the_end_to_the_sweep() {
    for call in [CallName::Claim, CallName::Commit] {
        for delivery in [Delivery::LostRequest, Delivery::LostAnswer, Delivery::Refused] {
            let life = Life::new();
            let grant = life.active(&request("CHG-1"));
            life.world.set_time(grant.timer().fires_at);
            life.world.change(|aws| aws.timers.fire(aws.now));
            life.world.plan(Fault::once(call, delivery));
            life.run(life.expiring(grant.id())).unwrap_err();
            assert!(!life.allows(ANA), "the document's own window");
            life.pass(3);
            assert_eq!(life.outcome(grant.id()), Some(Outcome::Expired), "{call:?} {delivery:?}");
            life.assert_nothing_left();
        }
    }
}

#[test]
fn many_are_ended_at_once_and_one_that_fails_holds_up_no_other() {
    let life = Life::new();
    let ids: Vec<GrantId> = (0..6)
        .map(|n| life.active(&request_of("ben", "acme", "ops", &format!("CHG-{n}"))).id().clone())
        .collect();
    life.world.plan(Fault::always(CallName::Claim, Delivery::Refused).of(&ids[1]));
    life.world.plan(Fault::always(CallName::Detach, Delivery::Refused).of(&ids[2]));
    let all = ids.clone();
    let results = life
        .world
        .finish(async {
            revoke_all(&life.world.invocation(), all, &by_operator(), jiff::Timestamp::MAX).await
        })
        .unwrap();
    assert_eq!(results.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), ids);
    for (n, (id, result)) in results.iter().enumerate() {
        match n {
            1 => assert!(result.is_err()),
            2 => assert!(matches!(result, Ok(Revoked::Ended(Ended::Unproven { .. })))),
            _ => assert!(result.as_ref().is_ok_and(closed), "{id}"),
        }
    }
}

/// What was begun ends, although the invocation that began it has no time left to see to it.
#[test]
fn many_are_all_begun_before_the_first_is_driven() {
    let life = Life::new();
    let ids: Vec<GrantId> = (0..6)
        .map(|n| life.active(&request_of("ben", "acme", "ops", &format!("CHG-{n}"))).id().clone())
        .collect();
    let (all, now) = (ids.clone(), life.world.now());
    let results = life
        .world
        .finish(async { revoke_all(&life.world.invocation(), all, &by_operator(), now).await })
        .unwrap();
    for (id, result) in &results {
        assert!(matches!(result, Ok(Revoked::Ended(Ended::Unproven { .. }))), "{result:?}");
        assert_eq!(life.state(id).name(), "closing");
    }
    life.settle();
    assert!(ids.iter().all(|id| life.outcome(id) == Some(Outcome::Revoked)));
    life.assert_nothing_left();
}

#[test]
fn grants_are_found_by_person_tenant_and_ticket() {
    let life = Life::new();
    let ana = life.active(&request("CHG-1")).id().clone();
    let ana_elsewhere = life.active(&request_of("ana", "globex", "ops", "CHG-2")).id().clone();
    let ben = life.active(&request_of("ben", "acme", "ops", "CHG-2")).id().clone();
    let find = |selector: Selector| {
        let mut ids =
            life.world.finish(async { select(&life.world.invocation(), &selector).await }).unwrap().unwrap();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<GrantId>| {
        ids.sort();
        ids
    };
    assert_eq!(find(Selector::Grant(ben.clone())), std::slice::from_ref(&ben));
    assert_eq!(find(Selector::Person(person("ana"))), sorted(vec![ana.clone(), ana_elsewhere.clone()]));
    let acme = TenantId::new("acme").unwrap();
    assert_eq!(find(Selector::Tenant(acme.clone())), sorted(vec![ana.clone(), ben.clone()]));
    assert_eq!(find(Selector::Ticket(None, ticket("CHG-2"))), sorted(vec![ana_elsewhere, ben.clone()]));
    life.revoke(&ana);
    assert_eq!(find(Selector::Tenant(acme)), [ben]);
}

#[test]
fn a_ticket_that_two_sources_have_must_be_named_with_its_source() {
    let life = Life::new();
    let first = life.active(&request("CHG-1")).id().clone();
    let mut elsewhere = request_of("ben", "acme", "ops", "CHG-1");
    elsewhere.source = Source::new("jira").unwrap();
    life.active(&elsewhere);
    let find = |selector: Selector| {
        life.world.finish(async { select(&life.world.invocation(), &selector).await }).unwrap()
    };
    let error = find(Selector::Ticket(None, ticket("CHG-1"))).unwrap_err();
    assert!(matches!(error, SelectError::AmbiguousTicket { .. }));
    assert_eq!(
        error.to_string(),
        "ticket CHG-1 exists in several sources (itsm, jira); name one as `source`"
    );
    assert_eq!(find(Selector::Ticket(Some(source()), ticket("CHG-1"))).unwrap(), [first]);
}

#[test]
fn the_prover_of_an_end_is_the_function_that_saw_to_it() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.revoke(grant.id());
    let story = life.world.look(|aws| aws.ledger.row(grant.id()).unwrap().story().unwrap());
    let actors: Vec<&Actor> = story.events.iter().map(|event| &event.actor).collect();
    assert_eq!(actors[3], &by_operator().actor);
    assert_eq!(actors[4], &Actor::RevokeFunction);
}
