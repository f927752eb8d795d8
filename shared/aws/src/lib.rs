//! Curfew's ports on AWS: the ledger in DynamoDB, access in IAM, timers in EventBridge, agent roles by
//! STS, the webhook secret in Secrets Manager. One file for each service.
//!
//! The only crate that names an AWS SDK. It decides nothing: *what* is done comes as data from the
//! domain, *when* from the use cases. It must not read the environment (but for what the SDK itself
//! reads), nor the clock, nor know Lambda.

mod archive;
mod attempts;
mod audit;
mod bus;
mod clients;
mod dead_letters;
mod deadline;
mod errors;
mod iam;
mod inventory;
mod ledger;
mod rules;
#[cfg(test)]
mod samples;
mod scheduler;
mod secrets;
mod signer;
mod sts;
mod timers;
#[cfg(test)]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use attempts::Attempts;
use curfew_app::Ports;
use curfew_app::ports::{Clock, Invocation, Vouch, Vouching};
use curfew_domain::effect::{Found, Proof};
use curfew_domain::grant::Grant;
use curfew_domain::retry::{CALL_MARGIN, LEASE_GRACE};
use curfew_domain::window::{plus, whole_second};

pub use archive::S3Archive;
pub use audit::{AuditAws, AuditServices, AuditSettings};
pub use bus::EventsBus;
pub use clients::Aws;
pub use dead_letters::SqsDeadLetters;
pub use iam::IamAccess;
pub use ledger::{DynamoLedger, DynamoView, LIVE_PROJECTION, REVIEWS_PROJECTION, arrival};
pub use secrets::{FRESH_FOR, SERVED_FOR, SecretError, SecretText, WebhookSecret};
pub use signer::KmsSigner;
pub use timers::Timers;

/// Names of what Curfew's template made in AWS. Plain data: reading it from the environment is the
/// runtime's business.
#[derive(Debug, Clone)]
pub struct AwsSettings {
    /// The ledger's table.
    pub table: String,
    /// The schedule group that holds Curfew's schedules and nothing else.
    pub schedule_group: String,
    /// What timers call. Only whoever opens grants sets timers; the others may do without.
    pub timer_target: Option<TimerTarget>,
    /// What the process may do to access at most.
    pub may: May,
    /// Who vouches for what the ledger says, before it is given.
    pub vouching: Vouching,
}

/// What a process may do to access at most. Its role in Curfew's own account holds it to that; in tenants' accounts its
/// sessions say so (`curfew:may`), and the agent role's trust lets no function say more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum May {
    /// Put access in place, and take it away.
    Give,
    /// Take it away, and look whether it is there.
    Remove,
}

/// What a timer calls when it fires, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerTarget {
    /// The revoke function. Rules call it by a permission on the function itself.
    pub revoke_function_arn: String,
    /// The role that Scheduler assumes to call it.
    pub scheduler_role_arn: String,
    /// The standard SQS queue that receives what could not be delivered.
    pub dlq_arn: Option<String>,
}

/// What all invocations of a process share: clients, and what was kept of earlier answers.
#[derive(Debug)]
pub struct AwsServices<C> {
    aws: Arc<Aws>,
    ledger: DynamoLedger,
    access: IamAccess<C>,
    timers: Timers<C>,
    clock: Arc<C>,
    vouching: Vouching,
}

impl<C: Clock + 'static> AwsServices<C> {
    /// Services over one set of clients. Nothing is sent and no client is built before it is needed.
    #[must_use]
    pub fn new(aws: Arc<Aws>, settings: AwsSettings, clock: Arc<C>) -> Arc<Self> {
        let AwsSettings { table, schedule_group, timer_target, may, vouching } = settings;
        Arc::new(Self {
            ledger: DynamoLedger::new(Arc::clone(&aws), table),
            access: IamAccess::new(Arc::clone(&aws), Arc::clone(&clock), may),
            timers: Timers::new(Arc::clone(&aws), schedule_group, timer_target, Arc::clone(&clock)),
            aws,
            clock,
            vouching,
        })
    }

    /// All ports, for one invocation. Whatever they call ends before it does.
    #[must_use]
    pub fn during(self: &Arc<Self>, invocation: Invocation) -> AwsPorts<C> {
        end_with(&self.aws, &invocation, &self.clock);
        AwsPorts { services: Arc::clone(self), invocation }
    }
}

/// From now on every call ends before `invocation` does, and in time to tell what came of it.
fn end_with<C: Clock + 'static>(aws: &Aws, invocation: &Invocation, clock: &Arc<C>) {
    let clock = Arc::clone(clock);
    let until = plus(invocation.lease_until, -(LEASE_GRACE + CALL_MARGIN));
    aws.limit(Arc::new(move || {
        Duration::try_from(until.duration_since(clock.now())).unwrap_or(Duration::ZERO)
    }));
}

/// All ports on AWS, for one invocation.
#[derive(Debug)]
pub struct AwsPorts<C> {
    services: Arc<AwsServices<C>>,
    invocation: Invocation,
}

impl<C: Clock> Ports for AwsPorts<C> {
    type Ledger = DynamoLedger;
    type Access = IamAccess<C>;
    type Timers = Timers<C>;
    type Clock = C;

    fn ledger(&self) -> &Self::Ledger {
        &self.services.ledger
    }

    fn access(&self) -> &Self::Access {
        &self.services.access
    }

    fn timers(&self) -> &Self::Timers {
        &self.services.timers
    }

    fn clock(&self) -> &Self::Clock {
        &self.services.clock
    }

    fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    fn vouch(&self, grant: &Grant) -> Vouch {
        self.services.vouching.ask(grant)
    }
}

/// AWS's word that an effect holds, as of now; `tries` are those of the call that brought it about.
fn proof(clock: &impl Clock, found: Found, request_id: Option<&str>, tries: &Attempts) -> Proof {
    Proof {
        found,
        at: whole_second(clock.now()),
        aws_request_id: request_id.map(str::to_owned),
        unsettled: tries.any_unanswered(),
    }
}
