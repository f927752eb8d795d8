//! Reading a file's sections: `[tenant.…]`, `[permission.…]`, `[role.…]`, `[person.…]`.
//!
//! Checks each entry on its own; what needs other entries is checked in [`super::check`].

use std::fmt::Display;

use jiff::SignedDuration;
use toml::de::DeTable;

use super::DURATION_LIMIT;
use super::draft::{Declared, Draft, PersonDraft, RoleDraft};
use super::finding::Report;
use super::model::{Permission, Person, Quorum, Tenant};
use super::statements;
use super::table::{Located, Problem, Source, Table};
use crate::access::AgentRole;
use crate::document::{Scope, Template};
use crate::ids::{
    Email, GroupName, IdError, Label, PermissionName, RoleName, SourceAccount, TenantId, shown,
};
use crate::principal::{Principal, PrincipalKind};

/// Reads one file into the draft, as far as it can be read. Returns whether it is TOML at all.
pub(super) fn read(source: &Source<'_>, text: &str, draft: &mut Draft, report: &mut Report) -> bool {
    let (tree, mistakes) = DeTable::parse_recoverable(text);
    let is_toml = mistakes.is_empty();
    for mistake in mistakes {
        let place = source.place(mistake.span().map_or(0, |span| span.start));
        report.error(
            &place,
            format!("not valid TOML: {}", mistake.message()),
            "see https://toml.io/en/v1.0.0",
        );
    }
    let root = Table::new(source, "the catalog".to_owned(), 0, tree.get_ref());
    root.only(&["tenant", "permission", "role", "person"], &[], report);
    section(&root, "tenant", tenant, &mut draft.tenants, report);
    section(&root, "permission", permission, &mut draft.permissions, report);
    section(&root, "role", role, &mut draft.roles, report);
    section(&root, "person", person, &mut draft.people, report);
    is_toml
}

/// Reads every `[<kind>.<name>]` of a file.
fn section<K: Ord + Display + TryFrom<String, Error = IdError>, V>(
    root: &Table<'_>,
    kind: &str,
    read_entry: impl Fn(&K, &Table<'_>, &mut Report) -> Option<V>,
    declared: &mut Declared<K, V>,
    report: &mut Report,
) {
    let Some(entries) = root.table(kind, format!("`[{kind}]`"), report) else { return };
    for (key, _) in entries.entries() {
        let subject = format!("{kind} {}", shown(&key.value));
        let table = entries.table(&key.value, subject, report);
        let Some(name) = key.read(report, |name| K::try_from(name.to_owned())) else { continue };
        let value = table.and_then(|table| read_entry(&name, &table, report));
        declared.declare(kind, name, key.place, value, report);
    }
}

fn tenant(id: &TenantId, table: &Table<'_>, report: &mut Report) -> Option<Tenant> {
    table.only(
        &["account", "region", "agent_role", "external_id", "boundary", "environment", "labels"],
        &[],
        report,
    );
    let account = table.required_text("account", "\"111122223333\"", report);
    let region = table.required_text("region", "\"eu-central-1\"", report);
    // Each is checked with a value for the other that is known to be good: both mistakes are to be seen.
    let account = account.and_then(|account| {
        account
            .read(report, |text| Scope::new(id.clone(), text, "us-east-1"))
            .map(|scope| scope.account().to_owned())
    });
    let region = region.and_then(|region| {
        region
            .read(report, |text| Scope::new(id.clone(), "000000000000", text))
            .map(|scope| scope.region().to_owned())
    });
    let agent = agent(table, account.as_deref(), report);
    let boundary = table.text("boundary", report).and_then(|boundary| {
        boundary.read(report, |text| match policy_owner(text) {
            Some(owner) if owner == "aws" || account.as_deref().is_none_or(|own| own == owner) => {
                Ok(text.to_owned())
            }
            Some(_) => Err(Problem::new(
                format!("boundary {} is a policy of another account than the tenant's", shown(text)),
                "name a policy of the tenant's own account",
            )),
            None => Err(Problem::new(
                format!("boundary {} is not the ARN of a managed policy", shown(text)),
                "write it like \"arn:aws:iam::111122223333:policy/tenant-boundary\"",
            )),
        })
    });
    let scope = Scope::new(id.clone(), &account?, &region?).ok()?;
    let environment = table
        .text("environment", report)
        .and_then(|text| text.read(report, |word| Label::new(word).map_err(Problem::from)));
    let labels = names(table, "labels", report).unwrap_or_default();
    Some(Tenant {
        scope,
        agent,
        boundary,
        environment,
        labels: labels.into_iter().map(|label| label.value).collect(),
        place: table.place(),
    })
}

fn agent(table: &Table<'_>, account: Option<&str>, report: &mut Report) -> Option<AgentRole> {
    let external_id = table.text("external_id", report).and_then(|id| {
        id.read(report, |text| {
            // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (ExternalId)
            let fits = (2..=1_224).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c));
            let problem = || {
                Problem::new(
                    format!("external_id {} is none that AWS takes", shown(text)),
                    "use 2 to 1224 of A-Z, a-z, 0-9 and `_+=,.@:/-`",
                )
            };
            fits.then(|| text.to_owned()).ok_or_else(problem)
        })
    });
    if !table.has("agent_role") {
        if table.has("external_id") {
            let message =
                format!("{} has an `external_id`, but no `agent_role` to show it to", table.subject());
            report.error(&table.key_place("external_id"), message, "add the `agent_role`, or remove it");
        }
        return None;
    }
    if !table.has("external_id") {
        let message = format!("{} has an `agent_role`, but no `external_id`", table.subject());
        let remedy = "add the `external_id` that the role's trust policy asks for";
        report.error(&table.key_place("agent_role"), message, remedy);
    }
    let role_arn = table.text("agent_role", report)?.read(report, |text| {
        let role = Principal::parse(text)?;
        let here = account.is_none_or(|account| account == role.account());
        if role.kind() == PrincipalKind::Role && here {
            Ok(role.arn().to_owned())
        } else {
            Err(Problem::new(
                format!("agent_role {} is not a role in the tenant's account", shown(text)),
                "name the role that Curfew shall assume in that account",
            ))
        }
    })?;
    Some(AgentRole { role_arn, external_id: external_id? })
}

