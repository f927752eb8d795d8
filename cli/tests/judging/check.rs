//! `curfew check`: each lint finds the mistake that it is for, and sound rules are told to be sound.

use std::collections::BTreeSet;

use curfew_cli::check::Rule;
use serde_json::Value;

use crate::support::{Rules, run};

/// One mistake: what is done to sound rules, and what must be found then.
struct Mistake {
    name: &'static str,
    make: fn(&Rules),
    more: &'static [&'static str],
    finds: (&'static str, &'static str, &'static str),
}

const CATALOG: &str = "catalog/catalog.toml";
const CEDAR: &str = "guardrails/guardrails.cedar";

/// A second tenant in the same account.
fn second_tenant(rules: &Rules, name: &str) {
    let entry = format!(
        "[tenant.{name}]\naccount = \"111122223333\"\nregion = \"eu-central-1\"\nenvironment = \"production\"\n"
    );
    rules.append(CATALOG, &entry);
}

fn resource(rules: &Rules, pattern: &str) {
    let old = "Resource = \"arn:aws:logs:${region}:${account}:log-group:/${tenant}/*\"";
    rules.replace(CATALOG, old, &format!("Resource = \"{pattern}\""));
}

/// `(rule, severity, words of the message)`.
const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "an unknown key",
        make: |rules| rules.replace(CATALOG, "environment =", "enviroment ="),
        more: &[],
        finds: ("catalog", "error", "enviroment"),
    },
    Mistake {
        name: "a user for whom a role is too large",
        make: |rules| {
            let many: Vec<String> = (0..60).map(|n| format!("\"logs:GetSomethingOfALongName{n}\"")).collect();
            rules.replace(CATALOG, "\"logs:GetLogEvents\"", &format!("[{}]", many.join(",")));
            rules.replace(CATALOG, "role/ann", "user/ann");
        },
        more: &[],
        finds: ("catalog", "warning", "inline policies of an IAM user"),
    },
    Mistake {
        name: "a misspelt attribute",
        make: |rules| rules.replace(CEDAR, "context.duration <=", "context.durations <="),
        more: &[],
        finds: ("guardrails", "error", "durations"),
    },
    Mistake {
        name: "a kind of sender that there is not",
        make: |rules| rules.write("senders/senders.toml", "[source.a]\nkind = \"fax\"\n"),
        more: &[],
        finds: ("senders", "error", "fax"),
    },
    Mistake {
        name: "a parameter that the template does not have",
        make: |rules| rules.write("parameters.json", r#"{"Parameters": {"TenantBoundaryArn": "x"}}"#),
        more: &[],
        finds: ("template", "error", "`TenantBoundaryArn` is none of the template's"),
    },
    Mistake {
        name: "a template without its limits",
        make: |rules| rules.replace("template.yaml", "  ManagedPolicyArns:", "  ManagedPolicies:"),
        more: &[],
        finds: ("template", "error", "has no parameter `ManagedPolicyArns`"),
    },
    Mistake {
        name: "a tenant that there is not",
        make: |rules| {
            let policy = "@id(\"x\")\n@reason(\"r\")\n@remedy(\"r\")\nforbid (principal, action, resource in Tenant::\"acne\");";
            rules.append(CEDAR, policy);
        },
        more: &[],
        finds: ("unknown-reference", "error", "tenant `acne`"),
    },
    Mistake {
        name: "a label with a slip",
        make: |rules| rules.replace(CEDAR, "contains(\"data\")", "contains(\"dta\")"),
        more: &[],
        finds: ("unknown-reference", "warning", "label `dta`"),
    },
    Mistake {
        name: "a label that nothing has",
        make: |rules| rules.replace(CEDAR, "contains(\"data\")", "contains(\"secrets\")"),
        more: &[],
        finds: ("unknown-reference", "note", "label `secrets`"),
    },
    Mistake {
        name: "a permit for people without principals",
        make: |rules| {
            rules.append(CEDAR, "@id(\"x\")\npermit (principal in Group::\"security\", action == Action::\"approved\", resource);");
        },
        more: &[],
        finds: ("never-matches", "warning", "has a principal"),
    },
    Mistake {
        name: "a role where it may not be had",
        make: |rules| {
            second_tenant(rules, "other");
            rules.replace(CATALOG, "labels = [\"data\"]", "labels = [\"data\"]\ntenants = [\"acme\"]");
            rules.append(CEDAR, "@id(\"x\")\npermit (principal, action == Action::\"approved\", resource == Access::\"other/reader\");");
        },
        more: &[],
        finds: ("never-matches", "warning", "does not offer"),
    },
    Mistake {
        name: "a condition that is always so",
        make: |rules| rules.replace(CEDAR, "when { context.duration", "when { 1 < 2 && context.duration"),
        more: &[],
        finds: ("constant-condition", "warning", "guardrail `emergency`"),
    },
    Mistake {
        name: "the same guardrail twice",
        make: |rules| {
            rules.append(
                CEDAR,
                "@id(\"again\")\npermit (principal, action == Action::\"approved\", resource)\n  when { context.approvals.complete && principal in resource.role.eligible };",
            );
        },
        more: &[],
        finds: ("shadowed-guardrail", "warning", "guardrail `again` changes nothing: `approved`"),
    },
    Mistake {
        name: "a permit that is forbidden without condition",
        make: |rules| {
            rules.append(CEDAR, "@id(\"x\")\n@reason(\"r\")\n@remedy(\"r\")\nforbid (principal, action == Action::\"break-glass\", resource);");
        },
        more: &[],
        finds: ("shadowed-guardrail", "warning", "`emergency` never permits anything"),
    },
    Mistake {
        name: "a role that nobody is eligible for",
        make: |rules| {
            rules.replace(CATALOG, "eligible = [\"engineers\"]", "eligible = [\"security\"]");
            rules.replace(CEDAR, "Group::\"incident-commanders\"", "Group::\"security\"");
        },
        more: &[],
        finds: ("unobtainable-role", "warning", "the role is for `security`"),
    },
    Mistake {
        name: "a tenant in whose account nobody has a principal",
        make: |rules| {
            let other = "[tenant.far]\naccount = \"444455556666\"\nregion = \"eu-central-1\"\nagent_role = \"arn:aws:iam::444455556666:role/agent\"\nexternal_id = \"0123456789abcdef\"\n";
            rules.append(CATALOG, other);
        },
        more: &[],
        finds: ("unobtainable-role", "note", "nobody has a principal"),
    },
    Mistake {
        name: "an approval of one's own in place of another's",
        make: |rules| {
            rules.replace(
                CEDAR,
                "&& context.approvals.complete",
                "&& (context.approvals.complete || context.approvals.by_requester)",
            );
        },
        more: &[],
        finds: ("self-approval", "error", "`ann@example.com` for role `reader`"),
    },
    Mistake {
        name: "one approval is enough for a role that takes two",
        make: |rules| rules.replace(CEDAR, "context.approvals.complete", "context.approvals.count >= 1"),
        more: &[],
        finds: ("approvals-not-enforced", "warning", "guardrail `approved`"),
    },
    Mistake {
        name: "the same, of a role for others",
        make: |rules| {
            rules.replace(CATALOG, "eligible = [\"engineers\"]", "eligible = [\"managers\"]");
            rules.replace(
                CATALOG,
                "approvals = [\"managers\", \"security\"]",
                "approvals = [\"engineers\", \"security\"]",
            );
            rules.replace(CEDAR, "context.approvals.complete", "context.approvals.count >= 1");
        },
        more: &[],
        finds: ("approvals-not-enforced", "warning", "that of `bob@example.com`"),
    },
    Mistake {
        name: "anybody's approval in place of the only one that a role takes",
        make: |rules| {
            rules.replace(CATALOG, "[\"managers\", \"security\"]", "[\"managers\"]");
            rules.replace(CEDAR, "context.approvals.complete", "context.approvals.count >= 1");
        },
        more: &[],
        finds: ("approvals-not-enforced", "warning", "guardrail `approved`"),
    },
    Mistake {
        name: "anybody's second approval in place of the one by security",
        make: |rules| {
            rules.append(CATALOG, "[person.\"dan@example.com\"]\ngroups = [\"support\"]\n");
            rules.replace(CEDAR, "context.approvals.complete", "context.approvals.count >= 2");
        },
        more: &[],
        finds: ("approvals-not-enforced", "warning", "guardrail `approved`"),
    },
    Mistake {
        name: "the approval of the group that is named first is not asked for",
        make: |rules| {
            let cid = "context.approvers.contains(Person::\"cid@example.com\")";
            rules.replace(CEDAR, "context.approvals.complete", cid);
        },
        more: &[],
        finds: ("approvals-not-enforced", "warning", "guardrail `approved`"),
    },
    Mistake {
        name: "one's own approval beside somebody's who does not count",
        make: |rules| {
            rules.replace(CATALOG, "[\"managers\", \"security\"]", "[\"managers\"]");
            let own = "(context.approvals.complete || context.approvals.by_requester)";
            rules.replace(CEDAR, "context.approvals.complete", own);
        },
        more: &[],
        finds: ("self-approval", "error", "`ann@example.com` for role `reader`"),
    },
    Mistake {
        name: "break-glass that nobody looks at",
        make: |rules| rules.replace(CEDAR, "@review(\"somebody broke the glass\")\n", ""),
        more: &[],
        finds: ("unreviewed-emergency", "warning", "guardrail `emergency`"),
    },
    Mistake {
        name: "on call that nobody looks at",
        make: |rules| {
            rules.append(CEDAR, "@id(\"x\")\npermit (principal, action == Action::\"on-call\", resource)\nwhen { context.ticket.state == \"open\" };");
        },
        more: &[],
        finds: ("unreviewed-emergency", "note", "guardrail `x`"),
    },
    Mistake {
        name: "everything, everywhere",
        make: |rules| resource(rules, "*"),
        more: &[],
        finds: ("unscoped-statement", "warning", "statement 1 of permission `look`"),
    },
    Mistake {
        name: "a statement by the account, for two tenants in it",
        make: |rules| {
            second_tenant(rules, "other");
            resource(rules, "arn:aws:logs:${region}:${account}:log-group:*");
        },
        more: &[],
        finds: ("shared-statement", "warning", "tenants `acme` and `other`"),
    },
    Mistake {
        name: "a tenant whose name begins with another's",
        make: |rules| {
            second_tenant(rules, "acme-dev");
            resource(rules, "arn:aws:logs:${region}:${account}:log-group:${tenant}-*");
        },
        more: &[],
        finds: ("tenants-overlap", "error", "also matches what is tenant `acme-dev`'s"),
    },
    Mistake {
        name: "the same in a condition",
        make: |rules| {
            second_tenant(rules, "acme-dev");
            let old = "log-group:/${tenant}/*\"";
            let new = "log-group:/${tenant}/*\"\nCondition = { StringLike = { \"logs:stream\" = \"${tenant}-*\" } }";
            rules.replace(CATALOG, old, new);
        },
        more: &[],
        finds: ("tenants-overlap", "warning", "in a condition `acme-*`"),
    },
    Mistake {
        name: "more than the boundary allows",
        make: |rules| {
            rules.replace(CATALOG, "\"logs:GetLogEvents\"", "[\"logs:GetLogEvents\", \"s3:GetObject\"]")
        },
        more: &[],
        finds: ("exceeds-boundary", "warning", "`s3:GetObject`"),
    },
    Mistake {
        name: "a tenant without a boundary",
        make: |rules| rules.replace(CATALOG, "boundary = ", "# boundary = "),
        more: &[],
        finds: ("boundary-not-checked", "note", "names no permissions boundary"),
    },
    Mistake {
        name: "a managed policy that the stack may not attach",
        make: |rules| {
            rules.append(
                CATALOG,
                "[role.auditor]\ndescription = \"Audit\"\naccess = \"managed\"\nmanaged_policy = \"arn:aws:iam::aws:policy/SecurityAudit\"\nmax_duration = \"1h\"\ndefault_duration = \"1h\"\neligible = [\"engineers\"]\n",
            );
        },
        more: &[],
        finds: ("unlisted-managed-policy", "error", "policy/SecurityAudit"),
    },
    Mistake {
        name: "an agent role that the stack may not assume",
        make: |rules| {
            rules.replace(
                CATALOG,
                "boundary = ",
                "agent_role = \"arn:aws:iam::111122223333:role/agent\"\nexternal_id = \"0123456789abcdef\"\nboundary = ",
            );
        },
        more: &[],
        finds: ("unlisted-agent-role", "error", "role/agent"),
    },
    Mistake {
        name: "a boundary that the stack does not know",
        make: |rules| rules.replace("parameters.json", "acme-boundary", "other-boundary"),
        more: &[],
        finds: ("unlisted-boundary", "error", "policy/acme-boundary"),
    },
    Mistake {
        name: "the document of a boundary that no tenant names",
        make: |_| (),
        more: &["--boundary", "arn:aws:iam::111122223333:policy/acme-bundary=boundary.json"],
        finds: (
            "boundary-not-checked",
            "warning",
            "no tenant names the boundary `arn:aws:iam::111122223333:policy/acme-bundary`",
        ),
    },
    Mistake {
        name: "a tenant that Curfew has no way to",
        make: |_| (),
        more: &["--account", "999988887777"],
        finds: ("unreachable-tenant", "error", "999988887777"),
    },
];

