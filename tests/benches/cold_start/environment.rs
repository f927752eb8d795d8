//! The environment that a function starts in: Lambda's variables, the template's, and AWS at the stub.

use std::net::SocketAddr;
use std::process::Command;

use crate::binaries::workspace;

/// What Lambda sets, and the template's variables with values of the right form. Nothing is called.
const VARIABLES: [(&str, &str); 21] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "curfew-bench"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_REGION", "eu-west-1"),
    ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "example"),
    ("AWS_SESSION_TOKEN", "example"),
    ("CURFEW_TABLE", "curfew"),
    ("CURFEW_ACCOUNT_ID", "111122223333"),
    ("CURFEW_TIMERS", "scheduler"),
    ("CURFEW_SCHEDULE_GROUP", "curfew"),
    ("CURFEW_TIMER_ROLE_ARN", "arn:aws:iam::111122223333:role/curfew-timer"),
    ("CURFEW_REVOKE_FUNCTION_ARN", "arn:aws:lambda:eu-west-1:111122223333:function:curfew-revoke"),
    ("CURFEW_TIMER_DLQ_ARN", "arn:aws:sqs:eu-west-1:111122223333:curfew-timers"),
    ("CURFEW_WEBHOOK_SECRET", "curfew/webhooks"),
    ("CURFEW_GRANT_FUNCTION_ARN", "arn:aws:lambda:eu-west-1:111122223333:function:curfew-grant"),
    ("CURFEW_STACK", "curfew"),
    ("CURFEW_ARCHIVE", "curfew-archive-111122223333-eu-west-1"),
    ("CURFEW_BUS", "curfew"),
    ("CURFEW_CHECKPOINT_KEY", "arn:aws:kms:eu-west-1:111122223333:key/1"),
    ("CURFEW_UNREADABLE", "https://sqs.eu-west-1.amazonaws.com/111122223333/curfew-unreadable"),
];

/// Where an SDK would ask for what it was not given. All of it leads to the stub.
const AWS_AT: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT"];

/// Gives `command` that environment and nothing of the bench's own.
pub(crate) fn set(command: &mut Command, stub: SocketAddr) {
    command.env_clear().envs(VARIABLES);
    command.env("AWS_LAMBDA_RUNTIME_API", stub.to_string());
    let infra = workspace().join("infra");
    command.env("CURFEW_CATALOG", infra.join("catalog"));
    command.env("CURFEW_GUARDRAILS", infra.join("guardrails"));
    command.env("CURFEW_SENDERS", infra.join("senders"));
    for name in AWS_AT {
        command.env(name, format!("http://{stub}"));
    }
}
