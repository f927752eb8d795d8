//! What arrived, held against the ledger: makes records of what stands there, and of nothing else.
//!
//! An invocation says of itself that it is a part of the stream, and so can anybody's who may invoke the function. What
//! the archive takes it keeps for years, and whoever listens on the bus believes it: so the ledger is asked each time.

use std::collections::{BTreeMap, BTreeSet};

use curfew_app::ports::DeniedRequest;
use curfew_domain::event::canonical_json;
use curfew_domain::ids::GrantId;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::{Arrival, Content, ForPeople, Settings};
use crate::ports::{AuditPorts, Grants as _, ReadError, Written};
use crate::record::Record;

/// How many reads are under way at once.
const READS_CONCURRENT: usize = 8;

/// What the ledger has of what arrived.
pub(super) struct Ledger {
    grants: BTreeMap<GrantId, Result<Option<Written>, ReadError>>,
    /// By places in the batch.
    denials: BTreeMap<usize, Result<Option<DeniedRequest>, ReadError>>,
}

/// Why no record was made.
pub(super) enum Unmade {
    /// It never will be.
    ForPeople(ForPeople),
    /// The ledger did not answer.
    Failed(String),
}

impl From<String> for Unmade {
    fn from(reason: String) -> Self {
        Self::ForPeople(reason.into())
    }
}

impl Ledger {
    /// Reads each grant of a batch once, with those of its events that arrived, and each denial.
    pub(super) async fn read<P: AuditPorts>(ports: &P, arrivals: &[Arrival]) -> Self {
        let mut events = BTreeMap::<&GrantId, BTreeSet<u32>>::new();
        let mut denials = Vec::new();
        for (place, arrival) in arrivals.iter().enumerate() {
            match &arrival.content {
                Ok(Content::Event { grant_id, seq, .. }) => {
                    events.entry(grant_id).or_default().insert(*seq);
                }
                Ok(Content::Denial(denied)) => denials.push((place, denied)),
                Err(_) => {}
            }
        }
        let grants = events
            .into_iter()
            .map(|(id, seqs)| async move { (id.clone(), ports.grants().written(id, &seqs).await) });
        let denials = denials
            .into_iter()
            .map(|(place, denied)| async move { (place, ports.grants().denial(denied).await) });
        Self {
            grants: stream::iter(grants).buffered(READS_CONCURRENT).collect().await,
            denials: stream::iter(denials).buffered(READS_CONCURRENT).collect().await,
        }
    }

    /// The record of what arrived at a place of the batch.
    pub(super) fn record(
        &self,
        settings: &Settings,
        place: usize,
        arrival: &Arrival,
    ) -> Result<Record, Unmade> {
        match &arrival.content {
            Err(why) => Err(why.clone().into()),
            Ok(Content::Denial(denied)) => self.denial(settings, place, denied),
            Ok(Content::Event { grant_id, seq, body }) => self.event(settings, grant_id, *seq, body),
        }
    }

    fn denial(&self, settings: &Settings, place: usize, denied: &DeniedRequest) -> Result<Record, Unmade> {
        let what = || format!("this denied request on ticket {} of {}", denied.ticket, denied.source);
        match self.denials.get(&place) {
            Some(Ok(Some(there))) if there == denied => {
                Ok(Record::of_denial(settings.mapping, &settings.origin, there))
            }
            Some(Ok(Some(there))) => {
                let there = canonical_json(&serde_json::to_value(there).unwrap_or_default());
                Err(differs(&what(), there))
            }
            Some(Ok(None)) | None => Err(absent(&what())),
            Some(Err(ReadError::Unreadable(why))) => {
                Err(format!("{} can't be read in the ledger: {why}", what()).into())
            }
            Some(Err(ReadError::Failed(error))) => Err(Unmade::Failed(error.to_string())),
        }
    }

    fn event(&self, settings: &Settings, grant_id: &GrantId, seq: u32, body: &str) -> Result<Record, Unmade> {
        let written = match self.grants.get(grant_id) {
            Some(Ok(Some(written))) => written,
            Some(Ok(None)) | None => {
                return Err(format!("grant {grant_id} of this event is not in the ledger").into());
            }
            Some(Err(ReadError::Unreadable(why))) => {
                return Err(format!("grant {grant_id} of this event can't be read: {why}").into());
            }
            Some(Err(ReadError::Failed(error))) => return Err(Unmade::Failed(error.to_string())),
        };
        let what = || format!("event {seq} of grant {grant_id}");
        match written.bodies.get(&seq) {
            None => return Err(absent(&what())),
            Some(there) if there != body => return Err(differs(&what(), there.clone())),
            Some(_) => {}
        }
        let record = Record::of_event(settings.mapping, &settings.origin, &written.subject, body)
            .map_err(|error| error.to_string())?;
        if record.grant_id.as_ref() != Some(grant_id) || record.seq != Some(seq) {
            let id = &record.id;
            return Err(format!("{} says that it is `{id}`", what()).into());
        }
        Ok(record)
    }
}

fn absent(what: &str) -> Unmade {
    format!(
        "{what} is not in the ledger: somebody deleted it, or it did not come from the ledger's stream; see CloudTrail \
         for who wrote to the table, and who invoked the audit function"
    )
    .into()
}

fn differs(what: &str, there: String) -> Unmade {
    let reason = format!(
        "{what} is not what the ledger has (`in_ledger`): somebody changed it since, or it did not come from the \
         ledger's stream; see CloudTrail for who wrote to the table, and who invoked the audit function"
    );
    Unmade::ForPeople(ForPeople { reason, in_ledger: Some(there) })
}
