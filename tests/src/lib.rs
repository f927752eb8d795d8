//! The harness of the tests on the wire: one local stack for each test binary, Curfew deployed in it from the real
//! template, tenants, people with keys of their own, and the eyes to see what became of it all.
//!
//! Tests act as Curfew's users do (webhooks, invocations) and look from the outside: with the people's own keys,
//! and at the ledger's items as DynamoDB has them. Whatever can't be had fails the test that asked for it.
//!
//! Must not know: what is asserted. That is in `tests/tests/`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: what can't be had fails the test that needs it"
)]

pub mod approval;
pub mod catalog;
pub mod charges;
pub mod client;
pub mod curfew;
pub mod lambda;
pub mod payload;
pub mod person;
pub mod ports;
pub mod proxy;
pub mod record;
pub mod signer;
pub mod site;
pub mod wait;
pub mod world;

pub use approval::{Approval, ticket_closed};
pub use client::{Client, Refused};
pub use curfew::{Curfew, Invoked};
pub use lambda::Lambda;
pub use payload::{Edit, payload};
pub use person::Person;
pub use proxy::Proxy;
pub use record::Record;
pub use signer::{Sender, Signed, Signer};
pub use site::Site;
pub use wait::{minute_after, now, reached, until};
pub use world::{Flavour, World, world};
