//! The recorded payloads of `tests/payloads`, by kind of sender.

use std::fs;
use std::path::Path;

use crate::kinds::Kind;

/// A recorded payload.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    pub(crate) kind: Kind,
    /// The file's name.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Answers of a source's API, which are recorded beside its payloads.
const ANSWERS: [&str; 2] = ["jira-approvals", "jira-history"];

/// Everything that is recorded of a kind of sender.
pub(crate) fn fixtures(kind: Kind) -> Vec<Fixture> {
    let prefix = if kind.name == "standard" { "curfew-".to_owned() } else { format!("{}-", kind.name) };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/payloads");
    let mut found: Vec<Fixture> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let is_payload = name.starts_with(&prefix) && (name.ends_with(".json") || name.ends_with(".txt"));
            is_payload.then(|| Fixture { kind, text: fs::read_to_string(&path).unwrap(), name })
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(found.len() > 10, "{} has {} payloads", kind.name, found.len());
    found
}

/// What a source's API answers: first who approved, then what was edited since.
pub(crate) fn answers(kind: Kind) -> Vec<String> {
    if kind.name != "jira" {
        return Vec::new();
    }
    let all = fixtures(kind);
    ANSWERS
        .iter()
        .map(|name| all.iter().find(|one| one.name == format!("{name}.json")).unwrap().text.clone())
        .collect()
}
