//! `export`, `verify` and `report`: a copy of the archive is made, proven, and reported on.

use std::fs;
use std::path::Path;

use curfew_audit::archive::events_key;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::quarter::{CATALOG, quarter};
use crate::support::{Desk, Run, assert_says};

/// When the archive of the quarter was copied, a little after its last checkpoint.
const COPIED: &str = "2027-01-01T01:00:00Z";

const BUCKET: &str = "curfew-archive-111122223333-eu-central-1";

/// A desk with the quarter's archive in `copy`, its key in `key.pem`, and its catalog in `catalog`.
fn desk(name: &str) -> Desk {
    let desk = Desk::new(name);
    let archive = quarter();
    for (key, body) in &archive.objects {
        write(&desk.path("copy").join(key), body);
    }
    write(&desk.path("key.pem"), archive.public().pem().as_bytes());
    write(&desk.path("catalog/catalog.toml"), CATALOG.as_bytes());
    desk
}

fn write(path: &Path, body: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, body).expect("a file");
}

/// The only file of the copy whose key has a part.
fn file(desk: &Desk, part: &str) -> std::path::PathBuf {
    let keys: Vec<String> = quarter().objects.into_keys().filter(|key| key.contains(part)).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    desk.path("copy").join(&keys[0])
}

fn verify(desk: &Desk, more: &[&str]) -> Run {
    desk.run(&[&["verify", "copy", "--now", COPIED], more].concat())
}

#[test]
fn an_archive_that_is_whole_is_told_so_with_its_anchor() {
    let desk = desk("verify");
    let run = verify(&desk, &["--key", "key.pem"]);
    let report = verify(&desk, &["--key", "key.pem", "--json"]);
    let told: Value = serde_json::from_str(&report.out).expect("JSON");
    let digest = told["newest"]["digest"].as_str().expect("a digest");
    let key = told["key"]["ids"][0].as_str().expect("a key");
    let expected = format!(
        "INTACT: nothing in this archive was changed, removed, reordered or cut off

archive   copy
stack     curfew
records   46 records in 18 objects, of 8 grants and 3 denied requests, 1 of them more than once
sealed    until 2027-01-01 00:30:00Z by 4 checkpoints
key       given: {key}
anchor    4:{digest}
keep the anchor where this archive can't be written: passed as `--anchor` next time, it proves that nothing up to it was \
         replaced since
"
    );
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, expected.as_str(), ""));
    assert_eq!(
        (report.code, &told["intact"], &told["whose"], &told["findings"]),
        (0, &json!(true), &json!(true), &json!([]))
    );
    let anchored = verify(&desk, &["--key", "key.pem", "--anchor", &format!("4:{digest}")]);
    assert_eq!(anchored.code, 0, "{anchored:?}");
    assert!(desk.calls().is_empty(), "nothing was asked of AWS");
}

#[test]
fn a_key_out_of_the_archive_itself_proves_nothing_about_whose_it_is() {
    let desk = desk("verify-own-key");
    let run = verify(&desk, &[]);
    assert_eq!(run.code, 0);
    assert_says(&run.out, &["INTACT", "NOT PROVEN WHOSE", "came from the archive itself", "`--key-arn`"]);
    let told: Value = serde_json::from_str(&verify(&desk, &["--json"]).out).expect("JSON");
    assert_eq!(told["whose"], false);
}

#[test]
fn an_archive_without_a_checkpoint_is_not_proven_whatever_key_is_given() {
    let desk = desk("verify-never-sealed");
    fs::remove_dir_all(desk.path("copy/checkpoints")).expect("they go");
    for day in fs::read_dir(desk.path("copy/events")).expect("days") {
        let day = day.expect("a day").path();
        if !day.ends_with("day=2026-12-31") {
            fs::remove_dir_all(day).expect("it goes");
        }
    }
    let young = ["--key", "key.pem", "--as-of", "2026-12-31T23:30:00Z"];
    let run = verify(&desk, &young);
    assert_eq!(run.code, 1, "{run:?}");
    assert_says(&run.out, &["NOT PROVEN: ", "\nthis means: no checkpoint", "NOTHING SIGNED WAS CHECKED"]);
    assert!(!run.out.contains("INTACT"), "{run:?}");
    let told: Value =
        serde_json::from_str(&verify(&desk, &[&young[..], &["--json"]].concat()).out).expect("JSON");
    assert_eq!((&told["intact"], &told["whose"]), (&json!(false), &json!(false)));
}

