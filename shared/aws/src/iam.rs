//! Access in IAM: puts and deletes a grant's inline policy, attaches and detaches a managed one. (What accounts
//! hold is read in `inventory`.)
//!
//! Inline policies are named after their grant, so nothing is shared and every call can be repeated.
//! Managed policies are shared: whether to detach is decided before, from the holders in the ledger.
//! Must not decide what a policy says, nor who receives it.

use std::sync::Arc;

use aws_sdk_iam::config::{Builder as Override, Credentials, IdentityCache};
use aws_sdk_iam::operation::RequestId as _;
use aws_sdk_iam::types::AttachedPolicy;
use curfew_app::ports::{AccessPort, Clock, EffectError, Failure, InventoryPage};
use curfew_domain::access::{Access, Route};
use curfew_domain::effect::{AccessChange, Found, Proof};
use curfew_domain::principal::PrincipalKind;

use crate::May;
use crate::attempts::Attempts;
use crate::clients::Aws;
use crate::errors::Failed;
use crate::proof;
use crate::sts::AgentRoles;

/// IAM in Curfew's own account and, through agent roles, in the tenants'.
#[derive(Debug)]
pub struct IamAccess<C> {
    aws: Arc<Aws>,
    agents: AgentRoles<C>,
    clock: Arc<C>,
    may: May,
}

/// More managed policies than any principal can have attached (20 at most,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>), so one page is all of them.
const LISTED_MAX: i32 = 100;

/// Whether a policy is among those that are attached. None: it may be on another page.
fn listed(attached: &[AttachedPolicy], more: bool, policy_arn: &str) -> Option<bool> {
    let found = attached.iter().any(|policy| policy.policy_arn() == Some(policy_arn));
    (found || !more).then_some(found)
}

/// What whoever may only take access away says to what would give some.
fn may_only_remove(operation: &'static str, change: &AccessChange) -> EffectError {
    let message = format!("this function may only take access away; it does not give the {}", change.access);
    EffectError { failure: Failure::Forbidden, operation, code: "MayOnlyRemove".to_owned(), message }
}

/// What others hold is gone, and whoever looks may not give it.
fn not_there(change: &AccessChange) -> EffectError {
    let message = format!(
        "other grants hold the {}, and it is not there; the sweep gives it back, if the catalog still does",
        change.access
    );
    EffectError { failure: Failure::Forbidden, operation: "look", code: "NotThere".to_owned(), message }
}

/// Has a call made with a session's credentials; with Curfew's own, if there are none.
pub(crate) fn session_with(credentials: Option<Credentials>) -> Override {
    match credentials {
        // The cache of identities would keep every session's credentials for as long as the client lives.
        Some(credentials) => {
            Override::new().credentials_provider(credentials).identity_cache(IdentityCache::no_cache())
        }
        None => Override::new(),
    }
}

/// Whether IAM does not accept the session's credentials (any more).
pub(crate) fn is_spent_session(failed: &Failed) -> bool {
    ["ExpiredToken", "InvalidClientTokenId"].contains(&failed.code.as_str())
}

/// Sends one call of IAM, as the agent role if there is one, and keeps of the answer what is wanted: its
/// request's id, and what else is named. A macro, because every call of the SDK is a type of its own.
macro_rules! send {
    ($call:expr, $session:expr, $attempts:expr) => {
        send!($call, $session, $attempts, |output| (output.request_id(), ())).map(|(id, ())| id)
    };
    ($call:expr, $session:expr, $attempts:expr, |$output:ident| ($id:expr, $wanted:expr)) => {{
        let call = $call.customize().interceptor($attempts.clone());
        let call = match $session {
            Some(session) => call.config_override(session.clone()),
            None => call,
        };
        call.send().await.map(|$output| ($id.map(str::to_owned), $wanted)).map_err(|error| Failed::of(&error))
    }};
}

impl<C: Clock> IamAccess<C> {
    pub(crate) fn new(aws: Arc<Aws>, clock: Arc<C>, may: May) -> Self {
        let agents = AgentRoles::new(Arc::clone(&aws), Arc::clone(&clock), may);
        Self { aws, agents, clock, may }
    }

