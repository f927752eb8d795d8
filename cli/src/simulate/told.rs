//! Answers, told: for people in lines, for programs as JSON.

use std::fmt::{self, Write as _};

use curfew_domain::decision::{Denial, Permit, Plan, PlannedAccess};
use curfew_domain::document::quota;
use curfew_domain::window::whole_minute_up;
use curfew_guard::{Considered, Effect, Outcome};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Answer;
use crate::rulebook::Rulebook;

/// An answer for people.
#[must_use]
pub fn in_words(rulebook: &Rulebook, answer: &Answer) -> String {
    let mut out = String::new();
    // Writing into a string can't fail.
    let _ = match &answer.verdict {
        Ok(permit) => allowed(&mut out, rulebook, answer, permit),
        Err(denial) => denied(&mut out, rulebook, answer, denial),
    };
    out.trim_end().to_owned()
}

/// A length of time, like `1h 30m`.
#[must_use]
pub fn seconds_in_words(length: SignedDuration) -> String {
    format!("{length:#}")
}

fn allowed(out: &mut String, rulebook: &Rulebook, answer: &Answer, permit: &Permit) -> fmt::Result {
    let request = &answer.request;
    writeln!(
        out,
        "allowed: `{}` gets role `{}` in tenant `{}`",
        request.requester, request.role, request.tenant
    )?;
    for id in &permit.permitted_by {
        let at = rulebook.guardrails.guardrail(id).map(|one| rulebook.guardrail_at(one.place()));
        writeln!(out, "  by         guardrail `{id}` ({})", at.unwrap_or_default())?;
    }
    if let Some(plan) = &answer.plan {
        writeln!(out, "  to         {}", plan.principal)?;
        let window = plan.window;
        let length = seconds_in_words(window.length());
        writeln!(out, "  from       {} until {} ({length})", window.starts_at(), window.expires_at())?;
        writeln!(out, "  timer      {}", whole_minute_up(window.expires_at()))?;
        if !plan.approvers.is_empty() {
            let approvers: Vec<&str> = plan.approvers.iter().map(|email| email.as_str()).collect();
            writeln!(out, "  approved   by {}", approvers.join(", "))?;
        }
    }
    match &permit.review {
        Some(why) => writeln!(out, "  review     owed afterwards: {why}")?,
        None => writeln!(out, "  review     none is owed")?,
    }
    if let Some(plan) = &answer.plan {
        attached(out, plan)?;
    }
    Ok(())
}

fn attached(out: &mut String, plan: &Plan) -> fmt::Result {
    let id = plan.grant_id(0);
    match &plan.planned {
        PlannedAccess::Managed { policy_arn } => writeln!(out, "  attached   managed policy {policy_arn}"),
        PlannedAccess::Inline { document } => {
            let (size, room) = (document.chars().count(), quota(plan.principal.kind()));
            writeln!(out, "  attached   inline policy {} ({size} of {room} characters):", id.object_name())?;
            let pretty = serde_json::from_str::<Value>(document)
                .and_then(|document| serde_json::to_string_pretty(&document))
                .unwrap_or_else(|_| document.clone());
            writeln!(out, "{pretty}")
        }
    }
}

fn denied(out: &mut String, rulebook: &Rulebook, answer: &Answer, denial: &Denial) -> fmt::Result {
    let request = &answer.request;
    writeln!(
        out,
        "denied: `{}` does not get role `{}` in tenant `{}`",
        request.requester, request.role, request.tenant
    )?;
    writeln!(out, "  code       {}", denial.code)?;
    writeln!(out, "  because    {}", denial.reason)?;
    writeln!(out, "  remedy     {}", denial.remedy)?;
    for id in &denial.guardrails {
        let at = rulebook.guardrails.guardrail(id).map(|one| rulebook.guardrail_at(one.place()));
        writeln!(out, "  by         guardrail `{id}` ({})", at.unwrap_or_default())?;
    }
    let in_the_way: Vec<&Considered> = in_the_way(&answer.considered).collect();
    if !in_the_way.is_empty() {
        writeln!(out, "what would have to change:")?;
    }
    for one in in_the_way {
        obstacle(out, rulebook, one)?;
    }
    Ok(())
}

