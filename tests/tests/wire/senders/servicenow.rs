//! ServiceNow: an approved request or change, as its business rules send it, until it is closed.

use curfew_tests::catalog::APPROVER;
use curfew_tests::wait::later;
use curfew_tests::{Edit as _, Person, Signed, now, payload, world};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::round::{Round, whose};
use super::{Senders, fresh_number, senders};
use crate::support::assert_bare;

/// What was asked for: as the ticket says now, and as it was when it was approved.
const ASKED: [&str; 2] = ["/asked", "/approvals/0/asked"];

/// A ticket of a test's own.
struct Ticket<'a> {
    number: String,
    person: &'a Person,
    approved_at: Timestamp,
    planned: Option<(Timestamp, Timestamp)>,
}

impl Ticket<'_> {
    fn payload(&self, name: &str) -> Value {
        let mut body =
            payload(&format!("servicenow-script-{name}")).put("/ticket/number", self.number.clone());
        for asked in ASKED {
            body = body
                .put(&format!("{asked}/requester/email"), self.person.email.clone())
                .put(&format!("{asked}/variables/curfew_tenant"), "acme")
                .put(&format!("{asked}/variables/curfew_role"), "reader");
        }
        if let Some((start, end)) = self.planned {
            for planned in ["/planned", "/approvals/0/planned"] {
                body = body
                    .put(&format!("{planned}/start"), start.to_string())
                    .put(&format!("{planned}/end"), end.to_string());
            }
        }
        let by = ["/approvals/0/approver/email", "/approvals/0/decided_by/email"];
        whose(body, &by, &json!(APPROVER)).put("/approvals/0/decided_at", self.approved_at.to_string())
    }
}

async fn signed(senders: &Senders, body: &Value) -> Signed {
    senders.sign("servicenow", "", body.to_string()).await
}

#[tokio::test]
async fn an_approved_request_gives_access_until_it_is_closed() {
    let senders = senders().await;
    let person = world().await.person().await;
    let number = format!("RITM{:07}", fresh_number());
    let ticket = Ticket { number, person: &person, approved_at: later(now(), -30), planned: None };
    let approved = signed(senders, &ticket.payload("request-approved")).await;
    let round = Round::begin(senders, "servicenow", &person, approved).await;
    let window = round.record().await.grant.window();
    assert_eq!(window.expires_at().duration_since(window.starts_at()).as_mins(), 90, "as the variable says");
    let record = round.end(signed(senders, &ticket.payload("request-closed")).await).await;
    let story = serde_json::to_string(&record.events).expect("JSON");
    assert!(story.contains("Fixed by a rollback."), "the close notes are on record: {story}");
}

#[tokio::test]
async fn a_changes_planned_end_moves_access_and_its_cancellation_ends_it() {
    let senders = senders().await;
    let person = world().await.person().await;
    let url = senders.url("servicenow");
    let (start, end) = (now(), later(now(), 3000));
    let ticket = Ticket {
        number: format!("CHG9{:07}", fresh_number()),
        person: &person,
        approved_at: later(now(), -30),
        planned: Some((start, end)),
    };
    let approved = signed(senders, &ticket.payload("change-approved")).await;
    let round = Round::begin(senders, "servicenow", &person, approved).await;
    assert_eq!(round.record().await.grant.window().expires_at(), end);
    assert_eq!(round.record().await.grant.request().ticket_facts.kind, "change");

    // The same ticket, one step on its way: it says what it said before.
    let implementing = signed(senders, &ticket.payload("change-implementing")).await.post(&url).await;
    assert_eq!(
        (implementing.status, &implementing.json()["duplicate"]),
        (200, &json!(true)),
        "{}",
        implementing.text()
    );

    let sooner = later(end, -1200);
    let shortened = ticket.payload("change-shortened").put("/planned/end", sooner.to_string());
    let reply = signed(senders, &shortened).await.post(&url).await;
    assert_eq!((reply.status, &reply.json()["changed"]), (200, &json!(true)), "{}", reply.text());
    let record = round.record().await;
    assert_eq!(record.grant.window().expires_at(), sooner);
    assert!(record.story().contains(&"Shortened"), "{:?}", record.story());
    round.assert_allowed().await;

    // Later than it was approved for: that takes another approval.
    let longer = ticket.payload("change-extended").put("/planned/end", later(end, 1200).to_string());
    let reply = signed(senders, &longer).await.post(&url).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("does not count"), "{}", reply.text());
    assert_eq!(round.record().await.grant.window().expires_at(), sooner);

    let canceled = signed(senders, &ticket.payload("change-canceled")).await.post(&url).await;
    assert_eq!(canceled.status, 200, "{}", canceled.text());
    round.assert_over().await;
}

/// The variables can be edited after the approval, and the approval is not for that.
#[tokio::test]
async fn what_was_edited_after_the_approval_is_not_given() {
    let senders = senders().await;
    let person = world().await.person().await;
    let number = format!("RITM{:07}", fresh_number());
    let ticket = Ticket { number, person: &person, approved_at: later(now(), -30), planned: None };
    let edited =
        ticket.payload("request-edited-after-approval").put("/asked/variables/curfew_role", "table-reader");
    let reply = signed(senders, &edited).await.post(&senders.url("servicenow")).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("curfew_role"), "{}", reply.text());
    assert_bare(&senders.world.root(), &person.principal).await;
}
