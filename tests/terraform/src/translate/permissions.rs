//! IAM: roles, their policies, and what they are attached to.

use super::{Entry, Making, Rule, Table};
use crate::cloudformation::Node;
use crate::expression::snake;
use crate::language::{Block, Expr};

pub(super) const TABLES: &[Table] = &[
    Table::new("AWS::IAM::Role", "aws_iam_role", ROLE).named("name"),
    Table::new("AWS::IAM::ManagedPolicy", "aws_iam_policy", POLICY).named("name"),
];

const ROLE: &[Entry] = &[
    ("RoleName", Rule::As("name")),
    ("Path", Rule::As("path")),
    ("Description", Rule::As("description")),
    ("MaxSessionDuration", Rule::As("max_session_duration")),
    ("PermissionsBoundary", Rule::As("permissions_boundary")),
    ("AssumeRolePolicyDocument", Rule::Json("assume_role_policy")),
    ("ManagedPolicyArns", Rule::Own(attachments)),
    ("Policies", Rule::Own(inline)),
    ("Tags", Rule::Pairs("tags", "Key", "Value")),
];

const POLICY: &[Entry] = &[
    ("ManagedPolicyName", Rule::As("name")),
    ("Path", Rule::As("path")),
    ("Description", Rule::As("description")),
    ("PolicyDocument", Rule::Json("policy")),
];

fn attachments(making: &mut Making<'_>, arns: &Node, _: &mut Block) {
    for arn in making.items(arns) {
        let Node::Call(function, policy) = arn else {
            panic!("a policy that is not the template's: {arn:?}")
        };
        assert_eq!(function, "Ref", "a policy that is not the template's");
        let policy_name = snake(making.literal(policy));
        let name = format!("{}_{policy_name}", making.name());
        let mut block = making.another("aws_iam_role_policy_attachment", &name);
        block.set("role", making.own("name"));
        block.set("policy_arn", making.value(arn));
        making.others.push(block);
    }
}

fn inline(making: &mut Making<'_>, policies: &Node, _: &mut Block) {
    for policy in making.items(policies) {
        let name = policy.get("PolicyName").map(|name| making.literal(name)).unwrap_or_default();
        let mut block = making.another("aws_iam_role_policy", &format!("{}_{}", making.name(), snake(name)));
        const POLICY: &[Entry] =
            &[("PolicyName", Rule::As("name")), ("PolicyDocument", Rule::Json("policy"))];
        block.set("role", making.own("name"));
        making.apply(POLICY, policy, &mut block);
        making.others.push(block);
    }
}

/// What a role needs before it can do what it is for: its policies and attachments.
pub(super) fn of_role(block: &Block, role: &str) -> bool {
    let kinds = ["aws_iam_role_policy", "aws_iam_role_policy_attachment"];
    block.labels.first().is_some_and(|kind| kinds.contains(&kind.as_str()))
        && block.argument("role") == Some(&Expr::name(format!("aws_iam_role.{role}.name")))
}
