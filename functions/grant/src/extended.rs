//! What an operator is told about an extension: until when access lasts now, or why that did not change and what would
//! help. In sentences, for it is read at night.

use curfew_app::close::Ended;
use curfew_app::extend::{Extend, Extended, NewEnd};
use curfew_app::open::Opened;
use curfew_app::ports::{Failure, LedgerError};
use curfew_domain::decision::Denial;
use curfew_domain::grant::{Grant, State};
use curfew_domain::ids::GrantId;
use curfew_domain::transition::Illegal;
use curfew_runtime::error::chain;
use curfew_runtime::revocation::subject;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// The answer to an operator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExtendReply {
    /// Whether access lasts as asked, or would. If not, the message says what holds and what would help.
    pub ok: bool,
    /// The whole in words.
    pub message: String,
    /// The grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
    /// Until when access lasts now; of a dry run, would. None, if it has ended or that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Everything that is wrong with the input.
    pub problems: Vec<String>,
    /// How an input looks, if this one can't be acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// The grant that it is about, as far as there is one.
pub(crate) fn grant_of(extended: &Extended) -> Option<&Grant> {
    match extended {
        Extended::NotLive(grant)
        | Extended::TicketClosed(grant)
        | Extended::AsItIs(grant)
        | Extended::TooSoon { grant, .. }
        | Extended::Repeated { grant, .. }
        | Extended::WouldChange { grant, .. }
        | Extended::Denied { grant, .. }
        | Extended::Tried(
            Opened::Changed { grant, .. }
            | Opened::NotChanged { grant, .. }
            | Opened::ChangeRefused { grant, .. }
            | Opened::Retry { grant: Some(grant), .. },
        ) => Some(grant),
        Extended::Tried(Opened::RevokedMeanwhile(ended)) => Some(ended.grant()),
        Extended::NoSuchGrant(_) | Extended::Tried(_) => None,
    }
}

const NEW_TICKET: &str = "if it is still needed, have it approved on a new ticket";

impl ExtendReply {
    fn saying(ok: bool, grant_id: Option<&GrantId>, message: String) -> Self {
        Self {
            ok,
            message,
            grant_id: grant_id.cloned(),
            expires_at: None,
            problems: Vec::new(),
            example: None,
        }
    }

    fn until(self, expires_at: Timestamp) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    /// The input can't be acted on.
    #[must_use]
    pub fn bad_input(problems: Vec<String>) -> Self {
        let message = "nothing was changed, because the input can't be acted on".to_owned();
        Self {
            problems,
            example: Some(json!({
                "extend": "g-abcdefghijklmnopqrstuvwxyz",
                "minutes": 60,
                "reason": "incident INC0010023 is not over",
                "operator": "you@example.com",
                "dry_run": true,
            })),
            ..Self::saying(false, None, message)
        }
    }

    /// Nothing can be decided.
    #[must_use]
    pub fn out_of_order(grant_id: &GrantId, what: &str) -> Self {
        let message = format!(
            "nothing was changed: {what}; the errors are in the function's log, with file and line. What was granted \
             goes on until its end"
        );
        Self::saying(false, Some(grant_id), message)
    }

    /// The ledger failed.
    #[must_use]
    pub fn unknown(grant_id: &GrantId, error: &LedgerError) -> Self {
        let message =
            format!("it is not known whether grant {grant_id} was extended: {}; {AGAIN}", chain(error));
        Self::saying(false, Some(grant_id), message)
    }

    /// There was no time left.
    #[must_use]
    pub fn too_late(grant_id: Option<&GrantId>) -> Self {
        let message = format!("it took too long, so it is not known whether the grant was extended; {AGAIN}");
        Self::saying(false, grant_id, message)
    }

    /// What came of an order.
    #[must_use]
    pub fn of(order: &Extend, extended: &Extended) -> Self {
        match extended {
            Extended::NoSuchGrant(id) => {
                let message = format!(
                    "there is no grant {id} in the ledger; find its id on the dashboard, with `curfew grants`, or by a \
                     dry run of the revoke function"
                );
                Self::saying(false, Some(id), message)
            }
            Extended::NotLive(grant) => not_live(grant),
            Extended::TicketClosed(grant) => {
                let request = grant.request();
                let message = format!(
                    "ticket {} of source {} is closed, so {} is being ended and can't be extended; {NEW_TICKET}",
                    request.ticket,
                    request.source,
                    subject(grant)
                );
                Self::saying(false, Some(grant.id()), message)
            }
            Extended::TooSoon { grant, from } => {
                let message = format!(
                    "{}: the approval that it rests on is dated {}, and only a later one changes it; send the same again \
                     from {from} on",
                    as_before(grant),
                    grant.approved_at()
                );
                Self::saying(false, Some(grant.id()), message).until(end(grant))
            }
            Extended::AsItIs(grant) => {
                let message =
                    format!("{} lasts until {} already, and nothing was changed", subject(grant), end(grant));
                Self::saying(true, Some(grant.id()), message).until(end(grant))
            }
            Extended::Repeated { grant, at } => repeated(order, grant, *at),
            Extended::WouldChange { grant, window } => {
                let until = window.expires_at();
                let message = format!(
                    "dry run, nothing was changed: {} would last until {until}, and not until {}; send the same without \
                     `dry_run` to make it so",
                    subject(grant),
                    end(grant)
                );
                Self::saying(true, Some(grant.id()), message).until(until)
            }
            Extended::Denied { grant, denial } => denied(order, grant, denial),
            Extended::Tried(opened) => tried(order, opened),
        }
    }
}

