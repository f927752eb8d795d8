//! What is refused, and where it is said to be wrong.

use curfew_domain::catalog::Findings;
use curfew_domain::ids::GuardrailId;
use curfew_guard::{CedarGuardrails, Effect, GuardrailFile, Resource, Who};

use crate::support::{file, guardrails};

fn refused(text: &str) -> Findings {
    match CedarGuardrails::parse(&[file(text)]) {
        Err(findings) => findings,
        Ok(_) => panic!("accepted:\n{text}"),
    }
}

/// The text is refused at this line and column, in words that have these in them.
fn refused_at(text: &str, line: usize, column: usize, words: &[&str]) {
    let findings = refused(text);
    let found = findings.errors().any(|finding| {
        let told = finding.to_string();
        (finding.line, finding.column) == (line, column) && words.iter().all(|word| told.contains(word))
    });
    assert!(found, "not at {line}:{column} with {words:?}:\n{findings}");
}

fn warned(text: &str) -> Vec<String> {
    guardrails(text).warnings().iter().map(ToString::to_string).collect()
}

const PERMIT: &str = "@id(\"all\") permit (principal, action, resource);\n";

#[test]
fn no_file_is_an_error_and_nothing_permitted_a_warning() {
    let findings = CedarGuardrails::parse(&[]).unwrap_err();
    assert!(findings.to_string().contains("there is no file of guardrails"), "{findings}");
    let told = warned("// nothing yet\n");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("test.cedar:1:1: warning: no guardrail permits anything"), "{told:?}");
    assert_eq!(warned(PERMIT), Vec::<String>::new());
}

#[test]
fn syntax_is_told_with_its_place() {
    refused_at("\n  permit (principal, action resource);", 2, 29, &["unexpected token `resource`"]);
    refused_at("@id(\"ä\") permit (principal, action, resource) when { 1 + };", 1, 58, &["unexpected token"]);
    refused_at("@id(\"x\") permit (principal == ?principal, action, resource);", 1, 1, &["template"]);
}

#[test]
fn the_schema_is_kept_to_strictly() {
    let condition =
        |text: &str| format!("{PERMIT}@id(\"x\")\npermit (principal, action, resource)\nwhen {{ {text} }};");
    for (text, column, words) in [
        ("resource.role.labls.contains(\"x\")", 8, "labls"),
        ("context.approvals.count >= \"2\"", 35, "String"),
        ("context.duration <= 3600", 8, "duration"),
        ("context.duration <= duration(\"5 hours\")", 8 + 20, "duration"),
        ("principal in Groop::\"x\"", 8 + 13, "Groop"),
        ("principal.email", 8, "String"),
    ] {
        refused_at(&condition(text), 4, column, &[words]);
    }
    refused_at(
        "@id(\"x\") permit (principal, action == Action::\"aproved\", resource);",
        1,
        39,
        &["Action::\"aproved\""],
    );
}

#[test]
fn a_policy_that_can_never_match_is_a_warning() {
    let text = format!("{PERMIT}@id(\"never\")\npermit (principal, action, resource)\nwhen {{ 1 == 2 }};");
    let told = warned(&text);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("test.cedar:2:1: warning: policy is impossible"), "{told:?}");
}

#[test]
fn each_has_an_id_of_its_own() {
    refused_at("\npermit (principal, action, resource);", 2, 1, &["no `@id`"]);
    refused_at("@id(\"No Slug\") permit (principal, action, resource);", 1, 1, &["`No Slug`", "a-z"]);
    refused_at("@id permit (principal, action, resource);", 1, 1, &["`@id` says nothing"]);
    refused_at(&format!("{PERMIT}{PERMIT}"), 2, 1, &["`all` is defined already, at test.cedar:1"]);
    let twice = |name: &str| GuardrailFile { name: name.to_owned(), text: PERMIT.to_owned() };
    let findings = CedarGuardrails::parse(&[twice("b.cedar"), twice("a.cedar")]).unwrap_err();
    assert!(findings.to_string().starts_with("b.cedar:1:1: error"), "{findings}");
}

#[test]
fn what_forbids_gives_a_reason_and_should_say_what_helps() {
    let forbid =
        |annotations: &str| format!("{PERMIT}@id(\"x\") {annotations} forbid (principal, action, resource);");
    refused_at(&forbid(""), 2, 1, &["no `@reason`"]);
    refused_at(&forbid("@reason(\" \")"), 2, 1, &["`@reason` says nothing"]);
    refused_at(&forbid("@reason(\"r\") @review(\"w\")"), 2, 1, &["`@review`"]);
    refused_at(&forbid("@reason(\"r\") @remdy(\"w\")"), 2, 1, &["`@remdy` means nothing"]);
    let told = warned(&forbid("@reason(\"r\")"));
    assert!(
        told.iter()
            .any(|told| told.contains("test.cedar:2:1: warning: a guardrail that forbids has no `@remedy`")),
        "{told:?}"
    );
    assert_eq!(warned(&forbid("@reason(\"r\") @remedy(\"m\")")), Vec::<String>::new());
}

