//! Nothing is given on the ledger's word alone: whoever could write there, a closing function in the wrong hands, could
//! have the sweep give what nobody may have. Here the ledger was written by a catalog that gives too much; the sweep
//! compares it with the true one.

use std::sync::Arc;

use curfew_app::drift::{DriftReport, FindingDone, look_for_drift};
use curfew_app::ports::{Vouch, Vouching};
use curfew_app::sweep::{Lap, Report, Swept, sweep};
use curfew_domain::access::{Access, Attachment};
use curfew_domain::catalog::Catalog;
use curfew_domain::event::DriftResponse;
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::request::AccessRequest;
use curfew_testkit::fixtures::{ANA, AUDIT_POLICY, catalog, managed_request, principal, request, request_of};
use curfew_testkit::{CallName, Delivery, Fault, MemoryPorts};
use jiff::{SignedDuration, Timestamp};

use crate::drift::{scopes, settings};
use crate::extensions::catalog_with;
use crate::support::{Life, approved_again, minute};

const LAP: Lap = Lap { limit: 100, stop_at: Timestamp::MAX };

/// A change that was cut short, as whoever wrote the ledger says.
fn cut_short(written_by: &Catalog, asked: &AccessRequest) -> (Life, Grant) {
    let life = Life::of(written_by);
    let grant = life.active(asked);
    life.world.set_time(minute(10));
    life.world.plan(Fault::always(CallName::Attach, Delivery::LostRequest));
    life.open(&approved_again(asked, 5, 200));
    life.world.heal();
    life.world.set_time(minute(15));
    assert!(matches!(life.state(grant.id()), State::Active { changing: Some(_), .. }));
    (life, grant)
}

fn swept_by(life: &Life, ports: MemoryPorts) -> Report {
    life.world.finish(async { sweep(&ports, LAP).await }).unwrap().unwrap()
}

fn vouched(life: &Life, catalog: Catalog) -> MemoryPorts {
    life.world.invocation().vouched_by(Arc::new(catalog))
}

#[test]
fn what_the_catalog_does_not_give_is_ended_and_not_given() {
    let (true_catalog, inline) = (catalog(), request("CHG-1"));
    let written = [
        ("another document", catalog_with("s3:GetObject", "s3:*"), inline.clone()),
        ("for longer", catalog_with("max_duration = \"4h\"", "max_duration = \"9h\""), inline.clone()),
        (
            "to somebody else",
            catalog_with(
                "[\"arn:aws:iam::111122223333:role/eng/ben\"]",
                "[\"arn:aws:iam::111122223333:user/eve\"]",
            ),
            request_of("ben", "acme", "ops", "CHG-1"),
        ),
        (
            "another policy",
            catalog_with("policy/${tenant}-audit", "policy/acme-audit-2"),
            managed_request("CHG-1"),
        ),
    ];
    for (what, catalog, asked) in written {
        let life = Life::of(&catalog);
        life.world.change(|aws| {
            aws.iam.create(&principal("arn:aws:iam::111122223333:user/eve"));
            aws.iam.create_policy("arn:aws:iam::111122223333:policy/acme-audit-2");
        });
        let grant = life.active(&asked);
        life.world.set_time(minute(10));
        life.world.plan(Fault::always(CallName::Attach, Delivery::LostRequest));
        life.open(&approved_again(&asked, 5, if what == "for longer" { 500 } else { 200 }));
        life.world.heal();
        life.world.set_time(minute(15));
        let ports = vouched(&life, true_catalog.clone());
        let report = swept_by(&life, ports.clone());
        assert!(
            matches!(report.items.as_slice(), [(_, Swept::Closed(Outcome::Revoked))]),
            "{what}: {report:?}"
        );
        assert!(!life.world.calls(&ports).contains(&CallName::Attach), "{what}");
        assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked), "{what}");
        let events = life.world.look(|aws| format!("{:?}", aws.ledger.row(grant.id())));
        assert!(events.contains("the comparison with the catalog failed: NotGiven"), "{what}: {events}");
        life.assert_nothing_left();
    }
}

