//! Crashes: an invocation that goes away at any of its await points, with what it had sent landing or not.

use curfew_domain::effect::TimerKind;
use curfew_domain::grant::Outcome;
use curfew_domain::request::AccessRequest;
use curfew_testkit::fixtures::{ANA, catalog, managed_request, request};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{Choices, Task, explore};

use crate::support::{Crash, Life, Played, Runner, id_of};

/// An opening that crashes somewhere ends as a failure with nothing left; one that got through ends at
/// the end of its window.
fn an_opening_crashes(choices: &mut Choices, life: &Life, asked: &AccessRequest) -> Result<(), String> {
    let id = id_of(life, asked);
    let kind = if choices.choose(2) == 0 { TimerKind::Scheduler } else { TimerKind::Rule };
    let settings = curfew_app::open::OpenSettings { timer: kind, ..life.settings() };
    let opening = async {
        curfew_app::open::open(&life.world.invocation(), permissive(&life.catalog), asked.clone(), settings)
            .await
    };
    let mut opening = Runner::new(Task::new(opening));
    if life.race(choices, Crash::Somebody, &mut [&mut opening]) == Played::Before {
        return life.sound();
    }
    life.sound()?;
    let written = life.world.look(|aws| aws.ledger.row(&id).is_some());
    let activated = written && life.events(&id).contains(&"Activated");
    life.settle();
    if written && !activated {
        life.ensure(life.outcome(&id) == Some(Outcome::Failed), "not ended as failed after its lease")?;
        life.ensure(!life.allows(ANA), "access is left")?;
        life.sound_to_the_end()?;
    }
    if activated {
        life.ensure(life.allows(ANA), "no access, although activated")?;
    }
    life.pass_the_end();
    life.ensure(!life.allows(ANA), "access after the end")?;
    let ended = if activated { Outcome::Expired } else { Outcome::Failed };
    life.ensure(!written || life.outcome(&id) == Some(ended), "not ended as it should")?;
    life.sound_to_the_end()
}

#[test]
fn an_opening_that_crashes_anywhere_leaves_nothing() {
    let catalog = catalog();
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        let runs = explore(|choices| an_opening_crashes(choices, &Life::of(&catalog), &asked)).unwrap();
        assert!(runs >= 11, "{runs}");
    }
}

#[test]
fn a_revocation_that_crashes_anywhere_is_finished_by_the_sweep() {
    let catalog = catalog();
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        let runs = explore(|choices| {
            let life = Life::of(&catalog);
            let grant = life.active(&asked);
            let mut revoking = Runner::new(life.revoking(grant.id()));
            if life.race(choices, Crash::Somebody, &mut [&mut revoking]) == Played::Before {
                return life.sound();
            }
            life.sound()?;
            life.settle();
            if life.outcome(grant.id()).is_none() {
                // It crashed before it reached the ledger: nothing was asked for, as far as anybody knows.
                life.ensure(life.allows(ANA), "access ended without a word in the ledger")?;
                life.pass_the_end();
            }
            life.ensure(!life.allows(ANA), "access is left")?;
            life.sound_to_the_end()
        });
        let runs = runs.unwrap();
        assert!(runs > 8, "{runs}");
    }
}

#[test]
fn an_expiry_that_crashes_anywhere_is_finished_by_the_sweep() {
    let catalog = catalog();
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        explore(|choices| {
            let life = Life::of(&catalog);
            let grant = life.active(&asked);
            life.world.set_time(grant.timer().fires_at);
            life.world.change(|aws| aws.timers.fire(aws.now));
            let mut expiring = Runner::new(life.expiring(grant.id()));
            if life.race(choices, Crash::Somebody, &mut [&mut expiring]) == Played::Before {
                return life.sound();
            }
            life.settle();
            life.ensure(life.outcome(grant.id()) == Some(Outcome::Expired), "not ended as expired")?;
            life.sound_to_the_end()
        })
        .unwrap();
    }
}

#[test]
fn a_sweep_that_crashes_anywhere_is_finished_by_the_next() {
    let catalog = catalog();
    explore(|choices| {
        let life = Life::of(&catalog);
        let grant = life.active(&request("CHG-1"));
        life.world.set_time(grant.timer().overdue_at);
        let lap = curfew_app::sweep::Lap { limit: 10, stop_at: jiff::Timestamp::MAX };
        let sweeping = async { curfew_app::sweep::sweep(&life.world.invocation(), lap).await };
        let mut sweep = Runner::new(Task::new(sweeping));
        if life.race(choices, Crash::Somebody, &mut [&mut sweep]) == Played::Before {
            return life.sound();
        }
        life.settle();
        life.ensure(life.outcome(grant.id()) == Some(Outcome::Expired), "not ended as expired")?;
        life.sound_to_the_end()
    })
    .unwrap();
}
