//! Logs: one JSON object a line on standard output, where Lambda takes them from.
//!
//! Identifiers stand in the message *and* in fields with dotted names (`grant.id`, `ticket`, `source`,
//! `tenant`), so a line can be read and can be searched. Lambda's request id is in the span around each
//! invocation, which `lambda_runtime` opens. Never logged: secrets, signatures, bodies, credentials,
//! policy documents. A failure is logged once, by the handler, with its whole chain of causes.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::error::chain;

/// The variable that sets what is logged: a level, or `target=level` pairs (`info,curfew_aws=debug`).
pub const LOG_VARIABLE: &str = "CURFEW_LOG";

/// Where `lambda_runtime` logs a handler's error and a panic. Both are logged by us, with more in them.
const RUNTIME_ERROR_TARGET: &str = "lambda_runtime::layers::panic";

/// Nothing finer is ever logged, whatever is asked for: at `trace`, `lambda_runtime` writes out whole
/// events, and the AWS SDK whole requests and answers, with signatures, policies and credentials in them.
const FINEST: LevelFilter = LevelFilter::DEBUG;

/// Starts logging for the rest of the process, panics included. Reads `CURFEW_LOG` by `lookup`; unset
/// means `info`, and so does a value that is not a filter, with a warning.
pub fn init(lookup: impl Fn(&str) -> Option<String>) {
    let (filter, problem) = filter(lookup(LOG_VARIABLE).as_deref());
    // Fails only if logging was started before, which then goes on.
    drop(tracing::subscriber::set_global_default(subscriber(std::io::stdout, filter)));
    if let Some(problem) = problem {
        tracing::warn!("{problem}");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(panic.place = place, "panicked: {message}");
    }));
}

/// Ends the process: with a failure and its causes in the log, if there was one.
#[must_use]
pub fn exit(result: Result<(), lambda_runtime::Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the function could not start or go on: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn filter(text: Option<&str>) -> (Targets, Option<String>) {
    let default = Targets::new().with_default(LevelFilter::INFO);
    let (filter, problem) = match text.map(str::trim).filter(|text| !text.is_empty()) {
        None => (default, None),
        Some(text) => match text.parse::<Targets>() {
            Ok(filter) => (filter, None),
            Err(error) => {
                let problem = format!(
                    "`{LOG_VARIABLE}` is not a log filter ({error}), so `info` is used; \
                     set it to `error`, `warn`, `info`, `debug`, or pairs such as `info,curfew_aws=debug`"
                );
                (default, Some(problem))
            }
        },
    };
    (filter.with_target(RUNTIME_ERROR_TARGET, LevelFilter::OFF), problem)
}

fn subscriber<W>(writer: W, filter: Targets) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(writer);
    tracing_subscriber::registry().with(filter).with(FINEST).with(layer)
}

/// Takes lines that are not log events: metrics.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes lines to standard output, whole.
#[must_use]
pub fn stdout_lines() -> LineSink {
    Arc::new(|line| {
        let mut out = std::io::stdout().lock();
        // Nobody is left to tell if standard output is gone.
        drop(writeln!(out, "{line}"));
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(text: Option<&str>, log: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(move || writer.clone(), filter(text).0);
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_json_with_its_fields_and_the_request_id() {
        let lines = logged(None, || {
            let span = tracing::info_span!("invoke", requestId = "r-1");
            span.in_scope(|| tracing::info!(grant.id = "g-1", ticket = "CHG-1", "grant g-1 is active"));
        });
        let [line] = lines.as_slice() else { unreachable!("one line was logged: {lines:?}") };
        assert_eq!(line["message"], "grant g-1 is active");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["grant.id"], "g-1");
        assert_eq!(line["ticket"], "CHG-1");
        assert_eq!(line["span"]["requestId"], "r-1");
    }

    #[test]
    fn the_level_is_info_unless_the_variable_says_otherwise() {
        let log = || {
            tracing::debug!(target: "curfew_aws", "detail");
            tracing::info!("news");
        };
        assert_eq!(logged(None, log).len(), 1);
        assert_eq!(logged(Some(""), log).len(), 1);
        assert_eq!(logged(Some("warn"), log).len(), 0);
        assert_eq!(logged(Some("info,curfew_aws=debug"), log).len(), 2);
        assert_eq!(logged(Some("info,,=nonsense="), log).len(), 1);
        assert!(filter(Some("info,,=nonsense=")).1.unwrap().contains("CURFEW_LOG"));
    }

    #[test]
    fn what_could_hold_a_secret_is_not_logged_even_if_asked_for() {
        let log = || tracing::trace!(target: "aws_smithy_runtime", "transmitting request …");
        for asked in ["trace", "aws_smithy_runtime=trace"] {
            assert_eq!(logged(Some(asked), log).len(), 0, "{asked}");
        }
        assert_eq!(logged(Some("trace"), || tracing::debug!("detail")).len(), 1);
    }

    #[test]
    fn a_handlers_error_is_not_logged_a_second_time_by_the_runtime() {
        let log = || tracing::error!(target: "lambda_runtime::layers::panic", "Retryable: …");
        assert_eq!(logged(None, log).len(), 0);
        assert_eq!(logged(Some("debug"), log).len(), 0);
    }
}
