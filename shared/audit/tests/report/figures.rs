//! What is counted, and what a row says, where it would be easy to say too much.

use curfew_app::ports::DeniedRequest;
use curfew_audit::report::{DenialRow, Held, Order, Period, Report, columns, report};
use curfew_audit::verify::{Expectations, verify};
use curfew_domain::effect::Found;
use curfew_domain::event::{Actor, Drift, DriftResponse, Fact, OperatorName};
use curfew_domain::grant::Outcome;
use curfew_domain::request::AccessRequest;
use serde_json::json;

use crate::archive::{Archive, Story, approved, operator, proof, story, time};

const NINE: &str = "2026-11-21T09:00:00Z";
const TEN: &str = "2026-11-21T10:00:00Z";

/// A grant of one hour, from nine to ten.
fn of_an_hour() -> Story {
    let approval = approved("carl", "2026-11-21T08:59:00Z");
    story('a', "ana", ("acme", "reader"), "CHG1", (NINE, TEN), approval)
}

/// The report of the quarter on what these lines tell.
fn told(lines: &[String], known_until: &str) -> Report {
    let mut archive = Archive::new();
    archive.put("2026-11-21T12:00:00Z", lines);
    archive.seal("2026-11-21T12:30:00Z");
    let verification = verify(&archive, &Expectations::default()).expect("an archive");
    assert!(verification.is_whole(), "{:?}", verification.findings);
    let order = Order {
        period: Period { from: time("2026-10-01T00:00:00Z"), until: time("2027-01-01T00:00:00Z") },
        made_at: time("2026-11-23T00:00:00Z"),
        known_until: time(known_until),
        catalog: None,
        sample: None,
    };
    report(&archive, verification, &order).expect("an archive")
}

fn held(report: &Report) -> &Held {
    let [held] = report.access.held.as_slice() else { panic!("{:?}", report.access.held) };
    held
}

#[test]
fn what_was_removed_before_its_window_began_never_took_effect() {
    let (asked, ended) = ("2026-11-20T08:00:00Z", "2026-11-20T15:00:00Z");
    let mut early = of_an_hour();
    let mut lines = early.begun(asked);
    let reason = "not needed any more".to_owned();
    lines.push(early.next(ended, operator("olga@example.com"), Fact::RevocationRequested { reason }));
    lines.push(early.revoked(ended, Outcome::Revoked));
    let of_that = told(&lines, "2026-11-23T00:00:00Z");
    let [row] = of_that.grants.as_slice() else { panic!("one grant") };
    assert_eq!((row.effective_at, row.attached_by.is_some()), (None, true));
    let numbers = &of_that.numbers;
    assert_eq!((numbers.took_effect, numbers.revoked, &numbers.removal_seconds), (0, 1, &None));
    assert_eq!(of_that.access.held, []);

    // Nor has, until then, what has not begun.
    let of_that = told(&lines[..3], "2026-11-21T08:00:00Z");
    assert_eq!((of_that.numbers.took_effect, of_that.access.held.len()), (0, 0));
    let of_that = told(&lines[..3], "2026-11-21T09:00:01Z");
    assert_eq!((of_that.numbers.took_effect, held(&of_that).seconds), (1, 1));
}

#[test]
fn what_was_found_is_dealt_with_when_aws_has_said_so() {
    let drift = |drift, response| Fact::DriftFound { drift, response };
    let cell = |lines: &[String]| {
        let of_that = told(lines, "2026-11-23T00:00:00Z");
        let column = columns::GRANTS.iter().find(|column| column.name == "drift").expect("a column");
        let open = of_that.numbers.drift_open;
        assert_eq!(of_that.numbers.drifted, 1);
        ((column.cell)(&of_that.grants[0]), open)
    };
    let half_past = "2026-11-21T09:30:00Z";
    let mut live = of_an_hour();
    let mut lines = live.begun(NINE);
    lines.push(live.next(half_past, Actor::Sweep, drift(Drift::Missing, DriftResponse::Restore)));
    assert_eq!(cell(&lines), (format!("{half_past} missing: it is to be put back: not confirmed"), 1));
    let back = "2026-11-21T09:30:01Z";
    lines.push(live.activated(back));
    let request = |at| format!("request request-of-{at}");
    let restored = format!("{half_past} missing: it was put back at {back} (applied, {})", request(back));
    assert_eq!(cell(&lines), (restored.clone(), 0));

    // What is left behind is found lap after lap, until AWS lets it be removed.
    lines.push(live.next(TEN, Actor::Timer, Fact::Expired {}));
    lines.push(live.revoked(TEN, Outcome::Expired));
    let laps = ["2026-11-21T11:00:00Z", "2026-11-21T11:10:00Z"];
    for lap in laps {
        lines.push(live.next(lap, Actor::Sweep, drift(Drift::Leftover, DriftResponse::Remove)));
    }
    let open = laps.map(|lap| format!("\n{lap} leftover: it is to be removed: not confirmed"));
    assert_eq!(cell(&lines), (format!("{restored}{}", open.concat()), 1));
    let gone = "2026-11-21T11:10:01Z";
    lines.push(live.next(gone, Actor::Sweep, Fact::DriftRemoved { access: proof(Found::Deleted, gone) }));
    let done =
        laps.map(|lap| format!("\n{lap} leftover: it was removed at {gone} (deleted, {})", request(gone)));
    assert_eq!(cell(&lines), (format!("{restored}{}", done.concat()), 0));

    let mut ended = of_an_hour();
    let mut lines = ended.begun(NINE);
    lines.push(ended.next(half_past, Actor::Sweep, drift(Drift::Edited, DriftResponse::Close)));
    assert_eq!(cell(&lines), (format!("{half_past} edited: the grant is to be ended: not confirmed"), 1));
    let reason = "its access in AWS was found edited".to_owned();
    lines.push(ended.next(half_past, Actor::Sweep, Fact::RevocationRequested { reason }));
    lines.push(ended.revoked(back, Outcome::Revoked));
    let told = format!("{half_past} edited: the grant was ended at {back} (deleted, {})", request(back));
    assert_eq!(cell(&lines), (told, 0));
}

