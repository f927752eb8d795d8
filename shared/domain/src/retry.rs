//! Retry discipline: what is tried again, by whom, how often and for how long. The one place for these numbers.
//!
//! Functions, adapters and use cases take theirs from here, tests hold `infra/template.yaml` to them, and
//! `docs/retries.md` is made of them. What a failure *means* is decided where it is seen (`shared/aws` reads AWS's
//! answers, `transition` the life). Pure data: must not know how anything is waited for.
//!
//! Two rules stand behind all of it. Nobody waits in an invocation for what may take longer than the invocation:
//! whoever comes next goes on from the ledger. And whoever tries again is bounded, but for the sweep, which never
//! gives up: as long as a grant owes work it is in the index of what is due.

use std::time::Duration;

use jiff::SignedDuration;

// ---------------------------------------------------------------------------------------------- one call of AWS

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long AWS may take to answer one try of a call.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a call may take with all its tries: an opening makes three calls one after the other.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(7);

/// How often a call is tried altogether.
pub const CALL_TRIES: u32 = 3;

/// The longest first pause between two tries of a call. It doubles; the SDK takes a random part of it.
pub const CALL_BACKOFF: Duration = Duration::from_secs(1);

/// As [`CALL_TRIES`], for DynamoDB: a transaction that met another one is worth one more.
pub const LEDGER_CALL_TRIES: u32 = 4;

/// As [`CALL_BACKOFF`], for DynamoDB: conflicts are over in milliseconds.
pub const LEDGER_CALL_BACKOFF: Duration = Duration::from_millis(50);

/// How long before its invocation's deadline a call is given up at the latest, whatever it was allowed: what came of
/// it can then still be told.
pub const CALL_MARGIN: SignedDuration = SignedDuration::from_secs(2);

// ------------------------------------------------------------------------------------------------ one invocation

/// How long the grant function may run: less than [`API_TIMEOUT`], so that the sender hears the function.
pub const GRANT_TIMEOUT: SignedDuration = SignedDuration::from_secs(25);

/// How long the HTTP API waits for it: its longest
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
pub const API_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// How long the revoke function may run: at most [`CLOSER_HEADSTART`].
pub const REVOKE_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

/// How long the sweep may run: less than [`SWEEP_EVERY`], so that laps don't overlap.
pub const SWEEP_TIMEOUT: SignedDuration = SignedDuration::from_secs(55);

/// How long before its deadline an invocation begins no more work, so that what it began can end.
pub const WIND_DOWN: SignedDuration = SignedDuration::from_secs(15);

/// How long before its deadline an invocation that waits for AWS gives up, so that its caller still gets
/// an answer.
pub const ANSWER_MARGIN: SignedDuration = SignedDuration::from_secs(1);

/// How long after its deadline an invocation may still have a change in flight in AWS.
///
/// Lambda stops the process at the deadline, but a request that left it just before may still be on the
/// wire or queued inside IAM, and the clocks of Lambda and of whoever reads the lease may differ. No
/// single request of ours may take longer than [`CALL_TIMEOUT`], which is far below this. A removal
/// proves nothing before the lease is over, so too short would be unsafe; too long only delays the
/// *proof* for openings that crashed.
pub const LEASE_GRACE: SignedDuration = SignedDuration::from_secs(30);

/// How often an invocation starts a step over because somebody else changed the grant or its attachment
/// meanwhile. More than a few would mean a storm of changes, which the sweep finishes in peace.
pub const ROUNDS_MAX: u32 = 4;

// ------------------------------------------------------------------------------------------------- the sender

/// In how long a sender should try again: enough for a lease or a removal under way to be over in most
/// cases, short against the minute in which a person waits for access.
pub const SENDER_RETRY_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// How often one approval may be tried anew after a try that failed before it took effect. Each try is a
/// grant of its own; a bound keeps a sender that never gives up from filling the ledger.
pub const OPENING_TRIES_MAX: u32 = 8;

