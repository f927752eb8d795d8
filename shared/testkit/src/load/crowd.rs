//! What a lap costs when nothing is due, beside however many live grants.

use std::collections::BTreeMap;

use curfew_app::open::{Opened, open};
use curfew_app::sweep::{Lap, sweep};
use curfew_domain::ids::GrantId;
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use super::scene::LoadError;
use crate::fixtures;
use crate::guardrails::permissive;
use crate::network::CallName;

/// What a lap cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    /// How many live grants stand in the indexes.
    pub live: usize,
    /// How many of them were due.
    pub due: usize,
    /// The calls, by name.
    pub calls: BTreeMap<CallName, usize>,
    /// How many entries of the index of what is due were looked at.
    pub entries: u64,
}

/// A lap beside `live` grants of which `due` are due; each of these costs what an expiry costs.
///
/// The others stand in the indexes alone, since a lap has no way to read more of them: the ledger's port has no scan.
///
/// # Errors
/// [`LoadError`], if it could not be set up.
pub fn idle_lap(live: usize, due: usize) -> Result<Idle, LoadError> {
    let world = fixtures::world().unchecked();
    let catalog = fixtures::catalog();
    let active = |ticket: &str, who: &str| -> Result<_, LoadError> {
        let request = fixtures::request_of(who, "acme", "ops", ticket);
        let opened = world.finish(open(
            &world.invocation(),
            permissive(&catalog),
            request,
            fixtures::settings(),
        ))??;
        match opened {
            Opened::Activated(grant) => Ok(*grant),
            other => Err(LoadError::NotOpened(format!("{other:?}"))),
        }
    };
    for n in 0..due {
        active(&format!("CHG-{n}"), "ben")?;
    }
    // When those are overdue. The others end an hour later.
    world.set_time(plus(fixtures::START, SignedDuration::from_mins(61)));
    let like = active("CHG-like", "ana")?;
    let others = live.saturating_sub(due + 1);
    world.change(|aws| aws.ledger.crowd((0..others).filter_map(id), &like));

    let before = world.look(|aws| aws.ledger.entries_looked_at());
    let ports = world.invocation();
    let lap = Lap { limit: usize::MAX, stop_at: Timestamp::MAX };
    world.finish(sweep(&ports, lap))??;
    let mut calls = BTreeMap::new();
    for call in world.calls(&ports) {
        *calls.entry(call).or_default() += 1;
    }
    let entries = world.look(|aws| aws.ledger.entries_looked_at()) - before;
    Ok(Idle { live, due, calls, entries })
}

/// The `n`-th id that no grant has.
fn id(n: usize) -> Option<GrantId> {
    const LETTERS: [char; 26] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't',
        'u', 'v', 'w', 'x', 'y', 'z',
    ];
    let mut text = String::from("g-");
    let mut rest = n;
    for _ in 0..26 {
        text.push(*LETTERS.get(rest % LETTERS.len())?);
        rest /= LETTERS.len();
    }
    GrantId::new(text).ok()
}
