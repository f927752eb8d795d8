//! A scenario as plain data: what people and systems intend, what the surroundings do meanwhile, and what
//! becomes of single calls. Times are spans from the scenario's start.

use std::collections::BTreeMap;
use std::fmt;

use curfew_domain::effect::TimerKind;
use curfew_domain::event::DriftResponse;
use jiff::{SignedDuration, Timestamp};

use super::stage::{Edition, Part, Seat};

/// Everything that a run depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Where whatever is not said here is drawn from: latencies, and which faults there are if they are not
    /// listed.
    pub seed: u64,
    /// The service that fires timers.
    pub timer: TimerKind,
    /// What is done about access that somebody else changed; none, if nobody looks.
    pub drift: Option<DriftResponse>,
    /// What people and systems do. Taking one out changes no other.
    pub intents: Vec<Intent>,
    /// What the surroundings do.
    pub troubles: Vec<Trouble>,
    /// What becomes of single calls and invocations.
    pub faults: Faults,
    /// How long calls take.
    pub pace: Pace,
    /// From then on nothing fails any more.
    pub heals_at: SignedDuration,
}

/// What somebody does at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its number, which stays the same when others are taken out.
    pub id: u32,
    /// When.
    pub at: SignedDuration,
    /// What.
    pub what: What,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A sender reports an approval.
    Approve(Approve),
    /// A sender reports that a ticket was closed.
    CloseTicket {
        /// Which.
        ticket: u32,
        /// How it is delivered.
        sending: Sending,
    },
    /// An operator ends grants.
    Revoke {
        /// Which.
        whose: Whose,
        /// Further clicks, so long after the first.
        more_clicks: Vec<SignedDuration>,
    },
    /// A catalog is deployed.
    Deploy(Edition),
    /// Somebody changes what Curfew attached, behind its back.
    Meddle {
        /// The approval's intent whose access it is.
        of: u32,
        /// How.
        how: Meddling,
    },
}

impl What {
    /// The kind, for counting.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve(approve) => match (approve.amends, approve.flaw, approve.starts) {
                (_, Some(_), _) => "approval that must be denied",
                (Some(_), None, _) => "changed approval",
                (None, None, Some(_)) => "approval with a start",
                (None, None, None) => "approval from now on",
            },
            Self::CloseTicket { .. } => "ticket closing",
            Self::Revoke { whose: Whose::Approval(_), .. } => "revocation of a grant",
            Self::Revoke { whose: Whose::Person(_), .. } => "revocation of a person",
            Self::Revoke { whose: Whose::Tenant(_), .. } => "revocation of a tenant",
            Self::Revoke { whose: Whose::Ticket(_), .. } => "revocation of a ticket",
            Self::Deploy(_) => "deploy",
            Self::Meddle { how: Meddling::Remove, .. } => "meddling: removed",
            Self::Meddle { how: Meddling::Edit, .. } => "meddling: edited",
            Self::Meddle { how: Meddling::PutBack, .. } => "meddling: put back",
        }
    }
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approve {
    /// The ticket's number.
    pub ticket: u32,
    /// Who gets it, and where.
    pub seat: Seat,
    /// What.
    pub part: Part,
    /// When it starts; when it is delivered, if nothing is said.
    pub starts: Option<SignedDuration>,
    /// When it ends.
    pub ends: Ends,
    /// When it was approved.
    pub approved: SignedDuration,
    /// The earlier approval of the same ticket that it changes.
    pub amends: Option<u32>,
    /// Why it must be denied.
    pub flaw: Option<Flaw>,
    /// How it is delivered.
    pub sending: Sending,
}

/// A window's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// After the role's default duration.
    ByDefault,
    /// So long after its start.
    After(SignedDuration),
    /// Then.
    At(SignedDuration),
}

/// Why an approval must be denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// The requester approved it.
    SelfApproved,
    /// Nobody in the catalog approved it.
    UnknownApprover,
    /// There is no such role.
    UnknownRole,
    /// It is longer than any role may be had.
    TooLong,
    /// It was approved long ago, for a window that starts now.
    Stale,
}

/// How a sender delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// How often it tries at most, until it is answered with a 2xx status.
    pub tries: u32,
    /// Further deliveries, so long after the first, each with tries of its own.
    pub duplicates: Vec<SignedDuration>,
}

