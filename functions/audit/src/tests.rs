//! The audit function on an archive, a bus and a ledger in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use curfew_app::open::{Opened, open};
use curfew_app::ports::{Clock, DeniedRequest, EffectError, Failure, Ledger as _, LedgerError};
use curfew_app::{Ports as _, ports};
use curfew_audit::archive::events_key;
use curfew_audit::deliver::Settings;
use curfew_audit::ports::{
    ArchiveStore, AuditPorts, Bus, DeadLetter, DeadLetters, Grants, LastSealed, Notice, Page, Publication,
    Put, ReadError, Signer, Story, Written,
};
use curfew_audit::record::{Mapping, Origin, Subject};
use curfew_domain::ids::{GrantId, Source, TicketId};
use curfew_runtime::error::Remedy;
use curfew_runtime::{FunctionError, Invocation, Metrics};
use curfew_testkit::fixtures::{self, START, request};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{Task, World};
use jiff::{SignedDuration, Timestamp};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, Signature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use serde_json::{Value, json};

use crate::AuditFunction;

const MARGIN: SignedDuration = SignedDuration::from_mins(5);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What the outside holds, and which calls fail.
#[derive(Default)]
struct Outside {
    grants: BTreeMap<GrantId, Story>,
    denials: Vec<DeniedRequest>,
    sealed: Option<LastSealed>,
    objects: BTreeMap<String, Vec<u8>>,
    bus: Vec<Notice>,
    letters: Vec<DeadLetter>,
    down: BTreeSet<&'static str>,
    now: Timestamp,
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Outside>>);

impl Memory {
    fn outside(&self) -> MutexGuard<'_, Outside> {
        self.0.lock().unwrap()
    }

    /// A call, unless its service is down.
    fn call(&self, operation: &'static str) -> Result<MutexGuard<'_, Outside>, EffectError> {
        let outside = self.outside();
        if !outside.down.contains(operation) {
            return Ok(outside);
        }
        let (code, message) = ("Timeout".to_owned(), "no answer".to_owned());
        Err(EffectError { failure: Failure::Retryable, operation, code, message })
    }
}

impl Grants for Memory {
    async fn written(&self, id: &GrantId, seqs: &BTreeSet<u32>) -> Result<Option<Written>, ReadError> {
        let written = |story: &Story| {
            let events = story.events.iter().filter(|event| seqs.contains(&event.seq));
            let bodies = events.map(|event| (event.seq, event.canonical())).collect();
            Written { subject: story.subject.clone(), bodies }
        };
        Ok(self.outside().grants.get(id).map(written))
    }

    async fn denial(&self, denied: &DeniedRequest) -> Result<Option<DeniedRequest>, ReadError> {
        Ok(self.outside().denials.iter().find(|there| *there == denied).cloned())
    }

    async fn denials(&self, source: &Source, ticket: &TicketId) -> Result<Vec<DeniedRequest>, ReadError> {
        let outside = self.outside();
        let of = outside.denials.iter().filter(|denied| denied.source == *source && denied.ticket == *ticket);
        Ok(of.cloned().collect())
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, ReadError> {
        Ok(self.outside().grants.get(id).cloned())
    }

    async fn last_sealed(&self) -> Result<Option<LastSealed>, ReadError> {
        Ok(self.outside().sealed.clone())
    }

    async fn remember_sealed(&self, newest: &LastSealed) -> Result<(), LedgerError> {
        self.outside().sealed = Some(newest.clone());
        Ok(())
    }
}

impl ArchiveStore for Memory {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put, EffectError> {
        let mut outside = self.call("PutObject")?;
        if outside.objects.contains_key(key) {
            return Ok(Put::Exists);
        }
        outside.objects.insert(key.to_owned(), bytes.to_vec());
        Ok(Put::Written)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, EffectError> {
        Ok(self.call("GetObject")?.objects.get(key).cloned())
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Page, EffectError> {
        let outside = self.call("ListObjectsV2")?;
        let after = after.unwrap_or_default();
        let keys = outside.objects.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after);
        Ok(Page { keys: keys.cloned().collect(), more: false })
    }
}

impl Bus for Memory {
    async fn publish(&self, notices: &[Notice]) -> Result<Vec<Publication>, EffectError> {
        let mut outside = self.call("PutEvents")?;
        outside.bus.extend_from_slice(notices);
        Ok(vec![Publication::Published; notices.len()])
    }
}

impl Signer for Memory {
    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>, EffectError> {
        drop(self.call("Sign")?);
        let signature: Signature = key().sign_prehash(digest).unwrap();
        Ok(DerSignature::from(signature).as_bytes().to_vec())
    }

