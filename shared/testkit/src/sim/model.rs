//! What may be in AWS, by what was asked for and answered: the simulation's own books. They never look at
//! Curfew's.

use std::collections::{BTreeMap, BTreeSet};

use curfew_domain::ids::{GrantId, GrantIdentity, RoleName, TenantId};
use curfew_domain::principal::Principal;
use curfew_domain::window::{plus, whole_second};
use jiff::{SignedDuration, Timestamp};

use super::scenario::{Approve, Ends, Ticket, What, Whose, moment};
use super::stage::{Edition, Part, Seat};
use crate::checks::Violation;
use crate::fixtures::{self, valid};

/// How many tries of one approval are told apart. Curfew stops earlier.
const TRIES: u32 = 10;

/// A grant's identity: one role for one principal on one ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) ticket: u32,
    pub(crate) seat: Seat,
    pub(crate) part: Part,
}

/// A window that was approved and has reached Curfew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowed {
    intent: u32,
    approved: SignedDuration,
    from: Timestamp,
    until: Timestamp,
}

/// What is known of a line.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The ids that its grants can have, in the order of tries.
    ids: Vec<GrantId>,
    allowed: Vec<Allowed>,
    /// Approvals that are older than this were replaced by one that Curfew has confirmed.
    replaced_before: Option<SignedDuration>,
    /// The earliest end that Curfew has confirmed while an approval was the newest that it knew: by that approval
    /// there is nothing later any more.
    shortest: BTreeMap<SignedDuration, Timestamp>,
    /// Which window Curfew said is in force, and until when it has to be there.
    promised: Option<Promise>,
    /// Standing policies that its grants may attach.
    policies: BTreeSet<String>,
    /// Somebody has asked to end it.
    ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Promise {
    approved: SignedDuration,
    from: Timestamp,
    until: Timestamp,
}

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Model {
    lines: BTreeMap<Line, Known>,
    by_id: BTreeMap<GrantId, Line>,
    /// Grants that Curfew said are ended.
    forbidden: BTreeMap<GrantId, &'static str>,
    /// Tickets whose closing was sent. It may be written down long after its sender saw an error, and ends whatever
    /// there is by then.
    closing: BTreeSet<u32>,
    /// Objects that somebody else than Curfew has touched: nothing is promised of them.
    meddled: BTreeSet<Line>,
}

fn violation(promise: &'static str, what: String) -> Violation {
    Violation { promise, what }
}

/// An approval's window, if it is delivered at `now`, as the rules in the README say. None, if it must be denied.
pub(crate) fn window(approve: &Approve, edition: Edition, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    if approve.flaw.is_some() {
        return None;
    }
    let longest = edition.longest(approve.part)?;
    let now = whole_second(now);
    let from = whole_second(approve.starts.map_or(now, moment));
    let until = whole_second(match approve.ends {
        Ends::ByDefault => plus(from, edition.default_duration()),
        Ends::After(span) => plus(from, span),
        Ends::At(at) => moment(at),
    });
    let over = until <= now || until <= from;
    // A standing policy can't wait for its start.
    let early = approve.part.is_managed() && from > now;
    // A change keeps its grant's start, so that its own length says nothing.
    let too_long = approve.amends.is_none() && until.duration_since(from) > longest;
    (!over && !early && !too_long).then_some((from, until))
}

impl Model {
    /// The ids that a line's grants can have.
    fn known(&mut self, line: Line) -> &mut Known {
        let Self { lines, by_id, .. } = self;
        lines.entry(line).or_insert_with(|| {
            let ids = ids(line);
            by_id.extend(ids.iter().map(|id| (id.clone(), line)));
            Known { ids, ..Known::default() }
        })
    }

    pub(crate) fn line(approve: &Approve) -> Line {
        Line { ticket: approve.ticket, seat: approve.seat, part: approve.part }
    }

    /// The ids of a line's grants, in the order of tries.
    pub(crate) fn ids_of(&mut self, line: Line) -> Vec<GrantId> {
        self.known(line).ids.clone()
    }

    /// An approval has reached a function whose clock shows `now`.
    pub(crate) fn delivered(&mut self, intent: u32, approve: &Approve, edition: Edition, now: Timestamp) {
        let known = self.known(Self::line(approve));
        let window = window(approve, edition, now);
        // A later approval to an end that is past by now, or too far off under stricter rules, ends what there is.
        if let (Ends::At(at), None) = (approve.ends, approve.flaw) {
            let since = known.allowed.iter().map(|allowed| allowed.from).min();
            let too_long = edition
                .longest(approve.part)
                .is_some_and(|longest| since.is_some_and(|since| moment(at).duration_since(since) > longest));
            known.ended |= window.is_none() || too_long;
        }
        if let Some((from, until)) = window {
            let allowed = Allowed { intent, approved: approve.approved, from, until };
            if !known.allowed.contains(&allowed) {
                known.allowed.push(allowed);
            }
            if approve.part.is_managed() {
                known.policies.insert(edition.managed_policy(approve.seat));
            }
        }
    }

