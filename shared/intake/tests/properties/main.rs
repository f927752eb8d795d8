//! Properties of intake, from outside: whatever comes in, nothing panics, and nothing that is not signed decides anything.
//!
//! For every kind of sender and every recorded payload; a new payload takes part by being there.

#[cfg(test)]
mod anything;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod unsigned;
