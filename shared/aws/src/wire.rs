//! Test support: the real SDK clients over a wire that ends in a script.
//!
//! Requests are serialised, signed and retried as in production, and answers parsed, so a test sees what
//! AWS would see. Only the connection is replaced. (The SDK's own replay client would do the same, but
//! its feature makes cargo build every SDK a second time.)

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_iam::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::http::{Request, Response, StatusCode};
use curfew_app::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::Aws;

/// A request as AWS would see it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The call's name: `PutUserPolicy`; for Scheduler, method and path.
    pub(crate) call: String,
    /// The body.
    pub(crate) body: String,
    /// The access key that it is signed with.
    pub(crate) signed_by: String,
    /// Its headers, by their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Seen {
    /// A JSON body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// A form body.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// What the script answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status and a body.
    Answer(u16, String),
    /// The connection breaks before an answer.
    Broken,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, body.to_string())
    }

    /// A JSON error.
    pub(crate) fn json_error(status: u16, code: &str) -> Self {
        Self::json(
            status,
            &json!({ "__type": code, "message": format!("said {code}"), "Message": format!("said {code}") }),
        )
    }

    /// An error of IAM or STS.
    pub(crate) fn xml_error(status: u16, code: &str) -> Self {
        Self::Answer(
            status,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>said {code}</Message></Error>\
                 <RequestId>r-1</RequestId></ErrorResponse>"
            ),
        )
    }

    /// IAM's answer to a call without result.
    pub(crate) fn xml_done(call: &str) -> Self {
        Self::Answer(
            200,
            format!(
                "<{call}Response><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{call}Response>"
            ),
        )
    }

    /// An error of S3.
    pub(crate) fn s3_error(status: u16, code: &str) -> Self {
        Self::Answer(status, format!("<Error><Code>{code}</Code><Message>said {code}</Message></Error>"))
    }

    /// STS's answer to `AssumeRole`.
    pub(crate) fn session(access_key_id: &str, ends_at: &str) -> Self {
        Self::Answer(
            200,
            format!(
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{access_key_id}</AccessKeyId>\
                 <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{ends_at}</Expiration>\
                 </Credentials></AssumeRoleResult></AssumeRoleResponse>"
            ),
        )
    }
}

/// Answers in order; the last one again and again.
#[derive(Debug, Default)]
pub(crate) struct Script {
    seen: Mutex<Vec<Seen>>,
    replies: Mutex<VecDeque<Reply>>,
}

impl Script {
    /// What was sent so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The names of the calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.call).collect()
    }

    /// The only request.
    pub(crate) fn one(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

#[derive(Debug)]
struct ScriptedConnector(Arc<Script>);

impl HttpConnector for ScriptedConnector {
    fn call(&self, request: Request) -> HttpConnectorFuture {
        self.0.seen.lock().unwrap().push(see(&request));
        let mut replies = self.0.replies.lock().unwrap();
        let reply = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
        HttpConnectorFuture::ready(match reply {
            Some(Reply::Answer(status, body)) => {
                let mut response = Response::new(StatusCode::try_from(status).unwrap(), body.into());
                response.headers_mut().insert("x-amzn-requestid", "r-1");
                Ok(response)
            }
            Some(Reply::Broken) | None => Err(ConnectorError::io("the connection was reset".into())),
        })
    }
}

fn see(request: &Request) -> Seen {
    let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
    let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
    let action = body.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
    let path = || {
        let uri = request.uri().split_once("amazonaws.com").map_or("", |(_, path)| path);
        format!("{} {uri}", request.method())
    };
    let call = target.or(action).map_or_else(path, str::to_owned);
    let authorization = request.headers().get("authorization").unwrap_or_default();
    let signed_by = authorization.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next());
    let signed_by = signed_by.unwrap_or_default().to_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    // Set only once it is sent.
    let host = request.uri().split("//").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let headers = headers.chain([("host".to_owned(), host.to_owned())]).collect();
    Seen { call, body, signed_by, headers }
}

/// Curfew's own access key in tests.
pub(crate) const OWN_KEY: &str = "AKIAOWN";

/// AWS as a script.
pub(crate) fn aws(replies: impl IntoIterator<Item = Reply>) -> (Arc<Aws>, Arc<Script>) {
    let script =
        Arc::new(Script { seen: Mutex::default(), replies: Mutex::new(replies.into_iter().collect()) });
    let connector = SharedHttpConnector::new(ScriptedConnector(Arc::clone(&script)));
    let credentials = Credentials::new(OWN_KEY, "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(std::time::Duration::from_millis(1)),
        )
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    (Arc::new(Aws::from_config(config)), script)
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct StillClock(Mutex<Timestamp>);

impl StillClock {
    /// A clock at a time.
    pub(crate) fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(text.parse().unwrap())))
    }

    /// Moves it on.
    pub(crate) fn pass(&self, span: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(span).unwrap();
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// An item as DynamoDB's JSON.
pub(crate) fn dynamo_json(item: &HashMap<String, AttributeValue>) -> Value {
    item.iter()
        .map(|(name, value)| (name.clone(), attribute_json(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn attribute_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(bool) => json!({ "BOOL": bool }),
        AttributeValue::Null(null) => json!({ "NULL": (*null) }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::L(items) => json!({ "L": items.iter().map(attribute_json).collect::<Vec<_>>() }),
        AttributeValue::M(map) => json!({ "M": dynamo_json(map) }),
        other => panic!("no attribute of Curfew: {other:?}"),
    }
}
