//! Mutations of a grant's life: its transitions, what is due, and what is to be done.

use super::{Edit, Mutation};

const TRANSITION: &str = "shared/domain/src/transition.rs";
const GRANT: &str = "shared/domain/src/grant.rs";

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "lease-skipped",
        what: "a removal counts although the opening's attach may still land",
        promise: "P4",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "State::Opening { lease_until } if !begin.settled =>",
            replace: r#"State::Opening { lease_until } if !begin.settled && !crate::mutant("lease-skipped") =>"#,
        }],
    },
    Mutation {
        name: "change-lease-skipped",
        what: "a removal counts although a changing attach may still land",
        promise: "P4",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "State::Active { unsettled_until: Some(until), .. } => now.max(*until),",
            replace: r#"State::Active { unsettled_until: Some(until), .. } if !crate::mutant("change-lease-skipped") => {
            now.max(*until)
        }"#,
        }],
    },
    Mutation {
        name: "closed-before-settled",
        what: "a removal that began before a late attach could land is taken for proof",
        promise: "P6",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "if removal.began_at < *settle_after && !removal.by_lease_holder {",
            replace: r#"if removal.began_at < *settle_after
                && !removal.by_lease_holder
                && !crate::mutant("closed-before-settled")
            {"#,
        }],
    },
    Mutation {
        name: "unsettled-taken-for-settled",
        what: "an attach that was sent twice and answered once is taken for settled",
        promise: "P6",
        stands_for_aws: false,
        edits: &[Edit {
            file: "shared/domain/src/effect.rs",
            find: "        !self.unsettled\n",
            replace: "        !self.unsettled || crate::mutant(\"unsettled-taken-for-settled\")\n",
        }],
    },
    Mutation {
        name: "two-changes-at-once",
        what: "a window is changed although another change of it is under way",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "State::Active { unsettled_until: Some(until), .. } if now < *until => {",
            replace: r#"State::Active { unsettled_until: Some(until), .. }
            if now < *until && !crate::mutant("two-changes-at-once") =>
        {"#,
        }],
    },
    Mutation {
        name: "older-approval-taken",
        what: "an approval that is older than the one in force changes the window back",
        promise: "P5",
        stands_for_aws: false,
        edits: &[
            Edit {
                file: TRANSITION,
                find: "if plan.approved_at <= grant.approved_at && !rests_on_it {",
                replace: r#"if plan.approved_at <= grant.approved_at
        && !rests_on_it
        && !crate::mutant("older-approval-taken")
    {"#,
            },
            Edit {
                file: "shared/app/src/amend.rs",
                find: "Some(approved_at) if approved_at > grant.approved_at() => true,",
                replace: r#"Some(approved_at)
            if approved_at > grant.approved_at() || crate::mutant("older-approval-taken") => true,"#,
            },
        ],
    },
    Mutation {
        name: "extended-without-approval",
        what: "the approval in force is enough for a later end, too",
        promise: "P2",
        stands_for_aws: false,
        edits: &[
            Edit {
                file: TRANSITION,
                find: "plan.approved_at == grant.approved_at && plan.window.shortens(grant.window);",
                replace: r#"plan.approved_at == grant.approved_at
        && (plan.window.shortens(grant.window) || crate::mutant("extended-without-approval"));"#,
            },
            Edit {
                file: "shared/app/src/amend.rs",
                find: "Ok(plan) if is_newer || plan.window.shortens(grant.window()) => {",
                replace: r#"Ok(plan)
            if is_newer
                || plan.window.shortens(grant.window())
                || crate::mutant("extended-without-approval") =>
        {"#,
            },
        ],
    },
    Mutation {
        name: "change-without-lease",
        what: "a change of the window takes no lease",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "        unsettled_until: Some(lease_until),\n        changing: Some(Changing {",
            replace: r#"        unsettled_until: Some(if crate::mutant("change-without-lease") { now } else { lease_until }),
        changing: Some(Changing {"#,
        }],
    },
    Mutation {
        name: "document-not-rewritten",
        what: "a change of the window leaves the policy document as it was",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "    changed.access = access;\n",
            replace: r#"    if !crate::mutant("document-not-rewritten") {
        changed.access = access;
    }
"#,
        }],
    },
    Mutation {
        name: "timer-not-moved",
        what: "a change of the window leaves the timer as it was",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "    changed.timer = timer;\n",
            replace: r#"    if !crate::mutant("timer-not-moved") {
        changed.timer = timer;
    }
