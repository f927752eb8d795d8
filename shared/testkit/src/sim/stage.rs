//! Where the simulation plays: its tenants, people and roles, as plain data that the model judges by, and as
//! the catalogs that Curfew reads.

use std::fmt;
use std::sync::{Arc, OnceLock};

use curfew_app::drift::DriftScope;
use curfew_domain::catalog::{Catalog, CatalogFile};
use jiff::SignedDuration;

use crate::fixtures;
use crate::world::World;

/// A principal of the stage: somebody in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The local part of the person's address.
    pub person: &'static str,
    /// The tenant.
    pub tenant: &'static str,
    /// The IAM user or role.
    pub principal: &'static str,
}

/// Everybody in every tenant where they have a principal.
pub(crate) const SEATS: [Seat; 5] = [
    Seat { person: "ana", tenant: "acme", principal: "arn:aws:iam::111122223333:user/ana" },
    Seat { person: "ana", tenant: "globex", principal: "arn:aws:iam::444455556666:role/ana" },
    Seat { person: "ben", tenant: "acme", principal: "arn:aws:iam::111122223333:role/eng/ben" },
    Seat { person: "eve", tenant: "acme", principal: "arn:aws:iam::111122223333:role/eve" },
    Seat { person: "eve", tenant: "globex", principal: "arn:aws:iam::444455556666:user/eve" },
];

/// A role that can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Inline.
    Ops,
    /// Inline, and shorter.
    Logs,
    /// Managed.
    Audit,
    /// Managed, by the same policy as [`Part::Audit`].
    Review,
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [Self::Ops, Self::Logs, Self::Audit, Self::Review];

    /// The role's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ops => "ops",
            Self::Logs => "logs",
            Self::Audit => "audit",
            Self::Review => "review",
        }
    }

    /// Whether it is a standing policy that is attached.
    #[must_use]
    pub fn is_managed(self) -> bool {
        match self {
            Self::Ops | Self::Logs => false,
            Self::Audit | Self::Review => true,
        }
    }
}

/// A catalog that is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edition {
    /// The first one.
    First,
    /// Without the role `ops`.
    WithoutOps,
    /// The inline roles permit something else.
    OtherPermission,
    /// The managed roles attach another policy.
    OtherPolicy,
    /// No role can be had for more than ten minutes.
    Shorter,
}

impl Edition {
    pub(crate) const LATER: [Self; 5] =
        [Self::WithoutOps, Self::OtherPermission, Self::OtherPolicy, Self::Shorter, Self::First];

    /// How long a role can be had for; none, if it can't be had.
    #[must_use]
    pub fn longest(self, part: Part) -> Option<SignedDuration> {
        let minutes = match (self, part) {
            (Self::WithoutOps, Part::Ops) => return None,
            (Self::Shorter, _) => 10,
            (_, Part::Logs) => 60,
            (_, Part::Ops | Part::Audit | Part::Review) => 120,
        };
        Some(SignedDuration::from_mins(minutes))
    }

    /// How long a role is had for if nothing is said.
    #[must_use]
    pub fn default_duration(self) -> SignedDuration {
        SignedDuration::from_mins(10)
    }

    /// The standing policy of the managed roles in a tenant.
    #[must_use]
    pub fn managed_policy(self, seat: Seat) -> String {
        let account = seat.principal.split(':').nth(4).unwrap_or_default();
        let name = match self {
            Self::OtherPolicy => "inspect",
            _ => "audit",
        };
        format!("arn:aws:iam::{account}:policy/{}-{name}", seat.tenant)
    }

    /// Where to look for drift: both accounts, with the managed policies of the roles that can be had.
    pub(crate) fn drift_scopes(self) -> Vec<DriftScope> {
        let catalog = self.catalog();
        catalog
            .tenants()
            .map(|tenant| DriftScope {
                route: tenant.route(),
                tenants: vec![tenant.id().clone()],
                managed: SEATS
                    .iter()
                    .find(|seat| seat.tenant == tenant.id().as_str())
                    .map(|seat| self.managed_policy(*seat))
                    .into_iter()
                    .collect(),
            })
            .collect()
    }

