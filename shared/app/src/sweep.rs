//! The sweep: drives every overdue or stuck grant to its end, whatever became of those who should have; makes
//! changes again that were cut short; ends what closed tickets still justify.
//!
//! Its work grows with what is due, not with what exists. One item that fails holds up no other.

use std::collections::VecDeque;

use curfew_domain::event::Actor;
use curfew_domain::grant::{Cause, Grant, Outcome, State};
use curfew_domain::ids::{Source, TicketId};
use curfew_domain::transition::{BeginClosing, Stored};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

use crate::amend;
use crate::close::{self, Drive, Ended};
use crate::lanes::{Heard, Lanes, Turn, Waiting};
use crate::open::Opened;
use crate::ports::{Clock, Due, DueItem, Ledger, LedgerError, Ports};
use crate::revoke::{self, Revoked};

/// How many items are looked up with one question.
const PAGE: usize = 250;

/// How many grants are read side by side to find out whose turn it is.
const READ_CONCURRENT_MAX: usize = 16;

/// For how long a grant that was read is worked on without being read again.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// Bounds of one lap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lap {
    /// At most so many items are looked at. What can't even be read does not count: it must not keep others
    /// waiting.
    pub limit: usize,
    /// No work is begun after this time, so that what was begun can be finished.
    pub stop_at: Timestamp,
}

/// What became of one due item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swept {
    /// Its removal is proven.
    Closed(Outcome),
    /// Its removal began but can't be proven yet.
    Settling,
    /// Its removal failed again, or the ledger did.
    Failed(String),
    /// AWS was asked too often; it comes again in the next lap, in the same order.
    Throttled(String),
    /// A change of its window that was cut short is made.
    Changed,
    /// A change that was cut short could not be made yet.
    StillChanging(String),
    /// A closed ticket: the end of so many grants was begun.
    TicketEnded(usize),
    /// It was not due after all: the index lagged, or somebody else was faster.
    NotDue,
    /// The lap's time was over before its turn, or its account has enough for now; the next lap takes it.
    LeftOver,
}

impl Swept {
    /// Whether something is left to be done.
    fn owes_work(&self) -> bool {
        match self {
            Self::Settling
            | Self::Failed(_)
            | Self::Throttled(_)
            | Self::StillChanging(_)
            | Self::LeftOver => true,
            Self::Closed(_) | Self::NotDue | Self::Changed | Self::TicketEnded(_) => false,
        }
    }
}

/// What a lap did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Everything that was looked at, in [`Due::order`], and what became of it.
    pub items: Vec<(Due, Swept)>,
    /// Of what still owes work, since when the longest overdue should have been over, as far as a lap saw it: one that
    /// waits for its next try is not looked at.
    pub unproven_since: Option<Timestamp>,
    /// Whether there may be more than the limit, or than there was time for.
    pub truncated: bool,
}

impl Report {
    /// How many items still owe work after the lap.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.items.iter().filter(|(_, swept)| swept.owes_work()).count()
    }

    /// Notes what became of an item whose access should have been gone `since` then; none, if it rightly has access.
    fn add(&mut self, due: Due, since: Option<Timestamp>, swept: Swept) {
        if let Some(since) = since.filter(|_| swept.owes_work()) {
            self.unproven_since = Some(self.unproven_since.map_or(since, |earliest| earliest.min(since)));
        }
        self.items.push((due, swept));
    }
}