/// What is done twice does nothing more, so whoever is not sure may say it again.
const AGAIN: &str = "send the same again: what was done is not done twice";

fn end(grant: &Grant) -> Timestamp {
    grant.window().expires_at()
}

fn as_before(grant: &Grant) -> String {
    format!("{} lasts until {} as before", subject(grant), end(grant))
}

fn not_live(grant: &Grant) -> ExtendReply {
    let subject = subject(grant);
    let message = match grant.state() {
        State::Opening { .. } => {
            format!("{subject} is still being opened; send the same again in a minute")
        }
        State::Active { .. } => {
            format!("{subject} ended at {} and is about to be removed; {NEW_TICKET}", end(grant))
        }
        State::Closing { .. } => format!("{subject} is being removed and can't be extended; {NEW_TICKET}"),
        State::Closed { outcome, closed_at, .. } => {
            format!("{subject} was closed ({outcome}) at {closed_at} and can't be extended; {NEW_TICKET}")
        }
    };
    ExtendReply::saying(false, Some(grant.id()), message)
}

fn repeated(order: &Extend, grant: &Grant, at: Timestamp) -> ExtendReply {
    let (subject, id) = (subject(grant), Some(grant.id()));
    match grant.state() {
        State::Active { .. } => {
            let more = match order.to {
                NewEnd::Later(_) => "; for more, say a time in `until`",
                NewEnd::At(_) => "",
            };
            let message = format!(
                "this was done at {at}, and nothing was changed now: {subject} lasts until {}{more}",
                end(grant)
            );
            ExtendReply::saying(true, id, message).until(end(grant))
        }
        State::Opening { .. } | State::Closing { .. } | State::Closed { .. } => {
            let message = format!(
                "this was done at {at}, but since then {subject} was ended; it is {} now",
                grant.state().name()
            );
            ExtendReply::saying(false, id, message)
        }
    }
}

fn denied(order: &Extend, grant: &Grant, denial: &Denial) -> ExtendReply {
    let Denial { reason, remedy, guardrails, .. } = denial;
    let by: Vec<String> = guardrails.iter().map(|guardrail| format!("`{guardrail}`")).collect();
    let by = if by.is_empty() { String::new() } else { format!(" (guardrail {})", by.join(", ")) };
    let to_end = match order.to {
        NewEnd::At(time) if time < end(grant) => "; to end it at once, revoke it",
        NewEnd::At(_) | NewEnd::Later(_) => "",
    };
    let message = format!("denied, {}: {reason}{by}; {remedy}{to_end}", as_before(grant));
    ExtendReply::saying(false, Some(grant.id()), message).until(end(grant))
}

fn tried(order: &Extend, opened: &Opened) -> ExtendReply {
    let id = Some(&order.grant_id);
    match opened {
        Opened::Changed { grant, previous_end } => {
            let message = format!(
                "{} lasts until {} now, and not until {previous_end}; AWS confirmed it",
                subject(grant),
                end(grant)
            );
            ExtendReply::saying(true, id, message).until(end(grant))
        }
        Opened::NotChanged { grant, why } => {
            let remedy = match why {
                Illegal::OtherAccess => {
                    "the catalog gives this role in another way than when it was granted: close the ticket, and have the \
                     access approved on a new one"
                }
                Illegal::TooManyChanges => NEW_TICKET,
                _ => "send the same again",
            };
            let message = format!("{}: {why}; {remedy}", as_before(grant));
            ExtendReply::saying(false, id, message).until(end(grant))
        }
        Opened::ChangeRefused { grant, error } => {
            let remedy = match error.failure {
                Failure::Forbidden => {
                    "compare Curfew's permissions and the principal's permissions boundary with this call"
                }
                Failure::Refused | Failure::Retryable | Failure::Throttled => "put right what AWS refused",
            };
            let message = format!(
                "AWS refused it ({error}), so {} {}: {remedy}, and {NEW_TICKET}",
                subject(grant),
                if matches!(grant.state(), State::Closed { .. }) { "was ended" } else { "is being ended" }
            );
            ExtendReply::saying(false, id, message)
        }
        Opened::RevokedMeanwhile(ended) => {
            let left = match ended {
                Ended::Closed(_) => "no access is left".to_owned(),
                Ended::Settling { .. } | Ended::Throttled { .. } | Ended::Unproven { .. } => {
                    "its removal has begun, and the sweep finishes and confirms it".to_owned()
                }
                Ended::LeftBehind { error, .. } => {
                    format!("it is closed, but what was attached late may still be there: {error}")
                }
            };
            let message =
                format!("{} was revoked while it was being extended; {left}", subject(ended.grant()));
            ExtendReply::saying(false, id, message)
        }
        Opened::Retry { reason, .. } => {
            let message = format!(
                "grant {} was not extended, or AWS has not confirmed it yet ({reason}); look at it in a minute, or {AGAIN}",
                order.grant_id
            );
            ExtendReply::saying(false, id, message)
        }
        // What only comes of an approval that opens a grant.
        Opened::Activated(_)
        | Opened::Duplicate(_)
        | Opened::Superseded(_)
        | Opened::Denied(_)
        | Opened::TicketClosed
        | Opened::Conflict(_)
        | Opened::Refused { .. }
        | Opened::TooManyAttempts(_) => {
            let message = format!("grant {} was not extended; its events say why", order.grant_id);
            ExtendReply::saying(false, id, message)
        }
    }
}