/// The account that a managed policy belongs to: `aws`, twelve digits or `${account}`. None if the text is
/// no such policy's ARN.
fn policy_owner(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let (
        Some("arn"),
        Some("aws" | "aws-cn" | "aws-us-gov"),
        Some("iam"),
        Some(""),
        Some(owner),
        Some(policy),
    ) = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let path = policy.strip_prefix("policy/")?;
    let plain = path.replace("${tenant}", "t").replace("${region}", "r");
    let fits = !plain.is_empty()
        && !plain.ends_with('/')
        && plain.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c));
    fits.then_some(owner)
}

fn permission(name: &PermissionName, table: &Table<'_>, report: &mut Report) -> Option<Permission> {
    table.only(&["description", "statement"], &[("Statement", "write `[[permission.….statement]]`")], report);
    let description = table.required_text("description", "\"What it is for\"", report);
    let statements = statements::read(name, table, report);
    let (name, place) = (name.clone(), table.place());
    Some(Permission { name, description: description?.value, statements: statements?, place })
}

fn role(_: &RoleName, table: &Table<'_>, report: &mut Report) -> Option<RoleDraft> {
    let known = [
        "description",
        "permissions",
        "includes",
        "access",
        "managed_policy",
        "max_duration",
        "default_duration",
        "tenants",
        "privileged",
        "eligible",
        "approvals",
        "labels",
    ];
    table.only(&known, &[], report);
    let description = table.required_text("description", "\"What it is for\"", report).map(|text| text.value);
    let access = table.text("access", report);
    let is_managed = access.as_ref().is_some_and(|access| access.value == "managed");
    if let Some(access) = access.filter(|access| !["inline", "managed"].contains(&access.value.as_str())) {
        let message = format!("access {} of {} is not known", shown(&access.value), table.subject());
        report.error(&access.place, message, "use \"inline\" or \"managed\"");
    }
    let managed = managed_policy(table, is_managed, report);
    let permissions = names(table, "permissions", report).unwrap_or_default();
    let includes = names(table, "includes", report).unwrap_or_default();
    if is_managed {
        for key in ["permissions", "includes"].into_iter().filter(|key| table.has(key)) {
            let message = format!("{} is managed, so its `{key}` would have no effect", table.subject());
            report.error(&table.key_place(key), message, "remove them, or use access = \"inline\"");
        }
    } else if !table.has("permissions") && !table.has("includes") {
        table.missing("permissions", "[\"view_logs\"]", report);
    }
    let max_duration = duration(table, "max_duration", report);
    let default_duration = duration(table, "default_duration", report);
    if let (Some(max), Some(default)) = (&max_duration, &default_duration)
        && default.value > max.value
    {
        let message = format!(
            "`default_duration` of {} is {:#}, longer than its `max_duration` of {:#}",
            table.subject(),
            default.value,
            max.value
        );
        report.error(&default.place, message, "shorten the default or lengthen the maximum");
    }
    let tenants = names(table, "tenants", report);
    let eligible = names(table, "eligible", report).unwrap_or_default();
    let labels = names(table, "labels", report).unwrap_or_default();
    let approvals = table.list("approvals", report).unwrap_or_default();
    Some(RoleDraft {
        eligible: eligible.into_iter().map(|group| group.value).collect(),
        approvals: approvals.into_iter().filter_map(|text| text.read(report, quorum)).collect(),
        labels: labels.into_iter().map(|label| label.value).collect(),
        description,
        permissions,
        includes,
        max_duration,
        default_duration,
        managed,
        is_managed,
        tenants,
        privileged: table.flag("privileged", report),
    })
}

