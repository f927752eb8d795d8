//! Guardrails: what they are asked, and what comes of their answer. What the shipped ones say is tested where they are.

use std::sync::{Arc, Mutex};

use curfew_app::guard::{Guardrails, HeldRole, Rules};
use curfew_app::open::{Opened, open};
use curfew_domain::decision::{Denial, DenialCode, Permit};
use curfew_domain::event::Fact;
use curfew_domain::grant::{Outcome, Review, State};
use curfew_domain::ids::{GrantId, GuardrailId, RoleName, TenantId};
use curfew_domain::request::AccessRequest;
use curfew_domain::window::Window;
use curfew_testkit::CallName::{Attach, Commit, LiveOfPerson, Load, Open, RecordDenial, SetTimer};
use curfew_testkit::fixtures::{ANA, managed_request, request, request_of};
use curfew_testkit::guardrails::{Scripted, permit};
use curfew_testkit::{CallName, Delivery, Fault};

use crate::support::{Life, approved_again, minute};

fn guardrail(id: &str) -> GuardrailId {
    GuardrailId::new(id).unwrap()
}

/// Guardrails that deny everything.
fn denying(code: DenialCode) -> Scripted {
    let ids = match code {
        // Nobody permits it: there is nobody to be named.
        DenialCode::Forbidden => vec![guardrail("freeze"), guardrail("no-self-approval")],
        _ => Vec::new(),
    };
    Scripted::new(move |_, _| {
        Err(Denial::by_guardrails(code, ids.clone(), "there is a freeze until Monday", "ask again on Monday"))
    })
}

/// An opening under guardrails, with what it called.
fn open_under(life: &Life, guardrails: &dyn Guardrails, asked: &AccessRequest) -> (Opened, Vec<CallName>) {
    let ports = life.world.invocation();
    let rules = Rules { catalog: &life.catalog, guardrails };
    let opened = life.world.finish(open(&ports, rules, asked.clone(), life.settings())).unwrap().unwrap();
    (opened, life.world.calls(&ports))
}

fn denied(opened: Opened) -> Denial {
    match opened {
        Opened::Denied(denial) => denial,
        other => panic!("not denied: {other:?}"),
    }
}

#[test]
fn what_guardrails_deny_is_on_record_with_them_and_nothing_is_in_aws() {
    for code in [DenialCode::Forbidden, DenialCode::NotPermitted, DenialCode::GuardrailError] {
        for asked in [request("CHG-1"), managed_request("CHG-1")] {
            let life = Life::new();
            let guardrails = denying(code);
            let (opened, calls) = open_under(&life, &guardrails, &asked);
            let denial = denied(opened);
            assert_eq!(denial.code, code);
            assert_eq!(calls.last(), Some(&RecordDenial));
            assert!(calls.iter().all(|call| ![Open, Attach, SetTimer].contains(call)), "{calls:?}");
            life.world.look(|aws| {
                let kept: Vec<_> = aws.ledger.denials().collect();
                assert_eq!(kept.len(), 1);
                assert_eq!(
                    (kept[0].code.as_str(), kept[0].reason.as_str()),
                    (code.as_str(), denial.reason.as_str())
                );
                assert_eq!(kept[0].guardrails, denial.guardrails);
                assert_eq!(kept[0].catalog_digest, life.catalog.digest());
                assert_eq!(kept[0].guardrails_digest, guardrails.digest());
                assert_eq!(aws.ledger.rows().count(), 0);
            });
            assert!(!life.allows(ANA));
            life.assert_nothing_left();
        }
    }
}

#[test]
fn what_permitted_a_grant_is_on_record() {
    let life = Life::new();
    let permitted_by = vec![guardrail("on-call"), guardrail("standard")];
    let by = permitted_by.clone();
    let guardrails = Scripted::new(move |_, _| {
        Ok(Permit { guardrails_digest: "g1".to_owned(), permitted_by: by.clone(), review: None })
    });
    let (Opened::Activated(grant), _) = open_under(&life, &guardrails, &request("CHG-1")) else {
        panic!("not activated")
    };
    assert_eq!(grant.decided().guardrails_digest, "g1");
    assert_eq!(grant.decided().permitted_by, permitted_by);
    let story = life.world.look(|aws| aws.ledger.row(grant.id()).unwrap().story().unwrap());
    let Some(Fact::Requested { decided, .. }) = story.events.first().map(|event| &event.fact) else {
        panic!("{:?}", story.events)
    };
    assert_eq!(decided, grant.decided());
    assert_eq!(decided.catalog_digest, life.catalog.digest());
    assert_eq!(grant.review(), None);
}

