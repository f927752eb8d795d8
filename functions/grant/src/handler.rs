//! The handler: one event from its door to its answer.

use std::convert::Infallible;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use curfew_app::Ports;
use curfew_app::extend::{self, Extend, Extended};
use curfew_app::open::{self, OpenSettings, Opened};
use curfew_app::ports::{self, Clock as _, DeniedRequest, Ledger as _, LedgerError};
use curfew_app::revoke;
use curfew_domain::effect::TimerKind;
use curfew_domain::grant::Grant;
use curfew_domain::request::{AccessRequest, Notice, TicketClosed};
use curfew_intake::{ReplyTo, VerifiedDelivery};
use curfew_runtime::error::chain;
use curfew_runtime::revocation::{self, GrantReport, GrantResult};
use curfew_runtime::{Invocation, Metrics};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};

use crate::delivery::{Intake, Received, Said, out_of_order};
use crate::door::{Answer, Door};
use crate::extended::{self, ExtendReply};
use crate::opened::answer_opened;
use crate::order::{self, Order};
use crate::outside::SourceApi;
use crate::package::{Package, PackageFolders, Unusable};
use crate::reply::{Problem, ProblemKind, Reply};
use crate::secrets::SecretSource;
use crate::throttle::Throttle;

/// What the grant function is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSettings {
    /// Curfew's own AWS account.
    pub account_id: String,
    /// The service that fires timers.
    pub timers: TimerKind,
    /// How long after a timer's minute the sweep takes a grant over.
    pub sweep_grace: SignedDuration,
    /// Where the package has what.
    pub folders: PackageFolders,
    /// How many deliveries a minute one instance takes of one source.
    pub source_per_minute: u32,
}

/// How long posting an answer may take. Slack wants the webhook answered within three seconds.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// How long a question to a source may take: nobody learns anything from waiting longer for it.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(8);

/// The grant function. `F` gives each invocation its ports.
#[derive(Debug)]
pub struct GrantFunction<F, S, A> {
    ports: F,
    secrets: S,
    api: A,
    metrics: Metrics,
    settings: GrantSettings,
    package: Package,
    throttle: Throttle,
}

