//! The grant function: turns a verified webhook into access with an end, or a closed ticket into its
//! revocation.
//!
//! Thin: route → body → verify → read → use case → reply. What a request may have is decided in the
//! domain, how it is done in the application. An unverified caller costs a log line and a metric, and
//! writes nothing.

mod handler;
mod opened;
pub mod reply;
pub mod route;
pub mod secrets;

pub use handler::{GrantFunction, GrantSettings};
pub use secrets::{SecretSource, SecretsUnavailable};

#[cfg(test)]
mod tests;
