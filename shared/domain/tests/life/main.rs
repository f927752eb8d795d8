//! The transition function as a whole: what every command does to every state at every relevant time,
//! and what no sequence of commands may do.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;
