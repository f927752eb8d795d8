//! What a tenant's account keeps Curfew, and whoever Curfew gave access to, from doing: `infra/tenant.yaml` and
//! `infra/scp/`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::document::{listed, resources, template};
use crate::policy::{Statement, changes_principals, gives, is_meant_by, roles, statements, trust};

/// Every operation of IAM that does not only look, as the service's API names them
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>).
const WRITES: &str = "
    AcceptDelegationRequest AddClientIDToOpenIDConnectProvider AddRoleToInstanceProfile AddUserToGroup
    AssociateDelegationRequest AttachGroupPolicy AttachRolePolicy AttachUserPolicy ChangePassword CreateAccessKey
    CreateAccountAlias CreateDelegationRequest CreateGroup CreateInstanceProfile CreateLoginProfile
    CreateOpenIDConnectProvider CreatePolicy CreatePolicyVersion CreateRole CreateSAMLProvider CreateServiceLinkedRole
    CreateServiceSpecificCredential CreateUser CreateVirtualMFADevice DeactivateMFADevice DeleteAccessKey
    DeleteAccountAlias DeleteAccountPasswordPolicy DeleteGroup DeleteGroupPolicy DeleteInstanceProfile
    DeleteLoginProfile DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole
    DeleteRolePermissionsBoundary DeleteRolePolicy DeleteSAMLProvider DeleteSSHPublicKey DeleteServerCertificate
    DeleteServiceLinkedRole DeleteServiceSpecificCredential DeleteSigningCertificate DeleteUser
    DeleteUserPermissionsBoundary DeleteUserPolicy DeleteVirtualMFADevice DetachGroupPolicy DetachRolePolicy
    DetachUserPolicy DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions
    DisableOutboundWebIdentityFederation EnableMFADevice EnableOrganizationsRootCredentialsManagement
    EnableOrganizationsRootSessions EnableOutboundWebIdentityFederation PassRole PutGroupPolicy
    PutRolePermissionsBoundary PutRolePolicy PutUserPermissionsBoundary PutUserPolicy RejectDelegationRequest
    RemoveClientIDFromOpenIDConnectProvider RemoveRoleFromInstanceProfile RemoveUserFromGroup
    ResetServiceSpecificCredential ResyncMFADevice SendDelegationToken SetDefaultPolicyVersion
    SetSecurityTokenServicePreferences TagInstanceProfile TagMFADevice TagOpenIDConnectProvider TagPolicy TagRole
    TagSAMLProvider TagServerCertificate TagUser UntagInstanceProfile UntagMFADevice UntagOpenIDConnectProvider
    UntagPolicy UntagRole UntagSAMLProvider UntagServerCertificate UntagUser UpdateAccessKey
    UpdateAccountPasswordPolicy UpdateAssumeRolePolicy UpdateDelegationRequest UpdateGroup UpdateLoginProfile
    UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription UpdateSAMLProvider UpdateSSHPublicKey
    UpdateServerCertificate UpdateServiceSpecificCredential UpdateSigningCertificate UpdateUser UploadSSHPublicKey
    UploadServerCertificate UploadSigningCertificate";

/// What a statement is about, of all that changes IAM.
fn writes_of(statement: &Statement<'_>) -> BTreeSet<String> {
    let all = WRITES.split_whitespace().map(|name| format!("iam:{name}"));
    all.filter(|action| statement.actions().iter().any(|pattern| is_meant_by(action, pattern))).collect()
}

fn all_writes() -> BTreeSet<String> {
    WRITES.split_whitespace().map(|name| format!("iam:{name}")).collect()
}

fn agent(template: &Value) -> &Value {
    let [(_, role)] = resources(template, "AWS::IAM::Role").try_into().expect("one role");
    role
}

