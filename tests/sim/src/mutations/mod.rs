//! Deliberate mutations: ways to break Curfew's code, each of which breaks a promise, and each of which the
//! simulation must notice.
//!
//! A mutation is text for text. The code that it puts in asks `crate::mutant("name")` whether it is the one to be
//! tried, so that all of them can be built at once (see [`crate::workshop`]). The list follows the code: whoever
//! changes a line that is named here changes it here too, and a test says so.
//!
//! What is not here: mutations that break no promise because a second guard holds (the sweep's own look at what is
//! due, before the ledger's condition on the claim), and those of `shared/aws`, which the tests on the wire guard.

mod closing;
mod life;
mod opening;
mod stores;
mod sweeping;
mod window;

use std::sync::LazyLock;

/// One way to break the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    /// Its name, which throws its switch.
    pub name: &'static str,
    /// What the code does then.
    pub what: &'static str,
    /// The promise that it breaks (`ARCHITECTURE.md`).
    pub promise: &'static str,
    /// It changes the ledger in memory, because the condition that it drops is one that `shared/aws` writes into
    /// DynamoDB's requests.
    pub stands_for_aws: bool,
    /// What it changes.
    pub edits: &'static [Edit],
}

/// A piece of a file, and what takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// The file, from the workspace's root.
    pub file: &'static str,
    /// The piece, exactly as it is there. It must be there once.
    pub find: &'static str,
    /// What takes its place.
    pub replace: &'static str,
}

/// Every mutation, in the order in which they are tried.
#[must_use]
pub fn all() -> &'static [Mutation] {
    static ALL: LazyLock<Vec<Mutation>> = LazyLock::new(|| {
        let lists =
            [opening::MUTATIONS, closing::MUTATIONS, sweeping::MUTATIONS, life::MUTATIONS, window::MUTATIONS];
        lists.concat().into_iter().chain(stores::MUTATIONS.iter().copied()).collect()
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mutation_has_a_name_of_its_own_that_its_code_asks_for() {
        let mut names = BTreeSet::new();
        for Mutation { name, edits, .. } in all() {
            assert!(names.insert(name), "{name} is there twice");
            assert!(!edits.is_empty(), "{name} changes nothing");
            for edit in *edits {
                let asks = format!("crate::mutant(\"{name}\")");
                assert!(edit.replace.contains(&asks), "{name} is not switched by its name: {}", edit.replace);
                assert_ne!(edit.find, edit.replace, "{name} changes nothing");
            }
        }
    }

    #[test]
    fn every_mutation_says_which_promise_it_breaks() {
        for Mutation { name, what, promise, .. } in all() {
            assert!(!what.is_empty(), "{name} does not say what it does");
            let known = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"];
            assert!(known.contains(promise), "{name} breaks {promise}, which is no promise");
        }
    }

    #[test]
    fn a_store_is_only_mutated_where_the_condition_is_shared_aws_s() {
        for Mutation { name, stands_for_aws, edits, .. } in all() {
            let of_store = edits.iter().any(|edit| edit.file.starts_with("shared/testkit/"));
            assert_eq!(of_store, *stands_for_aws, "{name} is not marked as what it is");
        }
    }

    #[test]
    fn there_are_many_of_them() {
        assert!(all().len() >= 25, "only {} mutations are left", all().len());
    }
}
