//! What invocations do: the application's own use cases, called as the functions call them; and what their
//! callers make of the answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use curfew_app::close::Ended;
use curfew_app::drift::{self, DriftReport, DriftScope, DriftSettings};
use curfew_app::open::{OpenSettings, Opened, open};
use curfew_app::ports::{Clock as _, LedgerError, Ports as _};
use curfew_app::revoke::{self, Revoked, SelectError, Selector};
use curfew_app::sweep::{self, Lap, Report};
use curfew_domain::catalog::Catalog;
use curfew_domain::effect::TimerKind;
use curfew_domain::event::{Actor, DriftResponse, OperatorName};
use curfew_domain::grant::{Cause, State};
use curfew_domain::ids::{DeliveryId, GrantId, RoleName, TenantId};
use curfew_domain::request::{
    AccessRequest, Approval, Basis, TicketClosed, TicketFacts, WindowEnd, WindowRequest,
};
use curfew_domain::transition::BeginClosing;
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use super::scenario::{Approve, Ends, Flaw, Ticket, moment};
use crate::fixtures::{self, valid};
use crate::guardrails::permissive;
use crate::ports::MemoryPorts;
use crate::task::Task;

/// How long the functions run at most, as `infra/template.yaml` says.
pub(crate) const GRANT_TIMEOUT: SignedDuration = SignedDuration::from_secs(25);
pub(crate) const REVOKE_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);
pub(crate) const SWEEP_TIMEOUT: SignedDuration = SignedDuration::from_secs(55);

/// How long before its deadline the grant function answers, whatever it waits for.
const ANSWER_MARGIN: SignedDuration = SignedDuration::from_secs(1);

/// How long before its deadline a function begins no more work.
const WIND_DOWN: SignedDuration = SignedDuration::from_secs(15);

/// How long after its deadline an invocation may have a change in flight.
const LEASE_GRACE: SignedDuration = SignedDuration::from_secs(30);

/// How long after a timer's minute the sweep takes a grant over.
const SWEEP_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// How far the revoke function reckons its clock to be behind the timers'.
const TIMER_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// How often the revoke function looks grants up for one call.
const LOOKS_MAX: usize = 3;

/// How often the simulation looks for drift: oftener than an installation does, to meet more.
pub(crate) const DRIFT_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// How long a grant must have been as it is before it is judged.
const DRIFT_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// How many pages of IAM's inventory are read in a lap at most.
const DRIFT_PAGES: usize = 5;

/// How long before the sweep's own work stops no page is begun any more.
const DRIFT_HEADROOM: SignedDuration = SignedDuration::from_secs(10);

/// How many pieces of work a lap of the sweep takes on.
const LAP_LIMIT: usize = 500;

/// What an invocation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// The delivery of an approval.
    Approve {
        /// Its intent.
        intent: u32,
    },
    /// The delivery of a ticket's closing.
    CloseTicket {
        /// Its intent.
        intent: u32,
    },
    /// An operator's call.
    Revoke {
        /// Its intent.
        intent: u32,
    },
    /// A timer's call.
    Expire(GrantId),
    /// A lap of the sweep.
    Sweep,
}

impl Job {
    /// How long it may run.
    pub(crate) fn timeout(&self) -> SignedDuration {
        match self {
            Self::Approve { .. } | Self::CloseTicket { .. } => GRANT_TIMEOUT,
            Self::Revoke { .. } | Self::Expire(_) => REVOKE_TIMEOUT,
            Self::Sweep => SWEEP_TIMEOUT,
        }
    }

    /// When it gives up waiting by itself, before its deadline.
    pub(crate) fn gives_up(&self) -> SignedDuration {
        match self {
            Self::Approve { .. } | Self::CloseTicket { .. } => GRANT_TIMEOUT.saturating_sub(ANSWER_MARGIN),
            Self::Revoke { .. } | Self::Expire(_) | Self::Sweep => self.timeout(),
        }
    }
}

/// What came of one grant that a call was about.
pub(crate) type GrantEnd = (GrantId, Result<Revoked, LedgerError>);

/// What an invocation answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Opened(Result<Opened, LedgerError>),
    TicketClosed(Result<Vec<GrantEnd>, LedgerError>),
    Revoked(Result<Vec<GrantEnd>, String>),
    /// What came of it, and what the clock showed when it began.
    Expired(Box<Result<Revoked, LedgerError>>, Timestamp),
    Swept(Result<Report, LedgerError>, Option<DriftReport>),
}

/// A function's invocation that has not begun.
pub(crate) struct Start {
    pub(crate) ports: MemoryPorts,
    /// Its deadline by its own clock.
    pub(crate) deadline: Timestamp,
    pub(crate) timer: TimerKind,
    pub(crate) catalog: Arc<Catalog>,
    /// What is done about drift, and where it is looked for.
    pub(crate) drift: Option<(DriftResponse, Vec<DriftScope>)>,
}

