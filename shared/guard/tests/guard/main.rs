//! The guardrails from the outside: what is refused, what is judged, and the shipped set.
//!
//! The modules are `cfg(test)` so that clippy knows their helpers for test code.

#[cfg(test)]
mod defaults;
#[cfg(test)]
mod judging;
#[cfg(test)]
mod parsing;
#[cfg(test)]
mod slices;
#[cfg(test)]
mod support;
#[cfg(test)]
mod table;
