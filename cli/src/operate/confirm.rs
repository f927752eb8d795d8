//! Asking before acting.
//!
//! Must not know: what is done then.

use std::io::{IsTerminal, Write};

use super::apart::apart;
use super::trouble::Trouble;

/// Asks at the terminal whether `count` grants shall end. Only `yes`, or `y`, is a yes.
///
/// # Errors
/// [`Trouble::NobodyToAsk`] without a terminal, [`Trouble::NotConfirmed`] for any other answer.
pub async fn to_end(count: usize) -> Result<(), Trouble> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(Trouble::NobodyToAsk { count });
    }
    ask(format_args!("end these {count} grants? `yes` ends them, anything else does not: "))?;
    let answer = apart(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    if is_yes(&answer.await?.map_err(Trouble::Terminal)?) { Ok(()) } else { Err(Trouble::NotConfirmed) }
}

fn ask(question: std::fmt::Arguments<'_>) -> Result<(), Trouble> {
    // Standard output is for results.
    let mut out = std::io::stderr().lock();
    write!(out, "{question}").and_then(|()| out.flush()).map_err(Trouble::Terminal)
}

fn is_yes(line: &str) -> bool {
    let line = line.trim();
    line.eq_ignore_ascii_case("yes") || line.eq_ignore_ascii_case("y")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (line, expected) in [
            ("yes\n", true),
            ("Y\r\n", true),
            ("", false),
            ("\n", false),
            ("no\n", false),
            ("yes please\n", false),
        ] {
            assert_eq!(is_yes(line), expected, "{line:?}");
        }
    }
}
