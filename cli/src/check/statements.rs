//! Statements that reach further than their tenant.
//!
//! Judged by what they come to: a statement is filled in for each tenant that may have it, and what comes out is
//! compared. Two tenants of different accounts are kept apart by AWS itself, so they are not compared; resources that
//! other accounts share by policies of their own are beyond this, and so is what a `Deny` takes away.

use std::collections::{BTreeMap, BTreeSet};

use curfew_domain::catalog::{Permission, Tenant};
use curfew_domain::document::{PolicyEffect, Scope, Statement, Template};
use curfew_domain::ids::{PermissionName, TenantId};

use super::finding::{Grade, Report, Rule};
use super::pattern::overlap;
use crate::rulebook::Rulebook;

pub(crate) fn check(rulebook: &Rulebook, report: &mut Report) {
    let mut holders: BTreeMap<&PermissionName, BTreeMap<&TenantId, &Tenant>> = BTreeMap::new();
    for role in rulebook.catalog.roles() {
        for tenant in rulebook.catalog.tenants().filter(|tenant| role.is_available_in(tenant.id())) {
            for name in role.permissions() {
                holders.entry(name).or_default().insert(tenant.id(), tenant);
            }
        }
    }
    for permission in rulebook.catalog.permissions() {
        let tenants: Vec<&Tenant> = holders
            .get(permission.name())
            .into_iter()
            .flat_map(|tenants| tenants.values().copied())
            .collect();
        for (index, statement) in permission.statements().iter().enumerate() {
            if statement.effect() == PolicyEffect::Allow {
                let one = One { permission, number: index.saturating_add(1), statement };
                one.check(rulebook, &tenants, report);
            }
        }
    }
}

struct One<'a> {
    permission: &'a Permission,
    number: usize,
    statement: &'a Statement,
}

