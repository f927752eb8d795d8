//! The columns: what each says, and which requirements it is evidence for.
//!
//! A reference is given where the column itself shows what the requirement asks for, for the grants in the report and for
//! nothing else; not where a requirement is merely near. What none of them shows is said in `docs/reports.md`. The requirements:
//!
//! - SOC 2: Trust Services Criteria (AICPA TSP 100), CC6.1 to CC6.3
//! - PCI DSS 4.0.1: 7.2.2, 7.2.3, 7.2.4, 7.3.3, 8.2.1, 10.2.1.5, 10.2.2
//! - ISO/IEC 27001:2022, Annex A: 5.3, 5.15, 5.18, 8.2, 8.15
//! - HIPAA Security Rule: 45 CFR 164.312 (<https://www.ecfr.gov/current/title-45/section-164.312>)

use curfew_domain::effect::Found;
use curfew_domain::event::{Decided, DriftResponse};
use curfew_domain::request::Approval;
use curfew_domain::window::Window;
use serde::Serialize;

use super::DenialRow;
use super::access::{Eligibility, Held};
use super::grant::{Change, Confirmed, Direction, DriftSeen, Ending, GrantRow, RemovalMeasure, Span};
use super::plain::{or_empty, plain, yes};

/// One column of rows of kind `T`.
#[derive(Debug, Serialize)]
pub struct Column<T> {
    /// Its name in CSV.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Which requirements it is evidence for.
    pub evidence: &'static [&'static str],
    /// The cell of a row, as text.
    #[serde(skip)]
    pub cell: fn(&T) -> String,
}

/// All columns.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct All {
    /// Of grants.
    pub grants: &'static [Column<GrantRow>],
    /// Of denied requests.
    pub denials: &'static [Column<DenialRow>],
    /// Of who had what.
    pub held: &'static [Column<Held>],
    /// Of who could get what.
    pub eligible: &'static [Column<Eligibility>],
}

impl All {
    pub(super) const fn new() -> Self {
        Self { grants: GRANTS, denials: DENIALS, held: HELD, eligible: ELIGIBLE }
    }
}

macro_rules! columns {
    ($($name:literal, $title:literal, [$($evidence:literal),*], $says:literal, $cell:expr;)*) => {
        &[$(Column { name: $name, title: $title, says: $says, evidence: &[$($evidence),*], cell: $cell }),*]
    };
}

