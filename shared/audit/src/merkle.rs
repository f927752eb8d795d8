//! Merkle trees as in Certificate Transparency (RFC 6962, section 2.1): one hash for a list, and short proofs that
//! something is in it. Knows nothing of what the leaves mean.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf. The byte in front keeps leaves and nodes apart.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(leaf);
    hash.finalize().into()
}

/// The hash of the tree over `leaves`, in their order. That of no leaves is the SHA-256 of nothing.
#[must_use]
pub fn root<L: AsRef<[u8]>>(leaves: &[L]) -> Hash {
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
    root_of(&hashes)
}

/// The audit path of the leaf at `index`: what must be hashed in to come from it to the root. None, if there is no
/// such leaf.
#[must_use]
pub fn prove<L: AsRef<[u8]>>(leaves: &[L], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
    let mut path = Vec::new();
    let (mut rest, mut index) = (hashes.as_slice(), index);
    while rest.len() > 1 {
        let (left, right) = split(rest);
        if index < left.len() {
            path.push(root_of(right));
            rest = left;
        } else {
            path.push(root_of(left));
            index -= left.len();
            rest = right;
        }
    }
    path.reverse();
    Some(path)
}

/// Whether `path` leads from `leaf`, at `index` of `size` leaves, to `root`.
#[must_use]
pub fn is_included(root: &Hash, leaf: &[u8], index: usize, size: usize, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    // The sides on which the siblings are, from the root down: the same way that `prove` went.
    let mut sides = Vec::new();
    let (mut size, mut index) = (size, index);
    while size > 1 {
        let left = largest_power_below(size);
        if index < left {
            sides.push(Side::Right);
            size = left;
        } else {
            sides.push(Side::Left);
            index -= left;
            size -= left;
        }
    }
    let climbed =
        path.iter().zip(sides.iter().rev()).fold(leaf_hash(leaf), |so_far, (sibling, side)| match side {
            Side::Left => node_hash(sibling, &so_far),
            Side::Right => node_hash(&so_far, sibling),
        });
    path.len() == sides.len() && climbed == *root
}

/// On which side of the way up a sibling stands.
enum Side {
    Left,
    Right,
}

fn root_of(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        several => {
            let (left, right) = split(several);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

fn split(hashes: &[Hash]) -> (&[Hash], &[Hash]) {
    hashes.split_at(largest_power_below(hashes.len()).min(hashes.len()))
}

/// The largest power of two that is smaller than `size`, which is at least 2.
fn largest_power_below(size: usize) -> usize {
    size.next_power_of_two() / 2
}
