//! One mistake at a time in a catalog that is otherwise right: found at its line, named, and alone.

use super::*;

/// A catalog without mistakes. Tests replace a piece of it or add to its end.
pub(super) const GOOD: &str = r#"[tenant.acme]
account = "111122223333"
region = "eu-central-1"

[permission.read]
description = "Read"
[[permission.read.statement]]
Effect = "Allow"
Action = ["s3:GetObject"]
Resource = "arn:aws:s3:::${tenant}/*"

[role.ops]
description = "Operate"
permissions = ["read"]
max_duration = "4h"
default_duration = "1h"

[person."ana@example.com"]
groups = ["eng"]
principals = ["arn:aws:iam::111122223333:role/ana"]
"#;

/// Lines in [`GOOD`], plus one for what is appended: the first appended line is `END`.
pub(super) const END: usize = 21;

#[track_caller]
pub(super) fn check_text(text: &str, line: usize, column: usize, severity: &str, fragments: &[&str]) {
    let found: Vec<String> = match parse(&[("c.toml", text)]) {
        Ok(catalog) => catalog.warnings().iter().map(ToString::to_string).collect(),
        Err(findings) => findings.as_slice().iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found.len(), 1, "exactly one finding in {found:#?}");
    let start = format!("c.toml:{line}:{column}: {severity}: ");
    assert!(found[0].starts_with(&start), "{} does not start with {start}", found[0]);
    for fragment in fragments {
        assert!(found[0].contains(fragment), "{} does not say {fragment}", found[0]);
    }
}

/// Replaces `from` in the good catalog by `to`.
#[track_caller]
pub(super) fn replaced(from: &str, to: &str, line: usize, column: usize, fragments: &[&str]) {
    assert_eq!(GOOD.matches(from).count(), 1, "{from} must stand once in the good catalog");
    check_text(&GOOD.replace(from, to), line, column, "error", fragments);
}

/// Adds `more` to the end of the good catalog; `line` counts from the first added line, as 0.
#[track_caller]
pub(super) fn added(more: &str, line: usize, column: usize, fragments: &[&str]) {
    check_text(&format!("{GOOD}{more}"), END + line, column, "error", fragments);
}

/// Adds `more` and expects a warning.
#[track_caller]
pub(super) fn warned(more: &str, line: usize, column: usize, fragments: &[&str]) {
    check_text(&format!("{GOOD}{more}"), END + line, column, "warning", fragments);
}

#[test]
fn the_good_catalog_is_good() {
    assert_eq!(parse(&[("c.toml", GOOD)]).unwrap().warnings(), []);
    assert_eq!(GOOD.lines().count() + 1, END);
}

#[test]
fn no_file_is_no_catalog() {
    let shown = parse(&[]).unwrap_err().to_string();
    assert_eq!(shown, "catalog:1:1: error: there is no catalog file; add one with the ending `.toml`");
}

#[test]
fn what_is_no_toml() {
    replaced("\"4h\"", "4h", 15, 16, &["not valid TOML", "string values must be quoted"]);
    added("[role", 0, 6, &["not valid TOML", "unclosed table"]);
    added("groups = [\"twice\"]\n", 0, 1, &["not valid TOML", "duplicate key"]);
}

#[test]
fn unknown_keys() {
    added("[roles.x]\n", 0, 2, &["the catalog", "`roles`", "`tenant`, `permission`, `role`, `person`"]);
    replaced("region =", "regoin = \"x\"\nregion =", 3, 1, &["tenant `acme`", "`regoin`", "`region`"]);
    replaced(
        "Effect =",
        "effect = \"Allow\"\nEffect =",
        8,
        1,
        &["statement 1 of permission `read`", "`effect`"],
    );
    replaced("[role.ops]", "[role.ops]\nmax = 1", 13, 1, &["role `ops`", "`max`", "`max_duration`"]);
    replaced("groups =", "teams = []\ngroups =", 19, 1, &["person `ana@example.com`", "`teams`"]);
    replaced("[permission.read]", "[permission.read]\nfoo = 1", 6, 1, &["permission `read`", "`foo`"]);
}

