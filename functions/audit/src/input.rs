//! What the audit function is called with. Must not know what is done about it.

use curfew_domain::ids::{GrantId, IdError};
use serde_json::{Map, Value};

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A part of the ledger's stream is to be delivered.
    Batch(Vec<Value>),
    /// The archive is to be sealed.
    Checkpoint,
    /// A grant's story is to be archived again.
    ArchiveAgain(GrantId),
}

/// It is not clear what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInput {
    /// It is nothing that the function knows.
    #[error(
        "the input is not clear; say `{{\"checkpoint\":true}}` or `{{\"archive_again\":\"g-…\"}}`, alone, or send a part \
         of the ledger's stream"
    )]
    Unknown,
    /// It names no grant.
    #[error("`archive_again` names no grant: {0}")]
    Grant(#[from] IdError),
}

impl Input {
    /// Reads an input.
    ///
    /// # Errors
    /// [`NotAnInput`]: nothing is guessed, because what looks like a checkpoint and is none leaves the archive unsealed.
    pub fn read(input: &Value) -> Result<Self, NotAnInput> {
        let fields = input.as_object().ok_or(NotAnInput::Unknown)?;
        if let Some(Value::Array(records)) = fields.get("Records") {
            return Ok(Self::Batch(records.clone()));
        }
        match only(fields) {
            Some(("checkpoint", Value::Bool(true))) => Ok(Self::Checkpoint),
            Some(("archive_again", Value::String(id))) => Ok(Self::ArchiveAgain(GrantId::new(id.trim())?)),
            _ => Err(NotAnInput::Unknown),
        }
    }
}

/// The only field, if it is one.
fn only(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    match fields.iter().next() {
        Some((name, value)) if fields.len() == 1 => Some((name, value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "g-aaaaaaaaaaaaaaaaaaaaaaaaa7";

    #[test]
    fn three_things_can_be_wanted() {
        let grant = GrantId::new(ID).unwrap();
        for (input, wanted) in [
            (
                json!({ "Records": [{ "eventName": "INSERT" }] }),
                Input::Batch(vec![json!({ "eventName": "INSERT" })]),
            ),
            (json!({ "Records": [] }), Input::Batch(Vec::new())),
            (json!({ "checkpoint": true }), Input::Checkpoint),
            (json!({ "archive_again": ID }), Input::ArchiveAgain(grant)),
        ] {
            assert_eq!(Input::read(&input), Ok(wanted), "{input}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for input in [
            json!({}),
            json!(null),
            json!([]),
            json!({ "Records": {} }),
            json!({ "checkpoint": false }),
            json!({ "checkpoint": "true" }),
            json!({ "checkpoint": true, "archive_again": ID }),
            json!({ "archive_again": 7 }),
            json!({ "archive": ID }),
        ] {
            assert_eq!(Input::read(&input), Err(NotAnInput::Unknown), "{input}");
        }
        let error = Input::read(&json!({ "archive_again": "CHG-1" })).unwrap_err();
        assert!(matches!(error, NotAnInput::Grant(_)), "{error}");
    }
}