/// One lap over everything that is due: what may still allow something first, then in [`Due::order`]; each account at
/// the pace that its IAM allows ([`crate::lanes`]).
///
/// # Errors
/// [`LedgerError`], if it could not be found out what is due. What was begun before that is finished, and lost to the
/// report alone.
pub async fn sweep<P: Ports>(ports: &P, lap: Lap) -> Result<Report, LedgerError> {
    let mut looking = Looking::new(lap.limit);
    let mut lanes = Lanes::default();
    let mut report = Report::default();
    let mut broken = None;
    let mut jobs = FuturesUnordered::new();
    jobs.push(perform(ports, looking.first(), lap));
    while let Some(done) = jobs.next().await {
        match done {
            Done::Asked(Ok(page)) => looking.found(page),
            Done::Asked(Err(error)) => {
                looking.stop();
                broken = Some(error);
            }
            Done::Read(due, read) => {
                looking.read(read.is_ok());
                let now = ports.clock().now();
                match read {
                    Ok(Some(stored)) => {
                        let account = stored.grant.route().account.clone();
                        let (may_allow, over_since) =
                            (may_allow(&stored.grant, now), over_since(&stored.grant, now));
                        let turn = Turn { may_allow, due, over_since };
                        let waiting = Waiting { stored: Some(stored), read_at: now, throttled: None };
                        lanes.add(&account, turn, waiting);
                    }
                    Ok(None) => report.add(due, None, Swept::NotDue),
                    // Nobody knows what it is: so much is sure that it should have been looked at by then.
                    Err(error) => {
                        let since = Some(due.due_at);
                        report.add(due, since, Swept::Failed(error.to_string()));
                    }
                }
            }
            Done::Worked(account, turn, swept) => match swept {
                Swept::Throttled(error) => {
                    lanes.done(&account, Heard::Throttled);
                    let read_at = Timestamp::MIN;
                    lanes.add(&account, turn, Waiting { stored: None, read_at, throttled: Some(error) });
                }
                swept => {
                    lanes.done(&account, heard(&swept));
                    report.add(turn.due, turn.over_since, swept);
                }
            },
        }
        let is_over = ports.clock().now() >= lap.stop_at;
        while let Some(due) = looking.next() {
            match &due.item {
                _ if is_over => {
                    looking.read(false);
                    let since = Some(due.due_at);
                    report.add(due, since, Swept::LeftOver);
                }
                DueItem::Ticket(..) => {
                    looking.read(true);
                    let waiting = Waiting { stored: None, read_at: Timestamp::MIN, throttled: None };
                    // The ledger's own lane: no account is called like that.
                    let over_since = Some(due.due_at);
                    lanes.add("", Turn { may_allow: true, due, over_since }, waiting);
                }
                DueItem::Grant(_) => jobs.push(perform(ports, Job::Read(due), lap)),
            }
        }
        if let Some(job) = looking.further(is_over) {
            jobs.push(perform(ports, job, lap));
        }
        while !is_over && let Some((account, turn, waiting)) = lanes.next() {
            jobs.push(perform(ports, Job::Work(account, turn, waiting), lap));
        }
    }
    for (turn, waiting) in lanes.into_rest() {
        let swept = waiting.throttled.map_or(Swept::LeftOver, Swept::Throttled);
        report.add(turn.due, turn.over_since, swept);
    }
    report.items.sort_by(|(one, _), (other, _)| one.order(other));
    report.truncated = looking.is_truncated;
    broken.map_or(Ok(report), Err)
}

/// Whether what a grant left in AWS may still allow something: its window is not over, or it is a policy that has none.
fn may_allow(grant: &Grant, now: Timestamp) -> bool {
    now < grant.ends_in_aws_by() || grant.access().shared().is_some()
}

/// Since when nothing of a grant should be left; none, as long as it rightly has access.
fn over_since(grant: &Grant, now: Timestamp) -> Option<Timestamp> {
    let end = grant.window().expires_at();
    match grant.state() {
        State::Opening { lease_until } => Some(*lease_until),
        State::Active { .. } => (end <= now).then_some(end),
        State::Closing { begun_at, .. } => Some(end.min(*begun_at)),
        State::Closed { .. } => None,
    }
}

fn heard(swept: &Swept) -> Heard {
    match swept {
        Swept::Throttled(_) => Heard::Throttled,
        Swept::Closed(_) | Swept::Changed => Heard::Served,
        Swept::Settling
        | Swept::Failed(_)
        | Swept::StillChanging(_)
        | Swept::TicketEnded(_)
        | Swept::NotDue
        | Swept::LeftOver => Heard::Nothing,
    }
}