    async fn public_key(&self) -> Result<Vec<u8>, EffectError> {
        Ok(key().verifying_key().to_public_key_der().unwrap().into_vec())
    }
}

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

impl DeadLetters for Memory {
    async fn put(&self, letter: &DeadLetter) -> Result<(), EffectError> {
        self.call("SendMessage")?.letters.push(letter.clone());
        Ok(())
    }
}

impl Clock for Memory {
    fn now(&self) -> Timestamp {
        self.outside().now
    }
}

impl AuditPorts for Memory {
    type Grants = Self;
    type Archive = Self;
    type Bus = Self;
    type Signer = Self;
    type DeadLetters = Self;
    type Clock = Self;

    fn grants(&self) -> &Self {
        self
    }

    fn archive(&self) -> &Self {
        self
    }

    fn bus(&self) -> &Self {
        self
    }

    fn signer(&self) -> &Self {
        self
    }

    fn dead_letters(&self) -> &Self {
        self
    }

    fn clock(&self) -> &Self {
        self
    }
}

struct Bench {
    memory: Memory,
    story: Story,
    metrics: Arc<Mutex<Vec<Value>>>,
}

impl Bench {
    /// An outside with one grant in its ledger, that was opened and is active.
    fn new() -> Self {
        let (world, catalog) = (fixtures::world(), fixtures::catalog());
        let story = opened(&world, &catalog);
        let memory = Memory::default();
        memory.outside().now = START;
        memory.outside().grants.insert(story.events[0].grant_id.clone(), story.clone());
        Self { memory, story, metrics: Arc::default() }
    }

    fn handle(&self, input: &Value) -> Result<Value, FunctionError> {
        let lines = Arc::clone(&self.metrics);
        let sink =
            Arc::new(move |line: &str| lines.lock().unwrap().push(serde_json::from_str(line).unwrap()));
        let settings = Settings {
            origin: Origin {
                stack: "curfew".to_owned(),
                account: fixtures::OWN_ACCOUNT.to_owned(),
                region: "eu-central-1".to_owned(),
                version: "0.1.0",
            },
            mapping: Mapping::V1_8,
        };
        let memory = self.memory.clone();
        let ports = move |_: ports::Invocation| memory.clone();
        let metrics = Metrics::to("curfew-audit", sink);
        let function = AuditFunction::new(ports, curfew_aws::arrival, settings, MARGIN, metrics);
        let deadline = self.memory.now() + SignedDuration::from_mins(2);
        let invocation = Invocation { request_id: "r-1".to_owned(), deadline };
        let reply = Task::new(function.handle(input, &invocation)).poll().expect("nothing is waited for");
        reply.map(|reply| serde_json::to_value(reply).unwrap())
    }

    /// The grant's events as the stream brings them, numbered from 100.
    fn batch(&self) -> Value {
        let record = |(n, event): (usize, &curfew_domain::event::Event)| {
            let keys = json!({
                "pk": { "S": format!("GRANT#{}", event.grant_id) },
                "sk": { "S": format!("EVENT#{:06}", event.seq) },
            });
            json!({
                "eventName": "INSERT",
                "dynamodb": {
                    "Keys": keys,
                    "NewImage": { "body": { "S": event.canonical() } },
                    "SequenceNumber": format!("{}", n + 100),
                }
            })
        };
        json!({ "Records": self.story.events.iter().enumerate().map(record).collect::<Vec<_>>() })
    }

