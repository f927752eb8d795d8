//! Senders: the systems that approvals come from, each with its own signature and payload, one file each.
//!
//! A source is one installation of a kind of sender, by the name in the webhook's path. What kind it is, and where its
//! payload holds what, is configuration ([`Senders`]); a source that is not configured speaks Curfew's own JSON.
//! Every kind does the same two things: verify that a delivery is the source's, and say what it means in the domain's
//! words. A payload is a claim; what it does not hold can be asked for with a [`Lookup`], which somebody else carries out.
//!
//! Must not know: HTTP clients, Secrets Manager, the clock, the ledger, who may have what.

pub(crate) mod config;
pub(crate) mod fields;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod jira;
pub(crate) mod pagerduty;
pub(crate) mod payload;
pub(crate) mod servicenow;
pub(crate) mod signature;
pub(crate) mod slack;
pub(crate) mod standard;

use std::fmt;

use curfew_domain::catalog::{Catalog, Person};
use curfew_domain::ids::{Email, Source, SourceAccount};
use curfew_domain::request::Notice;
use http::HeaderMap;
use jiff::Timestamp;

use crate::body::Body;
use crate::problems::Malformed;
use crate::secrets::Secrets;
use crate::verify::{Unverified, VerifiedDelivery};

pub use config::{SenderFile, Senders};
pub use slack::ReplyTo;

/// A kind of sender, as one source is configured.
#[derive(Debug, Clone)]
pub enum Sender {
    /// Curfew's own JSON, signed by the Standard Webhooks scheme.
    Standard,
    /// ServiceNow: requested items and changes, sent by Curfew's business rule.
    ServiceNow(servicenow::Config),
    /// Jira and Jira Service Management.
    Jira(jira::Config),
    /// PagerDuty: whoever is on call for an open incident.
    PagerDuty(pagerduty::Config),
    /// Slack: a button that somebody clicked.
    Slack(slack::Config),
    /// GitHub: a deployment's review, or an issue's approval.
    GitHub(github::Config),
    /// GitLab: an approval of a merge request.
    GitLab(gitlab::Config),
}

/// How a sender's signing secrets are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// `whsec_` and base64.
    Standard,
    /// Any text; its bytes are the key.
    Text,
}

/// What a delivery says.
#[derive(Debug)]
pub enum Reading {
    /// Something that Curfew acts on.
    Notice(Notice),
    /// Nothing that concerns Curfew: an edit, a test, another kind of event.
    Nothing {
        /// Which, for the reply and the log.
        why: String,
    },
    /// Not enough to go by: the source has to be asked.
    Lookup(Lookup),
}

/// A question to the source: one GET, with the source's API credential.
pub struct Lookup {
    source: Source,
    url: String,
    answer: Box<Answer>,
}

type Answer = dyn FnOnce(&str, &dyn People) -> Result<Reading, Malformed> + Send;

impl Lookup {
    pub(crate) fn new(
        source: &Source,
        url: String,
        answer: impl FnOnce(&str, &dyn People) -> Result<Reading, Malformed> + Send + 'static,
    ) -> Self {
        Self { source: source.clone(), url, answer: Box::new(answer) }
    }

