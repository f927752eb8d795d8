//! Cases: requests with the decision that is expected of each, so that teams test their own rules.
//!
//! Must not know: how a decision is made ([`crate::simulate`] does), nor how results are shown.

mod file;

use std::collections::BTreeSet;
use std::path::Path;

use curfew_domain::decision::DenialCode;
use curfew_domain::ids::GuardrailId;
use curfew_guard::Guardrail;
use jiff::SignedDuration;

use crate::rulebook::{Rulebook, Unusable};
use crate::simulate::{Answer, Question, ask, seconds_in_words};

pub use file::read;

/// A request, and what is expected of it.
#[derive(Debug)]
pub struct Case {
    /// Its name: the file's, and its own in it.
    pub name: String,
    /// The request.
    pub question: Question,
    /// What is expected.
    pub expected: Expected,
}

/// What is expected of a case. What is not said is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The guardrails that decide: these and no others.
    pub by: Option<BTreeSet<String>>,
    /// The code of the denial.
    pub code: Option<String>,
    /// Whether a review is owed.
    pub review: Option<bool>,
    /// How long the window is.
    pub length: Option<SignedDuration>,
}

/// What came of a case.
#[derive(Debug)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// How the decision differs from what is expected; nothing, if the case passed.
    pub differences: Vec<String>,
    /// The guardrails that decided.
    pub decisive: Vec<GuardrailId>,
}

/// What came of all cases.
#[derive(Debug)]
pub struct Results {
    /// Each case, in the order of files.
    pub cases: Vec<CaseResult>,
    /// The guardrails that decided no case: id and place.
    pub never_decisive: Vec<(GuardrailId, String)>,
    /// How many guardrails there are.
    pub guardrails: usize,
}

impl Results {
    /// Whether every case passed.
    #[must_use]
    pub fn all_passed(&self) -> bool {
        self.cases.iter().all(|case| case.differences.is_empty())
    }
}

/// Runs the cases of a folder.
///
/// # Errors
/// [`Unusable`], if a file can't be read or is no case. None at all is an error too: nothing would be tested.
pub fn run(rulebook: &Rulebook, folder: &Path) -> Result<Results, Unusable> {
    let cases = read(rulebook, folder)?;
    if cases.is_empty() {
        let message =
            "there is no case (`*.toml`, `*.json`) in this folder; see docs/check.md for how one looks";
        return Err(Unusable::input(folder, message));
    }
    let results: Vec<CaseResult> = cases.into_iter().map(|case| judge(rulebook, case)).collect();
    let decisive: BTreeSet<&GuardrailId> = results.iter().flat_map(|result| &result.decisive).collect();
    let never_decisive = rulebook
        .guardrails
        .guardrails()
        .filter(|one| !decisive.contains(one.id()))
        .map(|one: &Guardrail| (one.id().clone(), rulebook.guardrail_at(one.place())))
        .collect();
    Ok(Results { never_decisive, guardrails: rulebook.guardrails.guardrails().count(), cases: results })
}

fn judge(rulebook: &Rulebook, case: Case) -> CaseResult {
    let answer = ask(rulebook, &case.question);
    CaseResult {
        name: case.name,
        differences: case.expected.differences(&answer),
        decisive: answer.decisive().to_vec(),
    }
}

impl Expected {
    fn differences(&self, answer: &Answer) -> Vec<String> {
        let mut found = Vec::new();
        match (&answer.verdict, self.allowed) {
            (Ok(permit), false) => {
                found.push(format!("expected denied, but it is allowed by {}", listed(&permit.permitted_by)));
            }
            (Err(denial), true) => found.push(format!("expected allowed, but it is denied: {denial}")),
            // No guardrail decides these, so `by` can't name them.
            (Err(denial), false) if self.code.is_none() && may_be_a_slip(denial.code) => {
                let code = denial.code;
                found.push(format!(
                    "denied only because {}: correct it, or expect it with `code = \"{code}\"`",
                    denial.reason
                ));
            }
            (Ok(_), true) | (Err(_), false) => {}
        }
        if let Some(by) = &self.by {
            let decisive: BTreeSet<String> = answer.decisive().iter().map(ToString::to_string).collect();
            if decisive != *by {
                found.push(format!("expected by {}, but it is by {}", listed(by), listed(&decisive)));
            }
        }
        if let Some(code) = &self.code {
            let is = answer.verdict.as_ref().err().map(|denial| denial.code.as_str());
            if is != Some(code) {
                found.push(format!(
                    "expected code `{code}`, but it is {}",
                    is.map_or("none".to_owned(), quoted)
                ));
            }
        }
        if let Some(review) = self.review {
            let owed = answer.verdict.as_ref().is_ok_and(|permit| permit.review.is_some());
            if owed != review {
                let say = |owed: bool| if owed { "a review owed" } else { "no review owed" };
                found.push(format!("expected {}, but there is {}", say(review), say(owed)));
            }
        }
        if let Some(length) = self.length {
            let is = answer.plan.as_ref().map(|plan| plan.window.length());
            if is != Some(length) {
                let told = is.map_or("no window".to_owned(), seconds_in_words);
                found.push(format!("expected a window of {}, but it is {told}", seconds_in_words(length)));
            }
        }
        found
    }
}

/// Whether a request is denied for a name that the catalog does not have: a case with a slip in a name would pass
/// whatever the rules say.
fn may_be_a_slip(code: DenialCode) -> bool {
    matches!(
        code,
        DenialCode::UnknownTenant
            | DenialCode::UnknownRole
            | DenialCode::UnknownPerson
            | DenialCode::UnknownApprover
    )
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.to_string())).collect();
    if names.is_empty() { "no guardrail".to_owned() } else { names.join(", ") }
}