fn findings(run: &crate::support::Run) -> Vec<Value> {
    run.json()["findings"].as_array().expect("a list").clone()
}

#[test]
fn sound_rules_are_sound() {
    let run = Rules::sound("check-sound").check(&["--strict", "--json"]);
    assert_eq!(findings(&run), Vec::<Value>::new(), "{}", run.err);
    assert_eq!(run.code, 0);
}

#[test]
fn every_mistake_is_found_by_its_rule() {
    for mistake in MISTAKES {
        let rules = Rules::sound("check-mistake");
        (mistake.make)(&rules);
        let run = rules.check(&[mistake.more, &["--json"]].concat());
        let (rule, severity, words) = mistake.finds;
        let found = findings(&run);
        let is_it = |one: &&Value| {
            one["rule"] == rule
                && one["severity"] == severity
                && one["message"].as_str().is_some_and(|message| message.contains(words))
        };
        let one = found.iter().find(is_it).unwrap_or_else(|| panic!("{}: {found:#?}", mistake.name));
        assert!(one["line"].as_u64() >= Some(1) && one["column"].as_u64() >= Some(1), "{one}");
        assert!(rules.path(one["file"].as_str().expect("a file")).is_file(), "{one}");
        assert!(!one["remedy"].as_str().unwrap_or_default().is_empty(), "{one}");
        let errors = found.iter().any(|one| one["severity"] == "error");
        assert_eq!(run.code, i32::from(errors), "{}", mistake.name);
        // Strict is about warnings too, and never about notes.
        let warnings = found.iter().any(|one| one["severity"] == "warning");
        let strict = rules.check(&[mistake.more, &["--strict"]].concat());
        assert_eq!(strict.code, i32::from(errors || warnings), "{}: {}", mistake.name, strict.out);
    }
}

