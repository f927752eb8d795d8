//! `revoke`: reads its configuration, builds its clients once, and serves timers and operators.

// The futures of the SDK's calls are nested deeper than the compiler's default of 128 lets a layout be.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::sync::Arc;

use curfew_app::ports::Vouching;
use curfew_aws::{Aws, AwsServices, AwsSettings, May};
use curfew_fn_revoke::RevokeFunction;
use curfew_runtime::config::{CommonConfig, environment};
use curfew_runtime::{Metrics, SystemClock, telemetry};
use lambda_runtime::{Error, service_fn};

// One thread: an invocation waits for AWS nearly all the time, and Lambda gives a function of this size
// less than one processor anyway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init(environment);
    telemetry::exit(run().await)
}

async fn run() -> Result<(), Error> {
    let config = CommonConfig::read(environment)?;
    let aws = Arc::new(Aws::load().await);
    // It clears timers and never sets one.
    let settings = AwsSettings {
        table: config.table,
        schedule_group: config.schedule_group,
        timer_target: None,
        may: May::Remove,
        vouching: Vouching::by_nobody(),
    };
    let services = AwsServices::new(aws, settings, Arc::new(SystemClock));
    let ports = move |invocation| services.during(invocation);
    let function = RevokeFunction::new(ports, Metrics::new(config.function_name));
    lambda_runtime::run(service_fn(|event| function.serve(event))).await
}