/// How long a webhook secret that can't be fetched again is served on at most.
pub const SECRET_SERVED_FOR: SignedDuration = SignedDuration::from_mins(15);

/// How long after a failed fetch the old secret is served without trying again.
pub const SECRET_RETRY_AFTER: SignedDuration = SignedDuration::from_secs(10);

// -------------------------------------------------------------------------------------------------- the timers

/// How long EventBridge keeps trying to deliver a timer: its longest
/// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html>).
pub const TIMER_DELIVERY_AGE: SignedDuration = SignedDuration::from_hours(24);

/// How often EventBridge tries to deliver a timer: its most.
pub const TIMER_DELIVERY_TRIES: i32 = 185;

/// How often Lambda tries a timer's invocation again that failed: its most. It waits a minute, then two
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).
pub const TIMER_INVOCATION_RETRIES: u32 = 2;

/// How long Lambda keeps a timer's invocation that it can't begin, or should try again.
pub const TIMER_INVOCATION_AGE: SignedDuration = SignedDuration::from_hours(1);

// --------------------------------------------------------------------------------------------------- the sweep

/// How often the sweep is called.
pub const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How often Lambda tries a lap again that failed: the next lap sees the same work, and more.
pub const SWEEP_INVOCATION_RETRIES: u32 = 0;

/// How long Lambda keeps a lap that it can't begin: until the next.
pub const SWEEP_INVOCATION_AGE: SignedDuration = SignedDuration::from_mins(1);

/// How long whoever began a removal has it for themselves, before the sweep tries too.
pub const CLOSER_HEADSTART: SignedDuration = SignedDuration::from_secs(60);

/// How long after a ticket was closed the sweep sees to it that all its grants are being ended.
pub const TICKET_DUE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// The pause after the first failure of a removal. It doubles with each further one.
pub const RETRY_PAUSE_FIRST: SignedDuration = SignedDuration::from_secs(60);

/// The longest pause between two tries of a removal that keeps failing.
pub const RETRY_PAUSE_MAX: SignedDuration = SignedDuration::from_mins(15);

/// At most so many items are looked at in one lap. It is so high because what an account's IAM does not let through now
/// must not keep other accounts' items, and those that may still allow something, from being seen; how many of them
/// are worked on depends on the time and on IAM. What is left is longest due, and first, in the next lap.
pub const LAP_LIMIT: usize = 10_000;

/// How often in a row an account may answer "too often" in one lap before the lap leaves the rest of it alone. Each
/// time the lap has less under way there at once.
pub const LAP_THROTTLES_MAX: u32 = 24;

// ----------------------------------------------------------------------------------- the stream and the checkpoints

/// How long the audit function may run.
pub const AUDIT_TIMEOUT: SignedDuration = SignedDuration::from_secs(120);

/// How often Lambda hands a part of the stream over again that was not delivered: its most, so that
/// [`STREAM_RECORD_AGE`] is what counts.
pub const STREAM_RETRIES: u32 = 10_000;

/// How old what is in the stream may become before Lambda gives it up: half of what DynamoDB keeps it for
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>), so that there is time to look.
pub const STREAM_RECORD_AGE: SignedDuration = SignedDuration::from_hours(12);

/// How often the archive is sealed.
pub const CHECKPOINT_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What was written to the archive in the last time this long is left to the next checkpoint. Whoever gave an object
/// its name has by then written it, or can't any more: its invocation is over, what it sent has landed
/// ([`LEASE_GRACE`]), and clocks do not differ by what is left.
pub const CHECKPOINT_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// How often Lambda tries a checkpoint again that failed.
pub const CHECKPOINT_INVOCATION_RETRIES: u32 = 2;

/// How long Lambda keeps a checkpoint's invocation that it can't begin, or should try again.
pub const CHECKPOINT_INVOCATION_AGE: SignedDuration = SignedDuration::from_mins(30);

// ------------------------------------------------------------------------------------------- who tries what again

