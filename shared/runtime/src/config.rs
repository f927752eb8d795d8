//! Configuration: one struct a function, read once at start from environment variables.
//!
//! Nothing is guessed: a missing or unusable variable stops the function at start, and all such problems
//! are named at once, each with its remedy. `infra/template.yaml` sets the variables. `AWS_REGION`,
//! credentials and `AWS_ENDPOINT_URL` (the local stack only) are read by the AWS SDK itself.

use std::fmt;
use std::path::PathBuf;

use curfew_domain::effect::TimerKind;
use jiff::SignedDuration;

/// Reads a variable of the process's environment: the one place that does.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok()
}

/// The sweep's grace, if `CURFEW_SWEEP_GRACE_SECONDS` is not set.
pub const SWEEP_GRACE_DEFAULT: SignedDuration = SignedDuration::from_secs(60);

/// The longest grace that makes sense: the sweep must remain a lock of its own.
const SWEEP_GRACE_SECONDS_MAX: i64 = 3600;

/// What the grant function needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantConfig {
    /// What all functions need.
    pub common: CommonConfig,
    /// Curfew's own AWS account.
    pub account_id: String,
    /// The service that fires timers.
    pub timers: TimerKind,
    /// The role by which Scheduler invokes the revoke function.
    pub timer_role_arn: String,
    /// What timers invoke.
    pub revoke_function_arn: String,
    /// Where a timer goes that could not be delivered.
    pub timer_dlq_arn: String,
    /// Name or ARN of the secret that holds the sources' signing secrets.
    pub webhook_secret: String,
    /// The folder of the catalog's files.
    pub catalog: PathBuf,
    /// How long after a timer's minute the sweep takes an active grant over.
    pub sweep_grace: SignedDuration,
}

/// What every function needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonConfig {
    /// The ledger's table.
    pub table: String,
    /// The group of Scheduler timers.
    pub schedule_group: String,
    /// The function's own name, for its metrics.
    pub function_name: String,
}

impl GrantConfig {
    /// Reads the grant function's configuration:
    ///
    /// - `CURFEW_TABLE`: the ledger's table
    /// - `CURFEW_ACCOUNT_ID`: the 12-digit account that Curfew runs in
    /// - `CURFEW_TIMERS`: `scheduler` or `rules`
    /// - `CURFEW_SCHEDULE_GROUP`: the group that Scheduler timers are in
    /// - `CURFEW_TIMER_ROLE_ARN`: the role by which Scheduler invokes the revoke function
    /// - `CURFEW_REVOKE_FUNCTION_ARN`: what timers invoke
    /// - `CURFEW_TIMER_DLQ_ARN`: the queue for timers that could not be delivered
    /// - `CURFEW_WEBHOOK_SECRET`: name or ARN of the secret with the sources' signing secrets
    /// - `CURFEW_CATALOG`: the folder of the catalog's files; `$LAMBDA_TASK_ROOT/catalog`, if not set
    /// - `CURFEW_SWEEP_GRACE_SECONDS`: how long after a timer's minute the sweep takes a grant over, 0 to
    ///   3600; 60, if not set
    /// - `AWS_LAMBDA_FUNCTION_NAME`, `LAMBDA_TASK_ROOT`: set by Lambda
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or unusable.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup: &lookup, problems: Vec::new() };
        let common = CommonConfig::read_from(&mut reader);
        let account_id =
            reader.checked("CURFEW_ACCOUNT_ID", "the 12-digit AWS account of this stack", |text| {
                (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
            });
        let timers = reader.checked("CURFEW_TIMERS", "`scheduler` or `rules`", |text| match text {
            "scheduler" => Some(TimerKind::Scheduler),
            "rules" => Some(TimerKind::Rule),
            _ => None,
        });
        let timer_role_arn =
            reader.arn("CURFEW_TIMER_ROLE_ARN", "the ARN of the role by which Scheduler invokes `revoke`");
        let revoke_function_arn =
            reader.arn("CURFEW_REVOKE_FUNCTION_ARN", "the ARN of the function `revoke`");
        let timer_dlq_arn =
            reader.arn("CURFEW_TIMER_DLQ_ARN", "the ARN of the queue for timers that could not be delivered");
        let webhook_secret = reader.required(
            "CURFEW_WEBHOOK_SECRET",
            "the name or ARN of the secret with the sources' signing secrets",
        );
        let catalog = match reader.optional("CURFEW_CATALOG") {
            Some(folder) => Some(PathBuf::from(folder)),
            None => match reader.optional("LAMBDA_TASK_ROOT") {
                Some(root) => Some(PathBuf::from(root).join("catalog")),
                None => reader.missing("CURFEW_CATALOG", "the folder of the catalog's files"),
            },
        };
        let sweep_grace = match reader.optional("CURFEW_SWEEP_GRACE_SECONDS") {
            None => Some(SWEEP_GRACE_DEFAULT),
            Some(_) => reader.checked("CURFEW_SWEEP_GRACE_SECONDS", "whole seconds from 0 to 3600", |text| {
                let seconds = text.parse::<i64>().ok()?;
                (0..=SWEEP_GRACE_SECONDS_MAX).contains(&seconds).then(|| SignedDuration::from_secs(seconds))
            }),
        };
        let all = || {
            Some(Self {
                common: common?,
                account_id: account_id?,
                timers: timers?,
                timer_role_arn: timer_role_arn?,
                revoke_function_arn: revoke_function_arn?,
                timer_dlq_arn: timer_dlq_arn?,
                webhook_secret: webhook_secret?,
                catalog: catalog?,
                sweep_grace: sweep_grace?,
            })
        };
        all().ok_or(ConfigError { problems: reader.problems })
    }
}

