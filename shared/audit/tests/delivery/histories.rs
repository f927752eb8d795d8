//! Histories from a seed: a stream with poison in it, calls that fail in every way, invocations that die, two at a time
//! that seal. Whatever happened, all of it is in the archive and on the bus in the end, and the archive verifies.

use std::collections::{BTreeMap, BTreeSet};

use curfew_audit::archive::{CHECKPOINTS, checkpoint_key};
use curfew_audit::checkpoint::Signed;
use curfew_audit::deliver::{Arrival, Content, Delivered, Recent, deliver};
use curfew_audit::ports::Story;
use curfew_audit::seal::{NotSealed, SealSettings, Sealed, seal};
use curfew_audit::verify::{Expectations, Source, Unreadable, verify};
use curfew_domain::retry::{AUDIT_TIMEOUT, CHECKPOINT_EVERY, CHECKPOINT_MARGIN};
use curfew_testkit::Task;
use curfew_testkit::fixtures::START;
use jiff::{SignedDuration, Timestamp};

use crate::lambda::Shard;
use crate::stage::{Fate, Stage, fine, run};
use crate::stories::{arrival_of, denied, detail, in_stream, lives, poison, settings};

/// How long after its invocation's end a request may still land.
const LANDS_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// By how much the clocks of two invocations may differ.
const SKEW: i64 = 5_000;

/// How many seeds are played.
const SEEDS: u64 = 200;

/// Chance that depends on nothing but a seed: splitmix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, options: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(options).unwrap()).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn millis(&mut self, most: usize) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(self.below(most)).unwrap())
    }
}

/// An invocation under way.
struct Running<'a, T> {
    task: Task<'a, T>,
    invocation: u32,
    deadline: Timestamp,
}

/// An archive to be verified.
struct Archive<'a>(&'a BTreeMap<String, Vec<u8>>);

impl Source for Archive<'_> {
    fn list(&self, prefix: &str) -> Result<Vec<String>, Unreadable> {
        Ok(self.0.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn read(&self, key: &str) -> Result<Vec<u8>, Unreadable> {
        self.0.get(key).cloned().ok_or_else(|| Unreadable { key: key.to_owned(), message: "gone".to_owned() })
    }
}

/// The stream of a history: each grant's events in order but for those of one transaction, with denials and poison in
/// between.
fn stream(dice: &mut Dice, stories: &[Story]) -> Vec<Arrival> {
    let mut queues: Vec<Vec<Arrival>> = stories
        .iter()
        .map(|story| {
            // Requested and Opened are written at once: which of them the stream brings first is open.
            let order = if dice.one_in(2) { [1, 2, 3, 4, 5] } else { [2, 1, 3, 4, 5] };
            order.iter().rev().map(|seq| arrival_of(story, *seq)).collect()
        })
        .collect();
    queues.push((0..3).map(|n| denied(&format!("CHG-denied-{n}"))).collect());
    queues.push((0..dice.below(3)).map(|n| poison(&format!("poison {n}"))).collect());
    let mut arrivals = Vec::new();
    loop {
        queues.retain(|queue| !queue.is_empty());
        if queues.is_empty() {
            return in_stream(arrivals);
        }
        let n = dice.below(queues.len());
        arrivals.extend(queues[n].pop());
    }
}

/// One history.
struct History<'a> {
    stage: &'a Stage,
    dice: Dice,
    margin: SignedDuration,
    /// How many more calls may go wrong.
    faults: usize,
    /// Calls adrift land or vanish before this time, by invocation.
    landings: BTreeMap<u32, Timestamp>,
    /// Which arrivals were tried in which part: within one, order is the function's own.
    parts: Vec<BTreeSet<String>>,
}

