//! `curfew report`: the auditor's report of a period. Exit code 0: made, of an archive that is whole; 1: made, and the archive
//! failed its verification, as the report says on top; 2: none could be made.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use curfew_audit::report::{Order, Period, Report, SampleOf, columns, csv, html, report};
use curfew_audit::verify::{Unverifiable, verify};
use curfew_cli::failure::at;
use curfew_cli::operate::apart::apart;
use curfew_cli::operate::archive::{Folder, end_of, midnight};
use curfew_cli::operate::audit::Known;
use curfew_cli::operate::reach::Reach;
use curfew_cli::operate::words::{json, safe};
use curfew_cli::rulebook::read_catalog;
use curfew_cli::simulate::time;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::{Judged, tell};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The first day of the period (UTC), like `2026-10-01`; or a time.
    #[arg(long, value_name = "DAY", value_parser = first)]
    from: Timestamp,
    /// The last day of the period (UTC), all of it; or the time that it ends before.
    #[arg(long, value_name = "DAY", value_parser = after_last)]
    to: Timestamp,
    /// The copy of the archive, as `curfew export` made it. It should begin well before the period, and end after it.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The folder to write into.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The folder of the catalog (`*.toml`), to say who could get what.
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// What to write.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', default_values = ["csv", "json", "html"])]
    format: Vec<Format>,
    /// Choose so many grants to be looked at one by one.
    #[arg(long, value_name = "NUMBER", requires = "seed")]
    sample: Option<usize>,
    /// What decides which grants are chosen: any words, best an auditor's.
    #[arg(long, value_name = "WORDS", requires = "sample")]
    seed: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    known: Known,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Json,
    Html,
}

fn first(text: &str) -> Result<Timestamp, String> {
    either(text, midnight)
}

fn after_last(text: &str) -> Result<Timestamp, String> {
    either(text, end_of)
}

fn either(
    text: &str,
    of_day: fn(Date) -> Result<Timestamp, curfew_cli::operate::trouble::Trouble>,
) -> Result<Timestamp, String> {
    // A time begins like a day, and jiff would read only that.
    if text.contains('T') {
        return time(text);
    }
    let day = text.parse().map_err(|_| "write it like `2026-10-01` or `2026-10-01T10:00:00Z`".to_owned())?;
    of_day(day).map_err(|error| error.to_string())
}

/// Verifies the copy, makes the report and writes it.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let period = Period { from: arguments.from, until: arguments.to };
    if period.until <= period.from {
        return Err(format!("the period ends at {}, which is not after its beginning", period.until).into());
    }
    let catalog = arguments.catalog.as_deref().map(read_catalog).transpose()?;
    let folder = Folder::open(&arguments.archive)?;
    let now = arguments.reach.now();
    let sealed_until = period.until.min(now);
    let expected = arguments.known.expectations(&arguments.reach.reached()?, sealed_until, now).await?;
    let known_until = arguments.known.known_until(now);
    let sample = arguments.sample.zip(arguments.seed).map(|(size, seed)| SampleOf { size, seed });
    let report = apart(move || -> Result<Report, Unverifiable> {
        let verification = verify(&folder, &expected)?;
        let order = Order { period, made_at: now, known_until, catalog: catalog.as_ref(), sample };
        Ok(report(&folder, verification, &order)?)
    });
    let report = report.await??;
    let mut files = Vec::new();
    for (name, format, text) in texts(&report)? {
        if arguments.format.contains(&format) {
            files.push(write(&arguments.out, name, &text)?);
        }
    }
    if arguments.json {
        let told = json!({
            "proven": report.is_proven(), "reservations": report.reservations, "numbers": report.numbers,
            "sample": report.sample, "files": files,
        });
        tell(&json(&told)?)?;
    } else {
        tell(&in_words(&report, &files))?;
    }
    Ok(if report.is_proven() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file that a report can be written as: its name, and what is in it.
type Text = (&'static str, Format, Vec<u8>);

/// Every file that a report can be written as.
fn texts(report: &Report) -> Result<Vec<Text>, Box<dyn std::error::Error>> {
    let mut texts = vec![
        ("grants.csv", Format::Csv, csv::write(columns::GRANTS, &report.grants)?),
        ("denials.csv", Format::Csv, csv::write(columns::DENIALS, &report.denials)?),
        ("held.csv", Format::Csv, csv::write(columns::HELD, &report.access.held)?),
        ("report.json", Format::Json, serde_json::to_vec_pretty(report)?),
        ("report.html", Format::Html, html::page(report)?.into_bytes()),
    ];
    if report.sample.is_some() {
        texts.push(("sample.csv", Format::Csv, csv::write(columns::GRANTS, report.looked_at())?));
    }
    if let Some(eligible) = &report.access.eligible {
        texts.push(("eligible.csv", Format::Csv, csv::write(columns::ELIGIBLE, &eligible.entries)?));
    }
    Ok(texts)
}

fn write(folder: &Path, name: &str, text: &[u8]) -> Result<PathBuf, curfew_cli::failure::Failure> {
    std::fs::create_dir_all(folder).map_err(at("make", folder))?;
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(at("write", &path))?;
    Ok(path)
}

fn in_words(report: &Report, files: &[PathBuf]) -> String {
    let mut lines: Vec<String> =
        report.reservations.iter().map(|reservation| format!("NOTE: {}", safe(reservation))).collect();
    let numbers = report.numbers.in_words();
    let width = numbers.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    lines.extend(numbers.into_iter().map(|(name, value)| format!("{name:<width$}  {}", safe(&value))));
    lines.extend(files.iter().map(|file| format!("wrote {}", file.display())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_whole_and_a_time_as_it_is() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(first("2026-10-01"), Ok(time("2026-10-01T00:00:00Z")));
        assert_eq!(after_last("2026-12-31"), Ok(time("2027-01-01T00:00:00Z")));
        for read in [first, after_last] {
            assert_eq!(read("2026-10-01T10:00:00Z"), Ok(time("2026-10-01T10:00:00Z")));
            assert!(read("yesterday").is_err() && read("2026-13-01").is_err());
        }
    }
}
