//! Curfew's own credentials in the wrong hands (P9): whoever runs code in a function's place can give nobody more than
//! the tenant's boundary allows, least of all themselves, and reaches nothing that is not the function's.
//!
//! Every probe goes with one that must succeed, or it would be refused for a reason that is not meant.

mod abroad;
mod evidence;
mod forbidden;
mod lever;
mod principals;
mod timers;

use curfew_cli::seed::{TENANT_TAG, Tenant};
use curfew_tests::{Client, Curfew, Flavour, Refused, World, world};
use http::Method;
use serde_json::{Value, json};

/// Everything, as a policy.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// All functions' roles, by the output that names them.
const ROLES: [&str; 5] = ["GrantRoleArn", "RevokeRoleArn", "SweepRoleArn", "AuditRoleArn", "ConsoleRoleArn"];

/// The roles that give access and set timers: the grant function's, and the sweep's, which finishes what that began.
const GIVE: [&str; 2] = ["GrantRoleArn", "SweepRoleArn"];

/// The roles that take access away.
const TAKE: [&str; 3] = ["GrantRoleArn", "RevokeRoleArn", "SweepRoleArn"];

struct Intruder {
    role: &'static str,
    client: Client,
}

impl Intruder {
    fn gives(&self) -> bool {
        GIVE.contains(&self.role)
    }

    fn takes(&self) -> bool {
        TAKE.contains(&self.role)
    }

    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<(), Refused> {
        self.client.query("iam", action, parameters).await.map(drop)
    }

    async fn json(&self, service: &str, target: &str, body: Value) -> Result<(), Refused> {
        self.client.json(service, target, &body).await.map(drop)
    }

    async fn dynamodb(&self, action: &str, body: Value) -> Result<(), Refused> {
        self.json("dynamodb", &format!("DynamoDB_20120810.{action}"), body).await
    }

    async fn events(&self, action: &str, body: Value) -> Result<(), Refused> {
        self.json("events", &format!("AWSEvents.{action}"), body).await
    }

    async fn send(&self, service: &str, method: Method, path: &str, body: &str) -> Result<(), Refused> {
        self.client.rest(service, method, path, &[], body.as_bytes()).await.map(drop)
    }

    fn assert_refused(&self, what: &str, said: Result<(), Refused>) {
        match said {
            Err(refused) => assert!(refused.is_denied(), "{} {what}: {refused:?}", self.role),
            Ok(()) => panic!("{} may {what}", self.role),
        }
    }

    /// That it may do something if, and only if, it is what the function is for.
    fn assert_allowed_if(&self, allowed: bool, what: &str, said: Result<(), Refused>) {
        if allowed {
            said.unwrap_or_else(|refused| panic!("{} may not {what}: {refused:?}", self.role));
        } else {
            self.assert_refused(what, said);
        }
    }
}

async fn intruders(world: &World, curfew: &Curfew) -> Vec<Intruder> {
    let mut all = Vec::new();
    for role in ROLES {
        let client = world.root().assume(curfew.output(role)).await.expect("a session");
        all.push(Intruder { role, client });
    }
    all
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// A user with whatever boundary and tag.
async fn user(root: &Client, name: &str, boundary: Option<&str>, tenant: Option<&str>) {
    let mut parameters = vec![("UserName", name)];
    parameters.extend(boundary.map(|boundary| ("PermissionsBoundary", boundary)));
    if let Some(tenant) = tenant {
        parameters.extend([("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", tenant)]);
    }
    root.query("iam", "CreateUser", &parameters).await.expect("a user");
}

/// A policy that allows everything, as a boundary that is none of the tenants'.
async fn wide_boundary(root: &Client, tenant: &Tenant, name: &str) -> String {
    let wide = [("PolicyName", name), ("PolicyDocument", EVERYTHING)];
    root.query("iam", "CreatePolicy", &wide).await.expect("a policy");
    format!("arn:aws:iam::{}:policy/{name}", tenant.account())
}

#[tokio::test]
async fn the_ledger_can_only_be_added_to_and_secrets_only_be_read_by_whom_they_concern() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let eager = world.curfew(Flavour::Eager).await;
    let item = json!({ "pk": { "S": "GRANT#g-climb" }, "sk": { "S": "STATE" } });
    for intruder in intruders(world, curfew).await {
        let put = |table: &str| json!({ "TableName": table, "Item": item });
        let put_own = intruder.dynamodb("PutItem", put(curfew.table())).await;
        intruder.assert_allowed_if(intruder.takes(), "write the ledger", put_own);
        intruder.assert_refused(
            "write another stack's ledger",
            intruder.dynamodb("PutItem", put(eager.table())).await,
        );
        let update = json!({
            "TableName": curfew.table(), "Key": item, "UpdateExpression": "SET #t = :t",
            "ExpressionAttributeNames": { "#t": "touched" }, "ExpressionAttributeValues": { ":t": { "BOOL": true } },
        });
        let updated = intruder.dynamodb("UpdateItem", update).await;
        intruder.assert_allowed_if(intruder.takes(), "change an item", updated);
        let tenant = json!({ "TableName": world.acme().table(), "Key": { "id": { "S": "order-1" } } });
        intruder.assert_refused("read a tenant's table", intruder.dynamodb("GetItem", tenant).await);
        let delete = json!({ "TableName": curfew.table(), "Key": item });
        intruder
            .assert_refused("delete from the ledger", intruder.dynamodb("DeleteItem", delete.clone()).await);
        let batch = json!({ "RequestItems": { curfew.table(): [{ "DeleteRequest": { "Key": item } }] } });
        intruder.assert_refused("delete in a batch", intruder.dynamodb("BatchWriteItem", batch).await);
        let transacted = json!({ "TransactItems": [{ "Delete": delete }] });
        intruder.assert_refused(
            "delete in a transaction",
            intruder.dynamodb("TransactWriteItems", transacted).await,
        );
        let all = json!({ "TableName": curfew.table() });
        intruder.assert_refused("read the whole ledger", intruder.dynamodb("Scan", all.clone()).await);
        let live = json!({ "TableName": curfew.table(), "IndexName": "live_by_tenant" });
        let scanned = intruder.dynamodb("Scan", live).await;
        intruder.assert_allowed_if(intruder.role == "ConsoleRoleArn", "read all that is live", scanned);
        let partition = |pk: &str| {
            json!({
                "TableName": curfew.table(), "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": { ":pk": { "S": pk } },
            })
        };
        intruder.dynamodb("Query", partition("GRANT#g-climb")).await.expect("the story of a grant");
        let tickets = intruder.dynamodb("Query", partition("TICKET#CHG1")).await;
        intruder.assert_allowed_if(
            intruder.role != "ConsoleRoleArn",
            "read what a ticket was denied",
            tickets,
        );
        let drift = intruder.dynamodb("Query", partition("DRIFT#000000000000")).await;
        intruder.assert_allowed_if(intruder.takes(), "read about drift", drift);
        intruder.assert_refused("delete the ledger", intruder.dynamodb("DeleteTable", all.clone()).await);
        intruder.assert_refused("switch its stream off", {
            let mut off = all;
            off["StreamSpecification"] = json!({ "StreamEnabled": false });
            intruder.dynamodb("UpdateTable", off).await
        });
        intruder
            .assert_refused("read a tenant's bucket", intruder.client.object(&world.acme().bucket()).await);

        let secret = |curfew: &Curfew| json!({ "SecretId": curfew.output("WebhookSecretName") });
        let read = intruder.json("secretsmanager", "secretsmanager.GetSecretValue", secret(curfew)).await;
        intruder.assert_allowed_if(intruder.role == "GrantRoleArn", "read the webhook secret", read);
        let mut written = secret(curfew);
        written["SecretString"] = json!("{}");
        let written = intruder.json("secretsmanager", "secretsmanager.PutSecretValue", written).await;
        intruder.assert_refused("change the webhook secret", written);
        let foreign = intruder.json("secretsmanager", "secretsmanager.GetSecretValue", secret(eager)).await;
        intruder.assert_refused("read another stack's secret", foreign);
    }
}

