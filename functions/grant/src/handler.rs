//! The handler: one webhook from event to reply.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::OnceLock;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use curfew_app::Ports;
use curfew_app::open::{self, OpenSettings, Opened};
use curfew_app::ports::{self, Clock as _, DeniedRequest, Ledger as _, LedgerError};
use curfew_app::revoke;
use curfew_domain::catalog::Catalog;
use curfew_domain::effect::TimerKind;
use curfew_domain::ids::shown;
use curfew_domain::request::{AccessRequest, Notice, TicketClosed};
use curfew_intake::{Body, BodyError};
use curfew_runtime::error::chain;
use curfew_runtime::revocation::{self, GrantReport, GrantResult};
use curfew_runtime::{Invocation, Metrics, catalog};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::LambdaEvent;
use serde_json::json;

use crate::opened::answer_opened;
use crate::reply::{Problem, ProblemKind, Reply};
use crate::route::{self, Misrouted};
use crate::secrets::{SecretSource, SecretsUnavailable};

/// What the grant function is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSettings {
    /// Curfew's own AWS account.
    pub account_id: String,
    /// The service that fires timers.
    pub timers: TimerKind,
    /// How long after a timer's minute the sweep takes a grant over.
    pub sweep_grace: SignedDuration,
    /// The folder of the catalog's files.
    pub catalog: PathBuf,
}

/// The grant function. `F` gives each invocation its ports.
#[derive(Debug)]
pub struct GrantFunction<F, S> {
    ports: F,
    secrets: S,
    metrics: Metrics,
    settings: GrantSettings,
    /// Read at the first approval. A package does not change, so neither does what came of reading it.
    catalog: OnceLock<Result<Catalog, String>>,
}

