//! Mutations of opening a grant and of changing its window.

use super::stores::EARLIER_TRY;
use super::{Edit, Mutation};

const OPEN: &str = "shared/app/src/open.rs";
const AMEND: &str = "shared/app/src/amend.rs";

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "attached-first",
        what: "access is attached before the ledger holds it",
        promise: "P1",
        stands_for_aws: false,
        edits: &[Edit {
            file: OPEN,
            find: "        match ports.ledger().open(&opened.grant, &opened.events).await? {",
            replace: r#"        if crate::mutant("attached-first") {
            let _ = ports.access().attach(&opened.grant.access_change()).await;
        }
        match ports.ledger().open(&opened.grant, &opened.events).await? {"#,
        }],
    },
    Mutation {
        name: "attach-error-ignored",
        what: "a grant becomes active although its attach failed",
        promise: "P6",
        stands_for_aws: false,
        edits: &[Edit {
            file: OPEN,
            find: "        (Err(error), Ok(timer_set)) => {",
            replace: r#"        (Err(_), Ok(timer_set)) if crate::mutant("attach-error-ignored") => {
            activate(ports, grant, Actor::GrantFunction, timer_set.clone(), timer_set).await
        }
        (Err(error), Ok(timer_set)) => {"#,
        }],
    },
    Mutation {
        name: "timer-error-ignored",
        what: "a grant becomes active although its timer was not set",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: OPEN,
            find: "        (Ok(attached), Err(error)) => {",
            replace: r#"        (Ok(attached), Err(_)) if crate::mutant("timer-error-ignored") => {
            activate(ports, grant, Actor::GrantFunction, attached.clone(), attached).await
        }
        (Ok(attached), Err(error)) => {"#,
        }],
    },
    Mutation {
        name: "silence-taken-for-refusal",
        what: "an attach without an answer is taken for one that AWS refused",
        promise: "P6",
        stands_for_aws: false,
        edits: &[Edit {
            file: OPEN,
            find: "let attach_refused = error.is_settled();\n            let settled = attach_refused && timer_is_settled(&grant, timer_set.is_settled());",
            replace: r#"let attach_refused = error.is_settled() || crate::mutant("silence-taken-for-refusal");
            let settled = attach_refused && timer_is_settled(&grant, timer_set.is_settled());"#,
        }],
    },
    Mutation {
        name: "late-rule-ignored",
        what: "a rule whose setting went without an answer is taken for not set",
        promise: "P5",
        stands_for_aws: false,
        edits: &[Edit {
            file: OPEN,
            find: "TimerKind::Rule => answered_for_good,",
            replace: r#"TimerKind::Rule => answered_for_good || crate::mutant("late-rule-ignored"),"#,
        }],
    },
    Mutation {
        name: "two-deliveries",
        what: "a second delivery of an approval opens a second grant beside the first",
        promise: "P5",
        stands_for_aws: true,
        edits: &[
            EARLIER_TRY,
            Edit {
                file: OPEN,
                find: "        State::Opening { .. } => Opened::Retry {",
                replace: r#"        State::Opening { .. } if crate::mutant("two-deliveries") => return Existing::Failed,
        State::Opening { .. } => Opened::Retry {"#,
            },
        ],
    },
    Mutation {
        name: "replay-opens-again",
        what: "an approval that is delivered again after its grant ended opens another one",
        promise: "P5",
        stands_for_aws: true,
        edits: &[
            EARLIER_TRY,
            Edit {
                file: OPEN,
                find: "        State::Closed { outcome: Outcome::Failed, .. } if attempt + 1 < ATTEMPTS_MAX => {",
                replace: r#"        State::Closed { .. } if crate::mutant("replay-opens-again") => return Existing::Failed,
        State::Closed { outcome: Outcome::Failed, .. } if attempt + 1 < ATTEMPTS_MAX => {"#,
            },
        ],
    },
    Mutation {
        name: "changed-first",
        what: "a change of the window is attached before the ledger holds it",
        promise: "P1",
        stands_for_aws: false,
        edits: &[Edit {
            file: AMEND,
            find: "    if ports.ledger().commit(commit).await? != CommitWrite::Written {",
            replace: r#"    if crate::mutant("changed-first") {
        let _ = ports.access().attach(&next.grant.access_change()).await;
    }
    if ports.ledger().commit(commit).await? != CommitWrite::Written {"#,
        }],
    },
    Mutation {
        name: "change-not-written",
        what: "a change of the window is made although somebody else wrote the grant meanwhile",
        promise: "P4",
        stands_for_aws: false,
        edits: &[Edit {
            file: AMEND,
            find: r#"        return Ok(Opened::Retry {
            reason: "the grant was changed by somebody else meanwhile".to_owned(),
            grant: Some(Box::new(grant)),
        });"#,
            replace: r#"        if !crate::mutant("change-not-written") {
            return Ok(Opened::Retry {
                reason: "the grant was changed by somebody else meanwhile".to_owned(),
                grant: Some(Box::new(grant)),
            });
        }"#,
        }],
    },
    Mutation {
        name: "change-attach-error-ignored",
        what: "a change of the window counts as made although its attach failed",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: AMEND,
            find: "        (Err(error), _) | (Ok(_), Err(error)) => match error.failure {",
            replace: r#"        (Err(_), Ok(timer_set)) if crate::mutant("change-attach-error-ignored") => {
            activate(ports, grant, actor, timer_set.clone(), timer_set).await
        }
        (Err(error), _) | (Ok(_), Err(error)) => match error.failure {"#,
        }],
    },
    Mutation {
        name: "change-timer-error-ignored",
        what: "a change of the window counts as made although its timer was not moved",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: AMEND,
            find: "        (Ok(attached), Ok(timer_set)) => activate(",
            replace: r#"        (Ok(attached), Err(_)) if crate::mutant("change-timer-error-ignored") => {
            activate(ports, grant, actor, attached.clone(), attached).await
        }
        (Ok(attached), Ok(timer_set)) => activate("#,
        }],
    },
];
