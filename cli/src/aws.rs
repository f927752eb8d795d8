//! The `aws` command line as some person or role, against the local stack.
//!
//! It is the client a person at a terminal uses, so what it is refused is what they are refused. Nothing of the
//! developer's own AWS configuration is seen: the environment is made from nothing.
//!
//! Must not know: which calls are made, and why.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::edge;
use crate::failure::last_words;

/// An access key. Its `Debug` shows the key id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Not secret.
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: String,
    /// Secret; temporary credentials have one.
    pub session_token: Option<String>,
}

impl Credentials {
    /// Root of one of the emulator's accounts: `test` for its own, twelve digits for another. Worth nothing elsewhere.
    #[must_use]
    pub fn emulator_root(account: &str) -> Self {
        Self { access_key_id: account.to_owned(), secret_access_key: "test".to_owned(), session_token: None }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The `aws` command line with credentials, an endpoint and a region.
#[derive(Debug, Clone)]
pub struct Aws {
    program: PathBuf,
    endpoint: String,
    region: String,
    credentials: Credentials,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// AWS answered, with an error.
    #[error("aws refused {operation}: {code}: {message}")]
    Refused {
        /// The operation, as AWS calls it: `PutUserPolicy`.
        operation: String,
        /// AWS's error code: `AccessDenied`.
        code: String,
        /// AWS's own words.
        message: String,
    },
    /// The command line did not get as far as asking.
    #[error("`{call}` could not be made: {detail}")]
    NotMade {
        /// Service and operation.
        call: String,
        /// Its last words.
        detail: String,
    },
    /// The answer is not the JSON that was asked for.
    #[error("`{call}` did not answer JSON")]
    NotJson {
        /// Service and operation.
        call: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl AwsError {
    /// AWS's error code, if AWS answered.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::NotMade { .. } | Self::NotJson { .. } => None,
        }
    }

    /// Whether the caller was not allowed to. S3 and IAM say `AccessDenied`, most others `AccessDeniedException`;
    /// S3's `HEAD` calls have no body and say `403`.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.code(), Some("AccessDenied" | "AccessDeniedException" | "403"))
    }
}

impl Aws {
    /// The command line `program` with these credentials.
    #[must_use]
    pub fn new(program: PathBuf, endpoint: String, region: &str, credentials: Credentials) -> Self {
        Self { program, endpoint, region: region.to_owned(), credentials }
    }

    /// Whose it is.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Calls `aws <arguments>` and gives its answer; `null` where it has none.
    ///
    /// # Errors
    /// AWS refused, or the call could not be made.
    pub async fn call<I, S>(&self, arguments: I) -> Result<Value, AwsError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let said = self.text(arguments).await?;
        if said.text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&said.text).map_err(|source| AwsError::NotJson { call: said.call, source })
    }

    /// Calls `aws <arguments>` for its side effect; what it writes need not be JSON.
    ///
    /// # Errors
    /// AWS refused, or the call could not be made.
    pub async fn run<I, S>(&self, arguments: I) -> Result<(), AwsError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.text(arguments).await.map(drop)
    }

    async fn text<I, S>(&self, arguments: I) -> Result<Said, AwsError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        // Only service and operation: arguments may hold a secret.
        let call =
            command.as_std().get_args().take(2).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
        let said = command
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| AwsError::NotMade { call: call.clone(), detail: error.to_string() })?;
        if said.status.success() {
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            Ok(Said { call, text })
        } else {
            Err(refusal(&call, &String::from_utf8_lossy(&said.stderr)))
        }
    }

    /// What a client of these credentials needs in its environment, be it `aws` or another program.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut seen: Vec<(String, String)> =
            self.exports().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let fixed = [
            ("AWS_DEFAULT_OUTPUT", "json"),
            ("AWS_PAGER", ""),
            // Not the developer's own, and no look for an instance's role.
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CLI_FILE_ENCODING", "UTF-8"),
            ("PYTHONUTF8", "1"),
        ];
        seen.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for inherited in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = edge::variable(inherited) {
                seen.push((inherited.to_owned(), value.to_string_lossy().into_owned()));
            }
        }
        seen
    }

    /// The variables that make any AWS client on this machine this caller.
    #[must_use]
    pub fn exports(&self) -> Vec<(&'static str, String)> {
        let mut exports = vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.credentials.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.credentials.secret_access_key.clone()),
        ];
        if let Some(token) = &self.credentials.session_token {
            exports.push(("AWS_SESSION_TOKEN", token.clone()));
        }
        exports
    }
}

struct Said {
    call: String,
    text: String,
}

fn refusal(call: &str, said: &str) -> AwsError {
    let parsed = Refusal::read(said).map(|refusal| AwsError::Refused {
        operation: refusal.operation.to_owned(),
        code: refusal.code.to_owned(),
        message: refusal.message.to_owned(),
    });
    parsed.unwrap_or_else(|| AwsError::NotMade { call: call.to_owned(), detail: last_words(said) })
}

/// AWS's answer, as the command line tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    /// The operation, as AWS calls it.
    pub(crate) operation: &'a str,
    /// AWS's error code.
    pub(crate) code: &'a str,
    /// AWS's own words.
    pub(crate) message: &'a str,
}

impl<'a> Refusal<'a> {
    /// Reads `An error occurred (Code) when calling the Operation operation: message`; none, if it is no answer of AWS.
    pub(crate) fn read(said: &'a str) -> Option<Self> {
        let (_, rest) = said.split_once("An error occurred (")?;
        let (code, rest) = rest.split_once(") when calling the ")?;
        let (operation, message) = rest.split_once(" operation")?;
        // After retries: `operation (reached max retries: 2): message`.
        let message = message.split_once(": ").map_or(message, |(_, text)| text);
        Some(Self { operation, code, message: message.trim() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_taken_apart() {
        let error = refusal(
            "s3api get-object",
            "\nAn error occurred (AccessDenied) when calling the GetObject operation: Access Denied\n",
        );
        assert!(error.is_denied());
        assert_eq!(error.to_string(), "aws refused GetObject: AccessDenied: Access Denied");
        let head = refusal(
            "s3api head-bucket",
            "An error occurred (403) when calling the HeadBucket operation: Forbidden",
        );
        assert!(head.is_denied());
    }

    #[test]
    fn what_is_no_answer_of_aws_is_no_denial() {
        let unreachable =
            refusal("s3api get-object", "Could not connect to the endpoint URL: \"http://127.0.0.1:1/\"");
        assert_eq!(unreachable.code(), None);
        assert!(!unreachable.is_denied());
        assert!(unreachable.to_string().contains("Could not connect"));
        let other = refusal("x y", "An error occurred (NoSuchEntity) when calling the GetUser operation: no");
        assert!(!other.is_denied());
        assert_eq!(other.code(), Some("NoSuchEntity"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials {
            access_key_id: "AKIA1".into(),
            secret_access_key: "hidden".into(),
            session_token: Some("hidden".into()),
        };
        let shown = format!("{credentials:?}");
        assert!(shown.contains("AKIA1") && !shown.contains("hidden"), "{shown}");
    }
}
