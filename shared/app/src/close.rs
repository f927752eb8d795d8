//! Closing: drives a `Closing` grant to its proven end. The one way by which access is removed, whoever
//! asks for it: the timer, an operator, a closed ticket, a failed opening or the sweep.

use curfew_domain::effect::{Effect, Found, Proof};
use curfew_domain::event::Actor;
use curfew_domain::grant::{Grant, State};
use curfew_domain::retry::ROUNDS_MAX;
use curfew_domain::transition::{Command, Illegal, Removal, Stored, transition};
use curfew_domain::window::whole_second;
use futures_util::future::join;
use jiff::Timestamp;

use crate::converge::{self, ConvergeError, Converged};
use crate::ports::{
    AccessPort, Clock, Commit, CommitWrite, EffectError, Failure, Ledger, LedgerError, Ports, Released,
    Removing, SharedRemoval, TimerPort,
};

/// How far a closing grant was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// AWS confirmed the removal, and it is written down.
    Closed(Box<Grant>),
    /// Removed for now, but an opening's attach may still land until then; the sweep proves it after.
    Settling {
        /// The grant.
        grant: Box<Grant>,
        /// From when a removal counts as proof.
        until: Timestamp,
    },
    /// AWS is asked too often now. It stays `Closing`, and nothing counts against it; the sweep goes on.
    Throttled {
        /// The grant.
        grant: Box<Grant>,
        /// What AWS said.
        error: String,
    },
    /// The removal could not be proven. It stays `Closing`; the sweep tries again.
    Unproven {
        /// The grant.
        grant: Box<Grant>,
        /// What went wrong, for operators.
        error: String,
    },
    /// Closed and proven, but what was attached late for others may still be there, and nobody tries again.
    LeftBehind {
        /// The grant.
        grant: Box<Grant>,
        /// What went wrong, and what an operator has to do.
        error: String,
    },
}

impl Ended {
    /// The grant as it is now.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        match self {
            Self::Closed(grant)
            | Self::Settling { grant, .. }
            | Self::Throttled { grant, .. }
            | Self::Unproven { grant, .. }
            | Self::LeftBehind { grant, .. } => grant,
        }
    }
}

/// Who drives a closing, and with which effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// Who drives it.
    pub actor: Actor,
    /// Whether it is the opening invocation itself, after its own attach was answered.
    pub by_lease_holder: bool,
    /// What is to be done the first time. Without a detach, AWS refused to attach, which proves that nothing is
    /// there. Whatever has to be done again is done in full.
    pub effects: Vec<Effect>,
}

/// Performs the removal of a `Closing` grant and writes down what came of it.
///
/// # Errors
/// [`LedgerError`], if what came of it could not be written down: the grant is still `Closing`.
pub async fn drive<P: Ports>(ports: &P, stored: Stored, drive: Drive) -> Result<Ended, LedgerError> {
    let Drive { actor, by_lease_holder, mut effects } = drive;
    let mut stored = stored;
    let mut attached_for_others = false;
    let mut detached = false;
    for _ in 0..ROUNDS_MAX {
        match stored.grant.state() {
            State::Closing { .. } => {}
            State::Closed { .. } => {
                // Somebody else closed it between our attach for the other holders and now, and these may be
                // gone by then: nobody else would look at the attachment again.
                if attached_for_others {
                    return Ok(ended_again(ports, stored.grant).await);
                }
                return Ok(Ended::Closed(Box::new(stored.grant)));
            }
            State::Opening { .. } | State::Active { .. } => {
                let error = "the grant is not closing".to_owned();
                return Ok(Ended::Unproven { grant: Box::new(stored.grant), error });
            }
        }
        let began_at = ports.clock().now();
        let mine = converge::mark(ports, &stored.grant, false);
        let removed = remove(ports, &stored.grant, &effects, mine, detached).await;
        attached_for_others |= removed.held_by_others();
        detached |= removed.was_detached();
        match conclude(ports, &stored, removed, &actor, began_at, by_lease_holder).await? {
            Concluded::Ended(ended) => return Ok(ended),
            Concluded::Again => {}
            Concluded::Outdated => {
                let id = stored.grant.id().clone();
                stored = ports.ledger().load(&id).await?.ok_or_else(|| LedgerError {
                    operation: "read a grant again",
                    message: format!("grant {id} is gone from the ledger"),
                    retryable: false,
                })?;
            }
        }
        effects = stored.grant.closing_effects();
    }
    let error = "others kept changing the grant or its shared attachment".to_owned();
    Ok(Ended::Unproven { grant: Box::new(stored.grant), error })
}

