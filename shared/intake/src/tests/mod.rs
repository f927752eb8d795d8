//! Tests of intake as a whole: fixtures, signatures, and the agreement of schema and types.

mod agreement;
mod reading;
mod verification;

use std::path::{Path, PathBuf};

use curfew_domain::ids::DeliveryId;
use curfew_domain::request::Notice;
use http::HeaderMap;
use jiff::Timestamp;

use crate::{
    Body, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Malformed, Nobody, Reading, Secret, Secrets, Sender,
    Senders, VerifiedDelivery,
};

/// Base64 of random bytes, made for these tests.
const CURRENT: &str = "whsec_q9sQXKTxRqM1vZ2rGm8b7H4yYwN0cJdLfPZ3aVtEoUk=";
const PREVIOUS: &str = "whsec_MzFhN2Q5YzUtYjQ2ZS00ZjA4LTk2ZmMtMGQ1ZQ==";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn secrets() -> Secrets {
    let text = format!(
        r#"{{"itsm":{{"current":"{CURRENT}","previous":"{PREVIOUS}"}},"chat":{{"current":"{OTHER}"}}}}"#
    );
    Secrets::parse(&text, &Senders::default()).unwrap()
}

fn sign(secret: &str, id: &str, sent_at: Timestamp, body: &str) -> String {
    Secret::parse(secret).unwrap().sign(&DeliveryId::new(id).unwrap(), sent_at, body).unwrap()
}

fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_ID, id.parse().unwrap());
    headers.insert(HEADER_TIMESTAMP, timestamp.parse().unwrap());
    headers.insert(HEADER_SIGNATURE, signature.parse().unwrap());
    headers
}

/// The headers of a delivery of `body` that is sent now and signed by the current secret of `itsm`.
fn signed(body: &str) -> HeaderMap {
    headers(ID, &now().as_second().to_string(), &sign(CURRENT, ID, now(), body))
}

fn delivery(body: &str) -> VerifiedDelivery {
    let body_read = Body::decode(body, false).unwrap();
    Sender::Standard.verify("itsm", &signed(body), body_read, &secrets(), now()).unwrap()
}

fn read(body: &str) -> Result<Notice, Malformed> {
    match Sender::Standard.read(&delivery(body), &Nobody)? {
        Reading::Notice(notice) => Ok(notice),
        other => panic!("not a notice: {other:?}"),
    }
}

fn payload_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/payloads")
}

/// A recorded payload, by its name without `.json`.
fn payload(name: &str) -> String {
    std::fs::read_to_string(payload_folder().join(format!("{name}.json")))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every recorded payload of Curfew's own format: name without `.json`, and text.
fn payloads() -> Vec<(String, String)> {
    let mut names: Vec<String> = std::fs::read_dir(payload_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name.starts_with("curfew-"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let text = payload(&name);
            (name, text)
        })
        .collect()
}
