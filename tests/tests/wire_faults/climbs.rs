//! Curfew's own credentials in the wrong hands (P9): whoever runs code in a function's place can give nobody more than
//! the tenant's boundary allows, least of all themselves.
//!
//! Every probe goes with one that must succeed, or it would be refused for a reason that is not meant.

use curfew_tests::{Client, Curfew, Flavour, Refused, World, world};
use http::Method;
use serde_json::{Value, json};

/// Everything, as a policy.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// All functions' roles, by the output that names them.
const ROLES: [&str; 3] = ["GrantRoleArn", "RevokeRoleArn", "SweepRoleArn"];

/// The roles that give access and set timers: the grant function's, and the sweep's, which finishes what that began.
const GIVE: [&str; 2] = ["GrantRoleArn", "SweepRoleArn"];

struct Intruder {
    role: &'static str,
    client: Client,
}

impl Intruder {
    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<(), Refused> {
        self.client.query("iam", action, parameters).await.map(drop)
    }

    fn assert_refused(&self, what: &str, said: Result<(), Refused>) {
        match said {
            Err(refused) => assert!(refused.is_denied(), "{} {what}: {refused:?}", self.role),
            Ok(()) => panic!("{} may {what}", self.role),
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

#[tokio::test]
async fn nobody_without_a_boundary_is_given_anything_curfew_itself_least_of_all() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let root = world.root();
    root.query("iam", "CreateUser", &[("UserName", "no-boundary")]).await.expect("a user");
    let other = [("PolicyName", "another-boundary"), ("PolicyDocument", EVERYTHING)];
    root.query("iam", "CreatePolicy", &other).await.expect("a policy");
    let wide = "arn:aws:iam::000000000000:policy/another-boundary";
    let unlisted = [("UserName", "unlisted-boundary"), ("PermissionsBoundary", wide)];
    root.query("iam", "CreateUser", &unlisted).await.expect("a user");
    let person = world.person().await;
    let bound = name_of(&person.principal).to_owned();
    let put = |user| [("UserName", user), ("PolicyName", "curfew-g-x"), ("PolicyDocument", EVERYTHING)];

    for intruder in intruders(world, curfew).await {
        for user in ["no-boundary", "unlisted-boundary"] {
            intruder.assert_refused(
                "give to a user without a tenant's boundary",
                intruder.iam("PutUserPolicy", &put(user)).await,
            );
            let attach = [("UserName", user), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
            intruder.assert_refused("attach to them", intruder.iam("AttachUserPolicy", &attach).await);
            let delete = [("UserName", user), ("PolicyName", "curfew-g-x")];
            intruder.assert_refused("take from them", intruder.iam("DeleteUserPolicy", &delete).await);
        }
        for own in ROLES {
            let name = name_of(curfew.output(own));
            let put = [("RoleName", name), ("PolicyName", "more"), ("PolicyDocument", EVERYTHING)];
            intruder.assert_refused("give to Curfew's own role", intruder.iam("PutRolePolicy", &put).await);
            let attach = [("RoleName", name), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
            intruder.assert_refused(
                "attach to Curfew's own role",
                intruder.iam("AttachRolePolicy", &attach).await,
            );
            let trust = [("RoleName", name), ("PolicyDocument", EVERYTHING)];
            intruder.assert_refused("change its trust", intruder.iam("UpdateAssumeRolePolicy", &trust).await);
        }
        // A boundary that was removed or widened would be none.
        intruder.assert_refused(
            "remove a boundary",
            intruder.iam("DeleteUserPermissionsBoundary", &[("UserName", &bound)]).await,
        );
        let widen = [("UserName", &*bound), ("PermissionsBoundary", wide)];
        intruder.assert_refused("set a boundary", intruder.iam("PutUserPermissionsBoundary", &widen).await);
        let version = [
            ("PolicyArn", &*world.acme().boundary_arn()),
            ("PolicyDocument", EVERYTHING),
            ("SetAsDefault", "true"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let version: Vec<_> = version.iter().map(|(name, value)| (*name, value.as_str())).collect();
        intruder.assert_refused(
            "change the boundary's policy",
            intruder.iam("CreatePolicyVersion", &version).await,
        );
        // Nor are new principals or keys a way round.
        intruder.assert_refused("make a key", intruder.iam("CreateAccessKey", &[("UserName", &bound)]).await);
        intruder.assert_refused("make a user", intruder.iam("CreateUser", &[("UserName", "mallory")]).await);
        let admin = [("UserName", &*bound), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
        intruder.assert_refused(
            "attach a policy that the template does not list",
            intruder.iam("AttachUserPolicy", &admin).await,
        );

        // Who holds what is the sweep's to see, to compare it with the ledger.
        let seen = intruder.iam("GetAccountAuthorizationDetails", &[]).await;
        if intruder.role == "SweepRoleArn" {
            seen.expect("the sweep takes inventories");
        } else {
            intruder.assert_refused("see what everybody holds", seen);
        }

        // What it is there for, in turn, it may: giving is not the revoke function's, taking is everyone's.
        let given = intruder.iam("PutUserPolicy", &put(&bound)).await;
        if GIVE.contains(&intruder.role) {
            given.expect("the grant function gives, and the sweep restores");
        } else {
            intruder.assert_refused("give", given);
            root.query("iam", "PutUserPolicy", &put(&bound)).await.expect("a policy to take");
        }
        // Everything, within the boundary: the tenant's bucket, and nothing of IAM.
        person.keys.object(&world.acme().bucket()).await.expect("what the boundary lets through");
        let climbed = person.keys.query("iam", "CreateUser", &[("UserName", "mallory")]).await.map(drop);
        intruder.assert_refused("give more than the boundary", climbed);
        let delete = [("UserName", &*bound), ("PolicyName", "curfew-g-x")];
        intruder.iam("DeleteUserPolicy", &delete).await.expect("every function takes away");
    }
}

#[tokio::test]
async fn timers_can_call_nothing_but_revoke_and_stand_nowhere_else() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let eager = world.curfew(Flavour::Eager).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let admin = [("RoleName", "scheduler-admin"), ("AssumeRolePolicyDocument", trust)];
    world.root().query("iam", "CreateRole", &admin).await.expect("a role");
    let revoke =
        format!("arn:aws:lambda:us-east-1:000000000000:function:{}", curfew.output("RevokeFunctionName"));
    let timer_role = timer_role(world, curfew).await;
    let schedule = |group: &str, role: &str| {
        json!({
            "GroupName": group,
            "ScheduleExpression": "at(2099-01-01T00:00:00)",
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "Target": { "Arn": revoke, "RoleArn": role, "Input": "{}" },
        })
    };
    let group = curfew.output("ScheduleGroup");
    for intruder in intruders(world, curfew).await {
        let create = async |name: &str, body: Value| {
            let path = format!("/schedules/{name}");
            intruder
                .client
                .rest("scheduler", Method::POST, &path, &[], body.to_string().as_bytes())
                .await
                .map(drop)
        };
        let name = format!("curfew-g-climb-{}", intruder.role.to_lowercase());
        let passed = create(&name, schedule(group, "arn:aws:iam::000000000000:role/scheduler-admin")).await;
        intruder.assert_refused("pass another role to Scheduler", passed);
        let elsewhere = create(&name, schedule("default", &timer_role)).await;
        intruder.assert_refused("schedule in another group", elsewhere);
        let others = create(&name, schedule(eager.output("ScheduleGroup"), &timer_role)).await;
        intruder.assert_refused("schedule in another stack's group", others);
        let unnamed = create("not-a-timer", schedule(group, &timer_role)).await;
        intruder.assert_refused("make a schedule of another name", unnamed);
        let made = create(&name, schedule(group, &timer_role)).await;
        if GIVE.contains(&intruder.role) {
            made.expect("the grant function sets timers, and the sweep moves them");
        } else {
            intruder.assert_refused("set a timer", made);
        }
        let invoke = format!("/2015-03-31/functions/{}/invocations", curfew.output("RevokeFunctionName"));
        let invoked = intruder.client.rest("lambda", Method::POST, &invoke, &[], b"{}").await.map(drop);
        intruder.assert_refused("invoke a function", invoked);
        // Rules too, where timers are schedules: a grant that was opened with a rule keeps it. They call revoke alone.
        let events = async |action: &str, body: Value| {
            intruder.client.json("events", &format!("AWSEvents.{action}"), &body).await.map(drop)
        };
        let rule =
            |name: &str| json!({ "Name": name, "ScheduleExpression": "rate(1 minute)", "State": "DISABLED" });
        intruder.assert_refused("make another rule", events("PutRule", rule("not-a-timer")).await);
        let sweep = revoke.replace(curfew.output("RevokeFunctionName"), curfew.output("SweepFunctionName"));
        let aim = |at: &str| json!({ "Rule": "curfew-g-x", "Targets": [{ "Id": "1", "Arn": at }] });
        let ruled = events("PutRule", rule("curfew-g-x")).await;
        if GIVE.contains(&intruder.role) {
            ruled.expect("a rule as a timer");
            intruder
                .assert_refused("call another function by a rule", events("PutTargets", aim(&sweep)).await);
            events("PutTargets", aim(&revoke)).await.expect("a rule that calls revoke");
            events("RemoveTargets", json!({ "Rule": "curfew-g-x", "Ids": ["1"] }))
                .await
                .expect("to clear it");
            events("DeleteRule", json!({ "Name": "curfew-g-x" })).await.expect("to clear it");
        } else {
            intruder.assert_refused("make a rule", ruled);
        }
    }
}

#[tokio::test]
async fn the_ledger_can_only_be_added_to_and_secrets_only_be_read_by_whom_they_concern() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let eager = world.curfew(Flavour::Eager).await;
    let item = json!({ "pk": { "S": "GRANT#g-climb" }, "sk": { "S": "STATE" } });
    for intruder in intruders(world, curfew).await {
        let dynamodb = async |action: &str, body: Value| {
            let target = format!("DynamoDB_20120810.{action}");
            intruder.client.json("dynamodb", &target, &body).await.map(drop)
        };
        let put = |table: &str| json!({ "TableName": table, "Item": item });
        dynamodb("PutItem", put(curfew.table())).await.expect("it writes its own ledger");
        intruder
            .assert_refused("write another stack's ledger", dynamodb("PutItem", put(eager.table())).await);
        let tenant = json!({ "TableName": world.acme().table(), "Key": { "id": { "S": "order-1" } } });
        intruder.assert_refused("read a tenant's table", dynamodb("GetItem", tenant).await);
        let delete = json!({ "TableName": curfew.table(), "Key": item });
        intruder.assert_refused("delete from the ledger", dynamodb("DeleteItem", delete.clone()).await);
        let transacted = json!({ "TransactItems": [{ "Delete": delete }] });
        intruder.assert_refused("delete in a transaction", dynamodb("TransactWriteItems", transacted).await);
        let all = json!({ "TableName": curfew.table() });
        intruder.assert_refused("read the whole ledger", dynamodb("Scan", all.clone()).await);
        intruder.assert_refused("delete the ledger", dynamodb("DeleteTable", all).await);
        let object = intruder.client.object(&world.acme().bucket()).await;
        intruder.assert_refused("read a tenant's bucket", object);

        let secret = json!({ "SecretId": curfew.output("WebhookSecretName") });
        let read =
            intruder.client.json("secretsmanager", "secretsmanager.GetSecretValue", &secret).await.map(drop);
        if intruder.role == "GrantRoleArn" {
            read.expect("the grant function verifies with it");
        } else {
            intruder.assert_refused("read the webhook secret", read);
        }
        let written = json!({ "SecretId": curfew.output("WebhookSecretName"), "SecretString": "{}" });
        let written = intruder.client.json("secretsmanager", "secretsmanager.PutSecretValue", &written).await;
        intruder.assert_refused("change the webhook secret", written.map(drop));
        let foreign = json!({ "SecretId": eager.output("WebhookSecretName") });
        let foreign = intruder.client.json("secretsmanager", "secretsmanager.GetSecretValue", &foreign).await;
        intruder.assert_refused("read another stack's secret", foreign.map(drop));
    }
}

/// The role by which Scheduler invokes the revoke function, as the grant function is told it.
async fn timer_role(world: &World, curfew: &Curfew) -> String {
    let path = format!("/2015-03-31/functions/{}/configuration", curfew.output("GrantFunctionName"));
    let said = world.root().rest("lambda", Method::GET, &path, &[], b"").await.expect("a function");
    said.json()["Environment"]["Variables"]["CURFEW_TIMER_ROLE_ARN"].as_str().expect("a role").to_owned()
}
