//! What is said about a request beside its body, read from a command line or a case: a slip is refused, because it would
//! be judged as something else.

use curfew_app::guard::HeldRole;
use curfew_domain::catalog::Catalog;
use curfew_domain::ids::{RoleName, TenantId};
use jiff::Timestamp;

/// The kinds of senders that there are, as their configuration names them (`docs/senders.md`).
const SENDERS: [&str; 7] = ["standard", "servicenow", "jira", "pagerduty", "slack", "github", "gitlab"];

/// Reads a time.
///
/// # Errors
/// What it should look like.
pub fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write it like `2026-11-24T10:00:00Z`".to_owned())
}

/// Reads the id of an AWS account.
///
/// # Errors
/// What it should look like.
pub fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not an account: write its 12 digits"))
}

/// Reads the kind of a sender.
///
/// # Errors
/// The kinds that there are.
pub fn sender_kind(text: &str) -> Result<String, String> {
    if SENDERS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("there is no kind `{text}` of sender; use one of `{}`", SENDERS.join("`, `")))
}

/// Reads `tenant/role`: something that is held.
///
/// # Errors
/// What it should look like.
pub fn held(text: &str) -> Result<HeldRole, String> {
    let (tenant, role) = text.split_once('/').ok_or_else(|| format!("`{text}` is not `<tenant>/<role>`"))?;
    Ok(HeldRole {
        tenant: TenantId::new(tenant).map_err(|error| error.to_string())?,
        role: RoleName::new(role).map_err(|error| error.to_string())?,
    })
}

/// Whether the catalog offers what is said to be held.
///
/// # Errors
/// What the catalog does not have.
pub fn offered(catalog: &Catalog, held: &HeldRole) -> Result<(), String> {
    let HeldRole { tenant, role } = held;
    if catalog.tenant(tenant).is_none() {
        return Err(format!("tenant `{tenant}` of `{tenant}/{role}` is not in the catalog; correct it"));
    }
    match catalog.role(role) {
        None => Err(format!("role `{role}` of `{tenant}/{role}` is not in the catalog; correct it")),
        Some(known) if !known.is_available_in(tenant) => {
            Err(format!("role `{role}` can't be had in tenant `{tenant}`; correct `{tenant}/{role}`"))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curfew_intake::{SenderFile, Senders};

    #[test]
    fn the_kinds_of_senders_are_those_that_can_be_configured() {
        let file =
            SenderFile { name: "senders.toml".to_owned(), text: "[source.a]\nkind = \"fax\"\n".to_owned() };
        let findings = Senders::parse(&[file]).expect_err("there is no such kind");
        let message = &findings.first().expect("a finding").message;
        let (_, kinds) = message.split_once("use one of ").expect("the kinds");
        let configured: Vec<&str> = kinds.split(", ").map(|kind| kind.trim_matches('`')).collect();
        assert_eq!(configured, SENDERS);
    }

    #[test]
    fn an_account_is_twelve_digits() {
        assert_eq!(account("012345678901").as_deref(), Ok("012345678901"));
        for wrong in ["", "01234567890", "0123456789012", "01234567890x", "\u{661}23456789012"] {
            assert!(account(wrong).is_err(), "{wrong}");
        }
    }
}
