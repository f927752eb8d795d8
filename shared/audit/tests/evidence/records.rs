//! Records: every kind of event and a denial, in both versions of OCSF, as they are on the bus and in the archive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use curfew_app::ports::DeniedRequest;
use curfew_audit::record::{Attached, Mapping, Record, RecordId, Subject, Unmappable, read_line};
use curfew_domain::decision::{DecisionFacts, Permit, decide};
use curfew_domain::effect::TimerKind;
use curfew_domain::event::{Actor, Event, Fact, OperatorName, canonical_json};
use curfew_domain::request::AccessRequest;
use curfew_domain::transition::{Opening, open};
use curfew_testkit::fixtures::{ANA, AUDIT_POLICY, OWN_ACCOUNT, START, catalog, managed_request, request};
use jiff::SignedDuration;
use serde_json::Value;

use crate::facts::{at, denied, events, inline, managed, origin};

pub(crate) const MAPPINGS: [(Mapping, &str); 2] = [(Mapping::V1_8, "v1_8"), (Mapping::V1_9, "v1_9")];

/// Every kind of record, by name. Every second one is of a managed policy on a role.
pub(crate) fn all(mapping: Mapping) -> Vec<Record> {
    let subjects = [inline(), managed()];
    let of_event = |(event, subject): (&Event, &Subject)| {
        Record::of_event(mapping, &origin(), subject, &event.canonical()).unwrap()
    };
    let events = events();
    let mut records: Vec<Record> = events.iter().zip(subjects.iter().cycle()).map(of_event).collect();
    records.push(Record::of_denial(mapping, &origin(), &denied("self-approval")));
    records
}

/// As much as a reader wants to see of a record, and all of it.
fn shown(record: &Record) -> String {
    let value: Value = serde_json::from_str(&record.detail()).unwrap();
    // Sorted whatever features serde_json has: through the canonical bytes, then with white space.
    let mut text = serde_json::to_string_pretty(&sorted(value)).unwrap();
    text.push('\n');
    text
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().map(|(key, item)| (key, sorted(item))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

fn golden(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence/golden").join(folder)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "asks whoever runs the tests whether to write the files anew")]
fn records_look_as_they_were_reviewed() {
    for (mapping, folder) in MAPPINGS {
        let folder = golden(folder);
        let mut names = BTreeSet::new();
        for record in all(mapping) {
            let path = folder.join(format!("{}.json", record.name));
            names.insert(path.clone());
            let made = shown(&record);
            if std::env::var_os("CURFEW_UPDATE_GOLDEN").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &made).unwrap();
            }
            let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                made,
                reviewed,
                "{} differs. If that is meant, write it anew with\n\
                 `CURFEW_UPDATE_GOLDEN=1 cargo test -p curfew-audit --test evidence` and read the difference",
                path.display()
            );
        }
        let there: BTreeSet<PathBuf> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(there, names, "files without a record");
    }
}

/// Fails to compile when there is a new kind of fact; then `facts.rs` needs one of it.
fn kind(fact: &Fact) -> usize {
    match fact {
        Fact::Requested { .. } => 0,
        Fact::Opened { .. } => 1,
        Fact::Activated { .. } => 2,
        Fact::Extended { .. } => 3,
        Fact::Shortened { .. } => 4,
        Fact::ChangeResumed { .. } => 5,
        Fact::DriftFound { .. } => 6,
        Fact::DriftRemoved { .. } => 7,
        Fact::Expired {} => 8,
        Fact::RevocationRequested { .. } => 9,
        Fact::OpeningFailed { .. } => 10,
        Fact::ReviewOwed { .. } => 11,
        Fact::Reviewed { .. } => 12,
        Fact::RevocationFailed { .. } => 13,
        Fact::Revoked { .. } => 14,
    }
}

/// As [`kind`], of who caused it.
fn kind_of_actor(actor: &Actor) -> usize {
    match actor {
        Actor::Source(_) => 0,
        Actor::Person(_) => 1,
        Actor::Operator(_) => 2,
        Actor::Timer => 3,
        Actor::GrantFunction => 4,
        Actor::RevokeFunction => 5,
        Actor::Sweep => 6,
    }
}

#[test]
fn every_kind_of_fact_and_actor_is_reviewed() {
    let facts: BTreeSet<usize> = events().iter().map(|event| kind(&event.fact)).collect();
    assert_eq!(facts, (0..15).collect());
    let actors: BTreeSet<usize> = events().iter().map(|event| kind_of_actor(&event.actor)).collect();
    assert_eq!(actors, (0..7).collect());
}

#[test]
fn a_record_is_one_line_and_reads_back_as_what_it_was_made_of() {
    for (mapping, _) in MAPPINGS {
        let records = all(mapping);
        for (record, event) in records.iter().zip(events()) {
            let line = record.detail();
            assert!(!line.contains('\n'));
            let read = read_line(line.as_bytes()).unwrap();
            assert_eq!(read.id, RecordId::Event { grant_id: event.grant_id.clone(), seq: event.seq });
            assert_eq!(read.id.to_string(), record.id);
            assert_eq!((read.name.as_str(), read.at), (event.fact.name(), event.at));
            assert_eq!((record.name.as_str(), record.at), (event.fact.name(), event.at));
            assert_eq!(data_encoding::HEXLOWER.encode(&read.digest), event.digest());
            assert_eq!(data_encoding::HEXLOWER.encode(&read.prev.unwrap()), event.prev);
            assert_eq!(read.event().unwrap(), Some(event));
            assert_eq!(read.denied().unwrap(), None);
        }
        let denial = records.last().unwrap();
        let read = read_line(denial.detail().as_bytes()).unwrap();
        assert_eq!(read.denied().unwrap(), Some(denied("self-approval")));
        assert_eq!((read.event().unwrap(), read.prev), (None, None));
        assert_eq!((read.id.to_string(), read.name.as_str()), (denial.id.clone(), "Denied"));
        assert_eq!((&denial.principal, &denial.grant_id, denial.seq), (&None, &None, None));
    }
}

