//! What the fuzz targets have in common. Each target takes bytes, and fails by a panic.
//!
//! A target that takes a sender's payload signs it first, as the sender would: an unsigned one gets nowhere, so
//! only what somebody with the secret can send is looked at.

#[path = "../../../shared/intake/tests/properties/holds.rs"]
mod holds;
#[path = "../../../shared/intake/tests/properties/kinds.rs"]
mod kinds;

pub mod findings;
pub mod json;
pub mod sender;
