//! Who may depend on whom.

use std::collections::BTreeSet;

use crate::workspace::{closure, members, release_profile};

/// What each member may be built of, among the members. Dependencies point one way: whoever needs a new
/// arrow decides about the architecture, and says so here and in ARCHITECTURE.md.
const MAY_USE: &[(&str, &[&str])] = &[
    ("curfew-domain", &[]),
    ("curfew-app", &["curfew-domain"]),
    ("curfew-guard", &["curfew-domain", "curfew-app"]),
    ("curfew-intake", &["curfew-domain"]),
    // Carries out the questions that intake has to a source.
    ("curfew-itsm", &["curfew-intake"]),
    // Evidence outside the ledger: what happened becomes records, a sealed archive, reports.
    ("curfew-audit", &["curfew-domain", "curfew-app"]),
    ("curfew-aws", &["curfew-domain", "curfew-app", "curfew-audit"]),
    ("curfew-runtime", &["curfew-domain", "curfew-app"]),
    ("curfew-testkit", &["curfew-domain", "curfew-app"]),
    (
        "curfew-fn-grant",
        &[
            "curfew-domain",
            "curfew-app",
            "curfew-guard",
            "curfew-intake",
            "curfew-itsm",
            "curfew-aws",
            "curfew-runtime",
        ],
    ),
    ("curfew-fn-audit", &["curfew-domain", "curfew-app", "curfew-audit", "curfew-aws", "curfew-runtime"]),
    ("curfew-fn-console", FUNCTION),
    ("curfew-fn-revoke", FUNCTION),
    ("curfew-fn-sweep", FUNCTION),
    // Speaks to what is deployed from the outside, as its users do; and judges rules by the code that the functions run.
    ("curfew-cli", &["curfew-domain", "curfew-app", "curfew-audit", "curfew-guard", "curfew-intake"]),
    // Plays the simulation, and mutates code as text.
    ("curfew-sim", &["curfew-testkit"]),
    // What reads anything from outside. No member of the workspace, and held to its rules all the same.
    ("curfew-fuzz", &["curfew-domain", "curfew-guard", "curfew-intake"]),
    // The templates as data, and nothing of the code. No member either.
    ("curfew-terraform", &[]),
    // On top of everything.
    (
        "curfew-tests",
        &[
            "curfew-domain",
            "curfew-app",
            "curfew-intake",
            "curfew-audit",
            "curfew-aws",
            "curfew-runtime",
            "curfew-testkit",
            "curfew-cli",
            // What a button sends is read by the function that it calls.
            "curfew-fn-console",
            "curfew-fn-grant",
            "curfew-fn-revoke",
        ],
    ),
];

const FUNCTION: &[&str] = &["curfew-domain", "curfew-app", "curfew-aws", "curfew-runtime"];

/// What the tests of any member may need besides: in memory only.
const TESTS_MAY_USE: &[&str] = &["curfew-testkit"];

fn ours(names: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    names.iter().map(String::as_str).filter(|name| name.starts_with("curfew-"))
}

/// Crates of the AWS SDK. `aws_lambda_events` and `lambda_runtime` are no SDK: they are how a function is called.
fn is_sdk(name: &str) -> bool {
    name.starts_with("aws-")
}

#[test]
fn dependencies_point_one_way() {
    for (name, _) in MAY_USE {
        assert!(members().contains_key(*name), "{name} is no member any more: take it out of MAY_USE");
    }
    for (name, member) in members() {
        let rule = MAY_USE.iter().find(|(of, _)| *of == name);
        let Some((_, allowed)) = rule else {
            panic!("{name} in {} is a new member: say in MAY_USE what it may use", member.folder);
        };
        for used in ours(&member.dependencies) {
            assert!(allowed.contains(&used), "{name} must not depend on {used}");
        }
        for used in ours(&member.dev_dependencies) {
            let fine = allowed.contains(&used) || TESTS_MAY_USE.contains(&used);
            assert!(fine, "{name}'s tests must not depend on {used}");
        }
    }
}

#[test]
fn fakes_are_only_for_tests() {
    let tests = ["curfew-sim", "curfew-tests"];
    for (name, member) in members().iter().filter(|(name, _)| !tests.contains(&name.as_str())) {
        assert!(!member.dependencies.contains("curfew-testkit"), "{name} is built with fakes");
    }
}

#[test]
fn only_shared_aws_knows_the_aws_sdk() {
    for (name, member) in members() {
        let sdk: Vec<&String> =
            member.dependencies.iter().chain(&member.dev_dependencies).filter(|name| is_sdk(name)).collect();
        match name.as_str() {
            "curfew-aws" => assert!(!sdk.is_empty(), "the rule looks at nothing"),
            // The tests on the wire sign calls with the people's own keys; they have no client of a service.
            "curfew-tests" => {
                assert!(!sdk.iter().any(|name| name.starts_with("aws-sdk-")), "{name} depends on {sdk:?}");
            }
            _ => assert!(sdk.is_empty(), "{name} depends on {sdk:?}; only shared/aws may"),
        }
    }
}

#[test]
fn the_domain_needs_neither_a_runtime_nor_aws() {
    let tree = closure("curfew-domain");
    assert!(tree.contains("serde_json"), "the rule looks at nothing: {tree:?}");
    for name in &tree {
        let asynchronous =
            ["tokio", "async-", "futures", "smol", "hyper", "mio", "lambda", "tower", "reqwest"];
        assert!(!asynchronous.iter().any(|prefix| name.starts_with(prefix)), "the domain depends on {name}");
        assert!(!is_sdk(name) && !name.contains("aws"), "the domain depends on {name}");
        let random = ["rand", "getrandom", "uuid", "fastrand"];
        assert!(!random.contains(&name.as_str()), "the domain depends on {name}");
    }
}

#[test]
fn the_use_cases_run_on_any_runtime() {
    for name in closure("curfew-app") {
        assert!(!name.starts_with("tokio") && !is_sdk(&name), "the use cases depend on {name}");
    }
}

/// A panic must become an error reply; and cargo-lambda lets panics abort where the profile says nothing.
#[test]
fn a_panic_does_not_end_a_function() {
    assert_eq!(release_profile().get("panic").and_then(toml::Value::as_str), Some("unwind"));
}
