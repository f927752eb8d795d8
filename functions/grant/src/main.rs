//! `grant`: reads its configuration, builds its clients once, and serves webhooks.

// The futures of the SDK's calls are nested deeper than the compiler's default of 128 lets a layout be.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::sync::Arc;

use curfew_aws::{Aws, AwsServices, AwsSettings, May, TimerTarget, WebhookSecret};
use curfew_fn_grant::{GrantFunction, GrantSettings, Https, PackageFolders};
use curfew_runtime::config::{GrantConfig, environment};
use curfew_runtime::{Metrics, SystemClock, catalog, telemetry};
use lambda_runtime::{Error, service_fn};

// One thread: an invocation waits for AWS nearly all the time, and Lambda gives a function of this size
// less than one processor anyway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init(environment);
    telemetry::exit(run().await)
}

async fn run() -> Result<(), Error> {
    let config = GrantConfig::read(environment)?;
    let aws = Arc::new(Aws::load().await);
    let clock = Arc::new(SystemClock);
    let timer_target = TimerTarget {
        revoke_function_arn: config.target.revoke_function_arn,
        scheduler_role_arn: config.target.timer_role_arn,
        dlq_arn: Some(config.target.timer_dlq_arn),
    };
    let settings = AwsSettings {
        table: config.common.table,
        schedule_group: config.common.schedule_group,
        timer_target: Some(timer_target),
        may: May::Give,
        vouching: catalog::vouching(config.catalog.clone(), config.account_id.clone()),
    };
    let secrets = WebhookSecret::new(Arc::clone(&aws), config.webhook_secret, Arc::clone(&clock));
    let services = AwsServices::new(aws, settings, clock);
    let ports = move |invocation| services.during(invocation);
    let metrics = Metrics::new(config.common.function_name);
    let settings = GrantSettings {
        account_id: config.account_id,
        timers: config.timers,
        sweep_grace: config.sweep_grace,
        folders: PackageFolders {
            catalog: config.catalog,
            guardrails: config.guardrails,
            senders: config.senders,
        },
        source_per_minute: config.source_per_minute,
    };
    let function = GrantFunction::new(ports, secrets, Https::new(), metrics, settings);
    lambda_runtime::run(service_fn(|event| function.serve(event))).await
}
