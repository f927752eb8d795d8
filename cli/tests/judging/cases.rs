//! `curfew test`: cases pass and fail as they should, and what ships is tested by its own.

use serde_json::{Value, json};

use crate::support::{Rules, run};

const SHARED: &str = r#"
now = 2026-11-24T10:00:00Z
[request]
ticket = "T-1"
requester = "ann@example.com"
tenant = "acme"
role = "reader"
justification = "an order is missing; find out why"
approvals = [
    { approver = "bob@example.com", at = 2026-11-24T09:50:00Z },
    { approver = "cid@example.com", at = 2026-11-24T09:50:00Z },
]
"#;

fn cases(name: &str, text: &str) -> Rules {
    let rules = Rules::sound(name);
    rules.write("cases/some.toml", &format!("{SHARED}\n{text}"));
    rules
}

fn test(rules: &Rules, more: &[&str]) -> crate::support::Run {
    rules.curfew(&[&["test", "cases"], more].concat())
}

#[test]
fn cases_pass_and_fail_by_everything_that_they_expect() {
    // Each fails for one reason alone.
    for (case, difference) in [
        ("expect = \"allowed\"\nby = [\"approved\"]\nreview = false\nfor = \"1h\"", None),
        ("expect = \"denied\"", Some("expected denied, but it is allowed by `approved`")),
        ("expect = \"allowed\"\nby = []", Some("expected by no guardrail, but it is by `approved`")),
        ("expect = \"allowed\"\nreview = true", Some("expected a review owed, but there is no review owed")),
        ("expect = \"allowed\"\nfor = \"2h\"", Some("expected a window of 2h, but it is 1h")),
        (
            "expect = \"denied\"\ncode = \"forbidden-by-guardrail\"\nby = [\"data-two-hours\"]\nrequest.window.duration = \"3h\"",
            None,
        ),
        (
            "expect = \"denied\"\ncode = \"window-too-long\"\nrequest.window.duration = \"3h\"",
            Some("it is `forbidden-by-guardrail`"),
        ),
        (
            "expect = \"allowed\"\nrequest.window.duration = \"3h\"",
            Some("expected allowed, but it is denied: guardrail `data-two-hours`"),
        ),
    ] {
        let rules = cases("cases-expect", &format!("[[case]]\nname = \"one\"\n{case}"));
        let run = test(&rules, &["--json"]);
        let told = run.json();
        assert_eq!(told["cases"][0]["name"], "some: one");
        assert_eq!(run.code, i32::from(difference.is_some()), "{case}: {told}");
        let differences = told["cases"][0]["differences"].as_array().expect("a list");
        assert_eq!(differences.len(), usize::from(difference.is_some()), "{case}: {told}");
        if let Some(difference) = difference {
            assert!(differences[0].as_str().unwrap_or_default().contains(difference), "{case}: {told}");
        }
    }
}

/// A slip in a name would deny whatever the rules say: that must not count as what was expected.
#[test]
fn a_denial_for_an_unknown_name_passes_only_by_its_code() {
    for (slip, code) in [
        ("request.tenant = \"acne\"", "unknown-tenant"),
        ("request.role = \"raeder\"", "unknown-role"),
        ("request.requester = \"anne@example.com\"", "unknown-person"),
        (
            "request.approvals = [{ approver = \"bop@example.com\", at = 2026-11-24T09:50:00Z }]",
            "unknown-approver",
        ),
    ] {
        for (expected, passes) in
            [(String::new(), false), ("by = []".to_owned(), false), (format!("code = \"{code}\""), true)]
        {
            let case = format!("[[case]]\nname = \"one\"\nexpect = \"denied\"\n{expected}\n{slip}");
            let run = test(&cases("cases-slip", &case), &["--json"]);
            let told = run.json();
            assert_eq!(run.code, i32::from(!passes), "{case}: {told}");
            let differences = told["cases"][0]["differences"].to_string();
            assert_eq!(differences.contains(code), !passes, "{case}: {told}");
        }
    }
}

