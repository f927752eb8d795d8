//! One batch: what becomes of each record, whatever becomes of one call.

use curfew_audit::deliver::{Arrival, Content, Delivered, Recent, deliver};
use curfew_audit::ports::{DeadLetter, NOTICES_BYTES_MAX, NOTICES_MAX, Story};
use curfew_domain::event::Event;
use curfew_testkit::fixtures::START;
use serde_json::{Value, json};

use crate::stage::{Fate, Stage, fine, run};
use crate::stories::{arrival_of, denied, detail, in_stream, lives, poison, settings};

/// A stage on which the grants of these stories are, and what was denied on some tickets.
fn stage(stories: &[Story]) -> Stage {
    let stage = Stage::new(START);
    let denials: Vec<Arrival> = (0..25).map(|n| denied(&format!("CHG-{n}"))).collect();
    stage.outside().write(stories, &denials);
    stage
}

fn delivered(
    stage: &Stage,
    recent: &Recent,
    arrivals: &[Arrival],
    fate: impl FnMut(&str, usize) -> Fate,
) -> Delivered {
    let ports = stage.invocation();
    let invocation = ports.invocation;
    let delivered = run(stage, invocation, deliver(&ports, &settings(), recent, arrivals), fate);
    assert_eq!(stage.outside().violations, Vec::<String>::new());
    delivered
}

/// The ids of what is on the bus, in order.
fn told(stage: &Stage) -> Vec<String> {
    let outside = stage.outside();
    let id = |detail: &str| {
        serde_json::from_str::<Value>(detail).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
    };
    outside.bus.iter().map(|notice| id(&notice.detail)).collect()
}

fn ids(story: &Story, seqs: &[u32]) -> Vec<String> {
    seqs.iter().map(|seq| format!("{}#{seq:06}", story.events[0].grant_id)).collect()
}

#[test]
fn a_batch_is_one_object_of_lines_and_as_many_events_on_the_bus() {
    let stories = lives(2);
    let stage = stage(&stories);
    let arrivals = in_stream([
        arrival_of(&stories[0], 1),
        denied("CHG-9"),
        arrival_of(&stories[1], 1),
        arrival_of(&stories[0], 2),
        arrival_of(&stories[1], 2),
    ]);
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    let expected = Delivered { arrived: 5, archived: 5, published: 5, ..Delivered::default() };
    assert_eq!(report, expected);
    let outside = stage.outside();
    assert_eq!(outside.objects.len(), 1);
    let mut lines = outside.archived_lines();
    let mut details: Vec<String> = arrivals.iter().filter_map(|arrival| detail(arrival, &stories)).collect();
    lines.sort();
    details.sort();
    assert_eq!(lines, details);
    let notice = outside.bus.iter().find(|notice| notice.name == "Requested").unwrap();
    assert_eq!(notice.principal.as_deref(), Some(stories[0].subject.principal.arn()));
    assert!(outside.bus.iter().any(|notice| notice.name == "Denied" && notice.principal.is_none()));
}

#[test]
fn an_empty_batch_leaves_nothing() {
    let stage = stage(&[]);
    assert_eq!(delivered(&stage, &Recent::default(), &[], fine), Delivered::default());
    assert!(stage.outside().objects.is_empty() && stage.outside().bus_calls.is_empty());
}

#[test]
fn events_of_a_grant_are_put_in_order_and_told_one_call_after_the_other() {
    let stories = lives(1);
    let stage = stage(&stories);
    let arrivals = in_stream([3, 1, 2, 5, 4].map(|seq| arrival_of(&stories[0], seq)));
    delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!(told(&stage), ids(&stories[0], &[1, 2, 3, 4, 5]));
    assert_eq!(stage.outside().bus_calls, [1; 5], "of two in one call, the later alone could be taken");
    let details: Vec<String> =
        (1..=5).filter_map(|seq| detail(&arrival_of(&stories[0], seq), &stories)).collect();
    assert_eq!(stage.outside().archived_lines(), details);
}

#[test]
fn a_call_carries_no_more_than_the_bus_takes() {
    let stories = lives(1);
    let stage = stage(&stories);
    let arrivals = in_stream((0..25).map(|n| denied(&format!("CHG-{n}"))));
    delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!(stage.outside().bus_calls, [NOTICES_MAX, NOTICES_MAX, 5]);
}

