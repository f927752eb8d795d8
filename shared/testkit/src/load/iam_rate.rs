//! IAM's limit on writes, and how the SDK tries again: its `standard` mode with the tries that `shared/aws` sets.

/// How often a call is tried altogether.
pub(super) const TRIES: u32 = 3;

/// What a process may spend on tries (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>).
const QUOTA: u32 = 500;

/// What one further try costs; given back if it is answered.
const QUOTA_OF_A_TRY: u32 = 5;

/// A token bucket for one account's writes: what is not used fills it up to the burst.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    a_second: u64,
    /// In thousandths of a write.
    filled: u64,
    burst: u64,
    at: u64,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(a_second: u64, burst: u64) -> Self {
        Self { a_second, filled: burst * 1000, burst: burst * 1000, at: 0 }
    }

    /// Whether a write that comes at `at`, in milliseconds, is let through.
    pub(super) fn takes(&mut self, at: u64) -> bool {
        self.filled = self.burst.min(self.filled + self.a_second * at.saturating_sub(self.at));
        self.at = at;
        let takes = self.filled >= 1000;
        if takes {
            self.filled -= 1000;
        }
        takes
    }
}

/// One process of a function: its SDK's budget for further tries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process(u32);

impl Process {
    pub(super) fn new() -> Self {
        Self(QUOTA)
    }

    /// Whether a further try can be paid for.
    pub(super) fn pays(&mut self) -> bool {
        let pays = self.0 >= QUOTA_OF_A_TRY;
        if pays {
            self.0 -= QUOTA_OF_A_TRY;
        }
        pays
    }

    /// A call was answered at its `tried`-th try.
    pub(super) fn answered(&mut self, tried: u32) {
        self.0 = QUOTA.min(self.0 + if tried > 1 { QUOTA_OF_A_TRY } else { 1 });
    }
}

/// A small generator of numbers that look random, the same ones for the same seed (xorshift).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// One of `0..below`.
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.checked_rem(below).unwrap_or_default()
    }

    /// The pause before the next try, in milliseconds: a random part of a second, then of two.
    pub(super) fn pause(&mut self, tried: u32) -> u64 {
        self.roll(1000 << tried.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_its_rate() {
        let mut bucket = Bucket::new(20, 40);
        assert_eq!((0..100).filter(|_| bucket.takes(0)).count(), 40);
        let later = (1..=10_000).filter(|at| bucket.takes(*at)).count();
        assert_eq!(later, 200, "ten seconds");
        assert_eq!(
            (0..100).filter(|_| bucket.takes(1_000_000)).count(),
            40,
            "no more than the burst is kept"
        );
    }

    #[test]
    fn a_process_that_is_never_answered_stops_trying_again() {
        let mut process = Process::new();
        assert_eq!((0..1000).filter(|_| process.pays()).count(), 100);
        process.answered(2);
        assert!(process.pays());
        assert!(!process.pays());
    }
}
