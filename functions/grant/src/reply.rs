//! Replies: what a sender is told, and with which status.
//!
//! 2xx: done, or was done before. 429 and 5xx: send the same again. All other 4xx: will never succeed as it is. Everything
//! but 2xx is a problem document (RFC 9457). `docs/webhook.md` describes them for senders.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::{GrantId, TicketId};
use curfew_domain::retry::SENDER_RETRY_AFTER;
use curfew_runtime::revocation::{GrantReport, subject};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// What kind of problem it is. The code is part of the interface: it never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// No such path.
    NotFound,
    /// Not `POST`.
    MethodNotAllowed,
    /// Another content type than its source's.
    UnsupportedMediaType,
    /// The body is too large.
    TooLarge,
    /// The body does not have the documented form.
    Malformed,
    /// The sender is not proven.
    Unverified,
    /// Its source sends faster than it may, and should wait for so many seconds.
    TooFast(u32),
    /// A rule denied the request: with the rule's code, and its status.
    Denied(&'static str, u16),
    /// The ticket was closed before.
    TicketClosed,
    /// Its ticket has a grant for the same role and principal that this approval can't change.
    Conflict,
    /// Its grant was changed as often as it may be.
    TooManyChanges,
    /// It was revoked while it was being opened or changed.
    RevokedMeanwhile,
    /// AWS refused it.
    RefusedByAws,
    /// AWS did not permit it to Curfew.
    NotPermitted,
    /// It failed too often.
    TooManyAttempts,
    /// Not now.
    TryAgain,
    /// A closed ticket's grants are not all being removed.
    RemovalNotBegun,
    /// Curfew can't work before an operator has put something right.
    OutOfOrder(&'static str),
}

impl ProblemKind {
    /// The code at the end of the problem's `type`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Unverified => "unverified",
            Self::TooFast(_) => "too-fast",
            Self::Denied(code, _) | Self::OutOfOrder(code) => code,
            Self::TicketClosed => "ticket-closed",
            Self::Conflict => "conflict",
            Self::TooManyChanges => "too-many-changes",
            Self::RevokedMeanwhile => "revoked-meanwhile",
            Self::RefusedByAws => "refused-by-aws",
            Self::NotPermitted => "not-permitted",
            Self::TooManyAttempts => "too-many-attempts",
            Self::TryAgain => "try-again",
            Self::RemovalNotBegun => "removal-not-begun",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::UnsupportedMediaType => 415,
            Self::TooLarge => 413,
            Self::Malformed => 400,
            Self::Unverified => 401,
            Self::TooFast(_) => 429,
            Self::Denied(_, status) => status,
            Self::TicketClosed | Self::Conflict | Self::TooManyChanges | Self::RevokedMeanwhile => 409,
            Self::RefusedByAws | Self::NotPermitted | Self::TooManyAttempts => 422,
            Self::TryAgain | Self::RemovalNotBegun | Self::OutOfOrder(_) => 503,
        }
    }

    /// Whether the same again would be refused again: no retry is wanted.
    #[must_use]
    pub fn is_final(self) -> bool {
        (400..500).contains(&self.status()) && !matches!(self, Self::TooFast(_))
    }

    /// Whether it is Curfew's own no: a failure is none, and neither is what AWS refused.
    #[must_use]
    pub fn is_denial(self) -> bool {
        self.status() < 500 && !matches!(self, Self::RefusedByAws | Self::NotPermitted)
    }

    fn title(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed => "Webhooks are posted",
            Self::UnsupportedMediaType => "The webhook has another content type than its source's",
            Self::TooLarge => "The webhook is too large",
            Self::Malformed => "The webhook does not have the documented form",
            Self::Unverified => "The sender could not be verified",
            Self::TooFast(_) => "The source sends faster than it may",
            Self::Denied(..) => "The request is denied",
            Self::TicketClosed => "The ticket is closed",
            Self::Conflict => "The ticket has a grant that this approval does not change",
            Self::TooManyChanges => "The grant was changed too often",
            Self::RevokedMeanwhile => "The grant was revoked meanwhile",
            Self::RefusedByAws => "AWS refused the access",
            Self::NotPermitted => "Curfew is not permitted to give this access",
            Self::TooManyAttempts => "The approval failed too often",
            Self::TryAgain => "It could not be done now",
            Self::RemovalNotBegun => "Not all of the ticket's access is being removed",
            Self::OutOfOrder(_) => "Curfew is out of order",
        }
    }
}

