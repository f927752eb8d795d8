//! A deployed Curfew, reached by the operator's own `aws` command line: their profile, their sign-in, their rights.
//!
//! `aws` gets the environment it would have in the operator's shell; only what it writes is fixed. A payload goes in by standard
//! input and not as an argument, because other users of the machine can list arguments; it and the answer are bytes, so
//! that versions 1 and 2 of `aws` treat them alike.
//!
//! Must not know: what is asked, and what the answer means.

use std::ffi::OsStr;
use std::fmt;
use std::io::ErrorKind;
use std::process::{Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::trouble::{Asked, Trouble, diagnose};
use super::words::safe;
use crate::edge;
use crate::progress::say;
use crate::simulate::time;

/// The stack's name, where nobody says otherwise.
const STACK: &str = "curfew";

/// After so long a person who waits is told what for, and again after each further [`TOLD_EVERY`].
const TOLD_AFTER: Duration = Duration::from_secs(2);
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// How long `aws` waits for an answer, in seconds: longer than any function may run. Its own minute would make it ask again
/// while the first call is still at work.
const ANSWER_WITHIN_SECONDS: &str = "120";

/// Which stack, and how to get there.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "The stack")]
pub struct Reach {
    /// Its name; CURFEW_STACK or `curfew`, if not given.
    #[arg(long, value_name = "NAME", value_parser = stack)]
    stack: Option<String>,
    /// Its region; as `aws` finds it, if not given.
    #[arg(long, value_name = "REGION", value_parser = word)]
    region: Option<String>,
    /// The profile of the AWS CLI to act with; as `aws` finds it, if not given.
    #[arg(long, value_name = "NAME", value_parser = word)]
    profile: Option<String>,
    /// Where AWS answers, if it is not AWS: a local stack.
    #[arg(long, value_name = "URL", value_parser = word)]
    endpoint_url: Option<String>,
    /// The time that times are told from; now, if not given.
    #[arg(long, value_name = "TIME", value_parser = time, hide = true)]
    now: Option<Timestamp>,
}

/// A stack's name: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>.
fn stack(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a stack's name is letters, digits and `-`, and first a letter".to_owned())
    }
}

/// Something that can't be taken for an option.
fn word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('-') {
        Err("it is empty, or begins with `-`".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// The functions that a terminal talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Lists and shows grants.
    Console,
    /// Extends them.
    Grant,
    /// Ends them, and takes reviews.
    Revoke,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Console => "console",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
        })
    }
}

/// A stack that calls can be made to.
#[derive(Debug, Clone)]
pub struct Reached {
    reach: Reach,
    stack: String,
}

/// What a function that failed answers: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.
#[derive(Debug, Deserialize)]
struct FunctionError {
    #[serde(default, rename = "errorType")]
    kind: String,
    #[serde(default, rename = "errorMessage")]
    message: String,
}

impl Reach {
    /// The stack that is meant. Nothing is called yet.
    ///
    /// # Errors
    /// CURFEW_STACK is no stack's name.
    pub fn reached(&self) -> Result<Reached, Trouble> {
        let name = match &self.stack {
            Some(name) => name.clone(),
            None => match edge::variable("CURFEW_STACK") {
                None => STACK.to_owned(),
                Some(name) => stack(&name.to_string_lossy())
                    .map_err(|rule| Trouble::Refused(format!("CURFEW_STACK is not usable: {rule}")))?,
            },
        };
        Ok(Reached { reach: self.clone(), stack: name })
    }

    /// The time that times are told from.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(edge::now)
    }
}

impl Reached {
    /// Invokes a function and gives its answer.
    ///
    /// # Errors
    /// [`Trouble`]; also if the function failed, or did not answer JSON.
    pub async fn invoke(&self, role: Role, payload: &Value) -> Result<Value, Trouble> {
        let function = format!("{}-{role}", self.stack);
        let asked = self.asked("lambda invoke", Some(&function));
        let arguments =
            ["--cli-read-timeout", ANSWER_WITHIN_SECONDS, "lambda", "invoke", "--function-name", &function]
                .into_iter()
                // Bytes, whatever the version's own idea of a payload is.
                .chain(["--payload", "fileb:///dev/stdin", "/dev/stdout"]);
        let said = self.wait(asked, self.run(asked, arguments, Some(payload.to_string()))).await?;
        // First what the function answered, then what Lambda says of the call.
        let mut values = serde_json::Deserializer::from_slice(&said).into_iter::<Value>();
        let mut next = || match values.next() {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(Trouble::unreadable(&function, error)),
            None => Err(Trouble::unreadable(&function, "there is no answer")),
        };
        let (answer, about) = (next()?, next()?);
        match about.get("FunctionError") {
            None => Ok(answer),
            Some(_) => Err(failed(function, answer)),
        }
    }