/// The columns of grants.
pub const GRANTS: &[Column<GrantRow>] = columns! {
    "grant_id", "Grant", [],
        "Its id; made of what was approved",
        |row| row.grant_id.to_string();
    "sampled", "In the sample", [],
        "Whether it was chosen to be looked at",
        |row| yes(row.sampled);
    "source", "Source", ["SOC 2 CC6.2", "ISO 27001 A.5.18"],
        "The system that the approval came from, proven by its signature",
        |row| row.source.clone();
    "ticket", "Ticket", ["SOC 2 CC6.2", "ISO 27001 A.5.18"],
        "The ticket in that system",
        |row| row.ticket.clone();
    "requester", "Requester", ["SOC 2 CC6.2", "PCI DSS 10.2.2", "HIPAA 164.312(a)(2)(i)"],
        "The one person who asked for the access and received it",
        |row| row.requester.clone();
    "principal", "Principal", ["PCI DSS 8.2.1", "HIPAA 164.312(a)(2)(i)"],
        "The IAM user or role, that person's alone, which received it",
        |row| row.principal.clone();
    "tenant", "Tenant", ["SOC 2 CC6.3", "PCI DSS 10.2.2"],
        "The account or environment it was for",
        |row| row.tenant.clone();
    "role", "Role", ["SOC 2 CC6.3", "PCI DSS 7.2.2", "ISO 27001 A.5.15"],
        "The role: a named set of permissions for a function",
        |row| row.role.clone();
    "privileged", "Privileged", ["ISO 27001 A.8.2"],
        "Whether the role is marked as privileged",
        |row| yes(row.privileged);
    "basis", "Basis", ["ISO 27001 A.8.2", "HIPAA 164.312(a)(2)(ii)"],
        "approvals, on-call or break-glass: the last two are emergencies",
        |row| or_empty(row.request.as_ref().map(|request| request.basis.name()));
    "justification", "Justification", ["SOC 2 CC6.2"],
        "Why, in the requester's words",
        |row| row.request.as_ref().map(|request| plain(&request.justification)).unwrap_or_default();
    "requested_at", "Requested and permitted",
        ["SOC 2 CC6.2", "ISO 27001 A.5.18", "ISO 27001 A.8.15", "HIPAA 164.312(b)"],
        "When the approved request arrived and was permitted; nothing was changed in AWS before",
        |row| or_empty(row.requested_at);
    "approvals", "Approvals", ["SOC 2 CC6.2", "PCI DSS 7.2.3", "ISO 27001 A.5.3", "ISO 27001 A.5.18"],
        "Who approved, and when. The requester's own approval does not count",
        |row| row.request.as_ref().map(|request| approvals(&request.approvals)).unwrap_or_default();
    "catalog_digest", "Catalog", ["SOC 2 CC6.1", "ISO 27001 A.5.15"],
        "SHA-256 of the catalog that decided",
        |row| row.decided.as_ref().map(|decided| decided.catalog_digest.clone()).unwrap_or_default();
    "guardrails_digest", "Guardrails", ["SOC 2 CC6.1", "ISO 27001 A.5.15"],
        "SHA-256 of the guardrails that decided",
        |row| row.decided.as_ref().map(|decided| decided.guardrails_digest.clone()).unwrap_or_default();
    "permitted_by", "Permitted by",
        ["SOC 2 CC6.1", "PCI DSS 7.3.3", "ISO 27001 A.5.15", "HIPAA 164.312(a)(1)"],
        "The guardrails that permitted it; without one it is denied",
        |row| row.decided.as_ref().map(permitted_by).unwrap_or_default();
    "access", "Access", ["SOC 2 CC6.3", "PCI DSS 10.2.2"],
        "What was attached",
        |row| row.access.as_deref().map(plain).unwrap_or_default();
    "document_sha256", "Policy document", ["HIPAA 164.312(c)(1)"],
        "SHA-256 of the policy document, if it was the grant's own",
        |row| row.document_sha256.clone().unwrap_or_default();
    "window_start", "Window from", ["ISO 27001 A.8.2"],
        "From when it was to hold",
        |row| or_empty(row.window.map(Window::starts_at));
    "window_end", "Window until", ["ISO 27001 A.8.2"],
        "Until when at first",
        |row| or_empty(row.window.map(Window::expires_at));
    "effective_at", "Effective",
        ["SOC 2 CC6.2", "PCI DSS 10.2.1.5", "ISO 27001 A.5.18", "ISO 27001 A.8.15", "HIPAA 164.312(b)"],
        "From when it held: AWS had confirmed it, and its window had begun; nothing, if it was removed before",
        |row| or_empty(row.effective_at);
    "attached_by", "AWS request that attached it", ["PCI DSS 10.2.1.5", "HIPAA 164.312(b)"],
        "To be found in CloudTrail",
        |row| row.attached_by.as_deref().map(plain).unwrap_or_default();
    "changes", "Changes", ["SOC 2 CC6.3", "PCI DSS 7.2.3", "ISO 27001 A.5.18"],
        "Each change of its end: when, by whom, on whose approval",
        |row| lines(row.changes.iter().map(change));
    "ended_at", "End begun", ["SOC 2 CC6.2", "ISO 27001 A.5.18", "ISO 27001 A.8.15"],
        "When its end began",
        |row| or_empty(row.ending.as_ref().map(|ending| ending.at));
    "ended_how", "Ended", ["SOC 2 CC6.3", "ISO 27001 A.5.18"],
        "expired: with its window; revoked: early; failed: it never took effect",
        |row| or_empty(row.removal.as_ref().map(|removal| removal.outcome));
    "ended_by", "Ended by", ["SOC 2 CC6.3", "PCI DSS 10.2.2", "ISO 27001 A.5.18"],
        "Who or what ended it, and why; and who asked for it once more after it had failed",
        ended_by;
    "removed_at", "Removed and proven",
        ["SOC 2 CC6.2", "SOC 2 CC6.3", "PCI DSS 10.2.1.5", "ISO 27001 A.5.18", "ISO 27001 A.8.2", "HIPAA 164.312(b)"],
        "When AWS confirmed that it was gone",
        |row| or_empty(row.removal.as_ref().map(|removal| removal.at));
    "removal_proof", "AWS's proof", ["SOC 2 CC6.3", "PCI DSS 10.2.1.5", "HIPAA 164.312(b)"],
        "What AWS answered, and the request, to be found in CloudTrail",
        |row| row.removal.as_ref().map(|removal| proof(removal.found, removal.aws_request_id.as_deref()))
            .unwrap_or_default();
    "removal_seconds", "Seconds to removal", ["SOC 2 CC6.3", "ISO 27001 A.5.18"],
        "From the window's end, or from when somebody asked for it, to AWS's proof",
        |row| or_empty(row.removal.as_ref().and_then(|removal| removal.seconds));
    "removal_counted_from", "Counted from", [],
        "Window's end, or asked",
        |row| or_empty(row.removal.as_ref().map(|removal| measure(removal.counted_from)));
    "removal_failures", "Removals not proven", ["SOC 2 CC6.3"],
        "How often AWS did not confirm the removal before it did",
        |row| row.removal_failures.to_string();
    "drift", "Changed by others", ["SOC 2 CC6.1", "HIPAA 164.312(c)(1)"],
        "What was found in AWS that Curfew had not done, what was to be done about it, and AWS's word that it was",
        |row| lines(row.drift.iter().map(drift));
    "review_owed", "Review owed", ["ISO 27001 A.8.2", "HIPAA 164.312(a)(2)(ii)"],
        "Since when somebody had to look at it afterwards, and why",
        |row| row.review.as_ref()
            .map(|review| because(&review.owed_since.to_string(), Some(&review.reason))).unwrap_or_default();
    "review_done", "Reviewed", ["ISO 27001 A.8.2", "HIPAA 164.312(a)(2)(ii)"],
        "When, by whom, and what they found; `open`, if nobody has",
        reviewed;
    "records", "Records", ["ISO 27001 A.8.15", "HIPAA 164.312(b)", "HIPAA 164.312(c)(1)"],
        "Which events of it the archive has: each is chained to the one before it, and sealed",
        |row| records(row);
};

