//! Evidence outside the ledger: audit records, the archive that holds them, checkpoints that seal it, and the proof that
//! nothing of it was changed.
//!
//! Pure but for `deliver` and `seal`, which act through ports. Must not know AWS, Lambda, or how the ledger keeps its items.
//! The formats are specified in `docs/audit.md`, well enough for a verifier that shares no code with this one.

pub mod archive;
pub mod checkpoint;
pub mod deliver;
pub mod merkle;
mod ocsf;
pub mod ports;
pub mod record;
pub mod report;
pub mod seal;
pub mod verify;