/// How one round of a removal went on.
enum Concluded {
    /// It is over, for now or for good.
    Ended(Ended),
    /// The shared attachment has other holders by now.
    Again,
    /// The grant was changed by somebody else.
    Outdated,
}

/// Writes down what came of one round of a removal.
async fn conclude<P: Ports>(
    ports: &P,
    stored: &Stored,
    removed: Removed,
    actor: &Actor,
    began_at: Timestamp,
    by_lease_holder: bool,
) -> Result<Concluded, LedgerError> {
    let Removed { access, timer, converged } = removed;
    let grant = || Box::new(stored.grant.clone());
    let command = match (access, timer) {
        (Ok(None), _) => return Ok(Concluded::Outdated),
        (Ok(Some(access)), Ok(timer)) => {
            let until = converged.as_ref().and_then(|converged| converged.unsettled_until);
            if let Some(until) = until.filter(|until| began_at < *until) {
                forget(ports, &stored.grant, converged.as_ref()).await;
                return Ok(Concluded::Ended(Ended::Settling { grant: grant(), until }));
            }
            let actor = actor.clone();
            Command::Close(Removal { actor, began_at, by_lease_holder, access, timer })
        }
        (access, timer) => {
            let failed: Vec<Failed> = access.err().into_iter().chain(timer.err()).collect();
            if let Some(error) = failed.iter().find_map(|failed| failed.ledger.clone()) {
                // Nothing can be written of it now, nor counted against the grant.
                return Err(error);
            }
            let error = failed.iter().map(|failed| failed.message.as_str()).collect::<Vec<_>>().join("; ");
            if failed.iter().all(|failed| failed.throttled) {
                // Nothing is wrong with this grant: it keeps its place in the order of work.
                forget(ports, &stored.grant, converged.as_ref()).await;
                return Ok(Concluded::Ended(Ended::Throttled { grant: grant(), error }));
            }
            Command::RecordFailure { actor: actor.clone(), error }
        }
    };
    let failed = match &command {
        Command::RecordFailure { error, .. } => Some(error.clone()),
        _ => None,
    };
    let next = match transition(&stored.grant, command, ports.clock().now()) {
        Ok(next) => next,
        Err(illegal) => {
            forget(ports, &stored.grant, converged.as_ref()).await;
            return Ok(Concluded::Ended(match illegal {
                Illegal::NotSettled { after } => Ended::Settling { grant: grant(), until: after },
                illegal => Ended::Unproven { grant: grant(), error: illegal.to_string() },
            }));
        }
    };
    let mut events = stored.unwritten.clone();
    events.extend(next.events);
    let shared = converged.as_ref().filter(|_| failed.is_none()).map(|converged| SharedRemoval {
        attachment: &converged.attachment,
        version: converged.version,
        marks: &converged.marks,
    });
    let commit = Commit { grant: &next.grant, events: &events, shared };
    let write = ports.ledger().commit(commit).await?;
    if write != CommitWrite::Written || failed.is_some() {
        forget(ports, &stored.grant, converged.as_ref()).await;
    }
    Ok(match write {
        CommitWrite::Written => {
            let grant = Box::new(next.grant);
            Concluded::Ended(match failed {
                None => Ended::Closed(grant),
                Some(error) => Ended::Unproven { grant, error },
            })
        }
        CommitWrite::HoldersChanged => Concluded::Again,
        CommitWrite::Outdated => Concluded::Outdated,
    })
}

/// Takes the mark of a removal off whose requests were all answered.
async fn forget<P: Ports>(ports: &P, grant: &Grant, converged: Option<&Converged>) {
    if let Some(Converged { attachment, marks, .. }) = converged {
        converge::unmark(ports, attachment, grant, marks).await;
    }
}

/// Removes what a closed grant may have left, once more, and says what came of it.
pub(crate) async fn ended_again<P: Ports>(ports: &P, grant: Grant) -> Ended {
    let grant = Box::new(grant);
    match remove_again(ports, &grant).await {
        Ok(()) => Ended::Closed(grant),
        Err(error) => Ended::LeftBehind { grant, error },
    }
}

