//! Tests of access in IAM: the calls by kind, and what each answer proves.

use curfew_app::ports::{AccessPort as _, Failure};
use jiff::SignedDuration;

use super::*;
use crate::samples::{ID, POLICY, ROLE, USER, agent, at, change, inline, managed};
use crate::wire::{OWN_KEY, Reply, Script, StillClock, aws};

const NOW: &str = "2026-11-21T01:02:04Z";

fn access(replies: impl IntoIterator<Item = Reply>) -> (IamAccess<StillClock>, Arc<Script>, Arc<StillClock>) {
    access_that_may(May::Give, replies)
}

fn access_that_may(
    may: May,
    replies: impl IntoIterator<Item = Reply>,
) -> (IamAccess<StillClock>, Arc<Script>, Arc<StillClock>) {
    let clock = StillClock::at(NOW);
    let (aws, script) = aws(replies);
    (IamAccess::new(aws, Arc::clone(&clock), may), script, clock)
}

/// A page of what is attached to a principal.
fn attached_policies(call: &str, arn: Option<&str>, more: bool) -> Reply {
    let member = arn.map_or_else(String::new, |arn| {
        format!("<member><PolicyName>p</PolicyName><PolicyArn>{arn}</PolicyArn></member>")
    });
    let text = format!(
        "<{call}Response><{call}Result><IsTruncated>{more}</IsTruncated><AttachedPolicies>{member}</AttachedPolicies>\
         </{call}Result><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{call}Response>"
    );
    Reply::Answer(200, text)
}

