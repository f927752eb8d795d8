//! GitHub: signatures, deployments, issues and their forms, and both as leashes.

use jiff::SignedDuration;

use super::*;
use crate::Nobody;
use crate::senders::payload::tests::{
    CURRENT, Few, PREVIOUS, at, closed, hmac_hex, maimed, payload, payloads, problems, request, sender,
    senders, verified, verified_with, why,
};
use curfew_domain::decision::JUSTIFICATION_LIMIT;
use curfew_domain::request::{AccessRequest, Notice, WindowEnd};

const HEADER: &str = "x-hub-signature-256";

const CONFIG: &str = r#"
[source.it]
kind = "github"
repositories = ["acme/orders", "Acme/Access"]

[source.it.environments.production]
tenant = "example"
role = "prod-deploy"
duration = "45m"

[source.it.environments.staging]
tenant = "example"
role = "prod-readonly"

[source.it.sections]
tenant = "Tenant"
role = "Role"
duration = "How long"
justification = "Why"
"#;

const PEOPLE: Few = Few(&[
    ("5830214", "ana@example.com"),
    ("7104432", "bo@example.com"),
    ("9920031", "cy@example.com"),
    ("ana-garcia", "ana.by.login@example.com"),
    ("bo-larsen", "bo.by.login@example.com"),
]);

fn read_as(config: &str, body: &str) -> Result<Reading, Malformed> {
    let signature = format!("sha256={}", hmac_hex(CURRENT, body.as_bytes()));
    let delivery = verified(config, HEADER, &[&signature], body).unwrap();
    sender(config).read(&delivery, &PEOPLE)
}

fn read(name: &str) -> Result<Reading, Malformed> {
    read_as(CONFIG, &payload(name))
}

fn approver(request: &AccessRequest) -> (&str, String) {
    assert_eq!(request.approvals.len(), 1);
    (request.approvals[0].approver.as_str(), request.approvals[0].at.to_string())
}

#[test]
fn a_reviewed_deployment_is_a_request_of_whoever_started_the_run() {
    let request = request(read("github-deployment-approved"));
    assert_eq!(request.ticket.as_str(), "acme/orders/runs/11823004512");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("example", "prod-deploy"));
    assert_eq!(approver(&request), ("bo@example.com", "2026-11-21T08:55:02Z".to_owned()));
    assert_eq!(request.basis, Basis::Approvals);
    assert_eq!(request.window.starts_at, None);
    assert_eq!(request.window.end, Some(WindowEnd::After(SignedDuration::from_mins(45))));
    let facts = &request.ticket_facts;
    assert_eq!((&*facts.sender, &*facts.kind, &*facts.state), ("github", "deployment", "approved"));
    assert_eq!(
        request.justification,
        "Deploy orders 2026.11.3 (deployment to production, https://github.com/acme/orders/actions/runs/11823004512)"
    );
    assert_eq!(request.digest(), super::tests::request(read("github-deployment-approved")).digest());
}

#[test]
fn environments_are_found_in_every_documented_form() {
    for name in ["github-deployment-approved-one-job", "github-deployment-approved-many-jobs"] {
        assert_eq!(request(read(name)).role.as_str(), "prod-deploy", "{name}");
    }
    assert!(why(read("github-deployment-approved-unknown-environment")).contains("environment `docs`"));
    let told = problems(read("github-deployment-approved-two-environments"));
    assert_eq!(
        told,
        "/workflow_job_runs: approve several environments with different access at once; approve them one by one"
    );
    for name in ["github-deployment-approved-no-environment", "github-deployment-approved-environment-object"]
    {
        let told = problems(read(name));
        assert!(told.starts_with("/workflow_job_runs: is `"), "{name}: {told}");
    }
}

#[test]
fn a_run_that_is_started_again_is_another_ticket_of_whoever_did_that() {
    let again = request(read("github-deployment-approved-rerun"));
    assert_eq!(again.ticket.as_str(), "acme/orders/runs/11823004512/attempts/2");
    assert_eq!(again.requester.as_str(), "cy@example.com");
    let untold = request(read("github-deployment-approved-null-triggering-actor"));
    assert_eq!(untold.requester.as_str(), "ana@example.com");
    assert!(untold.justification.starts_with("deploy (deployment to production"));
    let told = problems(read("github-deployment-approved-null-actors"));
    assert_eq!(told, "/workflow_run/triggering_actor/id: is missing, and should be a whole number");
}

