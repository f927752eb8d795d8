//! Records as OCSF events (<https://schema.ocsf.io>), so that an auditor's tools read them without a word about Curfew.
//!
//! One file for each version of OCSF says what differs; here is what is the same. People's own words stand in
//! `status_detail`, in `unmapped` and in the raw data, never in `message`. Must not know where records go.

mod fact;
mod v1_8;
mod v1_9;

use curfew_app::ports::DeniedRequest;
use curfew_domain::event::{Actor, Event};
use curfew_domain::ids::Email;
use curfew_domain::principal::{Principal, PrincipalKind};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::archive::sha256_hex;
use crate::record::{Attached, DENIED, Mapping, Origin, Subject};

use fact::{Activity, Meaning};

/// What differs between versions of OCSF.
struct Schema {
    /// The version, in full.
    version: &'static str,
    /// The class of all records.
    class_uid: u32,
    class_name: &'static str,
    /// Its activity of giving access.
    assign: (u32, &'static str),
    /// Its activity of taking access away.
    revoke: (u32, &'static str),
    /// An actor that is a program: its name, and which part of it.
    program: fn(name: &str, part: Option<&str>) -> Value,
}

/// Identity & Access Management.
const CATEGORY: (u32, &str) = (3, "Identity & Access Management");

/// The activity of everything that the class has no activity for.
const OTHER: u32 = 99;

impl Mapping {
    fn schema(self) -> &'static Schema {
        match self {
            Self::V1_8 => &v1_8::SCHEMA,
            Self::V1_9 => &v1_9::SCHEMA,
        }
    }
}

/// What every record is made of, whatever it is of.
struct Parts<'a> {
    id: &'a str,
    name: &'a str,
    body: &'a str,
    at: Timestamp,
    sequence: Option<u32>,
    correlation: String,
    tenant: &'a str,
    meaning: Meaning,
    /// Whose access it is, where and by whose ticket.
    whose: String,
    actor: Value,
    user: Value,
    privileges: Vec<&'a str>,
    resources: Vec<Value>,
    unmapped: Map<String, Value>,
}

/// The OCSF event of an event of a grant.
pub(crate) fn of_event(
    mapping: Mapping,
    origin: &Origin,
    subject: &Subject,
    event: &Event,
    id: &str,
    body: &str,
) -> Value {
    let schema = mapping.schema();
    let unmapped = object([
        ("access", attached(&subject.access)),
        ("actor", json!(event.actor)),
        ("fact", json!(event.fact)),
        ("grant_id", json!(event.grant_id)),
        ("prev", json!(event.prev)),
        ("privileged", json!(subject.privileged)),
        ("requester", json!(subject.requester)),
        ("role", json!(subject.role)),
        ("source", json!(subject.source)),
        ("ticket", json!(subject.ticket)),
    ]);
    let parts = Parts {
        id,
        name: event.fact.name(),
        body,
        at: event.at,
        sequence: Some(event.seq),
        correlation: event.grant_id.to_string(),
        tenant: subject.tenant.as_str(),
        meaning: Meaning::of(&event.fact),
        whose: format!(
            "role {} in {} for {}, by ticket {} of {}",
            subject.role, subject.tenant, subject.requester, subject.ticket, subject.source
        ),
        actor: actor(schema, &event.actor),
        user: recipient(&subject.principal, &subject.requester),
        privileges: vec![subject.role.as_str()],
        resources: vec![
            json!({
                "name": subject.tenant,
                "role": "Target",
                "role_id": 1,
                "type": "AWS Account",
                "uid": subject.principal.account(),
            }),
            policy(&subject.access),
        ],
        unmapped,
    };
    build(schema, origin, parts)
}

/// The OCSF event of a denied request.
pub(crate) fn of_denial(
    mapping: Mapping,
    origin: &Origin,
    denied: &DeniedRequest,
    id: &str,
    body: &str,
) -> Value {
    let schema = mapping.schema();
    let mut unmapped = object([
        ("catalog_digest", json!(denied.catalog_digest)),
        ("delivery", json!(denied.delivery)),
        ("guardrails", json!(denied.guardrails)),
        ("guardrails_digest", json!(denied.guardrails_digest)),
        ("request_digest", json!(denied.request_digest)),
        ("requester", json!(denied.requester)),
        ("role", json!(denied.role)),
        ("source", json!(denied.source)),
        ("ticket", json!(denied.ticket)),
    ]);
    let asked_by = match &denied.operator {
        Some(operator) => {
            unmapped.insert("operator".to_owned(), json!(operator));
            Actor::Operator(operator.clone())
        }
        None => Actor::Source(denied.source.clone()),
    };
    let parts = Parts {
        id,
        name: DENIED,
        body,
        at: denied.at,
        sequence: None,
        correlation: denied.request_digest.clone(),
        tenant: denied.tenant.as_str(),
        meaning: Meaning::denied(&denied.code, &denied.reason),
        whose: format!(
            "role {} in {} for {}, by ticket {} of {}",
            denied.role, denied.tenant, denied.requester, denied.ticket, denied.source
        ),
        actor: actor(schema, &asked_by),
        user: person(&denied.requester),
        privileges: vec![denied.role.as_str()],
        resources: vec![
            json!({ "name": denied.tenant, "role": "Target", "role_id": 1, "type": "AWS Account" }),
        ],
        unmapped,
    };
    build(schema, origin, parts)
}

