//! The commands that judge rules, run as a user runs them: `curfew check`, `curfew simulate`, `curfew test`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says plainly what must hold"
)]

mod cases;
mod check;
mod simulate;
mod support;
