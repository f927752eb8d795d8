//! The functions' programs, built by cargo in the release profile: what is measured is what is deployed, but for the
//! processor (the host's).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Failure;

/// Package and program of each function.
const FUNCTIONS: [(&str, &str); 5] = [
    ("curfew-fn-grant", "grant"),
    ("curfew-fn-revoke", "revoke"),
    ("curfew-fn-sweep", "sweep"),
    ("curfew-fn-audit", "audit"),
    ("curfew-fn-console", "console"),
];

/// A function's program.
pub(crate) struct Binary {
    /// The function.
    pub(crate) name: &'static str,
    /// Where its program is.
    pub(crate) path: PathBuf,
    /// Its size. The release profile strips it.
    pub(crate) bytes: u64,
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Builds the functions, with cargo's progress on standard error.
pub(crate) fn build() -> Result<Vec<Binary>, Failure> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--message-format", "json-render-diagnostics"]);
    for (package, _) in FUNCTIONS {
        cargo.args(["--package", package]);
    }
    let output = cargo
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("the functions did not build ({}); cargo says why above", output.status).into());
    }
    let messages = String::from_utf8(output.stdout)?;
    FUNCTIONS.into_iter().map(|(_, name)| find(&messages, name)).collect()
}

/// Where cargo says that it has put the program `name`. The target folder may be anywhere.
fn find(messages: &str, name: &'static str) -> Result<Binary, Failure> {
    let message = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let path = message
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(name))
        .find_map(|message| message.get("executable").and_then(Value::as_str).map(PathBuf::from))
        .ok_or_else(|| format!("cargo built no program `{name}`; has its package been renamed?"))?;
    let bytes = path.metadata().map_err(|error| format!("`{}`: {error}", path.display()))?.len();
    Ok(Binary { name, path, bytes })
}