impl CommonConfig {
    /// Reads the configuration of a function that only ends grants (`revoke`, `sweep`): all else that it
    /// needs stands in the grants themselves.
    ///
    /// - `CURFEW_TABLE`: the ledger's table
    /// - `CURFEW_SCHEDULE_GROUP`: the group that Scheduler timers are in
    /// - `AWS_LAMBDA_FUNCTION_NAME`: set by Lambda
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup: &lookup, problems: Vec::new() };
        Self::read_from(&mut reader).ok_or(ConfigError { problems: reader.problems })
    }

    fn read_from(reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.required("CURFEW_TABLE", "the name of the ledger's table");
        let schedule_group = reader
            .required("CURFEW_SCHEDULE_GROUP", "the name of the schedule group that Curfew's timers are in");
        let function_name =
            reader.required("AWS_LAMBDA_FUNCTION_NAME", "the function's name (Lambda sets it by itself)");
        Some(Self { table: table?, schedule_group: schedule_group?, function_name: function_name? })
    }
}

/// One variable that is missing or unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong. Never holds the value: a secret may have been put there by mistake.
    pub cause: &'static str,
    /// What it should be set to.
    pub wanted: &'static str,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}; set it to {}", self.variable, self.cause, self.wanted)
    }
}

/// The configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Everything that is wrong with it; never empty.
    pub problems: Vec<ConfigProblem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function's environment is not usable")?;
        for (n, problem) in self.problems.iter().enumerate() {
            write!(f, "{} {problem}", if n == 0 { ":" } else { " |" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Reads variables and remembers what was wrong with them.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<ConfigProblem>,
}

impl Reader<'_> {
    /// CloudFormation can't leave a variable out depending on a parameter: empty is as good as not set.
    fn optional(&self, variable: &str) -> Option<String> {
        (self.lookup)(variable).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn missing<T>(&mut self, variable: &'static str, wanted: &'static str) -> Option<T> {
        self.problems.push(ConfigProblem { variable, cause: "is not set", wanted });
        None
    }

    fn required(&mut self, variable: &'static str, wanted: &'static str) -> Option<String> {
        self.checked(variable, wanted, |text| Some(text.to_owned()))
    }

    fn arn(&mut self, variable: &'static str, wanted: &'static str) -> Option<String> {
        self.checked(variable, wanted, |text| {
            (text.starts_with("arn:") && text.split(':').count() >= 6).then(|| text.to_owned())
        })
    }

    fn checked<T>(
        &mut self,
        variable: &'static str,
        wanted: &'static str,
        check: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let Some(text) = self.optional(variable) else {
            return self.missing(variable, wanted);
        };
        let value = check(&text);
        if value.is_none() {
            self.problems.push(ConfigProblem { variable, cause: "has a value that is not usable", wanted });
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 11] = [
        ("CURFEW_TABLE", "curfew-ledger"),
        ("CURFEW_SCHEDULE_GROUP", "curfew"),
        ("AWS_LAMBDA_FUNCTION_NAME", "curfew-grant"),
        ("CURFEW_ACCOUNT_ID", "111122223333"),
        ("CURFEW_TIMERS", "rules"),
        ("CURFEW_TIMER_ROLE_ARN", "arn:aws:iam::111122223333:role/timer"),
        ("CURFEW_REVOKE_FUNCTION_ARN", "arn:aws:lambda:eu-west-1:111122223333:function:curfew-revoke"),
        ("CURFEW_TIMER_DLQ_ARN", "arn:aws:sqs:eu-west-1:111122223333:timers"),
        ("CURFEW_WEBHOOK_SECRET", "curfew/webhooks"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("CURFEW_SWEEP_GRACE_SECONDS", "90"),
    ];

    fn read(change: &[(&str, &str)]) -> Result<GrantConfig, ConfigError> {
        GrantConfig::read(|name| {
            let all = change.iter().chain(COMPLETE.iter());
            all.into_iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_complete_environment_is_read() {
        let config = read(&[]).unwrap();
        assert_eq!(config.common.table, "curfew-ledger");
        assert_eq!(config.common.function_name, "curfew-grant");
        assert_eq!(config.timers, TimerKind::Rule);
        assert_eq!(config.catalog, PathBuf::from("/var/task/catalog"));
        assert_eq!(config.sweep_grace, SignedDuration::from_secs(90));
    }

    #[test]
    fn what_is_not_set_falls_back_only_where_that_is_said() {
        let config = read(&[("CURFEW_SWEEP_GRACE_SECONDS", ""), ("CURFEW_CATALOG", "/opt/catalog")]).unwrap();
        assert_eq!(config.sweep_grace, SWEEP_GRACE_DEFAULT);
        assert_eq!(config.catalog, PathBuf::from("/opt/catalog"));
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_remedy() {
        let error = GrantConfig::read(|_| None).unwrap_err();
        let named: Vec<_> = error.problems.iter().map(|problem| problem.variable).collect();
        assert_eq!(
            named,
            [
                "CURFEW_TABLE",
                "CURFEW_SCHEDULE_GROUP",
                "AWS_LAMBDA_FUNCTION_NAME",
                "CURFEW_ACCOUNT_ID",
                "CURFEW_TIMERS",
                "CURFEW_TIMER_ROLE_ARN",
                "CURFEW_REVOKE_FUNCTION_ARN",
                "CURFEW_TIMER_DLQ_ARN",
                "CURFEW_WEBHOOK_SECRET",
                "CURFEW_CATALOG",
            ]
        );
        assert!(error.to_string().contains("`CURFEW_TIMERS` is not set; set it to `scheduler` or `rules`"));
    }

    #[test]
    fn unusable_values_are_refused_and_never_shown() {
        for (variable, value) in [
            ("CURFEW_ACCOUNT_ID", "1234"),
            ("CURFEW_ACCOUNT_ID", "11112222333x"),
            ("CURFEW_TIMERS", "Scheduler"),
            ("CURFEW_TIMER_ROLE_ARN", "whsec_c2VjcmV0"),
            ("CURFEW_REVOKE_FUNCTION_ARN", "curfew-revoke"),
            ("CURFEW_SWEEP_GRACE_SECONDS", "-1"),
            ("CURFEW_SWEEP_GRACE_SECONDS", "3601"),
            ("CURFEW_SWEEP_GRACE_SECONDS", "1m"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            let [problem] = error.problems.as_slice() else { unreachable!("{error}") };
            assert_eq!(problem.variable, variable);
            assert!(!error.to_string().contains(value), "{error}");
        }
    }

    #[test]
    fn a_function_that_only_ends_grants_needs_little() {
        let little = |name: &str| {
            COMPLETE.iter().take(3).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(CommonConfig::read(little).unwrap().schedule_group, "curfew");
        assert_eq!(CommonConfig::read(|_| None).unwrap_err().problems.len(), 3);
    }
}
