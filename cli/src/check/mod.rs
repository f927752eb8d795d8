//! The check: catalog, guardrails, senders and template against each other, before they are live.
//!
//! What each of them says of itself comes first; if one can't be used, nothing more is asked. Each lint is a module and
//! says what it can't see. Must not know: how findings are shown, but for the form of SARIF ([`sarif`]).

mod boundary;
mod emergency;
mod finding;
mod ideal;
mod obtain;
mod pattern;
mod policies;
mod references;
pub mod sarif;
mod statements;
mod template;

use std::path::PathBuf;

use curfew_domain::catalog::Findings;
use jiff::Timestamp;

use crate::rulebook::{Draft, Folders, Unusable};

pub use finding::{Grade, Rule, Told};

/// What to check.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rules.
    pub folders: Folders,
    /// The template.
    pub template: PathBuf,
    /// The values of the template's parameters, if they are at hand.
    pub parameters: Option<PathBuf>,
    /// Documents of permissions boundaries, by their ARNs.
    pub boundaries: Vec<(String, PathBuf)>,
    /// The account that Curfew runs in, if it is known.
    pub account: Option<String>,
    /// When: requests of the coming half year are tried.
    pub now: Timestamp,
}

/// Checks everything.
///
/// # Errors
/// [`Unusable`], if a file can't be read. What is wrong in a file is a finding.
pub fn run(settings: &Settings) -> Result<Vec<Told>, Unusable> {
    let folders = &settings.folders;
    let draft = Draft::read(folders)?;
    let template = template::Template::read(&settings.template)?;
    let parameters = settings.parameters.as_deref().map(template::Parameters::read).transpose()?;
    let boundaries = boundary::read(&settings.boundaries)?;
    let mut report = finding::Report::default();
    let warnings = |parsed: Result<&[_], &Findings>| match parsed {
        Ok(warnings) => warnings.to_vec(),
        Err(findings) => findings.as_slice().to_vec(),
    };
    let of_catalog = warnings(draft.catalog.as_ref().map(|catalog| catalog.warnings()));
    report.take(Rule::Catalog, &folders.catalog, &of_catalog);
    let of_guardrails = warnings(draft.guardrails.as_ref().map(|guardrails| guardrails.warnings()));
    report.take(Rule::Guardrails, &folders.guardrails, &of_guardrails);
    if let Err(findings) = &draft.senders {
        report.take(Rule::Senders, folders.senders(), findings);
    }
    let Ok(rulebook) = draft.finish() else { return Ok(report.finish()) };
    if let Some(account) = &settings.account {
        report.take(Rule::UnreachableTenant, &folders.catalog, &rulebook.catalog.check_own_account(account));
    }
    references::check(&rulebook, &mut report);
    policies::check(&rulebook, &mut report);
    emergency::check(&rulebook, &mut report);
    obtain::check(&rulebook, settings.now, &mut report);
    statements::check(&rulebook, &mut report);
    boundary::check(&rulebook, &boundaries, &mut report);
    template::check(&rulebook, &template, parameters.as_ref(), &mut report);
    Ok(report.finish())
}
