//! The sample: a choice that anybody can make again.
//!
//! Each grant's rank is the SHA-256 of the seed, a line feed and the grant's id; those with the lowest ranks are chosen. So
//! the choice depends on the seed and on the population alone, and `sha256sum` and `sort` are all it takes to redo it. An
//! auditor should name the seed, and not who is audited.

use std::collections::BTreeSet;

use curfew_domain::ids::GrantId;
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::grant::GrantRow;

/// What sample is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOf {
    /// How many grants; all, if there are fewer.
    pub size: usize,
    /// What decides which.
    pub seed: String,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// How many were wanted.
    pub size: usize,
    /// The seed.
    pub seed: String,
    /// Out of how many.
    pub population: usize,
    /// Which, by rank.
    pub grants: Vec<GrantId>,
}

/// Marks the rows that are chosen.
pub(super) fn choose(rows: &mut [GrantRow], wanted: &SampleOf) -> Chosen {
    let mut ranked: Vec<(String, GrantId)> =
        rows.iter().map(|row| (rank(&wanted.seed, &row.grant_id), row.grant_id.clone())).collect();
    ranked.sort();
    let grants: Vec<GrantId> = ranked.into_iter().take(wanted.size).map(|(_, id)| id).collect();
    let chosen: BTreeSet<&GrantId> = grants.iter().collect();
    for row in rows.iter_mut() {
        row.sampled = chosen.contains(&row.grant_id);
    }
    Chosen { size: wanted.size, seed: wanted.seed.clone(), population: rows.len(), grants }
}

/// A grant's rank, in hex.
fn rank(seed: &str, grant: &GrantId) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{seed}\n{grant}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_what_sha256sum_says() {
        // printf '%s\n%s' 'audit 2026' g-abcdefghijklmnopqrstuvwxyz | sha256sum
        let id = GrantId::new("g-abcdefghijklmnopqrstuvwxyz").unwrap();
        assert_eq!(
            rank("audit 2026", &id),
            "b5bd789e99433c69cffeea801f02b095cb21a73b15c28e568194fa6a66b58aa4"
        );
    }
}
