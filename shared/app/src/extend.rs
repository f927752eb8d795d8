//! Extension: an operator moves the end of a live grant by hand.
//!
//! Their act is one approval of a changed window on the grant's ticket, and goes the way that a later approval of the
//! ticket's source goes: decided, judged by guardrails, written down, made so. What is asked here beforehand is whether
//! there is anything to be extended, and whether this very act was done before. Who the operator is, is their own claim.

use curfew_domain::catalog::Person;
use curfew_domain::decision::{Current, DecisionFacts, Denial, decide_operators_change, operators_request};
use curfew_domain::event::{Actor, Event, Fact, OperatorName, WindowChange};
use curfew_domain::grant::{Grant, State};
use curfew_domain::ids::{Email, GrantId};
use curfew_domain::operator::{Invocation, OperatorAct};
use curfew_domain::request::{AccessRequest, WindowEnd};
use curfew_domain::transition::{Illegal, transition};
use curfew_domain::window::{Window, plus, whole_second};
use jiff::{SignedDuration, Timestamp};

use crate::amend;
use crate::guard::{Rules, judge};
use crate::open::{OpenSettings, Opened, record_denial};
use crate::ports::{Clock, Ledger, LedgerError, Ports, Story};

/// For how long the same span, asked for again by the same operator in the same words, is the same act and no further
/// one: a second click, or a caller that had no answer and tries again.
pub const REPEAT_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Where a grant's end is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewEnd {
    /// So much later than it is.
    Later(SignedDuration),
    /// At a time, later or earlier than it is.
    At(Timestamp),
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extend {
    /// Of which grant.
    pub grant_id: GrantId,
    /// Which end.
    pub to: NewEnd,
    /// Who asks, as they named themselves: somebody in the catalog who may approve the grant's role.
    pub operator: Email,
    /// Why, in their words.
    pub reason: String,
    /// The invocation by which they ask.
    pub invocation: Invocation,
    /// Whether only to say what would come of it.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extended {
    /// There is no such grant.
    NoSuchGrant(GrantId),
    /// The grant is not live: still being opened, being removed, closed, or its window is over.
    NotLive(Box<Grant>),
    /// The grant's ticket is closed: what it justified is being ended.
    TicketClosed(Box<Grant>),
    /// The approval in force is dated so late that one given now is not newer.
    TooSoon {
        /// The grant, unchanged.
        grant: Box<Grant>,
        /// From when on one is.
        from: Timestamp,
    },
    /// The grant has that end already.
    AsItIs(Box<Grant>),
    /// This very act was done before.
    Repeated {
        /// The grant as it is now.
        grant: Box<Grant>,
        /// When it was done.
        at: Timestamp,
    },
    /// A dry run: nothing stands against it.
    WouldChange {
        /// The grant as it is.
        grant: Box<Grant>,
        /// Over which window it would be had.
        window: Window,
    },
    /// Denied by a rule, and recorded; of a dry run, not recorded.
    Denied {
        /// The grant, unchanged.
        grant: Box<Grant>,
        /// Why.
        denial: Denial,
    },
    /// It was permitted and went the way of a later approval, and this came of it; of a dry run, what would.
    Tried(Opened),
}

/// Moves the end of a live grant as an operator asks.
///
/// # Errors
/// [`LedgerError`], if the ledger failed: the same again may succeed, and does nothing twice.
pub async fn extend<P: Ports>(
    ports: &P,
    rules: Rules<'_>,
    order: &Extend,
    settings: OpenSettings<'_>,
) -> Result<Extended, LedgerError> {
    let now = ports.clock().now();
    let Some(Story { stored, events }) = ports.ledger().story(&order.grant_id).await? else {
        return Ok(Extended::NoSuchGrant(order.grant_id.clone()));
    };
    let grant = Box::new(stored.grant);
    let operator = rules.catalog.person(&order.operator).map_or(&order.operator, Person::email);
    let act =
        OperatorAct { operator: OperatorName::from(operator), reason: order.invocation.sign(&order.reason) };
    if let Some((event, change)) = done_before(&events, order, &act.operator, now) {
        let is_under_way = amend::is_cut_short(&grant) && grant.request().delivery == change.request.delivery;
        return if is_under_way && !order.dry_run && !grant.window().is_over_at(now) {
            Ok(Extended::Tried(amend::again(ports, *grant).await?))
        } else {
            Ok(Extended::Repeated { grant, at: event.at })
        };
    }
    if !matches!(grant.state(), State::Active { .. }) || grant.window().is_over_at(now) {
        return Ok(Extended::NotLive(grant));
    }
    let before = grant.request();
    if ports.ledger().closed_ticket(&before.source, &before.ticket).await?.is_some() {
        return Ok(Extended::TicketClosed(grant));
    }
    let until = match order.to {
        NewEnd::Later(span) => plus(grant.window().expires_at(), span),
        NewEnd::At(time) => whole_second(time),
    };
    if until == grant.window().expires_at() {
        return Ok(if amend::is_cut_short(&grant) && !order.dry_run {
            Extended::Tried(amend::again(ports, *grant).await?)
        } else {
            Extended::AsItIs(grant)
        });
    }
    // Approvals count by the second.
    let (at, from) = (whole_second(now), plus(grant.approved_at(), SignedDuration::from_secs(1)));
    if at < from {
        return Ok(Extended::TooSoon { grant, from });
    }
    let request = operators_request(&grant, operator, until, at, order.invocation.delivery());
    let request = rules.catalog.with_main_addresses(request);
    change(ports, rules, *grant, &request, act, order, settings).await
}