#[test]
fn guardrails_that_decide_nothing_are_listed_and_can_fail_the_run() {
    let rules = cases("cases-coverage", "[[case]]\nname = \"one\"\nexpect = \"allowed\"");
    let run = test(&rules, &[]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains("1 of 3 guardrails decide a case"), "{}", run.out);
    assert!(
        run.out.contains("guardrail `emergency` (guardrails/guardrails.cedar:5) decides none"),
        "{}",
        run.out
    );
    assert_eq!(test(&rules, &["--require-coverage"]).code, 1);
    rules.append(
        "cases/some.toml",
        "[[case]]\nname = \"two\"\nexpect = \"denied\"\nrequest.window = { duration = \"3h\" }\n\
         [[case]]\nname = \"three\"\nexpect = \"allowed\"\nreview = true\nrequest.basis = \"break-glass\"\nrequest.since = 2026-11-24T09:59:00Z\n",
    );
    let run = test(&rules, &["--require-coverage"]);
    assert_eq!(run.code, 0, "{}", run.out);
}

#[test]
fn a_json_file_is_a_case_too() {
    let rules = Rules::sound("cases-json");
    let request: Value =
        serde_json::from_str(&std::fs::read_to_string(rules.path("request.json")).expect("a file"))
            .expect("JSON");
    let case =
        json!({ "request": request, "now": crate::support::NOW, "expect": "allowed", "for": "1h 30m" });
    rules.write("cases/one.json", &case.to_string());
    let run = test(&rules, &["--json"]);
    assert_eq!((run.code, &run.json()["cases"][0]["name"]), (0, &json!("one")), "{}", run.err);
}

#[test]
fn what_is_no_case_can_not_be_judged() {
    for (text, told) in [
        ("[[case]]\nexpect = \"allowed\"", "it has no `name`"),
        ("[[case]]\nname = \"a\"\nexpect = \"perhaps\"", "perhaps"),
        ("[[case]]\nname = \"a\"\nexpect = \"allowed\"\nexpected = 1", "unknown field `expected`"),
        ("[[case]]\nname = \"a\"\nexpect = \"allowed\"\ncode = \"x\"", "`code` is of denials"),
        ("[[case]]\nname = \"a\"\nexpect = \"allowed\"\nrequest.role = 7", "/role"),
        ("[[case]]\nname = \"a\"\nexpect = \"allowed\"\nholds = [\"acme\"]", "`<tenant>/<role>`"),
        (
            "[[case]]\nname = \"a\"\nexpect = \"allowed\"\nholds = [\"acme/raeder\"]",
            "`holds`: role `raeder` of `acme/raeder` is not in the catalog",
        ),
        (
            "[[case]]\nname = \"a\"\nexpect = \"allowed\"\nsender = \"pager\"",
            "`sender`: there is no kind `pager`",
        ),
        (
            "[[case]]\nname = \"a\"\nexpect = \"denied\"\nby = [\"data-two-hour\"]",
            "`by`: there is no guardrail `data-two-hour`",
        ),
        ("[[case]]\nname = \"a\"\nexpect = \"allowed\"\naccount = \"1\"", "`account`: `1` is not an account"),
    ] {
        let run = test(&cases("cases-unusable", text), &[]);
        assert_eq!(run.code, 2, "{text}: {}", run.out);
        assert!(run.err.contains("some.toml") && run.err.contains(told), "{text}: {}", run.err);
    }
    let run = test(&Rules::sound("cases-none"), &[]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("there is no case"), "{}", run.err);
}

#[test]
fn what_ships_is_tested_by_what_ships() {
    let root = crate::support::own("..");
    let example = run(&root, &["test"]);
    assert_eq!(example.code, 0, "{}{}", example.out, example.err);
    let folder = "infra/cases/guardrails";
    let every =
        run(&root, &["test", folder, "--catalog", "infra/cases/guardrails/catalog", "--require-coverage"]);
    assert_eq!(every.code, 0, "{}{}", every.out, every.err);
}