    /// Curfew has answered an approval with a grant that is active in a window.
    pub(crate) fn promised(
        &mut self,
        intent: u32,
        approve: &Approve,
        id: &GrantId,
        window: (Timestamp, Timestamp),
    ) -> Option<Violation> {
        let line = Self::line(approve);
        if self.by_id.get(id) != Some(&line) {
            return Some(violation(
                "P5",
                format!("intent {intent} was answered with grant {id}, not its own"),
            ));
        }
        let known = self.known(line);
        let (from, until) = window;
        if !known.allowed.iter().any(|allowed| allowed.until == until) {
            let what = format!("intent {intent} was answered with a window until {until}, not approved");
            return Some(violation("P2", what));
        }
        // What it is from now on, older approvals can't make it any more.
        if known.allowed.iter().any(|allowed| allowed.intent == intent) {
            known.replaced_before = known.replaced_before.max(Some(approve.approved));
        }
        let shortest = known.shortest.entry(approve.approved).or_insert(until);
        *shortest = until.min(*shortest);
        known.promised = Some(Promise { approved: approve.approved, from, until });
        None
    }

    /// Somebody has asked to end whatever these lines have.
    pub(crate) fn asked_to_end(&mut self, is_meant: impl Fn(&Line) -> bool) {
        for (_, known) in self.lines.iter_mut().filter(|(line, _)| is_meant(line)) {
            known.ended = true;
        }
    }

    /// Somebody has asked to end whatever a ticket justifies, now and later.
    pub(crate) fn asked_to_close_ticket(&mut self, ticket: u32) {
        self.closing.insert(ticket);
    }

    /// Curfew has said that a grant is ended; with it, all further tries on its approval.
    pub(crate) fn told_ended(&mut self, id: &GrantId, later_tries_too: bool) {
        self.forbidden.insert(id.clone(), "Curfew said that it is revoked");
        let Some(line) = self.by_id.get(id).copied() else {
            return;
        };
        let later: Vec<GrantId> = self.known(line).ids.iter().skip_while(|of| *of != id).cloned().collect();
        if later_tries_too {
            for id in later {
                self.forbidden.insert(id, "Curfew said that it is revoked");
            }
        }
    }

    /// The ids of further tries on the approval of a grant.
    pub(crate) fn later_tries(&self, id: &GrantId) -> Vec<GrantId> {
        let known = self.by_id.get(id).and_then(|line| self.lines.get(line));
        known.map_or_else(Vec::new, |known| {
            known.ids.iter().skip_while(|of| *of != id).skip(1).cloned().collect()
        })
    }

