//! What checks say of files that people write: catalogs, guardrails, the senders' configuration.

use curfew_domain::catalog::Finding;

/// How long a finding is at most, in characters. It quotes names, cut, and never whole files.
const LENGTH: usize = 4_000;

/// Checks what was found in one file, which must not be nothing.
///
/// # Panics
/// A finding is in no place of the file, says nothing, or says it in more than a line.
pub fn check(findings: &[Finding], file: &str, text: &str) {
    assert!(!findings.is_empty(), "refused without a reason");
    let lines = text.matches('\n').count() + 1;
    for finding in findings {
        assert!(finding.file == file || finding.file == "catalog", "{finding:?}");
        assert!((1..=lines).contains(&finding.line), "in line {} of {lines}: {finding}", finding.line);
        assert!(finding.column >= 1, "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
        let told = finding.to_string();
        assert!(told.chars().count() <= LENGTH, "{} characters: {told}", told.chars().count());
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }
}
