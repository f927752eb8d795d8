//! What is read as a record, and what is not, and why not.

use curfew_audit::archive::sha256_hex;
use curfew_audit::record::{Defect, Mapping, Record, read_line};
use curfew_domain::event::canonical_json;
use serde_json::{Value, json};

use crate::facts::{denied, events, inline, origin};

fn event() -> Value {
    let event = &events()[2];
    let record = Record::of_event(Mapping::V1_8, &origin(), &inline(), &event.canonical()).unwrap();
    serde_json::from_str(&record.detail()).unwrap()
}

fn denial() -> Value {
    let record = Record::of_denial(Mapping::V1_8, &origin(), &denied("self-approval"));
    serde_json::from_str(&record.detail()).unwrap()
}

fn defect(ocsf: &Value) -> Option<Defect> {
    read_line(canonical_json(ocsf).as_bytes()).err().map(|error| error.defect)
}

/// Something done to evidence.
type Change = fn(&mut Value);

/// With other evidence, and its hash made anew.
fn with_evidence(mut ocsf: Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut evidence: Value = serde_json::from_str(ocsf["raw_data"].as_str().unwrap()).unwrap();
    change(&mut evidence);
    let evidence = canonical_json(&evidence);
    ocsf["raw_data_hash"]["value"] = sha256_hex(evidence.as_bytes()).into();
    ocsf["raw_data"] = evidence.into();
    ocsf
}

#[test]
fn a_record_that_contradicts_its_evidence_is_none() {
    assert_eq!((defect(&event()), defect(&denial())), (None, None));
    for (pointer, value, expected) in [
        ("/metadata/uid", json!("g-aaaaaaaaaaaaaaaaaaaaaaaaaa#000004"), Defect::Disagrees("metadata.uid")),
        ("/metadata/uid", json!("g-aaaaaaaaaaaaaaaaaaaaaaaaaa#3"), Defect::Disagrees("metadata.uid")),
        ("/metadata/uid", json!("g-bbbbbbbbbbbbbbbbbbbbbbbbbb#000003"), Defect::Disagrees("metadata.uid")),
        ("/metadata/uid", json!(3), Defect::Missing("metadata.uid")),
        ("/metadata/event_code", json!("Revoked"), Defect::Disagrees("metadata.event_code")),
        ("/metadata/event_code", json!(null), Defect::Disagrees("metadata.event_code")),
        ("/time", json!(1), Defect::Disagrees("time")),
        ("/time", json!("1"), Defect::Disagrees("time")),
        ("/raw_data", json!("{}"), Defect::Hash),
        ("/raw_data", json!({}), Defect::Missing("raw_data")),
        ("/raw_data_hash/value", json!("0".repeat(64)), Defect::Hash),
        ("/raw_data_hash/value", json!(null), Defect::Missing("raw_data_hash.value")),
    ] {
        let mut ocsf = event();
        *ocsf.pointer_mut(pointer).unwrap() = value.clone();
        assert_eq!(defect(&ocsf), Some(expected), "{pointer}: {value}");
    }
    for (pointer, value, expected) in [
        ("/metadata/uid", json!(format!("denied#{}", "0".repeat(64))), Defect::Disagrees("metadata.uid")),
        ("/metadata/event_code", json!("Activated"), Defect::Disagrees("metadata.event_code")),
        ("/time", json!(1), Defect::Disagrees("time")),
    ] {
        let mut ocsf = denial();
        *ocsf.pointer_mut(pointer).unwrap() = value;
        assert_eq!(defect(&ocsf), Some(expected), "{pointer}");
    }
}

#[test]
fn evidence_of_another_form_is_none() {
    let changes: [(&str, Change); 17] = [
        ("something more", |event| event["more"] = json!(1)),
        ("no actor", |event| drop(event.as_object_mut().unwrap().remove("actor"))),
        ("no fact", |event| drop(event.as_object_mut().unwrap().remove("fact"))),
        ("a fact without a type", |event| drop(event["fact"].as_object_mut().unwrap().remove("type"))),
        ("a type that is no text", |event| event["fact"]["type"] = json!(1)),
        ("number zero", |event| event["seq"] = json!(0)),
        ("a negative number", |event| event["seq"] = json!(-1)),
        ("a number that is too large", |event| event["seq"] = json!(4_294_967_296_u64)),
        ("a number in words", |event| event["seq"] = json!("3")),
        ("a grant that is none", |event| event["grant_id"] = json!("g-1")),
        ("a short digest", |event| event["prev"] = json!("00")),
        ("a digest in upper case", |event| event["prev"] = json!("AA".repeat(32))),
        ("a time with another offset", |event| event["at"] = json!("2026-11-21T11:00:03.702+01:00")),
        ("a time with a zero at its end", |event| event["at"] = json!("2026-11-21T10:00:03.7020Z")),
        ("a time in lower case", |event| event["at"] = json!("2026-11-21t10:00:03.702z")),
        ("a time before all", |event| event["at"] = json!("1969-12-31T23:59:59Z")),
        ("a leap second", |event| event["at"] = json!("2026-11-21T10:00:60Z")),
    ];
    for (name, change) in changes {
        assert_eq!(defect(&with_evidence(event(), change)), Some(Defect::Evidence), "{name}");
    }
    for (name, ocsf) in [
        ("no time", with_evidence(denial(), |denied| drop(denied.as_object_mut().unwrap().remove("at")))),
        ("a denial that is a list", with_evidence(denial(), |denied| *denied = json!([]))),
        ("an event that is a text", with_evidence(event(), |event| *event = json!("x"))),
    ] {
        assert_eq!(defect(&ocsf), Some(Defect::Evidence), "{name}");
    }
    // What a later version writes into a fact is its own business.
    let newer = with_evidence(event(), |event| event["fact"]["more"] = json!({ "a": [1] }));
    assert_eq!(defect(&newer), None);
}

#[test]
fn evidence_and_line_are_written_in_one_way_only() {
    let mut spaced = event();
    let raw = spaced["raw_data"].as_str().unwrap().replace(',', ", ");
    spaced["raw_data_hash"]["value"] = sha256_hex(raw.as_bytes()).into();
    spaced["raw_data"] = raw.into();
    assert_eq!(defect(&spaced), Some(Defect::Evidence));
    let line = canonical_json(&event());
    for bad in [
        format!("{line} "),
        format!("{line}\n"),
        line.replace(":1,", ": 1,"),
        line.replacen('{', r#"{"a":1.5,"#, 1),
    ] {
        let error = read_line(bad.as_bytes()).unwrap_err();
        assert_eq!(error.defect, Defect::NotCanonical, "{bad}");
        // Whose it is can be told all the same.
        assert_eq!(error.claimed.as_deref(), Some("g-aaaaaaaaaaaaaaaaaaaaaaaaaa#000003"));
    }
}

#[test]
fn what_a_line_claims_to_be_is_fit_to_be_shown() {
    let error = read_line(br#"{"metadata":{"uid":"<b>\u001b[31m"}}"#).unwrap_err();
    assert_eq!(error.claimed.as_deref(), Some(r"`<b>\u{1b}[31m`"));
    assert_eq!(read_line(b"{}").unwrap_err().claimed, None);
}
