//! The test events of `infra/test-events/console/`: each is what its name says, by the function's own reader.

use std::collections::BTreeMap;
use std::path::Path;

use curfew_app::console::Filter;
use curfew_domain::ids::{Email, GrantId};

use crate::input::{Input, parse};

#[test]
fn each_test_event_asks_for_what_its_name_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/test-events/console");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let event = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let input = parse(&event).unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        found.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), input);
    }
    let of_ana = Filter { person: Some(Email::new("ana@example.com").unwrap()), ..Filter::default() };
    let expected = [
        ("how-to-use-the-widget", Input::Describe),
        ("list-a-persons-grants", Input::List(of_ana)),
        ("list-live-grants", Input::List(Filter::default())),
        ("show-one-grant", Input::Show(GrantId::new("g-abcdefghijklmnopqrstuvwxyz").unwrap())),
    ];
    assert_eq!(found, BTreeMap::from(expected.map(|(name, input)| (name.to_owned(), input))));
}
