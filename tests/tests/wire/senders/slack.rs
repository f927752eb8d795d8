//! Slack: a click on a button gives access, and one on the other takes it. The reply is empty, and what came of it is
//! posted to where the click says.

use curfew_tests::site::Asked;
use curfew_tests::wait::later;
use curfew_tests::{Edit as _, Person, Record, Signed, now, payload, world};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Senders, account, fresh_number, number, senders};
use crate::support::{STORY_OF_A_REVOCATION, assert_bare, assert_denied, assert_ended, assert_problem};

/// A message with two buttons.
struct Message<'a> {
    senders: &'a Senders,
    ticket: String,
    /// Where Slack takes the answer.
    answers: String,
    value: String,
}

impl<'a> Message<'a> {
    fn new(senders: &'a Senders, person: &Person, role: &str) -> Self {
        let n = fresh_number();
        let ticket = format!("ACCESS-{n}");
        let answers = format!("/actions/T0123ABC456/{n}/D09sSasdasdAS9091209");
        senders.slack.answer(&answers, 200, &json!("ok"));
        let value = json!({
            "ticket": ticket,
            "requester": person.email,
            "tenant": "acme",
            "role": role,
            "duration": "1h",
            "justification": "Read the <!channel> & the orders for the stuck ingest",
        });
        Self { senders, ticket, answers, value: value.to_string() }
    }

    /// Somebody's click, as Slack writes it: a form with one field.
    fn click(&self, button: &str, by: u64, at: Timestamp) -> String {
        let click = payload(&format!("slack-{button}"))
            .put("/user/id", account("slack", by))
            .put("/response_url", format!("{}{}", self.senders.slack.origin(), self.answers))
            .put("/actions/0/value", self.value.clone())
            .put("/actions/0/action_ts", format!("{}.840180", at.as_second()));
        form(&click)
    }

    async fn signed(&self, button: &str, by: u64) -> Signed {
        self.senders.sign("slack", "", self.click(button, by, now())).await
    }

    /// Posts a click: Slack wants 200 and nothing, whatever came of it. What Curfew said instead.
    async fn post(&self, click: &Signed) -> Asked {
        let before = self.senders.slack.asked(&self.answers).len();
        let reply = click.post(&self.senders.url("slack")).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, ""), "an empty reply");
        let mut asked = self.senders.slack.asked(&self.answers);
        assert_eq!(asked.len(), before + 1, "one answer to one click");
        let answer = asked.pop().expect("an answer");
        assert_eq!(
            (answer.method.as_str(), answer.header("content-type")),
            ("POST", "application/json; charset=utf-8")
        );
        assert_eq!(answer.header("authorization"), "");
        let said = answer.json();
        assert_eq!(said["response_type"], "ephemeral", "{said}");
        assert_eq!(said["replace_original"], false, "{said}");
        assert!(!said.to_string().contains("<!"), "Slack would call everybody: {said}");
        answer
    }

    async fn items(&self) -> Vec<Value> {
        self.senders.curfew.items(&format!("TICKET#{}", self.ticket)).await
    }

    /// The one grant of its ticket.
    async fn record(&self) -> Record {
        let items = self.items().await;
        let ids = items.iter().filter_map(|item| item["sk"].as_str()?.split_once("#GRANT#"));
        let ids: Vec<&str> = ids.map(|(_, id)| id).collect();
        let [id] = ids.as_slice() else { panic!("one grant: {items:?}") };
        self.senders.curfew.record(id).await.expect("a grant")
    }
}

fn form(click: &Value) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", &click.to_string()).finish()
}

