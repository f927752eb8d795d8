//! Configuration: one struct a function, read once at start from environment variables.
//!
//! Nothing is guessed: a missing or unusable variable stops the function at start, and all such problems
//! are named at once, each with its remedy. `infra/template.yaml` sets the variables. `AWS_REGION`,
//! credentials and `AWS_ENDPOINT_URL` (the local stack only) are read by the AWS SDK itself.

mod audit;
mod console;

use std::fmt;
use std::path::PathBuf;

use curfew_domain::effect::TimerKind;
use curfew_domain::event::DriftResponse;
use curfew_domain::principal::is_account;
use jiff::SignedDuration;

pub use audit::{AuditConfig, OcsfVersion};
pub use console::ConsoleConfig;

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

/// How many deliveries a minute one instance takes of one source, if `CURFEW_SOURCE_PER_MINUTE` is not set: more
/// than any team approves, less than keeps an instance busy.
pub const SOURCE_PER_MINUTE_DEFAULT: u32 = 600;

/// The most that can be set: beyond it there is no limit that matters.
const SOURCE_PER_MINUTE_MAX: u32 = 100_000;

/// How often AWS is compared with the ledger, if `CURFEW_DRIFT_MINUTES` is not set.
pub const DRIFT_EVERY_DEFAULT: SignedDuration = SignedDuration::from_mins(60);

/// The longest time between two comparisons: beyond a day it would be none.
const DRIFT_MINUTES_MAX: i64 = 1440;

/// How long after a grant's last change nothing is taken for drift, if `CURFEW_DRIFT_MARGIN_SECONDS` is not set.
pub const DRIFT_MARGIN_DEFAULT: SignedDuration = SignedDuration::from_mins(5);

/// The longest such margin: what is granted for an hour must be looked at in time.
const DRIFT_MARGIN_SECONDS_MAX: i64 = 3600;

/// What the grant function needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantConfig {
    /// What all functions need.
    pub common: CommonConfig,
    /// Curfew's own AWS account.
    pub account_id: String,
    /// The service that fires timers.
    pub timers: TimerKind,
    /// What timers call.
    pub target: TargetConfig,
    /// Name or ARN of the secret that holds the sources' signing secrets.
    pub webhook_secret: String,
    /// The folder of the catalog's files.
    pub catalog: PathBuf,
    /// The folder of the guardrails' files.
    pub guardrails: PathBuf,
    /// The folder of the senders' configuration.
    pub senders: PathBuf,
    /// How many deliveries a minute one instance takes of one source.
    pub source_per_minute: u32,
    /// How long after a timer's minute the sweep takes an active grant over.
    pub sweep_grace: SignedDuration,
}

/// What the sweep needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepConfig {
    /// What all functions need.
    pub common: CommonConfig,
    /// Curfew's own AWS account.
    pub account_id: String,
    /// What timers call: the sweep moves the timers of grants whose change was cut short.
    pub target: TargetConfig,
    /// The folder of the catalog's files.
    pub catalog: PathBuf,
    /// The comparison of AWS with the ledger; none, if it is switched off.
    pub drift: Option<DriftConfig>,
}

/// How AWS is compared with the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftConfig {
    /// How much time passes from the beginning of one lap over an account to that of the next.
    pub every: SignedDuration,
    /// How long after a grant's last change a difference may be a change of ours that is still on its way.
    pub margin: SignedDuration,
    /// What becomes of a live grant whose policy is gone or was edited: `Close` or `Restore`.
    pub response: DriftResponse,
}

