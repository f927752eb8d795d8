//! Guardrails in Cedar: who may have what, as policies that are reviewed, checked and tested before they are live.
//!
//! [`CedarGuardrails::parse`] takes the texts of the policies and refuses whatever is not sound, with file, line and
//! column. What is left judges plans (it is [`curfew_app::guard::Guardrails`]) and explains its judgements. A policy
//! that can't be evaluated is a denial, whatever the others say. The same policies, catalog and plan give the same
//! judgement anywhere: nothing here reads a file, a clock or a ledger.

mod check;
mod clauses;
mod denial;
mod explain;
mod facts;
mod guardrail;
mod judge;
mod literals;
mod prelude;
mod schema;
mod slice;
mod statements;

pub use clauses::Clauses;
pub use explain::{Condition, Considered, Explanation, Outcome};
pub use guardrail::{Effect, Guardrail, Mentions, Resource, Scope, Who};
pub use judge::CedarGuardrails;
pub use schema::SCHEMA;

/// One file of guardrails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardrailFile {
    /// Its name, as findings shall show it.
    pub name: String,
    /// Its text, Cedar policies.
    pub text: String,
}