#[test]
fn every_rule_has_a_mistake_and_a_line_in_the_documentation() {
    let tried: BTreeSet<&str> = MISTAKES.iter().map(|mistake| mistake.finds.0).collect();
    let documented = std::fs::read_to_string(crate::support::own("../docs/check.md")).expect("docs/check.md");
    for rule in Rule::ALL {
        assert!(tried.contains(rule.id()), "{} is not tried", rule.id());
        assert!(documented.contains(&format!("| `{}` |", rule.id())), "{} is not documented", rule.id());
    }
}

#[test]
fn findings_are_told_with_their_place_and_their_rule() {
    let rules = Rules::sound("check-told");
    rules.replace(CEDAR, "@review(\"somebody broke the glass\")\n", "");
    let run = rules.check(&[]);
    let line = run.out.lines().next().expect("a line");
    assert!(
        line.starts_with("guardrails/guardrails.cedar:5:1: warning: guardrail `emergency` permits"),
        "{line}"
    );
    assert!(line.ends_with("[unreviewed-emergency]"), "{line}");
    assert!(run.out.ends_with("0 error(s), 1 warning(s), 0 note(s)\n"), "{}", run.out);
}

/// The members that the schema of SARIF 2.1.0 requires, and those that code scanning takes besides.
#[test]
fn sarif_has_what_code_scanning_takes() {
    let rules = Rules::sound("check-sarif");
    rules.replace(CEDAR, "@review(\"somebody broke the glass\")\n", "");
    let to_file = rules.check(&["--sarif", "found.sarif"]);
    assert!(to_file.out.contains("[unreviewed-emergency]"), "{}", to_file.out);
    let log = rules.check(&["--sarif"]).json();
    let file = std::fs::read_to_string(rules.path("found.sarif")).expect("a file");
    assert_eq!(serde_json::from_str::<Value>(&file).expect("JSON"), log);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "curfew");
    let known = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(known.len(), Rule::ALL.len());
    for rule in known {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string(), "{rule}");
    }
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 1);
    let result = &results[0];
    let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("a small one");
    assert_eq!(known[index]["id"], result["ruleId"]);
    assert_eq!(result["level"], "warning");
    assert!(!result["message"]["text"].as_str().unwrap_or_default().is_empty());
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "guardrails/guardrails.cedar");
    assert_eq!(
        (place["region"]["startLine"].as_u64(), place["region"]["startColumn"].as_u64()),
        (Some(5), Some(1))
    );
}

