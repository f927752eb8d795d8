//! The handler: one lap over what is due, some pages of the slow lap; counted, logged and summed up.

use curfew_app::Ports;
use curfew_app::drift::DriftReport;
use curfew_app::ports::{self, Clock as _, Due, DueItem, Ledger as _};
use curfew_app::sweep::{self, Lap, Report, Swept};
use curfew_domain::event::Fact;
use curfew_domain::grant::Outcome;
use curfew_domain::ids::GrantId;
pub use curfew_domain::retry::LAP_LIMIT;
use curfew_runtime::error::chain;
use curfew_runtime::{FunctionError, Invocation, Metrics, revocation};
use futures_util::stream::{self, StreamExt as _};
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::drift::{DriftWatch, removed};

/// How many closed grants are read side by side to count their lag: one after the other, those of a lap that drains a
/// backlog would outlast it.
const TOLD_CONCURRENT: usize = 16;

/// The sweep function. `F` gives each invocation its ports.
#[derive(Debug)]
pub struct SweepFunction<F> {
    ports: F,
    metrics: Metrics,
    drift: Option<DriftWatch>,
}

/// What a lap did, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// How many items were due.
    pub due: usize,
    /// Ended, because their window was over.
    pub expired: usize,
    /// Ended early.
    pub revoked: usize,
    /// Cleaned up after an opening that failed.
    pub failed_openings: usize,
    /// Changes of a window that had been cut short, and are made.
    pub changed: usize,
    /// Changes that could not be made yet.
    pub still_changing: usize,
    /// Closed tickets whose grants are being ended.
    pub tickets: usize,
    /// Begun, but not yet to be proven.
    pub settling: usize,
    /// Failed; tried again later.
    pub failed: usize,
    /// AWS was asked too often; first in the next lap.
    pub throttled: usize,
    /// Not begun for want of time, or because their account had enough.
    pub left_over: usize,
    /// Not due after all.
    pub not_due: usize,
    /// How many still owe work.
    pub backlog: usize,
    /// Whether more may be due than one lap looks at.
    pub truncated: bool,
    /// The comparison of AWS with the ledger.
    pub drift: DriftSummary,
}

/// What a lap found in AWS that is not as the ledger says, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DriftSummary {
    /// Pages of users and roles that were compared.
    pub pages: usize,
    /// What was found otherwise.
    pub found: usize,
    /// What of it was removed, with AWS's word.
    pub removed: usize,
    /// Accounts that could not be compared.
    pub unchecked: usize,
}

impl From<&DriftReport> for DriftSummary {
    fn from(report: &DriftReport) -> Self {
        Self {
            pages: report.pages,
            found: report.findings.len(),
            removed: removed(report),
            unchecked: report.errors.len(),
        }
    }
}

impl From<&Report> for Summary {
    fn from(report: &Report) -> Self {
        let mut summary = Self {
            due: report.items.len(),
            backlog: report.backlog(),
            truncated: report.truncated,
            ..Self::default()
        };
        for (_, swept) in &report.items {
            let count = match swept {
                Swept::Closed(Outcome::Expired) => &mut summary.expired,
                Swept::Closed(Outcome::Revoked) => &mut summary.revoked,
                Swept::Closed(Outcome::Failed) => &mut summary.failed_openings,
                Swept::Changed => &mut summary.changed,
                Swept::StillChanging(_) => &mut summary.still_changing,
                Swept::TicketEnded(_) => &mut summary.tickets,
                Swept::Settling => &mut summary.settling,
                Swept::Failed(_) => &mut summary.failed,
                Swept::Throttled(_) => &mut summary.throttled,
                Swept::LeftOver => &mut summary.left_over,
                Swept::NotDue => &mut summary.not_due,
            };
            *count += 1;
        }
        summary
    }
}

