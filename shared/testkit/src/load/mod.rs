//! Load: thousands of grants that end in the same minute, and IAM that lets only so many writes through.
//!
//! Drives the real application code in a [`World`](crate::World) by virtual time: every call takes as long as
//! stated, IAM has a token bucket for each account, and the SDK's pauses between its tries are those of
//! its `standard` mode. Timers call the revoke function, of which only so many run at once; the sweep is called
//! every minute and killed at its deadline. Nothing is random but the SDK's pauses, and these come from a seed.
//!
//! Must not know: what is asserted. A [`Run`] says in numbers what happened.

mod crowd;
mod engine;
mod iam_rate;
mod scene;
mod tell;

pub use crowd::{Idle, idle_lap};
pub use engine::run;
pub use scene::{Load, LoadError};
pub use tell::{Minute, Run};
