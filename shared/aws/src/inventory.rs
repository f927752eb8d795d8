//! Inventories: what the users and roles of an account hold, as IAM tells it, page by page.
//!
//! Reads only. Must not judge what it finds: whose it is, and what becomes of it, is decided elsewhere.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
use aws_sdk_iam::types::{AttachedPolicy, EntityType, PolicyDetail};
use curfew_app::ports::{Clock, EffectError, Failure, Held, InventoryPage};
use curfew_domain::access::Route;
use curfew_domain::principal::{Principal, PrincipalError};
use percent_encoding::percent_decode_str;

use crate::errors::Failed;
use crate::iam::{IamAccess, is_spent_session, session_with};

const OPERATION: &str = "GetAccountAuthorizationDetails";

/// How many users and roles are on a page: what IAM would give by itself.
const PAGE_ITEMS: i32 = 100;

/// How long IAM may take for a page. It gathers everything about a hundred users and roles, which takes it longer
/// than any other call of ours; nobody waits for it but the sweep.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

impl<C: Clock> IamAccess<C> {
    /// One page. What the marker of an earlier one says is IAM's business: pages are not a snapshot, and one
    /// that IAM no longer knows is refused (`Failure::Refused`): begin again then.
    pub(crate) async fn page(&self, route: &Route, page: Option<&str>) -> Result<InventoryPage, EffectError> {
        let credentials = match &route.agent {
            Some(agent) => Some(self.agents().for_inventory(agent).await?),
            None => None,
        };
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(PAGE_TIMEOUT)
            .operation_timeout(PAGE_TIMEOUT)
            .build();
        let sent = self
            .iam()
            .get_account_authorization_details()
            .filter(EntityType::User)
            .filter(EntityType::Role)
            .max_items(PAGE_ITEMS)
            .set_marker(page.map(str::to_owned))
            .customize()
            .config_override(session_with(credentials).timeout_config(timeouts))
            .send()
            .await;
        match sent {
            Ok(output) => read(&output),
            Err(error) => {
                let failed = Failed::of(&error);
                if let (true, Some(agent)) = (is_spent_session(&failed), &route.agent) {
                    self.agents().forget(agent, None);
                }
                Err(failed.effect(OPERATION))
            }
        }
    }
}

fn read(output: &GetAccountAuthorizationDetailsOutput) -> Result<InventoryPage, EffectError> {
    let users = output
        .user_detail_list()
        .iter()
        .map(|user| (user.arn(), user.user_policy_list(), user.attached_managed_policies()));
    let roles = output
        .role_detail_list()
        .iter()
        .map(|role| (role.arn(), role.role_policy_list(), role.attached_managed_policies()));
    let mut held = Vec::new();
    for (arn, inline, attached) in users.chain(roles) {
        held.extend(one(arn, inline, attached)?);
    }
    let next = match (output.is_truncated(), output.marker()) {
        (false, _) => None,
        (true, Some(marker)) => Some(marker.to_owned()),
        // To take this for the last page would be to take all that is on the others for gone.
        (true, None) => return Err(unreadable("there are more pages, and no way to them is named")),
    };
    Ok(InventoryPage { held, next })
}

/// What one user or role holds; none, if Curfew could not have given it anything.
fn one(
    arn: Option<&str>,
    inline: &[PolicyDetail],
    attached: &[AttachedPolicy],
) -> Result<Option<Held>, EffectError> {
    // Without a name it can't be told whose grants are there, and none must seem to be gone.
    let arn = arn.ok_or_else(|| unreadable("a user or role has no ARN"))?;
    let principal = match Principal::parse(arn) {
        Ok(principal) => principal,
        Err(PrincipalError::Unmodifiable { .. } | PrincipalError::NotUserOrRole(_)) => return Ok(None),
    };
    let inline = inline
        .iter()
        .map(|policy| {
            let name = policy.policy_name().ok_or_else(|| unreadable("an inline policy has no name"))?;
            // RFC 3986 (https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyDetail.html). What is no UTF-8
            // is no document of Curfew's, and is not taken for one.
            let document =
                percent_decode_str(policy.policy_document().unwrap_or_default()).decode_utf8_lossy();
            Ok((name.to_owned(), document.into_owned()))
        })
        .collect::<Result<_, EffectError>>()?;
    let attached = attached.iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)).collect();
    Ok(Some(Held { principal, inline, attached }))
}

fn unreadable(what: &str) -> EffectError {
    EffectError {
        failure: Failure::Retryable,
        operation: OPERATION,
        code: "UnreadableResponse".to_owned(),
        message: what.to_owned(),
    }
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
