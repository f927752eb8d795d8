//! Lambda for one process: runs a function's real binary and hands it invocations through the Runtime API.
//!
//! Unlike the local stack's own Lambda it gives each invocation the deadline that the test says, leads the function's
//! AWS calls wherever `AWS_ENDPOINT_URL` says, and can kill the process at any moment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. Must not know: what the function does.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::curfew::Invoked;
use crate::wait::now;

/// The Runtime API's version, in front of every path.
const VERSION: &str = "/2018-06-01/runtime/";

/// How long after its deadline a process is killed at the latest.
const LENIENCE: Duration = Duration::from_secs(4);

/// A function's process. Dropping it kills it.
#[derive(Debug)]
pub struct Lambda {
    child: Child,
    log: PathBuf,
    queue: mpsc::UnboundedSender<Event>,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Invoked>>>,
}

#[derive(Debug)]
struct Event {
    id: String,
    deadline: Timestamp,
    payload: Bytes,
}

/// An invocation under way.
#[derive(Debug)]
pub struct Invocation(oneshot::Receiver<Invoked>);

impl Invocation {
    /// What the function answered; none, if it died first.
    pub async fn answer(self) -> Option<Invoked> {
        self.0.await.ok()
    }
}

impl Lambda {
    /// Starts a binary with nothing but this environment and what Lambda itself sets. It logs to `log`.
    ///
    /// # Errors
    /// It could not be started.
    pub async fn start(binary: &Path, environment: &[(String, String)], log: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (queue, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { queue: tokio::sync::Mutex::new(receiver), waiting: Mutex::default() });
        let serving = tokio::spawn(accept(listener, Arc::clone(&shared)));
        let out = File::create(&log)?;
        let child = Command::new(binary)
            .env_clear()
            .envs([
                ("AWS_LAMBDA_FUNCTION_NAME", "on-the-wire"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/on-the-wire"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "one"),
                ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
                ("AWS_LAMBDA_RUNTIME_API", &address.to_string()),
            ])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, log, queue, shared, serving, numbers: AtomicU64::new(0) })
    }

    /// Begins an invocation that Lambda would stop at `deadline`. It is not stopped here.
    pub fn begin(&self, event: &Value, deadline: Timestamp) -> Invocation {
        let id = format!("request-{}", self.numbers.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(id.clone(), sender);
        // Refused only once the process is gone, and then the receiver says so.
        drop(self.queue.send(Event { id, deadline, payload: Bytes::from(event.to_string()) }));
        Invocation(receiver)
    }

    /// Runs an invocation as Lambda does: whoever has not answered by `deadline` is killed. A few seconds later, for a
    /// machine that is busy is no reason to die.
    ///
    /// # Errors
    /// The process could not be killed.
    pub async fn run(&mut self, event: &Value, deadline: Timestamp) -> io::Result<Option<Invoked>> {
        let left = Duration::try_from(deadline.duration_since(now())).unwrap_or_default();
        match tokio::time::timeout(left + LENIENCE, self.begin(event, deadline).answer()).await {
            Ok(answer) => Ok(answer),
            Err(_) => self.kill().await.map(|()| None),
        }
    }

    /// Kills the process where it stands: SIGKILL, as a crash, and as Lambda at a deadline.
    ///
    /// # Errors
    /// It could not be killed.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await?;
        self.waiting().clear();
        Ok(())
    }

    /// Everything it logged so far.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn log(&self) -> io::Result<String> {
        std::fs::read_to_string(&self.log)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Invoked>>> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(Arc::clone(&shared), request));
            // Broken off when the process dies.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = parts.uri.path().strip_prefix(VERSION).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(&shared).await,
        (&Method::POST, ["invocation", id, kind @ ("response" | "error")]) => {
            let sender = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(*id);
            if let Some(sender) = sender {
                let payload = serde_json::from_slice(&body).unwrap_or_default();
                let error = (*kind == "error").then(|| "Unhandled".to_owned());
                // Nobody may be waiting any more.
                drop(sender.send(Invoked { error, payload }));
            }
            Ok(empty(StatusCode::ACCEPTED))
        }
        (&Method::POST, ["init", "error"]) => Ok(empty(StatusCode::ACCEPTED)),
        _ => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

async fn next(shared: &Shared) -> io::Result<Response<Full<Bytes>>> {
    let Some(event) = shared.queue.lock().await.recv().await else {
        return Ok(empty(StatusCode::GONE));
    };
    Response::builder()
        .header("lambda-runtime-aws-request-id", &event.id)
        .header("lambda-runtime-deadline-ms", event.deadline.as_millisecond())
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:on-the-wire",
        )
        .body(Full::new(event.payload))
        .map_err(io::Error::other)
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
