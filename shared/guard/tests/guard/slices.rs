//! Slices and what they leave out: the judgement is that of every guardrail, whatever the guardrails and the request.

use curfew_app::guard::Guardrails as _;
use curfew_domain::decision::{Denial, DenialCode, Permit};
use curfew_guard::CedarGuardrails;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;

use crate::support::{Ask, guardrails, organisation};

const WHO: &[&str] = &[
    "principal",
    "principal",
    "principal is Person",
    "principal == Person::\"ana@example.com\"",
    "principal in Person::\"ben@example.com\"",
    "principal == Person::\"nobody@example.com\"",
    "principal in Group::\"engineering\"",
    "principal in Group::\"managers\"",
    "principal is Person in Group::\"incident-commanders\"",
    "principal in Group::\"unheard-of\"",
];

const ACTIONS: &[&str] = &[
    "action",
    "action",
    "action == Action::\"approved\"",
    "action == Action::\"on-call\"",
    "action == Action::\"break-glass\"",
    "action in Action::\"have\"",
    "action in [Action::\"approved\", Action::\"on-call\"]",
];

const RESOURCES: &[&str] = &[
    "resource",
    "resource",
    "resource is Access",
    "resource in Tenant::\"lab\"",
    "resource in Tenant::\"shop\"",
    "resource in Tenant::\"nowhere\"",
    "resource in Role::\"plain\"",
    "resource in Role::\"root\"",
    "resource == Access::\"lab/plain\"",
    "resource is Access in Tenant::\"lab\"",
    "resource is Access in Role::\"root\"",
];

/// Conditions that look at everything there is, and one that fails.
const CONDITIONS: &[&str] = &[
    "",
    "",
    "when { principal in resource.role.eligible && context.approvals.complete }",
    "when { context.duration > duration(\"1h\") }",
    "when { Group::\"managers\".approvals > 0 }",
    "when { Group::\"unheard-of\".approvals > 0 }",
    "when { Role::\"root\".privileged && Tenant::\"shop\".environment == \"production\" }",
    "when { resource.role.privileged && context.holds.here.labels.contains(\"deploys\") }",
    "when { context.holds.access.contains(resource) }",
    "when { context.holds.anywhere.roles.contains(Role::\"deploy\") } unless { context.change }",
    "unless { resource.role.privileged || context.holds.anywhere.labels.contains(\"never-standing\") }",
    "when { context.change } unless { context.holds.access.isEmpty() }",
    "when { context.change || context.holds.access.contains(resource) }",
    "unless { resource.role.privileged && context.holds.access.contains(resource) }",
    "when { context.approves.labels.contains(\"data\") }",
    "when { resource.role.privileged && context.approves.roles.contains(Role::\"two\") }",
    "when { context.justification.length * 9223372036854775807 > 0 }",
    "when { resource.role.privileged && Tenant::\"nowhere\".environment == \"\" }",
];

fn any_guardrail() -> impl Strategy<Value = String> {
    let effect = select(vec!["permit", "permit", "forbid"]);
    let scope = (select(WHO), select(ACTIONS), select(RESOURCES));
    let condition = select(CONDITIONS);
    (effect, scope, condition).prop_map(|(effect, (who, action, resource), condition)| {
        format!("{effect} ({who}, {action}, {resource}) {condition};")
    })
}

fn any_guardrails() -> impl Strategy<Value = String> {
    prop::collection::vec(any_guardrail(), 1..14).prop_map(|policies| {
        let numbered = policies.iter().enumerate();
        numbered.map(|(n, text)| format!("@id(\"g{n}\") @reason(\"r\") @remedy(\"m\") {text}\n")).collect()
    })
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let who = select(vec!["ana", "ben", "mia", "cid", "rob"]);
    let role = select(vec!["plain", "root", "two", "deploy", "rare"]);
    let tenant = select(vec!["lab", "shop", "vault"]);
    let basis = select(vec!["approved", "approved", "on-call", "break-glass"]);
    let approvers = prop::collection::vec(select(vec!["mia", "sam", "max"]), 1..3);
    let held = select(vec![("lab", "deploy"), ("lab", "plain"), ("shop", "rare"), ("lab", "root")]);
    let held = prop::collection::vec(held, 0..3);
    let current = prop::option::of(Just(("2026-11-24T09:00:00Z", 90)));
    (who, role, tenant, basis, 1_i64..200, approvers, held, current).prop_map(
        |(who, role, tenant, basis, minutes, approvers, held, current)| Ask {
            who,
            role,
            tenant,
            basis,
            minutes,
            approvers,
            held,
            current,
            ..Ask::default()
        },
    )
}

/// What a judgement comes to, without its words: those name the guardrails of the slice.
fn core(judged: Result<Permit, Denial>) -> Result<Permit, (DenialCode, Vec<String>)> {
    judged.map_err(|denial| (denial.code, denial.guardrails.iter().map(ToString::to_string).collect()))
}

fn both(text: &str) -> (CedarGuardrails, CedarGuardrails) {
    (guardrails(text), guardrails(text).unsliced().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_slice_judges_as_the_whole_does(text in any_guardrails(), asks in prop::collection::vec(any_ask(), 6)) {
        let (sliced, whole) = both(&text);
        let catalog = organisation();
        for ask in asks {
            let Ok(plan) = ask.plan(&catalog) else { continue };
            let (case, held) = (ask.case(&catalog, &plan), ask.held());
            let judged = core(sliced.judge(&case, &held));
            prop_assert_eq!(&judged, &core(whole.judge(&case, &held)), "{}\n{:?}", text, ask);
            prop_assert_eq!(&judged, &core(sliced.explain(&case, &held).judgement));
            // Where what is held is not asked for, it does not matter.
            if sliced.asks_what_is_held(&case) {
                prop_assert!(text.contains("holds"));
            } else {
                prop_assert_eq!(&judged, &core(sliced.judge(&case, &[])), "{}\n{:?}", text, ask);
            }
        }
    }
}

#[test]
fn the_property_sees_every_kind_of_judgement() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let catalog = organisation();
    let (mut kinds, mut asked, mut mattered) = (std::collections::BTreeMap::new(), [0, 0], 0);
    for _ in 0..200 {
        let all = guardrails(&any_guardrails().new_tree(&mut runner).unwrap().current());
        let ask = any_ask().new_tree(&mut runner).unwrap().current();
        let Ok(plan) = ask.plan(&catalog) else { continue };
        let (case, held) = (ask.case(&catalog, &plan), ask.held());
        let judged = core(all.judge(&case, &held));
        let kind = judged.as_ref().map_or_else(|(code, _)| code.as_str(), |_| "permitted");
        *kinds.entry(kind).or_insert(0) += 1;
        asked[usize::from(all.asks_what_is_held(&case))] += 1;
        mattered += u32::from(judged != core(all.judge(&case, &[])));
    }
    let codes = [DenialCode::NotPermitted, DenialCode::Forbidden, DenialCode::GuardrailError];
    for kind in codes.map(DenialCode::as_str).into_iter().chain(["permitted"]) {
        assert!(kinds.get(kind).is_some_and(|count| *count >= 7), "{kind}: {kinds:?}");
    }
    assert!(asked.iter().all(|count| *count >= 20) && mattered >= 2, "{asked:?} {mattered}");
}
