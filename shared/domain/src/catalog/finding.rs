//! Findings: what a check of the catalog has to say, with file and line.

use std::fmt;
use std::sync::Arc;

use crate::request::deceptive_character;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The catalog can't be used.
    Error,
    /// The catalog can be used, and somebody should know.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing found, shown as `file:line:column: error: message; remedy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// The file, by the name it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, naming what was found.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, file, line, column, message, remedy } = self;
        write!(f, "{file}:{line}:{column}: {severity}: {message}; {remedy}")
    }
}

/// Every finding of a catalog (or guardrails) that can't be used, in the order of files and lines. At least one is an
/// error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// The findings in order: all warnings; or an error, if one of them is.
    ///
    /// # Errors
    /// All of them, if at least one is an error.
    pub fn unless_fatal(mut found: Vec<Finding>) -> Result<Vec<Finding>, Self> {
        found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        let is_fatal = found.iter().any(|finding| finding.severity == Severity::Error);
        if is_fatal { Err(Self(found)) } else { Ok(found) }
    }

    /// Every finding.
    #[must_use]
    pub fn as_slice(&self) -> &[Finding] {
        &self.0
    }

    /// The errors among them.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|finding| finding.severity == Severity::Error)
    }
}

/// One finding, which is taken for an error.
impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self(vec![Finding { severity: Severity::Error, ..finding }])
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

/// A position in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, by the name it was given.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// A finding at this place.
    #[must_use]
    pub fn finding(
        &self,
        severity: Severity,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            severity,
            file: self.file.to_string(),
            line: self.line,
            column: self.column,
            message: plain(&message.into()),
            remedy: plain(&remedy.into()),
        }
    }
}

/// One line that is shown as it is written. Parsers of other people's quote a file's text as it stands there.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => line.push(' '),
            c if deceptive_character(c.encode_utf8(&mut [0; 4])).is_some() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Findings as they come in.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(place.finding(Severity::Error, message, remedy));
    }

    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(place.finding(Severity::Warning, message, remedy));
    }

    pub(super) fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The warnings, or everything if there is an error among it.
    pub(super) fn finish(self) -> Result<Vec<Finding>, Findings> {
        Findings::unless_fatal(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_it_quotes() {
        let place = Place { file: Arc::from("a.toml"), line: 1, column: 1 };
        let found = place.finding(Severity::Error, "`a\u{1b}[2J\rb\u{202e}` is ü\nb.toml:1:1: error", "x\ty");
        assert_eq!(
            found.to_string(),
            r"a.toml:1:1: error: `a\u{1b}[2J\rb\u{202e}` is ü b.toml:1:1: error; x y"
        );
    }
}