#[test]
fn a_key_can_be_asked_of_kms() {
    let der = p256_der();
    let answer = json!({ "KeyId": "k", "PublicKey": BASE64.encode(&der), "KeySpec": "ECC_NIST_P256" });
    let desk = desk("verify-kms").answers(&answer.to_string(), "", 0);
    let run =
        verify(&desk, &["--key-arn", "arn:aws:kms:eu-central-1:111122223333:key/1", "--profile", "audit"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(&run.out, &["INTACT", "key       given: "]);
    let [call] = desk.calls().try_into().expect("one call");
    assert_eq!(
        call.line(),
        "--profile audit --output json kms get-public-key --key-id arn:aws:kms:eu-central-1:111122223333:key/1"
    );
}

/// The public key as KMS hands it out.
fn p256_der() -> Vec<u8> {
    let pem = quarter().public().pem().to_owned();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    BASE64.decode(base64.as_bytes()).expect("base64")
}

/// Puts an object of a time into the copy that no checkpoint seals yet, as the newest ones of a copy are.
fn not_sealed_yet(desk: &Desk, at: &str) {
    let body = fs::read(file(desk, "/2027-01-01T00:00:02")).expect("an object");
    write(&desk.path("copy").join(events_key(at.parse().expect("a time"), &body)), &body);
}

#[test]
fn what_was_archived_while_the_copy_was_made_may_be_in_it_and_nothing_later() {
    let desk = desk("verify-long-copy");
    not_sealed_yet(&desk, "2027-01-01T02:50:00Z");
    let copied = |by: &str| verify(&desk, &["--key", "key.pem", "--as-of", COPIED, "--copied-by", by]);
    let run = copied("2027-01-01T02:45:00Z");
    assert_eq!(run.code, 0, "{run:?}");
    let run = copied("2027-01-01T02:44:59Z");
    assert_eq!(run.code, 1);
    assert_says(&run.out, &["object-inserted", "written after the archive was read"]);
    // Now.
    let run = verify(&desk, &["--key", "key.pem"]);
    assert_eq!(run.code, 1);
}

#[test]
fn a_report_on_a_time_that_is_over_does_not_mind_what_is_not_sealed_since() {
    let desk = desk("report-unsealed-since");
    not_sealed_yet(&desk, "2027-01-01T00:45:00Z");
    let run = report(&desk, &["--key", "key.pem"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.out.contains("NOTE"), "{}", run.out);
}

#[test]
fn what_was_tampered_with_is_named_and_explained() {
    let desk = desk("verify-changed");
    let path = file(&desk, "/2026-11-10T12:00:10");
    let body = fs::read_to_string(&path).expect("an object");
    fs::write(&path, body.replace("ops <ops@example.com>", "carl@example.com")).expect("an object");
    let run = verify(&desk, &["--key", "key.pem"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_says(
        &run.out,
        &[
            "TAMPERED WITH: ",
            "\nfirst: ",
            "`events/day=2026-11-10/2026-11-10T12:00:10.000Z",
            "g-cccccccccccccccccccccccccc#00000",
            "\nthis means: ",
        ],
    );
    assert!(!run.out.contains("INTACT"));
    let json = verify(&desk, &["--key", "key.pem", "--json"]);
    let told: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, &told["intact"]), (1, &json!(false)));
    assert!(!told["findings"].as_array().expect("findings").is_empty());
}

#[test]
fn what_is_missing_at_the_end_or_known_from_elsewhere_is_noticed() {
    let desk = desk("verify-cut");
    let checkpoint: Value =
        serde_json::from_slice(&fs::read(file(&desk, "0000000004.json")).expect("a checkpoint"))
            .expect("JSON");
    let anchor = format!("4:{}", "0".repeat(64));
    let replaced = verify(&desk, &["--key", "key.pem", "--anchor", &anchor]);
    assert_eq!(replaced.code, 1, "{checkpoint}");
    assert_says(&replaced.out, &["anchor-missing", "not the archive that the anchor was taken from"]);

    fs::remove_file(file(&desk, "0000000004.json")).expect("it goes");
    let run = verify(&desk, &["--key", "key.pem"]);
    assert_eq!(run.code, 1);
    assert_says(&run.out, &["archive-cut-off", "say when by `--as-of`"]);

    fs::remove_dir_all(desk.path("copy/events/day=2026-09-01")).expect("it goes");
    let run = verify(&desk, &["--key", "key.pem", "--as-of", "2026-12-01T00:10:00Z"]);
    assert_eq!(run.code, 1);
    assert_says(&run.out, &["object-removed"]);
}

#[test]
fn a_copy_from_some_day_on_is_whole_if_that_is_said() {
    let desk = desk("verify-later");
    for day in ["2026-09-01", "2026-09-30"] {
        fs::remove_dir_all(desk.path(&format!("copy/events/day={day}"))).expect("it goes");
    }
    let run = verify(&desk, &["--key", "key.pem", "--expired-until", "2026-10-01T00:00:00Z"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(
        &run.out,
        &["INTACT", "begins    2026-", "what was before is not in this copy", "1 grant began before"],
    );
}

#[test]
fn what_is_no_copy_or_no_key_is_unreadable_and_not_tampered_with() {
    let desk = desk("verify-unreadable");
    fs::create_dir(desk.path("empty")).expect("a folder");
    write(&desk.path("bad.pem"), b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    for (arguments, part) in [
        (&["verify", "nowhere"][..], "No such file"),
        (&["verify", "empty"], "name the folder that `curfew export` wrote to"),
        (&["verify", "copy", "--key", "no.pem"], "cannot read `no.pem`"),
        (&["verify", "copy", "--key", "bad.pem"], "the public key that was given can't be used"),
        (&["verify", "copy", "--anchor", "4:abc"], "64 hex digits"),
        (&["verify", "copy", "--anchor", "4"], "<number>:<digest>"),
        (&["verify", "copy", "--key", "key.pem", "--key-arn", "arn"], "cannot be used with"),
    ] {
        let run = desk.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert_says(&run.err, &[part]);
    }
}

fn stack(outputs: &Value) -> String {
    json!({ "Stacks": [{ "StackName": "curfew", "Outputs": outputs }] }).to_string()
}

/// A `sync` that fetches everything there is from `remote`.
const SYNC: &str = r#"part=${5#s3://*/}
for file in $(cd "$here/remote/$part" && find . -type f | sed 's,^\./,,'); do
  mkdir -p "$6$(dirname "$file")"
  cp "$here/remote/$part$file" "$6$file"
  echo "download: $5$file to $6$file"
done
"#;

#[test]
fn an_export_fetches_checkpoints_before_records_and_says_how_to_verify() {
    let desk = desk("export").answers(
        &stack(&json!([{ "OutputKey": "ArchiveBucketName", "OutputValue": BUCKET }])),
        "",
        0,
    );
    let desk = desk.does(SYNC).does(SYNC).does(SYNC);
    fs::rename(desk.path("copy"), desk.path("remote")).expect("it is elsewhere");
    let run = desk.run(&["export", "--to", "fetched", "--now", COPIED]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (
            0,
            "fetched 1 keys, 4 checkpoints and 18 objects of records that were not there yet\n\
             prove that it is whole: curfew verify fetched --as-of 2027-01-01T01:00:00Z --copied-by 2027-01-01T01:00:00Z\n"
        ),
        "{run:?}"
    );
    let lines: Vec<String> = desk.calls().iter().map(|call| call.line()).collect();
    let sync =
        |part: &str| format!("--output json s3 sync s3://{BUCKET}/{part}/ fetched/{part}/ --no-progress");
    assert_eq!(
        lines,
        [
            "--output json cloudformation describe-stacks --stack-name curfew".to_owned(),
            sync("keys"),
            sync("checkpoints"),
            sync("events"),
        ]
    );
    let run = desk.run(&["verify", "fetched", "--as-of", COPIED, "--key", "key.pem"]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn an_export_tells_what_an_earlier_copy_has_and_the_archive_has_no_longer() {
    let archive = format!("s3://{BUCKET}");
    let export = ["export", "--to", "copy", "--archive", &archive, "--now", COPIED];
    let listed = |part: &str, without: &str| {
        let keys =
            quarter().objects.into_keys().filter(|key| key.starts_with(part) && !key.contains(without));
        json!(keys.map(|key| json!([key, "2027-01-01T00:35:00+00:00"])).collect::<Vec<_>>()).to_string()
    };
    let desk = |name: &str, events: &str, checkpoints: &str| {
        let desk = desk(name).does("").does("").does("");
        ["keys/", checkpoints, events].into_iter().fold(desk, |desk, out| match out {
            "keys/" => desk.answers(&listed("keys/", "nothing"), "", 0),
            out => desk.answers(out, "", 0),
        })
    };
    let (events, checkpoints) = (listed("events/", "nothing"), listed("checkpoints/", "nothing"));
    let same = desk("export-again", &events, &checkpoints);
    let run = same.run(&export);
    assert_eq!((run.code, run.out.contains("GONE")), (0, false), "{run:?}");
    assert_eq!(same.calls().len(), 6);

    let expired = desk("export-expired", &listed("events/", "day=2026-09-01"), &checkpoints);
    let run = expired.run(&export);
    assert_eq!((run.code, run.out.contains("GONE")), (0, false), "{run:?}");
    assert_says(&run.out, &["NOTE: 2 objects of the archive's beginning"]);

    let hidden =
        desk("export-hidden", &listed("events/", "2026-11-10T12"), &listed("checkpoints/", "04.json"));
    let run = hidden.run(&export);
    assert_eq!(run.code, 1, "{run:?}");
    assert_says(
        &run.out,
        &[
            "GONE FROM THE ARCHIVE: 2 objects",
            "the first: checkpoints/0000000004.json",
            "list-object-versions",
        ],
    );
    assert!(file(&hidden, "0000000004.json").exists(), "what is left of it is kept");
    assert_eq!(verify(&hidden, &["--key", "key.pem"]).code, 0);
}

#[test]
fn an_export_of_some_days_takes_the_checkpoints_that_seal_them() {
    let written = json!([
        ["checkpoints/0000000001.json", "2026-10-01T00:05:00+00:00"],
        ["checkpoints/0000000002.json", "2026-11-01T00:05:00+00:00"],
        ["checkpoints/0000000003.json", "2026-12-01T00:05:00+00:00"],
        ["checkpoints/0000000004.json", "2027-01-01T00:35:00+00:00"],
        ["checkpoints/notes.txt", "2026-10-01T00:05:00+00:00"],
    ]);
    let desk = desk("export-days").answers(&written.to_string(), "", 0).does("").does("").does("");
    let archive = format!("s3://{BUCKET}");
    let days = ["--from", "2026-11-30", "--to-date", "2027-02-01"];
    let run = desk.run(
        &[&["export", "--to", "x", "--archive", &archive, "--now", "2027-03-01T00:00:00Z"], &days[..]]
            .concat(),
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(
        &run.out,
        &[
            "curfew verify x --as-of 2027-02-02T00:00:00Z --copied-by 2027-03-01T00:00:00Z --expired-until 2026-11-30T00:00:00Z",
        ],
    );
    let lines: Vec<String> = desk.calls().iter().map(|call| call.line()).collect();
    let filters = |line: &str| line.split_once("--no-progress").expect("filters").1.trim().to_owned();
    assert_says(&lines[0], &["s3api list-objects-v2", BUCKET, "--prefix checkpoints/"]);
    assert_eq!(filters(&lines[1]), "", "all keys");
    assert_eq!(
        filters(&lines[2]),
        "--exclude * --include 000000000[0-3]* --include 0000000004.json --exclude 000000000[0-0]* --exclude 0000000001.json",
        "from the second, which was the last before the first day"
    );
    assert_eq!(
        filters(&lines[3]),
        "--exclude * --include day=2026-11-30/* --include day=2026-12-* --include day=2027-01-* --include day=2027-02-01/*"
    );
}

#[test]
fn an_export_that_can_not_be_made_says_why() {
    let denied = "fatal error: An error occurred (AccessDenied) when calling the ListObjectsV2 operation: Access Denied";
    let missing = "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id curfew does not exist";
    let archive = format!("s3://{BUCKET}");
    for (number, (desk, arguments, parts)) in [
        (
            Desk::new("export-no-stack").error(missing, 254),
            &[][..],
            &["the stack `curfew` has no output `ArchiveBucketName`", "does not exist"][..],
        ),
        (
            Desk::new("export-no-output").answers(&stack(&json!([])), "", 0),
            &[],
            &["without that output", "--archive s3://"],
        ),
        (
            Desk::new("export-denied").error(denied, 1),
            &["--archive", &archive],
            &["AWS does not let you", "docs/terminal.md"],
        ),
        (Desk::new("export-url"), &["--archive", "https://x"], &["write `s3://<bucket>`"]),
        (
            Desk::new("export-days-turned"),
            &["--archive", &archive, "--from", "2026-11-02", "--to-date", "2026-11-01"],
            &["2026-11-02 is after 2026-11-01"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let run = desk.run(&[&["export", "--to", "x"], arguments].concat());
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{number}: {run:?}");
        assert_says(&run.err, parts);
    }
}

fn report(desk: &Desk, more: &[&str]) -> Run {
    let fixed = ["report", "--from", "2026-10-01", "--to", "2026-12-31", "--archive", "copy", "--out", "out"];
    desk.run(&[&fixed[..], &["--now", "2027-01-05T12:00:00Z"], more].concat())
}

#[test]
fn a_report_is_written_as_it_was_reviewed() {
    let desk = desk("report");
    let run = report(&desk, &["--key", "key.pem", "--catalog", "catalog"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(
        &run.out,
        &["Grants in the period", "median 2 s", "wrote out/grants.csv", "wrote out/report.html"],
    );
    assert!(!run.out.contains("NOTE"), "{}", run.out);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/audit/tests/report/golden");
    for name in ["grants.csv", "denials.csv", "held.csv", "eligible.csv", "report.html", "report.json"] {
        let (made, reviewed) = (fs::read(desk.path("out").join(name)), fs::read(golden.join(name)));
        assert!(made.expect("a file") == reviewed.expect("a file"), "{name}");
    }
}

#[test]
fn a_report_on_an_archive_that_fails_says_so_and_is_no_success() {
    let desk = desk("report-tampered");
    fs::remove_file(file(&desk, "/2026-11-10T12:00:10")).expect("it goes");
    let run = report(&desk, &["--key", "key.pem", "--format", "html"]);
    assert_eq!(run.code, 1);
    assert!(run.out.starts_with("NOTE: THE ARCHIVE FAILED ITS VERIFICATION"), "{}", run.out);
    let page = fs::read_to_string(desk.path("out/report.html")).expect("a page");
    assert_says(&page, &["THE ARCHIVE FAILED ITS VERIFICATION"]);
    assert!(!desk.path("out/grants.csv").exists(), "only what was asked for");
}

#[test]
fn a_sample_is_told_and_takes_a_seed() {
    let desk = desk("report-sample");
    let run = report(&desk, &["--key", "key.pem", "--sample", "2", "--seed", "audit 2026", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let told: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!((&told["sample"]["population"], &told["proven"]), (&json!(6), &json!(true)));
    let rows = fs::read_to_string(desk.path("out/sample.csv")).expect("rows");
    for id in told["sample"]["grants"].as_array().expect("ids") {
        assert_says(&rows, &[id.as_str().expect("an id")]);
    }
    for arguments in [&["--sample", "2"][..], &["--seed", "x"], &["--format", "pdf"]] {
        assert_eq!(report(&desk, arguments).code, 2, "{arguments:?}");
    }
    let turned = desk.run(&[
        "report",
        "--from",
        "2026-10-02",
        "--to",
        "2026-10-01T00:00:00Z",
        "--archive",
        "copy",
        "--out",
        "o",
    ]);
    assert_eq!(turned.code, 2);
    assert_says(&turned.err, &["not after its beginning"]);
}
