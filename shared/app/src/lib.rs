//! Curfew's use cases: open (and change), extend, revoke, sweep, drift, review; what the console shows; and the ports
//! through which they act and judge.
//!
//! The order of things is here (write down, act, prove, write down again); what a transition *means* is
//! in the domain, and how AWS is spoken to is behind the ports. Must not know AWS, Lambda or a sender.

mod amend;
pub mod close;
pub mod console;
pub mod converge;
pub mod drift;
pub mod extend;
pub mod guard;
mod lanes;
pub mod open;
pub mod ports;
pub mod review;
pub mod revoke;
pub mod story;
pub mod sweep;

pub use guard::{Guardrails, Rules};
pub use ports::Ports;
