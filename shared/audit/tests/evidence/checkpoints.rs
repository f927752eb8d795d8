//! Checkpoints and names, by themselves.

use curfew_audit::archive::{
    EventsKey, archived_at, checkpoint_key, checkpoint_number, events_after, events_key, lines, name_hash,
};
use curfew_audit::checkpoint::{BadCheckpoint, Draft, PublicKey, Signed, Unsealable, leaves};
use curfew_audit::record::{Mapping, event_id, read_line};
use curfew_domain::event::{Actor, Fact};
use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};

use crate::builder::{STACK, Signer, Story, moment};
use crate::sample::{id, sample};

#[test]
fn a_name_says_when_and_what_and_sorts_by_when() {
    let time: Timestamp = "2026-11-21T10:28:19.123999Z".parse().unwrap();
    let key = events_key(time, b"hello\n");
    assert_eq!(key, "events/day=2026-11-21/2026-11-21T10:28:19.123Z-5891b5b522d5df08.jsonl");
    assert_eq!(archived_at(&key), "2026-11-21T10:28:19.123Z".parse().ok());
    assert_eq!(EventsKey::parse(&key).unwrap().hash, name_hash(b"hello\n"));
    let whole = events_key("2026-11-21T10:28:19Z".parse().unwrap(), b"");
    assert!(whole.contains("T10:28:19.000Z-"), "{whole}");
    let after = events_after(time);
    assert!(key < after, "{after}");
    assert!(after < events_key("2026-11-21T10:28:19.124Z".parse().unwrap(), b"hello\n"));
    assert!(events_after("2026-11-20T23:59:59.999Z".parse().unwrap()) < key);
    for bad in [
        "",
        "events/2026-11-21T10:28:19.123Z-5891b5b522d5df08.jsonl",
        "events/day=2026-11-22/2026-11-21T10:28:19.123Z-5891b5b522d5df08.jsonl",
        "events/day=2026-11-21/2026-11-21T10:28:19Z-5891b5b522d5df08.jsonl",
        "events/day=2026-11-21/2026-11-21T10:28:19.123999Z-5891b5b522d5df08.jsonl",
        "events/day=2026-11-21/2026-11-21T11:28:19.123+01:00-5891b5b522d5df08.jsonl",
        "events/day=2026-11-21/2026-11-21T10:28:19.123Z-5891B5B522D5DF08.jsonl",
        "events/day=2026-11-21/2026-11-21T10:28:19.123Z-5891b5b522d5df0.jsonl",
        "events/day=2026-11-21/2026-11-21T10:28:19.123Z-5891b5b522d5df08.json",
        "events/day=2026-11-21/2026-11-21T10:28:19.123Z-5891b5b522d5df08.jsonl.bak",
        "events/day=2026-11-21/x/2026-11-21T10:28:19.123Z-5891b5b522d5df08.jsonl",
        "Events/day=2026-11-21/2026-11-21T10:28:19.123Z-5891b5b522d5df08.jsonl",
    ] {
        assert_eq!(archived_at(bad), None, "{bad}");
    }
}

#[test]
fn checkpoints_are_named_by_their_numbers() {
    assert_eq!(checkpoint_key(17), "checkpoints/0000000017.json");
    assert_eq!(checkpoint_number("checkpoints/0000000017.json"), Some(17));
    for bad in [
        "checkpoints/17.json",
        "checkpoints/00000000017.json",
        "checkpoints/+000000017.json",
        "0000000017.json",
    ] {
        assert_eq!(checkpoint_number(bad), None, "{bad}");
    }
}

#[test]
fn lines_are_what_stands_between_line_feeds_whole_or_not() {
    let of = |body: &str| {
        lines(body.as_bytes()).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of(""), [""; 0]);
    assert_eq!(of("a\nb\n"), ["a", "b"]);
    assert_eq!(of("a\nb"), ["a", "b"]);
    assert_eq!(of("\n"), [""]);
    assert_eq!(of("a\n\n"), ["a", ""]);
}

