//! Agent roles: credentials in a tenant's account, narrowed to what they are for.
//!
//! Every session says what it may do at most (`curfew:may`): the agent role's trust allows each function its own word, and
//! its permissions go by it, so that a function that may only take access away gives none there either.
//!
//! A session that changes access carries the grant, its ticket and its source as tags, too, so that CloudTrail in the
//! tenant's account names them, and a session policy that allows no more than putting this grant's access in
//! place and taking it away. It serves one grant only: its credentials are of no use for another. The session
//! that compares an account with the ledger may read it, and change nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_iam::config::Credentials;
use aws_sdk_sts::types::Tag;
use curfew_app::ports::{Clock, EffectError, Failure};
use curfew_domain::access::{Access, AgentRole};
use curfew_domain::effect::AccessChange;
use curfew_domain::ids::GrantId;
use curfew_domain::principal::PrincipalKind;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::May;
use crate::clients::Aws;
use crate::errors;

/// How long a session lasts: the shortest that STS gives
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SESSION_SECONDS: i32 = 900;

/// How long before its end a session is not used any more.
const SPENT_BEFORE_END: SignedDuration = SignedDuration::from_mins(2);

/// How many sessions are kept. One is used twice at most by an invocation, so few are ever asked for again.
const SESSIONS_MAX: usize = 64;

const ASSUME_ROLE: &str = "AssumeRole";

/// The tag by which a session says what it may do; infra/tenant.yaml goes by it.
const MAY_TAG: &str = "curfew:may";

/// The name of sessions that take an inventory, as CloudTrail shows it.
const INVENTORY_NAME: &str = "curfew-inventory";

/// Sessions of agent roles.
#[derive(Debug)]
pub(crate) struct AgentRoles<C> {
    aws: Arc<Aws>,
    clock: Arc<C>,
    may: May,
    sessions: Mutex<HashMap<Key, Session>>,
}

/// Whose session it is, and for which grant; for none, where it takes an inventory.
type Key = (AgentRole, Option<GrantId>);

/// What a session is made for.
#[derive(Debug, Clone, Copy)]
enum Purpose<'a> {
    /// A grant's change of access.
    Change(&'a AccessChange),
    /// Seeing what an account's users and roles hold.
    Inventory,
}

impl Purpose<'_> {
    fn grant_id(self) -> Option<GrantId> {
        match self {
            Self::Change(change) => Some(change.grant_id.clone()),
            Self::Inventory => None,
        }
    }

    fn session_name(self) -> String {
        match self {
            Self::Change(change) => change.grant_id.object_name(),
            Self::Inventory => INVENTORY_NAME.to_owned(),
        }
    }

    fn tags(self, may: May) -> Vec<(&'static str, String)> {
        let may = match may {
            May::Give => "give",
            May::Remove => "remove",
        };
        let mut tags = vec![(MAY_TAG, may.to_owned())];
        if let Self::Change(change) = self {
            tags.extend([
                ("source", change.source.to_string()),
                ("ticket", change.ticket.to_string()),
                ("grant", change.grant_id.to_string()),
            ]);
        }
        tags
    }

    fn policy(self, may: May) -> String {
        match self {
            Self::Change(change) => change_policy(&change.access, may),
            Self::Inventory => inventory_policy(),
        }
    }
}

#[derive(Debug, Clone)]
struct Session {
    /// Its `Debug` shows no secret.
    credentials: Credentials,
    ends_at: Timestamp,
}

impl<C: Clock> AgentRoles<C> {
    pub(crate) fn new(aws: Arc<Aws>, clock: Arc<C>, may: May) -> Self {
        Self { aws, clock, may, sessions: Mutex::new(HashMap::new()) }
    }

    /// Credentials for one grant's changes in the tenant's account.
    ///
    /// # Errors
    /// [`EffectError`] of `AssumeRole`. Nothing was changed then.
    pub(crate) async fn credentials(
        &self,
        change: &AccessChange,
        agent: &AgentRole,
    ) -> Result<Credentials, EffectError> {
        self.session(Purpose::Change(change), agent).await
    }

    /// Credentials to see what the users and roles of the tenant's account hold, and for nothing else.
    ///
    /// # Errors
    /// As [`Self::credentials`].
    pub(crate) async fn for_inventory(&self, agent: &AgentRole) -> Result<Credentials, EffectError> {
        self.session(Purpose::Inventory, agent).await
    }

