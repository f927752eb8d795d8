//! Whoever has an emergency's power gets to what runs, and neither to who may what, to money, to the record, nor to
//! Curfew.

use curfew_domain::catalog::RoleAccess;
use curfew_domain::document::{PolicyEffect, Statement};
use curfew_domain::ids::RoleName;

use super::policy::{allowed, covers, covers_action, scope, written};
use super::shipped::shipped;

fn statements() -> Vec<Statement> {
    let catalog = shipped();
    let role = catalog.role(&RoleName::new("prod-breakglass").unwrap()).unwrap();
    let RoleAccess::Inline { statements } = role.access() else { panic!("{role:?}") };
    statements.clone()
}

/// Whether a statement is about an action on a resource.
fn is_about(statement: &Statement, action: &str, resource: &str) -> bool {
    let scope = scope("example");
    statement.actions().any(|pattern| covers_action(pattern.as_str(), action))
        && statement.resources().any(|pattern| covers(&pattern.template().expand(&scope), resource))
}

/// What would let somebody keep the power, pay with it, or hide what was done with it.
const KEPT_AWAY: [&str; 24] = [
    "account:CloseAccount",
    "aws-portal:ModifyBilling",
    "billing:PutContractInformation",
    "cloudtrail:DeleteTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "config:StopConfigurationRecorder",
    "guardduty:DeleteDetector",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:DeleteUserPolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "identitystore:CreateUser",
    "kms:CreateGrant",
    "kms:PutKeyPolicy",
    "organizations:LeaveOrganization",
    "rolesanywhere:CreateProfile",
    "securityhub:DisableSecurityHub",
    "sso:CreateAccountAssignment",
    "sts:AssumeRole",
    "sts:GetFederationToken",
];

#[test]
fn nothing_that_keeps_the_power_is_allowed_and_all_of_it_is_denied() {
    let statements = statements();
    for action in KEPT_AWAY {
        let allowing = statements.iter().any(|s| allowed(s).any(|pattern| covers_action(pattern, action)));
        assert!(!allowing, "`{action}` is allowed, and no more than a denial keeps it away");
        let denying = statements.iter().any(|s| {
            s.effect() == PolicyEffect::Deny
                && s.conditions().iter().next().is_none()
                && is_about(s, action, "*")
        });
        assert!(denying, "`{action}` is not denied, whatever else the person may do");
    }
}

/// A stack that was made with a service role is updated with that role, without `iam:PassRole`.
#[test]
fn nothing_acts_with_the_role_of_a_stack() {
    for action in [
        "UpdateStack",
        "CreateStack",
        "CreateChangeSet",
        "ExecuteChangeSet",
        "UpdateStackSet",
        "CreateResource",
    ] {
        let action = format!("cloudformation:{action}");
        let allowing = statements().iter().any(|s| allowed(s).any(|pattern| covers_action(pattern, &action)));
        assert!(!allowing, "{action}");
    }
}

#[test]
fn no_statement_allows_everything() {
    for statement in statements() {
        assert!(allowed(&statement).all(|action| action != "*"), "{statement:?}");
    }
}

/// An action on a resource, as IAM would see it in the tenant's account.
const CURFEWS_OWN: [(&str, &str); 9] = [
    ("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-central-1:111122223333:table/curfew-Ledger-1A2B3C"),
    ("dynamodb:Query", "arn:aws:dynamodb:eu-central-1:111122223333:table/curfew-Ledger-1A2B3C/index/due"),
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-central-1:111122223333:function:curfew-revoke"),
    ("scheduler:DeleteSchedule", "arn:aws:scheduler:eu-central-1:111122223333:schedule/curfew/curfew-g-abc"),
    ("events:DeleteRule", "arn:aws:events:eu-central-1:111122223333:rule/curfew-g-abc"),
    ("sqs:PurgeQueue", "arn:aws:sqs:eu-central-1:111122223333:curfew-FailedInvocations-1A2B3C"),
    ("logs:DeleteLogGroup", "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/curfew-grant:*"),
    (
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:eu-central-1:111122223333:secret:WebhookSecret-1A2B3C-x",
    ),
    ("cloudformation:RollbackStack", "arn:aws:cloudformation:eu-central-1:111122223333:stack/curfew/1a2b"),
];

#[test]
fn curfew_itself_is_out_of_reach_by_name_and_by_tag() {
    let statements = statements();
    let denying = |tagged: bool| {
        statements.iter().filter(move |s| {
            let by_tag = s.conditions().iter().any(|(operator, key, values)| {
                (operator, key) == ("StringEquals", "aws:ResourceTag/aws:cloudformation:stack-name")
                    && values.iter().all(|value| written(value) == "curfew")
            });
            s.effect() == PolicyEffect::Deny && by_tag == tagged
        })
    };
    for (action, resource) in CURFEWS_OWN {
        assert!(
            statements.iter().any(|s| s.effect() == PolicyEffect::Allow && is_about(s, action, resource)),
            "`{action}` is allowed nowhere, so that its denial shows nothing"
        );
        for tagged in [false, true] {
            assert!(denying(tagged).any(|s| is_about(s, action, resource)), "{action} {resource} {tagged}");
        }
    }
}

#[test]
fn what_runs_can_be_repaired() {
    let statements = statements();
    for (action, resource) in [
        ("ec2:RebootInstances", "arn:aws:ec2:eu-central-1:111122223333:instance/i-1"),
        ("rds:RestoreDBInstanceToPointInTime", "arn:aws:rds:eu-central-1:111122223333:db:orders"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-central-1:111122223333:function:checkout"),
        ("dynamodb:UpdateItem", "arn:aws:dynamodb:eu-central-1:111122223333:table/orders"),
        ("cloudformation:RollbackStack", "arn:aws:cloudformation:eu-central-1:111122223333:stack/shop/1a2b"),
        ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1"),
    ] {
        let about: Vec<_> = statements.iter().filter(|s| is_about(s, action, resource)).collect();
        assert!(about.iter().any(|s| s.effect() == PolicyEffect::Allow), "{action}");
        // What is left of denials asks for a tag that these do not carry.
        let without_condition = |s: &&&Statement| s.conditions().iter().next().is_none();
        let denied = about.iter().filter(without_condition).any(|s| s.effect() == PolicyEffect::Deny);
        assert!(!denied, "{action}");
    }
}
