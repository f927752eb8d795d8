//! The audit function: carries events from the ledger to the bus and the archive, and seals the archive.
//!
//! What it is called with says what it does: a part of the ledger's stream, `{"checkpoint":true}`,
//! `{"archive_again":"g-…"}`, or `{"archive_denials_again":{"source":"…","ticket":"…"}}`. What it archives it takes from the
//! ledger, whoever called it.

mod handler;
mod input;
mod reply;

pub use handler::AuditFunction;
pub use input::{Input, NotAnInput};
pub use reply::Reply;

#[cfg(test)]
mod test_events;
#[cfg(test)]
mod tests;
