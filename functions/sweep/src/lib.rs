//! The sweep function: every minute, finishes what is overdue or stuck.
//!
//! What it is called with does not matter; what is due stands in the ledger.

mod handler;

pub use handler::{LAP_LIMIT, Summary, SweepFunction};

#[cfg(test)]
mod tests;
