//! Errors: what went wrong with a call, whether it may go right later, and what to do if not.

use std::time::Duration;

/// Why a call came to nothing. Its text names the host, the cause and the remedy; never a path, a query or a
/// credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItsmError {
    /// Not an address that is called.
    #[error("the address is not called: {rule}")]
    Address {
        /// What it must be.
        rule: &'static str,
    },
    /// The machine's root certificates can't be read, so that nobody can be believed.
    #[error(
        "`{host}` is not called, because the machine's root certificates can't be used: {cause}; install them (`ca-certificates`)"
    )]
    NoTrust {
        /// Who was to be called.
        host: String,
        /// What went wrong.
        cause: String,
    },
    /// The credential can't stand in a header.
    #[error(
        "`{host}` is not called, because the credential in the webhook secrets, under `api`, is not printable ASCII text"
    )]
    Credential {
        /// Who was to be called.
        host: String,
    },
    /// No connection, no TLS, or it broke off.
    #[error(
        "`{host}` was not reached: {cause}; check its name, its certificate, and the function's way to the internet"
    )]
    Unreachable {
        /// Who was called.
        host: String,
        /// What went wrong.
        cause: String,
    },
    /// No whole answer in time.
    #[error("`{host}` did not answer within {} ms", within.as_millis())]
    TimedOut {
        /// Who was called.
        host: String,
        /// How long was waited.
        within: Duration,
    },
    /// Too many calls.
    #[error("`{host}` answered {status}: it gets more calls than it allows; try again later")]
    Throttled {
        /// Who was called.
        host: String,
        /// 429.
        status: u16,
        /// How long it wants to be left alone, if it said so.
        retry_after: Option<Duration>,
    },
    /// It can't answer now.
    #[error("`{host}` answered {status}: it is not available now; try again later")]
    Unavailable {
        /// Who was called.
        host: String,
        /// 500 and above.
        status: u16,
        /// How long it wants to be left alone, if it said so.
        retry_after: Option<Duration>,
    },
    /// It does not let us see what was asked for.
    #[error("`{host}` answered {status}: {}", remedy(*.status, *.with_credential))]
    Refused {
        /// Who was called.
        host: String,
        /// 401, 403 or 404.
        status: u16,
        /// Whether a credential was shown.
        with_credential: bool,
    },
    /// An answer that makes no sense here, for example a redirect.
    #[error(
        "`{host}` answered {status}, which is not expected; check that the configured address is the site's own"
    )]
    UnexpectedStatus {
        /// Who was called.
        host: String,
        /// Which.
        status: u16,
    },
    /// More than is read.
    #[error("`{host}` answered more than {} bytes, which are not read", crate::MAX_ANSWER_BYTES)]
    TooLarge {
        /// Who was called.
        host: String,
    },
    /// Not UTF-8.
    #[error(
        "`{host}` answered something that is not UTF-8 text; check that the configured address is the site's own"
    )]
    NotText {
        /// Who was called.
        host: String,
    },
}

fn remedy(status: u16, with_credential: bool) -> &'static str {
    match (status, with_credential) {
        (_, false) => {
            "no credential was shown; put one into the webhook secrets, in the source's entry, as \
             `\"api\":{\"user\":\"…\",\"token\":\"…\"}`"
        }
        (401, true) => {
            "the credential in the webhook secrets, under `api`, is not valid; it may have expired or been revoked: make a \
             new one"
        }
        (403, true) => {
            "the user of the credential in the webhook secrets, under `api`, may not see this; give it the right to browse the project"
        }
        _ => {
            "it is not there, or the user of the credential in the webhook secrets, under `api`, may not see it; check the \
             configured address, and give the user the right to see the project's requests"
        }
    }
}

impl ItsmError {
    /// Whether the same call may go well later, without anybody mending anything here.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Throttled { .. }
                | Self::Unavailable { .. }
        )
    }

    /// How long to wait before another call, if the host said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A stable word for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Address { .. } => "address",
            Self::NoTrust { .. } => "no-trust",
            Self::Credential { .. } => "credential",
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timed-out",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } => "refused",
            Self::UnexpectedStatus { .. } => "unexpected-status",
            Self::TooLarge { .. } => "too-large",
            Self::NotText { .. } => "not-text",
        }
    }
}
