//! Seals the archive: states what was written to it since the last checkpoint, has that signed, and keeps it there.
//!
//! An object belongs to the period that the time in its name falls in, and a name is given before the object is
//! written. So the newest part of the archive is left to the next checkpoint: by a margin in which whoever gave a name
//! has either written the object or can't do so any more. Who seals at the same time does not matter: of two statements
//! of one number, one is written.
//!
//! Must not know who calls it when.

use curfew_app::ports::{Clock as _, EffectError, LedgerError};
use curfew_domain::window::plus;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::archive::{
    CHECKPOINTS, EVENTS, archived_at, checkpoint_key, checkpoint_number, events_after, public_key_key,
};
use crate::checkpoint::{BadCheckpoint, BadKey, BadSignature, Draft, PublicKey, Signed, Unsealable};
use crate::ports::{
    ArchiveStore, AuditPorts, Bus as _, Grants as _, LastSealed, Notice, Publication, Put, ReadError,
    Signer as _,
};

/// How many objects are read at once.
const READS_CONCURRENT: usize = 8;

/// How far the first look beyond a page of checkpoints goes: as many as a page has.
const FIRST_STEP: u64 = 1_000;

/// How to seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSettings {
    /// The stack whose archive it is.
    pub stack: String,
    /// What was written in the last time this long is left to the next checkpoint.
    pub margin: SignedDuration,
    /// How many objects a checkpoint seals, or a few more. What is left is sealed by another one, right after it.
    pub objects_max: usize,
    /// From when no more checkpoint is begun.
    pub stop_at: Timestamp,
}

/// A checkpoint was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its number.
    pub number: u64,
    /// Its digest, in hex: what is worth keeping elsewhere.
    pub digest: String,
    /// How many objects it seals.
    pub objects: usize,
    /// How many records these hold.
    pub records: usize,
    /// How many of their lines are no records.
    pub unreadable: usize,
}

/// What sealing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The checkpoints that were written, in order. None, if there was nothing to be sealed, or somebody else did it.
    pub checkpoints: Vec<Checkpoint>,
    /// Until when the archive is sealed now.
    pub until: Timestamp,
    /// How long ago that was when the sealing ended.
    pub age: SignedDuration,
    /// The first key among the objects of records that is none of theirs: somebody else writes there.
    pub foreign: Option<String>,
    /// Why a checkpoint was not told on the bus. The next one tells as much: it holds the digest of this one.
    pub untold: Option<String>,
}

/// Why the archive was not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSealed {
    /// The archive did not answer, or refused.
    #[error("the archive can't be sealed")]
    Archive(#[source] EffectError),
    /// The key did not sign, or can't be read.
    #[error("the checkpoint key is of no use")]
    Signer(#[source] EffectError),
    /// The key is none that checkpoints can be verified with.
    #[error("the checkpoint key is not one of ECC_NIST_P256")]
    Key(#[source] BadKey),
    /// The key's signature is not its own.
    #[error("the checkpoint was signed with something else than the checkpoint key")]
    Signature(#[source] BadSignature),
    /// The last checkpoint can't be read, so nothing can be chained to it.
    #[error(
        "`{key}`, the last checkpoint, can't be read; find out by its versions and CloudTrail who wrote it"
    )]
    Last {
        /// Its key.
        key: String,
        /// Why not.
        source: BadCheckpoint,
    },
    /// The archive lists an object and does not have it.
    #[error(
        "`{key}` is listed in the archive and not there; find out by its versions and CloudTrail who deleted it"
    )]
    Gone {
        /// Its key.
        key: String,
    },
    /// The ledger did not say which checkpoint was the last, or could not remember one.
    #[error("the ledger could not be asked which checkpoint was the last")]
    Ledger(#[source] LedgerError),
    /// What the ledger remembers of the last checkpoint can't be read.
    #[error("what the ledger remembers of the last checkpoint can't be read: {0}")]
    Memory(String),
    /// The newest checkpoint of the archive does not follow from the one that the ledger remembers.
    #[error(
        "the ledger remembers checkpoint {number} ({digest}), and the archive's newest is {newest}: newer ones were hidden or \
         replaced; nothing is sealed on top of that. Look for delete markers among the versions under `checkpoints/`"
    )]
    RolledBack {
        /// Its number.
        number: u64,
        /// Its digest.
        digest: String,
        /// What the archive has: number and digest, or that there is none.
        newest: String,
    },
    /// An object is not one of the period.
    #[error("the archive can't be sealed")]
    Unsealable(#[source] Unsealable),
}

impl NotSealed {
    /// Whether the same again may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Archive(error) | Self::Signer(error) => !error.is_settled(),
            Self::Ledger(error) => error.retryable,
            Self::Gone { .. } => true,
            Self::Key(_)
            | Self::Signature(_)
            | Self::Last { .. }
            | Self::Memory(_)
            | Self::RolledBack { .. }
            | Self::Unsealable(_) => false,
        }
    }
}

