//! Counts and times over a period.

use std::collections::BTreeMap;

use curfew_domain::grant::Outcome;
use curfew_domain::ids::GrantId;
use serde::Serialize;

use super::grant::{Direction, GrantRow};
use super::{DenialRow, Period};

/// Counts of grants, unless something else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// That something happened to in the period, or that were alive all through it: the population.
    pub grants: usize,
    /// Of these, asked for in it.
    pub requested: usize,
    /// That took effect.
    pub took_effect: usize,
    /// Gone at the end of their window.
    pub expired: usize,
    /// Gone because somebody ended them early.
    pub revoked: usize,
    /// That never took effect.
    pub failed: usize,
    /// Of which the archive has no proof yet that they are gone.
    pub not_ended: usize,
    /// Of privileged roles.
    pub privileged: usize,
    /// Not resting on approvals: on call, or break-glass.
    pub emergencies: usize,
    /// Whose end was moved later.
    pub extended: usize,
    /// Whose end was moved earlier.
    pub shortened: usize,
    /// Whose access in AWS was found to be not what was granted.
    pub drifted: usize,
    /// Of these, where AWS has not said that it was dealt with.
    pub drift_open: usize,
    /// Whose removal could not be proven at the first try.
    pub removal_failed: usize,
    /// That owed a review.
    pub reviews_owed: usize,
    /// Whose review is still owed.
    pub reviews_open: usize,
    /// Requests that were denied in the period.
    pub denials: usize,
    /// These by the rule that denied them.
    pub denials_by_code: BTreeMap<String, usize>,
    /// Seconds between the window's end, or being asked for, and AWS's proof that access is gone. Of those that took effect.
    pub removal_seconds: Option<Spread>,
    /// Seconds between the last approval, and access taking effect as soon as it was to.
    pub provisioning_seconds: Option<Spread>,
}

/// How times are spread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Of how many.
    pub count: usize,
    /// Half of them took no longer.
    pub median: i64,
    /// Nineteen of twenty took no longer.
    pub p95: i64,
    /// The longest.
    pub max: i64,
    /// Whose that was.
    pub max_of: GrantId,
}

impl Spread {
    fn of(mut times: Vec<(i64, &GrantId)>) -> Option<Self> {
        times.sort();
        // The nearest rank: a time that really was.
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).map(|(seconds, _)| *seconds)
        };
        let (max, max_of) = times.last()?;
        Some(Self { count: times.len(), median: at(50)?, p95: at(95)?, max: *max, max_of: (*max_of).clone() })
    }
}

impl Numbers {
    pub(super) fn of(grants: &[GrantRow], denials: &[DenialRow], period: Period) -> Self {
        let count = |is: &dyn Fn(&GrantRow) -> bool| grants.iter().filter(|row| is(row)).count();
        let ended_as = |wanted: Outcome| {
            count(&|row| row.removal.as_ref().is_some_and(|removal| removal.outcome == wanted))
        };
        let moved = |way: Direction| count(&|row| row.changes.iter().any(|change| change.direction == way));
        let mut denials_by_code = BTreeMap::new();
        for denial in denials {
            *denials_by_code.entry(denial.denied.code.clone()).or_insert(0) += 1;
        }
        let removal = grants
            .iter()
            .filter(|row| row.effective_at.is_some())
            .filter_map(|row| Some((row.removal.as_ref()?.seconds?, &row.grant_id)));
        let provisioning = grants.iter().filter_map(|row| {
            let (effective, window) = (row.effective_at?, row.window?);
            // What starts later on purpose says nothing about how fast access is given.
            let asked_to_wait = row.requested_at.is_none_or(|at| window.starts_at() > at);
            let seconds = effective.duration_since(row.approved_at()?).as_secs();
            (!asked_to_wait).then_some((seconds, &row.grant_id))
        });
        Self {
            grants: grants.len(),
            requested: count(&|row| row.requested_at.is_some_and(|at| period.contains(at))),
            took_effect: count(&|row| row.effective_at.is_some()),
            expired: ended_as(Outcome::Expired),
            revoked: ended_as(Outcome::Revoked),
            failed: ended_as(Outcome::Failed),
            not_ended: count(&|row| row.removal.is_none()),
            privileged: count(&|row| row.privileged),
            emergencies: count(&|row| row.emergency().is_some()),
            extended: moved(Direction::Extended),
            shortened: moved(Direction::Shortened),
            drifted: count(&|row| !row.drift.is_empty()),
            drift_open: count(&GrantRow::has_open_drift),
            removal_failed: count(&|row| row.removal_failures > 0),
            reviews_owed: count(&|row| row.review.is_some()),
            reviews_open: count(&GrantRow::owes_review),
            denials: denials.len(),
            denials_by_code,
            removal_seconds: Spread::of(removal.collect()),
            provisioning_seconds: Spread::of(provisioning.collect()),
        }
    }

    /// Every count and time with its name, for people.
    #[must_use]
    pub fn in_words(&self) -> Vec<(&'static str, String)> {
        let seconds = |spread: &Option<Spread>| match spread {
            None => "none to be counted".to_owned(),
            Some(Spread { count, median, p95, max, max_of }) => {
                format!("median {median} s, 95 of 100 within {p95} s, at most {max} s ({max_of}); of {count}")
            }
        };
        let codes: Vec<String> =
            self.denials_by_code.iter().map(|(code, number)| format!("{code} {number}")).collect();
        vec![
            ("Grants in the period", self.grants.to_string()),
            ("of these asked for in the period", self.requested.to_string()),
            ("that took effect", self.took_effect.to_string()),
            ("ended with their window", self.expired.to_string()),
            ("ended early", self.revoked.to_string()),
            ("never took effect", self.failed.to_string()),
            ("not proven to be gone yet", self.not_ended.to_string()),
            ("of privileged roles", self.privileged.to_string()),
            ("in an emergency (on call, break-glass)", self.emergencies.to_string()),
            ("extended", self.extended.to_string()),
            ("shortened", self.shortened.to_string()),
            ("found changed in AWS by somebody else", self.drifted.to_string()),
            ("of these not proven to be dealt with", self.drift_open.to_string()),
            ("removal not proven at the first try", self.removal_failed.to_string()),
            ("owing a review", self.reviews_owed.to_string()),
            ("review still open", self.reviews_open.to_string()),
            (
                "Denied requests",
                match codes.as_slice() {
                    [] => "0".to_owned(),
                    codes => format!("{} ({})", self.denials, codes.join(", ")),
                },
            ),
            ("From the end of access to AWS's proof", seconds(&self.removal_seconds)),
            ("From the last approval to access", seconds(&self.provisioning_seconds)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_made_of_times_that_were() {
        let ids: Vec<GrantId> =
            ["a", "b", "c"].map(|c| GrantId::new(format!("g-{}", c.repeat(26))).unwrap()).to_vec();
        let spread = |times: &[i64]| {
            let times = times.iter().zip(ids.iter().cycle()).map(|(time, id)| (*time, id)).collect();
            Spread::of(times)
                .map(|spread| (spread.count, spread.median, spread.p95, spread.max, spread.max_of))
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[7]), Some((1, 7, 7, 7, ids[0].clone())));
        assert_eq!(spread(&[9, 1, 5]), Some((3, 5, 9, 9, ids[0].clone())));
        let twenty: Vec<i64> = (1..=20).rev().collect();
        assert_eq!(spread(&twenty), Some((20, 10, 19, 20, ids[0].clone())));
    }
}
