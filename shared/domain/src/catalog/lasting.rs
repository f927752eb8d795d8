//! What outlives a window: actions whose effect stays when the grant that allowed them has ended.
//!
//! The window ends what a grant *allows*, on the second. It ends nothing that was made meanwhile: a session
//! of another role, a key, a changed policy, an open shell. Whoever writes such an action into a permission
//! should know, so it is a warning and no error: to repair a role's policy may be just what the grant is for.
//!
//! A list of the ways that are known and short, not a proof that there are no others: resource policies
//! (`s3:PutBucketPolicy`, `kms:CreateGrant` …) and data that was read are beyond it. It looks at actions
//! alone, because what a `Resource`, a `Condition` or a `Deny` leaves of them, only AWS can tell.

use super::finding::Report;
use super::table::Located;
use crate::document::Action;

/// Actions with one kind of effect that stays.
struct Lasting {
    /// IAM actions, without wildcards: it is the catalog's that are compared with them.
    actions: &'static [&'static str],
    /// What stays, and for how long.
    stays: &'static str,
    /// What to do about it.
    remedy: &'static str,
}

/// The actions and how long their effects stay, by these pages:
///
/// * Credentials are valid until they run out, whatever becomes of the right to ask for them; what an
///   assumed role may is that role's own policies' to say:
///   <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html>.
///   Up to 12 h (`AssumeRole`), 15 min (`AssumeRoot`) and 36 h (`GetFederationToken`, `GetSessionToken`):
///   <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html>. The last two give
///   no more than their user may at the time of each request, except where a resource policy names the
///   session; and `GetSessionToken` needs no permission at all, so that nothing is lost without it:
///   <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>.
/// * IAM's own objects stay until somebody removes them:
///   <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>.
/// * Whoever may pass a role can have a service act with it, later too:
///   <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>; and a function's code runs
///   with the function's role: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html>.
/// * A Session Manager session is not cut off by the end of the right to start it, and has by default no
///   longest duration: <https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with.html>,
///   <https://docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-max-timeout.html>.
///   ECS Exec is made of it: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html>.
///   A key that is sent by EC2 Instance Connect holds for 60 s, the connection that it opens does not end with
///   it: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-connect-methods.html>.
const LASTING: &[Lasting] = &[
    Lasting {
        actions: &[
            "sts:AssumeRole",
            "sts:AssumeRoleWithSAML",
            "sts:AssumeRoleWithWebIdentity",
            "sts:AssumeRoot",
        ],
        stays: "a session of an assumed role lives on for up to 12 h",
        remedy: "write down here what that role may, or shorten its longest session",
    },
    Lasting {
        actions: &["sts:GetFederationToken", "sts:GetSessionToken"],
        stays: "temporary credentials live on for up to 36 h",
        remedy: "remove it",
    },
    Lasting {
        actions: &[
            "iam:CreateAccessKey",
            "iam:CreateLoginProfile",
            "iam:CreateServiceSpecificCredential",
            "iam:UpdateLoginProfile",
        ],
        stays: "a new key or password stays for ever",
        remedy: "remove it, and leave credentials to those who may keep them",
    },
    Lasting {
        actions: &[
            "iam:AddUserToGroup",
            "iam:AttachGroupPolicy",
            "iam:AttachRolePolicy",
            "iam:AttachUserPolicy",
            "iam:CreatePolicyVersion",
            "iam:CreateRole",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteUserPermissionsBoundary",
            "iam:PutGroupPolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:PutUserPermissionsBoundary",
            "iam:PutUserPolicy",
            "iam:SetDefaultPolicyVersion",
            "iam:UpdateAssumeRolePolicy",
        ],
        stays: "changed policies, trust, groups and boundaries stay for ever",
        remedy: "remove it, or see to it that a permissions boundary holds whoever it changes",
    },
    Lasting {
        actions: &["iam:PassRole", "lambda:UpdateFunctionCode"],
        stays: "what was started or deployed acts on with its role for ever",
        remedy: "remove it, or name only roles and functions that may act so without a grant",
    },
    Lasting {
        actions: &[
            "ec2-instance-connect:SendSSHPublicKey",
            "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
            "ecs:ExecuteCommand",
            "ssm:SendCommand",
            "ssm:StartSession",
        ],
        stays: "an open shell or a running command goes on until it ends by itself",
        remedy: "limit how long sessions and commands may last where they run",
    },
];

/// Warns of the actions of a statement with `Allow` whose effects outlive the window. `subject` is what
/// messages call the statement.
pub(super) fn warn(subject: &str, actions: &[Located<Action>], report: &mut Report) {
    for Located { value: action, place } in actions {
        let hits: Vec<&Lasting> =
            LASTING.iter().filter(|kind| kind.actions.iter().any(|known| covers(action, known))).collect();
        let remedy = match hits.as_slice() {
            [] => continue,
            [only] => only.remedy,
            [_, _, ..] => "list the actions that are needed instead",
        };
        let stays: Vec<&str> = hits.iter().map(|kind| kind.stays).collect();
        let message = format!(
            "{subject} allows `{}`, and what that makes outlives the window: {}",
            action.as_str(),
            stays.join(", ")
        );
        report.warning(place, message, remedy);
    }
}

/// Whether an action of the catalog, `*` and `?` in it, stands for the action `known`. As in IAM, case does
/// not matter: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>.
fn covers(action: &Action, known: &str) -> bool {
    let known = known.as_bytes();
    // How much of `known` the pattern can stand for, as far as it was read: ascending, each length once.
    let mut lengths = vec![0];
    for wanted in action.as_str().bytes() {
        lengths = if wanted == b'*' {
            lengths.first().map(|shortest| (*shortest..=known.len()).collect()).unwrap_or_default()
        } else {
            let fits = |byte: &u8| wanted == b'?' || byte.eq_ignore_ascii_case(&wanted);
            let longer =
                |length: usize| known.get(length).filter(|byte| fits(byte)).map(|_| length.saturating_add(1));
            lengths.into_iter().filter_map(longer).collect()
        };
    }
    lengths.last() == Some(&known.len())
}
