//! What judgements come to, and what they say.

use curfew_app::guard::Guardrails as _;
use curfew_domain::decision::{Denial, DenialCode, Permit};
use curfew_guard::{CedarGuardrails, Explanation, Outcome};

use crate::support::{Ask, guardrails, organisation};

fn judged(all: &CedarGuardrails, ask: &Ask) -> Result<Permit, Denial> {
    let catalog = organisation();
    let plan = ask.plan(&catalog).unwrap();
    all.judge(&ask.case(&catalog, &plan), &ask.held())
}

fn explained(all: &CedarGuardrails, ask: &Ask) -> Explanation {
    let catalog = organisation();
    let plan = ask.plan(&catalog).unwrap();
    all.explain(&ask.case(&catalog, &plan), &ask.held())
}

fn ids(denial: &Denial) -> Vec<&str> {
    denial.guardrails.iter().map(curfew_domain::ids::GuardrailId::as_str).collect()
}

const PERMIT: &str = "@id(\"all\") permit (principal, action, resource);\n";

fn permitting_if(condition: &str) -> CedarGuardrails {
    guardrails(&format!("@id(\"if\") permit (principal, action, resource) when {{ {condition} }};"))
}

/// The condition holds of the request, and its opposite does not.
fn holds(condition: &str, ask: &Ask) {
    assert!(judged(&permitting_if(condition), ask).is_ok(), "{condition} does not hold");
    let opposite = judged(&permitting_if(&format!("!({condition})")), ask);
    assert_eq!(opposite.map_err(|denial| denial.code), Err(DenialCode::NotPermitted), "{condition}");
}

#[test]
fn every_attribute_has_the_value_of_the_request() {
    let ask = Ask {
        role: "data",
        tenant: "vault",
        approvers: vec!["mia", "max", "ana", "max"],
        start: Some("2026-11-25T23:30:00Z"),
        minutes: 45,
        justification: "  fünf \n",
        ..Ask::default()
    };
    for condition in [
        "context.now == datetime(\"2026-11-24T10:00:00Z\")",
        "context.starts_at == datetime(\"2026-11-25T23:30:00Z\")",
        "context.ends_at == datetime(\"2026-11-26T00:15:00Z\")",
        "context.duration == duration(\"45m\")",
        "context.start_day == \"wednesday\"",
        "!context.one_day",
        "!context.change",
        "!context.extends",
        "context.source == Source::\"itsm\"",
        "context.source.kind == \"servicenow\"",
        "context.ticket == { id: \"CHG0030192\", kind: \"change\", state: \"approved\" }",
        "context.approvals == { count: 2, complete: true, by_requester: true }",
        "context.approvers == [Person::\"mia@example.com\", Person::\"max@example.com\"]",
        "context.justification == { length: 4, text: \"fünf\" }",
        "context.holds.access.isEmpty() && context.holds.anywhere.labels.isEmpty()",
        "context.approves.roles.isEmpty()",
        "Group::\"managers\".approvals == 2 && Group::\"security\".approvals == 1",
        "Group::\"engineering\".approvals == 0",
        "Group::\"nobody-is-in-it\".approvals == 0",
        "principal == Person::\"ana@example.com\" && principal.email == \"ana@example.com\"",
        "principal in Group::\"engineering\" && !(principal in Group::\"managers\")",
        "Person::\"max@example.com\" in Group::\"security\"",
        "resource == Access::\"vault/data\" && resource in Tenant::\"vault\" && resource in Role::\"data\"",
        "resource.tenant == Tenant::\"vault\" && resource.role == Role::\"data\"",
        "resource.tenant.account == \"111122223333\" && resource.tenant.region == \"eu-central-1\"",
        "resource.tenant.environment == \"staging\" && resource.tenant.labels == [\"sensitive\"]",
        "Tenant::\"lab\".environment == \"\" && Role::\"root\".privileged",
        "!resource.role.privileged && !resource.role.managed && Role::\"rare-managed\".managed",
        "resource.role.max_duration == duration(\"12h\")",
        "resource.role.eligible == [Group::\"engineering\"]",
        "resource.role.approvers == [Group::\"managers\", Group::\"security\"]",
        "resource.role.labels == [\"data\"] && resource.role.permissions == [\"look\"]",
        "Access::\"lab/plain\".role == Role::\"plain\"",
        "action == Action::\"approved\" && action in Action::\"have\"",
    ] {
        holds(condition, &ask);
    }
}

