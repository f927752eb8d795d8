//! Extensions: an operator moves the end of a live grant by hand, as one approval more, and by no way around what an
//! approval has to pass.

use curfew_app::extend::{Extend, Extended, NewEnd, REPEAT_WITHIN, extend};
use curfew_app::guard::{Guardrails, Rules};
use curfew_app::open::Opened;
use curfew_app::ports::LedgerError;
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::decision::Denial;
use curfew_domain::event::{Actor, Event, Fact, OperatorName, verify_chain};
use curfew_domain::grant::{Grant, Outcome};
use curfew_domain::ids::GrantId;
use curfew_domain::operator::Invocation;
use curfew_domain::request::{Approval, WindowEnd};
use curfew_domain::window::{Window, plus};
use curfew_testkit::CallName::{Attach, ClosedTicket, Commit, SetTimer, Story};
use curfew_testkit::fixtures::{ANA, CATALOG, managed_request, person, request, ticket_closed};
use curfew_testkit::guardrails::Permissive;
use curfew_testkit::{CallName, Delivery, Fault, Task};
use jiff::SignedDuration;

use crate::amendments::{assert_agreed, begun, window};
use crate::extension_refusals::refused;
use crate::support::{Life, approved_again, minute};

pub(crate) const WORDS: &str = "INC-7 is not over";

/// Carl's extension of a grant until a minute after the start, by an invocation of its own.
pub(crate) fn order(grant: &Grant, end: i64, invocation: &str) -> Extend {
    Extend {
        grant_id: grant.id().clone(),
        to: NewEnd::At(minute(end)),
        operator: person("carl"),
        reason: WORDS.to_owned(),
        invocation: Invocation::of(invocation),
        dry_run: false,
    }
}

pub(crate) fn later(grant: &Grant, minutes: i64, invocation: &str) -> Extend {
    Extend { to: NewEnd::Later(SignedDuration::from_mins(minutes)), ..order(grant, 0, invocation) }
}

impl Life {
    /// An operator's extension that has not begun.
    pub(crate) fn extending<'a>(&'a self, order: &Extend) -> Task<'a, Result<Extended, LedgerError>> {
        let (order, settings) = (order.clone(), self.settings());
        let rules = Rules { catalog: &self.catalog, guardrails: &Permissive };
        Task::new(async move { extend(&self.world.invocation(), rules, &order, settings).await })
    }

    pub(crate) fn extend(&self, order: &Extend) -> Extended {
        self.run(self.extending(order)).unwrap()
    }

    pub(crate) fn extend_under(&self, guardrails: &dyn Guardrails, order: &Extend) -> Extended {
        let rules = Rules { catalog: &self.catalog, guardrails };
        let ports = self.world.invocation();
        self.world.finish(extend(&ports, rules, order, self.settings())).unwrap().unwrap()
    }

    fn story(&self, id: &GrantId) -> Vec<Event> {
        self.world.look(|aws| aws.ledger.row(id).unwrap().story().unwrap().events)
    }
}

pub(crate) fn changed(extended: &Extended) -> bool {
    matches!(extended, Extended::Tried(Opened::Changed { .. }))
}

#[track_caller]
pub(crate) fn denied(extended: Extended) -> Denial {
    match extended {
        Extended::Denied { denial, .. } => denial,
        other => panic!("not denied: {other:?}"),
    }
}

#[test]
fn the_end_moves_and_aws_follows_and_the_record_says_who_and_why() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        for (end, event) in [(120, "Extended"), (30, "Shortened")] {
            let (life, grant) = begun(&asked);
            let extended = life.extend(&order(&grant, end, "r-1"));
            let Extended::Tried(Opened::Changed { grant: now, previous_end }) = extended else {
                panic!("not changed: {extended:?}")
            };
            assert_eq!(previous_end, minute(60));
            assert_eq!(now.approved_at(), minute(10));
            assert_agreed(&life, &grant, window(0, end));
            assert_eq!(life.events(grant.id()), ["Requested", "Opened", "Activated", event, "Activated"]);

            let events = life.story(grant.id());
            verify_chain(&events, life.grant(grant.id()).chain()).unwrap();
            let (Fact::Extended { change } | Fact::Shortened { change }) = &events[3].fact else {
                panic!("{:?}", events[3])
            };
            assert_eq!(events[3].actor, Actor::Operator(OperatorName::new("carl@example.com").unwrap()));
            assert_eq!(change.reason.as_deref(), Some("INC-7 is not over (invocation r-1)"));
            assert_eq!(change.request.delivery.as_str(), "operator:r-1");
            let approvals = [Approval { approver: person("carl"), at: minute(10) }];
            assert_eq!(change.request.approvals, approvals, "nobody else's word");
            assert_eq!(change.request.justification, asked.justification);
            assert_eq!(events[4].actor, Actor::GrantFunction, "who made it so");

            // It holds until then, and no longer.
            life.pass_the_end_of(grant.id());
            assert_eq!(life.outcome(grant.id()), Some(Outcome::Expired));
            life.assert_nothing_left();
        }
    }
}

