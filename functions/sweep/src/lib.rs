//! The sweep function: every minute, finishes what is overdue or stuck, and compares AWS with the ledger.
//!
//! What it is called with does not matter; what is due stands in the ledger.

mod drift;
mod handler;

pub use drift::{DriftWatch, PAGES_MAX};
pub use handler::{DriftSummary, LAP_LIMIT, Summary, SweepFunction};

#[cfg(test)]
mod tests;
