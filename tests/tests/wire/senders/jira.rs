//! Jira: an approved issue, by the approvals that Jira itself has on record, until it is closed.

use curfew_tests::wait::later;
use curfew_tests::{Edit as _, Person, Signed, now, payload, world};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::round::Round;
use super::{JIRA_CREDENTIAL, Senders, account, fresh_number, number, senders};
use crate::support::{assert_bare, assert_problem};

/// An issue of a test's own, and what Jira's API says of it.
struct Issue<'a> {
    senders: &'a Senders,
    key: String,
    person: &'a Person,
    /// When it was approved.
    approved_at: Timestamp,
    ends: Timestamp,
}

impl<'a> Issue<'a> {
    fn new(senders: &'a Senders, person: &'a Person) -> Self {
        let key = format!("ACC-{}", fresh_number());
        Self { senders, key, person, approved_at: later(now(), -60), ends: later(now(), 3000) }
    }

    /// A webhook about it, of what happened right after it was approved.
    fn event(&self, name: &str) -> Value {
        let happened_at = later(self.approved_at, 1);
        payload(&format!("jira-{name}"))
            .put("/timestamp", happened_at.as_millisecond())
            .put("/issue/key", self.key.clone())
            .put("/issue/fields/reporter/accountId", account("jira", number(self.person)))
            .put("/issue/fields/customfield_10050/value", "acme")
            .put("/issue/fields/customfield_10051/value", "Reader")
            .put("/issue/fields/customfield_10052", self.ends.to_string())
    }

    fn approvals_path(&self) -> String {
        format!("/rest/servicedeskapi/request/{}/approval", self.key)
    }

    fn history_path(&self) -> String {
        format!("/rest/api/2/issue/{}", self.key)
    }

    /// Lets Jira's API say this of its approvals.
    fn approvals(&self, name: &str, approver: u64) {
        let approvals = payload(&format!("jira-approvals{name}"))
            .put("/values/0/approvers/0/approver/accountId", account("jira", approver));
        let approvals = match approvals.pointer("/values/0/completedDate") {
            Some(_) => {
                let at = self.approved_at.as_millisecond();
                approvals.put("/values/0/completedDate/epochMillis", at)
            }
            None => approvals,
        };
        self.senders.jira.answer(&self.approvals_path(), 200, &approvals);
    }

    /// Lets Jira's API say this of its history.
    fn history(&self, edited: &[Timestamp]) {
        let mut history = payload("jira-history").put("/key", self.key.clone());
        for (index, at) in edited.iter().enumerate() {
            history = history.put(&format!("/changelog/histories/{index}/created"), at.to_string());
        }
        self.senders.jira.answer(&self.history_path(), 200, &history);
    }

    async fn signed(&self, event: &Value) -> Signed {
        self.senders.sign("jira", "", event.to_string()).await
    }
}

#[tokio::test]
async fn an_issue_that_was_approved_on_record_gives_access_until_it_is_closed() {
    let senders = senders().await;
    let person = world().await.person().await;
    let issue = Issue::new(senders, &person);
    issue.approvals("", 0);
    issue.history(&[later(issue.approved_at, 1), later(issue.approved_at, -600)]);
    let approved = issue.signed(&issue.event("approved")).await;
    let round = Round::begin(senders, "jira", &person, approved).await;
    let grant = round.record().await.grant;
    assert_eq!(grant.window().expires_at(), issue.ends);
    let approvals: Vec<&str> = grant.request().approvals.iter().map(|one| one.approver.as_str()).collect();
    assert_eq!(approvals, ["boss@example.test"], "whom Jira's record names, and not who moved the issue");
    for path in [issue.approvals_path(), issue.history_path()] {
        let asked = senders.jira.asked(&path);
        assert!(!asked.is_empty(), "{path}");
        for asked in asked {
            let shown = (asked.method.as_str(), asked.header("authorization"));
            assert_eq!(shown, ("GET", JIRA_CREDENTIAL), "{path}");
        }
    }

    let closed = issue.signed(&issue.event("status-closed")).await;
    let asked = senders.jira.asked(&issue.approvals_path()).len();
    round.end(closed).await;
    let more = senders.jira.asked(&issue.approvals_path()).len() - asked;
    assert_eq!(more, 1, "an end needs nobody's approval: Jira was asked for the approval's redelivery alone");
}

/// The webhook is a claim: whoever may move an issue (or knows the secret) can say that it is approved.
#[tokio::test]
async fn an_issue_that_says_approved_and_is_not_gives_nothing() {
    let senders = senders().await;
    let person = world().await.person().await;
    let url = senders.url("jira");

    let pending = Issue::new(senders, &person);
    pending.approvals("-pending", 0);
    pending.history(&[later(pending.approved_at, 1), later(pending.approved_at, -600)]);
    let reply = pending.signed(&pending.event("approved")).await.post(&url).await;
    assert_problem(&reply, 403, "no-approval");
    let denials = senders.curfew.items(&format!("TICKET#{}", pending.key)).await;
    let [denied] = denials.as_slice() else { panic!("one denial, on record: {denials:?}") };
    assert_eq!(denied["type"], "Denied", "{denied}");

    // By themselves: Jira lets a requester be their own approver.
    let alone = Issue::new(senders, &person);
    alone.approvals("", number(&person));
    alone.history(&[later(alone.approved_at, 1), later(alone.approved_at, -600)]);
    let reply = alone.signed(&alone.event("approved")).await.post(&url).await;
    assert_problem(&reply, 403, "self-approval");

    // Another role was approved.
    let edited = Issue::new(senders, &person);
    edited.approvals("", 0);
    edited.history(&[later(edited.approved_at, 1), edited.approved_at.max(later(edited.approved_at, 1))]);
    let reply = edited.signed(&edited.event("approved")).await.post(&url).await;
    assert_problem(&reply, 403, "no-approval");
    assert_bare(&senders.world.root(), &person.principal).await;
}

#[tokio::test]
async fn an_approval_is_not_lost_while_jira_can_not_be_asked() {
    let senders = senders().await;
    let person = world().await.person().await;
    let url = senders.url("jira");
    let issue = Issue::new(senders, &person);
    let approved = issue.signed(&issue.event("approved")).await;
    for status in [503, 429, 401] {
        senders.jira.answer(&issue.approvals_path(), status, &json!({ "message": "not now" }));
        let reply = approved.post(&url).await;
        assert_eq!(reply.status, 503, "Jira tries again only then: {}", reply.text());
        assert!(!reply.text().contains("jira-token"), "{}", reply.text());
    }
    assert_bare(&senders.world.root(), &person.principal).await;

    issue.approvals("", 0);
    issue.history(&[later(issue.approved_at, 1), later(issue.approved_at, -600)]);
    Round::begin(senders, "jira", &person, approved).await;
}
