//! Convergence of a shared attachment to its holders.
//!
//! A managed policy is attached once however many grants need it. Whoever closes one of them takes it
//! off the holders and makes AWS agree with those that are left: detached if none, attached if any. The
//! close is then written on the condition that the holders are still the same; if not, it begins again.
//! So it does not matter where a converger dies: its grant stays `Closing`, and the next one converges.

use curfew_domain::access::Attachment;
use curfew_domain::effect::{Found, Proof};
use curfew_domain::grant::Grant;

use crate::ports::{AccessPort, EffectError, Ledger, LedgerError, Ports};

/// A shared attachment that agreed with its holders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converged {
    /// The attachment.
    pub attachment: Attachment,
    /// The version of its holders that it agreed with.
    pub version: u64,
    /// AWS's word on it.
    pub proof: Proof,
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

/// Takes `grant` off the holders of `attachment` and makes AWS agree with the rest.
///
/// # Errors
/// [`ConvergeError`]; the attachment may then not agree yet, and the grant must stay `Closing`.
pub async fn release<P: Ports>(
    ports: &P,
    grant: &Grant,
    attachment: Attachment,
) -> Result<Converged, ConvergeError> {
    let holders = ports.ledger().release(&attachment, grant.id()).await?;
    let change = grant.access_change();
    let proof = if holders.grants.is_empty() {
        ports.access().detach(&change).await?
    } else {
        // Attached again rather than left alone: an earlier converger's detach may have come between.
        let proof = ports.access().attach(&change).await?;
        Proof { found: Found::HeldByOthers, ..proof }
    };
    Ok(Converged { attachment, version: holders.version, proof })
}
