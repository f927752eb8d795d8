//! Curfew's use cases: open (and change), revoke, sweep, drift, review; and the ports through which they act and judge.
//!
//! The order of things is here (write down, act, prove, write down again); what a transition *means* is
//! in the domain, and how AWS is spoken to is behind the ports. Must not know AWS, Lambda or a sender.

mod amend;
pub mod close;
pub mod converge;
pub mod drift;
pub mod guard;
mod lanes;
pub mod open;
pub mod ports;
pub mod review;
pub mod revoke;
pub mod sweep;

pub use guard::{Guardrails, Rules};
pub use ports::Ports;
