//! What the command takes from the process it runs in: a clock to tell progress by, a fresh seed, the way to cargo.
//!
//! Must not know: what they are used for. Nothing of it reaches a simulated world, which knows its seed alone.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Fresh seeds stay below this, so that a person can copy one down.
const SEEDS_BELOW: u64 = 1_000_000_000_000;

/// The time, for progress and for `--minutes`.
#[must_use]
pub fn clock() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "tells a person how long it takes; no simulated world sees it"
    )]
    let now = Instant::now();
    now
}

/// A seed that was most likely never run before.
#[must_use]
pub fn fresh_seed() -> u64 {
    // The standard library keys every `RandomState` from the system's randomness.
    RandomState::new().hash_one("curfew") % SEEDS_BELOW
}

/// How many threads are worth having.
#[must_use]
pub fn cores() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// The cargo that runs this, or the one on the PATH.
#[must_use]
pub fn cargo() -> OsString {
    #[expect(clippy::disallowed_methods, reason = "cargo tells what it runs which cargo it is")]
    let cargo = std::env::var_os("CARGO");
    cargo.unwrap_or_else(|| "cargo".into())
}

/// The workspace that this was built from.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}