#[test]
fn a_draft_takes_what_is_of_its_period_and_nothing_else() {
    let (from, until) = (moment("22:00:00"), moment("23:00:00"));
    let first = Draft::new(STACK, None, from, from).unwrap().finish();
    assert_eq!((first.number, first.from, first.until), (1, Timestamp::UNIX_EPOCH, from));
    let first = Signer::new(7).sign(first);
    let later = until.checked_add(SignedDuration::from_mins(5)).unwrap();
    let mut draft = Draft::new(STACK, Some(&first), until, later).unwrap();
    assert_eq!(draft.period(), (from, until));
    for (time, is_in) in
        [("22:00:00", false), ("22:00:00.001", true), ("23:00:00", true), ("23:00:00.001", false)]
    {
        let sealed = draft.object(&events_key(moment(time), b"x\n"), b"x\n");
        assert_eq!(sealed.is_ok(), is_in, "{time}: {sealed:?}");
    }
    assert!(matches!(draft.object("events/x", b""), Err(Unsealable::Foreign(_))));
    let second = draft.finish();
    assert_eq!((second.number, second.objects.len()), (2, 2));
    assert_eq!(second.previous, first.statement.digest_hex());
    // What is no record is sealed as it is.
    assert_eq!((second.records(), second.unreadable()), (0, 2));
    let none = |until, sealed_at| Draft::new(STACK, Some(&first), until, sealed_at).err();
    assert!(matches!(none(from, later), Some(Unsealable::NoPeriod { .. })));
    assert!(matches!(none(until, from), Some(Unsealable::NotOver { .. })));
}

