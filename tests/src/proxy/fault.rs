//! What can go wrong with a call, and which calls it happens to.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use curfew_cli::edge;
use http::{Response, StatusCode, header};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::{Barrier, Semaphore, watch};

use super::broken;
use super::record::Call;

/// How long a test waits for a call that should come. Nothing in a test takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The service refuses it with its own throttling error. Nothing is done.
    Throttle,
    /// The service does it while there are permits, one for each call, and refuses it as [`Self::Throttle`] when there
    /// are none. Whoever limits a rate adds them.
    Limit(Arc<Semaphore>),
    /// The service fails with its own internal error. Nothing is done.
    Fail,
    /// The service refuses it with this status and error code. Nothing is done.
    Refuse(u16, &'static str),
    /// The connection breaks before the service sees it. Nothing is done.
    BreakBefore,
    /// It is done, and the connection breaks before the answer.
    BreakAfter,
    /// It is done, and the answer breaks off in its middle.
    Truncate,
    /// It takes so long before the service sees it.
    Delay(Duration),
    /// It is held up before the service sees it, until the gate opens.
    Hold(Gate),
    /// It is done, and its answer is held up until the gate opens.
    HoldAnswer(Gate),
    /// It is done, and its answer is held up until all that are to meet have got so far.
    Meet(Arc<Barrier>),
}

impl Fault {
    /// The answers of `calls` calls wait for one another: if one of them were made only after another's answer, neither
    /// would ever end. To be used with one rule for each.
    #[must_use]
    pub fn meet(calls: usize) -> Self {
        Self::Meet(Arc::new(Barrier::new(calls)))
    }

    pub(super) fn step(&self) -> Step {
        match self {
            Self::Throttle => Step::Answer(Refusal::Throttled),
            Self::Limit(permits) => match permits.try_acquire() {
                Ok(permit) => {
                    permit.forget();
                    Step::PassOn
                }
                Err(_) => Step::Answer(Refusal::Throttled),
            },
            Self::Fail => Step::Answer(Refusal::Failed),
            Self::Refuse(status, code) => Step::Answer(Refusal::Of(*status, code)),
            Self::BreakBefore => Step::Break,
            Self::BreakAfter
            | Self::Truncate
            | Self::Delay(_)
            | Self::Hold(_)
            | Self::HoldAnswer(_)
            | Self::Meet(_) => Step::PassOn,
        }
    }

    /// What happens before a call is passed on.
    pub(super) async fn before(&self) {
        match self {
            Self::Hold(gate) => gate.pass().await,
            Self::Delay(duration) => edge::pause(*duration).await,
            Self::Throttle
            | Self::Limit(_)
            | Self::Fail
            | Self::Refuse(..)
            | Self::BreakBefore
            | Self::BreakAfter
            | Self::Truncate
            | Self::HoldAnswer(_)
            | Self::Meet(_) => {}
        }
    }

    /// What happens to its answer.
    pub(super) async fn after(&self, answer: io::Result<Response<Bytes>>) -> io::Result<Response<Answer>> {
        let answer = answer?;
        match self {
            Self::BreakAfter => Err(broken()),
            Self::Truncate => {
                let (mut parts, body) = answer.into_parts();
                parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
                Ok(Response::from_parts(parts, Answer::broken_off(&body)))
            }
            Self::Meet(all) => {
                all.wait().await;
                Ok(answer.map(Answer::whole))
            }
            Self::HoldAnswer(gate) => {
                gate.pass().await;
                Ok(answer.map(Answer::whole))
            }
            Self::Throttle
            | Self::Limit(_)
            | Self::Fail
            | Self::Refuse(..)
            | Self::BreakBefore
            | Self::Delay(_)
            | Self::Hold(_) => Ok(answer.map(Answer::whole)),
        }
    }
}

/// What the proxy does with a call.
pub(super) enum Step {
    PassOn,
    Answer(Refusal),
    Break,
}

