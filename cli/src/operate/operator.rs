//! Who the operator is, for the record: what `aws sts get-caller-identity` says, made to fit the rules for names.
//!
//! A claim all the same, for whoever reads the record: who called the function stands in CloudTrail.
//! Must not know: what they want to do.

use curfew_domain::event::OperatorName;
use curfew_domain::ids::Email;

use super::reach::Reached;
use super::trouble::Trouble;

/// The longest name that a record takes, in characters.
const NAME_CHARS_MAX: usize = 128;

/// The name they gave, or what AWS knows them by.
///
/// # Errors
/// AWS could not be asked, or knows them by nothing that can be a name.
pub async fn named(given: Option<OperatorName>, reached: &Reached) -> Result<OperatorName, Trouble> {
    if let Some(name) = given {
        return Ok(name);
    }
    let arn = reached.caller().await?;
    of_arn(&arn).ok_or(Trouble::Nameless { arn })
}

/// A name made of a caller's ARN: the email address that Identity Center and most federations put into a session's
/// name; else the ARN, of which the end stays if it is too long.
fn of_arn(arn: &str) -> Option<OperatorName> {
    if arn.contains(":assumed-role/") {
        let session = arn.rsplit('/').next().unwrap_or_default();
        if let Ok(email) = Email::new(session) {
            return OperatorName::new(email.as_str()).ok();
        }
    }
    let length = arn.chars().count();
    if length <= NAME_CHARS_MAX {
        return OperatorName::new(arn).ok();
    }
    let kept: String = arn.chars().skip(length - (NAME_CHARS_MAX - 3)).collect();
    OperatorName::new(format!("...{kept}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_becomes_a_name_that_a_record_takes() {
        let long = format!("arn:aws:sts::111122223333:assumed-role/{}/deploy", "r".repeat(120));
        let sso =
            "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Ops_0123456789abcdef/Ana@Example.com";
        for (arn, expected) in [
            (sso, Some("ana@example.com".to_owned())),
            (
                "arn:aws:sts::111122223333:assumed-role/ops/i-0abc",
                Some("arn:aws:sts::111122223333:assumed-role/ops/i-0abc".to_owned()),
            ),
            // A user's own name is not proof of an address, however much it looks like one.
            (
                "arn:aws:iam::111122223333:user/ana@example.com",
                Some("arn:aws:iam::111122223333:user/ana@example.com".to_owned()),
            ),
            (&long, Some(format!("...{}", &long[long.len() - 125..]))),
            ("", None),
            ("arn:\u{1b}", None),
        ] {
            let name = of_arn(arn);
            assert_eq!(name.as_ref().map(OperatorName::as_str), expected.as_deref(), "{arn}");
        }
    }
}
