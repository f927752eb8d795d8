//! What a person who waits gets to see: one line on standard error for everything that may take over two seconds.
//!
//! Must not know: results. Those go to standard output, by the command that has them.

use std::fmt::Arguments;
use std::io::Write;

/// Writes one line of progress. That nobody can read it is no reason to stop.
pub fn say(line: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "curfew: {line}");
}
