//! The grant function from event to reply, on an AWS in memory.

mod approvals;
mod changes;
mod events;
mod refusals;
mod tickets;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use curfew_app::ports;
use curfew_domain::effect::TimerKind;
use curfew_domain::ids::DeliveryId;
use curfew_domain::principal::Principal;
use curfew_intake::{Secret, Secrets};
use curfew_runtime::{Invocation, Metrics};
use curfew_testkit::fixtures::{self, ANA, CATALOG, LEASE, OWN_ACCOUNT};
use curfew_testkit::{CallName, MemoryPorts, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::{GrantFunction, GrantSettings, SecretSource, SecretsUnavailable};

/// A signing secret for tests: the base64 of 32 bytes that look random.
const SECRET: &str = "whsec_3q2+796tvu/erb7v0R8kPz5Gm1cJtDk4Vx0aQ9sLhYc=";

/// Gives the secrets of source `itsm`, or none.
struct FixedSecrets(Result<(), SecretsUnavailable>);

impl SecretSource for FixedSecrets {
    async fn secrets(&self) -> Result<Secrets, SecretsUnavailable> {
        self.0.clone()?;
        Ok(Secrets::parse(&json!({ "itsm": { "current": SECRET } }).to_string()).unwrap())
    }
}

type MakePorts = Box<dyn Fn(ports::Invocation) -> MemoryPorts + Send + Sync>;

/// A function in a world, and the metrics that it told.
struct Bench {
    world: World,
    ports: MemoryPorts,
    function: GrantFunction<MakePorts, FixedSecrets>,
    metrics: Arc<Mutex<Vec<Value>>>,
    /// Held until the catalog was read.
    _catalog: CatalogFolder,
}

impl Bench {
    fn new() -> Self {
        Self::with(Some(CATALOG), Ok(()))
    }

    fn with(catalog: Option<&str>, secrets: Result<(), SecretsUnavailable>) -> Self {
        let world = fixtures::world();
        let ports = world.invocation();
        let metrics = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&metrics);
        let sink =
            Arc::new(move |line: &str| lines.lock().unwrap().push(serde_json::from_str(line).unwrap()));
        let folder = CatalogFolder::new(catalog);
        let settings = GrantSettings {
            account_id: OWN_ACCOUNT.to_owned(),
            timers: TimerKind::Scheduler,
            sweep_grace: SignedDuration::from_secs(60),
            catalog: folder.0.clone(),
        };
        let metrics_to = Metrics::to("curfew-grant", sink);
        let same = ports.clone();
        let make: MakePorts = Box::new(move |invocation| same.clone().leased(invocation.lease_until));
        let function = GrantFunction::new(make, FixedSecrets(secrets), metrics_to, settings);
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

    /// The names of the metrics told so far, with the reason where there is one.
    fn told(&self) -> Vec<String> {
        let told = self.metrics.lock().unwrap();
        told.iter()
            .map(|line| {
                let name = line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"].as_str().unwrap();
                line["Reason"].as_str().map_or_else(|| name.to_owned(), |reason| format!("{name}:{reason}"))
            })
            .collect()
    }

    fn assert_promises_kept(&self) {
        assert_eq!(self.world.violations(), [], "{}", self.world.history());
    }
}

/// A catalog folder of one file, or of none, for as long as it is held.
struct CatalogFolder(PathBuf);

impl CatalogFolder {
    fn new(text: Option<&str>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("curfew-grant-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
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