/// Decides what an operator asks for like a later approval, and makes it so.
async fn change<P: Ports>(
    ports: &P,
    rules: Rules<'_>,
    grant: Grant,
    request: &AccessRequest,
    act: OperatorAct,
    order: &Extend,
    settings: OpenSettings<'_>,
) -> Result<Extended, LedgerError> {
    let now = ports.clock().now();
    let facts = DecisionFacts { now, own_account: settings.own_account.to_owned() };
    let current = Current { window: grant.window(), approved_at: grant.approved_at() };
    let judged = match decide_operators_change(rules.catalog, request, &facts, current) {
        Ok(plan) => judge(ports, rules, plan, now, Some(grant.window())).await?,
        Err(denial) => Err(denial),
    };
    let permitted = match judged {
        Ok(permitted) => permitted,
        Err(denial) => {
            if !order.dry_run {
                let kept = on_record(&denial, request, order);
                record_denial(ports, rules, request, &facts, kept, Some(act.operator)).await?;
            }
            return Ok(Extended::Denied { grant: Box::new(grant), denial });
        }
    };
    let window = permitted.plan().window;
    let amendment = amend::amendment(ports, permitted, Some(act), settings);
    if !order.dry_run {
        return Ok(Extended::Tried(amend::carry_out(ports, grant, amendment).await?));
    }
    Ok(match transition(&grant, amendment, now) {
        Ok(_) => Extended::WouldChange { grant: Box::new(grant), window },
        Err(why @ Illegal::ChangeHeld { .. }) => {
            let grant = Some(Box::new(grant));
            Extended::Tried(Opened::Retry { reason: why.to_string(), grant })
        }
        Err(why) => Extended::Tried(Opened::NotChanged { grant: Box::new(grant), why }),
    })
}

/// A denial as it is kept: a webhook's sender is on record anyway, an operator is only named here.
fn on_record(denial: &Denial, request: &AccessRequest, order: &Extend) -> Denial {
    let Extend { operator, reason, invocation, .. } = order;
    let until = match request.window.end {
        Some(WindowEnd::At(until)) => format!(" until {until}"),
        _ => String::new(),
    };
    let told = format!("{}; operator {operator} asked for it{until}: {reason}", denial.reason);
    Denial { reason: invocation.sign(&told), ..denial.clone() }
}

/// The event of this very act, if it was done before: by the same invocation, which Lambda tried again; or as the last
/// change of the grant, moments ago, by the same operator, for as much, in the same words.
fn done_before<'a>(
    events: &'a [Event],
    order: &Extend,
    operator: &OperatorName,
    now: Timestamp,
) -> Option<(&'a Event, &'a WindowChange)> {
    let mut changes = events.iter().rev().filter_map(|event| match &event.fact {
        Fact::Extended { change } | Fact::Shortened { change } => Some((event, change.as_ref())),
        _ => None,
    });
    let delivery = order.invocation.delivery();
    let by_operator = |event: &Event| matches!(&event.actor, Actor::Operator(name) if name == operator);
    let (last, change) = changes.next()?;
    let repeats = || {
        let NewEnd::Later(span) = order.to else { return false };
        let signed_by = change.request.delivery.as_str().strip_prefix("operator:").map(Invocation::of);
        let words = signed_by.map(|invocation| invocation.sign(&order.reason));
        by_operator(last)
            && change.reason.is_some()
            && change.reason == words
            && change.to.expires_at() == plus(change.from.expires_at(), span)
            && now < plus(last.at, REPEAT_WITHIN)
    };
    if (by_operator(last) && change.request.delivery == delivery) || repeats() {
        return Some((last, change));
    }
    changes.find(|(event, change)| by_operator(event) && change.request.delivery == delivery)
}
