//! Curfew when the wire, AWS or a sender misbehaves: the real functions behind a proxy that counts their AWS calls and
//! lets chosen ones go wrong, the real HTTP API under bad input, and Curfew's own credentials in the wrong hands.
//!
//! Whatever goes wrong, at the end the person can do what the reply said and no more, and nothing is left over that a
//! sweep would not remove.

#[cfg(test)]
mod amendments;
#[cfg(test)]
mod bad_deliveries;
#[cfg(test)]
mod bad_requests;
#[cfg(test)]
mod climbs;
#[cfg(test)]
mod closing_faults;
#[cfg(test)]
mod console;
#[cfg(test)]
mod counts;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod every_call;
#[cfg(test)]
mod opening_faults;
#[cfg(test)]
mod runbooks;
#[cfg(test)]
mod support;
