//! What an error of the AWS SDK means: whether a retry can help, and whether AWS's word settles that
//! nothing happened. The one place that knows AWS's error codes.
//!
//! Sources: the services' error lists in their API references, and
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>.

use curfew_app::ports::{EffectError, Failure, LedgerError};

use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ConnectorError, DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId as _;

/// Codes that say: not so often. The request was not looked at, and nothing is wrong with it. They come to light only
/// after the SDK's own tries, with its pauses between them.
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Codes that say: not now. Changes that meet, credentials that ran out, AWS at fault.
const RETRYABLE: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ConditionalRequestConflict",
    "ConflictException",
    "EntityTemporarilyUnmodifiable",
    "ExpiredToken",
    "ExpiredTokenException",
    "IDPCommunicationError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "RequestExpired",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceFailure",
    "ServiceUnavailable",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Codes that say: not you. Somebody has to change a policy, a trust or a setting.
const FORBIDDEN: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "AuthorizationError",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "RegionDisabledException",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// Codes that say: not this. The same again is refused again.
const REFUSED: &[&str] = &[
    "DeleteConflict",
    "EntityAlreadyExists",
    "InvalidInput",
    "InvalidParameterValue",
    "LimitExceeded",
    "LimitExceededException",
    "MalformedPolicyDocument",
    "NoSuchEntity",
    "PackedPolicyTooLarge",
    "PolicyNotAttachable",
    "ResourceNotFoundException",
    "ServiceQuotaExceededException",
    "UnmodifiableEntity",
    "ValidationError",
    "ValidationException",
];

/// The longest message that is kept: it goes into events, replies and logs.
const MESSAGE_CHARS_MAX: usize = 600;

/// An error of the SDK, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// What it means.
    pub(crate) failure: Failure,
    /// AWS's code, or what stands for it where AWS did not answer.
    pub(crate) code: String,
    /// What AWS said.
    pub(crate) message: String,
    /// AWS's id of the request, if it answered.
    pub(crate) request_id: Option<String>,
}

impl Failed {
    /// Reads an error.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let unanswered = |code: &str| Self {
            failure: Failure::Retryable,
            code: code.to_owned(),
            message: shorten(&DisplayErrorContext(error).to_string()),
            request_id: error.request_id().map(str::to_owned),
        };
        match error {
            // Not sent: the call itself is malformed, which no retry changes.
            SdkError::ConstructionFailure(_) => {
                Self { failure: Failure::Refused, ..unanswered("InvalidRequest") }
            }
            SdkError::TimeoutError(_) => unanswered("Timeout"),
            SdkError::DispatchFailure(failure) => unanswered(if failure.is_timeout() {
                "Timeout"
            } else {
                connector_code(failure.as_connector_error())
            }),
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let code = answer.err().code().map_or_else(|| format!("Http{status}"), str::to_owned);
                let message = shorten(answer.err().message().unwrap_or("no message"));
                Self { failure: failure(&code, status), message, ..unanswered(&code) }
            }
            // Answered, but not readably; or a kind of failure that a later SDK tells apart.
            _ => unanswered("UnreadableResponse"),
        }
    }

    /// As the failure of an effect.
    pub(crate) fn effect(self, operation: &'static str) -> EffectError {
        let message = self.said();
        EffectError { failure: self.failure, operation, code: self.code, message }
    }

    /// As the failure of the ledger.
    pub(crate) fn ledger(self, operation: &'static str) -> LedgerError {
        let retryable = match self.failure {
            Failure::Retryable | Failure::Throttled => true,
            Failure::Refused | Failure::Forbidden => false,
        };
        LedgerError { operation, message: format!("{}: {}", self.code, self.said()), retryable }
    }

    /// The message, with what AWS's support asks for.
    fn said(&self) -> String {
        match &self.request_id {
            Some(id) => format!("{} (request {id})", self.message),
            None => self.message.clone(),
        }
    }
}

/// An SDK error as the failure of an effect.
pub(crate) fn effect<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> EffectError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    Failed::of(error).effect(operation)
}

/// What a code means that comes without a status, as in `FailedEntries` of a reply.
pub(crate) fn failure_of_entry(code: &str) -> Failure {
    failure(code, 400)
}

/// What a code and a status mean. An unknown code is judged by its status: AWS answers 4xx for what it
/// did not do, and 5xx where it can't say.
fn failure(code: &str, status: u16) -> Failure {
    if THROTTLED.contains(&code) {
        return Failure::Throttled;
    }
    if RETRYABLE.contains(&code) {
        return Failure::Retryable;
    }
    if FORBIDDEN.contains(&code) {
        return Failure::Forbidden;
    }
    if REFUSED.contains(&code) {
        return Failure::Refused;
    }
    match status {
        401 | 403 => Failure::Forbidden,
        429 => Failure::Throttled,
        408 | 425 => Failure::Retryable,
        400..=499 => Failure::Refused,
        _ => Failure::Retryable,
    }
}

fn connector_code(error: Option<&ConnectorError>) -> &'static str {
    match error {
        Some(error) if error.is_io() => "ConnectionFailed",
        _ => "NotSent",
    }
}

/// `text` cut to a length that fits an event.
pub(crate) fn shorten(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(MESSAGE_CHARS_MAX).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