impl<F, P> SweepFunction<F>
where
    F: Fn(ports::Invocation) -> P + Send + Sync,
    P: Ports,
{
    /// A function that acts through the ports that `ports` makes, and looks for drift if it is given a watch.
    #[must_use]
    pub fn new(ports: F, metrics: Metrics, drift: Option<DriftWatch>) -> Self {
        Self { ports, metrics, drift }
    }

    /// Answers an invocation, whatever called it.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub async fn serve(&self, event: LambdaEvent<IgnoredAny>) -> Result<Summary, FunctionError> {
        self.handle(&Invocation::from(&event.context)).await
    }

    /// Does one lap. What is due comes first; drift gets the time that is left.
    ///
    /// # Errors
    /// [`FunctionError`], if it could not be found out what is due. Grants that could not be finished are
    /// no error of the lap: they are counted, and stay due. Nor is drift that could not be looked for.
    pub async fn handle(&self, invocation: &Invocation) -> Result<Summary, FunctionError> {
        let ports = (self.ports)(invocation.known());
        let lap = Lap { limit: LAP_LIMIT, stop_at: invocation.stop_at() };
        let report = sweep::sweep(&ports, lap).await.map_err(|error| {
            tracing::error!("the sweep could not find out what is due: {}", chain(&error));
            FunctionError::from(&error)
        })?;
        stream::iter(&report.items)
            .for_each_concurrent(TOLD_CONCURRENT, |(due, swept)| self.tell(&ports, due, swept))
            .await;
        let mut summary = Summary::from(&report);
        let now = ports.clock().now();
        self.metrics.revocations_failed(now, summary.failed);
        self.metrics.sweep_backlog(now, summary.backlog);
        if let Some(since) = report.unproven_since {
            self.metrics.oldest_unproven(now, since);
        }
        if summary.truncated {
            tracing::warn!("more was due at once than a lap gets through; the next laps go on");
        }
        if let Some(drift) = &self.drift {
            summary.drift = DriftSummary::from(&drift.look(&ports, invocation, &self.metrics).await);
        }
        // A lap with nothing to do, which is nearly every one, says nothing.
        if summary.due > 0 {
            tracing::info!(?summary, "swept {} item(s), {} left", summary.due, summary.backlog);
        }
        Ok(summary)
    }

    async fn tell(&self, ports: &P, due: &Due, swept: &Swept) {
        let (id, what) = match &due.item {
            DueItem::Grant(id) => (Some(id), format!("grant {id}")),
            DueItem::Ticket(source, ticket) => (None, format!("closed ticket {ticket} of {source}")),
        };
        let grant = id.map(ToString::to_string).unwrap_or_default();
        match swept {
            Swept::Closed(outcome) => {
                tracing::info!(grant.id = grant, "the sweep closed {what} ({outcome})");
                if let Some(id) = id {
                    self.count_closed(ports, id).await;
                }
            }
            Swept::Failed(error) => {
                tracing::error!(grant.id = grant, error, "the sweep could not finish {what}: {error}");
            }
            Swept::Throttled(error) => {
                tracing::warn!(grant.id = grant, error, "AWS is asked too often to finish {what}: {error}");
            }
            Swept::Settling => {
                tracing::info!(grant.id = grant, "the removal of {what} has begun and can't be proven yet");
            }
            Swept::Changed => {
                tracing::info!(
                    grant.id = grant,
                    "the sweep finished the change of {what} that was cut short"
                );
            }
            Swept::StillChanging(reason) => {
                tracing::warn!(
                    grant.id = grant,
                    reason,
                    "the change of {what} that was cut short could not be made yet: {reason}"
                );
            }
            Swept::TicketEnded(count) => {
                tracing::info!("the sweep began to end what was left of {what}: {count} grant(s)");
            }
            Swept::LeftOver | Swept::NotDue => {}
        }
    }

    /// Counts a revocation with its lag. Its request may be long ago, so the grant's story is read for it:
    /// one read for each grant that nobody else could finish.
    async fn count_closed(&self, ports: &P, id: &GrantId) {
        let story = match ports.ledger().story(id).await {
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
            self.metrics.revoked(ports.clock().now(), id, lag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_every_item_once() {
        let due = |letter: char| Due {
            item: DueItem::Grant(GrantId::new(format!("g-{}", letter.to_string().repeat(26))).unwrap()),
            due_at: "2026-01-01T10:00:00Z".parse().unwrap(),
            privileged: false,
        };
        let said = || "throttled".to_owned();
        let report = Report {
            items: vec![
                (due('a'), Swept::Closed(Outcome::Expired)),
                (due('b'), Swept::Closed(Outcome::Revoked)),
                (due('c'), Swept::Closed(Outcome::Failed)),
                (due('d'), Swept::Settling),
                (due('e'), Swept::Failed(said())),
                (due('f'), Swept::LeftOver),
                (due('g'), Swept::NotDue),
                (due('h'), Swept::Changed),
                (due('i'), Swept::StillChanging(said())),
                (due('j'), Swept::TicketEnded(3)),
                (due('k'), Swept::Throttled(said())),
            ],
            unproven_since: None,
            truncated: true,
        };
        let expected = Summary {
            due: 11,
            expired: 1,
            revoked: 1,
            failed_openings: 1,
            changed: 1,
            still_changing: 1,
            tickets: 1,
            settling: 1,
            failed: 1,
            throttled: 1,
            left_over: 1,
            not_due: 1,
            backlog: 5,
            truncated: true,
            drift: DriftSummary::default(),
        };
        assert_eq!(Summary::from(&report), expected);
    }
}
