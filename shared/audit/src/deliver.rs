//! Carries what the ledger's stream brings on: into the archive first, then onto the bus.
//!
//! - *From the ledger alone.* Whoever may call the function can hand it anything. Each item that arrived is read back by
//!   its key, and what the ledger does not have like that is for people.
//! - *At least once.* What was not delivered is told, and comes again with all that came after it. Listeners tell a
//!   duplicate by the record's id.
//! - *In order for each grant.* Of one batch, no event of a grant is on the bus before those that came before it. From
//!   batch to batch the order is the stream's: that in which items were written, one transaction after the other.
//! - *Nothing blocks the rest.* What can't be read, or is refused for what it is, goes to people with its reason, whole.
//!   What fails because somebody did not answer holds up its own grant only.
//!
//! Must not know how a stream looks, nor who calls again.

mod again;
mod believed;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use curfew_app::ports::{Clock as _, DeniedRequest, EffectError, Failure};
use curfew_domain::event::canonical_json;
use curfew_domain::ids::GrantId;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::archive::{events_key, sha256_hex};
use crate::ports::{
    ArchiveStore as _, AuditPorts, Bus as _, DeadLetter, DeadLetters as _, NOTICES_BYTES_MAX, NOTICES_MAX,
    Notice, Publication, Put,
};
use crate::record::{Mapping, Origin, Record};

pub use again::{ArchivedAgain, NotArchived, archive_again, archive_denials_again};
use believed::{Ledger, Unmade};

/// How many records a process remembers.
const REMEMBERED_MAX: usize = 10_000;

/// What stands in every record besides what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where Curfew runs.
    pub origin: Origin,
    /// The version of OCSF that records are written in.
    pub mapping: Mapping,
}

/// What the stream brought, one item of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Its number in the stream.
    pub sequence: String,
    /// What it holds; or why it can't be read.
    pub content: Result<Content, String>,
    /// All of it, as the stream had it.
    pub raw: Value,
}

/// What an item of the stream holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// An event of a grant.
    Event {
        /// Whose, by the item's key.
        grant_id: GrantId,
        /// Which, by the item's key.
        seq: u32,
        /// Its canonical bytes.
        body: String,
    },
    /// A denied request.
    Denial(Box<DeniedRequest>),
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// How many items the batch had.
    pub arrived: usize,
    /// How many records were written to the archive.
    pub archived: usize,
    /// How many records were put on the bus.
    pub published: usize,
    /// What people have to look at: numbers in the stream, and why. Only those that they were told of.
    pub set_aside: Vec<(String, String)>,
    /// The first item that was not delivered. It and all after it have to come again.
    pub failed_from: Option<String>,
    /// What failed, each cause once.
    pub failures: Vec<String>,
}

/// What this process has delivered lately. As long as the bus is down, a batch comes again and again: what is in the
/// archive, where nothing can be deleted for years, need not be written there each time, nor people be told each time.
#[derive(Debug, Default)]
pub struct Recent {
    archived: Memory<String>,
    published: Memory<()>,
    told: Memory<()>,
}

/// A bounded memory by digest.
#[derive(Debug)]
struct Memory<T>(Mutex<(HashMap<Digest, T>, VecDeque<Digest>)>);

type Digest = [u8; 32];

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::new((HashMap::new(), VecDeque::new())))
    }
}

impl<T: Clone> Memory<T> {
    fn get(&self, digest: &Digest) -> Option<T> {
        self.lock().0.get(digest).cloned()
    }

