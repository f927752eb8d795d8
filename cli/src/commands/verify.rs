//! `curfew verify`: is a copy of the archive whole? Exit code 0: intact; 1: tampered with, or never sealed; 2: it can't be read.

use std::path::PathBuf;
use std::process::ExitCode;

use curfew_audit::verify::verify;
use curfew_cli::operate::apart::apart;
use curfew_cli::operate::archive::Folder;
use curfew_cli::operate::audit::{Known, told};
use curfew_cli::operate::reach::Reach;
use curfew_cli::operate::words::json;
use serde_json::{Value, json};

use super::{Judged, tell};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The copy, as `curfew export` made it.
    folder: PathBuf,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    known: Known,
    #[command(flatten)]
    reach: Reach,
}

/// Verifies it.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let folder = Folder::open(&arguments.folder)?;
    let now = arguments.reach.now();
    let expected = arguments.known.expectations(&arguments.reach.reached()?, now, now).await?;
    let report = apart(move || verify(&folder, &expected)).await??;
    if arguments.json {
        let mut answer = serde_json::to_value(&report)?;
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("intact".to_owned(), Value::Bool(report.is_whole()));
            fields.insert("whose".to_owned(), json!(report.is_signed()));
        }
        tell(&json(&answer)?)?;
    } else {
        tell(&told(&report, &arguments.folder))?;
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
