//! An AWS in memory for tests of Curfew's application code: deterministic, single-threaded, without a
//! runtime, and with a clock that moves only when the test says so.
//!
//! Every call that application code makes becomes a message in a [`World`]'s network. It takes effect,
//! and is answered, when the test delivers it: in which order, once, late, or never. So a test can stop
//! an invocation between any two calls, let two invocations race in every order ([`explore()`]), drop one
//! half way (a crash), and let what it had sent land afterwards.
//!
//! After every delivery the world compares what AWS would allow with what the ledger says
//! ([`checks`]). It evaluates the documents that are attached, and does not trust Curfew's own records.
//!
//! Must not contain a copy of the code under test: the transition function is used here only to read
//! claims, as every ledger has to.

pub mod checks;
pub mod explore;
pub mod fixtures;
pub mod guardrails;
mod iam;
mod index;
mod ledger;
pub mod load;
mod network;
mod policy;
mod ports;
pub mod sim;
mod task;
mod timers;
mod world;

pub use explore::{Choices, explore};
pub use iam::MemoryIam;
pub use ledger::{MemoryLedger, Row};
pub use network::{CallId, CallName, CallRecord, Delivery, Fault, InvocationId};
pub use ports::{MemoryPorts, VirtualClock};
pub use task::{Stalled, Task};
pub use timers::MemoryTimers;
pub use world::{Aws, World};
