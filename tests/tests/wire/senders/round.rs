//! The way there and back, which is the same for all kinds of senders.

use curfew_tests::{Edit as _, Person, Record, Signed};
use serde_json::{Value, json};

use super::Senders;
use crate::support::{STORY_OF_A_REVOCATION, assert_bare, assert_denied, assert_ended};

/// A grant on its way.
pub(super) struct Round<'a> {
    senders: &'a Senders,
    kind: &'a str,
    person: &'a Person,
    approved: Signed,
    /// The grant's id.
    pub(super) id: String,
}

impl<'a> Round<'a> {
    /// Refused, approved, allowed; and approved again by the same delivery, which changes nothing.
    pub(super) async fn begin(
        senders: &'a Senders,
        kind: &'a str,
        person: &'a Person,
        approved: Signed,
    ) -> Self {
        let bucket = senders.world.acme().bucket();
        assert_denied(person.keys.object(&bucket).await);
        let reply = approved.post(&senders.url(kind)).await;
        let said = reply.json();
        assert_eq!(reply.status, 201, "{said}");
        assert_eq!(said["person"], json!(person.email), "{said}");
        let id = said["grant_id"].as_str().expect("a grant's id").to_owned();
        let round = Self { senders, kind, person, approved, id };
        round.assert_allowed().await;
        let before = round.record().await;
        assert_eq!(before.state(), "active");

        round.assert_changes_nothing("active").await;
        assert_eq!(round.record().await.item, before.item, "nothing was written");
        round
    }

    /// Allowed by exactly this grant.
    pub(super) async fn assert_allowed(&self) {
        let world = self.senders.world;
        self.person.keys.object(&world.acme().bucket()).await.expect("what was approved is allowed");
        let policies = world.root().inline_policies(&self.person.principal).await;
        assert_eq!(policies, Ok(vec![format!("curfew-{}", self.id)]));
    }

    /// The approval's delivery again.
    async fn assert_changes_nothing(&self, state: &str) {
        let again = self.approved.post(&self.senders.url(self.kind)).await;
        let said = again.json();
        assert_eq!((again.status, &said["duplicate"]), (200, &json!(true)), "{said}");
        assert_eq!((&said["grant_id"], &said["state"]), (&json!(self.id), &json!(state)), "{said}");
    }

    /// The grant as the ledger has it.
    pub(super) async fn record(&self) -> Record {
        self.senders.curfew.record(&self.id).await.expect("a grant")
    }

    /// Closed by the sender's delivery: refused, and nothing is left; whatever is sent again changes nothing.
    pub(super) async fn end(self, closed: Signed) -> Record {
        let record = self.close(closed).await;
        assert_eq!(record.story(), STORY_OF_A_REVOCATION);
        record
    }

    /// As [`Self::end`], for a grant with another story.
    pub(super) async fn close(self, closed: Signed) -> Record {
        let url = self.senders.url(self.kind);
        let reply = closed.post(&url).await;
        let said = reply.json();
        assert_eq!((reply.status, &said["state"]), (200, &json!("closed")), "{said}");
        assert_eq!(results(&said), ["removed"], "{said}");
        let record = self.assert_over().await;

        let again = closed.post(&url).await;
        assert_eq!((again.status, results(&again.json())), (200, vec!["already-closed"]));
        self.assert_changes_nothing("closed").await;
        assert_eq!(self.record().await.item, record.item, "nothing was written");
        assert_denied(self.person.keys.object(&self.senders.world.acme().bucket()).await);
        record
    }

    /// Refused, with nothing left, and on record.
    pub(super) async fn assert_over(&self) -> Record {
        let (world, curfew) = (self.senders.world, &self.senders.curfew);
        assert_denied(self.person.keys.object(&world.acme().bucket()).await);
        assert_bare(&world.root(), &self.person.principal).await;
        assert!(!curfew.has_schedule(&self.id).await);
        let record = self.record().await;
        assert_ended(curfew, &record, "revoked").await;
        record
    }
}

/// What became of each grant of a closed ticket.
fn results(said: &Value) -> Vec<&str> {
    said["grants"].as_array().into_iter().flatten().filter_map(|grant| grant["result"].as_str()).collect()
}

/// A user object at `pointer` gets another id.
pub(super) fn whose(payload: Value, pointers: &[&str], account: &Value) -> Value {
    pointers.iter().fold(payload, |payload, pointer| payload.put(pointer, account.clone()))
}