fn build(schema: &Schema, origin: &Origin, mut parts: Parts<'_>) -> Value {
    let meaning = parts.meaning;
    let (activity_id, activity_name) = match meaning.activity {
        Activity::Assign => schema.assign,
        Activity::Revoke => schema.revoke,
        Activity::Other(name) => (OTHER, name),
    };
    let (status_id, status) = meaning.status.caption();
    let (severity_id, severity) = meaning.severity.caption();
    parts.unmapped.insert(
        "origin".to_owned(),
        json!({ "account": origin.account, "region": origin.region, "stack": origin.stack }),
    );
    let mut metadata = object([
        ("correlation_uid", json!(parts.correlation)),
        ("event_code", json!(parts.name)),
        ("log_name", json!(origin.stack)),
        ("original_time", json!(parts.at)),
        ("product", json!({ "name": "Curfew", "vendor_name": "Curfew", "version": origin.version })),
        ("tenant_uid", json!(parts.tenant)),
        ("uid", json!(parts.id)),
        ("version", json!(schema.version)),
    ]);
    if let Some(sequence) = parts.sequence {
        metadata.insert("sequence".to_owned(), json!(sequence));
    }
    let mut event = object([
        ("activity_id", json!(activity_id)),
        ("activity_name", json!(activity_name)),
        ("actor", parts.actor),
        ("category_name", json!(CATEGORY.1)),
        ("category_uid", json!(CATEGORY.0)),
        ("class_name", json!(schema.class_name)),
        ("class_uid", json!(schema.class_uid)),
        ("message", json!(format!("{}: {}", meaning.words, parts.whose))),
        ("metadata", Value::Object(metadata)),
        ("privileges", json!(parts.privileges)),
        ("raw_data", json!(parts.body)),
        (
            "raw_data_hash",
            json!({ "algorithm": "SHA-256", "algorithm_id": 3, "value": sha256_hex(parts.body.as_bytes()) }),
        ),
        ("resources", json!(parts.resources)),
        ("severity", json!(severity)),
        ("severity_id", json!(severity_id)),
        ("status", json!(status)),
        ("status_id", json!(status_id)),
        ("time", json!(parts.at.as_millisecond())),
        ("timezone_offset", json!(0)),
        ("type_name", json!(format!("{}: {activity_name}", schema.class_name))),
        ("type_uid", json!(schema.class_uid * 100 + activity_id)),
        ("unmapped", json!({ "curfew": parts.unmapped })),
        ("user", parts.user),
    ]);
    let optional = [("status_code", meaning.status_code), ("status_detail", meaning.status_detail)];
    for (name, value) in optional {
        if let Some(value) = value {
            event.insert(name.to_owned(), Value::String(value));
        }
    }
    Value::Object(event)
}

fn actor(schema: &Schema, actor: &Actor) -> Value {
    let part = |part| (schema.program)("Curfew", Some(part));
    match actor {
        Actor::Source(source) => (schema.program)(source.as_str(), None),
        Actor::Person(email) => json!({ "user": person(email) }),
        // A name that somebody gave themselves: it is no account's.
        Actor::Operator(name) => {
            json!({ "user": { "name": name, "type": "Operator, as they named themselves", "type_id": 99 } })
        }
        Actor::Timer => part("timer"),
        Actor::GrantFunction => part("grant"),
        Actor::RevokeFunction => part("revoke"),
        Actor::Sweep => part("sweep"),
    }
}

fn person(email: &Email) -> Value {
    json!({ "email_addr": email, "name": email, "type": "User", "type_id": 1 })
}

/// Whoever receives the access: a person, by what AWS knows them as.
fn recipient(principal: &Principal, requester: &Email) -> Value {
    let (kind, type_id) = match principal.kind() {
        PrincipalKind::User => ("User", 1),
        PrincipalKind::Role => ("AWS IAM Role", 99),
    };
    json!({
        "account": { "type": "AWS Account", "type_id": 10, "uid": principal.account() },
        "email_addr": requester,
        "name": principal.name(),
        "type": kind,
        "type_id": type_id,
        "uid": principal.arn(),
    })
}

fn attached(access: &Attached) -> Value {
    match access {
        Attached::Inline(name) => json!({ "kind": "inline", "policy_name": name }),
        Attached::Managed(arn) => json!({ "kind": "managed", "policy_arn": arn }),
    }
}

fn policy(access: &Attached) -> Value {
    match access {
        Attached::Inline(name) => {
            json!({ "name": name, "role": "Related", "role_id": 4, "type": "AWS IAM inline policy" })
        }
        Attached::Managed(arn) => {
            json!({ "role": "Related", "role_id": 4, "type": "AWS IAM managed policy", "uid": arn })
        }
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