/// Three locks on giving, and one on taking: a tag that was lost must not keep what was given.
#[test]
fn the_agent_role_gives_to_the_tenants_own_only_and_only_in_a_session_that_may_give() {
    let template = template("tenant.yaml");
    let boundaries = json!([
        { "Ref": "Boundary" },
        { "Fn::If": ["HasAnotherBoundary", { "Ref": "AnotherBoundaryArn" }, { "Ref": "AWS::NoValue" }] },
    ]);
    for statement in roles(&template).values().flatten() {
        assert!(statement.body["NotAction"].is_null() && statement.body["NotResource"].is_null());
        for action in statement.actions().into_iter().filter(|action| changes_principals(action)) {
            let mut wanted = json!({ "iam:PermissionsBoundary": boundaries });
            if gives(action) {
                wanted["aws:ResourceTag/curfew:tenant"] = json!({ "Ref": "TenantId" });
                wanted["aws:PrincipalTag/curfew:may"] = json!("give");
            }
            assert_eq!(statement.body["Condition"]["StringEquals"], wanted, "{}: {action}", statement.sid);
            if action.starts_with("iam:Attach") || action.starts_with("iam:Detach") {
                let listed = json!({ "iam:PolicyARN": { "Ref": "ManagedPolicyArns" } });
                assert_eq!(statement.body["Condition"]["ArnLike"], listed, "{}: {action}", statement.sid);
            }
            // One right of its own for each: what may be taken away must not ask for what giving asks for.
            assert_eq!(statement.actions().len(), 1, "{}", statement.sid);
        }
        if statement.actions() == ["iam:GetAccountAuthorizationDetails"] {
            // What everybody holds is the sweep's to see.
            let may_give = json!({ "StringEquals": { "aws:PrincipalTag/curfew:may": "give" } });
            assert_eq!(statement.body["Condition"], may_give);
        }
    }
}

/// Where one role of Curfew's own account may do something in AWS, the agent role may in a tenant's; and nothing else.
#[test]
fn the_agent_role_may_do_in_a_tenants_account_what_the_functions_may_in_their_own() {
    let (own, tenants) = (template("template.yaml"), template("tenant.yaml"));
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
    let beside: Vec<_> = roles(&tenants)
        .into_values()
        .flatten()
        .flat_map(|statement| statement.actions().into_iter().map(str::to_owned).collect::<Vec<_>>())
        .filter(|action| !action.starts_with("iam:"))
        .collect();
    assert_eq!(beside, [""; 0], "IAM is all that it is for");
}

/// Each function says its own word, and the tenant's account does not let it say another one.
#[test]
fn who_may_only_take_away_can_not_have_a_session_that_gives() {
    let template = template("tenant.yaml");
    let givers = json!([{ "Ref": "GrantRoleArn" }, { "Ref": "SweepRoleArn" }]);
    let statement = |sid: &str, who: Value, action: &str, may: &str| {
        let mut equals = json!({ "aws:RequestTag/curfew:may": may });
        let mut condition = json!({});
        if action == "sts:AssumeRole" {
            equals["sts:ExternalId"] = json!({ "Ref": "ExternalId" });
        } else {
            let keys = ["curfew:may", "source", "ticket", "grant"];
            condition["ForAllValues:StringEquals"] = json!({ "aws:TagKeys": keys });
        }
        condition["StringEquals"] = equals;
        json!({
            "Sid": sid, "Effect": "Allow", "Principal": { "AWS": who }, "Action": action, "Condition": condition,
        })
    };
    let revoke = json!({ "Ref": "RevokeRoleArn" });
    let wanted = [
        statement("WhoGivesAndTakes", givers.clone(), "sts:AssumeRole", "give"),
        statement("WhoOnlyTakes", revoke.clone(), "sts:AssumeRole", "remove"),
        statement("TagsOfWhoGivesAndTakes", givers, "sts:TagSession", "give"),
        statement("TagsOfWhoOnlyTakes", revoke, "sts:TagSession", "remove"),
    ];
    // Compared whole: a fifth statement, or a condition less, is a way in.
    assert_eq!(trust(agent(&template)), wanted.iter().collect::<Vec<_>>());
    // A tag of the role's own would be a word that nobody has to say.
    assert!(agent(&template)["Properties"]["Tags"].is_null());
    assert_eq!(agent(&template)["Properties"]["MaxSessionDuration"], 3600);
}

#[test]
fn a_deployment_must_say_what_may_be_granted_to_whom_and_by_whom() {
    let template = template("tenant.yaml");
    let needed = [
        "TenantId",
        "ExternalId",
        "GrantableActions",
        "GrantRoleArn",
        "RevokeRoleArn",
        "SweepRoleArn",
        // A stack by another name than is said here would be within everybody's reach.
        "CurfewStackName",
    ];
    for name in needed {
        assert!(template["Parameters"][name].is_object(), "{name}");
        assert!(template["Parameters"][name]["Default"].is_null(), "{name} has no default");
    }
    assert_eq!(template["Parameters"]["ExternalId"]["MinLength"], 16, "long enough not to be guessed");
}

