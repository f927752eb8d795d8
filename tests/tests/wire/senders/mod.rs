//! Every kind of sender, from its webhook to access and back: its fixture, signed by an implementation that is not
//! Curfew's (`tests/signers/sign.py`), posted with its own headers, and judged by the person's own keys.
//!
//! All share one Curfew, whose catalog knows everybody's accounts, and which has the shipped guardrails.

mod github;
mod gitlab;
mod guardrails;
mod jira;
mod pagerduty;
mod round;
mod servicenow;
mod slack;
mod standard;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use curfew_cli::seed::webhook_secret_value;
use curfew_cli::stack::ACCOUNT;
use curfew_cli::workspace::Workspace;
use curfew_tests::catalog::{APPROVER, ASKERS, Kind, PEOPLE};
use curfew_tests::curfew::SOURCE;
use curfew_tests::{Curfew, Person, Sender, Signed, Signer, Site, World, now, world};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

/// The sources, by the names of their kinds.
const KINDS: [&str; 6] = ["servicenow", "jira", "pagerduty", "slack", "github", "gitlab"];

/// What Curfew shows Jira: `curfew@example.test` with the token `jira-token`.
const JIRA_CREDENTIAL: &str = "Basic Y3VyZmV3QGV4YW1wbGUudGVzdDpqaXJhLXRva2Vu";

/// What senders ask for besides the tests' other roles.
const ROLES: &str = r#"
[role.responder]
description = "Read the bucket, while on call"
includes = ["reader"]
max_duration = "4h"
default_duration = "1h"
eligible = ["engineering"]
labels = ["on-call"]

[role.emergency]
description = "Read the bucket, when the glass is broken"
includes = ["reader"]
max_duration = "1h"
default_duration = "30m"
eligible = ["engineering"]
labels = ["break-glass"]

[role.rare]
description = "Read the bucket, for changes and incidents alone"
includes = ["reader"]
max_duration = "1h"
default_duration = "30m"
eligible = ["engineering"]
labels = ["never-standing"]
"#;

static SENDERS: OnceCell<Senders> = OnceCell::const_new();
static NUMBERS: AtomicU64 = AtomicU64::new(40_000);

/// A number for a ticket that no other test uses.
fn fresh_number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// What the tests of senders share.
struct Senders {
    world: &'static World,
    curfew: Curfew,
    signer: Signer,
    /// Jira, as Curfew asks it.
    jira: Site,
    /// Slack, where answers are posted.
    slack: Site,
}

/// Made for the first test that asks.
async fn senders() -> &'static Senders {
    SENDERS.get_or_init(Senders::make).await
}

impl Senders {
    async fn make() -> Self {
        let world = world().await;
        let workspace = Workspace::find().expect("the repository");
        let signer = Signer::provision(&workspace).await;
        let jira = Site::start(Some(JIRA_CREDENTIAL)).expect("a port");
        let slack = Site::start(None).expect("a port");
        let (people, configuration) = (people(), configuration(&jira, &slack));
        let files =
            [("people.toml", &*people), ("responders.toml", ROLES), ("senders/tests.toml", &*configuration)];
        let curfew = world.deploy("curfew-senders", &[], &files).await;
        let mut secrets: Map<String, Value> = KINDS
            .map(|kind| (kind.to_owned(), json!({ "current": secret(kind), "previous": previous(kind) })))
            .into_iter()
            .chain([(SOURCE.to_owned(), json!({ "current": curfew.secret().reveal() }))])
            .collect();
        secrets["jira"]["api"] = json!({ "user": "curfew@example.test", "token": "jira-token" });
        let secret_id = curfew.output("WebhookSecretName");
        let value = Value::Object(secrets).to_string();
        webhook_secret_value(world.stack(), secret_id, &value).await.expect("the webhook secrets");
        Self { world, curfew, signer, jira, slack }
    }

    /// Signs a body as a kind of sender does. `event` is what it calls it in a header, if it does.
    async fn sign(&self, kind: &str, event: &str, body: String) -> Signed {
        self.sign_at(kind, event, body, now()).await
    }

    /// As [`Self::sign`], at another time.
    async fn sign_at(&self, kind: &str, event: &str, body: String, at: Timestamp) -> Signed {
        let secret = if kind == "standard" { self.curfew.secret().reveal().to_owned() } else { secret(kind) };
        self.signer.sign(&Sender { kind, secret: &secret }, event, body, at).await
    }

    /// As [`Self::sign`], by a sender that goes on with the secret from before the rotation.
    async fn sign_as_before(&self, kind: &str, event: &str, body: String) -> Signed {
        let sender = Sender { kind, secret: &previous(kind) };
        self.signer.sign(&sender, event, body, now()).await
    }

