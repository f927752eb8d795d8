//! Extensions that are refused: by whoever may not approve, by guardrails and limits, or because there is nothing to be
//! extended. Each leaves the grant as it is, and a dry run says the same.

use curfew_app::extend::{Extend, Extended, NewEnd};
use curfew_app::guard::Guardrails;
use curfew_app::open::Opened;
use curfew_domain::catalog::Catalog;
use curfew_domain::decision::{Denial, DenialCode};
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::{GrantId, GuardrailId};
use curfew_domain::request::{AccessRequest, Approval, Basis, TicketFacts};
use curfew_domain::transition::{CHANGES_MAX, Illegal};
use curfew_domain::window::plus;
use curfew_testkit::CallName::{Attach, SetTimer};
use curfew_testkit::fixtures::{person, request, ticket_closed};
use curfew_testkit::guardrails::{Permissive, Scripted, permit};
use curfew_testkit::{CallName, Delivery, Fault};
use jiff::SignedDuration;

use crate::amendments::{assert_agreed, begun, window};
use crate::extensions::{WORDS, catalog_with, changed, denied, order};
use crate::support::{Life, approved_again, minute};

/// A catalog in which `ops` takes these approvals.
fn taking(approvals: &str) -> Catalog {
    let role = "[role.ops]\n";
    catalog_with(role, &format!("{role}approvals = {approvals}\n"))
}

/// A refused extension: nothing of the grant changed, in the ledger or in AWS; of a dry run nothing at all.
#[track_caller]
pub(crate) fn refused(life: &Life, grant: &Grant, order: &Extend, guardrails: &dyn Guardrails) -> Extended {
    let before = life.everything();
    let would = life.extend_under(guardrails, &Extend { dry_run: true, ..order.clone() });
    assert_eq!(life.everything(), before, "a dry run");
    let calls_of_aws = |life: &Life| {
        let sent = life.world.sent_after(0);
        sent.iter().filter(|call| [Attach, CallName::Detach, SetTimer].contains(&call.name)).count()
    };
    let (row, calls) = (life.grant(grant.id()), calls_of_aws(life));
    let extended = life.extend_under(guardrails, order);
    assert_eq!(extended, would, "a dry run says the same");
    assert!(!changed(&extended), "{extended:?}");
    assert_eq!((life.grant(grant.id()), calls_of_aws(life)), (row, calls));
    let denials = life.world.look(|aws| aws.ledger.denials().count());
    let is_denied = matches!(extended, Extended::Denied { .. });
    assert_eq!(denials, usize::from(is_denied), "a denial is kept, and nothing else is one");
    if !is_denied {
        assert_eq!(life.everything(), before);
    }
    extended
}

