//! The console: what it shows is what the ledger says, through every turn of a grant's life, and a look changes nothing.

use curfew_app::console::{Filter, LiveGrant, LiveState, LiveView, Overview, ReviewOwed, Standing, overview};
use curfew_app::guard::Rules;
use curfew_app::open::{Opened, open};
use curfew_domain::decision::Permit;
use curfew_domain::grant::Grant;
use curfew_domain::ids::{TenantId, TicketId};
use curfew_domain::request::AccessRequest;
use curfew_testkit::fixtures::{managed_request, person, request, request_of};
use curfew_testkit::guardrails::{Scripted, permit};
use curfew_testkit::{CallName, Delivery, Fault};

use crate::support::Life;

fn look(life: &Life, filter: &Filter) -> Overview {
    let ports = life.world.invocation();
    let before = life.everything();
    let seen = life.world.finish(overview(&ports, filter, life.world.now())).unwrap().unwrap();
    assert_eq!(life.world.calls(&ports), [CallName::Live, CallName::ReviewsOwed]);
    assert_eq!(life.everything(), before);
    seen
}

fn people(seen: &Overview) -> Vec<&str> {
    seen.grants.iter().map(|listed| listed.grant.person.as_str()).collect()
}

fn opened(life: &Life, asked: &AccessRequest, review: bool) -> Grant {
    let review = review.then(|| "break-glass is looked at".to_owned());
    let guardrails = Scripted::new(move |_, _| Ok(Permit { review: review.clone(), ..permit() }));
    let rules = Rules { catalog: &life.catalog, guardrails: &guardrails };
    let ports = life.world.invocation();
    match life.world.finish(open(&ports, rules, asked.clone(), life.settings())).unwrap().unwrap() {
        Opened::Activated(grant) => *grant,
        other => panic!("not activated: {other:?}"),
    }
}

#[test]
fn a_grant_is_shown_from_its_opening_to_its_proven_end() {
    let life = Life::new();
    assert_eq!(look(&life, &Filter::default()).grants, []);
    let grant = opened(&life, &request("CHG-1"), false);
    let seen = look(&life, &Filter::default());
    let [listed] = seen.grants.as_slice() else { panic!("{seen:?}") };
    assert_eq!((listed.standing, listed.grant.state), (Standing::Active, LiveState::Active));
    assert_eq!(Some(&listed.grant), LiveGrant::of(&grant).as_ref());
    assert_eq!((seen.reviews_owed.len(), seen.truncated), (0, false));

    life.world.plan(Fault::once(CallName::Detach, Delivery::Refused));
    life.revoke(grant.id());
    let seen = look(&life, &Filter::default());
    let [listed] = seen.grants.as_slice() else { panic!("{seen:?}") };
    assert_eq!((listed.standing, listed.grant.failures), (Standing::RemovalFails, 1));

    life.revoke(grant.id());
    assert_eq!(look(&life, &Filter::default()).grants, []);
    life.assert_nothing_left();
}

#[test]
fn filters_take_what_fits_all_of_them() {
    let life = Life::new();
    opened(&life, &request_of("ana", "acme", "ops", "CHG-1"), true);
    opened(&life, &request_of("ben", "acme", "ops", "CHG-2"), false);
    opened(&life, &request_of("ana", "globex", "ops", "CHG-2"), false);
    let tenant = |name: &str| Some(TenantId::new(name).unwrap());
    let ticket = |id: &str| Some(TicketId::new(id).unwrap());
    let ana = || Some(person("ana"));
    for (filter, expected, reviews) in [
        (Filter::default(), 3, 1),
        (Filter { tenant: tenant("acme"), ..Filter::default() }, 2, 1),
        (Filter { person: ana(), ..Filter::default() }, 2, 1),
        (Filter { ticket: ticket("CHG-2"), ..Filter::default() }, 2, 0),
        (Filter { person: ana(), ticket: ticket("CHG-2"), ..Filter::default() }, 1, 0),
        (Filter { tenant: tenant("acme"), person: ana(), ticket: ticket("CHG-2") }, 0, 0),
        (Filter { tenant: tenant("nobody"), ..Filter::default() }, 0, 0),
    ] {
        let seen = look(&life, &filter);
        assert_eq!((seen.grants.len(), seen.reviews_owed.len()), (expected, reviews), "{filter:?}");
        assert_eq!(filter.is_set(), filter != Filter::default());
    }
    let of_ben = look(&life, &Filter { ticket: ticket("CHG-2"), tenant: tenant("acme"), person: None });
    assert_eq!(people(&of_ben), ["ben@example.com"]);
}

#[test]
fn a_review_is_shown_while_it_is_owed_with_how_the_grant_ended() {
    let life = Life::new();
    let grant = opened(&life, &managed_request("CHG-1"), true);
    let shown = |life: &Life| look(life, &Filter::default()).reviews_owed;
    assert_eq!(shown(&life), [ReviewOwed::of(&grant).unwrap()]);
    assert_eq!(shown(&life).first().and_then(|review| review.outcome), None);
    life.revoke(grant.id());
    let [review] = shown(&life).try_into().unwrap();
    assert_eq!(review.outcome.map(|outcome| outcome.to_string()).as_deref(), Some("revoked"));
    assert_eq!(look(&life, &Filter::default()).grants, []);
}

#[test]
fn a_read_that_fails_is_told_and_not_taken_for_nothing() {
    for call in [CallName::Live, CallName::ReviewsOwed] {
        let life = Life::new();
        opened(&life, &request("CHG-1"), false);
        life.world.plan(Fault::once(call, Delivery::LostRequest));
        let ports = life.world.invocation();
        let seen = life.world.finish(overview(&ports, &Filter::default(), life.world.now())).unwrap();
        assert!(seen.is_err_and(|error| error.retryable), "{call:?}");
    }
}

#[test]
fn a_story_is_the_ledgers() {
    let life = Life::new();
    let grant = opened(&life, &request("CHG-1"), false);
    let ports = life.world.invocation();
    let story = life.world.finish(LiveView::story(&ports, grant.id())).unwrap().unwrap().unwrap();
    assert_eq!(story.stored.grant, grant);
    assert_eq!(story.events.len(), 3);
}
