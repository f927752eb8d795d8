//! Why nothing came of it: what the `aws` command line says, turned into what is wrong and what to do.
//!
//! The texts are those of `aws` itself, versions 1 and 2 (<https://github.com/aws/aws-cli>, `awscli/clidriver.py` and
//! botocore's `exceptions.py`); what none of them fits is passed on as it is. Must not know: how `aws` is called.

use std::io;
use std::path::PathBuf;

use crate::aws::Refusal;
use crate::failure::last_words;
use crate::operate::words::safe;

/// Why an operator's call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such program.
    #[error(
        "there is no `aws` program on the PATH, and `curfew` calls AWS by it: install version 2 of the AWS CLI \
         (https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)"
    )]
    NoProgram,
    /// It could not be run, or broke off.
    #[error("the `aws` program could not be run")]
    Program(#[source] io::Error),
    /// The terminal could not be read or written.
    #[error("the terminal could not be used")]
    Terminal(#[source] io::Error),
    /// A part of this program came to no end.
    #[error("`curfew` broke off: this is a mistake in it; what was asked may be done in part")]
    BrokeOff,
    /// It does not know a command or an option.
    #[error(
        "the `aws` program on the PATH does not know what it is asked (`{call}`): {detail}; install a newer one"
    )]
    TooOld {
        /// Service and operation.
        call: String,
        /// Its own words.
        detail: String,
    },
    /// There are no credentials that AWS takes.
    #[error("you are not signed in to AWS: {detail}; {remedy}")]
    NotSignedIn {
        /// AWS's words.
        detail: String,
        /// What to type.
        remedy: String,
    },
    /// Nothing says which region.
    #[error("no region is set: pass `--region`, or set AWS_REGION or the profile's region")]
    NoRegion,
    /// There is no such profile.
    #[error("{detail}; `aws configure list-profiles` lists those that there are")]
    NoProfile {
        /// The words of `aws`.
        detail: String,
    },
    /// AWS does not let these credentials do it.
    #[error("AWS does not let you do this ({code}): {detail}; {remedy}")]
    Denied {
        /// AWS's code.
        code: String,
        /// AWS's words, which name who may not do what.
        detail: String,
        /// What to ask for.
        remedy: String,
    },
    /// There is no such function.
    #[error(
        "there is no function `{function}` there: check `--stack` (or CURFEW_STACK), `--region` and the account \
         (`--profile`)"
    )]
    NoFunction {
        /// Its full name.
        function: String,
    },
    /// There is no such stack, or it has no such output.
    #[error(
        "the stack `{stack}` has no output `{output}` there ({detail}): check `--stack` (or CURFEW_STACK), `--region` \
         and the account (`--profile`), or say where the archive is by `--archive s3://<bucket>`"
    )]
    NoOutput {
        /// The stack.
        stack: String,
        /// What was looked for.
        output: &'static str,
        /// AWS's words.
        detail: String,
    },
    /// AWS wants to be asked less often.
    #[error("AWS is asked too often at the moment ({code}): try again in a few seconds")]
    Throttled {
        /// AWS's code.
        code: String,
    },
    /// No answer.
    #[error("AWS can't be reached: {detail}; check the network, `--region` and `--endpoint-url`")]
    Unreachable {
        /// The words of `aws`.
        detail: String,
    },
    /// The function ended with an error. Whether something was done is for its message to say.
    #[error("`{function}` failed ({kind}): {message}; {remedy}")]
    Failed {
        /// The function's full name.
        function: String,
        /// Lambda's error type.
        kind: String,
        /// Its words.
        message: String,
        /// What to do.
        remedy: &'static str,
    },
    /// AWS answered with another error.
    #[error("`{call}` failed: {detail}")]
    Other {
        /// Service and operation.
        call: String,
        /// AWS's or the program's words.
        detail: String,
    },
    /// The answer is not one that this version can read.
    #[error(
        "the answer of `{call}` can't be read ({detail}): this `curfew` is {version}; is the stack much older or newer?"
    )]
    Unreadable {
        /// What was asked.
        call: String,
        /// What is wrong with it.
        detail: String,
        /// This program's version.
        version: &'static str,
    },
    /// The function says no, in its own words.
    #[error("{0}")]
    Refused(String),
    /// AWS knows the caller by nothing that can stand in a record.
    #[error("AWS knows you as `{arn}`, which can't be a name in a record: say who you are by `--operator`")]
    Nameless {
        /// Who AWS says the caller is.
        arn: String,
    },
    /// More than one grant would end, and nobody is there to be asked.
    #[error(
        "nothing was changed: {count} grants would end, and there is no terminal to ask at; look at them with `--dry-run`, \
         then pass `--yes`"
    )]
    NobodyToAsk {
        /// How many.
        count: usize,
    },
    /// The operator said no.
    #[error("nothing was changed: you did not answer `yes`")]
    NotConfirmed,
    /// A file or folder.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was done to it.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Trouble {
    /// An answer that can't be read.
    #[must_use]
    pub fn unreadable(call: &str, detail: impl ToString) -> Self {
        let detail = safe(&detail.to_string());
        Self::Unreadable { call: call.to_owned(), detail, version: env!("CARGO_PKG_VERSION") }
    }

    /// Makes an I/O error name the file and what was done to it.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// What was asked of `aws`, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Service and operation: `lambda invoke`.
    pub(super) call: &'a str,
    /// The function, if one was invoked.
    pub(super) function: Option<&'a str>,
    /// The profile that was named.
    pub(super) profile: Option<&'a str>,
}

