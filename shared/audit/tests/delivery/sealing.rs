//! Sealing: what belongs to which checkpoint, what is told of it, and what stops it.

use curfew_audit::archive::{checkpoint_key, events_key};
use curfew_audit::checkpoint::{NO_PREVIOUS, Signed};
use curfew_audit::deliver::{Recent, deliver};
use curfew_audit::seal::{NotSealed, SealSettings, Sealed, seal};
use curfew_testkit::fixtures::START;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::stage::{Fate, Stage, fine, run};
use crate::stories::{denied, in_stream, settings};

const MARGIN: SignedDuration = SignedDuration::from_mins(5);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

pub(crate) fn seal_settings() -> SealSettings {
    SealSettings { stack: "curfew".to_owned(), margin: MARGIN, objects_max: 100, stop_at: Timestamp::MAX }
}

fn seal_by(
    stage: &Stage,
    settings: &SealSettings,
    fate: impl FnMut(&str, usize) -> Fate,
) -> Result<Sealed, NotSealed> {
    let ports = stage.invocation();
    run(stage, ports.invocation, seal(&ports, settings), fate)
}

fn sealed(stage: &Stage) -> Sealed {
    seal_by(stage, &seal_settings(), fine).unwrap()
}

/// Archives a denial at the time that it is.
fn archive(stage: &Stage, ticket: &str) -> String {
    let ports = stage.invocation();
    let arrivals = in_stream([denied(ticket)]);
    stage.outside().write(&[], &arrivals);
    let work = async { deliver(&ports, &settings(), &Recent::default(), &arrivals).await };
    let delivered = run(stage, ports.invocation, work, fine);
    assert_eq!(delivered.archived, 1);
    stage.outside().objects.keys().rfind(|key| key.starts_with("events/")).unwrap().clone()
}

fn checkpoint(stage: &Stage, number: u64) -> Signed {
    Signed::from_bytes(&stage.outside().objects[&checkpoint_key(number)]).unwrap()
}

fn keys_of(signed: &Signed) -> Vec<&str> {
    signed.statement.objects.iter().map(|object| object.key.as_str()).collect()
}

#[test]
fn what_is_older_than_the_margin_is_sealed_once_and_the_rest_by_the_next() {
    let stage = Stage::new(START);
    let first = archive(&stage, "CHG-1");
    stage.advance(SECOND);
    let second = archive(&stage, "CHG-2");
    // To the millisecond: the end of the period is in it.
    stage.advance(MARGIN - SECOND);
    let report = sealed(&stage);
    assert_eq!(report.until, START);
    assert_eq!(report.age, MARGIN);
    let one = checkpoint(&stage, 1);
    assert_eq!(keys_of(&one), [first]);
    assert_eq!((one.statement.from, &*one.statement.previous), (Timestamp::UNIX_EPOCH, NO_PREVIOUS));
    assert_eq!((one.statement.denials, one.statement.stack.as_str()), (1, "curfew"));

    stage.advance(SECOND);
    assert_eq!(sealed(&stage).checkpoints[0].number, 2);
    let two = checkpoint(&stage, 2);
    assert_eq!(keys_of(&two), [second]);
    assert_eq!(two.statement.previous, one.statement.digest_hex());
    assert_eq!(two.statement.from, one.statement.until);
}

#[test]
fn a_period_without_records_is_sealed_too() {
    let stage = Stage::new(START);
    assert_eq!(sealed(&stage).checkpoints.len(), 1);
    stage.advance(SignedDuration::from_hours(1));
    assert_eq!(sealed(&stage).checkpoints.len(), 1);
    assert_eq!(keys_of(&checkpoint(&stage, 2)), Vec::<&str>::new());
}

#[test]
fn nothing_is_sealed_twice() {
    let stage = Stage::new(START);
    archive(&stage, "CHG-1");
    stage.advance(MARGIN);
    assert_eq!(sealed(&stage).checkpoints.len(), 1);
    let before = stage.outside().objects.clone();
    let again = sealed(&stage);
    assert_eq!((again.checkpoints, again.until, again.untold), (Vec::new(), START, None));
    assert_eq!(stage.outside().objects, before);
    // A margin that was raised makes nothing unsealed.
    let raised = SealSettings { margin: MARGIN * 2, ..seal_settings() };
    assert_eq!(seal_by(&stage, &raised, fine).unwrap().until, START);
}

