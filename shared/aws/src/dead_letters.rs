//! The queue of records that can't be delivered, in SQS.

use std::sync::Arc;

use curfew_app::ports::EffectError;
use curfew_audit::ports::{DeadLetter, DeadLetters};
use serde_json::{Map, Value, json};

use crate::clients::Aws;
use crate::errors::Failed;

/// A queue.
#[derive(Debug)]
pub struct SqsDeadLetters {
    aws: Arc<Aws>,
    queue_url: String,
}

/// The longest message of a queue that nobody has given another limit. An item of DynamoDB may be longer, but none that
/// Curfew writes is (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
const BYTES_MAX: usize = 256 * 1024;

impl SqsDeadLetters {
    pub(crate) fn new(aws: Arc<Aws>, queue_url: String) -> Self {
        Self { aws, queue_url }
    }
}

impl DeadLetters for SqsDeadLetters {
    async fn put(&self, letter: &DeadLetter) -> Result<(), EffectError> {
        let sent =
            self.aws.sqs().send_message().queue_url(&self.queue_url).message_body(body(letter)).send().await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                let mut failed = Failed::of(&error);
                failed.message = format!("{} (queue `{}`)", failed.message, self.queue_url);
                Err(failed.effect("SendMessage"))
            }
        }
    }
}

/// In place of what the ledger has, where both are too long.
const LEFT_OUT: &str = "what the ledger has is too long for this queue; it is in the table";

/// A letter as the queue gets it. What makes it too long is left out, first what is in the table anyway: what stands there
/// now, and then the record's image, whose keys stay.
fn body(letter: &DeadLetter) -> String {
    let with = |more: Option<(&str, &str)>| {
        let mut fields = Map::from_iter([
            ("reason".to_owned(), json!(letter.reason)),
            ("sequence_number".to_owned(), json!(letter.sequence)),
            ("record".to_owned(), letter.raw.clone()),
        ]);
        fields.extend(more.map(|(name, text)| (name.to_owned(), json!(text))));
        Some(ascii(&Value::Object(fields))).filter(|text| text.len() <= BYTES_MAX)
    };
    let whole = match &letter.in_ledger {
        Some(there) => with(Some(("in_ledger", there))).or_else(|| with(Some(("left_out", LEFT_OUT)))),
        None => with(None),
    };
    whole.unwrap_or_else(|| {
        ascii(&json!({
            "reason": letter.reason,
            "sequence_number": letter.sequence,
            "record": { "dynamodb": { "Keys": letter.raw.pointer("/dynamodb/Keys").unwrap_or(&Value::Null) } },
            "left_out": "the record is too long for this queue; its item is in the table",
        }))
    })
}

/// JSON in ASCII alone. SQS refuses some characters of Unicode, and a record must not be kept out of the queue by what
/// somebody wrote into it.
fn ascii(value: &Value) -> String {
    let mut text = String::new();
    // Outside of its strings, JSON is ASCII already.
    for c in value.to_string().chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

#[cfg(test)]
#[path = "dead_letters_tests.rs"]
mod tests;