/// What keeps the request from being allowed: all that forbid it; and if none permits it, those that would.
fn in_the_way(considered: &[Considered]) -> impl Iterator<Item = &Considered> {
    let applies = |one: &Considered| one.outcome == Outcome::Applies;
    let permitted = considered.iter().any(|one| one.effect == Effect::Permit && applies(one));
    considered.iter().filter(move |one| match (one.effect, &one.outcome) {
        (_, Outcome::Failed(_)) | (Effect::Forbid, Outcome::Applies) => true,
        (Effect::Permit, Outcome::Silent) => !permitted,
        (Effect::Permit, Outcome::Applies) | (Effect::Forbid, Outcome::Silent) => false,
    })
}

fn obstacle(out: &mut String, rulebook: &Rulebook, one: &Considered) -> fmt::Result {
    let (id, at) = (&one.id, rulebook.guardrail_at(&one.place));
    match (one.effect, &one.outcome) {
        (_, Outcome::Failed(why)) => {
            return writeln!(out, "  guardrail `{id}` ({at}) can't be evaluated: {why}");
        }
        (Effect::Forbid, _) if one.conditions.is_empty() => {
            return writeln!(out, "  guardrail `{id}` ({at}) forbids it, whatever the request says");
        }
        (Effect::Forbid, _) => {
            writeln!(out, "  guardrail `{id}` ({at}) forbids it; one of these must no longer hold:")?;
        }
        (Effect::Permit, _) => writeln!(out, "  guardrail `{id}` ({at}) would permit it, if these held:")?,
    }
    for condition in &one.conditions {
        let is_wanted = match one.effect {
            Effect::Forbid => true,
            // What holds already need not change.
            Effect::Permit => condition.holds != Some(true),
        };
        if is_wanted {
            writeln!(out, "    {}", condition.text)?;
        }
    }
    Ok(())
}

/// An answer for programs.
#[must_use]
pub fn to_json(rulebook: &Rulebook, answer: &Answer) -> Value {
    let request = &answer.request;
    let mut told = json!({
        "decision": if answer.verdict.is_ok() { "allowed" } else { "denied" },
        "requester": request.requester,
        "tenant": request.tenant,
        "role": request.role,
        "basis": request.basis.name(),
        "by": answer.decisive(),
        "catalog_digest": rulebook.catalog.digest(),
        "guardrails_digest": rulebook.guardrails.digest(),
        "guardrails": answer.considered.iter().map(|one| considered(rulebook, one)).collect::<Vec<_>>(),
    });
    let mut set = |name: &str, value: Value| {
        if let Some(fields) = told.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    match &answer.verdict {
        Ok(permit) => set("review", json!(permit.review)),
        Err(denial) => {
            set("code", json!(denial.code));
            set("reason", json!(denial.reason));
            set("remedy", json!(denial.remedy));
        }
    }
    // What a denied request would attach is nobody's business to copy.
    if let (Some(plan), Ok(_)) = (&answer.plan, &answer.verdict) {
        let window = plan.window;
        set(
            "window",
            json!({
                "starts_at": window.starts_at(),
                "expires_at": window.expires_at(),
                "seconds": window.length().as_secs(),
            }),
        );
        set("timer_at", json!(whole_minute_up(window.expires_at())));
        set("approvers", json!(plan.approvers));
        set("grant_id", json!(plan.grant_id(0)));
        set("attached", attachment(plan));
    }
    told
}

fn attachment(plan: &Plan) -> Value {
    let principal = plan.principal.arn();
    match &plan.planned {
        PlannedAccess::Managed { policy_arn } => json!({ "principal": principal, "policy_arn": policy_arn }),
        PlannedAccess::Inline { document } => json!({
            "principal": principal,
            "policy_name": plan.grant_id(0).object_name(),
            "document": serde_json::from_str::<Value>(document).unwrap_or_default(),
            "characters": document.chars().count(),
            "quota": quota(plan.principal.kind()),
        }),
    }
}

fn considered(rulebook: &Rulebook, one: &Considered) -> Value {
    let (outcome, error) = match &one.outcome {
        Outcome::Applies => ("applies", None),
        Outcome::Silent => ("silent", None),
        Outcome::Failed(why) => ("failed", Some(why)),
    };
    let conditions: Vec<Value> = one
        .conditions
        .iter()
        .map(|condition| json!({ "text": condition.text, "holds": condition.holds }))
        .collect();
    json!({
        "id": one.id,
        "effect": one.effect.as_str(),
        "file": rulebook.folders.guardrails.join(&*one.place.file),
        "line": one.place.line,
        "outcome": outcome,
        "error": error,
        "reason": one.reason,
        "remedy": one.remedy,
        "conditions": conditions,
    })
}
