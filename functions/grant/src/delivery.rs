//! From an HTTP event to what it says: which source, verified, within its share, read; its source asked, if the
//! delivery alone does not tell.
//!
//! Nothing here is written down, and nothing decided.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use curfew_domain::ids::{Email, Source, shown};
use curfew_domain::request::Notice;
use curfew_intake::{
    Body, BodyError, Lookup, Malformed, Nobody, People, Reading, ReplyTo, Secrets, Sender, Unverified,
    VerifiedDelivery,
};
use curfew_runtime::Metrics;
use curfew_runtime::error::chain;
use jiff::Timestamp;
use serde_json::json;

use crate::outside::{NotAnswered, SourceApi};
use crate::package::{Package, Unusable};
use crate::reply::{Problem, ProblemKind};
use crate::route::{self, Misrouted};
use crate::secrets::{SecretSource, SecretsUnavailable};
use crate::throttle::Throttle;

/// How often one delivery may have its source asked. Jira needs two questions: the approvals, and the history.
const LOOKUPS_MAX: usize = 3;

/// What deliveries are received with.
pub(crate) struct Intake<'a, S, A> {
    pub(crate) package: &'a Package,
    pub(crate) secrets: &'a S,
    pub(crate) api: &'a A,
    pub(crate) throttle: &'a Throttle,
    pub(crate) metrics: &'a Metrics,
    pub(crate) now: Timestamp,
    /// How long a question to a source may take.
    pub(crate) patience: Duration,
}

/// Whom the catalog knows. It is read when the first delivery names an account: most name addresses, or end access.
struct Known<'a>(&'a Package);

impl People for Known<'_> {
    fn address_of(&self, source: &Source, account: &str) -> Email {
        // Without a catalog nobody is known, and access can still be ended.
        match self.0.catalog() {
            Ok(catalog) => catalog.address_of(source, account),
            Err(_) => Nobody.address_of(source, account),
        }
    }
}

/// A delivery that is its source's.
pub(crate) struct Received {
    pub(crate) delivery: VerifiedDelivery,
    /// Where its source wants the answer, if not in the reply.
    pub(crate) reply_to: Option<ReplyTo>,
    /// Whether its source must not hear of refusals by the status.
    pub(crate) hides_refusals: bool,
    /// What it says, if it could be understood.
    pub(crate) said: Result<Said, Problem>,
}

/// What it says.
pub(crate) enum Said {
    /// Something to act on.
    Notice(Box<Notice>),
    /// Nothing that concerns Curfew.
    Nothing(String),
}

