//! What an organisation forbids (`infra/scp/`). The local stack has no organisations; a denial there is judged as one in
//! an identity's own policies is, so the principals carry the files as such here.

use std::path::Path;

use super::*;

/// An organisation's policy as the text of an identity's: beside it, everything is allowed.
fn under(files: &[&str]) -> String {
    let mut statements = vec![json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })];
    for file in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/scp").join(file);
        let text = std::fs::read_to_string(&path).expect("a policy of an organisation");
        let names = [
            ("REPLACE-administrators", "scp-administrator"),
            ("REPLACE-deployment", "scp-deployment"),
            ("REPLACE-agent-role", "scp-agent"),
            ("REPLACE-curfews-account", "000000000000"),
            ("REPLACE-stack", "scp-curfew"),
        ];
        let text = names.iter().fold(text, |text, (name, own)| text.replace(name, own));
        assert!(!text.contains("REPLACE"), "{file}: {text}");
        let policy: Value = serde_json::from_str(&text).expect("JSON");
        statements.extend(policy["Statement"].as_array().expect("statements").iter().cloned());
    }
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// An act: in words, the call, its parameters; whether a developer may, whether an administrator may.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, bool, bool);

/// A session of a role under all of an organisation's policies. Administrators are known by their role's name.
async fn member(world: &World, name: &'static str, tenant: Option<&str>) -> Intruder {
    let root = world.root();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;
    let mut parameters = vec![("RoleName", name), ("AssumeRolePolicyDocument", trust)];
    if let Some(tenant) = tenant {
        parameters.extend([("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", tenant)]);
    }
    root.query("iam", "CreateRole", &parameters).await.expect("a role");
    let document = under(&["grantees.json", "guards.json", "tags.json"]);
    let policy = [("RoleName", name), ("PolicyName", "under"), ("PolicyDocument", &*document)];
    root.query("iam", "PutRolePolicy", &policy).await.expect("a policy");
    let client = root.assume(&format!("arn:aws:iam::000000000000:role/{name}")).await.expect("a session");
    Intruder { role: name, client }
}

#[tokio::test]
async fn an_organisation_keeps_grantees_out_of_iam_and_others_away_from_what_curfew_goes_by() {
    let world = world().await;
    let root = world.root();
    let boundary = world.acme().boundary_arn();
    for name in ["scp-target", "scp-bystander"] {
        let tenant = (name == "scp-target").then_some("acme");
        user(&root, name, Some(&boundary), tenant).await;
    }
    let grantee = member(world, "scp-grantee", Some("acme")).await;
    let developer = member(world, "scp-developer", None).await;
    let administrator = member(world, "scp-administrator", None).await;

    let tag = |user| [("UserName", user), ("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", "acme")];
    let other_tag =
        [("UserName", "scp-bystander"), ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "x")];
    let put = |user| [("UserName", user), ("PolicyName", "by-hand"), ("PolicyDocument", EVERYTHING)];
    let make =
        |user| [("UserName", user), ("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", "acme")];
    let bound = [("UserName", "scp-bystander"), ("PermissionsBoundary", &*boundary)];
    // What, who of developers and administrators may; grantees never.
    let otherwise = [
        ("UserName", "scp-bystander"),
        ("Tags.member.1.Key", "Curfew:Tenant"),
        ("Tags.member.1.Value", "acme"),
    ];
    let cases: [Case<'_>; 9] = [
        ("tag somebody as a tenant's", "TagUser", tag("scp-bystander").to_vec(), false, true),
        ("tag somebody so in other letters", "TagUser", otherwise.to_vec(), false, true),
        ("set another tag", "TagUser", other_tag.to_vec(), true, true),
        (
            "take a tenant's tag away",
            "UntagUser",
            vec![("UserName", "scp-target"), ("TagKeys.member.1", TENANT_TAG)],
            false,
            true,
        ),
        ("set a boundary", "PutUserPermissionsBoundary", bound.to_vec(), false, true),
        (
            "take a boundary off",
            "DeleteUserPermissionsBoundary",
            vec![("UserName", "scp-bystander")],
            false,
            true,
        ),
        ("write a policy on a tenant's user", "PutUserPolicy", put("scp-target").to_vec(), false, true),
        ("write a policy on another user", "PutUserPolicy", put("scp-bystander").to_vec(), true, true),
        ("make a key", "CreateAccessKey", vec![("UserName", "scp-bystander")], true, true),
    ];
    for (what, action, parameters, developers, administrators) in &cases {
        // What one may would take away what the next is refused for.
        root.query("iam", "UntagUser", &[("UserName", "scp-bystander"), ("TagKeys.member.1", TENANT_TAG)])
            .await
            .ok();
        root.query("iam", "TagUser", &tag("scp-target")).await.expect("a tag");
        grantee.assert_refused(what, grantee.iam(action, parameters).await);
        developer.assert_allowed_if(*developers, what, developer.iam(action, parameters).await);
        administrator.assert_allowed_if(*administrators, what, administrator.iam(action, parameters).await);
    }
    // A grantee reads on, and a developer makes users, but none of a tenant.
    grantee.iam("GetUser", &[("UserName", "scp-target")]).await.expect("looking");
    developer.iam("CreateUser", &[("UserName", "scp-new")]).await.expect("a user");
    developer.assert_refused("make a tenant's user", developer.iam("CreateUser", &make("scp-own")).await);

    // Nobody becomes by name who is let pass by name; whoever deploys makes them.
    let deployment = member(world, "scp-deployment", None).await;
    let anybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;
    for name in
        ["scp-agent", "scp-curfew-GrantRole-own", "scp-curfew-RevokeRole-own", "scp-curfew-SweepRole-x"]
    {
        let role = [("RoleName", name), ("AssumeRolePolicyDocument", anybody)];
        let what = format!("make the role {name}");
        developer.assert_refused(&what, developer.iam("CreateRole", &role).await);
        deployment.iam("CreateRole", &role).await.expect("a role");
        let trust = [("RoleName", name), ("PolicyDocument", anybody)];
        let what = format!("say who may be {name}");
        developer.assert_refused(&what, developer.iam("UpdateAssumeRolePolicy", &trust).await);
        deployment.iam("UpdateAssumeRolePolicy", &trust).await.expect("an update");
    }
    let bounded = [("UserName", "scp-target"), ("PermissionsBoundary", &*boundary)];
    deployment.assert_refused("set a boundary", deployment.iam("PutUserPermissionsBoundary", &bounded).await);

    // A session that says of itself what Curfew's sessions say.
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
    let any = [("RoleName", "scp-any"), ("AssumeRolePolicyDocument", trust)];
    root.query("iam", "CreateRole", &any).await.expect("a role");
    let arn = "arn:aws:iam::000000000000:role/scp-any";
    developer.client.assume(arn).await.expect("a session without tags");
}
