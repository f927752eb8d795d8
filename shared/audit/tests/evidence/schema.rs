//! Records are valid OCSF: every attribute is one that the class or object has in that version, what is required is there,
//! and numbers and captions go together.
//!
//! Lists from <https://github.com/ocsf/ocsf-schema>: `events/base_event.json`, `events/iam/iam.json`,
//! `events/iam/user_access.json` (v1.8.0), `events/iam/user_management.json` (v1.9.0) and `objects/`; of long lists those
//! attributes that a record may want.

use curfew_audit::record::Mapping;
use serde_json::Value;

use crate::records::{MAPPINGS, all};

/// What an object of OCSF may have, and what it must.
struct Object {
    may: &'static [&'static str],
    must: &'static [&'static str],
    /// One of these at least.
    some: &'static [&'static str],
}

const EVENT: Object = Object {
    may: &[
        "activity_id",
        "activity_name",
        "actor",
        "category_name",
        "category_uid",
        "class_name",
        "class_uid",
        "count",
        "duration",
        "end_time",
        "enrichments",
        "http_request",
        "http_response",
        "message",
        "metadata",
        "observables",
        "privileges",
        "raw_data",
        "raw_data_hash",
        "raw_data_size",
        "resources",
        "severity",
        "severity_id",
        "src_endpoint",
        "start_time",
        "status",
        "status_code",
        "status_detail",
        "status_id",
        "time",
        "timezone_offset",
        "type_name",
        "type_uid",
        "unmapped",
        "user",
    ],
    // `privileges` of User Access Management alone; it does no harm to the other.
    must: &[
        "activity_id",
        "category_uid",
        "class_uid",
        "metadata",
        "privileges",
        "severity_id",
        "time",
        "type_uid",
        "user",
    ],
    some: &["user"],
};

const METADATA: Object = Object {
    may: &[
        "correlation_uid",
        "event_code",
        "labels",
        "log_level",
        "log_name",
        "log_provider",
        "logged_time",
        "original_event_uid",
        "original_time",
        "processed_time",
        "product",
        "profiles",
        "sequence",
        "tags",
        "tenant_uid",
        "uid",
        "version",
    ],
    must: &["product", "version"],
    some: &["version"],
};

const PRODUCT: Object = Object {
    may: &["feature", "name", "uid", "url_string", "vendor_name", "version"],
    must: &[],
    some: &["name", "uid"],
};

const USER: Object = Object {
    may: &[
        "account",
        "domain",
        "email_addr",
        "full_name",
        "groups",
        "name",
        "org",
        "type",
        "type_id",
        "uid",
        "uid_alt",
    ],
    must: &[],
    some: &["account", "name", "uid"],
};

const ACCOUNT: Object =
    Object { may: &["labels", "name", "type", "type_id", "uid"], must: &[], some: &["name", "uid"] };

const RESOURCE: Object = Object {
    may: &[
        "criticality",
        "labels",
        "name",
        "namespace",
        "owner",
        "role",
        "role_id",
        "tags",
        "type",
        "uid",
        "uid_alt",
    ],
    must: &[],
    some: &["name", "uid"],
};

const FINGERPRINT: Object = Object {
    may: &["algorithm", "algorithm_id", "value"],
    must: &["algorithm_id", "value"],
    some: &["value"],
};

const ACTOR_1_8: Object = Object {
    may: &["app_name", "app_uid", "authorizations", "idp", "process", "session", "user"],
    must: &[],
    some: &["app_name", "app_uid", "process", "session", "user"],
};

const ACTOR_1_9: Object = Object {
    may: &["application", "authorizations", "iam_role", "idp", "process", "session", "user"],
    must: &[],
    some: &["application", "process", "session", "user"],
};

const APPLICATION: Object =
    Object { may: &["name", "product", "type", "uid", "version"], must: &[], some: &["name", "uid"] };

fn check(what: &str, value: &Value, object: &Object) {
    let map = value.as_object().unwrap_or_else(|| panic!("{what} is an object"));
    for name in map.keys() {
        assert!(object.may.contains(&name.as_str()), "{what} has no `{name}` in OCSF");
    }
    for name in object.must {
        assert!(map.contains_key(*name), "{what} must have `{name}`");
    }
    assert!(
        object.some.iter().any(|name| map.contains_key(*name)),
        "{what} must have one of {:?}",
        object.some
    );
}