impl One<'_> {
    fn check(&self, rulebook: &Rulebook, tenants: &[&Tenant], report: &mut Report) {
        let name = format!("statement {} of permission `{}`", self.number, self.permission.name());
        let mut add = |what: (Rule, Grade), message: String, remedy: &str| {
            report.add(what, &rulebook.folders.catalog, self.permission.place(), message, remedy);
        };
        if !self.is_scoped() {
            let message = format!("{name} names neither the tenant nor its account or region");
            let remedy =
                "put `${tenant}` into its resources, or a condition on the tenant's tag, account or region";
            add((Rule::UnscopedStatement, Grade::Warning), message, remedy);
            return;
        }
        let (mut same, mut overlapping) = (Vec::new(), Vec::new());
        for (index, a) in tenants.iter().enumerate() {
            let later = tenants.iter().skip(index.saturating_add(1));
            for b in later.filter(|b| b.account() == a.account()) {
                match self.compare(a.scope(), b.scope()) {
                    Reach::Apart => {}
                    Reach::Same => same.push((a, b)),
                    Reach::Overlap(pattern) => overlapping.push((a, b, pattern)),
                }
            }
        }
        if let Some((a, b)) = same.first() {
            let message = format!(
                "{name} is the same for tenants `{}` and `{}`, which are in one account: what is had in one is had in \
                 the other{}",
                a.id(),
                b.id(),
                more(same.len())
            );
            let remedy =
                "name the tenant in its resources or by a tag, or give the tenants accounts of their own";
            add((Rule::SharedStatement, Grade::Warning), message, remedy);
        }
        if let Some((a, b, pattern)) = overlapping.first() {
            let message = format!(
                "{name}: `{pattern}` of tenant `{}` also matches what is tenant `{}`'s{}",
                a.id(),
                b.id(),
                more(overlapping.len())
            );
            let remedy =
                "end the tenant's name with something that no name may hold, like `/`, or rename a tenant";
            add((Rule::TenantsOverlap, Grade::Error), message, remedy);
        }
        if let (None, Some((a, b, pattern))) = (overlapping.first(), self.loose_condition(tenants)) {
            let message = format!(
                "{name}: in a condition `{pattern}` of tenant `{}` also matches what is tenant `{}`'s",
                a.id(),
                b.id()
            );
            let remedy =
                "end the tenant's name with something that no name may hold, like `/`, or rename a tenant";
            add((Rule::TenantsOverlap, Grade::Warning), message, remedy);
        }
    }

    /// Whether all its resources, or one of its conditions, depend on what the tenant is; or a tag decides.
    fn is_scoped(&self) -> bool {
        let of_resources =
            self.statement.resources().all(|resource| depends(resource.template(), &["t", "a"]));
        let of_conditions = self.restrictions().any(|(key, values)| {
            key.to_ascii_lowercase().contains("tag/")
                || values.iter().all(|value| depends(value, &["t", "a"]))
                // Beside its region another one may have to stand: IAM answers from `us-east-1` alone.
                || values.iter().any(|value| depends(value, &["r"]))
        });
        of_resources || of_conditions
    }

    /// Conditions that must be met by one of their values. With `IfExists` and `ForAllValues` nothing need be there, and
    /// what must not be met keeps nobody in.
    fn restrictions(&self) -> impl Iterator<Item = (&str, &BTreeSet<Template>)> {
        self.statement.conditions().iter().filter_map(|(operator, key, values)| {
            let plain = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
            let restricts = matches!(
                plain,
                "StringEquals" | "StringEqualsIgnoreCase" | "StringLike" | "ArnEquals" | "ArnLike"
            );
            restricts.then_some((key, values))
        })
    }

    fn compare(&self, a: &Scope, b: &Scope) -> Reach {
        for (_, values) in self.restrictions() {
            let (of_a, of_b) = (filled(values, a), filled(values, b));
            if !of_a.iter().any(|one| of_b.iter().any(|other| overlap(one, other))) {
                return Reach::Apart;
            }
        }
        let mut reach = Reach::Apart;
        for one in self.statement.resources() {
            let of_a = for_iam(&one.template().expand(a));
            for other in self.statement.resources() {
                let of_b = for_iam(&other.template().expand(b));
                if of_a == of_b {
                    reach = Reach::Same;
                } else if overlap(&of_a, &of_b) && of_a != "*" && of_b != "*" {
                    return Reach::Overlap(of_a);
                }
            }
        }
        reach
    }

    /// A pattern in a condition that names one tenant and matches another.
    fn loose_condition<'a>(&self, tenants: &[&'a Tenant]) -> Option<(&'a Tenant, &'a Tenant, String)> {
        for (_, values) in self.restrictions() {
            for (value, (a, b)) in
                values.iter().flat_map(|value| pairs(tenants).map(move |pair| (value, pair)))
            {
                let (of_a, of_b) = (for_iam(&value.expand(a.scope())), for_iam(&value.expand(b.scope())));
                if of_a != of_b && overlap(&of_a, &of_b) {
                    return Some((a, b, of_a));
                }
            }
        }
        None
    }
}

enum Reach {
    Apart,
    Same,
    Overlap(String),
}

fn pairs<'a>(tenants: &[&'a Tenant]) -> impl Iterator<Item = (&'a Tenant, &'a Tenant)> {
    tenants.iter().enumerate().flat_map(|(index, a)| {
        let later = tenants.iter().skip(index.saturating_add(1));
        later.filter(|b| b.account() == a.account()).map(|b| (*a, *b))
    })
}

fn more(count: usize) -> String {
    match count.saturating_sub(1) {
        0 => String::new(),
        others => format!(" (and {others} more pair(s) of tenants)"),
    }
}

fn filled(values: &BTreeSet<Template>, scope: &Scope) -> Vec<String> {
    values.iter().map(|value| for_iam(&value.expand(scope))).collect()
}

/// A text with IAM's own variables as what they may become: anything.
fn for_iam(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        out.push('*');
        rest = after.split_once('}').map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    out
}

/// Whether a text is another one for another tenant (`t`), account (`a`) or region (`r`).
fn depends(template: &Template, on: &[&str]) -> bool {
    let scope = |tenant: &str, account: &str, region: &str| {
        Scope::new(TenantId::new(tenant).ok()?, account, region).ok()
    };
    let plain = ("one", "111111111111", "eu-west-1");
    let filled = |(tenant, account, region): (&str, &str, &str)| {
        scope(tenant, account, region).map(|scope| template.expand(&scope))
    };
    on.iter().any(|what| {
        let other = match *what {
            "t" => ("two", plain.1, plain.2),
            "a" => (plain.0, "222222222222", plain.2),
            _ => (plain.0, plain.1, "us-east-1"),
        };
        filled(plain) != filled(other)
    })
}
