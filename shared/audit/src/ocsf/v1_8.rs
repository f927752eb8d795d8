//! OCSF 1.8: User Access Management
//! (<https://github.com/ocsf/ocsf-schema/blob/v1.8.0/events/iam/user_access.json>).

use serde_json::{Value, json};

use super::Schema;

pub(super) const SCHEMA: Schema = Schema {
    version: "1.8.0",
    class_uid: 3005,
    class_name: "User Access Management",
    assign: (1, "Assign Privileges"),
    revoke: (2, "Revoke Privileges"),
    program,
};

fn program(name: &str, part: Option<&str>) -> Value {
    match part {
        Some(part) => json!({ "app_name": name, "app_uid": part }),
        None => json!({ "app_name": name }),
    }
}