#[test]
fn keys_of_iam_that_a_permission_has_not() {
    for (key, why) in [
        ("NotAction", "every action that AWS adds later"),
        ("NotResource", "other tenants included"),
        ("Principal", "grant's own principal"),
        ("NotPrincipal", "grant's own principal"),
        ("Sid", "statements are merged"),
    ] {
        let more = format!("{key} = \"x\"\nEffect =");
        replaced("Effect =", &more, 8, 1, &["statement 1 of permission `read`", key, why]);
    }
}

#[test]
fn missing_keys() {
    replaced("account = \"111122223333\"\n", "", 1, 9, &["tenant `acme` has no `account`"]);
    replaced("region = \"eu-central-1\"\n", "", 1, 9, &["tenant `acme` has no `region`"]);
    replaced("description = \"Read\"\n", "", 5, 13, &["permission `read` has no `description`"]);
    replaced("description = \"Operate\"\n", "", 12, 7, &["role `ops` has no `description`"]);
    replaced("permissions = [\"read\"]\n", "", 12, 7, &["role `ops` has no `permissions`"]);
    replaced("max_duration = \"4h\"\n", "", 12, 7, &["role `ops` has no `max_duration`"]);
    replaced("default_duration = \"1h\"\n", "", 12, 7, &["role `ops` has no `default_duration`"]);
    replaced("Effect = \"Allow\"\n", "", 7, 1, &["statement 1 of permission `read` has no `Effect`"]);
    replaced("Action = [\"s3:GetObject\"]\n", "", 7, 1, &["has no `Action`"]);
    replaced("Resource = \"arn:aws:s3:::${tenant}/*\"\n", "", 7, 1, &["has no `Resource`"]);
    added("[permission.bare]\ndescription = \"d\"\n", 0, 13, &["permission `bare` has no `statement`"]);
}

#[test]
fn wrong_types() {
    replaced("\"4h\"", "4", 15, 16, &["`max_duration` of role `ops` is an integer", "make it a string"]);
    replaced(
        "[\"read\"]",
        "\"read\"",
        14,
        15,
        &["`permissions` of role `ops` is a string", "list of strings"],
    );
    replaced("[\"read\"]", "[\"read\", 1]", 14, 24, &["`permissions` of role `ops` is an integer"]);
    replaced(
        "max_duration =",
        "privileged = \"yes\"\nmax_duration =",
        15,
        14,
        &["`privileged` of role `ops` is a string", "`true` or `false`"],
    );
    replaced("[[permission.read.statement]]", "[permission.read.statement]", 7, 1, &["is a table", "[[…]]"]);
    added("[tenant]\nx = 1\n", 1, 5, &["`x` of `[tenant]` is an integer", "make it a table"]);
    added("person.x = 1\n", 0, 1, &["principals"]);
}

#[test]
fn empty_values() {
    replaced("[\"read\"]", "[]", 14, 1, &["`permissions` of role `ops` is empty"]);
    replaced("[\"eng\"]", "[]", 19, 1, &["`groups` of person `ana@example.com` is empty"]);
    replaced("[\"arn:aws:iam::111122223333:role/ana\"]", "[]", 20, 1, &["`principals`", "is empty"]);
    replaced("[\"s3:GetObject\"]", "[]", 9, 1, &["`Action`", "is empty"]);
    replaced("\"Operate\"", "\" \"", 13, 15, &["`description` of role `ops` is blank"]);
    replaced("default_duration =", "tenants = []\ndefault_duration =", 16, 1, &["`tenants`", "is empty"]);
    replaced("Effect =", "Condition = {}\nEffect =", 8, 1, &["`Condition`", "is empty"]);
    replaced("Effect =", "Condition = { Bool = {} }\nEffect =", 8, 15, &["`Bool`", "is empty"]);
    let none = "Condition = { Bool = { \"aws:SecureTransport\" = [] } }\nEffect =";
    replaced("Effect =", none, 8, 24, &["`aws:SecureTransport`", "is empty"]);
}