    /// Whose credential to use.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What to get. Its origin is configuration; nothing that a sender wrote can change it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the delivery means, with the body of the answer.
    ///
    /// # Errors
    /// [`Malformed`], if the answer is not what the source's documentation says.
    pub fn answer(self, body: &str, people: &dyn People) -> Result<Reading, Malformed> {
        (self.answer)(body, people)
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("source", &self.source).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Who is who: the addresses of people whom sources know by accounts of their own.
pub trait People {
    /// The address of whoever has `account` in `source`. An account of nobody's has an address that is nobody's, so
    /// that it is refused as unknown further on, with a record.
    fn address_of(&self, source: &Source, account: &str) -> Email;
}

impl People for Catalog {
    fn address_of(&self, source: &Source, account: &str) -> Email {
        let known = SourceAccount::of(source, account).ok();
        let person = known.and_then(|account| self.person_by_account(&account).map(Person::email).cloned());
        person.unwrap_or_else(|| Email::of_unknown_account(source, account))
    }
}

/// Knows nobody: for notices that end access, which must be understood without a catalog too.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl People for Nobody {
    fn address_of(&self, source: &Source, account: &str) -> Email {
        Email::of_unknown_account(source, account)
    }
}

impl Sender {
    /// The kind's name: in configuration, and as [`TicketFacts::sender`](curfew_domain::request::TicketFacts).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::ServiceNow(_) => "servicenow",
            Self::Jira(_) => "jira",
            Self::PagerDuty(_) => "pagerduty",
            Self::Slack(_) => "slack",
            Self::GitHub(_) => "github",
            Self::GitLab(_) => "gitlab",
        }
    }

    /// The content type of its webhooks.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Slack(_) => "application/x-www-form-urlencoded",
            _ => "application/json",
        }
    }

    /// The largest body of its that is looked at, in bytes.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        match self {
            Self::Standard => crate::MAX_BODY_BYTES,
            Self::GitLab(_) | Self::Jira(_) => crate::MAX_LONG_BODY_BYTES,
            _ => crate::MAX_FOREIGN_BODY_BYTES,
        }
    }

    /// Whether it stops sending for hours or for good after some replies of 4xx: then a refusal has to be a success
    /// in HTTP's words, or a few denied requests would keep Curfew from hearing that a ticket was closed.
    ///
    /// GitLab: <https://docs.gitlab.com/user/project/integrations/webhooks/> (auto-disabled webhooks). PagerDuty:
    /// <https://support.pagerduty.com/main/docs/webhooks> (temporarily disabled after dropped deliveries).
    #[must_use]
    pub fn is_put_off_by_refusals(&self) -> bool {
        matches!(self, Self::PagerDuty(_) | Self::GitLab(_))
    }

    /// How its signing secrets are written.
    #[must_use]
    pub fn key_form(&self) -> KeyForm {
        match self {
            Self::Standard | Self::ServiceNow(_) | Self::GitLab(_) => KeyForm::Standard,
            Self::Jira(_) | Self::PagerDuty(_) | Self::Slack(_) | Self::GitHub(_) => KeyForm::Text,
        }
    }

    /// Verifies a delivery to `/webhooks/<source>` against the secrets of that source, at the time `now`.
    ///
    /// A delivery that is sent again is verified again: that it changes nothing more is the ledger's promise,
    /// not the signature's.
    ///
    /// # Errors
    /// [`Unverified`], for the first check that fails: headers, age (where the sender signs a time), signature.
    pub fn verify(
        &self,
        source: &str,
        headers: &HeaderMap,
        body: Body,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Result<VerifiedDelivery, Unverified> {
        match self {
            Self::Standard | Self::ServiceNow(_) | Self::GitLab(_) => {
                crate::verify::verify(source, headers, body, secrets, now)
            }
            Self::Jira(_) => signature::verify(jira::SCHEME, source, headers, body, secrets, None),
            Self::PagerDuty(_) => signature::verify(pagerduty::SCHEME, source, headers, body, secrets, None),
            Self::Slack(_) => slack::verify(source, headers, body, secrets, now),
            Self::GitHub(_) => signature::verify(github::SCHEME, source, headers, body, secrets, None),
        }
    }

    /// Reads what a delivery says.
    ///
    /// # Errors
    /// [`Malformed`] with all that is wrong with the body, or with what the configuration expects in it.
    pub fn read(&self, delivery: &VerifiedDelivery, people: &dyn People) -> Result<Reading, Malformed> {
        match self {
            Self::Standard => standard::read(delivery).map(Reading::Notice),
            Self::ServiceNow(config) => servicenow::read(config, delivery, people),
            Self::Jira(config) => jira::read(config, delivery, people),
            Self::PagerDuty(config) => pagerduty::read(config, delivery, people),
            Self::Slack(config) => slack::read(config, delivery, people),
            Self::GitHub(config) => github::read(config, delivery, people),
            Self::GitLab(config) => gitlab::read(config, delivery, people),
        }
    }

    /// Where the sender wants to be told what came of a delivery, if the reply to it is not the place.
    #[must_use]
    pub fn reply_to(&self, delivery: &VerifiedDelivery) -> Option<ReplyTo> {
        match self {
            Self::Slack(config) => slack::reply_to(config, delivery),
            _ => None,
        }
    }
}