fn managed_policy(table: &Table<'_>, is_managed: bool, report: &mut Report) -> Option<Template> {
    const KEY: &str = "managed_policy";
    if !is_managed {
        if table.has(KEY) {
            let message = format!("{} has a `{KEY}`, but is not managed", table.subject());
            report.error(&table.key_place(KEY), message, "add access = \"managed\", or remove it");
        }
        return None;
    }
    let message = format!(
        "{} is managed, and AWS can't time-box that: locks (b) timer and (c) sweep alone end it",
        table.subject()
    );
    let remedy = "prefer access = \"inline\" wherever the permissions can be written down";
    report.warning(&table.key_place("access"), message, remedy);
    table.required_text(KEY, "\"arn:aws:iam::aws:policy/SecurityAudit\"", report)?.read(report, |text| {
        match policy_owner(text) {
            Some("aws" | "${account}") => Ok(Template::parse(text)?),
            Some(_) => Err(Problem::new(
                format!("{KEY} {} is tied to one account", shown(text)),
                "write `${account}` for the account, so that each tenant's own policy is meant",
            )),
            None => Err(Problem::new(
                format!("{KEY} {} is not the ARN of a managed policy", shown(text)),
                "write it like \"arn:aws:iam::aws:policy/SecurityAudit\" or \"arn:aws:iam::${account}:policy/ops\"",
            )),
        }
    })
}

/// `"2 of security"`, `"managers"` (one of them), or `"2 of anybody"`.
fn quorum(text: &str) -> Result<Quorum, Problem> {
    const FORM: &str = "write it like \"managers\", \"2 of security\" or \"2 of anybody\"";
    let (count, group) = match text.split_once(" of ") {
        None => (1, text),
        Some((count, group)) => match count.parse::<usize>() {
            Ok(count @ 1..=9) => (count, group),
            _ => {
                return Err(Problem::new(
                    format!("approvals {} has no count from 1 to 9", shown(text)),
                    FORM,
                ));
            }
        },
    };
    let group = (group != "anybody").then(|| GroupName::new(group)).transpose();
    let group = group.map_err(|error| Problem::new(error.to_string(), FORM))?;
    Ok(Quorum { group, count })
}

/// A list of names of other entries.
fn names<T: TryFrom<String, Error = IdError>>(
    table: &Table<'_>,
    key: &str,
    report: &mut Report,
) -> Option<Vec<Located<T>>> {
    let list = table.list(key, report)?;
    let located = |text: Located<String>| {
        text.read(report, |name| T::try_from(name.to_owned()))
            .map(|value| Located { value, place: text.place.clone() })
    };
    Some(list.into_iter().filter_map(located).collect())
}

fn duration(table: &Table<'_>, key: &str, report: &mut Report) -> Option<Located<SignedDuration>> {
    let text = table.required_text(key, "\"4h\"", report)?;
    let value = text.read(report, |text| {
        let told = || format!("`{key}` of {} is {}", table.subject(), shown(text));
        let Ok(span) = text.parse::<SignedDuration>() else {
            let remedy = "write it like \"4h\", \"1h 30m\" or \"PT4H\"";
            return Err(Problem::new(format!("{}, which is not a duration", told()), remedy));
        };
        if !span.is_positive() {
            return Err(Problem::new(
                format!("{}, which is not positive", told()),
                "make it longer than zero",
            ));
        }
        if span.subsec_nanos() != 0 {
            return Err(Problem::new(
                format!("{}, with a fraction of a second", told()),
                "use whole seconds",
            ));
        }
        if span > DURATION_LIMIT {
            let message = format!("{}, longer than Curfew lets any access last", told());
            return Err(Problem::new(message, format!("use at most {DURATION_LIMIT:#}")));
        }
        Ok(span)
    })?;
    Some(Located { value, place: text.place })
}

fn person(email: &Email, table: &Table<'_>, report: &mut Report) -> Option<PersonDraft> {
    table.only(&["groups", "principals", "aliases", "accounts"], &[], report);
    let groups = names(table, "groups", report).unwrap_or_default();
    let mut principals = Vec::new();
    for text in table.list("principals", report).unwrap_or_default() {
        if let Some(value) = text.read(report, Principal::parse) {
            principals.push(Located { value, place: text.place });
        }
    }
    let mut aliases = Vec::new();
    for text in table.list("aliases", report).unwrap_or_default() {
        if let Some(value) = text.read(report, |alias| Email::new(alias).map_err(Problem::from)) {
            aliases.push(Located { value, place: text.place });
        }
    }
    let accounts: Vec<Located<SourceAccount>> = names(table, "accounts", report).unwrap_or_default();
    let own = std::iter::once((email, table.place()));
    for (address, place) in own.chain(aliases.iter().map(|alias| (&alias.value, alias.place.clone()))) {
        if address.is_unknown_account() {
            let message = format!("address `{address}` stands for accounts that nobody has");
            report.error(&place, message, "write the account into the person's `accounts` instead");
        }
    }
    let person = Person {
        email: email.clone(),
        aliases: aliases.iter().map(|alias| alias.value.clone()).collect(),
        accounts: accounts.iter().map(|account| account.value.clone()).collect(),
        groups: groups.into_iter().map(|group| group.value).collect(),
        principals: principals.iter().map(|principal| principal.value.clone()).collect(),
    };
    Some(PersonDraft { person, principals, aliases, accounts })
}
