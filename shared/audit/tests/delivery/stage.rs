//! Ports in memory whose every call waits until the test says what becomes of it: done; done, and the answer lost;
//! lost; given up, and done later; or of a crashed invocation, and done later or never.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use curfew_app::ports::{Clock, DeniedRequest, EffectError, Failure, LedgerError};
use curfew_audit::deliver::{Arrival, Content};
use curfew_audit::ports::{
    ArchiveStore, AuditPorts, Bus, DeadLetter, DeadLetters, Grants, LastSealed, Notice, Page, Publication,
    Put, ReadError, Signer, Story, Written,
};
use curfew_domain::ids::{GrantId, Source, TicketId};
use curfew_testkit::Task;
use jiff::{SignedDuration, Timestamp};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, Signature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;

/// How many keys a listing has on a page: few, so that there are pages.
pub(crate) const PAGE: usize = 3;

/// What the outside holds.
pub(crate) struct Outside {
    pub(crate) now: Timestamp,
    pub(crate) grants: BTreeMap<GrantId, Story>,
    pub(crate) denials: Vec<DeniedRequest>,
    /// What stands in place of an event's own bytes.
    pub(crate) edited: BTreeMap<(GrantId, u32), String>,
    /// Grants whose item can't be read.
    pub(crate) unreadable: BTreeSet<GrantId>,
    /// What the ledger remembers of the newest checkpoint.
    pub(crate) sealed: Option<LastSealed>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) bus: Vec<Notice>,
    /// How many notices each call of the bus carried.
    pub(crate) bus_calls: Vec<usize>,
    /// Names of notices that the bus refuses for what they are.
    pub(crate) refused: BTreeSet<String>,
    pub(crate) letters: Vec<DeadLetter>,
    /// Whether the bus answers for one notice less than it was given.
    pub(crate) answers_short: bool,
    /// What must never happen, and did.
    pub(crate) violations: Vec<String>,
    key: SigningKey,
    /// Signatures by digest: signing takes its time.
    signatures: BTreeMap<[u8; 32], Vec<u8>>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It takes effect and is answered.
    Done,
    /// It takes effect, and its caller hears of a failure.
    LostAnswer,
    /// It does not take effect, and its caller hears of a failure.
    LostRequest,
    /// Its caller hears of a failure, and it is still under way.
    Late,
    /// Of a call with several parts, these fail (by bits), the others are done. Others are done.
    Partly(u16),
}

type Apply = Box<dyn FnOnce(&mut Outside, u16) + Send>;

/// A call under way.
struct Pending {
    name: &'static str,
    invocation: u32,
    apply: Apply,
    fail: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
struct Network {
    waiting: BTreeMap<u32, Pending>,
    /// Calls that nobody waits for any more.
    adrift: BTreeMap<u32, (u32, Apply)>,
    sent: u32,
    invocations: u32,
}

/// The outside and the network to it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Stage {
    outside: Arc<Mutex<Outside>>,
    network: Arc<Mutex<Network>>,
}

impl Stage {
    pub(crate) fn new(now: Timestamp) -> Self {
        let outside = Outside {
            now,
            grants: BTreeMap::new(),
            denials: Vec::new(),
            edited: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            sealed: None,
            objects: BTreeMap::new(),
            bus: Vec::new(),
            bus_calls: Vec::new(),
            refused: BTreeSet::new(),
            letters: Vec::new(),
            answers_short: false,
            violations: Vec::new(),
            key: SigningKey::from_slice(&[7; 32]).unwrap(),
            signatures: BTreeMap::new(),
        };
        Self { outside: Arc::new(Mutex::new(outside)), network: Arc::default() }
    }

