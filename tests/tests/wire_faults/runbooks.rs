//! The pages of `docs/runbooks/`, tried: each alarm's condition is brought about, its metric says so, and the page's own
//! commands end it. One Curfew for all of them, one at a time, and nobody but these tests has it swept.
//!
//! What the local stack does not count is told by what it counts: a queue's length stands for the queue's metric, a reply
//! of 5xx for the API's, a failed invocation for Lambda's.

#[path = "../template/document.rs"]
#[expect(dead_code, reason = "the template's tests' own; these need a part of it")]
mod document;
mod evidence;
mod failing;
mod page;
mod removal;
mod watch;
mod webhooks;

use std::collections::BTreeSet;

use curfew_cli::artifacts::Function;
use curfew_cli::stack::{ACCOUNT, REGION};
use curfew_tests::catalog::ACME;
use curfew_tests::wait::later;
use curfew_tests::{Curfew, Person, World, now, world};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use self::document::{resources, template};
use self::page::{Page, folder, page_name};
use crate::support::Wired;

/// Whoever acts, as placeholders have it.
const YOU: (&str, &str) = ("you", "ops@example.test");

/// The runbooks' Curfew, for one test at a time.
struct Turn {
    curfew: &'static Curfew,
    world: &'static World,
    _alone: MutexGuard<'static, ()>,
}

async fn turn() -> Turn {
    static ALONE: Mutex<()> = Mutex::const_new(());
    static CURFEW: OnceCell<Curfew> = OnceCell::const_new();
    let alone = ALONE.lock().await;
    let world = world().await;
    let curfew = CURFEW.get_or_init(async || {
        let parameters = [("DriftMinutes", "1"), ("DriftMarginSeconds", "5"), ("FunctionUrl", "public")];
        // Only tenants of its own account: the agent role of another would have to be deployed first.
        let tenants = format!("[tenant.{ACME}]\naccount = \"{ACCOUNT}\"\nregion = \"{REGION}\"\n");
        let curfew = world.deploy("runbooks", &parameters, &[("tenants.toml", &tenants)]).await;
        switch_the_sweep(world, &curfew, "DisableRule").await;
        curfew
    });
    Turn { curfew: curfew.await, world, _alone: alone }
}

/// The name of a rule of the stack.
async fn rule(world: &World, curfew: &Curfew, of: &str) -> String {
    let prefix = json!({ "NamePrefix": format!("{}-{of}", curfew.deployment().name) });
    let said = world.root().json("events", "AWSEvents.ListRules", &prefix).await.expect("the stack's rules");
    let [rule] = said["Rules"].as_array().expect("rules").as_slice() else { panic!("one rule: {said}") };
    rule["Name"].as_str().expect("a name").to_owned()
}

async fn switch_the_sweep(world: &World, curfew: &Curfew, operation: &str) {
    let rule = json!({ "Name": rule(world, curfew, "SweepFunctionEveryMinute").await });
    world.root().json("events", &format!("AWSEvents.{operation}"), &rule).await.expect("a rule");
}

impl Turn {
    /// A function with a proxy of its own.
    async fn wired(&self, function: Function) -> Wired {
        Wired::start(self.curfew, function).await
    }

    /// A lap of a sweep with a proxy, with as much time as the template gives.
    async fn lap(&self, sweep: &Wired) -> Value {
        let invoked = sweep.answered(sweep.lambda.begin(&json!({}), later(now(), 55))).await;
        assert_eq!(invoked.error, None, "{invoked:?}");
        invoked.payload
    }

    /// Takes a permission away from one of the stack's roles, or gives it back: by a policy that denies it.
    async fn deny(&self, role: &str, action: Option<&str>) {
        let name = self.curfew.output(role).rsplit('/').next().expect("a role's name");
        let policy = [("RoleName", name), ("PolicyName", "broken-on-purpose")];
        let root = self.world.root();
        let done = match action {
            Some(action) => {
                let statement = json!({ "Effect": "Deny", "Action": action, "Resource": "*" });
                let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
                let put = [policy[0], policy[1], ("PolicyDocument", document.as_str())];
                root.query("iam", "PutRolePolicy", &put).await
            }
            None => root.query("iam", "DeleteRolePolicy", &policy).await,
        };
        done.expect("a policy of the role");
    }

