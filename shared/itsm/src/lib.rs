//! Questions to the systems that approvals come from, and answers to them, over HTTPS.
//!
//! A webhook is a claim; where the sender keeps the record (Jira's approvals), intake says what to ask for as a
//! [`Lookup`](curfew_intake::Lookup), and [`Client::get`] asks. Where the sender wants to be told what came of a
//! delivery beside the reply to it (Slack), [`Client::post_json`] tells it.
//!
//! Trusts nobody more than it must: TLS always (plain HTTP to loopback hosts alone, for local stacks and tests), no
//! redirects, bounded answers, a deadline from the caller. An error names host, cause and remedy, and never holds a
//! path, a query or a credential.
//!
//! Must not know: what is asked or answered, which source it is for, where credentials are kept.

mod address;
mod client;
mod error;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use error::ItsmError;

/// The largest answer that is read, in bytes. A page of a hundred approvals is below 200 KiB.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The host that Slack wants to be answered at.
const SLACK: &str = "hooks.slack.com";
