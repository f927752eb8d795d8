//! Whatever is done to whatever byte, it is found; and whatever is read, nobody panics.

use curfew_audit::archive::{checkpoint_key, events_key};
use curfew_audit::checkpoint::{PublicKey, Signed};
use curfew_audit::record::read_line;
use curfew_audit::verify::{Expectations, verify};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::builder::{Archive, moment};
use crate::sample::sample;

fn with_and_without_key(archive: &Archive) -> [Expectations; 2] {
    [archive.with_key(), Expectations::default()]
}

/// Bytes of every object, by key and place: all of what is small, and a spread of what is large.
#[test]
fn no_byte_of_the_archive_can_be_another() {
    let archive = sample().archive;
    let mut changed = archive.clone();
    for (key, body) in &archive.objects {
        let step = (body.len() / 40).max(1);
        for at in (0..body.len()).step_by(step).chain([body.len() - 1]) {
            changed.objects.get_mut(key).unwrap()[at] ^= 1;
            for expected in with_and_without_key(&archive) {
                // Whoever was given the key does not look at the one in the archive.
                if expected.public_key_pem.is_some() && key.starts_with("keys/") {
                    continue;
                }
                let report = verify(&changed, &expected).unwrap();
                assert!(!report.is_whole(), "byte {at} of {key}");
            }
            changed.objects.get_mut(key).unwrap()[at] ^= 1;
        }
    }
    assert!(verify(&changed, &Expectations::default()).unwrap().is_whole());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_bit_of_the_archive_can_be_another(object in any::<Index>(), byte in any::<Index>(), bit in 0..8_u32) {
        let mut archive = sample().archive;
        let keys: Vec<String> = archive.objects.keys().cloned().collect();
        let body = archive.objects.get_mut(&keys[object.index(keys.len())]).unwrap();
        let at = byte.index(body.len());
        body[at] ^= 1 << bit;
        prop_assert!(!verify(&archive, &Expectations::default()).unwrap().is_whole());
    }

    #[test]
    fn no_bytes_of_the_archive_can_be_added_or_taken_away(
        object in any::<Index>(),
        from in any::<Index>(),
        length in 0..200_usize,
        instead in proptest::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut archive = sample().archive;
        let keys: Vec<String> = archive.objects.keys().cloned().collect();
        let body = archive.objects.get_mut(&keys[object.index(keys.len())]).unwrap();
        let before = body.clone();
        let from = from.index(body.len());
        let until = (from + length).min(body.len());
        body.splice(from..until, instead);
        prop_assume!(*body != before);
        prop_assert!(!verify(&archive, &Expectations::default()).unwrap().is_whole());
    }

    #[test]
    fn no_object_can_be_dropped_renamed_or_put_in_anothers_place(
        object in any::<Index>(),
        other in any::<Index>(),
        what in 0..3_u8,
    ) {
        let original = sample().archive;
        let mut archive = original.clone();
        let keys: Vec<String> = archive.objects.keys().cloned().collect();
        let (one, another) = (&keys[object.index(keys.len())], &keys[other.index(keys.len())]);
        match what {
            0 => drop(archive.objects.remove(one)),
            1 => {
                let body = archive.objects.remove(one).unwrap();
                archive.objects.insert(another.clone(), body);
            }
            _ => {
                let bodies = (archive.objects[one].clone(), archive.objects[another].clone());
                archive.objects.insert(one.clone(), bodies.1);
                archive.objects.insert(another.clone(), bodies.0);
            }
        }
        // Whoever was given the key does not look at the one in the archive.
        let seen = |archive: &Archive| {
            let mut objects = archive.objects.clone();
            objects.retain(|key, _| !key.starts_with("keys/"));
            objects
        };
        let (before, after) = (seen(&original), seen(&archive));
        // The end can be cut off unseen, as far as nothing that is known says that it was there.
        let mut cut_off = before.clone();
        cut_off.retain(|key, _| !key.contains("T02:30:02"));
        let digest = original.last.as_ref().unwrap().statement.digest_hex();
        let expected = Expectations { anchor: Some((4, digest)), ..original.with_key() };
        let is_whole = verify(&archive, &expected).unwrap().is_whole();
        prop_assert_eq!(is_whole, after == before || after == cut_off);
    }

    #[test]
    fn whatever_is_read_nobody_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        text in ".{0,200}",
        object in any::<Index>(),
    ) {
        let mut archive = sample().archive;
        let keys: Vec<String> = archive.objects.keys().cloned().collect();
        let key = keys[object.index(keys.len())].clone();
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = read_line(bytes);
            let _ = Signed::from_bytes(bytes);
            let _ = PublicKey::from_der(bytes);
            let _ = PublicKey::all_from_pem(&String::from_utf8_lossy(bytes));
            archive.objects.insert(key.clone(), bytes.to_vec());
            archive.objects.insert(events_key(moment("02:50:00"), bytes), bytes.to_vec());
            archive.objects.insert(checkpoint_key(5), bytes.to_vec());
            archive.objects.insert(format!("events/{text}"), bytes.to_vec());
            archive.objects.insert(format!("checkpoints/{text}"), bytes.to_vec());
            for expected in with_and_without_key(&archive) {
                prop_assert!(!verify(&archive, &expected).unwrap().is_whole());
            }
        }
    }

    /// Lines that are nearly records.
    #[test]
    fn a_line_is_a_record_or_none_and_nobody_panics(
        at in any::<Index>(),
        length in 0..20_usize,
        instead in "[\"{}\\[\\]:,0-9a-z#\\\\-]{0,20}",
    ) {
        let sample = sample();
        let body = String::from_utf8(sample.archive.objects[&sample.keys[0]].clone()).unwrap();
        let line = body.lines().next().unwrap();
        let mut bytes = line.as_bytes().to_vec();
        let from = at.index(bytes.len());
        let until = (from + length).min(bytes.len());
        bytes.splice(from..until, instead.bytes());
        let read = read_line(&bytes);
        if let Ok(record) = read {
            prop_assert_eq!(curfew_domain::event::canonical_json(&record.ocsf).into_bytes(), bytes);
        }
    }
}
