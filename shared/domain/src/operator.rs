//! Operators' acts: who did what by hand, in which words, and by which invocation.
//!
//! Curfew can't know who an operator is: their name is what they typed. The invocation is the one thing about an act
//! that they can't choose, and CloudTrail knows who called it. So every record of an act carries it. Must not know
//! Lambda, nor how an act is asked for.

use serde::{Deserialize, Serialize};

use crate::event::OperatorName;
use crate::ids::DeliveryId;

/// How many characters an operator may use to say why.
pub const WORDS_MAX: usize = 1_000;

/// How much of an invocation's id is kept. Lambda's are 36 characters.
const INVOCATION_MAX: usize = 64;

/// What an operator did, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAct {
    /// Who, as they named themselves.
    pub operator: OperatorName,
    /// Why, with the invocation: [`Invocation::sign`].
    pub reason: String,
}

/// The invocation by which an operator acts: Lambda's request id, which is in the function's log and in CloudTrail's
/// data event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Invocation(String);

impl Invocation {
    /// An invocation by its request id: letters, digits, `-`, `_` and `.`, at most 64 of them. Whatever else stands in it
    /// is left out, because it goes into records that people read.
    #[must_use]
    pub fn of(request_id: &str) -> Self {
        let kept = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
        let id: String = request_id.chars().filter(kept).take(INVOCATION_MAX).collect();
        Self(if id.is_empty() { "unknown".to_owned() } else { id })
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An operator's words as they are kept: with the invocation at their end, where nobody's own words come after it.
    #[must_use]
    pub fn sign(&self, words: &str) -> String {
        format!("{words} (invocation {})", self.0)
    }

    /// What stands for the delivery of an operator's act.
    #[must_use]
    pub fn delivery(&self) -> DeliveryId {
        DeliveryId::of_operator(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_end_with_the_invocation_whatever_they_say() {
        let invocation = Invocation::of("8f5a2c31-6b0e-4e0a-9d1f-2f6f1f1d9a10");
        assert_eq!(
            invocation.sign("incident over"),
            "incident over (invocation 8f5a2c31-6b0e-4e0a-9d1f-2f6f1f1d9a10)"
        );
        let forged = invocation.sign("incident over (invocation 00000000)");
        assert!(forged.ends_with("(invocation 8f5a2c31-6b0e-4e0a-9d1f-2f6f1f1d9a10)"), "{forged}");
        assert_eq!(invocation.delivery().as_str(), "operator:8f5a2c31-6b0e-4e0a-9d1f-2f6f1f1d9a10");
    }

    proptest! {
        #[test]
        fn any_request_id_makes_a_bounded_printable_id_and_a_delivery(request_id in prop_oneof![any::<String>(), "[a-z0-9-]{0,200}"]) {
            let invocation = Invocation::of(&request_id);
            let signed = invocation.sign("");
            prop_assert!(signed.len() <= 80 && signed.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{signed}");
            let delivery = invocation.delivery();
            prop_assert_eq!(DeliveryId::new(delivery.as_str()), Ok(delivery.clone()));
        }
    }
}
