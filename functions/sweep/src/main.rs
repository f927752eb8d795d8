//! `sweep`: reads its configuration, builds its clients once, and sweeps whenever it is called.

// The futures of the SDK's calls are nested deeper than the compiler's default of 128 lets a layout be.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::sync::Arc;

use curfew_aws::{Aws, AwsServices, AwsSettings, May, TimerTarget};
use curfew_fn_sweep::{DriftWatch, SweepFunction};
use curfew_runtime::config::{SweepConfig, environment};
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
    let config = SweepConfig::read(environment)?;
    let aws = Arc::new(Aws::load().await);
    let (folder, account) = (config.catalog, config.account_id);
    let settings = AwsSettings {
        table: config.common.table,
        schedule_group: config.common.schedule_group,
        timer_target: Some(TimerTarget {
            revoke_function_arn: config.target.revoke_function_arn,
            scheduler_role_arn: config.target.timer_role_arn,
            dlq_arn: Some(config.target.timer_dlq_arn),
        }),
        may: May::Give,
        vouching: catalog::vouching(folder.clone(), account.clone()),
    };
    let services = AwsServices::new(aws, settings, Arc::new(SystemClock));
    let drift = config.drift.map(|drift| DriftWatch::new(drift, move || catalog::load(&folder, &account)));
    let ports = move |invocation| services.during(invocation);
    let function = SweepFunction::new(ports, Metrics::new(config.common.function_name), drift);
    lambda_runtime::run(service_fn(|event| function.serve(event))).await
}
