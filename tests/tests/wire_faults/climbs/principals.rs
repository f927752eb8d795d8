//! Users and roles of Curfew's own account.

use super::*;

#[tokio::test]
async fn nobody_without_boundary_and_tag_is_given_anything_curfew_itself_least_of_all() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let root = world.root();
    let boundary = world.acme().boundary_arn();
    let wide = wide_boundary(&root, world.acme(), "another-boundary").await;
    user(&root, "no-boundary", None, Some("acme")).await;
    user(&root, "unlisted-boundary", Some(&wide), Some("acme")).await;
    user(&root, "untagged", Some(&boundary), None).await;
    user(&root, "of-another-tenant", Some(&boundary), Some("umbrella")).await;
    let person = world.person().await;
    let bound = name_of(&person.principal).to_owned();
    let auditor = world.auditor_policy(world.acme());
    let put = |user| [("UserName", user), ("PolicyName", "curfew-g-x"), ("PolicyDocument", EVERYTHING)];
    let delete = |user| [("UserName", user), ("PolicyName", "curfew-g-x")];

    for intruder in intruders(world, curfew).await {
        for user in ["no-boundary", "unlisted-boundary", "untagged", "of-another-tenant"] {
            let given = intruder.iam("PutUserPolicy", &put(user)).await;
            intruder.assert_refused(&format!("give to {user}"), given);
            for policy in [ADMINISTRATOR, &auditor] {
                let attach = [("UserName", user), ("PolicyArn", policy)];
                let attached = intruder.iam("AttachUserPolicy", &attach).await;
                intruder.assert_refused(&format!("attach {policy} to {user}"), attached);
            }
        }
        // A tag that was lost keeps nothing; a boundary that is not listed keeps everything.
        for (user, is_bound) in
            [("untagged", true), ("of-another-tenant", true), ("unlisted-boundary", false)]
        {
            root.query("iam", "PutUserPolicy", &put(user)).await.expect("a policy to take");
            let taken = intruder.iam("DeleteUserPolicy", &delete(user)).await;
            intruder.assert_allowed_if(is_bound && intruder.takes(), &format!("take from {user}"), taken);
        }
        for own in ROLES {
            let name = name_of(curfew.output(own));
            let put = [("RoleName", name), ("PolicyName", "more"), ("PolicyDocument", EVERYTHING)];
            intruder.assert_refused("give to Curfew's own role", intruder.iam("PutRolePolicy", &put).await);
            let attach = [("RoleName", name), ("PolicyArn", ADMINISTRATOR)];
            intruder.assert_refused(
                "attach to Curfew's own role",
                intruder.iam("AttachRolePolicy", &attach).await,
            );
            let trust = [("RoleName", name), ("PolicyDocument", EVERYTHING)];
            intruder.assert_refused("change its trust", intruder.iam("UpdateAssumeRolePolicy", &trust).await);
            let delete = [("RoleName", name), ("PolicyName", "audit")];
            intruder.assert_refused("take its policy", intruder.iam("DeleteRolePolicy", &delete).await);
        }
        no_way_round(&intruder, world, &bound, &wide).await;

        // Who holds what is the sweep's to see, to compare it with the ledger.
        let seen = intruder.iam("GetAccountAuthorizationDetails", &[]).await;
        intruder.assert_allowed_if(intruder.role == "SweepRoleArn", "see what everybody holds", seen);

        // What each is there for, in turn: giving is not the revoke function's, and taking not the console's.
        let given = intruder.iam("PutUserPolicy", &put(&bound)).await;
        intruder.assert_allowed_if(intruder.gives(), "give", given);
        root.query("iam", "PutUserPolicy", &put(&bound)).await.expect("a policy to take");
        // Everything, within the boundary: the tenant's bucket, and nothing of IAM.
        person.keys.object(&world.acme().bucket()).await.expect("what the boundary lets through");
        let climbed = person.keys.query("iam", "CreateUser", &[("UserName", "mallory")]).await.map(drop);
        intruder.assert_refused("give more than the boundary", climbed);
        let taken = intruder.iam("DeleteUserPolicy", &delete(&bound)).await;
        intruder.assert_allowed_if(intruder.takes(), "take", taken);
        root.query("iam", "DeleteUserPolicy", &delete(&bound)).await.ok();

        let standing = [("UserName", &*bound), ("PolicyArn", &auditor)];
        let attached = intruder.iam("AttachUserPolicy", &standing).await;
        intruder.assert_allowed_if(intruder.gives(), "attach a policy that is listed", attached);
        root.query("iam", "AttachUserPolicy", &standing).await.expect("a policy to detach");
        let detached = intruder.iam("DetachUserPolicy", &standing).await;
        intruder.assert_allowed_if(intruder.takes(), "detach it", detached);
        root.query("iam", "DetachUserPolicy", &standing).await.ok();
    }
}

/// A boundary that was removed or widened would be none, a tag that anybody sets no lock; nor are new principals, keys or
/// policies a way round.
async fn no_way_round(intruder: &Intruder, world: &World, bound: &str, wide: &str) {
    let boundary = world.acme().boundary_arn();
    let version = [("PolicyArn", &*boundary), ("PolicyDocument", EVERYTHING), ("SetAsDefault", "true")];
    let widen = [("UserName", bound), ("PermissionsBoundary", wide)];
    let tag = [("UserName", "untagged"), ("Tags.member.1.Key", TENANT_TAG), ("Tags.member.1.Value", "acme")];
    let admin = [("UserName", bound), ("PolicyArn", ADMINISTRATOR)];
    for (what, action, parameters) in [
        ("remove a boundary", "DeleteUserPermissionsBoundary", &[("UserName", bound)][..]),
        ("set a boundary", "PutUserPermissionsBoundary", &widen),
        ("change the boundary's policy", "CreatePolicyVersion", &version),
        ("set a tag", "TagUser", &tag),
        ("take a tag away", "UntagUser", &[("UserName", bound), ("TagKeys.member.1", TENANT_TAG)]),
        ("make a key", "CreateAccessKey", &[("UserName", bound)]),
        ("make a user", "CreateUser", &[("UserName", "mallory")]),
        ("make a policy", "CreatePolicy", &[("PolicyName", "mallory"), ("PolicyDocument", EVERYTHING)]),
        ("attach a policy that the template does not list", "AttachUserPolicy", &admin),
    ] {
        intruder.assert_refused(what, intruder.iam(action, parameters).await);
    }
}
