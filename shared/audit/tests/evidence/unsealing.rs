//! Every kind of tampering with what seals records: checkpoints, keys, the archive's two ends; with what is not sealed yet;
//! and what only those can do who have the key.

use curfew_audit::archive::{checkpoint_key, events_key, public_key_key};
use curfew_audit::checkpoint::Statement;
use curfew_audit::verify::{Code, Expectations};
use curfew_domain::event::Actor;
use jiff::SignedDuration;

use super::builder::{Archive, Signer, Story, moment};
use super::sample::{Sample, id, origin, sample, subject};
use super::tampering::{
    Case, after, checkpoint, edit, edit_and_rename, forged, lines_of, put_checkpoint, reviewed,
};

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = checkpoints();
    cases.extend(keys_and_signatures());
    cases.extend(ends());
    cases.extend(unsealed());
    cases.extend(sealed_so());
    cases
}

/// Replaces a checkpoint by what the key's owner signs anew; so as it happens to those that have the key.
fn signed_anew(archive: &mut Archive, number: u64, signer: &Signer, change: impl FnOnce(&mut Statement)) {
    let mut statement = checkpoint(archive, number).statement;
    change(&mut statement);
    put_checkpoint(archive, number, &signer.sign(statement));
}

fn checkpoints() -> Vec<Case> {
    let case = |name, code, tamper: fn(&mut Archive, &[String])| Case::new(name, code, after(tamper));
    let shifted = |number: u64| {
        after(|archive, _| {
            let mut signed = checkpoint(archive, number);
            signed.statement.until =
                signed.statement.until.checked_sub(SignedDuration::from_mins(20)).unwrap();
            put_checkpoint(archive, number, &signed);
        })
    };
    vec![
        case("a checkpoint in the middle is dropped", Code::CheckpointRemoved, |archive, _| {
            archive.objects.remove(&checkpoint_key(2));
        })
        .checkpoint(2),
        case("two checkpoints in the middle are dropped", Code::CheckpointRemoved, |archive, _| {
            archive.objects.remove(&checkpoint_key(2));
            archive.objects.remove(&checkpoint_key(3));
        })
        .checkpoint(2),
        case("a checkpoint and what it seals are dropped", Code::CheckpointRemoved, |archive, k| {
            archive.objects.remove(&checkpoint_key(2));
            archive.objects.remove(&k[2]);
            archive.objects.remove(&k[3]);
        })
        .checkpoint(2),
        case("the first checkpoint is dropped", Code::BeginsLater, |archive, _| {
            archive.objects.remove(&checkpoint_key(1));
        })
        .checkpoint(1),
        case("a checkpoint is written with white space", Code::CheckpointChanged, |archive, _| {
            archive.objects.get_mut(&checkpoint_key(2)).unwrap().push(b'\n');
        })
        .checkpoint(2),
        case("a checkpoint says something more", Code::CheckpointChanged, |archive, _| {
            let text = String::from_utf8(archive.objects[&checkpoint_key(2)].clone()).unwrap();
            let text = text.replacen(r#""version":"#, r#""verdict":"good","version":"#, 1);
            archive.objects.insert(checkpoint_key(2), text.into_bytes());
        })
        .checkpoint(2),
        case("a checkpoint is cut off", Code::CheckpointChanged, |archive, _| {
            archive.objects.get_mut(&checkpoint_key(2)).unwrap().truncate(50);
        })
        .checkpoint(2),
        case("a checkpoint is of another version", Code::CheckpointChanged, |archive, _| {
            let text = String::from_utf8(archive.objects[&checkpoint_key(4)].clone()).unwrap();
            let text = text.replacen("curfew-checkpoint/1", "curfew-checkpoint/2", 1);
            archive.objects.insert(checkpoint_key(4), text.into_bytes());
        })
        .checkpoint(4),
        case("a checkpoint takes the place of another", Code::CheckpointInserted, |archive, _| {
            let first = archive.objects[&checkpoint_key(1)].clone();
            archive.objects.insert(checkpoint_key(2), first);
        })
        .checkpoint(2),
        case("something else is put among the checkpoints", Code::CheckpointInserted, |archive, _| {
            archive.objects.insert("checkpoints/latest".to_owned(), b"4".to_vec());
        })
        .at("checkpoints/latest"),
        case("something is put where a later checkpoint would be", Code::CheckpointChanged, |archive, _| {
            archive.objects.insert(checkpoint_key(9_999_999_999), b"{}".to_vec());
        })
        .checkpoint(9_999_999_999),
        Case::new("a period in the middle is shifted", Code::CheckpointChanged, shifted(2)).checkpoint(2),
        Case::new("the newest period is shifted", Code::SignatureForged, shifted(4)).checkpoint(4),
        case("a checkpoint forgets an object", Code::RecordRemoved, |archive, k| {
            let mut signed = checkpoint(archive, 2);
            signed.statement.objects.remove(0);
            put_checkpoint(archive, 2, &signed);
            archive.objects.remove(&k[2]);
        })
        .event('c', 1),
    ]
}

fn keys_and_signatures() -> Vec<Case> {
    let case = |name, code, tamper: fn(&mut Archive, &[String])| Case::new(name, code, after(tamper));
    let other = || Signer::new(9);
    let resigned = |numbers: std::ops::RangeInclusive<u64>| {
        after(move |archive, _| {
            for number in numbers {
                signed_anew(archive, number, &other(), |_| ());
            }
        })
    };
    // With the key in the archive, as if nobody had ever signed with another.
    let taken_over = || {
        let mut sample = resigned(1..=4);
        let (old, new) = (sample.archive.signer.public(), other().public());
        sample.archive.objects.remove(&public_key_key(old.id()));
        sample.archive.objects.insert(public_key_key(new.id()), new.pem().as_bytes().to_vec());
        sample
    };
    let key = public_key_key(sample().archive.signer.public().id());
    let keyless = |expected: &mut Expectations| expected.public_key_pem = None;
    vec![
        case("a signature is that of another checkpoint", Code::SignatureForged, |archive, _| {
            let mut signed = checkpoint(archive, 2);
            signed.signature.value = checkpoint(archive, 3).signature.value;
            put_checkpoint(archive, 2, &signed);
        })
        .checkpoint(2),
        case("a signature is no signature", Code::SignatureForged, |archive, _| {
            let mut signed = checkpoint(archive, 4);
            signed.signature.value = "AAAA".to_owned();
            put_checkpoint(archive, 4, &signed);
        })
        .checkpoint(4),
        case("a signature claims another algorithm", Code::SignatureForged, |archive, _| {
            let mut signed = checkpoint(archive, 4);
            signed.signature.algorithm = "NONE".to_owned();
            put_checkpoint(archive, 4, &signed);
        })
        .checkpoint(4),
        Case::new("a checkpoint is signed with another key", Code::WrongKey, resigned(3..=3)).checkpoint(3),
        Case::new("the newest checkpoint is signed with another key", Code::WrongKey, resigned(4..=4))
            .checkpoint(4),
        Case::new("all checkpoints are signed with another key", Code::WrongKey, taken_over()).checkpoint(1),
        Case::new("a checkpoint is signed with a key that is not there", Code::WrongKey, resigned(3..=3))
            .checkpoint(3)
            .expecting(keyless),
        case("a checkpoint is added with another key", Code::WrongKey, |archive, _| {
            let mut statement = checkpoint(archive, 4).statement;
            statement.number = 5;
            put_checkpoint(archive, 5, &Signer::new(9).sign(statement));
        })
        .checkpoint(5),
        case("the key in the archive is another one", Code::KeyChanged, |archive, _| {
            let name = public_key_key(archive.signer.public().id());
            archive.objects.insert(name, Signer::new(9).public().pem().as_bytes().to_vec());
        })
        .at(&key)
        .expecting(keyless),
        case("the key in the archive is no key", Code::KeyChanged, |archive, _| {
            archive.objects.insert(public_key_key(archive.signer.public().id()), b"hello".to_vec());
        })
        .at(&key)
        .expecting(keyless),
        case("the key in the archive is dropped", Code::KeyChanged, |archive, _| {
            archive.objects.remove(&public_key_key(archive.signer.public().id()));
        })
        .at(&key)
        .expecting(keyless),
    ]
}

fn ends() -> Vec<Case> {
    let case = |name, code, tamper: fn(&mut Archive, &[String])| Case::new(name, code, after(tamper));
    fn cut(archive: &mut Archive, keys: &[String]) {
        archive.objects.remove(&checkpoint_key(4));
        keys[7..].iter().for_each(|key| drop(archive.objects.remove(key)));
    }
    let anchor = checkpoint(&sample().archive, 4).statement.digest_hex();
    vec![
        case("the newest checkpoint is dropped", Code::ArchiveCutOff, |archive, _| {
            archive.objects.remove(&checkpoint_key(4));
        })
        .checkpoint(4),
        case("the newest checkpoint and objects are dropped", Code::ArchiveCutOff, cut).checkpoint(4),
        case("what is cut off is known by its digest", Code::AnchorMissing, cut)
            .checkpoint(4)
            .expecting(|expected| expected.as_of = None)
            .expecting(|expected| expected.anchor = Some((4, anchor.clone()))),
        case("the newest checkpoints are dropped, the objects are not", Code::ArchiveCutOff, |archive, _| {
            archive.objects.remove(&checkpoint_key(3));
            archive.objects.remove(&checkpoint_key(4));
        })
        .checkpoint(3)
        .expecting(|expected| expected.as_of = None),
        case("all checkpoints are dropped", Code::NeverSealed, |archive, _| {
            (1..=4).for_each(|number| drop(archive.objects.remove(&checkpoint_key(number))));
        }),
        case("all checkpoints and most objects are dropped", Code::NeverSealed, |archive, k| {
            (1..=4).for_each(|number| drop(archive.objects.remove(&checkpoint_key(number))));
            k[..7].iter().for_each(|key| drop(archive.objects.remove(key)));
        })
        .expecting(|expected| expected.as_of = None),
        case(
            "all checkpoints are dropped, and all but the youngest objects",
            Code::NeverSealed,
            |archive, k| {
                (1..=4).for_each(|number| drop(archive.objects.remove(&checkpoint_key(number))));
                k[..9].iter().for_each(|key| drop(archive.objects.remove(key)));
            },
        ),
        case("everything is dropped", Code::NeverSealed, |archive, _| archive.objects.clear()),
        case("an object is dated in the future", Code::ObjectInserted, |archive, k| {
            let body = archive.objects.remove(&k[9]).unwrap();
            archive.objects.insert(events_key(moment("03:30:00"), &body), body);
        })
        .at(&sample().keys[9].replace("T02:30:02", "T03:30:00"))
        .expecting(|expected| expected.copied_by = Some(moment("03:24:59"))),
    ]
}

fn unsealed() -> Vec<Case> {
    let k = sample().keys;
    let renamed = |name, code, at: usize, tamper: fn(&mut Vec<String>)| {
        let mut sample = sample();
        let key = edit_and_rename(&mut sample.archive, &k[at].clone(), tamper);
        Case::new(name, code, sample).at(&key)
    };
    let case = |name, code, tamper: fn(&mut Archive, &[String])| Case::new(name, code, after(tamper));
    let added = |name, lines: fn(&Archive, &[String]) -> Vec<String>| {
        let mut sample = sample();
        let lines = lines(&sample.archive, &sample.keys);
        let key = sample.archive.put("02:35:00", &lines);
        Case::new(name, Code::RecordInserted, sample).at(&key)
    };
    vec![
        case("not sealed yet: an object is dropped", Code::RecordRemoved, |archive, k| {
            archive.objects.remove(&k[8]);
        })
        .event('d', 3),
        case("not sealed yet: evidence is changed", Code::RecordChanged, |archive, k| {
            edit(archive, &k[7], |lines| lines[0] = lines[0].replace("six", "ten"));
        })
        .at(&k[7])
        .event('d', 2),
        case("not sealed yet: a word for people is changed", Code::ObjectChanged, |archive, k| {
            edit(archive, &k[7], |lines| lines[0] = lines[0].replace("role ops", "role dev"));
        })
        .at(&k[7]),
        renamed(
            "not sealed yet: evidence, its hash and its object's name are changed",
            Code::RecordChanged,
            7,
            |lines| {
                lines[0] = forged(&lines[0], |event| event.fact = reviewed("ten"));
            },
        )
        .event('d', 2),
        case("not sealed yet: evidence and its hash are changed", Code::RecordChanged, |archive, k| {
            edit(archive, &k[8], |lines| lines[1] = forged(&lines[1], |event| event.fact = reviewed("ten")));
        })
        .at(&k[8])
        .event('d', 3),
        renamed(
            "not sealed yet: a name is made anew for what is no record",
            Code::RecordUnreadable,
            7,
            |lines| {
                lines[0] = lines[0].replace("six", "ten");
            },
        )
        .event('d', 2),
        renamed("not sealed yet: a first event is given a predecessor", Code::RecordChanged, 8, |lines| {
            lines[0] = forged(&lines[0], |event| event.prev = "1".repeat(64));
        })
        .event('e', 1),
        renamed("not sealed yet: a record is dropped", Code::RecordRemoved, 7, |lines| drop(lines.remove(0)))
            .event('d', 2),
        added("not sealed yet: a sealed record's id is used again", |archive, k| {
            vec![forged(&lines_of(archive, &k[3])[0], |event| event.fact = reviewed("not expired"))]
        })
        .event('b', 3),
        added("not sealed yet: a record's id is used again", |archive, k| {
            vec![forged(&lines_of(archive, &k[7])[0], |event| event.fact = reviewed("ten"))]
        })
        .event('d', 2),
    ]
    .into_iter()
    .map(|case| match case.name {
        // Nothing is there any more that could be named, but the record itself.
        "not sealed yet: a record is dropped" => Case { object: None, ..case },
        _ => case,
    })
    .collect()
}

/// What only those can do who have the key, or whom it signs for: evidence against the ledger and against Curfew.
fn sealed_so() -> Vec<Case> {
    let built = |name, code, line: fn(&mut Story) -> Vec<String>| {
        let mut archive = Archive::new(7);
        let lines = line(&mut Story::new(id('a'), subject(), origin()));
        let key = archive.put("22:31:00", &lines);
        archive.seal("23:00:00");
        let mut case = Case::new(name, code, Sample { archive, keys: Vec::new() });
        case.expected.as_of = Some(moment("23:30:00"));
        case.at(&key)
    };
    fn note(story: &mut Story, note: &str) -> String {
        story.next("22:30:00", Actor::Sweep, reviewed(note))
    }
    let anew = |name, change: fn(&mut Statement)| {
        let mut sample = after(|archive, _| {
            let signer = archive.signer.clone();
            signed_anew(archive, 4, &signer, change);
        });
        sample.keys.clear();
        Case::new(name, Code::CheckpointsBroken, sample).checkpoint(4)
    };
    vec![
        built("sealed so: an event does not follow", Code::RecordChanged, |story| {
            let (one, two) = (note(story, "1"), note(story, "2"));
            vec![one, forged(&two, |event| event.prev = "1".repeat(64))]
        })
        .event('a', 2),
        Case {
            object: None,
            ..built("sealed so: an event is missing", Code::RecordRemoved, |story| {
                let (one, _, three) = (note(story, "1"), note(story, "2"), note(story, "3"));
                vec![one, three]
            })
            .event('a', 2)
        },
        built("sealed so: two events have one number", Code::RecordInserted, |story| {
            let (one, two) = (note(story, "1"), note(story, "2"));
            let other = forged(&two, |event| event.fact = reviewed("another"));
            vec![one, two, other]
        })
        .event('a', 2),
        built("sealed so: a line is no record", Code::RecordUnreadable, |story| {
            vec![note(story, "1"), "{}".to_owned()]
        }),
        anew("signed anew: without an object's head", |statement| statement.denials += 1),
        anew("signed anew: with another root", |statement| statement.merkle_root = "0".repeat(64)),
        anew("signed anew: after another checkpoint", |statement| statement.previous = "1".repeat(64)),
        anew("signed anew: as if it were the first", |statement| {
            statement.previous = "0".repeat(64);
            statement.from = jiff::Timestamp::UNIX_EPOCH;
        }),
        anew("signed anew: with a gap before it", |statement| {
            statement.from = statement.from.checked_add(SignedDuration::from_mins(1)).unwrap();
        }),
        anew("signed anew: for another stack", |statement| statement.stack = "curfew-test".to_owned()),
        anew("signed anew: sealed before its period was over", |statement| {
            statement.sealed_at = statement.from
        }),
    ]
}