/// Which grants an operator means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The one of an approval.
    Approval(u32),
    /// A person's.
    Person(&'static str),
    /// A tenant's.
    Tenant(&'static str),
    /// A ticket's.
    Ticket(u32),
}

/// What somebody does to what Curfew attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meddling {
    /// Removes it.
    Remove,
    /// Makes it allow more, for longer.
    Edit,
    /// Puts it back after it ended.
    PutBack,
}

/// What the surroundings do for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// From when.
    pub from: SignedDuration,
    /// Until when.
    pub until: SignedDuration,
    /// What.
    pub kind: TroubleKind,
}

/// What the surroundings do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// No request to a service arrives.
    Outage(Service),
    /// A service says "too often" to most requests.
    Throttling(Service),
    /// The indexes stand still.
    StaleIndexes,
    /// The sweep is not called.
    NoSweep,
    /// Timers fire, but nobody is called.
    NoTimers,
}

impl TroubleKind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Outage(Service::Ledger),
        Self::Outage(Service::Access),
        Self::Outage(Service::Timers),
        Self::Throttling(Service::Ledger),
        Self::Throttling(Service::Access),
        Self::Throttling(Service::Timers),
        Self::StaleIndexes,
        Self::NoSweep,
        Self::NoTimers,
    ];

    /// The kind, for counting.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Outage(Service::Ledger) => "outage of the ledger",
            Self::Outage(Service::Access) => "outage of IAM",
            Self::Outage(Service::Timers) => "outage of the timers",
            Self::Throttling(Service::Ledger) => "throttling by the ledger",
            Self::Throttling(Service::Access) => "throttling by IAM",
            Self::Throttling(Service::Timers) => "throttling by the timers",
            Self::StaleIndexes => "stale indexes",
            Self::NoSweep => "no sweep",
            Self::NoTimers => "no timers",
        }
    }
}

/// A service that Curfew calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// DynamoDB.
    Ledger,
    /// IAM.
    Access,
    /// EventBridge.
    Timers,
}

/// Which faults there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Faults {
    /// Drawn for every place from the seed and the place's name.
    Drawn(Profile),
    /// These and no others.
    Listed(BTreeMap<Site, Fault>),
}

/// How much goes wrong in a run, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// How many of a thousand calls.
    pub calls: u64,
    /// How many of a thousand deliveries, timers and sweeps.
    pub callers: u64,
    /// How many of a thousand invocations have a clock that is off.
    pub clocks: u64,
    /// What may become of a call; the more often it is here, the more likely.
    pub kinds: Vec<Kind>,
}

/// A place where something can go wrong: a call of an invocation, or what calls an invocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(pub String);

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What goes wrong somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// How much later, where that means something.
    pub by: SignedDuration,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call never arrives.
    LostRequest,
    /// A call takes effect, and its answer never arrives.
    LostAnswer,
    /// A call's sender is told of an error, and the request lands later all the same.
    Late,
    /// A call takes long, perhaps longer than its invocation lives.
    Slow,
    /// A call's first try goes unanswered, its second is answered, and the first lands later.
    Twice,
    /// AWS says "too often".
    Throttled,
    /// AWS refuses for good.
    Refused,
    /// Curfew is not permitted to.
    Forbidden,
    /// The invocation dies with the call under way, which never arrives.
    CrashLosing,
    /// The invocation dies with the call under way, which lands later.
    CrashBefore,
    /// The invocation dies when the call has taken effect and is not answered.
    CrashAfter,
    /// What should call an invocation does not.
    NotCalled,
    /// What should call an invocation does so later.
    CalledLate,
    /// What should call an invocation does so twice.
    CalledTwice,
    /// The answer of an invocation does not reach its caller.
    Unanswered,
    /// The clock of an invocation is off.
    Skew,
}

impl Kind {
    /// What can become of a call.
    pub(crate) const OF_CALLS: [Self; 11] = [
        Self::LostRequest,
        Self::LostAnswer,
        Self::Late,
        Self::Slow,
        Self::Twice,
        Self::Throttled,
        Self::Refused,
        Self::Forbidden,
        Self::CrashLosing,
        Self::CrashBefore,
        Self::CrashAfter,
    ];

