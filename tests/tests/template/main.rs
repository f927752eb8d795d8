//! What `infra/template.yaml` promises, read off the file: the ledger is kept, nobody can be given or give themselves
//! more than a boundary allows, and what the functions read is what they are given.
//!
//! That the permissions *suffice*, and that IAM refuses the rest, is seen on the wire (`wire`, `wire_faults`); that the
//! file is valid at all is the business of `cfn-lint` in `.ci/run`.

#[cfg(test)]
mod document;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod settings;
