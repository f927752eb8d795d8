//! One seed, judged: what it came to, also if the code under test panics.
//!
//! Must not know: how many there are, or who is told.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use curfew_testkit::sim::{self, Outcome};

thread_local! {
    /// What the last panic of this thread said, with its place.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics kept for [`judge`] instead of written to standard error. For the whole process.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let said = panic.to_string().replace('\n', " ");
        PANIC.with(|kept| *kept.borrow_mut() = Some(said));
    }));
}

/// What a seed came to.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The seed.
    pub seed: u64,
    /// Its simulation's outcome; none, if the code under test panicked.
    pub outcome: Option<Outcome>,
    /// Every broken promise, in words. A panic is one.
    pub violations: Vec<String>,
}

/// Runs `work`; a panic is its error.
fn without_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // Whatever the panic left half done belongs to the world of that seed, and is gone with it.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let told = PANIC.with(|kept| kept.borrow_mut().take());
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
        told.or(text).unwrap_or_else(|| "a panic without words".to_owned())
    })
}

/// Plays a seed.
#[must_use]
pub fn judge(seed: u64) -> Judged {
    match without_panic(|| sim::run(seed)) {
        Ok(outcome) => {
            let violations = outcome.violations.iter().map(ToString::to_string).collect();
            Judged { seed, outcome: Some(outcome), violations }
        }
        Err(panic) => Judged { seed, outcome: None, violations: vec![panic] },
    }
}

/// The shortest history that breaks a promise with this seed, for a person to read.
#[must_use]
pub fn history(seed: u64) -> String {
    match without_panic(|| sim::minimise(seed).map(|minimal| minimal.to_string())) {
        Ok(Some(minimal)) => minimal,
        Ok(None) => "no shorter history breaks it".to_owned(),
        Err(panic) => format!("the code panicked before its history could be told: {panic}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_in_its_own_words() {
        let said = without_panic(|| assert_eq!(1 + 1, 3, "counted {}", "wrongly")).unwrap_err();
        assert!(said.contains("counted wrongly"), "{said}");
        assert_eq!(without_panic(|| 7), Ok(7));
    }
}