/// Seals all that can be sealed by now.
///
/// # Errors
/// [`NotSealed`]. What was sealed before stays so; the next call goes on from there.
pub async fn seal<P: AuditPorts>(ports: &P, settings: &SealSettings) -> Result<Sealed, NotSealed> {
    let mut last = last(ports.archive()).await?;
    recall(ports, last.as_ref()).await?;
    let began_at = ports.clock().now();
    let target = plus(began_at, -settings.margin);
    let mut checkpoints = Vec::new();
    let (mut foreign, mut untold) = (None, None);
    let mut key = None;
    loop {
        let from = last.as_ref().map_or(Timestamp::UNIX_EPOCH, |last| last.statement.until);
        let now = ports.clock().now();
        if now >= settings.stop_at && !checkpoints.is_empty() {
            break;
        }
        let period = period(ports.archive(), from, target, settings.objects_max).await?;
        foreign = foreign.or(period.foreign);
        let draft = match Draft::new(&settings.stack, last.as_ref(), period.until, now) {
            Ok(draft) => draft,
            // Somebody else has just done it.
            Err(Unsealable::NoPeriod { .. }) => break,
            Err(error) => return Err(NotSealed::Unsealable(error)),
        };
        let key = match &mut key {
            Some(key) => key,
            none => none.insert(published_key(ports).await?),
        };
        let signed = sign(ports, draft, &period.keys, key).await?;
        if !write(ports.archive(), &signed).await? {
            break;
        }
        ports.grants().remember_sealed(&LastSealed::from(&signed)).await.map_err(NotSealed::Ledger)?;
        untold = untold.or(tell(ports, &signed).await);
        checkpoints.push(Checkpoint::from(&signed));
        last = Some(signed);
        if !period.more {
            break;
        }
    }
    let until = last.as_ref().map_or(Timestamp::UNIX_EPOCH, |last| last.statement.until);
    let age = ports.clock().now().duration_since(until);
    Ok(Sealed { checkpoints, until, age, foreign, untold })
}

impl From<&Signed> for Checkpoint {
    fn from(signed: &Signed) -> Self {
        let statement = &signed.statement;
        Self {
            number: statement.number,
            digest: statement.digest_hex(),
            objects: statement.objects.len(),
            records: statement.records(),
            unreadable: statement.unreadable(),
        }
    }
}

/// The key that checkpoints are signed with. Its public half is put into the archive: an archive that outlives its
/// account can still be read.
async fn published_key<P: AuditPorts>(ports: &P) -> Result<PublicKey, NotSealed> {
    let der = ports.signer().public_key().await.map_err(NotSealed::Signer)?;
    let key = PublicKey::from_der(&der).map_err(NotSealed::Key)?;
    // It is there already, but for the first time: its name is its fingerprint, so what is there is the same or a lie
    // that verifying finds.
    let put = ports.archive().put_new(&public_key_key(key.id()), key.pem().as_bytes()).await;
    put.map_err(NotSealed::Archive)?;
    Ok(key)
}

/// The newest checkpoint. Listings begin with the oldest, and there is one for each hour of years: so it is looked for
/// in steps, which grow as long as there is something behind them, and shrink from there.
async fn last<A: ArchiveStore>(archive: &A) -> Result<Option<Signed>, NotSealed> {
    let (mut last, mut step) = (0_u64, 0_u64);
    loop {
        let after = last.saturating_add(step);
        let page =
            archive.list(CHECKPOINTS, Some(&checkpoint_key(after))).await.map_err(NotSealed::Archive)?;
        match page.keys.iter().filter_map(|key| checkpoint_number(key)).max() {
            Some(number) if page.more => {
                last = number;
                step = step.saturating_mul(2).max(FIRST_STEP);
            }
            Some(number) => {
                last = number;
                break;
            }
            None if step == 0 => break,
            None => step /= 2,
        }
    }
    if last == 0 {
        return Ok(None);
    }
    let key = checkpoint_key(last);
    let bytes = archive.get(&key).await.map_err(NotSealed::Archive)?;
    let bytes = bytes.ok_or_else(|| NotSealed::Gone { key: key.clone() })?;
    let signed = Signed::from_bytes(&bytes).map_err(|source| NotSealed::Last { key, source })?;
    Ok(Some(signed))
}

