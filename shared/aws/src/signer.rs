//! The key that signs checkpoints, in KMS: its private half never leaves it.
//!
//! Only digests are sent: what is signed may be longer than the 4,096 bytes that KMS takes
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>).

use std::sync::Arc;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use curfew_app::ports::{EffectError, Failure};
use curfew_audit::ports::Signer;

use crate::clients::Aws;
use crate::errors::Failed;

/// A signing key on the curve P-256.
#[derive(Debug)]
pub struct KmsSigner {
    aws: Arc<Aws>,
    key_arn: String,
}

impl KmsSigner {
    pub(crate) fn new(aws: Arc<Aws>, key_arn: String) -> Self {
        Self { aws, key_arn }
    }

    fn failed(&self, operation: &'static str, mut failed: Failed) -> EffectError {
        failed.message = format!("{} (key `{}`)", failed.message, self.key_arn);
        failed.effect(operation)
    }

    fn incomplete(&self, operation: &'static str) -> EffectError {
        EffectError {
            failure: Failure::Retryable,
            operation,
            code: "UnreadableResponse".to_owned(),
            message: format!("the answer lacks what was asked for (key `{}`)", self.key_arn),
        }
    }
}

impl Signer for KmsSigner {
    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>, EffectError> {
        const SIGN: &str = "Sign";
        let signed = self
            .aws
            .kms()
            .sign()
            .key_id(&self.key_arn)
            .message(Blob::new(digest))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| self.failed(SIGN, Failed::of(&error)))?;
        let signature = signed.signature.ok_or_else(|| self.incomplete(SIGN))?;
        Ok(signature.into_inner())
    }

    async fn public_key(&self) -> Result<Vec<u8>, EffectError> {
        const PUBLIC_KEY: &str = "GetPublicKey";
        let key = self
            .aws
            .kms()
            .get_public_key()
            .key_id(&self.key_arn)
            .send()
            .await
            .map_err(|error| self.failed(PUBLIC_KEY, Failed::of(&error)))?;
        let der = key.public_key.ok_or_else(|| self.incomplete(PUBLIC_KEY))?;
        Ok(der.into_inner())
    }
}

#[cfg(test)]
#[path = "signer_tests.rs"]
mod tests;
