//! A grant's story: its events out of the ledger, with their chain checked, told to a person.
//!
//! Read with the `aws` command line as an auditor would read it; the keys are those of ARCHITECTURE.md,
//! *Ledger*, and of `shared/aws/src/ledger/keys.rs`.
//!
//! Must not know: how events come into being.

use std::fmt;

pub(crate) use curfew_app::story::{circumstances, in_words};
use curfew_domain::effect::Proof;
use curfew_domain::event::{BrokenChain, Chain, Event, Fact, verify_chain};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::failure::Failure;

/// The events of one grant, oldest first, their chain unbroken.
#[derive(Debug, Clone)]
pub struct Story {
    events: Vec<Event>,
}

/// Why there is no story.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// The ledger could not be read.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// There are no events of this grant.
    #[error("the ledger holds no event of grant `{grant}`")]
    Unknown {
        /// The grant.
        grant: String,
    },
    /// An event cannot be read.
    #[error("event {number} of grant `{grant}` is not readable")]
    Unreadable {
        /// The grant.
        grant: String,
        /// Which, from 1.
        number: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The grant's own item is not readable.
    #[error("the ledger does not say where the chain of grant `{grant}` ends: was it edited by hand?")]
    NoEnd {
        /// The grant.
        grant: String,
    },
    /// An event was changed, dropped or moved.
    #[error("the events of grant `{grant}` are not what was written: {source}")]
    Broken {
        /// The grant.
        grant: String,
        /// Where, and how it shows.
        source: BrokenChain,
    },
}

impl Story {
    /// Reads a grant's events from the ledger, and checks that they are whole and end where the grant says.
    ///
    /// # Errors
    /// See [`StoryError`].
    pub async fn read(aws: &Aws, table: &str, grant: &str) -> Result<Self, StoryError> {
        let values = json!({ ":grant": { "S": format!("GRANT#{grant}") } }).to_string();
        // One consistent query for the grant and its events; by their sort key the events come in order.
        let answer = aws
            .call(
                ["dynamodb", "query", "--table-name", table, "--consistent-read"]
                    .into_iter()
                    .chain(["--key-condition-expression", "pk = :grant"])
                    .chain(["--expression-attribute-values", &values]),
            )
            .await
            .map_err(Failure::from)?;
        let items = answer.get("Items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let end = items.iter().find_map(|item| {
            let chain = item.pointer("/grant/M/chain/M")?;
            let seq = chain.pointer("/seq/N")?.as_str()?.parse().ok()?;
            Some(Chain { seq, head: chain.pointer("/head/S")?.as_str()?.to_owned() })
        });
        let bodies = items.iter().filter_map(|item| item.pointer("/body/S")?.as_str());
        Self::from_stored(grant, bodies, end)
    }

    /// From the events' bodies, oldest first, and the end of their chain.
    fn from_stored<'a>(
        grant: &str,
        bodies: impl Iterator<Item = &'a str>,
        end: Option<Chain>,
    ) -> Result<Self, StoryError> {
        let grant = grant.to_owned();
        let mut events: Vec<Event> = Vec::new();
        for (number, body) in (1..).zip(bodies) {
            match serde_json::from_str(body) {
                Ok(event) => events.push(event),
                Err(source) => return Err(StoryError::Unreadable { grant, number, source }),
            }
        }
        if events.is_empty() {
            return Err(StoryError::Unknown { grant });
        }
        let Some(end) = end else {
            return Err(StoryError::NoEnd { grant });
        };
        match verify_chain(&events, &end) {
            Ok(()) => Ok(Self { events }),
            Err(source) => Err(StoryError::Broken { grant, source }),
        }
    }

    /// The events, oldest first.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// AWS's proof that the access is gone, once it is.
    #[must_use]
    pub fn removal(&self) -> Option<&Proof> {
        self.events.iter().rev().find_map(|event| match &event.fact {
            Fact::Revoked { access, .. } => Some(access),
            _ => None,
        })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, what) in circumstances(&self.events) {
            writeln!(out, "  {name:<10} {what}")?;
        }
        for event in &self.events {
            writeln!(out, "  {}  {:<20} {}", event.at, event.fact.name(), in_words(event))?;
        }
        write!(
            out,
            "  {} events, each sealed with the digest of the one before it: unbroken",
            self.events.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use curfew_domain::effect::Found;
    use curfew_domain::event::Actor;
    use curfew_domain::grant::Outcome;
    use curfew_domain::ids::GrantId;
    use jiff::Timestamp;

    use super::*;

    const GRANT: &str = "g-nmbnncxapbq6imoal6luqenkyc";

    fn stored() -> (Vec<String>, Chain) {
        let at = Timestamp::from_second(1_795_226_116).expect("a time");
        let proof = Proof { found: Found::Deleted, at, aws_request_id: Some("r-1".into()), unsettled: false };
        let facts =
            [Fact::Expired {}, Fact::Revoked { outcome: Outcome::Expired, access: proof, timer: None }];
        let mut end = Chain::new();
        let mut bodies = Vec::new();
        for fact in facts {
            let grant_id = GrantId::new(GRANT).expect("a grant id");
            let event =
                Event { grant_id, seq: end.seq + 1, at, actor: Actor::Timer, fact, prev: end.head.clone() };
            end = Chain { seq: event.seq, head: event.digest() };
            bodies.push(event.canonical());
        }
        (bodies, end)
    }

    fn read(bodies: &[String], end: Chain) -> Result<Story, StoryError> {
        Story::from_stored(GRANT, bodies.iter().map(String::as_str), Some(end))
    }

    #[test]
    fn a_whole_chain_is_told_with_its_proof() {
        let (bodies, end) = stored();
        let story = read(&bodies, end).expect("a story");
        let told = story.to_string();
        assert!(told.contains("Expired") && told.contains("by the expiry timer"), "{told}");
        assert!(told.contains("deleted, request r-1"), "{told}");
        assert_eq!(story.removal().map(|proof| proof.found), Some(Found::Deleted));
    }

    #[test]
    fn a_changed_dropped_or_moved_event_is_noticed() {
        let (whole, end) = stored();
        let [first, last] = whole.as_slice() else { panic!("two events") };
        for altered in [
            vec![first.clone(), last.replace("r-1", "r-2")],
            vec![last.clone()],
            vec![first.clone()],
            vec![last.clone(), first.clone()],
        ] {
            let refused = read(&altered, end.clone());
            assert!(matches!(refused, Err(StoryError::Broken { .. })), "{altered:?}");
        }
    }

    #[test]
    fn no_event_and_no_end_are_no_story() {
        let (whole, end) = stored();
        assert!(matches!(read(&[], end), Err(StoryError::Unknown { .. })));
        let endless = Story::from_stored(GRANT, whole.iter().map(String::as_str), None);
        assert!(matches!(endless, Err(StoryError::NoEnd { .. })));
    }
}
