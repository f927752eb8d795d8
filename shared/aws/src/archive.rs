//! The archive in an S3 bucket with Object Lock: what is written stays, so everything is written under a name of its own.
//!
//! Object Lock takes an upload only with a checksum of it
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html>); here it is SHA-256, so that what
//! S3 keeps beside an object can be compared with what a checkpoint says of it. How long an object is locked is the
//! bucket's own default: nobody can ask for less. Knows nothing of what the objects hold.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use curfew_app::ports::{EffectError, Failure};
use curfew_audit::ports::{ArchiveStore, Page, Put};
use curfew_domain::retry::CALL_TIMEOUT;

use crate::clients::Aws;
use crate::errors::{self, Failed};

/// An archive.
#[derive(Debug)]
pub struct S3Archive {
    aws: Arc<Aws>,
    bucket: String,
}

/// How S3 says that there is something under a key that was to be new.
const NOT_NEW: &str = "PreconditionFailed";

const GET: &str = "GetObject";

impl S3Archive {
    pub(crate) fn new(aws: Arc<Aws>, bucket: String) -> Self {
        Self { aws, bucket }
    }

    /// A failed call. S3's own message does not name the bucket.
    fn failed(&self, operation: &'static str, mut failed: Failed) -> EffectError {
        failed.message = format!("{} (bucket `{}`)", failed.message, self.bucket);
        failed.effect(operation)
    }
}

impl ArchiveStore for S3Archive {
    /// A try of the SDK whose answer was lost makes its next one find something there: that, too, is told as
    /// [`Put::Exists`], and whoever asked looks at what it is.
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put, EffectError> {
        let put = self
            .aws
            .s3()
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .content_type(content_type(key))
            .body(ByteStream::from(bytes.to_vec()));
        match put.send().await {
            Ok(_) => Ok(Put::Written),
            Err(error) => {
                let failed = Failed::of(&error);
                if failed.code == NOT_NEW { Ok(Put::Exists) } else { Err(self.failed("PutObject", failed)) }
            }
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, EffectError> {
        let got = self.aws.s3().get_object().bucket(&self.bucket).key(key).send().await;
        let object = match got {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                return Ok(None);
            }
            Err(error) => return Err(self.failed(GET, Failed::of(&error))),
        };
        let broken = |code: &str, message: String| EffectError {
            failure: Failure::Retryable,
            operation: GET,
            code: code.to_owned(),
            message: errors::shorten(&format!("{message} (`{key}` of bucket `{}`)", self.bucket)),
        };
        // The limits of the call are over once the answer begins.
        let body = tokio::time::timeout(CALL_TIMEOUT, object.body.collect()).await;
        let body =
            body.map_err(|_| broken("Timeout", "the object did not come to its end in time".to_owned()))?;
        let body = body.map_err(|error| broken("UnreadableResponse", error.to_string()))?;
        Ok(Some(body.to_vec()))
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Page, EffectError> {
        let listing = self
            .aws
            .s3()
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(after.map(str::to_owned))
            .send()
            .await
            .map_err(|error| self.failed("ListObjectsV2", Failed::of(&error)))?;
        let more = listing.is_truncated().unwrap_or_default();
        let keys = listing.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect();
        Ok(Page { keys, more })
    }
}

/// What browsers and tools are told that an object is.
fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.') {
        Some((_, "jsonl")) => "application/jsonl",
        Some((_, "json")) => "application/json",
        Some((_, "pem")) => "application/x-pem-file",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
