//! Two stacks side by side: nothing in the template has a name of its own.

use serde_json::{Value, json};

use crate::document::template;

/// The properties by which CloudFormation is told a name, and those that only sound like it.
fn is_a_name(kind: &str, property: &str) -> bool {
    const NAMES: [&str; 12] = [
        "FunctionName",
        "TableName",
        "BucketName",
        "QueueName",
        "LogGroupName",
        "RoleName",
        "ManagedPolicyName",
        "DashboardName",
        "AlarmName",
        "AliasName",
        "SecretName",
        "Name",
    ];
    // What a permission, a mapping or a policy is for.
    let refers = ["::Permission", "::EventSourceMapping", "Policy"].iter().any(|end| kind.ends_with(end));
    NAMES.contains(&property) && !refers
}

#[test]
fn every_name_comes_from_the_stacks() {
    let template = template("template.yaml");
    let mut named = 0;
    for (id, resource) in template["Resources"].as_object().expect("resources") {
        let kind = resource["Type"].as_str().expect("a type");
        for (property, value) in resource["Properties"].as_object().into_iter().flatten() {
            if is_a_name(kind, property) {
                named += 1;
                assert!(
                    is_from_the_stack(value),
                    "{id}: {property} is {value}, and two stacks would share it"
                );
            }
        }
    }
    assert!(named > 10, "the rule looks at nothing");
}

fn is_from_the_stack(value: &Value) -> bool {
    let sub = value["Fn::Sub"].as_str();
    *value == json!({ "Ref": "AWS::StackName" }) || sub.is_some_and(|text| text.contains("${AWS::StackName}"))
}

/// A bucket's name is one for the whole world.
#[test]
fn the_archives_name_is_of_this_account_and_region() {
    let template = template("template.yaml");
    let name = &template["Resources"]["Archive"]["Properties"]["BucketName"];
    assert_eq!(*name, json!({ "Fn::Sub": "${AWS::StackName}-archive-${AWS::AccountId}-${AWS::Region}" }));
    // Of the longest stack that tenant.yaml takes, and of AWS's longest region: 63 characters are what S3 takes.
    let longest = "-archive-".len() + "123456789012".len() + "-".len() + "ap-southeast-1".len();
    let pattern = self::template("tenant.yaml")["Parameters"]["CurfewStackName"]["AllowedPattern"].clone();
    assert_eq!(pattern, format!("^[a-z][a-z0-9-]{{0,{}}}$", 63 - longest - 1));
}
