//! `curfew export`: a copy of the archive. Exit code 1 also if an earlier copy has what the archive has no longer.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use curfew_cli::operate::archive::{Days, bucket, copy, end_of, midnight};
use curfew_cli::operate::gone::{Before, Gone};
use curfew_cli::operate::reach::Reach;
use curfew_cli::operate::trouble::Trouble;
use curfew_cli::operate::words::{count, json, safe};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::{Judged, print};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder to copy into; what is there already is not copied again.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The first day to copy (UTC), like `2026-10-01`; the first there is, if not given.
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// The last day to copy (UTC), all of it; the last there is, if not given.
    #[arg(long, value_name = "DAY")]
    to_date: Option<Date>,
    /// The archive; as the stack says, if not given.
    #[arg(long, value_name = "S3-URL")]
    archive: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Copies it, and says how to verify the copy.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let days = Days { from: arguments.from, to: arguments.to_date };
    let reached = arguments.reach.reached()?;
    // Before the copy begins: what is written while it is made need not be in it.
    let begun = arguments.reach.now();
    let archive = bucket(&reached, arguments.archive.as_deref()).await?;
    let before = Before::of(&arguments.to)?;
    let copied = copy(&reached, &archive, &arguments.to, days, begun).await?;
    let gone = before.gone(&reached, &archive).await?;
    let verify = command(&arguments.to, days, begun, arguments.reach.now())?;
    if arguments.json {
        let told = json!({
            "archive": format!("s3://{archive}"), "to": arguments.to, "keys": copied.keys,
            "checkpoints": copied.checkpoints, "events": copied.events, "verify": verify,
            "gone": gone.hidden, "gone_at_the_beginning": gone.at_the_beginning,
        });
        print(&json(&told)?)?;
    } else {
        print(&format!(
            "fetched {} keys, {} checkpoints and {} objects of records that were not there yet\nprove that it is whole: {}",
            copied.keys,
            copied.checkpoints,
            copied.events,
            verify.join(" ")
        ))?;
        for line in told(&gone, &archive) {
            print(&line)?;
        }
    }
    Ok(if gone.hidden.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the folder had before, and the archive has no longer.
fn told(gone: &Gone, archive: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if gone.at_the_beginning > 0 {
        lines.push(format!(
            "NOTE: {} of the archive's beginning is in this folder only: its retention is over, or somebody hid it",
            count(gone.at_the_beginning, "object")
        ));
    }
    if let Some(first) = gone.hidden.first() {
        lines.push(format!(
            "GONE FROM THE ARCHIVE: {} that this folder had before; the first: {}\n\
             this means: somebody hid what was written (`aws s3api list-object-versions --bucket {archive} --prefix {}` has it), or \
             this folder is a copy of another archive. Keep it: verifying it tells nothing of what is gone there",
            count(gone.hidden.len(), "object"),
            safe(first),
            safe(first)
        ));
    }
    lines
}

/// The command that verifies the copy, but for the key. Checkpoints are copied first, so that the archive is sealed until
/// shortly before copying began; records of the whole time that it took may be in it.
fn command(to: &Path, days: Days, begun: Timestamp, ended: Timestamp) -> Result<Vec<String>, Trouble> {
    let as_of = match days.to {
        Some(day) => end_of(day)?.min(begun),
        None => begun,
    };
    let (to, as_of, copied_by) = (to.display().to_string(), as_of.to_string(), ended.to_string());
    let words = ["curfew", "verify", &to, "--as-of", &as_of, "--copied-by", &copied_by];
    let mut words = words.map(str::to_owned).to_vec();
    if let Some(day) = days.from {
        words.extend(["--expired-until".to_owned(), midnight(day)?.to_string()]);
    }
    Ok(words)
}
