//! The total table of the life: state × command × time, as a page of the documentation that is made by
//! the code and held current by a test.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use curfew_domain::effect::{Effect, Found, TimerKind};
use curfew_domain::event::{Drift, DriftResponse};
use curfew_domain::grant::{Cause, Grant, State};
use curfew_domain::transition::{Command, Illegal, Removal, transition};
use curfew_testkit::fixtures::{LEASE, catalog, request};
use jiff::Timestamp;

use crate::commands::{
    activate, activate_at_second_try, after, amend, approved_again, at, begin, find_drift, opened,
    opened_with, overrule, permit_with_review, plan, record_failure, removal, resume, review,
};

/// The first and the last second of each stretch of time that matters.
fn stretches() -> [(&'static str, i64, i64); 3] {
    let (lease, hour) = (LEASE.as_secs(), 3_600);
    [
        ("lease held", 10, lease - 1),
        ("lease over, window running", lease, hour - 1),
        ("window over", hour, hour * 24 * 400),
    ]
}

/// A grant in each state that matters, with the words for it.
fn states() -> Vec<(&'static str, Grant)> {
    let opening = opened(plan(&catalog(), &request("CHG-1")), TimerKind::Scheduler).grant;
    let active = after(&opening, activate(at(5)), at(5));
    let end = active.window().expires_at();
    let changing = after(&active, amend(approved_again(&catalog(), at(6), end)), at(6));
    let retried = after(&opening, activate_at_second_try(at(5)), at(5));
    let unsettled = after(&opening, begin(Cause::Revoked, false), at(5));
    let closing = after(&active, begin(Cause::Revoked, false), at(6));
    let failing = after(&opening, begin(Cause::OpeningFailed, true), at(5));
    let gone = |now| Command::Close(removal(now, Found::Deleted, Some(Found::Deleted)));
    let failed = after(&failing, gone(at(6)), at(6));
    let closed = after(&closing, gone(at(7)), at(7));
    let emergency =
        opened_with(plan(&catalog(), &request("CHG-1")), permit_with_review(), TimerKind::Scheduler).grant;
    let ended = after(&after(&emergency, activate(at(5)), at(5)), begin(Cause::Revoked, false), at(6));
    let owing = after(&ended, gone(at(7)), at(7));
    vec![
        ("Opening", opening),
        ("Active", active),
        ("Active, its window being changed", changing),
        ("Active, attached at a second try", retried),
        ("Closing, begun while the lease was held", unsettled),
        ("Closing, begun when active", closing),
        ("Closing, because its opening failed", failing),
        ("Closed", closed),
        ("Closed, and a review is owed", owing),
        ("Closed, because its opening failed", failed),
    ]
}

/// Every kind of command, given at a time.
fn commands(now: Timestamp) -> Vec<(&'static str, Command)> {
    let gone = || removal(now, Found::Deleted, Some(Found::Absent));
    let approved = |approved_at, end| amend(approved_again(&catalog(), at(approved_at), at(end)));
    vec![
        ("activate", activate(now)),
        ("change the window: a later approval, ending later", approved(7, 5_400)),
        ("change the window: a later approval, ending earlier", approved(7, 1_800)),
        ("change the window: the approval in force, ending later", approved(0, 5_400)),
        ("change the window: the approval in force, ending earlier", approved(0, 1_800)),
        ("change the window: an older approval, ending earlier", approved(-1, 1_800)),
        ("resume a change", resume(now)),
        ("find drift: policy missing, to be closed", find_drift(Drift::Missing, DriftResponse::Close, now)),
        ("find drift: policy edited, to be restored", find_drift(Drift::Edited, DriftResponse::Restore, now)),
        ("find drift: policy left over", find_drift(Drift::Leftover, DriftResponse::Remove, now)),
        (
            "confirm that what was left over is gone",
            Command::ConfirmDriftRemoved { access: removal(now, Found::Deleted, None).access },
        ),
        ("begin closing: expired", begin(Cause::Expired, false)),
        ("begin closing: revoked", begin(Cause::Revoked, false)),
        ("begin closing: opening failed, nothing in flight", begin(Cause::OpeningFailed, true)),
        ("begin closing: opening failed, outcome unknown", begin(Cause::OpeningFailed, false)),
        ("begin closing: abandoned", begin(Cause::Abandoned, false)),
        ("overrule a failed opening", overrule()),
        ("record a failed removal", record_failure()),
        ("record a review", review()),
        ("close: access and timer gone", Command::Close(gone())),
        (
            "close: access held by others",
            Command::Close(Removal { access: removal(now, Found::HeldByOthers, None).access, ..gone() }),
        ),
        (
            "close: gone, by the opening invocation itself",
            Command::Close(Removal { by_lease_holder: true, ..gone() }),
        ),
        (
            "close: gone, but the removal began at the opening",
            Command::Close(Removal { began_at: at(1), ..gone() }),
        ),
        ("close: access not proven gone", Command::Close(removal(now, Found::Applied, None))),
        ("close: timer not proven gone", Command::Close(removal(now, Found::Absent, Some(Found::Applied)))),
    ]
}

fn why(illegal: &Illegal) -> &'static str {
    match illegal {
        Illegal::NotExpired { .. } => "not expired",
        Illegal::LeaseHeld { .. } => "lease held",
        Illegal::AlreadyActive => "active already",
        Illegal::AlreadyClosing => "closing already",
        Illegal::AlreadyClosed => "closed already",
        Illegal::NotSettled { .. } => "not settled",
        Illegal::NotProven => "not proven",
        Illegal::NotClosing => "not closing",
        Illegal::ChangeHeld { .. } => "a change is under way",
        Illegal::NotChanging => "no change is waiting",
        Illegal::NotActive => "not active yet",
        Illegal::NotNewer => "not a newer approval",
        Illegal::OtherAccess => "other access",
        Illegal::TooManyChanges => "too many changes",
        Illegal::NoDrift => "no drift",
        Illegal::NoReviewOwed => "no review is owed",
        Illegal::OwnReview => "their own",
        Illegal::ReviewTooEarly => "not ended yet",
    }
}

