//! Tests of the agent roles' sessions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::samples::{ID, OTHER_ID, POLICY, ROLE, USER, agent, change, inline, managed};
use crate::wire::{Reply, StillClock, aws};

/// A request's session tags, in order.
fn tags(form: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let value = |n: usize, part: &str| form.get(&format!("Tags.member.{n}.{part}")).cloned();
    (1..).map_while(|n| Some((value(n, "Key")?, value(n, "Value")?))).collect()
}

#[tokio::test]
async fn a_session_names_its_grant_and_is_narrowed_to_it() {
    let (aws, script) = aws([Reply::session("ASIA", "2026-11-21T01:17:04Z")]);
    let agents = AgentRoles::new(aws, StillClock::at("2026-11-21T01:02:04Z"), May::Give);
    agents.credentials(&change(inline(USER), None), &agent()).await.unwrap();
    let form = script.one().form();
    let value = |key: &str| form.get(key).map_or("", String::as_str).to_owned();
    assert_eq!(value("RoleArn"), agent().role_arn);
    assert_eq!(value("ExternalId"), "acme-7f3a");
    assert_eq!(value("RoleSessionName"), format!("curfew-{ID}"));
    assert_eq!(value("DurationSeconds"), "900");
    let expected = [("curfew:may", "give"), ("source", "itsm"), ("ticket", "CHG0030192"), ("grant", ID)];
    assert_eq!(tags(&form), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let policy: Value = serde_json::from_str(&value("Policy")).unwrap();
    assert_eq!(
        policy["Statement"],
        json!([
            { "Effect": "Allow", "Action": ["iam:PutUserPolicy", "iam:DeleteUserPolicy"], "Resource": USER },
            { "Effect": "Allow", "Action": "iam:GetUserPolicy", "Resource": "*" },
        ])
    );
}

#[tokio::test]
async fn an_inventorys_session_may_look_and_change_nothing_and_is_no_grants() {
    let (aws, script) = aws([Reply::session("ASIA", "2026-11-21T01:17:04Z")]);
    let agents = AgentRoles::new(aws, StillClock::at("2026-11-21T01:02:04Z"), May::Give);
    agents.for_inventory(&agent()).await.unwrap();
    let form = script.one().form();
    assert_eq!(form["RoleArn"], agent().role_arn);
    assert_eq!(form["ExternalId"], "acme-7f3a");
    assert_eq!(form["RoleSessionName"], "curfew-inventory");
    assert_eq!(tags(&form), [("curfew:may".to_owned(), "give".to_owned())], "it serves no grant");
    let policy: Value = serde_json::from_str(&form["Policy"]).unwrap();
    assert_eq!(
        policy["Statement"],
        json!([{ "Effect": "Allow", "Action": "iam:GetAccountAuthorizationDetails", "Resource": "*" }])
    );
    // The next page has the same one, a grant another.
    agents.for_inventory(&agent()).await.unwrap();
    assert_eq!(script.calls().len(), 1);
    agents.credentials(&change(inline(USER), None), &agent()).await.unwrap();
    assert_eq!(script.calls().len(), 2);
    // Forgetting one forgets no other.
    agents.forget(&agent(), None);
    agents.credentials(&change(inline(USER), None), &agent()).await.unwrap();
    assert_eq!(script.calls().len(), 2);
    agents.for_inventory(&agent()).await.unwrap();
    assert_eq!(script.calls().len(), 3);
}

/// The agent role's trust lets the revoke function say no other word, and its permissions go by it (infra/tenant.yaml).
#[tokio::test]
async fn whoever_may_only_take_access_away_says_so_and_asks_for_no_more() {
    let (aws, script) = aws([Reply::session("ASIA", "2026-11-21T01:17:04Z")]);
    let agents = AgentRoles::new(aws, StillClock::at("2026-11-21T01:02:04Z"), May::Remove);
    agents.credentials(&change(inline(USER), None), &agent()).await.unwrap();
    let form = script.one().form();
    assert_eq!(tags(&form).first(), Some(&("curfew:may".to_owned(), "remove".to_owned())));
    let policy: Value = serde_json::from_str(&form["Policy"]).unwrap();
    assert_eq!(policy["Statement"][0]["Action"], json!(["iam:DeleteUserPolicy"]));
    for (access, take) in [
        (inline(ROLE), "iam:DeleteRolePolicy"),
        (managed(USER), "iam:DetachUserPolicy"),
        (managed(ROLE), "iam:DetachRolePolicy"),
    ] {
        let policy: Value = serde_json::from_str(&change_policy(&access, May::Remove)).unwrap();
        assert_eq!(policy["Statement"][0]["Action"], json!([take]));
    }
}

#[test]
fn a_shared_policy_is_the_only_one_that_its_session_may_attach() {
    let policy: Value = serde_json::from_str(&change_policy(&managed(ROLE), May::Give)).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Action"], json!(["iam:AttachRolePolicy", "iam:DetachRolePolicy"]));
    assert_eq!(statement["Resource"], ROLE);
    assert_eq!(statement["Condition"], json!({ "ArnEquals": { "iam:PolicyARN": POLICY } }));
}

#[test]
fn the_longest_names_fit_into_a_session_policy() {
    // STS takes 2,048 characters. Paths end at 512, names of roles at 64, of policies at 128.
    let path = |length: usize| format!("/{}/", "p".repeat(length - 2));
    let principal = format!("arn:aws-us-gov:iam::111122223333:role{}{}", path(480), "r".repeat(64));
    let policy_arn = format!("arn:aws-us-gov:iam::111122223333:policy{}{}", path(512), "n".repeat(128));
    let Access::Managed { principal, .. } = managed(&principal) else { panic!("managed") };
    let policy = change_policy(&Access::Managed { principal, policy_arn }, May::Give);
    assert!(policy.len() <= 2_048, "{}", policy.len());
}

#[tokio::test]
async fn no_two_grants_share_a_session_and_no_more_than_a_bounded_number_is_kept() {
    let (aws, script) = aws([Reply::session("ASIA", "2026-11-21T01:17:04Z")]);
    let agents = AgentRoles::new(aws, StillClock::at("2026-11-21T01:02:04Z"), May::Give);
    let mut change = change(inline(USER), None);
    agents.credentials(&change, &agent()).await.unwrap();
    change.grant_id = GrantId::new(OTHER_ID).unwrap();
    agents.credentials(&change, &agent()).await.unwrap();
    agents.credentials(&change, &agent()).await.unwrap();
    assert_eq!(script.calls().len(), 2);
    for n in 0..100_u32 {
        let letter = |shift: u32| char::from(b'a' + u8::try_from((n >> shift) % 16).unwrap());
        change.grant_id = GrantId::new(format!("g-{}{}{}", "c".repeat(24), letter(4), letter(0))).unwrap();
        agents.credentials(&change, &agent()).await.unwrap();
    }
    assert_eq!(agents.sessions().len(), SESSIONS_MAX);
}

#[tokio::test]
async fn a_sessions_secrets_are_not_shown() {
    let (aws, _) = aws([Reply::session("ASIA", "2026-11-21T01:17:04Z")]);
    let agents = AgentRoles::new(aws, StillClock::at("2026-11-21T01:02:04Z"), May::Give);
    agents.credentials(&change(inline(USER), None), &agent()).await.unwrap();
    let shown = format!("{:?}", agents.sessions());
    assert!(shown.contains("** redacted **"), "{shown}");
}
