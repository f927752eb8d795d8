//! An archive in memory, made by the code that makes archives, and signed with a real key.

use std::collections::BTreeMap;

use curfew_audit::archive::{checkpoint_key, events_key, public_key_key};
use curfew_audit::checkpoint::{Draft, PublicKey, Signed, Statement};
use curfew_audit::record::{Mapping, Origin, Record, Subject};
use curfew_audit::verify::{Expectations, Source, Unreadable};
use curfew_domain::event::{Actor, Event, Fact, GENESIS};
use curfew_domain::ids::GrantId;
use jiff::{SignedDuration, Timestamp};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};

/// The stack whose archive it is.
pub(crate) const STACK: &str = "curfew-prod";

/// Objects by key, and the key that signs.
#[derive(Clone)]
pub(crate) struct Archive {
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) signer: Signer,
    /// The newest checkpoint.
    pub(crate) last: Option<Signed>,
}

/// A signing key, from one byte.
#[derive(Clone)]
pub(crate) struct Signer(SigningKey);

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).expect("a scalar"))
    }

    pub(crate) fn public(&self) -> PublicKey {
        use p256::pkcs8::EncodePublicKey as _;
        let der = self.0.verifying_key().to_public_key_der().expect("DER");
        PublicKey::from_der(der.as_bytes()).expect("a key")
    }

    pub(crate) fn sign(&self, statement: Statement) -> Signed {
        let signature: DerSignature = self.0.sign_prehash(&statement.digest()).expect("a signature");
        Signed::new(statement, &self.public(), signature.as_bytes()).expect("the key's own signature")
    }
}

impl Source for Archive {
    fn list(&self, prefix: &str) -> Result<Vec<String>, Unreadable> {
        Ok(self.objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn read(&self, key: &str) -> Result<Vec<u8>, Unreadable> {
        let missing = || Unreadable { key: key.to_owned(), message: "it is not there".to_owned() };
        self.objects.get(key).cloned().ok_or_else(missing)
    }
}

impl Archive {
    pub(crate) fn new(seed: u8) -> Self {
        let signer = Signer::new(seed);
        let key = signer.public();
        let objects = BTreeMap::from([(public_key_key(key.id()), key.pem().as_bytes().to_vec())]);
        Self { objects, signer, last: None }
    }

    /// Writes an object; its key.
    pub(crate) fn put(&mut self, time: &str, lines: &[String]) -> String {
        let body: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let key = events_key(moment(time), body.as_bytes());
        self.objects.insert(key.clone(), body.into_bytes());
        key
    }

    /// Seals all that is there until a time.
    pub(crate) fn seal(&mut self, until: &str) {
        let until = moment(until);
        let sealed_at = until.checked_add(SignedDuration::from_mins(5)).expect("a time");
        let mut draft = Draft::new(STACK, self.last.as_ref(), until, sealed_at).expect("a period");
        let events = self.objects.iter().filter(|(key, _)| key.starts_with("events/"));
        for (key, body) in events {
            // What is of other periods is refused.
            let _ = draft.object(key, body);
        }
        let signed = self.signer.sign(draft.finish());
        self.objects.insert(checkpoint_key(signed.statement.number), signed.to_bytes());
        self.last = Some(signed);
    }

    /// What an auditor knows who was given the key.
    pub(crate) fn with_key(&self) -> Expectations {
        Expectations {
            public_key_pem: Some(self.signer.public().pem().to_owned()),
            ..Expectations::default()
        }
    }
}

/// A time of the night of 21 November 2026, or of the morning after it.
pub(crate) fn moment(time: &str) -> Timestamp {
    let day = if time < "12" { "2026-11-22" } else { "2026-11-21" };
    format!("{day}T{time}Z").parse().expect("a time")
}

/// One grant's events, as they come.
pub(crate) struct Story {
    id: GrantId,
    subject: Subject,
    origin: Origin,
    seq: u32,
    head: String,
}

impl Story {
    pub(crate) fn new(id: GrantId, subject: Subject, origin: Origin) -> Self {
        Self { id, subject, origin, seq: 0, head: GENESIS.to_owned() }
    }

    /// The line of the next event.
    pub(crate) fn next(&mut self, time: &str, actor: Actor, fact: Fact) -> String {
        self.seq += 1;
        let prev = std::mem::take(&mut self.head);
        let event = Event { grant_id: self.id.clone(), seq: self.seq, at: moment(time), actor, fact, prev };
        self.head = event.digest();
        line_of(&self.origin, &self.subject, &event)
    }
}

/// The line of an event.
pub(crate) fn line_of(origin: &Origin, subject: &Subject, event: &Event) -> String {
    let record = Record::of_event(Mapping::V1_8, origin, subject, &event.canonical());
    record.expect("an event").detail()
}