#[test]
fn what_ships_has_no_errors() {
    let run = run(&crate::support::own(".."), &["check", "--now", crate::support::NOW]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.out.contains("\n0 error(s), "), "{}", run.out);
}

/// A role that takes a manager's approval, had on that of anybody: without another one the catalog would deny.
#[test]
fn a_guardrail_beside_those_that_ship_can_not_drop_the_group_that_a_role_takes() {
    let rules = Rules::sound("check-q2");
    rules.take_over("../infra/catalog", "catalog");
    rules.take_over("../infra/guardrails", "guardrails");
    std::fs::remove_file(rules.path("catalog/catalog.toml")).expect("a file");
    std::fs::remove_file(rules.path(CEDAR)).expect("a file");
    let check = || {
        let check = ["check", "--json", "--now", crate::support::NOW, "--template", "template.yaml"];
        let found = findings(&rules.curfew(&check));
        found.into_iter().filter(|one| one["rule"] == "approvals-not-enforced").collect::<Vec<_>>()
    };
    assert_eq!(check(), Vec::<Value>::new());
    rules.write(
        "guardrails/own.cedar",
        "@id(\"q2\") @reason(\"x\") permit(principal in Group::\"sre\", action == Action::\"approved\", resource);",
    );
    let found = check();
    assert_eq!(found.len(), 1, "{found:#?}");
    let message = found[0]["message"].as_str().expect("a message");
    assert!(message.contains("guardrail `q2` permits a request without every approval"), "{message}");
}