    /// Every line that came up, with the ids of its grants.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Line, &[GrantId])> {
        self.lines.iter().map(|(line, known)| (line, known.ids.as_slice()))
    }

    /// The last end of all windows that were approved.
    pub(crate) fn latest_end(&self) -> Timestamp {
        let ends = self.lines.values().flat_map(|known| known.allowed.iter().map(|allowed| allowed.until));
        ends.max().unwrap_or(Timestamp::MIN)
    }

    /// Curfew has said that a ticket is closed; of its grants, only those in `left` were not ended yet.
    pub(crate) fn told_ticket_closed(&mut self, ticket: u32, left: &BTreeSet<GrantId>) {
        for (line, known) in self.lines.iter().filter(|(line, _)| line.ticket == ticket) {
            debug_assert_eq!(line.ticket, ticket);
            for id in known.ids.iter().filter(|id| !left.contains(*id)) {
                self.forbidden.insert(id.clone(), "its ticket is closed");
            }
        }
    }

    /// Somebody else has touched a line's access.
    pub(crate) fn meddled(&mut self, line: Line) {
        self.meddled.insert(line);
        // What is shared is touched for all.
        if line.part.is_managed() {
            let others: Vec<Line> = self
                .lines
                .keys()
                .filter(|of| of.seat == line.seat && of.part.is_managed())
                .copied()
                .collect();
            self.meddled.extend(others);
        }
    }

    pub(crate) fn is_meddled(&self) -> bool {
        !self.meddled.is_empty()
    }

    /// Whether an inline policy may be where it is.
    pub(crate) fn inline_is_justified(
        &self,
        principal: &Principal,
        name: &str,
        span: super::document::Span,
    ) -> Result<(), Violation> {
        let line = name
            .strip_prefix("curfew-")
            .and_then(|id| GrantId::new(id).ok())
            .and_then(|id| Some((self.by_id.get(&id).copied()?, id)));
        let Some((line, id)) = line else {
            return Err(violation("P1", format!("policy {name} is on {principal}, and nobody asked for it")));
        };
        if principal.arn() != line.seat.principal {
            return Err(violation(
                "P9",
                format!("policy {name} is on {principal}, which is not its principal"),
            ));
        }
        if let Some(why) = self.forbidden.get(&id) {
            return Err(violation("P4", format!("policy {name} is there although {why}")));
        }
        let known = self.lines.get(&line);
        let allowed = known.map_or(&[] as &[Allowed], |known| &known.allowed);
        let replaced_before = known.and_then(|known| known.replaced_before);
        let begins = allowed.iter().any(|allowed| span.from == Some(allowed.from));
        let ends = allowed
            .iter()
            .filter(|allowed| replaced_before.is_none_or(|before| allowed.approved >= before))
            .filter(|allowed| {
                let shortest = known.and_then(|known| known.shortest.get(&allowed.approved));
                shortest.is_none_or(|shortest| allowed.until <= *shortest)
            })
            .any(|allowed| span.until == Some(allowed.until));
        if begins && ends {
            return Ok(());
        }
        let shown = |time: Option<Timestamp>| time.map_or("no bound".to_owned(), |time| time.to_string());
        let what = format!(
            "policy {name} holds from {} until {}, which is not approved (any more)",
            shown(span.from),
            shown(span.until)
        );
        Err(violation("P2", what))
    }

    /// Whether a managed policy may be attached.
    pub(crate) fn attachment_is_justified(
        &self,
        principal: &Principal,
        policy_arn: &str,
    ) -> Result<(), Violation> {
        let justified = self.lines.iter().any(|(line, known)| {
            line.seat.principal == principal.arn()
                && known.policies.contains(policy_arn)
                && known.ids.iter().any(|id| !self.forbidden.contains_key(id))
        });
        if justified {
            return Ok(());
        }
        let what =
            format!("{policy_arn} is attached to {principal}, and nobody has a right to it (any more)");
        Err(violation("P4", what))
    }

    /// The lines whose access has to be there at `now`. A change that AWS refuses ends its grant: where there were
    /// refusals, a line with a change under way is owed nothing.
    pub(crate) fn owed(&self, now: Timestamp, refusals: bool) -> impl Iterator<Item = (&Line, &Known)> {
        // Somebody whose clock is ahead may end it a little early.
        let soon = plus(now, SignedDuration::from_secs(10));
        self.lines.iter().filter(move |(line, known)| {
            let Some(promise) = known.promised.filter(|_| {
                !known.ended && !self.closing.contains(&line.ticket) && !self.meddled.contains(line)
            }) else {
                return false;
            };
            // A later approval that was not answered yet may be in force or not; an earlier end by the same one, too.
            let mut later = known.allowed.iter().filter(|allowed| {
                allowed.approved > promise.approved
                    || (allowed.approved == promise.approved && allowed.until < promise.until)
            });
            promise.from <= now
                && soon < promise.until
                && later.all(|allowed| !refusals && allowed.from <= now && soon < allowed.until)
        })
    }
}

impl Known {
    /// The ids of its grants.
    pub(crate) fn ids(&self) -> &[GrantId] {
        &self.ids
    }

    /// Standing policies that its grants may attach.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(String::as_str)
    }
}

fn ids(line: Line) -> Vec<GrantId> {
    let principal = fixtures::principal(line.seat.principal);
    let (source, ticket) = (fixtures::source(), fixtures::ticket(&Ticket(line.ticket).to_string()));
    let tenant = valid(TenantId::new(line.seat.tenant));
    let role = valid(RoleName::new(line.part.name()));
    (0..TRIES)
        .map(|attempt| {
            GrantId::derive(GrantIdentity {
                source: &source,
                ticket: &ticket,
                tenant: &tenant,
                role: &role,
                principal: &principal,
                attempt,
            })
        })
        .collect()
}

/// Whether an operator who means `whose` means a line.
pub(crate) fn means(whose: Whose, line: &Line, approve_of: impl Fn(u32) -> Option<Line>) -> bool {
    match whose {
        Whose::Approval(intent) => approve_of(intent) == Some(*line),
        Whose::Person(person) => line.seat.person == person,
        Whose::Tenant(tenant) => line.seat.tenant == tenant,
        Whose::Ticket(ticket) => line.ticket == ticket,
    }
}

/// The line of an approval's intent.
pub(crate) fn line_of(what: &What) -> Option<Line> {
    match what {
        What::Approve(approve) => Some(Model::line(approve)),
        _ => None,
    }
}
