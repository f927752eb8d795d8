//! The simulation as a command: many seeds on every core, and the proof that it bites.
//!
//! What a seed plays, and what counts as a broken promise, is in `curfew_testkit::sim`. Here is what runs many of
//! them ([`fleet`]), what tells of them ([`tell`]), and what breaks Curfew's code on purpose to see that the
//! simulation notices ([`mutations`], [`workshop`], [`trials`]).
//!
//! Must not know: Curfew's code, except as text that a mutation changes.

pub mod edge;
pub mod failure;
pub mod fleet;
pub mod judge;
pub mod mutations;
pub mod tell;
pub mod trials;
pub mod workshop;
