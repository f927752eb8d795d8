//! Makes a scenario from a seed.
//!
//! Few people, few roles and close times on purpose: what never meets can't go wrong. Each seed has only some
//! of all faults (swarm testing: A. Groce et al., ISSTA 2012), because the frequent ones would hide the others.

use curfew_domain::effect::TimerKind;
use curfew_domain::event::DriftResponse;
use jiff::SignedDuration;

use super::dice::Dice;
use super::scenario::{
    Approve, Ends, Faults, Flaw, Intent, Kind, Meddling, Pace, Profile, Scenario, Sending, Trouble,
    TroubleKind, What, Whose,
};
use super::stage::{Edition, Part, SEATS, Seat};

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "scenario");
        let span = SignedDuration::from_mins(dice.between(20, 150));
        let timer = dice.pick(&[TimerKind::Scheduler, TimerKind::Rule], TimerKind::Scheduler);
        let responses = [Some(DriftResponse::Close), Some(DriftResponse::Restore), None];
        let drift = dice.pick(&responses, None);
        let mut cast = Cast::of(&mut dice, span);
        cast.puts_back = drift.is_some();
        let intents = cast.intents(seed, &mut dice);
        let heals_at = span.max(cast.busy_until).saturating_add(dice.millis(0, 600_000));
        let troubles = troubles(&mut Dice::of(seed, "troubles"), heals_at);
        let faults = Faults::Drawn(profile(&mut Dice::of(seed, "profile")));
        Self { seed, timer, drift, intents, troubles, faults, pace: Pace::Drawn, heals_at }
    }
}

/// Who and what a scenario is about.
struct Cast {
    seats: Vec<Seat>,
    parts: Vec<Part>,
    span: SignedDuration,
    /// Times at which something happens: others like to happen then.
    busy: Vec<SignedDuration>,
    /// The last end of a window that comes into question for healing.
    busy_until: SignedDuration,
    approvals: Vec<Approved>,
    /// Whether somebody may put back what was ended: only where somebody looks for it.
    puts_back: bool,
}

impl Cast {
    fn of(dice: &mut Dice, span: SignedDuration) -> Self {
        let first = dice.pick(&SEATS, SEATS[0]);
        let mut seats = vec![first];
        while dice.happens(400) && seats.len() < 4 {
            seats.push(dice.pick(&SEATS, first));
        }
        let mut parts = vec![dice.pick(&Part::ALL, Part::Ops)];
        while dice.happens(500) && parts.len() < 4 {
            parts.push(dice.pick(&Part::ALL, Part::Audit));
        }
        Self {
            seats,
            parts,
            span,
            busy: Vec::new(),
            busy_until: SignedDuration::ZERO,
            approvals: Vec::new(),
            puts_back: false,
        }
    }

    fn intents(&mut self, seed: u64, dice: &mut Dice) -> Vec<Intent> {
        let count = u32::try_from(dice.between(3, 14)).unwrap_or(3);
        let mut intents = Vec::new();
        for id in 0..count {
            let mut dice = Dice::of(seed, &format!("intent {id}"));
            let at = self.time(&mut dice);
            let (at, what) = self.what(id, at, &mut dice);
            self.busy.push(at);
            intents.push(Intent { id, at, what });
        }
        intents
    }

    /// Any time, or close to something else that happens.
    fn time(&self, dice: &mut Dice) -> SignedDuration {
        let anchor = dice.pick(&self.busy, SignedDuration::ZERO);
        let at = match dice.below(10) {
            0..=3 if !self.busy.is_empty() => anchor.saturating_add(dice.millis(-300, 1_500)),
            4..=5 if !self.busy.is_empty() => anchor.saturating_add(dice.millis(-30_000, 60_000)),
            _ => dice.millis(0, i64::try_from(self.span.as_millis()).unwrap_or(i64::MAX)),
        };
        at.max(SignedDuration::ZERO)
    }

