//! What Jira has on record: who approved a request and when, and what was edited since.
//!
//! Two questions, one after the other. The first is for the approvals
//! (<https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/#api-rest-servicedeskapi-request-issueidorkey-approval-get>).
//! The second is for the issue's history
//! (<https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/#api-rest-api-2-issue-issueidorkey-get>):
//! an approval holds for what the issue said when it was given. Whoever edits tenant, role, requester or a later end
//! into an approved issue has to have it approved again.
//!
//! Both look at the issue as it was when the event happened, so that a late delivery gets the answer of a timely one.

use curfew_domain::ids::shown;
use curfew_domain::request::{AccessRequest, Approval, WindowEnd};
use curfew_domain::window::whole_second;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::payload::unexpected;
use super::super::{Lookup, People, Reading};
use super::{has, notice};
use crate::json;
use crate::problems::{Malformed, Problems};

/// How many approvals one answer holds; nobody has more.
const PAGE: usize = 100;
/// What happened this long after the event still counts as having happened before it: Jira closes an approval, moves
/// the issue and composes the event in no order that it promises.
const AROUND_THE_EVENT: SignedDuration = SignedDuration::from_secs(60);

/// What an event claims, before anybody was asked.
pub(super) struct Claim {
    /// The request, without approvals.
    pub(super) request: AccessRequest,
    /// When the event happened.
    pub(super) happened_at: Timestamp,
    /// Whom to ask.
    pub(super) site: String,
    /// What must not have been edited since.
    pub(super) watched: Watched,
}

/// Edits that take an approval's force.
pub(super) struct Watched {
    /// The ids of the fields that say what access is for whom.
    pub(super) fields: Vec<String>,
    /// The id of the field with access's end, which may be brought forward.
    pub(super) end: Option<String>,
    /// The statuses that end what an issue justified.
    pub(super) closed: Vec<String>,
}

/// An approver's decision.
struct Decision {
    account: String,
    /// When its step of approval was completed.
    at: Timestamp,
    /// When it was given at the earliest: what was edited after that may not be what was approved.
    since: Timestamp,
}

impl Claim {
    /// Asks for the approvals.
    pub(super) fn approvals(self) -> Lookup {
        let key = self.request.ticket.as_str();
        let url = format!("{}/rest/servicedeskapi/request/{key}/approval?start=0&limit={PAGE}", self.site);
        let source = self.request.source.clone();
        Lookup::new(&source, url, move |answer, _| {
            let mut problems = Problems::default();
            let mut decisions = decisions(answer, &mut problems).ok_or_else(|| Malformed::from(problems))?;
            let latest = self.happened_at.saturating_add(AROUND_THE_EVENT).unwrap_or(Timestamp::MAX);
            decisions.retain(|decision| decision.at <= latest);
            if decisions.is_empty() {
                return Ok(notice(self.request));
            }
            Ok(Reading::Lookup(self.history(decisions)))
        })
    }

    /// Asks for the issue's history.
    fn history(self, decisions: Vec<Decision>) -> Lookup {
        let key = self.request.ticket.as_str();
        let url = format!("{}/rest/api/2/issue/{key}?fields=updated&expand=changelog", self.site);
        let source = self.request.source.clone();
        Lookup::new(&source, url, move |answer, people| {
            let mut problems = Problems::default();
            let edits = edits(answer, &mut problems).ok_or_else(|| Malformed::from(problems))?;
            Ok(notice(self.judged(decisions, &edits, people)))
        })
    }

    /// The request with the approvals that hold.
    fn judged(mut self, decisions: Vec<Decision>, edits: &[Edit], people: &dyn People) -> AccessRequest {
        let latest = self.happened_at.saturating_add(AROUND_THE_EVENT).unwrap_or(Timestamp::MAX);
        let end = match self.request.window.end {
            Some(WindowEnd::At(end)) => Some(end),
            _ => None,
        };
        for decision in decisions {
            // The event says what the issue said when it happened: a decision just after it is for that, or for nothing.
            let known = decision.since.min(self.happened_at);
            let since: Vec<&Edit> =
                edits.iter().filter(|edit| edit.at > known && edit.at <= latest).collect();
            let between = since.iter().filter(|edit| edit.at > self.happened_at && edit.at <= decision.at);
            let is_other_end = self.watched.ends(between.copied());
            if !is_other_end && self.watched.spares(&since, end) {
                let approver = people.address_of(&self.request.source, &decision.account);
                self.request.approvals.push(Approval { approver, at: whole_second(decision.at) });
            }
        }
        self.request
    }
}

