//! The ledger's indexes hold what is read of them: an attribute that is missing there would be missing in the console, and
//! one too many would cost a write whenever it changes.

use std::collections::BTreeSet;

use curfew_aws::{LIVE_PROJECTION, REVIEWS_PROJECTION};

use crate::document::{listed, template};

#[test]
fn what_the_console_reads_of_an_index_is_what_the_index_holds() {
    let template = template("template.yaml");
    let indexes = &template["Resources"]["Ledger"]["Properties"]["GlobalSecondaryIndexes"];
    for (name, read) in [("live_by_tenant", &LIVE_PROJECTION[..]), ("reviews", &REVIEWS_PROJECTION[..])] {
        let index = listed(indexes).into_iter().find(|index| index["IndexName"] == name).expect("an index");
        let held: BTreeSet<&str> = listed(&index["Projection"]["NonKeyAttributes"])
            .into_iter()
            .filter_map(serde_json::Value::as_str)
            .collect();
        assert_eq!(held, read.iter().copied().collect(), "{name}");
        // More can't be projected into one index:
        // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
        assert!(held.len() <= 20, "{name}");
    }
}