#[test]
fn the_key_is_in_the_archive_and_the_signature_is_its_own() {
    let stage = Stage::new(START);
    sealed(&stage);
    let pem = stage.outside().public_key_pem();
    let signed = checkpoint(&stage, 1);
    let key = format!("keys/{}.pem", signed.signature.key_id);
    assert_eq!(stage.outside().objects[&key], pem.as_bytes());
    let key = curfew_audit::checkpoint::PublicKey::from_pem(&pem).unwrap();
    assert_eq!(signed.check(&key), Ok(()));
}

#[test]
fn a_checkpoint_is_told_with_what_is_worth_keeping_elsewhere() {
    let stage = Stage::new(START);
    archive(&stage, "CHG-1");
    stage.advance(MARGIN);
    let report = sealed(&stage);
    let outside = stage.outside();
    let notice = outside.bus.last().unwrap();
    assert_eq!((notice.name.as_str(), notice.principal.as_deref()), ("Checkpoint", None));
    let detail: Value = serde_json::from_str(&notice.detail).unwrap();
    assert_eq!(detail["metadata"]["uid"], "checkpoint#0000000001");
    assert_eq!(detail["message"], "checkpoint 1 seals 1 record(s), until 2026-11-21T10:00:00.000Z");
    let own = &detail["unmapped"]["curfew"];
    assert_eq!(own["digest"], report.checkpoints[0].digest);
    assert_eq!((own["number"].as_u64(), own["key"].as_str()), (Some(1), Some("checkpoints/0000000001.json")));
    drop(outside);
    // Whoever does not hear of it hears of the next, which holds its digest.
    stage.advance(SECOND);
    let report = seal_by(&stage, &seal_settings(), |name, _| match name {
        "publish" => Fate::LostRequest,
        _ => Fate::Done,
    });
    let report = report.unwrap();
    assert_eq!((report.checkpoints.len(), report.untold.is_some()), (1, true));
}

#[test]
fn a_lot_is_sealed_by_several_checkpoints_and_one_millisecond_by_one() {
    let stage = Stage::new(START);
    for n in 0..7 {
        archive(&stage, &format!("CHG-{n}"));
        // The third, fourth and fifth are of one millisecond.
        if !(2..4).contains(&n) {
            stage.advance(SECOND);
        }
    }
    stage.advance(MARGIN);
    let few = SealSettings { objects_max: 3, ..seal_settings() };
    let report = seal_by(&stage, &few, fine).unwrap();
    let objects: Vec<usize> = report.checkpoints.iter().map(|checkpoint| checkpoint.objects).collect();
    assert_eq!(objects, [5, 2]);
    // The last one seals until the end that was asked for, not only until its last object.
    assert_eq!((report.until, report.age), (checkpoint(&stage, 2).statement.until, MARGIN));
    assert_eq!(checkpoint(&stage, 2).statement.previous, checkpoint(&stage, 1).statement.digest_hex());
}

#[test]
fn without_time_left_one_checkpoint_is_made_and_the_next_call_goes_on() {
    let stage = Stage::new(START);
    for n in 0..4 {
        archive(&stage, &format!("CHG-{n}"));
        stage.advance(SECOND);
    }
    stage.advance(MARGIN);
    let few = SealSettings { objects_max: 2, stop_at: START, ..seal_settings() };
    assert_eq!(seal_by(&stage, &few, fine).unwrap().checkpoints.len(), 1);
    assert_eq!(seal_by(&stage, &few, fine).unwrap().checkpoints[0].number, 2);
    assert_eq!(sealed(&stage).checkpoints, []);
}

