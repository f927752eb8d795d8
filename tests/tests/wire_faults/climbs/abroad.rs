//! Tenants in other accounts: what the agent role lets each function do, and what it does to nobody.

use super::*;
use curfew_tests::catalog;

/// A session's parameters: the external id, and tags.
fn session<'a>(external_id: &'a str, tags: &[(&'a str, &'a str)]) -> Vec<(String, &'a str)> {
    let mut all = vec![("ExternalId".to_owned(), external_id)];
    for (n, (key, value)) in (1..).zip(tags) {
        all.push((format!("Tags.member.{n}.Key"), key));
        all.push((format!("Tags.member.{n}.Value"), value));
    }
    all
}

/// A session of the agent role, if the tenant's account lets the intruder have it.
async fn assume(
    intruder: &Intruder,
    agent: &str,
    external_id: &str,
    tags: &[(&str, &str)],
) -> Result<Client, Refused> {
    let parameters = session(external_id, tags);
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    intruder.client.assume_with(agent, &parameters).await
}

const MAY: &str = "curfew:may";

#[tokio::test]
async fn each_function_has_a_session_that_may_what_the_function_may_and_no_other() {
    let world = world().await;
    let curfew = world.curfew_with_agent(Flavour::Scheduler).await;
    let agent = catalog::agent_role_arn(&curfew.deployment().name);
    let id = catalog::EXTERNAL_ID;
    for intruder in intruders(world, curfew).await {
        for (word, allowed) in
            [("give", intruder.gives()), ("remove", intruder.role == "RevokeRoleArn"), ("everything", false)]
        {
            let said = assume(&intruder, &agent, id, &[(MAY, word)]).await.map(drop);
            intruder.assert_allowed_if(allowed, &format!("have a session that may {word}"), said);
        }
        let own = if intruder.gives() { "give" } else { "remove" };
        let refused = [
            ("have a session that says nothing", assume(&intruder, &agent, id, &[]).await),
            ("say two words", assume(&intruder, &agent, id, &[(MAY, own), ("curfew:tenant", "acme")]).await),
            (
                "tag its session at will",
                assume(&intruder, &agent, id, &[(MAY, own), ("team", "admins")]).await,
            ),
            (
                "do without the external id",
                assume(&intruder, &agent, "another-tenants-id", &[(MAY, own)]).await,
            ),
        ];
        for (what, said) in refused {
            intruder.assert_refused(what, said.map(drop));
        }
        let traced = [(MAY, own), ("source", "itsm"), ("ticket", "CHG1"), ("grant", "g-x")];
        let said = assume(&intruder, &agent, id, &traced).await.map(drop);
        intruder.assert_allowed_if(intruder.takes(), "say for what", said);
    }
    // Nobody else of Curfew's account, not even its root.
    let root = Intruder { role: "root of Curfew's account", client: world.root() };
    root.assert_refused("be the agent", assume(&root, &agent, id, &[(MAY, "give")]).await.map(drop));
}

