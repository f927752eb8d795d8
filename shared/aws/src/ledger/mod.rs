//! The ledger in one DynamoDB table: grants, their events, their tickets, the holders of shared attachments.
//!
//! Every write is conditional, and every write that belongs together is one transaction. Reads by key
//! are consistent; indexes only *find*, and whoever finds through them decides on the grant itself.
//! The keys are in [`keys`], the attributes in [`item`]; what a claim or a transition means is the
//! domain's alone.

mod claim;
mod commit;
mod conflicts;
mod item;
mod keys;
mod open;
mod query;

use std::sync::Arc;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use curfew_app::ports::{
    ClaimWrite, Commit, CommitWrite, DeniedRequest, Due, Holders, Ledger, LedgerError, OpenWrite, Story,
};
use curfew_domain::access::Attachment;
use curfew_domain::event::Event;
use curfew_domain::grant::Grant;
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_domain::request::TicketClosed;
use curfew_domain::transition::{BeginClosing, Stored};
use jiff::Timestamp;

use crate::clients::Aws;
use crate::errors::Failed;

pub(crate) use conflicts::RetryConflicts;
use item::ItemError;

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

    async fn release(&self, attachment: &Attachment, id: &GrantId) -> Result<Holders, LedgerError> {
        commit::release(self, attachment, id).await
    }

    async fn close_ticket(&self, closed: &TicketClosed, now: Timestamp) -> Result<(), LedgerError> {
        open::close_ticket(self, closed, now).await
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
        query::live(self, keys::LIVE_BY_PERSON_INDEX, "live_person", person.as_str()).await
    }

    async fn live_of_tenant(&self, tenant: &TenantId) -> Result<Vec<GrantId>, LedgerError> {
        query::live(self, keys::LIVE_BY_TENANT_INDEX, "live_tenant", tenant.as_str()).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, LedgerError> {
        query::due(self, now, limit).await
    }
}