#[test]
fn every_mistake_is_told_at_once() {
    let broken = GuardrailFile { name: "a.cedar".to_owned(), text: "permit(".to_owned() };
    let nameless = GuardrailFile {
        name: "b.cedar".to_owned(),
        text: "forbid (principal, action, resource);".to_owned(),
    };
    let findings = CedarGuardrails::parse(&[nameless, broken]).unwrap_err();
    let files: Vec<&str> = findings.errors().map(|finding| finding.file.as_str()).collect();
    assert_eq!(files, ["a.cedar", "b.cedar", "b.cedar"], "{findings}");
}

#[test]
fn what_a_guardrail_is_about_and_what_it_names_is_known() {
    let all = guardrails(
        "@id(\"a\") @reason(\"why\") @remedy(\"how\")
         forbid (principal in Group::\"g1\", action in [Action::\"approved\", Action::\"on-call\"], resource in Tenant::\"t1\")
         when { Group::\"g2\".approvals < 1 && context.holds.anywhere.roles.contains(Role::\"r1\") }
         unless { resource.role.labels.containsAny([\"l1\", \"l2\"]) || resource.tenant.environment == \"e1\" };
         @id(\"b\") @review(\"look\")
         permit (principal == Person::\"p@example.com\", action == Action::\"break-glass\", resource == Access::\"t/r\")
         when { context has approves && context.source == Source::\"s1\" };
         @id(\"c\") permit (principal is Person, action in Action::\"have\", resource in Role::\"r2\");",
    );
    let find = |id: &str| all.guardrail(&GuardrailId::new(id).unwrap()).unwrap();
    let (a, b, c) = (find("a"), find("b"), find("c"));
    assert_eq!((a.effect(), b.effect()), (Effect::Forbid, Effect::Permit));
    assert_eq!((a.reason(), a.remedy(), a.review()), (Some("why"), Some("how"), None));
    assert_eq!(b.review(), Some("look"));
    assert_eq!((a.place().line, b.place().line, c.place().line), (1, 5, 8));
    assert_eq!(a.scope().who, Who::Group("g1".to_owned()));
    assert_eq!(a.scope().resource, Resource::Tenant("t1".to_owned()));
    assert_eq!(a.scope().actions, ["approved", "on-call"]);
    assert_eq!(b.scope().who, Who::Person("p@example.com".to_owned()));
    assert_eq!(b.scope().resource, Resource::Access("t/r".to_owned()));
    assert_eq!(b.scope().actions, ["break-glass"]);
    assert_eq!((&c.scope().who, &c.scope().resource), (&Who::Anybody, &Resource::Role("r2".to_owned())));
    assert_eq!(c.scope().actions, ["approved", "on-call", "break-glass"]);
    let names = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
    let mentions = a.mentions();
    assert_eq!(names(&mentions.groups), "g1 g2");
    assert_eq!(names(&mentions.tenants), "t1");
    assert_eq!(names(&mentions.roles), "r1");
    assert_eq!(names(&mentions.labels), "l1 l2");
    assert_eq!(names(&mentions.environments), "e1");
    assert_eq!((mentions.held, mentions.approves), (true, false));
    let mentions = b.mentions();
    assert_eq!(names(&mentions.people), "p@example.com");
    assert_eq!(names(&mentions.access), "t/r");
    assert_eq!(names(&mentions.sources), "s1");
    assert_eq!((mentions.held, mentions.approves), (false, true));
}

#[test]
fn the_digest_is_of_names_and_texts_in_any_order() {
    let named = |name: &str, text: &str| GuardrailFile { name: name.to_owned(), text: text.to_owned() };
    let digest = |files: &[GuardrailFile]| CedarGuardrails::parse(files).unwrap().digest().to_owned();
    let (a, b) = (named("a.cedar", PERMIT), named("b.cedar", "// more\n"));
    let both = digest(&[a.clone(), b.clone()]);
    assert_eq!(both, digest(&[b, a.clone()]));
    assert_eq!(both.len(), 64);
    assert_ne!(both, digest(std::slice::from_ref(&a)));
    assert_ne!(both, digest(&[a, named("c.cedar", "// more\n")]));
    let all = guardrails(PERMIT);
    assert_eq!(CedarGuardrails::digest(&all), curfew_app::guard::Guardrails::digest(&all));
}