#[test]
fn what_is_held_and_what_is_approved_has_its_values() {
    let held = vec![("lab", "rare"), ("shop", "deploy"), ("shop", "rare")];
    let ask = Ask { who: "mia", held, ..Ask::default() };
    for condition in [
        "context.holds.access == [Access::\"lab/rare\", Access::\"shop/deploy\", Access::\"shop/rare\"]",
        "context.holds.anywhere.roles == [Role::\"rare\", Role::\"deploy\"]",
        "context.holds.anywhere.labels == [\"never-standing\", \"deploys\"]",
        "context.holds.here.roles == [Role::\"rare\"] && context.holds.here.labels == [\"never-standing\"]",
        "context.approves.roles == [Role::\"two\", Role::\"data\", Role::\"data-loose\"]",
        "context.approves.labels == [\"data\", \"on-call\"]",
    ] {
        holds(condition, &ask);
    }
}

#[test]
fn a_change_extends_if_it_adds_time() {
    let change = |start: Option<&'static str>, minutes| Ask {
        current: Some(("2026-11-24T12:00:00Z", 60)),
        start,
        minutes,
        ..Ask::default()
    };
    for (ask, extends) in [
        (change(Some("2026-11-24T12:00:00Z"), 60), false),
        (change(Some("2026-11-24T12:15:00Z"), 45), false),
        (change(Some("2026-11-24T12:00:00Z"), 61), true),
        (change(Some("2026-11-24T11:59:00Z"), 10), true),
        (Ask { current: Some(("2026-11-24T09:00:00Z", 120)), ..Ask::default() }, false),
        (Ask { current: Some(("2026-11-24T09:00:00Z", 119)), ..Ask::default() }, true),
    ] {
        holds(
            if extends { "context.change && context.extends" } else { "context.change && !context.extends" },
            &ask,
        );
    }
    holds("context.one_day", &Ask::default());
}

#[test]
fn one_that_can_not_be_evaluated_denies_whatever_the_others_say() {
    let fails = "context.justification.length * 9223372036854775807 > 0";
    for policy in [
        format!("@id(\"broken\") permit (principal, action, resource) when {{ {fails} }};"),
        format!(
            "@id(\"broken\") @reason(\"r\") @remedy(\"m\") forbid (principal, action, resource) when {{ {fails} }};"
        ),
    ] {
        let denial = judged(&guardrails(&format!("{PERMIT}{policy}")), &Ask::default()).unwrap_err();
        assert_eq!((denial.code, ids(&denial)), (DenialCode::GuardrailError, vec!["broken"]));
        assert!(
            denial.reason.contains("`broken` could not be evaluated") && denial.reason.contains("overflow"),
            "{denial}"
        );
    }
}

/// Nobody knows what an attribute of something that is not there would be; that it is not there, everybody does.
#[test]
fn naming_what_the_catalog_does_not_have_matches_nothing_and_reading_it_fails() {
    holds("!(resource in Tenant::\"nowhere\") && resource.role != Role::\"none\"", &Ask::default());
    holds("!(principal in Group::\"nobody\") && principal != Person::\"x@example.com\"", &Ask::default());
    for condition in [
        "Tenant::\"nowhere\".environment == \"\"",
        "Role::\"none\".privileged",
        "Person::\"x\".email == \"\"",
    ] {
        let denial = judged(&permitting_if(condition), &Ask::default()).unwrap_err();
        assert_eq!(denial.code, DenialCode::GuardrailError, "{condition}");
    }
}

#[test]
fn a_plan_of_another_catalog_is_denied() {
    let (catalog, ask) = (organisation(), Ask::default());
    let plan = ask.plan(&catalog).unwrap();
    let other = curfew_testkit::fixtures::catalog();
    let denial = guardrails(PERMIT).judge(&ask.case(&other, &plan), &[]).unwrap_err();
    assert_eq!(denial.code, DenialCode::GuardrailError);
    assert!(denial.reason.contains("`lab` is not in the catalog"), "{denial}");
}