#[test]
fn who_approved_is_told_as_it_is_also_if_it_was_the_requester() {
    let own = request(read("github-deployment-approved-by-requester"));
    assert_eq!(own.requester, own.approvals[0].approver);
    let told = problems(read("github-deployment-approved-no-approver"));
    assert_eq!(told, "/approver/id: is missing, and should be a whole number");
}

#[test]
fn only_runs_that_were_started_to_ask_and_only_in_named_repositories_do() {
    let why_not = why(read("github-deployment-approved-by-schedule"));
    assert!(
        why_not.contains("started by `schedule`") && why_not.contains("`workflow_dispatch`"),
        "{why_not}"
    );
    let also = CONFIG.replace("kind = \"github\"", "kind = \"github\"\nstarted_by = [\"schedule\"]");
    let body = payload("github-deployment-approved-by-schedule");
    assert_eq!(request(read_as(&also, &body)).role.as_str(), "prod-deploy");
    for name in ["github-deployment-approved-other-repository", "github-issue-labeled-other-repository"] {
        assert!(why(read(name)).contains("`acme/playground` is not one"), "{name}");
    }
}

#[test]
fn a_rejected_deployment_and_a_run_that_ended_close_the_ticket() {
    let rejected = closed(read("github-deployment-rejected"));
    assert_eq!(rejected.ticket, request(read("github-deployment-approved")).ticket);
    assert_eq!(rejected.closed_by.unwrap().as_str(), "bo@example.com");
    let ended = closed(read("github-workflow-run-completed"));
    assert_eq!(ended.ticket, rejected.ticket);
    assert_eq!((ended.closed_by, ended.reason.as_deref()), (None, Some("the workflow run ended")));
    assert!(why(read("github-workflow-run-completed-push")).contains("none that asks"));
    for name in ["github-deployment-requested", "github-workflow-run-in-progress"] {
        assert!(why(read(name)).contains("neither gives nor takes access"), "{name}");
    }
}

#[test]
fn a_labeled_issue_is_a_request_of_its_author() {
    let request = request(read("github-issue-labeled"));
    assert_eq!(request.ticket.as_str(), "acme/access/issues/42");
    assert_eq!(request.requester.as_str(), "ana@example.com");
    assert_eq!((request.tenant.as_str(), request.role.as_str()), ("example", "prod-ops"));
    assert_eq!(approver(&request), ("bo@example.com", "2026-11-21T08:55:00Z".to_owned()));
    assert_eq!(request.window.end, Some(WindowEnd::After(SignedDuration::from_mins(90))));
    assert_eq!(request.ticket_facts.kind, "request");
    assert_eq!(
        request.justification,
        "Checkout fails for some customers.\nLooking at the orders service's tasks."
    );
    let windows = super::tests::request(read("github-issue-labeled-windows-lines"));
    assert_eq!(windows.digest(), request.digest());
}

#[test]
fn fields_that_were_left_empty_have_defaults_or_are_missed() {
    let empty = request(read("github-issue-labeled-no-response"));
    assert_eq!(empty.window.end, None);
    assert_eq!(
        empty.justification,
        "[access] Look at the orders service (https://github.com/acme/access/issues/42)"
    );
    for (name, told) in [
        (
            "github-issue-labeled-no-role",
            "the field `role` of source `it` is mapped to `/Role`, where there is an empty",
        ),
        ("github-issue-labeled-renamed-section", "`How long`, `Tenant`, `Which role`, `Why`"),
        ("github-issue-labeled-null-body", "mapped to `/Role`, where there is nothing"),
        ("github-issue-labeled-two-roles", "role `prod-ops, prod-breakglass` is not valid"),
        ("github-issue-labeled-bidi-reason", "is not 1 to 1000 characters of plain text"),
        ("github-issue-labeled-null-author", "/issue/user/id: is missing"),
    ] {
        let problems = problems(read(name));
        assert!(problems.contains(told), "{name}: {problems}");
    }
}

