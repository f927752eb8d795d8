//! No tampering goes unseen, and what was tampered with first is named.

use std::collections::BTreeSet;

use curfew_audit::verify::{Code, verify};

use crate::sample::sample;
use crate::tampering::{forged, lines_of, reviewed, table};

#[test]
fn every_tampering_is_found_and_names_what_was_tampered_with_first() {
    let cases = table();
    let mut wrong = Vec::new();
    for case in &cases {
        let report = verify(&case.archive, &case.expected).unwrap();
        let first = report.findings.first();
        let named = first.map(|first| (first.code.to_string(), first.object.clone(), first.record.clone()));
        let expected = Some(case.named());
        if named != expected {
            wrong.push(format!("{}:\n  expected {expected:?}\n  found {:#?}", case.name, report.findings));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_code_is_some_tamperings() {
    let known = table().into_iter().map(|case| case.code).collect::<BTreeSet<_>>();
    let rarely_first = Code::GrantCutOff;
    assert_eq!(known.len(), 20, "{known:?}");
    assert!(!known.contains(&rarely_first));
    let cut_off = table().into_iter().find(|case| case.name == "all of a grant is dropped").unwrap();
    let report = verify(&cut_off.archive, &cut_off.expected).unwrap();
    assert!(report.findings.iter().any(|finding| finding.code == rarely_first));
}

#[test]
fn what_is_sealed_is_not_blamed_for_what_is_put_before_it() {
    let sample = sample();
    let mut archive = sample.archive.clone();
    let sealed = lines_of(&archive, &sample.keys[3])[0].clone();
    let other = forged(&sealed, |event| event.fact = reviewed("not expired"));
    let inserted = archive.put("22:20:00", &[other]);
    let report = verify(&archive, &archive.with_key()).unwrap();
    let codes: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::RecordInserted, Code::ObjectInserted]);
    assert!(
        report.findings.iter().all(|finding| finding.object.as_ref() == Some(&inserted)),
        "{:?}",
        report.findings
    );
}