#[tokio::test]
async fn in_a_tenants_account_the_agent_gives_to_the_tenants_own_and_revoke_only_takes() {
    let world = world().await;
    let curfew = world.curfew_with_agent(Flavour::Scheduler).await;
    let agent = catalog::agent_role_arn(&curfew.deployment().name);
    let root = world.root_of(world.globex().account());
    let boundary = world.globex().boundary_arn();
    let wide = wide_boundary(&root, world.globex(), "another-boundary").await;
    user(&root, "no-boundary", None, Some("globex")).await;
    user(&root, "unlisted-boundary", Some(&wide), Some("globex")).await;
    user(&root, "untagged", Some(&boundary), None).await;
    user(&root, "of-another-tenant", Some(&boundary), Some("hooli")).await;
    let person = world.person_abroad().await;
    let bound = name_of(&person.principal).to_owned();
    let auditor = world.auditor_policy(world.globex());
    let put = |user| [("UserName", user), ("PolicyName", "curfew-g-x"), ("PolicyDocument", EVERYTHING)];
    let delete = |user| [("UserName", user), ("PolicyName", "curfew-g-x")];

    for function in intruders(world, curfew).await.into_iter().filter(Intruder::takes) {
        let word = if function.gives() { "give" } else { "remove" };
        let client =
            assume(&function, &agent, catalog::EXTERNAL_ID, &[(MAY, word)]).await.expect("a session");
        let intruder = Intruder { role: function.role, client };
        for user in ["no-boundary", "unlisted-boundary", "untagged", "of-another-tenant"] {
            intruder
                .assert_refused(&format!("give to {user}"), intruder.iam("PutUserPolicy", &put(user)).await);
            let attach = [("UserName", user), ("PolicyArn", &*auditor)];
            let attached = intruder.iam("AttachUserPolicy", &attach).await;
            intruder.assert_refused(&format!("attach to {user}"), attached);
        }
        for (user, is_bound) in
            [("untagged", true), ("of-another-tenant", true), ("unlisted-boundary", false)]
        {
            root.query("iam", "PutUserPolicy", &put(user)).await.expect("a policy to take");
            let taken = intruder.iam("DeleteUserPolicy", &delete(user)).await;
            intruder.assert_allowed_if(is_bound, &format!("take from {user}"), taken);
        }
        let own = name_of(&agent);
        let more = [("RoleName", own), ("PolicyName", "more"), ("PolicyDocument", EVERYTHING)];
        intruder.assert_refused("give to the agent role", intruder.iam("PutRolePolicy", &more).await);
        let trust = [("RoleName", own), ("PolicyDocument", EVERYTHING)];
        intruder.assert_refused("change its trust", intruder.iam("UpdateAssumeRolePolicy", &trust).await);
        let tag =
            [("UserName", "untagged"), ("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", "globex")];
        intruder.assert_refused("set a tag", intruder.iam("TagUser", &tag).await);
        let widen = [("UserName", &*bound), ("PermissionsBoundary", &*wide)];
        intruder.assert_refused("set a boundary", intruder.iam("PutUserPermissionsBoundary", &widen).await);
        let admin = [("UserName", &*bound), ("PolicyArn", ADMINISTRATOR)];
        intruder.assert_refused("attach what is not listed", intruder.iam("AttachUserPolicy", &admin).await);
        let seen = intruder.iam("GetAccountAuthorizationDetails", &[]).await;
        intruder.assert_allowed_if(intruder.gives(), "see what everybody holds", seen);
        intruder.assert_refused("read data", intruder.client.object(&world.globex().bucket()).await);

        let given = intruder.iam("PutUserPolicy", &put(&bound)).await;
        intruder.assert_allowed_if(intruder.gives(), "give", given);
        root.query("iam", "PutUserPolicy", &put(&bound)).await.expect("a policy to take");
        intruder.iam("DeleteUserPolicy", &delete(&bound)).await.expect("it takes");
        let standing = [("UserName", &*bound), ("PolicyArn", &*auditor)];
        let attached = intruder.iam("AttachUserPolicy", &standing).await;
        intruder.assert_allowed_if(intruder.gives(), "attach", attached);
        root.query("iam", "AttachUserPolicy", &standing).await.expect("a policy to detach");
        intruder.iam("DetachUserPolicy", &standing).await.expect("it detaches");
    }
}

