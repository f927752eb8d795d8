//! OCSF 1.9: User Management, which takes the place of User Access Management; an actor's program is an object
//! (<https://github.com/ocsf/ocsf-schema/blob/v1.9.0/events/iam/user_management.json>).

use serde_json::{Value, json};

use super::Schema;

pub(super) const SCHEMA: Schema = Schema {
    version: "1.9.0",
    class_uid: 3007,
    class_name: "User Management",
    assign: (14, "Assign Privileges"),
    revoke: (15, "Remove Privileges"),
    program,
};

fn program(name: &str, part: Option<&str>) -> Value {
    match part {
        Some(part) => json!({ "application": { "name": name, "uid": part } }),
        None => json!({ "application": { "name": name } }),
    }
}
