//! Mutations of the window: in the policy document, of the timer, and of what is decided about it.

use super::{Edit, Mutation};

const DOCUMENT: &str = "shared/domain/src/document.rs";
const TRANSITION: &str = "shared/domain/src/transition.rs";
const RULES: &str = "shared/domain/src/decision/rules.rs";

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "no-window",
        what: "the policy document carries no end",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: DOCUMENT,
            find: "        let time = std::iter::once(time.to_string()).collect();\n",
            replace: r#"        if operator == "DateLessThan" && crate::mutant("no-window") {
            continue;
        }
        let time = std::iter::once(time.to_string()).collect();
"#,
        }],
    },
    Mutation {
        name: "window-ends-late",
        what: "the policy document ends an hour late",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: DOCUMENT,
            find: r#"("DateLessThan", window.expires_at())"#,
            replace: r#"("DateLessThan", {
            let late = i64::from(crate::mutant("window-ends-late"));
            crate::window::plus(window.expires_at(), jiff::SignedDuration::from_hours(late))
        })"#,
        }],
    },
    Mutation {
        name: "window-starts-early",
        what: "the policy document starts an hour early",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: DOCUMENT,
            find: r#"("DateGreaterThanEquals", window.starts_at())"#,
            replace: r#"("DateGreaterThanEquals", {
            let early = i64::from(crate::mutant("window-starts-early"));
            crate::window::plus(window.starts_at(), -jiff::SignedDuration::from_hours(early))
        })"#,
        }],
    },
    Mutation {
        name: "timer-early",
        what: "the timer's minute is rounded down, so that it comes before the end and is spent for nothing",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: "shared/domain/src/window.rs",
            find: "let up = if past == 0 { second } else { second.saturating_add(60 - past) };",
            replace: r#"let to_next = if crate::mutant("timer-early") { 0 } else { 60 };
    let up = if past == 0 { second } else { second.saturating_add(to_next - past) };"#,
        }],
    },
    Mutation {
        name: "timer-late",
        what: "the timer comes an hour late",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "let fires_at = whole_minute_up(window.expires_at());",
            replace: r#"let late = SignedDuration::from_hours(i64::from(crate::mutant("timer-late")));
    let fires_at = whole_minute_up(plus(window.expires_at(), late));"#,
        }],
    },
    Mutation {
        name: "grace-for-ever",
        what: "the sweep waits for three years for a timer that was lost",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: TRANSITION,
            find: "overdue_at: plus(fires_at, sweep_grace)",
            replace: r#"overdue_at: plus(fires_at, if crate::mutant("grace-for-ever") {
            SignedDuration::from_hours(3 * 365 * 24)
        } else {
            sweep_grace
        })"#,
        }],
    },
    Mutation {
        name: "window-over-granted",
        what: "a window that is over already is granted",
        promise: "P8",
        stands_for_aws: false,
        edits: &[Edit {
            file: RULES,
            find: "if expires_at < plus(now, WINDOW_REMAINDER_MINIMUM) {",
            replace: r#"if expires_at < plus(now, WINDOW_REMAINDER_MINIMUM) && !crate::mutant("window-over-granted") {"#,
        }],
    },
];
