//! What the templates and the modules are compared under: parameters such that every condition holds once and once does
//! not.

use serde_json::{Map, Value, json};

use super::{PACKAGES, STACK};
use crate::cloudformation::workspace;
use crate::document::parsed;

/// A template and its module.
pub(super) struct Pair {
    pub(super) template: &'static str,
    pub(super) folder: &'static str,
    /// Parameters, as CloudFormation is given them.
    pub(super) settings: fn() -> Vec<Value>,
}

pub(super) const PAIRS: [Pair; 2] = [
    Pair { template: "template.yaml", folder: "infra/terraform", settings: of_curfew },
    Pair { template: "tenant.yaml", folder: "infra/terraform/tenant", settings: of_tenant },
];

/// A template of `infra/`.
pub(super) fn template(file: &str) -> Value {
    let path = workspace().join("infra").join(file);
    parsed(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn of_curfew() -> Vec<Value> {
    let needed = json!({
        "TenantBoundaryArns": "arn:aws:iam::111122223333:policy/one,arn:aws:iam::111122223333:policy/two",
        "TenantIds": "payments,billing",
    });
    let everything = json!({
        "KmsKeyArn": "arn:aws:kms:eu-central-1:111122223333:key/own",
        "AgentRoleArns": "arn:aws:iam::444455556666:role/curfew-agent",
        "ManagedPolicyArns": "arn:aws:iam::aws:policy/ReadOnlyAccess,arn:aws:iam::111122223333:policy/curfew/*",
        "FunctionUrl": "public",
        "AlarmTopicArn": "arn:aws:sns:eu-central-1:111122223333:alarms",
        "DeletionProtection": "false",
        "Architecture": "x86_64",
        "GrantReservedConcurrency": "",
        "RevokeReservedConcurrency": "",
        "SweepReservedConcurrency": "",
        "AuditReservedConcurrency": "",
        "ConsoleReservedConcurrency": "",
        "SourcePerMinute": 77,
        "ArchiveRetentionDays": 30,
        "ArchiveSettings": "changeable",
    });
    // What is chosen within something conditional; and lists of nothing but empty texts.
    let more = json!({ "FunctionUrl": "public", "AgentRoleArns": ",", "ManagedPolicyArns": "," });
    vec![needed.clone(), with(needed.clone(), everything), with(needed, more)]
}

fn of_tenant() -> Vec<Value> {
    let needed = json!({
        "TenantId": "payments",
        "CurfewStackName": "curfew",
        "GrantRoleArn": "arn:aws:iam::111122223333:role/curfew-GrantRole",
        "RevokeRoleArn": "arn:aws:iam::111122223333:role/curfew-RevokeRole",
        "SweepRoleArn": "arn:aws:iam::111122223333:role/curfew-SweepRole",
        "ExternalId": "0123456789abcdef",
        "GrantableActions": "s3:*,logs:*",
    });
    let everything = json!({
        "AnotherBoundaryArn": "arn:aws:iam::111122223333:policy/old",
        "ManagedPolicyArns": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "RoleName": "curfew-payments",
        "GrantableResources": "arn:aws:s3:::payments-*",
        "CurfewStackName": "curfew-prod",
    });
    let managed = json!({ "ManagedPolicyArns": "arn:aws:iam::aws:policy/ReadOnlyAccess" });
    let empties = json!({ "ManagedPolicyArns": "," });
    let boundary_alone = json!({ "AgentRole": "no" });
    let more = [everything, managed, empties, boundary_alone].map(|more| with(needed.clone(), more));
    std::iter::once(needed.clone()).chain(more).collect()
}

fn with(mut one: Value, more: Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        one[key] = value.clone();
    }
    one
}

/// The same setting for the module: a list is a list there, and the module is told what CloudFormation knows.
pub(super) fn variables(template: &Value, setting: &Value) -> Map<String, Value> {
    let mut variables = Map::new();
    variables.insert("stack_name".to_owned(), STACK.into());
    variables.insert("package_directory".to_owned(), PACKAGES.into());
    for (name, value) in setting.as_object().into_iter().flatten() {
        let value = match template["Parameters"][name]["Type"].as_str() {
            Some("CommaDelimitedList") => {
                value.as_str().unwrap_or_default().split(',').map(Value::from).collect()
            }
            _ => value.clone(),
        };
        variables.insert(underscored(name), value);
    }
    variables
}

/// A parameter's name as a variable's.
fn underscored(name: &str) -> String {
    let mut result = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !result.is_empty() {
            result.push('_');
        }
        result.push(letter.to_ascii_lowercase());
    }
    result
}