#[test]
fn the_boundary_lets_nobody_change_iam_or_reach_curfew() {
    let template = template("tenant.yaml");
    let [(_, boundary)] = resources(&template, "AWS::IAM::ManagedPolicy").try_into().expect("one policy");
    assert_eq!(boundary["DeletionPolicy"], "RetainExceptOnCreate", "whoever carries it would be unbounded");
    let all = statements(&boundary["Properties"]["PolicyDocument"]);
    let find =
        |sid: &str| all.iter().find(|statement| statement.sid == sid).unwrap_or_else(|| panic!("{sid}"));
    let allowed: Vec<_> = all.iter().filter(|statement| statement.body["Effect"] == "Allow").collect();
    let [grantable] = allowed.as_slice() else { panic!("one statement allows: {allowed:?}") };
    assert_eq!(grantable.body["Action"], json!({ "Ref": "GrantableActions" }));
    assert_eq!(grantable.body["Resource"], json!({ "Ref": "GrantableResources" }));

    let iam = find("ChangesNothingInIam");
    assert_eq!((&iam.body["Effect"], &iam.body["Resource"]), (&json!("Deny"), &json!("*")));
    assert!(iam.body["Condition"].is_null(), "at all times");
    assert_eq!(writes_of(iam), all_writes());
    for elsewhere in ["organizations:*", "account:*", "sso:*", "sso-directory:*", "identitystore:*"] {
        assert!(iam.actions().contains(&elsewhere), "{elsewhere} is a way to keep access, too");
    }
    for looks in ["iam:GetUser", "iam:ListRoles", "iam:SimulatePrincipalPolicy"] {
        assert!(!iam.actions().iter().any(|pattern| is_meant_by(looks, pattern)), "{looks} changes nothing");
    }

    let curfew = find("ReachesNothingOfCurfew");
    assert_eq!((&curfew.body["Effect"], &curfew.body["Action"]), (&json!("Deny"), &json!("*")));
    assert!(curfew.body["Condition"].is_null(), "at all times");
    // IAM takes a wildcard for region and account, and none for the service.
    for pattern in curfew.patterns() {
        let service = pattern.split(':').nth(4).unwrap_or_default();
        assert!(!service.is_empty() && !service.contains('*'), "{pattern}");
    }
}

