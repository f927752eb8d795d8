//! Every role can be had by somebody, with approvals that somebody else can give, and by words that guardrails know.

use std::collections::BTreeSet;

use curfew_domain::catalog::{Catalog, CatalogFile, Role};
use curfew_domain::decision::missing_approvals;
use curfew_domain::ids::{Email, RoleName, SourceAccount};

use super::shipped::{ROOT, local, shipped, texts};

/// Whether somebody may ask for the role, has a principal to receive it, and enough others may approve it.
fn can_be_had(catalog: &Catalog, role: &Role) -> bool {
    catalog.people().any(|requester| {
        let others: Vec<_> = catalog.people().filter(|person| person.email() != requester.email()).collect();
        !requester.principals().is_empty()
            && requester.groups().intersection(role.eligible()).next().is_some()
            && !others.is_empty()
            && missing_approvals(role.approvals(), &others).is_empty()
    })
}

#[test]
fn every_role_can_be_had_by_somebody_whom_others_can_approve() {
    for catalog in [shipped(), local()] {
        for role in catalog.roles() {
            assert!(can_be_had(&catalog, role), "nobody can get role `{}`", role.name());
        }
    }
}

#[test]
fn everybody_who_may_ask_for_a_role_can_get_it_approved_by_others() {
    let catalog = shipped();
    for role in catalog.roles() {
        for requester in catalog.people().filter(|p| !p.groups().is_disjoint(role.eligible())) {
            let others: Vec<_> = catalog.people().filter(|p| p.email() != requester.email()).collect();
            let missing = missing_approvals(role.approvals(), &others);
            assert!(missing.is_empty(), "`{}` for `{}`: {missing:?}", requester.email(), role.name());
        }
    }
}

/// A label that is written wrong would bind nobody. By the policies' text; what they mean is tested where they are read.
#[test]
fn every_label_is_one_that_a_shipped_guardrail_asks_for() {
    let catalog = shipped();
    let guardrails = texts("infra/guardrails", "cedar").concat();
    let used: BTreeSet<&str> =
        catalog.roles().flat_map(|role| role.labels()).map(|label| label.as_str()).collect();
    assert!(used.len() > 5, "{used:?}");
    for label in used {
        assert!(
            guardrails.contains(&format!("labels.contains(\"{label}\")")),
            "no guardrail asks for `{label}`"
        );
    }
    for environment in catalog.tenants().map(|tenant| tenant.environment().unwrap()) {
        assert!(guardrails.contains(&format!("environment == \"{environment}\"")), "{environment}");
    }
}

/// Nobody may ask for a role without `eligible` by the shipped guardrails: in the tests' catalogs neither.
#[test]
fn every_catalog_in_the_repository_says_who_may_ask() {
    for path in ["tests/catalog/roles.toml", "shared/testkit/catalog.toml"] {
        let text = std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap();
        let catalog = Catalog::parse(&[CatalogFile { name: path.to_owned(), text }]).unwrap();
        assert!(catalog.roles().next().is_some(), "{path}");
        assert!(catalog.roles().all(|role| !role.eligible().is_empty()), "{path}");
    }
}

#[test]
fn another_address_and_an_account_lead_to_the_same_person() {
    let catalog = shipped();
    let ana = catalog.person(&Email::new("ana@example.com").unwrap()).unwrap();
    let alias = catalog.person(&Email::new("ana.garcia@example.com").unwrap()).unwrap();
    let account = catalog.person_by_account(&SourceAccount::new("slack:U024BE7LH").unwrap()).unwrap();
    assert_eq!([alias.email(), account.email()], [ana.email(), ana.email()]);
}

/// `cargo demo`: dana asks, carlos approves.
#[test]
fn the_demos_people_can_play_it() {
    let catalog = local();
    let [dana, carlos] = ["dana@example.com", "carlos@example.com"]
        .map(|email| catalog.person(&Email::new(email).unwrap()).unwrap());
    for name in ["prod-readonly", "prod-ops"] {
        let role = catalog.role(&RoleName::new(name).unwrap()).unwrap();
        assert!(!dana.groups().is_disjoint(role.eligible()), "{name}");
        assert_eq!(missing_approvals(role.approvals(), &[carlos]), [], "{name}");
        assert!(role.labels().is_empty(), "{name}: no guardrail but those for everybody");
    }
}