/// Codes that mean: these credentials are not (any longer) good.
const BAD_CREDENTIALS: [&str; 10] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "UnauthorizedException",
];

/// Words of `aws` that mean: there are no good credentials.
const NO_CREDENTIALS: [&str; 9] = [
    "Unable to locate credentials",
    "Partial credentials found",
    "Error loading SSO Token",
    "Error when retrieving token from sso",
    "The SSO session associated with this profile",
    "Your session has expired",
    "Error when retrieving credentials from",
    "Unable to load credentials",
    "MFA",
];

const DENIED: [&str; 4] = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"];

const THROTTLED: [&str; 6] = [
    "TooManyRequestsException",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "SlowDown",
];

const UNREACHABLE: [&str; 5] = [
    "Could not connect to the endpoint URL",
    "Connect timeout on endpoint URL",
    "Read timeout on endpoint URL",
    "Connection was closed before",
    "SSL validation failed",
];

const TOO_OLD: [&str; 3] = ["Unknown options:", ": Invalid choice", ": invalid choice"];

/// What a failed call's last words mean.
pub(super) fn diagnose(asked: Asked<'_>, said: &str) -> Trouble {
    let call = asked.call.to_owned();
    let detail = safe(&last_words(said));
    if let Some(refusal) = Refusal::read(said) {
        return of_refusal(asked, refusal);
    }
    let says = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    if says(&TOO_OLD) {
        // The usage that comes with it is long, and its last lines say nothing.
        let line = said.lines().map(str::trim).find(|line| TOO_OLD.iter().any(|text| line.contains(text)));
        return Trouble::TooOld { call, detail: safe(line.unwrap_or_default()) };
    }
    if says(&["You must specify a region"]) {
        return Trouble::NoRegion;
    }
    if said.contains("The config profile (") {
        return Trouble::NoProfile { detail };
    }
    if says(&NO_CREDENTIALS) {
        return Trouble::NotSignedIn { detail, remedy: sign_in(asked.profile) };
    }
    if says(&UNREACHABLE) {
        return Trouble::Unreachable { detail };
    }
    Trouble::Other { call, detail }
}

