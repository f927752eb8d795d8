//! What `infra/template.yaml` and `infra/tenant.yaml` promise, read off the files: the ledger and the evidence are kept,
//! nobody can be given or give themselves more than a boundary allows, and what the functions read is what they are given.
//!
//! That the permissions *suffice*, and that IAM refuses the rest, is seen on the wire (`wire`, `wire_faults`); that the
//! files are valid at all is the business of `cfn-lint` in `.ci/run`.

#[cfg(test)]
mod boundary;
#[cfg(test)]
mod document;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod indexes;
#[cfg(test)]
mod names;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod tenant;
#[cfg(test)]
mod watching;
