//! The clock, the environment and the waiting of a developer's tool: here and nowhere else in this crate.
//!
//! Must not know: what they are used for.

use std::ffi::OsString;
use std::io::Read;
use std::time::Duration;

use jiff::Timestamp;

/// The time now, at whole seconds.
#[must_use]
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a tool that plays the ITSM tool signs with the real time")]
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// An environment variable, as it is.
#[must_use]
pub fn variable(name: &str) -> Option<OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a developer's tool takes PATH, CARGO and proxies from its caller"
    )]
    let value = std::env::var_os(name);
    value
}

/// The pause between two looks at something that has no way to tell when it is ready.
pub async fn pause(duration: Duration) {
    #[expect(clippy::disallowed_methods, reason = "between two polls, never instead of one")]
    tokio::time::sleep(duration).await;
}

/// 32 bytes from the operating system's random source.
///
/// # Errors
/// The operating system's.
pub fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
