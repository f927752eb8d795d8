//! Tests of what a row says.

use curfew_domain::ids::{Email, GrantId, RoleName, Source, TenantId, TicketId};
use serde_json::json;

use super::*;

const LINKS: Links<'_> = Links { stack: "curfew", console: "arn:c", revoke: "arn:r", grant: "arn:g" };
const ID: &str = "g-aaaaaaaaaaaaaaaaaaaaaaaaaa";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-21T10:30:00Z")
}

fn live(state: LiveState) -> LiveGrant {
    LiveGrant {
        grant_id: GrantId::new(ID).unwrap(),
        person: Email::new("ana@example.com").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        role: RoleName::new("prod-ops").unwrap(),
        principal: "arn:aws:iam::111122223333:user/eng/ana".to_owned(),
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG0030192").unwrap(),
        state,
        starts_at: at("2026-11-21T10:00:00Z"),
        expires_at: at("2026-11-21T11:00:00Z"),
        due_at: at("2026-11-21T11:02:00Z"),
        access_kind: Some(AccessKind::Inline),
        privileged: false,
        failures: 0,
        closing_since: None,
        in_aws_until: None,
    }
}

fn closing(failures: u32) -> LiveGrant {
    LiveGrant {
        failures,
        closing_since: Some(at("2026-11-21T10:20:00Z")),
        due_at: at("2026-11-21T10:33:00Z"),
        ..live(LiveState::Closing)
    }
}

fn listed(grant: LiveGrant) -> Listed {
    Listed { standing: grant.standing(now()), grant }
}

#[test]
fn each_standing_is_said_in_words_with_what_follows_from_it() {
    let over = at("2026-11-21T10:25:00Z");
    let managed = Some(AccessKind::Managed);
    for (grant, label, detail) in [
        (live(LiveState::Active), "Active", ""),
        (
            LiveGrant { in_aws_until: Some(at("2026-11-22T09:00:00Z")), ..live(LiveState::Active) },
            "Active",
            "A change of its end is not confirmed: in AWS it may last until 2026-11-22 09:00 UTC.",
        ),
        (LiveGrant { starts_at: at("2026-11-21T10:45:00Z"), ..live(LiveState::Active) }, "Not begun", ""),
        (live(LiveState::Opening), "Opening", "AWS has not confirmed it yet."),
        (
            LiveGrant { due_at: over, ..live(LiveState::Opening) },
            "Overdue",
            "Its opening was cut short; the sweep ends it. It may still be allowed.",
        ),
        (
            LiveGrant { expires_at: over, ..live(LiveState::Active) },
            "Ending",
            "Its window is over; its timer fires within the minute.",
        ),
        (
            LiveGrant { expires_at: over, due_at: over, ..live(LiveState::Active) },
            "Overdue",
            "Its timer did not end it; the sweep does. AWS refuses it by its dates.",
        ),
        (
            LiveGrant { expires_at: over, due_at: over, access_kind: managed, ..live(LiveState::Active) },
            "Overdue",
            "Its timer did not end it; the sweep does. Its managed policy may still allow it.",
        ),
        (
            LiveGrant { closing_since: Some(at("2026-11-21T10:29:00Z")), ..closing(0) },
            "Ending",
            "Being removed since 10:29:00 UTC.",
        ),
        (
            closing(0),
            "Overdue",
            "Being removed since 10:20:00 UTC, and AWS has not confirmed it. It may still be allowed.",
        ),
        (closing(1), "Removal fails", "1 try failed, the next is at 10:33:00 UTC. It may still be allowed."),
        (
            LiveGrant { due_at: over, expires_at: over, access_kind: None, ..closing(7) },
            "Removal fails",
            "7 tries failed, the next is now. It may still be allowed.",
        ),
        (
            LiveGrant { expires_at: over, ..closing(2) },
            "Removal fails",
            "2 tries failed, the next is at 10:33:00 UTC. AWS refuses it by its dates.",
        ),
    ] {
        let listed = listed(grant);
        let row = Row::of(&listed, now(), &LINKS);
        assert_eq!((row.label, row.detail.as_str()), (label, detail));
        let urgent = listed.standing.wants_attention();
        assert_eq!(row.class == "cf-bad", urgent, "{label}");
        assert_eq!(row.principal, "user/eng/ana");
    }
}