impl<'a> History<'a> {
    fn begin<T, F: Future<Output = T> + 'a>(
        &mut self,
        work: impl FnOnce(crate::stage::StagePorts) -> F,
    ) -> Running<'a, T> {
        let skew = self.dice.below(2 * usize::try_from(SKEW).unwrap());
        let skew = SignedDuration::from_millis(i64::try_from(skew).unwrap() - SKEW);
        let ports = self.stage.invocation().with_clock(skew);
        let invocation = ports.invocation;
        let deadline = self.now() + AUDIT_TIMEOUT;
        self.landings.insert(invocation, deadline + LANDS_WITHIN);
        Running { task: Task::new(work(ports)), invocation, deadline }
    }

    fn now(&self) -> Timestamp {
        self.stage.outside().now
    }

    /// Lets time pass; what is adrift lands or vanishes on the way.
    fn pass(&mut self, most_millis: usize) {
        let by = self.dice.millis(most_millis.max(1));
        let then = self.now() + by;
        let invocations: Vec<(u32, Timestamp)> = self.landings.iter().map(|(id, at)| (*id, *at)).collect();
        for (invocation, at) in invocations {
            for call in self.stage.adrift(invocation) {
                if at <= then {
                    // It may take all the time there is.
                    let now = self.now();
                    self.stage.outside().now = at.max(now);
                    let lands = self.dice.one_in(2);
                    self.stage.settle(call, lands);
                    self.stage.outside().now = now;
                } else if self.dice.one_in(20) {
                    let lands = self.dice.one_in(2);
                    self.stage.settle(call, lands);
                }
            }
        }
        self.stage.outside().now = then;
    }

    fn fate(&mut self, name: &str) -> Fate {
        if self.faults == 0 || !self.dice.one_in(6) {
            return Fate::Done;
        }
        self.faults -= 1;
        match self.dice.below(4) {
            0 => Fate::LostAnswer,
            1 => Fate::LostRequest,
            2 if name == "publish" => Fate::Partly(u16::try_from(self.dice.below(1 << 10)).unwrap()),
            2 => Fate::LostAnswer,
            _ => Fate::Late,
        }
    }

    /// One step of an invocation. Its output, if that was its end; `Err`, if it died.
    fn step<T>(&mut self, running: &mut Running<'_, T>) -> Option<Result<T, ()>> {
        if let Some(output) = running.task.poll() {
            return Some(Ok(output));
        }
        let dies = self.faults > 0 && self.dice.one_in(40);
        if dies || self.now() >= running.deadline {
            self.faults = self.faults.saturating_sub(1);
            running.task.crash();
            self.stage.crash(running.invocation);
            return Some(Err(()));
        }
        let waiting = self.stage.waiting(running.invocation);
        let (number, name) = waiting[self.dice.below(waiting.len())];
        let fate = self.fate(name);
        self.stage.deliver(number, fate);
        None
    }
}

fn play(seed: u64, stories: &[Story], margin: SignedDuration) -> Result<(), String> {
    let stage = Stage::new(START);
    let mut dice = Dice(seed);
    let arrivals = stream(&mut dice, stories);
    stage.outside().write(stories, &arrivals);
    let faults = dice.below(25);
    let mut history =
        History { stage: &stage, dice, margin, faults, landings: BTreeMap::new(), parts: Vec::new() };
    let mut shard = Shard::new(arrivals.clone());
    let settings = settings();
    // The process lives on until an invocation dies.
    let mut recents: Vec<&'static Recent> = vec![Box::leak(Box::default())];
    let mut delivering: Option<Running<'_, Delivered>> = None;
    let mut sealing: Vec<Running<'_, Result<Sealed, NotSealed>>> = Vec::new();
    let mut steps = 0;
    while !shard.is_done() || delivering.is_some() || !sealing.is_empty() {
        steps += 1;
        if steps > 20_000 {
            return Err("it does not come to an end".to_owned());
        }
        history.pass(2_000);
        if history.dice.one_in(60) {
            history.pass(usize::try_from(CHECKPOINT_EVERY.as_millis()).unwrap() / 4);
        }
        if sealing.len() < 2 && !shard.is_done() && history.dice.one_in(25) {
            let seal_settings = SealSettings {
                stack: "curfew".to_owned(),
                margin: history.margin,
                objects_max: 2 + history.dice.below(4),
                stop_at: history.now() + SignedDuration::from_secs(100),
            };
            sealing.push(history.begin(|ports| async move { seal(&ports, &seal_settings).await }));
        }
        for n in (0..sealing.len()).rev() {
            if history.dice.one_in(2) && history.step(&mut sealing[n]).is_some() {
                sealing.remove(n);
            }
        }
        match &mut delivering {
            None if shard.is_done() => {}
            None => {
                let size = 1 + history.dice.below(10);
                let part = shard.part(size);
                history.parts.push(part.iter().map(|arrival| arrival.sequence.clone()).collect());
                let (recent, settings) = (*recents.last().unwrap(), settings.clone());
                delivering = Some(
                    history.begin(|ports| async move { deliver(&ports, &settings, recent, &part).await }),
                );
            }
            Some(running) => {
                let stepped = history.step(running);
                let bisect = history.dice.one_in(2);
                match stepped {
                    None => {}
                    Some(Ok(delivered)) => {
                        delivering = None;
                        // Now and then Lambda does not hear what it was told.
                        if history.faults > 0 && history.dice.one_in(30) {
                            history.faults -= 1;
                            shard.unanswered(bisect);
                        } else {
                            shard.answered(&delivered);
                        }
                    }
                    Some(Err(())) => {
                        delivering = None;
                        recents.push(Box::leak(Box::default()));
                        shard.unanswered(bisect);
                    }
                }
            }
        }
    }
    judge(&stage, &arrivals, stories, &history)
}

