//! Makes a failing scenario as small as it gets while it still fails alike, so that somebody can read it.
//!
//! First the faults that were drawn become a list. Then intents, troubles and faults are left out, in ever
//! smaller portions, as long as the same promise breaks (delta debugging: A. Zeller and R. Hildebrandt,
//! Simplifying and Isolating Failure-Inducing Input, 2002). Last, calls take the same time all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::engine::Engine;
use super::scenario::{Approve, Fault, Faults, Intent, Pace, Scenario, Shown, Site, What};
use super::{Outcome, Run};

/// How many scenarios are played at most to make one smaller.
const RUNS_MAX: u32 = 1_500;

/// A scenario that breaks a promise, and from which nothing can be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimal {
    /// The seed that it came from.
    pub seed: u64,
    /// What is left of its scenario.
    pub scenario: Scenario,
    /// What comes of it.
    pub outcome: Outcome,
    /// How many intents, troubles and faults there were before.
    pub before: (usize, usize, usize),
    /// What happens in it, one line each.
    pub history: Vec<String>,
}

/// Makes the scenario of a seed minimal. None, if it breaks no promise.
#[must_use]
pub fn minimise(seed: u64) -> Option<Minimal> {
    minimise_scenario(&Scenario::of(seed))
}

/// Makes a scenario minimal. None, if it breaks no promise.
#[must_use]
pub fn minimise_scenario(scenario: &Scenario) -> Option<Minimal> {
    let first = play(scenario, false);
    let promise = first.outcome.violations.first()?.promise;
    let mut search = Search { promise, runs: 0 };
    let mut smallest = Scenario { faults: Faults::Listed(first.occurred.clone()), ..scenario.clone() };
    if !search.fails(&smallest) {
        // Can't be, unless something is drawn from elsewhere; the whole is better than nothing.
        smallest = scenario.clone();
    }
    let before = (smallest.intents.len(), smallest.troubles.len(), first.occurred.len());
    loop {
        let size = sizes(&smallest);
        smallest = search.without_intents(smallest);
        smallest = search.without_troubles(smallest);
        smallest = search.without_faults(smallest);
        smallest = search.plainer(smallest);
        if sizes(&smallest) == size || search.runs >= RUNS_MAX {
            break;
        }
    }
    let run = play(&smallest, true);
    Some(Minimal {
        seed: scenario.seed,
        scenario: smallest,
        outcome: run.outcome,
        before,
        history: run.trace,
    })
}

fn without_copies(intent: &mut Intent) {
    match &mut intent.what {
        What::Approve(Approve { sending, .. }) | What::CloseTicket { sending, .. } => {
            sending.duplicates.clear()
        }
        What::Revoke { more_clicks, .. } => more_clicks.clear(),
        What::Deploy(_) | What::Meddle { .. } => {}
    }
}

fn without_tries(intent: &mut Intent) {
    if let What::Approve(Approve { sending, .. }) | What::CloseTicket { sending, .. } = &mut intent.what {
        sending.tries = 1;
    }
}

fn play(scenario: &Scenario, traced: bool) -> Run {
    Engine::new(scenario, traced).run()
}

fn sizes(scenario: &Scenario) -> (usize, usize, usize) {
    let faults = match &scenario.faults {
        Faults::Drawn(_) => usize::MAX,
        Faults::Listed(listed) => listed.len(),
    };
    (scenario.intents.len(), scenario.troubles.len(), faults)
}

struct Search {
    promise: &'static str,
    runs: u32,
}

impl Search {
    fn fails(&mut self, scenario: &Scenario) -> bool {
        if self.runs >= RUNS_MAX {
            return false;
        }
        self.runs += 1;
        let outcome = play(scenario, false).outcome;
        outcome.violations.first().is_some_and(|violation| violation.promise == self.promise)
    }

    fn without_intents(&mut self, scenario: Scenario) -> Scenario {
        let with = |intents: &[_]| Scenario { intents: intents.to_vec(), ..scenario.clone() };
        let left = self.fewest(scenario.intents.clone(), with);
        with(&left)
    }

    fn without_troubles(&mut self, scenario: Scenario) -> Scenario {
        let with = |troubles: &[_]| Scenario { troubles: troubles.to_vec(), ..scenario.clone() };
        let left = self.fewest(scenario.troubles.clone(), with);
        with(&left)
    }

