//! Which actions are told to outlive the window, and which are not.

use super::*;

/// A catalog with one permission, whose statement has `effect` and `action`.
fn found(effect: &str, action: &str) -> Vec<String> {
    let text = format!(
        "[permission.p]\ndescription = \"d\"\n[[permission.p.statement]]\nEffect = \"{effect}\"\n\
         Action = {action}\nResource = \"*\"\n"
    );
    parse(&[("c.toml", &text)]).unwrap().warnings().iter().map(ToString::to_string).collect()
}

fn one(action: &str) -> Vec<String> {
    found("Allow", &format!("\"{action}\""))
}

const SESSION: &str = "a session of an assumed role lives on for up to 12 h";
const CREDENTIALS: &str = "temporary credentials live on for up to 36 h";
const KEY: &str = "a new key or password stays for ever";
const POLICY: &str = "changed policies, trust, groups and boundaries stay for ever";
const CODE: &str = "what was started or deployed acts on with its role for ever";
const SHELL: &str = "an open shell or a running command goes on until it ends by itself";

#[test]
fn actions_that_outlive_the_window_are_told_one_by_one() {
    for (action, stays) in [
        ("sts:AssumeRole", SESSION),
        ("sts:AssumeRole*", SESSION),
        ("sts:AssumeRoleWithSAML", SESSION),
        ("sts:AssumeRoleWithWebIdentity", SESSION),
        ("sts:AssumeRoot", SESSION),
        ("sts:GetFederationToken", CREDENTIALS),
        ("sts:GetSessionToken", CREDENTIALS),
        ("sts:Get*", CREDENTIALS),
        ("iam:CreateAccessKey", KEY),
        ("iam:CreateLoginProfile", KEY),
        ("iam:CreateServiceSpecificCredential", KEY),
        ("iam:UpdateLoginProfile", KEY),
        ("iam:*LoginProfile", KEY),
        ("iam:AddUserToGroup", POLICY),
        ("iam:AttachGroupPolicy", POLICY),
        ("iam:AttachRolePolicy", POLICY),
        ("iam:AttachUserPolicy", POLICY),
        ("iam:Attach*Policy", POLICY),
        ("iam:CreatePolicyVersion", POLICY),
        ("iam:CreateRole", POLICY),
        ("iam:DeleteRolePermissionsBoundary", POLICY),
        ("iam:DeleteUserPermissionsBoundary", POLICY),
        ("iam:PutGroupPolicy", POLICY),
        ("iam:PutRolePermissionsBoundary", POLICY),
        ("iam:PutRolePolicy", POLICY),
        ("iam:PutUserPermissionsBoundary", POLICY),
        ("iam:PutUserPolicy", POLICY),
        ("iam:Put*Policy", POLICY),
        ("iam:Put????Policy", POLICY),
        ("iam:SetDefaultPolicyVersion", POLICY),
        ("iam:UpdateAssumeRolePolicy", POLICY),
        ("iam:PassRole", CODE),
        ("IAM:passrole", CODE),
        ("iam:P*a*s*s*R*o*l*e*", CODE),
        ("lambda:UpdateFunctionCode", CODE),
        ("lambda:*", CODE),
        ("ec2-instance-connect:SendSSHPublicKey", SHELL),
        ("ec2-instance-connect:SendSerialConsoleSSHPublicKey", SHELL),
        ("ecs:ExecuteCommand", SHELL),
        ("ssm:SendCommand", SHELL),
        ("ssm:StartSession", SHELL),
        ("ssm:S?*", SHELL),
    ] {
        let told = one(action);
        assert_eq!(told.len(), 1, "{action}: {told:#?}");
        let start = format!(
            "c.toml:5:10: warning: statement 1 of permission `p` allows `{action}`, \
             and what that makes outlives the window: {stays}; "
        );
        assert!(told[0].starts_with(&start), "{action}: {told:#?}");
        assert!(told[0].len() > start.len(), "{action} has no remedy");
    }
}

#[test]
fn a_wildcard_is_told_once_with_everything_that_it_makes() {
    let remedy = "list the actions that are needed instead";
    for (action, stays) in [
        ("*", [SESSION, CREDENTIALS, KEY, POLICY, CODE, SHELL].as_slice()),
        ("sts:*", &[SESSION, CREDENTIALS]),
        ("iam:*", &[KEY, POLICY, CODE]),
        ("iam:Create*", &[KEY, POLICY]),
    ] {
        let told = one(action);
        assert_eq!(told.len(), 1, "{action}: {told:#?}");
        assert!(told[0].ends_with(&format!(": {}; {remedy}", stays.join(", "))), "{action}: {told:#?}");
    }
}

#[test]
fn each_action_is_told_where_it_stands() {
    let told = found("Allow", "[\n  \"s3:GetObject\",\n  \"iam:PassRole\",\n  \"sts:AssumeRole\",\n]");
    let starts = ["c.toml:7:3: warning: ", "c.toml:8:3: warning: "];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
}

#[test]
fn near_misses_and_denials_are_not_told() {
    for action in [
        "sts:GetCallerIdentity",
        "sts:AssumeRol",
        "sts:AssumeRole?",
        "sts:AssumeRoles",
        "sts:TagSession",
        "iam:Get*",
        "iam:List*",
        "iam:DeleteAccessKey",
        "iam:DetachRolePolicy",
        "iam:Put??Policy",
        "iam:CreateAccessKeys*",
        "xiam:PassRole",
        "s3:*",
        "ecs:UpdateService",
        "ecs:Describe*",
        "lambda:InvokeFunction",
        "ssm:GetParameter*",
        "ssm:TerminateSession",
        "ec2:*",
    ] {
        assert_eq!(one(action), Vec::<String>::new(), "{action}");
    }
    assert_eq!(found("Deny", "[\"*\"]"), Vec::<String>::new());
    assert_eq!(found("Deny", "\"sts:AssumeRole\""), Vec::<String>::new());
}

#[test]
fn the_catalogs_of_the_local_stack_and_of_the_tests_have_nothing_that_outlives() {
    for (name, text) in [
        (
            "acme.toml",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/local/catalog/acme.toml")),
        ),
        ("roles.toml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/catalog/roles.toml"))),
        ("catalog.toml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testkit/catalog.toml"))),
    ] {
        let catalog = parse(&[(name, text)]).unwrap();
        let outliving: Vec<String> = catalog
            .warnings()
            .iter()
            .map(ToString::to_string)
            .filter(|warning| warning.contains("outlives the window"))
            .collect();
        assert_eq!(outliving, Vec::<String>::new(), "{name}");
    }
}
