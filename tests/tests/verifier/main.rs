//! Two verifiers that share no code say the same of the same archive: `curfew verify`, and the one in
//! `tests/verifier`, which was written from docs/audit.md in another language.
//!
//! The archives and tamperings are those of `shared/audit/tests/evidence`. Must not know what is right: that is asserted
//! there.

#[cfg(test)]
mod agreement;
#[cfg(test)]
#[path = "../../../shared/audit/tests/evidence/builder.rs"]
mod builder;
#[cfg(test)]
#[path = "../../../shared/audit/tests/evidence/sample.rs"]
mod sample;
#[cfg(test)]
#[path = "../../../shared/audit/tests/evidence/tampering.rs"]
mod tampering;
#[cfg(test)]
#[path = "../../../shared/audit/tests/evidence/unsealing.rs"]
mod unsealing;
