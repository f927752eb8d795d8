//! The audit function's configuration.

use curfew_domain::retry::CHECKPOINT_MARGIN;
use jiff::SignedDuration;

use super::{ConfigError, Reader};

/// The longest margin that makes sense: a checkpoint an hour is to seal something.
const CHECKPOINT_MARGIN_SECONDS_MAX: i64 = 3600;

/// What the audit function needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// The ledger's table.
    pub table: String,
    /// The function's own name, for its metrics.
    pub function_name: String,
    /// The stack's name.
    pub stack: String,
    /// Curfew's own AWS account.
    pub account_id: String,
    /// The region that it runs in.
    pub region: String,
    /// The archive's bucket.
    pub archive: String,
    /// The name of the event bus.
    pub bus: String,
    /// The key that signs checkpoints.
    pub checkpoint_key_arn: String,
    /// The URL of the queue of records that can't be delivered.
    pub unreadable_url: String,
    /// The version of OCSF that records are written in.
    pub ocsf: OcsfVersion,
    /// What was written in the last time this long is left to the next checkpoint.
    pub checkpoint_margin: SignedDuration,
}

/// A version of the Open Cybersecurity Schema Framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OcsfVersion {
    /// 1.8.
    #[default]
    V1_8,
    /// 1.9.
    V1_9,
}

impl AuditConfig {
    /// Reads the audit function's configuration:
    ///
    /// - `CURFEW_TABLE`, `CURFEW_ACCOUNT_ID`: as [`super::GrantConfig::read`]
    /// - `CURFEW_STACK`: the name of this stack
    /// - `CURFEW_ARCHIVE`: the archive's bucket
    /// - `CURFEW_BUS`: the name of the event bus
    /// - `CURFEW_CHECKPOINT_KEY`: the ARN of the key that signs checkpoints
    /// - `CURFEW_UNREADABLE`: the URL of the queue of records that can't be delivered
    /// - `CURFEW_OCSF`: the version of OCSF that records are written in, `1.8` or `1.9`; `1.8`, if not set
    /// - `CURFEW_CHECKPOINT_MARGIN_SECONDS`: what was written in the last time this long is left to the next
    ///   checkpoint, 0 to 3600; 300, if not set. Less than the function's time limit and its lease's grace is for
    ///   tests only: what comes later than that is taken for something that somebody put there
    /// - `AWS_REGION`, `AWS_LAMBDA_FUNCTION_NAME`: set by Lambda
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or unusable.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup: &lookup, problems: Vec::new() };
        let table = reader.table();
        let function_name = reader.function_name();
        let stack = reader.required("CURFEW_STACK", "the name of this CloudFormation stack");
        let account_id = reader.account_id();
        let region = reader.required("AWS_REGION", "the region (Lambda sets it by itself)");
        let archive = reader.required("CURFEW_ARCHIVE", "the name of the archive's bucket");
        let bus = reader.required("CURFEW_BUS", "the name of the event bus");
        let checkpoint_key_arn =
            reader.arn("CURFEW_CHECKPOINT_KEY", "the ARN of the key that signs checkpoints");
        let unreadable_url =
            reader.checked("CURFEW_UNREADABLE", "the URL of the queue of unreadable records", |text| {
                (text.starts_with("https://") || text.starts_with("http://")).then(|| text.to_owned())
            });
        let ocsf = match reader.optional("CURFEW_OCSF") {
            None => Some(OcsfVersion::default()),
            Some(_) => reader.checked("CURFEW_OCSF", "`1.8` or `1.9`", |text| match text {
                "1.8" => Some(OcsfVersion::V1_8),
                "1.9" => Some(OcsfVersion::V1_9),
                _ => None,
            }),
        };
        let checkpoint_margin = reader.number(
            "CURFEW_CHECKPOINT_MARGIN_SECONDS",
            "whole seconds from 0 to 3600",
            CHECKPOINT_MARGIN_SECONDS_MAX,
            SignedDuration::from_secs,
            CHECKPOINT_MARGIN,
        );
        let all = || {
            Some(Self {
                table: table?,
                function_name: function_name?,
                stack: stack?,
                account_id: account_id?,
                region: region?,
                archive: archive?,
                bus: bus?,
                checkpoint_key_arn: checkpoint_key_arn?,
                unreadable_url: unreadable_url?,
                ocsf: ocsf?,
                checkpoint_margin: checkpoint_margin?,
            })
        };
        all().ok_or(ConfigError { problems: reader.problems })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 9] = [
        ("CURFEW_TABLE", "curfew-ledger"),
        ("AWS_LAMBDA_FUNCTION_NAME", "curfew-audit"),
        ("CURFEW_STACK", "curfew"),
        ("CURFEW_ACCOUNT_ID", "111122223333"),
        ("AWS_REGION", "eu-central-1"),
        ("CURFEW_ARCHIVE", "curfew-archive"),
        ("CURFEW_BUS", "curfew"),
        ("CURFEW_CHECKPOINT_KEY", "arn:aws:kms:eu-central-1:111122223333:key/1"),
        ("CURFEW_UNREADABLE", "https://sqs.eu-central-1.amazonaws.com/111122223333/unreadable"),
    ];

    fn read(change: &[(&str, &str)]) -> Result<AuditConfig, ConfigError> {
        AuditConfig::read(|name| {
            let all = change.iter().chain(COMPLETE.iter());
            all.into_iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_complete_environment_is_read() {
        let config = read(&[]).unwrap();
        assert_eq!((config.ocsf, config.checkpoint_margin), (OcsfVersion::V1_8, CHECKPOINT_MARGIN));
        assert_eq!((config.region.as_str(), config.bus.as_str()), ("eu-central-1", "curfew"));
        let told = read(&[("CURFEW_OCSF", "1.9"), ("CURFEW_CHECKPOINT_MARGIN_SECONDS", "0")]).unwrap();
        assert_eq!((told.ocsf, told.checkpoint_margin), (OcsfVersion::V1_9, SignedDuration::ZERO));
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let error = AuditConfig::read(|_| None).unwrap_err();
        let named: Vec<_> = error.problems.iter().map(|problem| problem.variable).collect();
        assert_eq!(named, COMPLETE.map(|(name, _)| name));
    }

    #[test]
    fn unusable_values_are_refused_and_never_shown() {
        for (variable, value) in [
            ("CURFEW_ACCOUNT_ID", "1234"),
            ("CURFEW_CHECKPOINT_KEY", "alias/checkpoints"),
            ("CURFEW_UNREADABLE", "arn:aws:sqs:eu-central-1:111122223333:unreadable"),
            ("CURFEW_OCSF", "1.10"),
            ("CURFEW_CHECKPOINT_MARGIN_SECONDS", "3601"),
            ("CURFEW_CHECKPOINT_MARGIN_SECONDS", "-1"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            let [problem] = error.problems.as_slice() else { unreachable!("{error}") };
            assert_eq!(problem.variable, variable);
            assert!(!error.to_string().contains(&format!("`{value}`")), "{error}");
        }
    }
}