    /// Where a kind of sender posts its webhooks.
    fn url(&self, kind: &str) -> String {
        let source = if kind == "standard" { SOURCE } else { kind };
        format!("{}{source}", self.curfew.output("WebhookUrl"))
    }
}

/// What a source signs with, in the form that its kind has.
fn secret(kind: &str) -> String {
    match kind {
        "servicenow" => "whsec_9kDVJ0zDdN4n4vEpoo5nZlS0d6XnI2Q3m3Jm0xS8m0Q=".to_owned(),
        "gitlab" => "whsec_1u1f7c0mJkq3sXw0c5p1x0V0w6zQn2Jw7m9o0l3k5Zs=".to_owned(),
        // Slack's and PagerDuty's look like this; GitHub and Jira take any text.
        "slack" => "8f742231b10e8888abcd99yyyzzz85a5".to_owned(),
        "pagerduty" => "rP4lbq2DWkJ7m1xYv0sTz8HcN5aUe3Gf6oKiQwRj9LhMnXtBVyZd".to_owned(),
        "github" => "9d3f0c2a7b5e48e1a6f4c0d9b8e7a6f5c4d3b2a1".to_owned(),
        other => format!("{other}-5Jq8ZrX2vLk0TtWm4YbNc7Hs"),
    }
}

/// What it signed with before its secret was changed.
fn previous(kind: &str) -> String {
    match kind {
        "servicenow" => "whsec_Qm0xS8m0Q9kDVJ0zDdN4n4vEpoo5nZlS0d6XnI2Q3m0=".to_owned(),
        "gitlab" => "whsec_Zs1u1f7c0mJkq3sXw0c5p1x0V0w6zQn2Jw7m9o0l3k4=".to_owned(),
        other => format!("{}-before", secret(other)),
    }
}

/// Who somebody is to a kind of sender: number 0 approves, the others are the tests' people.
fn account(kind: &str, number: u64) -> String {
    match kind {
        "slack" => format!("U0TEST{number:03}"),
        "pagerduty" => format!("PTEST{number:03}"),
        "jira" => format!("712020:6f1c2f0e-0000-4000-8000-{number:012}"),
        "github" => (7_000_000 + number).to_string(),
        "gitlab" => (5_000 + number).to_string(),
        other => panic!("people of {other} have addresses"),
    }
}

/// The number of a person.
fn number(person: &Person) -> u64 {
    let name = person.email.split('@').next().unwrap_or_default();
    name.trim_start_matches('p').parse().expect("a person with an IAM user")
}

/// Everybody, with their accounts.
fn people() -> String {
    let accounts = |number: u64| -> Vec<String> {
        ["slack", "pagerduty", "jira", "github", "gitlab"]
            .map(|kind| format!("{kind}:{}", account(kind, number)))
            .to_vec()
    };
    let mut people =
        format!("[person.\"{APPROVER}\"]\ngroups = [\"approvers\"]\naccounts = {:?}\n", accounts(0));
    for n in 1..=PEOPLE {
        let name = Kind::User.name(n);
        let principals = Kind::User.principals(&name, ACCOUNT);
        let accounts = accounts(u64::try_from(n).expect("a small number"));
        let _ = write!(
            people,
            "\n[person.\"{name}@example.test\"]\ngroups = [\"{ASKERS}\", \"senior-engineers\"]\n\
             principals = {principals:?}\naccounts = {accounts:?}\n"
        );
    }
    people
}

/// The senders' configuration, for what is in their fixtures.
fn configuration(jira: &Site, slack: &Site) -> String {
    format!(
        r#"
[source.servicenow]
kind = "servicenow"

[source.pagerduty]
kind = "pagerduty"

[source.pagerduty.services.PSVC4ON]
tenant = "acme"
role = "responder"
duration = "2h"

[source.slack]
kind = "slack"
answers = "{slack}"

[source.github]
kind = "github"
repositories = ["acme/orders", "acme/access"]

[source.github.environments.production]
tenant = "acme"
role = "reader"

[source.github.sections]
tenant = "Tenant"
role = "Role"
duration = "How long"
justification = "Why"

[source.gitlab.projects."platform/access"]
tenant = "acme"
role = "reader"

[source.gitlab.projects."platform/orders".environments.production]
tenant = "acme"
role = "reader"

[source.gitlab]
kind = "gitlab"

[source.jira]
kind = "jira"
site = "{jira}"

[source.jira.fields]
tenant = "/issue/fields/customfield_10050/value"
role = "/issue/fields/customfield_10051/value"
end = "/issue/fields/customfield_10052"
"#,
        jira = jira.origin(),
        slack = slack.origin(),
    )
}
