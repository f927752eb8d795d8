//! The grant function: turns a verified webhook into access with an end, or a closed ticket into its
//! revocation; and extends live access for operators.
//!
//! Thin: door → route → body → verify → read → use case → reply. What a request may have is decided in the
//! domain and by the guardrails, how it is done in the application. An unverified caller costs a log line and a metric, and
//! writes nothing.

mod delivery;
pub mod door;
pub mod extended;
mod handler;
mod opened;
pub mod order;
pub mod outside;
mod package;
pub mod reply;
pub mod route;
pub mod secrets;
mod throttle;

pub use handler::{GrantFunction, GrantSettings};
pub use outside::{Https, NotAnswered, SourceApi};
pub use package::PackageFolders;
pub use secrets::{SecretSource, SecretsUnavailable};

#[cfg(test)]
mod test_events;
#[cfg(test)]
mod tests;
