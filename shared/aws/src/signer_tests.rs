//! Tests of the signing key in KMS.

use serde_json::json;

use super::*;
use crate::wire::{Reply, Script, aws};

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234";

fn signer(replies: impl IntoIterator<Item = Reply>) -> (KmsSigner, Arc<Script>) {
    let (aws, script) = aws(replies);
    (KmsSigner::new(aws, KEY.to_owned()), script)
}

#[tokio::test]
async fn a_digest_is_signed_as_it_is() {
    let (signer, script) = signer([Reply::json(200, &json!({ "KeyId": KEY, "Signature": "MEUC" }))]);
    assert_eq!(signer.sign(&[7; 32]).await, Ok(vec![0x30, 0x45, 0x02]));
    let seen = script.one();
    assert_eq!(seen.call, "Sign");
    let expected = json!({
        "KeyId": KEY,
        "Message": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        "MessageType": "DIGEST",
        "SigningAlgorithm": "ECDSA_SHA_256",
    });
    assert_eq!(seen.json(), expected);
}

#[tokio::test]
async fn the_public_half_is_given_as_kms_has_it() {
    let (signer, script) = signer([Reply::json(200, &json!({ "KeyId": KEY, "PublicKey": "MFkw" }))]);
    assert_eq!(signer.public_key().await, Ok(vec![0x30, 0x59, 0x30]));
    assert_eq!((script.one().call.as_str(), &script.one().json()["KeyId"]), ("GetPublicKey", &json!(KEY)));
}

#[tokio::test]
async fn failures_name_the_key_and_say_whether_to_try_again() {
    for (status, code, failure) in [
        (400, "ThrottlingException", Failure::Throttled),
        (500, "KMSInternalException", Failure::Retryable),
        (500, "DependencyTimeoutException", Failure::Retryable),
        (400, "AccessDeniedException", Failure::Forbidden),
        (400, "DisabledException", Failure::Refused),
        (400, "KMSInvalidStateException", Failure::Refused),
    ] {
        let (signer, _) = signer([Reply::json_error(status, code)]);
        let error = signer.sign(&[0; 32]).await.unwrap_err();
        assert_eq!((error.failure, error.operation, error.code.as_str()), (failure, "Sign", code));
        assert!(error.message.contains(KEY), "{error}");
        let error = signer.public_key().await.unwrap_err();
        assert_eq!((error.failure, error.operation), (failure, "GetPublicKey"));
    }
    // A success without what was asked for is none.
    let (signer, _) = signer([Reply::json(200, &json!({ "KeyId": KEY }))]);
    assert_eq!(signer.sign(&[0; 32]).await.unwrap_err().failure, Failure::Retryable);
    assert_eq!(signer.public_key().await.unwrap_err().failure, Failure::Retryable);
}
