//! Tests of what is said of a live grant, and in which order. That it is what the domain says of grants, `life` and
//! `shared/aws` test.

use super::*;

const STARTS: &str = "2026-11-21T10:00:00Z";
const EXPIRES: &str = "2026-11-21T11:00:00Z";
const TIMER_LATE: &str = "2026-11-21T11:02:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn live(state: LiveState) -> LiveGrant {
    LiveGrant {
        grant_id: GrantId::new("g-aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap(),
        person: Email::new("ana@example.com").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        role: RoleName::new("prod-ops").unwrap(),
        principal: "arn:aws:iam::111122223333:user/ana".to_owned(),
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG0030192").unwrap(),
        state,
        starts_at: at(STARTS),
        expires_at: at(EXPIRES),
        due_at: at(TIMER_LATE),
        access_kind: Some(AccessKind::Inline),
        privileged: false,
        failures: 0,
        closing_since: None,
        in_aws_until: None,
    }
}

fn closing(since: &str, failures: u32) -> LiveGrant {
    let due_at = plus(at(since), SignedDuration::from_secs(60));
    LiveGrant { due_at, failures, closing_since: Some(at(since)), ..live(LiveState::Closing) }
}

#[test]
fn a_grants_standing_is_told_by_its_state_and_the_time() {
    let lease = "2026-11-21T10:00:50Z";
    let opening = LiveGrant { due_at: at(lease), ..live(LiveState::Opening) };
    // A change of its end that was cut short: due at its lease's end, long before the window's.
    let changing =
        LiveGrant { due_at: at(lease), in_aws_until: Some(at(EXPIRES)), ..live(LiveState::Active) };
    let of_old = LiveGrant { closing_since: None, ..closing(STARTS, 0) };
    for (grant, now, expected) in [
        (&opening, "2026-11-21T10:00:49Z", Standing::Opening),
        (&opening, lease, Standing::Overdue),
        (&live(LiveState::Active), "2026-11-21T09:59:59Z", Standing::Waiting),
        (&live(LiveState::Active), STARTS, Standing::Active),
        (&live(LiveState::Active), "2026-11-21T10:59:59Z", Standing::Active),
        (&live(LiveState::Active), EXPIRES, Standing::Ending),
        (&live(LiveState::Active), "2026-11-21T11:01:59Z", Standing::Ending),
        (&live(LiveState::Active), TIMER_LATE, Standing::Overdue),
        (&changing, "2026-11-21T10:30:00Z", Standing::Active),
        (&changing, EXPIRES, Standing::Overdue),
        (&closing(STARTS, 0), STARTS, Standing::Ending),
        (&closing(STARTS, 0), "2026-11-21T10:04:59Z", Standing::Ending),
        (&closing(STARTS, 0), "2026-11-21T10:05:00Z", Standing::Overdue),
        (&closing(STARTS, 1), STARTS, Standing::RemovalFails),
        (&of_old, "2026-11-21T10:05:59Z", Standing::Ending),
        (&of_old, "2026-11-21T10:06:00Z", Standing::Overdue),
    ] {
        assert_eq!(grant.standing(at(now)), expected, "{:?} at {now}", grant.state);
    }
}

#[test]
fn names_are_those_of_the_ledger_and_nothing_else_is_one() {
    for (name, state) in [
        ("opening", Some(LiveState::Opening)),
        ("active", Some(LiveState::Active)),
        ("closing", Some(LiveState::Closing)),
        ("closed", None),
        ("Active", None),
        ("", None),
    ] {
        assert_eq!(LiveState::of_name(name), state);
    }
    for kind in [AccessKind::Inline, AccessKind::Managed] {
        assert_eq!(AccessKind::of_name(kind.name()), Some(kind));
    }
    assert_eq!(AccessKind::of_name("session"), None);
}

/// An id that ends with `letter`.
fn id(letter: char) -> GrantId {
    GrantId::new(format!("g-aaaaaaaaaaaaaaaaaaaaaaaaa{letter}")).unwrap()
}

#[test]
fn what_failed_and_what_is_overdue_comes_first_then_what_ends_then_by_the_end() {
    let now = at("2026-11-21T10:30:00Z");
    let ends = |letter, end: &str| LiveGrant {
        grant_id: id(letter),
        expires_at: at(end),
        ..live(LiveState::Active)
    };
    let of = |letter, grant: LiveGrant| LiveGrant { grant_id: id(letter), ..grant };
    let expected = [
        of('z', LiveGrant { expires_at: at("2026-11-21T10:10:00Z"), ..closing(STARTS, 0) }),
        of('y', closing("2026-11-21T10:29:00Z", 3)),
        of('x', LiveGrant { expires_at: at("2026-11-21T12:00:00Z"), ..closing("2026-11-21T10:29:00Z", 1) }),
        of('w', LiveGrant { expires_at: at("2026-11-21T18:00:00Z"), ..closing("2026-11-21T10:29:00Z", 0) }),
        ends('v', "2026-11-21T10:31:00Z"),
        LiveGrant { privileged: true, ..ends('u', "2026-11-21T10:40:00Z") },
        ends('a', "2026-11-21T10:40:00Z"),
        ends('b', "2026-11-21T10:40:00Z"),
        of('c', LiveGrant { starts_at: at("2026-11-21T10:45:00Z"), ..live(LiveState::Active) }),
    ];
    let list = |grant: LiveGrant| Listed { standing: grant.standing(now), grant };
    for turn in 0..expected.len() {
        let mut shuffled = expected.clone();
        shuffled.rotate_left(turn);
        shuffled.swap(0, 4);
        let mut listed = shuffled.map(list);
        sort(&mut listed);
        let order: Vec<GrantId> = listed.iter().map(|listed| listed.grant.grant_id.clone()).collect();
        assert_eq!(order, expected.clone().map(|grant| grant.grant_id));
    }
}

#[test]
fn what_wants_attention_is_at_the_top() {
    for standing in [
        Standing::RemovalFails,
        Standing::Overdue,
        Standing::Ending,
        Standing::Opening,
        Standing::Active,
        Standing::Waiting,
    ] {
        assert_eq!(standing.wants_attention(), standing.rank() == 0, "{standing:?}");
    }
}
