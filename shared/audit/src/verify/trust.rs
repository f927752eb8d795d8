//! Which keys are trusted: those that were given; or else the one in the archive that its oldest checkpoint names.

use jiff::Timestamp;

use super::finding::{Code, Finding, Findings};
use super::listing::Listing;
use super::{Expectations, KeyUsed, Source, Unverifiable};
use crate::archive::public_key_key;
use crate::checkpoint::{PublicKey, Signed};

/// Trusted keys.
#[derive(Debug)]
pub(super) struct Trust {
    keys: Vec<PublicKey>,
    given: bool,
}

impl Trust {
    pub(super) fn establish(
        source: &dyn Source,
        expected: &Expectations,
        listing: &Listing,
        findings: &mut Findings,
    ) -> Result<Self, Unverifiable> {
        if let Some(pem) = &expected.public_key_pem {
            return Ok(Self { keys: PublicKey::all_from_pem(pem)?, given: true });
        }
        let mut found = Vec::new();
        for object in &listing.keys {
            match read_key(source, object)? {
                Ok(key) => found.push(key),
                Err(why) => findings.add(Timestamp::MIN, Finding::at(Code::KeyChanged, object, why)),
            }
        }
        let Some(wanted) = oldest_key_id(source, listing)? else {
            return Ok(Self { keys: Vec::new(), given: false });
        };
        found.retain(|key| key.id() == wanted);
        let object = public_key_key(&wanted);
        if found.is_empty() && !listing.keys.contains(&object) {
            let words = "the oldest checkpoint is signed by this key, and it is not there; give the key, or nothing can \
                         be proven";
            findings.add(Timestamp::MIN, Finding::at(Code::KeyChanged, object, words));
        }
        Ok(Self { keys: found, given: false })
    }

    /// The trusted key of this id.
    pub(super) fn key(&self, id: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// Whether there is no key to check anything with. That was told.
    pub(super) fn is_nothing(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn used(&self) -> KeyUsed {
        let mut ids = self.keys.iter().map(|key| key.id().to_owned());
        if self.given {
            return KeyUsed::Given { ids: ids.collect() };
        }
        ids.next().map_or(KeyUsed::Nothing {}, |id| KeyUsed::Archive { id })
    }
}

fn read_key(source: &dyn Source, object: &str) -> Result<Result<PublicKey, String>, Unverifiable> {
    let bytes = source.read(object)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(match PublicKey::from_pem(&text) {
        Err(error) => Err(error.to_string()),
        Ok(key) if public_key_key(key.id()) != object => {
            Err("it is another key than its name says".to_owned())
        }
        Ok(key) if key.pem().as_bytes() != bytes => Err("it is not written as keys are".to_owned()),
        Ok(key) => Ok(key),
    })
}

/// The id of the key that the oldest checkpoint says it is signed with.
fn oldest_key_id(source: &dyn Source, listing: &Listing) -> Result<Option<String>, Unverifiable> {
    for object in listing.checkpoints.values() {
        if let Ok(signed) = Signed::from_bytes(&source.read(object)?) {
            return Ok(Some(signed.signature.key_id));
        }
    }
    Ok(None)
}
