//! The revoke function: ends a grant when its timer fires, and grants of all kinds when an operator says
//! so.
//!
//! Two kinds of callers, two manners. A timer is a machine that tries again: what failed is an error. An
//! operator types JSON into the console's Test tab and reads the reply: what failed is a sentence, except
//! where nothing was begun, for then a caller that does not wait (an asynchronous invocation) must be
//! tried again by Lambda.

mod handler;
pub mod input;
pub mod reply;

pub use handler::RevokeFunction;

#[cfg(test)]
mod test_events;
#[cfg(test)]
mod tests;
