//! Reading the policies in a template: who has which statements.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::{listed, resources};

/// One statement of a policy.
#[derive(Debug, Clone)]
pub(crate) struct Statement<'a> {
    /// Its name.
    pub(crate) sid: &'a str,
    /// All of it.
    pub(crate) body: &'a Value,
}

impl Statement<'_> {
    /// The actions it names.
    pub(crate) fn actions(&self) -> Vec<&str> {
        listed(&self.body["Action"])
            .iter()
            .map(|action| action.as_str().expect("an action is a text"))
            .collect()
    }

    /// ARNs as `Fn::Sub` has them; what is referred to by `Ref` or `Fn::GetAtt` is one thing and has no wildcard.
    pub(crate) fn patterns(&self) -> Vec<&str> {
        let all = listed(&self.body["Resource"]).into_iter();
        all.filter_map(|resource| resource.as_str().or_else(|| resource["Fn::Sub"].as_str())).collect()
    }
}

/// The statements of a policy document.
pub(crate) fn statements(document: &Value) -> Vec<Statement<'_>> {
    let all = listed(&document["Statement"]);
    all.into_iter()
        .map(|body| Statement { sid: body["Sid"].as_str().expect("every statement has a name"), body })
        .collect()
}

/// The statements of a role's own policies.
pub(crate) fn inline(role: &Value) -> Vec<Statement<'_>> {
    let policies = role["Properties"]["Policies"].as_array().into_iter().flatten();
    policies.flat_map(|policy| statements(&policy["PolicyDocument"])).collect()
}

/// The statements that each role may have, by the role's name in the template, managed policies of ours included.
pub(crate) fn roles(template: &Value) -> BTreeMap<&str, Vec<Statement<'_>>> {
    let mut roles = BTreeMap::new();
    for (name, role) in resources(template, "AWS::IAM::Role") {
        let mut all = inline(role);
        for policy in listed(&role["Properties"]["ManagedPolicyArns"]) {
            let policy = policy["Ref"].as_str().expect("a managed policy of this template");
            all.extend(statements(&template["Resources"][policy]["Properties"]["PolicyDocument"]));
        }
        assert!(!all.is_empty(), "{name} has no permissions");
        roles.insert(name, all);
    }
    roles
}

/// The statements of a role's trust policy.
pub(crate) fn trust(role: &Value) -> Vec<&Value> {
    listed(&role["Properties"]["AssumeRolePolicyDocument"]["Statement"])
}

/// Whether an action gives a principal something.
pub(crate) fn gives(action: &str) -> bool {
    action.starts_with("iam:Put") || action.starts_with("iam:Attach")
}

/// Whether an action changes anything of IAM, but for handing a role to a service.
pub(crate) fn changes_principals(action: &str) -> bool {
    let only_looks = action.starts_with("iam:Get") || action.starts_with("iam:List");
    action.starts_with("iam:") && action != "iam:PassRole" && !only_looks
}

/// Whether an action is meant by a pattern of IAM: `*` for any letters.
pub(crate) fn is_meant_by(action: &str, pattern: &str) -> bool {
    let (action, pattern) = (action.to_ascii_lowercase(), pattern.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => action == pattern,
        Some((start, "")) => action.starts_with(start),
        Some(_) => panic!("one wildcard, at the end: {pattern}"),
    }
}
