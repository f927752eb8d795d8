//! Mutations of the sweep and of the search for drift.

use super::{Edit, Mutation};

const SWEEP: &str = "shared/app/src/sweep.rs";
const DRIFT: &str = "shared/app/src/drift.rs";

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "removal-not-driven",
        what: "the sweep leaves removals that were begun to whoever began them",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: SWEEP,
            find: "return Ok(swept(close::drive(ports, stored, drive).await?));",
            replace: r#"if crate::mutant("removal-not-driven") {
                return Ok(Swept::NotDue);
            }
            return Ok(swept(close::drive(ports, stored, drive).await?));"#,
        }],
    },
    Mutation {
        name: "leftover-ignored",
        what: "what somebody put back under an ended grant's name stays",
        promise: "P2",
        stands_for_aws: false,
        edits: &[Edit {
            file: DRIFT,
            find: "if *closed_at <= since => Some(Drift::Leftover),",
            replace: r#"if *closed_at <= since && !crate::mutant("leftover-ignored") => Some(Drift::Leftover),"#,
        }],
    },
    Mutation {
        name: "drift-hasty",
        what: "a live grant is judged by what IAM showed before it was made or changed",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: DRIFT,
            find: "*activated_at <= since && unsettled_until.is_none_or(|until| until <= since)",
            replace: r#"(*activated_at <= since && unsettled_until.is_none_or(|until| until <= since))
                || crate::mutant("drift-hasty")"#,
        }],
    },
];
