//! Who may do what in Curfew's own account (P9).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::document::{listed, possibilities, resources, template};
use crate::policy::{Statement, changes_principals, gives, inline, roles, statements, trust};

/// Giving asks for the tenant's boundary and its tag; taking away for the boundary alone, or a tag that was lost would
/// keep access.
#[test]
fn nobody_is_given_anything_who_does_not_carry_a_tenants_boundary_and_tag() {
    let template = template("template.yaml");
    let mut checked = BTreeSet::new();
    for statement in roles(&template).values().flatten() {
        assert!(statement.body["NotAction"].is_null() && statement.body["NotResource"].is_null());
        for action in statement.actions().into_iter().filter(|action| changes_principals(action)) {
            let condition = &statement.body["Condition"];
            let mut wanted = json!({ "iam:PermissionsBoundary": { "Ref": "TenantBoundaryArns" } });
            if gives(action) {
                wanted["aws:ResourceTag/curfew:tenant"] = json!({ "Ref": "TenantIds" });
            }
            assert_eq!(condition["StringEquals"], wanted, "{}: {action}", statement.sid);
            if action.starts_with("iam:Attach") || action.starts_with("iam:Detach") {
                let listed = json!({ "iam:PolicyARN": { "Ref": "ManagedPolicyArns" } });
                assert_eq!(condition["ArnLike"], listed, "{}: {action}", statement.sid);
            }
            assert_eq!(statement.body["Effect"], "Allow");
            checked.insert(action.to_owned());
        }
    }
    // Policies on users and roles, and nothing else of IAM: no boundary, tag, trust, key or principal is ever changed.
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

/// A stack without a boundary would be one that can be used to climb, and whom it may touch is for the account's owner to
/// say: CloudFormation itself asks for both.
#[test]
fn a_deployment_must_name_boundaries_and_tenants() {
    let template = template("template.yaml");
    for name in ["TenantBoundaryArns", "TenantIds"] {
        let parameter = &template["Parameters"][name];
        assert_eq!(parameter["Type"], "CommaDelimitedList");
        assert!(parameter["Default"].is_null(), "{name} has no default");
        let pattern = parameter["AllowedPattern"].as_str().expect("a pattern");
        let some = pattern.starts_with("^arn:") || pattern.starts_with("^[a-z0-9]");
        assert!(some && !pattern.contains('|'), "{name}: an empty one is refused: {pattern}");
    }
}

#[test]
fn actions_are_named_and_never_all() {
    // AWS names no shorter list: DynamoDB uses all of a family with a key of one's own.
    let families = ["kms:ReEncrypt*", "kms:GenerateDataKey*"];
    for file in ["template.yaml", "tenant.yaml"] {
        let template = template(file);
        for (role, statements) in roles(&template) {
            for statement in statements {
                for action in statement.actions() {
                    assert!(
                        !action.contains('*') || families.contains(&action),
                        "{role}: {}: {action}",
                        statement.sid
                    );
                }
            }
        }
    }
}

fn set(actions: &[&[&str]]) -> BTreeSet<String> {
    actions.iter().flat_map(|actions| actions.iter()).map(|action| (*action).to_owned()).collect()
}

fn actions_of(roles: &BTreeMap<&str, Vec<Statement<'_>>>, role: &str) -> BTreeSet<String> {
    roles[role].iter().flat_map(Statement::actions).map(str::to_owned).collect()
}

/// What each function's role may do at most. A change here is a change of what an intruder can do.
#[test]
fn each_function_may_do_what_it_is_for_and_no_more() {
    let template = template("template.yaml");
    let roles = roles(&template);
    let may = |role: &str| actions_of(&roles, role);
    let logging: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];
    let closing: &[&str] = &[
        "dynamodb:ConditionCheckItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "events:DeleteRule",
        "events:RemoveTargets",
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
        "scheduler:DeleteSchedule",
        "sts:AssumeRole",
        "sts:TagSession",
    ];
    let giving: &[&str] = &[
        "events:PutRule",
        "events:PutTargets",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:PassRole",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
        "scheduler:CreateSchedule",
        "scheduler:UpdateSchedule",
    ];
    assert_eq!(may("GrantRole"), set(&[logging, closing, giving, &["secretsmanager:GetSecretValue"]]));
    assert_eq!(may("RevokeRole"), set(&[logging, closing, &["sqs:SendMessage"]]), "it can only remove");
    // It finishes what `grant` began, and so gives as well; and it alone sees what everybody holds.
    let sweeping: &[&str] = &["iam:GetAccountAuthorizationDetails", "sqs:SendMessage"];
    assert_eq!(may("SweepRole"), set(&[logging, closing, giving, sweeping]));
    assert_eq!(may("TimerRole"), set(&[&["lambda:InvokeFunction", "sqs:SendMessage"]]));
    // To sign is not among it: the checkpoint key's own policy says who may, and nothing else can (`evidence`).
    let auditing: &[&str] = &[
        "dynamodb:DescribeStream",
        "dynamodb:GetItem",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "events:PutEvents",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sqs:SendMessage",
    ];
    assert_eq!(may("AuditRole"), set(&[logging, auditing]));
    // It reads. What its buttons call, the viewer calls.
    let looking: &[&str] = &["dynamodb:Query", "dynamodb:Scan", "kms:Decrypt", "kms:DescribeKey"];
    assert_eq!(may("ConsoleRole"), set(&[logging, looking]));
    assert_eq!(roles.len(), 6, "there are no other roles");

    // The ledger only grows; and nobody touches functions, their configuration, or who may what.
    for role in roles.keys() {
        for never in ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteTable", "kms:Sign"] {
            assert!(!may(role).contains(never), "{role} may {never}");
        }
        let invokes = |action: &str| action.starts_with("lambda:") && *role != "TimerRole";
        assert!(!may(role).iter().any(|action| invokes(action)), "{role} reaches functions");
    }
}

