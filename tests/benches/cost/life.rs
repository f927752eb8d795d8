//! One whole life of a grant on the local stack, by the real functions behind recording proxies: an approval's webhook,
//! the timer at the end of its window, and the audit function's delivery of what both wrote. With the catalog that
//! Curfew is shipped with.

use curfew_cli::artifacts::Function;
use curfew_cli::seed::TENANT_TAG;
use curfew_cli::stack::ACCOUNT;
use curfew_tests::proxy::{Calls, Fault, Rule};
use curfew_tests::wait::later;
use curfew_tests::{Curfew, Invoked, World, now, reached};
use serde_json::{Value, json};

use crate::Failure;
use crate::support::{Heard, Wired, signed_event, timer};

/// Somebody of the shipped catalog, and what they ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    person: &'static str,
    pub(crate) role: &'static str,
    approver: &'static str,
}

/// The role that the shipped catalog gives most people, and one of its large ones.
pub(crate) const ASKED: [Asked; 2] = [
    Asked { person: "ana@example.com", role: "prod-readonly", approver: "ben@example.com" },
    Asked { person: "ben@example.com", role: "prod-ops", approver: "chiara@example.com" },
];

/// The shipped catalog's principals, and its tenant.
const PRINCIPALS: [&str; 2] = ["ana-engineer", "ben-operator"];
const TENANT: &str = "example";

/// The template's default, which the tests' deployments shorten.
const AUDIT_BATCH_SECONDS: &str = "30";

/// What one function did for a life.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) calls: Calls,
    /// The lines that it wrote.
    pub(crate) log: String,
    /// How many of the ledger's events it was for; none, if it was called by somebody else than the stream.
    pub(crate) delivered: Option<usize>,
}

/// The functions, started and warm.
pub(crate) struct Stage<'a> {
    world: &'a World,
    curfew: &'a Curfew,
    grant: Wired,
    revoke: Wired,
    audit: Wired,
    tickets: u32,
}

/// Deploys Curfew with the shipped catalog.
pub(crate) async fn deploy(world: &World) -> Curfew {
    let shipped = [
        ("people.toml", include_str!("../../../infra/catalog/people.toml")),
        ("permissions-breakglass.toml", include_str!("../../../infra/catalog/permissions-breakglass.toml")),
        ("permissions-operate.toml", include_str!("../../../infra/catalog/permissions-operate.toml")),
        ("permissions-read.toml", include_str!("../../../infra/catalog/permissions-read.toml")),
        ("roles.toml", include_str!("../../../infra/catalog/roles.toml")),
        ("tenants.toml", include_str!("../../../infra/catalog/tenants.toml")),
    ];
    let files = shipped.map(|(name, text)| (name, text.replace("111122223333", ACCOUNT)));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    // The comparison's calls are nobody's; the archive's batches are to be as full as they are on AWS.
    let parameters =
        [("DriftMinutes", "0"), ("TenantIds", TENANT), ("AuditBatchSeconds", AUDIT_BATCH_SECONDS)];
    let curfew = world.deploy("cost", &parameters, &files).await;
    for principal in PRINCIPALS {
        let service = json!({ "Service": "ec2.amazonaws.com" });
        let trust = json!({ "Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole" });
        let trust = json!({ "Version": "2012-10-17", "Statement": [trust] }).to_string();
        let boundary = world.acme().boundary_arn();
        let parameters = [
            ("RoleName", principal),
            ("AssumeRolePolicyDocument", &trust),
            ("PermissionsBoundary", &boundary),
            ("Tags.member.1.Key", TENANT_TAG),
            ("Tags.member.1.Value", TENANT),
        ];
        world.root().query("iam", "CreateRole", &parameters).await.expect("a role");
    }
    curfew
}

impl<'a> Stage<'a> {
    /// Starts the functions, and has each do its work once: what a process does only at first is not a life's.
    pub(crate) async fn set(world: &'a World, curfew: &'a Curfew) -> Result<Self, Failure> {
        let grant = Wired::start(curfew, Function::Grant).await;
        let revoke = Wired::start(curfew, Function::Revoke).await;
        let audit = Wired::start(curfew, Function::Audit).await;
        let mut stage = Self { world, curfew, grant, revoke, audit, tickets: 30_191 };
        stage.play(ASKED[0]).await?;
        Ok(stage)
    }