impl<F, P, S, A> GrantFunction<F, S, A>
where
    F: Fn(ports::Invocation) -> P + Send + Sync,
    P: Ports,
    S: SecretSource,
    A: SourceApi,
{
    /// A function that acts through the ports that `ports` makes, believes senders by `secrets` and asks them by
    /// `api`.
    #[must_use]
    pub fn new(ports: F, secrets: S, api: A, metrics: Metrics, settings: GrantSettings) -> Self {
        let package = Package::new(settings.account_id.clone(), settings.folders.clone());
        let throttle = Throttle::new(settings.source_per_minute);
        Self { ports, secrets, api, metrics, settings, package, throttle }
    }

    /// Answers an invocation, in time: whoever waits gets an answer before Lambda ends the function.
    ///
    /// # Errors
    /// None: every failure is a reply.
    pub async fn serve(&self, event: LambdaEvent<Value>) -> Result<Answer, Infallible> {
        let invocation = Invocation::from(&event.context);
        let patience = invocation.patience((self.ports)(invocation.known()).clock().now());
        // What was begun stays under the grant's lease, and the sweep sees to it after that.
        let gave_up = || {
            tracing::error!(
                code = ProblemKind::TryAgain.code(),
                "gave up because the invocation's time is over; the sweep finishes what was begun"
            );
        };
        Ok(match Door::of(event.payload) {
            Door::Http(request) => {
                let handled = tokio::time::timeout(patience, self.handle(&request, &invocation));
                let reply = handled.await.unwrap_or_else(|_| {
                    gave_up();
                    Problem::new(ProblemKind::TryAgain, "it took too long; send the same again").into()
                });
                Answer::Http(Box::new(reply.into()))
            }
            Door::BrokenHttp(error) => {
                tracing::warn!("an HTTP event could not be read: {error}");
                let what = "the event is not one of an HTTP API, payload format 2.0";
                Answer::Http(Box::new(Reply::from(Problem::new(ProblemKind::Malformed, what)).into()))
            }
            Door::Direct(input) => {
                let handled = tokio::time::timeout(patience, self.order(&input, &invocation));
                let reply = handled.await.unwrap_or_else(|_| {
                    gave_up();
                    ExtendReply::too_late(order::parse(&input).ok().map(|order| order.grant_id).as_ref())
                });
                Answer::Direct(Box::new(reply))
            }
        })
    }

    /// Answers an operator.
    pub async fn order(&self, input: &Value, invocation: &Invocation) -> ExtendReply {
        match order::parse(input) {
            Ok(order) => {
                let ports = (self.ports)(invocation.known());
                self.extend(&ports, order, invocation).await
            }
            Err(problems) => {
                tracing::warn!("nothing was extended: {}", problems.join("; "));
                ExtendReply::bad_input(problems)
            }
        }
    }

    async fn extend(&self, ports: &P, order: Order, invocation: &Invocation) -> ExtendReply {
        let Order { grant_id, to, reason, operator, dry_run } = order;
        tracing::info!(
            grant.id = %grant_id, %operator, reason, dry_run,
            "operator {operator} has grant {grant_id} end otherwise ({to:?}): {reason}"
        );
        let asked_at = ports.clock().now();
        if !dry_run {
            self.metrics.requested(asked_at);
        }
        let rules = match self.package.rules() {
            Ok(rules) => rules,
            Err(unusable) => {
                tracing::error!(code = unusable.code, "{unusable}");
                self.metrics.denied(asked_at, unusable.code);
                return ExtendReply::out_of_order(&grant_id, unusable.what);
            }
        };
        let order = Extend { grant_id, to, operator, reason, invocation: invocation.by_hand(), dry_run };
        match extend::extend(ports, rules, &order, self.open_settings()).await {
            Ok(extended) => {
                let now = ports.clock().now();
                match &extended {
                    Extended::Tried(opened) if !dry_run => self.count(opened, asked_at, now),
                    Extended::Denied { denial, .. } if !dry_run => {
                        self.metrics.denied(now, denial.code.as_str());
                    }
                    _ => {}
                }
                Self::told(&order, &extended)
            }
            Err(error) => {
                tracing::error!(grant.id = %order.grant_id, "{}", chain(&error));
                ExtendReply::unknown(&order.grant_id, &error)
            }
        }
    }

    /// The reply to an order, and one line about what became of it.
    fn told(order: &Extend, extended: &Extended) -> ExtendReply {
        let id = &order.grant_id;
        let request = extended::grant_of(extended).map(Grant::request);
        let ticket = request.map_or("", |request| request.ticket.as_str());
        let source = request.map_or("", |request| request.source.as_str());
        let person = request.map_or("", |request| request.requester.as_str());
        let code = match extended {
            Extended::Denied { denial, .. } => denial.code.as_str(),
            _ => "",
        };
        let reply = ExtendReply::of(order, extended);
        let message = &reply.message;
        if reply.ok {
            tracing::info!(grant.id = %id, ticket, source, person, "grant {id}: {message}");
        } else {
            tracing::warn!(grant.id = %id, ticket, source, person, code, "grant {id}: {message}");
        }
        reply
    }

    fn open_settings(&self) -> OpenSettings<'_> {
        OpenSettings {
            own_account: &self.settings.account_id,
            timer: self.settings.timers,
            sweep_grace: self.settings.sweep_grace,
        }
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
        let now = ports.clock().now();
        let intake = Intake {
            package: &self.package,
            secrets: &self.secrets,
            api: &self.api,
            throttle: &self.throttle,
            metrics: &self.metrics,
            now,
            patience: invocation.patience(now).min(LOOKUP_PATIENCE),
        };
        let Received { delivery, reply_to, hides_refusals, said } = intake.receive(request).await?;
        let reply = match said {
            Ok(said) => self.act(ports, &delivery, said, invocation).await,
            Err(problem) => Err(problem),
        };
        let Some(reply_to) = reply_to else {
            return match reply {
                Err(problem) if hides_refusals && problem.kind().is_final() => {
                    Ok(Reply::from(problem).as_success())
                }
                reply => reply,
            };
        };
        let reply = reply.unwrap_or_else(Reply::from);
        self.answer_at(&reply_to, &delivery, &reply).await;
        Ok(Reply::empty())
    }

    /// Answers where the source wants to be answered. What was done stands whether that succeeds or not.
    async fn answer_at(&self, reply_to: &ReplyTo, delivery: &VerifiedDelivery, reply: &Reply) {
        let source = delivery.source();
        let body = reply_to.body(&reply.in_words());
        if let Err(error) = self.api.post(reply_to.url(), &body, ANSWER_PATIENCE).await {
            tracing::warn!(%source, "the answer to source {source} could not be posted: {error}");
        }
    }

    async fn act(
        &self,
        ports: &P,
        delivery: &VerifiedDelivery,
        said: Said,
        invocation: &Invocation,
    ) -> Result<Reply, Problem> {
        match said {
            Said::Notice(notice) => match *notice {
                Notice::Approved(request) => self.open(ports, *request).await,
                Notice::TicketClosed(closed) => self.close_ticket(ports, &closed, invocation).await,
            },
            Said::Nothing(why) => {
                let (source, id) = (delivery.source(), delivery.id());
                tracing::info!(%source, delivery = %id, "delivery {id} of source {source} asks for nothing: {why}");
                Ok(Reply::nothing(&why))
            }
        }
    }

    async fn open(&self, ports: &P, request: AccessRequest) -> Result<Reply, Problem> {
        self.metrics.requested(ports.clock().now());
        let rules = match self.package.rules() {
            Ok(rules) => rules,
            Err(error) => return Err(self.without_rules(ports, &request, error).await),
        };
        let settings = self.open_settings();
        let (ticket, source, person) =
            (request.ticket.clone(), request.source.clone(), request.requester.clone());
        let asked_at = ports.clock().now();
        let opened = open::open(ports, rules, request, settings).await.map_err(|error| ledger_failed(&error));
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
                tracing::info!(grant.id = grant_id, %ticket, %source, %person, "grant {grant_id}: {message}");
            }
            Err(problem) if problem.kind().status() >= 500 => {
                let code = problem.kind().code();
                tracing::error!(%ticket, %source, %person, code, "ticket {ticket}: {code}: {}", problem.detail());
            }
            Err(problem) => {
                let code = problem.kind().code();
                tracing::warn!(%ticket, %source, %person, code, "ticket {ticket}: {code}: {}", problem.detail());
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
                    Some(lag) => self.metrics.revoked(now, grant.id(), lag),
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
            let problem = ledger_failed(&error);
            let code = problem.kind().code();
            tracing::error!(ticket = %closed.ticket, source = %closed.source, code, "{}", chain(&error));
            self.metrics.revocations_failed(asked_at, 1);
            problem
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
            let kind = ProblemKind::RemovalNotBegun;
            let detail = format!(
                "ticket {} is closed, but the removal of some of its access may not have begun",
                closed.ticket
            );
            tracing::error!(ticket = %closed.ticket, source = %closed.source, code = kind.code(), "{detail}");
            return Err(Problem::new(kind, detail)
                .remedy("send the same again")
                .with("grants", json!(reports)));
        }
        tracing::info!(
            ticket = %closed.ticket, source = %closed.source,
            "ticket {} is closed, with {} grant(s)", closed.ticket, reports.len()
        );
        Ok(Reply::ticket_closed(&closed.ticket, &reports))
    }

    /// Nothing can be decided without rules: denied, on the record, and asked to be sent again.
    async fn without_rules(&self, ports: &P, request: &AccessRequest, unusable: &Unusable) -> Problem {
        let at = ports.clock().now();
        self.metrics.denied(at, unusable.code);
        let denied = DeniedRequest::of(request, unusable.code, unusable.what, at);
        if let Err(error) = ports.ledger().record_denial(&denied).await {
            tracing::error!(ticket = %request.ticket, source = %request.source, "{}", chain(&error));
        }
        out_of_order(unusable)
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