#[test]
fn an_entry_that_failed_holds_up_its_grant_alone_and_nothing_is_told_or_kept_twice() {
    let stories = lives(2);
    let stage = stage(&stories);
    let of = |story: usize, seq| arrival_of(&stories[story], seq);
    let arrivals = in_stream([of(0, 1), of(1, 1), of(0, 2), of(0, 3), of(1, 2), denied("CHG-9")]);
    let recent = Recent::default();
    // The second call carries the second event of each.
    let report = delivered(&stage, &recent, &arrivals, |name, nth| match (name, nth) {
        ("publish", 1) => Fate::Partly(0b01),
        _ => Fate::Done,
    });
    assert_eq!((report.archived, report.published), (6, 4));
    assert_eq!(report.failed_from, Some(arrivals[2].sequence.clone()));
    assert_eq!(report.failures, ["PutEvents failed: Timeout: no answer"]);
    assert!(!told(&stage).contains(&ids(&stories[0], &[3])[0]), "not before the one before it");

    // Lambda comes again with everything from there.
    let report = delivered(&stage, &recent, &arrivals[2..], fine);
    assert_eq!((report.archived, report.published, report.failed_from), (0, 2, None));
    assert_eq!(stage.outside().objects.len(), 1);
    let all = told(&stage);
    let of_first: Vec<_> =
        all.iter().filter(|id| id.starts_with(stories[0].events[0].grant_id.as_str())).collect();
    assert_eq!(of_first, ids(&stories[0], &[1, 2, 3]).iter().collect::<Vec<_>>());
    assert_eq!(all.len(), 6);
    // Another process does not remember: then it is there twice.
    let report = delivered(&stage, &Recent::default(), &arrivals[2..], fine);
    assert_eq!((report.archived, report.published), (4, 4));
}

#[test]
fn a_bus_that_does_not_answer_is_asked_once() {
    let stories = lives(1);
    let stage = stage(&stories);
    let arrivals = in_stream((1..=5).map(|seq| arrival_of(&stories[0], seq)));
    for (fate, told_by_it) in [(Fate::LostRequest, 0), (Fate::LostAnswer, 1)] {
        stage.outside().bus_calls.clear();
        let report = delivered(&stage, &Recent::default(), &arrivals, |name, _| match name {
            "publish" => fate,
            _ => Fate::Done,
        });
        assert_eq!(report.failed_from, Some(arrivals[0].sequence.clone()));
        assert_eq!((report.archived, report.published), (5, 0));
        assert_eq!(stage.outside().bus_calls.len(), told_by_it);
    }
}

#[test]
fn a_notice_that_the_bus_does_not_answer_for_comes_again() {
    let stories = lives(2);
    let stage = stage(&stories);
    stage.outside().answers_short = true;
    let arrivals = in_stream([arrival_of(&stories[0], 1), arrival_of(&stories[1], 1)]);
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!((report.published, report.failed_from), (1, Some(arrivals[1].sequence.clone())));
    assert!(report.failures[0].contains("did not answer for each event"), "{:?}", report.failures);
}

#[test]
fn what_is_not_in_the_archive_is_not_told() {
    let stories = lives(1);
    for fate in [Fate::LostRequest, Fate::LostAnswer, Fate::Late] {
        let stage = stage(&stories);
        let arrivals = in_stream([arrival_of(&stories[0], 1), denied("CHG-9")]);
        let report = delivered(&stage, &Recent::default(), &arrivals, |name, _| match name {
            "put" => fate,
            _ => Fate::Done,
        });
        assert_eq!(report.failed_from, Some(arrivals[0].sequence.clone()));
        assert_eq!((report.archived, report.published), (0, 0));
        assert!(stage.outside().bus.is_empty());
    }
}

#[test]
fn a_grant_that_can_not_be_read_now_holds_up_itself_alone() {
    let stories = lives(2);
    let stage = stage(&stories);
    let arrivals = in_stream([
        arrival_of(&stories[0], 1),
        arrival_of(&stories[1], 1),
        denied("CHG-9"),
        arrival_of(&stories[0], 2),
    ]);
    // Grants are read in the order of their ids.
    let first = stories[0].events[0].grant_id < stories[1].events[0].grant_id;
    let report = delivered(&stage, &Recent::default(), &arrivals, |name, nth| match (name, nth) {
        ("written", n) if (n == 0) == first => Fate::LostRequest,
        _ => Fate::Done,
    });
    assert_eq!(report.failed_from, Some(arrivals[0].sequence.clone()));
    assert_eq!((report.archived, report.published), (2, 2));
    assert_eq!(report.failures, ["the ledger could not read a grant: no answer"]);
}

