//! The event bus on EventBridge.
//!
//! A call that succeeds can have failed for some of its entries, so each is looked at
//! (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>).

use std::sync::Arc;

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use curfew_app::ports::EffectError;
use curfew_audit::ports::{Bus, Notice, Publication};

use crate::clients::Aws;
use crate::errors::{Failed, failure_of_entry, shorten};

/// A bus.
#[derive(Debug)]
pub struct EventsBus {
    aws: Arc<Aws>,
    name: String,
}

/// What rules match Curfew's events by.
const SOURCE: &str = "curfew";

const PUT: &str = "PutEvents";

/// Codes that are about one entry and stay true of it. Whatever else an entry is refused for is about the bus, and
/// somebody will put that right.
const ABOUT_THE_ENTRY: &[&str] = &["InvalidArgument", "MalformedDetail", "RedactionFailure"];

impl EventsBus {
    pub(crate) fn new(aws: Arc<Aws>, name: String) -> Self {
        Self { aws, name }
    }

    fn entry(&self, notice: &Notice) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(&notice.name)
            .time(DateTime::from_millis(notice.at.as_millisecond()))
            .set_resources(notice.principal.clone().map(|arn| vec![arn]))
            .detail(&notice.detail)
            .build()
    }

    fn publication(&self, entry: &PutEventsResultEntry) -> Publication {
        let Some(code) = entry.error_code() else {
            return Publication::Published;
        };
        let message = entry.error_message().unwrap_or("no message");
        if ABOUT_THE_ENTRY.contains(&code) {
            return Publication::Refused(shorten(&format!("{code}: {message}")));
        }
        Publication::Failed(EffectError {
            failure: failure_of_entry(code),
            operation: PUT,
            code: code.to_owned(),
            message: shorten(&format!("{message} (bus `{}`)", self.name)),
        })
    }
}

impl Bus for EventsBus {
    async fn publish(&self, notices: &[Notice]) -> Result<Vec<Publication>, EffectError> {
        let entries = notices.iter().map(|notice| self.entry(notice)).collect();
        let sent = self.aws.eventbridge().put_events().set_entries(Some(entries)).send().await;
        let output = sent.map_err(|error| {
            let mut failed = Failed::of(&error);
            failed.message = format!("{} (bus `{}`)", failed.message, self.name);
            failed.effect(PUT)
        })?;
        Ok(output.entries().iter().map(|entry| self.publication(entry)).collect())
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