    /// Who AWS says the caller is: an ARN.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn caller(&self) -> Result<String, Trouble> {
        let answer = self.call("sts get-caller-identity", ["sts", "get-caller-identity"]).await?;
        text(&answer, "/Arn").ok_or_else(|| Trouble::unreadable("sts get-caller-identity", "it has no `Arn`"))
    }

    /// An output of the stack.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn output(&self, output: &'static str) -> Result<String, Trouble> {
        let call = "cloudformation describe-stacks";
        let missing = |detail: String| Trouble::NoOutput { stack: self.stack.clone(), output, detail };
        let arguments = ["cloudformation", "describe-stacks", "--stack-name", &self.stack];
        let answer = self.call(call, arguments).await.map_err(|trouble| match trouble {
            // CloudFormation has no code of its own for a stack that is not there.
            Trouble::Other { detail, .. } if detail.contains("does not exist") => missing(detail),
            other => other,
        })?;
        let outputs = answer.pointer("/Stacks/0/Outputs").and_then(Value::as_array);
        let found =
            outputs.into_iter().flatten().find(|one| text(one, "/OutputKey").as_deref() == Some(output));
        found
            .and_then(|one| text(one, "/OutputValue"))
            .ok_or_else(|| missing("it is there, without that output".to_owned()))
    }

    /// The public half of a signing key of KMS, as base64 of its DER form.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn public_key(&self, key: &str) -> Result<String, Trouble> {
        let call = "kms get-public-key";
        let answer = self.call(call, ["kms", "get-public-key", "--key-id", key]).await?;
        text(&answer, "/PublicKey").ok_or_else(|| Trouble::unreadable(call, "it has no `PublicKey`"))
    }

    /// Calls `aws s3 <arguments>`, and says from time to time how many objects came.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn download<S: AsRef<OsStr>>(
        &self,
        what: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<u64, Trouble> {
        let asked = self.asked("s3 sync", None);
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(not_run)?;
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let errors = async {
            let mut said = Vec::new();
            if let Some(stderr) = &mut stderr {
                // What can't be read can't be told.
                let _ = stderr.read_to_end(&mut said).await;
            }
            said
        };
        let counting = async {
            let mut count = 0_u64;
            let Some(stdout) = &mut stdout else { return count };
            let mut lines = BufReader::new(stdout).lines();
            let mut pause = Box::pin(edge::pause(TOLD_AFTER));
            loop {
                tokio::select! {
                    line = lines.next_line() => match line {
                        Ok(Some(line)) if line.starts_with("download: ") => count += 1,
                        Ok(Some(_)) => {}
                        Ok(None) | Err(_) => return count,
                    },
                    () = &mut pause => {
                        say(format_args!("fetching {what}: {count} so far"));
                        pause = Box::pin(edge::pause(TOLD_EVERY));
                    }
                }
            }
        };
        let (count, said) = tokio::join!(counting, errors);
        let status = child.wait().await.map_err(Trouble::Program)?;
        if status.success() { Ok(count) } else { Err(diagnose(asked, &String::from_utf8_lossy(&said))) }
    }

    pub(super) async fn call<'a>(
        &self,
        call: &str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Value, Trouble> {
        let asked = self.asked(call, None);
        let said = self.wait(asked, self.run(asked, arguments, None)).await?;
        serde_json::from_slice(&said).map_err(|error| Trouble::unreadable(call, error))
    }

    fn asked<'a>(&'a self, call: &'a str, function: Option<&'a str>) -> Asked<'a> {
        Asked { call, function, profile: self.reach.profile.as_deref() }
    }

    /// Waits, and says so.
    async fn wait<T>(&self, asked: Asked<'_>, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut next = TOLD_AFTER;
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = edge::pause(next) => {
                    say(format_args!("waiting for {}", asked.function.unwrap_or(asked.call)));
                    next = TOLD_EVERY;
                }
            }
        }
    }

    async fn run<S: AsRef<OsStr>>(
        &self,
        asked: Asked<'_>,
        arguments: impl IntoIterator<Item = S>,
        payload: Option<String>,
    ) -> Result<Vec<u8>, Trouble> {
        let mut command = self.command(arguments);
        command
            .stdin(if payload.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(not_run)?;
        if let (Some(payload), Some(mut stdin)) = (payload, child.stdin.take()) {
            // Whoever ends without reading it says why.
            let _ = stdin.write_all(payload.as_bytes()).await;
        }
        let Output { status, stdout, stderr } = child.wait_with_output().await.map_err(Trouble::Program)?;
        if status.success() { Ok(stdout) } else { Err(diagnose(asked, &String::from_utf8_lossy(&stderr))) }
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("aws");
        let common = [
            ("--region", &self.reach.region),
            ("--profile", &self.reach.profile),
            ("--endpoint-url", &self.reach.endpoint_url),
        ];
        for (option, value) in common {
            if let Some(value) = value {
                command.args([option, value]);
            }
        }
        command.args(["--output", "json"]).args(arguments);
        // Nobody sees its pager or answers its questions; a password is asked for at the terminal itself.
        command.env("AWS_PAGER", "").env("AWS_CLI_AUTO_PROMPT", "off").kill_on_drop(true);
        command
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn not_run(error: std::io::Error) -> Trouble {
    if error.kind() == ErrorKind::NotFound { Trouble::NoProgram } else { Trouble::Program(error) }
}

fn failed(function: String, answer: Value) -> Trouble {
    let error: FunctionError = serde_json::from_value(answer)
        .unwrap_or_else(|_| FunctionError { kind: String::new(), message: String::new() });
    // The two that Curfew's functions end with on purpose; all others are Lambda's.
    let remedy = match error.kind.as_str() {
        "Retryable" => "send the same again: repeating it is harmless",
        "NeedsOperator" => "nothing will succeed before somebody has put right what it names",
        _ => "its log says more",
    };
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { safe(&text) };
    Trouble::Failed {
        function,
        kind: or(error.kind, "without a type"),
        message: or(error.message, "it said nothing"),
        remedy,
    }
}
