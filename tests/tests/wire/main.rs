//! Curfew on the wire: the real template, the real functions, real policies judged by IAM, timers that fire.
//!
//! Each test plays its own people on its own tickets in a world that all share (`curfew_tests::world`). Whoever waits
//! for a window's end waits for a whole minute, and all do so side by side.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod amendments;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod extend;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod main_job;
#[cfg(test)]
mod managed;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod races;
#[cfg(test)]
mod senders;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod webhooks;
