//! The life of grants, played through the real use cases against an AWS in memory: what each promise
//! means, one topic a module.
//!
//! One binary, because every further one costs a link. The modules are `cfg(test)` so that clippy knows
//! their helpers for test code.

#[cfg(test)]
mod amendment_races;
#[cfg(test)]
mod amendments;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod console;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod drift_laps;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod extension_refusals;
#[cfg(test)]
mod extensions;
#[cfg(test)]
mod guardrails;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod opening_failures;
#[cfg(test)]
mod races;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod shared_attachments;
#[cfg(test)]
mod shortenings;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweeping;
#[cfg(test)]
mod throttling;
#[cfg(test)]
mod tickets;
#[cfg(test)]
mod vouching;