#[test]
fn an_operator_is_known_by_any_of_their_addresses_and_kept_under_one() {
    let carl = "[person.\"carl@example.com\"]\n";
    let catalog = catalog_with(carl, &format!("{carl}aliases = [\"carl@corp.example.com\"]\n"));
    let life = Life::of(&catalog);
    let grant = life.active(&request("CHG-1"));
    life.world.set_time(minute(10));
    let by_alias = Extend {
        operator: curfew_domain::ids::Email::new("Carl@corp.example.com").unwrap(),
        ..later(&grant, 30, "r-1")
    };
    assert!(changed(&life.extend(&by_alias)));
    assert_eq!(life.story(grant.id())[3].actor.to_string(), "operator carl@example.com");
    // The same by his other address is the same.
    let again = life.extend(&later(&grant, 30, "r-2"));
    assert!(matches!(again, Extended::Repeated { .. }), "{again:?}");
}

#[test]
fn so_many_minutes_are_added_to_the_end_that_there_is() {
    let (life, grant) = begun(&request("CHG-1"));
    assert!(changed(&life.extend(&later(&grant, 45, "r-1"))));
    assert_agreed(&life, &grant, window(0, 105));
}

#[test]
fn an_extension_costs_two_reads_more_than_a_change_by_webhook() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        let (life, grant) = begun(&asked);
        let ports = life.world.invocation();
        let rules = Rules { catalog: &life.catalog, guardrails: &Permissive };
        let order = order(&grant, 90, "r-1");
        let extended = life.world.finish(extend(&ports, rules, &order, life.settings())).unwrap().unwrap();
        assert!(changed(&extended), "{extended:?}");
        assert_eq!(life.world.calls(&ports), [Story, ClosedTicket, Commit, Attach, SetTimer, Commit]);
        assert_eq!(life.world.rounds(&ports), 5);
    }
}

#[test]
fn the_same_act_again_changes_nothing_more() {
    for order in
        [|grant: &Grant, by: &str| later(grant, 60, by), |grant: &Grant, by: &str| order(grant, 120, by)]
    {
        let (life, grant) = begun(&request("CHG-1"));
        assert!(changed(&life.extend(&order(&grant, "r-1"))));
        let before = life.everything();
        life.world.advance(SignedDuration::from_secs(30));
        // Lambda's own retry of the invocation; and a second click.
        for by in ["r-1", "r-2"] {
            let again = life.extend(&order(&grant, by));
            assert!(matches!(&again, Extended::Repeated { .. } | Extended::AsItIs(_)), "{again:?}");
        }
        assert_eq!(life.everything(), before);
        // Lambda's retry is known however late it comes, and whatever was done meanwhile.
        life.world.set_time(minute(30));
        let more = Extend { reason: "one hour more".to_owned(), ..later(&grant, 60, "r-3") };
        assert!(changed(&life.extend(&more)));
        let before = life.everything();
        let late = life.extend(&later(&grant, 60, "r-1"));
        assert!(matches!(late, Extended::Repeated { at, .. } if at == minute(10)), "{late:?}");
        assert_eq!(life.everything(), before);
        assert_agreed(&life, &grant, window(0, 180));
    }
}