/// What timers call, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetConfig {
    /// The role by which Scheduler invokes the revoke function.
    pub timer_role_arn: String,
    /// What timers invoke.
    pub revoke_function_arn: String,
    /// Where a timer goes that could not be delivered.
    pub timer_dlq_arn: String,
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
    /// - `CURFEW_GUARDRAILS`: the folder of the guardrails' files; `$LAMBDA_TASK_ROOT/guardrails`, if not set
    /// - `CURFEW_SENDERS`: the folder of the senders' configuration; `$LAMBDA_TASK_ROOT/senders`, if not set
    /// - `CURFEW_SOURCE_PER_MINUTE`: how many deliveries a minute one instance takes of one source, 1 to 100,000;
    ///   600, if not set
    /// - `CURFEW_SWEEP_GRACE_SECONDS`: how long after a timer's minute the sweep takes a grant over, 0 to
    ///   3600; 60, if not set
    /// - `AWS_LAMBDA_FUNCTION_NAME`, `LAMBDA_TASK_ROOT`: set by Lambda
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or unusable.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup: &lookup, problems: Vec::new() };
        let common = CommonConfig::read_from(&mut reader);
        let account_id = reader.account_id();
        let timers = reader.checked("CURFEW_TIMERS", "`scheduler` or `rules`", |text| match text {
            "scheduler" => Some(TimerKind::Scheduler),
            "rules" => Some(TimerKind::Rule),
            _ => None,
        });
        let target = TargetConfig::read_from(&mut reader);
        let webhook_secret = reader.required(
            "CURFEW_WEBHOOK_SECRET",
            "the name or ARN of the secret with the sources' signing secrets",
        );
        let catalog = reader.catalog();
        let guardrails =
            reader.folder("CURFEW_GUARDRAILS", "guardrails", "the folder of the guardrails' files");
        let senders = reader.folder("CURFEW_SENDERS", "senders", "the folder of the senders' configuration");
        let source_per_minute = match reader.optional("CURFEW_SOURCE_PER_MINUTE") {
            None => Some(SOURCE_PER_MINUTE_DEFAULT),
            Some(_) => {
                reader.checked("CURFEW_SOURCE_PER_MINUTE", "a whole number from 1 to 100000", |text| {
                    text.parse::<u32>().ok().filter(|number| (1..=SOURCE_PER_MINUTE_MAX).contains(number))
                })
            }
        };
        let sweep_grace = reader.number(
            "CURFEW_SWEEP_GRACE_SECONDS",
            "whole seconds from 0 to 3600",
            SWEEP_GRACE_SECONDS_MAX,
            SignedDuration::from_secs,
            SWEEP_GRACE_DEFAULT,
        );
        let all = || {
            Some(Self {
                common: common?,
                account_id: account_id?,
                timers: timers?,
                target: target?,
                webhook_secret: webhook_secret?,
                catalog: catalog?,
                guardrails: guardrails?,
                senders: senders?,
                source_per_minute: source_per_minute?,
                sweep_grace: sweep_grace?,
            })
        };
        all().ok_or(ConfigError { problems: reader.problems })
    }
}

impl SweepConfig {
    /// Reads the sweep's configuration:
    ///
    /// - `CURFEW_TABLE`, `CURFEW_SCHEDULE_GROUP`, `CURFEW_ACCOUNT_ID`, `CURFEW_TIMER_ROLE_ARN`,
    ///   `CURFEW_REVOKE_FUNCTION_ARN`, `CURFEW_TIMER_DLQ_ARN`, `CURFEW_CATALOG`: as [`GrantConfig::read`]
    /// - `CURFEW_DRIFT_MINUTES`: how often AWS is compared with the ledger, 1 to 1440, or 0 for never; 60, if
    ///   not set
    /// - `CURFEW_DRIFT_MARGIN_SECONDS`: how long after a grant's last change nothing is taken for drift, 0 to
    ///   3600; 300, if not set
    /// - `CURFEW_DRIFT_RESPONSE`: what becomes of a live grant whose policy somebody took away or edited:
    ///   `close` or `restore`; `close`, if not set
    /// - `AWS_LAMBDA_FUNCTION_NAME`, `LAMBDA_TASK_ROOT`: set by Lambda
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or unusable.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup: &lookup, problems: Vec::new() };
        let common = CommonConfig::read_from(&mut reader);
        let account_id = reader.account_id();
        let target = TargetConfig::read_from(&mut reader);
        let catalog = reader.catalog();
        let every = reader.number(
            "CURFEW_DRIFT_MINUTES",
            "whole minutes from 1 to 1440, or 0 for never",
            DRIFT_MINUTES_MAX,
            SignedDuration::from_mins,
            DRIFT_EVERY_DEFAULT,
        );
        let margin = reader.number(
            "CURFEW_DRIFT_MARGIN_SECONDS",
            "whole seconds from 0 to 3600",
            DRIFT_MARGIN_SECONDS_MAX,
            SignedDuration::from_secs,
            DRIFT_MARGIN_DEFAULT,
        );
        let response = match reader.optional("CURFEW_DRIFT_RESPONSE") {
            None => Some(DriftResponse::Close),
            Some(_) => reader.checked("CURFEW_DRIFT_RESPONSE", "`close` or `restore`", |text| match text {
                "close" => Some(DriftResponse::Close),
                "restore" => Some(DriftResponse::Restore),
                _ => None,
            }),
        };
        let all = || {
            let drift = DriftConfig { every: every?, margin: margin?, response: response? };
            Some(Self {
                common: common?,
                account_id: account_id?,
                target: target?,
                catalog: catalog?,
                drift: (!drift.every.is_zero()).then_some(drift),
            })
        };
        all().ok_or(ConfigError { problems: reader.problems })
    }
}