/// Code, configuration, and who may call: an intruder is gone with the process that they run in.
#[tokio::test]
async fn no_function_can_change_itself_or_another_or_what_calls_them() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let functions = ["Grant", "Revoke", "Sweep", "Audit", "Console"];
    let path = |version: &str, function: &str, part: &str| {
        format!("/{version}/functions/{}{part}", curfew.output(&format!("{function}FunctionName")))
    };
    for intruder in intruders(world, curfew).await {
        for function in functions {
            for (method, path, body) in [
                (Method::PUT, path("2015-03-31", function, "/code"), r#"{"S3Bucket":"b","S3Key":"k"}"#),
                (Method::PUT, path("2015-03-31", function, "/configuration"), r#"{"Timeout":1}"#),
                (
                    Method::PUT,
                    path("2017-10-31", function, "/concurrency"),
                    r#"{"ReservedConcurrentExecutions":0}"#,
                ),
                (
                    Method::POST,
                    path("2015-03-31", function, "/policy"),
                    r#"{"StatementId":"s","Action":"lambda:*","Principal":"*"}"#,
                ),
                (Method::POST, path("2015-03-31", function, "/invocations"), "{}"),
                (Method::DELETE, path("2015-03-31", function, ""), ""),
            ] {
                let what = format!("{method} {path}");
                intruder.assert_refused(&what, intruder.send("lambda", method, &path, body).await);
            }
        }
        let mappings = intruder.send("lambda", Method::GET, "/2015-03-31/event-source-mappings/", "").await;
        intruder.assert_refused("see who reads streams", mappings);
        let mapping = json!({
            "FunctionName": curfew.output("ConsoleFunctionName"),
            "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:any",
        });
        let path = "/2015-03-31/event-source-mappings/";
        let made = intruder.send("lambda", Method::POST, path, &mapping.to_string()).await;
        intruder.assert_refused("have a function read a queue", made);
        for (service, target, body) in [
            ("events", "AWSEvents.DisableRule", json!({ "Name": "curfew-SweepFunctionEveryMinute" })),
            (
                "logs",
                "Logs_20140328.DeleteLogGroup",
                json!({ "logGroupName": format!("/aws/lambda/{}", curfew.output("GrantFunctionName")) }),
            ),
        ] {
            intruder.assert_refused(target, intruder.json(service, target, body).await);
        }
        for queue in ["TimerDeadLettersUrl", "FailedInvocationsUrl", "UnreadableRecordsUrl"] {
            let url = json!({ "QueueUrl": curfew.output(queue) });
            let purged = intruder.json("sqs", "AmazonSQS.PurgeQueue", url.clone()).await;
            intruder.assert_refused("empty a queue of what failed", purged);
            intruder.assert_refused(
                "read a queue of what failed",
                intruder.json("sqs", "AmazonSQS.ReceiveMessage", url).await,
            );
        }
        // That the sessions are good for something at all.
        let said = intruder.client.query("sts", "GetCallerIdentity", &[]).await.expect("who it is");
        assert!(said.contains(name_of(curfew.output(intruder.role))), "{said}");
    }
}
