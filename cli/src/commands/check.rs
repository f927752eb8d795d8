//! `curfew check`: what is wrong with the rules, before they are live.

use std::path::PathBuf;
use std::process::ExitCode;

use curfew_cli::check::{self, Grade, Settings, Told, sarif};
use curfew_cli::edge;
use curfew_cli::failure::at;
use curfew_cli::rulebook::Folders;
use curfew_cli::simulate::{account, time};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Judged, tell};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    folders: Folders,
    /// The template that is deployed.
    #[arg(long, value_name = "FILE", default_value = "infra/template.yaml")]
    template: PathBuf,
    /// The values of the template's parameters, as JSON.
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// The document of a permissions boundary that tenants name.
    #[arg(long, value_name = "ARN=FILE", value_parser = boundary)]
    boundary: Vec<(String, PathBuf)>,
    /// The account that Curfew runs in.
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,
    /// The time from which requests are tried; now, if not given.
    #[arg(long, value_name = "TIME", value_parser = time)]
    now: Option<Timestamp>,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    /// Answer as SARIF 2.1.0 (then not as JSON), or write that to a file beside the other answer.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    sarif: Option<Option<PathBuf>>,
}

fn boundary(text: &str) -> Result<(String, PathBuf), String> {
    // An ARN has no equals sign before its policy's name; a name may have one.
    match text.rsplit_once('=') {
        Some((arn, file)) if arn.starts_with("arn:") && !file.is_empty() => Ok((arn.to_owned(), file.into())),
        _ => Err("write it as `<ARN>=<file>`".to_owned()),
    }
}

/// Checks, and tells everything that was found.
pub(crate) fn run(arguments: Arguments) -> Judged {
    if arguments.json && arguments.sarif == Some(None) {
        return Err(
            "--json and --sarif both want standard output: give --sarif a file, or leave one out".into()
        );
    }
    let findings = check::run(&Settings {
        folders: arguments.folders,
        template: arguments.template,
        parameters: arguments.parameters,
        boundaries: arguments.boundary,
        account: arguments.account,
        now: arguments.now.unwrap_or_else(edge::now),
    })?;
    let log = |findings: &[Told]| serde_json::to_string_pretty(&sarif::log(findings));
    match &arguments.sarif {
        Some(None) => tell(&log(&findings)?)?,
        Some(Some(file)) => std::fs::write(file, log(&findings)?).map_err(at("write", file))?,
        None => {}
    }
    if arguments.json {
        tell(&serde_json::to_string_pretty(&to_json(&findings))?)?;
    } else if arguments.sarif != Some(None) {
        tell(&in_words(&findings))?;
    }
    let fails = if arguments.strict { Grade::Warning } else { Grade::Error };
    let failed = findings.iter().any(|told| told.grade >= fails);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn count(findings: &[Told], grade: Grade) -> usize {
    findings.iter().filter(|told| told.grade == grade).count()
}

fn in_words(findings: &[Told]) -> String {
    let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.push(format!(
        "{} error(s), {} warning(s), {} note(s)",
        count(findings, Grade::Error),
        count(findings, Grade::Warning),
        count(findings, Grade::Note)
    ));
    lines.join("\n")
}

fn to_json(findings: &[Told]) -> Value {
    let told: Vec<Value> = findings
        .iter()
        .map(|told| {
            json!({
                "rule": told.rule.id(),
                "severity": told.grade.as_str(),
                "file": told.file,
                "line": told.line,
                "column": told.column,
                "message": told.message,
                "remedy": told.remedy,
            })
        })
        .collect();
    json!({
        "errors": count(findings, Grade::Error),
        "warnings": count(findings, Grade::Warning),
        "notes": count(findings, Grade::Note),
        "findings": told,
    })
}