impl Watched {
    /// Whether edits leave an approval that was given before them in force, for access that ends at `end`.
    fn spares(&self, edits: &[&Edit], end: Option<Timestamp>) -> bool {
        let mut items = edits.iter().flat_map(|edit| &edit.items);
        if items.clone().any(|item| self.matters(item)) {
            return false;
        }
        let Some(field) = &self.end else { return true };
        // What the end was when it was approved is what the first edit replaced.
        match items.find(|item| is_about(item, field)) {
            None => true,
            Some(item) => {
                let approved = item.get("from").and_then(Value::as_str).and_then(|text| text.parse().ok());
                matches!((end, approved.map(whole_second)), (Some(end), Some(approved)) if end <= approved)
            }
        }
    }

    /// Whether one of these edits changes the end of access.
    fn ends<'a>(&self, mut edits: impl Iterator<Item = &'a Edit>) -> bool {
        let Some(field) = &self.end else { return false };
        edits.any(|edit| edit.items.iter().any(|item| is_about(item, field)))
    }

    fn matters(&self, item: &Value) -> bool {
        // Old Jiras tell a custom field by its name alone, which does not say which field it is.
        let is_nameless = word(item, "fieldId").is_empty() && word(item, "fieldtype") == "custom";
        is_nameless
            || is_move(item)
            || (is_status(item) && has(&self.closed, to_name(item)))
            || self.fields.iter().any(|field| is_about(item, field))
    }
}

fn word<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an entry of a changelog is about the field with this id.
pub(super) fn is_about(item: &Value, id: &str) -> bool {
    match word(item, "fieldId") {
        // Fields of Jira's own are called by their ids.
        "" => word(item, "fieldtype") != "custom" && word(item, "field").eq_ignore_ascii_case(id),
        found => found == id,
    }
}

/// Whether an entry of a changelog is about the issue's status, and no field that is merely called so.
pub(super) fn is_status(item: &Value) -> bool {
    is_about(item, "status")
}

/// Whether an entry of a changelog says that the issue got another key.
pub(super) fn is_move(item: &Value) -> bool {
    word(item, "fieldtype") != "custom" && word(item, "field").eq_ignore_ascii_case("key")
}

/// What an entry of a changelog changed something to, in words.
pub(super) fn to_name(item: &Value) -> &str {
    word(item, "toString")
}

/// The decisions that approve: of approvals that came to an end as approved, and after the last that was declined.
fn decisions(answer: &str, problems: &mut Problems) -> Option<Vec<Decision>> {
    let page = object(answer, "approvals", problems)?;
    let Some(Value::Array(values)) = page.get("values") else {
        problems.add("/values", told("approvals", &unexpected("a list", page.get("values"))));
        return None;
    };
    if page.get("isLastPage").and_then(Value::as_bool) != Some(true) {
        let more = format!("more than {PAGE} approvals, or does not say that it has no more (`isLastPage`)");
        problems.add("/isLastPage", told("approvals", &format!("has {more}")));
        return None;
    }
    let mut found = Some(Vec::new());
    let mut declined_at = None;
    for (index, approval) in values.iter().enumerate() {
        let at = format!("/values/{index}");
        match word(approval, "finalDecision") {
            "approved" => {
                let approved = approvers(approval, &at, problems);
                found = found.zip(approved).map(|(mut found, approved)| {
                    found.extend(approved);
                    found
                });
            }
            "declined" => declined_at = declined_at.max(Some(completed_at(approval, &at, problems)?)),
            _ => {}
        }
    }
    let mut found = found?;
    found.retain(|decision| declined_at.is_none_or(|declined| decision.at > declined));
    Some(found)
}

