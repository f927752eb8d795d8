//! Explaining a judgement: every guardrail that is about the case, and which of its conditions hold.
//!
//! For people in front of `curfew simulate`: takes its time, where judging must not.

use cedar_policy::{Policy, PolicyId, PolicySet};
use curfew_app::guard::{Case, Guardrails as _, HeldRole};
use curfew_domain::catalog::Place;
use curfew_domain::decision::{Denial, Permit};
use curfew_domain::ids::GuardrailId;
use serde_json::{Value, json};

use crate::facts::{Question, Subject};
use crate::guardrail::Effect;
use crate::judge::{Answers, CedarGuardrails};
use crate::prelude::{apart, operator};

/// A judgement, with what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The same as [`curfew_app::guard::Guardrails::judge`] says.
    pub judgement: Result<Permit, Denial>,
    /// The guardrails whose scope fits the case, in the order of files and lines.
    pub considered: Vec<Considered>,
}

/// A guardrail that is about the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Which.
    pub id: GuardrailId,
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// Where it stands.
    pub place: Place,
    /// What it comes to in this case.
    pub outcome: Outcome,
    /// Its `@reason`.
    pub reason: Option<String>,
    /// Its `@remedy`.
    pub remedy: Option<String>,
    /// Its conditions, in order. To have one that is silent permit, all of them must hold; to have one that
    /// forbids be silent, one of them must not.
    pub conditions: Vec<Condition>,
}

/// What a guardrail comes to in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All its conditions hold: it permits or forbids.
    Applies,
    /// One of its conditions does not hold.
    Silent,
    /// It could not be evaluated, and so denies. Why, in Cedar's words.
    Failed(String),
}

/// One of a guardrail's conditions: `when` and `unless`, taken apart at their outermost `&&` and `||`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// As Cedar writes it.
    pub text: String,
    /// Whether it holds; `None` if it can't be evaluated on its own.
    pub holds: Option<bool>,
}

pub(crate) fn explain(guardrails: &CedarGuardrails, case: &Case<'_>, held: &[HeldRole]) -> Explanation {
    let judgement = guardrails.judge(case, held);
    let considered = Subject::new(case).and_then(|subject| {
        let slice = guardrails.slice(&subject);
        let question = guardrails.question(&subject, held, &slice)?;
        let mut members: Vec<usize> =
            slice.iter().flat_map(|bucket| bucket.members.iter().copied()).collect();
        members.sort_unstable();
        let answers = guardrails.answers(&question, &slice);
        Ok(members
            .into_iter()
            .filter_map(|number| consider(guardrails, number, &question, &answers))
            .collect())
    });
    Explanation { judgement, considered: considered.unwrap_or_default() }
}

fn consider(
    guardrails: &CedarGuardrails,
    number: usize,
    question: &Question,
    answers: &Answers,
) -> Option<Considered> {
    let guardrail = guardrails.numbered(number)?;
    let policy = &guardrail.policy;
    let failed = answers.failing.iter().find(|(failing, _)| *failing == number);
    let outcome = match failed {
        Some((_, why)) => Outcome::Failed(why.clone()),
        None if holds(guardrails, policy.clone(), question)? => Outcome::Applies,
        None => Outcome::Silent,
    };
    Some(Considered {
        id: guardrail.id.clone(),
        effect: guardrail.effect,
        place: guardrail.place.clone(),
        outcome,
        reason: guardrail.reason.clone(),
        remedy: guardrail.remedy.clone(),
        conditions: conditions(guardrails, policy, question),
    })
}

/// Whether a policy applies, whatever its effect. `None` if it can't be evaluated.
fn holds(guardrails: &CedarGuardrails, policy: Policy, question: &Question) -> Option<bool> {
    let alone = PolicySet::from_policies([policy]).ok()?;
    let response = guardrails.authorizer().is_authorized(&question.request, &alone, &question.entities);
    let diagnostics = response.diagnostics();
    if diagnostics.errors().next().is_some() { None } else { Some(diagnostics.reason().next().is_some()) }
}

fn conditions(guardrails: &CedarGuardrails, policy: &Policy, question: &Question) -> Vec<Condition> {
    let Ok(tree) = policy.to_json() else { return Vec::new() };
    let mut found = Vec::new();
    for clause in tree.get("conditions").and_then(Value::as_array).into_iter().flatten() {
        let (Some(kind), Some(body)) = (clause.get("kind").and_then(Value::as_str), clause.get("body"))
        else {
            continue;
        };
        // All of `when { a && b }` must hold, and none of `unless { a || b }`.
        let parts = apart(body, operator(kind));
        found.extend(parts.into_iter().filter_map(|part| condition(guardrails, kind, part, question)));
    }
    found
}

/// One condition, evaluated as a policy of its own.
fn condition(
    guardrails: &CedarGuardrails,
    kind: &str,
    body: &Value,
    question: &Question,
) -> Option<Condition> {
    let text = written(body)?;
    let text = if kind == "when" { text } else { format!("not ({text})") };
    Some(Condition { text, holds: holds(guardrails, policy_of(kind, body)?, question) })
}

fn policy_of(kind: &str, body: &Value) -> Option<Policy> {
    let tree = json!({
        "effect": "permit",
        "principal": { "op": "All" },
        "action": { "op": "All" },
        "resource": { "op": "All" },
        "conditions": [{ "kind": kind, "body": body }],
    });
    Policy::from_json(Some(PolicyId::new("condition")), tree).ok()
}

/// An expression as Cedar writes it. Cedar itself turns `a > b` into `!(a <= b)`, and would print that.
fn written(expression: &Value) -> Option<String> {
    for operator in [">", ">=", "!="] {
        let Some(operands) = expression.get(operator) else { continue };
        let (left, right) = (operands.get("left")?, operands.get("right")?);
        return Some(format!("{} {operator} {}", written(left)?, written(right)?));
    }
    let text = policy_of("when", expression)?.to_cedar()?;
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    let inner = text.get(start.saturating_add(1)..end)?;
    Some(inner.split_whitespace().collect::<Vec<_>>().join(" "))
}
