//! Opening, where AWS fails it: whatever was begun is taken back, and tried again only where that helps.

use curfew_app::open::{ATTEMPTS_MAX, OpenSettings, Opened, open};
use curfew_app::ports::Failure;
use curfew_domain::effect::TimerKind;
use curfew_domain::grant::{Outcome, State};
use curfew_domain::window::plus;
use curfew_testkit::fixtures::{ANA, LEASE, START, principal, request};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallName, Delivery, Fault, Task};
use jiff::SignedDuration;

use crate::support::{EFFECTS_OF_OPENING, Life, id_of};

#[test]
fn an_attach_that_aws_refuses_for_good_ends_the_grant_at_once() {
    for (delivery, failure) in
        [(Delivery::Refused, Failure::Refused), (Delivery::Forbidden, Failure::Forbidden)]
    {
        let life = Life::new();
        life.world.plan(Fault::once(CallName::Attach, delivery));
        let Opened::Refused { grant, error } = life.open(&request("CHG-1")) else {
            panic!("{delivery:?} is not told as refused");
        };
        assert_eq!(error.failure, failure);
        assert_eq!(life.outcome(grant.id()), Some(Outcome::Failed));
        assert_eq!(life.events(grant.id()), ["Requested", "Opened", "OpeningFailed", "Revoked"]);
        life.assert_nothing_left();
    }
}

/// Who may not attach may often not detach either: a principal without the tenant's boundary, for example.
#[test]
fn an_attach_that_aws_refuses_needs_no_right_to_detach() {
    let life = Life::new();
    life.world.plan(Fault::always(CallName::Attach, Delivery::Forbidden));
    life.world.plan(Fault::always(CallName::Detach, Delivery::Forbidden));
    let opened = life.open(&request("CHG-1"));
    let Opened::Refused { grant, .. } = opened else { panic!("{opened:?}") };
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Failed));
    life.assert_nothing_left();
}

#[test]
fn a_principal_that_aws_does_not_know_is_refused() {
    let life = Life::new();
    life.world.change(|aws| aws.iam.delete(&principal(ANA)));
    let opened = life.open(&request("CHG-1"));
    assert!(matches!(&opened, Opened::Refused { error, .. } if error.code == "NoSuchEntity"), "{opened:?}");
    life.assert_nothing_left();
}

#[test]
fn an_attach_of_unknown_outcome_keeps_the_grant_closing_until_it_can_land_no_more() {
    for delivery in [Delivery::LostRequest, Delivery::LostAnswer, Delivery::Late] {
        let life = Life::new();
        life.world.plan(Fault::once(CallName::Attach, delivery));
        let opened = life.open(&request("CHG-1"));
        let Opened::Retry { grant: Some(grant), .. } = opened else { panic!("{delivery:?}: {opened:?}") };
        let id = grant.id().clone();
        assert!(matches!(life.state(&id), State::Closing { .. }), "{delivery:?}");
        assert!(!life.allows(ANA), "{delivery:?}: what might have been attached is removed at once");

        // A redelivery does not overtake it.
        let again = life.open(&request("CHG-1"));
        assert!(matches!(&again, Opened::Retry { grant: Some(grant), .. } if *grant.id() == id), "{again:?}");

        // An operator can't close it on the removal's word either.
        life.revoke(&id);
        assert!(matches!(life.state(&id), State::Closing { .. }), "{delivery:?}");

        life.world.set_time(plus(START, LEASE - SignedDuration::from_secs(1)));
        life.sweep();
        assert!(matches!(life.state(&id), State::Closing { .. }), "{delivery:?}");
        for call in life.world.late() {
            life.world.land(call.id);
        }
        assert_eq!(life.allows(ANA), delivery == Delivery::Late);

        life.settle();
        assert_eq!(life.outcome(&id), Some(Outcome::Revoked), "{delivery:?}");
        life.assert_nothing_left();
    }
}