#[test]
fn what_is_not_the_same_act_is_another() {
    let words = |order: Extend| Extend { reason: "INC-8, too".to_owned(), ..order };
    let person = |order: Extend| Extend { operator: person("dora"), ..order };
    let span = |order: Extend| Extend { to: NewEnd::Later(SignedDuration::from_mins(20)), ..order };
    let same = |order: Extend| order;
    let within = REPEAT_WITHIN.saturating_sub(SignedDuration::from_secs(1));
    for (what, other, pause, repeats) in [
        ("nothing else", same as fn(Extend) -> Extend, within, true),
        ("later", same, REPEAT_WITHIN, false),
        ("in other words", words, within, false),
        ("by somebody else", person, within, false),
        ("for less", span, within, false),
    ] {
        let (life, grant) = begun(&request("CHG-1"));
        assert!(changed(&life.extend(&later(&grant, 30, "r-1"))));
        life.world.advance(pause);
        let answer = life.extend(&other(later(&grant, 30, "r-2")));
        assert_eq!(matches!(answer, Extended::Repeated { .. }), repeats, "{what}: {answer:?}");
        assert_eq!(changed(&answer), !repeats, "{what}: {answer:?}");
    }
    // And so is what somebody else's change came before.
    let (life, grant) = begun(&request("CHG-1"));
    assert!(changed(&life.extend(&later(&grant, 30, "r-1"))));
    life.world.set_time(minute(12));
    assert!(matches!(life.open(&approved_again(&request("CHG-1"), 11, 60)), Opened::Changed { .. }));
    life.world.set_time(minute(13));
    assert!(changed(&life.extend(&later(&grant, 30, "r-2"))));
    assert_agreed(&life, &grant, window(0, 90));
}

/// Somebody who speaks as a source can't have an operator's act taken for done.
#[test]
fn a_delivery_that_is_named_like_an_operators_is_not_one() {
    let (life, grant) = begun(&request("CHG-1"));
    let mut again = approved_again(&request("CHG-1"), 5, 120);
    again.delivery = Invocation::of("r-1").delivery();
    assert!(matches!(life.open(&again), Opened::Changed { .. }));
    assert!(changed(&life.extend(&order(&grant, 90, "r-1"))));
}

#[test]
fn afterwards_the_ticket_speaks_by_later_approvals_only() {
    let asked = request("CHG-1");
    let (life, grant) = begun(&asked);
    assert!(changed(&life.extend(&order(&grant, 120, "r-1"))));
    let before = life.everything();
    assert!(matches!(life.open(&asked), Opened::Duplicate(_)));
    for end in [30, 180] {
        let older = life.open(&approved_again(&asked, 5, end));
        assert!(matches!(older, Opened::Superseded(_)), "{older:?}");
    }
    assert_eq!(life.everything(), before);
    life.world.set_time(minute(20));
    assert!(matches!(life.open(&approved_again(&asked, 15, 90)), Opened::Changed { .. }));
    assert_agreed(&life, &grant, window(0, 90));
    // A closed ticket ends it, whoever extended it last.
    assert!(changed(&life.extend(&order(&grant, 150, "r-2"))));
    life.close_ticket(&ticket_closed("CHG-1"));
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
}

pub(crate) fn catalog_with(what: &str, instead: &str) -> Catalog {
    assert!(CATALOG.contains(what));
    let text = CATALOG.replacen(what, instead, 1);
    Catalog::parse(&[CatalogFile { name: "catalog.toml".to_owned(), text }]).unwrap()
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let (life, grant) = begun(&request("CHG-1"));
    let before = life.everything();
    let answer = life.extend(&Extend { dry_run: true, ..later(&grant, 30, "r-1") });
    let Extended::WouldChange { grant: told, window: would } = answer else { panic!("{answer:?}") };
    assert_eq!((told.window(), would), (grant.window(), Window::new(minute(0), minute(90)).unwrap()));
    assert_eq!(life.everything(), before);
    // Where a request of an earlier change may still be under way, it says so.
    life.world.plan(Fault::once(Attach, Delivery::LostAnswer));
    life.extend(&order(&grant, 90, "r-2"));
    life.world.advance(SignedDuration::from_secs(1));
    let held = refused(&life, &life.grant(grant.id()), &order(&grant, 100, "r-3"), &Permissive);
    assert!(matches!(held, Extended::Tried(Opened::Retry { .. })), "{held:?}");
}