#[test]
fn what_the_approver_may_not_see_as_such_is_no_section() {
    for (name, told) in [
        ("github-issue-labeled-hidden-section", "section `Role` is below line 1, where HTML"),
        ("github-issue-labeled-section-twice", "section `Role` is there twice"),
        ("github-issue-labeled-look-alike-section", "line 1 looks like a section"),
        ("github-issue-labeled-code-block", "section `Tenant` is below line 1, where HTML, a code block"),
    ] {
        let problems = problems(read(name));
        assert!(problems.contains(told), "{name}: {problems}");
    }
    let body = payload("github-issue-labeled");
    for hidden in [
        "<!-- x -->",
        "<p hidden>",
        "</details>",
        "<?x ?>",
        "~~~",
        "   ```text",
        "$$",
        "# role",
        "   ### Role",
        "### ROLE",
        "###\\tRole",
        "### Role ###",
        "x\\r### Role\\r\\rprod-breakglass\\r",
    ] {
        let body = body.replace("\"body\": \"### Tenant", &format!("\"body\": \"{hidden}\\n\\n### Tenant"));
        assert!(body.contains(hidden));
        let problems = problems(read_as(CONFIG, &body));
        assert!(problems.starts_with("/issue/body: "), "{hidden}: {problems}");
    }
    for harmless in ["a < b", "x <- y", "#42 is the other", "## Details", "1 $ a piece"] {
        let body = body.replace("\"body\": \"### Tenant", &format!("\"body\": \"{harmless}\\n\\n### Tenant"));
        assert_eq!(request(read_as(CONFIG, &body)).role.as_str(), "prod-ops", "{harmless}");
    }
    let log = request(read("github-issue-labeled-log-in-reason"));
    assert!(log.justification.contains("<error code=\"7\"/>"), "{}", log.justification);
}

/// Also where it stands below all that is read: there it contradicts what was read, in the approver's eyes.
#[test]
fn what_a_reader_could_take_for_a_section_is_refused_and_other_headings_are_not() {
    let body = payload("github-issue-labeled");
    let with = |more: &str| {
        let changed =
            body.replace("### Anything else?", &format!("### Anything else?\\n\\n{more}\\n\\nprod-readonly"));
        assert_ne!(changed, body);
        changed
    };
    for (look_alike, told) in [
        ("### R&#111;le", "has a heading with characters"),
        ("# R&ouml;le", "has a heading with characters"),
        ("### R\u{43e}le", "has a heading with characters"),
        ("### Role\u{200b}", "looks like a section"),
        ("### [Role](https://example.com)", "has a heading with characters"),
        ("### <b>Role</b>", "has a heading with characters"),
        ("### $Role$", "looks like a section"),
        ("### R\\\\ole", "looks like a section"),
        ("###\u{a0}Role", "looks like a section"),
        ("### **Role**", "looks like a section"),
        ("### _Ro_le", "looks like a section"),
        ("### Role:", "looks like a section"),
        ("> ### Role", "looks like a section"),
        ("> > ## role", "looks like a section"),
        ("- ### Role", "looks like a section"),
        ("12. > # How  long?", "looks like a section"),
        ("> ### R&#111;le", "has a heading with characters"),
        ("Role\\n---", "looks like a section"),
        ("Role\\n  ====  ", "looks like a section"),
        ("Role\\nprod-readonly\\n-", "looks like a section"),
        ("> Role\\n> ---", "looks like a section"),
        ("- Role\\n  ---", "looks like a section"),
        ("R&#111;le\\n===", "has a heading with characters"),
        ("**Role**", "looks like a section"),
        ("__How long__:", "looks like a section"),
    ] {
        let problems = problems(read_as(CONFIG, &with(look_alike)));
        assert!(
            problems.starts_with("/issue/body: line ") && problems.contains(told),
            "{look_alike}: {problems}"
        );
    }
    for harmless in [
        "## Details (optional), or not?",
        "> ### What they wrote",
        "Risk & impact\\n---",
        "Grüße an alle\\n\\n---",
        "Role",
        "The **Role** is the one above",
        "| Role | x |\\n|---|---|",
        "- Role",
    ] {
        assert_eq!(request(read_as(CONFIG, &with(harmless))).role.as_str(), "prod-ops", "{harmless}");
    }
    // What is configured may be in any language.
    let config = CONFIG.replace("role = \"Role\"", "role = \"Rôle\"");
    assert_eq!(request(read_as(&config, &body.replace("### Role", "### Rôle"))).role.as_str(), "prod-ops");
}

#[test]
fn fixed_sections_can_not_be_changed_by_the_author() {
    let config = CONFIG.replace("role = \"Role\"", "role = \"=prod-readonly\"");
    assert_eq!(request(read_as(&config, &payload("github-issue-labeled"))).role.as_str(), "prod-readonly");
}