/// The columns of denied requests.
pub const DENIALS: &[Column<DenialRow>] = columns! {
    "at", "Denied", ["ISO 27001 A.8.15", "HIPAA 164.312(b)"],
        "When",
        |row| row.denied.at.to_string();
    "source", "Source", [],
        "The system that its ticket is in; unless an operator asked, it came from there, proven by its signature",
        |row| row.denied.source.to_string();
    "ticket", "Ticket", [],
        "The ticket in that system",
        |row| row.denied.ticket.to_string();
    "requester", "Requester", ["PCI DSS 10.2.2"],
        "Whose access it was to be",
        |row| row.denied.requester.to_string();
    "asked_by", "Asked by", ["PCI DSS 10.2.2"],
        "The requester, by way of the source; or an operator who wanted to change the grant, as they named themselves",
        |row| match &row.denied.operator {
            Some(operator) => format!("operator {}", plain(operator.as_str())),
            None => row.denied.requester.to_string(),
        };
    "tenant", "Tenant", ["PCI DSS 10.2.2"],
        "For what",
        |row| row.denied.tenant.to_string();
    "role", "Role", ["SOC 2 CC6.3"],
        "For which role",
        |row| row.denied.role.to_string();
    "code", "Rule", ["SOC 2 CC6.1", "PCI DSS 7.3.3", "ISO 27001 A.5.15", "HIPAA 164.312(a)(1)"],
        "The rule that denied it",
        |row| plain(&row.denied.code);
    "reason", "Reason", ["SOC 2 CC6.1"],
        "Why, in words",
        |row| plain(&row.denied.reason);
    "guardrails", "Guardrails that denied it", ["SOC 2 CC6.1", "ISO 27001 A.5.15"],
        "If it was them",
        |row| join(row.denied.guardrails.iter());
    "catalog_digest", "Catalog", ["ISO 27001 A.5.15"],
        "SHA-256 of the catalog that decided",
        |row| plain(&row.denied.catalog_digest);
    "guardrails_digest", "Guardrails", ["ISO 27001 A.5.15"],
        "SHA-256 of the guardrails that decided",
        |row| plain(&row.denied.guardrails_digest);
    "record", "Record", ["ISO 27001 A.8.15", "HIPAA 164.312(b)"],
        "The record's id in the archive",
        |row| row.record.clone();
};

