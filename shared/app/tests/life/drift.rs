//! Drift: what AWS holds under Curfew's names and the ledger are brought together again, and what is nobody's is told
//! and left alone.

use curfew_app::drift::{DriftReport, DriftScope, DriftSettings, FindingDone, FindingKind, look_for_drift};
use curfew_domain::access::{Access, AgentRole, Attachment, Route};
use curfew_domain::document::same_document;
use curfew_domain::event::{Drift, DriftResponse};
use curfew_domain::grant::{Grant, Outcome, State};
use curfew_domain::ids::TenantId;
use curfew_domain::principal::Principal;
use curfew_testkit::fixtures::{
    ANA, AUDIT_POLICY, BEN, OTHER_ACCOUNT, OWN_ACCOUNT, managed_request, principal, request, request_of,
};
use curfew_testkit::{CallName, Delivery, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Life, approved_again, minute};

/// The sample catalog's accounts.
pub(crate) fn scopes() -> Vec<DriftScope> {
    let agent = AgentRole {
        role_arn: format!("arn:aws:iam::{OTHER_ACCOUNT}:role/curfew-agent"),
        external_id: "globex-7f3a".to_owned(),
    };
    let own = DriftScope {
        route: Route { account: OWN_ACCOUNT.to_owned(), agent: None },
        tenants: vec![TenantId::new("acme").unwrap()],
        managed: vec![AUDIT_POLICY.to_owned()],
    };
    let other = DriftScope {
        route: Route { account: OTHER_ACCOUNT.to_owned(), agent: Some(agent) },
        tenants: vec![TenantId::new("globex").unwrap()],
        managed: Vec::new(),
    };
    vec![own, other]
}

pub(crate) fn settings(response: DriftResponse) -> DriftSettings {
    DriftSettings {
        response,
        every: SignedDuration::from_hours(1),
        margin: SignedDuration::from_mins(5),
        pages: 10,
        stop_at: Timestamp::MAX,
    }
}

pub(crate) fn look_with(life: &Life, settings: DriftSettings) -> DriftReport {
    life.world.finish(async { look_for_drift(&life.world.invocation(), &scopes(), settings).await }).unwrap()
}

/// One whole lap, however long ago the last one was.
pub(crate) fn look(life: &Life, response: DriftResponse) -> DriftReport {
    let report = look_with(life, DriftSettings { every: SignedDuration::ZERO, ..settings(response) });
    assert_eq!(report.errors, []);
    report
}

/// What was found and done, without where.
pub(crate) fn found(report: &DriftReport) -> Vec<(FindingKind, Option<FindingDone>)> {
    report.findings.iter().map(|finding| (finding.kind, finding.done.clone().ok())).collect()
}

fn ana() -> Principal {
    principal(ANA)
}

fn shared() -> Attachment {
    Attachment { principal: ana(), policy_arn: AUDIT_POLICY.to_owned() }
}

/// A document that allows something for ever.
pub(crate) const FOR_EVER: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Somebody takes a grant's access away.
fn take_away(life: &Life, grant: &Grant) {
    let taken = life.world.change(|aws| match grant.access() {
        Access::Inline { principal, policy_name, .. } => aws.iam.delete_inline(principal, policy_name),
        Access::Managed { .. } => aws.iam.detach_by_hand(&shared()),
    });
    assert!(taken);
}

/// Somebody puts a document under a grant's name.
pub(crate) fn put(life: &Life, grant: &Grant, document: &str) {
    let name = grant.id().object_name();
    life.world.change(|aws| aws.iam.put_inline(grant.access().principal(), &name, document));
}

const LEFTOVER: FindingKind = FindingKind::Drift(Drift::Leftover);
const MISSING: FindingKind = FindingKind::Drift(Drift::Missing);
const EDITED: FindingKind = FindingKind::Drift(Drift::Edited);

/// A grant that has been active long enough to be judged.
fn settled(life: &Life, asked: &curfew_domain::request::AccessRequest) -> Grant {
    let grant = life.active(asked);
    life.world.set_time(minute(5));
    grant
}

#[test]
fn where_nothing_differs_nothing_is_found_or_written() {
    let life = Life::new();
    settled(&life, &request("CHG-1"));
    life.active(&managed_request("CHG-2"));
    life.active(&request_of("ana", "globex", "ops", "CHG-3"));
    life.world.advance(SignedDuration::from_mins(10));
    let ended = life.active(&request_of("ben", "acme", "ops", "CHG-4"));
    life.revoke(ended.id());
    life.world.advance(SignedDuration::from_mins(10));
    let before = life.world.look(|aws| format!("{:?}", aws.iam));
    let report = look(&life, DriftResponse::Close);
    assert_eq!((found(&report), report.pages), (vec![], 2));
    assert_eq!(life.world.look(|aws| format!("{:?}", aws.iam)), before);
    life.assert_sound();
}

