//! How a failure looks to Lambda: a stable `errorType` for alarms and scripts, and a message for people.
//!
//! Lambda wants a type that converts into its `Diagnostic`; this is the one for all functions.

use std::error::Error;
use std::fmt;

use curfew_app::ports::LedgerError;
use lambda_runtime::Diagnostic;

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// The same again may succeed: Lambda's own retry, a redelivery, the sweep.
    Retryable,
    /// Nothing will succeed before somebody changed a configuration, a policy or the input.
    NeedsOperator,
}

impl Remedy {
    /// The `errorType` in Lambda's reply. Alarms and scripts may match on it: it never changes.
    #[must_use]
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Retryable => "Retryable",
            Self::NeedsOperator => "NeedsOperator",
        }
    }
}

/// A failed invocation.
///
/// `Debug` is the same as `Display`: Lambda's runtime logs errors by it.
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// Who can do something about it.
    pub remedy: Remedy,
    /// What failed, with all its causes, for operators.
    pub message: String,
}

impl FunctionError {
    /// A failure where the same again may succeed.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self { remedy: Remedy::Retryable, message: message.into() }
    }

    /// A failure that somebody has to see to.
    #[must_use]
    pub fn needs_operator(message: impl Into<String>) -> Self {
        Self { remedy: Remedy::NeedsOperator, message: message.into() }
    }
}

impl From<&LedgerError> for FunctionError {
    fn from(error: &LedgerError) -> Self {
        let message = chain(error);
        if error.retryable { Self::retryable(message) } else { Self::needs_operator(message) }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.remedy.error_type(), self.message)
    }
}

impl Error for FunctionError {}

impl From<FunctionError> for Diagnostic {
    fn from(error: FunctionError) -> Self {
        Self { error_type: error.remedy.error_type().to_owned(), error_message: error.message }
    }
}

/// An error with all its causes in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // A transparent wrapper says the same as what it wraps.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the grant could not be read")]
    struct Outer(#[source] Middle);

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Middle(#[from] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("timed out")]
    struct Inner;

    #[test]
    fn a_chain_names_every_cause_once() {
        assert_eq!(chain(&Outer(Middle(Inner))), "the grant could not be read: timed out");
        assert_eq!(chain(&Middle(Inner)), "timed out");
    }

    #[test]
    fn lambda_sees_a_stable_error_type() {
        let ledger = |retryable| LedgerError {
            operation: "begin closing a grant",
            message: "throttled".to_owned(),
            retryable,
        };
        for (retryable, error_type) in [(true, "Retryable"), (false, "NeedsOperator")] {
            let diagnostic = Diagnostic::from(FunctionError::from(&ledger(retryable)));
            assert_eq!(diagnostic.error_type, error_type);
            assert_eq!(diagnostic.error_message, "the ledger could not begin closing a grant: throttled");
        }
    }
}
