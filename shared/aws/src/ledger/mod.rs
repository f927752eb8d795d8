//! The ledger in one DynamoDB table: grants, their events, their tickets, the holders of shared attachments,
//! and what was found out by looking for drift.
//!
//! Every write is conditional, and every write that belongs together is one transaction. Reads by key
//! are consistent; indexes only *find*, and whoever finds through them decides on the grant itself.
//! The keys are in [`keys`], the attributes in [`item`]; what a claim or a transition means is the
//! domain's alone.

mod claim;
mod commit;
mod compact;
mod conflicts;
mod drift;
mod due;
mod holders;
mod item;
mod keys;
mod live;
mod open;
mod query;
mod stream;
mod ticket;

use std::sync::Arc;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use curfew_app::ports::{
    ClaimWrite, Commit, CommitWrite, DeniedRequest, DriftLap, Due, Ledger, LedgerError, OpenWrite, Released,
    Removing, Story, Stray,
};
use curfew_domain::access::Attachment;
use curfew_domain::event::Event;
use curfew_domain::grant::Grant;
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{BeginClosing, Stored};
use jiff::{SignedDuration, Timestamp};

use crate::clients::Aws;
use crate::errors::Failed;

pub(crate) use conflicts::RetryConflicts;
use item::ItemError;
pub use live::{DynamoView, LIVE_PROJECTION, REVIEWS_PROJECTION};
pub use stream::arrival;

/// The ledger in DynamoDB.
#[derive(Debug)]
pub struct DynamoLedger {
    aws: Arc<Aws>,
    table: String,
}

impl DynamoLedger {
    pub(crate) fn new(aws: Arc<Aws>, table: String) -> Self {
        Self { aws, table }
    }

    fn client(&self) -> &aws_sdk_dynamodb::Client {
        self.aws.dynamodb()
    }

    /// A failed call of DynamoDB. Its own message does not name the table.
    fn failed<E>(&self, operation: &'static str, error: &SdkError<E, HttpResponse>) -> LedgerError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut failed = Failed::of(error);
        if failed.code == "ResourceNotFoundException" {
            failed.message = format!("{} (table `{}` or its index)", failed.message, self.table);
        }
        failed.ledger(operation)
    }
}

/// An item that can't be read or written. The same again fails again.
fn unfit(operation: &'static str, error: &ItemError) -> LedgerError {
    LedgerError { operation, message: error.to_string(), retryable: false }
}

impl Ledger for DynamoLedger {
    async fn open(&self, grant: &Grant, events: &[Event]) -> Result<OpenWrite, LedgerError> {
        open::open(self, grant, events).await
    }

    async fn claim(
        &self,
        id: &GrantId,
        begin: &BeginClosing,
        now: Timestamp,
    ) -> Result<ClaimWrite, LedgerError> {
        claim::claim(self, id, begin, now).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<CommitWrite, LedgerError> {
        commit::commit(self, commit).await
    }

    async fn load(&self, id: &GrantId) -> Result<Option<Stored>, LedgerError> {
        query::load(self, id).await
    }

    async fn story(&self, id: &GrantId) -> Result<Option<Story>, LedgerError> {
        query::story(self, id).await
    }

    async fn release(
        &self,
        attachment: &Attachment,
        id: &GrantId,
        mine: &Removing,
    ) -> Result<Released, LedgerError> {
        holders::release(self, attachment, id, mine).await
    }

    async fn unmark(&self, attachment: &Attachment, marks: &[Removing]) -> Result<(), LedgerError> {
        holders::unmark(self, attachment, marks).await
    }

    async fn close_ticket(&self, closed: &TicketClosed, now: Timestamp) -> Result<(), LedgerError> {
        ticket::close(self, closed, now).await
    }

    async fn closed_ticket(
        &self,
        source: &Source,
        ticket: &TicketId,
    ) -> Result<Option<TicketClosed>, LedgerError> {
        ticket::closed(self, source, ticket).await
    }

    async fn settle_ticket(&self, source: &Source, ticket: &TicketId) -> Result<(), LedgerError> {
        ticket::settle(self, source, ticket).await
    }

    async fn record_denial(&self, denied: &DeniedRequest) -> Result<(), LedgerError> {
        open::record_denial(self, denied).await
    }

    async fn grants_of_ticket(
        &self,
        source: Option<&Source>,
        ticket: &TicketId,
    ) -> Result<Vec<(Source, GrantId)>, LedgerError> {
        query::grants_of_ticket(self, source, ticket).await
    }

    async fn live_of_person(&self, person: &Email) -> Result<Vec<GrantId>, LedgerError> {
        query::live_of_person(self, person).await
    }

    async fn live_of_tenant(&self, tenant: &TenantId) -> Result<Vec<GrantId>, LedgerError> {
        query::live_of_tenant(self, tenant, None).await
    }

    async fn live_of_principal(
        &self,
        tenant: &TenantId,
        principal: &Principal,
    ) -> Result<Vec<GrantId>, LedgerError> {
        query::live_of_tenant(self, tenant, Some(principal)).await
    }

    async fn reviews_owed(&self) -> Result<Vec<GrantId>, LedgerError> {
        query::reviews_owed(self).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, LedgerError> {
        due::due(self, now, after, limit).await
    }

    async fn drift_lap(&self, account: &str) -> Result<Option<DriftLap>, LedgerError> {
        drift::lap(self, account).await
    }

    async fn save_drift_lap(
        &self,
        account: &str,
        before: Option<&DriftLap>,
        lap: &DriftLap,
    ) -> Result<bool, LedgerError> {
        drift::save_lap(self, account, before, lap).await
    }

    async fn record_stray(&self, stray: &Stray, margin: SignedDuration) -> Result<bool, LedgerError> {
        drift::record_stray(self, stray, margin).await
    }
}
