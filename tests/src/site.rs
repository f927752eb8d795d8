//! Somebody else's server, played on this machine: a sender's own API, or where it wants to be answered.
//!
//! It has a thread of its own, because tests that share it come and go, each with its own runtime.
//!
//! Must not know: who asks, and what the answers mean.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, with what is behind a question mark.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Asked {
    /// A header's value; empty, if it was not sent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A running server. Answers 404 to what it was not told. Ends with the process.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    authorization: Option<String>,
    answers: Mutex<HashMap<String, (u16, String)>>,
    asked: Mutex<Vec<Asked>>,
}

impl Site {
    /// A server for everybody who shows `authorization` (to the others it answers 401), or for everybody.
    ///
    /// # Errors
    /// No port could be had.
    pub fn start(authorization: Option<&str>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { authorization: authorization.map(str::to_owned), ..Shared::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || runtime.block_on(accept(listener, serving)));
        Ok(Self { address, shared })
    }

    /// Where it is: scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on answers this to a path (what is behind a question mark does not count).
    pub fn answer(&self, path: &str, status: u16, body: &Value) {
        locked(&self.shared.answers).insert(path.to_owned(), (status, body.to_string()));
    }

    /// What came to paths that begin so, oldest first.
    #[must_use]
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let all = locked(&self.shared.asked);
        all.iter().filter(|asked| asked.path.starts_with(path)).cloned().collect()
    }
}

/// A panic elsewhere must not hide what came.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("a listening socket");
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(Arc::clone(&shared), request));
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // An error is a client that went away.
            drop(serving.await);
        });
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let asked = Asked {
        method: parts.method.to_string(),
        path: path.to_owned(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let is_known =
        shared.authorization.as_deref().is_none_or(|wanted| asked.header("authorization") == wanted);
    let answer = locked(&shared.answers).get(parts.uri.path()).cloned();
    let (status, body) = match answer {
        _ if !is_known => (401, String::from(r#"{"message":"who are you?"}"#)),
        Some(answer) => answer,
        None => (404, String::from(r#"{"message":"there is no such thing"}"#)),
    };
    locked(&shared.asked).push(asked);
    let reply = Response::builder().status(status).header("content-type", "application/json");
    reply.body(Full::new(Bytes::from(body))).map_err(io::Error::other)
}