fn text(answer: &Asked) -> String {
    answer.json()["text"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn a_click_gives_access_and_another_takes_it() {
    let senders = senders().await;
    let person = world().await.person().await;
    let bucket = senders.world.acme().bucket();
    assert_denied(person.keys.object(&bucket).await);
    let message = Message::new(senders, &person, "reader");

    let approve = message.signed("approve", 0).await;
    let told = text(&message.post(&approve).await);
    assert!(told.contains("holds from"), "{told}");
    person.keys.object(&bucket).await.expect("what was approved is allowed");
    let record = message.record().await;
    assert_eq!(record.state(), "active");
    let approvals = &record.grant.request().approvals;
    assert_eq!(approvals.len(), 1, "{approvals:?}");
    assert_eq!(approvals[0].approver.as_str(), curfew_tests::catalog::APPROVER, "whoever clicked");

    let told = text(&message.post(&approve).await);
    assert!(told.contains("was granted before"), "{told}");
    assert_eq!(message.record().await.item, record.item, "nothing was written");

    let deny = message.signed("deny", 0).await;
    let told = text(&message.post(&deny).await);
    assert!(told.contains("is closed"), "{told}");
    assert_denied(person.keys.object(&bucket).await);
    assert_bare(&senders.world.root(), &person.principal).await;
    let record = message.record().await;
    assert_eq!(record.story(), STORY_OF_A_REVOCATION);
    assert_ended(&senders.curfew, &record, "revoked").await;

    // The first click once more, and a new one: what was denied stays so.
    for click in [approve, message.signed("approve", 0).await] {
        message.post(&click).await;
        assert_denied(person.keys.object(&bucket).await);
    }
    assert_eq!(message.record().await.item, record.item, "nothing was written");
}

#[tokio::test]
async fn a_requesters_own_click_is_denied_on_record_and_told_to_nobody_else() {
    let senders = senders().await;
    let person = world().await.person().await;
    let message = Message::new(senders, &person, "reader");
    let told = text(&message.post(&message.signed("approve", number(&person)).await).await);
    assert!(told.contains("denied"), "{told}");
    let items = message.items().await;
    let [denied] = items.as_slice() else { panic!("one denial: {items:?}") };
    assert_eq!(denied["code"], "self-approval", "{denied}");
    assert_bare(&senders.world.root(), &person.principal).await;
}

#[tokio::test]
async fn denied_at_once_it_is_never_given() {
    let senders = senders().await;
    let person = world().await.person().await;
    let message = Message::new(senders, &person, "reader");
    message.post(&message.signed("deny", 0).await).await;
    let told = text(&message.post(&message.signed("approve", 0).await).await);
    assert!(told.contains("closed"), "{told}");
    assert_bare(&senders.world.root(), &person.principal).await;
}

#[tokio::test]
async fn a_click_that_slack_did_not_sign_a_moment_ago_is_not_taken() {
    let senders = senders().await;
    let person = world().await.person().await;
    let message = Message::new(senders, &person, "reader");
    let url = senders.url("slack");

    let old = later(now(), -400);
    let stale = senders.sign_at("slack", "", message.click("approve", 0, old), old).await;
    assert_problem(&stale.post(&url).await, 401, "unverified");

    // Its time moved to now, which the signature is over.
    let mut moved = stale;
    for (name, value) in &mut moved.headers {
        if name == "x-slack-request-timestamp" {
            *value = now().as_second().to_string();
        }
    }
    assert_problem(&moved.post(&url).await, 401, "unverified");

    // Another person's name in the body.
    let mut forged = message.signed("approve", number(&person)).await;
    forged.body = forged.body.replace(&account("slack", number(&person)), &account("slack", 0));
    assert_problem(&forged.post(&url).await, 401, "unverified");
    assert!(senders.slack.asked(&message.answers).is_empty(), "nobody is told anything");
    assert_bare(&senders.world.root(), &person.principal).await;
}

/// An answer that can't be posted changes nothing of what was done.
#[tokio::test]
async fn what_a_click_did_stands_without_an_answer() {
    let senders = senders().await;
    let person = world().await.person().await;
    let message = Message::new(senders, &person, "reader");
    senders.slack.answer(&message.answers, 500, &json!("no"));
    let reply = message.signed("approve", 0).await.post(&senders.url("slack")).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, ""));
    person.keys.object(&senders.world.acme().bucket()).await.expect("what was approved is allowed");
    assert_eq!(message.record().await.state(), "active");
}
