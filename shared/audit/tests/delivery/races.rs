//! Every way in which little can go: one batch with a few calls that go wrong, two that seal at once.

use curfew_audit::archive::checkpoint_key;
use curfew_audit::checkpoint::Signed;
use curfew_audit::deliver::{Recent, deliver};
use curfew_audit::seal::{NotSealed, Sealed, seal};
use curfew_testkit::fixtures::START;
use curfew_testkit::{Choices, Task, explore};
use jiff::SignedDuration;

use crate::lambda::Shard;
use crate::sealing::seal_settings;
use crate::stage::{Fate, Stage, fine, run};
use crate::stories::{arrival_of, denied, detail, in_stream, lives, poison, settings};

/// How many calls go wrong in one history.
const FAULTS: usize = 2;

/// How many invocations it may take.
const TRIES_MAX: u32 = 20;

/// What may become of a call, besides what should. The last one: the invocation dies.
const TROUBLE: [Option<Fate>; 4] = [Some(Fate::LostAnswer), Some(Fate::LostRequest), Some(Fate::Late), None];

/// Two grants, one of them out of order, a denial and poison: whatever two calls go wrong in whatever way, and wherever
/// the function dies, everything arrives.
#[test]
fn a_batch_arrives_whatever_two_calls_go_wrong() {
    let stories = lives(2);
    let arrivals = in_stream([
        arrival_of(&stories[0], 2),
        arrival_of(&stories[1], 1),
        poison("no"),
        arrival_of(&stories[0], 1),
        denied("CHG-9"),
    ]);
    let details: Vec<Option<String>> = arrivals.iter().map(|arrival| detail(arrival, &stories)).collect();
    let settings = settings();
    let runs = explore(|choices| {
        let stage = Stage::new(START);
        stage.outside().write(&stories, &arrivals);
        let mut recent = Recent::default();
        let (mut shard, mut faults, mut split) = (Shard::new(arrivals.clone()), FAULTS, false);
        while !shard.is_done() {
            let ports = stage.invocation();
            // Each fault costs one more invocation, and each half of a part another.
            if ports.invocation > TRIES_MAX {
                return Err("it does not come to an end".to_owned());
            }
            let part = shard.part(arrivals.len());
            let mut task = Task::new(deliver(&ports, &settings, &recent, &part));
            let answered = loop {
                if let Some(delivered) = task.poll() {
                    break Some(delivered);
                }
                let (number, name) = stage.waiting(ports.invocation)[0];
                let mut fate = Some(Fate::Done);
                if faults > 0 {
                    let partly = [Some(Fate::Partly(0b01))];
                    let trouble = TROUBLE.iter().chain(partly.iter().filter(|_| name == "publish"));
                    let options: Vec<Option<Fate>> = std::iter::once(&fate).chain(trouble).copied().collect();
                    fate = options[choices.choose(options.len())];
                    faults -= usize::from(fate != Some(Fate::Done));
                }
                match fate {
                    Some(fate) => stage.deliver(number, fate),
                    None => break None,
                }
            };
            // What is adrift lands before anybody comes again, or never.
            drop(task);
            stage.crash(ports.invocation);
            for call in stage.adrift(ports.invocation) {
                let lands = choices.choose(2) == 1;
                stage.settle(call, lands);
            }
            match answered {
                // From the later one on, the earlier comes again alone.
                Some(delivered) => {
                    split |= delivered.failed_from.as_ref().is_some_and(|from| *from > arrivals[0].sequence);
                    shard.answered(&delivered);
                }
                None => {
                    let bisect = choices.choose(2) == 1;
                    split |= bisect;
                    shard.unanswered(bisect);
                    recent = Recent::default();
                }
            }
            stage.advance(SignedDuration::from_millis(1));
        }
        let outside = stage.outside();
        let lines = outside.archived_lines();
        let place = |detail| outside.bus.iter().position(|notice| Some(&notice.detail) == detail);
        for detail in &details {
            match detail {
                Some(detail) if !lines.contains(detail) => return Err(format!("not archived: {detail}")),
                Some(detail) if place(Some(detail)).is_none() => return Err(format!("not told: {detail}")),
                None if outside.letters.is_empty() => return Err("nobody was told of the poison".to_owned()),
                _ => {}
            }
        }
        // Unless a death has split the part between them, as Lambda may.
        if !split && place(details[3].as_ref()) > place(details[0].as_ref()) {
            return Err("the second event was told before the first".to_owned());
        }
        if outside.violations.is_empty() { Ok(()) } else { Err(outside.violations.join("; ")) }
    });
    assert!(runs.unwrap() > 500);
}