impl<F, P, S> GrantFunction<F, S>
where
    F: Fn(ports::Invocation) -> P + Send + Sync,
    P: Ports,
    S: SecretSource,
{
    /// A function that acts through the ports that `ports` makes and believes senders by `secrets`.
    #[must_use]
    pub fn new(ports: F, secrets: S, metrics: Metrics, settings: GrantSettings) -> Self {
        Self { ports, secrets, metrics, settings, catalog: OnceLock::new() }
    }

    /// Answers an invocation, in time: whoever waits gets an answer before Lambda ends the function.
    ///
    /// # Errors
    /// None: every failure is an HTTP reply.
    pub async fn serve(
        &self,
        event: LambdaEvent<ApiGatewayV2httpRequest>,
    ) -> Result<ApiGatewayV2httpResponse, Infallible> {
        let invocation = Invocation::from(&event.context);
        let patience = invocation.patience((self.ports)(invocation.known()).clock().now());
        let handled = tokio::time::timeout(patience, self.handle(&event.payload, &invocation));
        // What was begun stays under the grant's lease, and the sweep takes it back after that.
        let reply = handled.await.unwrap_or_else(|_| {
            tracing::error!(
                "gave up because the invocation's time is over; the sweep finishes what was begun"
            );
            Problem::new(ProblemKind::TryAgain, "it took too long; send the same again").into()
        });
        Ok(reply.into())
    }

    /// Answers a webhook.
    pub async fn handle(&self, request: &ApiGatewayV2httpRequest, invocation: &Invocation) -> Reply {
        let ports = (self.ports)(invocation.known());
        self.answer(&ports, request, invocation).await.unwrap_or_else(Reply::from)
    }

    async fn answer(
        &self,
        ports: &P,
        request: &ApiGatewayV2httpRequest,
        invocation: &Invocation,
    ) -> Result<Reply, Problem> {
        let source = route::source_of(request).map_err(misrouted)?;
        let body = Body::decode(request.body.as_deref().unwrap_or_default(), request.is_base64_encoded)
            .map_err(undecodable)?;
        let secrets = self.secrets.secrets().await.map_err(without_secrets)?;
        let now = ports.clock().now();
        let verified = curfew_intake::verify(source, &request.headers, body, &secrets, now);
        let delivery = verified.map_err(|unverified| {
            let reason = unverified.reason();
            let caller = request.request_context.http.source_ip.as_deref().unwrap_or_default();
            tracing::warn!(
                source = shown(source),
                caller,
                reason,
                "a delivery to source {} could not be verified ({reason}): {unverified}",
                shown(source)
            );
            self.metrics.unverified(now, reason);
            Problem::new(ProblemKind::Unverified, unverified.to_string())
        })?;
        let notice = curfew_intake::read(&delivery).map_err(|malformed| {
            tracing::warn!(
                source = %delivery.source(), delivery = %delivery.id(),
                "delivery {} of source {} is malformed: {malformed}", delivery.id(), delivery.source()
            );
            self.metrics.denied(now, ProblemKind::Malformed.code());
            let count = malformed.problems.len();
            Problem::new(
                ProblemKind::Malformed,
                format!("the body has {count} problem(s), listed in `errors`"),
            )
            .remedy("compare the body with docs/webhook.schema.json")
            .with("errors", json!(malformed.problems))
        })?;
        match notice {
            Notice::Approved(request) => self.open(ports, *request).await,
            Notice::TicketClosed(closed) => self.close_ticket(ports, &closed, invocation).await,
        }
    }

    async fn open(&self, ports: &P, request: AccessRequest) -> Result<Reply, Problem> {
        self.metrics.requested(ports.clock().now());
        let catalog = match self.catalog() {
            Ok(catalog) => catalog,
            Err(error) => return Err(self.without_catalog(ports, &request, error).await),
        };
        let settings = OpenSettings {
            own_account: &self.settings.account_id,
            timer: self.settings.timers,
            sweep_grace: self.settings.sweep_grace,
        };
        let (ticket, source) = (request.ticket.clone(), request.source.clone());
        let asked_at = ports.clock().now();
        let opened =
            open::open(ports, catalog, request, settings).await.map_err(|error| ledger_failed(&error));
        if let Ok(opened) = &opened {
            self.count(opened, asked_at, ports.clock().now());
        }
        let answer = opened.and_then(answer_opened);
        if let Err(problem) = &answer
            && problem.kind().is_denial()
        {
            self.metrics.denied(ports.clock().now(), problem.kind().code());
        }
        // One line an approval, with what became of it.
        match &answer {
            Ok(reply) => {
                let message = reply.body.get("message").and_then(|text| text.as_str()).unwrap_or_default();
                let grant_id = reply.body.get("grant_id").and_then(|text| text.as_str()).unwrap_or_default();
                tracing::info!(grant.id = grant_id, %ticket, %source, "grant {grant_id}: {message}");
            }
            Err(problem) if problem.kind().status() >= 500 => {
                let code = problem.kind().code();
                tracing::error!(%ticket, %source, code, "ticket {ticket}: {code}: {}", problem.detail());
            }
            Err(problem) => {
                let code = problem.kind().code();
                tracing::warn!(%ticket, %source, code, "ticket {ticket}: {code}: {}", problem.detail());
            }
        }
        answer
    }

    /// Counts what AWS did for an approval, or refused to do.
    fn count(&self, opened: &Opened, asked_at: Timestamp, now: Timestamp) {
        match opened {
            Opened::Activated(_) => self.metrics.activated(now),
            Opened::Changed { grant, previous_end } if grant.window().expires_at() < *previous_end => {
                self.metrics.shortened(now);
            }
            Opened::Changed { .. } => self.metrics.extended(now),
            Opened::Refused { .. } => self.metrics.opening_failed(now),
            Opened::ChangeRefused { grant, .. } => {
                self.metrics.opening_failed(now);
                match revocation::lag(grant, asked_at) {
                    Some(lag) => self.metrics.revoked(now, lag),
                    None => self.metrics.revocations_failed(now, 1),
                }
            }
            Opened::Duplicate(_)
            | Opened::Superseded(_)
            | Opened::NotChanged { .. }
            | Opened::Denied(_)
            | Opened::TicketClosed
            | Opened::Conflict(_)
            | Opened::RevokedMeanwhile(_)
            | Opened::TooManyAttempts(_)
            | Opened::Retry { .. } => {}
        }
    }

    async fn close_ticket(
        &self,
        ports: &P,
        closed: &TicketClosed,
        invocation: &Invocation,
    ) -> Result<Reply, Problem> {
        let asked_at = ports.clock().now();
        let results = revoke::close_ticket(ports, closed, invocation.stop_at()).await.map_err(|error| {
            tracing::error!(ticket = %closed.ticket, source = %closed.source, "{}", chain(&error));
            self.metrics.revocations_failed(asked_at, 1);
            ledger_failed(&error)
        })?;
        let now = ports.clock().now();
        let mut reports = Vec::with_capacity(results.len());
        for (id, result) in &results {
            revocation::count(&self.metrics, now, asked_at, result);
            let report = GrantReport::of(id, result);
            report.log();
            reports.push(report);
        }
        if reports.iter().any(|report| report.result == GrantResult::Unknown) {
            return Err(Problem::new(
                ProblemKind::RemovalNotBegun,
                format!(
                    "ticket {} is closed, but the removal of some of its access may not have begun",
                    closed.ticket
                ),
            )
            .remedy("send the same again")
            .with("grants", json!(reports)));
        }
        tracing::info!(
            ticket = %closed.ticket, source = %closed.source,
            "ticket {} is closed, with {} grant(s)", closed.ticket, reports.len()
        );
        Ok(Reply::ticket_closed(&closed.ticket, &reports))
    }

    fn catalog(&self) -> Result<&Catalog, &str> {
        let read = || {
            let catalog = catalog::load(&self.settings.catalog, &self.settings.account_id)
                .map_err(|error| chain(&error))?;
            for warning in catalog.warnings() {
                tracing::warn!("catalog: {warning}");
            }
            Ok(catalog)
        };
        self.catalog.get_or_init(read).as_ref().map_err(String::as_str)
    }

    /// Nothing can be decided without a catalog: denied, on the record, and asked to be sent again.
    async fn without_catalog(&self, ports: &P, request: &AccessRequest, error: &str) -> Problem {
        const KIND: ProblemKind = ProblemKind::OutOfOrder("catalog-invalid");
        const REASON: &str = "the catalog of this Curfew is not usable, so nothing can be granted";
        let at = ports.clock().now();
        tracing::error!(ticket = %request.ticket, source = %request.source, "{REASON}: {error}");
        self.metrics.denied(at, KIND.code());
        let denied = DeniedRequest::of(request, KIND.code(), REASON, at);
        if let Err(error) = ports.ledger().record_denial(&denied).await {
            tracing::error!(ticket = %request.ticket, source = %request.source, "{}", chain(&error));
        }
        Problem::new(KIND, REASON)
            .remedy("an operator finds the errors, with file and line, in the function's log")
    }
}