#[test]
fn the_versions_of_ocsf_carry_the_same_evidence_under_the_same_id() {
    for (old, new) in all(Mapping::V1_8).iter().zip(all(Mapping::V1_9)) {
        let (old, new) = (old.detail(), new.detail());
        let (old, new) = (read_line(old.as_bytes()).unwrap(), read_line(new.as_bytes()).unwrap());
        assert_eq!((old.id, old.digest, old.raw_data), (new.id, new.digest, new.raw_data));
    }
}

#[test]
fn what_people_wrote_stands_where_it_is_known_to_be_theirs() {
    let record = all(Mapping::V1_8).swap_remove(0);
    let mut ocsf: Value = serde_json::from_str(&record.detail()).unwrap();
    let hostile = "<script>";
    assert!(ocsf["status_detail"].as_str().unwrap().contains(hostile));
    let object = ocsf.as_object_mut().unwrap();
    for theirs in ["status_detail", "raw_data", "unmapped"] {
        assert!(object.remove(theirs).unwrap().to_string().contains(hostile), "{theirs}");
    }
    assert!(!ocsf.to_string().contains(hostile), "{ocsf}");
}

#[test]
fn a_denial_that_differs_is_another_record_and_the_same_is_the_same() {
    let of = |denied: &DeniedRequest| Record::of_denial(Mapping::V1_8, &origin(), denied).id;
    let first = denied("self-approval");
    let by_operator = DeniedRequest { operator: Some(OperatorName::new("olga").unwrap()), ..first.clone() };
    assert_ne!(of(&first), of(&by_operator));
    assert_eq!(of(&first), of(&denied("self-approval")));
    assert_ne!(of(&first), of(&denied("unknown-role")));
    let mut later = first.clone();
    later.at = at(8);
    assert_ne!(of(&first), of(&later));
}

#[test]
fn a_denial_of_what_an_operator_asked_for_names_the_operator_and_nobody_else() {
    for (mapping, _) in MAPPINGS {
        let ocsf = |denied: &DeniedRequest| -> Value {
            serde_json::from_str(&Record::of_denial(mapping, &origin(), denied).detail()).unwrap()
        };
        let of_source = denied("self-approval");
        let operator = Some(OperatorName::new("olga@example.com").unwrap());
        let of_operator = DeniedRequest { operator, ..of_source.clone() };
        let (by_source, by_operator) = (ocsf(&of_source), ocsf(&of_operator));
        assert!(by_source["actor"].to_string().contains(of_source.source.as_str()), "{by_source}");
        assert_eq!(by_source["unmapped"]["curfew"]["operator"], Value::Null);
        assert_eq!(by_operator["actor"]["user"]["name"], "olga@example.com");
        assert!(!by_operator["actor"].to_string().contains(of_source.source.as_str()), "{by_operator}");
        assert_eq!(by_operator["unmapped"]["curfew"]["operator"], "olga@example.com");
        let line = by_operator.to_string();
        let canonical = canonical_json(&serde_json::from_str(&line).unwrap());
        assert_eq!(read_line(canonical.as_bytes()).unwrap().denied().unwrap(), Some(of_operator));
    }
}

#[test]
fn what_is_not_the_events_own_bytes_makes_no_record() {
    let event = &events()[2];
    let made = |body: &str| Record::of_event(Mapping::V1_8, &origin(), &inline(), body);
    assert!(made(&event.canonical()).is_ok());
    let spaced = event.canonical().replace(':', ": ");
    assert!(
        matches!(made(&spaced), Err(Unmappable::NotAnEvent(_) | Unmappable::NotCanonical(_))),
        "{spaced}"
    );
    let padded = format!(" {}", event.canonical());
    assert_eq!(made(&padded), Err(Unmappable::NotCanonical(format!("{}#000003", event.grant_id))));
    // What a later version adds is not known, and would not be in the digest.
    let mut value: Value = serde_json::from_str(&event.canonical()).unwrap();
    value["more"] = Value::from(1);
    assert!(matches!(made(&canonical_json(&value)), Err(Unmappable::NotCanonical(_))));
    for bad in ["", "{}", "null", "[]"] {
        assert!(matches!(made(bad), Err(Unmappable::NotAnEvent(_))), "{bad}");
    }
}

#[test]
fn a_subject_is_what_does_not_change_in_a_grants_life() {
    let permit = Permit { guardrails_digest: String::new(), permitted_by: Vec::new(), review: None };
    let facts = DecisionFacts { now: START, own_account: OWN_ACCOUNT.to_owned() };
    let opening = Opening {
        attempt: 0,
        timer: TimerKind::Scheduler,
        lease_until: at(50),
        sweep_grace: SignedDuration::from_secs(60),
    };
    let opened = |request: &AccessRequest| {
        open(decide(&catalog(), request, &facts).unwrap().permitted(permit.clone()), opening, START).grant
    };
    let grant = opened(&request("CHG-1"));
    let subject = Subject::from(&grant);
    let expected = Subject {
        access: Attached::Inline(grant.id().object_name()),
        privileged: grant.privileged(),
        ..inline()
    };
    assert_eq!(subject, expected);
    let standing = Subject::from(&opened(&managed_request("CHG-1")));
    assert_eq!(standing.access, Attached::Managed(AUDIT_POLICY.to_owned()));
    assert_eq!(standing.principal.arn(), ANA);
}