/// Who tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Retrier {
    /// The AWS SDK, within the call.
    Sdk,
    /// The SDK, within a call of DynamoDB.
    LedgerSdk,
    /// The invocation, from what the ledger says by now.
    Invocation,
    /// The webhook's sender, told so by 503 and `retry-after`.
    Sender,
    /// EventBridge, which has a timer to deliver.
    TimerService,
    /// Lambda, which has a timer's invocation to bring to success, or a checkpoint's.
    Lambda,
    /// Lambda, which hands over the ledger's stream.
    Stream,
    /// The next checkpoint, which seals all that is not sealed.
    NextCheckpoint,
    /// The sweep, for what is due now: the next lap.
    NextLap,
    /// The sweep, for a removal that failed: pauses that grow.
    SweepWithPauses,
    /// A person.
    Operator,
}

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// A webhook was not answered, or with 5xx.
    WebhookUnanswered,
    /// The webhook secret can't be fetched.
    SecretUnavailable,
    /// DynamoDB throttles, or another write was on the same item.
    LedgerBusy,
    /// DynamoDB does not answer, fails or refuses.
    LedgerDown,
    /// IAM or STS throttles while a grant is opened or changed.
    OpeningThrottled,
    /// A call of an opening or a change times out or breaks off.
    OpeningUnanswered,
    /// AWS refuses for good, or Curfew is not permitted.
    OpeningRefused,
    /// The timer can't be set.
    TimerNotSet,
    /// The function that opened or changed a grant was killed.
    OpeningKilled,
    /// A timer came early, late, twice or not at all.
    TimerUnpunctual,
    /// A timer can't be delivered.
    TimerUndelivered,
    /// The function that a timer called was killed, or failed.
    ExpiryKilled,
    /// A revocation that an operator asked for was cut short.
    RevocationKilled,
    /// The closing of a ticket was cut short.
    TicketClosingKilled,
    /// IAM, STS or Scheduler throttles while a grant is ended.
    RemovalThrottled,
    /// A removal times out, breaks off, is refused or not permitted.
    RemovalFailed,
    /// A lap of the sweep was killed, failed or did not begin.
    LapLost,
    /// Something that is due can't be read.
    Poison,
    /// An account can't be compared with the ledger.
    DriftUnchecked,
    /// The ledger, the archive, the bus or the queue does not take what the stream brought.
    RecordNotDelivered,
    /// What the stream brought can't be read, or is refused for what it is.
    RecordUnreadable,
    /// The archive can't be sealed.
    CheckpointMissed,
}

impl Trouble {
    /// All of it.
    pub const ALL: [Self; 22] = [
        Self::WebhookUnanswered,
        Self::SecretUnavailable,
        Self::LedgerBusy,
        Self::LedgerDown,
        Self::OpeningThrottled,
        Self::OpeningUnanswered,
        Self::OpeningRefused,
        Self::TimerNotSet,
        Self::OpeningKilled,
        Self::TimerUnpunctual,
        Self::TimerUndelivered,
        Self::ExpiryKilled,
        Self::RevocationKilled,
        Self::TicketClosingKilled,
        Self::RemovalThrottled,
        Self::RemovalFailed,
        Self::LapLost,
        Self::Poison,
        Self::DriftUnchecked,
        Self::RecordNotDelivered,
        Self::RecordUnreadable,
        Self::CheckpointMissed,
    ];