    fn keep(&self, digest: Digest, value: T) {
        let mut memory = self.lock();
        if memory.0.insert(digest, value).is_none() {
            memory.1.push_back(digest);
        }
        if memory.1.len() > REMEMBERED_MAX
            && let Some(oldest) = memory.1.pop_front()
        {
            memory.0.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (HashMap<Digest, T>, VecDeque<Digest>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record on its way.
struct Ready {
    /// Its place in the batch.
    place: usize,
    record: Record,
    /// What is written of it.
    detail: String,
    /// Of `detail`.
    digest: Digest,
}

impl Ready {
    fn new(place: usize, record: Record) -> Self {
        let detail = record.detail();
        Self { place, digest: Sha256::digest(&detail).into(), detail, record }
    }
}

/// Why something is for people.
struct ForPeople {
    reason: String,
    /// What the ledger has in its place, if that is something else.
    in_ledger: Option<String>,
}

impl From<String> for ForPeople {
    fn from(reason: String) -> Self {
        Self { reason, in_ledger: None }
    }
}

/// What is known of a batch so far.
struct Batch<'a> {
    arrivals: &'a [Arrival],
    /// Places of items that have to come again.
    failed: BTreeSet<usize>,
    failures: BTreeSet<String>,
    /// Places of items that are for people, and why.
    for_people: Vec<(usize, ForPeople)>,
    report: Delivered,
}

impl Batch<'_> {
    fn fail(&mut self, place: usize, why: &impl ToString) {
        self.failed.insert(place);
        self.failures.insert(why.to_string());
    }

    fn set_aside(&mut self, place: usize, why: ForPeople) {
        self.for_people.push((place, why));
    }

    fn report(mut self) -> Delivered {
        let first = self.failed.first().and_then(|place| self.arrivals.get(*place));
        self.report.failed_from = first.map(|arrival| arrival.sequence.clone());
        self.report.failures = self.failures.into_iter().collect();
        self.report
    }
}

/// Delivers a batch, as far as that is possible now. What failed is in the report.
pub async fn deliver<P: AuditPorts>(
    ports: &P,
    settings: &Settings,
    recent: &Recent,
    arrivals: &[Arrival],
) -> Delivered {
    let report = Delivered { arrived: arrivals.len(), ..Delivered::default() };
    let mut batch = Batch {
        arrivals,
        failed: BTreeSet::new(),
        failures: BTreeSet::new(),
        for_people: Vec::new(),
        report,
    };
    let ready = records(ports, settings, &mut batch).await;
    match archive(ports, recent, &ready).await {
        Ok(archived) => {
            batch.report.archived = archived;
            publish(ports, recent, &ready, &mut batch).await;
        }
        // Evidence first: nobody hears of what is not kept.
        Err(error) => ready.iter().for_each(|ready| batch.fail(ready.place, &error)),
    }
    tell_people(ports, recent, &mut batch).await;
    batch.report()
}

/// Makes records of what arrived: those of a grant in the order of their numbers, where the first of them stood.
async fn records<P: AuditPorts>(ports: &P, settings: &Settings, batch: &mut Batch<'_>) -> Vec<Ready> {
    let ledger = Ledger::read(ports, batch.arrivals).await;
    let mut ready = Vec::new();
    for (place, arrival) in batch.arrivals.iter().enumerate() {
        match ledger.record(settings, place, arrival) {
            Ok(record) => ready.push(Ready::new(place, record)),
            Err(Unmade::ForPeople(why)) => batch.set_aside(place, why),
            Err(Unmade::Failed(why)) => batch.fail(place, &why),
        }
    }
    let mut first_places = BTreeMap::new();
    for ready in &ready {
        if let Some(grant) = &ready.record.grant_id {
            first_places.entry(grant.clone()).or_insert(ready.place);
        }
    }
    ready.sort_by_key(|ready| {
        let grant = ready.record.grant_id.as_ref();
        let first = grant.and_then(|grant| first_places.get(grant)).copied();
        (first.unwrap_or(ready.place), ready.record.seq, ready.place)
    });
    ready
}

/// Writes records into one object, but for those that are known to be in the archive. How many were written.
async fn archive<P: AuditPorts>(ports: &P, recent: &Recent, ready: &[Ready]) -> Result<usize, EffectError> {
    let fresh: Vec<&Ready> =
        ready.iter().filter(|ready| recent.archived.get(&ready.digest).is_none()).collect();
    if fresh.is_empty() {
        return Ok(0);
    }
    let key = write(ports, fresh.iter().map(|ready| ready.detail.as_str())).await?;
    for ready in &fresh {
        recent.archived.keep(ready.digest, key.clone());
    }
    Ok(fresh.len())
}

/// Writes an object of records; its key.
async fn write<P: AuditPorts>(ports: &P, details: impl Iterator<Item = &str>) -> Result<String, EffectError> {
    let body: String = details.flat_map(|detail| [detail, "\n"]).collect();
    let body = body.into_bytes();
    // The name says when it is written, and a checkpoint relies on it: nothing comes between the two.
    let key = events_key(ports.clock().now(), &body);
    match ports.archive().put_new(&key, &body).await? {
        Put::Written => Ok(key),
        // A try before this one, whose answer was lost.
        Put::Exists if ports.archive().get(&key).await?.as_deref() == Some(&*body) => Ok(key),
        Put::Exists => Err(EffectError {
            failure: Failure::Refused,
            operation: "PutObject",
            code: "Exists".to_owned(),
            message: format!(
                "something else is under `{key}` in the archive; it will be written under a later name"
            ),
        }),
    }
}

/// Puts records on the bus, call by call. In one call there is one record of each grant at most: of two, the later
/// could be taken and the earlier not.
async fn publish<P: AuditPorts>(ports: &P, recent: &Recent, ready: &[Ready], batch: &mut Batch<'_>) {
    let unpublished = |ready: &&Ready| recent.published.get(&ready.digest).is_none();
    let mut waiting: VecDeque<&Ready> = ready.iter().filter(unpublished).collect();
    let mut held_up: BTreeSet<&GrantId> = BTreeSet::new();
    while !waiting.is_empty() {
        let (call, rest) = next_call(recent, waiting);
        waiting = rest;
        let notices: Vec<Notice> = call.iter().map(|(_, notice)| notice.clone()).collect();
        let outcomes = match ports.bus().publish(&notices).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                // Whoever did not answer once will hardly do so at once: the invocation's time is for what it can do.
                let undelivered = call.iter().map(|(ready, _)| *ready).chain(waiting);
                undelivered.for_each(|ready| batch.fail(ready.place, &error));
                return;
            }
        };
        // An answer that is missing is none.
        let missing = || Publication::Failed(unanswered());
        let outcomes = outcomes.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        for ((ready, _), outcome) in call.into_iter().zip(outcomes) {
            match outcome.unwrap_or_else(missing) {
                Publication::Published => {
                    recent.published.keep(ready.digest, ());
                    batch.report.published += 1;
                }
                Publication::Refused(why) => {
                    let id = &ready.record.id;
                    let why = format!("`{id}` is in the archive, but the bus refuses it: {why}");
                    batch.set_aside(ready.place, why.into());
                }
                Publication::Failed(error) => {
                    batch.fail(ready.place, &error);
                    held_up.extend(&ready.record.grant_id);
                }
            }
        }
        waiting.retain(|ready| {
            let held_up = ready.record.grant_id.as_ref().is_some_and(|grant| held_up.contains(grant));
            if held_up {
                batch.failed.insert(ready.place);
            }
            !held_up
        });
    }
}

