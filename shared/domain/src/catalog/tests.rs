//! The catalog's checks: each mistake is found, at its line, and no other.

mod identities;
mod mistakes;
mod outliving;

use jiff::SignedDuration;

use super::*;
use crate::ids::GroupName;

/// A small catalog of four files, as one ships with the template (which `tests/shipped_catalog/` is about).
const SAMPLE: [(&str, &str); 4] = [
    ("tenants.toml", "[tenant.example]\naccount = \"111122223333\"\nregion = \"eu-central-1\"\n"),
    (
        "permissions.toml",
        r#"[permission.view_logs]
description = "Read the logs"
statement = [{ Effect = "Allow", Action = "logs:GetLogEvents", Resource = "*" }]
[permission.restart_service]
description = "Restart what is stuck"
[[permission.restart_service.statement]]
Effect = "Allow"
Action = "ecs:UpdateService"
Resource = "arn:aws:ecs:${region}:${account}:service/${tenant}-*/*"
"#,
    ),
    (
        "roles.toml",
        r#"[role.reader]
description = "Look"
permissions = ["view_logs"]
max_duration = "8h"
default_duration = "2h"
[role.prod-ops]
description = "Handle an incident"
includes = ["reader"]
permissions = ["restart_service"]
max_duration = "4h"
default_duration = "1h"
[role.prod-audit]
description = "Review"
access = "managed"
managed_policy = "arn:aws:iam::aws:policy/SecurityAudit"
max_duration = "2h"
default_duration = "1h"
"#,
    ),
    (
        "people.toml",
        "[person.\"ana@example.com\"]\ngroups = [\"engineering\"]\n\
         principals = [\"arn:aws:iam::111122223333:role/ana\"]\n",
    ),
];

fn files(named: &[(&str, &str)]) -> Vec<CatalogFile> {
    named.iter().map(|(name, text)| CatalogFile { name: (*name).into(), text: (*text).into() }).collect()
}

fn parse(named: &[(&str, &str)]) -> Result<Catalog, Findings> {
    Catalog::parse(&files(named))
}

fn role_of(catalog: &Catalog, name: &str) -> Role {
    catalog.role(&RoleName::new(name).unwrap()).unwrap().clone()
}

#[test]
fn a_managed_role_is_told_of_and_nothing_else_is() {
    let catalog = parse(&SAMPLE).unwrap();
    let warnings: Vec<String> = catalog.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("roles.toml:"), "{warnings:?}");
    assert!(
        warnings[0].contains("warning: role `prod-audit` is managed, and AWS can't time-box that"),
        "{warnings:?}"
    );
    assert!(warnings[0].contains("locks (b) timer and (c) sweep alone end it"), "{warnings:?}");
    assert_eq!(catalog.check_own_account("111122223333"), []);
}

#[test]
fn what_was_written_can_be_looked_up() {
    let catalog = parse(&SAMPLE).unwrap();
    let tenant = catalog.tenant(&TenantId::new("example").unwrap()).unwrap();
    assert_eq!((tenant.account(), tenant.region()), ("111122223333", "eu-central-1"));
    assert_eq!((tenant.route().agent, tenant.boundary()), (None, None));
    let ops = role_of(&catalog, "prod-ops");
    let permissions: Vec<&str> = ops.permissions().iter().map(PermissionName::as_str).collect();
    assert_eq!(permissions, ["restart_service", "view_logs"]);
    assert_eq!(ops.max_duration(), SignedDuration::from_hours(4));
    assert_eq!(ops.default_duration(), SignedDuration::from_hours(1));
    let RoleAccess::Inline { statements } = ops.access() else { panic!("{ops:?}") };
    assert_eq!(statements.len(), 2);
    let audit = role_of(&catalog, "prod-audit");
    let RoleAccess::Managed { policy } = audit.access() else { panic!("{audit:?}") };
    assert_eq!(policy.expand(tenant.scope()), "arn:aws:iam::aws:policy/SecurityAudit");
    let ana = catalog.person(&Email::new("Ana@Example.com").unwrap()).unwrap();
    assert!(ana.groups().contains(&GroupName::new("engineering").unwrap()));
    assert_eq!(ana.principals_in("111122223333").count(), 1);
    assert_eq!(ana.principals_in("222233334444").count(), 0);
    assert!(catalog.role(&RoleName::new("nobody").unwrap()).is_none());
}