#[test]
fn only_the_approving_label_on_an_open_issue_approves() {
    assert!(why(read("github-issue-labeled-other-label")).contains("the label `bug` approves nothing"));
    assert!(why(read("github-issue-labeled-closed")).contains("its state is `closed`"));
    let config = CONFIG.replace("kind = \"github\"", "kind = \"github\"\nlabel = \"BUG\"");
    assert!(
        why(read_as(&config, &payload("github-issue-labeled")))
            .contains("`access-approved` approves nothing")
    );
    assert_eq!(
        request(read_as(&config, &payload("github-issue-labeled-other-label"))).role.as_str(),
        "prod-ops"
    );
    let own = request(read("github-issue-labeled-by-author"));
    assert_eq!(own.requester, own.approvals[0].approver);
    let bot = request(read("github-issue-labeled-by-bot"));
    assert!(bot.approvals[0].approver.is_unknown_account());
}

#[test]
fn an_issue_that_ends_or_loses_its_label_closes_the_ticket() {
    for (name, reason) in [
        ("github-issue-closed", "the issue was closed"),
        ("github-issue-deleted", "the issue was deleted"),
        ("github-issue-transferred", "the issue was moved to another repository"),
        ("github-issue-unlabeled", "the approval was taken back: its label was removed"),
    ] {
        let closed = closed(read(name));
        assert_eq!(closed.ticket.as_str(), "acme/access/issues/42", "{name}");
        assert_eq!(closed.reason.as_deref(), Some(reason));
        assert_eq!(closed.closed_by.unwrap().as_str(), "bo@example.com");
    }
    assert_eq!(
        closed(read("github-issue-closed-other-repository")).ticket.as_str(),
        "acme/playground/issues/42"
    );
    let body = payload("github-issue-closed");
    let signature = format!("sha256={}", hmac_hex(CURRENT, body.as_bytes()));
    let delivery = verified(CONFIG, HEADER, &[&signature], &body).unwrap();
    assert_eq!(closed(sender(CONFIG).read(&delivery, &Nobody)).ticket.as_str(), "acme/access/issues/42");
}

#[test]
fn other_events_say_nothing_even_if_they_look_alike() {
    for name in [
        "github-issue-reopened",
        "github-issue-edited",
        "github-issue-comment-deleted",
        "github-issue-unlabeled-other-label",
        "github-pull-request-labeled",
        "github-repository-dispatch",
        "github-ping",
    ] {
        why(read(name));
    }
}

#[test]
fn what_is_not_as_documented_is_told_with_its_place() {
    let told = problems(read("github-form-encoded"));
    assert!(told.contains("content type `application/json`"), "{told}");
    let told = problems(read("github-repeated-sender"));
    assert!(told.contains("not valid JSON") && told.contains("`sender`"), "{told}");
    let told = problems(read("github-deployment-approved-huge-run-id"));
    assert!(told.starts_with("/workflow_run/id: is `1.18"), "{told}");
    let body = payload("github-deployment-approved")
        .replace("acme/orders\"", &format!("acme/{}\"", "orders-".repeat(12)));
    let config = CONFIG.replace(
        "acme/orders",
        "acme/orders-orders-orders-orders-orders-orders-orders-orders-orders-orders-orders-orders-",
    );
    let told = problems(read_as(&config, &body));
    assert!(told.contains("is not valid: 1 to 100 of"), "{told}");
}

#[test]
fn a_title_becomes_a_justification_whatever_it_is() {
    let ugly = request(read("github-deployment-approved-ugly-title")).justification;
    assert!(ugly.starts_with("gnihtyna # h <!-- x -->üü") && ugly.ends_with("/runs/11823004512)"), "{ugly}");
    assert_eq!(ugly.chars().count(), JUSTIFICATION_LIMIT);
    let unicode = request(read("github-issue-labeled-unicode")).justification;
    assert!(unicode.starts_with("結帳失敗 – Prüfung nötig 🔥"), "{unicode}");
}

#[test]
fn people_are_numbers_or_logins_and_never_both() {
    let by_login = CONFIG.replace("kind = \"github\"", "kind = \"github\"\npeople = \"login\"");
    let body = payload("github-issue-labeled");
    let request = request(read_as(&by_login, &body));
    assert_eq!(request.requester.as_str(), "ana.by.login@example.com");
    assert_eq!(request.approvals[0].approver.as_str(), "bo.by.login@example.com");
    // A login made of somebody's number.
    let body = body.replace(
        "\"login\": \"bo-larsen\",\n    \"id\": 7104432",
        "\"login\": \"7104432\",\n    \"id\": 31337",
    );
    assert!(body.contains("31337"));
    let climbed = super::tests::request(read_as(CONFIG, &body));
    assert!(climbed.approvals[0].approver.is_unknown_account());
}

