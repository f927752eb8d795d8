//! Lanes: whose turn it is in a lap of the sweep. Each account has one, and goes on as fast as its IAM lets it,
//! whatever the others do.
//!
//! Plain data: a lane is told what came of its work, and says what is next. How fast an account's IAM may be asked is
//! nowhere to be read, so a lane finds out: it has one more at once after it went well for a while, and half as many
//! after AWS said "too often". Whoever hears that keeps its turn.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use curfew_domain::retry::LAP_THROTTLES_MAX;
use curfew_domain::transition::Stored;
use jiff::Timestamp;

use crate::ports::Due;

/// How much is worked on side by side in one account: IAM throttles an account's writes as a whole.
const LANE_MAX: usize = 8;

/// How much is worked on side by side altogether.
const LANES_MAX: usize = 64;

/// When something has its turn: first what may still allow something, and then in the order of what is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) may_allow: bool,
    pub(crate) due: Due,
    /// Since when nothing of it should be left. Says nothing about the order.
    pub(crate) over_since: Option<Timestamp>,
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        other.may_allow.cmp(&self.may_allow).then_with(|| self.due.order(&other.due))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// As it was read; none, if it is a ticket.
    pub(crate) stored: Option<Box<Stored>>,
    /// When it was read.
    pub(crate) read_at: Timestamp,
    /// What AWS said, if it had its turn before.
    pub(crate) throttled: Option<String>,
}

/// What came of a turn, as far as its lane is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// AWS did something.
    Served,
    /// AWS is asked too often.
    Throttled,
    /// Nothing about how often AWS may be asked.
    Nothing,
}

#[derive(Debug)]
struct Lane {
    waiting: BTreeMap<Turn, Waiting>,
    running: usize,
    /// How many may run.
    width: usize,
    /// How often it went well since the width changed.
    served: usize,
    /// How often it was throttled in a row.
    throttled: u32,
}

impl Lane {
    fn new() -> Self {
        Self { waiting: BTreeMap::new(), running: 0, width: LANE_MAX, served: 0, throttled: 0 }
    }

    fn is_free(&self) -> bool {
        self.running < self.width && self.throttled < LAP_THROTTLES_MAX && !self.waiting.is_empty()
    }

    fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Served => {
                self.throttled = 0;
                self.served += 1;
                if self.served >= self.width * 2 && self.width < LANE_MAX {
                    self.width += 1;
                    self.served = 0;
                }
            }
            Heard::Throttled => {
                self.throttled += 1;
                self.width = (self.width / 2).max(1);
                self.served = 0;
            }
            Heard::Nothing => {}
        }
    }
}

/// The lanes of a lap.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<String, Lane>,
    running: usize,
}

impl Lanes {
    /// Queues something in the lane of its account.
    pub(crate) fn add(&mut self, account: &str, turn: Turn, waiting: Waiting) {
        let lane = self.lanes.entry(account.to_owned()).or_insert_with(Lane::new);
        lane.waiting.insert(turn, waiting);
    }

    /// What is to be worked on now, if anything: of the lanes that have room, one with the least under way.
    pub(crate) fn next(&mut self) -> Option<(String, Turn, Waiting)> {
        if self.running >= LANES_MAX {
            return None;
        }
        let free = self.lanes.iter_mut().filter(|(_, lane)| lane.is_free());
        let (account, lane) = free.min_by_key(|(_, lane)| lane.running)?;
        let (turn, waiting) = lane.waiting.pop_first()?;
        lane.running += 1;
        self.running += 1;
        Some((account.clone(), turn, waiting))
    }

    /// Something is no longer under way.
    pub(crate) fn done(&mut self, account: &str, heard: Heard) {
        if let Some(lane) = self.lanes.get_mut(account) {
            lane.running = lane.running.saturating_sub(1);
            self.running = self.running.saturating_sub(1);
            lane.heard(heard);
        }
    }

    /// What had no turn, or none that came to anything.
    pub(crate) fn into_rest(self) -> impl Iterator<Item = (Turn, Waiting)> {
        self.lanes.into_values().flat_map(|lane| lane.waiting)
    }
}

#[cfg(test)]
mod tests {
    use curfew_domain::ids::GrantId;

    use super::*;
    use crate::ports::DueItem;

    fn turn(n: u8, may_allow: bool, privileged: bool) -> Turn {
        let letter = char::from(b'a' + n);
        let item = DueItem::Grant(GrantId::new(format!("g-{}", letter.to_string().repeat(26))).unwrap());
        Turn { may_allow, due: Due { item, due_at: Timestamp::UNIX_EPOCH, privileged }, over_since: None }
    }

    fn add(lanes: &mut Lanes, account: &str, turn: Turn) {
        lanes.add(account, turn, Waiting { stored: None, read_at: Timestamp::UNIX_EPOCH, throttled: None });
    }

    #[test]
    fn what_may_still_allow_comes_first_and_then_what_is_privileged() {
        let mut lanes = Lanes::default();
        let turns = [turn(0, false, false), turn(1, false, true), turn(2, true, false), turn(3, true, true)];
        for turn in turns.clone() {
            add(&mut lanes, "a", turn);
        }
        let order: Vec<Turn> = std::iter::from_fn(|| lanes.next()).map(|(_, turn, _)| turn).collect();
        let [other, privileged, allows, privileged_allows] = turns;
        assert_eq!(order, [privileged_allows, allows, privileged, other]);
    }

    #[test]
    fn a_lane_that_is_throttled_narrows_widens_again_and_is_left_in_the_end() {
        let mut lanes = Lanes::default();
        for n in 0..26 {
            add(&mut lanes, "a", turn(n, false, false));
        }
        let begin = |lanes: &mut Lanes| std::iter::from_fn(|| lanes.next()).count();
        assert_eq!(begin(&mut lanes), LANE_MAX);
        for _ in 0..LANE_MAX {
            lanes.done("a", Heard::Throttled);
        }
        assert_eq!(begin(&mut lanes), 1);
        lanes.done("a", Heard::Served);
        assert_eq!(begin(&mut lanes), 1);
        lanes.done("a", Heard::Served);
        assert_eq!(begin(&mut lanes), 2, "one more after it went well");
        lanes.done("a", Heard::Nothing);
        lanes.done("a", Heard::Throttled);
        for _ in 1..LAP_THROTTLES_MAX {
            assert_eq!(begin(&mut lanes), 1);
            add(&mut lanes, "a", turn(0, true, false));
            lanes.done("a", Heard::Throttled);
        }
        assert_eq!(begin(&mut lanes), 0);
        assert!(lanes.into_rest().count() > 0);
    }

    #[test]
    fn no_account_takes_the_room_of_another() {
        let mut lanes = Lanes::default();
        for n in 0..20 {
            for account in 0..10 {
                add(&mut lanes, &format!("{account}"), turn(n, false, false));
            }
        }
        let mut begun: BTreeMap<String, usize> = BTreeMap::new();
        while let Some((account, ..)) = lanes.next() {
            *begun.entry(account).or_default() += 1;
        }
        assert_eq!(begun.values().sum::<usize>(), LANES_MAX);
        assert!(begun.len() == 10 && begun.values().all(|begun| (6..=7).contains(begun)), "{begun:?}");
    }
}
