//! The console function: shows who has what now: to the CloudWatch dashboard as HTML, to the terminal as JSON.
//!
//! It reads, and changes nothing: its buttons call other functions, with the credentials of whoever looks at it. So
//! whoever may look need not be one who may act. Must not know a port that writes.

mod handler;
pub mod html;
pub mod input;
mod reply;
pub mod shown;

pub use handler::ConsoleFunction;
pub use reply::Reply;

#[cfg(test)]
mod test_events;
#[cfg(test)]
mod tests;
