//! Identifiers: one type for each, so that no two can be mixed up, and none holds a character that a
//! log line, a DynamoDB key, an IAM name or a session tag could trip over.
//!
//! Knows nothing of where an identifier is used. Every constructor refuses instead of repairing: an
//! identifier that had to be changed to fit would no longer be the one that was approved.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::principal::Principal;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {shown} is not valid: {rule}")]
pub struct IdError {
    /// What the text was meant to be, for example `ticket`.
    pub kind: &'static str,
    /// The text, escaped and cut short so that it can be shown and logged.
    pub shown: String,
    /// The rule that the text breaks.
    pub rule: &'static str,
}

impl IdError {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self { kind, shown: shown(text), rule }
    }
}

/// A text from outside made fit to be shown: control and non-ASCII characters escaped, at most 64
/// characters, in backticks.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(64).flat_map(char::escape_default).collect();
    if text.chars().nth(64).is_some() {
        cut.push('…');
    }
    format!("`{cut}`")
}

fn all(text: &str, extra: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the rule of this kind of identifier.
            ///
            /// # Errors
            /// [`IdError`] with the rule, if `text` breaks it.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(IdError::new($kind, &text, $rule)) }
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

fn is_slug(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

identifier!(
    /// The system that sends approvals, for example `servicenow-prod`. Each source has its own secret.
    Source,
    "source",
    "1 to 64 of a-z, 0-9, `-`, `_`, and first a letter or digit",
    is_slug
);
identifier!(
    /// A tenant: a security boundary with an AWS account, a region and an agent role.
    TenantId,
    "tenant",
    "1 to 64 of a-z, 0-9, `-`, `_`, and first a letter or digit",
    is_slug
);
identifier!(
    /// A role: a named set of permissions inside a tenant, with limits.
    RoleName,
    "role",
    "1 to 64 of a-z, 0-9, `-`, `_`, and first a letter or digit",
    is_slug
);
identifier!(
    /// A permission: a named, reusable set of IAM statements.
    PermissionName,
    "permission",
    "1 to 64 of a-z, 0-9, `-`, `_`, and first a letter or digit",
    is_slug
);
identifier!(
    /// A guardrail: the `@id` of a policy.
    GuardrailId,
    "guardrail",
    "1 to 64 of a-z, 0-9, `-`, `_`, and first a letter or digit",
    is_slug
);
identifier!(
    /// A word that tenants and roles are labelled with, for guardrails to go by.
    Label,
    "label",
    "1 to 64 of a-z, 0-9, `-`, `_`, and first a letter or digit",
    is_slug
);
identifier!(
    /// A group that people are in.
    GroupName,
    "group",
    "1 to 64 of a-z, 0-9, `-`, `_`, and first a letter or digit",
    is_slug
);
identifier!(
    /// A ticket's id in its source, for example `CHG0030192`.
    ///
    /// The characters are those that an STS session tag also takes, so that a ticket can be found again
    /// in CloudTrail: <https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html>.
    TicketId,
    "ticket",
    "1 to 100 of A-Z, a-z, 0-9 and `._:/=+@-`, and first a letter or digit",
    |text| (1..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && all(text, "._:/=+@-")
);
identifier!(
    /// The sender's id of one delivery (`webhook-id`). Differs between deliveries, not between retries.
    DeliveryId,
    "webhook id",
    "1 to 128 of A-Z, a-z, 0-9 and `._:-`",
    |text| (1..=128).contains(&text.len()) && all(text, "._:-")
);

impl DeliveryId {
    /// What stands for the delivery of an operator's act, by the invocation's id: see
    /// [`Invocation::delivery`](crate::operator::Invocation::delivery), which knows that it fits.
    pub(crate) fn of_operator(invocation: &str) -> Self {
        Self(format!("operator:{invocation}"))
    }
}

identifier!(
    /// What a source calls a person, where it knows no address: `<source>:<account>`, for example `slack:U024BE7LH`.
    /// Accounts differ in case.
    SourceAccount,
    "account",
    "`<source>:<account>`, like `slack:U024BE7LH`: the account 1 to 128 of A-Z, a-z, 0-9 and `._:@+-`",
    |text| text.split_once(':').is_some_and(|(source, account)| {
        is_slug(source) && (1..=128).contains(&account.len()) && all(account, "._:@+-")
    })
);

impl SourceAccount {
    /// A person's account in a source.
    ///
    /// # Errors
    /// [`IdError`] if the account is not one.
    pub fn of(source: &Source, account: &str) -> Result<Self, IdError> {
        Self::new(format!("{source}:{account}"))
    }
}

/// The host of the addresses that [`Email::of_unknown_account`] makes: <https://www.rfc-editor.org/rfc/rfc2606>
/// keeps it from ever being anybody's.
const UNKNOWN_ACCOUNT_HOST: &str = "unknown-account.invalid";

/// A person's identity: an email address in lower case, ASCII only.
///
/// Two addresses that differ in case are one person; look-alike letters of other scripts are refused,
/// because an approval must not come from somebody who only *looks* like another person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Checks and lower-cases `text`.
    ///
    /// # Errors
    /// [`IdError`] if `text` is not a plain ASCII address of at most 254 characters.
    pub fn new(text: &str) -> Result<Self, IdError> {
        let fits = text.len() <= 254
            && text.split_once('@').is_some_and(|(local, host)| {
                !local.is_empty()
                    && all(local, "._+-")
                    && host.contains('.')
                    && host.split('.').all(|label| !label.is_empty() && all(label, "-"))
            });
        if fits {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(IdError::new("person", text, "a plain ASCII email address (letters, digits, `._+-`)"))
        }
    }

    /// The address that stands for an account which the catalog maps to nobody: no person's, so that whoever it
    /// is about is refused as unknown, on record. What can't stand in an address is written as `_`.
    #[must_use]
    pub fn of_unknown_account(source: &Source, account: &str) -> Self {
        let kept = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let local: String = account.chars().take(120).map(kept).collect();
        let local = format!("{source}.{}", if local.is_empty() { "_" } else { &local });
        Self(format!("{}@{UNKNOWN_ACCOUNT_HOST}", local.to_ascii_lowercase()))
    }

    /// Whether it stands for an account that the catalog maps to nobody.
    #[must_use]
    pub fn is_unknown_account(&self) -> bool {
        self.0.ends_with(&format!("@{UNKNOWN_ACCOUNT_HOST}"))
    }

    /// The address, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

identifier!(
    /// A grant's id: `g-` and 26 characters, derived from what was approved and never drawn at random.
    GrantId,
    "grant id",
    "`g-` and 26 of a-z, 2-7, as shown in Curfew's replies",
    |text| text.len() == 28
        && text.strip_prefix("g-").is_some_and(|tail| {
            tail.chars().all(|c| c.is_ascii_lowercase() || ('2'..='7').contains(&c))
        })
);

/// What a grant's id is derived from. One approval has one identity however often it is delivered.
#[derive(Debug, Clone, Copy)]
pub struct GrantIdentity<'a> {
    /// Where the ticket lives.
    pub source: &'a Source,
    /// The ticket that was approved.
    pub ticket: &'a TicketId,
    /// The tenant that access is for.
    pub tenant: &'a TenantId,
    /// The role that access is for.
    pub role: &'a RoleName,
    /// Who receives it.
    pub principal: &'a Principal,
    /// 0 for the first try. A grant that failed before it took effect leaves the next number free.
    pub attempt: u32,
}

impl GrantId {
    /// Derives the id: the first 130 bits of SHA-256 over the length-prefixed parts.
    #[must_use]
    pub fn derive(identity: GrantIdentity<'_>) -> Self {
        let attempt = identity.attempt.to_string();
        let mut hash = Sha256::new();
        for part in [
            "curfew/grant/1",
            identity.source.as_str(),
            identity.ticket.as_str(),
            identity.tenant.as_str(),
            identity.role.as_str(),
            identity.principal.arn(),
            &attempt,
        ] {
            // The length in front keeps ("ab","c") and ("a","bc") apart.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut text = BASE32_NOPAD.encode(&hash.finalize()).to_ascii_lowercase();
        text.truncate(26);
        Self(format!("g-{text}"))
    }

    /// The name of everything that Curfew makes in AWS for this grant: its inline policy, its schedule
    /// or rule. 35 characters; the narrowest limit is Scheduler's 64
    /// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>).
    #[must_use]
    pub fn object_name(&self) -> String {
        format!("{OBJECT_PREFIX}{}", self.0)
    }

    /// The grant that an object in AWS is named after; none, if its name is no such name.
    #[must_use]
    pub fn of_object_name(name: &str) -> Option<Self> {
        Self::new(name.strip_prefix(OBJECT_PREFIX)?).ok()
    }
}

/// The prefix of every name that Curfew gives to an object in AWS.
pub const OBJECT_PREFIX: &str = "curfew-";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity_of(ticket: &str, role: &str, attempt: u32) -> GrantId {
        GrantId::derive(GrantIdentity {
            source: &Source::new("itsm").unwrap(),
            ticket: &TicketId::new(ticket).unwrap(),
            tenant: &TenantId::new("acme").unwrap(),
            role: &RoleName::new(role).unwrap(),
            principal: &Principal::parse("arn:aws:iam::111122223333:user/ana").unwrap(),
            attempt,
        })
    }

    #[test]
    fn a_grant_id_depends_on_every_part_and_on_nothing_else() {
        let id = identity_of("CHG-1", "ops", 0);
        assert_eq!(id, identity_of("CHG-1", "ops", 0));
        assert_ne!(id, identity_of("CHG-2", "ops", 0));
        assert_ne!(id, identity_of("CHG-1", "audit", 0));
        assert_ne!(id, identity_of("CHG-1", "ops", 1));
        assert_eq!(GrantId::new(id.as_str()), Ok(id.clone()));
        assert!(id.object_name().len() <= 64);
    }

    #[test]
    fn a_grant_id_stays_what_it_was_in_earlier_versions() {
        // Ids name live policies: changing how they are derived would orphan every one of them.
        assert_eq!(identity_of("CHG-1", "ops", 0).as_str(), "g-odvpfjviy2y5dfqamqrw24exbs");
    }

    #[test]
    fn a_name_in_aws_leads_back_to_its_grant_and_no_other_name_does() {
        let id = identity_of("CHG-1", "ops", 0);
        assert_eq!(GrantId::of_object_name(&id.object_name()), Some(id.clone()));
        let tail = "a".repeat(26);
        for foreign in [
            "curfew-",
            "curfew-g-",
            "admin",
            &format!("g-{tail}"),
            &format!("Curfew-g-{tail}"),
            &format!("curfew-g-{tail}a"),
            &format!("curfew-g-{}", "A".repeat(26)),
            &format!("curfew-g-{}", "1".repeat(26)),
            &format!("x-curfew-g-{tail}"),
            &format!("curfew-g-{tail} "),
        ] {
            assert_eq!(GrantId::of_object_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(identity_of("CHG-1a", "b", 0), identity_of("CHG-1", "ab", 0));
    }

    #[test]
    fn identifiers_refuse_what_could_hide_or_break_out() {
        for bad in ["", " ", "a b", "a\n", "a\u{0}", "a#b", "ａ", "a\u{202e}b", "-a", &"a".repeat(101)] {
            assert!(TicketId::new(bad).is_err(), "{bad:?}");
            assert!(TenantId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["CHG0030192", "PROJ-12", "a/b#c".split('#').next().unwrap()] {
            assert!(TicketId::new(good).is_ok(), "{good:?}");
        }
        assert!(TenantId::new("Acme").is_err());
    }

    #[test]
    fn one_person_has_one_address() {
        assert_eq!(Email::new("Ana@Example.COM"), Email::new("ana@example.com"));
        for bad in ["ana", "ana@", "@x.y", "ana@x", "ana@x..y", "аna@example.com", "a na@x.y", "a@b@c.d"] {
            assert!(Email::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refusal_shows_the_text_without_its_control_characters() {
        let error = TicketId::new("CHG\u{1b}[31m").unwrap_err();
        assert_eq!(
            error.to_string(),
            "ticket `CHG\\u{1b}[31m` is not valid: 1 to 100 of A-Z, a-z, 0-9 and `._:/=+@-`, and first a letter or digit"
        );
    }
}