    /// How many messages a queue of the stack holds.
    async fn waiting(&self, queue: &str) -> f64 {
        let asked = json!({
            "QueueUrl": self.curfew.output(queue),
            "AttributeNames": ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        });
        let said =
            self.world.root().json("sqs", "AmazonSQS.GetQueueAttributes", &asked).await.expect("a queue");
        let count = |name: &str| said["Attributes"][name].as_str()?.parse::<f64>().ok();
        let hidden = count("ApproximateNumberOfMessagesNotVisible").unwrap_or_default();
        count("ApproximateNumberOfMessages").expect("a number") + hidden
    }

    /// Has a grant be that much older: what was to happen then should have happened long ago.
    async fn age(&self, grant_id: &str, by: SignedDuration) {
        let root = self.world.root();
        let key = json!({ "pk": { "S": format!("GRANT#{grant_id}") }, "sk": { "S": "STATE" } });
        let get = json!({ "TableName": self.curfew.table(), "Key": key, "ConsistentRead": true });
        let said = root.json("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an item");
        let mut item = said["Item"].clone();
        let places = [
            "/starts_at",
            "/expires_at",
            "/due_at",
            "/due_order",
            "/closing_since",
            "/in_aws_until",
            "/grant/M/window/M/starts_at",
            "/grant/M/window/M/expires_at",
            "/grant/M/timer/M/fires_at",
            "/grant/M/timer/M/overdue_at",
            "/claim/M/at",
            "/grant/M/state/M/begun_at",
            "/grant/M/state/M/retry_at",
            "/grant/M/state/M/activated_at",
        ];
        for place in places {
            if let Some(Value::String(text)) = item.pointer_mut(&format!("{place}/S")) {
                let (time, rest) = text.split_at(text.find('#').unwrap_or(text.len()));
                let time: Timestamp = time.parse().expect("a time");
                *text = format!("{}{rest}", time - by);
            }
        }
        let put = json!({ "TableName": self.curfew.table(), "Item": item });
        root.json("dynamodb", "DynamoDB_20120810.PutItem", &put).await.expect("an item that is written");
    }
}

fn user_of(person: &Person) -> &str {
    person.principal.rsplit('/').next().unwrap_or_default()
}

/// Whether what was told of a log group on a page's first look names something.
fn names(answer: &Value, what: &str) -> bool {
    let events = answer["events"].as_array().into_iter().flatten();
    events.filter_map(|event| event["message"].as_str()).any(|message| message.contains(what))
}

/// Whoever is called by an alarm finds its page, and no page is about an alarm that there is not.
#[test]
fn each_alarm_has_a_page_and_each_page_an_alarm() {
    let template = template("template.yaml");
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    let expected: BTreeSet<String> =
        alarms.iter().map(|(alarm, _)| format!("{}.md", page_name(alarm))).collect();
    let pages =
        std::fs::read_dir(folder()).expect("docs/runbooks").map(|entry| entry.expect("an entry").file_name());
    let mut pages: BTreeSet<String> = pages.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(pages.remove("README.md"));
    assert_eq!(pages, expected);

    let index = std::fs::read_to_string(folder().join("README.md")).expect("an index");
    for (alarm, properties) in alarms {
        let description = properties["Properties"]["AlarmDescription"].as_str().expect("a description");
        let runbook = format!("Runbook: docs/runbooks/{}.md", page_name(alarm));
        assert!(description.contains("First: ") && description.ends_with(&runbook), "{alarm}: {description}");
        assert!(description.len() <= 1024, "{alarm}: CloudWatch takes 1024 characters");
        let page = Page::of(alarm);
        let headings = [
            "What happened",
            "Is anybody's access affected",
            "First look",
            "Causes",
            "Remedy",
            "It is over when",
        ];
        for heading in headings {
            assert!(page.section(heading).trim().len() > 10, "{alarm}: nothing under `{heading}`");
        }
        assert!(!page.commands("First look").is_empty(), "{alarm}: where to look?");
        assert!(!page.commands("Remedy").is_empty() || alarm == "RemovalUnproven", "{alarm}: what to do?");
        assert!(index.contains(&format!("| {alarm} |")), "{alarm} is not in the index");
    }
}

