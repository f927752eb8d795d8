//! Dry runs: what the function would decide about a request, and why, by the same code.
//!
//! [`Question`] is a request under circumstances that a webhook alone does not tell (when it comes, what the requester
//! holds); [`ask`] puts it to the catalog and then to the guardrails, as opening a grant does. Nothing is opened: what
//! the ledger or AWS would say to it (a closed ticket, another grant on it, a quota) is not known here.

mod given;
mod question;
mod told;

use curfew_app::guard::{Case, Guardrails as _};
use curfew_domain::decision::{Current, DecisionFacts, Denial, Permit, Plan, decide, decide_change};
use curfew_domain::ids::GuardrailId;
use curfew_domain::request::AccessRequest;
use curfew_guard::Considered;
use jiff::Timestamp;

use crate::rulebook::Rulebook;

pub use given::{account, held, offered, sender_kind, time};
pub use question::{Circumstances, Question};
pub use told::{in_words, seconds_in_words, to_json};

/// What a question comes to.
#[derive(Debug)]
pub struct Answer {
    /// The request, everybody by their main address.
    pub request: AccessRequest,
    /// What would be done. None, if the catalog alone denies it: then no guardrail was asked.
    pub plan: Option<Plan>,
    /// What is decided.
    pub verdict: Result<Permit, Denial>,
    /// The guardrails that are about the request, in the order of files and lines.
    pub considered: Vec<Considered>,
}

impl Answer {
    /// The guardrails that decided: those that permit it; or those that forbid it or failed.
    #[must_use]
    pub fn decisive(&self) -> &[GuardrailId] {
        match &self.verdict {
            Ok(permit) => &permit.permitted_by,
            Err(denial) => &denial.guardrails,
        }
    }
}

/// Decides as the function does, without the words: for whoever asks thousands of questions.
///
/// # Errors
/// [`Denial`], by the catalog or by the guardrails.
pub fn judge(rulebook: &Rulebook, question: &Question) -> Result<(Plan, Permit), Denial> {
    let request = rulebook.catalog.with_main_addresses(question.request.clone());
    let plan = plan(rulebook, question, &request)?;
    let permit = rulebook.guardrails.judge(&case(rulebook, question, &plan), &question.held)?;
    Ok((plan, permit))
}

/// Decides as the function does, and explains it.
#[must_use]
pub fn ask(rulebook: &Rulebook, question: &Question) -> Answer {
    let request = rulebook.catalog.with_main_addresses(question.request.clone());
    match plan(rulebook, question, &request) {
        Err(denial) => Answer { request, plan: None, verdict: Err(denial), considered: Vec::new() },
        Ok(plan) => {
            let explanation = rulebook.guardrails.explain(&case(rulebook, question, &plan), &question.held);
            Answer {
                request,
                plan: Some(plan),
                verdict: explanation.judgement,
                considered: explanation.considered,
            }
        }
    }
}

fn plan(rulebook: &Rulebook, question: &Question, request: &AccessRequest) -> Result<Plan, Denial> {
    // Curfew is taken to run in the tenant's own account, unless it was said where it runs.
    let tenant = rulebook.catalog.tenant(&request.tenant);
    let own_account =
        question.own_account.clone().or_else(|| tenant.map(|tenant| tenant.account().to_owned()));
    let facts = DecisionFacts { now: question.now, own_account: own_account.unwrap_or_default() };
    match question.current {
        None => decide(&rulebook.catalog, request, &facts),
        Some(window) => {
            // Every approval of the request counts as given for it: simulate knows no earlier ones.
            let current = Current { window, approved_at: Timestamp::MIN };
            decide_change(&rulebook.catalog, request, &facts, current)
        }
    }
}

fn case<'a>(rulebook: &'a Rulebook, question: &Question, plan: &'a Plan) -> Case<'a> {
    Case { catalog: &rulebook.catalog, plan, now: question.now, current: question.current }
}