#[test]
fn names_and_values_that_are_none() {
    replaced("[tenant.acme]", "[tenant.Acme]", 1, 9, &["tenant `Acme` is not valid", "a-z"]);
    replaced("[role.ops]", "[role.\"o ps\"]", 12, 7, &["role `o ps` is not valid"]);
    replaced("\"ana@example.com\"", "ana", 18, 9, &["person `ana` is not valid"]);
    replaced("\"eng\"", "\"E N G\"", 19, 11, &["group `E N G` is not valid"]);
    replaced("\"111122223333\"", "\"1111\"", 2, 11, &["account `1111` is not an AWS account id"]);
    replaced("\"eu-central-1\"", "\"Frankfurt\"", 3, 10, &["region `Frankfurt` is not an AWS region"]);
    replaced("\"Allow\"", "\"allow\"", 8, 10, &["is `allow`", "\"Allow\" or \"Deny\""]);
    replaced("\"s3:GetObject\"", "\"GetObject\"", 9, 11, &["action `GetObject`"]);
    replaced("arn:aws:s3:::${tenant}/*", "bucket", 10, 12, &["resource `bucket`"]);
    replaced("${tenant}", "${tennant}", 10, 12, &["placeholder `${tennant}` is not known", "`${tenant}`"]);
    replaced("[\"read\"]", "[\"read\", \"read\"]", 14, 24, &["`permissions` of role `ops` has `read` twice"]);
    replaced(
        "max_duration",
        "access = \"sso\"\nmax_duration",
        15,
        10,
        &["access `sso`", "\"inline\" or \"managed\""],
    );
}

#[test]
fn conditions() {
    for (condition, column, fragments) in [
        (
            "{ DateLessThan = { \"aws:CurrentTime\" = \"2030-01-01T00:00:00Z\" } }",
            32,
            ["`aws:CurrentTime`", "window"],
        ),
        ("{ Bool = { \"AWS:currenttime\" = true } }", 24, ["`AWS:currenttime`", "window"]),
        ("{ stringlike = { \"s3:prefix\" = \"x\" } }", 15, ["`stringlike`", "condition operator"]),
        ("{ StringLike = { prefix = \"x\" } }", 30, ["`prefix`", "condition key"]),
        ("{ StringLike = { \"s3:prefix\" = [\"a\", \"${tenent}\"] } }", 50, ["`${tenent}`", "not known"]),
        ("{ StringLike = \"x\" }", 28, ["`StringLike`", "make it a table"]),
        ("{ StringLike = { \"s3:prefix\" = 1.5 } }", 44, ["`s3:prefix`", "is a float"]),
        (
            "{ StringLike = { \"\\u001B\\u202E\" = 1.5 } }",
            47,
            ["`\\u{1b}\\u{202e}` of `StringLike`", "is a float"],
        ),
    ] {
        let more = format!("Condition = {condition}\nEffect =");
        let text = GOOD.replace("Effect =", &more);
        check_text(&text, 8, column, "error", &fragments);
    }
    let twice = "Condition = { Bool = { \"aws:x\" = 1, \"AWS:X\" = 2 } }\nEffect =";
    let found = parse(&[("c.toml", &GOOD.replace("Effect =", twice))]).unwrap_err().to_string();
    assert!(found.starts_with("c.toml:8:") && found.contains("stands twice"), "{found}");
}

