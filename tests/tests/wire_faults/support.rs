//! A function's real binary behind a proxy, with the environment and the role that the template gives it, and what
//! tests look at afterwards.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use curfew_cli::artifacts::{Artifacts, Function};
use curfew_cli::aws::Credentials;
use curfew_cli::stack::REGION;
use curfew_cli::webhook::Delivery;
use curfew_cli::workspace::Workspace;
use curfew_tests::curfew::{SOURCE, fresh_delivery};
use curfew_tests::lambda::Invocation;
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Invoked, Lambda, Person, Proxy, World, now, world};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// How long the template lets a grant take.
const SECONDS: i64 = 25;

/// A function's process, and the proxy that all its AWS calls go through.
pub(crate) struct Wired {
    pub(crate) proxy: Proxy,
    pub(crate) lambda: Lambda,
    credentials: Credentials,
}

impl Wired {
    /// Starts a function of a deployed Curfew.
    pub(crate) async fn start(curfew: &Curfew, function: Function) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let world = world().await;
        let proxy = Proxy::start(world.stack().port()).await.expect("a proxy");
        let package = package(world, function).await;
        let mut environment = template_environment(world, curfew, function).await;
        let role = curfew.output(&format!("{}Arn", function.logical_id().replace("Function", "Role")));
        let session = world.root().assume(role).await.expect("a session of the function's role");
        let credentials = session.credentials().clone();
        let token = credentials.session_token.clone().expect("a session's token");
        environment.extend([
            ("AWS_ENDPOINT_URL".to_owned(), proxy.endpoint()),
            ("AWS_REGION".to_owned(), REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID".to_owned(), credentials.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), credentials.secret_access_key.clone()),
            ("AWS_SESSION_TOKEN".to_owned(), token),
            ("LAMBDA_TASK_ROOT".to_owned(), package.display().to_string()),
            ("CURFEW_CATALOG".to_owned(), curfew.catalog().display().to_string()),
            ("CURFEW_GUARDRAILS".to_owned(), curfew.catalog().join("guardrails").display().to_string()),
            ("CURFEW_SENDERS".to_owned(), curfew.catalog().join("senders").display().to_string()),
        ]);
        let environment: Vec<_> = environment.into_iter().collect();
        let n = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = world.stack().folder().join(format!("{}-{n}.log", function.name()));
        let lambda = Lambda::start(&package.join("bootstrap"), &environment, log).await.expect("a process");
        Self { proxy, lambda, credentials }
    }

    /// Begins an invocation with as much time as the template gives.
    pub(crate) fn begin(&self, event: &Value) -> Invocation {
        self.lambda.begin(event, later(now(), SECONDS))
    }

    /// Invokes the function.
    pub(crate) async fn invoke(&self, event: &Value) -> Invoked {
        self.answered(self.begin(event)).await
    }

    /// The answer of an invocation that must not end the process.
    pub(crate) async fn answered(&self, invocation: Invocation) -> Invoked {
        match invocation.answer().await {
            Some(invoked) => invoked,
            None => panic!("the function died: {}", self.lambda.log().unwrap_or_default()),
        }
    }

    /// Delivers an approval, signed, as API Gateway would.
    pub(crate) async fn approve(&self, curfew: &Curfew, approval: &Approval) -> Heard {
        Heard::of(&self.invoke(&approval_event(curfew, approval)).await)
    }
}

/// What a sender hears.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) status: i64,
    pub(crate) headers: Value,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn of(invoked: &Invoked) -> Self {
        assert_eq!(invoked.error, None, "{invoked:?}");
        let reply = &invoked.payload;
        let body = reply["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
        Self {
            status: reply["statusCode"].as_i64().unwrap_or_default(),
            headers: reply["headers"].clone(),
            body: body.unwrap_or_else(|| panic!("a reply without a JSON body: {reply}")),
        }
    }

    /// The code of the problem; none, if it is none.
    pub(crate) fn code(&self) -> Option<&str> {
        self.body["type"].as_str()?.strip_prefix("urn:curfew:problem:")
    }

    /// That it is to be sent again, and when.
    pub(crate) fn assert_try_again(&self, name: &str) {
        assert_eq!((self.status, self.code()), (503, Some("try-again")), "{name}: {self:?}");
        assert_eq!(self.headers["retry-after"], "30", "{name}: {self:?}");
    }
}

/// An approval as an event of API Gateway, signed now.
pub(crate) fn approval_event(curfew: &Curfew, approval: &Approval) -> Value {
    signed_event(curfew, approval.body())
}

/// A body as an event of API Gateway, signed now.
pub(crate) fn signed_event(curfew: &Curfew, body: &Value) -> Value {
    let body = body.to_string();
    event(&curfew.secret().sign(&fresh_delivery(), now(), body.as_bytes()).expect("a signature"))
}

/// A delivery as an event of API Gateway.
pub(crate) fn event(delivery: &Delivery) -> Value {
    let headers: BTreeMap<_, _> = delivery.headers().into_iter().collect();
    let path = format!("/webhooks/{SOURCE}");
    json!({
        "version": "2.0",
        "routeKey": "POST /webhooks/{source}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "pathParameters": { "source": SOURCE },
        "requestContext": {
            "stage": "$default",
            "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7" },
        },
        "body": String::from_utf8_lossy(&delivery.body),
        "isBase64Encoded": false,
    })
}

/// What an operator types.
pub(crate) fn operator(grant_id: &str) -> Value {
    json!({ "grant_id": grant_id, "reason": "the incident is over", "operator": "ops@example.test" })
}