#[test]
fn who_may_not_approve_may_not_extend() {
    for (catalog, operator, code, named) in [
        (curfew_testkit::fixtures::catalog(), "mallory", DenialCode::UnknownApprover, "mallory@example.com"),
        (curfew_testkit::fixtures::catalog(), "ana", DenialCode::SelfApproval, "ana@example.com"),
        (taking(r#"["engineering"]"#), "carl", DenialCode::OperatorNotEntitled, "group `engineering`"),
        (taking(r#"["approvers", "engineering"]"#), "carl", DenialCode::OperatorNotEntitled, "2 people"),
        (taking(r#"["2 of anybody"]"#), "carl", DenialCode::OperatorNotEntitled, "2 people"),
    ] {
        let life = Life::of(&catalog);
        let mut asked = request("CHG-1");
        // Whoever it takes did approve, once: for an hour.
        asked.approvals.push(Approval { approver: person("ben"), at: minute(0) });
        let grant = life.active(&asked);
        life.world.set_time(minute(10));
        let order = Extend { operator: person(operator), ..order(&grant, 90, "r-1") };
        let denial = denied(refused(&life, &grant, &order, &Permissive));
        assert_eq!(denial.code, code, "{denial}");
        assert!(denial.reason.contains(named), "{denial}");
        // Who asked, why, and by which invocation.
        life.world.look(|aws| {
            let kept = aws.ledger.denials().next().unwrap();
            assert_eq!((kept.code.as_str(), kept.delivery.as_str()), (code.as_str(), "operator:r-1"));
            let expected = format!(
                "{}; operator {operator}@example.com asked for it until 2026-11-21T11:30:00Z: {WORDS} (invocation r-1)",
                denial.reason
            );
            assert_eq!(kept.reason, expected);
            let named = kept.operator.as_ref().map(|name| name.as_str().to_owned());
            assert_eq!(named, Some(format!("{operator}@example.com")), "and not the requester, nor the source");
        });
        life.pass_the_end_of(grant.id());
        life.assert_nothing_left();
    }
    let life = Life::of(&taking(r#"["approvers"]"#));
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(minute(10));
    assert!(changed(&life.extend(&order(&grant, 90, "r-1"))));
}

#[test]
fn guardrails_judge_it_as_a_change_by_an_operator() {
    for code in [DenialCode::Forbidden, DenialCode::NotPermitted, DenialCode::GuardrailError] {
        for end in [90, 30] {
            let (life, grant) = begun(&request("CHG-1"));
            let guardrails = Scripted::new(move |case, _| {
                let facts = &case.plan.request.ticket_facts;
                assert_eq!((case.plan.window, case.current), (window(0, end), Some(window(0, 60))));
                assert_eq!(case.plan.approvers, [person("carl")]);
                assert_eq!((&*facts.sender, &*facts.state), ("operator", ""));
                Err(Denial::by_guardrails(
                    code,
                    vec![GuardrailId::new("freeze").unwrap()],
                    "there is a freeze",
                    "ask again on Monday",
                ))
            });
            // Unlike a source's, an operator's shortening that can't be had ends nothing: they can revoke it.
            let denial = denied(refused(&life, &grant, &order(&grant, end, "r-1"), &guardrails));
            assert_eq!((denial.code, denial.reason.as_str()), (code, "there is a freeze"));
            assert_agreed(&life, &grant, grant.window());
        }
    }
    // What permits it is on record with it.
    let (life, grant) = begun(&request("CHG-1"));
    let guardrails = Scripted::new(|_, _| {
        Ok(curfew_domain::decision::Permit { review: Some("look at it".to_owned()), ..permit() })
    });
    assert!(changed(&life.extend_under(&guardrails, &order(&grant, 90, "r-1"))));
    assert!(life.grant(grant.id()).review().is_some());
    assert_eq!(life.events(grant.id())[3..], ["Extended", "ReviewOwed", "Activated"]);
}

#[test]
fn limits_hold_for_the_whole_window() {
    for (to, code) in [
        (NewEnd::At(minute(240)), None),
        (NewEnd::At(minute(241)), Some(DenialCode::WindowTooLong)),
        (NewEnd::Later(SignedDuration::from_mins(180)), None),
        (NewEnd::Later(SignedDuration::from_mins(181)), Some(DenialCode::WindowTooLong)),
        (NewEnd::Later(SignedDuration::MAX), Some(DenialCode::WindowTooLong)),
        (NewEnd::At(minute(10)), Some(DenialCode::WindowOver)),
        (NewEnd::At(minute(-10)), Some(DenialCode::WindowEmpty)),
    ] {
        let (life, grant) = begun(&request("CHG-1"));
        let order = Extend { to, ..order(&grant, 0, "r-1") };
        match code {
            None => assert!(changed(&life.extend(&order)), "{to:?}"),
            Some(code) => {
                assert_eq!(denied(refused(&life, &grant, &order, &Permissive)).code, code, "{to:?}");
            }
        }
    }
}

#[test]
fn what_is_not_live_is_not_extended() {
    let far = |grant: &Grant| order(grant, 120, "r-1");
    // Its window is over, and neither its timer nor the sweep has come yet.
    let (life, grant) = begun(&request("CHG-1"));
    life.world.set_time(minute(60));
    assert!(matches!(life.state(grant.id()), State::Active { .. }));
    assert!(matches!(refused(&life, &grant, &far(&grant), &Permissive), Extended::NotLive(_)));
    // Being removed; and removed.
    let (life, grant) = begun(&request("CHG-1"));
    life.world.plan(Fault::once(CallName::Detach, Delivery::LostRequest));
    life.revoke(grant.id());
    assert!(matches!(life.state(grant.id()), State::Closing { .. }));
    assert!(matches!(refused(&life, &grant, &far(&grant), &Permissive), Extended::NotLive(_)));
    life.pass(3);
    assert!(matches!(life.state(grant.id()), State::Closed { .. }));
    assert!(matches!(refused(&life, &grant, &far(&grant), &Permissive), Extended::NotLive(_)));
    life.assert_nothing_left();
    // Being opened.
    let life = Life::new();
    life.world.plan(Fault::hold(Attach));
    let mut opening = life.opening(&request("CHG-1"));
    life.world.run(&mut opening).unwrap_err();
    let id = crate::support::id_of(&life, &request("CHG-1"));
    let grant = life.grant(&id);
    assert!(matches!(refused(&life, &grant, &far(&grant), &Permissive), Extended::NotLive(_)));
}

#[test]
fn what_the_ledger_does_not_have_is_said() {
    let (life, grant) = begun(&request("CHG-1"));
    let id = GrantId::new("g-aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
    let order = Extend { grant_id: id.clone(), ..order(&grant, 90, "r-1") };
    assert_eq!(refused(&life, &grant, &order, &Permissive), Extended::NoSuchGrant(id));
}

/// Whoever closed the ticket was cut off before the first grant: nothing is given on it any more all the same.
#[test]
fn a_grant_of_a_closed_ticket_is_not_extended() {
    let (life, grant) = begun(&request("CHG-1"));
    let mut closing = life.closing_ticket(&ticket_closed("CHG-1"));
    assert!(closing.poll().is_none());
    assert!(life.world.step());
    closing.crash();
    assert!(matches!(life.state(grant.id()), State::Active { .. }));
    let answer = refused(&life, &grant, &order(&grant, 90, "r-1"), &Permissive);
    assert!(matches!(answer, Extended::TicketClosed(_)), "{answer:?}");
    life.pass(3);
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
}

#[test]
fn an_approval_that_is_dated_ahead_is_not_outdone_before_its_time() {
    let life = Life::new();
    let asked = approved_again(&request("CHG-1"), 4, 60);
    let grant = life.active(&asked);
    for at in [minute(1), minute(4)] {
        life.world.set_time(at);
        let answer = refused(&life, &grant, &order(&grant, 90, "r-1"), &Permissive);
        let from = plus(minute(4), SignedDuration::from_secs(1));
        assert!(matches!(answer, Extended::TooSoon { from: told, .. } if told == from), "{answer:?}");
    }
    life.world.set_time(plus(minute(4), SignedDuration::from_secs(1)));
    assert!(changed(&life.extend(&order(&grant, 90, "r-1"))));
}

#[test]
fn an_end_that_it_has_already_is_no_change() {
    let (life, grant) = begun(&request("CHG-1"));
    let order = order(&grant, 60, "r-1");
    let answer = refused(&life, &grant, &order, &Permissive);
    assert!(matches!(answer, Extended::AsItIs(_)), "{answer:?}");
}

#[test]
fn a_window_is_changed_so_often_whoever_does() {
    let (life, grant) = begun(&request("CHG-1"));
    for n in 0..CHANGES_MAX {
        let n = i64::try_from(n).unwrap();
        life.world.set_time(minute(11 + n));
        assert!(changed(&life.extend(&order(&grant, 90 + n, &format!("r-{n}")))), "{n}");
    }
    life.world.set_time(minute(50));
    let answer = refused(&life, &grant, &order(&grant, 200, "r-last"), &Permissive);
    let Extended::Tried(Opened::NotChanged { why: Illegal::TooManyChanges, .. }) = answer else {
        panic!("{answer:?}")
    };
}

/// An emergency's access is extended as what the extension makes of it: approved, by the operator. What goes for
/// emergencies alone does not stretch.
#[test]
fn access_that_rested_on_no_approval_is_judged_as_approved_by_the_operator() {
    for basis in [Basis::BreakGlass { since: minute(0) }, Basis::OnCall { since: minute(0) }] {
        let facts = TicketFacts { sender: "pagerduty".into(), kind: "incident".into(), state: "open".into() };
        let asked = AccessRequest { approvals: Vec::new(), basis, ticket_facts: facts, ..request("CHG-1") };
        let (life, grant) = begun(&asked);
        let emergencies_only = Scripted::new(|case, _| match case.plan.request.basis {
            Basis::Approvals => Err(Denial::by_guardrails(
                DenialCode::NotPermitted,
                Vec::new(),
                "not eligible",
                "be eligible",
            )),
            Basis::OnCall { .. } | Basis::BreakGlass { .. } => Ok(permit()),
        });
        let denial = denied(refused(&life, &grant, &order(&grant, 90, "r-1"), &emergencies_only));
        assert_eq!(denial.code, DenialCode::NotPermitted);
        // By the requester themselves it is nobody's approval.
        let own = Extend { operator: person("ana"), ..order(&grant, 90, "r-2") };
        assert_eq!(denied(life.extend(&own)).code, DenialCode::SelfApproval);
        life.world.advance(SignedDuration::from_secs(1));
        assert!(changed(&life.extend(&order(&grant, 90, "r-3"))));
        assert_eq!(life.grant(grant.id()).request().basis, Basis::Approvals);
        assert_agreed(&life, &grant, window(0, 90));
    }
}