#[test]
fn references() {
    replaced("[\"read\"]", "[\"read\", \"write\"]", 14, 24, &["permission `write` is not defined", "`read`"]);
    replaced(
        "max_duration",
        "includes = [\"gone\"]\nmax_duration",
        15,
        13,
        &["role `gone` is not defined", "`ops`"],
    );
    replaced(
        "max_duration",
        "tenants = [\"gone\"]\nmax_duration",
        15,
        12,
        &["tenant `gone` is not defined", "`acme`"],
    );
}

#[test]
fn a_broken_entry_is_no_missing_one() {
    // One finding each: the role's reference to it is not a second one.
    replaced("\"s3:GetObject\"", "\"\"", 9, 11, &["`Action`", "is blank"]);
    replaced(
        "max_duration",
        "tenants = [\"acme\"]\nregion = 1\nmax_duration",
        16,
        1,
        &["role `ops` can't have the key `region`"],
    );
}

#[test]
fn durations() {
    replaced(
        "\"4h\"",
        "\"4 fortnights\"",
        15,
        16,
        &["`max_duration` of role `ops` is `4 fortnights`", "not a duration"],
    );
    replaced("\"4h\"", "\"12h 1s\"", 15, 16, &["`12h 1s`", "longer than Curfew lets", "12h"]);
    replaced("\"1h\"", "\"0s\"", 16, 20, &["`default_duration` of role `ops` is `0s`", "not positive"]);
    replaced("\"1h\"", "\"-1h\"", 16, 20, &["`-1h`", "not positive"]);
    replaced("\"1h\"", "\"1h ago\"", 16, 20, &["`1h ago`", "not positive"]);
    replaced("\"1h\"", "\"PT0.5S\"", 16, 20, &["`PT0.5S`", "fraction of a second"]);
    replaced(
        "\"1h\"",
        "\"4h 1s\"",
        16,
        20,
        &["`default_duration` of role `ops`", "4h 1s", "longer than its `max_duration` of 4h"],
    );
}

#[test]
fn definitions_in_two_files() {
    let second = "\n[role.ops]\ndescription = \"again\"\npermissions = [\"read\"]\nmax_duration = \"1h\"\ndefault_duration = \"1h\"\n\
                  [person.\"ANA@example.com\"]\n";
    let found = parse(&[("b.toml", second), ("a.toml", GOOD)]).unwrap_err();
    let shown: Vec<String> = found.as_slice().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "b.toml:2:7: error: role `ops` is defined already, at a.toml:12; keep one of the two",
            "b.toml:7:9: error: person `ana@example.com` is defined already, at a.toml:18; keep one of the two",
        ]
    );
}

#[test]
fn tenants() {
    let agent = "arn:aws:iam::111122223333:role/agent";
    for (lines, line, column, fragments) in [
        (format!("agent_role = \"{agent}\""), 4, 1, ["has an `agent_role`", "no `external_id`"]),
        ("external_id = \"abc\"".to_owned(), 4, 1, ["has an `external_id`", "no `agent_role`"]),
        (
            format!("agent_role = \"{agent}\"\nexternal_id = \"a b\""),
            5,
            15,
            ["external_id `a b`", "2 to 1224"],
        ),
        (
            "agent_role = \"arn:aws:iam::111122223333:user/agent\"\nexternal_id = \"abc\"".to_owned(),
            4,
            14,
            ["user/agent`", "not a role in the tenant's account"],
        ),
        (
            "agent_role = \"arn:aws:iam::222233334444:role/agent\"\nexternal_id = \"abc\"".to_owned(),
            4,
            14,
            ["222233334444", "not a role in the tenant's account"],
        ),
        ("agent_role = \"agent\"\nexternal_id = \"abc\"".to_owned(), 4, 14, ["`agent`", "not the ARN"]),
        (
            "boundary = \"arn:aws:iam::222233334444:policy/b\"".to_owned(),
            4,
            12,
            ["boundary", "another account"],
        ),
        (
            "boundary = \"arn:aws:iam::111122223333:role/b\"".to_owned(),
            4,
            12,
            ["boundary", "not the ARN of a managed policy"],
        ),
    ] {
        let text =
            GOOD.replace("region = \"eu-central-1\"\n", &format!("region = \"eu-central-1\"\n{lines}\n"));
        check_text(&text, line, column, "error", &fragments);
    }
}