#[test]
fn a_role_limited_to_tenants_is_had_in_those_alone() {
    let catalog = parse(&[(
        "c.toml",
        r#"
        [tenant.a]
        account = "111122223333"
        region = "eu-central-1"
        [tenant.b]
        account = "111122223333"
        region = "eu-central-1"
        [permission.p]
        description = "d"
        statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "*" }]
        [role.r]
        description = "d"
        permissions = ["p"]
        max_duration = "PT4H"
        default_duration = "90m"
        tenants = ["a"]
        "#,
    )])
    .unwrap();
    let role = role_of(&catalog, "r");
    assert!(role.is_available_in(&TenantId::new("a").unwrap()));
    assert!(!role.is_available_in(&TenantId::new("b").unwrap()));
    assert_eq!(role.default_duration(), SignedDuration::from_mins(90));
}

#[test]
fn the_digest_depends_on_names_and_texts_but_not_on_order() {
    let [a, b, c, d] = SAMPLE;
    let digest = |files: &[(&str, &str)]| parse(files).unwrap().digest().to_owned();
    let sample = digest(&SAMPLE);
    assert_eq!(sample.len(), 64);
    assert_eq!(digest(&[d, b, a, c]), sample);
    assert_ne!(digest(&[a, b, c, ("z.toml", d.1)]), sample);
    assert_ne!(digest(&[a, b, c, (d.0, &format!("{} ", d.1))]), sample);
    assert_ne!(digest(&[a, b, c, d, ("empty.toml", "")]), sample);
}

#[test]
fn a_tenant_in_another_account_needs_an_agent_role() {
    let text = |agent: &str| {
        format!("\n[tenant.far]\naccount = \"222233334444\"\nregion = \"eu-central-1\"\n{agent}")
    };
    let without = parse(&[("t.toml", &text(""))]).unwrap();
    let findings = without.check_own_account("111122223333");
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 1);
    assert!(
        shown[0].starts_with("t.toml:2:9: error: tenant `far` is in account `222233334444`"),
        "{shown:?}"
    );
    assert_eq!(without.check_own_account("222233334444"), []);

    let agent = "agent_role = \"arn:aws:iam::222233334444:role/agent\"\nexternal_id = \"x-1\"";
    let with = parse(&[("t.toml", &text(agent))]).unwrap();
    assert_eq!(with.check_own_account("111122223333"), []);
    let route = with.tenants().next().unwrap().route();
    let agent = route.agent.unwrap();
    assert_eq!(
        (agent.role_arn.as_str(), agent.external_id.as_str()),
        ("arn:aws:iam::222233334444:role/agent", "x-1")
    );
}

#[test]
fn places_count_lines_and_characters_from_one() {
    let source = table::Source::new("f.toml", "äb\nc\n");
    for (offset, line, column) in [(0, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 1), (5, 2, 2), (6, 3, 1)] {
        let place = source.place(offset);
        assert_eq!((place.line, place.column), (line, column), "offset {offset}");
    }
}

#[test]
fn a_role_is_privileged_if_it_says_so() {
    let with = |line: &str| {
        let text = format!(
            "[tenant.acme]\naccount = \"111122223333\"\nregion = \"eu-central-1\"\n\
             [permission.read]\ndescription = \"Read\"\n\
             statement = [{{ Effect = \"Allow\", Action = \"s3:GetObject\", Resource = \"arn:aws:s3:::a/*\" }}]\n\
             [role.ops]\ndescription = \"Operate\"\npermissions = [\"read\"]\n\
             max_duration = \"4h\"\ndefault_duration = \"1h\"\n{line}\n"
        );
        role_of(&parse(&[("c.toml", &text)]).unwrap(), "ops").privileged()
    };
    assert_eq!([with(""), with("privileged = false"), with("privileged = true")], [false, false, true]);
}
