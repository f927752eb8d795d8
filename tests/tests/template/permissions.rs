//! Who may do what (P9).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::document::{listed, possibilities, resources, template};

/// One statement of a policy that some role has.
#[derive(Debug, Clone)]
struct Statement<'a> {
    sid: &'a str,
    body: &'a Value,
}

impl Statement<'_> {
    fn actions(&self) -> Vec<&str> {
        listed(&self.body["Action"])
            .iter()
            .map(|action| action.as_str().expect("an action is a text"))
            .collect()
    }

    /// ARNs as `Fn::Sub` has them; what is referred to by `Ref` or `Fn::GetAtt` is one thing and has no wildcard.
    fn patterns(&self) -> Vec<&str> {
        let all = listed(&self.body["Resource"]).into_iter();
        all.filter_map(|resource| resource.as_str().or_else(|| resource["Fn::Sub"].as_str())).collect()
    }
}

fn statements(document: &Value) -> Vec<Statement<'_>> {
    let all = listed(&document["Statement"]);
    all.into_iter()
        .map(|body| Statement { sid: body["Sid"].as_str().expect("every statement has a name"), body })
        .collect()
}

fn inline(role: &Value) -> Vec<Statement<'_>> {
    let policies = role["Properties"]["Policies"].as_array().into_iter().flatten();
    policies.flat_map(|policy| statements(&policy["PolicyDocument"])).collect()
}

/// The statements that each role may have, by the role's name in the template, managed policies of ours included.
fn roles(template: &Value) -> BTreeMap<&str, Vec<Statement<'_>>> {
    let mut roles = BTreeMap::new();
    for (name, role) in resources(template, "AWS::IAM::Role") {
        let mut all = inline(role);
        for policy in listed(&role["Properties"]["ManagedPolicyArns"]) {
            let policy = policy["Ref"].as_str().expect("a managed policy of this template");
            all.extend(statements(&template["Resources"][policy]["Properties"]["PolicyDocument"]));
        }
        roles.insert(name, all);
    }
    roles
}

