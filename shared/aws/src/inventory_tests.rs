//! Tests of inventories: what is asked of IAM, and what its answer is taken for.

use std::sync::Arc;

use curfew_app::ports::AccessPort as _;

use super::*;
use crate::May;
use crate::samples::{ID, POLICY, ROLE, USER, agent};
use crate::wire::{OWN_KEY, Reply, Script, StillClock, aws};

const DOCUMENT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Resource":"arn:aws:s3:::a+b/*","Sid":"ä b"}]}"#;

/// The document as IAM writes it (RFC 3986): everything but letters, digits and `-._~` as `%` and two digits.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn policies(list: &str, inline: &[(&str, &str)]) -> String {
    let inline: String = inline
        .iter()
        .map(|(name, document)| {
            let document = encoded(document);
            format!(
                "<member><PolicyName>{name}</PolicyName><PolicyDocument>{document}</PolicyDocument></member>"
            )
        })
        .collect();
    format!("<{list}>{inline}</{list}>")
}

fn user(arn: &str, inline: &[(&str, &str)]) -> String {
    let arn = format!("<Arn>{arn}</Arn>");
    let inline = policies("UserPolicyList", inline);
    format!("<member>{arn}{inline}<AttachedManagedPolicies/></member>")
}

fn role(arn: &str, attached: &str) -> String {
    format!(
        "<member><Arn>{arn}</Arn>{}<AttachedManagedPolicies><member><PolicyName>p</PolicyName>\
         <PolicyArn>{attached}</PolicyArn></member></AttachedManagedPolicies></member>",
        policies("RolePolicyList", &[])
    )
}

fn page(users: &str, roles: &str, end: &str) -> Reply {
    Reply::Answer(
        200,
        format!(
            "<{OPERATION}Response><{OPERATION}Result><UserDetailList>{users}</UserDetailList>\
             <RoleDetailList>{roles}</RoleDetailList>{end}</{OPERATION}Result></{OPERATION}Response>"
        ),
    )
}

const LAST: &str = "<IsTruncated>false</IsTruncated>";

fn iam(replies: impl IntoIterator<Item = Reply>) -> (IamAccess<StillClock>, Arc<Script>) {
    let (aws, script) = aws(replies);
    (IamAccess::new(aws, StillClock::at("2026-11-21T01:02:04Z"), May::Give), script)
}

fn own() -> Route {
    Route { account: "111122223333".to_owned(), agent: None }
}

fn tenants() -> Route {
    Route { agent: Some(agent()), ..own() }
}

#[tokio::test]
async fn a_page_is_what_users_and_roles_hold_with_documents_as_they_were_put() {
    let name = format!("curfew-{ID}");
    let users = user(USER, &[(name.as_str(), DOCUMENT), ("other", "{}")]);
    let (iam, script) = iam([page(&users, &role(ROLE, POLICY), LAST)]);
    let found = iam.inventory(&own(), None).await.unwrap();
    let inline = vec![(name, DOCUMENT.to_owned()), ("other".to_owned(), "{}".to_owned())];
    let expected = InventoryPage {
        held: vec![
            Held { principal: Principal::parse(USER).unwrap(), inline, attached: Vec::new() },
            Held {
                principal: Principal::parse(ROLE).unwrap(),
                inline: Vec::new(),
                attached: vec![POLICY.to_owned()],
            },
        ],
        next: None,
    };
    assert_eq!(found, expected);
    let seen = script.one();
    assert_eq!((seen.call.as_str(), seen.signed_by.as_str()), (OPERATION, OWN_KEY));
    let form = seen.form();
    let asked = form.iter().filter(|(key, _)| key.starts_with("Filter")).map(|(_, value)| value.as_str());
    assert_eq!(asked.collect::<Vec<_>>(), ["User", "Role"], "no policies, which are the most of it");
    assert_eq!((form.get("MaxItems").map(String::as_str), form.get("Marker")), (Some("100"), None));
}

#[tokio::test]
async fn pages_follow_each_other_by_their_marker() {
    let more = "<IsTruncated>true</IsTruncated><Marker>m/1==</Marker>";
    // A page may be empty and yet not the last.
    let (iam, script) = iam([page("", "", more), page(&user(USER, &[]), "", LAST)]);
    let first = iam.inventory(&own(), None).await.unwrap();
    assert_eq!(first, InventoryPage { held: Vec::new(), next: Some("m/1==".to_owned()) });
    let last = iam.inventory(&own(), first.next.as_deref()).await.unwrap();
    assert_eq!((last.held.len(), last.next), (1, None));
    assert_eq!(script.seen()[1].form().get("Marker").map(String::as_str), Some("m/1=="));
}

#[tokio::test]
async fn whom_curfew_can_not_give_anything_is_left_out() {
    let theirs: String = [
        "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0a1b",
    ]
    .map(|arn| role(arn, POLICY))
    .concat();
    let (iam, _) = iam([page("", &format!("{theirs}{}", role(ROLE, POLICY)), LAST)]);
    let found = iam.inventory(&own(), None).await.unwrap();
    assert_eq!(found.held.iter().map(|held| held.principal.arn()).collect::<Vec<_>>(), [ROLE]);
}

/// A grant must not seem to be gone because an answer was not understood.
#[tokio::test]
async fn an_answer_that_leaves_something_open_is_no_answer() {
    let nameless = "<member><UserName>ana</UserName></member>";
    let unnamed = format!("<member><Arn>{USER}</Arn><UserPolicyList><member/></UserPolicyList></member>");
    for (reply, said) in [
        (page("", "", "<IsTruncated>true</IsTruncated>"), "no way to them"),
        (page(nameless, "", LAST), "no ARN"),
        (page(&unnamed, "", LAST), "no name"),
    ] {
        let (iam, _) = iam([reply]);
        let error = iam.inventory(&own(), None).await.unwrap_err();
        assert_eq!((error.failure, error.operation), (Failure::Retryable, OPERATION));
        assert!(error.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn in_a_tenants_account_a_session_that_may_only_look_does() {
    let (iam, script) = iam([Reply::session("ASIALOOK", "2026-11-21T01:17:04Z"), page("", "", LAST)]);
    iam.inventory(&tenants(), None).await.unwrap();
    iam.inventory(&tenants(), Some("m")).await.unwrap();
    assert_eq!(script.calls(), ["AssumeRole", OPERATION, OPERATION]);
    assert_eq!(script.seen()[2].signed_by, "ASIALOOK");
    assert!(script.seen()[0].form()["Policy"].contains("iam:GetAccountAuthorizationDetails"));
}

#[tokio::test]
async fn what_iam_refuses_is_told_and_a_spent_session_is_not_used_again() {
    let (iam_, _) = iam([Reply::xml_error(403, "AccessDenied")]);
    let error = iam_.inventory(&own(), None).await.unwrap_err();
    assert_eq!((error.failure, error.operation), (Failure::Forbidden, OPERATION));

    let (iam, script) = iam([
        Reply::session("ASIAFIRST", "2026-11-21T01:17:04Z"),
        Reply::xml_error(403, "InvalidClientTokenId"),
        Reply::session("ASIASECOND", "2026-11-21T01:17:04Z"),
        page("", "", LAST),
    ]);
    iam.inventory(&tenants(), None).await.unwrap_err();
    iam.inventory(&tenants(), None).await.unwrap();
    assert_eq!(script.seen().last().map(|seen| seen.signed_by.clone()).as_deref(), Some("ASIASECOND"));
}
