//! What the console function needs to know. It neither sets nor clears timers, so it knows no schedule group.

use super::{ConfigError, Reader};

/// What the console function needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// The ledger's table.
    pub table: String,
    /// The stack's name, which tells two Curfews on one dashboard apart.
    pub stack: String,
    /// What *Revoke now* calls, with the credentials of whoever looks.
    pub revoke_function_arn: String,
    /// What *Extend* calls, with the credentials of whoever looks.
    pub grant_function_arn: String,
}

impl ConsoleConfig {
    /// Reads the console function's configuration:
    ///
    /// - `CURFEW_TABLE`: the ledger's table
    /// - `CURFEW_STACK`: the stack's name
    /// - `CURFEW_REVOKE_FUNCTION_ARN`: the function that ends access
    /// - `CURFEW_GRANT_FUNCTION_ARN`: the function that extends access
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or unusable.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup: &lookup, problems: Vec::new() };
        let table = reader.table();
        let stack = reader.required("CURFEW_STACK", "the name of Curfew's CloudFormation stack");
        let revoke = reader.arn("CURFEW_REVOKE_FUNCTION_ARN", "the ARN of the function `revoke`");
        let grant = reader.arn("CURFEW_GRANT_FUNCTION_ARN", "the ARN of the function `grant`");
        let all = || {
            Some(Self {
                table: table?,
                stack: stack?,
                revoke_function_arn: revoke?,
                grant_function_arn: grant?,
            })
        };
        all().ok_or(ConfigError { problems: reader.problems })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("CURFEW_TABLE", "curfew-ledger"),
        ("CURFEW_STACK", "curfew"),
        ("CURFEW_REVOKE_FUNCTION_ARN", "arn:aws:lambda:eu-west-1:111122223333:function:curfew-revoke"),
        ("CURFEW_GRANT_FUNCTION_ARN", "arn:aws:lambda:eu-west-1:111122223333:function:curfew-grant"),
    ];

    fn read(change: &[(&str, &str)]) -> Result<ConsoleConfig, ConfigError> {
        ConsoleConfig::read(|name| {
            let all = change.iter().chain(COMPLETE.iter());
            all.into_iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_complete_environment_is_read() {
        let expected = ConsoleConfig {
            table: "curfew-ledger".to_owned(),
            stack: "curfew".to_owned(),
            revoke_function_arn: COMPLETE[2].1.to_owned(),
            grant_function_arn: COMPLETE[3].1.to_owned(),
        };
        assert_eq!(read(&[]), Ok(expected));
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_remedy() {
        let error = ConsoleConfig::read(|_| None).unwrap_err();
        let named: Vec<_> = error.problems.iter().map(|problem| problem.variable).collect();
        assert_eq!(named, COMPLETE.map(|(name, _)| name));
        let error =
            read(&[("CURFEW_STACK", " "), ("CURFEW_GRANT_FUNCTION_ARN", "curfew-grant")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the function's environment is not usable: `CURFEW_STACK` is not set; set it to the name of Curfew's \
             CloudFormation stack | `CURFEW_GRANT_FUNCTION_ARN` has a value that is not usable; set it to the ARN of \
             the function `grant`"
        );
    }
}
