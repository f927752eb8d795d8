//! One invocation: reads what is wanted, has it done, tells what came of it.

use curfew_app::ports::{self, Clock as _};
use curfew_audit::deliver::{self, ArchivedAgain, Arrival, Delivered, NotArchived, Recent, Settings};
use curfew_audit::ports::AuditPorts;
use curfew_audit::seal::{self, SealSettings, Sealed};
use curfew_runtime::error::chain;
use curfew_runtime::{FunctionError, Invocation, Metrics};
use jiff::SignedDuration;
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::{Input, Reply};

/// How many objects one checkpoint seals: what an invocation surely gets through, and a statement that is still a file.
const OBJECTS_MAX: usize = 500;

/// Reads one item of the stream; none, if it is not one to be delivered.
type ReadItem = fn(&Value) -> Option<Arrival>;

/// The audit function.
#[derive(Debug)]
pub struct AuditFunction<F> {
    ports: F,
    read: ReadItem,
    settings: Settings,
    margin: SignedDuration,
    metrics: Metrics,
    recent: Recent,
}

impl<F, P> AuditFunction<F>
where
    F: Fn(ports::Invocation) -> P + Send + Sync,
    P: AuditPorts,
{
    /// A function that acts through the ports that `ports` makes, and reads the stream's items by `read`. What was
    /// written to the archive in the last `margin` is left to the next checkpoint.
    #[must_use]
    pub fn new(
        ports: F,
        read: ReadItem,
        settings: Settings,
        margin: SignedDuration,
        metrics: Metrics,
    ) -> Self {
        Self { ports, read, settings, margin, metrics, recent: Recent::default() }
    }

    /// Answers an invocation.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub async fn serve(&self, event: LambdaEvent<Value>) -> Result<Reply, FunctionError> {
        self.handle(&event.payload, &Invocation::from(&event.context)).await
    }

    /// Does what is wanted.
    ///
    /// # Errors
    /// [`FunctionError`], if it is not clear what is wanted, or the archive could not be sealed, or a grant not be
    /// archived again. What could not be delivered of the stream is no error: the reply says from where on it has to
    /// come again.
    pub async fn handle(&self, input: &Value, invocation: &Invocation) -> Result<Reply, FunctionError> {
        let input = Input::read(input).map_err(|error| FunctionError::needs_operator(chain(&error)));
        let ports = (self.ports)(invocation.known());
        let done = match input {
            Ok(Input::Batch(items)) => Ok(self.deliver(&ports, &items).await),
            Ok(Input::Checkpoint) => self.seal(&ports, invocation).await,
            Ok(Input::ArchiveAgain(id)) => {
                let archived = deliver::archive_again(&ports, &self.settings, &id).await;
                self.archived_again(&ports, archived)
                    .map(|archived| Reply::grant_archived_again(id, archived))
            }
            Ok(Input::ArchiveDenialsAgain(source, ticket)) => {
                let archived = deliver::archive_denials_again(&ports, &self.settings, &source, &ticket).await;
                self.archived_again(&ports, archived)
                    .map(|archived| Reply::denials_archived_again(source, ticket, archived))
            }
            Err(error) => Err(error),
        };
        done.inspect_err(|error| tracing::error!("{error}"))
    }

    async fn deliver(&self, ports: &P, items: &[Value]) -> Reply {
        let arrivals: Vec<Arrival> = items.iter().filter_map(self.read).collect();
        let delivered = deliver::deliver(ports, &self.settings, &self.recent, &arrivals).await;
        let now = ports.clock().now();
        self.metrics.records_archived(now, delivered.archived);
        self.metrics.records_published(now, delivered.published);
        self.metrics.records_set_aside(now, delivered.set_aside.len());
        if delivered.failed_from.is_some() {
            self.metrics.delivery_failed(now);
        }
        tell(&delivered);
        Reply::from(&delivered)
    }

    async fn seal(&self, ports: &P, invocation: &Invocation) -> Result<Reply, FunctionError> {
        let settings = SealSettings {
            stack: self.settings.origin.stack.clone(),
            margin: self.margin,
            objects_max: OBJECTS_MAX,
            stop_at: invocation.stop_at(),
        };
        let sealed = seal::seal(ports, &settings).await.map_err(|error| {
            let message = format!("the archive could not be sealed: {}", chain(&error));
            if error.is_retryable() {
                FunctionError::retryable(message)
            } else {
                FunctionError::needs_operator(message)
            }
        })?;
        let now = ports.clock().now();
        self.metrics.checkpoint_age(now, sealed.age);
        let lines: usize = sealed.checkpoints.iter().map(|checkpoint| checkpoint.unreadable).sum();
        self.metrics.archive_foreign(now, lines + usize::from(sealed.foreign.is_some()));
        // Nothing is archived here, and that is told: a stream that nobody reads would say nothing.
        self.metrics.records_archived(now, 0);
        tell_sealed(&sealed);
        Ok(Reply::from(&sealed))
    }

    fn archived_again(
        &self,
        ports: &P,
        archived: Result<ArchivedAgain, NotArchived>,
    ) -> Result<ArchivedAgain, FunctionError> {
        let archived = archived.map_err(|error| {
            let message = chain(&error);
            if error.is_retryable() {
                FunctionError::retryable(message)
            } else {
                FunctionError::needs_operator(message)
            }
        })?;
        self.metrics.records_archived(ports.clock().now(), archived.records);
        tracing::info!("archived {} record(s) again, in {}", archived.records, archived.keys.join(", "));
        Ok(archived)
    }
}

/// One line for a batch.
fn tell(delivered: &Delivered) {
    let Delivered { arrived, archived, published, set_aside, failed_from, failures } = delivered;
    let counts = format!("{arrived} arrived, {archived} archived, {published} published");
    let told: Vec<String> = set_aside.iter().map(|(sequence, why)| format!("{sequence}: {why}")).collect();
    let told = told.join(" | ");
    match failed_from {
        Some(sequence) => tracing::error!(
            arrived,
            archived,
            published,
            set_aside = told,
            "records were not delivered and have to come again, from {sequence} on: {} ({counts})",
            failures.join(" | "),
        ),
        None if !set_aside.is_empty() => tracing::error!(
            arrived,
            archived,
            published,
            "records that can't be delivered are in the queue of unreadable records: {told} ({counts})"
        ),
        None => tracing::info!(arrived, archived, published, "delivered a part of the stream: {counts}"),
    }
}

/// One line for a checkpoint.
fn tell_sealed(sealed: &Sealed) {
    let numbers: Vec<String> =
        sealed.checkpoints.iter().map(|checkpoint| checkpoint.number.to_string()).collect();
    let digest = sealed.checkpoints.last().map(|checkpoint| checkpoint.digest.as_str()).unwrap_or_default();
    let lines: usize = sealed.checkpoints.iter().map(|checkpoint| checkpoint.unreadable).sum();
    let sealed_by = if numbers.is_empty() {
        "nothing was to be sealed".to_owned()
    } else {
        format!("checkpoint {} was written", numbers.join(", "))
    };
    let until = sealed.until;
    match (&sealed.foreign, lines, &sealed.untold) {
        (None, 0, None) => tracing::info!(digest, "{sealed_by}; the archive is sealed until {until}"),
        (foreign, lines, untold) => tracing::warn!(
            digest,
            foreign,
            lines,
            untold,
            "{sealed_by}; the archive is sealed until {until}, but holds something foreign, or was not told of on the bus"
        ),
    }
}