    /// The kind, for counting and in histories.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LostRequest => "request lost",
            Self::LostAnswer => "answer lost",
            Self::Late => "lands after the error",
            Self::Slow => "slow",
            Self::Twice => "lands twice",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Forbidden => "forbidden",
            Self::CrashLosing => "crash, request lost",
            Self::CrashBefore => "crash before the effect",
            Self::CrashAfter => "crash after the effect",
            Self::NotCalled => "not called",
            Self::CalledLate => "called late",
            Self::CalledTwice => "called twice",
            Self::Unanswered => "caller not answered",
            Self::Skew => "clock off",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.kind {
            Kind::Skew if self.by.is_negative() => write!(f, " by {:#}", self.by),
            Kind::Skew => write!(f, " by +{:#}", self.by),
            Kind::Late
            | Kind::Slow
            | Kind::Twice
            | Kind::CrashBefore
            | Kind::CalledLate
            | Kind::CalledTwice => write!(f, " (+{:#})", self.by),
            _ => Ok(()),
        }
    }
}

/// How long calls take that nothing is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As drawn for each.
    Drawn,
    /// All alike: what is left to be said of a history is its order.
    Even,
}

/// A time of a scenario, as a clock shows it.
#[must_use]
pub(crate) fn moment(at: SignedDuration) -> Timestamp {
    curfew_domain::window::plus(crate::fixtures::START, at)
}

/// `h:mm:ss.mmm` since the start.
pub(crate) struct Shown(pub(crate) SignedDuration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (sign, millis) = if millis < 0 { ("-", -millis) } else { ("", millis) };
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        write!(f, "{sign}{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
        if millis == 0 { Ok(()) } else { write!(f, ".{millis:03}") }
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  intent {}: {}", Shown(self.at), self.id, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approve(approve) => write!(f, "{approve}"),
            Self::CloseTicket { ticket, sending } => {
                write!(f, "ticket {} is closed{sending}", Ticket(*ticket))
            }
            Self::Revoke { whose, more_clicks } => {
                match whose {
                    Whose::Approval(of) => write!(f, "an operator revokes the grant of intent {of}")?,
                    Whose::Person(who) => write!(f, "an operator revokes whatever {who} has")?,
                    Whose::Tenant(tenant) => {
                        write!(f, "an operator revokes whatever is granted in {tenant}")?
                    }
                    Whose::Ticket(ticket) => write!(f, "an operator revokes ticket {}", Ticket(*ticket))?,
                }
                for click in more_clicks {
                    write!(f, ", and again {click:#} later")?;
                }
                Ok(())
            }
            Self::Deploy(edition) => write!(f, "{edition} is deployed"),
            Self::Meddle { of, how } => {
                let how = match how {
                    Meddling::Remove => "removes",
                    Meddling::Edit => "edits",
                    Meddling::PutBack => "puts back",
                };
                write!(f, "somebody {how} the access of intent {of}")
            }
        }
    }
}

impl fmt::Display for Approve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} approved at {}: {} in {} for {}",
            Ticket(self.ticket),
            Shown(self.approved),
            self.part.name(),
            self.seat.tenant,
            self.seat.person,
        )?;
        if let Some(starts) = self.starts {
            write!(f, " from {}", Shown(starts))?;
        }
        match self.ends {
            Ends::ByDefault => {}
            Ends::After(span) => write!(f, " for {span:#}")?,
            Ends::At(at) => write!(f, " until {}", Shown(at))?,
        }
        if let Some(of) = self.amends {
            write!(f, ", changing intent {of}")?;
        }
        if let Some(flaw) = self.flaw {
            write!(f, " (to be denied: {flaw:?})")?;
        }
        write!(f, "{}", self.sending)
    }
}

impl fmt::Display for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for duplicate in &self.duplicates {
            write!(f, ", delivered again {duplicate:#} later")?;
        }
        if self.tries > 1 { write!(f, ", up to {} tries", self.tries) } else { Ok(()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}  {}", Shown(self.from), Shown(self.until), self.kind.name())
    }
}

/// A ticket's id by its number.
pub(crate) struct Ticket(pub(crate) u32);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CHG-{}", self.0)
    }
}