    /// Plays a life.
    pub(crate) async fn play(&mut self, asked: Asked) -> Result<Vec<Act>, Failure> {
        self.tickets += 1;
        let ends = later(now(), 8);
        let body = json!({
            "type": "access.approved",
            "ticket": format!("CHG00{}", self.tickets),
            "requester": asked.person,
            "tenant": TENANT,
            "role": asked.role,
            "approvals": [{ "approver": asked.approver, "at": now() }],
            "window": { "end": ends },
            "justification": "last night's orders are missing in the report; looking for the import that failed",
        });
        // What goes side by side on AWS goes side by side here.
        let meeting = Fault::meet(2);
        for operation in ["PutRolePolicy", "CreateSchedule"] {
            self.grant.proxy.add(Rule::on(operation, meeting.clone()).once());
        }
        let webhook = signed_event(self.curfew, &body);
        let (heard, opening) = act("webhook", Function::Grant, &self.grant, &webhook).await?;
        let heard = Heard::of(&heard);
        if heard.body["state"] != "active" {
            return Err(format!("no access was given: {heard:?}").into());
        }
        let id = heard.body["grant_id"].as_str().ok_or_else(|| format!("no grant: {heard:?}"))?.to_owned();
        let opened = self.events(&id).await?;
        let told = self.deliver("archive 1", &opened).await?;
        reached(ends).await;
        let (ended, ending) = act("timer", Function::Revoke, &self.revoke, &timer(&id)).await?;
        if ended.payload["ok"] != true {
            return Err(format!("the grant was not ended: {ended:?}").into());
        }
        let all = self.events(&id).await?;
        let told_at_the_end = self.deliver("archive 2", &all[opened.len()..]).await?;
        Ok(vec![opening, told, ending, told_at_the_end])
    }

    /// A grant's events so far, as the ledger has them.
    async fn events(&self, id: &str) -> Result<Vec<Value>, Failure> {
        let query = json!({
            "TableName": self.curfew.table(),
            "ConsistentRead": true,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :event)",
            "ExpressionAttributeValues": { ":pk": { "S": format!("GRANT#{id}") }, ":event": { "S": "EVENT#" } },
        });
        let said = self.world.root().json("dynamodb", "DynamoDB_20120810.Query", &query).await;
        let said = said.map_err(|refused| refused.message)?;
        Ok(said["Items"].as_array().cloned().unwrap_or_default())
    }

    /// Has events delivered that came in one batch of the stream.
    async fn deliver(&self, name: &'static str, events: &[Value]) -> Result<Act, Failure> {
        let records = events.iter().enumerate().map(|(n, item)| {
            json!({
                "eventID": format!("event-{n}"),
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": { "pk": item["pk"], "sk": item["sk"] },
                    "NewImage": item,
                    "SequenceNumber": format!("{:021}", n + 1),
                    "StreamViewType": "NEW_IMAGE",
                },
            })
        });
        let batch = json!({ "Records": records.collect::<Vec<_>>() });
        let (delivered, done) = act(name, Function::Audit, &self.audit, &batch).await?;
        if delivered.payload["batchItemFailures"] != json!([]) {
            return Err(format!("the archive did not take them: {delivered:?}").into());
        }
        Ok(Act { delivered: Some(events.len()), ..done })
    }
}

async fn act(
    name: &'static str,
    function: Function,
    wired: &Wired,
    event: &Value,
) -> Result<(Invoked, Act), Failure> {
    drop(wired.proxy.take_calls());
    let before = wired.lambda.log()?.len();
    let invoked = wired.invoke(event).await;
    let log = wired.lambda.log()?.split_off(before);
    let calls = wired.proxy.take_calls();
    Ok((invoked, Act { name, function, calls, log, delivered: None }))
}