    /// The values of a metric.
    fn told(&self, metric: &str) -> Vec<Value> {
        self.metrics.lock().unwrap().iter().filter_map(|line| line.get(metric).cloned()).collect()
    }
}

fn opened(world: &World, catalog: &curfew_domain::catalog::Catalog) -> Story {
    let ports = world.invocation();
    let opening = open(&ports, permissive(catalog), request("CHG-1"), fixtures::settings());
    let Opened::Activated(grant) = world.finish(opening).unwrap().unwrap() else {
        panic!("it was not opened")
    };
    let story = world.finish(ports.ledger().story(grant.id())).unwrap().unwrap().unwrap();
    Story { subject: Subject::from(&story.stored.grant), events: story.events }
}

#[test]
fn a_delivered_batch_is_answered_with_nothing_to_come_again() {
    let bench = Bench::new();
    assert_eq!(bench.handle(&bench.batch()), Ok(json!({ "batchItemFailures": [] })));
    let outside = bench.memory.outside();
    assert_eq!((outside.objects.len(), outside.bus.len()), (1, 3));
    drop(outside);
    assert_eq!(
        (bench.told("RecordsArchived"), bench.told("RecordsPublished")),
        (vec![json!(3)], vec![json!(3)])
    );
    assert_eq!(bench.told("DeliveryFailures"), Vec::<Value>::new());
}

#[test]
fn what_is_not_to_be_delivered_is_passed_over() {
    let bench = Bench::new();
    let state = json!({ "eventName": "MODIFY", "dynamodb": { "Keys": { "sk": { "S": "STATE" } } } });
    assert_eq!(bench.handle(&json!({ "Records": [state] })), Ok(json!({ "batchItemFailures": [] })));
    assert!(bench.memory.outside().objects.is_empty() && bench.memory.outside().letters.is_empty());
}

#[test]
fn the_first_item_that_was_not_delivered_is_named_and_all_after_it_come_again() {
    for (down, archived) in [("PutObject", 0), ("PutEvents", 3)] {
        let bench = Bench::new();
        bench.memory.outside().down.insert(down);
        let reply = bench.handle(&bench.batch());
        assert_eq!(reply, Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "100" }] })), "{down}");
        assert_eq!(bench.told("DeliveryFailures"), [json!(1)]);
        assert_eq!(
            bench.told("RecordsArchived").first().map_or(0, |count| count.as_u64().unwrap()),
            archived
        );
    }
}

#[test]
fn poison_is_counted_and_does_not_come_again() {
    let bench = Bench::new();
    let mut batch = bench.batch();
    batch["Records"][1]["dynamodb"]["NewImage"] = json!({});
    assert_eq!(bench.handle(&batch), Ok(json!({ "batchItemFailures": [] })));
    assert_eq!(
        (bench.told("RecordsSetAside"), bench.told("RecordsPublished")),
        (vec![json!(1)], vec![json!(2)])
    );
    assert_eq!(bench.memory.outside().letters[0].raw, batch["Records"][1], "whole");
    // Only if nobody could be told of it.
    bench.memory.outside().down.insert("SendMessage");
    let again = bench.handle(&batch);
    assert_eq!(again, Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "101" }] })));
}

#[test]
fn a_checkpoint_says_what_it_sealed_and_how_far_behind_it_is() {
    let bench = Bench::new();
    bench.handle(&bench.batch()).unwrap();
    bench.memory.outside().now = START + MARGIN;
    let reply = bench.handle(&json!({ "checkpoint": true })).unwrap();
    assert_eq!(reply["sealed_until"], "2026-11-21T10:00:00Z");
    let [checkpoint] = reply["checkpoints"].as_array().unwrap().as_slice() else { panic!("{reply}") };
    assert_eq!(
        (&checkpoint["number"], &checkpoint["objects"], &checkpoint["records"]),
        (&json!(1), &json!(1), &json!(3))
    );
    assert_eq!(bench.told("CheckpointAgeSeconds"), [json!(300)]);
    assert!(bench.memory.outside().objects.contains_key("checkpoints/0000000001.json"));
    // Nothing more is to be sealed: the age is told all the same.
    let reply = bench.handle(&json!({ "checkpoint": true })).unwrap();
    assert_eq!(reply["checkpoints"], json!([]));
    assert_eq!(bench.told("CheckpointAgeSeconds").len(), 2);
}

#[test]
fn what_nobody_but_an_intruder_can_have_put_into_the_archive_is_counted() {
    let bench = Bench::new();
    bench.handle(&bench.batch()).unwrap();
    bench.memory.outside().now = START + MARGIN;
    bench.handle(&json!({ "checkpoint": true })).unwrap();
    assert_eq!(bench.told("ArchiveForeign"), Vec::<Value>::new(), "all of it is Curfew's own");
    let lines = b"?\n?\n".to_vec();
    let forged = [("events/somebodys".to_owned(), vec![]), (events_key(START + SECOND, &lines), lines)];
    bench.memory.outside().objects.extend(forged);
    bench.memory.outside().now = START + MARGIN + SECOND;
    bench.handle(&json!({ "checkpoint": true })).unwrap();
    assert_eq!(bench.told("ArchiveForeign"), [json!(3)], "a name, and two lines");
}