    async fn session(&self, purpose: Purpose<'_>, agent: &AgentRole) -> Result<Credentials, EffectError> {
        let key = (agent.clone(), purpose.grant_id());
        let usable_until =
            |session: &Session| session.ends_at.saturating_sub(SPENT_BEFORE_END).unwrap_or(Timestamp::MIN);
        let now = self.clock.now();
        if let Some(session) = self.sessions().get(&key).filter(|session| now < usable_until(session)) {
            return Ok(session.credentials.clone());
        }
        let session = self.assume(purpose, agent).await?;
        let credentials = session.credentials.clone();
        let mut sessions = self.sessions();
        sessions.retain(|_, session| now < usable_until(session));
        if sessions.len() >= SESSIONS_MAX {
            let first =
                sessions.iter().min_by_key(|(_, session)| session.ends_at).map(|(key, _)| key.clone());
            first.and_then(|key| sessions.remove(&key));
        }
        sessions.insert(key, session);
        Ok(credentials)
    }

    /// Drops a session that AWS no longer accepts: a grant's, or the one that takes inventories.
    pub(crate) fn forget(&self, agent: &AgentRole, grant_id: Option<&GrantId>) {
        self.sessions().remove(&(agent.clone(), grant_id.cloned()));
    }

    /// A panic elsewhere leaves the map whole: nothing in here can fail halfway.
    fn sessions(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn assume(&self, purpose: Purpose<'_>, agent: &AgentRole) -> Result<Session, EffectError> {
        let tags = purpose
            .tags(self.may)
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| incomplete(&error.to_string()))?;
        let output = self
            .aws
            .sts()
            .assume_role()
            .role_arn(&agent.role_arn)
            .external_id(&agent.external_id)
            .role_session_name(purpose.session_name())
            .set_tags(Some(tags))
            .duration_seconds(SESSION_SECONDS)
            .policy(purpose.policy(self.may))
            .send()
            .await
            .map_err(|error| {
                let mut failed = errors::effect(ASSUME_ROLE, &error);
                failed.message = format!("{} (agent role `{}`)", failed.message, agent.role_arn);
                failed
            })?;
        let given = output.credentials.ok_or_else(|| incomplete("AWS answered without credentials"))?;
        let ends_at = Timestamp::from_second(given.expiration.secs())
            .map_err(|error| incomplete(&format!("the session's end is not readable: {error}")))?;
        let ends =
            u64::try_from(ends_at.as_second()).ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            ends,
            "CurfewAgentRole",
        );
        Ok(Session { credentials, ends_at })
    }
}

fn incomplete(message: &str) -> EffectError {
    EffectError {
        failure: Failure::Retryable,
        operation: ASSUME_ROLE,
        code: "UnreadableResponse".to_owned(),
        message: message.to_owned(),
    }
}

/// What a session that changes access may do at most: put this grant's access on its principal, if it may give, and take
/// it off again. The agent role's own policy limits it further; a session gets what both allow.
fn change_policy(access: &Access, may: May) -> String {
    let (give, take, look) = match (access, access.principal().kind()) {
        (Access::Inline { .. }, PrincipalKind::User) => {
            ("iam:PutUserPolicy", "iam:DeleteUserPolicy", "iam:GetUserPolicy")
        }
        (Access::Inline { .. }, PrincipalKind::Role) => {
            ("iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:GetRolePolicy")
        }
        (Access::Managed { .. }, PrincipalKind::User) => {
            ("iam:AttachUserPolicy", "iam:DetachUserPolicy", "iam:ListAttachedUserPolicies")
        }
        (Access::Managed { .. }, PrincipalKind::Role) => {
            ("iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies")
        }
    };
    let actions = match may {
        May::Give => vec![give, take],
        May::Remove => vec![take],
    };
    let principal = access.principal().arn();
    let change = match access {
        Access::Inline { .. } => json!({ "Effect": "Allow", "Action": actions, "Resource": principal }),
        Access::Managed { policy_arn, .. } => json!({
            "Effect": "Allow", "Action": actions, "Resource": principal,
            "Condition": { "ArnEquals": { "iam:PolicyARN": policy_arn } },
        }),
    };
    // To prove that something is not there where its removal is refused. Not narrowed to the principal: its
    // ARN, the longest part, would stand in the document twice.
    let look = json!({ "Effect": "Allow", "Action": look, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [change, look] }).to_string()
}

/// What a session that takes an inventory may do. AWS knows no resource that would narrow the call.
fn inventory_policy() -> String {
    let look = json!({ "Effect": "Allow", "Action": "iam:GetAccountAuthorizationDetails", "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [look] }).to_string()
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