fn of_refusal(asked: Asked<'_>, refusal: Refusal<'_>) -> Trouble {
    let (code, message) = (safe(refusal.code), safe(refusal.message));
    let is_one_of = |codes: &[&str]| codes.contains(&refusal.code);
    // Not the call itself, but what the profile does before it: assume a role, ask Identity Center.
    let function = asked.function.filter(|_| refusal.operation == "Invoke");
    if is_one_of(&BAD_CREDENTIALS) {
        return Trouble::NotSignedIn {
            detail: format!("{message} ({code})"),
            remedy: sign_in(asked.profile),
        };
    }
    if is_one_of(&DENIED) {
        let remedy = match function {
            Some(name) => {
                format!("ask for `lambda:InvokeFunction` on `{name}` (docs/terminal.md has the policy)")
            }
            None => "docs/terminal.md has the policy to ask for".to_owned(),
        };
        return Trouble::Denied { code, detail: message, remedy };
    }
    if is_one_of(&THROTTLED) {
        return Trouble::Throttled { code };
    }
    match function {
        Some(name) if refusal.code == "ResourceNotFoundException" => {
            Trouble::NoFunction { function: name.to_owned() }
        }
        _ => Trouble::Other { call: asked.call.to_owned(), detail: format!("{message} ({code})") },
    }
}

fn sign_in(profile: Option<&str>) -> String {
    let profile = profile.map(|profile| format!(" --profile {profile}")).unwrap_or_default();
    format!(
        "sign in (with Identity Center: `aws sso login{profile}`), or choose a profile by `--profile` or AWS_PROFILE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(said: &str) -> String {
        let asked = Asked { call: "lambda invoke", function: Some("curfew-console"), profile: Some("ops") };
        diagnose(asked, said).to_string()
    }

    #[test]
    fn what_aws_says_becomes_what_to_do() {
        for (said, parts) in [
            (
                "\nUnable to locate credentials. You can configure credentials by running \"aws configure\".\n",
                &["you are not signed in to AWS: Unable to locate", "`aws sso login --profile ops`"][..],
            ),
            (
                "Error loading SSO Token: Token for https://x.awsapps.com/start does not exist",
                &["not signed in", "aws sso login"],
            ),
            (
                "An error occurred (ExpiredTokenException) when calling the Invoke operation: The security token \
                 included in the request is expired",
                &["not signed in to AWS: The security token included in the request is expired (Expired"],
            ),
            ("You must specify a region. You can also configure your region", &["pass `--region`"]),
            ("The config profile (ops) could not be found", &["(ops)", "`aws configure list-profiles`"]),
            (
                "An error occurred (AccessDeniedException) when calling the Invoke operation: User: arn:aws:iam::1:user/a \
                 is not authorized to perform: lambda:InvokeFunction",
                &[
                    "AWS does not let you",
                    "arn:aws:iam::1:user/a",
                    "`lambda:InvokeFunction` on `curfew-console`",
                ],
            ),
            (
                "An error occurred (ResourceNotFoundException) when calling the Invoke operation: Function not found",
                &["there is no function `curfew-console`", "`--stack`", "`--region`"],
            ),
            (
                "An error occurred (TooManyRequestsException) when calling the Invoke operation (reached max retries: 2): \
                 Rate Exceeded.",
                &["asked too often", "TooManyRequestsException"],
            ),
            (
                "Could not connect to the endpoint URL: \"http://127.0.0.1:1/\"",
                &["can't be reached", "127.0.0.1:1"],
            ),
            (
                "usage: aws [options]\n\naws: error: argument operation: Invalid choice, valid choices are:\n\na | b\n",
                &[
                    "does not know what it is asked (`lambda invoke`)",
                    "argument operation: Invalid choice",
                    "newer",
                ],
            ),
            ("usage: aws\n\nUnknown options: --payload\n", &["Unknown options: --payload", "newer"]),
            (
                "An error occurred (ServiceException) when calling the Invoke operation: \u{1b}[31mno",
                &["`lambda invoke` failed: \\u{1b}[31mno (ServiceException)"],
            ),
            (
                "Traceback\nZeroDivisionError: x\n",
                &["`lambda invoke` failed: Traceback / ZeroDivisionError: x"],
            ),
        ] {
            let message = told(said);
            for part in parts {
                assert!(message.contains(part), "{said:?}: `{message}` does not say `{part}`");
            }
        }
    }

    #[test]
    fn where_no_function_is_concerned_none_is_named() {
        let asked = Asked { call: "s3 sync", function: None, profile: None };
        let said =
            "fatal error: An error occurred (AccessDenied) when calling the ListObjectsV2 operation: no";
        let message = diagnose(asked, said).to_string();
        assert!(message.contains("(AccessDenied): no") && !message.contains("lambda"), "{message}");
    }
}
