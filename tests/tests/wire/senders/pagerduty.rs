//! PagerDuty: whoever is on call for an open incident, until it is resolved.

use curfew_domain::request::Basis;
use curfew_tests::wait::later;
use curfew_tests::{Edit as _, Person, Signed, now, payload, world};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::round::{Round, whose};
use super::{Senders, account, fresh_number, number, senders};
use crate::support::{assert_bare, assert_denied, assert_problem};

const AGENT: &str = "/event/agent/id";
const ASSIGNEE: &str = "/event/data/assignees/0/id";

/// An incident of a test's own.
struct Incident(String);

impl Incident {
    fn new() -> Self {
        Self(format!("Q{}INCIDENT", fresh_number()))
    }

    fn event(&self, name: &str, people: &[&str], person: &Person, at: Timestamp) -> Value {
        let event = payload(&format!("pagerduty-{name}"))
            .put("/event/id", format!("01TEST{}", fresh_number()))
            .put("/event/data/id", self.0.clone())
            .put("/event/occurred_at", at.to_string());
        whose(event, people, &json!(account("pagerduty", number(person))))
    }
}

async fn signed(senders: &Senders, event: &Value) -> Signed {
    senders.sign("pagerduty", "", event.to_string()).await
}

#[tokio::test]
async fn whoever_acknowledges_an_incident_has_access_until_it_is_resolved() {
    let senders = senders().await;
    let person = world().await.person().await;
    let incident = Incident::new();
    let since = later(now(), -60);
    let acknowledged = incident.event("acknowledged", &[AGENT, ASSIGNEE], &person, since);
    let round = Round::begin(senders, "pagerduty", &person, signed(senders, &acknowledged).await).await;
    let record = round.record().await;
    let request = record.grant.request();
    assert_eq!(request.basis, Basis::OnCall { since });
    assert_eq!(record.item["grant"]["window"]["expires_at"], json!(record.grant.window().expires_at()));
    let permitted_by = record.events.iter().find_map(|event| {
        let fact = serde_json::to_value(&event.fact).ok()?;
        fact.pointer("/permitted_by").cloned()
    });
    assert_eq!(permitted_by, Some(json!(["on-call"])), "no approval gave it");

    let resolved = incident.event("resolved", &[AGENT], &person, now());
    round.end(signed(senders, &resolved).await).await;
}

/// As PagerDuty tells it: assigned to somebody first, and then acknowledged by them.
#[tokio::test]
async fn an_incident_that_is_assigned_and_then_acknowledged_is_one_grant() {
    let senders = senders().await;
    let person = world().await.person().await;
    let incident = Incident::new();
    let triggered = incident.event("triggered", &[ASSIGNEE], &person, later(now(), -60));
    let round = Round::begin(senders, "pagerduty", &person, signed(senders, &triggered).await).await;
    let acknowledged = incident.event("acknowledged", &[AGENT, ASSIGNEE], &person, later(now(), -30));
    let reply = signed(senders, &acknowledged).await.post(&senders.url("pagerduty")).await;
    assert_eq!((reply.status, &reply.json()["grant_id"]), (200, &json!(round.id)), "{}", reply.text());
    round.assert_allowed().await;

    let resolved = incident.event("resolved-by-integration", &[], &person, now());
    let reply = signed(senders, &resolved).await.post(&senders.url("pagerduty")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    round.assert_over().await;

    // Opened again, or held up on its way: what is closed stays closed.
    let late = incident.event("acknowledged", &[AGENT, ASSIGNEE], &person, now());
    let reply = signed(senders, &late).await.post(&senders.url("pagerduty")).await;
    // A refusal, which PagerDuty must not take for a fault.
    assert_problem(&reply, 200, "conflict");
    assert_denied(person.keys.object(&senders.world.acme().bucket()).await);
}

#[tokio::test]
async fn nobody_has_access_by_an_incident_that_is_not_theirs_or_by_an_unsigned_one() {
    let senders = senders().await;
    let person = world().await.person().await;
    let url = senders.url("pagerduty");
    let incident = Incident::new();
    let of_somebody_else = incident.event("acknowledged-by-somebody-else", &[AGENT], &person, now());
    let reply = signed(senders, &of_somebody_else).await.post(&url).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().contains("nothing to do"), "{}", reply.text());

    // Somebody whom the catalog does not know. PagerDuty stops sending to whoever refuses too often.
    let unknown = Incident::new();
    let body = whose(
        unknown.event("acknowledged", &[], &person, now()),
        &[AGENT, ASSIGNEE],
        &json!(account("pagerduty", 999)),
    );
    assert_problem(&signed(senders, &body).await.post(&url).await, 200, "unknown-person");
    let items = senders.curfew.items(&format!("TICKET#{}", unknown.0)).await;
    let [denied] = items.as_slice() else { panic!("one denial, on record: {items:?}") };
    assert_eq!(denied["person"], "pagerduty.ptest999@unknown-account.invalid", "{denied}");

    let theirs = incident.event("acknowledged", &[AGENT, ASSIGNEE], &person, now());
    let mut forged = signed(senders, &theirs).await;
    forged.body.push(' ');
    assert_problem(&forged.post(&url).await, 401, "unverified");
    assert_bare(&senders.world.root(), &person.principal).await;
}