/// Compares the newest checkpoint that the archive lists with the one that the ledger remembers. Whoever can hide objects
/// behind delete markers could otherwise have a shorter past sealed, and signed by the right key.
///
/// The archive may be ahead by one: whoever wrote that died before it was remembered.
async fn recall<P: AuditPorts>(ports: &P, newest: Option<&Signed>) -> Result<(), NotSealed> {
    let remembered = ports.grants().last_sealed().await.map_err(|error| match error {
        ReadError::Unreadable(why) => NotSealed::Memory(why),
        ReadError::Failed(error) => NotSealed::Ledger(error),
    })?;
    let Some(newest) = newest else {
        return remembered.map_or(Ok(()), |remembered| Err(rolled_back(remembered, None)));
    };
    let there = LastSealed::from(newest);
    match remembered {
        Some(remembered) if remembered == there => return Ok(()),
        Some(remembered) => {
            let follows = remembered.number.checked_add(1) == Some(there.number)
                && newest.statement.previous == remembered.digest;
            if !follows {
                return Err(rolled_back(remembered, Some(there)));
            }
        }
        // The first version of Curfew that remembers finds an archive that was sealed before.
        None => {}
    }
    ports.grants().remember_sealed(&there).await.map_err(NotSealed::Ledger)
}

fn rolled_back(remembered: LastSealed, newest: Option<LastSealed>) -> NotSealed {
    let LastSealed { number, digest } = remembered;
    let newest = match newest {
        Some(LastSealed { number, digest }) => format!("checkpoint {number} ({digest})"),
        None => "none".to_owned(),
    };
    NotSealed::RolledBack { number, digest, newest }
}

/// What a checkpoint is to seal.
struct Period {
    until: Timestamp,
    /// All objects that were written in it.
    keys: Vec<String>,
    /// Whether more was written between its end and the end that was asked for.
    more: bool,
    foreign: Option<String>,
}

/// What was written after `from` and until `target`; if that is a lot, the first of it.
async fn period<A: ArchiveStore>(
    archive: &A,
    from: Timestamp,
    target: Timestamp,
    objects_max: usize,
) -> Result<Period, NotSealed> {
    let mut period = Period { until: target, keys: Vec::new(), more: false, foreign: None };
    let mut newest = from;
    let mut after = events_after(from);
    loop {
        let page = archive.list(EVENTS, Some(&after)).await.map_err(NotSealed::Archive)?;
        let end = page.keys.last().cloned();
        for key in page.keys {
            match archived_at(&key) {
                None => {
                    period.foreign.get_or_insert(key);
                }
                // Names are in the order of their times.
                Some(at) if at > target => return Ok(period),
                // All that was written in one millisecond is in one period.
                Some(at) if at > newest && period.keys.len() >= objects_max => {
                    return Ok(Period { until: newest, more: true, ..period });
                }
                Some(at) => {
                    newest = at;
                    period.keys.push(key);
                }
            }
        }
        match end {
            Some(end) if page.more => after = end,
            _ => return Ok(period),
        }
    }
}

/// Reads all objects of a period and has the statement on them signed.
async fn sign<P: AuditPorts>(
    ports: &P,
    mut draft: Draft,
    keys: &[String],
    key: &PublicKey,
) -> Result<Signed, NotSealed> {
    let read = |key: &String| {
        let key = key.clone();
        async move {
            match ports.archive().get(&key).await {
                Ok(Some(body)) => Ok((key, body)),
                Ok(None) => Err(NotSealed::Gone { key }),
                Err(error) => Err(NotSealed::Archive(error)),
            }
        }
    };
    let mut bodies = stream::iter(keys.iter().map(read)).buffered(READS_CONCURRENT);
    while let Some((key, body)) = bodies.try_next().await? {
        draft.object(&key, &body).map_err(NotSealed::Unsealable)?;
    }
    let statement = draft.finish();
    let signature = ports.signer().sign(&statement.digest()).await.map_err(NotSealed::Signer)?;
    Signed::new(statement, key, &signature).map_err(NotSealed::Signature)
}

/// Writes a checkpoint. False, if somebody else has written one of that number.
async fn write<A: ArchiveStore>(archive: &A, signed: &Signed) -> Result<bool, NotSealed> {
    let key = checkpoint_key(signed.statement.number);
    let bytes = signed.to_bytes();
    match archive.put_new(&key, &bytes).await.map_err(NotSealed::Archive)? {
        Put::Written => Ok(true),
        // It may be our own: written by a try whose answer was lost.
        Put::Exists => {
            let there = archive.get(&key).await.map_err(NotSealed::Archive)?;
            Ok(there.as_deref() == Some(&*bytes))
        }
    }
}

/// Tells of a checkpoint on the bus, so that its digest can be kept where nobody who could change the archive can
/// change it. Why that failed, if it did.
async fn tell<P: AuditPorts>(ports: &P, signed: &Signed) -> Option<String> {
    match ports.bus().publish(&[Notice::from(signed)]).await {
        Ok(outcomes) => match outcomes.into_iter().next() {
            Some(Publication::Published) => None,
            Some(Publication::Refused(why)) => Some(why),
            Some(Publication::Failed(error)) => Some(error.to_string()),
            None => Some("the bus did not answer for it".to_owned()),
        },
        Err(error) => Some(error.to_string()),
    }
}
