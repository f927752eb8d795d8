//! What each fact means in OCSF's terms, whatever the version: which activity, how it went, how grave it is.

use curfew_domain::event::{Drift, DriftResponse, Fact};

/// A removal that failed so often in a row is for somebody to look at now.
const FAILURES_GRAVE: u32 = 3;

/// What happened to somebody's privileges.
pub(super) enum Activity {
    /// They were given, or should have been.
    Assign,
    /// They were taken away, or should have been.
    Revoke,
    /// Neither; what OCSF shall call it.
    Other(&'static str),
}

/// How it went.
pub(super) enum Status {
    Success,
    Failure,
    /// It is decided, and AWS has yet to confirm it.
    Pending,
    /// It was found, and nobody here did it.
    Detected,
}

impl Status {
    pub(super) fn caption(&self) -> (u32, &'static str) {
        match self {
            Self::Success => (1, "Success"),
            Self::Failure => (2, "Failure"),
            Self::Pending => (99, "Pending"),
            Self::Detected => (99, "Detected"),
        }
    }
}

/// How grave it is.
pub(super) enum Severity {
    /// Nobody has to do anything.
    Informational,
    /// Somebody may want to do something.
    Low,
    /// Somebody has to, but not at once.
    Medium,
    /// Somebody has to, now.
    High,
}

impl Severity {
    pub(super) fn caption(&self) -> (u32, &'static str) {
        match self {
            Self::Informational => (1, "Informational"),
            Self::Low => (2, "Low"),
            Self::Medium => (3, "Medium"),
            Self::High => (4, "High"),
        }
    }
}

/// A fact in OCSF's terms.
pub(super) struct Meaning {
    pub(super) activity: Activity,
    pub(super) status: Status,
    pub(super) severity: Severity,
    /// What happened, for people; none of it from outside.
    pub(super) words: &'static str,
    pub(super) status_code: Option<String>,
    /// Why, in the words of whoever did it.
    pub(super) status_detail: Option<String>,
}

impl Meaning {
    fn new(activity: Activity, status: Status, severity: Severity, words: &'static str) -> Self {
        Self { activity, status, severity, words, status_code: None, status_detail: None }
    }

    fn code(self, code: &impl ToString) -> Self {
        Self { status_code: Some(code.to_string()), ..self }
    }

    fn detail(self, detail: &str) -> Self {
        Self { status_detail: Some(detail.to_owned()), ..self }
    }

    pub(super) fn denied(code: &str, reason: &str) -> Self {
        let denied = Self::new(Activity::Assign, Status::Failure, Severity::Low, "access was denied");
        denied.code(&code).detail(reason)
    }

    pub(super) fn of(fact: &Fact) -> Self {
        use Severity::{High, Informational, Low, Medium};
        use Status::{Detected, Failure, Pending, Success};
        let other =
            |status, severity, words| Self::new(Activity::Other(fact.name()), status, severity, words);
        match fact {
            Fact::Requested { request, .. } => {
                let severity = if request.basis.since().is_some() { Low } else { Informational };
                let requested = other(Success, severity, "access was requested and permitted");
                requested.code(&request.basis.name()).detail(&request.justification)
            }
            Fact::Opened { .. } => other(Pending, Informational, "access is being given"),
            Fact::Activated { .. } => {
                Self::new(Activity::Assign, Success, Informational, "AWS confirmed the access")
            }
            Fact::Extended { change } => {
                let meaning = other(Pending, Informational, "access will last longer");
                meaning.detail(change.reason.as_deref().unwrap_or(&change.request.justification))
            }
            Fact::Shortened { change } => {
                let meaning = other(Pending, Informational, "access will end earlier");
                meaning.detail(change.reason.as_deref().unwrap_or(&change.request.justification))
            }
            Fact::ChangeResumed { .. } => {
                other(Pending, Informational, "a change of the access is made again")
            }
            Fact::DriftFound { drift, response } => {
                let severity = match drift {
                    Drift::Missing => Medium,
                    Drift::Edited | Drift::Leftover => High,
                };
                let found = other(Detected, severity, "the access in AWS is not what was granted");
                found.code(drift).detail(match response {
                    DriftResponse::Close => "the grant is ended",
                    DriftResponse::Restore => "what was granted is put back",
                    DriftResponse::Remove => "what nobody has a right to is removed",
                })
            }
            Fact::DriftRemoved { .. } => {
                let words = "AWS confirmed that access which was put back by hand is gone";
                Self::new(Activity::Revoke, Success, Low, words)
            }
            Fact::Expired {} => {
                other(Pending, Informational, "the time is over and the access is being removed")
            }
            Fact::RevocationRequested { reason } => {
                other(Pending, Informational, "the access was ended early and is being removed")
                    .detail(reason)
            }
            Fact::OpeningFailed { reason } => {
                let words = "access could not be given, and what may be left of it is being removed";
                Self::new(Activity::Assign, Failure, Low, words).detail(reason)
            }
            Fact::ReviewOwed { reason } => {
                other(Pending, Low, "somebody has to review this access afterwards").detail(reason)
            }
            Fact::Reviewed { note } => other(Success, Informational, "the access was reviewed").detail(note),
            Fact::RevocationFailed { error, failures, .. } => {
                let severity = if *failures < FAILURES_GRAVE { Medium } else { High };
                let words = "the removal of the access could not be proven and will be tried again";
                Self::new(Activity::Revoke, Failure, severity, words).detail(error)
            }
            Fact::Revoked { outcome, .. } => {
                let words = "AWS confirmed that the access is gone";
                Self::new(Activity::Revoke, Success, Informational, words).code(outcome)
            }
        }
    }
}
