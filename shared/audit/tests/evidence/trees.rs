//! Merkle trees, by the vectors of Certificate Transparency's own tests, and by their properties.

use curfew_audit::merkle::{is_included, leaf_hash, prove, root};
use data_encoding::HEXLOWER;
use proptest::prelude::*;

/// Leaves and the roots over the first one, two, … of them:
/// <https://github.com/google/certificate-transparency/blob/master/python/ct/crypto/merkle_test.py>.
const VECTORS: [(&str, &str); 8] = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
];

#[test]
fn roots_are_those_of_certificate_transparency() {
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(HEXLOWER.encode(&root(&leaves)), nothing);
    for (leaf, expected) in VECTORS {
        leaves.push(HEXLOWER.decode(leaf.as_bytes()).unwrap());
        assert_eq!(HEXLOWER.encode(&root(&leaves)), expected);
    }
}

#[test]
fn a_leaf_can_not_be_taken_for_a_node() {
    let leaves: Vec<Vec<u8>> = vec![b"one".to_vec(), b"two".to_vec()];
    let node = [leaf_hash(b"one"), leaf_hash(b"two")].concat();
    assert_ne!(root(&leaves), root(&[node]));
}

proptest! {
    #[test]
    fn what_is_in_a_tree_is_proven_and_nothing_else(
        leaves in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..8), 1..40),
        other in proptest::collection::vec(any::<u8>(), 0..8),
        flipped in any::<proptest::sample::Index>(),
    ) {
        let root = root(&leaves);
        for (index, leaf) in leaves.iter().enumerate() {
            let path = prove(&leaves, index).unwrap();
            prop_assert!(is_included(&root, leaf, index, leaves.len(), &path));
            prop_assert_eq!(is_included(&root, &other, index, leaves.len(), &path), *leaf == other);
            prop_assert!(!is_included(&root, leaf, leaves.len(), leaves.len(), &path));
            if !path.is_empty() {
                let mut bent = path.clone();
                bent[flipped.index(path.len())][0] ^= 1;
                prop_assert!(!is_included(&root, leaf, index, leaves.len(), &bent));
                prop_assert!(!is_included(&root, leaf, index, leaves.len(), &path[1..]));
                let longer = [path.clone(), path].concat();
                prop_assert!(!is_included(&root, leaf, index, leaves.len(), &longer));
            }
        }
        prop_assert_eq!(prove(&leaves, leaves.len()), None);
    }
}
