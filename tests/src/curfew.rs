//! One Curfew, deployed from the template: webhooks in front, invocations at the side, the ledger behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_cli::deploy::Deployment;
use curfew_cli::http::Reply;
use curfew_cli::webhook::SigningSecret;
use http::Method;
use serde_json::{Value, json};

use crate::approval::Approval;
use crate::client::Client;
use crate::record::{Record, plain_item};
use crate::wait::{now, until};

/// The ITSM tool, as Curfew knows it.
pub const SOURCE: &str = "itsm";

static DELIVERIES: AtomicUsize = AtomicUsize::new(1);

/// A `webhook-id` that no other delivery has.
#[must_use]
pub fn fresh_delivery() -> String {
    format!("msg_{}", DELIVERIES.fetch_add(1, Ordering::Relaxed))
}

/// A deployed Curfew.
#[derive(Debug)]
pub struct Curfew {
    pub(crate) deployment: Deployment,
    pub(crate) secret: SigningSecret,
    pub(crate) root: Client,
    pub(crate) catalog: PathBuf,
}

/// What an invocation answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Invoked {
    /// How Lambda calls its failure (`Unhandled`); none, if it went well.
    pub error: Option<String>,
    /// The function's reply, or its error.
    pub payload: Value,
}

impl Curfew {
    /// Its CloudFormation stack.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Its ledger's table.
    ///
    /// # Panics
    /// The template has no such output.
    #[must_use]
    pub fn table(&self) -> &str {
        self.output("TableName")
    }

    /// The folder of the catalog that it was deployed with.
    #[must_use]
    pub fn catalog(&self) -> &Path {
        &self.catalog
    }

    /// An output of its template.
    ///
    /// # Panics
    /// The template has no such output.
    #[must_use]
    pub fn output(&self, name: &str) -> &str {
        self.deployment.output(name).expect("an output of the template")
    }

    /// Where [`SOURCE`] posts its webhooks.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{SOURCE}", self.output("WebhookUrl"))
    }

    /// What [`SOURCE`] signs with.
    #[must_use]
    pub fn secret(&self) -> &SigningSecret {
        &self.secret
    }

    /// Posts an approval as a new delivery.
    pub async fn approve(&self, approval: &Approval) -> Reply {
        self.post(approval.body()).await
    }

    /// Posts an approval and gives the id of the grant that came of it.
    ///
    /// # Panics
    /// It was not granted.
    pub async fn grant(&self, approval: &Approval) -> String {
        let reply = self.approve(approval).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["grant_id"].as_str().expect("a grant's id").to_owned()
    }

    /// Posts a body as a new delivery.
    pub async fn post(&self, body: &Value) -> Reply {
        self.post_as(&fresh_delivery(), body).await
    }

    /// Posts a body as a delivery of this id, signed now.
    ///
    /// # Panics
    /// There was no answer.
    pub async fn post_as(&self, delivery: &str, body: &Value) -> Reply {
        let signed = self.secret.sign(delivery, now(), body.to_string().as_bytes()).expect("a signature");
        signed.post(&self.url()).await.expect("an answer of the HTTP API")
    }

    /// Invokes a function and waits for what it answers.
    ///
    /// # Panics
    /// Lambda refused.
    pub async fn invoke(&self, function: Function, input: &Value) -> Invoked {
        let name = self.deployment.function(function).expect("an output of the template");
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let said = self.root.rest("lambda", Method::POST, &path, &[], input.to_string().as_bytes()).await;
        let reply = said.expect("an invocation");
        let error = reply.headers.get("x-amz-function-error").and_then(|value| value.to_str().ok());
        Invoked { error: error.map(str::to_owned), payload: reply.json() }
    }

    /// A grant as the table has it.
    pub async fn record(&self, grant_id: &str) -> Option<Record> {
        Record::of(&self.items(&format!("GRANT#{grant_id}")).await)
    }

    /// A grant, once it is in a state.
    pub async fn record_in(&self, state: &str, grant_id: &str, patience: Duration) -> Record {
        until(&format!("grant {grant_id} is {state}"), patience, async || {
            self.record(grant_id).await.filter(|record| record.state() == state)
        })
        .await
    }

    /// The items of one partition, in order, without DynamoDB's types.
    pub async fn items(&self, pk: &str) -> Vec<Value> {
        let query = json!({
            "TableName": self.table(),
            "ConsistentRead": true,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": { ":pk": { "S": pk } },
        });
        self.query(&query).await
    }

    /// The partition keys of what one partition of an index holds.
    pub async fn indexed(&self, index: &str, attribute: &str, value: &str) -> Vec<String> {
        let query = json!({
            "TableName": self.table(),
            "IndexName": index,
            "KeyConditionExpression": "#key = :key",
            "ExpressionAttributeNames": { "#key": attribute },
            "ExpressionAttributeValues": { ":key": { "S": value } },
        });
        self.query(&query).await.iter().filter_map(|item| Some(item["pk"].as_str()?.to_owned())).collect()
    }

    /// Whether an index of the table still holds a grant: the grants that owe work, and those that have not ended.
    pub async fn is_indexed(&self, record: &Record) -> bool {
        let pk = &record.item["pk"];
        let text = |name: &str| record.item[name].as_str().unwrap_or_default();
        let mut found = self.indexed("live_by_person", "live_person", text("person")).await;
        found.extend(self.indexed("live_by_tenant", "live_tenant", text("tenant")).await);
        for rank in ["privileged", "normal"] {
            for shard in 0..4 {
                found.extend(self.indexed("due", "due_shard", &format!("due#{rank}#{shard}")).await);
            }
        }
        found.iter().any(|key| key == pk)
    }

    async fn query(&self, query: &Value) -> Vec<Value> {
        let said =
            self.root.json("dynamodb", "DynamoDB_20120810.Query", query).await.expect("a query's items");
        assert!(said["LastEvaluatedKey"].is_null(), "a partition of a test fits on one page");
        said["Items"].as_array().into_iter().flatten().map(plain_item).collect()
    }

    /// Whether the grant's schedule exists.
    pub async fn has_schedule(&self, grant_id: &str) -> bool {
        let path = format!("/schedules/curfew-{grant_id}?groupName={}", self.output("ScheduleGroup"));
        self.exists(self.root.rest("scheduler", Method::GET, &path, &[], b"").await.map(drop))
    }

    /// Whether the grant's rule exists.
    pub async fn has_rule(&self, grant_id: &str) -> bool {
        let name = json!({ "Name": format!("curfew-{grant_id}") });
        self.exists(self.root.json("events", "AWSEvents.DescribeRule", &name).await.map(drop))
    }

    /// Deletes the grant's schedule: a timer that is lost.
    ///
    /// # Panics
    /// There is none.
    pub async fn lose_schedule(&self, grant_id: &str) {
        let path = format!("/schedules/curfew-{grant_id}?groupName={}", self.output("ScheduleGroup"));
        self.root.rest("scheduler", Method::DELETE, &path, &[], b"").await.expect("a schedule to lose");
    }

    fn exists(&self, found: Result<(), crate::client::Refused>) -> bool {
        match found {
            Ok(()) => true,
            Err(refused) => {
                assert_eq!(refused.code, "ResourceNotFoundException", "{refused:?}");
                false
            }
        }
    }
}
