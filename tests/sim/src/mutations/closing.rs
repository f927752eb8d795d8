//! Mutations of removing access, of shared attachments, and of revocations.

use super::{Edit, Mutation};

const CLOSE: &str = "shared/app/src/close.rs";
const CONVERGE: &str = "shared/app/src/converge.rs";
const REVOKE: &str = "shared/app/src/revoke.rs";

/// Two mutations change the same line.
const TICKET_MARK: Edit = Edit {
    file: REVOKE,
    find: "    ports.ledger().close_ticket(closed, ports.clock().now()).await?;\n",
    replace: r#"    if crate::mutant("ticket-marked-last") {
        let ended = end_ticket(ports, closed, stop_at).await;
        ports.ledger().close_ticket(closed, ports.clock().now()).await?;
        return ended;
    }
    if !crate::mutant("ticket-not-marked") {
        ports.ledger().close_ticket(closed, ports.clock().now()).await?;
    }
"#,
};

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "detach-error-ignored",
        what: "a grant is closed although its removal failed",
        promise: "P6",
        stands_for_aws: false,
        edits: &[Edit {
            file: CLOSE,
            find: "None => return Ok((Some(ports.access().detach(&grant.access_change()).await?), None)),",
            replace: r#"None => {
                let proof = match ports.access().detach(&grant.access_change()).await {
                    Err(_) if crate::mutant("detach-error-ignored") => absent(ports.clock().now()),
                    detached => detached?,
                };
                return Ok((Some(proof), None));
            }"#,
        }],
    },
    Mutation {
        name: "clear-error-ignored",
        what: "a grant is closed although its timer could not be removed",
        promise: "P5",
        stands_for_aws: false,
        edits: &[Edit {
            file: CLOSE,
            find: "return Ok::<_, Failed>(Some(ports.timers().clear(timer).await?));",
            replace: r#"let cleared = ports.timers().clear(timer).await;
                if cleared.is_err() && crate::mutant("clear-error-ignored") {
                    return Ok::<_, Failed>(None);
                }
                return Ok::<_, Failed>(Some(cleared?));"#,
        }],
    },
    Mutation {
        name: "closed-without-proof",
        what: "a grant is closed without AWS being asked",
        promise: "P6",
        stands_for_aws: false,
        edits: &[Edit {
            file: CLOSE,
            find: "None if !detaches =>",
            replace: r#"None if !detaches || crate::mutant("closed-without-proof") =>"#,
        }],
    },
    Mutation {
        name: "everybody-holds-the-lease",
        what: "whoever removes access counts as the one whose attach was answered",
        promise: "P4",
        stands_for_aws: false,
        edits: &[Edit {
            file: CLOSE,
            find: "let Drive { actor, by_lease_holder, mut effects } = drive;",
            replace: r#"let Drive { actor, by_lease_holder, mut effects } = drive;
    let by_lease_holder = by_lease_holder || crate::mutant("everybody-holds-the-lease");"#,
        }],
    },
    Mutation {
        name: "claim-without-event",
        what: "the event of a claim is not written with the next transition",
        promise: "P7",
        stands_for_aws: false,
        edits: &[Edit {
            file: CLOSE,
            find: "let mut events = stored.unwritten.clone();",
            replace: r#"let mut events = stored.unwritten.clone();
    if crate::mutant("claim-without-event") {
        events.clear();
    }"#,
        }],
    },
    Mutation {
        name: "detached-though-held",
        what: "a shared attachment is detached although others hold it",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: CONVERGE,
            find: "let converged = if holders.grants.is_empty() {",
            replace: r#"let converged = if holders.grants.is_empty() || crate::mutant("detached-though-held") {"#,
        }],
    },
    Mutation {
        name: "not-attached-for-others",
        what: "a shared attachment that others hold is left as it is, although a removal may have come between",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: CONVERGE,
            find: "let kept = match ports.vouch(grant) {",
            replace: r#"let kept: Result<Proof, EffectError> = match ports.vouch(grant) {
            _ if crate::mutant("not-attached-for-others") => Ok(Proof {
                found: Found::Applied,
                at: Timestamp::UNIX_EPOCH,
                aws_request_id: None,
                unsettled: false,
            }),"#,
        }],
    },
    Mutation {
        name: "shared-never-detached",
        what: "a shared attachment stays when its last holder is gone",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: CONVERGE,
            find: "        ports.access().detach(&change).await\n",
            replace: r#"        if crate::mutant("shared-never-detached") {
            Ok(Proof { found: Found::Absent, at: Timestamp::UNIX_EPOCH, aws_request_id: None, unsettled: false })
        } else {
            ports.access().detach(&change).await
        }
"#,
        }],
    },
    Mutation {
        name: "holders-not-compared",
        what: "a grant is closed although its shared attachment has other holders by now",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: CLOSE,
            find: "let shared = converged.as_ref().filter(|_| failed.is_none()).map(",
            replace: r#"let compared = failed.is_none() && !crate::mutant("holders-not-compared");
    let shared = converged.as_ref().filter(|_| compared).map("#,
        }],
    },
    Mutation {
        name: "mark-ignored",
        what: "what a dead removal of the same grant has under way is not waited for",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: CONVERGE,
            find: ".filter(|other| other.after_close || other.grant_id == mine.grant_id)",
            replace: r#".filter(|other| other.after_close || other.grant_id == mine.grant_id)
        .filter(|_| !crate::mutant("mark-ignored"))"#,
        }],
    },
    Mutation {
        name: "mark-taken-off-early",
        what: "a removal takes its mark off although its request may still land",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: CONVERGE,
            find: "            if error.is_settled() {",
            replace: r#"            if error.is_settled() || crate::mutant("mark-taken-off-early") {"#,
        }],
    },
    Mutation {
        name: "second-attach-ignored",
        what: "a shared attachment counts as settled although what was attached for others may land again",
        promise: "P3",
        stands_for_aws: false,
        edits: &[Edit {
            file: CONVERGE,
            find: "Ok(proof) if proof.is_settled() => {",
            replace: r#"Ok(proof) if proof.is_settled() || crate::mutant("second-attach-ignored") => {"#,
        }],
    },
    Mutation {
        name: "ticket-not-marked",
        what: "a closed ticket is not marked, so that a later approval on it opens",
        promise: "P4",
        stands_for_aws: false,
        edits: &[TICKET_MARK],
    },
    Mutation {
        name: "ticket-marked-last",
        what: "a closed ticket is marked after its grants were looked for",
        promise: "P4",
        stands_for_aws: false,
        edits: &[TICKET_MARK],
    },
    Mutation {
        name: "ticket-misses-one",
        what: "closing a ticket leaves out one of its grants",
        promise: "P4",
        stands_for_aws: false,
        edits: &[Edit {
            file: REVOKE,
            find: "revoke_all(ports, found.into_iter().map(|(_, id)| id).collect(), &begin, stop_at)",
            replace: r#"revoke_all(
        ports,
        found.into_iter().skip(usize::from(crate::mutant("ticket-misses-one"))).map(|(_, id)| id).collect(),
        &begin,
        stop_at,
    )"#,
        }],
    },
    Mutation {
        name: "failed-tried-though-revoked",
        what: "an opening that failed and was revoked is tried anew by a redelivery",
        promise: "P4",
        stands_for_aws: false,
        edits: &[Edit {
            file: REVOKE,
            find: "    if begin.cause == Cause::Revoked {",
            replace: r#"    if begin.cause == Cause::Revoked && !crate::mutant("failed-tried-though-revoked") {"#,
        }],
    },
];