#[tokio::test]
async fn each_kind_of_access_on_each_kind_of_principal_has_its_own_pair_of_calls() {
    let policy = format!("curfew-{ID}");
    for (granted, attach, detach, name, policy) in [
        (
            inline(USER),
            "PutUserPolicy",
            "DeleteUserPolicy",
            ("UserName", "ana"),
            ("PolicyName", policy.as_str()),
        ),
        (
            inline(ROLE),
            "PutRolePolicy",
            "DeleteRolePolicy",
            ("RoleName", "Ops"),
            ("PolicyName", policy.as_str()),
        ),
        (managed(USER), "AttachUserPolicy", "DetachUserPolicy", ("UserName", "ana"), ("PolicyArn", POLICY)),
        (managed(ROLE), "AttachRolePolicy", "DetachRolePolicy", ("RoleName", "Ops"), ("PolicyArn", POLICY)),
    ] {
        let (iam, script, _) = access([Reply::xml_done(attach), Reply::xml_done(detach)]);
        let change = change(granted, None);
        let attached = iam.attach(&change).await.unwrap();
        let detached = iam.detach(&change).await.unwrap();
        assert_eq!(script.calls(), [attach, detach]);
        for seen in script.seen() {
            let form = seen.form();
            assert_eq!(form.get(name.0).map(String::as_str), Some(name.1), "{form:?}");
            assert_eq!(form.get(policy.0).map(String::as_str), Some(policy.1), "{form:?}");
            assert_eq!(seen.signed_by, OWN_KEY);
        }
        let document = script.seen()[0].form().get("PolicyDocument").cloned();
        assert_eq!(document.is_some(), attach.starts_with("Put"));
        let request = Some("r-1".to_owned());
        assert_eq!(
            attached,
            Proof { found: Found::Applied, at: at(NOW), aws_request_id: request.clone(), unsettled: false }
        );
        assert_eq!(
            detached,
            Proof { found: Found::Deleted, at: at(NOW), aws_request_id: request, unsettled: false }
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_proof_that_it_is_gone_but_no_reason_to_call_an_attach_done() {
    let (iam, _, _) = access([Reply::xml_error(404, "NoSuchEntity")]);
    let change = change(inline(USER), None);
    let proof = iam.detach(&change).await.unwrap();
    assert_eq!((proof.found, proof.aws_request_id.as_deref()), (Found::Absent, Some("r-1")));
    let error = iam.attach(&change).await.unwrap_err();
    assert_eq!((error.failure, error.operation), (Failure::Refused, "PutUserPolicy"));
    assert_eq!(error.to_string(), "PutUserPolicy failed: NoSuchEntity: said NoSuchEntity (request r-1)");
}

#[tokio::test]
async fn a_failing_detach_proves_nothing() {
    for (status, code, failure) in
        [(403, "AccessDenied", Failure::Forbidden), (500, "ServiceFailure", Failure::Retryable)]
    {
        let (iam, _, _) = access([Reply::xml_error(status, code)]);
        assert_eq!(iam.detach(&change(managed(ROLE), None)).await.unwrap_err().failure, failure);
    }
}

#[tokio::test]
async fn a_forbidden_detach_is_proof_only_if_aws_says_that_nothing_is_there() {
    let forbidden = Reply::xml_error(403, "AccessDenied");
    let listing = |call: &str, arn: &str| attached_policies(call, Some(arn), false);
    let document = |call: &str| {
        Reply::Answer(
            200,
            format!(
                "<{call}Response><{call}Result><UserName>n</UserName><RoleName>n</RoleName><PolicyName>p</PolicyName>\
                 <PolicyDocument>d</PolicyDocument></{call}Result></{call}Response>"
            ),
        )
    };
    let other = "arn:aws:iam::aws:policy/Other";
    for (granted, look, there, absent) in [
        (inline(USER), "GetUserPolicy", document("GetUserPolicy"), None),
        (inline(ROLE), "GetRolePolicy", document("GetRolePolicy"), None),
        (
            managed(USER),
            "ListAttachedUserPolicies",
            listing("ListAttachedUserPolicies", POLICY),
            Some(listing("ListAttachedUserPolicies", other)),
        ),
        (
            managed(ROLE),
            "ListAttachedRolePolicies",
            listing("ListAttachedRolePolicies", POLICY),
            Some(listing("ListAttachedRolePolicies", other)),
        ),
    ] {
        let change = change(granted, None);
        for answer in [Some(Reply::xml_error(404, "NoSuchEntity")), absent].into_iter().flatten() {
            let (iam, script, _) = access([forbidden.clone(), answer]);
            assert_eq!(iam.detach(&change).await.unwrap().found, Found::Absent);
            assert_eq!(script.calls().last().map(String::as_str), Some(look));
        }
        // It is there, or nobody may look: the removal stays refused.
        for answer in [there, forbidden.clone()] {
            let (iam, _, _) = access([forbidden.clone(), answer]);
            assert_eq!(iam.detach(&change).await.unwrap_err().failure, Failure::Forbidden, "{look}");
        }
    }
}

#[tokio::test]
async fn a_refusal_settles_nothing_if_an_earlier_attempt_may_still_land() {
    let refused = Reply::xml_error(409, "LimitExceeded");
    let change = change(inline(USER), None);

    let (iam, script, _) = access([refused.clone()]);
    assert!(iam.attach(&change).await.unwrap_err().is_settled());
    assert_eq!(script.calls().len(), 1);

    for first in [Reply::Broken, Reply::xml_error(503, "ServiceUnavailable")] {
        let (iam, script, _) = access([first.clone(), refused.clone()]);
        let error = iam.attach(&change).await.unwrap_err();
        assert_eq!(script.calls().len(), 2);
        assert_eq!((error.is_settled(), error.code.as_str()), (false, "LimitExceeded"), "{error}");
        let (iam, _, _) = access([first, refused.clone()]);
        assert!(!iam.detach(&change).await.unwrap_err().is_settled());
    }

    // Throttled is an answer: that attempt did nothing.
    let (iam, script, _) = access([Reply::xml_error(400, "Throttling"), refused]);
    assert!(iam.attach(&change).await.unwrap_err().is_settled());
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test]
async fn what_is_done_at_the_second_try_is_settled_only_if_the_first_was_answered() {
    let change = change(inline(USER), None);
    for (first, unsettled) in [
        (Reply::Broken, true),
        (Reply::xml_error(500, "ServiceFailure"), true),
        (Reply::xml_error(400, "Throttling"), false),
    ] {
        let (iam, script, _) = access([first.clone(), Reply::xml_done("PutUserPolicy")]);
        let attached = iam.attach(&change).await.unwrap();
        assert_eq!((attached.found, attached.unsettled), (Found::Applied, unsettled));
        assert_eq!(script.calls().len(), 2);
        // The first may land after this one was answered, and take away what was attached since.
        for (second, found) in [
            (Reply::xml_done("DeleteUserPolicy"), Found::Deleted),
            (Reply::xml_error(404, "NoSuchEntity"), Found::Absent),
        ] {
            let (iam, _, _) = access([first.clone(), second]);
            let detached = iam.detach(&change).await.unwrap();
            assert_eq!((detached.found, detached.unsettled), (found, unsettled));
        }
    }
}

#[tokio::test]
async fn in_a_tenants_account_the_agent_role_acts_and_its_session_serves_the_whole_grant() {
    let (iam, script, clock) = access([
        Reply::session("ASIAFIRST", "2026-11-21T01:17:04Z"),
        Reply::xml_done("PutUserPolicy"),
        Reply::xml_done("DeleteUserPolicy"),
        Reply::session("ASIASECOND", "2026-11-21T01:30:04Z"),
        Reply::xml_done("DeleteUserPolicy"),
    ]);
    let change = change(inline(USER), Some(agent()));
    iam.attach(&change).await.unwrap();
    clock.pass(SignedDuration::from_mins(12));
    iam.detach(&change).await.unwrap();
    // Two minutes before its end a session is not begun anything with.
    clock.pass(SignedDuration::from_mins(1));
    iam.detach(&change).await.unwrap();
    assert_eq!(
        script.calls(),
        ["AssumeRole", "PutUserPolicy", "DeleteUserPolicy", "AssumeRole", "DeleteUserPolicy"]
    );
    let signed_by: Vec<String> = script.seen().into_iter().map(|seen| seen.signed_by).collect();
    assert_eq!(signed_by, [OWN_KEY, "ASIAFIRST", "ASIAFIRST", OWN_KEY, "ASIASECOND"]);
}

#[tokio::test]
async fn a_session_that_iam_no_longer_accepts_is_not_used_again() {
    let (iam, script, _) = access([
        Reply::session("ASIAFIRST", "2026-11-21T01:17:04Z"),
        Reply::xml_error(403, "InvalidClientTokenId"),
        Reply::session("ASIASECOND", "2026-11-21T01:17:04Z"),
        Reply::xml_done("DeleteUserPolicy"),
    ]);
    let change = change(inline(USER), Some(agent()));
    assert_eq!(iam.detach(&change).await.unwrap_err().failure, Failure::Forbidden);
    iam.detach(&change).await.unwrap();
    assert_eq!(script.seen().last().map(|seen| seen.signed_by.clone()).as_deref(), Some("ASIASECOND"));
}

#[tokio::test]
async fn without_the_agent_role_nothing_is_tried() {
    let (iam, script, _) = access([Reply::xml_error(403, "AccessDenied")]);
    let error = iam.attach(&change(inline(USER), Some(agent()))).await.unwrap_err();
    assert_eq!((error.failure, error.operation), (Failure::Forbidden, "AssumeRole"));
    assert!(error.message.contains("arn:aws:iam::111122223333:role/curfew-agent"), "{error}");
    assert_eq!(script.calls(), ["AssumeRole"]);
}

#[tokio::test]
async fn a_look_asks_and_never_gives() {
    for (principal, call) in [(USER, "ListAttachedUserPolicies"), (ROLE, "ListAttachedRolePolicies")] {
        let change = change(managed(principal), None);
        for (attached, more, is_kept) in [
            (Some(POLICY), false, true),
            (Some(POLICY), true, true),
            (None, false, false),
            (None, true, false),
        ] {
            let (iam, script, _) = access_that_may(May::Remove, [attached_policies(call, attached, more)]);
            let kept = iam.look(&change).await;
            assert_eq!(script.calls(), [call]);
            if is_kept {
                let request = Some("r-1".to_owned());
                let seen =
                    Proof { found: Found::Applied, at: at(NOW), aws_request_id: request, unsettled: false };
                assert_eq!(kept, Ok(seen), "{attached:?}, {more}");
            } else {
                let failed = kept.unwrap_err();
                assert_eq!((failed.failure, &*failed.code), (Failure::Forbidden, "NotThere"));
                assert!(failed.is_settled() && failed.to_string().contains("the sweep"), "{failed}");
            }
        }
        let (iam, script, _) = access_that_may(May::Remove, [Reply::xml_error(500, "ServiceFailure")]);
        assert_eq!(iam.look(&change).await.unwrap_err().failure, Failure::Retryable, "no answer is no word");
        assert!(script.calls().iter().all(|asked| asked == call));
        // Nothing is sent that AWS would have to refuse.
        let (iam, script, _) = access_that_may(May::Remove, [Reply::xml_done("AttachUserPolicy")]);
        assert_eq!(iam.attach(&change).await.unwrap_err().code, "MayOnlyRemove");
        assert_eq!(script.calls(), [""; 0]);
    }
}