#[test]
fn what_is_put_back_after_the_end_is_removed_and_the_story_says_so() {
    for document in [FOR_EVER, "{}", "not json"] {
        let life = Life::new();
        let grant = life.active(&request("CHG-1"));
        life.revoke(grant.id());
        life.world.advance(SignedDuration::from_mins(5));
        put(&life, &grant, document);
        assert_eq!(found(&look(&life, DriftResponse::Restore)), [(LEFTOVER, Some(FindingDone::Removed))]);
        assert_eq!(
            life.events(grant.id())[3..],
            ["RevocationRequested", "Revoked", "DriftFound", "DriftRemoved"]
        );
        assert!(!life.allows(ANA));
        assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
        assert_eq!(found(&look(&life, DriftResponse::Close)), []);
        life.assert_nothing_left();
    }
}

#[test]
fn a_grant_whose_access_was_taken_away_is_ended_or_gets_it_back() {
    for asked in [request("CHG-1"), managed_request("CHG-1")] {
        for response in [DriftResponse::Close, DriftResponse::Restore] {
            let life = Life::new();
            let grant = settled(&life, &asked);
            take_away(&life, &grant);
            let report = look(&life, response);
            if response == DriftResponse::Close {
                assert_eq!(found(&report), [(MISSING, Some(FindingDone::Ended))]);
                let events = life.events(grant.id());
                assert_eq!(events[3..], ["DriftFound", "RevocationRequested", "Revoked"]);
                assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
            } else {
                assert_eq!(found(&report), [(MISSING, Some(FindingDone::Restored))]);
                assert_eq!(life.events(grant.id())[3..], ["DriftFound", "Activated"]);
                assert!(life.allows(ANA));
                assert_eq!(life.grant(grant.id()).window(), grant.window());
                assert_eq!(found(&look(&life, response)), []);
                life.pass_the_end_of(grant.id());
            }
            assert!(!life.allows(ANA));
            life.assert_nothing_left();
        }
    }
}

#[test]
fn a_grant_whose_policy_was_edited_is_ended_or_gets_its_own_back() {
    for (document, response) in [
        (FOR_EVER, DriftResponse::Close),
        (FOR_EVER, DriftResponse::Restore),
        ("not json", DriftResponse::Close),
        ("not json", DriftResponse::Restore),
    ] {
        let life = Life::new();
        let grant = settled(&life, &request("CHG-1"));
        put(&life, &grant, document);
        let report = look(&life, response);
        if response == DriftResponse::Close {
            assert_eq!(found(&report), [(EDITED, Some(FindingDone::Ended))]);
            assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
        } else {
            assert_eq!(found(&report), [(EDITED, Some(FindingDone::Restored))]);
            let Access::Inline { document: own, .. } = grant.access() else { panic!("not inline") };
            let held = life
                .world
                .look(|aws| aws.iam.documents().map(|(_, _, held)| held.to_owned()).collect::<Vec<_>>());
            assert_eq!(held.len(), 1);
            assert!(same_document(own, &held[0]));
            life.pass_the_end_of(grant.id());
        }
        assert!(!life.allows(ANA));
        life.assert_nothing_left();
    }
}

#[test]
fn a_document_that_is_only_written_differently_is_no_drift() {
    let life = Life::new();
    let grant = settled(&life, &request("CHG-1"));
    let Access::Inline { document, .. } = grant.access() else { panic!("not inline") };
    // As somebody saves it unchanged in IAM's console.
    let respaced = document.replace(',', ",\n    ");
    assert_ne!(*document, respaced);
    put(&life, &grant, &respaced);
    assert_eq!(found(&look(&life, DriftResponse::Close)), []);
}

#[test]
fn nothing_young_is_judged() {
    let second = SignedDuration::from_secs(1);
    for before_margin in [true, false] {
        // Ended.
        let life = Life::new();
        let ended = life.active(&request("CHG-1"));
        life.revoke(ended.id());
        put(&life, &ended, FOR_EVER);
        // Active, taken away and edited.
        let missing = life.active(&managed_request("CHG-2"));
        take_away(&life, &missing);
        let edited = life.active(&request_of("ben", "acme", "ops", "CHG-3"));
        put(&life, &edited, FOR_EVER);
        life.world.set_time(minute(5));
        if before_margin {
            life.world.advance(-second);
        }
        let report = look(&life, DriftResponse::Close);
        assert_eq!(found(&report).len(), if before_margin { 0 } else { 3 }, "{report:?}");
    }
}

#[test]
fn a_change_makes_a_grant_young_again() {
    let life = Life::new();
    let grant = settled(&life, &request("CHG-1"));
    life.open(&approved_again(&request("CHG-1"), 2, 120));
    take_away(&life, &grant);
    life.world.set_time(minute(9));
    assert_eq!(found(&look(&life, DriftResponse::Close)), []);
    life.world.set_time(minute(10));
    assert_eq!(found(&look(&life, DriftResponse::Close)), [(MISSING, Some(FindingDone::Ended))]);
}