fn named(state: &State, now: Timestamp) -> String {
    match state {
        State::Opening { .. } => "Opening".to_owned(),
        State::Active { changing: Some(_), .. } => "Active (changing)".to_owned(),
        State::Active { .. } => "Active".to_owned(),
        State::Closing { settle_after, .. } if now < *settle_after => "Closing (to settle)".to_owned(),
        State::Closing { .. } => "Closing".to_owned(),
        State::Closed { outcome, .. } => format!("Closed ({outcome})"),
    }
}

/// What comes of a command, in words.
fn outcome(grant: &Grant, command: Command, now: Timestamp) -> String {
    match transition(grant, command, now) {
        Err(illegal) => format!("*{}*", why(&illegal)),
        Ok(next) => {
            let mut words = format!("**{}**", named(next.grant.state(), now));
            for event in &next.events {
                write!(words, " `{}`", event.fact.name()).unwrap();
            }
            for effect in &next.effects {
                words.push_str(match effect {
                    Effect::Attach(_) => ", attach",
                    Effect::Detach(_) => ", detach",
                    Effect::SetTimer { .. } => ", set timer",
                    Effect::ClearTimer(_) => ", clear timer",
                });
            }
            words
        }
    }
}

/// The edges of the life as a diagram, found by trying everything.
fn diagram() -> String {
    let mut edges: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for (_, grant) in states() {
        for (_, first, last) in stretches() {
            for now in [at(first), at(last)] {
                for (_, command) in commands(now) {
                    let name = command.name();
                    if let Ok(next) = transition(&grant, command, now) {
                        edges.insert((grant.state().name(), next.grant.state().name(), name));
                    }
                }
            }
        }
    }
    let mut text = "```mermaid\nstateDiagram-v2\n    [*] --> opening: open\n".to_owned();
    for (from, to, command) in edges {
        let command = command.trim_end_matches(" of");
        writeln!(text, "    {from} --> {to}: {command}").unwrap();
    }
    text.push_str("    closed --> [*]\n```\n");
    text
}

