//! What a checked catalog holds: tenants, permissions, roles, people.
//!
//! Only [`super::Catalog::parse`] makes these, so whoever has one knows that it was checked. They answer
//! questions about themselves; whether somebody may have a role is [`crate::decision`]'s.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::finding::Place;
use crate::access::{AgentRole, Route};
use crate::document::{Scope, Statement, Template};
use crate::ids::{Email, GroupName, Label, PermissionName, RoleName, SourceAccount, TenantId};
use crate::principal::Principal;

/// A security boundary: an environment, a business unit or a customer.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub(super) scope: Scope,
    pub(super) agent: Option<AgentRole>,
    pub(super) boundary: Option<String>,
    pub(super) environment: Option<Label>,
    pub(super) labels: BTreeSet<Label>,
    pub(super) place: Place,
}

impl Tenant {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        self.scope.tenant()
    }

    /// Its 12-digit AWS account.
    #[must_use]
    pub fn account(&self) -> &str {
        self.scope.account()
    }

    /// Its AWS region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.scope.region()
    }

    /// What the placeholders in permissions stand for.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The ARN of the permissions boundary that its principals carry, if it names one: for readers only.
    ///
    /// No decision asks for it. What is enforced are the boundaries that the stack of the account was deployed
    /// with (`TenantBoundaryArns`), for all tenants of that account alike.
    #[must_use]
    pub fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }

    /// What kind of environment it is, for guardrails: for example `production`.
    #[must_use]
    pub fn environment(&self) -> Option<&Label> {
        self.environment.as_ref()
    }

    /// Words for guardrails to go by.
    #[must_use]
    pub fn labels(&self) -> &BTreeSet<Label> {
        &self.labels
    }

    /// Where its entry stands in the files.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The way to its account.
    #[must_use]
    pub fn route(&self) -> Route {
        Route { account: self.account().to_owned(), agent: self.agent.clone() }
    }
}

/// A named, reusable set of IAM statements.
#[derive(Debug, Clone)]
pub struct Permission {
    pub(super) name: PermissionName,
    pub(super) description: String,
    pub(super) statements: Vec<Statement>,
    pub(super) place: Place,
}

impl Permission {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &PermissionName {
        &self.name
    }

    /// What it is for, in the words of whoever wrote it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Its statements, at least one.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Where its entry stands in the files.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// A named set of permissions, with limits.
#[derive(Debug, Clone)]
pub struct Role {
    pub(super) name: RoleName,
    pub(super) description: String,
    pub(super) permissions: Vec<PermissionName>,
    pub(super) access: RoleAccess,
    pub(super) max_duration: SignedDuration,
    pub(super) default_duration: SignedDuration,
    pub(super) tenants: Option<BTreeSet<TenantId>>,
    pub(super) privileged: bool,
    pub(super) eligible: BTreeSet<GroupName>,
    pub(super) approvals: Vec<Quorum>,
    pub(super) labels: BTreeSet<Label>,
    pub(super) place: Place,
}

/// So many different people of one group have to approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Which group; none, if anybody in the catalog will do.
    pub group: Option<GroupName>,
    /// How many of it, at least one.
    pub count: usize,
}

/// How grants of a role take effect.
#[derive(Debug, Clone)]
pub enum RoleAccess {
    /// By an inline policy of their own, with these statements, at least one.
    Inline {
        /// Of every permission of the role and of the roles that it includes.
        statements: Vec<Statement>,
    },
    /// By attaching a standing managed policy, which AWS can't time-box.
    Managed {
        /// The policy's ARN, with placeholders.
        policy: Template,
    },
}

impl Role {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RoleName {
        &self.name
    }

    /// What it is for, in the words of whoever wrote it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Its permissions and those of the roles that it includes, each once. None for a managed role.
    #[must_use]
    pub fn permissions(&self) -> &[PermissionName] {
        &self.permissions
    }

    /// How its grants take effect.
    #[must_use]
    pub fn access(&self) -> &RoleAccess {
        &self.access
    }

    /// The longest window it may be had for.
    #[must_use]
    pub fn max_duration(&self) -> SignedDuration {
        self.max_duration
    }

    /// How long it is had for if a request names no end. Not over the longest.
    #[must_use]
    pub fn default_duration(&self) -> SignedDuration {
        self.default_duration
    }

    /// Whether it can do more harm than others: of grants that are due in the same minute, those of
    /// privileged roles are ended first.
    #[must_use]
    pub fn privileged(&self) -> bool {
        self.privileged
    }

    /// The groups whose members may ask for it, for guardrails. Without any, nobody may by the shipped ones.
    #[must_use]
    pub fn eligible(&self) -> &BTreeSet<GroupName> {
        &self.eligible
    }

    /// Whose approvals it takes, for guardrails: all of these, by different people.
    #[must_use]
    pub fn approvals(&self) -> &[Quorum] {
        &self.approvals
    }

    /// Words for guardrails to go by.
    #[must_use]
    pub fn labels(&self) -> &BTreeSet<Label> {
        &self.labels
    }

    /// Where its entry stands in the files.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether it may be had in a tenant.
    #[must_use]
    pub fn is_available_in(&self, tenant: &TenantId) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(tenant))
    }
}

/// A human being, with the principals that are theirs alone.
#[derive(Debug, Clone)]
pub struct Person {
    pub(super) email: Email,
    pub(super) aliases: BTreeSet<Email>,
    pub(super) accounts: BTreeSet<SourceAccount>,
    pub(super) groups: BTreeSet<GroupName>,
    pub(super) principals: Vec<Principal>,
}

impl Person {
    /// Their identity.
    #[must_use]
    pub fn email(&self) -> &Email {
        &self.email
    }

    /// Other addresses of the same human being.
    #[must_use]
    pub fn aliases(&self) -> &BTreeSet<Email> {
        &self.aliases
    }

    /// What sources call them that know no addresses.
    #[must_use]
    pub fn accounts(&self) -> &BTreeSet<SourceAccount> {
        &self.accounts
    }

    /// The groups they are in.
    #[must_use]
    pub fn groups(&self) -> &BTreeSet<GroupName> {
        &self.groups
    }

    /// Their principals. Without any they can approve, but receive nothing.
    #[must_use]
    pub fn principals(&self) -> &[Principal] {
        &self.principals
    }

    /// Their principals in one account.
    pub fn principals_in<'a>(&'a self, account: &'a str) -> impl Iterator<Item = &'a Principal> {
        self.principals.iter().filter(move |principal| principal.account() == account)
    }
}
