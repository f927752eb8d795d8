//! The catalogs that ship with Curfew: `infra/catalog/`, which people start from, and `infra/local/catalog/`, the
//! demo's.
//!
//! What no check of the catalog can demand of everybody is demanded of these: that nobody gets more than their tenant,
//! that nothing hands out further rights, and that whoever has an emergency's power cannot keep it.

#[cfg(test)]
mod breakglass;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod least;
#[cfg(test)]
mod people;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod shipped;
