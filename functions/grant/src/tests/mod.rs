//! The grant function from event to reply, on an AWS in memory.

mod approvals;
mod changes;
mod events;
mod extensions;
mod guardrails;
mod refusals;
mod tickets;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use curfew_app::ports;
use curfew_domain::effect::TimerKind;
use curfew_domain::ids::DeliveryId;
use curfew_domain::principal::Principal;
use curfew_intake::{ApiCredential, Secret, Secrets, Senders};
use curfew_runtime::{Invocation, Metrics};
use curfew_testkit::fixtures::{self, ANA, CATALOG, LEASE, OWN_ACCOUNT};
use curfew_testkit::{CallName, MemoryPorts, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::{
    GrantFunction, GrantSettings, NotAnswered, PackageFolders, SecretSource, SecretsUnavailable, SourceApi,
};

/// A signing secret for tests: the base64 of 32 bytes that look random.
const SECRET: &str = "whsec_3q2+796tvu/erb7v0R8kPz5Gm1cJtDk4Vx0aQ9sLhYc=";

/// Gives the secrets of source `itsm`, or none.
struct FixedSecrets(Result<(), SecretsUnavailable>);

impl SecretSource for FixedSecrets {
    async fn secrets(&self, senders: &Senders) -> Result<Secrets, SecretsUnavailable> {
        self.0.clone()?;
        Ok(Secrets::parse(&json!({ "itsm": { "current": SECRET } }).to_string(), senders).unwrap())
    }
}

/// Answers nothing: no test here asks a source.
struct NoApi;

impl SourceApi for NoApi {
    async fn get(&self, url: &str, _: Option<&ApiCredential>, _: Duration) -> Result<String, NotAnswered> {
        Err(NotAnswered::Refused(format!("{url} was asked")))
    }

    async fn post(&self, url: &str, _: &str, _: Duration) -> Result<(), NotAnswered> {
        Err(NotAnswered::Refused(format!("{url} was told")))
    }
}

/// Permits whatever the catalog allows.
const EVERYBODY: &str = "@id(\"everybody\") permit (principal, action, resource);";

type MakePorts = Box<dyn Fn(ports::Invocation) -> MemoryPorts + Send + Sync>;

/// A function in a world, and the metrics that it told.
struct Bench {
    world: World,
    ports: MemoryPorts,
    function: GrantFunction<MakePorts, FixedSecrets, NoApi>,
    metrics: Arc<Mutex<Vec<Value>>>,
    /// Held until the catalog was read.
    _catalog: CatalogFolder,
}

impl Bench {
    fn new() -> Self {
        Self::with(Some(CATALOG), Ok(()))
    }

    fn guarded_by(guardrails: &str) -> Self {
        Self::of(Some(CATALOG), guardrails, Ok(()), 600)
    }

    fn with(catalog: Option<&str>, secrets: Result<(), SecretsUnavailable>) -> Self {
        Self::of(catalog, EVERYBODY, secrets, 600)
    }

    fn of(
        catalog: Option<&str>,
        guardrails: &str,
        secrets: Result<(), SecretsUnavailable>,
        source_per_minute: u32,
    ) -> Self {
        let world = fixtures::world();
        let ports = world.invocation();
        let metrics = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&metrics);
        let sink =
            Arc::new(move |line: &str| lines.lock().unwrap().push(serde_json::from_str(line).unwrap()));
        let folder = CatalogFolder::new(catalog, guardrails);
        let settings = GrantSettings {
            account_id: OWN_ACCOUNT.to_owned(),
            timers: TimerKind::Scheduler,
            sweep_grace: SignedDuration::from_secs(60),
            folders: PackageFolders {
                catalog: folder.0.clone(),
                guardrails: folder.0.clone(),
                senders: folder.0.join("senders"),
            },
            source_per_minute,
        };
        let metrics_to = Metrics::to("curfew-grant", sink);
        let same = ports.clone();
        let make: MakePorts = Box::new(move |invocation| same.clone().leased(invocation.lease_until));
        let function = GrantFunction::new(make, FixedSecrets(secrets), NoApi, metrics_to, settings);
        Self { world, ports, function, metrics, _catalog: folder }
    }

    /// Posts an event as it is.
    fn post(&self, request: &ApiGatewayV2httpRequest) -> Reply {
        let deadline = curfew_domain::window::plus(self.world.now(), LEASE);
        let invocation = Invocation { request_id: "r-1".to_owned(), deadline };
        self.world.finish(self.function.handle(request, &invocation)).unwrap()
    }

    /// Posts a body, signed by `itsm`.
    fn send(&self, body: &Value) -> Reply {
        self.post(&self.signed(&body.to_string()))
    }

    /// A signed event.
    fn signed(&self, body: &str) -> ApiGatewayV2httpRequest {
        let id = DeliveryId::new("msg_1").unwrap();
        let at = self.world.now();
        let signature = Secret::parse(SECRET).unwrap().sign(&id, at, body).unwrap();
        let event = json!({
            "version": "2.0",
            "routeKey": "POST /webhooks/{source}",
            "rawPath": "/webhooks/itsm",
            "headers": {
                "content-type": "application/json",
                "webhook-id": id,
                "webhook-timestamp": at.as_second().to_string(),
                "webhook-signature": signature,
            },
            "requestContext": {
                "stage": "$default",
                "http": { "method": "POST", "path": "/webhooks/itsm", "sourceIp": "192.0.2.7" },
            },
            "body": body,
            "isBase64Encoded": false,
        });
        serde_json::from_value(event).unwrap()
    }

    /// How many grants the ledger holds, and how many denials.
    fn written(&self) -> (usize, usize) {
        self.world.look(|aws| (aws.ledger.rows().count(), aws.ledger.denials().count()))
    }

    fn calls(&self) -> Vec<CallName> {
        self.world.calls(&self.ports)
    }

    fn ana_has_access(&self) -> bool {
        self.world.look(|aws| aws.iam.allows(&ana(), aws.now))
    }

    /// The names of the metrics told so far, with the reason or the source where there is one.
    fn told(&self) -> Vec<String> {
        let told = self.metrics.lock().unwrap();
        told.iter()
            .map(|line| {
                let name = line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"].as_str().unwrap();
                let further = line["Reason"].as_str().or(line["Source"].as_str());
                further.map_or_else(|| name.to_owned(), |further| format!("{name}:{further}"))
            })
            .collect()
    }

    fn assert_promises_kept(&self) {
        assert_eq!(self.world.violations(), [], "{}", self.world.history());
    }
}

/// A folder of one file of the catalog, or none, and one of guardrails, for as long as it is held.
struct CatalogFolder(PathBuf);

impl CatalogFolder {
    fn new(text: Option<&str>, guardrails: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("curfew-grant-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("guardrails.cedar"), guardrails).unwrap();
        if let Some(text) = text {
            std::fs::write(folder.join("catalog.toml"), text).unwrap();
        }
        Self(folder)
    }
}

impl Drop for CatalogFolder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn ana() -> Principal {
    Principal::parse(ANA).unwrap()
}

/// An approval of `ops` in `acme` for Ana, by Carl.
fn approval(ticket: &str) -> Value {
    json!({
        "type": "access.approved",
        "ticket": ticket,
        "requester": "ana@example.com",
        "tenant": "acme",
        "role": "ops",
        "approvals": [{ "approver": "carl@example.com", "at": fixtures::START }],
        "window": { "duration": "1h" },
        "justification": "disk full on db-3",
    })
}

/// `body` with a field set.
fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[track_caller]
fn assert_problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status, &reply.body["type"]),
        (status, &json!(format!("urn:curfew:problem:{code}"))),
        "{}",
        reply.body
    );
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(reply.body["status"], status);
    assert!(reply.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}