#[test]
fn an_approval_that_was_granted_gets_the_same_answer_although_guardrails_deny_it_by_now() {
    let life = Life::new();
    let asked = request("CHG-1");
    let grant = life.active(&asked);
    life.world.set_time(minute(10));
    assert!(matches!(life.open(&approved_again(&asked, 5, 90)), Opened::Changed { .. }));
    let before = life.everything();
    for code in [DenialCode::Forbidden, DenialCode::NotPermitted, DenialCode::GuardrailError] {
        for known in [&asked, &approved_again(&asked, 5, 90)] {
            let (opened, _) = open_under(&life, &denying(code), known);
            assert!(matches!(&opened, Opened::Duplicate(of) if of.id() == grant.id()), "{opened:?}");
        }
    }
    assert_eq!(life.everything(), before);
    life.revoke(grant.id());
    let (opened, _) = open_under(&life, &denying(DenialCode::Forbidden), &asked);
    assert!(matches!(opened, Opened::Duplicate(_)), "{opened:?}");
    life.assert_nothing_left();
}

/// What guardrails were asked about a window: as it shall be, and as it is.
type Asked = Arc<Mutex<Vec<(Window, Option<Window>)>>>;

/// Guardrails that permit what `permits` says of the window as it shall be and as it is, and keep what they were asked.
fn by_window(
    permits: impl Fn(Window, Option<Window>) -> Result<(), DenialCode> + Send + Sync + 'static,
) -> (Scripted, Asked) {
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    let guardrails = Scripted::new(move |case, _| {
        kept.lock().unwrap().push((case.plan.window, case.current));
        permits(case.plan.window, case.current).map(|()| permit()).map_err(|code| {
            Denial::by_guardrails(code, vec![guardrail("limit")], "not so long", "ask for less")
        })
    });
    (guardrails, asked)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(minute(from), minute(to)).unwrap()
}

#[test]
fn an_extension_is_judged_on_the_whole_window_with_the_one_that_is() {
    let asked = request("CHG-1");
    // From its first start, it may be had for an hour and a half.
    let limit = |shall: Window, is: Option<Window>| {
        let over = is.is_some() && shall.expires_at() > minute(90);
        if over { Err(DenialCode::Forbidden) } else { Ok(()) }
    };
    for (end, allowed) in [(90, true), (91, false)] {
        let life = Life::new();
        let grant = life.active(&asked);
        life.world.set_time(minute(10));
        let (guardrails, seen) = by_window(limit);
        let (opened, _) = open_under(&life, &guardrails, &approved_again(&asked, 5, end));
        assert_eq!(seen.lock().unwrap().last(), Some(&(window(0, end), Some(window(0, 60)))));
        if allowed {
            assert!(matches!(opened, Opened::Changed { .. }), "{opened:?}");
        } else {
            assert_eq!(denied(opened).guardrails, [guardrail("limit")]);
            assert_eq!(life.world.look(|aws| aws.ledger.denials().count()), 1);
        }
        let now = if allowed { window(0, end) } else { window(0, 60) };
        assert_eq!(life.grant(grant.id()).window(), now);
        life.pass_the_end_of(grant.id());
        life.assert_nothing_left();
    }
}

#[test]
fn a_shortening_that_guardrails_forbid_ends_the_grant() {
    for code in [DenialCode::Forbidden, DenialCode::NotPermitted] {
        // By a later approval, and by the one in force.
        for approved in [5, 0] {
            let asked = request("CHG-1");
            let life = Life::new();
            let grant = life.active(&asked);
            life.world.set_time(minute(10));
            let (opened, _) = open_under(&life, &denying(code), &approved_again(&asked, approved, 30));
            assert!(matches!(opened, Opened::RevokedMeanwhile(_)), "{opened:?}");
            assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
            assert!(!life.allows(ANA));
            life.assert_nothing_left();
        }
    }
}

