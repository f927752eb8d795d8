//! `curfew simulate`: the same answer as the function's, with what it rests on.

use serde_json::{Value, json};

use crate::support::{NOW, Rules};

fn simulate(rules: &Rules, more: &[&str]) -> crate::support::Run {
    rules.curfew(&[&["simulate", "request.json", "--now", NOW], more].concat())
}

#[test]
fn an_allowed_request_is_told_with_all_that_would_be_attached() {
    let rules = Rules::sound("simulate-allowed");
    let run = simulate(&rules, &["--json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let told = run.json();
    assert_eq!(told["decision"], "allowed");
    assert_eq!(told["by"], json!(["approved"]));
    assert_eq!(told["review"], Value::Null);
    assert_eq!(told["window"]["starts_at"], NOW);
    assert_eq!(told["window"]["expires_at"], "2026-11-24T11:30:00Z");
    assert_eq!(told["window"]["seconds"], 5400);
    assert_eq!(told["timer_at"], "2026-11-24T11:30:00Z");
    assert_eq!(told["approvers"], json!(["bob@example.com", "cid@example.com"]));
    let attached = &told["attached"];
    assert_eq!(attached["principal"], "arn:aws:iam::111122223333:role/ann");
    let grant = told["grant_id"].as_str().expect("an id");
    assert_eq!(attached["policy_name"], format!("curfew-{grant}"));
    let statement = &attached["document"]["Statement"][0];
    assert_eq!(statement["Resource"], "arn:aws:logs:eu-central-1:111122223333:log-group:/acme/*");
    assert_eq!(statement["Condition"]["DateLessThan"]["aws:CurrentTime"], "2026-11-24T11:30:00Z");

    let words = simulate(&rules, &[]).out;
    for part in [
        "allowed: `ann@example.com` gets role `reader` in tenant `acme`",
        "guardrail `approved` (guardrails/guardrails.cedar:1)",
        "until 2026-11-24T11:30:00Z (1h 30m)",
        "timer      2026-11-24T11:30:00Z",
        "none is owed",
        "log-group:/acme/*",
    ] {
        assert!(words.contains(part), "{part}\n{words}");
    }
}

#[test]
fn a_denied_request_is_told_with_what_would_have_to_change() {
    let rules = Rules::sound("simulate-denied");
    rules.replace("request.json", "90m", "3h");
    let run = simulate(&rules, &[]);
    assert_eq!(run.code, 1, "{}", run.err);
    for part in [
        "code       forbidden-by-guardrail",
        "guardrail `data-two-hours` (guardrails/guardrails.cedar:10) forbids it; one of these must no longer hold:",
        "context.duration > duration(\"2h\")",
        "remedy     ask for less",
    ] {
        assert!(run.out.contains(part), "{part}\n{}", run.out);
    }
    let told = simulate(&rules, &["--json"]).json();
    assert_eq!((&told["decision"], &told["by"]), (&json!("denied"), &json!(["data-two-hours"])));
    assert_eq!(told["attached"], Value::Null);

    rules.replace("request.json", "3h", "90m");
    rules.replace("request.json", "cid@", "bob@");
    let run = simulate(&rules, &[]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.out.contains("not-permitted-by-guardrails"), "{}", run.out);
    assert!(
        run.out.contains("would permit it, if these held:\n    context.approvals.complete\n"),
        "{}",
        run.out
    );
}

#[test]
fn the_catalog_decides_before_the_guardrails() {
    let rules = Rules::sound("simulate-catalog");
    rules.replace("request.json", "90m", "5h");
    let told = simulate(&rules, &["--json"]);
    assert_eq!(told.code, 1);
    let told = told.json();
    assert_eq!(told["code"], "window-too-long");
    assert_eq!(told["guardrails"], json!([]));
    let elsewhere = Rules::sound("simulate-elsewhere");
    let told = simulate(&elsewhere, &["--json", "--account", "999988887777"]).json();
    assert_eq!(told["code"], "tenant-unreachable");
}

#[test]
fn a_review_is_told_when_it_is_owed() {
    let rules = Rules::sound("simulate-review");
    rules.replace(
        "request.json",
        "\"approvals\": [",
        "\"basis\": \"break-glass\", \"since\": \"2026-11-24T09:59:00Z\", \"approvals\": [",
    );
    rules.replace("request.json", "90m", "30m");
    let run = simulate(&rules, &["--json"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert_eq!(run.json()["review"], "somebody broke the glass");
}

#[test]
fn what_is_held_and_what_is_changed_are_heard() {
    let rules = Rules::sound("simulate-held");
    let policy = "@id(\"once\")\n@reason(\"r\")\n@remedy(\"r\")\nforbid (principal, action, resource)\nwhen { context.holds.access.contains(resource) || context.extends };";
    rules.append("guardrails/guardrails.cedar", policy);
    let other = "[role.other]\ndescription = \"Other\"\npermissions = [\"look\"]\nmax_duration = \"1h\"\ndefault_duration = \"1h\"\n";
    rules.append("catalog/catalog.toml", other);
    assert_eq!(simulate(&rules, &[]).code, 0);
    assert_eq!(simulate(&rules, &["--holds", "acme/other"]).code, 0);
    assert_eq!(simulate(&rules, &["--holds", "acme/reader"]).code, 1);
    assert_eq!(simulate(&rules, &["--current", "2026-11-24T09:30:00Z/2026-11-24T11:00:00Z"]).code, 1);
    assert_eq!(simulate(&rules, &["--current", "2026-11-24T09:45:00Z/2026-11-24T11:45:00Z"]).code, 0);
}

#[test]
fn the_sender_is_what_the_configuration_says_or_what_is_said() {
    let rules = Rules::sound("simulate-sender");
    let policy = "@id(\"no-slack\")\n@reason(\"r\")\n@remedy(\"r\")\nforbid (principal, action, resource)\nwhen { context.source.kind == \"slack\" || context.source == Source::\"bad\" };";
    rules.append("guardrails/guardrails.cedar", policy);
    assert_eq!(simulate(&rules, &[]).code, 0);
    assert_eq!(simulate(&rules, &["--sender", "slack"]).code, 1);
    assert_eq!(simulate(&rules, &["--source", "bad"]).code, 1);
}

#[test]
fn a_slip_on_the_command_line_is_refused() {
    let rules = Rules::sound("simulate-slips");
    let role = "[role.elsewhere]\ndescription = \"E\"\npermissions = [\"look\"]\nmax_duration = \"1h\"\ndefault_duration = \"1h\"\ntenants = [\"other\"]\n";
    let tenant = "[tenant.other]\naccount = \"111122223333\"\nregion = \"eu-central-1\"\n";
    rules.append("catalog/catalog.toml", &format!("{tenant}{role}"));
    for (more, told) in [
        (["--now", "tomorrow"], "write it like `2026-11-24T10:00:00Z`"),
        (["--current", "today/tomorrow"], "write it like `2026-11-24T10:00:00Z`"),
        (["--account", "11112222333"], "write its 12 digits"),
        (["--sender", "pager"], "there is no kind `pager` of sender; use one of `standard`, "),
        (["--holds", "acne/reader"], "tenant `acne` of `acne/reader` is not in the catalog"),
        (["--holds", "acme/raeder"], "role `raeder` of `acme/raeder` is not in the catalog"),
        (["--holds", "acme/elsewhere"], "role `elsewhere` can't be had in tenant `acme`"),
    ] {
        let run = rules.curfew(&[&["simulate", "request.json"], &more[..]].concat());
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{more:?}: {}", run.err);
        assert!(run.err.contains(told), "{more:?}: {}", run.err);
    }
}

#[test]
fn what_is_no_request_can_not_be_judged() {
    let rules = Rules::sound("simulate-unusable");
    for (body, told) in [
        ("{", "not valid JSON"),
        (r#"{"type": "access.approved"}"#, "`requester` is missing"),
        (r#"{"type": "ticket.closed", "ticket": "T-1"}"#, "it closes a ticket"),
    ] {
        rules.write("request.json", body);
        let run = simulate(&rules, &[]);
        assert_eq!(run.code, 2, "{body}: {}", run.out);
        assert!(run.err.contains("`request.json`") && run.err.contains(told), "{}", run.err);
    }
    let rules = Rules::sound("simulate-broken-rules");
    rules.append("guardrails/guardrails.cedar", "permit (");
    let run = simulate(&rules, &[]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("guardrails/guardrails.cedar:"), "{}", run.err);
    assert_eq!(simulate(&rules, &["--holds", "acme"]).code, 2);
}
