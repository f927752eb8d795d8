//! The test events of `infra/test-events/audit/`: each is what its name says, by the function's own reader.

use std::collections::BTreeMap;
use std::path::Path;

use curfew_domain::ids::{GrantId, Source, TicketId};

use crate::Input;

#[test]
fn each_test_event_asks_for_what_its_name_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/test-events/audit");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let event = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let input = Input::read(&event).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), input);
    }
    let id = GrantId::new("g-abcdefghijklmnopqrstuvwxyz").unwrap();
    let (source, ticket) = (Source::new("servicenow").unwrap(), TicketId::new("CHG0030191").unwrap());
    let expected = [
        ("archive-a-grant-again", Input::ArchiveAgain(id)),
        ("archive-denials-again", Input::ArchiveDenialsAgain(source, ticket)),
        ("seal-now", Input::Checkpoint),
    ];
    assert_eq!(found, BTreeMap::from(expected.map(|(name, input)| (name.to_owned(), input))));
}