    /// The credentials to act with in the tenant's account; none where Curfew's own will do.
    async fn session(&self, change: &AccessChange) -> Result<Option<Override>, EffectError> {
        let Some(agent) = &change.route.agent else {
            return Ok(None);
        };
        Ok(Some(session_with(Some(self.agents.credentials(change, agent).await?))))
    }

    pub(crate) fn agents(&self) -> &AgentRoles<C> {
        &self.agents
    }

    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        self.aws.iam()
    }

    /// Asks IAM whether what a change is about is there. None: the answer does not say.
    async fn ask(
        &self,
        change: &AccessChange,
        session: Option<&Override>,
        attempts: &Attempts,
    ) -> Result<(Option<bool>, Option<String>), (&'static str, Failed)> {
        let iam = self.aws.iam();
        let principal = change.access.principal();
        let name = principal.name();
        let (operation, sent) = match (&change.access, principal.kind()) {
            (Access::Inline { policy_name, .. }, PrincipalKind::User) => {
                let call = iam.get_user_policy().user_name(name).policy_name(policy_name);
                let there = Some(true);
                ("GetUserPolicy", send!(call, session, attempts, |output| (output.request_id(), there)))
            }
            (Access::Inline { policy_name, .. }, PrincipalKind::Role) => {
                let call = iam.get_role_policy().role_name(name).policy_name(policy_name);
                let there = Some(true);
                ("GetRolePolicy", send!(call, session, attempts, |output| (output.request_id(), there)))
            }
            (Access::Managed { policy_arn, .. }, PrincipalKind::User) => {
                let call = iam.list_attached_user_policies().user_name(name).max_items(LISTED_MAX);
                let sent = send!(call, session, attempts, |output| (
                    output.request_id(),
                    listed(output.attached_policies(), output.is_truncated(), policy_arn)
                ));
                ("ListAttachedUserPolicies", sent)
            }
            (Access::Managed { policy_arn, .. }, PrincipalKind::Role) => {
                let call = iam.list_attached_role_policies().role_name(name).max_items(LISTED_MAX);
                let sent = send!(call, session, attempts, |output| (
                    output.request_id(),
                    listed(output.attached_policies(), output.is_truncated(), policy_arn)
                ));
                ("ListAttachedRolePolicies", sent)
            }
        };
        match sent {
            Ok((request_id, there)) => Ok((there, request_id)),
            // Neither the policy nor, perhaps, its principal.
            Err(failed) if failed.code == "NoSuchEntity" => Ok((Some(false), failed.request_id)),
            Err(failed) => Err((operation, failed)),
        }
    }

    /// Proof that what IAM would not let us remove is not there, if IAM says so.
    ///
    /// Curfew may change only principals that carry a boundary. One that was deleted carries none, nor does
    /// one that was never fit for a grant: IAM then answers a removal with `AccessDenied`, although there
    /// may be nothing to remove. Reading needs no boundary. Costs a call, and only then.
    async fn absence(
        &self,
        change: &AccessChange,
        session: Option<&Override>,
        removal: &Attempts,
    ) -> Option<Proof> {
        match self.ask(change, session, &Attempts::default()).await {
            Ok((Some(false), request_id)) => {
                Some(proof(&*self.clock, Found::Absent, request_id.as_deref(), removal))
            }
            Ok(_) | Err(_) => None,
        }
    }

    /// Forgets a session that IAM no longer accepts, so that the next try assumes the agent role anew.
    fn forget_session_if_spent(&self, change: &AccessChange, failed: &Failed) {
        if let (true, Some(agent)) = (is_spent_session(failed), &change.route.agent) {
            self.agents.forget(agent, Some(&change.grant_id));
        }
    }
}