#[test]
fn what_the_catalog_gives_is_given_as_before() {
    for asked in [request("CHG-1"), managed_request("CHG-1"), request_of("ana", "globex", "ops", "CHG-1")] {
        let (life, grant) = cut_short(&catalog(), &asked);
        let report = swept_by(&life, vouched(&life, catalog()));
        assert!(matches!(report.items.as_slice(), [(_, Swept::Changed)]), "{report:?}");
        assert_eq!(life.grant(grant.id()).window().expires_at(), minute(200));
        life.pass_the_end_of(grant.id());
        life.assert_nothing_left();
    }
}

/// A package with a catalog that can't be read: no reason to take anything away, and none to give.
#[test]
fn without_a_catalog_nothing_is_given_and_nothing_ended() {
    let (life, grant) = cut_short(&catalog(), &request("CHG-1"));
    let nobody = life.world.invocation().asking(Vouching::by(|_| Vouch::Unknown("unusable".to_owned())));
    let before = life.world.look(|aws| format!("{:?}", aws.iam));
    let report = swept_by(&life, nobody);
    let [(_, Swept::StillChanging(why))] = report.items.as_slice() else { panic!("{report:?}") };
    assert_eq!(why, "unusable");
    assert_eq!(life.world.look(|aws| format!("{:?}", aws.iam)), before);
    life.sweep();
    assert_eq!(life.grant(grant.id()).window().expires_at(), minute(200));
    assert!(matches!(life.state(grant.id()), State::Active { changing: None, .. }));
}

fn looked_by(life: &Life, ports: MemoryPorts) -> DriftReport {
    let restore = settings(DriftResponse::Restore);
    life.world.finish(async { look_for_drift(&ports, &scopes(), restore).await }).unwrap()
}

#[test]
fn what_the_catalog_does_not_give_is_not_restored() {
    for (ports, done) in [
        ((|life| vouched(life, catalog())) as fn(&Life) -> MemoryPorts, Ok(FindingDone::Ended)),
        (
            |life| life.world.invocation().asking(Vouching::by(|_| Vouch::Unknown("unusable".to_owned()))),
            Err("unusable".to_owned()),
        ),
    ] {
        let life = Life::of(&catalog_with("s3:GetObject", "s3:*"));
        let grant = life.active(&request("CHG-1"));
        life.world.set_time(minute(10));
        let Access::Inline { principal, policy_name, .. } = grant.access() else { panic!("{grant:?}") };
        assert!(life.world.change(|aws| aws.iam.delete_inline(principal, policy_name)));
        let report = looked_by(&life, ports(&life));
        assert_eq!(report.findings.iter().map(|finding| finding.done.clone()).collect::<Vec<_>>(), [done]);
        assert!(!life.allows(ANA), "it was not given");
    }
}

/// Others are said to hold what a closing grant leaves, and it is gone.
#[test]
fn what_others_are_said_to_hold_is_given_back_only_if_the_catalog_gives_it() {
    let attachment = Attachment { principal: principal(ANA), policy_arn: AUDIT_POLICY.to_owned() };
    let narrower = catalog_with("policy/${tenant}-audit", "policy/another-audit");
    for (catalog, is_given) in [(catalog(), true), (narrower, false)] {
        let life = Life::new();
        let (first, _holder) =
            (life.active(&managed_request("CHG-1")), life.active(&managed_request("CHG-2")));
        assert!(life.world.change(|aws| aws.iam.detach_by_hand(&attachment)));
        // The closer dies before it has done anything in AWS.
        let mut closer = life.revoking(first.id());
        life.world.plan(Fault::hold(CallName::Look));
        life.world.run(&mut closer).unwrap_err();
        closer.crash();
        for call in life.world.in_flight() {
            life.world.lose(call.id);
        }
        life.world.heal();
        life.world.advance(SignedDuration::from_mins(5));
        let ports = vouched(&life, catalog);
        let report = swept_by(&life, ports);
        assert_eq!(life.world.look(|aws| aws.iam.has_attached(&attachment)), is_given, "{report:?}");
        let closed = matches!(report.items.as_slice(), [(_, Swept::Closed(Outcome::Revoked))]);
        assert_eq!(closed, is_given, "{report:?}");
    }
}