#[test]
fn a_shortening_is_judged_as_what_it_is() {
    // As a request of its own it would be denied: nothing may be opened any more.
    let closing_time = |_, is: Option<Window>| is.map(|_| ()).ok_or(DenialCode::Forbidden);
    let asked = request("CHG-1");
    let life = Life::new();
    let grant = life.active(&asked);
    life.world.set_time(minute(10));
    let (guardrails, _) = by_window(closing_time);
    let (opened, _) = open_under(&life, &guardrails, &approved_again(&asked, 5, 30));
    assert!(matches!(opened, Opened::Changed { .. }), "{opened:?}");
    assert_eq!(life.grant(grant.id()).window(), window(0, 30));
    life.pass_the_end_of(grant.id());
    life.assert_nothing_left();
}

#[test]
fn guardrails_that_fail_change_nothing_of_a_live_grant() {
    for (approved, end) in [(5, 90), (5, 30), (0, 30)] {
        let asked = request("CHG-1");
        let life = Life::new();
        let grant = life.active(&asked);
        life.world.set_time(minute(10));
        let again = approved_again(&asked, approved, end);
        let (opened, _) = open_under(&life, &denying(DenialCode::GuardrailError), &again);
        assert_eq!(denied(opened).code, DenialCode::GuardrailError);
        assert!(matches!(life.state(grant.id()), State::Active { changing: None, .. }));
        assert_eq!(life.grant(grant.id()).window(), window(0, 60));
        // Once they can be asked again, the same delivery does what it says.
        assert!(matches!(life.open(&again), Opened::Changed { .. }));
        life.pass_the_end_of(grant.id());
        life.assert_nothing_left();
    }
}

/// Guardrails that permit everything and keep what they were told the requester holds.
fn asking() -> (Scripted, Arc<Mutex<Vec<Vec<HeldRole>>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let guardrails = Scripted::new(move |_, held| {
        kept.lock().unwrap().push(held.to_vec());
        Ok(permit())
    });
    (guardrails, told)
}

fn held(tenant: &str, role: &str) -> HeldRole {
    HeldRole { tenant: TenantId::new(tenant).unwrap(), role: RoleName::new(role).unwrap() }
}

#[test]
fn guardrails_are_told_what_the_requester_holds_besides() {
    let life = Life::new();
    let own = request("CHG-1");
    life.active(&own);
    life.active(&request_of("ana", "globex", "ops", "CHG-2"));
    life.active(&managed_request("CHG-3"));
    // The same role once more, another person's, and one that has ended.
    life.active(&managed_request("CHG-4"));
    life.active(&request_of("ben", "acme", "ops", "CHG-5"));
    let ended = life.active(&request_of("ana", "acme", "ops", "CHG-6"));
    life.revoke(ended.id());
    life.world.set_time(minute(10));
    let all = vec![held("acme", "audit"), held("acme", "ops"), held("globex", "ops")];
    let (guardrails, told) = asking();
    open_under(&life, &guardrails, &request("CHG-7"));
    assert_eq!(told.lock().unwrap().last(), Some(&all));
    // One ticket can carry several grants: what it gave already counts like any other's.
    let (guardrails, told) = asking();
    open_under(&life, &guardrails, &request_of("ana", "acme", "ops", "CHG-3"));
    assert_eq!(told.lock().unwrap().last(), Some(&all));
    // What a grant is is no reason against a change of it.
    let life_of_one = Life::new();
    life_of_one.active(&own);
    life_of_one.world.set_time(minute(10));
    let (guardrails, told) = asking();
    let (opened, _) = open_under(&life_of_one, &guardrails, &approved_again(&own, 5, 90));
    assert!(matches!(opened, Opened::Changed { .. }), "{opened:?}");
    assert_eq!(*told.lock().unwrap(), [vec![], vec![]]);
}

#[test]
fn an_end_that_the_index_does_not_show_yet_is_seen_on_the_grant() {
    let life = Life::new();
    let ended = life.active(&managed_request("CHG-1"));
    life.world.change(|aws| aws.ledger.freeze_indexes());
    life.revoke(ended.id());
    let (guardrails, told) = asking();
    open_under(&life, &guardrails, &request("CHG-2"));
    assert_eq!(*told.lock().unwrap(), [vec![]]);
}