fn page() -> String {
    let mut page = "\
<!-- Made by the tests of shared/domain from the transition function. Don't edit it by hand:
     CURFEW_UPDATE_DOCS=1 cargo test -p curfew-domain --test life -->

# The life of a grant

What every command does to a grant in every state, as `shared/domain/src/transition.rs` decides it. The
function is pure and total: what is not allowed is a typed refusal, and changes nothing.

"
    .to_owned();
    page.push_str(&diagram());
    page.push_str(
        "
Read a cell as: **the state afterwards** `the event that is written`, and what is then to be done in AWS;
or *why it is refused*. The sample grant has a schedule as its timer, which deletes itself when it fires.

- *Lease*: until it is over, the opening invocation (or whoever changes the window) may still have an attach
  in flight.
- *Changing*: the ledger says the new window; AWS has yet to confirm it. Until it does, what is in AWS may
  last until the end before, if that is later.
- *To settle*: access is removed at once, but only a removal that begins after the lease proves anything.
",
    );
    for (name, grant) in states() {
        write!(page, "\n## {name}\n\n| command |").unwrap();
        let columns = stretches();
        for (column, ..) in columns {
            write!(page, " {column} |").unwrap();
        }
        page.push_str("\n|---|---|---|---|\n");
        let rows = commands(at(0)).len();
        for row in 0..rows {
            let mut line = String::new();
            for (n, (column, first, last)) in columns.iter().enumerate() {
                let cell = |seconds| {
                    let (name, command) = commands(at(seconds)).swap_remove(row);
                    (name, outcome(&grant, command, at(seconds)))
                };
                let (command, words) = cell(*first);
                assert_eq!(words, cell(*last).1, "{name}, {command}: differs within `{column}`");
                if n == 0 {
                    write!(line, "| {command} |").unwrap();
                }
                write!(line, " {words} |").unwrap();
            }
            writeln!(page, "{line}").unwrap();
        }
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "asks whoever runs the tests whether to write the page anew")]
fn the_documented_table_is_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/life.md");
    let made = page();
    if std::env::var_os("CURFEW_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = made.lines().zip(documented.lines().chain(std::iter::repeat(""))).find(|(a, b)| a != b);
    assert!(
        made == documented,
        "docs/life.md is not what the code does. If the change of the life is meant, write the page anew with\n\
         `CURFEW_UPDATE_DOCS=1 cargo test -p curfew-domain --test life` and read the difference.\n\
         First difference, code and page: {differing:#?}"
    );
}

#[test]
fn an_expiry_leaves_only_a_timer_that_deletes_itself() {
    for (kind, effects) in [(TimerKind::Scheduler, 1), (TimerKind::Rule, 2)] {
        let opening = opened(plan(&catalog(), &request("CHG-1")), kind).grant;
        let active = after(&opening, activate(at(5)), at(5));
        let begun = transition(&active, begin(Cause::Expired, false), at(3_600)).unwrap();
        assert_eq!(begun.effects.len(), effects, "{kind:?}");
        let early = transition(&active, begin(Cause::Revoked, false), at(60)).unwrap();
        assert_eq!(early.effects.len(), 2, "{kind:?}");
    }
}

#[test]
fn an_opening_asks_for_access_and_timer_and_nothing_else() {
    let opened = opened(plan(&catalog(), &request("CHG-1")), TimerKind::Scheduler);
    assert!(matches!(opened.effects.as_slice(), [Effect::Attach(_), Effect::SetTimer { .. }]));
    let names: Vec<&str> = opened.events.iter().map(|event| event.fact.name()).collect();
    assert_eq!(names, ["Requested", "Opened"]);
    assert_eq!(opened.grant.version(), 1);
}
