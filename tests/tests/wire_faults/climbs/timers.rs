//! Timers: schedules and rules.

use super::*;

#[tokio::test]
async fn timers_can_call_nothing_but_revoke_and_stand_nowhere_else() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let eager = world.curfew(Flavour::Eager).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let admin = [("RoleName", "scheduler-admin"), ("AssumeRolePolicyDocument", trust)];
    world.root().query("iam", "CreateRole", &admin).await.expect("a role");
    let revoke =
        format!("arn:aws:lambda:us-east-1:000000000000:function:{}", curfew.output("RevokeFunctionName"));
    let timer_role = timer_role(world, curfew).await;
    let schedule = |group: &str, role: &str| {
        json!({
            "GroupName": group,
            "ScheduleExpression": "at(2099-01-01T00:00:00)",
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "Target": { "Arn": revoke, "RoleArn": role, "Input": "{}" },
        })
    };
    let group = curfew.output("ScheduleGroup");
    for intruder in intruders(world, curfew).await {
        let create = async |name: &str, body: Value| {
            let path = format!("/schedules/{name}");
            intruder
                .client
                .rest("scheduler", Method::POST, &path, &[], body.to_string().as_bytes())
                .await
                .map(drop)
        };
        let name = format!("curfew-g-climb-{}", intruder.role.to_lowercase());
        let passed = create(&name, schedule(group, "arn:aws:iam::000000000000:role/scheduler-admin")).await;
        intruder.assert_refused("pass another role to Scheduler", passed);
        let elsewhere = create(&name, schedule("default", &timer_role)).await;
        intruder.assert_refused("schedule in another group", elsewhere);
        let others = create(&name, schedule(eager.output("ScheduleGroup"), &timer_role)).await;
        intruder.assert_refused("schedule in another stack's group", others);
        let unnamed = create("not-a-timer", schedule(group, &timer_role)).await;
        intruder.assert_refused("make a schedule of another name", unnamed);
        let made = create(&name, schedule(group, &timer_role)).await;
        intruder.assert_allowed_if(intruder.gives(), "set a timer", made);
        // Rules too, where timers are schedules: a grant that was opened with a rule keeps it. They call revoke alone.
        let events = async |action: &str, body: Value| intruder.events(action, body).await;
        let rule =
            |name: &str| json!({ "Name": name, "ScheduleExpression": "rate(1 minute)", "State": "DISABLED" });
        intruder.assert_refused("make another rule", events("PutRule", rule("not-a-timer")).await);
        let sweep = revoke.replace(curfew.output("RevokeFunctionName"), curfew.output("SweepFunctionName"));
        let aim = |at: &str| json!({ "Rule": "curfew-g-x", "Targets": [{ "Id": "1", "Arn": at }] });
        let ruled = events("PutRule", rule("curfew-g-x")).await;
        if intruder.gives() {
            ruled.expect("a rule as a timer");
            intruder
                .assert_refused("call another function by a rule", events("PutTargets", aim(&sweep)).await);
            events("PutTargets", aim(&revoke)).await.expect("a rule that calls revoke");
            events("RemoveTargets", json!({ "Rule": "curfew-g-x", "Ids": ["1"] }))
                .await
                .expect("to clear it");
            events("DeleteRule", json!({ "Name": "curfew-g-x" })).await.expect("to clear it");
        } else {
            intruder.assert_refused("make a rule", ruled);
        }
    }
}

/// The role by which Scheduler invokes the revoke function, as the grant function is told it.
async fn timer_role(world: &World, curfew: &Curfew) -> String {
    let path = format!("/2015-03-31/functions/{}/configuration", curfew.output("GrantFunctionName"));
    let said = world.root().rest("lambda", Method::GET, &path, &[], b"").await.expect("a function");
    said.json()["Environment"]["Variables"]["CURFEW_TIMER_ROLE_ARN"].as_str().expect("a role").to_owned()
}
