//! Intake: from a sender's HTTP request to what it says, in Curfew's own words.
//!
//! Three steps, each of which only takes what the one before it returned:
//! [`Body::decode`] (is it text, and small enough?), [`Sender::verify`] (does it come from who it says, and is it
//! fresh?), [`Sender::read`] (does it have the documented form?). The result is a [`Reading`], most often a
//! [`Notice`](curfew_domain::request::Notice): still a claim, which catalog and guardrails judge elsewhere.
//!
//! Must not know: HTTP events, Secrets Manager, the clock (time is an argument), the ledger, what a
//! tenant or a role is. `docs/webhook.md` describes the same for senders.

mod body;
mod json;
mod problems;
mod schema;
mod secrets;
mod senders;
#[cfg(test)]
mod tests;
mod verify;
mod wire;

pub use body::{Body, BodyError};
pub use problems::{Malformed, Problem};
pub use schema::SCHEMA;
pub use secrets::{ApiCredential, Secret, SecretError, Secrets, SecretsError, Unsignable};
pub use senders::standard::read_unsigned;
pub use senders::{KeyForm, Lookup, Nobody, People, Reading, ReplyTo, Sender, SenderFile, Senders};
pub use verify::{Unverified, VerifiedDelivery};

/// The largest body that is looked at, in bytes after base64 was decoded. A full approval is below
/// 4 KiB; the rest is room for long justifications and many approvals.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The largest body of senders that send whole tickets, texts and all. Their size is the authors' to choose, and a ticket
/// whose closing is too large to be looked at would keep its access.
pub const MAX_FOREIGN_BODY_BYTES: usize = 1024 * 1024;

/// The largest body of senders whose tickets hold texts of a mebibyte, which JSON can double. Lambda takes events of 6 MB, and
/// base64 makes four bytes of three.
pub const MAX_LONG_BODY_BYTES: usize = 4 * 1024 * 1024;

/// How far `webhook-timestamp` may lie from now, in seconds, before or after: the tolerance of the
/// Standard Webhooks libraries (<https://github.com/standard-webhooks/standard-webhooks>).
pub const TOLERANCE_SECONDS: i64 = 300;

/// How deep objects and lists may be nested in Curfew's own format, which needs three levels.
const MAX_JSON_DEPTH: usize = 8;

/// How deep objects and lists may be nested in other senders' payloads. Jira's rich texts are the deepest.
const MAX_FOREIGN_JSON_DEPTH: usize = 64;

/// The header with the sender's id of the delivery.
pub const HEADER_ID: &str = standardwebhooks::HEADER_WEBHOOK_ID;
/// The header with the time of sending, in seconds since 1970.
pub const HEADER_TIMESTAMP: &str = standardwebhooks::HEADER_WEBHOOK_TIMESTAMP;
/// The header with one or more signatures, separated by spaces.
pub const HEADER_SIGNATURE: &str = standardwebhooks::HEADER_WEBHOOK_SIGNATURE;
