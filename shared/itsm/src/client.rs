//! The client: one call at a time, each over a connection of its own.
//!
//! Connections are not kept: a function is frozen between two deliveries, and the other side has given its end up by
//! then.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curfew_intake::ApiCredential;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Builder, Client as HyperClient};
use hyper_util::rt::TokioExecutor;

use crate::address::Address;
use crate::{ItsmError, MAX_ANSWER_BYTES};

/// The longest wait that a host is believed to want.
const MAX_RETRY_AFTER_SECONDS: u64 = 24 * 60 * 60;
/// How much of a cause is told.
const MAX_CAUSE_CHARACTERS: usize = 240;

type Https = HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Calls the systems that approvals come from.
///
/// Costs nothing until it is used: TLS and the machine's root certificates are set up by the first call by https.
#[derive(Default)]
pub struct Client {
    https: OnceLock<Https>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client that has not called anybody yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { https: OnceLock::new() }
    }

    /// Gets `url`, which is https, or http on a loopback host; shows it `credential`.
    ///
    /// # Errors
    /// [`ItsmError`], if there is no whole answer of status 200 in time.
    pub async fn get(
        &self,
        url: &str,
        credential: Option<&ApiCredential>,
        within: Duration,
    ) -> Result<String, ItsmError> {
        let address = Address::of_site(url)?;
        let mut request = request(&address, Method::GET, Bytes::new());
        if let Some(credential) = credential {
            let shown = authorization(credential)
                .ok_or_else(|| ItsmError::Credential { host: address.host.clone() })?;
            request.headers_mut().insert(AUTHORIZATION, shown);
        }
        let call = async {
            let answer = self.send(&address, request).await?;
            if answer.status() != StatusCode::OK {
                return Err(refused(&address, answer.status(), answer.headers(), credential.is_some()));
            }
            text(&address, answer.into_body()).await
        };
        in_time(&address, within, call).await
    }

    /// Posts JSON to `url`, which is Slack's, or on a loopback host in its place. Shows no credential: what is in
    /// Slack's addresses is one.
    ///
    /// # Errors
    /// [`ItsmError`], if it was not accepted in time.
    pub async fn post_json(&self, url: &str, json: &str, within: Duration) -> Result<(), ItsmError> {
        let address = Address::of_slack(url)?;
        let mut request = request(&address, Method::POST, Bytes::copy_from_slice(json.as_bytes()));
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let call = async {
            let answer = self.send(&address, request).await?;
            if answer.status().is_success() {
                Ok(())
            } else {
                // Slack tells addresses that are used up from credentials that are wrong by nothing.
                Err(match refused(&address, answer.status(), answer.headers(), true) {
                    ItsmError::Refused { host, status, .. } => ItsmError::UnexpectedStatus { host, status },
                    other => other,
                })
            }
        };
        in_time(&address, within, call).await
    }

    async fn send(
        &self,
        address: &Address,
        request: Request<Full<Bytes>>,
    ) -> Result<hyper::Response<Incoming>, ItsmError> {
        if address.is_plain() {
            sent(address, &once().build(HttpConnector::new()), request).await
        } else {
            sent(address, self.https(address)?, request).await
        }
    }

    fn https(&self, address: &Address) -> Result<&Https, ItsmError> {
        if let Some(https) = self.https.get() {
            return Ok(https);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let roots =
            roots.map_err(|error| ItsmError::NoTrust { host: address.host.clone(), cause: cause(&error) })?;
        let https = once().build(roots.https_only().enable_http1().build());
        Ok(self.https.get_or_init(|| https))
    }
}

/// A client whose connections serve one call.
fn once() -> Builder {
    let mut builder = HyperClient::builder(TokioExecutor::new());
    builder.pool_max_idle_per_host(0).retry_canceled_requests(false);
    builder
}

fn request(address: &Address, method: Method, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = address.uri.clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("curfew/", env!("CARGO_PKG_VERSION"))));
    request
}

fn authorization(credential: &ApiCredential) -> Option<HeaderValue> {
    let text = match credential {
        ApiCredential::Basic { user, token } => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{token}")))
        }
        ApiCredential::Bearer { token } => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

async fn sent<C: Connect + Clone + Send + Sync + 'static>(
    address: &Address,
    client: &HyperClient<C, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<hyper::Response<Incoming>, ItsmError> {
    client.request(request).await.map_err(|error| unreachable(address, &error))
}

async fn in_time<T>(
    address: &Address,
    within: Duration,
    call: impl Future<Output = Result<T, ItsmError>>,
) -> Result<T, ItsmError> {
    match tokio::time::timeout(within, call).await {
        Ok(done) => done,
        Err(_) => Err(ItsmError::TimedOut { host: address.host.clone(), within }),
    }
}

async fn text(address: &Address, body: Incoming) -> Result<String, ItsmError> {
    let too_large = || ItsmError::TooLarge { host: address.host.clone() };
    if body.size_hint().lower() > u64::try_from(MAX_ANSWER_BYTES).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let bytes = match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(error) => return Err(unreachable(address, error.as_ref())),
    };
    String::from_utf8(bytes.into()).map_err(|_| ItsmError::NotText { host: address.host.clone() })
}

fn refused(address: &Address, status: StatusCode, headers: &HeaderMap, with_credential: bool) -> ItsmError {
    let host = address.host.clone();
    let retry_after = || {
        let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
        Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER_SECONDS)))
    };
    match status.as_u16() {
        status @ 429 => ItsmError::Throttled { host, status, retry_after: retry_after() },
        status @ 500.. => ItsmError::Unavailable { host, status, retry_after: retry_after() },
        status @ (401 | 403 | 404) => ItsmError::Refused { host, status, with_credential },
        status => ItsmError::UnexpectedStatus { host, status },
    }
}

fn unreachable(address: &Address, error: &(dyn Error + 'static)) -> ItsmError {
    ItsmError::Unreachable { host: address.host.clone(), cause: cause(error) }
}

/// An error with all that caused it. Those of hyper and rustls quote neither requests nor headers.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        // Wrappers often repeat what they wrap.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = source.source();
    }
    // A certificate's names are the other side's words.
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(MAX_CAUSE_CHARACTERS).map(plain).collect()
}