fn managed(keys: &str) -> String {
    format!(
        "[role.audit]\ndescription = \"d\"\nmax_duration = \"4h\"\ndefault_duration = \"1h\"\naccess = \"managed\"\n{keys}"
    )
}

#[test]
fn managed_roles() {
    for good in [
        "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
        "arn:aws:iam::${account}:policy/${tenant}/ops",
    ] {
        warned(
            &managed(&format!("managed_policy = \"{good}\"")),
            4,
            1,
            &["role `audit` is managed", "can't time-box"],
        );
    }
    let errors_of = |keys: &str| -> Vec<String> {
        let text = format!("{GOOD}{}", managed(keys));
        let found = parse(&[("c.toml", &text)]).unwrap_err();
        found.errors().map(ToString::to_string).collect()
    };
    let aws = "managed_policy = \"arn:aws:iam::aws:policy/SecurityAudit\"";
    for (keys, start, fragment) in [
        (String::new(), "c.toml:21:7:", "role `audit` has no `managed_policy`"),
        (
            "managed_policy = \"arn:aws:iam::111122223333:policy/x\"".to_owned(),
            "c.toml:26:18:",
            "tied to one account; write `${account}`",
        ),
        (
            "managed_policy = \"SecurityAudit\"".to_owned(),
            "c.toml:26:18:",
            "`SecurityAudit` is not the ARN of a managed policy",
        ),
        (
            "managed_policy = \"arn:aws:iam::aws:policy/${x}\"".to_owned(),
            "c.toml:26:18:",
            "not the ARN of a managed policy",
        ),
        (
            format!("{aws}\npermissions = [\"read\"]"),
            "c.toml:27:1:",
            "its `permissions` would have no effect",
        ),
        (format!("{aws}\nincludes = [\"ops\"]"), "c.toml:27:1:", "its `includes` would have no effect"),
    ] {
        let errors = errors_of(&keys);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].starts_with(start) && errors[0].contains(fragment), "{errors:#?}");
    }
    replaced(
        "max_duration",
        &format!("{aws}\nmax_duration"),
        15,
        1,
        &["role `ops` has a `managed_policy`, but is not managed"],
    );
}

fn inline(name: &str, keys: &str) -> String {
    format!("[role.{name}]\ndescription = \"d\"\ndefault_duration = \"1h\"\n{keys}\n")
}

#[test]
fn includes_do_not_go_in_circles() {
    let own = inline("self", "max_duration = \"4h\"\nincludes = [\"self\"]");
    added(&own, 4, 13, &["role `self` includes itself: `self` → `self`"]);
    let ring: String = [("a", "b"), ("b", "c"), ("c", "a"), ("z", "a")]
        .map(|(name, other)| {
            inline(name, &format!("max_duration = \"4h\"\nincludes = [\"ops\", \"{other}\"]"))
        })
        .concat();
    // Once, though three roles are in it and a fourth leads to it.
    added(&ring, 14, 20, &["role `a` includes itself: `a` → `b` → `c` → `a`"]);
}

#[test]
fn includes_widen_nothing() {
    let long = inline("long", "max_duration = \"5h\"\nincludes = [\"ops\"]");
    added(
        &long,
        4,
        13,
        &["role `long` may be had for 5h, but includes `ops`, which may be had for 4h at most"],
    );
    let second = "[tenant.beta]\naccount = \"111122223333\"\nregion = \"eu-central-1\"\n";
    let narrow = inline("narrow", "max_duration = \"4h\"\npermissions = [\"read\"]\ntenants = [\"acme\"]");
    let wide = inline("wide", "max_duration = \"4h\"\nincludes = [\"narrow\"]");
    added(
        &format!("{second}{narrow}{wide}"),
        13,
        13,
        &["role `wide` may be had in tenant `beta`, but includes `narrow`"],
    );
    let fine = inline("fine", "max_duration = \"4h\"\nincludes = [\"narrow\"]\ntenants = [\"acme\"]");
    assert!(parse(&[("c.toml", &format!("{GOOD}{second}{narrow}{fine}"))]).is_ok());
}

