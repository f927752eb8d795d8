//! Waiting: for something to be seen, with a deadline; and for real time to pass, where that is what is tested.

use std::time::Duration;

use curfew_cli::edge;
use jiff::{SignedDuration, Timestamp};

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// The time now, at whole seconds.
#[must_use]
pub fn now() -> Timestamp {
    edge::now()
}

/// Looks until there is something to be seen.
///
/// # Panics
/// There was nothing for as long as `patience`.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            edge::pause(BETWEEN_LOOKS).await;
        }
    };
    let seen = tokio::time::timeout(patience, looking).await;
    seen.unwrap_or_else(|_| panic!("waited {patience:?} in vain until {what}"))
}

/// Lets real time pass until `at`.
pub async fn reached(at: Timestamp) {
    let left = Duration::try_from(at.duration_since(now()));
    until(&format!("it is {at}"), left.unwrap_or_default() + Duration::from_secs(5), async || {
        (now() >= at).then_some(())
    })
    .await;
}

/// The first whole minute that is at least so many seconds away: a window that ends there is ended by its timer
/// at once, and tests that run side by side wait for the same one.
#[must_use]
pub fn minute_after(seconds: i64) -> Timestamp {
    let earliest = now().as_second() + seconds;
    Timestamp::from_second(earliest.div_euclid(60) * 60 + 60).expect("a time in this age")
}

/// `time` moved by whole seconds.
#[must_use]
pub fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).expect("a time in this age")
}