/// The roles of both templates that touch IAM.
fn with_every_role(check: impl Fn(&str, &Statement<'_>)) {
    for file in ["template.yaml", "agent-role.yaml"] {
        let template = template(file);
        let roles = roles(&template);
        assert!(!roles.is_empty(), "{file}");
        for (role, statements) in &roles {
            assert!(!statements.is_empty(), "{file}: {role} has no permissions");
            statements.iter().for_each(|statement| check(role, statement));
        }
    }
}

fn changes_principals(action: &str) -> bool {
    let only_looks = action.starts_with("iam:Get") || action.starts_with("iam:List");
    action.starts_with("iam:") && action != "iam:PassRole" && !only_looks
}

#[test]
fn nobody_can_be_touched_who_does_not_carry_a_tenants_boundary() {
    let mut checked = BTreeSet::new();
    with_every_role(|_, statement| {
        for action in statement.actions().into_iter().filter(|action| changes_principals(action)) {
            let condition = &statement.body["Condition"];
            let boundary = json!({ "iam:PermissionsBoundary": { "Ref": "TenantBoundaryArns" } });
            assert_eq!(condition["StringEquals"], boundary, "{}: {action}", statement.sid);
            if action.starts_with("iam:Attach") {
                let listed = json!({ "iam:PolicyARN": { "Ref": "ManagedPolicyArns" } });
                assert_eq!(condition["ArnLike"], listed, "{}: {action}", statement.sid);
            }
            assert_eq!(statement.body["Effect"], "Allow");
        }
    });
    with_every_role(|_, statement| {
        assert!(statement.body["NotAction"].is_null() && statement.body["NotResource"].is_null())
    });
    let template = template("template.yaml");
    for statements in roles(&template).values() {
        checked.extend(
            statements
                .iter()
                .flat_map(Statement::actions)
                .filter(|action| changes_principals(action))
                .map(str::to_owned),
        );
    }
    // Policies on users and roles, and nothing else of IAM: no boundary, trust, key or principal is ever changed.
    let expected = [
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:DeleteRolePolicy",
        "iam:DeleteUserPolicy",
        "iam:DetachRolePolicy",
        "iam:DetachUserPolicy",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
    ];
    assert_eq!(checked, expected.map(str::to_owned).into());
}

/// A stack without a boundary would be one that can be used to climb: CloudFormation itself refuses it.
#[test]
fn a_deployment_must_name_a_boundary() {
    for (file, parameter) in
        [("template.yaml", "TenantBoundaryArns"), ("agent-role.yaml", "TenantBoundaryArns")]
    {
        let template = template(file);
        let parameter = &template["Parameters"][parameter];
        assert!(parameter["Default"].is_null(), "{file}: it has no default");
        let pattern = parameter["AllowedPattern"].as_str().expect("a pattern");
        assert!(
            pattern.contains(":policy/") && !pattern.contains('|'),
            "{file}: an empty one is refused: {pattern}"
        );
    }
}

#[test]
fn actions_are_named_and_never_all() {
    // AWS names no shorter list: DynamoDB uses all of a family with a key of one's own.
    let families = ["kms:ReEncrypt*", "kms:GenerateDataKey*"];
    with_every_role(|role, statement| {
        for action in statement.actions() {
            assert!(
                !action.contains('*') || families.contains(&action),
                "{role}: {}: {action}",
                statement.sid
            );
        }
    });
}

/// What each function's role may do at most. A change here is a change of what an intruder can do.
#[test]
fn each_function_may_do_what_it_is_for_and_no_more() {
    let template = template("template.yaml");
    let roles = roles(&template);
    let may = |role: &str| -> BTreeSet<String> {
        roles[role].iter().flat_map(Statement::actions).map(str::to_owned).collect()
    };
    let set = |actions: &[&[&str]]| -> BTreeSet<String> {
        actions.iter().flat_map(|actions| actions.iter()).map(|action| (*action).to_owned()).collect()
    };
    let closing: &[&str] = &[
        "dynamodb:ConditionCheckItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "events:DeleteRule",
        "events:RemoveTargets",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:DeleteRolePolicy",
        "iam:DeleteUserPolicy",
        "iam:DetachRolePolicy",
        "iam:DetachUserPolicy",
        "iam:GetRolePolicy",
        "iam:GetUserPolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListAttachedUserPolicies",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "scheduler:DeleteSchedule",
        "sts:AssumeRole",
        "sts:TagSession",
    ];
    let giving: &[&str] = &[
        "events:PutRule",
        "events:PutTargets",
        "iam:PassRole",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
        "scheduler:CreateSchedule",
        "scheduler:UpdateSchedule",
    ];
    assert_eq!(may("GrantRole"), set(&[closing, giving, &["secretsmanager:GetSecretValue"]]));
    assert_eq!(may("RevokeRole"), set(&[closing, &["sqs:SendMessage"]]));
    // It finishes what `grant` began, and so gives as well; and it alone sees what everybody holds.
    let sweeping: &[&str] = &["iam:GetAccountAuthorizationDetails", "sqs:SendMessage"];
    assert_eq!(may("SweepRole"), set(&[closing, giving, sweeping]));
    assert_eq!(may("TimerRole"), set(&[&["lambda:InvokeFunction", "sqs:SendMessage"]]));
    assert_eq!(roles.len(), 4, "there are no other roles");

    // The ledger only grows, and nobody reads it whole.
    for role in roles.keys() {
        for never in
            ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:Scan", "dynamodb:DeleteTable"]
        {
            assert!(!may(role).contains(never), "{role} may {never}");
        }
    }
    // Who has what in a tenant is the operator's question, what is due the sweep's: the function that strangers reach asks
    // neither, but what the requester of an approval has.
    let indexes = |role: &str| -> BTreeSet<&str> {
        let patterns = roles[role].iter().flat_map(Statement::patterns);
        patterns.filter_map(|pattern| Some(pattern.split_once("/index/")?.1)).collect()
    };
    assert_eq!(indexes("GrantRole"), ["live_by_person"].into());
    assert_eq!(indexes("RevokeRole"), ["live_by_person", "live_by_tenant", "reviews"].into());
    assert_eq!(indexes("SweepRole"), ["due", "live_by_tenant"].into());
}

/// Where one role of Curfew's own account may do something in AWS, the agent role may in a tenant's; and nothing else.
#[test]
fn the_agent_role_may_do_in_a_tenants_account_what_the_functions_may_in_their_own() {
    let (own, tenants) = (template("template.yaml"), template("agent-role.yaml"));
    let iam = |template: &Value| -> BTreeSet<String> {
        let roles = roles(template);
        let actions = roles.values().flatten().flat_map(Statement::actions);
        // The timers are in Curfew's own account, and so is the role that they are handed.
        actions
            .filter(|action| action.starts_with("iam:") && *action != "iam:PassRole")
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(iam(&tenants), iam(&own));
}

/// What a grant is given with, it is changed and restored with: one policy, of those who give and of nobody else.
#[test]
fn who_gives_access_gives_it_within_the_same_limits() {
    let template = template("template.yaml");
    let holders = |policy: &str| -> Vec<String> {
        let all = resources(&template, "AWS::IAM::Role").into_iter();
        all.filter(|(_, role)| {
            listed(&role["Properties"]["ManagedPolicyArns"]).contains(&&json!({ "Ref": policy }))
        })
        .map(|(name, _)| name.to_owned())
        .collect()
    };
    assert_eq!(holders("GiveAccessPolicy"), ["GrantRole", "SweepRole"]);
    assert_eq!(holders("CloseGrantsPolicy"), ["GrantRole", "RevokeRole", "SweepRole"]);
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in inline(role) {
            let gives = statement.actions().into_iter().find(|action| changes_principals(action));
            assert_eq!(gives, None, "{name}: {} gives beside the shared policies", statement.sid);
        }
    }
}

/// Every resource with a wildcard, and why it has one.
#[test]
fn a_wildcard_in_a_resource_has_a_reason() {
    let reasons = BTreeMap::from([
        (
            "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*",
            "people's users; the condition on the boundary is the bound",
        ),
        (
            "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*",
            "people's roles; the condition on the boundary is the bound",
        ),
        (
            "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/${TimerGroup}/curfew-g-*",
            "timers are named after grants, in a group of the stack's own",
        ),
        (
            "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/curfew-g-*",
            "timers are named after grants; rules have no groups",
        ),
        ("*", "an inventory is of the whole account: AWS knows no resource for it, and it only reads"),
    ]);
    let mut used = BTreeSet::new();
    for file in ["template.yaml", "agent-role.yaml"] {
        let template = template(file);
        for (role, statements) in roles(&template) {
            for statement in statements {
                for pattern in statement.patterns().into_iter().filter(|pattern| pattern.contains('*')) {
                    assert!(
                        reasons.contains_key(pattern),
                        "{role}: {}: {pattern} has no reason",
                        statement.sid
                    );
                    if pattern == "*" {
                        assert_eq!(statement.actions(), ["iam:GetAccountAuthorizationDetails"], "{role}");
                    }
                    used.insert(pattern.to_owned());
                }
            }
        }
    }
    assert_eq!(used.len(), reasons.len(), "a reason for what is not there: {used:?}");
}

#[test]
fn roles_are_assumed_by_whom_they_are_for_and_timers_call_revoke_alone() {
    let template = template("template.yaml");
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        let trust = statements_of_trust(role);
        let [trust] = trust.as_slice() else { panic!("{name} is trusted to one service: {trust:?}") };
        let service = if name == "TimerRole" { "scheduler.amazonaws.com" } else { "lambda.amazonaws.com" };
        assert_eq!(trust["Principal"], json!({ "Service": service }), "{name}");
        assert_eq!(trust["Action"], "sts:AssumeRole", "{name}");
        if name == "TimerRole" {
            let only = json!({ "aws:SourceAccount": { "Ref": "AWS::AccountId" }, "aws:SourceArn": { "Fn::GetAtt": "TimerGroup.Arn" } });
            assert_eq!(trust["Condition"]["StringEquals"], only, "not for anyone else's schedules");
        }
    }
    let roles = roles(&template);
    let find = |sid: &str| {
        let found = roles.values().flatten().find(|statement| statement.sid == sid);
        found.unwrap_or_else(|| panic!("no statement {sid}")).body
    };
    assert_eq!(find("HandTheTimerRoleToScheduler")["Resource"], json!({ "Fn::GetAtt": "TimerRole.Arn" }));
    let to_scheduler = json!({ "StringEquals": { "iam:PassedToService": "scheduler.amazonaws.com" } });
    assert_eq!(find("HandTheTimerRoleToScheduler")["Condition"], to_scheduler);
    let to_revoke =
        json!({ "ForAllValues:ArnEquals": { "events:TargetArn": { "Fn::GetAtt": "RevokeFunction.Arn" } } });
    assert_eq!(find("AimRuleTimersAtRevoke")["Condition"], to_revoke);
    let [invoke, _] = roles["TimerRole"].as_slice() else { panic!("the timer role has two statements") };
    assert_eq!(possibilities(&invoke.body["Resource"]), [&json!({ "Fn::GetAtt": "RevokeFunction.Arn" })]);
}

fn statements_of_trust(role: &Value) -> Vec<&Value> {
    listed(&role["Properties"]["AssumeRolePolicyDocument"]["Statement"])
}

/// Whoever is trusted with an account of its own says the external id.
#[test]
fn the_agent_role_asks_for_the_tenants_external_id() {
    let template = template("agent-role.yaml");
    let [(_, role)] = resources(&template, "AWS::IAM::Role").try_into().expect("one role");
    let assume =
        statements_of_trust(role).into_iter().find(|statement| statement["Action"] == "sts:AssumeRole");
    let assume = assume.expect("a statement for AssumeRole");
    assert_eq!(assume["Condition"]["StringEquals"]["sts:ExternalId"], json!({ "Ref": "ExternalId" }));
    assert_eq!(assume["Principal"], json!({ "AWS": { "Ref": "CurfewRoleArns" } }));
}
