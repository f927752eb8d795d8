//! An operator's change: what it asks for, and whose approval is enough.

use super::*;
use crate::effect::TimerKind;
use crate::grant::Grant;
use crate::operator::Invocation;
use crate::transition::{Opening, open};

/// The same catalog, with groups, and roles that take this and that.
fn grouped() -> Catalog {
    let text = CATALOG
        .replace("[person.\"ben@example.com\"]\n", "[person.\"ben@example.com\"]\ngroups = [\"managers\"]\n")
        .replace(
            "[person.\"carla@example.com\"]\n",
            "[person.\"carla@example.com\"]\ngroups = [\"managers\", \"security\"]\naliases = [\"c@corp.example.com\"]\n",
        );
    let role = |name: &str, approvals: &str| {
        format!(
            "[role.{name}]\ndescription = \"{name}\"\npermissions = [\"read\"]\nmax_duration = \"4h\"\n\
             default_duration = \"1h\"\napprovals = {approvals}\n"
        )
    };
    let roles = [
        role("managed-by", r#"["managers"]"#),
        role("secured-by", r#"["security"]"#),
        role("by-both", r#"["managers", "security"]"#),
        role("by-two", r#"["2 of managers"]"#),
        role("by-any-two", r#"["2 of anybody"]"#),
    ];
    Catalog::parse(&[CatalogFile { name: "c.toml".into(), text: format!("{text}\n{}", roles.concat()) }])
        .unwrap()
}

/// Ana's grant of a role from ten to eleven.
fn granted_under(catalog: &Catalog, asked: &AccessRequest) -> Grant {
    let plan = decide(catalog, asked, &facts()).unwrap();
    let permit = Permit { guardrails_digest: String::new(), permitted_by: Vec::new(), review: None };
    let opening = Opening {
        attempt: 0,
        timer: TimerKind::Scheduler,
        lease_until: at(NOW),
        sweep_grace: SignedDuration::ZERO,
    };
    open(plan.permitted(permit), opening, at(NOW)).grant
}

fn asked_by(grant: &Grant, operator: &str, until: &str, time: &str) -> AccessRequest {
    let operator = Email::new(operator).unwrap();
    operators_request(grant, &operator, at(until), at(time), Invocation::of("r-1").delivery())
}

fn judged(catalog: &Catalog, grant: &Grant, request: &AccessRequest, time: &str) -> Result<Plan, Denial> {
    let facts = DecisionFacts { now: at(time), ..facts() };
    let current = Current { window: grant.window(), approved_at: grant.approved_at() };
    decide_operators_change(catalog, &catalog.with_main_addresses(request.clone()), &facts, current)
}

const LATER: &str = "2026-11-21T10:30:00Z";

#[test]
fn it_asks_for_the_same_access_and_rests_on_nobody_elses_word() {
    let catalog = catalog();
    for basis in [Basis::Approvals, Basis::OnCall { since: at(NOW) }, Basis::BreakGlass { since: at(NOW) }] {
        let asked = with(|r| {
            r.basis = basis;
            r.approvals.push(approval("carla@example.com", NOW));
            r.ticket_facts =
                TicketFacts { sender: "pagerduty".into(), kind: "incident".into(), state: "open".into() };
        });
        let grant = granted_under(&catalog, &asked);
        let request = asked_by(&grant, "carla@example.com", "2026-11-21T12:00:00Z", LATER);
        assert_eq!(request.approvals, [approval("carla@example.com", LATER)]);
        assert_eq!(request.basis, Basis::Approvals);
        assert_eq!(request.principal.as_ref(), Some(grant.access().principal()));
        assert_eq!(request.delivery.as_str(), "operator:r-1");
        let told = &request.ticket_facts;
        assert_eq!((&*told.sender, &*told.kind, &*told.state), ("operator", "incident", ""));
        let same = AccessRequest {
            principal: asked.principal.clone(),
            window: asked.window,
            approvals: asked.approvals.clone(),
            basis: asked.basis,
            ticket_facts: asked.ticket_facts.clone(),
            delivery: asked.delivery.clone(),
            ..request.clone()
        };
        assert_eq!(same, asked);
        let plan = judged(&catalog, &grant, &request, LATER).unwrap();
        assert_eq!(plan.window, Window::new(at(NOW), at("2026-11-21T12:00:00Z")).unwrap());
        assert_eq!(plan.approvers, [Email::new("carla@example.com").unwrap()]);
        assert_eq!((plan.approved_at, plan.grant_id(0)), (at(LATER), grant.id().clone()));
    }
}

#[test]
fn only_a_role_that_takes_this_one_approval_is_extended_and_shortened() {
    let catalog = grouped();
    let denied = Some(DenialCode::OperatorNotEntitled);
    for (role, operator, expected, named) in [
        // A role without `approvals` takes one of anybody.
        ("ops", "ben@example.com", None, ""),
        ("ops", "carla@example.com", None, ""),
        ("managed-by", "ben@example.com", None, ""),
        ("managed-by", "carla@example.com", None, ""),
        ("managed-by", "c@corp.example.com", None, ""),
        ("secured-by", "carla@example.com", None, ""),
        ("secured-by", "ben@example.com", denied, "group `security`"),
        // Whoever is in both groups is one human being all the same.
        ("by-both", "carla@example.com", denied, "2 people"),
        ("by-two", "ben@example.com", denied, "2 people"),
        ("by-any-two", "ben@example.com", denied, "2 people"),
        ("ops", "mallory@example.com", Some(DenialCode::UnknownApprover), "mallory"),
        ("ops", "ana@example.com", Some(DenialCode::SelfApproval), "ana"),
    ] {
        let asked = with(|r| {
            r.role = RoleName::new(role).unwrap();
            // All that the role takes was there when it was granted.
            r.approvals.push(approval("carla@example.com", NOW));
        });
        let grant = granted_under(&catalog, &asked);
        for until in ["2026-11-21T12:00:00Z", "2026-11-21T10:45:00Z"] {
            let request = asked_by(&grant, operator, until, LATER);
            let judged = judged(&catalog, &grant, &request, LATER);
            let code = judged.as_ref().err().map(|denial| denial.code);
            assert_eq!(code, expected, "{role} by {operator} until {until}: {judged:?}");
            if let Err(denial) = judged {
                assert!(denial.reason.contains(named), "{denial}");
                assert!(!denial.remedy.is_empty());
                if denial.code == DenialCode::OperatorNotEntitled {
                    assert!(denial.remedy.contains("ticket `CHG-1`"), "{denial}");
                }
            }
        }
    }
}

#[test]
fn limits_are_those_of_the_whole_window() {
    let catalog = catalog();
    let grant = granted_under(&catalog, &good());
    for (until, expected) in [
        ("2026-11-21T14:00:00Z", None),
        ("2026-11-21T14:00:01Z", Some(DenialCode::WindowTooLong)),
        ("2026-11-21T10:30:01Z", Some(DenialCode::WindowOver)),
        ("2026-11-21T09:00:00Z", Some(DenialCode::WindowEmpty)),
    ] {
        let judged = judged(&catalog, &grant, &asked_by(&grant, "carla@example.com", until, LATER), LATER);
        assert_eq!(judged.as_ref().err().map(|denial| denial.code), expected, "{until}: {judged:?}");
    }
}

#[test]
fn a_window_that_has_not_begun_keeps_its_start() {
    let catalog = catalog();
    let begins = "2026-11-21T12:00:00Z";
    let asked = with(|r| set_window(r, Some(begins), until("2026-11-21T13:00:00Z")));
    let grant = granted_under(&catalog, &asked);
    let request = asked_by(&grant, "carla@example.com", "2026-11-21T14:00:00Z", LATER);
    let plan = judged(&catalog, &grant, &request, LATER).unwrap();
    assert_eq!(plan.window, Window::new(at(begins), at("2026-11-21T14:00:00Z")).unwrap());
}

#[test]
fn a_principal_that_is_no_longer_theirs_is_not_extended() {
    let catalog = catalog();
    let grant = granted_under(&catalog, &good());
    let text = CATALOG.replace("    \"arn:aws:iam::111122223333:user/ana\",\n", "");
    let text = text.replace("arn:aws:s3:::REPEATED", "arn:aws:s3:::one");
    let later = Catalog::parse(&[CatalogFile { name: "c.toml".into(), text }]).unwrap();
    let request = asked_by(&grant, "carla@example.com", "2026-11-21T12:00:00Z", LATER);
    let denial = judged(&later, &grant, &request, LATER).unwrap_err();
    assert_eq!(denial.code, DenialCode::PrincipalNotTheirs);
}
