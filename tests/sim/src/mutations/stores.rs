//! Mutations of the ledger in memory, each of a condition (or another part) of a write that `shared/aws` puts into a
//! request to DynamoDB. They show what these conditions are for; that `shared/aws` has them, the tests on the wire
//! show.

use super::{Edit, Mutation};

const LEDGER: &str = "shared/testkit/src/ledger.rs";

/// The condition that a try is only opened after one that failed is a second guard of two mutations in
/// `shared/app`, which break nothing without it.
pub(super) const EARLIER_TRY: Edit = Edit {
    file: LEDGER,
    find: "            if !failed {\n                return Ok(OpenWrite::EarlierTryChanged);",
    replace: r#"            let unseen = crate::mutant("two-deliveries") || crate::mutant("replay-opens-again");
            if !failed && !unseen {
                return Ok(OpenWrite::EarlierTryChanged);"#,
};

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "version-not-compared",
        what: "a transition is written although somebody else changed the grant since it was read",
        promise: "P7",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "if row.stored()?.grant.version() + 1 != commit.grant.version() {",
            replace: r#"let is_next = row.stored()?.grant.version() + 1 == commit.grant.version();
        if !is_next && !crate::mutant("version-not-compared") {"#,
        }],
    },
    Mutation {
        name: "holders-version-not-compared",
        what: "an end is written although the shared attachment's holders changed since they were read",
        promise: "P3",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "if holders.version != shared.version {",
            replace: r#"if holders.version != shared.version && !crate::mutant("holders-version-not-compared") {"#,
        }],
    },
    Mutation {
        name: "holder-kept",
        what: "a grant that is ended is not taken off the holders of its shared attachment",
        promise: "P3",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "if holders.grants.remove(id) {",
            replace: r#"if !crate::mutant("holder-kept") && holders.grants.remove(id) {"#,
        }],
    },
    Mutation {
        name: "removal-not-marked",
        what: "a removal leaves no mark on the shared attachment",
        promise: "P3",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "holders.removing.insert(mine.clone());",
            replace: r#"if !crate::mutant("removal-not-marked") {
            holders.removing.insert(mine.clone());
        }"#,
        }],
    },
    Mutation {
        name: "opened-over",
        what: "a grant is written over one of the same id",
        promise: "P5",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "if let Some(row) = self.rows.get(grant.id()) {",
            replace: r#"if let Some(row) = self.rows.get(grant.id()).filter(|_| !crate::mutant("opened-over")) {"#,
        }],
    },
    Mutation {
        name: "ticket-mark-not-seen",
        what: "a grant is opened although its ticket is marked as closed",
        promise: "P4",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "if ticket.closed.is_some() {",
            replace: r#"if ticket.closed.is_some() && !crate::mutant("ticket-mark-not-seen") {"#,
        }],
    },
    Mutation {
        name: "events-left-out",
        what: "a transition is written without its events",
        promise: "P7",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "row.events.extend_from_slice(commit.events);",
            replace: r#"if !crate::mutant("events-left-out") {
            row.events.extend_from_slice(commit.events);
        }"#,
        }],
    },
    Mutation {
        name: "holder-not-counted",
        what: "a new holder of a shared attachment does not count its version",
        promise: "P3",
        stands_for_aws: true,
        edits: &[Edit {
            file: LEDGER,
            find: "let holders = self.attachments.entry(attachment).or_default();\n            holders.version += 1;",
            replace: r#"let holders = self.attachments.entry(attachment).or_default();
            holders.version += u64::from(!crate::mutant("holder-not-counted"));"#,
        }],
    },
];