impl Start {
    pub(crate) fn open(self, request: AccessRequest) -> Task<'static, Answer> {
        let Self { ports, timer, catalog, .. } = self;
        Task::new(async move {
            let settings =
                OpenSettings { own_account: fixtures::OWN_ACCOUNT, timer, sweep_grace: SWEEP_GRACE };
            Answer::Opened(open(&ports, permissive(&catalog), request, settings).await)
        })
    }

    pub(crate) fn close_ticket(self, closed: TicketClosed) -> Task<'static, Answer> {
        let Self { ports, deadline, .. } = self;
        Task::new(async move {
            Answer::TicketClosed(revoke::close_ticket(&ports, &closed, plus(deadline, -WIND_DOWN)).await)
        })
    }

    /// As the revoke function: what was granted a moment ago shows up in the index a moment later.
    pub(crate) fn revoke(self, selector: Selector) -> Task<'static, Answer> {
        let Self { ports, deadline, .. } = self;
        let begin = BeginClosing {
            cause: Cause::Revoked,
            actor: Actor::Operator(valid(OperatorName::new("olga"))),
            reason: "no longer needed".to_owned(),
            settled: false,
        };
        let lags = matches!(selector, Selector::Person(_) | Selector::Tenant(_));
        Task::new(async move {
            let mut ends = Vec::new();
            let mut seen = BTreeSet::new();
            let mut new = match revoke::select(&ports, &selector).await {
                Ok(ids) => ids,
                Err(error) => return Answer::Revoked(Err(told(&error))),
            };
            for _ in 0..LOOKS_MAX {
                new.retain(|id| seen.insert(id.clone()));
                if new.is_empty() {
                    break;
                }
                let batch = std::mem::take(&mut new);
                ends.extend(revoke::revoke_all(&ports, batch, &begin, plus(deadline, -WIND_DOWN)).await);
                if !lags {
                    break;
                }
                if let Ok(ids) = revoke::select(&ports, &selector).await {
                    new = ids;
                }
            }
            Answer::Revoked(Ok(ends))
        })
    }

    pub(crate) fn expire(self, id: GrantId) -> Task<'static, Answer> {
        let Self { ports, .. } = self;
        Task::new(async move {
            let asked_at = ports.clock().now();
            Answer::Expired(Box::new(revoke::expire(&ports, &id).await), asked_at)
        })
    }

    /// As the sweep function: what is due comes first, drift gets the time that is left.
    pub(crate) fn sweep(self) -> Task<'static, Answer> {
        let Self { ports, deadline, drift, .. } = self;
        let stop_at = plus(deadline, -WIND_DOWN);
        Task::new(async move {
            let lap = Lap { limit: LAP_LIMIT, stop_at };
            let swept = sweep::sweep(&ports, lap).await;
            let stop_at = plus(stop_at, -DRIFT_HEADROOM);
            let found = match drift {
                Some((response, scopes)) if swept.is_ok() && ports.clock().now() < stop_at => {
                    let settings = DriftSettings {
                        response,
                        every: DRIFT_EVERY,
                        margin: DRIFT_MARGIN,
                        pages: DRIFT_PAGES,
                        stop_at,
                    };
                    Some(drift::look_for_drift(&ports, &scopes, settings).await)
                }
                _ => None,
            };
            Answer::Swept(swept, found)
        })
    }
}

fn told(error: &SelectError) -> String {
    error.to_string()
}

/// The lease of an invocation: rounded up to a whole second.
pub(crate) fn lease_until(deadline: Timestamp) -> Timestamp {
    let up = plus(deadline, SignedDuration::from_nanos(999_999_999));
    plus(curfew_domain::window::whole_second(up), LEASE_GRACE)
}

/// The request of an approval.
pub(crate) fn request(intent: u32, approve: &Approve) -> AccessRequest {
    let person = |name: &str| fixtures::person(name);
    let (approver, at) = match approve.flaw {
        Some(Flaw::SelfApproved) => (person(approve.seat.person), moment(approve.approved)),
        Some(Flaw::UnknownApprover) => (person("mallory"), moment(approve.approved)),
        Some(Flaw::Stale) => {
            (person("carl"), plus(moment(approve.approved), SignedDuration::from_hours(-48)))
        }
        _ => (person("carl"), moment(approve.approved)),
    };
    let starts_at = match approve.flaw {
        Some(Flaw::Stale) => None,
        _ => approve.starts.map(moment),
    };
    let end = match (approve.flaw, approve.ends) {
        (Some(Flaw::TooLong), _) => Some(WindowEnd::After(SignedDuration::from_hours(11))),
        (_, Ends::ByDefault) => None,
        (_, Ends::After(span)) => Some(WindowEnd::After(span)),
        (_, Ends::At(at)) => Some(WindowEnd::At(moment(at))),
    };
    let role = match approve.flaw {
        Some(Flaw::UnknownRole) => "root",
        _ => approve.part.name(),
    };
    AccessRequest {
        source: fixtures::source(),
        ticket: fixtures::ticket(&Ticket(approve.ticket).to_string()),
        requester: person(approve.seat.person),
        tenant: valid(TenantId::new(approve.seat.tenant)),
        role: valid(RoleName::new(role)),
        principal: None,
        window: WindowRequest { starts_at, end },
        approvals: vec![Approval { approver, at }],
        basis: Basis::Approvals,
        ticket_facts: TicketFacts::default(),
        justification: "disk full on db-3".to_owned(),
        delivery: valid(DeliveryId::new(format!("msg_{intent}"))),
    }
}

