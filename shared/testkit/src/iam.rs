//! IAM in memory: principals, what is attached to them, and what that allows at a time.
//!
//! The judge of every test: it knows nothing of grants, only of what is attached.

use std::collections::{BTreeMap, BTreeSet};

use curfew_app::ports::{EffectError, Failure, Held};
use curfew_domain::access::{Access, Attachment};
use curfew_domain::effect::{AccessChange, Found};
use curfew_domain::principal::{Principal, PrincipalKind};
use jiff::Timestamp;

use crate::policy;

/// Managed policies per principal
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MANAGED_MAX: usize = 10;

#[derive(Debug, Default)]
struct Entity {
    inline: BTreeMap<String, String>,
    attached: BTreeSet<String>,
}

/// Users, roles and policies of all accounts.
#[derive(Debug, Default)]
pub struct MemoryIam {
    principals: BTreeMap<Principal, Entity>,
    policies: BTreeSet<String>,
    /// What somebody else than Curfew changed last: a principal and the policy's name or ARN.
    by_hand: BTreeSet<(Principal, String)>,
}

fn refuse<T>(operation: &'static str, code: &str, message: String) -> Result<T, EffectError> {
    Err(EffectError { failure: Failure::Refused, operation, code: code.to_owned(), message })
}

/// The one object in IAM that a change is about.
fn object(change: &AccessChange) -> (Principal, String) {
    let policy = match &change.access {
        Access::Inline { policy_name, .. } => policy_name,
        Access::Managed { policy_arn, .. } => policy_arn,
    };
    (change.access.principal().clone(), policy.clone())
}

impl MemoryIam {
    /// Makes a user or role.
    pub fn create(&mut self, principal: &Principal) {
        self.principals.entry(principal.clone()).or_default();
    }

    /// Deletes a user or role with whatever it has.
    pub fn delete(&mut self, principal: &Principal) {
        self.principals.remove(principal);
    }

    /// Makes a customer managed policy.
    pub fn create_policy(&mut self, arn: &str) {
        self.policies.insert(arn.to_owned());
    }

    pub(crate) fn attach(&mut self, change: &AccessChange) -> Result<Found, EffectError> {
        let attached = self.put(change)?;
        self.by_hand.remove(&object(change));
        Ok(attached)
    }

    fn put(&mut self, change: &AccessChange) -> Result<Found, EffectError> {
        let principal = change.access.principal();
        let operation = match (&change.access, principal.kind()) {
            (Access::Inline { .. }, PrincipalKind::User) => "PutUserPolicy",
            (Access::Inline { .. }, PrincipalKind::Role) => "PutRolePolicy",
            (Access::Managed { .. }, PrincipalKind::User) => "AttachUserPolicy",
            (Access::Managed { .. }, PrincipalKind::Role) => "AttachRolePolicy",
        };
        let Some(entity) =
            self.principals.get_mut(principal).filter(|_| principal.account() == change.route.account)
        else {
            return refuse(operation, "NoSuchEntity", format!("there is no {principal}"));
        };
        match &change.access {
            Access::Inline { policy_name, document, .. } => {
                let others = entity.inline.iter().filter(|(name, _)| *name != policy_name);
                let size = others.map(|(_, other)| other.len()).sum::<usize>() + document.len();
                if size > curfew_domain::document::quota(principal.kind()) {
                    return refuse(operation, "LimitExceeded", format!("{size} characters on {principal}"));
                }
                entity.inline.insert(policy_name.clone(), document.clone());
            }
            Access::Managed { policy_arn, .. } => {
                if !policy_arn.contains("::aws:policy/") && !self.policies.contains(policy_arn) {
                    return refuse(operation, "NoSuchEntity", format!("there is no {policy_arn}"));
                }
                if !entity.attached.contains(policy_arn) && entity.attached.len() >= MANAGED_MAX {
                    return refuse(operation, "LimitExceeded", format!("too many policies on {principal}"));
                }
                entity.attached.insert(policy_arn.clone());
            }
        }
        Ok(Found::Applied)
    }

    /// Whether what a change asks for is there.
    pub(crate) fn has(&self, change: &AccessChange) -> bool {
        self.principals.get(change.access.principal()).is_some_and(|entity| match &change.access {
            Access::Inline { policy_name, document, .. } => entity.inline.get(policy_name) == Some(document),
            Access::Managed { policy_arn, .. } => entity.attached.contains(policy_arn),
        })
    }