impl<S: SecretSource, A: SourceApi> Intake<'_, S, A> {
    /// Receives a delivery.
    pub(crate) async fn receive(&self, request: &ApiGatewayV2httpRequest) -> Result<Received, Problem> {
        let source = route::source_of(request).map_err(misrouted)?;
        let senders = self.package.senders().map_err(out_of_order)?;
        let sender = senders.of(source);
        route::check_content_type(request, sender.content_type()).map_err(misrouted)?;
        let body = request.body.as_deref().unwrap_or_default();
        let body = Body::decode_within(sender.max_body_bytes(), body, request.is_base64_encoded)
            .map_err(undecodable)?;
        let secrets = self.secrets.secrets(senders).await.map_err(without_secrets)?;
        let verified = sender.verify(source, &request.headers, body, &secrets, self.now);
        let delivery = verified.map_err(|unverified| {
            let configured = secrets.sources().find(|configured| configured.as_str() == source);
            self.unverified(source, configured, request, &unverified)
        })?;
        let reply_to = sender.reply_to(&delivery);
        let said = self.read(sender, &delivery, &secrets).await;
        Ok(Received { delivery, reply_to, hides_refusals: sender.is_put_off_by_refusals(), said })
    }

    fn admit(&self, delivery: &VerifiedDelivery) -> Result<(), Problem> {
        self.throttle.admit(delivery.source(), self.now).map_err(|seconds| {
            let source = delivery.source();
            let kind = ProblemKind::TooFast(seconds);
            let code = kind.code();
            tracing::warn!(%source, code, "source {source} sends faster than it may: told to wait {seconds} s");
            self.metrics.denied(self.now, code);
            Problem::new(kind, format!("source `{source}` sends faster than it may"))
                .remedy(format!("nothing was written: send the same again in {seconds} s"))
        })
    }

    async fn read(
        &self,
        sender: &Sender,
        delivery: &VerifiedDelivery,
        secrets: &Secrets,
    ) -> Result<Said, Problem> {
        let people = &Known(self.package);
        let mut reading = sender.read(delivery, people).map_err(|error| self.malformed(delivery, &error))?;
        // What ends access is never put off: not every sender sends again.
        if matches!(reading, Reading::Notice(Notice::Approved(_)) | Reading::Lookup(_)) {
            self.admit(delivery)?;
        }
        for _ in 0..=LOOKUPS_MAX {
            match reading {
                Reading::Notice(notice) => return Ok(Said::Notice(Box::new(notice))),
                Reading::Nothing { why } => return Ok(Said::Nothing(why)),
                Reading::Lookup(lookup) => {
                    let answer = self.look_up(&lookup, secrets).await?;
                    reading =
                        lookup.answer(&answer, people).map_err(|error| self.malformed(delivery, &error))?;
                }
            }
        }
        Err(Problem::new(ProblemKind::TryAgain, "the source had to be asked too often"))
    }

    async fn look_up(&self, lookup: &Lookup, secrets: &Secrets) -> Result<String, Problem> {
        let source = lookup.source();
        let credential = secrets.api(source);
        self.api.get(lookup.url(), credential, self.patience).await.map_err(|error| {
            let problem = match error {
                NotAnswered::NotNow(_) => Problem::new(
                    ProblemKind::TryAgain,
                    format!("source `{source}` could not be asked: {error}"),
                ),
                NotAnswered::Refused(_) => Problem::new(
                    ProblemKind::OutOfOrder("source-refused"),
                    format!("source `{source}` could not be asked: {error}"),
                )
                .remedy(
                    "an operator checks the source's site in the senders' configuration and its `api` secret",
                ),
            };
            let code = problem.kind().code();
            tracing::error!(%source, code, "{}", problem.detail());
            problem
        })
    }

    /// `configured`: the source, if it has a secret. What else a stranger calls himself is no dimension of a metric.
    fn unverified(
        &self,
        source: &str,
        configured: Option<&Source>,
        request: &ApiGatewayV2httpRequest,
        unverified: &Unverified,
    ) -> Problem {
        let reason = unverified.reason();
        let caller = request.request_context.http.source_ip.as_deref().unwrap_or_default();
        tracing::warn!(
            source = shown(source),
            caller,
            reason,
            "a delivery to source {} could not be verified ({reason}): {unverified}",
            shown(source)
        );
        self.metrics.unverified(self.now, reason);
        if let Some(configured) = configured {
            self.metrics.signature_failed(self.now, configured.as_str());
        }
        Problem::new(ProblemKind::Unverified, unverified.to_string())
    }

    fn malformed(&self, delivery: &VerifiedDelivery, malformed: &Malformed) -> Problem {
        let code = ProblemKind::Malformed.code();
        tracing::warn!(
            source = %delivery.source(), delivery = %delivery.id(), code,
            "delivery {} of source {} is malformed: {malformed}", delivery.id(), delivery.source()
        );
        self.metrics.denied(self.now, code);
        let count = malformed.problems.len();
        Problem::new(ProblemKind::Malformed, format!("the body has {count} problem(s), listed in `errors`"))
            .remedy("compare the body with docs/webhook.md, or with what docs/senders.md says of this kind of sender")
            .with("errors", json!(malformed.problems))
    }
}

/// Something that the package holds can't be used: the reply names it, the log says what is wrong.
pub(crate) fn out_of_order(unusable: &Unusable) -> Problem {
    tracing::error!(code = unusable.code, "{unusable}");
    Problem::new(ProblemKind::OutOfOrder(unusable.code), unusable.what)
        .remedy("an operator finds the errors, with file and line, in the function's log")
}

fn misrouted(misrouted: Misrouted) -> Problem {
    tracing::info!("not a webhook: {misrouted:?}");
    match misrouted {
        Misrouted::Path => Problem::new(ProblemKind::NotFound, "webhooks are posted to `/webhooks/<source>`"),
        Misrouted::Method => Problem::new(ProblemKind::MethodNotAllowed, "send the webhook with `POST`"),
        Misrouted::ContentType(wanted) => Problem::new(
            ProblemKind::UnsupportedMediaType,
            format!("send the webhook with the content type `{wanted}`"),
        ),
    }
}

fn undecodable(error: BodyError) -> Problem {
    tracing::info!("a body was not looked at: {error}");
    let kind = match error {
        BodyError::TooLarge { .. } => ProblemKind::TooLarge,
        BodyError::NotBase64 | BodyError::NotUtf8 => ProblemKind::Malformed,
    };
    Problem::new(kind, error.to_string())
}

/// The reply says nothing about the secrets: its reader has proven nothing yet.
fn without_secrets(error: SecretsUnavailable) -> Problem {
    let cause = chain(&error);
    let problem = match error {
        SecretsUnavailable::NotFetched(_) => {
            Problem::new(ProblemKind::TryAgain, "senders can't be verified at the moment")
        }
        SecretsUnavailable::NotUsable(_) => Problem::new(
            ProblemKind::OutOfOrder("secrets-invalid"),
            "senders can't be verified before an operator has put the webhook secrets right",
        ),
    };
    tracing::error!(code = problem.kind().code(), "{cause}");
    problem
}