/// What must be true of every history.
fn judge(
    stage: &Stage,
    arrivals: &[Arrival],
    stories: &[Story],
    history: &History<'_>,
) -> Result<(), String> {
    // Whatever was adrift has landed or never will; and the last of it is sealed.
    for invocation in history.landings.keys() {
        for call in stage.adrift(*invocation) {
            stage.settle(call, true);
        }
    }
    stage.advance(CHECKPOINT_MARGIN + LANDS_WITHIN + AUDIT_TIMEOUT + SignedDuration::from_secs(10));
    let last = SealSettings {
        stack: "curfew".to_owned(),
        margin: history.margin,
        objects_max: 100,
        stop_at: Timestamp::MAX,
    };
    let ports = stage.invocation();
    run(stage, ports.invocation, seal(&ports, &last), fine)
        .map_err(|error| format!("not sealed: {error:?}"))?;

    let outside = stage.outside();
    if !outside.violations.is_empty() {
        return Err(outside.violations.join("; "));
    }
    let lines: BTreeSet<String> = outside.archived_lines().into_iter().collect();
    let first_told = |detail: &str| outside.bus.iter().position(|notice| notice.detail == detail);
    for arrival in arrivals {
        let sequence = &arrival.sequence;
        match detail(arrival, stories) {
            Some(detail) => {
                if !lines.contains(&detail) {
                    return Err(format!("{sequence} is not in the archive"));
                }
                if first_told(&detail).is_none() {
                    return Err(format!("{sequence} is not on the bus"));
                }
            }
            None if !outside.letters.iter().any(|letter| letter.sequence == *sequence) => {
                return Err(format!("nobody was told of {sequence}"));
            }
            None => {}
        }
    }
    in_order(arrivals, stories, history, &first_told)?;
    checkpoints(&outside.objects)?;
    let expected = Expectations {
        public_key_pem: Some(outside.public_key_pem()),
        as_of: Some(outside.now),
        ..Expectations::default()
    };
    let report = verify(&Archive(&outside.objects), &expected).map_err(|error| error.to_string())?;
    if !report.is_whole() || report.unsealed_records > 0 {
        return Err(format!("the archive does not verify: {report:#?}"));
    }
    let good = arrivals.iter().filter(|arrival| detail(arrival, stories).is_some()).count();
    if report.records != good {
        return Err(format!("{} of {good} records", report.records));
    }
    Ok(())
}

/// Of two events of a grant, the earlier was told first: if it came first, or they were always tried together.
fn in_order(
    arrivals: &[Arrival],
    stories: &[Story],
    history: &History<'_>,
    first_told: &dyn Fn(&str) -> Option<usize>,
) -> Result<(), String> {
    let numbered = |arrival: &Arrival| match &arrival.content {
        Ok(Content::Event { grant_id, seq, .. }) => Some((grant_id.clone(), *seq)),
        _ => None,
    };
    for (n, a) in arrivals.iter().enumerate() {
        for (m, b) in arrivals.iter().enumerate() {
            let (Some((grant, seq)), Some((other, later))) = (numbered(a), numbered(b)) else { continue };
            if grant != other || seq >= later {
                continue;
            }
            let parts = || history.parts.iter().filter(|part| part.contains(&b.sequence));
            let together = parts().all(|part| part.contains(&a.sequence));
            let told = |arrival| detail(arrival, stories).and_then(|detail| first_told(&detail));
            if (n < m || together) && told(a) > told(b) {
                return Err(format!("event {later} of {grant} was told before event {seq}"));
            }
        }
    }
    Ok(())
}

/// Checkpoints have no gaps, follow from each other, and seal each object once.
fn checkpoints(objects: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let count = objects.keys().filter(|key| key.starts_with(CHECKPOINTS)).count();
    let mut sealed = BTreeSet::new();
    let mut until = Timestamp::UNIX_EPOCH;
    for number in 1..=u64::try_from(count).unwrap() {
        let bytes = objects.get(&checkpoint_key(number)).ok_or(format!("no checkpoint {number}"))?;
        let statement = Signed::from_bytes(bytes).map_err(|error| error.to_string())?.statement;
        if statement.from != until {
            return Err(format!("checkpoint {number} begins at {}, not at {until}", statement.from));
        }
        until = statement.until;
        for object in statement.objects {
            if !sealed.insert(object.key.clone()) {
                return Err(format!("`{}` is sealed twice", object.key));
            }
        }
    }
    match objects.keys().find(|key| key.starts_with("events/") && !sealed.contains(*key)) {
        Some(key) => Err(format!("`{key}` fell between the checkpoints")),
        None => Ok(()),
    }
}

#[test]
fn whatever_goes_wrong_everything_is_kept_told_in_order_and_sealed_once() {
    let stories = lives(3);
    for seed in 0..SEEDS {
        if let Err(wrong) = play(seed, &stories, CHECKPOINT_MARGIN) {
            panic!("seed {seed}: {wrong}");
        }
    }
}

/// What the margin is for: without it, some object is written into a period that is sealed already. And that a history
/// that goes wrong is seen to go wrong.
#[test]
fn without_a_margin_something_falls_between_the_checkpoints() {
    let stories = lives(3);
    let wrong: Vec<String> =
        (0..SEEDS).filter_map(|seed| play(seed, &stories, SignedDuration::ZERO).err()).collect();
    assert!(wrong.iter().any(|wrong| wrong.contains("fell between")), "{wrong:?}");
}
