//! What every Lambda function of Curfew needs around its use case: configuration, the clock, logs,
//! metrics, the invocation's deadline, what operators type, and how an error looks to Lambda.
//!
//! Knows Lambda and the process's environment, which nothing else does; must not know an AWS SDK, nor
//! decide anything about a grant.

pub mod catalog;
pub mod clock;
pub mod config;
pub mod error;
pub mod files;
pub mod invocation;
pub mod metrics;
pub mod revocation;
pub mod telemetry;
pub mod typed;

pub use clock::SystemClock;
pub use error::FunctionError;
pub use invocation::Invocation;
pub use metrics::Metrics;