/// The boundary that the template makes: whoever carries it has what was granted, and no way to keep or widen it.
#[tokio::test]
async fn whoever_carries_the_templates_boundary_can_not_use_what_they_were_given_to_climb() {
    let world = world().await;
    let curfew = world.curfew_with_agent(Flavour::Scheduler).await;
    let account = world.globex().account();
    let root = world.root_of(account);
    let boundary = format!(
        "arn:aws:iam::{account}:policy/{}-boundary",
        catalog::agent_role_name(&curfew.deployment().name)
    );
    user(&root, "bounded", Some(&boundary), Some("globex")).await;
    // The most that anybody could give them.
    let all = [("UserName", "bounded"), ("PolicyName", "all"), ("PolicyDocument", EVERYTHING)];
    root.query("iam", "PutUserPolicy", &all).await.expect("a policy");
    let said = root.query("iam", "CreateAccessKey", &[("UserName", "bounded")]).await.expect("a key");
    let credentials = curfew_cli::aws::Credentials {
        access_key_id: curfew_tests::client::tag(&said, "AccessKeyId"),
        secret_access_key: curfew_tests::client::tag(&said, "SecretAccessKey"),
        session_token: None,
    };
    let person = Intruder { role: "whoever carries the boundary", client: world.client(credentials) };
    person.client.object(&world.globex().bucket()).await.expect("what may be granted");
    person.client.item(&world.globex().table()).await.expect("what may be granted");
    let own = [("UserName", "bounded"), ("PolicyName", "kept"), ("PolicyDocument", EVERYTHING)];
    let tag = [("UserName", "bounded"), ("TagKeys.member.1", TENANT_TAG)];
    let agent = catalog::agent_role_name(&curfew.deployment().name);
    let version = [("PolicyArn", &*boundary), ("PolicyDocument", EVERYTHING), ("SetAsDefault", "true")];
    for (what, action, parameters) in [
        ("keep what they have", "PutUserPolicy", &own[..]),
        ("take the boundary off", "DeleteUserPermissionsBoundary", &[("UserName", "bounded")]),
        ("widen the boundary", "CreatePolicyVersion", &version),
        ("take the tag off", "UntagUser", &tag),
        ("make a key more", "CreateAccessKey", &[("UserName", "bounded")]),
        ("make somebody else", "CreateUser", &[("UserName", "mallory")]),
        ("change the agent role", "DeleteRolePolicy", &[("RoleName", &*agent), ("PolicyName", "agent")]),
    ] {
        person.assert_refused(what, person.iam(action, parameters).await);
    }
    let assumed = person.client.assume(&catalog::agent_role_arn(&curfew.deployment().name)).await;
    person.assert_refused("be the agent", assumed.map(drop));

    // Nor what Curfew is made of, were it in this account: by its name, and by its tag.
    let stack = &curfew.deployment().name;
    for (rule, allowed) in [(format!("{stack}-SweepFunctionEveryMinute"), false), ("own".to_owned(), true)] {
        let made = json!({ "Name": rule, "ScheduleExpression": "rate(1 minute)", "State": "DISABLED" });
        let said = person.events("PutRule", made).await;
        person.assert_allowed_if(allowed, &format!("switch the rule {rule} off"), said);
    }
    for (group, allowed) in [(&**stack, false), ("own", true)] {
        let path = format!("/schedule-groups/{group}");
        let said = person.send("scheduler", Method::POST, &path, "{}").await;
        person.assert_allowed_if(allowed, &format!("have the timers of {group}"), said);
    }
    for (group, allowed) in [(format!("/aws/vendedlogs/{stack}-webhooks"), false), ("own".to_owned(), true)] {
        let said =
            person.json("logs", "Logs_20140328.CreateLogGroup", json!({ "logGroupName": group })).await;
        person.assert_allowed_if(allowed, &format!("have the logs {group}"), said);
    }
    for (tag, allowed) in [(&**stack, false), ("another", true)] {
        let key = json!({ "Tags": [{ "TagKey": "curfew:stack", "TagValue": tag }] });
        let made = root.json("kms", "TrentService.CreateKey", &key).await.expect("a key");
        let key = json!({ "KeyId": made["KeyMetadata"]["KeyId"] });
        let said = person.json("kms", "TrentService.DisableKey", key).await;
        person.assert_allowed_if(allowed, &format!("stop the key of {tag}"), said);
    }
}
