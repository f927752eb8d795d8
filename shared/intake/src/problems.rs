//! Problems: what is wrong with a body, each with its place.
//!
//! Bounded, because a body can hold more mistakes than anybody wants to read or store.

use std::fmt;

use serde::Serialize;

/// How many problems are listed at most.
const MAX_PROBLEMS: usize = 32;

/// One thing that is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a JSON pointer (RFC 6901) such as `/approvals/0/at`; empty for the body as a whole.
    pub pointer: String,
    /// What is wrong and what is wanted. Values of the sender's are escaped and cut.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.pointer, self.message)
        }
    }
}

/// Why a verified delivery was not understood. The reply's problem type is `malformed`, its status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not as documented: {}", .problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))]
pub struct Malformed {
    /// All that is wrong (the first 32 of it, with a last entry that counts the rest). Never empty.
    pub problems: Vec<Problem>,
}

/// Problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    not_listed: usize,
}

impl Problems {
    /// Adds a problem, once.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        let problem = Problem { pointer: pointer.into(), message: message.into() };
        if self.listed.contains(&problem) {
            return;
        }
        if self.listed.len() < MAX_PROBLEMS {
            self.listed.push(problem);
        } else {
            self.not_listed += 1;
        }
    }

    /// What `result` holds, or its error as a problem.
    pub(crate) fn take<T, E: fmt::Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(pointer, error.to_string())).ok()
    }

    /// An error, if there are any problems.
    pub(crate) fn into_result(self) -> Result<(), Malformed> {
        if self.listed.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl From<Problems> for Malformed {
    fn from(found: Problems) -> Self {
        let mut problems = found.listed;
        if found.not_listed > 0 {
            let message = format!("and {} more problems", found.not_listed);
            problems.push(Problem { pointer: String::new(), message });
        }
        if problems.is_empty() {
            // Not reached: kept so that the promise "never empty" does not hang on a caller.
            problems.push(Problem { pointer: String::new(), message: "is not as documented".to_owned() });
        }
        Self { problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_says_so() {
        let mut problems = Problems::default();
        for n in 0..1000 {
            problems.add(format!("/{n}"), "is wrong");
            problems.add("/0", "is wrong");
        }
        let error = problems.into_result().unwrap_err();
        assert_eq!(error.problems.len(), MAX_PROBLEMS + 1);
        assert!(
            error.to_string().starts_with("the body is not as documented: /0: is wrong; /1: "),
            "{error}"
        );
        assert!(error.to_string().ends_with("; and 968 more problems"), "{error}");
    }

    #[test]
    fn no_problems_are_no_error() {
        assert_eq!(Problems::default().into_result(), Ok(()));
    }
}