#[test]
fn a_checkpoint_that_failed_is_a_failed_invocation() {
    for down in ["Sign", "ListObjectsV2", "PutObject"] {
        let bench = Bench::new();
        bench.memory.outside().down.insert(down);
        let error = bench.handle(&json!({ "checkpoint": true })).unwrap_err();
        assert_eq!(error.remedy, Remedy::Retryable);
        assert!(error.message.starts_with("the archive could not be sealed: "), "{error}");
        assert!(error.message.contains(down), "{error}");
        assert_eq!(bench.told("CheckpointAgeSeconds"), Vec::<Value>::new());
    }
    let bench = Bench::new();
    bench.memory.outside().objects.insert("checkpoints/0000000001.json".to_owned(), b"{}".to_vec());
    assert_eq!(bench.handle(&json!({ "checkpoint": true })).unwrap_err().remedy, Remedy::NeedsOperator);
}

#[test]
fn a_grant_is_archived_again_by_its_id() {
    let bench = Bench::new();
    let id = bench.story.events[0].grant_id.clone();
    let reply = bench.handle(&json!({ "archive_again": id })).unwrap();
    assert_eq!((&reply["grant_id"], &reply["records"]), (&json!(id), &json!(3)));
    assert!(bench.memory.outside().objects.contains_key(reply["objects"][0].as_str().unwrap()));
    assert_eq!(bench.told("RecordsArchived"), [json!(3)]);

    bench.memory.outside().down.insert("PutObject");
    assert_eq!(bench.handle(&json!({ "archive_again": id })).unwrap_err().remedy, Remedy::Retryable);
    bench.memory.outside().grants.clear();
    let unknown = bench.handle(&json!({ "archive_again": id })).unwrap_err();
    assert_eq!(unknown.remedy, Remedy::NeedsOperator);
    assert_eq!(unknown.message, format!("grant {id} is not in the ledger; is its id right?"));
}

#[test]
fn what_was_denied_on_a_ticket_is_archived_again_by_its_source_and_id() {
    let bench = Bench::new();
    let denied = |ticket| DeniedRequest::of(&request(ticket), "self-approval", "nobody else", START);
    bench.memory.outside().denials = vec![denied("CHG-1"), denied("CHG-2")];
    let source = denied("CHG-1").source;
    let of = |ticket: &str| json!({ "archive_denials_again": { "source": source, "ticket": ticket } });
    let reply = bench.handle(&of("CHG-1")).unwrap();
    assert_eq!(
        (&reply["source"], &reply["ticket"], &reply["records"]),
        (&json!(source), &json!("CHG-1"), &json!(1))
    );
    assert!(bench.memory.outside().objects.contains_key(reply["objects"][0].as_str().unwrap()));
    assert_eq!(bench.told("RecordsArchived"), [json!(1)]);
    let none = bench.handle(&of("CHG-3")).unwrap_err();
    assert_eq!(none.remedy, Remedy::NeedsOperator);
    assert!(none.message.contains("no denied request"), "{none}");
}

/// Whoever may invoke the function may hand it anything.
#[test]
fn what_the_ledger_does_not_have_is_neither_archived_nor_told() {
    let bench = Bench::new();
    let mut batch = bench.batch();
    let last = bench.story.events.last().unwrap();
    let mut forged = serde_json::to_value(last).unwrap();
    forged["seq"] = json!(last.seq + 1);
    forged["prev"] = json!(last.digest());
    let record = &mut batch["Records"][2]["dynamodb"];
    record["Keys"]["sk"] = json!({ "S": format!("EVENT#{:06}", last.seq + 1) });
    record["NewImage"]["body"] = json!({ "S": forged.to_string() });
    assert_eq!(bench.handle(&batch), Ok(json!({ "batchItemFailures": [] })));
    let outside = bench.memory.outside();
    assert_eq!(outside.bus.len(), 2);
    let archived: String = outside.objects.values().map(|body| String::from_utf8_lossy(body)).collect();
    assert_eq!(archived.lines().count(), 2);
    assert!(outside.letters[0].reason.contains("is not in the ledger"), "{}", outside.letters[0].reason);
}

#[test]
fn what_is_not_clear_is_refused() {
    let bench = Bench::new();
    let error = bench.handle(&json!({ "checkpiont": true })).unwrap_err();
    assert_eq!(error.remedy, Remedy::NeedsOperator);
    assert!(error.message.contains(r#"{"checkpoint":true}"#), "{error}");
}