#[test]
fn a_configuration_that_can_not_be_meant_is_refused() {
    let access = "tenant = \"a\"\nrole = \"b\"\n";
    for (config, told) in [
        (String::new(), "missing field `repositories`"),
        ("repositories = []".to_owned(), "`repositories` is empty"),
        ("repositories = [\"orders\"]".to_owned(), "`orders` is not a repository"),
        ("repositories = [\"a/b/c\"]".to_owned(), "`a/b/c` is not a repository"),
        ("repositories = [\"a/*\"]".to_owned(), "`a/*` is not a repository"),
        ("repositories = [\"a/b\"]".to_owned(), "nothing asks for access"),
        (
            format!(
                "repositories = [\"a/b\"]\n[source.it.environments.x]\n{access}[source.it.environments.X]\n{access}"
            ),
            "environment `x` is there twice",
        ),
        (
            format!("repositories = [\"a/b\"]\nlabel = \" \"\n[source.it.environments.x]\n{access}"),
            "`label` is empty",
        ),
        (
            format!("repositories = [\"a/b\"]\npeople = \"name\"\n[source.it.environments.x]\n{access}"),
            "unknown variant `name`",
        ),
        ("repositories = [\"a/b\"]\n[source.it.sections]\nrole = \"R\"".to_owned(), "missing field `tenant`"),
        (
            "repositories = [\"a/b\"]\n[source.it.sections]\nrole = \"R\"\ntenant = \" T\"".to_owned(),
            "section ` T` for `tenant` is not a heading",
        ),
        (
            "repositories = [\"a/b\"]\n[source.it.sections]\nrole = \"R\"\ntenant = \"T\"\nrequester = \"W\""
                .to_owned(),
            "unknown field `requester`",
        ),
    ] {
        let error = senders(&format!("[source.it]\nkind = \"github\"\n{config}\n")).unwrap_err();
        assert!(error.contains(told), "{config}: {error}");
    }
}

#[test]
fn signatures_are_those_of_githubs_documentation() {
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    let secrets = r#"{"it":{"current":"It's a Secret to Everybody"}}"#;
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    verified_with(secrets, CONFIG, HEADER, &[signature], "Hello, World!").unwrap();
    verified_with(secrets, CONFIG, HEADER, &[signature], "Hello, World").unwrap_err();
}

#[test]
fn one_right_signature_of_either_secret_is_enough_and_nothing_else_is() {
    let body = payload("github-issue-labeled");
    let (current, previous) = (hmac_hex(CURRENT, body.as_bytes()), hmac_hex(PREVIOUS, body.as_bytes()));
    let wrong = hmac_hex("another secret that is long enough", body.as_bytes());
    for good in [format!("sha256={current}"), format!("sha256={previous}")] {
        verified(CONFIG, HEADER, &[&good], &body).unwrap();
    }
    for (bad, reason) in [
        (format!("sha256={wrong}"), "signature-mismatch"),
        (current.clone(), "header-invalid"),
        (format!("sha1={current}"), "header-invalid"),
        (format!("sha256={wrong},sha256={current}"), "header-invalid"),
        (String::new(), "header-invalid"),
    ] {
        assert_eq!(verified(CONFIG, HEADER, &[&bad], &body).unwrap_err().reason(), reason, "{bad}");
    }
    // The older header is not enough.
    let sha1 = "x-hub-signature";
    assert_eq!(
        verified(CONFIG, sha1, &[&format!("sha256={current}")], &body).unwrap_err().reason(),
        "header-missing"
    );
}

#[test]
fn no_payload_makes_a_panic_and_a_request_is_always_complete() {
    for (name, text) in payloads("github") {
        let _ = read_as(CONFIG, &text);
        if name == "github-deployment-approved" || name == "github-issue-labeled" {
            for body in maimed(&text) {
                if let Ok(Reading::Notice(Notice::Approved(request))) = read_as(CONFIG, &body) {
                    assert!(!request.justification.trim().is_empty());
                    assert_eq!(request.approvals.len(), 1);
                    assert!(request.approvals[0].at <= at("2026-11-21T08:55:02Z"));
                }
            }
        }
    }
}