    pub(crate) fn detach(&mut self, change: &AccessChange) -> Found {
        self.by_hand.remove(&object(change));
        let removed =
            self.principals.get_mut(change.access.principal()).is_some_and(|entity| match &change.access {
                Access::Inline { policy_name, .. } => entity.inline.remove(policy_name).is_some(),
                Access::Managed { policy_arn, .. } => entity.attached.remove(policy_arn),
            });
        if removed { Found::Deleted } else { Found::Absent }
    }

    /// What every principal of an account has.
    pub(crate) fn inventory(&self, account: &str) -> Vec<Held> {
        let in_account = self.principals.iter().filter(|(principal, _)| principal.account() == account);
        in_account
            .map(|(principal, entity)| Held {
                principal: principal.clone(),
                inline: entity.inline.clone().into_iter().collect(),
                attached: entity.attached.iter().cloned().collect(),
            })
            .collect()
    }

    /// Puts an inline policy on a principal behind Curfew's back.
    pub fn put_inline(&mut self, principal: &Principal, name: &str, document: &str) {
        self.by_hand.insert((principal.clone(), name.to_owned()));
        if let Some(entity) = self.principals.get_mut(principal) {
            entity.inline.insert(name.to_owned(), document.to_owned());
        }
    }

    /// Takes an inline policy away behind Curfew's back. False, if there was none.
    pub fn delete_inline(&mut self, principal: &Principal, name: &str) -> bool {
        self.by_hand.insert((principal.clone(), name.to_owned()));
        self.principals.get_mut(principal).is_some_and(|entity| entity.inline.remove(name).is_some())
    }

    /// Attaches a managed policy behind Curfew's back.
    pub fn attach_by_hand(&mut self, attachment: &Attachment) {
        self.by_hand.insert((attachment.principal.clone(), attachment.policy_arn.clone()));
        if let Some(entity) = self.principals.get_mut(&attachment.principal) {
            entity.attached.insert(attachment.policy_arn.clone());
        }
    }

    /// Detaches a managed policy behind Curfew's back. False, if it was not attached.
    pub fn detach_by_hand(&mut self, attachment: &Attachment) -> bool {
        self.by_hand.insert((attachment.principal.clone(), attachment.policy_arn.clone()));
        let entity = self.principals.get_mut(&attachment.principal);
        entity.is_some_and(|entity| entity.attached.remove(&attachment.policy_arn))
    }

    /// Whether a policy on a principal was changed last by somebody else than Curfew.
    #[must_use]
    pub fn is_by_hand(&self, principal: &Principal, policy: &str) -> bool {
        // Most runs have none, and asking costs two copies.
        !self.by_hand.is_empty() && self.by_hand.contains(&(principal.clone(), policy.to_owned()))
    }

    /// Every inline policy with its document.
    pub fn documents(&self) -> impl Iterator<Item = (&Principal, &str, &str)> {
        self.principals.iter().flat_map(|(principal, entity)| {
            entity.inline.iter().map(move |(name, document)| (principal, name.as_str(), document.as_str()))
        })
    }

    /// Whether anything that is attached to the principal allows anything at `at`.
    #[must_use]
    pub fn allows(&self, principal: &Principal, at: Timestamp) -> bool {
        self.principals.get(principal).is_some_and(|entity| {
            !entity.attached.is_empty()
                || entity.inline.values().any(|document| policy::in_effect(document, at))
        })
    }

    /// Whether the principal has an inline policy of that name, whatever it allows by now.
    #[must_use]
    pub fn has_inline(&self, principal: &Principal, policy_name: &str) -> bool {
        self.principals.get(principal).is_some_and(|entity| entity.inline.contains_key(policy_name))
    }

    /// Whether a managed policy is attached.
    #[must_use]
    pub fn has_attached(&self, attachment: &Attachment) -> bool {
        let entity = self.principals.get(&attachment.principal);
        entity.is_some_and(|entity| entity.attached.contains(&attachment.policy_arn))
    }

    /// Every inline policy, as principal and name.
    pub fn inline_policies(&self) -> impl Iterator<Item = (&Principal, &str)> {
        self.principals
            .iter()
            .flat_map(|(principal, entity)| entity.inline.keys().map(move |name| (principal, name.as_str())))
    }

    /// Every attached managed policy.
    pub fn attachments(&self) -> impl Iterator<Item = Attachment> {
        self.principals.iter().flat_map(|(principal, entity)| {
            entity
                .attached
                .iter()
                .map(|policy_arn| Attachment { principal: principal.clone(), policy_arn: policy_arn.clone() })
        })
    }
}