#[test]
fn the_ledger_is_asked_what_somebody_holds_only_if_guardrails_ask() {
    let life = Life::new();
    life.active(&managed_request("CHG-1"));
    let permissive = curfew_testkit::guardrails::permissive(&life.catalog).guardrails;
    let (_, calls) = open_under(&life, permissive, &request("CHG-2"));
    assert_eq!(calls, [Open, Attach, SetTimer, Commit]);
    let (guardrails, _) = asking();
    let (_, calls) = open_under(&life, &guardrails, &request("CHG-3"));
    assert_eq!(calls, [LiveOfPerson, Load, Load, Open, Attach, SetTimer, Commit]);
}

#[test]
fn what_somebody_holds_that_can_not_be_read_is_no_decision() {
    for name in [LiveOfPerson, Load] {
        let life = Life::new();
        life.active(&managed_request("CHG-1"));
        let before = life.everything();
        life.world.plan(Fault::always(name, Delivery::LostRequest));
        let (guardrails, told) = asking();
        let rules = Rules { catalog: &life.catalog, guardrails: &guardrails };
        let ports = life.world.invocation();
        let opened = life.world.finish(open(&ports, rules, request("CHG-2"), life.settings())).unwrap();
        assert!(opened.unwrap_err().retryable);
        assert!(told.lock().unwrap().is_empty());
        assert_eq!(life.everything(), before);
    }
}

/// Guardrails that permit everything and want it looked at afterwards.
fn reviewing() -> Scripted {
    Scripted::new(|_, _| Ok(Permit { review: Some("break-glass is looked at".to_owned()), ..permit() }))
}

#[test]
fn a_review_that_guardrails_ask_for_is_owed_from_the_first_line_of_the_record_on() {
    let life = Life::new();
    let (Opened::Activated(grant), _) = open_under(&life, &reviewing(), &request("CHG-1")) else {
        panic!("not activated")
    };
    let owed = Some(Review::Owed { since: minute(0) });
    assert_eq!(life.grant(grant.id()).review(), owed);
    assert_eq!(life.events(grant.id()), ["Requested", "Opened", "ReviewOwed", "Activated"]);
    // Once owed it stays owed, by whatever else happens; and once is enough.
    life.world.set_time(minute(10));
    let (opened, _) = open_under(&life, &reviewing(), &approved_again(&request("CHG-1"), 5, 90));
    assert!(matches!(opened, Opened::Changed { .. }), "{opened:?}");
    life.pass_the_end_of(grant.id());
    assert_eq!(life.grant(grant.id()).review(), owed);
    assert_eq!(life.events(grant.id()).iter().filter(|name| **name == "ReviewOwed").count(), 1);
    life.assert_nothing_left();
}

#[test]
fn a_change_that_needs_a_review_makes_the_whole_grant_owe_one() {
    let life = Life::new();
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(minute(10));
    let (opened, _) = open_under(&life, &reviewing(), &approved_again(&request("CHG-1"), 5, 90));
    assert!(matches!(opened, Opened::Changed { .. }), "{opened:?}");
    assert_eq!(life.grant(grant.id()).review_owed_since(), Some(minute(10)));
    assert_eq!(life.events(grant.id())[3..], ["Extended", "ReviewOwed", "Activated"]);
    life.pass_the_end_of(grant.id());
    assert_eq!(life.grant(grant.id()).review_owed_since(), Some(minute(10)));
    life.assert_nothing_left();
}

#[test]
fn what_never_took_effect_owes_no_review() {
    let life = Life::new();
    life.world.plan(Fault::once(Attach, Delivery::Refused));
    let (opened, _) = open_under(&life, &reviewing(), &request("CHG-1"));
    let Opened::Refused { grant, .. } = opened else { panic!("{opened:?}") };
    let id: &GrantId = grant.id();
    assert_eq!(life.outcome(id), Some(Outcome::Failed));
    assert_eq!(life.grant(id).review_owed_since(), None);
}
