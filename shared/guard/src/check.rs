//! Checking guardrails: every mistake with its file, line and column, and nothing left to be found out by a request.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use curfew_domain::catalog::{Finding, Findings, Place, Severity};
use curfew_domain::ids::GuardrailId;
use miette::Diagnostic;

use crate::GuardrailFile;
use crate::guardrail::{Effect, Guardrail};
use crate::literals;
use crate::statements::Source;

/// The annotations that mean something.
const KNOWN: [&str; 4] = ["id", "reason", "remedy", "review"];

/// Reads and checks files, in the order they are in.
pub(crate) fn check(
    files: &[&GuardrailFile],
    validator: &Validator,
) -> Result<(Vec<Guardrail>, Vec<Finding>), Findings> {
    let mut report = Vec::new();
    let mut checked: Vec<Guardrail> = Vec::new();
    let nowhere = Source::new("guardrails", "").place(0);
    if files.is_empty() {
        let remedy = "add one with the ending `.cedar`: without any, nobody gets anything";
        report.push(nowhere.finding(Severity::Error, "there is no file of guardrails", remedy));
    }
    let mut first: BTreeMap<GuardrailId, Place> = BTreeMap::new();
    let mut is_read = true;
    for file in files {
        let source = Source::new(&file.name, &file.text);
        let Some(policies) = read(file, &source, &mut report) else {
            is_read = false;
            continue;
        };
        validate(&policies, validator, &source, &mut report);
        for (place, policy) in in_order(&policies, &source, &mut report) {
            let Some(guardrail) = guardrail(&policy, place.clone(), &mut report) else { continue };
            if let Some(other) = first.get(&guardrail.id) {
                let message = format!("guardrail `{}` is defined already, at {other}", guardrail.id);
                report.push(place.finding(Severity::Error, message, "give it an `@id` of its own"));
                continue;
            }
            first.insert(guardrail.id.clone(), place);
            checked.push(guardrail);
        }
    }
    if is_read && !files.is_empty() && !checked.iter().any(|one| one.effect == Effect::Permit) {
        let place = files.first().map_or(nowhere, |file| Source::new(&file.name, "").place(0));
        let remedy = "add a policy that permits: what none permits is denied";
        report.push(place.finding(Severity::Warning, "no guardrail permits anything", remedy));
    }
    Findings::unless_fatal(report).map(|warnings| (checked, warnings))
}

fn read(file: &GuardrailFile, source: &Source<'_>, report: &mut Vec<Finding>) -> Option<PolicySet> {
    match file.text.parse::<PolicySet>() {
        Ok(policies) => Some(policies),
        Err(errors) => {
            for error in errors.iter() {
                let remedy = help(error, "see https://docs.cedarpolicy.com/policies/syntax-grammar.html");
                let message = format!("not a Cedar policy: {error}");
                report.push(source.place(offset(error)).finding(Severity::Error, message, remedy));
            }
            None
        }
    }
}

fn offset(error: &dyn Diagnostic) -> usize {
    let first = error.labels().and_then(|mut labels| labels.next());
    first.map_or(0, |label| label.offset())
}

fn help(error: &dyn Diagnostic, otherwise: &str) -> String {
    error.help().map_or_else(|| otherwise.to_owned(), |help| help.to_string())
}

fn validate(policies: &PolicySet, validator: &Validator, source: &Source<'_>, report: &mut Vec<Finding>) {
    const SCHEMA: &str = "the schema says what there is: docs/guardrails.md";
    let starts = source.statements();
    let start =
        |policy: &PolicyId| number(policy).and_then(|number| starts.get(number)).copied().unwrap_or(0);
    let result = validator.validate(policies, ValidationMode::Strict);
    // Cedar's messages name the policy by a number; its place says more.
    let words = |error: &dyn std::fmt::Display, policy: &PolicyId| {
        let text = error.to_string();
        let number = format!("for policy `{policy}`, ");
        text.strip_prefix(&number).map(ToOwned::to_owned).unwrap_or(text)
    };
    for error in result.validation_errors() {
        let label = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
        let place = source.place(label.unwrap_or_else(|| start(error.policy_id())));
        let message = words(error, error.policy_id());
        report.push(place.finding(Severity::Error, message, help(error, SCHEMA)));
    }
    for warning in result.validation_warnings() {
        let label = warning.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
        let place = source.place(label.unwrap_or_else(|| start(warning.policy_id())));
        let message = words(warning, warning.policy_id());
        report.push(place.finding(
            Severity::Warning,
            message,
            help(warning, "correct it, or remove the policy"),
        ));
    }
}

