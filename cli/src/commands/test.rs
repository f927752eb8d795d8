//! `curfew test`: a folder of cases, each passed or failed, and which guardrails none of them is about.

use std::path::PathBuf;
use std::process::ExitCode;

use curfew_cli::cases::{self, Results};
use curfew_cli::rulebook::{Folders, Rulebook};
use serde_json::{Value, json};

use super::{Judged, tell};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the cases (`*.toml`, `*.json`).
    #[arg(default_value = "infra/cases")]
    cases: PathBuf,
    #[command(flatten)]
    folders: Folders,
    /// Fail also if a guardrail decides no case.
    #[arg(long)]
    require_coverage: bool,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the cases.
pub(crate) fn run(arguments: Arguments) -> Judged {
    let rulebook = Rulebook::load(&arguments.folders)?;
    let results = cases::run(&rulebook, &arguments.cases)?;
    let is_covered = results.never_decisive.is_empty() || !arguments.require_coverage;
    let told =
        if arguments.json { serde_json::to_string_pretty(&to_json(&results))? } else { in_words(&results) };
    tell(&told)?;
    Ok(if results.all_passed() && is_covered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_words(results: &Results) -> String {
    let mut lines = Vec::new();
    for case in &results.cases {
        let word = if case.differences.is_empty() { "pass" } else { "FAIL" };
        lines.push(format!("{word}  {}", case.name));
        lines.extend(case.differences.iter().map(|difference| format!("      {difference}")));
    }
    let failed = results.cases.iter().filter(|case| !case.differences.is_empty()).count();
    let passed = results.cases.len().saturating_sub(failed);
    lines.push(format!("{passed} passed, {failed} failed"));
    let (never, all) = (results.never_decisive.len(), results.guardrails);
    lines.push(format!("{} of {all} guardrails decide a case", all.saturating_sub(never)));
    for (id, at) in &results.never_decisive {
        lines.push(format!("  guardrail `{id}` ({at}) decides none"));
    }
    lines.join("\n")
}

fn to_json(results: &Results) -> Value {
    let cases: Vec<Value> = results
        .cases
        .iter()
        .map(|case| {
            json!({
                "name": case.name,
                "passed": case.differences.is_empty(),
                "differences": case.differences,
                "by": case.decisive,
            })
        })
        .collect();
    let never: Vec<Value> =
        results.never_decisive.iter().map(|(id, at)| json!({ "id": id, "at": at })).collect();
    json!({
        "passed": results.all_passed(),
        "cases": cases,
        "guardrails": results.guardrails,
        "never_decisive": never,
    })
}