/// Runs two sealings side by side, in every order of their calls on the archive, one of which may go wrong.
#[test]
fn two_that_seal_at_once_make_one_chain() {
    let runs = explore(|choices| {
        let stage = Stage::new(START);
        for ticket in ["CHG-1", "CHG-2"] {
            archive(&stage, ticket);
            stage.advance(SignedDuration::from_secs(1));
        }
        stage.advance(SignedDuration::from_mins(5));
        let ports = [stage.invocation(), stage.invocation()];
        let settings = seal_settings();
        let mut tasks = ports.each_ref().map(|ports| Some(Task::new(seal(ports, &settings))));
        let mut outcomes: Vec<Result<Sealed, NotSealed>> = Vec::new();
        let mut faults = 1;
        while tasks.iter().any(Option::is_some) {
            let running: Vec<usize> = (0..2).filter(|n| tasks[*n].is_some()).collect();
            let n = running[choices.choose(running.len())];
            // The second one's clock is later, so that their statements differ.
            stage.advance(SignedDuration::from_millis(1));
            if step(&stage, &mut tasks[n], ports[n].invocation, choices, &mut faults, &mut outcomes) {
                tasks[n] = None;
            }
        }
        // Whoever comes afterwards seals the rest.
        for ports in &ports {
            stage.adrift(ports.invocation).into_iter().for_each(|call| stage.settle(call, true));
        }
        let ports = stage.invocation();
        let last = run(&stage, ports.invocation, seal(&ports, &settings), fine);
        last.map_err(|error| format!("{error:?}"))?;
        one_chain(&stage)
    });
    assert!(runs.unwrap() > 1_000);
}

/// One call of a sealing that matters to the other. True, if it has ended or died.
fn step(
    stage: &Stage,
    task: &mut Option<Task<'_, Result<Sealed, NotSealed>>>,
    invocation: u32,
    choices: &mut Choices,
    faults: &mut usize,
    outcomes: &mut Vec<Result<Sealed, NotSealed>>,
) -> bool {
    let Some(task) = task else { return true };
    loop {
        if let Some(outcome) = task.poll() {
            outcomes.push(outcome);
            return true;
        }
        let (number, name) = stage.waiting(invocation)[0];
        if matches!(name, "sign" | "public_key" | "publish" | "get") {
            stage.deliver(number, Fate::Done);
            continue;
        }
        let chosen = if *faults > 0 && name == "put" { choices.choose(TROUBLE.len() + 1) } else { 0 };
        *faults -= usize::from(chosen > 0);
        match chosen.checked_sub(1).map(|n| TROUBLE[n]) {
            None => stage.deliver(number, Fate::Done),
            Some(Some(fate)) => stage.deliver(number, fate),
            Some(None) => {
                task.crash();
                stage.crash(invocation);
                return true;
            }
        }
        return false;
    }
}

fn archive(stage: &Stage, ticket: &str) {
    let (ports, settings, recent) = (stage.invocation(), settings(), Recent::default());
    let arrivals = in_stream([denied(ticket)]);
    stage.outside().write(&[], &arrivals);
    run(stage, ports.invocation, deliver(&ports, &settings, &recent, &arrivals), fine);
}

fn one_chain(stage: &Stage) -> Result<(), String> {
    let outside = stage.outside();
    let mut previous: Option<Signed> = None;
    let mut sealed = Vec::new();
    let count = outside.objects.keys().filter(|key| key.starts_with("checkpoints/")).count();
    for number in 1..=u64::try_from(count).unwrap() {
        let bytes = outside.objects.get(&checkpoint_key(number)).ok_or("a gap")?;
        let signed = Signed::from_bytes(bytes).map_err(|error| error.to_string())?;
        let expected =
            previous.as_ref().map(|signed| (signed.statement.digest_hex(), signed.statement.until));
        if expected
            .is_some_and(|expected| expected != (signed.statement.previous.clone(), signed.statement.from))
        {
            return Err(format!("checkpoint {number} does not follow"));
        }
        sealed.extend(signed.statement.objects.iter().map(|object| object.key.clone()));
        previous = Some(signed);
    }
    let objects: Vec<&String> = outside.objects.keys().filter(|key| key.starts_with("events/")).collect();
    if sealed.iter().collect::<Vec<_>>() == objects {
        Ok(())
    } else {
        Err(format!("{sealed:?} of {objects:?}"))
    }
}
