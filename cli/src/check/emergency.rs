//! Access without approval, and whether somebody looks at it afterwards.

use curfew_guard::Effect;

use super::finding::{Grade, Report, Rule};
use crate::rulebook::Rulebook;

pub(crate) fn check(rulebook: &Rulebook, report: &mut Report) {
    let unreviewed = rulebook
        .guardrails
        .guardrails()
        .filter(|one| one.effect() == Effect::Permit && one.review().is_none());
    for one in unreviewed {
        let is_for = |action: &str| one.scope().actions.contains(&action);
        // Whoever is on call has an incident to show for it; whoever breaks the glass has nothing but their word.
        let (grade, what) = match (is_for("break-glass"), is_for("on-call")) {
            (true, _) => (Grade::Warning, "break-glass"),
            (false, true) => (Grade::Note, "on-call"),
            (false, false) => continue,
        };
        let message = format!(
            "guardrail `{}` permits {what} access, and nobody has to look at it afterwards",
            one.id()
        );
        let remedy = "add @review(\"…\"), or have it be about `action == Action::\"approved\"` alone";
        report.add(
            (Rule::UnreviewedEmergency, grade),
            &rulebook.folders.guardrails,
            one.place(),
            message,
            remedy,
        );
    }
}