#[test]
fn a_denial_names_everything_that_forbids_and_what_helps() {
    let all = guardrails(&format!(
        "{PERMIT}
        @id(\"one\") @reason(\"it is late\") @remedy(\"come tomorrow\") forbid (principal, action, resource);
        @id(\"two\") @reason(\"it is cold\") @remedy(\"come in summer\") forbid (principal, action, resource in Role::\"two\");
        @id(\"three\") @reason(\"never said\") @remedy(\"nor this\") forbid (principal, action, resource in Role::\"root\");"
    ));
    let denial = judged(&all, &Ask { role: "two", approvers: vec!["mia"], ..Ask::default() }).unwrap_err();
    assert_eq!((denial.code, ids(&denial)), (DenialCode::Forbidden, vec!["one", "two"]));
    assert_eq!(
        denial.to_string(),
        "guardrail `one` forbids it: it is late; guardrail `two` forbids it: it is cold; \
         approvals are missing: 1 of `security`; come tomorrow; come in summer"
    );
}

#[test]
fn what_none_permits_is_told_with_what_is_missing() {
    let all = guardrails(
        "@id(\"eligible\") @remedy(\"be eligible\") permit (principal, action == Action::\"approved\", resource)
         when { principal in resource.role.eligible && context.approvals.complete };
         @id(\"commanders\") @reason(\"commanders may\")
         permit (principal in Group::\"incident-commanders\", action == Action::\"break-glass\", resource);",
    );
    let denial = |ask: Ask| judged(&all, &ask).unwrap_err();
    let mia = denial(Ask { who: "mia", role: "two", ..Ask::default() });
    assert_eq!((mia.code, ids(&mia)), (DenialCode::NotPermitted, vec![]));
    assert_eq!(
        mia.to_string(),
        "no guardrail permits `mia@example.com` to have role `two` in tenant `lab` by approvals; \
         the role is for `engineering`, and the requester is in `managers`; \
         approvals are missing: 1 of `managers`, 1 of `security`; guardrail `eligible` would: be eligible"
    );
    let unclaimed = denial(Ask { role: "unclaimed", ..Ask::default() });
    assert!(unclaimed.reason.ends_with("role `unclaimed` names no groups that are eligible"), "{unclaimed}");
    // Not in the group that the scope names: it is told all the same.
    let glass = denial(Ask { basis: "break-glass", ..Ask::default() });
    assert!(
        glass.remedy.contains("`commanders`, for members of `incident-commanders`, would: commanders may"),
        "{glass}"
    );
    let pager = denial(Ask { basis: "on-call", ..Ask::default() });
    assert!(pager.reason.ends_with("for being on call"), "{pager}");
    assert!(pager.remedy.contains("ask for it another way"), "{pager}");
}

#[test]
fn a_review_is_owed_if_everything_that_permits_asks_for_one() {
    let all = guardrails(
        "@id(\"a\") @review(\"look at it\") permit (principal, action, resource);
         @id(\"b\") @review(\"look twice\") permit (principal, action, resource);
         @id(\"c\") permit (principal, action == Action::\"approved\", resource);",
    );
    let permit = |basis| judged(&all, &Ask { basis, ..Ask::default() }).unwrap();
    assert_eq!(permit("break-glass").review.as_deref(), Some("look at it"));
    let approved = permit("approved");
    assert_eq!(approved.review, None);
    assert_eq!(approved.permitted_by.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(approved.guardrails_digest, all.digest());
}

#[test]
fn an_explanation_tells_each_condition() {
    let all = guardrails(
        "@id(\"late\") @reason(\"r\") @remedy(\"m\") forbid (principal, action, resource)
         when { context.duration > duration(\"30m\") && context.change };
         @id(\"some\") permit (principal, action, resource)
         when { principal in resource.role.eligible && context.approvals.count >= 2 }
         unless { context.change || resource.role.privileged };
         @id(\"elsewhere\") permit (principal, action, resource in Tenant::\"shop\");
         @id(\"broken\") permit (principal, action, resource)
         when { resource.role.privileged && Role::\"none\".privileged };",
    );
    let explanation = explained(&all, &Ask::default());
    assert_eq!(explanation.judgement, judged(&all, &Ask::default()));
    type Told = (String, Outcome, Vec<(String, Option<bool>)>);
    let told = |explanation: &Explanation| -> Vec<Told> {
        let each = explanation.considered.iter().map(|one| {
            let conditions = one.conditions.iter().map(|one| (one.text.clone(), one.holds));
            (one.id.to_string(), one.outcome.clone(), conditions.collect())
        });
        each.collect()
    };
    let condition = |text: &str, holds| (text.to_owned(), holds);
    let unevaluated = condition("Role::\"none\".privileged", None);
    assert_eq!(
        told(&explanation),
        [
            (
                "late".to_owned(),
                Outcome::Silent,
                vec![
                    condition("context.duration > duration(\"30m\")", Some(true)),
                    condition("context.change", Some(false))
                ]
            ),
            (
                "some".to_owned(),
                Outcome::Silent,
                vec![
                    condition("principal in resource.role.eligible", Some(true)),
                    condition("context.approvals.count >= 2", Some(false)),
                    condition("not (context.change)", Some(true)),
                    condition("not (resource.role.privileged)", Some(true)),
                ]
            ),
            (
                "broken".to_owned(),
                Outcome::Silent,
                vec![condition("resource.role.privileged", Some(false)), unevaluated]
            ),
        ]
    );
    let root = explained(&all, &Ask { role: "root", ..Ask::default() });
    assert!(matches!(&root.considered[2].outcome, Outcome::Failed(why) if why.contains("none")), "{root:?}");
    assert!(root.judgement.is_err_and(|denial| denial.code == DenialCode::GuardrailError));
    let two = explained(&all, &Ask { approvers: vec!["mia", "ben"], ..Ask::default() });
    assert_eq!(two.considered[1].outcome, Outcome::Applies);
}