impl TargetConfig {
    fn read_from(reader: &mut Reader<'_>) -> Option<Self> {
        let timer_role_arn =
            reader.arn("CURFEW_TIMER_ROLE_ARN", "the ARN of the role by which Scheduler invokes `revoke`");
        let revoke_function_arn =
            reader.arn("CURFEW_REVOKE_FUNCTION_ARN", "the ARN of the function `revoke`");
        let timer_dlq_arn =
            reader.arn("CURFEW_TIMER_DLQ_ARN", "the ARN of the queue for timers that could not be delivered");
        Some(Self {
            timer_role_arn: timer_role_arn?,
            revoke_function_arn: revoke_function_arn?,
            timer_dlq_arn: timer_dlq_arn?,
        })
    }
}

impl CommonConfig {
    /// Reads the configuration of a function that only ends grants (`revoke`): all else that it needs stands
    /// in the grants themselves.
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
        let table = reader.table();
        let schedule_group = reader
            .required("CURFEW_SCHEDULE_GROUP", "the name of the schedule group that Curfew's timers are in");
        let function_name = reader.function_name();
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

    fn account_id(&mut self) -> Option<String> {
        self.checked("CURFEW_ACCOUNT_ID", "the 12-digit AWS account of this stack", |text| {
            is_account(text).then(|| text.to_owned())
        })
    }

    fn table(&mut self) -> Option<String> {
        self.required("CURFEW_TABLE", "the name of the ledger's table")
    }

    fn function_name(&mut self) -> Option<String> {
        self.required("AWS_LAMBDA_FUNCTION_NAME", "the function's name (Lambda sets it by itself)")
    }

    fn catalog(&mut self) -> Option<PathBuf> {
        self.folder("CURFEW_CATALOG", "catalog", "the folder of the catalog's files")
    }

    /// A folder; if the variable is not set, the one of that name in the function's package.
    fn folder(&mut self, variable: &'static str, name: &str, wanted: &'static str) -> Option<PathBuf> {
        match self.optional(variable) {
            Some(folder) => Some(PathBuf::from(folder)),
            None => match self.optional("LAMBDA_TASK_ROOT") {
                Some(root) => Some(PathBuf::from(root).join(name)),
                None => self.missing(variable, wanted),
            },
        }
    }

    /// A whole number from 0 to `max` of what `unit` makes of it; `default`, if not set.
    fn number(
        &mut self,
        variable: &'static str,
        wanted: &'static str,
        max: i64,
        unit: fn(i64) -> SignedDuration,
        default: SignedDuration,
    ) -> Option<SignedDuration> {
        if self.optional(variable).is_none() {
            return Some(default);
        }
        self.checked(variable, wanted, |text| {
            let number = text.parse::<i64>().ok()?;
            (0..=max).contains(&number).then(|| unit(number))
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
#[path = "config_tests.rs"]
mod tests;
