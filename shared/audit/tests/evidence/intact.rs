//! An archive that nobody touched is whole, however it came to be; and what is said of it is so.

use curfew_audit::checkpoint::PublicKey;
use curfew_audit::verify::{Code, KeyUsed, verify};
use curfew_domain::event::{Actor, Fact};

use crate::builder::{Archive, STACK, Story, moment};
use crate::sample::{id, origin, sample, subject};

#[test]
fn the_sample_is_whole_and_told_as_it_is() {
    let archive = sample().archive;
    let mut expected = archive.with_key();
    expected.as_of = Some(moment("02:40:00"));
    let newest = archive.last.as_ref().unwrap().statement.clone();
    expected.anchor = Some((4, newest.digest_hex()));
    let report = verify(&archive, &expected).unwrap();
    assert_eq!(report.findings, []);
    assert!(report.is_whole());
    assert_eq!(report.stack.as_deref(), Some(STACK));
    assert_eq!((report.checkpoints, report.objects), (4, 10));
    // a: 5, b: 4, c: 5, d: 4, e: 2; three denials.
    assert_eq!((report.records, report.grants, report.denials), (23, 5, 3));
    // a#3 and b#3 twice; a batch of four twice, one of which was there before.
    assert_eq!(report.duplicates, 2 + 4 + 1);
    // d: 4, e: 2, a denial. b#3 is sealed already.
    assert_eq!(report.unsealed_records, 7);
    assert_eq!(report.sealed_until, Some(moment("02:00:00")));
    assert_eq!(report.begins_later, None);
    let anchor = report.newest.unwrap();
    assert_eq!((anchor.number, anchor.digest, anchor.until), (4, newest.digest_hex(), moment("02:00:00")));
    let id = archive.signer.public().id().to_owned();
    assert_eq!(report.key, KeyUsed::Given { ids: vec![id.clone()] });
    let unaided = verify(&archive, &Default::default()).unwrap();
    assert!(unaided.is_whole(), "{:?}", unaided.findings);
    assert_eq!(unaided.key, KeyUsed::Archive { id });
}

#[test]
fn an_empty_period_is_sealed_too() {
    let archive = sample().archive;
    let statement = archive.last.unwrap().statement;
    assert_eq!((statement.objects.len(), statement.heads.len(), statement.denials), (0, 0, 0));
    // The hash of nothing.
    assert!(statement.merkle_root.starts_with("e3b0c442"));
}

#[test]
fn an_archive_without_a_checkpoint_is_not_whole_however_young_it_seems() {
    let mut archive = Archive::new(7);
    let mut story = Story::new(id('a'), subject(), origin());
    let line = story.next("22:31:00", Actor::Sweep, Fact::Expired {});
    archive.put("22:31:00", &[line]);
    let mut expected = archive.with_key();
    for as_of in [Some("22:32:00"), Some("23:40:00"), None] {
        expected.as_of = as_of.map(moment);
        let report = verify(&archive, &expected).unwrap();
        let codes: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::NeverSealed], "{as_of:?}");
        assert!(!report.is_signed());
        assert_eq!((report.records, report.unsealed_records, report.sealed_until), (1, 1, None));
    }
    archive.seal("23:00:00");
    let report = verify(&archive, &archive.with_key()).unwrap();
    assert!(report.is_whole() && report.is_signed());
}

#[test]
fn a_key_that_was_replaced_is_known_by_both_keys() {
    use crate::builder::Signer;
    use curfew_audit::archive::public_key_key;
    let mut archive = sample().archive;
    let old = archive.signer.public();
    archive.signer = Signer::new(9);
    let new = archive.signer.public();
    archive.objects.insert(public_key_key(new.id()), new.pem().as_bytes().to_vec());
    archive.seal("02:25:00");
    let mut expected = archive.with_key();
    let findings = |expected| verify(&archive, &expected).unwrap().findings.len();
    assert!(findings(expected.clone()) > 0, "the old one is not trusted");
    expected.public_key_pem = None;
    assert!(findings(expected.clone()) > 0, "the new one is not trusted by itself");
    expected.public_key_pem = Some(format!("{}\n\n{}", old.pem(), new.pem()));
    assert_eq!(findings(expected), 0);
    let both = PublicKey::all_from_pem(&format!("{}{}", old.pem(), new.pem())).unwrap();
    assert_eq!(both, [old, new]);
}