    fn without_faults(&mut self, scenario: Scenario) -> Scenario {
        let Faults::Listed(listed) = &scenario.faults else {
            return scenario;
        };
        let all: Vec<(Site, Fault)> = listed.iter().map(|(site, fault)| (site.clone(), *fault)).collect();
        let with = |faults: &[(Site, Fault)]| {
            let listed: BTreeMap<Site, Fault> = faults.iter().cloned().collect();
            Scenario { faults: Faults::Listed(listed), ..scenario.clone() }
        };
        let left = self.fewest(all, with);
        with(&left)
    }

    /// Without what does not matter: looking for drift, duplicates, further tries, chance in what calls take.
    fn plainer(&mut self, scenario: Scenario) -> Scenario {
        let mut plainest = self.unless_needed(scenario, |scenario| scenario.drift = None);
        for n in 0..plainest.intents.len() {
            let of_intent = |change: fn(&mut Intent)| {
                move |scenario: &mut Scenario| scenario.intents.get_mut(n).into_iter().for_each(change)
            };
            plainest = self.unless_needed(plainest, of_intent(without_copies));
            plainest = self.unless_needed(plainest, of_intent(without_tries));
        }
        self.unless_needed(plainest, |scenario| scenario.pace = Pace::Even)
    }

    /// The scenario with the change, if it still fails then.
    fn unless_needed(&mut self, scenario: Scenario, change: impl FnOnce(&mut Scenario)) -> Scenario {
        let mut changed = scenario.clone();
        change(&mut changed);
        if changed != scenario && self.fails(&changed) { changed } else { scenario }
    }

    /// The fewest of `items` with which it still fails.
    fn fewest<T: Clone>(&mut self, mut items: Vec<T>, with: impl Fn(&[T]) -> Scenario) -> Vec<T> {
        let mut portion = items.len();
        while portion > 0 && !items.is_empty() {
            let mut from = 0;
            while from < items.len() {
                let fewer: Vec<T> =
                    items.iter().take(from).chain(items.iter().skip(from + portion)).cloned().collect();
                if self.fails(&with(&fewer)) {
                    items = fewer;
                } else {
                    from += portion;
                }
            }
            portion /= 2;
        }
        items
    }
}

impl fmt::Display for Minimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in self.outcome.violations.iter().take(3) {
            writeln!(f, "seed {} breaks {violation}", self.seed)?;
        }
        let (intents, troubles, faults) = self.before;
        let scenario = &self.scenario;
        writeln!(f, "\nwhat is intended ({} left of {intents}):", scenario.intents.len())?;
        for intent in &scenario.intents {
            writeln!(f, "  {intent}")?;
        }
        if troubles > 0 {
            writeln!(f, "\nwhat the surroundings do ({} left of {troubles}):", scenario.troubles.len())?;
            for trouble in &scenario.troubles {
                writeln!(f, "  {trouble}")?;
            }
        }
        if let Faults::Listed(listed) = &scenario.faults {
            writeln!(f, "\nwhat goes wrong ({} left of {faults}):", listed.len())?;
            for (site, fault) in listed {
                writeln!(f, "  {site}: {fault}")?;
            }
        }
        writeln!(
            f,
            "\nwhose grants are whose (timers by {:?}; heals at {}):",
            scenario.timer,
            Shown(scenario.heals_at)
        )?;
        for line in Engine::legend(scenario) {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "\nwhat happens:")?;
        for line in readable(&self.history) {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// A history without the laps of the sweep that found nothing.
fn readable(history: &[String]) -> Vec<&str> {
    // Whose line it is, and what is said of it.
    let of_sweep = |line: &str| {
        let (_, said) = line.split_once("  sweep ")?;
        let number: String = said.chars().take_while(char::is_ascii_digit).collect();
        Some((number, said.to_owned()))
    };
    let mut busy: BTreeSet<String> = BTreeSet::new();
    for (number, said) in history.iter().filter_map(|line| of_sweep(line)) {
        let looks = ["Due", "DriftLap", "SaveDriftLap", "Inventory", "LiveOfPrincipal"];
        let is_idle = said.ends_with(" begins")
            || (said.ends_with(" -> done") && looks.iter().any(|call| said.contains(&format!(": {call} "))));
        if !is_idle {
            busy.insert(number);
        }
    }
    let is_shown = |line: &&str| of_sweep(line).is_none_or(|(number, _)| busy.contains(&number));
    history.iter().map(String::as_str).filter(is_shown).collect()
}
