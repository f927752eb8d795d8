//! The handler: one lap, counted, logged and summed up.

use curfew_app::Ports;
use curfew_app::ports::{Clock as _, Due, Ledger as _};
use curfew_app::sweep::{self, Lap, Report, Swept};
use curfew_domain::event::Fact;
use curfew_domain::grant::Outcome;
use curfew_domain::ids::GrantId;
use curfew_runtime::error::chain;
use curfew_runtime::{FunctionError, Invocation, Metrics, revocation};
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde::de::IgnoredAny;

/// At most so many grants are looked at in one lap. What is left is longest due, and first, in the next.
pub const LAP_LIMIT: usize = 500;

/// The sweep function.
#[derive(Debug)]
pub struct SweepFunction<P> {
    ports: P,
    metrics: Metrics,
}

/// What a lap did, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// How many grants were due.
    pub due: usize,
    /// Ended, because their window was over.
    pub expired: usize,
    /// Ended early.
    pub revoked: usize,
    /// Cleaned up after an opening that failed.
    pub failed_openings: usize,
    /// Begun, but not yet to be proven.
    pub settling: usize,
    /// Failed; tried again later.
    pub failed: usize,
    /// Not begun for want of time.
    pub left_over: usize,
    /// Not due after all.
    pub not_due: usize,
    /// How many still owe work.
    pub backlog: usize,
    /// Whether more may be due than one lap looks at.
    pub truncated: bool,
}

impl From<&Report> for Summary {
    fn from(report: &Report) -> Self {
        let mut summary = Self {
            due: report.grants.len(),
            backlog: report.backlog(),
            truncated: report.truncated,
            ..Self::default()
        };
        for (_, swept) in &report.grants {
            let count = match swept {
                Swept::Closed(Outcome::Expired) => &mut summary.expired,
                Swept::Closed(Outcome::Revoked) => &mut summary.revoked,
                Swept::Closed(Outcome::Failed) => &mut summary.failed_openings,
                Swept::Settling => &mut summary.settling,
                Swept::Failed(_) => &mut summary.failed,
                Swept::LeftOver => &mut summary.left_over,
                Swept::NotDue => &mut summary.not_due,
            };
            *count += 1;
        }
        summary
    }
}

impl<P: Ports> SweepFunction<P> {
    /// A function that acts through `ports`.
    #[must_use]
    pub fn new(ports: P, metrics: Metrics) -> Self {
        Self { ports, metrics }
    }

    /// Answers an invocation, whatever called it.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub async fn serve(&self, event: LambdaEvent<IgnoredAny>) -> Result<Summary, FunctionError> {
        self.handle(&Invocation::from(&event.context)).await
    }

    /// Does one lap.
    ///
    /// # Errors
    /// [`FunctionError`], if it could not be found out what is due. Grants that could not be finished are
    /// no error of the lap: they are counted, and stay due.
    pub async fn handle(&self, invocation: &Invocation) -> Result<Summary, FunctionError> {
        let lap = Lap { limit: LAP_LIMIT, stop_at: invocation.stop_at() };
        let report = sweep::sweep(&self.ports, lap).await.map_err(|error| {
            tracing::error!("the sweep could not find out what is due: {}", chain(&error));
            FunctionError::from(&error)
        })?;
        for (due, swept) in &report.grants {
            self.tell(due, swept).await;
        }
        let summary = Summary::from(&report);
        let now = self.ports.clock().now();
        self.metrics.revocations_failed(now, summary.failed);
        self.metrics.sweep_backlog(now, summary.backlog);
        if summary.truncated {
            tracing::warn!("at least {LAP_LIMIT} grants were due at once; the next laps go on");
        }
        // A lap with nothing to do, which is nearly every one, says nothing.
        if summary.due > 0 {
            tracing::info!(?summary, "swept {} grant(s), {} left", summary.due, summary.backlog);
        }
        Ok(summary)
    }

    async fn tell(&self, due: &Due, swept: &Swept) {
        let id = &due.grant_id;
        match swept {
            Swept::Closed(outcome) => {
                tracing::info!(grant.id = %id, "the sweep closed grant {id} ({outcome})");
                self.count_closed(id).await;
            }
            Swept::Failed(error) => {
                tracing::error!(grant.id = %id, error, "the sweep could not finish grant {id}: {error}");
            }
            Swept::Settling => {
                tracing::info!(grant.id = %id, "the removal of grant {id} has begun and can't be proven yet");
            }
            Swept::LeftOver | Swept::NotDue => {}
        }
    }

    /// Counts a revocation with its lag. Its request may be long ago, so the grant's story is read for it:
    /// one read for each grant that nobody else could finish.
    async fn count_closed(&self, id: &GrantId) {
        let story = match self.ports.ledger().story(id).await {
            Ok(Some(story)) => story,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(grant.id = %id, "the lag of grant {id} is not counted: {}", chain(&error));
                return;
            }
        };
        let asked = story.events.iter().find(|event| matches!(event.fact, Fact::RevocationRequested { .. }));
        let asked_at = asked.map_or_else(|| story.stored.grant.opened_at(), |event| event.at);
        if let Some(lag) = revocation::lag(&story.stored.grant, asked_at) {
            self.metrics.revoked(self.ports.clock().now(), lag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_every_grant_once() {
        let due = |letter: char| Due {
            grant_id: GrantId::new(format!("g-{}", letter.to_string().repeat(26))).unwrap(),
            due_at: "2026-01-01T10:00:00Z".parse().unwrap(),
        };
        let report = Report {
            grants: vec![
                (due('a'), Swept::Closed(Outcome::Expired)),
                (due('b'), Swept::Closed(Outcome::Revoked)),
                (due('c'), Swept::Closed(Outcome::Failed)),
                (due('d'), Swept::Settling),
                (due('e'), Swept::Failed("throttled".to_owned())),
                (due('f'), Swept::LeftOver),
                (due('g'), Swept::NotDue),
            ],
            truncated: true,
        };
        let expected = Summary {
            due: 7,
            expired: 1,
            revoked: 1,
            failed_openings: 1,
            settling: 1,
            failed: 1,
            left_over: 1,
            not_due: 1,
            backlog: 3,
            truncated: true,
        };
        assert_eq!(Summary::from(&report), expected);
    }
}