/// Who has what in a tenant is the operator's question, what is due the sweep's: the function that strangers reach asks
/// neither, but what the requester of an approval has. Whoever only looks sees grants and nothing beside them.
#[test]
fn each_function_reads_the_part_of_the_ledger_that_it_is_for() {
    let template = template("template.yaml");
    let roles = roles(&template);
    let indexes = |role: &str| -> BTreeSet<&str> {
        let patterns = roles[role].iter().flat_map(Statement::patterns);
        patterns.filter_map(|pattern| Some(pattern.split_once("/index/")?.1)).collect()
    };
    assert_eq!(indexes("GrantRole"), ["live_by_person"].into());
    assert_eq!(indexes("RevokeRole"), ["live_by_person", "live_by_tenant", "reviews"].into());
    assert_eq!(indexes("SweepRole"), ["due", "live_by_tenant"].into());
    assert_eq!(indexes("AuditRole"), BTreeSet::new());
    assert_eq!(indexes("ConsoleRole"), ["live_by_tenant", "reviews"].into());
    // All at once is read of what is live alone.
    for (role, statements) in &roles {
        for statement in statements.iter().filter(|statement| statement.actions().contains(&"dynamodb:Scan"))
        {
            let only = json!({ "Fn::Sub": "${Ledger.Arn}/index/live_by_tenant" });
            assert_eq!((*role, &statement.body["Resource"]), ("ConsoleRole", &only), "{}", statement.sid);
        }
    }
    let (like, equal) = ("ForAllValues:StringLike", "ForAllValues:StringEquals");
    for (role, expected) in [
        ("ConsoleRole", vec![("ReadOneGrant", like, json!("GRANT#*"))]),
        (
            "AuditRole",
            vec![
                ("ReadEvents", like, json!(["GRANT#*", "TICKET#*", "ARCHIVE"])),
                ("RememberTheNewestCheckpoint", equal, json!(["ARCHIVE"])),
            ],
        ),
    ] {
        let on_the_table = roles[role]
            .iter()
            .filter(|statement| statement.body["Resource"] == json!({ "Fn::GetAtt": "Ledger.Arn" }))
            .map(|statement| (statement.sid, statement.body["Condition"].clone()));
        // `ForAllValues` holds where there is none; so there must be some.
        let expected = expected.into_iter().map(|(sid, operator, keys)| {
            let condition = json!({
                operator: { "dynamodb:LeadingKeys": keys },
                "Null": { "dynamodb:LeadingKeys": false },
            });
            (sid, condition)
        });
        assert_eq!(on_the_table.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{role}");
    }
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
    let closing = &template["Resources"]["CloseGrantsPolicy"]["Properties"]["PolicyDocument"];
    for statement in statements(closing) {
        let given = statement.actions().into_iter().find(|action| gives(action));
        assert_eq!(given, None, "{} gives, and the revoke function has it", statement.sid);
    }
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for statement in inline(role) {
            let given = statement.actions().into_iter().find(|action| changes_principals(action));
            assert_eq!(given, None, "{name}: {} gives beside the shared policies", statement.sid);
        }
    }
}

/// Every resource with a wildcard, and why it has one.
#[test]
fn a_wildcard_in_a_resource_has_a_reason() {
    let reasons = BTreeMap::from([
        (
            "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*",
            "people's users; the conditions on boundary and tag are the bound",
        ),
        (
            "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*",
            "people's roles; the conditions on boundary and tag are the bound",
        ),
        (
            "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/${TimerGroup}/curfew-g-*",
            "timers are named after grants, in a group of the stack's own",
        ),
        (
            "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/curfew-g-*",
            "timers are named after grants; rules have no groups",
        ),
        ("${Ledger.Arn}/stream/*", "a stream is found before its name is known; it only lists"),
        ("${Archive.Arn}/events/*", "objects are named after when they were written"),
        ("${Archive.Arn}/checkpoints/*", "checkpoints are numbered"),
        ("${Archive.Arn}/keys/*", "public keys are named after the key"),
        ("${Archive.Arn}/*", "what was archived is read again to be sealed"),
        ("*", "an inventory is of the whole account: AWS knows no resource for it, and it only reads"),
    ]);
    let mut used = BTreeSet::new();
    for file in ["template.yaml", "tenant.yaml"] {
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
                    if pattern == "${Archive.Arn}/*" {
                        assert_eq!(statement.actions(), ["s3:GetObject"], "{role}");
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
        let trust = trust(role);
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
    let find = |sid: &str| -> &Value {
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
