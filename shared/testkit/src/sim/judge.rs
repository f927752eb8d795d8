//! Compares what AWS holds with the simulation's own books, after every step and in the end.

use curfew_domain::access::Attachment;
use curfew_domain::event::Fact;
use curfew_domain::grant::State;

use super::document;
use super::engine::Engine;
use super::scenario::Kind;
use crate::checks::{self, Violation};
use crate::fixtures;
use crate::ledger::Row;
use crate::world::Aws;

fn violation(promise: &'static str, what: String) -> Violation {
    Violation { promise, what }
}

impl Engine<'_> {
    /// What must hold after every step.
    pub(crate) fn judge(&mut self) {
        let refusals =
            [Kind::Refused, Kind::Forbidden].iter().any(|kind| self.outcome.faults.contains_key(kind.name()));
        let Self { world, model, spans, now, .. } = self;
        let mut found = world.violations();
        world.look(|aws| {
            for (principal, name, text) in aws.iam.documents() {
                if aws.iam.is_by_hand(principal, name) {
                    continue;
                }
                let span = match spans.get(text) {
                    Some(span) => *span,
                    None => {
                        let span = document::span(text);
                        spans.insert(text.to_owned(), span);
                        span
                    }
                };
                found.extend(model.inline_is_justified(principal, name, span).err());
            }
            for Attachment { principal, policy_arn } in aws.iam.attachments() {
                if aws.iam.is_by_hand(&principal, &policy_arn) {
                    continue;
                }
                found.extend(model.attachment_is_justified(&principal, &policy_arn).err());
            }
            for (line, known) in model.owed(*now, refusals) {
                let principal = fixtures::principal(line.seat.principal);
                let has = if line.part.is_managed() {
                    known.policies().any(|policy_arn| {
                        let policy_arn = policy_arn.to_owned();
                        let attachment = Attachment { principal: principal.clone(), policy_arn };
                        aws.iam.has_attached(&attachment) || is_being_changed(aws, &attachment)
                    })
                } else {
                    known.ids().iter().any(|id| aws.iam.has_inline(&principal, &id.object_name()))
                };
                if !has {
                    let what = format!(
                        "{} in {} for {} on CHG-{} was confirmed, nobody has asked to end it, and it is not there",
                        line.part.name(),
                        line.seat.tenant,
                        line.seat.person,
                        line.ticket
                    );
                    found.push(violation("P3", what));
                }
            }
        });
        self.outcome.violations.append(&mut found);
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_settled(&self) -> bool {
        self.world.look(|aws| {
            aws.ledger.index_sizes() == (0, 0)
                && aws.timers.names().is_empty()
                && aws.iam.documents().next().is_none()
                && aws.iam.attachments().next().is_none()
        })
    }

    /// What must hold when all has ended.
    pub(crate) fn judge_the_end(&mut self) {
        let mut found = Vec::new();
        self.world.look(|aws| {
            for row in aws.ledger.rows() {
                found.extend(not_closed_in_time(row));
                found.extend(once(row));
                found.extend(proven(row));
            }
        });
        for (line, ids) in self.model.all() {
            let active = self.world.look(|aws| {
                let rows = ids.iter().filter_map(|id| aws.ledger.row(id));
                rows.filter(|row| has(row, |fact| matches!(fact, Fact::Activated { .. }))).count()
            });
            if active > 1 {
                let what = format!("{active} grants took effect of CHG-{} {}", line.ticket, line.part.name());
                found.push(violation("P5", what));
            }
        }
        if found.is_empty() {
            found = checks::after_the_end(&self.world);
        }
        self.outcome.violations.append(&mut found);
    }
}

/// Whether somebody is just changing a shared attachment, so that it may be off for a moment.
fn is_being_changed(aws: &Aws, attachment: &Attachment) -> bool {
    aws.ledger
        .rows()
        .filter_map(|row| row.stored().ok())
        .filter(|stored| stored.grant.access().shared().as_ref() == Some(attachment))
        .any(|stored| matches!(stored.grant.state(), State::Opening { .. } | State::Closing { .. }))
}

fn not_closed_in_time(row: &Row) -> Option<Violation> {
    let grant = row.stored().ok()?.grant;
    let name = grant.state().name();
    (name != "closed")
        .then(|| violation("P6", format!("grant {} is still {name}, long after its end", grant.id())))
}

fn has(row: &Row, is_meant: impl Fn(&Fact) -> bool) -> bool {
    count(row, is_meant) > 0
}

fn count(row: &Row, is_meant: impl Fn(&Fact) -> bool) -> usize {
    row.story().map_or(0, |story| story.events.iter().filter(|event| is_meant(&event.fact)).count())
}

/// P5: whatever came twice is on record once.
fn once(row: &Row) -> Vec<Violation> {
    let id = row.grant.id();
    let opened = count(row, |fact| matches!(fact, Fact::Opened { .. }));
    let expired = count(row, |fact| matches!(fact, Fact::Expired {}));
    let closed = count(row, |fact| matches!(fact, Fact::Revoked { .. }));
    let mut found = Vec::new();
    for (name, times) in [("Opened", opened), ("Revoked", closed)] {
        if times != 1 {
            found.push(violation("P5", format!("grant {id} has {times} events {name}")));
        }
    }
    if expired > 1 {
        found.push(violation("P5", format!("grant {id} has {expired} events Expired")));
    }
    found
}

/// P6: what is closed has AWS's word on it.
fn proven(row: &Row) -> Option<Violation> {
    let grant = row.stored().ok()?.grant;
    match grant.state() {
        State::Closed { proof, .. } if !proof.found.proves_removal() => {
            Some(violation("P6", format!("grant {} is closed on {:?}", grant.id(), proof.found)))
        }
        _ => None,
    }
}
