//! `audit`: reads its configuration, builds its clients once, and serves.

// The futures of the SDK's calls are nested deeper than the compiler's default of 128 lets a layout be.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::sync::Arc;

use curfew_audit::deliver::Settings;
use curfew_audit::record::{Mapping, Origin};
use curfew_aws::{AuditServices, AuditSettings, Aws};
use curfew_fn_audit::AuditFunction;
use curfew_runtime::config::{AuditConfig, OcsfVersion, environment};
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
    let config = AuditConfig::read(environment)?;
    let aws = Arc::new(Aws::load().await);
    let settings = AuditSettings {
        table: config.table,
        archive: config.archive,
        bus: config.bus,
        checkpoint_key_arn: config.checkpoint_key_arn,
        unreadable_url: config.unreadable_url,
    };
    let services = AuditServices::new(aws, settings, Arc::new(SystemClock));
    let settings = Settings {
        origin: Origin {
            stack: config.stack,
            account: config.account_id,
            region: config.region,
            version: env!("CARGO_PKG_VERSION"),
        },
        mapping: match config.ocsf {
            OcsfVersion::V1_8 => Mapping::V1_8,
            OcsfVersion::V1_9 => Mapping::V1_9,
        },
    };
    let ports = move |invocation| services.during(&invocation);
    let metrics = Metrics::new(config.function_name);
    let function =
        AuditFunction::new(ports, curfew_aws::arrival, settings, config.checkpoint_margin, metrics);
    lambda_runtime::run(service_fn(|event| function.serve(event))).await
}