#[test]
fn a_failed_timer_takes_the_access_back() {
    for delivery in
        [Delivery::LostRequest, Delivery::LostAnswer, Delivery::Late, Delivery::Refused, Delivery::Forbidden]
    {
        for kind in [TimerKind::Scheduler, TimerKind::Rule] {
            let life = Life::new();
            life.world.plan(Fault::once(CallName::SetTimer, delivery));
            let settings = OpenSettings { timer: kind, ..life.settings() };
            let asked = request("CHG-1");
            let id = id_of(&life, &asked);
            let opening =
                async { open(&life.world.invocation(), permissive(&life.catalog), asked, settings).await };
            let opened = life.run(Task::new(opening)).unwrap();
            assert!(matches!(opened, Opened::Retry { .. } | Opened::Refused { .. }), "{opened:?}");
            assert!(!life.allows(ANA), "{delivery:?} {kind:?}");
            life.world.advance(SignedDuration::from_secs(30));
            for call in life.world.late() {
                life.world.land(call.id);
            }
            life.pass_the_end();
            assert_eq!(life.outcome(&id), Some(Outcome::Failed), "{delivery:?} {kind:?}");
            life.assert_nothing_left();
        }
    }
}

#[test]
fn attach_and_timer_that_both_fail_leave_nothing() {
    for attach in Delivery::ALL {
        for timer in Delivery::ALL {
            let life = Life::new();
            life.world.plan(Fault::once(CallName::Attach, attach));
            life.world.plan(Fault::once(CallName::SetTimer, timer));
            let opened = life.open(&request("CHG-1"));
            let good = attach == Delivery::Done && timer == Delivery::Done;
            assert_eq!(matches!(opened, Opened::Activated(_)), good, "{attach:?} {timer:?}");
            assert_eq!(life.allows(ANA), good, "{attach:?} {timer:?}");
            life.world.advance(SignedDuration::from_secs(30));
            for call in life.world.late() {
                life.world.land(call.id);
            }
            life.pass_the_end();
            life.assert_nothing_left();
        }
    }
}

#[test]
fn an_approval_whose_opening_failed_may_be_tried_again_as_another_grant() {
    let life = Life::new();
    life.world.plan(Fault::once(CallName::Attach, Delivery::Refused));
    let Opened::Refused { grant: failed, .. } = life.open(&request("CHG-1")) else { panic!("not refused") };
    let grant = life.active(&request("CHG-1"));
    assert_ne!(grant.id(), failed.id());
    assert_eq!((failed.attempt(), grant.attempt()), (0, 1));
    assert!(life.allows(ANA));
    assert_eq!(life.open(&request("CHG-1")), Opened::Duplicate(Box::new(grant)));
    life.pass_the_end();
    life.assert_nothing_left();
}

/// Whoever revokes a grant whose opening failed wants no access: its sender's retry must not give it after all (P4).
#[test]
fn a_failed_opening_that_was_revoked_is_not_tried_again() {
    // The opening failed for good, and the grant is closed.
    let life = Life::new();
    life.world.plan(Fault::once(CallName::Attach, Delivery::Refused));
    let Opened::Refused { grant, .. } = life.open(&request("CHG-1")) else { panic!("not refused") };
    life.revoke(grant.id());
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    let events = ["Requested", "Opened", "OpeningFailed", "Revoked", "RevocationRequested"];
    assert_eq!(life.events(grant.id()), events);
    let again = life.open(&request("CHG-1"));
    assert!(matches!(&again, Opened::Duplicate(same) if same.id() == grant.id()), "{again:?}");
    life.revoke(grant.id());
    assert_eq!(life.events(grant.id()), events, "revoking again changes nothing");
    life.assert_nothing_left();

    // The opening failed with unknown outcome, and the grant is closing.
    let life = Life::new();
    life.world.plan(Fault::once(CallName::Attach, Delivery::LostRequest));
    let Opened::Retry { grant: Some(grant), .. } = life.open(&request("CHG-1")) else { panic!("no retry") };
    life.revoke(grant.id());
    let again = life.open(&request("CHG-1"));
    assert!(matches!(&again, Opened::Duplicate(same) if same.id() == grant.id()), "{again:?}");
    life.outlive_lease();
    life.settle();
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    assert!(!life.allows(ANA));
    life.assert_nothing_left();
}