/// How far a lap has looked through what is due.
struct Looking {
    page: VecDeque<Due>,
    /// The last one that was seen.
    after: Option<Due>,
    /// How many may still be looked at.
    left: usize,
    /// How many are being read.
    reading: usize,
    /// What the question under way asks for; none, if there is none.
    asked: Option<usize>,
    is_over: bool,
    is_truncated: bool,
}

impl Looking {
    fn new(limit: usize) -> Self {
        Self {
            page: VecDeque::new(),
            after: None,
            left: limit,
            reading: 0,
            asked: None,
            is_over: false,
            is_truncated: false,
        }
    }

    fn first(&mut self) -> Job {
        let size = PAGE.min(self.left);
        self.asked = Some(size);
        Job::Ask(self.after.clone(), size)
    }

    fn stop(&mut self) {
        self.asked = None;
        self.is_over = true;
    }

    fn found(&mut self, page: Vec<Due>) {
        self.is_over = self.asked.take().is_none_or(|size| page.len() < size);
        if let Some(last) = page.last() {
            self.after = Some(last.clone());
        }
        self.page = page.into();
    }

    /// The next one to be read, if there is room.
    fn next(&mut self) -> Option<Due> {
        if self.reading >= READ_CONCURRENT_MAX {
            return None;
        }
        let due = self.page.pop_front()?;
        self.reading += 1;
        Some(due)
    }

    fn read(&mut self, counts: bool) {
        self.reading = self.reading.saturating_sub(1);
        self.left = self.left.saturating_sub(usize::from(counts));
    }

    /// The next question, once all of the page is read.
    fn further(&mut self, time_is_over: bool) -> Option<Job> {
        let is_waiting = self.asked.is_some() || self.reading > 0 || !self.page.is_empty();
        if is_waiting || self.is_over {
            return None;
        }
        if self.left == 0 || time_is_over {
            self.is_over = true;
            self.is_truncated = true;
            return None;
        }
        Some(self.first())
    }
}

/// What a lap does next.
enum Job {
    /// Asks for so many further ones that are due.
    Ask(Option<Due>, usize),
    /// Reads one.
    Read(Due),
    /// Works on one.
    Work(String, Turn, Waiting),
}

enum Done {
    Asked(Result<Vec<Due>, LedgerError>),
    Read(Due, Result<Option<Box<Stored>>, LedgerError>),
    Worked(String, Turn, Swept),
}

async fn perform<P: Ports>(ports: &P, job: Job, lap: Lap) -> Done {
    match job {
        Job::Ask(after, size) => {
            Done::Asked(ports.ledger().due(ports.clock().now(), after.as_ref(), size).await)
        }
        Job::Read(due) => {
            let read = match &due.item {
                DueItem::Grant(id) => ports.ledger().load(id).await,
                DueItem::Ticket(..) => Ok(None),
            };
            Done::Read(due, read.map(|stored| stored.map(Box::new)))
        }
        Job::Work(account, turn, waiting) => {
            let swept = work(ports, &turn.due, waiting, lap).await;
            Done::Worked(account, turn, swept.unwrap_or_else(|error| Swept::Failed(error.to_string())))
        }
    }
}

async fn work<P: Ports>(ports: &P, due: &Due, waiting: Waiting, lap: Lap) -> Result<Swept, LedgerError> {
    let Waiting { stored, read_at, throttled } = waiting;
    // At its first turn in this lap its removal was begun, which gave it a head start: that was ours.
    let is_ours = throttled.is_some();
    match &due.item {
        DueItem::Ticket(source, ticket) => end_ticket(ports, source, ticket, lap).await,
        DueItem::Grant(id) => {
            let is_fresh = ports.clock().now().duration_since(read_at) <= FRESH;
            match stored.filter(|_| is_fresh) {
                Some(stored) => finish(ports, *stored, is_ours).await,
                None => match ports.ledger().load(id).await? {
                    Some(stored) => finish(ports, stored, is_ours).await,
                    None => Ok(Swept::NotDue),
                },
            }
        }
    }
}