"#,
        }],
    },
    Mutation {
        name: "retried-never",
        what: "a removal that failed is put off for three years",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "let retry_at = plus(now, retry_pause(failures));",
            replace: r#"let pause = if crate::mutant("retried-never") {
                SignedDuration::from_hours(3 * 365 * 24)
            } else {
                retry_pause(failures)
            };
            let retry_at = plus(now, pause);"#,
        }],
    },
    Mutation {
        name: "no-event",
        what: "transitions leave no event",
        promise: "P7",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "Transition { grant, events: vec![event], effects: Vec::new() }",
            replace: r#"let events = if crate::mutant("no-event") { Vec::new() } else { vec![event] };
    Transition { grant, events, effects: Vec::new() }"#,
        }],
    },
    Mutation {
        name: "event-not-chained",
        what: "a grant forgets which event was its last",
        promise: "P7",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "let event = grant.chain.append(&grant.id, now, actor, fact);",
            replace: r#"let mut forgotten = grant.chain.clone();
    let chain = if crate::mutant("event-not-chained") { &mut forgotten } else { &mut grant.chain };
    let event = chain.append(&grant.id, now, actor, fact);"#,
        }],
    },
    Mutation {
        name: "version-not-counted",
        what: "transitions do not count the grant's version",
        promise: "P7",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "grant.version = grant.version.saturating_add(1);",
            replace: r#"grant.version = grant.version.saturating_add(u64::from(!crate::mutant("version-not-counted")));"#,
        }],
    },
    Mutation {
        name: "rule-taken-for-spent",
        what: "a rule that fired is taken for gone, like a schedule",
        promise: "P5",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "begin.actor == Actor::Timer && grant.timer.kind == TimerKind::Scheduler",
            replace: r#"begin.actor == Actor::Timer
            && (grant.timer.kind == TimerKind::Scheduler || crate::mutant("rule-taken-for-spent"))"#,
        }],
    },
    Mutation {
        name: "timer-left",
        what: "a grant that is ended early leaves its timer",
        promise: "P5",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "    if timer_is_spent {",
            replace: r#"    if timer_is_spent || crate::mutant("timer-left") {"#,
        }],
    },
    Mutation {
        name: "expired-without-guard",
        what: "a timer that comes early ends a grant whose window is not over",
        promise: "P5",
        stands_for_aws: false,
        edits: &[Edit {
            file: "shared/domain/src/transition/guard.rs",
            find: "Cause::Expired => Self { from_active: true, expired_at: Some(now), abandoned_at: None },",
            replace: r#"Cause::Expired => {
                let expired_at = (!crate::mutant("expired-without-guard")).then_some(now);
                Self { from_active: true, expired_at, abandoned_at: None }
            }"#,
        }],
    },
    Mutation {
        name: "opening-never-due",
        what: "the sweep never looks at an opening that was cut short",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: GRANT,
            find: "State::Opening { lease_until } => Some(*lease_until),",
            replace: r#"State::Opening { .. } if crate::mutant("opening-never-due") => None,
            State::Opening { lease_until } => Some(*lease_until),"#,
        }],
    },
    Mutation {
        name: "active-never-due",
        what: "the sweep never looks at a grant whose timer was lost",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: GRANT,
            find: "State::Active { .. } => Some(self.timer.overdue_at),",
            replace: r#"State::Active { .. } if crate::mutant("active-never-due") => None,
            State::Active { .. } => Some(self.timer.overdue_at),"#,
        }],
    },
    Mutation {
        name: "closing-never-due",
        what: "the sweep never looks at a removal that was cut short",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: GRANT,
            find: "State::Closing { retry_at, .. } => Some(*retry_at),",
            replace: r#"State::Closing { .. } if crate::mutant("closing-never-due") => None,
            State::Closing { retry_at, .. } => Some(*retry_at),"#,
        }],
    },
    Mutation {
        name: "detach-left-out",
        what: "closing a grant means to clear its timer only",
        promise: "P6",
        stands_for_aws: false,
        edits: &[Edit {
            file: GRANT,
            find: "vec![Effect::Detach(self.access_change()), Effect::ClearTimer(self.timer.clone())]",
            replace: r#"if crate::mutant("detach-left-out") {
            return vec![Effect::ClearTimer(self.timer.clone())];
        }
        vec![Effect::Detach(self.access_change()), Effect::ClearTimer(self.timer.clone())]"#,
        }],
    },
];