/// What the local stack does not show: a year of logs, calls that take longer than a minute, and a deployment that finds
/// nothing to do because the template is the same.
#[test]
fn the_pages_commands_are_fit_for_a_large_account() {
    for (alarm, _) in resources(&template("template.yaml"), "AWS::CloudWatch::Alarm") {
        let page = Page::of(alarm);
        assert!(!page.text().contains("eploy the stack again"), "{alarm}: CloudFormation would do nothing");
        for heading in ["First look", "Remedy", "It is over when"] {
            for command in page.commands(heading) {
                let has = |word: &str| command.iter().any(|of| of == word);
                let is_slow = has("<stack>-audit") || has("<stack>-revoke");
                assert!(!has("filter-log-events") || has("--start-time"), "{alarm}: {command:?}");
                assert!(!has("invoke") || !is_slow || has("--cli-read-timeout"), "{alarm}: {command:?}");
            }
        }
    }
}

/// An operation of the `aws` command line as IAM calls it.
fn action(command: &[String]) -> String {
    let [service, operation] = &command[1..3] else { panic!("{command:?}") };
    let service = if service == "s3api" { "s3" } else { service };
    let operation = match operation.as_str() {
        "list-objects-v2" => "list-bucket",
        "invoke" => "invoke-function",
        other => other,
    };
    let words = operation.split('-').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
    format!("{service}:{}", words.collect::<String>())
}

/// The index has the policy of whoever is on call: each command of the pages is in it, but for what administrators do.
#[test]
fn who_is_on_call_may_do_what_the_pages_say() {
    let index = std::fs::read_to_string(folder().join("README.md")).expect("an index");
    let policy = index.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a policy");
    let policy: Value = serde_json::from_str(policy).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let allowed = statements.iter().flat_map(|statement| statement["Action"].as_array().expect("actions"));
    let allowed: BTreeSet<&str> = allowed.map(|action| action.as_str().expect("an action")).collect();
    let template = template("template.yaml");
    let mut asked = BTreeSet::from(["cloudformation:DescribeStacks".to_owned()]);
    for (alarm, _) in resources(&template, "AWS::CloudWatch::Alarm") {
        for heading in ["First look", "Remedy", "It is over when"] {
            asked.extend(Page::of(alarm).commands(heading).iter().map(|command| action(command)));
        }
    }
    asked.retain(|action| !action.starts_with("iam:"));
    let lacking: Vec<_> = asked.iter().filter(|action| !allowed.contains(action.as_str())).collect();
    assert!(lacking.is_empty(), "whoever is on call may not: {lacking:?}");
    // Named in words, or behind the saved queries.
    let besides = [
        "lambda:DeleteFunctionConcurrency",
        "logs:DescribeLogGroups",
        "logs:DescribeQueryDefinitions",
        "logs:GetQueryResults",
        "logs:StartQuery",
        "logs:StopQuery",
    ];
    let unused: Vec<_> =
        allowed.iter().filter(|action| !asked.contains(**action) && !besides.contains(action)).collect();
    assert!(unused.is_empty(), "no page asks for {unused:?}");
}

#[tokio::test]
async fn the_dashboard_is_there_and_shows_what_there_is() {
    let turn = turn().await;
    let shown = turn.world.command_line(ACCOUNT);
    let said = shown
        .call(["cloudwatch", "get-dashboard", "--dashboard-name", turn.curfew.output("DashboardName")])
        .await
        .expect("a dashboard");
    let body: Value = serde_json::from_str(said["DashboardBody"].as_str().expect("a body")).expect("JSON");
    let widgets = body["widgets"].as_array().expect("widgets");
    let first = &widgets[0];
    assert_eq!(first["type"], "custom");
    let console = turn.curfew.deployment().function(Function::Console).expect("an output");
    assert!(
        first["properties"]["endpoint"].as_str().is_some_and(|arn| arn.ends_with(&format!(":{console}")))
    );
    let alarms = widgets.iter().find(|widget| widget["type"] == "alarm").expect("the alarms' state");
    let shown = alarms["properties"]["alarms"].as_array().expect("alarms").len();
    assert_eq!(shown, resources(&template("template.yaml"), "AWS::CloudWatch::Alarm").len(), "all of them");
    assert!(!body.to_string().contains("${"), "something was not filled in");
}