/// The records of the next call, and those that have to wait for a later one.
fn next_call<'a>(
    recent: &Recent,
    waiting: VecDeque<&'a Ready>,
) -> (Vec<(&'a Ready, Notice)>, VecDeque<&'a Ready>) {
    let mut call: Vec<(&Ready, Notice)> = Vec::new();
    let mut rest = VecDeque::new();
    let (mut bytes, mut grants) = (0_usize, BTreeSet::new());
    for ready in waiting {
        let grant = ready.record.grant_id.as_ref();
        let notice = notice(recent, ready);
        let sum = bytes.saturating_add(notice.bytes());
        let in_turn = grant.is_none_or(|grant| grants.insert(grant));
        // A call always takes something.
        if call.is_empty() || (in_turn && call.len() < NOTICES_MAX && sum <= NOTICES_BYTES_MAX) {
            bytes = sum;
            call.push((ready, notice));
        } else {
            rest.push_back(ready);
        }
    }
    (call, rest)
}

/// What is told of a record: itself; or, if it is too large for the bus, where it is.
fn notice(recent: &Recent, ready: &Ready) -> Notice {
    let notice = Notice::from(&ready.record);
    if notice.bytes() <= NOTICES_BYTES_MAX {
        return notice;
    }
    // What it says of itself stays; what can be long goes: the words of people, and the evidence.
    let mut reference: Value = serde_json::from_str(&ready.detail).unwrap_or_default();
    if let Some(fields) = reference.as_object_mut() {
        fields.remove("raw_data");
        fields.remove("status_detail");
        let place = json!({
            "archived_in": recent.archived.get(&ready.digest),
            "bytes": ready.detail.len(),
            "sha256": sha256_hex(ready.detail.as_bytes()),
        });
        fields.insert("unmapped".to_owned(), json!({ "curfew": place }));
    }
    Notice { detail: canonical_json(&reference), ..notice }
}

fn unanswered() -> EffectError {
    EffectError {
        failure: Failure::Retryable,
        operation: "PutEvents",
        code: "UnreadableResponse".to_owned(),
        message: "the bus did not answer for each event".to_owned(),
    }
}

/// Hands over what is for people, but for what they were told of already.
async fn tell_people<P: AuditPorts>(ports: &P, recent: &Recent, batch: &mut Batch<'_>) {
    for (place, ForPeople { reason, in_ledger }) in std::mem::take(&mut batch.for_people) {
        let Some(Arrival { sequence, raw, .. }) = batch.arrivals.get(place) else { continue };
        // By all of it: whoever calls by hand gives it any number.
        let digest: Digest = Sha256::digest(format!("{sequence} {raw}")).into();
        if recent.told.get(&digest).is_some() {
            continue;
        }
        let (reason_told, sequence, raw) = (reason.clone(), sequence.clone(), raw.clone());
        let letter = DeadLetter { reason, sequence: sequence.clone(), raw, in_ledger };
        match ports.dead_letters().put(&letter).await {
            Ok(()) => {
                recent.told.keep(digest, ());
                batch.report.set_aside.push((sequence, reason_told));
            }
            Err(error) => batch.fail(place, &error),
        }
    }
}