/// Objects can be hidden behind delete markers. A shorter past is not sealed as if it were the whole.
#[test]
fn on_top_of_a_past_that_was_rolled_back_nothing_is_sealed() {
    let hour = SignedDuration::from_hours(1);
    let thrice = || {
        let stage = Stage::new(START);
        for _ in 0..3 {
            assert_eq!(sealed(&stage).checkpoints.len(), 1);
            stage.advance(hour);
        }
        stage
    };
    let another = {
        let stage = Stage::new(START);
        archive(&stage, "CHG-9");
        stage.advance(MARGIN);
        sealed(&stage);
        stage.outside().objects[&checkpoint_key(1)].clone()
    };
    for (hidden, replaced) in
        [(vec![3], None), (vec![2, 3], None), (vec![1, 2, 3], None), (vec![2, 3], Some(another))]
    {
        let stage = thrice();
        for number in &hidden {
            stage.outside().objects.remove(&checkpoint_key(*number));
        }
        if let Some(another) = replaced {
            stage.outside().objects.insert(checkpoint_key(1), another);
        }
        let before = stage.outside().objects.clone();
        let refused = seal_by(&stage, &seal_settings(), fine).unwrap_err();
        assert!(matches!(&refused, NotSealed::RolledBack { number: 3, .. }), "{hidden:?}: {refused}");
        assert!(!refused.is_retryable());
        assert_eq!(stage.outside().objects, before, "{hidden:?}");
    }
    // One that was replaced by another of its number.
    let stage = thrice();
    let mut other = stage.outside().sealed.clone().unwrap();
    other.digest = "0".repeat(64);
    stage.outside().sealed = Some(other);
    assert!(matches!(seal_by(&stage, &seal_settings(), fine), Err(NotSealed::RolledBack { .. })));
}

#[test]
fn a_checkpoint_that_was_written_and_not_remembered_is_made_up_for() {
    let stage = Stage::new(START);
    sealed(&stage);
    let first = stage.outside().sealed.clone().unwrap();
    assert_eq!((first.number, &first.digest), (1, &checkpoint(&stage, 1).statement.digest_hex()));
    for failing in ["remember_sealed", "last_sealed"] {
        stage.advance(SignedDuration::from_hours(1));
        let before = stage.outside().sealed.clone();
        let failed =
            seal_by(
                &stage,
                &seal_settings(),
                |name, _| {
                    if name == failing { Fate::LostRequest } else { Fate::Done }
                },
            );
        assert!(failed.as_ref().is_err_and(NotSealed::is_retryable), "{failed:?}");
        assert_eq!(stage.outside().sealed, before);
    }
    // The second is there and the ledger does not know it; the third is sealed on top of both.
    assert!(stage.outside().objects.contains_key(&checkpoint_key(2)));
    assert_eq!(sealed(&stage).checkpoints[0].number, 3);
    assert_eq!(stage.outside().sealed.as_ref().map(|sealed| sealed.number), Some(3));
    // An archive from before anything was remembered.
    stage.outside().sealed = None;
    assert_eq!(sealed(&stage).checkpoints, []);
    assert_eq!(stage.outside().sealed.as_ref().map(|sealed| sealed.number), Some(3));
}

/// Years of checkpoints are not read through for the last one.
#[test]
fn the_newest_of_many_checkpoints_is_found_in_few_looks() {
    let stage = Stage::new(START);
    sealed(&stage);
    let newest = stage.outside().objects[&checkpoint_key(1)].clone();
    for count in [1, 2, 3, 4, 999, 1_000, 1_001, 61_320] {
        let mut outside = stage.outside();
        outside.objects.retain(|key, _| !key.starts_with("checkpoints/"));
        for number in 1..=count {
            outside.objects.insert(checkpoint_key(number), b"not read".to_vec());
        }
        outside.objects.insert(checkpoint_key(count), newest.clone());
        outside.sealed = None;
        drop(outside);
        let mut looks = 0;
        let report = seal_by(&stage, &seal_settings(), |name, _| {
            looks += usize::from(name == "list");
            Fate::Done
        });
        assert_eq!(
            report.map(|report| report.checkpoints),
            Ok(Vec::new()),
            "of {count} the last one is read"
        );
        assert!(looks <= 40, "{looks} looks for the last of {count}");
    }
}