    fn text(self) -> String {
        let mut text = STAGE.to_owned();
        let action = match self {
            Self::OtherPermission => "s3:ListBucket",
            _ => "s3:GetObject",
        };
        let policy = match self {
            Self::OtherPolicy => "inspect",
            _ => "audit",
        };
        text = text.replace("@ACTION@", action);
        for part in Part::ALL {
            let Some(longest) = self.longest(part) else {
                continue;
            };
            let access = if part.is_managed() {
                format!(
                    "access = \"managed\"\nmanaged_policy = \"arn:aws:iam::${{account}}:policy/${{tenant}}-{policy}\"\n"
                )
            } else {
                "permissions = [\"read_data\"]\n".to_owned()
            };
            // Of what is due in the same minute it comes first.
            let privileged = part == Part::Ops;
            text.push_str(&format!(
                "\n[role.{}]\ndescription = \"A role\"\nprivileged = {privileged}\n{access}max_duration = \"{}m\"\ndefault_duration = \"{}m\"\n",
                part.name(),
                longest.as_mins(),
                self.default_duration().as_mins(),
            ));
        }
        text
    }

    /// The catalog. Each is read once in a process: reading costs more than a whole run.
    pub(crate) fn catalog(self) -> Arc<Catalog> {
        static READ: [OnceLock<Arc<Catalog>>; 5] = [const { OnceLock::new() }; 5];
        let place = match self {
            Self::First => 0,
            Self::WithoutOps => 1,
            Self::OtherPermission => 2,
            Self::OtherPolicy => 3,
            Self::Shorter => 4,
        };
        let read = || {
            let files = [CatalogFile { name: "stage.toml".to_owned(), text: self.text() }];
            Arc::new(fixtures::valid(Catalog::parse(&files)))
        };
        READ.get(place).map_or_else(read, |cell| Arc::clone(cell.get_or_init(read)))
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "the first catalog",
            Self::WithoutOps => "a catalog without role `ops`",
            Self::OtherPermission => "a catalog with another permission",
            Self::OtherPolicy => "a catalog with another managed policy",
            Self::Shorter => "a catalog with shorter roles",
        })
    }
}

/// What all catalogs have in common. The roles are added to it.
const STAGE: &str = r#"
[tenant.acme]
account = "111122223333"
region = "eu-central-1"

[tenant.globex]
account = "444455556666"
region = "us-east-1"
agent_role = "arn:aws:iam::444455556666:role/curfew-agent"
external_id = "globex-7f3a"

[permission.read_data]
description = "Read the tenant's data"

[[permission.read_data.statement]]
Effect = "Allow"
Action = "@ACTION@"
Resource = "arn:aws:s3:::${tenant}-data/*"

[person."ana@example.com"]
groups = ["engineering"]
principals = ["arn:aws:iam::111122223333:user/ana", "arn:aws:iam::444455556666:role/ana"]

[person."ben@example.com"]
groups = ["engineering"]
principals = ["arn:aws:iam::111122223333:role/eng/ben"]

[person."eve@example.com"]
groups = ["engineering"]
principals = ["arn:aws:iam::111122223333:role/eve", "arn:aws:iam::444455556666:user/eve"]

[person."carl@example.com"]
groups = ["approvers"]

[person."dora@example.com"]
groups = ["approvers"]
"#;

/// A world in which the stage's principals and policies exist.
pub(crate) fn world() -> World {
    let world = World::new(fixtures::START);
    world.change(|aws| {
        for seat in SEATS {
            aws.iam.create(&fixtures::principal(seat.principal));
            for edition in [Edition::First, Edition::OtherPolicy] {
                aws.iam.create_policy(&edition.managed_policy(seat));
            }
        }
    });
    world
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edition_checks() {
        for edition in Edition::LATER {
            let catalog = edition.catalog();
            for part in Part::ALL {
                let role = catalog.role(&fixtures::valid(curfew_domain::ids::RoleName::new(part.name())));
                assert_eq!(role.map(|role| role.max_duration()), edition.longest(part), "{edition} {part:?}");
            }
        }
    }
}
