//! They parse, warn of nothing that is not known, and fit where they are attached.

use curfew_domain::catalog::RoleAccess;
use curfew_domain::document::{Scope, fits, render};
use curfew_domain::ids::{RoleName, TenantId};
use curfew_domain::principal::PrincipalKind;
use curfew_domain::window::Window;

use super::policy::scope;
use super::shipped::{is_break_glass, local, shipped};

/// What the catalog check says of `infra/catalog/`, and why that stays so.
const WARNINGS: [(&str, &str); 3] = [
    ("allows `ecs:*`", "a shell in a container: in an emergency somebody has to look inside"),
    ("allows `lambda:*`", "new code for a function: in an emergency somebody has to mend it"),
    ("allows `ssm:*`", "a shell on an instance: in an emergency somebody has to look inside"),
];

/// The roles that an IAM user has room for, in the shipped tenant and without any other grant.
const FOR_USERS: [&str; 5] = ["data-reader", "db-reader", "prod-audit", "prod-readonly", "prod-secrets"];

#[test]
fn the_starter_catalog_warns_of_what_is_known_and_of_nothing_else() {
    let catalog = shipped();
    let told: Vec<String> = catalog.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), WARNINGS.len(), "{told:#?}");
    for (told, (what, why)) in told.iter().zip(WARNINGS) {
        assert!(told.starts_with("permissions-breakglass.toml:"), "{told}");
        assert!(told.contains("of permission `break_glass`"), "{told}");
        assert!(told.contains(what), "expected {what} ({why}), found {told}");
    }
    assert_eq!(catalog.check_own_account("111122223333"), []);
}

#[test]
fn the_demos_catalog_warns_of_nothing() {
    assert_eq!(local().warnings(), []);
    assert_eq!(local().check_own_account("000000000000"), []);
}

fn window() -> Window {
    let at = |text: &str| text.parse().unwrap();
    Window::new(at("2026-11-21T01:02:03Z"), at("2026-11-21T03:02:03Z")).unwrap()
}

#[test]
fn every_role_fits_on_an_iam_role_whatever_its_tenant_is_called() {
    // The longest name that a tenant can have, and a region with a long one.
    let long = Scope::new(TenantId::new("t".repeat(64)).unwrap(), "111122223333", "ap-southeast-12").unwrap();
    for catalog in [shipped(), local()] {
        for role in catalog.roles() {
            let RoleAccess::Inline { statements } = role.access() else {
                panic!("role `{}` is managed: nothing but a timer would end it", role.name());
            };
            let document = render(statements, &long, window());
            if let Err(error) = fits(PrincipalKind::Role, &document) {
                panic!("role `{}`: {error}", role.name());
            }
        }
    }
}

#[test]
fn the_roles_that_fit_on_an_iam_user_are_those_that_the_catalog_says() {
    let catalog = shipped();
    let fitting: Vec<&str> = catalog
        .roles()
        .filter(|role| {
            let RoleAccess::Inline { statements } = role.access() else { return false };
            fits(PrincipalKind::User, &render(statements, &scope("example"), window())).is_ok()
        })
        .map(|role| role.name().as_str())
        .collect();
    assert_eq!(fitting, FOR_USERS);
}

#[test]
fn one_role_is_for_emergencies() {
    let catalog = shipped();
    let names: Vec<&RoleName> = catalog.roles().map(|role| role.name()).collect();
    let found: Vec<&&RoleName> = names.iter().filter(|name| is_break_glass(&catalog, name)).collect();
    assert_eq!(found, [&&RoleName::new("prod-breakglass").unwrap()]);
}
