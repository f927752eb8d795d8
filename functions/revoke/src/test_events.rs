//! The test events of `infra/test-events/revoke/`: each is what its name says, by the function's own reader.

use std::collections::BTreeMap;
use std::path::Path;

use curfew_app::revoke::Selector;

use crate::input::{Input, parse};

/// What an event asks for.
#[derive(Debug, PartialEq)]
enum Asks {
    OneGrant,
    Ticket { dry_run: bool },
    Person { dry_run: bool },
    Tenant { dry_run: bool },
    ReviewsOwed,
    Reviewed,
}

fn asks(input: &Input) -> Option<Asks> {
    match input {
        Input::Timer(_) => None,
        Input::ReviewsOwed => Some(Asks::ReviewsOwed),
        Input::Reviewed(_) => Some(Asks::Reviewed),
        Input::Operator(operator) => match (&operator.selector, operator.dry_run) {
            (Selector::Grant(_), false) => Some(Asks::OneGrant),
            (Selector::Grant(_), true) => None,
            (Selector::Ticket(..), dry_run) => Some(Asks::Ticket { dry_run }),
            (Selector::Person(_), dry_run) => Some(Asks::Person { dry_run }),
            (Selector::Tenant(_), dry_run) => Some(Asks::Tenant { dry_run }),
        },
    }
}

#[test]
fn each_test_event_asks_for_what_its_name_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/test-events/revoke");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let event = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let input = parse(&event).unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        found.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), asks(&input));
    }
    let expected = [
        ("end-all-of-a-person", Asks::Person { dry_run: false }),
        ("end-all-of-a-person-dry-run", Asks::Person { dry_run: true }),
        ("end-all-of-a-tenant-dry-run", Asks::Tenant { dry_run: true }),
        ("end-all-of-a-ticket", Asks::Ticket { dry_run: false }),
        ("end-all-of-a-ticket-dry-run", Asks::Ticket { dry_run: true }),
        ("end-one-grant", Asks::OneGrant),
        ("list-reviews-owed", Asks::ReviewsOwed),
        ("mark-reviewed", Asks::Reviewed),
    ];
    let expected = expected.map(|(name, asks)| (name.to_owned(), Some(asks)));
    assert_eq!(found, BTreeMap::from(expected));
}
