//! Drafts: what the files say, before anything was compared with anything else.
//!
//! Collected over all files, so that an entry may stand in any of them, and references are checked when
//! everything is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use jiff::SignedDuration;

use super::finding::{Place, Report};
use super::model::{Permission, Person, Quorum, Tenant};
use super::table::Located;
use crate::document::Template;
use crate::ids::{Email, GroupName, Label, PermissionName, RoleName, SourceAccount, TenantId};
use crate::principal::Principal;

/// Everything that the files define.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) tenants: Declared<TenantId, Tenant>,
    pub(super) permissions: Declared<PermissionName, Permission>,
    pub(super) roles: Declared<RoleName, RoleDraft>,
    pub(super) people: Declared<Email, PersonDraft>,
}

/// A role whose references are not resolved yet. What could not be read is `None` and was reported.
pub(super) struct RoleDraft {
    pub(super) description: Option<String>,
    pub(super) permissions: Vec<Located<PermissionName>>,
    pub(super) includes: Vec<Located<RoleName>>,
    pub(super) max_duration: Option<Located<SignedDuration>>,
    pub(super) default_duration: Option<Located<SignedDuration>>,
    pub(super) managed: Option<Template>,
    pub(super) is_managed: bool,
    pub(super) tenants: Option<Vec<Located<TenantId>>>,
    pub(super) privileged: bool,
    pub(super) eligible: BTreeSet<GroupName>,
    pub(super) approvals: Vec<Quorum>,
    pub(super) labels: BTreeSet<Label>,
}

/// A person whose principals were not compared with other people's yet.
pub(super) struct PersonDraft {
    pub(super) person: Person,
    pub(super) principals: Vec<Located<Principal>>,
    pub(super) aliases: Vec<Located<Email>>,
    pub(super) accounts: Vec<Located<SourceAccount>>,
}

/// The entries of one kind. A broken one is remembered by its name, so that a reference to it is no second
/// error.
pub(super) struct Declared<K, V>(BTreeMap<K, Entry<V>>);

/// One entry, and where its name stands.
pub(super) struct Entry<V> {
    pub(super) place: Place,
    pub(super) value: Option<V>,
}

impl<K, V> Default for Declared<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Display, V> Declared<K, V> {
    /// Adds an entry; a second one of the same name is reported, and the first stays.
    pub(super) fn declare(
        &mut self,
        kind: &str,
        name: K,
        place: Place,
        value: Option<V>,
        report: &mut Report,
    ) {
        if let Some(first) = self.0.get(&name) {
            let message = format!("{kind} `{name}` is defined already, at {}", first.place);
            report.error(&place, message, "keep one of the two");
        } else {
            self.0.insert(name, Entry { place, value });
        }
    }

    /// Whether the name is defined, be it by a broken entry.
    pub(super) fn has(&self, name: &K) -> bool {
        self.0.contains_key(name)
    }

    /// The first names that are defined, for a message.
    pub(super) fn names(&self) -> String {
        const SHOWN: usize = 20;
        let mut names: Vec<String> = self.0.keys().take(SHOWN).map(|name| format!("`{name}`")).collect();
        if self.0.len() > SHOWN {
            names.push("…".to_owned());
        }
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// An entry that could be read.
    pub(super) fn get(&self, name: &K) -> Option<&V> {
        self.0.get(name)?.value.as_ref()
    }

    /// Every entry that could be read, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Place, &V)> {
        self.0.iter().filter_map(|(name, entry)| Some((name, &entry.place, entry.value.as_ref()?)))
    }

    /// Gives the entries that could be read away.
    pub(super) fn into_values(self) -> BTreeMap<K, V> {
        self.0.into_iter().filter_map(|(name, entry)| Some((name, entry.value?))).collect()
    }
}