/// The columns of who had what.
pub const HELD: &[Column<Held>] = columns! {
    "person", "Person", ["PCI DSS 7.2.4", "ISO 27001 A.5.18"],
        "Who",
        |row| row.person.clone();
    "tenant", "Tenant", ["PCI DSS 7.2.4", "ISO 27001 A.5.18"],
        "Where",
        |row| row.tenant.clone();
    "role", "Role", ["SOC 2 CC6.3", "PCI DSS 7.2.4", "ISO 27001 A.5.18"],
        "What",
        |row| row.role.clone();
    "privileged", "Privileged", ["ISO 27001 A.8.2"],
        "Whether the role is marked as privileged",
        |row| yes(row.privileged);
    "grants", "Grants", [],
        "How many took effect",
        |row| row.grants.to_string();
    "seconds", "Seconds held", ["ISO 27001 A.8.2"],
        "In the period, all grants together",
        |row| row.seconds.to_string();
    "first", "First", [],
        "When the first of them took effect",
        |row| row.first.to_string();
    "last", "Last", [],
        "When the last of them did",
        |row| row.last.to_string();
    "emergencies", "Emergencies", ["HIPAA 164.312(a)(2)(ii)"],
        "How many rested on an emergency",
        |row| row.emergencies.to_string();
    "still_eligible", "Still eligible", ["SOC 2 CC6.3", "PCI DSS 7.2.4"],
        "Whether the catalog still lets them ask for it",
        |row| row.still_eligible.map(yes).unwrap_or_default();
};

/// The columns of who could get what.
pub const ELIGIBLE: &[Column<Eligibility>] = columns! {
    "person", "Person", ["SOC 2 CC6.1", "PCI DSS 7.2.4", "ISO 27001 A.5.18"],
        "Who",
        |row| row.person.to_string();
    "tenant", "Tenant", ["SOC 2 CC6.1", "PCI DSS 7.2.4", "ISO 27001 A.5.18"],
        "Where",
        |row| row.tenant.clone();
    "role", "Role", ["SOC 2 CC6.1", "SOC 2 CC6.3", "PCI DSS 7.2.4", "ISO 27001 A.5.18"],
        "What",
        |row| row.role.clone();
    "privileged", "Privileged", ["ISO 27001 A.8.2"],
        "Whether the role is marked as privileged",
        |row| yes(row.privileged);
    "via", "By group", ["SOC 2 CC6.3", "PCI DSS 7.2.2"],
        "The groups that make them eligible",
        |row| join(row.via.iter());
    "approvals", "Approvals", ["PCI DSS 7.2.3"],
        "Whose approvals it takes",
        |row| row.approvals.join(", ");
    "max_seconds", "Longest", ["ISO 27001 A.8.2"],
        "For how many seconds at most",
        |row| row.max_seconds.to_string();
    "principals", "Principals", [],
        "What would receive it",
        |row| row.principals.join(", ");
    "grants", "Grants in the period", ["SOC 2 CC6.3", "PCI DSS 7.2.4", "ISO 27001 A.5.18"],
        "How many took effect; 0: never used",
        |row| row.grants.to_string();
};