    pub(crate) fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().unwrap()
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap()
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        let mut outside = self.outside();
        outside.now = outside.now.checked_add(by).unwrap();
    }

    /// A new invocation's ports.
    pub(crate) fn invocation(&self) -> StagePorts {
        let mut network = self.network();
        network.invocations += 1;
        StagePorts { stage: self.clone(), invocation: network.invocations, skew: SignedDuration::ZERO }
    }

    /// The calls of an invocation that wait for their fate: number and name.
    pub(crate) fn waiting(&self, invocation: u32) -> Vec<(u32, &'static str)> {
        let network = self.network();
        let of = network.waiting.iter().filter(|(_, pending)| pending.invocation == invocation);
        of.map(|(number, pending)| (*number, pending.name)).collect()
    }

    pub(crate) fn deliver(&self, number: u32, fate: Fate) {
        let Some(pending) = self.network().waiting.remove(&number) else { panic!("no call {number} waits") };
        match fate {
            Fate::Done => (pending.apply)(&mut self.outside(), 0),
            Fate::Partly(parts) => (pending.apply)(&mut self.outside(), parts),
            Fate::LostAnswer => {
                // What the effect answers comes second, and so is not heard.
                (pending.fail)();
                (pending.apply)(&mut self.outside(), 0);
            }
            Fate::LostRequest => (pending.fail)(),
            Fate::Late => {
                (pending.fail)();
                self.network().adrift.insert(number, (pending.invocation, pending.apply));
            }
        }
    }

    /// An invocation is no more: what it waited for is still under way.
    pub(crate) fn crash(&self, invocation: u32) {
        let waiting = self.waiting(invocation);
        let mut network = self.network();
        for (number, _) in waiting {
            if let Some(pending) = network.waiting.remove(&number) {
                network.adrift.insert(number, (invocation, pending.apply));
            }
        }
    }

    /// Calls of an invocation that nobody waits for any more.
    pub(crate) fn adrift(&self, invocation: u32) -> Vec<u32> {
        let network = self.network();
        network.adrift.iter().filter(|(_, (of, _))| *of == invocation).map(|(number, _)| *number).collect()
    }

    /// What became of a call adrift: it lands, or it never does.
    pub(crate) fn settle(&self, number: u32, lands: bool) {
        let Some((_, apply)) = self.network().adrift.remove(&number) else {
            panic!("no call {number} is adrift")
        };
        if lands {
            apply(&mut self.outside(), 0);
        }
    }
}

/// One invocation's ports.
#[derive(Clone)]
pub(crate) struct StagePorts {
    stage: Stage,
    pub(crate) invocation: u32,
    skew: SignedDuration,
}

/// A call's answer, once there is one.
struct Answer<T>(Arc<Mutex<Slot<T>>>);

enum Slot<T> {
    Empty(Option<Waker>),
    Full(T),
    Taken,
}