#[test]
fn tries_on_one_approval_are_bounded() {
    let life = Life::new();
    life.world.plan(Fault::always(CallName::Attach, Delivery::Refused));
    for _ in 0..ATTEMPTS_MAX {
        assert!(matches!(life.open(&request("CHG-1")), Opened::Refused { .. }));
    }
    let before = life.everything();
    for _ in 0..2 {
        let opened = life.open(&request("CHG-1"));
        assert!(matches!(opened, Opened::TooManyAttempts(_)), "{opened:?}");
    }
    assert_eq!(life.everything(), before);
    life.assert_nothing_left();
}

#[test]
fn a_lost_answer_of_the_ledger_leaves_a_redelivery_the_truth() {
    // The grant is written, but its writer does not know: the next delivery waits for the lease.
    let life = Life::new();
    let id = id_of(&life, &request("CHG-1"));
    life.world.plan(Fault::once(CallName::Open, Delivery::LostAnswer));
    assert!(life.run(life.opening(&request("CHG-1"))).unwrap_err().retryable);
    assert!(matches!(life.open(&request("CHG-1")), Opened::Retry { grant: Some(_), .. }));
    life.outlive_lease();
    life.sweep();
    assert_eq!(life.outcome(&id), Some(Outcome::Failed));
    assert_eq!(life.active(&request("CHG-1")).attempt(), 1);

    // It is active, but its writer does not know: the next delivery does.
    let life = Life::new();
    life.world.plan(Fault::once(CallName::Commit, Delivery::LostAnswer));
    assert!(life.run(life.opening(&request("CHG-1"))).unwrap_err().retryable);
    assert!(matches!(life.open(&request("CHG-1")), Opened::Duplicate(_)));
    assert!(life.allows(ANA));
    life.pass_the_end();
    life.assert_nothing_left();
}

#[test]
fn an_activation_that_is_never_written_is_taken_back_by_the_sweep() {
    for delivery in [Delivery::LostRequest, Delivery::Refused, Delivery::Forbidden] {
        let life = Life::new();
        let id = id_of(&life, &request("CHG-1"));
        life.world.plan(Fault::once(CallName::Commit, delivery));
        life.run(life.opening(&request("CHG-1"))).unwrap_err();
        assert!(matches!(life.state(&id), State::Opening { .. }), "{delivery:?}");
        life.outlive_lease();
        life.sweep();
        assert_eq!(life.outcome(&id), Some(Outcome::Failed), "{delivery:?}");
        life.assert_nothing_left();
    }
}

#[test]
fn every_failure_of_every_call_of_an_opening_ends_with_nothing_left() {
    let calls = [CallName::Open, CallName::Commit, CallName::Claim].into_iter().chain(EFFECTS_OF_OPENING);
    for call in calls.chain([CallName::Detach, CallName::ClearTimer]) {
        for delivery in Delivery::ALL {
            for spare in 0..2 {
                let life = Life::new();
                life.world.plan(Fault::once(call, delivery).after(spare));
                // Something for the removal's calls to do.
                life.world.plan(Fault::once(CallName::SetTimer, Delivery::Refused).after(1));
                let _ = life.run(life.opening(&request("CHG-1")));
                life.world.advance(SignedDuration::from_secs(40));
                for call in life.world.late() {
                    life.world.land(call.id);
                }
                let _ = life.run(life.opening(&request("CHG-1")));
                life.world.advance(SignedDuration::from_secs(40));
                for call in life.world.late() {
                    life.world.land(call.id);
                }
                life.world.heal();
                life.pass_the_end();
                let told = life.sound_to_the_end();
                assert_eq!(told, Ok(()), "{call:?} {delivery:?} after {spare}");
            }
        }
    }
}