/// The organisation's policies, by file.
fn scp(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/scp").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const SCPS: [&str; 3] = ["grantees.json", "guards.json", "tags.json"];

#[test]
fn organisations_policies_only_deny_and_are_what_an_organisation_takes() {
    for file in SCPS {
        let policy = scp(file);
        // https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
        assert!(policy.to_string().len() <= 5_120, "{file} is too long");
        assert_eq!(policy["Version"], "2012-10-17", "{file}");
        for statement in statements(&policy) {
            assert_eq!(statement.body["Effect"], "Deny", "{file}: {}", statement.sid);
            // https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html
            assert!(statement.body["Principal"].is_null(), "{file}: an SCP names no principal");
            assert!(
                statement.body["Condition"].is_object(),
                "{file}: {} would stop everybody",
                statement.sid
            );
        }
    }
}

#[test]
fn whoever_is_given_access_can_change_nothing_in_iam_whatever_their_policies_say() {
    let policy = scp("grantees.json");
    let [only] = statements(&policy).try_into().expect("one statement");
    assert_eq!(writes_of(&only), all_writes());
    // Whoever carries the tag: the very mark by which Curfew may touch them.
    assert_eq!(only.body["Condition"], json!({ "Null": { "aws:PrincipalTag/curfew:tenant": "false" } }));
}

#[test]
fn tags_boundaries_and_the_agent_role_are_for_administrators_to_change() {
    let administrators = json!("arn:aws:iam::*:role/REPLACE-administrators");
    let (tags, guards) = (scp("tags.json"), scp("guards.json"));
    let find = |policy: &Value, sid: &str| -> Value {
        let found = statements(policy).into_iter().find(|statement| statement.sid == sid);
        found.unwrap_or_else(|| panic!("{sid}")).body.clone()
    };
    let who = |statement: &Value| statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"].clone();
    let actions = |statement: &Value| -> BTreeSet<String> { texts(&statement["Action"]) };

    // IAM takes `Curfew:Tenant` for the same tag. There is no pattern that ignores case, so both stand by name.
    let keys = json!({ "aws:TagKeys": ["curfew:may", "curfew:tenant"] });
    let said = find(&tags, "OnlyAdministratorsSayWhomCurfewMayTouch");
    let tagging = ["CreateRole", "CreateUser", "TagRole", "TagUser", "UntagRole", "UntagUser"];
    assert_eq!(actions(&said), tagging.map(|name| format!("iam:{name}")).into());
    assert_eq!(said["Condition"]["ForAnyValue:StringEqualsIgnoreCase"], keys);
    assert_eq!(who(&said), administrators);
    let sessions = find(&tags, "NoSessionCallsItselfWhatCurfewGoesBy");
    assert_eq!(actions(&sessions), ["sts:TagSession".to_owned()].into());
    assert_eq!(sessions["Condition"]["ForAnyValue:StringEqualsIgnoreCase"], keys);
    let functions = ["Grant", "Revoke", "Sweep"]
        .map(|function| format!("arn:aws:iam::REPLACE-curfews-account:role/REPLACE-stack-{function}Role-*"));
    assert_eq!(who(&sessions), json!(functions), "each tags its sessions");

    let boundaries = find(&guards, "OnlyAdministratorsChangeBoundaries");
    let of_boundaries = all_writes().into_iter().filter(|action| action.ends_with("PermissionsBoundary"));
    assert_eq!(actions(&boundaries), of_boundaries.collect());
    assert_eq!(who(&boundaries), administrators);
    let guarded = find(&guards, "OnlyAdministratorsMakeAndChangeTheBoundaryAndTheRolesThatAreExempt");
    // The template's own updates go by a role, too.
    assert_eq!(who(&guarded), json!([administrators, "arn:aws:iam::*:role/REPLACE-deployment"]));
    let on = texts(&guarded["Resource"]);
    assert!(on.contains("arn:aws:iam::*:policy/REPLACE-agent-role-boundary"), "as tenant.yaml names it");
    let name = &template("tenant.yaml")["Resources"]["Boundary"]["Properties"]["ManagedPolicyName"];
    assert_eq!(*name, json!({ "Fn::Sub": "${RoleName}-boundary" }));
    let of_roles = all_writes().into_iter().filter(|action| action.contains("Role"));
    let elsewhere = ["InstanceProfile", "PermissionsBoundary", "ServiceLinkedRole"];
    let wanted: BTreeSet<String> =
        of_roles.filter(|action| !elsewhere.iter().any(|what| action.contains(what))).collect();
    let missing: Vec<_> = wanted.difference(&actions(&guarded)).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}: somebody else could be who is exempt");
    for action in ["CreatePolicy", "CreatePolicyVersion", "DeletePolicy", "SetDefaultPolicyVersion"] {
        assert!(actions(&guarded).contains(&format!("iam:{action}")), "{action}");
    }
    // Whom a policy lets pass by name must not be a name that anybody may make.
    let written = find(&guards, "NobodyButCurfewWritesItsPolicies");
    for statement in [&said, &sessions, &boundaries, &guarded, &written] {
        for exempt in texts(&who(statement)) {
            // In whatever account: a policy's resource takes no word for one.
            let exempt = exempt.replace("REPLACE-curfews-account", "*");
            assert!(on.contains(&exempt), "anybody may make {exempt}, and is exempt then");
        }
    }
}

/// Nothing in the examples is a name that a deployment may not have: what has to be replaced can be searched for.
#[test]
fn every_name_in_an_organisations_policies_is_one_to_replace() {
    for file in SCPS {
        for statement in statements(&scp(file)) {
            let who = &statement.body["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
            for arn in texts(who).union(&texts(&statement.body["Resource"])).filter(|arn| *arn != "*") {
                let name = arn.rsplit('/').next().unwrap_or_default();
                assert!(name.starts_with("REPLACE-"), "{file}: {arn}");
            }
        }
    }
}

fn texts(value: &Value) -> BTreeSet<String> {
    listed(value).into_iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}
