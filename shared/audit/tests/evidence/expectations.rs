//! What is known from elsewhere, and what nobody can know without.

use curfew_audit::archive::checkpoint_key;
use curfew_audit::verify::{Beginning, Code, Expectations, KeyUsed, Report, Unverifiable, verify};
use jiff::SignedDuration;

use crate::builder::{Archive, Signer, moment};
use crate::sample::sample;

fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn the_newest_checkpoint_may_be_as_old_as_checkpoints_come_and_a_quarter_of_an_hour() {
    let archive = sample().archive;
    for (as_of, every, is_whole) in [
        ("03:15:00", SignedDuration::from_hours(1), true),
        ("03:15:00.001", SignedDuration::from_hours(1), false),
        ("02:45:00", SignedDuration::from_mins(30), true),
        ("02:46:00", SignedDuration::from_mins(30), false),
    ] {
        let expected =
            Expectations { as_of: Some(moment(as_of)), checkpoint_every: every, ..archive.with_key() };
        let report = verify(&archive, &expected).unwrap();
        assert_eq!(report.is_whole(), is_whole, "{as_of}, {every}: {:?}", report.findings);
    }
}

#[test]
fn an_anchor_must_be_there_with_its_digest() {
    let archive = sample().archive;
    let digest = archive.last.as_ref().unwrap().statement.digest_hex();
    let with = |anchor| Expectations { anchor: Some(anchor), ..archive.with_key() };
    assert!(verify(&archive, &with((4, digest.clone()))).unwrap().is_whole());
    for anchor in [(3, digest.clone()), (5, digest.clone()), (4, "0".repeat(64))] {
        assert_eq!(codes(&verify(&archive, &with(anchor)).unwrap()), [Code::AnchorMissing]);
    }
    for bad in ["", "0", &digest.to_uppercase(), &format!("{digest}0")] {
        let error = verify(&archive, &with((4, bad.to_owned()))).unwrap_err();
        assert!(matches!(error, Unverifiable::Anchor(_)), "{bad}");
    }
}

#[test]
fn a_key_that_is_none_is_refused_and_the_archive_is_not_believed_instead() {
    let archive = sample().archive;
    for bad in ["", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        let expected = Expectations { public_key_pem: Some(bad.to_owned()), ..Expectations::default() };
        assert!(matches!(verify(&archive, &expected), Err(Unverifiable::Key(_))), "{bad}");
    }
}

/// Takes away all that was written until a time, as its retention does.
fn expire(archive: &mut Archive, until: &str, checkpoints: u64) {
    let until = moment(until);
    archive.objects.retain(|key, _| curfew_audit::archive::archived_at(key).is_none_or(|time| time > until));
    (1..=checkpoints).for_each(|number| drop(archive.objects.remove(&checkpoint_key(number))));
}

#[test]
fn a_beginning_may_be_gone_if_its_retention_is_over_and_that_is_told() {
    let mut archive = sample().archive;
    expire(&mut archive, "23:00:00", 1);
    let unasked = verify(&archive, &archive.with_key()).unwrap();
    assert_eq!(codes(&unasked), [Code::BeginsLater]);
    let expired = |until| Expectations { expired_until: Some(moment(until)), ..archive.with_key() };
    let report = verify(&archive, &expired("23:00:00")).unwrap();
    assert!(report.is_whole(), "{:?}", report.findings);
    // a and b have events before.
    let beginning = Beginning { checkpoint: Some(2), from: moment("23:00:00"), grants: 2 };
    assert_eq!(report.begins_later, Some(beginning));
    assert_eq!(codes(&verify(&archive, &expired("22:59:59")).unwrap()), [Code::BeginsLater]);
}

#[test]
fn objects_may_be_gone_before_the_checkpoint_that_seals_them_is() {
    let mut archive = sample().archive;
    expire(&mut archive, "22:40:00", 0);
    let expired = |until| Expectations { expired_until: Some(moment(until)), ..archive.with_key() };
    let report = verify(&archive, &expired("22:40:00")).unwrap();
    assert!(report.is_whole(), "{:?}", report.findings);
    let beginning = Beginning { checkpoint: Some(1), from: moment("22:31:02.123"), grants: 1 };
    assert_eq!(report.begins_later, Some(beginning));
    assert_eq!(verify(&archive, &expired("22:30:00")).unwrap().findings[0].code, Code::ObjectRemoved);
}

#[test]
fn what_has_not_expired_must_be_there_all_the_same() {
    let sample = sample();
    let mut archive = sample.archive;
    expire(&mut archive, "23:00:00", 1);
    archive.objects.remove(&sample.keys[3]);
    let expected = Expectations { expired_until: Some(moment("23:00:00")), ..archive.with_key() };
    let report = verify(&archive, &expected).unwrap();
    let first = &report.findings[0];
    assert_eq!((first.code, first.object.as_ref()), (Code::ObjectRemoved, Some(&sample.keys[3])));
}

/// The limits of what an archive can prove of itself: docs/audit.md tells of them.
#[test]
fn without_being_told_nobody_sees_a_new_end_or_a_new_key() {
    let sample = sample();
    // The end is cut off: with the checkpoint that sealed it, and all that was written since.
    let mut cut = sample.archive.clone();
    cut.objects.remove(&checkpoint_key(4));
    sample.keys[7..].iter().for_each(|key| drop(cut.objects.remove(key)));
    let report = verify(&cut, &cut.with_key()).unwrap();
    assert!(report.is_whole());
    assert_eq!(report.newest.unwrap().number, 3);
    // What no checkpoint has sealed yet: the end of a chain.
    let mut tail = sample.archive.clone();
    tail.objects.remove(&sample.keys[9]);
    let expected = Expectations { as_of: Some(moment("02:40:00")), ..tail.with_key() };
    let report = verify(&tail, &expected).unwrap();
    assert!(report.is_whole());
    assert_eq!(report.unsealed_records, 5);
    // Another archive altogether, by another key.
    let mut other = Archive::new(9);
    other.seal("02:00:00");
    let report = verify(&other, &Expectations::default()).unwrap();
    assert!(report.is_whole());
    assert_eq!(report.key, KeyUsed::Archive { id: Signer::new(9).public().id().to_owned() });
    assert!(!verify(&other, &sample.archive.with_key()).unwrap().is_whole());
}
