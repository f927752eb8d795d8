//! What `curfew` is made of: the local stack, and the judging of rules before they are live.
//!
//! **The local stack**: the real template and the real functions on this machine, in an emulator that enforces IAM.
//! What `curfew demo`, `curfew local` and the tests on the wire have in common: getting the emulator
//! ([`python`]), running it ([`stack`]), building the functions ([`artifacts`]), deploying the template
//! ([`deploy`]), giving it a tenant and its people ([`seed`]), and acting as they and the ITSM tool do
//! ([`aws`], [`webhook`]). [`playground`] is all of it with one tenant.
//!
//! **Judging rules**: a working copy's catalog, guardrails and senders ([`rulebook`]), by the code that the functions
//! run: one request ([`simulate`]), a folder of cases ([`cases`]), or all of it against each other ([`check`]). Needs no
//! network and no stack.
//!
//! **Operating**: a deployed stack, by what its functions answer to the operator's own credentials ([`operate`]).
//!
//! Must not know: how a grant lives, an AWS SDK. The local stack sees Curfew from the outside, as its users do:
//! HTTP in front, the `aws` command line behind. Only [`story`] reads the ledger, and only the events.

pub mod artifacts;
pub mod aws;
pub mod cases;
pub mod check;
pub mod deploy;
pub mod edge;
pub mod failure;
pub mod http;
pub mod operate;
pub mod playground;
pub mod progress;
pub mod python;
pub mod rulebook;
pub mod seed;
pub mod simulate;
pub mod stack;
pub mod story;
pub mod webhook;
pub mod workspace;
