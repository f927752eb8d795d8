//! The schema of all guardrails, and the names of what is in it.

use std::sync::OnceLock;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema, Validator};
use curfew_domain::request::Basis;

/// The schema, in Cedar's own notation, with comments for whoever writes guardrails.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// The actions that a request may be, one for each [`Basis`].
pub(crate) const ACTIONS: [&str; 3] = ["approved", "on-call", "break-glass"];

/// The group of all actions.
pub(crate) const ANY_ACTION: &str = "have";

pub(crate) fn action(basis: Basis) -> &'static str {
    match basis {
        Basis::Approvals => "approved",
        Basis::OnCall { .. } => "on-call",
        Basis::BreakGlass { .. } => "break-glass",
    }
}

/// What checks policies against the schema, made once a process. An error is a mistake of this crate's, and its tests
/// find it.
pub(crate) fn validator() -> Result<&'static Validator, String> {
    static VALIDATOR: OnceLock<Result<Validator, String>> = OnceLock::new();
    let made = VALIDATOR.get_or_init(|| {
        let parsed = Schema::from_cedarschema_str(SCHEMA);
        parsed.map(|(schema, _)| Validator::new(schema)).map_err(|error| error.to_string())
    });
    made.as_ref().map_err(Clone::clone)
}

/// The types of entities in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Group,
    Person,
    Tenant,
    Role,
    Source,
    Access,
    Action,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] =
        [Self::Group, Self::Person, Self::Tenant, Self::Role, Self::Source, Self::Access, Self::Action];

    fn name(self) -> &'static str {
        match self {
            Self::Group => "Group",
            Self::Person => "Person",
            Self::Tenant => "Tenant",
            Self::Role => "Role",
            Self::Source => "Source",
            Self::Access => "Access",
            Self::Action => "Action",
        }
    }

    /// The kind of an entity that a policy names; `None` for what the schema does not have.
    pub(crate) fn of(uid: &EntityUid) -> Option<Self> {
        let name = uid.type_name().to_string();
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The types' names as Cedar takes them, made once.
#[derive(Debug, Clone)]
pub(crate) struct Types(Vec<(Kind, EntityTypeName)>, EntityTypeName);

impl Types {
    pub(crate) fn new() -> Result<Self, String> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            all.push((kind, kind.name().parse::<EntityTypeName>().map_err(|error| error.to_string())?));
        }
        let other = "Group".parse::<EntityTypeName>().map_err(|error| error.to_string())?;
        Ok(Self(all, other))
    }

    pub(crate) fn uid(&self, kind: Kind, id: &str) -> EntityUid {
        let name = self.0.iter().find(|(of, _)| *of == kind).map_or(&self.1, |(_, name)| name);
        EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
    }
}