    fn what(&mut self, id: u32, at: SignedDuration, dice: &mut Dice) -> (SignedDuration, What) {
        let Some(known) = self.approvals.first().cloned() else {
            return (at, self.approve(id, at, dice));
        };
        let of = dice.pick_ref(&self.approvals).unwrap_or(&known).clone();
        let seat = dice.pick(&self.seats, SEATS[0]);
        let at_life = if dice.happens(700) { of.within(dice) } else { at };
        match dice.below(20) {
            0..=7 => (at, self.approve(id, at, dice)),
            8..=12 => (at_life, self.amend(id, at_life, &of, dice)),
            13..=15 => {
                let whose = match dice.below(6) {
                    0..=2 => Whose::Approval(of.id),
                    3 => Whose::Person(seat.person),
                    4 => Whose::Tenant(seat.tenant),
                    _ => Whose::Ticket(of.approve.ticket),
                };
                let mut more_clicks = Vec::new();
                while dice.happens(300) && more_clicks.len() < 2 {
                    more_clicks.push(dice.millis(0, 3_000));
                }
                (at, What::Revoke { whose, more_clicks })
            }
            16 => (at, What::CloseTicket { ticket: of.approve.ticket, sending: sending(dice) }),
            17 => (at, What::Deploy(dice.pick(&Edition::LATER, Edition::First))),
            _ => {
                let all = [Meddling::Remove, Meddling::Edit, Meddling::PutBack];
                match dice.pick(&all, Meddling::Remove) {
                    Meddling::PutBack if self.puts_back => {
                        let after = of.ends.saturating_add(dice.millis(0, 1_200_000));
                        (after, What::Meddle { of: of.id, how: Meddling::PutBack })
                    }
                    Meddling::PutBack => (of.within(dice), What::Meddle { of: of.id, how: Meddling::Remove }),
                    how => (of.within(dice), What::Meddle { of: of.id, how }),
                }
            }
        }
    }

    fn ticket(&self, dice: &mut Dice) -> u32 {
        let tickets: Vec<u32> = self.approvals.iter().map(|of| of.approve.ticket).collect();
        dice.pick(&tickets, 0)
    }

    fn approve(&mut self, id: u32, at: SignedDuration, dice: &mut Dice) -> What {
        let seat = dice.pick(&self.seats, SEATS[0]);
        let part = dice.pick(&self.parts, Part::Ops);
        // Several grants on one ticket are one more way to meet.
        let ticket = if dice.happens(200) { self.ticket(dice) } else { id };
        let minutes = dice.pick(&[1, 2, 3, 5, 8, 10, 15, 20, 30, 45], 5);
        let lasts = SignedDuration::from_secs(minutes * 60 + dice.between(-20, 20));
        let whole = SignedDuration::from_secs(at.as_secs());
        let starts = match dice.below(10) {
            0..=1 => Some(whole.saturating_add(SignedDuration::from_secs(dice.between(-120, 0)))),
            // A managed role can't wait for its start: only now and then is one asked for.
            2..=3 if !part.is_managed() || dice.happens(150) => {
                Some(whole.saturating_add(SignedDuration::from_secs(dice.between(1, 2_400))))
            }
            _ => None,
        };
        let from = starts.unwrap_or(whole);
        let ends = match dice.below(8) {
            0 => Ends::ByDefault,
            1..=3 => Ends::At(from.saturating_add(lasts)),
            _ => Ends::After(lasts),
        };
        let flaws =
            [Flaw::SelfApproved, Flaw::UnknownApprover, Flaw::UnknownRole, Flaw::TooLong, Flaw::Stale];
        let flaw = dice.happens(70).then(|| dice.pick(&flaws, Flaw::SelfApproved));
        let approved = whole.saturating_sub(SignedDuration::from_secs(dice.between(0, 600)));
        let sending = sending(dice);
        let approve = Approve { ticket, seat, part, starts, ends, approved, amends: None, flaw, sending };
        self.note(id, at, from.saturating_add(lasts), approve.clone());
        What::Approve(approve)
    }

