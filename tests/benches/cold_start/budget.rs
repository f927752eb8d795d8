//! The budgets of a function (`docs/budgets.md`). 1 MB is a million bytes.

use std::time::Duration;

/// From the program's start to its first request for an event. Printed, never enforced.
pub(crate) const FIRST_POLL_MAX: Duration = Duration::from_millis(15);

/// Memory that is resident at that time. Printed, never enforced.
pub(crate) const RESIDENT_BYTES_MAX: u64 = 20_000_000;

/// The program's file, stripped. Enforced: Lambda fetches and unpacks it before every cold start.
const BINARY_BYTES_MAX: u64 = 12_000_000;

/// The same for `grant`, which has the policy engine (docs/decisions/0014-guardrails-in-the-grant-function.md).
const GRANT_BINARY_BYTES_MAX: u64 = 16_000_000;

/// What a function's program may have.
pub(crate) fn binary_bytes_max(function: &str) -> u64 {
    if function == "grant" { GRANT_BINARY_BYTES_MAX } else { BINARY_BYTES_MAX }
}
