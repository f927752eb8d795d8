//! One invocation of a function: who it is in the logs, and until when it may run.

use std::time::Duration;

use curfew_domain::window::{plus, whole_second};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Context;

pub use curfew_domain::retry::{ANSWER_MARGIN, LEASE_GRACE, WIND_DOWN};

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Lambda's id of it, to be found in the logs.
    pub request_id: String,
    /// When Lambda will stop it.
    pub deadline: Timestamp,
}

impl Invocation {
    /// Until when this invocation may have a change in flight: its grant's lease. Rounded up to a whole
    /// second.
    #[must_use]
    pub fn lease_until(&self) -> Timestamp {
        let up = plus(self.deadline, SignedDuration::from_nanos(999_999_999));
        plus(whole_second(up), LEASE_GRACE)
    }

    /// What others must reckon with, as the use cases know it.
    #[must_use]
    pub fn known(&self) -> curfew_app::ports::Invocation {
        // Lambda's own retry of an asynchronous call has the same request id, and another deadline.
        let id = format!("{}/{}", self.request_id, self.deadline.as_second());
        curfew_app::ports::Invocation { id, lease_until: self.lease_until() }
    }

    /// The same, as it stands in the records of what an operator did by it.
    #[must_use]
    pub fn by_hand(&self) -> curfew_domain::operator::Invocation {
        curfew_domain::operator::Invocation::of(&self.request_id)
    }

    /// From when it must begin no more work.
    #[must_use]
    pub fn stop_at(&self) -> Timestamp {
        plus(self.deadline, -WIND_DOWN)
    }

    /// How long its caller can still be let wait at `now`.
    #[must_use]
    pub fn patience(&self, now: Timestamp) -> Duration {
        let left = plus(self.deadline, -ANSWER_MARGIN).duration_since(now);
        Duration::try_from(left).unwrap_or(Duration::ZERO)
    }
}

impl From<&Context> for Invocation {
    fn from(context: &Context) -> Self {
        let millis = i64::try_from(context.deadline).unwrap_or(i64::MAX);
        Self {
            request_id: context.request_id.clone(),
            deadline: Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ending(deadline: &str) -> Invocation {
        Invocation { request_id: "r-1".to_owned(), deadline: at(deadline) }
    }

    #[test]
    fn a_lease_outlives_the_invocation_and_never_rounds_down() {
        assert_eq!(ending("2026-01-01T10:00:00Z").lease_until(), at("2026-01-01T10:00:30Z"));
        assert_eq!(ending("2026-01-01T10:00:00.001Z").lease_until(), at("2026-01-01T10:00:31Z"));
    }

    #[test]
    fn a_retry_of_the_same_request_is_another_invocation() {
        let first = ending("2026-01-01T10:00:00Z").known();
        assert_eq!(first.lease_until, at("2026-01-01T10:00:30Z"));
        assert!(first.id.starts_with("r-1/"), "{first:?}");
        assert_ne!(first.id, ending("2026-01-01T10:01:00Z").known().id);
    }

    #[test]
    fn work_stops_before_the_deadline() {
        let invocation = ending("2026-01-01T10:00:55Z");
        assert_eq!(invocation.stop_at(), at("2026-01-01T10:00:40Z"));
        assert_eq!(invocation.patience(at("2026-01-01T10:00:00Z")), Duration::from_secs(54));
        assert_eq!(invocation.patience(at("2026-01-01T10:00:55Z")), Duration::ZERO);
    }

    #[test]
    fn lambda_gives_the_deadline_in_milliseconds() {
        let mut context = Context::default();
        context.deadline = 1_767_261_600_500;
        context.request_id = "r-2".to_owned();
        let invocation = Invocation::from(&context);
        assert_eq!(invocation.deadline, at("2026-01-01T10:00:00.5Z"));
        assert_eq!(invocation.request_id, "r-2");
    }
}
