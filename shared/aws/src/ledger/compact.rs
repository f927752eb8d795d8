//! How the map `grant` of a grant's item is kept small: what stands beside it or follows from the grant's id is left out,
//! and the policy document is compressed.
//!
//! DynamoDB charges a write by the item's size in whole KB, and every transition writes the item
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>): docs/costs.md has the
//! figures. What is left out is put back before anything is read, so nobody else knows. An item that was written whole is read
//! as well.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::item::{Item, text, text_of};
use super::keys::{self, PK};

/// Texts of the map that stand beside it, in attributes that never change: where in the map, and which attribute.
const BESIDE: [(&str, &str, &str); 6] = [
    ("request", "source", "source"),
    ("request", "ticket", "ticket"),
    ("request", "requester", "person"),
    ("request", "tenant", "tenant"),
    ("request", "role", "role"),
    ("access", "principal", "principal"),
];

/// Texts of the map that are made of the grant's id.
const NAMED_AFTER_THE_GRANT: [(&str, &str); 2] = [("access", "policy_name"), ("timer", "name")];

const ID: &str = "id";
const ACCESS: &str = "access";
const DOCUMENT: &str = "document";

/// The best that DEFLATE does: a document is compressed once for each write and read far less often.
const LEVEL: u8 = 9;

/// The largest document that is unpacked: IAM takes less
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

type Map = HashMap<String, AttributeValue>;

/// Leaves out of `grant` what `item` says besides.
pub(super) fn compact(item: &Item, grant: &mut AttributeValue) {
    let AttributeValue::M(grant) = grant else { return };
    let Some(id) = text_of(item, PK).and_then(keys::grant_of_pk) else { return };
    for (map, name, beside) in BESIDE {
        leave_out(inner(grant, map), name, text_of(item, beside));
    }
    for (map, name) in NAMED_AFTER_THE_GRANT {
        leave_out(inner(grant, map), name, Some(&id.object_name()));
    }
    leave_out(Some(&mut *grant), ID, Some(id.as_str()));
    if let Some(document) = inner(grant, ACCESS).and_then(|access| access.get_mut(DOCUMENT))
        && let AttributeValue::S(plain) = document
    {
        let packed = compress_to_vec(plain.as_bytes(), LEVEL);
        if packed.len() < plain.len() {
            *document = AttributeValue::B(Blob::new(packed));
        }
    }
}

/// Puts back what [`compact`] left out. What can't be put back stays as it is: whoever reads the map finds it missing.
pub(super) fn expand(item: &Item, grant: &mut AttributeValue) {
    let AttributeValue::M(grant) = grant else { return };
    let Some(id) = text_of(item, PK).and_then(keys::grant_of_pk) else { return };
    for (map, name, beside) in BESIDE {
        put_back(inner(grant, map), name, text_of(item, beside));
    }
    put_back(inner(grant, "timer"), "name", Some(&id.object_name()));
    let access = inner(grant, ACCESS);
    if let Some(access) = access
        && let Some(document) = access.get_mut(DOCUMENT)
    {
        if let AttributeValue::B(packed) = &*document
            && let Ok(plain) = decompress_to_vec_with_limit(packed.as_ref(), DOCUMENT_BYTES_MAX)
            && let Ok(plain) = String::from_utf8(plain)
        {
            *document = AttributeValue::S(plain);
        }
        // Only an inline policy has a name, and only it has a document.
        put_back(Some(access), "policy_name", Some(&id.object_name()));
    }
    put_back(Some(grant), ID, Some(id.as_str()));
}

fn inner<'a>(map: &'a mut Map, name: &str) -> Option<&'a mut Map> {
    match map.get_mut(name) {
        Some(AttributeValue::M(inner)) => Some(inner),
        _ => None,
    }
}

/// Takes a text off the map, if it says what `beside` says.
fn leave_out(map: Option<&mut Map>, name: &str, beside: Option<&str>) {
    if let Some(map) = map
        && let Some(AttributeValue::S(said)) = map.get(name)
        && Some(said.as_str()) == beside
    {
        map.remove(name);
    }
}

/// Adds a text to the map, if it is not there.
fn put_back(map: Option<&mut Map>, name: &str, beside: Option<&str>) {
    if let (Some(map), Some(beside)) = (map, beside) {
        map.entry(name.to_owned()).or_insert_with(|| text(beside));
    }
}