/// What a timer says.
pub(crate) fn timer(grant_id: &str) -> Value {
    json!({ "grant_id": grant_id, "trigger": "timer" })
}

/// The ids of a ticket's grants.
pub(crate) async fn grants_of(curfew: &Curfew, approval: &Approval) -> Vec<String> {
    let items = curfew.items(&format!("TICKET#{}", approval.ticket_id())).await;
    let links = items.iter().filter_map(|item| item["sk"].as_str()?.split_once("#GRANT#"));
    links.map(|(_, id)| id.to_owned()).collect()
}

/// Whether the person, with their own keys or in a fresh session of their role, may read the tenant's bucket.
pub(crate) async fn is_allowed(world: &World, person: &Person) -> bool {
    match person.caller().await.object(&world.acme().bucket()).await {
        Ok(()) => true,
        Err(refused) => {
            assert!(refused.is_denied(), "{refused:?}");
            false
        }
    }
}

/// That a grant has taken effect, once: for the person's keys, in IAM, at Scheduler and in the ledger.
pub(crate) async fn assert_active(name: &str, curfew: &Curfew, person: &Person, id: &str) {
    let world = world().await;
    assert!(is_allowed(world, person).await, "{name}: what was granted is refused");
    let policies = world.root().inline_policies(&person.principal).await;
    assert_eq!(policies, Ok(vec![format!("curfew-{id}")]), "{name}");
    assert!(curfew.has_schedule(id).await || curfew.has_rule(id).await, "{name}: there is no timer");
    let record = curfew.record(id).await.expect("a grant");
    assert_eq!(
        (record.state(), record.story()),
        ("active", vec!["Requested", "Opened", "Activated"]),
        "{name}"
    );
    record.verify();
}

/// That a grant is closed and nothing of it is left: for the person's keys, in IAM, at Scheduler and in the indexes.
pub(crate) async fn assert_gone(name: &str, curfew: &Curfew, person: &Person, id: &str, outcome: &str) {
    let world = world().await;
    assert!(!is_allowed(world, person).await, "{name}: access is left");
    assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![]), "{name}: a policy is left");
    assert_eq!(
        world.root().attached_policies(&person.principal).await,
        Ok(vec![]),
        "{name}: a policy is left"
    );
    assert!(!curfew.has_schedule(id).await, "{name}: the timer is left");
    assert!(!curfew.has_rule(id).await, "{name}: the timer is left");
    let record = curfew.record(id).await.expect("a grant");
    let state = &record.item["grant"]["state"];
    assert_eq!((record.state(), &state["outcome"]), ("closed", &json!(outcome)), "{name}: {state}");
    assert!(!curfew.is_indexed(&record).await, "{name}: a closed grant is in an index");
    record.verify();
}

/// That a function's log, with every failure in it, shows nothing that must stay hidden.
pub(crate) fn assert_quiet(name: &str, wired: &Wired, curfew: &Curfew) {
    let log = wired.lambda.log().expect("a log");
    assert!(log.contains("\"level\""), "{name}: something was logged");
    let credentials = wired.credentials.clone();
    let token = credentials.session_token.unwrap_or_default();
    let signing = curfew.secret().reveal().trim_start_matches("whsec_");
    for hidden in [signing, &credentials.secret_access_key, &token, "AWS4-HMAC-SHA256", "v1,"] {
        assert!(!log.contains(hidden), "{name}: the log shows a secret or a signature");
    }
}

/// The environment that the template gives a function.
async fn template_environment(
    world: &World,
    curfew: &Curfew,
    function: Function,
) -> BTreeMap<String, String> {
    let name = curfew.deployment().function(function).expect("an output of the template");
    let path = format!("/2015-03-31/functions/{name}/configuration");
    let said = world.root().rest("lambda", Method::GET, &path, &[], b"").await.expect("a function");
    let variables = said.json()["Environment"]["Variables"].clone();
    serde_json::from_value(variables).expect("a function's environment")
}

/// A function's package, unpacked: what the local stack runs, too.
async fn package(world: &World, function: Function) -> PathBuf {
    static PACKAGES: OnceCell<()> = OnceCell::const_new();
    let folder = |function: Function| world.stack().folder().join(format!("package-{}", function.name()));
    PACKAGES
        .get_or_init(async || {
            let python = world.stack().python();
            let workspace = Workspace::find().expect("the repository");
            let artifacts = Artifacts::build(&workspace, python).await.expect("the functions' packages");
            for function in Function::ALL {
                unpack(python.interpreter().as_ref(), &artifacts.package(function), &folder(function)).await;
            }
        })
        .await;
    folder(function)
}

async fn unpack(python: &Path, package: &Path, folder: &Path) {
    let unzip = tokio::process::Command::new(python)
        .args(["-m", "zipfile", "-e"])
        .args([package, folder])
        .stdin(Stdio::null())
        .status()
        .await;
    assert!(unzip.expect("a Python that runs").success(), "{} can't be unpacked", package.display());
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.join("bootstrap"), executable).expect("a bootstrap");
}

/// How many items a ledger holds.
pub(crate) async fn ledger_size(curfew: &Curfew) -> u64 {
    let scan = json!({ "TableName": curfew.table(), "Select": "COUNT", "ConsistentRead": true });
    let root = world().await.root();
    let said = root.json("dynamodb", "DynamoDB_20120810.Scan", &scan).await.expect("a count");
    assert!(said["LastEvaluatedKey"].is_null(), "a test's ledger fits on one page");
    said["Count"].as_u64().expect("a count")
}