#[test]
fn times_finer_than_a_millisecond_end_no_period_in_the_middle_of_one() {
    let until: Timestamp = "2026-11-21T23:00:00.000999999Z".parse().unwrap();
    let statement = Draft::new(STACK, None, until, until).unwrap().finish();
    assert_eq!(statement.until, moment("23:00:00"));
    assert!(
        statement.canonical().contains(r#""until":"2026-11-21T23:00:00.000Z""#),
        "{}",
        statement.canonical()
    );
}

#[test]
fn a_checkpoint_reads_back_only_as_it_was_written() {
    let archive = sample().archive;
    let signed = archive.last.unwrap();
    let bytes = signed.to_bytes();
    assert_eq!(Signed::from_bytes(&bytes), Ok(signed.clone()));
    let text = String::from_utf8(bytes).unwrap();
    let read = |text: String| Signed::from_bytes(text.as_bytes());
    assert_eq!(read(format!("{text} ")), Err(BadCheckpoint::NotCanonical));
    assert_eq!(read(text.replace(".000Z", "Z")), Err(BadCheckpoint::NotCanonical));
    assert!(
        matches!(read(text.replace("/1\"", "/2\"")), Err(BadCheckpoint::Version(version)) if version.ends_with("/2"))
    );
    for (at, more) in [
        ("{", r#"{"x":1,"#),
        ("{", r#"{"signature":{},"#),
        (r#""version":"#, r#""x":1,"version":"#),
        (r#""algorithm":"#, r#""x":1,"algorithm":"#),
    ] {
        assert!(matches!(read(text.replacen(at, more, 1)), Err(BadCheckpoint::Form(_))), "{more}");
    }
    for more in [r#""id":"#, r#""digest":"#, r#""lines":"#] {
        let first = Signed::from_bytes(&sample().archive.objects[&checkpoint_key(1)]).unwrap();
        let text = String::from_utf8(first.to_bytes()).unwrap();
        assert!(
            matches!(read(text.replacen(more, &format!(r#""x":1,{more}"#), 1)), Err(BadCheckpoint::Form(_))),
            "{more}"
        );
    }
    for bad in ["", "null", "[]", "{}", &text[1..]] {
        assert!(matches!(read(bad.to_owned()), Err(BadCheckpoint::Form(_))), "{bad}");
    }
}

#[test]
fn a_signature_that_is_not_the_keys_own_is_not_taken() {
    let statement = sample().archive.last.unwrap().statement;
    let (ours, theirs) = (Signer::new(7), Signer::new(9));
    let signed = theirs.sign(statement.clone());
    assert!(signed.check(&theirs.public()).is_ok());
    assert!(signed.check(&ours.public()).is_err());
    // The right signature, under the name of another key, and of another algorithm.
    let mut claimed = ours.sign(statement.clone());
    claimed.signature.key_id = theirs.public().id().to_owned();
    assert!(claimed.check(&ours.public()).is_err());
    claimed.signature.key_id = ours.public().id().to_owned();
    assert!(claimed.check(&ours.public()).is_ok());
    claimed.signature.algorithm = "ECDSA_SHA_512".to_owned();
    assert!(claimed.check(&ours.public()).is_err());
    for signature in [&b""[..], b"x", &[0x30, 6, 2, 1, 1, 2, 1, 1]] {
        assert!(Signed::new(statement.clone(), &ours.public(), signature).is_err());
    }
}

#[test]
fn a_signature_can_be_written_in_one_way_only() {
    let statement = sample().archive.last.unwrap().statement;
    let signer = Signer::new(7);
    let value = signer.sign(statement.clone()).signature.value;
    let der = BASE64.decode(value.as_bytes()).unwrap();
    let taken = |der: &[u8]| Signed::new(statement.clone(), &signer.public(), der).is_ok();
    assert!(taken(&der));
    let trailing = [&der[..], &[0]].concat();
    let long_length = [&[der[0], 0x81], &der[1..]].concat();
    let mut padded = [&der[..2], &[2, der[3] + 1, 0], &der[4..]].concat();
    padded[1] += 1;
    for bad in [trailing, long_length, padded] {
        assert!(!taken(&bad), "{bad:02x?}");
    }
}

#[test]
fn heads_are_the_last_events_of_a_period_whatever_the_order() {
    let sample = sample();
    let bodies: Vec<(&String, &Vec<u8>)> =
        sample.keys[..4].iter().map(|key| (key, &sample.archive.objects[key])).collect();
    let heads = |order: &[usize]| {
        let mut draft = Draft::new(STACK, None, moment("23:59:59"), moment("23:59:59")).unwrap();
        order.iter().for_each(|n| draft.object(bodies[*n].0, bodies[*n].1).unwrap());
        draft.finish()
    };
    let statement = heads(&[0, 1, 2, 3]);
    let ends: Vec<_> = statement.heads.iter().map(|head| (head.grant_id.clone(), head.seq)).collect();
    assert_eq!(ends, [(id('a'), 4), (id('b'), 3), (id('c'), 4)]);
    assert_eq!(statement.denials, 1);
    for head in &statement.heads {
        let is_it = |line: &[u8]| {
            let record = read_line(line).unwrap();
            record.id.to_string() == event_id(&head.grant_id, head.seq)
                && head.digest == data_encoding::HEXLOWER.encode(&record.digest)
        };
        assert!(bodies.iter().any(|(_, body)| lines(body).any(is_it)), "{head:?}");
    }
    let leaves = leaves(&statement.heads, ["denied#0"]);
    assert_eq!(leaves.len(), 4);
    assert_eq!(leaves[1], format!("{} {}", event_id(&id('a'), 4), statement.heads[0].digest));
    assert_eq!(heads(&[3, 2, 1, 0]), statement);
}

#[test]
fn of_two_events_of_one_number_the_smaller_digest_is_the_head() {
    use crate::sample::{origin, subject};
    let note = |note: &str| {
        let fact = Fact::Reviewed { note: note.to_owned() };
        Story::new(id('a'), subject(), origin()).next("22:00:00", Actor::Sweep, fact)
    };
    let digest = |line: &str| data_encoding::HEXLOWER.encode(&read_line(line.as_bytes()).unwrap().digest);
    let (one, other) = (note("one"), note("other"));
    let smaller = digest(&one).min(digest(&other));
    for body in [format!("{one}\n{other}\n"), format!("{other}\n{one}\n")] {
        let mut draft = Draft::new(STACK, None, moment("23:00:00"), moment("23:00:00")).unwrap();
        draft.object(&events_key(moment("22:30:00"), body.as_bytes()), body.as_bytes()).unwrap();
        assert_eq!(draft.finish().heads[0].digest, smaller);
    }
}

#[test]
fn a_key_is_the_same_from_pem_and_der_and_named_by_what_it_is() {
    let key = Signer::new(7).public();
    assert_eq!(PublicKey::from_pem(key.pem()), Ok(key.clone()));
    assert_eq!(PublicKey::from_pem(&format!("\n{}\n", key.pem().replace('\n', "\r\n"))), Ok(key.clone()));
    assert_eq!(key.id().len(), 64);
    assert_ne!(key.id(), Signer::new(9).public().id());
    assert!(
        key.pem().starts_with("-----BEGIN PUBLIC KEY-----\n")
            && key.pem().ends_with("-----END PUBLIC KEY-----\n")
    );
}

#[test]
fn versions_of_ocsf_are_named_by_their_first_two_numbers() {
    for (text, mapping) in [("1.8", Mapping::V1_8), ("1.9", Mapping::V1_9)] {
        assert_eq!(text.parse(), Ok(mapping));
        assert_eq!(mapping.to_string(), text);
    }
    let error = "1.7".parse::<Mapping>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "OCSF version `1.7` is not one that records can be written in; say `1.8` or `1.9`"
    );
    assert_eq!(Mapping::default(), Mapping::V1_8);
}