/// Each kind of poison in the middle of what is good.
#[test]
fn poison_goes_to_people_whole_and_blocks_nothing() {
    let stories = lives(7);
    let [good, missing, unreadable, refused, nonsense, spaced, misnamed] = &stories[..] else {
        unreachable!()
    };
    let stage = stage(&stories);
    let id = |story: &Story| story.events[0].grant_id.clone();
    stage.outside().grants.remove(&id(missing));
    stage.outside().unreadable.insert(id(unreadable));
    stage.outside().refused.insert("Revoked".to_owned());
    // It stands like that in the ledger, too.
    let edited = |story: &Story, to: u32, body: String| {
        stage.outside().edited.insert((id(story), to), body.clone());
        let mut arrival = arrival_of(story, 2);
        arrival.content = Ok(Content::Event { grant_id: id(story), seq: to, body });
        arrival
    };
    let body = |story: &Story| story.events[1].canonical();
    let arrivals = in_stream([
        poison("item `X` has no readable attribute `body`"),
        arrival_of(good, 1),
        edited(nonsense, 2, "{}".to_owned()),
        edited(spaced, 2, body(spaced).replacen(':', ": ", 1)),
        edited(misnamed, 7, body(misnamed)),
        arrival_of(missing, 1),
        arrival_of(unreadable, 1),
        arrival_of(good, 2),
        arrival_of(refused, 5),
        arrival_of(good, 3),
    ]);
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!((report.failed_from.as_deref(), report.archived, report.published), (None, 4, 3));
    assert_eq!(told(&stage), ids(good, &[1, 2, 3]));
    let expected = [
        (0, "item `X` has no readable attribute `body`"),
        (2, "no event that this version of Curfew knows"),
        (3, "not its canonical ones"),
        (4, "event 7 of grant"),
        (5, "is not in the ledger"),
        (6, "can't be read: edited by hand"),
        (8, "is in the archive, but the bus refuses it: MalformedDetail"),
    ];
    assert_eq!(report.set_aside.len(), expected.len());
    letters(&stage, &arrivals, &expected);
}

/// The letters that people got, in the order of the stream: of which arrival each is, whole, and what its reason says.
fn letters(stage: &Stage, arrivals: &[Arrival], expected: &[(usize, &str)]) -> Vec<DeadLetter> {
    let mut letters = stage.outside().letters.clone();
    letters.sort_by(|a, b| a.sequence.cmp(&b.sequence));
    assert_eq!(letters.len(), expected.len(), "{letters:#?}");
    for (letter, (n, reason)) in letters.iter().zip(expected) {
        assert_eq!((&letter.sequence, &letter.raw), (&arrivals[*n].sequence, &arrivals[*n].raw));
        assert!(letter.reason.contains(reason), "{} does not say: {reason}", letter.reason);
    }
    letters
}

/// Whoever may invoke the function may hand it what never came from the stream; and whoever may write the table may
/// change what the stream has not brought yet. Neither is evidence.
#[test]
fn what_the_ledger_does_not_have_like_that_goes_to_people_and_nowhere_else() {
    let stories = lives(2);
    let [real, changed] = &stories[..] else { unreachable!() };
    let stage = stage(&stories);
    let now = changed.events[3].canonical().replace("ops@", "eve@");
    stage.outside().edited.insert((changed.events[0].grant_id.clone(), 4), now.clone());
    let mut longer = real.clone();
    longer.events.push(long_event(real, 3));
    let mut rewritten = real.clone();
    rewritten.events[1] = Event { prev: "0".repeat(64), ..real.events[1].clone() };
    let told_otherwise = |mut arrival: Arrival| {
        if let Ok(Content::Denial(denied)) = &mut arrival.content {
            denied.reason = "no reason".to_owned();
        }
        arrival
    };
    let arrivals = in_stream([
        arrival_of(real, 1),
        arrival_of(&longer, 6),
        arrival_of(&rewritten, 2),
        arrival_of(changed, 4),
        denied("CHG-99"),
        told_otherwise(denied("CHG-9")),
        denied("CHG-8"),
    ]);
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!((report.failed_from.as_deref(), report.archived, report.published), (None, 2, 2));
    let expected = [
        (1, "event 6 of grant"),
        (2, "is not what the ledger has"),
        (3, "is not what the ledger has"),
        (4, "on ticket CHG-99 of itsm is not in the ledger"),
        (5, "on ticket CHG-9 of itsm is not what the ledger has"),
    ];
    let letters = letters(&stage, &arrivals, &expected);
    assert_eq!(letters[0].in_ledger, None);
    assert_eq!(letters[1].in_ledger, Some(real.events[1].canonical()), "people see both");
    assert_eq!(letters[2].in_ledger, Some(now));
    assert!(letters[4].in_ledger.as_ref().is_some_and(|there| there.contains("nobody else approved")));
    let good = [&arrivals[0], &arrivals[6]].map(|arrival| detail(arrival, &stories).unwrap());
    assert_eq!(stage.outside().archived_lines(), good);
}

