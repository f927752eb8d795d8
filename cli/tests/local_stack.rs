//! The local stack itself: it leaves nothing behind, and it enforces IAM as AWS does where the template relies on
//! it. Without `infra/local/aws_corrections.py` the tests of the second kind are red.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test says plainly what must hold")]

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use curfew_cli::aws::{Aws, AwsError, Credentials};
use curfew_cli::failure::Failure;
use curfew_cli::python::Python;
use curfew_cli::stack::LocalStack;
use curfew_cli::workspace::Workspace;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

/// One stack for the tests that don't stop it. It ends with this process.
async fn shared() -> &'static LocalStack {
    static STACK: OnceCell<LocalStack> = OnceCell::const_new();
    STACK.get_or_init(start).await
}

async fn start() -> LocalStack {
    let (workspace, python) = provision().await;
    LocalStack::start(&workspace, &python, None).await.expect("the stack starts")
}

async fn provision() -> (Workspace, Python) {
    let workspace = Workspace::find().expect("a workspace");
    let python = Python::provision(&workspace).await.expect("an environment");
    (workspace, python)
}

/// A user with this one policy, and nothing else.
async fn user(stack: &LocalStack, name: &str, statements: Value) -> Aws {
    let root = stack.root();
    root.run(["iam", "create-user", "--user-name", name]).await.expect("a user");
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let policy = ["iam", "put-user-policy", "--policy-name", "p", "--user-name", name, "--policy-document"];
    root.run(policy.into_iter().chain([document.as_str()])).await.expect("a policy");
    let key = root.call(["iam", "create-access-key", "--user-name", name]).await.expect("a key");
    let text = |member: &str| key["AccessKey"][member].as_str().expect("its text").to_owned();
    stack.aws(Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: None,
    })
}

async fn put_policy(aws: &Aws, user: &str) -> Result<(), AwsError> {
    let document =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let call = ["iam", "put-user-policy", "--policy-name", "q", "--user-name", user, "--policy-document"];
    aws.run(call.into_iter().chain([document])).await
}

#[track_caller]
fn assert_denied(outcome: Result<(), AwsError>) {
    let error = outcome.expect_err("it is denied");
    assert!(error.is_denied(), "{error}");
}

/// Expects that nobody listens any more. A killed process closes its connections and its listener one after the
/// other, so whoever saw the one closed may have to wait a moment for the other.
async fn assert_freed(port: u16) {
    let freed = async {
        while TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed).await.expect("its port is free again");
}

#[tokio::test]
async fn a_dropped_stack_is_gone_with_its_folder() {
    let stack = start().await;
    let (port, folder) = (stack.port(), stack.folder().to_owned());
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err(), "it listens");
    assert!(folder.exists());
    drop(stack);
    assert!(!folder.exists());
    assert_freed(port).await;
}

#[tokio::test]
async fn a_port_in_use_is_refused_before_anything_starts() {
    let (workspace, python) = provision().await;
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let port = taken.local_addr().expect("its address").port();
    let refused = LocalStack::start(&workspace, &python, Some(port)).await;
    assert!(matches!(refused, Err(Failure::PortInUse { port: told }) if told == port));
}

/// `curfew local --bare` and the port it answers on.
async fn starter() -> (Child, u16) {
    let mut starter = Command::new(env!("CARGO_BIN_EXE_curfew"))
        .args(["local", "--bare"])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let stdout = starter.stdout.take().expect("its output");
    let line = BufReader::new(stdout).lines().next_line().await.expect("a line").expect("what to export");
    let (_, rest) = line.split_once("AWS_ENDPOINT_URL=http://127.0.0.1:").expect("the endpoint");
    let port = rest.split(' ').next().expect("the port").parse().expect("a number");
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err(), "it listens");
    (starter, port)
}

#[tokio::test]
async fn ctrl_c_stops_everything() {
    let (mut starter, port) = starter().await;
    let id = starter.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().await.expect("kill runs");
    assert!(sent.success());
    let ended = starter.wait().await.expect("it ends");
    assert_eq!(ended.code(), Some(130));
    assert_freed(port).await;
}

#[tokio::test]
async fn a_starter_that_is_killed_takes_the_stack_with_it() {
    let (mut starter, port) = starter().await;
    // A connection that says when the stack goes, as nothing else is left to tell.
    let mut connection =
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a connection");
    starter.kill().await.expect("killed");
    let mut rest = Vec::new();
    let _ = connection.read_to_end(&mut rest).await;
    assert_freed(port).await;
}

#[tokio::test]
async fn an_unknown_key_is_refused() {
    let stack = shared().await;
    let stranger = stack.aws(Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: "wrong".into(),
        session_token: None,
    });
    let refused = stranger.call(["s3api", "list-buckets"]).await.expect_err("nobody knows it");
    assert!(refused.code().is_some(), "{refused}");
}