#[test]
fn what_is_being_opened_changed_or_ended_is_left_alone() {
    // Each stands still half-way, and is old enough.
    let opening = |life: &Life| {
        let mut task = life.opening(&request("CHG-1"));
        life.world.plan(Fault::hold(CallName::Attach));
        life.world.run(&mut task).unwrap_err();
        task.crash();
    };
    let changing = |life: &Life| {
        life.active(&request("CHG-1"));
        life.world.advance(SignedDuration::from_mins(3));
        life.world.plan(Fault::once(CallName::Attach, Delivery::LostRequest));
        life.open(&approved_again(&request("CHG-1"), 2, 120));
    };
    let closing = |life: &Life| {
        let grant = life.active(&request("CHG-1"));
        life.world.plan(Fault::once(CallName::Detach, Delivery::Refused));
        life.revoke(grant.id());
    };
    for (state, begun) in
        [("opening", &opening as &dyn Fn(&Life)), ("active", &changing), ("closing", &closing)]
    {
        let life = Life::new();
        begun(&life);
        let grant = life.world.look(|aws| aws.ledger.rows().next().unwrap().stored().unwrap().grant);
        assert_eq!(grant.state().name(), state);
        life.world.advance(SignedDuration::from_mins(30));
        for document in [None, Some(FOR_EVER)] {
            match document {
                Some(document) => put(&life, &grant, document),
                None => {
                    life.world.change(|aws| aws.iam.delete_inline(&ana(), &grant.id().object_name()));
                }
            }
            let before = life.world.look(|aws| format!("{:?}", aws.iam));
            assert_eq!(found(&look(&life, DriftResponse::Close)), [], "{state} {document:?}");
            assert_eq!(life.world.look(|aws| format!("{:?}", aws.iam)), before);
            assert_eq!(life.grant(grant.id()), grant);
        }
    }
}

#[test]
fn strays_are_told_once_and_left_alone() {
    let life = Life::new();
    let grant = settled(&life, &request("CHG-1"));
    // A grant of another Curfew, one of ours on somebody else, and a managed policy that no grant needs.
    let unknown = format!("curfew-g-{}", "a".repeat(26));
    life.world.change(|aws| {
        aws.iam.put_inline(&ana(), &unknown, FOR_EVER);
        aws.iam.put_inline(&principal(BEN), &grant.id().object_name(), FOR_EVER);
        aws.iam.attach_by_hand(&shared());
    });
    let before = life.world.look(|aws| format!("{:?}", aws.iam));
    assert_eq!(
        found(&look(&life, DriftResponse::Close)),
        [],
        "what is seen once may be a page that is behind"
    );
    life.world.advance(SignedDuration::from_mins(5));
    let report = look(&life, DriftResponse::Close);
    let mut told: Vec<_> = report.findings.iter().map(|finding| finding.policy.as_str()).collect();
    told.sort_unstable();
    let name = grant.id().object_name();
    assert_eq!(told, [AUDIT_POLICY, unknown.as_str(), name.as_str()]);
    assert!(found(&report).iter().all(|found| *found == (FindingKind::Stray, Some(FindingDone::Told))));
    assert_eq!(life.world.look(|aws| aws.ledger.strays().count()), 3);
    assert_eq!(found(&look(&life, DriftResponse::Close)), []);
    assert_eq!(life.world.look(|aws| format!("{:?}", aws.iam)), before);
    assert!(matches!(life.state(grant.id()), State::Active { .. }));
}

#[test]
fn foreign_names_are_never_touched_or_told() {
    let life = Life::new();
    settled(&life, &request("CHG-1"));
    let foreign = ["curfew-g-", "curfew-other", "curfew", "Curfew-g-aaaaaaaaaaaaaaaaaaaaaaaaaa", "admin"];
    life.world.change(|aws| {
        for name in foreign {
            aws.iam.put_inline(&ana(), name, FOR_EVER);
        }
        let policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned();
        aws.iam.attach_by_hand(&Attachment { principal: ana(), policy_arn });
    });
    let before = life.world.look(|aws| format!("{:?}", aws.iam));
    for response in [DriftResponse::Close, DriftResponse::Restore] {
        assert_eq!(found(&look(&life, response)), []);
    }
    assert_eq!(life.world.look(|aws| format!("{:?}", aws.iam)), before);
    assert_eq!(life.world.look(|aws| aws.ledger.strays().count()), 0);
}

#[test]
fn what_aws_does_not_let_be_restored_ends_the_grant() {
    let life = Life::new();
    let grant = settled(&life, &request("CHG-1"));
    put(&life, &grant, FOR_EVER);
    life.world.plan(Fault::once(CallName::Attach, Delivery::Refused));
    let report = look(&life, DriftResponse::Restore);
    assert!(
        matches!(report.findings.as_slice(), [one] if one.kind == EDITED && one.done.is_err()),
        "{report:?}"
    );
    life.settle();
    assert!(!life.allows(ANA));
    assert_eq!(life.outcome(grant.id()), Some(Outcome::Revoked));
    life.assert_nothing_left();
}