/// A problem document.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    more: serde_json::Map<String, Value>,
}

impl Problem {
    /// A problem, told in `detail`.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), more: serde_json::Map::new() }
    }

    /// Says what can be done about it.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        self.with("remedy", json!(remedy.into()))
    }

    /// Names the grant that it is about.
    #[must_use]
    pub fn about(self, grant: &Grant) -> Self {
        self.with("grant_id", json!(grant.id())).with("state", json!(grant.state().name()))
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What went wrong.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// A granted approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Granted<'a> {
    grant_id: &'a GrantId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    window: curfew_domain::window::Window,
    person: &'a str,
    tenant: &'a str,
    role: &'a str,
    principal: &'a str,
    ticket: &'a TicketId,
    duplicate: bool,
    changed: bool,
    message: String,
}

/// What an approval did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    New,
    Changed,
    Nothing,
}

/// What a sender is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The JSON body.
    pub body: Value,
}

impl Reply {
    fn json(status: u16, body: Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status, headers, body }
    }

    /// 201: access holds, or will from the window's start.
    #[must_use]
    pub fn granted(grant: &Grant) -> Self {
        let window = grant.window();
        let message =
            format!("{} holds from {} until {}", subject(grant), window.starts_at(), window.expires_at());
        Self::of_grant(201, grant, Done::New, message)
    }

    /// 200: access that was there holds over another window from now on.
    #[must_use]
    pub fn changed(grant: &Grant, previous_end: Timestamp) -> Self {
        let window = grant.window();
        let before = if window.expires_at() == previous_end {
            "as before".to_owned()
        } else {
            format!("and not until {previous_end}")
        };
        let message = format!(
            "{} holds from {} until {} now, {before}",
            subject(grant),
            window.starts_at(),
            window.expires_at()
        );
        Self::of_grant(200, grant, Done::Changed, message)
    }

    /// 200: the same approval was granted before.
    #[must_use]
    pub fn duplicate(grant: &Grant) -> Self {
        let became = match grant.state() {
            State::Opening { .. } => "is being opened".to_owned(),
            State::Active { .. } => format!("holds until {}", grant.window().expires_at()),
            State::Closing { .. } => "is being removed".to_owned(),
            State::Closed { outcome, closed_at, .. } => format!("was closed ({outcome}) at {closed_at}"),
        };
        let message =
            format!("this approval was granted before, and nothing was changed: {} {became}", subject(grant));
        Self::of_grant(200, grant, Done::Nothing, message)
    }

    /// 200: a later approval on the same ticket is in force already.
    #[must_use]
    pub fn superseded(grant: &Grant) -> Self {
        let message = format!(
            "a later approval on this ticket is in force, and nothing was changed: {} lasts until {}",
            subject(grant),
            grant.window().expires_at()
        );
        Self::of_grant(200, grant, Done::Nothing, message)
    }

    fn of_grant(status: u16, grant: &Grant, done: Done, message: String) -> Self {
        let request = grant.request();
        let granted = Granted {
            grant_id: grant.id(),
            state: grant.state().name(),
            outcome: match grant.state() {
                State::Closed { outcome, .. } => Some(*outcome),
                State::Opening { .. } | State::Active { .. } | State::Closing { .. } => None,
            },
            window: grant.window(),
            person: request.requester.as_str(),
            tenant: request.tenant.as_str(),
            role: request.role.as_str(),
            principal: grant.access().principal().arn(),
            ticket: &request.ticket,
            duplicate: done == Done::Nothing,
            changed: done == Done::Changed,
            message,
        };
        Self::json(status, json!(granted))
    }

    /// 200 without a body: for sources that are answered elsewhere.
    #[must_use]
    pub fn empty() -> Self {
        Self { body: Value::Null, ..Self::json(200, Value::Null) }
    }

    /// The same, with the status 200: for senders that take a refusal for a fault of the receiver's.
    #[must_use]
    pub fn as_success(self) -> Self {
        Self { status: 200, ..self }
    }

    /// What it says, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let text = |name: &str| self.body.get(name).and_then(Value::as_str);
        let parts = [text("title"), text("detail").or_else(|| text("message")), text("remedy")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(". ")
    }

    /// 200: nothing that concerns Curfew.
    #[must_use]
    pub fn nothing(why: &str) -> Self {
        Self::json(200, json!({ "message": format!("nothing to do: {why}") }))
    }

    /// 200: the ticket is closed, and whatever it justified is removed or being removed.
    #[must_use]
    pub fn ticket_closed(ticket: &TicketId, grants: &[GrantReport]) -> Self {
        let proven = grants.iter().filter(|grant| grant.result.is_proven()).count();
        let message = match grants.len() {
            0 => format!("ticket {ticket} is closed; it had no grants"),
            all if proven == all => {
                format!("ticket {ticket} is closed; nothing is left of its {all} grant(s)")
            }
            all => format!(
                "ticket {ticket} is closed; of its {all} grant(s) {proven} ended, and the removal of the rest \
                 has begun and is finished by the sweep"
            ),
        };
        Self::json(200, json!({ "ticket": ticket, "state": "closed", "grants": grants, "message": message }))
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let Problem { kind, detail, more } = problem;
        let mut body = json!({
            "type": format!("urn:curfew:problem:{}", kind.code()),
            "title": kind.title(),
            "status": kind.status(),
            "detail": detail,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(more);
        }
        let mut reply = Self::json(kind.status(), body);
        let problem_json = HeaderValue::from_static("application/problem+json");
        reply.headers.insert(header::CONTENT_TYPE, problem_json);
        if kind == ProblemKind::MethodNotAllowed {
            reply.headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        let retry_after = match kind {
            ProblemKind::TooFast(seconds) => Some(i64::from(seconds)),
            kind => (kind.status() == 503).then_some(SENDER_RETRY_AFTER.as_secs()),
        };
        if let Some(seconds) = retry_after {
            reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply
    }
}

impl From<Reply> for ApiGatewayV2httpResponse {
    fn from(reply: Reply) -> Self {
        let mut response = Self::default();
        response.status_code = i64::from(reply.status);
        response.headers = reply.headers;
        response.body = Some(match reply.body {
            // Not `Body::Empty`, which is `null` in JSON: a body is documented to be a string.
            Value::Null => Body::Text(String::new()),
            body => Body::Text(body.to_string()),
        });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_a_document_of_rfc_9457() {
        let problem = Problem::new(ProblemKind::Malformed, "the body has 1 problem")
            .remedy("see docs/webhook.md")
            .with("errors", json!([{ "pointer": "/role", "message": "is missing" }]));
        let response = ApiGatewayV2httpResponse::from(Reply::from(problem));
        assert_eq!(response.status_code, 400);
        assert_eq!(response.headers.get("content-type").unwrap(), "application/problem+json");
        assert_eq!(response.headers.get("cache-control").unwrap(), "no-store");
        let Some(Body::Text(body)) = response.body else { unreachable!("a text body") };
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "type": "urn:curfew:problem:malformed",
                "title": "The webhook does not have the documented form",
                "status": 400,
                "detail": "the body has 1 problem",
                "remedy": "see docs/webhook.md",
                "errors": [{ "pointer": "/role", "message": "is missing" }],
            })
        );
    }

    #[test]
    fn an_empty_reply_has_a_body_that_is_a_string() {
        let response = ApiGatewayV2httpResponse::from(Reply::empty());
        let json = serde_json::to_value(&response).unwrap();
        assert_eq!((&json["statusCode"], &json["body"]), (&json!(200), &json!("")), "{json}");
    }

    #[test]
    fn only_what_a_retry_helps_is_a_server_error_and_says_when() {
        for (kind, status) in [
            (ProblemKind::NotFound, 404),
            (ProblemKind::MethodNotAllowed, 405),
            (ProblemKind::UnsupportedMediaType, 415),
            (ProblemKind::TooLarge, 413),
            (ProblemKind::Malformed, 400),
            (ProblemKind::Unverified, 401),
            (ProblemKind::Denied("self-approval", 403), 403),
            (ProblemKind::TicketClosed, 409),
            (ProblemKind::Conflict, 409),
            (ProblemKind::TooManyChanges, 409),
            (ProblemKind::RevokedMeanwhile, 409),
            (ProblemKind::RefusedByAws, 422),
            (ProblemKind::NotPermitted, 422),
            (ProblemKind::TooManyAttempts, 422),
            (ProblemKind::TryAgain, 503),
            (ProblemKind::RemovalNotBegun, 503),
            (ProblemKind::OutOfOrder("catalog-invalid"), 503),
        ] {
            let reply = Reply::from(Problem::new(kind, "…"));
            assert_eq!(reply.status, status, "{kind:?}");
            assert_eq!(reply.headers.contains_key("retry-after"), status == 503, "{kind:?}");
            assert_eq!(reply.headers.contains_key("allow"), status == 405, "{kind:?}");
        }
    }
}
