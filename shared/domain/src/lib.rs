//! Curfew's domain: what an access request, a grant and its life are.
//!
//! Everything here is pure. A function gets its inputs, time included, as arguments and returns data:
//! no I/O, no async, no clock, no randomness, no AWS SDK. What must be *done* is returned as
//! [`effect::Effect`] data and performed elsewhere, so the same code decides in a Lambda function, in a
//! simulation and in a dry run.

pub mod access;
pub mod catalog;
pub mod decision;
pub mod document;
pub mod effect;
pub mod event;
pub mod grant;
pub mod ids;
pub mod operator;
pub mod principal;
pub mod request;
pub mod retry;
pub mod transition;
pub mod window;
