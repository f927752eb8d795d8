//! The key that checkpoints are signed with, by its public half. Its name is its fingerprint, so that a name can't be
//! given to another key.

use data_encoding::HEXLOWER;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{DerSignature, Signature, VerifyingKey};
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use sha2::{Digest, Sha256};

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not the public half of a P-256 key in PEM (`-----BEGIN PUBLIC KEY-----`): {0}")]
pub struct BadKey(String);

/// A public key of ECDSA on P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: String,
    pem: String,
}

impl PublicKey {
    /// Reads a key from PEM (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// [`BadKey`], if it is none, or not one of P-256.
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let key = VerifyingKey::from_public_key_pem(pem.trim()).map_err(|error| BadKey(error.to_string()))?;
        Self::of(key)
    }

    /// Reads a key from DER (`SubjectPublicKeyInfo`), as KMS hands it out.
    ///
    /// # Errors
    /// [`BadKey`], if it is none, or not one of P-256.
    pub fn from_der(der: &[u8]) -> Result<Self, BadKey> {
        let key = VerifyingKey::from_public_key_der(der).map_err(|error| BadKey(error.to_string()))?;
        Self::of(key)
    }

    /// Reads every key in a text of one or more of them in PEM.
    ///
    /// # Errors
    /// [`BadKey`], if there is none, or one of them is none.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, BadKey> {
        const END: &str = "-----END PUBLIC KEY-----";
        let text = text.trim();
        if text.is_empty() {
            return Err(BadKey("there is nothing".to_owned()));
        }
        text.split_inclusive(END).map(Self::from_pem).collect()
    }

    fn of(key: VerifyingKey) -> Result<Self, BadKey> {
        let unwritable = |error: p256::pkcs8::spki::Error| BadKey(error.to_string());
        let der = key.to_public_key_der().map_err(unwritable)?;
        let pem = key.to_public_key_pem(LineEnding::LF).map_err(unwritable)?;
        Ok(Self { key, id: HEXLOWER.encode(&Sha256::digest(der.as_bytes())), pem })
    }

    /// Its id: hex SHA-256 of its DER.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// It in PEM, as it stands in the archive.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Whether `signature` (DER, and nothing else than what a signer writes) is this key's of `digest`.
    #[must_use]
    pub fn has_signed(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        let Ok(read) = DerSignature::try_from(signature).and_then(Signature::try_from) else {
            return false;
        };
        read.to_der().as_bytes() == signature && self.key.verify_prehash(digest, &read).is_ok()
    }
}
