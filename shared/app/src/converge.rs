//! Convergence of a shared attachment to its holders.
//!
//! A managed policy is attached once however many grants need it. Whoever closes one of them takes it
//! off the holders and makes AWS agree with those that are left: detached if none, attached if any. The
//! close is then written on the condition that the holders are still the same; if not, it begins again.
//! Whoever may only take access away (`revoke`) looks that it is attached, where another would attach it again; if it is
//! not, its grant stays `Closing` for the sweep, which may.
//! So it does not matter where a converger dies: its grant stays `Closing`, and the next one converges.
//!
//! What a dead converger had on its way could land after the next one's work. So each leaves a mark on the
//! attachment in the write that releases it, until its grant is closed or its requests can't land any more; whoever converges the same
//! grant again proves nothing before that. Other grants need not wait: the marked one is still to be closed,
//! and whoever does that converges after them. Only a removal for a grant that is closed already has nobody
//! after it, so all wait for that one.

use curfew_domain::access::Attachment;
use curfew_domain::effect::{Found, Proof};
use curfew_domain::grant::Grant;
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{
    AccessPort, Clock, EffectError, Failure, Ledger, LedgerError, Ports, Released, Removing, Vouch,
};

/// A shared attachment that agreed with its holders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converged {
    /// The attachment.
    pub attachment: Attachment,
    /// The version of its holders that it agreed with.
    pub version: u64,
    /// AWS's word on it.
    pub proof: Proof,
    /// The marks that are to go with the end of this removal: its own, and those whose time is long over.
    pub marks: Vec<Removing>,
    /// Until when an earlier removal's request could undo this one.
    pub unsettled_until: Option<Timestamp>,
}

/// How long a mark is kept after its time.
const MARK_KEPT: SignedDuration = SignedDuration::from_mins(1);

/// The mark of this invocation's removal of a grant.
pub(crate) fn mark<P: Ports>(ports: &P, grant: &Grant, after_close: bool) -> Removing {
    let invocation = ports.invocation();
    Removing {
        until: invocation.lease_until,
        grant_id: grant.id().clone(),
        by: invocation.id.clone(),
        after_close,
    }
}

/// Takes this removal's mark off again, because nothing of it is under way any more. If that fails, the mark
/// goes by time.
pub(crate) async fn unmark<P: Ports>(ports: &P, attachment: &Attachment, grant: &Grant, marks: &[Removing]) {
    if marks.is_empty() {
        return;
    }
    if let Err(error) = ports.ledger().unmark(attachment, marks).await {
        let id = grant.id();
        tracing::warn!(grant.id = %id, %error, "the mark of the removal of grant {id} stays until its time is over");
    }
}

/// Why a shared attachment could not be made to agree.
#[derive(Debug, thiserror::Error)]
pub enum ConvergeError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// IAM failed.
    #[error(transparent)]
    Effect(#[from] EffectError),
}

fn not_given_back(why: String) -> EffectError {
    let (operation, code) = ("giving back what others hold", "NotVouched".to_owned());
    EffectError { failure: Failure::Forbidden, operation, code, message: why }
}

/// Takes `grant` off the holders of `attachment` and makes AWS agree with the rest. None, if somebody else has
/// ended its removal already. `detached_before`: this very removal has detached it, and others came meanwhile.
///
/// # Errors
/// [`ConvergeError`]; the attachment may then not agree yet, and the grant must stay `Closing`.
pub async fn release<P: Ports>(
    ports: &P,
    grant: &Grant,
    attachment: Attachment,
    mine: Removing,
    detached_before: bool,
) -> Result<Option<Converged>, ConvergeError> {
    let holders = match ports.ledger().release(&attachment, grant.id(), &mine).await? {
        Released::Left(holders) => holders,
        Released::Ended => return Ok(None),
    };
    let unsettled_until = holders
        .removing
        .iter()
        .filter(|other| other.after_close || other.grant_id == mine.grant_id)
        .map(|other| other.until)
        .max();
    // Clocks differ, so a mark is not thrown away the moment it is over.
    let stale = plus(ports.clock().now(), -MARK_KEPT);
    let mut marks: Vec<Removing> = holders.removing.into_iter().filter(|mark| mark.until < stale).collect();
    let change = grant.access_change();
    let converged = if holders.grants.is_empty() {
        ports.access().detach(&change).await
    } else {
        // Seen to rather than left alone: an earlier converger's detach may have come between. That others hold it is
        // the ledger's word: it is given back only if the catalog gives it, too.
        let kept = match ports.vouch(grant) {
            Vouch::Given => ports.access().attach(&change).await,
            // Our own detach: it is known to be gone, and a look that says otherwise comes from a copy of IAM that is behind.
            Vouch::Otherwise(why) | Vouch::Unknown(why) if detached_before => Err(not_given_back(why)),
            Vouch::Otherwise(_) | Vouch::Unknown(_) => ports.access().look(&change).await,
        };
        kept.map(|proof| Proof { found: Found::HeldByOthers, ..proof })
    };
    match converged {
        Ok(proof) if proof.is_settled() => {
            marks.push(mine);
            Ok(Some(Converged { attachment, version: holders.version, proof, marks, unsettled_until }))
        }
        Ok(proof) => {
            // An earlier try of this very request may still land: the mark stays, and this is no proof.
            let unsettled_until = Some(unsettled_until.map_or(mine.until, |until| until.max(mine.until)));
            Ok(Some(Converged { attachment, version: holders.version, proof, marks, unsettled_until }))
        }
        Err(error) => {
            if error.is_settled() {
                marks.push(mine);
            }
            // Those whose time is long over go in any case: a long outage must not pile them up.
            unmark(ports, &attachment, grant, &marks).await;
            Err(error.into())
        }
    }
}
