//! The catalog of the tests: `tests/catalog/` for what is asked for, and, made here, the tenants and the people.
//!
//! Every person stands in the catalog from the start and gets their IAM user or role when a test asks for one.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// The tenant in Curfew's own account.
pub const ACME: &str = "acme";
/// The tenant in another account, reached by an agent role.
pub const GLOBEX: &str = "globex";
/// A tenant in the account of [`GLOBEX`], with an external id that its agent role does not know.
pub const HOOLI: &str = "hooli";

/// The account of [`GLOBEX`] and [`HOOLI`].
pub const OTHER_ACCOUNT: &str = "222222222222";

/// A second tenant in Curfew's own account, with no data of its own. Tests that end all access of a tenant use it.
pub const INITECH: &str = "initech";

/// What the agent role asks for.
pub const EXTERNAL_ID: &str = "globex-0d1f6a2b9c";

/// Who approves. Has no principal.
pub const APPROVER: &str = "boss@example.test";

/// The group of everybody who may ask: each role of `tests/catalog/` is for it.
pub const ASKERS: &str = "engineering";

/// How many people of each kind there are.
pub const PEOPLE: usize = 90;

const ROLES: &str = include_str!("../catalog/roles.toml");

/// What a person is given access by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An IAM user in Curfew's own account.
    User,
    /// An IAM role there, which only they may assume.
    Role,
    /// An IAM user in [`OTHER_ACCOUNT`].
    Abroad,
    /// A user and a role in Curfew's own account.
    Both,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::User, Self::Role, Self::Abroad, Self::Both];

    fn letter(self) -> char {
        match self {
            Self::User => 'p',
            Self::Role => 'r',
            Self::Abroad => 'x',
            Self::Both => 'b',
        }
    }

    /// The name of the `n`-th person: of their user, their role and their mailbox.
    #[must_use]
    pub fn name(self, n: usize) -> String {
        format!("{}{n:02}", self.letter())
    }

    /// The principals of a person, by their name.
    #[must_use]
    pub fn principals(self, name: &str, own_account: &str) -> Vec<String> {
        let user = |account: &str| format!("arn:aws:iam::{account}:user/{name}");
        let role = format!("arn:aws:iam::{own_account}:role/{name}");
        match self {
            Self::User => vec![user(own_account)],
            Self::Role => vec![role],
            Self::Abroad => vec![user(OTHER_ACCOUNT)],
            Self::Both => vec![user(own_account), role],
        }
    }
}

/// The agent role's name of a deployment.
#[must_use]
pub fn agent_role_name(deployment: &str) -> String {
    format!("agent-of-{deployment}")
}

/// The agent role's ARN of a deployment.
#[must_use]
pub fn agent_role_arn(deployment: &str) -> String {
    format!("arn:aws:iam::{OTHER_ACCOUNT}:role/{}", agent_role_name(deployment))
}

/// The catalog's files, by name.
#[must_use]
pub fn files(deployment: &str, own_account: &str, region: &str) -> Vec<(String, String)> {
    let mut tenants = String::new();
    for tenant in [ACME, INITECH] {
        let _ = write!(tenants, "[tenant.{tenant}]\naccount = \"{own_account}\"\nregion = \"{region}\"\n\n");
    }
    for (tenant, external_id) in [(GLOBEX, EXTERNAL_ID), (HOOLI, "hooli-was-not-told-which")] {
        let agent = agent_role_arn(deployment);
        let _ = write!(
            tenants,
            "[tenant.{tenant}]\naccount = \"{OTHER_ACCOUNT}\"\nregion = \"{region}\"\n\
             agent_role = \"{agent}\"\nexternal_id = \"{external_id}\"\n\n"
        );
    }
    let people = people(1..=PEOPLE, &Kind::ALL, own_account);
    [("people.toml", people), ("roles.toml", ROLES.to_owned()), ("tenants.toml", tenants)]
        .map(|(name, text)| (name.to_owned(), text))
        .to_vec()
}

/// A file of people: whoever approves, and these of each kind.
#[must_use]
pub fn people(numbers: RangeInclusive<usize>, kinds: &[Kind], own_account: &str) -> String {
    let mut people = format!("[person.\"{APPROVER}\"]\ngroups = [\"approvers\"]\n");
    for kind in kinds {
        for n in numbers.clone() {
            let name = kind.name(n);
            let principals = kind.principals(&name, own_account);
            let _ = write!(
                people,
                "\n[person.\"{name}@example.test\"]\ngroups = [\"{ASKERS}\"]\nprincipals = {principals:?}\n"
            );
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use curfew_domain::catalog::{Catalog, CatalogFile};

    use super::*;

    #[test]
    fn the_tests_catalog_checks() {
        let files: Vec<CatalogFile> = files("curfew", "000000000000", "us-east-1")
            .into_iter()
            .map(|(name, text)| CatalogFile { name, text })
            .collect();
        if let Err(findings) = Catalog::parse(&files) {
            panic!("{findings}");
        }
    }
}