/// The captions of the class's activities that a record may have; of 99 any.
fn activities(mapping: Mapping) -> [(u64, &'static str); 2] {
    match mapping {
        Mapping::V1_8 => [(1, "Assign Privileges"), (2, "Revoke Privileges")],
        Mapping::V1_9 => [(14, "Assign Privileges"), (15, "Remove Privileges")],
    }
}

const SEVERITIES: [(u64, &str); 4] = [(1, "Informational"), (2, "Low"), (3, "Medium"), (4, "High")];
const STATUSES: [(u64, &str); 2] = [(1, "Success"), (2, "Failure")];
const ROLES: [(u64, &str); 2] = [(1, "Target"), (4, "Related")];
const USERS: [(u64, &str); 1] = [(1, "User")];
const ACCOUNTS: [(u64, &str); 1] = [(10, "AWS Account")];

/// A number and the caption beside it.
fn check_caption(value: &Value, id: &str, caption: &str, known: &[(u64, &str)]) {
    let (number, words) = (value[id].as_u64().unwrap(), value[caption].as_str().unwrap());
    assert!(number == 99 || known.contains(&(number, words)), "{id} {number} is not called `{words}`");
    assert!(number != 99 || !known.iter().any(|(_, caption)| *caption == words), "{words} has a number");
}

fn check_user(what: &str, user: &Value) {
    check(what, user, &USER);
    check_caption(user, "type_id", "type", &USERS);
    if let Some(account) = user.get("account") {
        check(what, account, &ACCOUNT);
        check_caption(account, "type_id", "type", &ACCOUNTS);
    }
}

#[test]
fn every_record_is_valid_in_its_version() {
    for (mapping, _) in MAPPINGS {
        let (version, class, name, actor) = match mapping {
            Mapping::V1_8 => ("1.8.0", 3005, "User Access Management", &ACTOR_1_8),
            Mapping::V1_9 => ("1.9.0", 3007, "User Management", &ACTOR_1_9),
        };
        for record in all(mapping) {
            let event: Value = serde_json::from_str(&record.detail()).unwrap();
            check("the event", &event, &EVENT);
            check("metadata", &event["metadata"], &METADATA);
            check("metadata.product", &event["metadata"]["product"], &PRODUCT);
            assert_eq!(event["metadata"]["version"], version);
            assert_eq!((&event["class_uid"], &event["class_name"]), (&class.into(), &name.into()));
            let caption = "Identity & Access Management";
            assert_eq!((&event["category_uid"], &event["category_name"]), (&3.into(), &caption.into()));
            let activity = event["activity_id"].as_u64().unwrap();
            assert_eq!(event["type_uid"].as_u64().unwrap(), class * 100 + activity);
            assert_eq!(event["type_name"], format!("{name}: {}", event["activity_name"].as_str().unwrap()));
            check_caption(&event, "activity_id", "activity_name", &activities(mapping));
            check_caption(&event, "severity_id", "severity", &SEVERITIES);
            check_caption(&event, "status_id", "status", &STATUSES);
            assert_eq!(event["time"].as_i64().unwrap(), record.at.as_millisecond());
            check("raw_data_hash", &event["raw_data_hash"], &FINGERPRINT);
            check_user("user", &event["user"]);
            check("actor", &event["actor"], actor);
            if let Some(user) = event["actor"].get("user") {
                check_user("actor.user", user);
            }
            if let Some(application) = event["actor"].get("application") {
                check("actor.application", application, &APPLICATION);
            }
            for resource in event["resources"].as_array().unwrap() {
                check("a resource", resource, &RESOURCE);
                check_caption(resource, "role_id", "role", &ROLES);
            }
            assert!(event["privileges"].as_array().unwrap().iter().all(Value::is_string));
        }
    }
}

/// What tools count: who was given access, and from whom it was taken away.
#[test]
fn what_was_given_or_taken_away_has_the_classes_own_activity() {
    for (mapping, _) in MAPPINGS {
        let [(assign, _), (revoke, _)] = activities(mapping);
        for record in all(mapping) {
            let event: Value = serde_json::from_str(&record.detail()).unwrap();
            let expected = match record.name.as_str() {
                "Activated" => (assign, 1),
                "Denied" | "OpeningFailed" => (assign, 2),
                "Revoked" | "DriftRemoved" => (revoke, 1),
                "RevocationFailed" => (revoke, 2),
                _ => (99, event["status_id"].as_u64().unwrap()),
            };
            let found = (event["activity_id"].as_u64().unwrap(), event["status_id"].as_u64().unwrap());
            assert_eq!(found, expected, "{}", record.name);
            assert!(found != (99, 2), "{}: only what was tried can fail", record.name);
        }
    }
}
