//! Tests of the archive in S3.

use super::*;
use crate::wire::{Reply, Script, aws};

const KEY: &str = "events/day=2026-11-21/2026-11-21T10:28:19.123Z-0123456789abcdef.jsonl";
const BUCKET: &str = "curfew-archive";

fn archive(replies: impl IntoIterator<Item = Reply>) -> (S3Archive, Arc<Script>) {
    let (aws, script) = aws(replies);
    (S3Archive::new(aws, BUCKET.to_owned()), script)
}

fn done(body: &str) -> Reply {
    Reply::Answer(200, body.to_owned())
}

#[tokio::test]
async fn an_object_is_written_once_and_with_its_checksum() {
    let (archive, script) = archive([done("")]);
    assert_eq!(archive.put_new(KEY, b"{}\n").await, Ok(Put::Written));
    let seen = script.one();
    assert!(
        seen.call.starts_with("PUT /events/day%3D2026-11-21/2026-11-21T10%3A28%3A19.123Z-"),
        "{}",
        seen.call
    );
    assert_eq!(seen.headers["host"], "curfew-archive.s3.eu-central-1.amazonaws.com");
    assert_eq!(seen.body, "{}\n");
    assert_eq!(seen.headers["if-none-match"], "*");
    // printf '{}\n' | openssl dgst -sha256 -binary | base64
    assert_eq!(seen.headers["x-amz-checksum-sha256"], "yj0WO6sFU4GCciYUBWjzvvfqrBh869doeOC2Pp5EI1Y=");
    assert_eq!(seen.headers["content-type"], "application/jsonl");
    // How long it is locked is the bucket's to say.
    assert!(!seen.headers.keys().any(|name| name.starts_with("x-amz-object-lock")), "{:?}", seen.headers);
}

#[tokio::test]
async fn what_is_there_is_told_and_left_alone() {
    let (taken, script) = archive([Reply::s3_error(412, "PreconditionFailed")]);
    assert_eq!(taken.put_new(KEY, b"{}\n").await, Ok(Put::Exists));
    assert_eq!(script.calls().len(), 1);
    // The try whose answer was lost has written it: whoever asked looks at what is there.
    let (lost, script) = archive([Reply::Broken, Reply::s3_error(412, "PreconditionFailed")]);
    assert_eq!(lost.put_new(KEY, b"{}\n").await, Ok(Put::Exists));
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test]
async fn failures_name_the_bucket_and_say_whether_to_try_again() {
    for (status, code, failure) in [
        (409, "ConditionalRequestConflict", Failure::Retryable),
        (503, "SlowDown", Failure::Throttled),
        (500, "InternalError", Failure::Retryable),
        (403, "AccessDenied", Failure::Forbidden),
        (404, "NoSuchBucket", Failure::Refused),
    ] {
        let (archive, _) = archive([Reply::s3_error(status, code)]);
        let error = archive.put_new(KEY, b"").await.unwrap_err();
        assert_eq!((error.failure, error.operation, error.code.as_str()), (failure, "PutObject", code));
        assert!(error.message.contains("(bucket `curfew-archive`)"), "{error}");
        let error = archive.get(KEY).await.unwrap_err();
        assert_eq!((error.failure, error.operation), (failure, "GetObject"));
        let error = archive.list("events/", None).await.unwrap_err();
        assert_eq!((error.failure, error.operation), (failure, "ListObjectsV2"));
    }
}

#[tokio::test]
async fn an_object_is_read_or_is_not_there() {
    let (there, script) = archive([done("line\n")]);
    assert_eq!(there.get(KEY).await, Ok(Some(b"line\n".to_vec())));
    assert!(script.one().call.starts_with("GET /events/"), "{}", script.one().call);
    let (absent, _) = archive([Reply::s3_error(404, "NoSuchKey")]);
    assert_eq!(absent.get(KEY).await, Ok(None));
}

#[tokio::test]
async fn a_listing_goes_on_after_a_key_and_says_whether_there_is_more() {
    let page = |more: bool| {
        let keys = ["checkpoints/0000000001.json", "checkpoints/0000000002.json"];
        let contents: String =
            keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        done(&format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{contents}</ListBucketResult>"))
    };
    for more in [true, false] {
        let (archive, script) = archive([page(more)]);
        let listed = archive.list("checkpoints/", Some("checkpoints/0000000000.json")).await.unwrap();
        assert_eq!((listed.keys.len(), listed.more), (2, more));
        assert_eq!(listed.keys[1], "checkpoints/0000000002.json");
        let call = script.one().call;
        for part in
            ["GET /?", "list-type=2", "prefix=checkpoints%2F", "start-after=checkpoints%2F0000000000.json"]
        {
            assert!(call.contains(part), "{call} has no {part}");
        }
    }
    let (empty, _) = archive([done("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")]);
    assert_eq!(empty.list("events/", None).await, Ok(Page::default()));
}