impl<C: Clock> AccessPort for IamAccess<C> {
    async fn attach(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        if self.may == May::Remove {
            return Err(may_only_remove("attach", change));
        }
        let session = self.session(change).await?;
        let attempts = Attempts::default();
        let iam = self.aws.iam();
        let name = change.access.principal().name();
        let (operation, sent) = match (&change.access, change.access.principal().kind()) {
            (Access::Inline { policy_name, document, .. }, PrincipalKind::User) => {
                let call =
                    iam.put_user_policy().user_name(name).policy_name(policy_name).policy_document(document);
                ("PutUserPolicy", send!(call, session.as_ref(), attempts))
            }
            (Access::Inline { policy_name, document, .. }, PrincipalKind::Role) => {
                let call =
                    iam.put_role_policy().role_name(name).policy_name(policy_name).policy_document(document);
                ("PutRolePolicy", send!(call, session.as_ref(), attempts))
            }
            (Access::Managed { policy_arn, .. }, PrincipalKind::User) => {
                let call = iam.attach_user_policy().user_name(name).policy_arn(policy_arn);
                ("AttachUserPolicy", send!(call, session.as_ref(), attempts))
            }
            (Access::Managed { policy_arn, .. }, PrincipalKind::Role) => {
                let call = iam.attach_role_policy().role_name(name).policy_arn(policy_arn);
                ("AttachRolePolicy", send!(call, session.as_ref(), attempts))
            }
        };
        match sent {
            Ok(request_id) => Ok(proof(&*self.clock, Found::Applied, request_id.as_deref(), &attempts)),
            Err(failed) => {
                self.forget_session_if_spent(change, &failed);
                Err(attempts.judge(failed).effect(operation))
            }
        }
    }

    async fn look(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        let session = self.session(change).await?;
        let attempts = Attempts::default();
        match self.ask(change, session.as_ref(), &attempts).await {
            Ok((Some(true), request_id)) => {
                Ok(proof(&*self.clock, Found::Applied, request_id.as_deref(), &attempts))
            }
            Ok((Some(false) | None, _)) => Err(not_there(change)),
            Err((operation, failed)) => {
                self.forget_session_if_spent(change, &failed);
                Err(attempts.judge(failed).effect(operation))
            }
        }
    }

    async fn detach(&self, change: &AccessChange) -> Result<Proof, EffectError> {
        let session = self.session(change).await?;
        let attempts = Attempts::default();
        let iam = self.aws.iam();
        let name = change.access.principal().name();
        let (operation, sent) = match (&change.access, change.access.principal().kind()) {
            (Access::Inline { policy_name, .. }, PrincipalKind::User) => {
                let call = iam.delete_user_policy().user_name(name).policy_name(policy_name);
                ("DeleteUserPolicy", send!(call, session.as_ref(), attempts))
            }
            (Access::Inline { policy_name, .. }, PrincipalKind::Role) => {
                let call = iam.delete_role_policy().role_name(name).policy_name(policy_name);
                ("DeleteRolePolicy", send!(call, session.as_ref(), attempts))
            }
            (Access::Managed { policy_arn, .. }, PrincipalKind::User) => {
                let call = iam.detach_user_policy().user_name(name).policy_arn(policy_arn);
                ("DetachUserPolicy", send!(call, session.as_ref(), attempts))
            }
            (Access::Managed { policy_arn, .. }, PrincipalKind::Role) => {
                let call = iam.detach_role_policy().role_name(name).policy_arn(policy_arn);
                ("DetachRolePolicy", send!(call, session.as_ref(), attempts))
            }
        };
        match sent {
            Ok(request_id) => Ok(proof(&*self.clock, Found::Deleted, request_id.as_deref(), &attempts)),
            // The policy is not on the principal, or the principal itself is gone.
            Err(failed) if failed.code == "NoSuchEntity" => {
                Ok(proof(&*self.clock, Found::Absent, failed.request_id.as_deref(), &attempts))
            }
            Err(failed) => {
                self.forget_session_if_spent(change, &failed);
                if failed.code == "AccessDenied"
                    && let Some(absent) = self.absence(change, session.as_ref(), &attempts).await
                {
                    return Ok(absent);
                }
                Err(attempts.judge(failed).effect(operation))
            }
        }
    }

    async fn inventory(&self, route: &Route, page: Option<&str>) -> Result<InventoryPage, EffectError> {
        self.page(route, page).await
    }
}

#[cfg(test)]
#[path = "iam_tests.rs"]
mod tests;
