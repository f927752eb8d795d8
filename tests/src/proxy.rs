//! A proxy between functions and the local stack: records every AWS call, and lets chosen ones go wrong on the wire.
//!
//! Everything that is signed (method, path, `Host`, headers, body) is passed on as it came, so signatures stay valid.
//! A call that was passed on lands, even if its sender died meanwhile: on a network nobody calls a packet back.
//!
//! Must not know: what the calls mean to Curfew.

mod fault;
mod record;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use fault::{Answer, Step};
pub use fault::{Fault, Gate, Rule};
pub use record::{Call, Calls};

/// A running proxy. Dropping it closes its port.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    calls: Mutex<record::Log>,
    rules: Mutex<Vec<Rule>>,
}

/// A panic elsewhere must not hide what was recorded.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// A proxy in front of whoever listens on `upstream_port` of this machine.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start(upstream_port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: SocketAddr::from((Ipv4Addr::LOCALHOST, upstream_port)),
            calls: Mutex::default(),
            rules: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// What clients take for AWS (`AWS_ENDPOINT_URL`).
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets calls go wrong. Of several rules for a call the first that is not used up counts.
    pub fn add(&self, rule: Rule) {
        locked(&self.shared.rules).push(rule);
    }

    /// From now on nothing goes wrong. Calls that are held stay so.
    pub fn heal(&self) {
        locked(&self.shared.rules).clear();
    }

    /// The calls since the last time this was asked.
    #[must_use]
    pub fn take_calls(&self) -> Calls {
        locked(&self.shared.calls).take()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Ends with the proxy, or when the operating system has no more connections to give.
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(Arc::clone(&shared), request));
            // An error is a connection that was broken, be it on purpose.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Answer>> {
    // A task of its own: hyper drops this future when the client goes away, and what was sent still lands.
    tokio::spawn(exchange(shared, request)).await.map_err(io::Error::other)?
}

/// One call: recorded, passed on as far as the rules let it, and answered.
async fn exchange(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Answer>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let mut call = Call::read(&parts.method, parts.uri.path(), &parts.headers, &body);
    let service = call.service.clone();
    let fault = fault::applicable(&mut locked(&shared.rules), &call);
    call.struck = fault.is_some();
    let number = locked(&shared.calls).begin(call);
    let answered = match fault.as_ref().map_or(Step::PassOn, Fault::step) {
        Step::Answer(refusal) => Ok(refusal.answer(&service)),
        Step::Break => Err(broken()),
        Step::PassOn => {
            if let Some(fault) = &fault {
                fault.before().await;
            }
            let mut request = Request::new(Full::new(body));
            *request.method_mut() = parts.method;
            *request.uri_mut() = parts.uri;
            *request.headers_mut() = parts.headers;
            let answer = send(shared.upstream, request).await;
            match fault {
                Some(fault) => fault.after(answer).await,
                None => answer.map(|answer| answer.map(Answer::whole)),
            }
        }
    };
    locked(&shared.calls).end(number, answered.as_ref().ok().map(|answer| answer.status().as_u16()));
    answered
}

/// A connection for each request: the stack is on this machine, and nothing is left to go stale.
async fn send(upstream: SocketAddr, request: Request<Full<Bytes>>) -> io::Result<Response<Bytes>> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let (mut parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    of_one_connection(&mut parts.headers);
    Ok(Response::from_parts(parts, body))
}

/// Removes what is about the connection and not about the answer; the length is told anew.
fn of_one_connection(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "broken on purpose")
}