/// Poison next to a bus that is down comes again for hours: people hear of it once.
#[test]
fn people_are_told_once_however_often_it_comes_again() {
    let stories = lives(1);
    let stage = stage(&stories);
    let arrivals = in_stream([arrival_of(&stories[0], 1), poison("no"), arrival_of(&stories[0], 2)]);
    let recent = Recent::default();
    let down = |name: &str, _: usize| if name == "publish" { Fate::LostRequest } else { Fate::Done };
    let aside: Vec<usize> =
        (0..3).map(|_| delivered(&stage, &recent, &arrivals, down).set_aside.len()).collect();
    assert_eq!((aside, stage.outside().letters.len()), (vec![1, 0, 0], 1));
    // By what it is: by hand, anything can be given a number that was told of.
    let mut other = poison("no");
    (other.sequence, other.raw) = (arrivals[1].sequence.clone(), json!({ "other": true }));
    delivered(&stage, &recent, &[other], fine);
    assert_eq!(stage.outside().letters.len(), 2);
}

#[test]
fn poison_that_people_were_not_told_of_comes_again() {
    let stories = lives(1);
    let stage = stage(&stories);
    let arrivals = in_stream([arrival_of(&stories[0], 1), poison("no"), arrival_of(&stories[0], 2)]);
    let recent = Recent::default();
    let report = delivered(&stage, &recent, &arrivals, |name, _| match name {
        "letter" => Fate::LostRequest,
        _ => Fate::Done,
    });
    assert_eq!(report.failed_from, Some(arrivals[1].sequence.clone()));
    assert_eq!((report.published, report.set_aside.len()), (2, 0));
    let report = delivered(&stage, &recent, &arrivals[1..], fine);
    assert_eq!((report.failed_from, report.published, report.set_aside.len()), (None, 0, 1));
}

/// An event of a grant whose error is that long.
fn long_event(story: &Story, length: usize) -> Event {
    let last = story.events.last().unwrap();
    let fact = json!({
        "type": "RevocationFailed", "error": "x".repeat(length), "failures": 1, "retry_at": "2026-11-21T11:00:00Z"
    });
    let event = json!({
        "grant_id": last.grant_id, "seq": last.seq + 1, "at": last.at, "actor": { "kind": "sweep" }, "fact": fact,
        "prev": last.digest()
    });
    serde_json::from_value(event).unwrap()
}

#[test]
fn what_is_too_large_for_the_bus_is_told_by_where_it_is() {
    let mut stories = lives(1);
    let event = long_event(&stories[0], NOTICES_BYTES_MAX);
    stories[0].events.push(event);
    let stage = stage(&stories);
    let arrivals = in_stream([arrival_of(&stories[0], 6), denied("CHG-9")]);
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!((report.failed_from, report.archived, report.published), (None, 2, 2));
    assert_eq!(told(&stage)[0], ids(&stories[0], &[6])[0], "listeners still tell it by its id");
    let outside = stage.outside();
    let notice = &outside.bus[0];
    assert_eq!(notice.name, "RevocationFailed");
    let told: Value = serde_json::from_str(&notice.detail).unwrap();
    let body = &outside.objects[told["unmapped"]["curfew"]["archived_in"].as_str().unwrap()];
    let whole = detail(&arrivals[0], &stories).unwrap();
    assert!(String::from_utf8_lossy(body).contains(&whole), "all of it is where the reference says");
    assert_eq!(told["unmapped"]["curfew"]["bytes"], whole.len());
    assert_eq!((&told["severity_id"], &told["user"]["email_addr"]), (&json!(3), &json!("ana@example.com")));
    assert!(notice.bytes() < 5_000);
}

#[test]
fn calls_are_bounded_by_bytes_too() {
    let mut stories = lives(3);
    for story in &mut stories {
        let event = long_event(story, NOTICES_BYTES_MAX / 5);
        story.events.push(event);
    }
    let stage = stage(&stories);
    let arrivals = in_stream(stories.iter().map(|story| arrival_of(story, 6)));
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!(report.published, 3);
    assert_eq!(stage.outside().bus_calls, [1, 1, 1], "a record holds the words three times");
}

#[test]
fn an_object_whose_answer_was_lost_is_known_again_and_a_foreign_one_is_not_taken_for_it() {
    let stories = lives(1);
    let stage = stage(&stories);
    let arrivals = in_stream([arrival_of(&stories[0], 1)]);
    // The time stands still, so the name is the same.
    let lost = |name: &str, _: usize| if name == "put" { Fate::LostAnswer } else { Fate::Done };
    let report = delivered(&stage, &Recent::default(), &arrivals, lost);
    assert!(report.failed_from.is_some());
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!((report.failed_from, report.archived), (None, 1));
    assert_eq!(stage.outside().objects.len(), 1);

    stage.outside().objects.values_mut().for_each(|body| *body = b"something else".to_vec());
    let report = delivered(&stage, &Recent::default(), &arrivals, fine);
    assert_eq!(report.failed_from, Some(arrivals[0].sequence.clone()));
    assert!(report.failures[0].contains("something else is under"), "{:?}", report.failures);
}
