//! One HTTP request to the local stack.
//!
//! The emulator tells its APIs and function URLs apart by the `Host` header, under names like
//! `<id>.execute-api.localhost`. Not every resolver knows that names below `localhost` are this machine
//! (RFC 6761 §6.3), so nothing is resolved here: every request goes to 127.0.0.1, under the host it names.
//!
//! Must not know: webhooks. And, on purpose, how to reach another machine.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// No answer of the stack takes longer: the HTTP API's own limit is 30 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL is not one of the local stack.
    #[error("`{url}` is not an address of the local stack: it must be http and on localhost")]
    NotLocal {
        /// The URL.
        url: String,
    },
    /// A header's name or value is malformed.
    #[error("`{name}` is not a header that can be sent")]
    BadHeader {
        /// The header's name.
        name: String,
    },
    /// Nobody listens, or the connection broke.
    #[error("no answer from `{url}`: does the local stack run?")]
    Broken {
        /// The URL.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("no answer from `{url}` within {} s", PATIENCE.as_secs())]
    TooLate {
        /// The URL.
        url: String,
    },
}

/// Sends one request and reads the whole answer.
///
/// # Errors
/// There was no answer. An answer with an error status is an answer.
pub async fn send(
    method: Method,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Reply, HttpError> {
    let broken =
        |source: Box<dyn std::error::Error + Send + Sync>| HttpError::Broken { url: url.to_owned(), source };
    let (port, request) = request(method, url, headers, body)?;
    let exchange = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| broken(error.into()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(error.into()))?;
        // Ends by itself with the exchange; its error is the exchange's.
        let connection = tokio::spawn(connection);
        let reply = sender.send_request(request).await.map_err(|error| broken(error.into()))?;
        let (parts, body) = reply.into_parts();
        let body = body.collect().await.map_err(|error| broken(error.into()))?.to_bytes();
        connection.abort();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    };
    tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| HttpError::TooLate { url: url.to_owned() })?
}

fn request(
    method: Method,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<(u16, Request<Full<Bytes>>), HttpError> {
    let not_local = || HttpError::NotLocal { url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| not_local())?;
    let host = uri.host().ok_or_else(not_local)?;
    let local = host == "127.0.0.1" || host == "localhost" || host.ends_with(".localhost");
    if !local || uri.scheme_str() != Some("http") {
        return Err(not_local());
    }
    let port = uri.port_u16().unwrap_or(80);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(Full::new(Bytes::copy_from_slice(body)))
        .map_err(|_| not_local())?;
    let authority = HeaderValue::from_str(&format!("{host}:{port}")).map_err(|_| not_local())?;
    request.headers_mut().insert(http::header::HOST, authority);
    for (name, value) in headers {
        let bad = || HttpError::BadHeader { name: name.clone() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?;
        request.headers_mut().append(key, value);
    }
    Ok((port, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to() {
        for url in ["http://example.com/", "https://localhost/", "http://localhost.example.com/", "nonsense"]
        {
            let refused = request(Method::GET, url, &[], b"");
            assert!(matches!(refused, Err(HttpError::NotLocal { .. })), "{url}");
        }
    }

    #[test]
    fn the_named_host_is_told_and_its_port_used() {
        let (port, request) = request(
            Method::POST,
            "http://abc.execute-api.localhost:4601/webhooks/x?y=1",
            &[("webhook-id".into(), "m".into())],
            b"{}",
        )
        .expect("a local address");
        assert_eq!(port, 4601);
        assert_eq!(request.uri(), "/webhooks/x?y=1");
        assert_eq!(request.headers()["host"], "abc.execute-api.localhost:4601");
        assert_eq!(request.headers()["webhook-id"], "m");
    }
}