#[test]
fn a_slip_on_the_command_line_is_refused() {
    let rules = Rules::sound("check-slips");
    for (more, told) in [
        (&["--now", "tomorrow"][..], "write it like `2026-11-24T10:00:00Z`"),
        (&["--account", "1111-2222-3333"], "write its 12 digits"),
        (&["--json", "--sarif"], "give --sarif a file"),
    ] {
        let run = rules.curfew(&[&["check", "--template", "template.yaml"], more].concat());
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{more:?}: {}", run.err);
        assert!(run.err.contains(told), "{more:?}: {}", run.err);
    }
    // Each may have an output of its own.
    let run = rules.check(&["--json", "--sarif", "found.sarif"]);
    assert_eq!((run.code, &run.json()["errors"]), (0, &Value::from(0)), "{}", run.err);
}

#[test]
fn only_the_senders_that_nobody_named_may_be_absent() {
    let rules = Rules::sound("check-no-senders");
    let check =
        ["check", "--template", "template.yaml", "--catalog", "catalog", "--guardrails", "guardrails"];
    let silent = run(&rules.path("."), &check);
    assert_eq!(silent.code, 0, "{}{}", silent.out, silent.err);
    let named = run(&rules.path("."), &[&check[..], &["--senders", "sender"]].concat());
    assert_eq!((named.code, named.out.as_str()), (2, ""), "{}", named.err);
    assert!(named.err.contains("cannot read `sender`"), "{}", named.err);
}

#[test]
fn a_reader_that_goes_away_leaves_the_exit_code() {
    let rules = Rules::sound("check-broken-pipe");
    rules.replace(CEDAR, "@review(\"somebody broke the glass\")\n", "");
    for (more, code) in [(&["--strict"][..], 1), (&["--json"], 0), (&["--sarif"], 0)] {
        assert_eq!(
            rules.unread(&[&["check", "--template", "template.yaml"], more].concat()),
            (code, String::new())
        );
    }
}

#[test]
fn what_can_not_be_read_is_no_finding() {
    let rules = Rules::sound("check-unreadable");
    std::fs::remove_file(rules.path("parameters.json")).expect("a file");
    let run = rules.check(&[]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
    assert!(run.err.contains("`parameters.json`"), "{}", run.err);
}