fn lines(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join("\n")
}

fn join<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn approvals(all: &[Approval]) -> String {
    lines(all.iter().map(|approval| format!("{} at {}", approval.approver, approval.at)))
}

fn permitted_by(decided: &Decided) -> String {
    join(decided.permitted_by.iter())
}

fn because(who: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) if !reason.is_empty() => format!("{}: {}", plain(who), plain(reason)),
        _ => plain(who),
    }
}

fn ended_by(row: &GrantRow) -> String {
    let by = |ending: &Ending| because(&ending.by, ending.reason.as_deref());
    let again =
        row.overruled.as_ref().map(|ending| format!("asked again at {} by {}", ending.at, by(ending)));
    lines(row.ending.as_ref().map(by).into_iter().chain(again))
}

fn change(change: &Change) -> String {
    let way = match change.direction {
        Direction::Extended => "extended",
        Direction::Shortened => "shortened",
    };
    let mut told =
        format!("{} {way} from {} to {} by {}", change.at, change.from, change.to, plain(&change.by));
    if !change.approvals.is_empty() {
        told.push_str(&format!(", approved by {}", approvals(&change.approvals).replace('\n', ", ")));
    }
    if let Some(reason) = &change.reason {
        told.push_str(&format!(": {}", plain(reason)));
    }
    told
}

fn proof(found: Found, request: Option<&str>) -> String {
    let found = match found {
        Found::Applied => "applied",
        Found::Deleted => "deleted",
        Found::Absent => "not there any more",
        Found::HeldByOthers => "stays for other grants that hold it",
    };
    request.map_or_else(|| found.to_owned(), |request| format!("{found}, request {}", plain(request)))
}

fn measure(measure: RemovalMeasure) -> &'static str {
    match measure {
        RemovalMeasure::WindowEnd => "window's end",
        RemovalMeasure::Asked => "asked",
    }
}

fn drift(seen: &DriftSeen) -> String {
    let done = match (seen.response, &seen.confirmed) {
        (_, Some(Confirmed { by_the_end: true, .. })) => "the grant was ended",
        (DriftResponse::Close, Some(_)) => "the grant was ended",
        (DriftResponse::Restore, Some(_)) => "it was put back",
        (DriftResponse::Remove, Some(_)) => "it was removed",
        (DriftResponse::Close, None) => "the grant is to be ended: not confirmed",
        (DriftResponse::Restore, None) => "it is to be put back: not confirmed",
        (DriftResponse::Remove, None) => "it is to be removed: not confirmed",
    };
    let told = format!("{} {}: {done}", seen.at, seen.drift);
    match &seen.confirmed {
        Some(Confirmed { at, found, aws_request_id, .. }) => {
            format!("{told} at {at} ({})", proof(*found, aws_request_id.as_deref()))
        }
        None => told,
    }
}

fn reviewed(row: &GrantRow) -> String {
    match row.review.as_ref().map(|review| &review.done) {
        Some(Some(done)) => format!("{} by {}", done.at, because(&done.by, Some(&done.note))),
        Some(None) if row.owes_review() => "open".to_owned(),
        Some(None) => "not owed: it never took effect".to_owned(),
        None => String::new(),
    }
}

fn records(row: &GrantRow) -> String {
    let Span { first, last, count, .. } = row.records;
    let whole = format!("{}#{first:06} to #{last:06}", row.grant_id);
    if row.records.is_missing_some() {
        format!("{whole}: {count} of {last}, the others are not in the archive")
    } else {
        whole
    }
}