impl<T> Slot<T> {
    /// The first answer counts.
    fn fill(&mut self, answer: T) {
        if let Self::Empty(waker) = self {
            // Calls that run side by side are polled only if they are woken.
            let waker = waker.take();
            *self = Self::Full(answer);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock().unwrap();
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Full(answer) => Poll::Ready(answer),
            _ => {
                *slot = Slot::Empty(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl StagePorts {
    /// The same ports with a clock that is off by so much.
    pub(crate) fn with_clock(self, skew: SignedDuration) -> Self {
        Self { skew, ..self }
    }

    fn call<T: Send + 'static, E: Send + 'static>(
        &self,
        name: &'static str,
        failure: E,
        effect: impl FnOnce(&mut Outside, u16) -> Result<T, E> + Send + 'static,
    ) -> Answer<Result<T, E>> {
        let answer = Arc::new(Mutex::new(Slot::<Result<T, E>>::Empty(None)));
        let (done, failed) = (Arc::clone(&answer), Arc::clone(&answer));
        let apply = Box::new(move |outside: &mut Outside, parts: u16| {
            let result = effect(outside, parts);
            done.lock().unwrap().fill(result);
        });
        let fail = Box::new(move || {
            failed.lock().unwrap().fill(Err(failure));
        });
        let mut network = self.stage.network();
        network.sent += 1;
        let number = network.sent;
        network.waiting.insert(number, Pending { name, invocation: self.invocation, apply, fail });
        Answer(answer)
    }
}

fn unanswered(operation: &'static str) -> EffectError {
    EffectError {
        failure: Failure::Retryable,
        operation,
        code: "Timeout".to_owned(),
        message: "no answer".to_owned(),
    }
}

fn ledger_unanswered() -> ReadError {
    let (operation, message) = ("read a grant", "no answer".to_owned());
    ReadError::Failed(LedgerError { operation, message, retryable: true })
}

impl Grants for StagePorts {
    async fn written(&self, id: &GrantId, seqs: &BTreeSet<u32>) -> Result<Option<Written>, ReadError> {
        let (id, seqs) = (id.clone(), seqs.clone());
        self.call("written", ledger_unanswered(), move |outside, _| {
            if outside.unreadable.contains(&id) {
                return Err(ReadError::Unreadable("edited by hand".to_owned()));
            }
            let written = |story: &Story| {
                let mut bodies: BTreeMap<u32, String> =
                    story.events.iter().map(|event| (event.seq, event.canonical())).collect();
                let edited = outside.edited.iter().filter(|((of, _), _)| *of == id);
                bodies.extend(edited.map(|((_, seq), body)| (*seq, body.clone())));
                bodies.retain(|seq, _| seqs.contains(seq));
                Written { subject: story.subject.clone(), bodies }
            };
            Ok(outside.grants.get(&id).map(written))
        })
        .await
    }

    async fn denial(&self, denied: &DeniedRequest) -> Result<Option<DeniedRequest>, ReadError> {
        let key = |of: &DeniedRequest| {
            (of.source.clone(), of.ticket.clone(), of.request_digest.clone(), of.code.clone())
        };
        let wanted = key(denied);
        self.call("denial", ledger_unanswered(), move |outside, _| {
            Ok(outside.denials.iter().find(|there| key(there) == wanted).cloned())
        })
        .await
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, ReadError> {
        let id = id.clone();
        self.call("story", ledger_unanswered(), move |outside, _| Ok(outside.grants.get(&id).cloned())).await
    }

    async fn denials(&self, source: &Source, ticket: &TicketId) -> Result<Vec<DeniedRequest>, ReadError> {
        let (source, ticket) = (source.clone(), ticket.clone());
        self.call("denials", ledger_unanswered(), move |outside, _| {
            let of =
                outside.denials.iter().filter(|denied| denied.source == source && denied.ticket == ticket);
            Ok(of.cloned().collect())
        })
        .await
    }

    async fn last_sealed(&self) -> Result<Option<LastSealed>, ReadError> {
        self.call("last_sealed", ledger_unanswered(), |outside, _| Ok(outside.sealed.clone())).await
    }

    async fn remember_sealed(&self, newest: &LastSealed) -> Result<(), LedgerError> {
        let newest = newest.clone();
        let unanswered =
            LedgerError { operation: "remember", message: "no answer".to_owned(), retryable: true };
        self.call("remember_sealed", unanswered, move |outside, _| {
            if outside.sealed.as_ref().is_none_or(|sealed| sealed.number < newest.number) {
                outside.sealed = Some(newest);
            }
            Ok(())
        })
        .await
    }
}

impl ArchiveStore for StagePorts {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put, EffectError> {
        let (key, bytes) = (key.to_owned(), bytes.to_vec());
        self.call("put", unanswered("PutObject"), move |outside, _| {
            if outside.objects.contains_key(&key) {
                return Ok(Put::Exists);
            }
            outside.objects.insert(key, bytes);
            Ok(Put::Written)
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, EffectError> {
        let key = key.to_owned();
        self.call("get", unanswered("GetObject"), move |outside, _| Ok(outside.objects.get(&key).cloned()))
            .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Page, EffectError> {
        let (prefix, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        self.call("list", unanswered("ListObjectsV2"), move |outside, _| {
            let all = outside.objects.keys().filter(|key| key.starts_with(&prefix) && **key > after);
            let mut keys: Vec<String> = all.take(PAGE + 1).cloned().collect();
            let more = keys.len() > PAGE;
            keys.truncate(PAGE);
            Ok(Page { keys, more })
        })
        .await
    }
}

impl Bus for StagePorts {
    async fn publish(&self, notices: &[Notice]) -> Result<Vec<Publication>, EffectError> {
        let notices = notices.to_vec();
        self.call("publish", unanswered("PutEvents"), move |outside, parts| {
            outside.bus_calls.push(notices.len());
            let mut outcomes = Vec::new();
            for (n, notice) in notices.into_iter().enumerate() {
                outcomes.push(if outside.refused.contains(&notice.name) {
                    Publication::Refused("MalformedDetail: no".to_owned())
                } else if parts & (1 << n) != 0 {
                    Publication::Failed(EffectError {
                        failure: Failure::Throttled,
                        ..unanswered("PutEvents")
                    })
                } else {
                    outside.take(notice);
                    Publication::Published
                });
            }
            if outside.answers_short {
                outcomes.pop();
            }
            Ok(outcomes)
        })
        .await
    }
}

impl Outside {
    /// Has the ledger hold what is in stories, and each denial of a stream.
    pub(crate) fn write(&mut self, stories: &[Story], arrivals: &[Arrival]) {
        for story in stories {
            self.grants.insert(story.events[0].grant_id.clone(), story.clone());
        }
        for arrival in arrivals {
            if let Ok(Content::Denial(denied)) = &arrival.content {
                self.denials.push((**denied).clone());
            }
        }
    }

    /// A notice is on the bus: what it tells must be in the archive by then.
    fn take(&mut self, notice: Notice) {
        let line = format!("{}\n", notice.detail);
        let archived = self.objects.values().any(|body| String::from_utf8_lossy(body).contains(&line));
        let is_reference = notice.detail.contains("\"archived_in\"");
        if !archived && !is_reference && notice.name != curfew_audit::ports::CHECKPOINT {
            self.violations.push(format!("told before it was archived: {}", notice.detail));
        }
        self.bus.push(notice);
    }

    /// The public half of the checkpoint key.
    pub(crate) fn public_key_pem(&self) -> String {
        self.key.verifying_key().to_public_key_pem(p256::pkcs8::LineEnding::LF).unwrap()
    }

    /// Lines of all objects of records, in the order of their keys.
    pub(crate) fn archived_lines(&self) -> Vec<String> {
        let bodies = self.objects.iter().filter(|(key, _)| key.starts_with("events/"));
        let texts = bodies.map(|(_, body)| String::from_utf8(body.clone()).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

impl Signer for StagePorts {
    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>, EffectError> {
        let digest = *digest;
        self.call("sign", unanswered("Sign"), move |outside, _| {
            let key = outside.key.clone();
            let signature = outside.signatures.entry(digest).or_insert_with(|| {
                let signature: Signature = key.sign_prehash(&digest).unwrap();
                DerSignature::from(signature).as_bytes().to_vec()
            });
            Ok(signature.clone())
        })
        .await
    }

    async fn public_key(&self) -> Result<Vec<u8>, EffectError> {
        self.call("public_key", unanswered("GetPublicKey"), |outside, _| {
            Ok(outside.key.verifying_key().to_public_key_der().unwrap().into_vec())
        })
        .await
    }
}

impl DeadLetters for StagePorts {
    async fn put(&self, letter: &DeadLetter) -> Result<(), EffectError> {
        let letter = letter.clone();
        self.call("letter", unanswered("SendMessage"), move |outside, _| {
            outside.letters.push(letter);
            Ok(())
        })
        .await
    }
}

impl Clock for StagePorts {
    fn now(&self) -> Timestamp {
        self.stage.outside().now.checked_add(self.skew).unwrap()
    }
}

impl AuditPorts for StagePorts {
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

/// Runs an invocation to its end. `fate` says what becomes of each call, by its name and how many of that name came
/// before it.
pub(crate) fn run<T>(
    stage: &Stage,
    invocation: u32,
    work: impl Future<Output = T>,
    mut fate: impl FnMut(&str, usize) -> Fate,
) -> T {
    let mut task = Task::new(work);
    let mut seen = BTreeMap::<&str, usize>::new();
    loop {
        if let Some(output) = task.poll() {
            return output;
        }
        let waiting = stage.waiting(invocation);
        assert!(!waiting.is_empty(), "the invocation waits for nothing");
        for (number, name) in waiting {
            let nth = seen.entry(name).or_default();
            stage.deliver(number, fate(name, *nth));
            *nth += 1;
        }
    }
}

/// Nothing goes wrong.
pub(crate) fn fine(_: &str, _: usize) -> Fate {
    Fate::Done
}
