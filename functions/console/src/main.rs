//! `console`: reads its configuration, builds its clients once, and serves dashboards and terminals.

// The futures of the SDK's calls are nested deeper than the compiler's default of 128 lets a layout be.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::sync::Arc;

use curfew_aws::{Aws, DynamoView};
use curfew_fn_console::ConsoleFunction;
use curfew_runtime::config::{ConsoleConfig, environment};
use curfew_runtime::{SystemClock, telemetry};
use lambda_runtime::{Error, service_fn};

// One thread: an invocation waits for AWS nearly all the time, and Lambda gives a function of this size
// less than one processor anyway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init(environment);
    telemetry::exit(run().await)
}

async fn run() -> Result<(), Error> {
    let config = ConsoleConfig::read(environment)?;
    let aws = Arc::new(Aws::load().await);
    let view = DynamoView::new(aws, config.table.clone(), Arc::new(SystemClock));
    let function = ConsoleFunction::new(move |invocation| view.during(&invocation), SystemClock, config);
    lambda_runtime::run(service_fn(|event| function.serve(event))).await
}
