//! A grant's story, written into the archive again.

use curfew_audit::deliver::{NotArchived, Recent, archive_again, archive_denials_again, deliver};
use curfew_domain::ids::{Source, TicketId};
use curfew_testkit::fixtures::START;
use jiff::SignedDuration;

use crate::stage::{Fate, Stage, fine, run};
use crate::stories::{arrival_of, denied, detail, in_stream, lives, settings};

#[test]
fn a_story_of_which_something_never_came_is_whole_again() {
    let stories = lives(1);
    let stage = Stage::new(START);
    let id = stories[0].events[0].grant_id.clone();
    stage.outside().grants.insert(id.clone(), stories[0].clone());
    // Of five events, two came.
    let arrivals = in_stream([1, 4].map(|seq| arrival_of(&stories[0], seq)));
    let ports = stage.invocation();
    run(&stage, ports.invocation, deliver(&ports, &settings(), &Recent::default(), &arrivals), fine);
    stage.advance(SignedDuration::from_secs(1));

    let ports = stage.invocation();
    let archived = run(&stage, ports.invocation, archive_again(&ports, &settings(), &id), fine).unwrap();
    assert_eq!((archived.records, archived.keys.len()), (5, 1));
    let all: Vec<String> =
        (1..=5).filter_map(|seq| detail(&arrival_of(&stories[0], seq), &stories)).collect();
    let outside = stage.outside();
    let body = String::from_utf8(outside.objects[&archived.keys[0]].clone()).unwrap();
    assert_eq!(body.lines().collect::<Vec<_>>(), all, "in order, the same bytes as the stream's");
    assert_eq!(outside.bus.len(), 2, "it is no news");
}

/// Denials have no chain: nothing in the archive would tell that they are missing.
#[test]
fn what_was_denied_on_a_ticket_is_there_again() {
    let stage = Stage::new(START);
    let arrivals = in_stream([denied("CHG-1"), denied("CHG-2")]);
    stage.outside().write(&[], &arrivals);
    let (source, ticket) = (Source::new("itsm").unwrap(), TicketId::new("CHG-1").unwrap());
    let again = |ticket: &TicketId, failing: &'static str| {
        let ports = stage.invocation();
        let fate = move |name: &str, _: usize| if name == failing { Fate::LostRequest } else { Fate::Done };
        run(&stage, ports.invocation, archive_denials_again(&ports, &settings(), &source, ticket), fate)
    };
    let unread = again(&ticket, "denials").unwrap_err();
    assert!(matches!(unread, NotArchived::Unread { .. }) && unread.is_retryable(), "{unread}");
    let none = again(&TicketId::new("CHG-3").unwrap(), "").unwrap_err();
    assert!(matches!(none, NotArchived::NoDenials { .. }) && !none.is_retryable(), "{none}");
    assert!(stage.outside().objects.is_empty());
    let archived = again(&ticket, "").unwrap();
    assert_eq!((archived.records, archived.keys.len()), (1, 1));
    let outside = stage.outside();
    assert_eq!(
        outside.archived_lines(),
        [detail(&arrivals[0], &[]).unwrap()],
        "the same bytes as the stream's"
    );
    assert!(outside.bus.is_empty(), "it is no news");
}

#[test]
fn why_not_is_said_with_whether_to_try_again() {
    let stories = lives(2);
    let stage = Stage::new(START);
    let (known, unknown) = (stories[0].events[0].grant_id.clone(), stories[1].events[0].grant_id.clone());
    stage.outside().grants.insert(known.clone(), stories[0].clone());
    let again = |id, failing: &'static str| {
        let ports = stage.invocation();
        let fate = move |name: &str, _: usize| if name == failing { Fate::LostRequest } else { Fate::Done };
        run(&stage, ports.invocation, archive_again(&ports, &settings(), id), fate).unwrap_err()
    };
    assert_eq!(again(&unknown, ""), NotArchived::Unknown(unknown.clone()));
    assert!(!again(&unknown, "").is_retryable());
    let unread = again(&known, "story");
    assert!(matches!(unread, NotArchived::Unread { .. }) && unread.is_retryable(), "{unread}");
    let refused = again(&known, "put");
    assert!(matches!(refused, NotArchived::Refused { .. }) && refused.is_retryable(), "{refused}");
}