/// Cedar numbers the policies of a text from `policy0`.
fn number(id: &PolicyId) -> Option<usize> {
    let text: &str = id.as_ref();
    text.strip_prefix("policy")?.parse().ok()
}

/// The policies of a file in the order they stand in, each with its place. Templates are refused.
fn in_order(policies: &PolicySet, source: &Source<'_>, report: &mut Vec<Finding>) -> Vec<(Place, Policy)> {
    let starts = source.statements();
    let place =
        |id: &PolicyId| source.place(number(id).and_then(|number| starts.get(number)).copied().unwrap_or(0));
    for template in policies.templates() {
        let message = "this is a template (`?principal`, `?resource`), and nothing would ever fill it in";
        let remedy = "write the group, person, tenant or role";
        report.push(place(template.id()).finding(Severity::Error, message, remedy));
    }
    let mut found: Vec<(usize, Policy)> = policies
        .policies()
        .map(|policy| (number(policy.id()).unwrap_or(usize::MAX), policy.clone()))
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, policy)| (place(policy.id()), policy)).collect()
}

fn guardrail(policy: &Policy, place: Place, report: &mut Vec<Finding>) -> Option<Guardrail> {
    let effect = match policy.effect() {
        cedar_policy::Effect::Permit => Effect::Permit,
        cedar_policy::Effect::Forbid => Effect::Forbid,
    };
    let mut error =
        |message: String, remedy: &str| report.push(place.finding(Severity::Error, message, remedy));
    let mut unknown: Vec<&str> =
        policy.annotations().map(|(name, _)| name).filter(|name| !KNOWN.contains(name)).collect();
    unknown.sort_unstable();
    for name in unknown {
        let remedy =
            "the annotations are `@id`, `@reason`, `@remedy` and `@review`; for notes there are comments";
        error(format!("annotation `@{name}` means nothing"), remedy);
    }
    let mut text = |name: &str| {
        let text = policy.annotation(name)?.trim();
        if text.is_empty() {
            error(format!("annotation `@{name}` says nothing"), "give it a text in parentheses and quotes");
        }
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    let (id, reason, remedy, review) = (text("id"), text("reason"), text("remedy"), text("review"));
    if effect == Effect::Forbid && policy.annotation("reason").is_none() {
        error(
            "a guardrail that forbids has no `@reason`".to_owned(),
            "add @reason(\"…\"): whoever is denied by it is told that",
        );
    }
    if effect == Effect::Forbid && review.is_some() {
        error("`@review` is on a guardrail that forbids".to_owned(), "put it on the guardrail that permits");
    }
    let id = match id.map(GuardrailId::new) {
        Some(Ok(id)) => Some(id),
        Some(Err(bad)) => {
            error(bad.to_string(), "write @id(\"like-this\")");
            None
        }
        None if policy.annotation("id").is_some() => None,
        None => {
            error("a policy has no `@id`".to_owned(), "add @id(\"a-name\"): denials and events name it");
            None
        }
    };
    if effect == Effect::Forbid && policy.annotation("remedy").is_none() {
        let message = "a guardrail that forbids has no `@remedy`";
        let remedy = "add @remedy(\"…\"): what somebody can do who is denied by it";
        report.push(place.finding(Severity::Warning, message, remedy));
    }
    let id = id?;
    let policy = policy.new_id(PolicyId::new(id.as_str()));
    Some(Guardrail {
        id,
        effect,
        place,
        reason,
        remedy,
        review,
        scope: literals::scope(&policy),
        names: literals::names(&policy),
        policy,
        mentions: OnceLock::new(),
    })
}