#[test]
fn an_extension_that_was_cut_short_is_made_by_whoever_asks_again_or_by_the_sweep() {
    for by in ["r-1", "r-2"] {
        for order in
            [|grant: &Grant, by: &str| later(grant, 60, by), |grant: &Grant, by: &str| order(grant, 120, by)]
        {
            let (life, grant) = begun(&request("CHG-1"));
            life.world.plan(Fault::once(Attach, Delivery::LostRequest));
            let told = life.extend(&order(&grant, "r-1"));
            assert!(matches!(told, Extended::Tried(Opened::Retry { .. })), "{told:?}");
            // As long as a request of it may be under way, nobody makes it again.
            let told = life.extend(&order(&grant, by));
            assert!(matches!(told, Extended::Tried(Opened::Retry { .. })), "{told:?}");
            life.world.advance(SignedDuration::from_mins(1));
            let before = life.everything();
            life.extend(&Extend { dry_run: true, ..order(&grant, by) });
            assert_eq!(life.everything(), before, "a dry run makes nothing");
            assert!(changed(&life.extend(&order(&grant, by))));
            assert_agreed(&life, &grant, window(0, 120));
            let expected = ["Requested", "Opened", "Activated", "Extended", "ChangeResumed", "Activated"];
            assert_eq!(life.events(grant.id()), expected);
        }
    }
    let (life, grant) = begun(&request("CHG-1"));
    life.world.plan(Fault::once(SetTimer, Delivery::LostRequest));
    life.extend(&later(&grant, 60, "r-1"));
    life.pass(2);
    assert_agreed(&life, &grant, window(0, 120));
    let told = life.extend(&later(&grant, 60, "r-2"));
    assert!(matches!(told, Extended::Repeated { .. }), "{told:?}");
}

#[test]
fn an_extension_that_aws_refuses_ends_the_grant_and_says_so() {
    for delivery in [Delivery::Refused, Delivery::Forbidden] {
        let (life, grant) = begun(&request("CHG-1"));
        life.world.plan(Fault::once(Attach, delivery));
        let told = life.extend(&order(&grant, 120, "r-1"));
        assert!(matches!(told, Extended::Tried(Opened::ChangeRefused { .. })), "{told:?}");
        life.settle();
        assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
        life.assert_nothing_left();
    }
}

#[test]
fn a_ledger_that_fails_changes_nothing_and_the_same_again_does() {
    for name in [Story, ClosedTicket, CallName::RecordDenial] {
        let (life, grant) = begun(&request("CHG-1"));
        life.world.plan(Fault::once(name, Delivery::LostRequest));
        let mut order = order(&grant, 90, "r-1");
        if name == CallName::RecordDenial {
            order.operator = person("mallory");
        }
        let before = life.everything();
        assert!(life.run(life.extending(&order)).unwrap_err().retryable, "{name:?}");
        assert_eq!(life.everything(), before);
        assert_eq!(changed(&life.extend(&order)), name != CallName::RecordDenial);
    }
}

/// Decided in the last second of the window, written in the next: whoever is first, it ends on time or lasts as said.
#[test]
fn an_extension_across_the_end_of_the_window_leaves_no_gap_unrecorded() {
    for timer_first in [true, false] {
        let (life, grant) = begun(&request("CHG-1"));
        life.world.set_time(plus(minute(60), SignedDuration::from_secs(-1)));
        let mut extending = life.extending(&order(&grant, 120, "r-1"));
        for _ in 0..2 {
            assert!(extending.poll().is_none());
            assert!(life.world.step());
        }
        life.world.set_time(minute(60));
        if timer_first {
            assert_eq!(life.fire_timers(), 1);
        }
        let told = life.run(extending).unwrap();
        assert_eq!(changed(&told), !timer_first, "{told:?}");
        assert_eq!(matches!(told, Extended::Tried(Opened::Retry { .. })), timer_first, "{told:?}");
        assert_eq!(life.allows(ANA), !timer_first);
        life.assert_sound();
        life.settle();
        if !timer_first {
            assert_agreed(&life, &grant, window(0, 120));
            life.pass_the_end_of(grant.id());
        }
        life.assert_nothing_left();
    }
}

#[test]
fn a_window_that_has_not_begun_keeps_its_start() {
    let life = Life::new();
    let mut asked = request("CHG-1");
    asked.window.starts_at = Some(minute(60));
    asked.window.end = Some(WindowEnd::At(minute(120)));
    let grant = life.active(&asked);
    life.world.set_time(minute(10));
    assert!(changed(&life.extend(&order(&grant, 180, "r-1"))));
    assert_agreed(&life, &grant, window(60, 180));
}
