//! Races: two invocations on one grant, in every order of their calls, with and without a crash of one.

use curfew_app::open::Opened;
use curfew_domain::grant::{Outcome, State};
use curfew_testkit::fixtures::{ANA, catalog, request};
use curfew_testkit::{CallName, Choices, explore};

use crate::support::{Crash, Life, Played, Racer, Runner, id_of};

/// Revocation wins (P4): whatever the order and whoever crashes, what was there to be revoked ends
/// revoked, with no access.
fn a_revocation_races_an_opening(choices: &mut Choices, life: &Life, crash: Crash) -> Result<(), String> {
    let id = id_of(life, &request("CHG-1"));
    let mut opening = Runner::new(life.opening(&request("CHG-1")));
    let mut revoking = Runner::new(life.revoking(&id));
    opening.go_on();
    // The revocation's sender knows the grant's id, so the grant is written.
    life.world.step();
    if life.race(choices, crash, &mut [&mut opening, &mut revoking]) == Played::Before {
        return life.sound();
    }
    life.sound()?;
    let both_ended = opening.output.is_some() && revoking.output.is_some();
    if both_ended {
        life.ensure(!life.allows(ANA), "access is left although both invocations ended")?;
    }
    if let Some(Ok(Opened::Activated(_))) = &opening.output {
        // It was active for a moment; the revocation came after.
        life.ensure(life.events(&id).contains(&"Activated"), "told as activated, but it never was")?;
    }
    let revoked = revoking.output.is_some() || life.events(&id).contains(&"RevocationRequested");
    // Time, the sweep and nothing else.
    life.settle();
    life.ensure(!(revoked && life.allows(ANA)), "access is left although it was revoked")?;
    match life.state(&id) {
        State::Closed { outcome: Outcome::Revoked, .. } => life.sound_to_the_end(),
        // The revocation crashed before it reached the ledger.
        State::Active { .. } if !revoked => life.sound(),
        State::Closed { outcome: Outcome::Failed, .. } if !revoked => life.sound_to_the_end(),
        other => life.ensure(false, &format!("ends as {other:?}")),
    }
}

#[test]
fn a_revocation_wins_over_an_opening_in_every_order() {
    let catalog = catalog();
    let runs = explore(|choices| a_revocation_races_an_opening(choices, &Life::of(&catalog), Crash::Nobody))
        .unwrap();
    assert!(runs > 20, "{runs}");
}

#[test]
fn a_revocation_wins_over_an_opening_in_every_order_whoever_crashes() {
    let catalog = catalog();
    let runs =
        explore(|choices| a_revocation_races_an_opening(choices, &Life::of(&catalog), Crash::Somebody))
            .unwrap();
    assert!(runs > 200, "{runs}");
}

#[test]
fn two_deliveries_of_one_approval_make_one_grant() {
    let catalog = catalog();
    let runs = explore(|choices| {
        let life = Life::of(&catalog);
        let mut first = Runner::new(life.opening(&request("CHG-1")));
        let mut second = Runner::new(life.opening(&request("CHG-1")));
        if life.race(choices, Crash::Somebody, &mut [&mut first, &mut second]) == Played::Before {
            return life.sound();
        }
        life.sound()?;
        let grants = life.world.look(|aws| aws.ledger.rows().count());
        life.ensure(grants <= 1, "two grants of one approval")?;
        life.pass_the_end();
        life.sound_to_the_end()
    });
    let runs = runs.unwrap();
    assert!(runs > 20, "{runs}");
}

#[test]
fn a_timer_and_an_operator_who_come_together_end_the_grant_once() {
    let catalog = catalog();
    let runs = explore(|choices| {
        let life = Life::of(&catalog);
        let grant = life.active(&request("CHG-1"));
        life.world.set_time(grant.timer().fires_at);
        life.world.change(|aws| aws.timers.fire(aws.now));
        let mut timer = Runner::new(life.expiring(grant.id()));
        let mut operator = Runner::new(life.revoking(grant.id()));
        if life.race(choices, Crash::Somebody, &mut [&mut timer, &mut operator]) == Played::Before {
            return life.sound();
        }
        life.settle();
        let ends = life.events(grant.id()).iter().filter(|name| **name == "Revoked").count();
        life.ensure(ends == 1, "ended more than once, or never")?;
        life.sound_to_the_end()
    });
    let runs = runs.unwrap();
    assert!(runs > 100, "{runs}");
}

#[test]
fn an_expiry_and_a_sweep_that_come_together_end_the_grant_once() {
    let catalog = catalog();
    explore(|choices| {
        let life = Life::of(&catalog);
        let grant = life.active(&request("CHG-1"));
        life.world.set_time(grant.timer().overdue_at);
        let lap = curfew_app::sweep::Lap { limit: 10, stop_at: jiff::Timestamp::MAX };
        let sweeping = async { curfew_app::sweep::sweep(&life.world.invocation(), lap).await };
        let mut sweep = Runner::new(curfew_testkit::Task::new(sweeping));
        let mut timer = Runner::new(life.expiring(grant.id()));
        if life.race(choices, Crash::Somebody, &mut [&mut timer, &mut sweep]) == Played::Before {
            return life.sound();
        }
        life.settle();
        let ends = life.events(grant.id()).iter().filter(|name| **name == "Revoked").count();
        life.ensure(ends == 1, "ended more than once, or never")?;
        // A clock that lags the timer's: the schedule was never fired here, and is cleared all the same.
        life.world.change(|aws| aws.timers.fire(aws.now));
        life.sound_to_the_end()
    })
    .unwrap();
}

#[test]
fn an_attach_that_lands_after_a_revocation_under_lease_is_removed() {
    // The one order that matters most, spelled out.
    let life = Life::new();
    let id = id_of(&life, &request("CHG-1"));
    let mut opening = life.opening(&request("CHG-1"));
    assert!(opening.poll().is_none());
    assert!(life.world.step());
    assert!(opening.poll().is_none());
    opening.crash();
    let attach = life.world.in_flight().into_iter().find(|call| call.name == CallName::Attach).unwrap();

    life.world.plan(curfew_testkit::Fault::hold(CallName::Attach));
    life.revoke(&id);
    assert!(matches!(life.state(&id), State::Closing { .. }), "closed although an attach may still land");
    life.world.deliver(attach.id, curfew_testkit::Delivery::Done);
    assert!(life.allows(ANA));
    life.outlive_lease();
    life.settle();
    assert!(!life.allows(ANA));
    assert_eq!(life.outcome(&id), Some(Outcome::Revoked));
    life.assert_nothing_left();
}