#[tokio::test]
async fn a_condition_on_the_permissions_boundary_is_decided_by_the_principals_own() {
    let stack = shared().await;
    let root = stack.root();
    let boundary = "arn:aws:iam::000000000000:policy/boundary";
    let document =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    root.run(["iam", "create-policy", "--policy-name", "boundary", "--policy-document", document])
        .await
        .expect("a boundary");
    root.run(["iam", "create-user", "--user-name", "bounded", "--permissions-boundary", boundary])
        .await
        .expect("a user");
    root.run(["iam", "create-user", "--user-name", "free"]).await.expect("a user");
    let operator = user(
        stack,
        "operator",
        json!([{
            "Effect": "Allow",
            "Action": "iam:PutUserPolicy",
            "Resource": "arn:aws:iam::000000000000:user/*",
            "Condition": { "StringEquals": { "iam:PermissionsBoundary": [boundary] } },
        }]),
    )
    .await;
    put_policy(&operator, "bounded").await.expect("it carries the boundary");
    assert_denied(put_policy(&operator, "free").await);
    assert_denied(put_policy(&operator, "operator").await);
}

#[tokio::test]
async fn a_user_is_named_with_its_path() {
    let stack = shared().await;
    for (name, path) in [("ann", "/team/"), ("bob", "/other/")] {
        stack.root().run(["iam", "create-user", "--user-name", name, "--path", path]).await.expect("a user");
    }
    let resource = "arn:aws:iam::000000000000:user/team/*";
    let statements = json!([{ "Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": resource }]);
    let operator = user(stack, "team-operator", statements).await;
    put_policy(&operator, "ann").await.expect("she is in the team");
    assert_denied(put_policy(&operator, "bob").await);
}

#[tokio::test]
async fn a_timer_needs_its_group_and_the_right_to_pass_its_role() {
    let stack = shared().await;
    stack.root().run(["scheduler", "create-schedule-group", "--name", "curfew"]).await.expect("a group");
    let create = |role: &str, group: &str| {
        let target = json!({
            "Arn": "arn:aws:lambda:us-east-1:000000000000:function:revoke",
            "RoleArn": format!("arn:aws:iam::000000000000:role/{role}"),
        });
        ["scheduler", "create-schedule", "--name", "curfew-g-1", "--flexible-time-window", "Mode=OFF"]
            .map(str::to_owned)
            .into_iter()
            .chain(
                ["--schedule-expression", "at(2099-01-01T00:00:00)", "--group-name", group]
                    .map(str::to_owned),
            )
            .chain(["--target".to_owned(), target.to_string()])
            .collect::<Vec<_>>()
    };
    let timers = user(
        stack,
        "timers",
        json!([
            {
                "Effect": "Allow",
                "Action": "scheduler:CreateSchedule",
                "Resource": "arn:aws:scheduler:us-east-1:000000000000:schedule/curfew/curfew-*",
            },
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": "arn:aws:iam::000000000000:role/timer",
                "Condition": { "StringEquals": { "iam:PassedToService": "scheduler.amazonaws.com" } },
            },
        ]),
    )
    .await;
    assert_denied(timers.run(create("admin", "curfew")).await);
    assert_denied(timers.run(create("timer", "default")).await);
    timers.run(create("timer", "curfew")).await.expect("all is as the policy says");
}

#[tokio::test]
async fn a_rule_may_be_aimed_at_what_the_policy_names_alone() {
    let stack = shared().await;
    let revoke = "arn:aws:lambda:us-east-1:000000000000:function:revoke";
    let rules = user(
        stack,
        "rules",
        json!([
            {
                "Effect": "Allow",
                "Action": "events:PutRule",
                "Resource": "arn:aws:events:us-east-1:000000000000:rule/curfew-*",
            },
            {
                "Effect": "Allow",
                "Action": "events:PutTargets",
                "Resource": "arn:aws:events:us-east-1:000000000000:rule/curfew-*",
                "Condition": { "ForAllValues:ArnEquals": { "events:TargetArn": revoke } },
            },
        ]),
    )
    .await;
    let rule = ["events", "put-rule", "--schedule-expression", "cron(0 0 1 1 ? 2099)", "--name"];
    rules.run(rule.into_iter().chain(["curfew-g-1"])).await.expect("its name is Curfew's");
    assert_denied(rules.run(rule.into_iter().chain(["other"])).await);
    let aim = |function: &str| {
        let targets = json!([{ "Id": "revoke", "Arn": function }]).to_string();
        ["events", "put-targets", "--rule", "curfew-g-1", "--targets"]
            .map(str::to_owned)
            .into_iter()
            .chain([targets])
    };
    rules.run(aim(revoke)).await.expect("it is the revoke function");
    assert_denied(rules.run(aim("arn:aws:lambda:us-east-1:000000000000:function:other")).await);
}