/// What the sender says of a ticket that was closed.
pub(crate) fn ticket_closed(intent: u32, ticket: u32) -> TicketClosed {
    TicketClosed {
        delivery: valid(DeliveryId::new(format!("msg_{intent}"))),
        ..fixtures::ticket_closed(&Ticket(ticket).to_string())
    }
}

/// Whether a sender is content: a 2xx status.
pub(crate) fn is_accepted(opened: &Result<Opened, LedgerError>) -> bool {
    matches!(
        opened,
        Ok(Opened::Activated(_) | Opened::Changed { .. } | Opened::Duplicate(_) | Opened::Superseded(_))
    )
}

/// What an answer is, in one word, for counting.
pub(crate) fn opened_name(opened: &Result<Opened, LedgerError>) -> &'static str {
    match opened {
        Ok(Opened::Activated(_)) => "activated",
        Ok(Opened::Duplicate(grant)) => match grant.state() {
            State::Opening { .. } => "duplicate of an opening grant",
            State::Active { .. } => "duplicate of an active grant",
            State::Closing { .. } => "duplicate of a closing grant",
            State::Closed { .. } => "duplicate of a closed grant",
        },
        Ok(Opened::Changed { .. }) => "changed",
        Ok(Opened::Superseded(_)) => "superseded",
        Ok(Opened::NotChanged { .. }) => "not changed",
        Ok(Opened::ChangeRefused { .. }) => "change refused by AWS",
        Ok(Opened::Denied(_)) => "denied",
        Ok(Opened::TicketClosed) => "refused: ticket closed",
        Ok(Opened::Conflict(_)) => "conflict",
        Ok(Opened::RevokedMeanwhile(_)) => "revoked meanwhile",
        Ok(Opened::Refused { .. }) => "refused by AWS",
        Ok(Opened::TooManyAttempts(_)) => "too many attempts",
        Ok(Opened::Retry { .. }) => "to be sent again",
        Err(_) => "ledger failed",
    }
}

/// The same for what came of one grant.
pub(crate) fn revoked_name(revoked: &Result<Revoked, LedgerError>) -> &'static str {
    match revoked {
        Ok(Revoked::Ended(Ended::Closed(_))) => "closed",
        Ok(Revoked::Ended(Ended::Settling { .. })) => "settling",
        Ok(Revoked::Ended(Ended::Unproven { .. })) => "unproven",
        Ok(Revoked::Ended(Ended::Throttled { .. })) => "throttled",
        Ok(Revoked::Ended(Ended::LeftBehind { .. })) => "closed, with something left behind",
        Ok(Revoked::AlreadyClosed(_)) => "closed before",
        Ok(Revoked::NotDue(_)) => "not due",
        Ok(Revoked::NoSuchGrant(_)) => "no such grant",
        Err(_) => "unknown: ledger failed",
    }
}

/// Whether the answer says that a grant is ended for good.
pub(crate) fn is_closed(revoked: &Result<Revoked, LedgerError>) -> bool {
    matches!(revoked, Ok(Revoked::Ended(Ended::Closed(_)) | Revoked::AlreadyClosed(_)))
}

/// Whether Lambda calls a timer's invocation again, as the revoke function answers.
pub(crate) fn is_tried_again(revoked: &Result<Revoked, LedgerError>, asked_at: Timestamp) -> bool {
    match revoked {
        Err(_) | Ok(Revoked::NoSuchGrant(_)) => true,
        Ok(Revoked::Ended(ended)) => match ended {
            Ended::Unproven { .. } | Ended::Throttled { .. } | Ended::LeftBehind { .. } => true,
            Ended::Closed(_) | Ended::Settling { .. } => false,
        },
        Ok(Revoked::NotDue(grant)) => grant.window().is_over_at(plus(asked_at, TIMER_SKEW)),
        Ok(Revoked::AlreadyClosed(_)) => false,
    }
}