fn misrouted(misrouted: Misrouted) -> Problem {
    tracing::info!("not a webhook: {misrouted:?}");
    match misrouted {
        Misrouted::Path => Problem::new(ProblemKind::NotFound, "webhooks are posted to `/webhooks/<source>`"),
        Misrouted::Method => Problem::new(ProblemKind::MethodNotAllowed, "send the webhook with `POST`"),
        Misrouted::ContentType => Problem::new(
            ProblemKind::UnsupportedMediaType,
            "send the webhook with the content type `application/json`",
        ),
    }
}

fn undecodable(error: BodyError) -> Problem {
    tracing::info!("a body was not looked at: {error}");
    let kind = match error {
        BodyError::TooLarge => ProblemKind::TooLarge,
        BodyError::NotBase64 | BodyError::NotUtf8 => ProblemKind::Malformed,
    };
    Problem::new(kind, error.to_string())
}

/// The reply says nothing about the secrets: its reader has proven nothing yet.
fn without_secrets(error: SecretsUnavailable) -> Problem {
    tracing::error!("{error}");
    match error {
        SecretsUnavailable::NotFetched(_) => {
            Problem::new(ProblemKind::TryAgain, "senders can't be verified at the moment")
        }
        SecretsUnavailable::NotUsable(_) => Problem::new(
            ProblemKind::OutOfOrder("secrets-invalid"),
            "senders can't be verified before an operator has put the webhook secrets right",
        ),
    }
}

fn ledger_failed(error: &LedgerError) -> Problem {
    if error.retryable {
        Problem::new(ProblemKind::TryAgain, error.to_string())
    } else {
        Problem::new(ProblemKind::OutOfOrder("ledger-failed"), error.to_string())
            .remedy("an operator finds the cause in the function's log")
    }
}
