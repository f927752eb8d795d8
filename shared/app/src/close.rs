//! Closing: drives a `Closing` grant to its proven end. The one way by which access is removed, whoever
//! asks for it: the timer, an operator, a closed ticket, a failed opening or the sweep.

use curfew_domain::effect::{Effect, Found, Proof};
use curfew_domain::event::Actor;
use curfew_domain::grant::{Grant, State};
use curfew_domain::transition::{Command, Illegal, Removal, Stored, transition};
use curfew_domain::window::whole_second;
use futures_util::future::join;
use jiff::Timestamp;

use crate::converge::{self, ConvergeError, Converged};
use crate::ports::{
    AccessPort, Clock, Commit, CommitWrite, EffectError, Ledger, LedgerError, Ports, TimerPort,
};

/// How often one call starts over because somebody else changed the grant or its attachment meanwhile.
/// More than a few would mean a storm of changes, which the sweep finishes in peace.
const ROUNDS_MAX: u32 = 4;

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
    /// The removal could not be proven. It stays `Closing`; the sweep tries again.
    Unproven {
        /// The grant.
        grant: Box<Grant>,
        /// What went wrong, for operators.
        error: String,
    },
}

impl Ended {
    /// The grant as it is now.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        match self {
            Self::Closed(grant) | Self::Settling { grant, .. } | Self::Unproven { grant, .. } => grant,
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
    for _ in 0..ROUNDS_MAX {
        match stored.grant.state() {
            State::Closing { .. } => {}
            State::Closed { .. } => {
                // Somebody else closed it between our attach for the other holders and now, and these may be
                // gone by then: nobody else would look at the attachment again.
                if attached_for_others && let Err(error) = remove_again(ports, &stored.grant).await {
                    return Ok(Ended::Unproven { grant: Box::new(stored.grant), error });
                }
                return Ok(Ended::Closed(Box::new(stored.grant)));
            }
            State::Opening { .. } | State::Active { .. } => {
                let error = "the grant is not closing".to_owned();
                return Ok(Ended::Unproven { grant: Box::new(stored.grant), error });
            }
        }
        let began_at = ports.clock().now();
        let removed = remove(ports, &stored.grant, &effects).await;
        let now = ports.clock().now();
        let (command, converged) = match removed {
            Ok(removed) => {
                let converged = removed.converged;
                attached_for_others |= removed.access.found == Found::HeldByOthers;
                let removal = Removal {
                    actor: actor.clone(),
                    began_at,
                    by_lease_holder,
                    access: removed.access,
                    timer: removed.timer,
                };
                (Command::Close(removal), converged)
            }
            Err(error) => (Command::RecordFailure { actor: actor.clone(), error }, None),
        };
        let failed = match &command {
            Command::RecordFailure { error, .. } => Some(error.clone()),
            _ => None,
        };
        let next = match transition(&stored.grant, command, now) {
            Ok(next) => next,
            Err(Illegal::NotSettled { after }) => {
                return Ok(Ended::Settling { grant: Box::new(stored.grant), until: after });
            }
            Err(illegal) => {
                return Ok(Ended::Unproven { grant: Box::new(stored.grant), error: illegal.to_string() });
            }
        };
        let mut events = stored.unwritten.clone();
        events.extend(next.events);
        let unchanged = converged.as_ref().map(|c| (&c.attachment, c.version));
        let commit = Commit { grant: &next.grant, events: &events, unchanged };
        match ports.ledger().commit(commit).await? {
            CommitWrite::Written => {
                let grant = Box::new(next.grant);
                return Ok(match failed {
                    None => Ended::Closed(grant),
                    Some(error) => Ended::Unproven { grant, error },
                });
            }
            CommitWrite::HoldersChanged => {}
            CommitWrite::Outdated => {
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

/// Removes what a closed grant may have left, once more. Nothing is written: the grant has its end and proof.
///
/// # Errors
/// What went wrong, and what an operator has to do: no sweep looks at a closed grant.
pub(crate) async fn remove_again<P: Ports>(ports: &P, grant: &Grant) -> Result<(), String> {
    converge_again(ports, grant).await.map_err(|error| {
        format!(
            "{error}; the grant is closed, so nobody tries again: make sure by hand that the {} is gone, \
             unless another live grant needs it",
            grant.access()
        )
    })
}

async fn converge_again<P: Ports>(ports: &P, grant: &Grant) -> Result<(), String> {
    for _ in 0..ROUNDS_MAX {
        let removed = remove(ports, grant, &grant.closing_effects()).await?;
        let Some(converged) = removed.converged else {
            return Ok(());
        };
        // There is no commit left that the holders' version could be a condition of, so it is read.
        let holders = ports.ledger().release(&converged.attachment, grant.id()).await;
        if holders.map_err(|error| error.to_string())?.version == converged.version {
            return Ok(());
        }
    }
    Err("others kept changing the shared attachment".to_owned())
}

struct Removed {
    access: Proof,
    timer: Option<Proof>,
    converged: Option<Converged>,
}

/// Performs removing effects, access and timer side by side.
async fn remove<P: Ports>(ports: &P, grant: &Grant, effects: &[Effect]) -> Result<Removed, String> {
    let detaches = effects.iter().any(|effect| matches!(effect, Effect::Detach(_)));
    let access = async {
        match grant.access().shared() {
            None if !detaches => {
                let at = whole_second(ports.clock().now());
                Ok((Proof { found: Found::Absent, at, aws_request_id: None }, None))
            }
            None => {
                let proof = ports.access().detach(&grant.access_change()).await?;
                Ok::<_, ConvergeError>((proof, None))
            }
            Some(attachment) => {
                let converged = converge::release(ports, grant, attachment).await?;
                Ok((converged.proof.clone(), Some(converged)))
            }
        }
    };
    let timer = async {
        for effect in effects {
            if let Effect::ClearTimer(timer) = effect {
                return Ok::<_, EffectError>(Some(ports.timers().clear(timer).await?));
            }
        }
        Ok(None)
    };
    match join(access, timer).await {
        (Ok((access, converged)), Ok(timer)) => Ok(Removed { access, timer, converged }),
        (Err(access), Ok(_)) => Err(access.to_string()),
        (Ok(_), Err(timer)) => Err(timer.to_string()),
        (Err(access), Err(timer)) => Err(format!("{access}; {timer}")),
    }
}
