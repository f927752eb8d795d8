//! The catalog: which tenants, permissions, roles and people there are.
//!
//! Written by people in TOML files, any number of them, and checked as a whole: every mistake is told with
//! file and line, and a catalog with a mistake is no catalog (it fails closed). Reading the files is done
//! elsewhere; this gets their texts. It does not decide who may have what.

mod check;
mod draft;
mod finding;
mod lasting;
mod model;
mod sections;
mod statements;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::ids::{Email, PermissionName, RoleName, SourceAccount, TenantId};
use crate::request::AccessRequest;
use draft::Draft;
use finding::Report;

pub use finding::{Finding, Findings, Place, Severity};
pub use model::{Permission, Person, Quorum, Role, RoleAccess, Tenant};

/// The longest that any role may be had for, whatever the catalog says. Twelve hours: longer than a shift,
/// and as long as AWS lets any session of a role live.
pub const DURATION_LIMIT: SignedDuration = SignedDuration::from_hours(12);

/// One file of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFile {
    /// Its name, as findings shall show it.
    pub name: String,
    /// Its text, TOML.
    pub text: String,
}

/// A catalog that was checked.
#[derive(Debug, Clone)]
pub struct Catalog {
    tenants: BTreeMap<TenantId, Tenant>,
    permissions: BTreeMap<PermissionName, Permission>,
    roles: BTreeMap<RoleName, Role>,
    people: BTreeMap<Email, Person>,
    aliases: BTreeMap<Email, Email>,
    accounts: BTreeMap<SourceAccount, Email>,
    warnings: Vec<Finding>,
    digest: String,
}

impl Catalog {
    /// Reads and checks a catalog's files. Their order does not matter.
    ///
    /// # Errors
    /// Every [`Finding`], if at least one is an error.
    pub fn parse(files: &[CatalogFile]) -> Result<Self, Findings> {
        let mut report = Report::default();
        let mut draft = Draft::default();
        if files.is_empty() {
            let place = finding::Place { file: Arc::from("catalog"), line: 1, column: 1 };
            report.error(&place, "there is no catalog file", "add one with the ending `.toml`");
        }
        let mut sorted: Vec<&CatalogFile> = files.iter().collect();
        sorted.sort_by(|a, b| (&a.name, &a.text).cmp(&(&b.name, &b.text)));
        let mut is_toml = true;
        for file in &sorted {
            let source = table::Source::new(&file.name, &file.text);
            is_toml &= sections::read(&source, &file.text, &mut draft, &mut report);
        }
        // Where a file is no TOML, names may be missing: complaints about references would mislead.
        let roles = if is_toml { check::check(&draft, &mut report) } else { BTreeMap::new() };
        let warnings = report.finish()?;
        let people = || draft.people.iter().map(|(email, _, draft)| (email, draft));
        let aliases = people().flat_map(|(email, draft)| {
            draft.aliases.iter().map(|alias| (alias.value.clone(), email.clone()))
        });
        let accounts = people().flat_map(|(email, draft)| {
            draft.accounts.iter().map(|account| (account.value.clone(), email.clone()))
        });
        Ok(Self {
            aliases: aliases.collect(),
            accounts: accounts.collect(),
            tenants: draft.tenants.into_values(),
            permissions: draft.permissions.into_values(),
            roles,
            people: draft
                .people
                .into_values()
                .into_iter()
                .map(|(email, draft)| (email, draft.person))
                .collect(),
            warnings,
            digest: digest(&sorted),
        })
    }

    /// What somebody should know, though the catalog can be used.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// A digest (hex SHA-256) of the files' names and texts: tells which catalog decided a request.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A tenant.
    #[must_use]
    pub fn tenant(&self, id: &TenantId) -> Option<&Tenant> {
        self.tenants.get(id)
    }

    /// Every tenant, by id.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.values()
    }

    /// A permission.
    #[must_use]
    pub fn permission(&self, name: &PermissionName) -> Option<&Permission> {
        self.permissions.get(name)
    }

    /// Every permission, by name.
    pub fn permissions(&self) -> impl Iterator<Item = &Permission> {
        self.permissions.values()
    }

    /// A role.
    #[must_use]
    pub fn role(&self, name: &RoleName) -> Option<&Role> {
        self.roles.get(name)
    }

    /// Every role, by name.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// A person, by any of their addresses.
    #[must_use]
    pub fn person(&self, email: &Email) -> Option<&Person> {
        self.people.get(self.aliases.get(email).unwrap_or(email))
    }

    /// The person whom a source knows by an account.
    #[must_use]
    pub fn person_by_account(&self, account: &SourceAccount) -> Option<&Person> {
        self.people.get(self.accounts.get(account)?)
    }

    /// Whether two addresses are one human being's.
    #[must_use]
    pub fn is_same_person(&self, one: &Email, other: &Email) -> bool {
        self.main_address(one) == self.main_address(other)
    }

    /// The address that the catalog has a person under; the address itself, if it is nobody's.
    fn main_address<'a>(&'a self, email: &'a Email) -> &'a Email {
        self.person(email).map_or(email, Person::email)
    }

    /// The request with everybody under the address that the catalog has them under, so that what is kept and
    /// compared does not depend on which of their addresses a sender knows.
    #[must_use]
    pub fn with_main_addresses(&self, mut request: AccessRequest) -> AccessRequest {
        request.requester = self.main_address(&request.requester).clone();
        for approval in &mut request.approvals {
            approval.approver = self.main_address(&approval.approver).clone();
        }
        request
    }

    /// Every person, by email.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Finds the tenants that Curfew, running in `own_account`, has no way to: those in another account
    /// without an agent role. Apart from [`Self::parse`], because the files do not say where Curfew runs.
    #[must_use]
    pub fn check_own_account(&self, own_account: &str) -> Vec<Finding> {
        self.tenants()
            .filter(|tenant| tenant.account() != own_account && tenant.route().agent.is_none())
            .map(|tenant| {
                let message = format!(
                    "tenant `{}` is in account `{}`, Curfew in `{own_account}`, and there is no `agent_role`",
                    tenant.id(),
                    tenant.account()
                );
                let remedy = "add the `agent_role` and `external_id` by which Curfew reaches that account";
                tenant.place.finding(Severity::Error, message, remedy)
            })
            .collect()
    }
}

fn digest(sorted: &[&CatalogFile]) -> String {
    let mut hash = Sha256::new();
    for part in sorted.iter().flat_map(|file| [&file.name, &file.text]) {
        // The length in front keeps ("ab","c") and ("a","bc") apart.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

#[cfg(test)]
mod tests;
