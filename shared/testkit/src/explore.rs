//! Exhaustive exploration: runs a scenario once for every way in which its choices can fall.
//!
//! A scenario asks [`Choices::choose`] wherever more than one thing may happen next, and must do the same
//! on the same choices. What fails is told with its choices, so that it can be run again by them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where a scenario's choices come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    /// What was chosen, out of how many.
    path: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    /// The choices of an earlier run, to run it again.
    #[must_use]
    pub fn of(path: &[usize]) -> Self {
        Self { path: path.iter().map(|chosen| (*chosen, usize::MAX)).collect(), next: 0 }
    }

    /// One of `0..options`. With less than two options nothing is chosen.
    pub fn choose(&mut self, options: usize) -> usize {
        if options < 2 {
            return 0;
        }
        if self.path.len() == self.next {
            self.path.push((0, options));
        }
        let chosen = self.path.get(self.next).map_or(0, |(chosen, _)| *chosen);
        self.next += 1;
        chosen.min(options - 1)
    }

    /// One of `options`; none, if there is none.
    pub fn pick<'a, T>(&mut self, options: &'a [T]) -> Option<&'a T> {
        let chosen = self.choose(options.len());
        options.get(chosen)
    }

    /// Moves to the next untried choices. False, if all were tried.
    fn advance(&mut self) -> bool {
        self.path.truncate(self.next);
        self.next = 0;
        while let Some((chosen, options)) = self.path.pop() {
            if chosen + 1 < options {
                self.path.push((chosen + 1, options));
                return true;
            }
        }
        false
    }
}

/// Choices under which a scenario failed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct Counterexample {
    /// What was chosen; [`Choices::of`] runs it again.
    pub path: Vec<usize>,
    /// How it failed.
    pub message: String,
}

/// As readable as the display, because it is what a failed test shows.
impl fmt::Debug for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed with the choices {:?}: {}", self.path, self.message)
    }
}

/// Runs `scenario` with every combination of choices, and says how many there were.
///
/// # Errors
/// The first [`Counterexample`]: the scenario returned an error or panicked.
pub fn explore(
    mut scenario: impl FnMut(&mut Choices) -> Result<(), String>,
) -> Result<usize, Counterexample> {
    let mut choices = Choices::default();
    let mut runs = 0;
    loop {
        runs += 1;
        let result = catch_unwind(AssertUnwindSafe(|| scenario(&mut choices)));
        let message = match result {
            Ok(Ok(())) => None,
            Ok(Err(message)) => Some(message),
            Err(panic) => Some(match panic.downcast::<String>() {
                Ok(message) => *message,
                Err(_) => "a panic, told above".to_owned(),
            }),
        };
        if let Some(message) = message {
            let path = choices.path.iter().map(|(chosen, _)| *chosen).collect();
            return Err(Counterexample { path, message });
        }
        if !choices.advance() {
            return Ok(runs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_run_once() {
        let mut seen = Vec::new();
        let runs = explore(|choices| {
            let first = choices.choose(2);
            // Later choices may depend on earlier ones.
            let second = if first == 0 { choices.choose(3) } else { 9 };
            seen.push((first, second));
            Ok(())
        });
        assert_eq!(runs, Ok(4));
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 9)]);
    }

    #[test]
    fn a_failure_names_the_choices_that_run_it_again() {
        let scenario = |choices: &mut Choices| {
            let sum = choices.choose(3) + choices.choose(3);
            if sum == 3 { Err("three".to_owned()) } else { Ok(()) }
        };
        let found = explore(scenario).unwrap_err();
        assert_eq!((found.path.as_slice(), found.message.as_str()), ([1, 2].as_slice(), "three"));
        assert_eq!(scenario(&mut Choices::of(&found.path)), Err("three".to_owned()));
    }

    #[test]
    fn a_panic_is_a_failure() {
        let found = explore(|choices| {
            assert_ne!(choices.choose(2), 1, "one was {}", "chosen");
            Ok(())
        });
        assert_eq!(found.unwrap_err().path, [1]);
    }
}
