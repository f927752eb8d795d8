//! The test events of `infra/test-events/grant/`: each is what its name says, by the function's own readers.

use std::collections::BTreeMap;
use std::path::Path;

use curfew_app::extend::NewEnd;

use crate::door::Door;
use crate::order::parse;

#[test]
fn each_test_event_asks_for_what_its_name_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/test-events/grant");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let event = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let Door::Direct(event) = Door::of(event) else { panic!("{} is a webhook", path.display()) };
        let order = parse(&event).unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        found.insert(name, (matches!(order.to, NewEnd::Later(_)), order.dry_run));
    }
    let expected = [
        ("extend-by-an-hour", (true, false)),
        ("extend-dry-run", (true, true)),
        ("extend-until", (false, false)),
    ];
    assert_eq!(found, BTreeMap::from(expected.map(|(name, asks)| (name.to_owned(), asks))));
}
