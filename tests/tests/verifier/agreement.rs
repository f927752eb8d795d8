//! What both say of every kind of archive: all findings, in their order, and all numbers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use curfew_audit::archive::{archived_at, checkpoint_key, milliseconds};
use curfew_audit::verify::{Expectations, Report, verify};
use curfew_cli::python::Python;
use curfew_cli::workspace::Workspace;
use serde_json::{Value, json};

use crate::builder::{Archive, Signer, moment};
use crate::sample::sample;
use crate::tampering::{Case, table};

/// The other verifier.
struct Other {
    interpreter: PathBuf,
    script: PathBuf,
    folder: PathBuf,
}

impl Other {
    /// Finds its Python, which is the local stack's; `name` keeps tests apart.
    async fn provision(name: &str) -> Self {
        let workspace = Workspace::find().expect("the workspace");
        let python = Python::provision(&workspace).await.expect("a Python environment");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verifier-{name}"));
        Self {
            interpreter: python.interpreter(),
            script: workspace.root().join("tests/verifier/verify.py"),
            folder,
        }
    }

    /// What it says, and what it exits with.
    fn says(&self, archive: &Archive, expected: &Expectations) -> (Option<i32>, Value) {
        let _ = fs::remove_dir_all(&self.folder);
        let objects = self.folder.join("archive");
        fs::create_dir_all(&objects).unwrap();
        for (key, body) in &archive.objects {
            let path = objects.join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, body).unwrap();
        }
        let mut command = Command::new(&self.interpreter);
        command.arg("-B").arg(&self.script).arg(&objects);
        if let Some(pem) = &expected.public_key_pem {
            let path = self.folder.join("key.pem");
            fs::write(&path, pem).unwrap();
            command.arg("--key").arg(path);
        }
        if let Some((number, digest)) = &expected.anchor {
            command.arg("--anchor").arg(format!("{number}:{digest}"));
        }
        if let Some(as_of) = expected.as_of {
            command.arg("--as-of").arg(milliseconds(as_of));
        }
        if let Some(by) = expected.copied_by {
            command.arg("--copied-by").arg(milliseconds(by));
        }
        if let Some(until) = expected.expired_until {
            command.arg("--expired-until").arg(milliseconds(until));
        }
        command.arg("--every").arg(expected.checkpoint_every.as_secs().to_string());
        let output = command.output().unwrap();
        let said = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), said)
    }

    /// Where the two differ; nothing, if they do not. `named`: what both must name first, if that is known.
    fn differs(&self, archive: &Archive, expected: &Expectations, named: Option<&Case>) -> Option<String> {
        let ours = plain(&verify(archive, expected).unwrap());
        let (code, theirs) = self.says(archive, expected);
        let theirs = without_words(theirs);
        if let Some(case) = named {
            let first = &theirs["findings"][0];
            assert_eq!(
                json!(case.named()),
                json!([first["code"], first["object"], first["record"]]),
                "{}",
                case.name
            );
        }
        let code_fits = code == Some(i32::from(ours["whole"] != true));
        (ours != theirs || !code_fits).then(|| format!("ours {ours:#}\ntheirs {theirs:#}\nexit {code:?}"))
    }
}

/// Our report, as far as the other has the same.
fn plain(report: &Report) -> Value {
    let finding = |finding: &curfew_audit::verify::Finding| {
        json!({
            "code": finding.code, "object": finding.object, "line": finding.line, "record": finding.record,
        })
    };
    let newest = report.newest.as_ref().map(|newest| {
        json!({ "number": newest.number, "digest": newest.digest, "until": milliseconds(newest.until) })
    });
    json!({
        "whole": report.is_whole(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "checkpoints": report.checkpoints,
        "objects": report.objects,
        "records": report.records,
        "duplicates": report.duplicates,
        "grants": report.grants,
        "denials": report.denials,
        "unsealed_records": report.unsealed_records,
        "newest": newest,
    })
}

fn without_words(mut said: Value) -> Value {
    for finding in said["findings"].as_array_mut().unwrap() {
        finding.as_object_mut().unwrap().remove("words");
    }
    said
}

fn nobody_differs(differences: &[(String, Option<String>)]) {
    let differing: Vec<String> =
        differences.iter().filter_map(|(name, how)| Some(format!("{name}: {}", how.as_ref()?))).collect();
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), differences.len(), differing.join("\n"));
}

#[tokio::test]
async fn they_agree_on_every_kind_of_tampering() {
    let other = Other::provision("tampering").await;
    let cases = table();
    assert!(cases.len() > 70);
    let differences: Vec<_> = cases
        .iter()
        .map(|case| (case.name.to_owned(), other.differs(&case.archive, &case.expected, Some(case))))
        .collect();
    nobody_differs(&differences);
}

#[tokio::test]
async fn they_agree_on_what_is_whole() {
    let other = Other::provision("whole").await;
    let sample = sample();
    let archive = sample.archive;
    let digest = archive.last.as_ref().unwrap().statement.digest_hex();
    let everything =
        Expectations { as_of: Some(moment("02:40:00")), anchor: Some((4, digest)), ..archive.with_key() };
    let mut begun_later = archive.clone();
    begun_later.objects.retain(|key, _| archived_at(key).is_none_or(|time| time > moment("23:00:00")));
    begun_later.objects.remove(&checkpoint_key(1));
    let expired = |until| Expectations { expired_until: Some(moment(until)), ..archive.with_key() };
    let mut two_keys = archive.clone();
    two_keys.signer = Signer::new(9);
    two_keys.seal("02:25:00");
    let both = format!("{}{}", archive.signer.public().pem(), two_keys.signer.public().pem());
    let both = Expectations { public_key_pem: Some(both), ..Expectations::default() };
    let mut empty = Archive::new(7);
    empty.seal("23:00:00");
    let cases = [
        ("nothing is known", archive.clone(), Expectations::default()),
        ("everything is known", archive.clone(), everything),
        ("its beginning has expired", begun_later.clone(), expired("23:00:00")),
        ("there are two keys", two_keys, both),
        ("there are no records", empty, archive.with_key()),
    ];
    for (name, archive, expected) in &cases {
        assert!(verify(archive, expected).unwrap().is_whole(), "{name}");
    }
    let late = ("its beginning has not expired", begun_later, expired("22:59:59"));
    let cases = cases.into_iter().chain([late]);
    let differences: Vec<_> = cases
        .map(|(name, archive, expected)| (name.to_owned(), other.differs(&archive, &expected, None)))
        .collect();
    nobody_differs(&differences);
}

/// A spread of single bits over the whole archive, the same in each run.
#[tokio::test]
async fn they_agree_on_single_bits() {
    let other = Other::provision("bits").await;
    let archive = sample().archive;
    let mut differences = Vec::new();
    for (n, (key, body)) in archive.objects.iter().enumerate() {
        for part in 0..3 {
            let mut changed = archive.clone();
            let at = (body.len() * (2 * part + 1) / 6 + 13 * n) % body.len();
            changed.objects.get_mut(key).unwrap()[at] ^= 1 << ((n + part) % 8);
            let name = format!("bit of byte {at} of {key}");
            assert!(!verify(&changed, &Expectations::default()).unwrap().is_whole(), "{name}");
            differences.push((name, other.differs(&changed, &Expectations::default(), None)));
        }
    }
    nobody_differs(&differences);
}