/// Removes what a closed grant may have left, once more. Nothing is written: the grant has its end and proof.
///
/// # Errors
/// What went wrong, and what an operator has to do: no sweep looks at a closed grant.
pub(crate) async fn remove_again<P: Ports>(ports: &P, grant: &Grant) -> Result<(), String> {
    converge_again(ports, grant).await.map_err(|error| {
        format!(
            "{error}; the grant is closed, so only the comparison with AWS looks at it again: make sure by hand \
             that the {} is gone, unless another live grant needs it",
            grant.access()
        )
    })
}

async fn converge_again<P: Ports>(ports: &P, grant: &Grant) -> Result<(), String> {
    let mut detached = false;
    for _ in 0..ROUNDS_MAX {
        let mine = converge::mark(ports, grant, true);
        let removed = remove(ports, grant, &grant.closing_effects(), mine.clone(), detached).await;
        detached |= removed.was_detached();
        let Removed { access, timer, converged } = removed;
        access.map_err(|failed| failed.message)?;
        timer.map_err(|failed| failed.message)?;
        let Some(converged) = converged else {
            return Ok(());
        };
        // There is no commit left that the holders' version could be a condition of, so it is read, which counts
        // it up by one.
        let released = ports.ledger().release(&converged.attachment, grant.id(), &mine).await;
        match released.map_err(|error| error.to_string())? {
            Released::Left(holders) if holders.version != converged.version.saturating_add(1) => {}
            Released::Left(_) | Released::Ended => {
                forget(ports, grant, Some(&converged)).await;
                return Ok(());
            }
        }
    }
    Err("others kept changing the shared attachment".to_owned())
}

/// What came of removing effects.
struct Removed {
    /// None: nothing was done to the shared attachment, because somebody else has ended the grant's removal.
    access: Result<Option<Proof>, Failed>,
    /// No proof is needed of a timer that deletes itself.
    timer: Result<Option<Proof>, Failed>,
    converged: Option<Converged>,
}

impl Removed {
    fn held_by_others(&self) -> bool {
        let found = self.access.as_ref().ok().and_then(|access| access.as_ref()).map(|access| access.found);
        found == Some(Found::HeldByOthers)
    }

    /// Whether the access was taken off by this removal itself, or may have been.
    fn was_detached(&self) -> bool {
        let found = self.access.as_ref().ok().and_then(|access| access.as_ref()).map(|access| access.found);
        matches!(found, Some(Found::Deleted | Found::Absent))
    }
}

/// Why something could not be removed.
struct Failed {
    message: String,
    throttled: bool,
    /// It was the ledger that failed, and may answer later.
    ledger: Option<LedgerError>,
}

impl From<EffectError> for Failed {
    fn from(error: EffectError) -> Self {
        Self { message: error.to_string(), throttled: error.failure == Failure::Throttled, ledger: None }
    }
}

impl From<ConvergeError> for Failed {
    fn from(error: ConvergeError) -> Self {
        match error {
            ConvergeError::Ledger(error) => Self {
                message: error.to_string(),
                throttled: false,
                ledger: error.retryable.then_some(error),
            },
            ConvergeError::Effect(error) => error.into(),
        }
    }
}

/// Performs removing effects, access and timer side by side.
async fn remove<P: Ports>(
    ports: &P,
    grant: &Grant,
    effects: &[Effect],
    mine: Removing,
    detached_before: bool,
) -> Removed {
    let detaches = effects.iter().any(|effect| matches!(effect, Effect::Detach(_)));
    let access = async {
        let converged = match grant.access().shared() {
            None if !detaches => return Ok((Some(absent(ports.clock().now())), None)),
            None => return Ok((Some(ports.access().detach(&grant.access_change()).await?), None)),
            Some(attachment) => converge::release(ports, grant, attachment, mine, detached_before).await?,
        };
        let proof = converged.as_ref().map(|converged| converged.proof.clone());
        Ok::<_, Failed>((proof, converged))
    };
    let timer = async {
        for effect in effects {
            if let Effect::ClearTimer(timer) = effect {
                return Ok::<_, Failed>(Some(ports.timers().clear(timer).await?));
            }
        }
        Ok(None)
    };
    let (access, timer) = join(access, timer).await;
    match access {
        Ok((access, converged)) => Removed { access: Ok(access), timer, converged },
        Err(failed) => Removed { access: Err(failed), timer, converged: None },
    }
}

fn absent(at: Timestamp) -> Proof {
    Proof { found: Found::Absent, at: whole_second(at), aws_request_id: None, unsettled: false }
}