#[test]
fn the_bar_is_the_part_of_the_window_that_is_left() {
    for (starts, expires, left, bar) in [
        ("2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z", "30 min", Some(50)),
        ("2026-11-21T10:30:00Z", "2026-11-21T11:00:00Z", "30 min", Some(100)),
        ("2026-11-20T10:30:00Z", "2026-11-21T10:30:30Z", "less than a minute", Some(0)),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:30:00Z", "over for less than a minute", Some(0)),
        ("2026-11-21T08:00:00Z", "2026-11-21T09:15:00Z", "over for 1 h 15 min", Some(0)),
        ("2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z", "begins in 1 h 30 min", None),
        // A window that is no window must not divide by nothing.
        ("2026-11-21T11:00:00Z", "2026-11-21T11:00:00Z", "begins in 30 min", None),
    ] {
        let grant = LiveGrant { starts_at: at(starts), expires_at: at(expires), ..live(LiveState::Active) };
        let listed = listed(grant);
        let row = Row::of(&listed, now(), &LINKS);
        assert_eq!((row.left.as_str(), row.bar), (left, bar), "{starts} {expires}");
    }
    // Ended early: what is left of the window is no time that anybody has.
    let early = LiveGrant { starts_at: at("2026-11-21T12:00:00Z"), ..live(LiveState::Opening) };
    assert_eq!(Row::of(&listed(early), now(), &LINKS).bar, Some(100));
}

fn calls(actions: &[Action<'_>]) -> Vec<(String, String, serde_json::Value)> {
    let call = |action: &Action<'_>| {
        let payload = serde_json::from_str(&action.payload.to_string()).unwrap();
        (action.label.clone(), action.endpoint.to_owned(), payload)
    };
    actions.iter().map(call).collect()
}

#[test]
fn each_standing_offers_what_makes_sense() {
    let call = |label: &str, endpoint: &str, payload| (label.to_owned(), endpoint.to_owned(), payload);
    let revoke = |label| call(label, "arn:r", json!({ "grant_id": ID }));
    let extend = |label, minutes| call(label, "arn:g", json!({ "extend": ID, "minutes": minutes }));
    let story = call("Story", "arn:c", json!({ "show": ID }));
    let offered = |grant| calls(&Row::of(&listed(grant), now(), &LINKS).actions);
    let longer = [revoke("Revoke now"), extend("+30 min", 30), extend("+60 min", 60), story.clone()];
    assert_eq!(offered(live(LiveState::Active)), longer);
    let waiting = LiveGrant { starts_at: at("2026-11-21T10:45:00Z"), ..live(LiveState::Active) };
    assert_eq!(offered(waiting), longer);
    for grant in [live(LiveState::Opening), closing(0)] {
        assert_eq!(offered(grant), [revoke("Revoke now"), story.clone()]);
    }
    assert_eq!(offered(closing(1)), [revoke("Try removal now"), story]);
}

#[test]
fn whatever_changes_something_is_asked_for_once_more_and_nothing_else_is() {
    let listed = listed(live(LiveState::Active));
    for action in Row::of(&listed, now(), &LINKS).actions {
        assert_eq!(action.confirmation.is_some(), action.endpoint != "arn:c", "{}", action.label);
        assert_eq!(action.display, "popup");
        if let Some(confirmation) = action.confirmation {
            assert!(confirmation.contains("prod-ops of ana@example.com in acme"), "{confirmation}");
            assert!(confirmation.contains("on record"), "{confirmation}");
        }
    }
}

#[test]
fn a_review_can_be_given_once_the_access_has_ended() {
    let mut owed = ReviewOwed {
        grant_id: GrantId::new(ID).unwrap(),
        since: at("2026-11-19T10:30:00Z"),
        person: Email::new("ana@example.com").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        role: RoleName::new("break-glass").unwrap(),
        principal: "arn:aws:iam::111122223333:role/ana".to_owned(),
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("INC0010023").unwrap(),
        starts_at: at("2026-11-19T10:30:00Z"),
        expires_at: at("2026-11-19T11:30:00Z"),
        outcome: Some(curfew_domain::grant::Outcome::Expired),
    };
    let story = ("Story".to_owned(), "arn:c".to_owned(), json!({ "show": ID }));
    let reviewed = ("Reviewed".to_owned(), "arn:r".to_owned(), json!({ "reviewed": ID }));
    let row = ReviewRow::of(&owed, now(), &LINKS);
    assert_eq!((row.since.as_str(), row.end.as_str(), row.principal), ("2 d", "expired", "role/ana"));
    assert_eq!(calls(&row.actions), [reviewed, story.clone()]);
    owed.outcome = None;
    let row = ReviewRow::of(&owed, now(), &LINKS);
    assert!(row.end.contains("once it has ended"), "{}", row.end);
    assert_eq!(calls(&row.actions), [story]);
}
