//! Operating from a terminal: what `aws` is called with, what is told, what is asked, and the exit codes.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test says plainly what must hold")]

mod acting;
mod copies;
mod looking;
#[path = "../../../shared/audit/tests/report/archive.rs"]
mod quarter;
mod support;
mod troubles;
