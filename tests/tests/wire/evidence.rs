//! The archive as a test looks at it: copied, read by the product's own reader, proven by its verifier.

use std::collections::BTreeMap;
use std::time::Duration;

use curfew_audit::archive::{CHECKPOINTS, EVENTS, lines};
use curfew_audit::checkpoint::{PublicKey, Signed};
use curfew_audit::record::{ReadRecord, RecordId, read_line};
use curfew_audit::verify::{Expectations, Report, Source, Unreadable, verify};
use curfew_cli::artifacts::Function;
use curfew_cli::stack::ACCOUNT;
use curfew_tests::client::tags;
use curfew_tests::wait::later;
use curfew_tests::{Curfew, now, reached, until, world};
use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

/// How long what the stream brings may take to arrive, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What is this old is sealed. Enough for whoever names an object to write it here.
const MARGIN: i64 = 4;

/// A Curfew of one's own whose checkpoints need no waiting of minutes.
pub(crate) async fn deployed(name: &str, more: &[(&str, &str)]) -> Curfew {
    let curfew = world().await.deploy(name, more, &[]).await;
    seals_soon(&curfew).await;
    curfew
}

/// Has a Curfew seal what is seconds old. The template allows no such margin, so a deployment takes it away again.
pub(crate) async fn seals_soon(curfew: &Curfew) {
    let aws = world().await.command_line(ACCOUNT);
    let name = curfew.deployment().function(Function::Audit).expect("an output");
    let told = aws.call(["lambda", "get-function-configuration", "--function-name", name]).await;
    let mut environment = told.expect("a function")["Environment"].clone();
    environment["Variables"]["CURFEW_CHECKPOINT_MARGIN_SECONDS"] = MARGIN.to_string().into();
    let environment = environment.to_string();
    let update = ["lambda", "update-function-configuration", "--function-name", name, "--environment"];
    aws.run(update.into_iter().chain([&*environment])).await.expect("a function with another margin");
}

/// An archive, copied.
pub(crate) struct Copy(BTreeMap<String, Vec<u8>>);

impl Copy {
    pub(crate) async fn of(curfew: &Curfew) -> Self {
        let (root, bucket) = (world().await.root(), curfew.output("ArchiveBucketName"));
        let get = async |path: String| {
            root.rest("s3", Method::GET, &path, &[], b"").await.expect("an answer of S3")
        };
        let listing = get(format!("/{bucket}?list-type=2")).await.text();
        assert!(listing.contains("<IsTruncated>false</IsTruncated>"), "a test's archive fits on one page");
        let mut objects = BTreeMap::new();
        for key in tags(&listing, "Key") {
            let path = format!("/{bucket}/{}", key.replace('=', "%3D").replace(':', "%3A"));
            objects.insert(key, get(path).await.body.to_vec());
        }
        Self(objects)
    }

    /// All records, in the order of the archive.
    pub(crate) fn records(&self) -> Vec<ReadRecord> {
        let bodies = self.0.iter().filter(|(key, _)| key.starts_with(EVENTS));
        bodies.flat_map(|(_, body)| lines(body)).map(|line| read_line(line).expect("a record")).collect()
    }

    /// A grant's records, in the order of their numbers: that of objects of the same second says nothing.
    pub(crate) fn records_of(&self, grant: &str) -> Vec<ReadRecord> {
        let of_grant = |record: &ReadRecord| matches!(&record.id, RecordId::Event { grant_id, .. } if grant_id.as_str() == grant);
        let mut records: Vec<ReadRecord> = self.records().into_iter().filter(of_grant).collect();
        records.sort_by(|a, b| a.id.cmp(&b.id));
        records
    }

    /// The names of a grant's records, in the order of their numbers.
    pub(crate) fn story(&self, grant: &str) -> Vec<String> {
        self.records_of(grant).into_iter().map(|record| record.name).collect()
    }

    pub(crate) fn checkpoints(&self) -> Vec<Signed> {
        let bodies = self.0.iter().filter(|(key, _)| key.starts_with(CHECKPOINTS));
        bodies.map(|(_, body)| Signed::from_bytes(body).expect("a checkpoint")).collect()
    }

    /// Verifies it with the key that KMS has, and not with what the archive says of it.
    pub(crate) async fn verified(&self, curfew: &Curfew) -> Report {
        let key = json!({ "KeyId": curfew.output("CheckpointKeyArn") });
        let said = world().await.root().json("kms", "TrentService.GetPublicKey", &key).await.expect("a key");
        let der =
            BASE64.decode(said["PublicKey"].as_str().expect("a public key").as_bytes()).expect("base64");
        let key = PublicKey::from_der(&der).expect("a key of P-256");
        let expected = Expectations {
            public_key_pem: Some(key.pem().to_owned()),
            as_of: Some(now()),
            ..Expectations::default()
        };
        verify(self, &expected).expect("an archive that can be read")
    }
}

impl Source for Copy {
    fn list(&self, prefix: &str) -> Result<Vec<String>, Unreadable> {
        Ok(self.0.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn read(&self, key: &str) -> Result<Vec<u8>, Unreadable> {
        Ok(self.0[key].clone())
    }
}

/// The archive, once it holds a grant's whole story.
pub(crate) async fn archived(curfew: &Curfew, grant: &str, records: usize) -> Copy {
    until(&format!("{records} records of grant {grant} are in the archive"), PATIENCE, async || {
        let copy = Copy::of(curfew).await;
        (copy.story(grant).len() >= records).then_some(copy)
    })
    .await
}

/// Seals what is in the archive by now.
pub(crate) async fn sealed(curfew: &Curfew) -> Value {
    reached(later(now(), MARGIN + 1)).await;
    let invoked = curfew.invoke(Function::Audit, &json!({ "checkpoint": true })).await;
    assert_eq!(invoked.error, None, "{}", invoked.payload);
    invoked.payload
}
