//! What the audit function is called with. Must not know what is done about it.

use curfew_domain::ids::{GrantId, IdError, Source, TicketId};
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
    /// What a source was denied on a ticket is to be archived again.
    ArchiveDenialsAgain(Source, TicketId),
}

/// It is not clear what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInput {
    /// It is nothing that the function knows.
    #[error(
        "the input is not clear; say `{{\"checkpoint\":true}}`, `{{\"archive_again\":\"g-…\"}}` or \
         `{{\"archive_denials_again\":{{\"source\":\"…\",\"ticket\":\"…\"}}}}`, alone, or send a part of the ledger's stream"
    )]
    Unknown,
    /// It names no grant.
    #[error("`archive_again` names no grant: {0}")]
    Grant(IdError),
    /// It names no ticket.
    #[error("`archive_denials_again` names no ticket of a source: {0}")]
    Ticket(#[from] IdError),
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
            Some(("archive_again", Value::String(id))) => {
                GrantId::new(id.trim()).map(Self::ArchiveAgain).map_err(NotAnInput::Grant)
            }
            Some(("archive_denials_again", Value::Object(of))) => {
                match (of.get("source"), of.get("ticket")) {
                    (Some(Value::String(source)), Some(Value::String(ticket))) if of.len() == 2 => {
                        let (source, ticket) = (Source::new(source.trim())?, TicketId::new(ticket.trim())?);
                        Ok(Self::ArchiveDenialsAgain(source, ticket))
                    }
                    _ => Err(NotAnInput::Unknown),
                }
            }
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
    fn four_things_can_be_wanted() {
        let grant = GrantId::new(ID).unwrap();
        for (input, wanted) in [
            (
                json!({ "Records": [{ "eventName": "INSERT" }] }),
                Input::Batch(vec![json!({ "eventName": "INSERT" })]),
            ),
            (json!({ "Records": [] }), Input::Batch(Vec::new())),
            (json!({ "checkpoint": true }), Input::Checkpoint),
            (json!({ "archive_again": ID }), Input::ArchiveAgain(grant)),
            (
                json!({ "archive_denials_again": { "source": "itsm", "ticket": "CHG:1/2" } }),
                Input::ArchiveDenialsAgain(Source::new("itsm").unwrap(), TicketId::new("CHG:1/2").unwrap()),
            ),
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
            json!({ "archive_denials_again": "CHG-1" }),
            json!({ "archive_denials_again": { "ticket": "CHG-1" } }),
            json!({ "archive_denials_again": { "source": "itsm", "ticket": "CHG-1", "more": 1 } }),
        ] {
            assert_eq!(Input::read(&input), Err(NotAnInput::Unknown), "{input}");
        }
        let error = Input::read(&json!({ "archive_again": "CHG-1" })).unwrap_err();
        assert!(matches!(error, NotAnInput::Grant(_)), "{error}");
        let of = json!({ "archive_denials_again": { "source": "itsm", "ticket": "CHG#1" } });
        let error = Input::read(&of).unwrap_err();
        assert!(matches!(error, NotAnInput::Ticket(_)), "{error}");
    }
}