#[test]
fn a_managed_role_can_not_be_included() {
    let text = format!(
        "{GOOD}{}\n{}",
        managed("managed_policy = \"arn:aws:iam::aws:policy/SecurityAudit\""),
        inline("x", "max_duration = \"4h\"\nincludes = [\"audit\"]")
    );
    let found = parse(&[("c.toml", &text)]).unwrap_err();
    let errors: Vec<String> = found.errors().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(
        errors[0].starts_with("c.toml:31:13: error: role `x` includes `audit`, which is managed"),
        "{errors:#?}"
    );
}

#[test]
fn principals() {
    let person = |arn: &str| format!("[person.\"ben@example.com\"]\nprincipals = [\"arn:aws:iam::{arn}\"]\n");
    for same in ["111122223333:role/ana", "111122223333:role/ANA", "111122223333:role/team/ana"] {
        added(&person(same), 1, 15, &[same, "is person `ana@example.com`'s already, at c.toml:20"]);
    }
    for (arn, why) in [
        (
            "111122223333:role/AWSReservedSSO_Ops_0a1b",
            "a role of IAM Identity Center, which only AWS can modify",
        ),
        ("111122223333:role/aws-service-role/x/y", "a service-linked role"),
        ("111122223333:root", "is not the ARN of an IAM user or role"),
    ] {
        added(&person(arn), 1, 15, &[arn, why]);
    }
    assert!(parse(&[("c.toml", &format!("{GOOD}{}", person("111122223333:user/ana")))]).is_ok());
    warned(
        &person("999900001111:user/ben"),
        1,
        15,
        &["user/ben", "account `999900001111`, which is no tenant's"],
    );
}

/// A permission with so many statements that no two can be merged.
fn large(statements: usize) -> String {
    let statements: String = (0..statements)
        .map(|n| {
            format!("[[permission.large.statement]]\nEffect = \"Allow\"\nAction = \"s3:GetObject\"\nResource = \"arn:aws:s3:::{n}\"\n")
        })
        .collect();
    let role = inline("large", "max_duration = \"4h\"\npermissions = [\"large\"]");
    format!("{role}[permission.large]\ndescription = \"d\"\n{statements}")
}

#[test]
fn a_role_that_fits_no_principal_is_an_error() {
    added(&large(60), 0, 7, &["role `large` in tenant `acme`", "10240", "IAM role"]);
}

#[test]
fn a_role_that_fits_no_user_is_told_where_there_are_users() {
    let text = format!("{GOOD}{}", large(20));
    assert_eq!(parse(&[("c.toml", &text)]).unwrap().warnings(), []);
    let user = "[person.\"ben@example.com\"]\nprincipals = [\"arn:aws:iam::111122223333:user/ben\"]\n";
    warned(&format!("{}{user}", large(20)), 0, 7, &["role `large`", "IAM user", "2048", "user/ben"]);
}

#[test]
fn every_mistake_is_told_not_only_the_first() {
    let text = GOOD
        .replace("\"111122223333\"\n", "\"1\"\n")
        .replace("\"eu-central-1\"", "\"x\"")
        .replace("\"4h\"", "\"4x\"")
        .replace("[\"read\"]", "[\"read\", \"gone\"]")
        .replace("role/ana", "group/ana");
    let found = parse(&[("c.toml", &text)]).unwrap_err();
    let lines: Vec<usize> = found.as_slice().iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [2, 3, 14, 15, 20], "{found}");
}
