//! Tests of reading the configuration.

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
    assert_eq!(config.guardrails, PathBuf::from("/var/task/guardrails"));
    assert_eq!(config.senders, PathBuf::from("/var/task/senders"));
    assert_eq!(config.sweep_grace, SignedDuration::from_secs(90));
}

#[test]
fn what_is_not_set_falls_back_only_where_that_is_said() {
    let config = read(&[("CURFEW_SWEEP_GRACE_SECONDS", ""), ("CURFEW_CATALOG", "/opt/catalog")]).unwrap();
    assert_eq!(config.sweep_grace, SWEEP_GRACE_DEFAULT);
    assert_eq!(config.source_per_minute, SOURCE_PER_MINUTE_DEFAULT);
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
            "CURFEW_GUARDRAILS",
            "CURFEW_SENDERS",
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
        ("CURFEW_SOURCE_PER_MINUTE", "-5"),
        ("CURFEW_SOURCE_PER_MINUTE", "2000000"),
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

fn sweep(change: &[(&str, &str)]) -> Result<SweepConfig, ConfigError> {
    SweepConfig::read(|name| {
        let all = change.iter().chain(COMPLETE.iter());
        all.into_iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_sweep_compares_every_hour_and_closes_unless_it_is_told_otherwise() {
    let config = sweep(&[]).unwrap();
    assert_eq!(config.target, read(&[]).unwrap().target);
    assert_eq!(config.catalog, PathBuf::from("/var/task/catalog"));
    let default = DriftConfig {
        every: DRIFT_EVERY_DEFAULT,
        margin: DRIFT_MARGIN_DEFAULT,
        response: DriftResponse::Close,
    };
    assert_eq!(config.drift, Some(default));

    let told = [
        ("CURFEW_DRIFT_MINUTES", "5"),
        ("CURFEW_DRIFT_MARGIN_SECONDS", "0"),
        ("CURFEW_DRIFT_RESPONSE", "restore"),
    ];
    let expected = DriftConfig {
        every: SignedDuration::from_mins(5),
        margin: SignedDuration::ZERO,
        response: DriftResponse::Restore,
    };
    assert_eq!(sweep(&told).unwrap().drift, Some(expected));
    assert_eq!(sweep(&[("CURFEW_DRIFT_MINUTES", "0")]).unwrap().drift, None);
}

#[test]
fn how_drift_is_met_is_not_guessed() {
    for (variable, value) in [
        ("CURFEW_DRIFT_MINUTES", "1441"),
        ("CURFEW_DRIFT_MINUTES", "-1"),
        ("CURFEW_DRIFT_MARGIN_SECONDS", "3601"),
        // What is removed is never a matter of configuration.
        ("CURFEW_DRIFT_RESPONSE", "remove"),
        ("CURFEW_DRIFT_RESPONSE", "Close"),
    ] {
        let error = sweep(&[(variable, value)]).unwrap_err();
        let [problem] = error.problems.as_slice() else { unreachable!("{error}") };
        assert_eq!(problem.variable, variable);
    }
    let missing = SweepConfig::read(|_| None).unwrap_err();
    assert_eq!(missing.problems.len(), 8, "{missing}");
}
