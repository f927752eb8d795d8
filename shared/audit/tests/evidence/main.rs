//! Evidence, from the record to the proof: how records look, what an archive is, and that no tampering with it goes
//! unseen.
//!
//! One binary, because every further one costs a link. The modules are `cfg(test)` so that clippy knows their helpers
//! for test code.

#[cfg(test)]
mod builder;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod expectations;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod intact;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod records;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tamperings;
#[cfg(test)]
mod trees;
#[cfg(test)]
mod unsealing;