    /// Who tries again, in the order in which they come to it. The last one is whom the end depends on.
    #[must_use]
    pub fn retried_by(self) -> &'static [Retrier] {
        use Retrier::{
            Invocation, Lambda, LedgerSdk, NextCheckpoint, NextLap, Operator, Sdk, Sender, Stream,
            SweepWithPauses, TimerService,
        };
        match self {
            Self::WebhookUnanswered => &[Sender],
            Self::SecretUnavailable => &[Sdk, Sender],
            Self::LedgerBusy => &[LedgerSdk, Invocation, Sender, Lambda, NextLap],
            Self::LedgerDown => &[LedgerSdk, Sender, Lambda, NextLap],
            Self::OpeningThrottled | Self::OpeningUnanswered | Self::TimerNotSet => {
                &[Sdk, Sender, SweepWithPauses]
            }
            Self::OpeningRefused | Self::RecordUnreadable => &[Operator],
            Self::OpeningKilled => &[NextLap, Sender],
            Self::TimerUnpunctual => &[Lambda, NextLap],
            Self::TimerUndelivered => &[TimerService, NextLap],
            Self::ExpiryKilled => &[Lambda, NextLap],
            Self::RevocationKilled => &[NextLap, Operator],
            Self::TicketClosingKilled => &[Sender, NextLap],
            Self::RemovalThrottled => &[Sdk, NextLap],
            Self::RemovalFailed => &[Sdk, Lambda, SweepWithPauses],
            Self::LapLost | Self::DriftUnchecked => &[NextLap],
            Self::Poison => &[NextLap, Operator],
            Self::RecordNotDelivered => &[Sdk, Stream, Operator],
            Self::CheckpointMissed => &[Sdk, Lambda, NextCheckpoint],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was begun ends by someone who does not give up, or was never anything, or is a person's to decide.
    #[test]
    fn whatever_may_leave_access_behind_is_the_sweeps_in_the_end() {
        for trouble in Trouble::ALL {
            let retriers = trouble.retried_by();
            let swept = retriers.contains(&Retrier::NextLap) || retriers.contains(&Retrier::SweepWithPauses);
            let nothing_begun =
                [Trouble::WebhookUnanswered, Trouble::SecretUnavailable, Trouble::OpeningRefused];
            // Of evidence; it changes no access.
            let evidence =
                [Trouble::RecordNotDelivered, Trouble::RecordUnreadable, Trouble::CheckpointMissed];
            assert_eq!(
                swept,
                !nothing_begun.contains(&trouble) && !evidence.contains(&trouble),
                "{trouble:?}"
            );
        }
    }

    #[test]
    fn every_bound_is_within_the_next_wider_one() {
        let signed = |duration| SignedDuration::try_from(duration).unwrap();
        assert!(
            CONNECT_TIMEOUT <= ATTEMPT_TIMEOUT && ATTEMPT_TIMEOUT * 2 < CALL_TIMEOUT,
            "two tries at least"
        );
        // Written down, done, written down: the sender hears something even if each call takes all its time.
        assert!(signed(CALL_TIMEOUT * 3) + CALL_MARGIN <= GRANT_TIMEOUT);
        assert!(ANSWER_MARGIN < CALL_MARGIN && CALL_MARGIN < WIND_DOWN);
        assert!(signed(CALL_TIMEOUT) < LEASE_GRACE && signed(CALL_TIMEOUT) < WIND_DOWN);
        assert!(GRANT_TIMEOUT < API_TIMEOUT);
        assert!(SWEEP_TIMEOUT < SWEEP_EVERY && SWEEP_INVOCATION_AGE <= SWEEP_EVERY);
        assert!(WIND_DOWN + WIND_DOWN < SWEEP_TIMEOUT, "most of a lap is for work");
        for timeout in [GRANT_TIMEOUT, REVOKE_TIMEOUT] {
            assert!(timeout <= CLOSER_HEADSTART, "whoever began a removal can't be running any more");
        }
        assert!(RETRY_PAUSE_FIRST <= RETRY_PAUSE_MAX);
        // An object is named before it is written, by a clock that may be 5 s off the sealing one's on either side.
        let clocks = SignedDuration::from_secs(10);
        assert!(AUDIT_TIMEOUT + LEASE_GRACE + clocks < CHECKPOINT_MARGIN);
        assert!(CHECKPOINT_MARGIN + CHECKPOINT_INVOCATION_AGE < CHECKPOINT_EVERY);
        assert!(STREAM_RECORD_AGE < SignedDuration::from_hours(24), "what is given up can still be read");
    }
}