#[test]
fn of_two_that_seal_one_does_and_a_lost_answer_does_not_hide_that() {
    let stage = Stage::new(START);
    archive(&stage, "CHG-1");
    stage.advance(MARGIN);
    // The first put is the key's.
    let lost = seal_by(&stage, &seal_settings(), |name, nth| match (name, nth) {
        ("put", 1) => Fate::LostAnswer,
        _ => Fate::Done,
    });
    assert!(lost.as_ref().is_err_and(NotSealed::is_retryable), "{lost:?}");
    let written = stage.outside().objects[&checkpoint_key(1)].clone();
    // Whoever began before it was there comes to the same statement, and takes it for its own.
    stage.outside().objects.remove(&checkpoint_key(1));
    let mut put = 0;
    let again = seal_by(&stage, &seal_settings(), |name, _| {
        put += usize::from(name == "put");
        if name == "put" && put == 2 {
            stage.outside().objects.insert(checkpoint_key(1), written.clone());
        }
        Fate::Done
    });
    assert_eq!(again.unwrap().checkpoints.len(), 1);
    // But not what somebody else has sealed differently.
    stage.outside().objects.remove(&checkpoint_key(1));
    stage.outside().sealed = None;
    let mut put = 0;
    let again = seal_by(&stage, &seal_settings(), |name, _| {
        put += usize::from(name == "put");
        if name == "put" && put == 2 {
            stage.outside().objects.insert(checkpoint_key(1), b"sealed a second ago".to_vec());
        }
        Fate::Done
    });
    assert_eq!(again.unwrap().checkpoints, []);
    assert_eq!(stage.outside().objects[&checkpoint_key(1)], b"sealed a second ago");
}

#[test]
fn what_was_never_a_record_is_sealed_as_it_is() {
    let stage = Stage::new(START);
    let body = b"{\"not\":\"a record\"}\ncut of";
    stage.outside().objects.insert(events_key(START, body), body.to_vec());
    stage.advance(MARGIN);
    let report = sealed(&stage);
    assert_eq!((report.checkpoints[0].records, report.checkpoints[0].unreadable), (0, 2));
}

#[test]
fn a_foreign_key_among_the_records_is_told_and_stops_nothing() {
    let stage = Stage::new(START);
    let own = archive(&stage, "CHG-1");
    let foreign = format!("{own}.bak");
    stage.outside().objects.insert(foreign.clone(), b"?".to_vec());
    stage.advance(SECOND);
    archive(&stage, "CHG-2");
    stage.advance(MARGIN);
    let report = sealed(&stage);
    assert_eq!(report.foreign, Some(foreign));
    assert_eq!(report.checkpoints[0].objects, 2);
}

#[test]
fn what_stops_it_is_said_and_leaves_no_checkpoint() {
    let fails = |failing: &'static str, nth_failing: usize| {
        let stage = Stage::new(START);
        archive(&stage, "CHG-1");
        stage.advance(MARGIN);
        let failed = seal_by(&stage, &seal_settings(), |name, nth| {
            if name == failing && nth == nth_failing { Fate::LostRequest } else { Fate::Done }
        });
        assert!(!stage.outside().objects.contains_key(&checkpoint_key(1)), "{failing}");
        failed.unwrap_err()
    };
    for (call, nth) in
        [("list", 0), ("list", 1), ("get", 0), ("sign", 0), ("public_key", 0), ("put", 0), ("put", 1)]
    {
        assert!(fails(call, nth).is_retryable(), "{call} {nth}");
    }

    let stage = Stage::new(START);
    stage.outside().objects.insert(checkpoint_key(4), b"{}".to_vec());
    let unreadable = seal_by(&stage, &seal_settings(), fine).unwrap_err();
    assert!(matches!(&unreadable, NotSealed::Last { key, .. } if *key == checkpoint_key(4)), "{unreadable}");
    assert!(!unreadable.is_retryable());
}