/// Who approved, of those who were asked.
///
/// Jira tells no time for each of them, only when the step was created and when it was completed. The completion is
/// the time of a single one. Of several, all but the last decided before it, and nobody knows how long before:
/// each may have seen no more than what the issue said when the step was created.
fn approvers(approval: &Value, at: &str, problems: &mut Problems) -> Option<Vec<Decision>> {
    let completed_at = completed_at(approval, at, problems)?;
    let asked = approval.get("approvers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let approved = || asked.iter().enumerate().filter(|(_, one)| word(one, "approverDecision") == "approved");
    let since = if approved().count() > 1 {
        // Without it, there is no telling what they saw.
        let Some(created_at) = date(approval, "createdDate") else { return Some(Vec::new()) };
        created_at.min(completed_at)
    } else {
        completed_at
    };
    let mut decisions = Vec::new();
    for (index, one) in approved() {
        // Never the address: in a Jira of one's own, people may write what they like there.
        let approver = one.get("approver").unwrap_or(&Value::Null);
        let account = ["accountId", "name"].map(|name| word(approver, name));
        match account.into_iter().find(|account| !account.is_empty()) {
            Some(account) => {
                decisions.push(Decision { account: account.to_owned(), at: completed_at, since });
            }
            None => {
                let wanted = unexpected("an approver with an `accountId` or a `name`", one.get("approver"));
                problems.add(format!("{at}/approvers/{index}/approver"), told("approvals", &wanted));
                return None;
            }
        }
    }
    Some(decisions)
}

fn completed_at(approval: &Value, at: &str, problems: &mut Problems) -> Option<Timestamp> {
    let time = date(approval, "completedDate");
    if time.is_none() {
        let found = approval.pointer("/completedDate/epochMillis");
        let wanted = unexpected("the time of the decision, in milliseconds since 1970", found);
        problems.add(format!("{at}/completedDate/epochMillis"), told("approvals", &wanted));
    }
    time
}

/// A date of an approval.
fn date(approval: &Value, name: &str) -> Option<Timestamp> {
    let found = approval.get(name)?.get("epochMillis")?;
    found.as_i64().and_then(|at| Timestamp::from_millisecond(at).ok())
}

/// Something that was edited at one time.
struct Edit {
    at: Timestamp,
    items: Vec<Value>,
}

/// All edits, oldest first.
fn edits(answer: &str, problems: &mut Problems) -> Option<Vec<Edit>> {
    let mut issue = object(answer, "history", problems)?;
    let mut changelog = issue.get_mut("changelog").map(Value::take).unwrap_or_default();
    let Some(Value::Array(histories)) = changelog.get_mut("histories").map(Value::take) else {
        problems.add("/changelog/histories", told("history", "has no list of changes"));
        return None;
    };
    let total = changelog.get("total");
    if total.and_then(Value::as_u64) != u64::try_from(histories.len()).ok() {
        let all = total.map_or_else(|| "an unknown number".to_owned(), |total| shown(&total.to_string()));
        let listed = histories.len();
        let more =
            format!("lists {listed} of {all} changes; what was changed since the approval is not certain");
        problems
            .add("/changelog/total", told("history", &format!("{more}: let it be asked for in a new issue")));
        return None;
    }
    let mut edits = Vec::with_capacity(histories.len());
    for (index, mut history) in histories.into_iter().enumerate() {
        let at: Option<Timestamp> = word(&history, "created").parse().ok();
        let items = history.get_mut("items").map(Value::take);
        let (Some(at), Some(Value::Array(items))) = (at, items) else {
            let place = format!("/changelog/histories/{index}");
            problems.add(place, told("history", "has a change without `created` or `items`"));
            return None;
        };
        edits.push(Edit { at, items });
    }
    edits.sort_by_key(|edit| edit.at);
    Some(edits)
}

fn object(answer: &str, what: &str, problems: &mut Problems) -> Option<Value> {
    let parsed =
        json::parse_foreign(answer).map_err(|error| told(what, &format!("is not valid JSON: {error}")));
    match problems.take("", parsed)? {
        object @ Value::Object(_) => Some(object),
        _ => {
            problems.add("", told(what, "is not a JSON object"));
            None
        }
    }
}

fn told(what: &str, wrong: &str) -> String {
    format!("Jira's answer about the issue's {what}: {wrong}")
}
