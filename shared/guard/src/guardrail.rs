//! One guardrail: what it says of itself, what it is about and what it names.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use cedar_policy::Policy;
use curfew_domain::catalog::Place;
use curfew_domain::ids::GuardrailId;

use crate::literals;

/// Whether a guardrail permits or forbids. A request needs one that permits it, and none that forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It permits.
    Permit,
    /// It forbids, whatever is permitted.
    Forbid,
}

impl Effect {
    /// The effect as Cedar writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

/// A policy that was checked.
#[derive(Debug, Clone)]
pub struct Guardrail {
    pub(crate) id: GuardrailId,
    pub(crate) effect: Effect,
    pub(crate) place: Place,
    pub(crate) reason: Option<String>,
    pub(crate) remedy: Option<String>,
    pub(crate) review: Option<String>,
    pub(crate) scope: Scope,
    /// Without labels and environments, which only checks ask for.
    pub(crate) names: Mentions,
    pub(crate) policy: Policy,
    pub(crate) mentions: OnceLock<Mentions>,
}

impl Guardrail {
    /// Its `@id`.
    #[must_use]
    pub fn id(&self) -> &GuardrailId {
        &self.id
    }

    /// Whether it permits or forbids.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Where it begins in the files.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its `@reason`: why it is there, in a sentence for whoever is denied by it. Each one that forbids has one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Its `@remedy`: what somebody can do who is denied by it, or for want of it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Its `@review`: why somebody has to look at what it permitted.
    #[must_use]
    pub fn review(&self) -> Option<&str> {
        self.review.as_deref()
    }

    /// What requests it is about. For others it is not even looked at.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What of the catalog it names. Found out when somebody asks.
    #[must_use]
    pub fn mentions(&self) -> &Mentions {
        self.mentions.get_or_init(|| literals::mentions(&self.policy))
    }
}

/// The requests that a policy is about, by its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Whose.
    pub who: Who,
    /// What for.
    pub resource: Resource,
    /// On which basis: of `approved`, `on-call`, `break-glass` those that it is about.
    pub actions: Vec<&'static str>,
}

/// Whose requests a policy is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    /// Everybody's.
    Anybody,
    /// Those of the members of a group.
    Group(String),
    /// One person's.
    Person(String),
}

/// What requests for a policy is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Any.
    Anything,
    /// Any role in a tenant.
    Tenant(String),
    /// A role in any tenant.
    Role(String),
    /// A role in a tenant, `<tenant>/<role>`.
    Access(String),
}

/// What a policy names, in its scope or in its conditions: whether the catalog knows it is for a check of both to tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mentions {
    /// Groups.
    pub groups: BTreeSet<String>,
    /// People, by their addresses.
    pub people: BTreeSet<String>,
    /// Tenants.
    pub tenants: BTreeSet<String>,
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Roles in tenants, `<tenant>/<role>`.
    pub access: BTreeSet<String>,
    /// Sources.
    pub sources: BTreeSet<String>,
    /// Labels that it looks for in a role's, a tenant's or a held role's `labels`, where they are literals.
    pub labels: BTreeSet<String>,
    /// What it compares a tenant's `environment` with, where that is a literal.
    pub environments: BTreeSet<String>,
    /// Whether it looks at what the requester holds (`context.holds`).
    pub held: bool,
    /// Whether it looks at what the requester may approve (`context.approves`).
    pub approves: bool,
}