    /// A later approval on an earlier one's ticket: longer, shorter or the same. Or another end without a new approval.
    fn amend(&mut self, id: u32, at: SignedDuration, of: &Approved, dice: &mut Dice) -> What {
        let first = of.approve.clone();
        let whole = SignedDuration::from_secs(at.as_secs());
        let minutes = dice.pick(&[-5, -2, 1, 2, 5, 10, 20, 40], 5);
        let shift = SignedDuration::from_secs(minutes * 60 + dice.between(-20, 20));
        let ends = match first.ends {
            Ends::At(end) => Ends::At(end.saturating_add(shift)),
            Ends::After(span) if first.starts.is_some() => {
                Ends::After(span.saturating_add(shift).max(SignedDuration::from_secs(5)))
            }
            // "From now on" of a later approval is later, too: its end is said in one way or the other.
            _ if dice.happens(500) => Ends::At(whole.saturating_add(shift.abs())),
            _ => Ends::After(shift.abs()),
        };
        let approved = match dice.below(5) {
            // Older than what it follows: reordered.
            0 => first.approved.saturating_sub(SignedDuration::from_secs(dice.between(0, 300))),
            // The ticket's planned end was edited, and nobody approved it again.
            1 => first.approved,
            _ => whole.max(first.approved).saturating_sub(SignedDuration::from_secs(dice.between(0, 5))),
        };
        let sending = sending(dice);
        let approve = Approve { ends, approved, amends: Some(of.id), flaw: None, sending, ..first };
        let end = of.at.max(at).saturating_add(shift.abs());
        self.note(id, at, end, approve.clone());
        What::Approve(approve)
    }

    fn note(&mut self, id: u32, at: SignedDuration, ends: SignedDuration, approve: Approve) {
        self.busy.push(ends);
        self.busy_until = self.busy_until.max(ends);
        self.approvals.push(Approved { id, at, ends, approve });
    }
}

/// An approval that others may be about.
#[derive(Clone)]
struct Approved {
    id: u32,
    at: SignedDuration,
    ends: SignedDuration,
    approve: Approve,
}

impl Approved {
    /// Some time in its life.
    fn within(&self, dice: &mut Dice) -> SignedDuration {
        let lasts = i64::try_from(self.ends.saturating_sub(self.at).as_millis()).unwrap_or(0);
        self.at.saturating_add(dice.millis(0, lasts.max(1)))
    }
}

fn sending(dice: &mut Dice) -> Sending {
    let tries = dice.pick(&[1, 2, 3, 5, 5, 5], 3);
    let mut duplicates = Vec::new();
    while dice.happens(250) && duplicates.len() < 3 {
        duplicates.push(match dice.below(3) {
            0 => dice.millis(0, 500),
            1 => dice.millis(500, 60_000),
            _ => dice.millis(60_000, 3_600_000),
        });
    }
    Sending { tries, duplicates }
}

fn troubles(dice: &mut Dice, heals_at: SignedDuration) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    while dice.happens(450) && troubles.len() < 4 {
        let from = dice.millis(0, i64::try_from(heals_at.as_millis()).unwrap_or(i64::MAX));
        let lasts = match dice.below(3) {
            0 => dice.millis(1_000, 30_000),
            1 => dice.millis(30_000, 300_000),
            _ => dice.millis(300_000, 2_400_000),
        };
        let until = from.saturating_add(lasts).min(heals_at);
        troubles.push(Trouble { from, until, kind: dice.pick(&TroubleKind::ALL, TroubleKind::NoSweep) });
    }
    troubles
}

fn profile(dice: &mut Dice) -> Profile {
    let calls = dice.pick(&[0, 5, 20, 60, 120, 250], 20);
    let callers = dice.pick(&[0, 20, 100, 300], 20);
    let clocks = dice.pick(&[0, 300, 900], 0);
    let mut kinds: Vec<Kind> = Kind::OF_CALLS.into_iter().filter(|_| dice.happens(500)).collect();
    // What AWS refuses for good is rare, and ends most of what it meets.
    let (rare, frequent): (Vec<Kind>, Vec<Kind>) =
        kinds.iter().partition(|kind| matches!(kind, Kind::Refused | Kind::Forbidden));
    kinds = rare;
    for _ in 0..5 {
        kinds.extend_from_slice(&frequent);
    }
    Profile { calls, callers, clocks, kinds }
}
