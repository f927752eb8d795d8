//! Webhooks signed as their senders do: by `tests/signers/sign.py`, which uses other people's implementations and
//! nothing of Curfew's.
//!
//! Must not know: what is in a body.

use std::path::PathBuf;
use std::process::Stdio;

use curfew_cli::http::{Reply, send};
use curfew_cli::python::Python;
use curfew_cli::workspace::Workspace;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::curfew::fresh_delivery;
use crate::wait::now;

/// How old a signature may be that the sender's own check is asked about.
const FRESH: SignedDuration = SignedDuration::from_secs(200);

/// Signs as senders do.
#[derive(Debug)]
pub struct Signer {
    python: Python,
    script: PathBuf,
}

/// A sender with its signing secret.
#[derive(Debug, Clone)]
pub struct Sender<'a> {
    /// Its kind, as `sign.py` calls it.
    pub kind: &'a str,
    /// What it signs with.
    pub secret: &'a str,
}

/// A signed webhook. Posting it twice is a redelivery.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The headers that the sender sends.
    pub headers: Vec<(String, String)>,
    /// What was signed.
    pub body: String,
}

impl Signer {
    /// Finds what is signed with, or installs it (some seconds, once, needs the network).
    ///
    /// # Panics
    /// It can't be had.
    pub async fn provision(workspace: &Workspace) -> Self {
        let folder = workspace.root().join("tests").join("signers");
        let requirements = folder.join("requirements.txt");
        let python = Python::provision_from(workspace, &requirements, "the senders' signers (once)").await;
        Self { python: python.expect("a Python environment"), script: folder.join("sign.py") }
    }

    /// Signs a body as a delivery of its own, as if it were `at`. `event` is what the sender calls it in a header, if
    /// it does.
    ///
    /// # Panics
    /// It can't be signed, or the sender's own check does not accept the signature.
    pub async fn sign(&self, sender: &Sender<'_>, event: &str, body: String, at: Timestamp) -> Signed {
        let asked = json!({
            "sender": sender.kind,
            "secret": sender.secret,
            "id": fresh_delivery(),
            "at": at.as_second(),
            // A sender's own check refuses what is old, as Curfew has to.
            "check": now().duration_since(at) < FRESH,
            "event": event,
            "body": body,
        });
        let mut child = Command::new(self.python.interpreter())
            .arg("-B")
            .arg(&self.script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the signer");
        let mut stdin = child.stdin.take().expect("its standard input");
        stdin.write_all(asked.to_string().as_bytes()).await.expect("the signer reads");
        drop(stdin);
        let said = child.wait_with_output().await.expect("the signer's answer");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let headers: Map<String, Value> = serde_json::from_slice(&said.stdout).expect("headers");
        let text = |value: &Value| value.as_str().expect("a header's value").to_owned();
        let headers = headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        Signed { headers, body }
    }
}

impl Signed {
    /// Posts it.
    ///
    /// # Panics
    /// There was no answer.
    pub async fn post(&self, url: &str) -> Reply {
        let sent = send(Method::POST, url, &self.headers, self.body.as_bytes()).await;
        sent.expect("an answer of the HTTP API")
    }
}