/// An error that the proxy answers in the service's stead.
pub(super) enum Refusal {
    Throttled,
    Failed,
    Of(u16, &'static str),
}

impl Refusal {
    /// The error as the service's protocol writes it. The codes are those of the services' API references.
    pub(super) fn answer(&self, service: &str) -> Response<Answer> {
        let (status, code) = match (self, service) {
            (Self::Of(status, code), _) => (*status, *code),
            (Self::Throttled, "iam" | "sts") => (400, "Throttling"),
            (Self::Throttled, "scheduler") => (429, "ThrottlingException"),
            (Self::Throttled, _) => (400, "ThrottlingException"),
            (Self::Failed, "iam" | "sts") => (500, "ServiceFailure"),
            (Self::Failed, "scheduler") => (500, "InternalServerException"),
            (Self::Failed, "dynamodb") => (500, "InternalServerError"),
            (Self::Failed, _) => (500, "InternalServiceError"),
        };
        let message = "on purpose";
        let (kind, body) = match service {
            "iam" | "sts" => {
                let fault = if status < 500 { "Sender" } else { "Receiver" };
                let error = format!("<Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message>");
                let body = format!(
                    "<ErrorResponse><Error>{error}</Error><RequestId>r-1</RequestId></ErrorResponse>"
                );
                ("text/xml", body)
            }
            "scheduler" => ("application/json", format!(r#"{{"Message":"{message}"}}"#)),
            _ => ("application/x-amz-json-1.0", format!(r#"{{"__type":"{code}","message":"{message}"}}"#)),
        };
        let mut answer = Response::new(Answer::whole(Bytes::from(body)));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        answer.headers_mut().insert("x-amzn-errortype", header::HeaderValue::from_static(code));
        answer
    }
}

/// Which calls something goes wrong with.
#[derive(Debug, Clone)]
pub struct Rule {
    operation: String,
    about: Option<String>,
    fault: Fault,
    spared: usize,
    left: usize,
}

impl Rule {
    /// Every call of an operation, as often as it is tried.
    #[must_use]
    pub fn on(operation: impl Into<String>, fault: Fault) -> Self {
        Self { operation: operation.into(), about: None, fault, spared: 0, left: usize::MAX }
    }

    /// Only calls that name this in their path or body: a grant's id.
    #[must_use]
    pub fn about(self, text: impl Into<String>) -> Self {
        Self { about: Some(text.into()), ..self }
    }

    /// Not the first `calls` of them.
    #[must_use]
    pub fn after(self, calls: usize) -> Self {
        Self { spared: calls, ..self }
    }

    /// Only the first of them that is not spared.
    #[must_use]
    pub fn once(self) -> Self {
        Self { left: 1, ..self }
    }

    fn is_for(&self, call: &Call) -> bool {
        self.left > 0
            && self.operation == call.operation
            && self.about.as_ref().is_none_or(|text| call.names(text))
    }
}

/// The fault of a call, if it has one.
pub(super) fn applicable(rules: &mut [Rule], call: &Call) -> Option<Fault> {
    let rule = rules.iter_mut().find(|rule| rule.is_for(call))?;
    if let Some(spared) = rule.spared.checked_sub(1) {
        rule.spared = spared;
        return None;
    }
    rule.left -= 1;
    Some(rule.fault.clone())
}

/// Holds calls until it opens, and tells when they have come.
#[derive(Debug, Clone)]
pub struct Gate(Arc<GateState>);

#[derive(Debug)]
struct GateState {
    waiting: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(GateState { waiting: watch::Sender::new(0), open: watch::Sender::new(false) }))
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until `calls` calls have come to it.
    ///
    /// # Errors
    /// They did not come.
    pub async fn reached_by(&self, calls: usize) -> io::Result<()> {
        let mut waiting = self.0.waiting.subscribe();
        let reached = waiting.wait_for(|count| *count >= calls);
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::TimedOut, format!("not {calls} calls came to the gate"))),
        }
    }

    /// Lets through whoever waits, and whoever comes.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    async fn pass(&self) {
        self.0.waiting.send_modify(|count| *count += 1);
        // The sender lives as long as this gate.
        drop(self.0.open.subscribe().wait_for(|open| *open).await);
    }
}

/// An answer's body: whole, or broken off.
#[derive(Debug)]
pub(super) struct Answer {
    rest: Option<Bytes>,
    breaks_off: bool,
}

impl Answer {
    pub(super) fn whole(body: Bytes) -> Self {
        Self { rest: Some(body), breaks_off: false }
    }

    fn broken_off(body: &Bytes) -> Self {
        Self { rest: Some(body.slice(..body.len() / 2)), breaks_off: true }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        match this.rest.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if std::mem::take(&mut this.breaks_off) => Poll::Ready(Some(Err(broken()))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && !self.breaks_off
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Some(rest) if !self.breaks_off => SizeHint::with_exact(rest.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str) -> Call {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-amz-target", operation.parse().unwrap());
        Call::read(&http::Method::POST, "/", &headers, &Bytes::from_static(br#"{"pk":"GRANT#g-a"}"#))
    }

    #[test]
    fn a_rule_spares_and_is_used_up() {
        let (put, get) = (call("Put"), call("Get"));
        let mut rules = vec![
            Rule::on("Put", Fault::Fail).after(1).once(),
            Rule::on("Put", Fault::Throttle).once(),
            Rule::on("Get", Fault::Fail),
        ];
        assert!(applicable(&mut rules, &put).is_none());
        assert!(matches!(applicable(&mut rules, &put), Some(Fault::Fail)));
        assert!(matches!(applicable(&mut rules, &put), Some(Fault::Throttle)));
        assert!(applicable(&mut rules, &put).is_none());
        for _ in 0..3 {
            assert!(matches!(applicable(&mut rules, &get), Some(Fault::Fail)));
        }
    }

    #[test]
    fn a_rule_about_something_leaves_other_calls_alone() {
        let mut rules =
            vec![Rule::on("Put", Fault::Fail).about("g-b"), Rule::on("Put", Fault::Throttle).about("g-a")];
        assert!(matches!(applicable(&mut rules, &call("Put")), Some(Fault::Throttle)));
        assert!(applicable(&mut rules[..1], &call("Put")).is_none());
    }

    #[test]
    fn services_refuse_in_their_own_ways() {
        let answer = |refusal: Refusal, service| {
            let answer = refusal.answer(service);
            let code = answer.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
            (answer.status().as_u16(), code)
        };
        assert_eq!(answer(Refusal::Throttled, "iam"), (400, "Throttling".to_owned()));
        assert_eq!(answer(Refusal::Throttled, "scheduler"), (429, "ThrottlingException".to_owned()));
        assert_eq!(answer(Refusal::Failed, "dynamodb"), (500, "InternalServerError".to_owned()));
        assert_eq!(answer(Refusal::Of(404, "NoSuchEntity"), "iam"), (404, "NoSuchEntity".to_owned()));
    }

    #[tokio::test]
    async fn a_gate_holds_until_it_opens() {
        let gate = Gate::new();
        let held = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass().await }
        });
        gate.reached_by(1).await.unwrap();
        assert!(!held.is_finished());
        gate.open();
        held.await.unwrap();
        gate.pass().await;
    }
}