/// Ends what a closed ticket still justifies.
async fn end_ticket<P: Ports>(
    ports: &P,
    source: &Source,
    ticket: &TicketId,
    lap: Lap,
) -> Result<Swept, LedgerError> {
    let Some(closed) = ports.ledger().closed_ticket(source, ticket).await? else {
        return Ok(Swept::NotDue);
    };
    let ended = revoke::end_ticket(ports, &closed, lap.stop_at).await?;
    let failed = ended.iter().find_map(|(id, revoked)| Some((id, revoked.as_ref().err()?)));
    Ok(match failed {
        Some((id, error)) => Swept::Failed(format!("the end of grant {id} could not be begun: {error}")),
        None => Swept::TicketEnded(ended.len()),
    })
}

/// Drives one grant on, if it is due.
async fn finish<P: Ports>(ports: &P, stored: Stored, is_ours: bool) -> Result<Swept, LedgerError> {
    let now = ports.clock().now();
    let is_begun = is_ours && matches!(stored.grant.state(), State::Closing { .. });
    if !is_begun && stored.grant.due_at().is_none_or(|due_at| now < due_at) {
        return Ok(Swept::NotDue);
    }
    finish_due(ports, stored, now).await
}

async fn finish_due<P: Ports>(ports: &P, stored: Stored, now: Timestamp) -> Result<Swept, LedgerError> {
    let grant = &stored.grant;
    let revoked = match grant.state() {
        State::Closed { .. } => return Ok(Swept::NotDue),
        State::Closing { .. } => {
            let effects = grant.closing_effects();
            let drive = Drive { actor: Actor::Sweep, by_lease_holder: false, effects };
            return Ok(swept(close::drive(ports, stored, drive).await?));
        }
        State::Opening { .. } => {
            end(ports, grant, Cause::Abandoned, "its opening did not finish within its lease").await?
        }
        State::Active { .. } if amend::is_cut_short(grant) && !grant.window().is_over_at(now) => {
            return change_again(ports, stored.grant).await;
        }
        State::Active { .. } => {
            end(ports, grant, Cause::Expired, "the window is over and the timer did not end it").await?
        }
    };
    Ok(match revoked {
        Revoked::Ended(ended) => swept(ended),
        Revoked::AlreadyClosed(_) | Revoked::NotDue(_) | Revoked::NoSuchGrant(_) => Swept::NotDue,
    })
}

async fn end<P: Ports>(ports: &P, grant: &Grant, cause: Cause, reason: &str) -> Result<Revoked, LedgerError> {
    let begin = BeginClosing { cause, actor: Actor::Sweep, reason: reason.to_owned(), settled: false };
    revoke::revoke(ports, grant.id(), begin).await
}

async fn change_again<P: Ports>(ports: &P, grant: Grant) -> Result<Swept, LedgerError> {
    Ok(match amend::resume(ports, grant, Actor::Sweep).await? {
        Opened::Activated(_) => Swept::Changed,
        Opened::Retry { reason, .. } => Swept::StillChanging(reason),
        Opened::Refused { grant, error } => match grant.state() {
            State::Closed { outcome, .. } => Swept::Closed(*outcome),
            _ => Swept::Failed(error.to_string()),
        },
        Opened::RevokedMeanwhile(ended) => swept(ended),
        // Somebody else was faster.
        _ => Swept::NotDue,
    })
}

fn swept(ended: Ended) -> Swept {
    match ended {
        Ended::Closed(grant) => match grant.state() {
            State::Closed { outcome, .. } => Swept::Closed(*outcome),
            _ => Swept::Settling,
        },
        Ended::Settling { .. } => Swept::Settling,
        Ended::Throttled { error, .. } => Swept::Throttled(error),
        Ended::Unproven { error, .. } | Ended::LeftBehind { error, .. } => Swept::Failed(error),
    }
}
