//! The ports of delivering and sealing, on AWS.

use std::sync::Arc;

use curfew_app::ports::{Clock, Invocation};
use curfew_audit::ports::AuditPorts;

use crate::{Aws, DynamoLedger, EventsBus, KmsSigner, S3Archive, SqsDeadLetters, end_with};

/// Names of what Curfew's template made for the evidence. Plain data: reading it from the environment is the runtime's
/// business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The ledger's table.
    pub table: String,
    /// The archive's bucket.
    pub archive: String,
    /// The event bus.
    pub bus: String,
    /// The ARN of the key that signs checkpoints.
    pub checkpoint_key_arn: String,
    /// The URL of the queue of what can't be delivered.
    pub unreadable_url: String,
}

/// What all invocations of a process share: clients, each built when it is first needed.
#[derive(Debug)]
pub struct AuditServices<C> {
    aws: Arc<Aws>,
    ports: Arc<AuditAws<C>>,
}

/// The ports of delivering and sealing.
#[derive(Debug)]
pub struct AuditAws<C> {
    grants: DynamoLedger,
    archive: S3Archive,
    bus: EventsBus,
    signer: KmsSigner,
    dead_letters: SqsDeadLetters,
    clock: Arc<C>,
}

impl<C: Clock + 'static> AuditServices<C> {
    /// Services over one set of clients. Nothing is sent before it is needed.
    #[must_use]
    pub fn new(aws: Arc<Aws>, settings: AuditSettings, clock: Arc<C>) -> Self {
        let AuditSettings { table, archive, bus, checkpoint_key_arn, unreadable_url } = settings;
        let ports = AuditAws {
            grants: DynamoLedger::new(Arc::clone(&aws), table),
            archive: S3Archive::new(Arc::clone(&aws), archive),
            bus: EventsBus::new(Arc::clone(&aws), bus),
            signer: KmsSigner::new(Arc::clone(&aws), checkpoint_key_arn),
            dead_letters: SqsDeadLetters::new(Arc::clone(&aws), unreadable_url),
            clock,
        };
        Self { aws, ports: Arc::new(ports) }
    }

    /// All ports, for one invocation. Whatever they call ends before it does.
    #[must_use]
    pub fn during(&self, invocation: &Invocation) -> Arc<AuditAws<C>> {
        end_with(&self.aws, invocation, &self.ports.clock);
        Arc::clone(&self.ports)
    }
}

impl<C: Clock> AuditPorts for AuditAws<C> {
    type Grants = DynamoLedger;
    type Archive = S3Archive;
    type Bus = EventsBus;
    type Signer = KmsSigner;
    type DeadLetters = SqsDeadLetters;
    type Clock = C;

    fn grants(&self) -> &Self::Grants {
        &self.grants
    }

    fn archive(&self) -> &Self::Archive {
        &self.archive
    }

    fn bus(&self) -> &Self::Bus {
        &self.bus
    }

    fn signer(&self) -> &Self::Signer {
        &self.signer
    }

    fn dead_letters(&self) -> &Self::DeadLetters {
        &self.dead_letters
    }

    fn clock(&self) -> &Self::Clock {
        &self.clock
    }
}