#[test]
fn an_end_that_is_asked_for_when_all_is_over_does_not_take_the_place_of_how_it_ended() {
    let mut failed = of_an_hour();
    let reason = "AccessDenied".to_owned();
    let mut lines = vec![failed.requested(NINE), failed.opened(NINE)];
    lines.push(failed.next(NINE, Actor::GrantFunction, Fact::OpeningFailed { reason }));
    lines.push(failed.revoked("2026-11-21T09:00:03Z", Outcome::Failed));
    let reason = "laptop stolen".to_owned();
    let olga = operator("olga@example.com");
    lines.push(failed.next("2026-11-21T09:20:00Z", olga, Fact::RevocationRequested { reason }));
    let of_that = told(&lines, "2026-11-23T00:00:00Z");
    let row = &of_that.grants[0];
    let ending = row.ending.as_ref().expect("it ended");
    assert_eq!((ending.event, ending.at), ("OpeningFailed", time(NINE)));
    let column = columns::GRANTS.iter().find(|column| column.name == "ended_by").expect("a column");
    let by = (column.cell)(row);
    assert!(by.contains("AccessDenied\nasked again at 2026-11-21T09:20:00Z by operator"), "{by}");
}

#[test]
fn a_denial_of_what_an_operator_asked_for_is_not_told_as_the_requesters() {
    let by = |denied: &DeniedRequest| {
        let row = DenialRow { record: "denied#1".to_owned(), denied: denied.clone() };
        let column = columns::DENIALS.iter().find(|column| column.name == "asked_by").expect("a column");
        (column.cell)(&row)
    };
    let request: AccessRequest = serde_json::from_value(json!({
        "source": "servicenow", "ticket": "CHG1", "requester": "ana@example.com", "tenant": "acme", "role": "reader",
        "window": {}, "approvals": [], "justification": "orders", "delivery": "operator:r-1",
    }))
    .expect("a request");
    let mut denied = DeniedRequest::of(&request, "operator-not-entitled", "not in the group", time(NINE));
    assert_eq!(by(&denied), "ana@example.com");
    denied.operator = Some(OperatorName::new("olga@example.com").expect("a name"));
    assert_eq!(by(&denied), "operator olga@example.com");
}

/// The lines of a grant's beginning; its policy is not its own, and carries no times.
fn begun_managed(story: &mut Story) -> Vec<String> {
    let Fact::Opened { access, window, timer, lease_until, .. } = story.opening() else { panic!("it opens") };
    let opened = Fact::Opened { access, document_sha256: None, window, timer, lease_until };
    vec![story.requested(NINE), story.next(NINE, Actor::GrantFunction, opened), story.activated(NINE)]
}

#[test]
fn access_is_not_counted_beyond_what_is_known_nor_beyond_what_aws_refuses() {
    let half_past = "2026-11-21T09:30:00Z";
    assert_eq!(held(&told(&of_an_hour().begun(NINE), half_past)).seconds, 1_800, "it is live");
    // Its policy carries its times: nobody need have removed it.
    assert_eq!(held(&told(&of_an_hour().begun(NINE), "2026-11-23T00:00:00Z")).seconds, 3_600);
    // One that does not holds until somebody takes it away.
    let lines = begun_managed(&mut of_an_hour());
    assert_eq!(held(&told(&lines, "2026-11-21T12:00:00Z")).seconds, 3 * 3_600);

    let removed_late = |story: &mut Story, mut lines: Vec<String>| {
        lines.push(story.next(TEN, Actor::Timer, Fact::Expired {}));
        lines.push(story.revoked("2026-11-21T11:00:00Z", Outcome::Expired));
        held(&told(&lines, "2026-11-23T00:00:00Z")).seconds
    };
    let (mut inline, mut managed) = (of_an_hour(), of_an_hour());
    let (of_inline, of_managed) = (inline.begun(NINE), begun_managed(&mut managed));
    assert_eq!(removed_late(&mut inline, of_inline), 3_600);
    assert_eq!(removed_late(&mut managed, of_managed), 2 * 3_600);
}
