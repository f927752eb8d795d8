//! From a terminal: the command line as a user starts it, with the `aws` program, with rights as docs/terminal.md gives them
//! and no others.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_cli::aws::{Aws, Credentials};
use curfew_cli::stack::{ACCOUNT, REGION};
use curfew_tests::catalog::APPROVER;
use curfew_tests::wait::{now, until};
use curfew_tests::{Approval, Curfew, Flavour, World, world};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::support::{assert_denied, assert_ended};

/// The page with the policies, in the order of [`Rights`].
const PAGE: &str = include_str!("../../../docs/terminal.md");

/// How long an index or the stream may be behind, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who somebody is to Curfew.
#[derive(Clone, Copy)]
enum Rights {
    Viewer,
    Operator,
    Auditor,
}

/// What a run came to.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Somebody at a terminal.
struct Terminal {
    program: &'static Path,
    aws: Aws,
    stack: String,
    path: String,
    folder: PathBuf,
}

impl Terminal {
    /// Somebody with these rights, and no others.
    async fn of(world: &World, curfew: &Curfew, rights: Rights) -> Self {
        let (n, name) = match rights {
            Rights::Viewer => (0, "viewer-at-a-terminal"),
            Rights::Operator => (1, "operator-at-a-terminal"),
            Rights::Auditor => (2, "auditor-at-a-terminal"),
        };
        let stack =
            curfew.output("ConsoleFunctionName").strip_suffix("-console").expect("a stack").to_owned();
        let policy = policy(n)
            .replace("<region>", REGION)
            .replace("<account>", ACCOUNT)
            .replace("<stack>", &stack)
            .replace("<archive>", curfew.output("ArchiveBucketName"))
            .replace("<CheckpointKeyArn>", curfew.output("CheckpointKeyArn"));
        assert!(!policy.contains('<'), "{policy}");
        let root = world.stack().root();
        root.run(["iam", "create-user", "--user-name", name]).await.expect("a user");
        let put = ["iam", "put-user-policy", "--user-name", name, "--policy-name", "p", "--policy-document"];
        root.run(put.into_iter().chain([policy.as_str()])).await.expect("a policy");
        let key = root.call(["iam", "create-access-key", "--user-name", name]).await.expect("a key");
        let text = |member: &str| key["AccessKey"][member].as_str().expect("its text").to_owned();
        let credentials = Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
            session_token: None,
        };
        let program = world.stack().python().aws();
        let path = program.parent().expect("a folder").display().to_string();
        Self {
            program: command_line().await,
            aws: world.stack().aws(credentials),
            stack,
            path: format!("{path}:/usr/bin:/bin"),
            folder: world.stack().folder().to_owned(),
        }
    }

    async fn run(&self, arguments: &[&str]) -> Run {
        let output = Command::new(self.program)
            .args(arguments)
            .args(["--stack", &self.stack])
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.aws.environment())
            .env("PATH", &self.path)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("it runs");
        Run {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// The `n`-th policy of the page.
fn policy(n: usize) -> String {
    let (_, section) = PAGE.split_once("## Who may do what").expect("the section");
    let block = section.split("```json").nth(n + 1).expect("a policy");
    block.split("```").next().expect("its end").to_owned()
}

/// The program, built once.
async fn command_line() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    BUILT
        .get_or_init(|| async {
            let built = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--package", "curfew-cli", "--bin", "curfew"])
                .args(["--message-format", "json"])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stderr(Stdio::inherit())
                .output()
                .await
                .expect("cargo runs");
            assert!(built.status.success(), "the command line builds");
            let said = String::from_utf8(built.stdout).expect("text");
            let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let programs =
                messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
            programs.reduce(|_, later| later).expect("a program")
        })
        .await
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{text}` does not say `{part}`");
    }
}

#[tokio::test]
async fn a_viewer_sees_who_has_what_and_can_change_nothing() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let approval = Approval::of(&person, "acme", "reader");
    let id = curfew.grant(&approval).await;
    let viewer = Terminal::of(world, curfew, Rights::Viewer).await;

    let listed = async || viewer.run(&["grants", "--person", &person.email]).await;
    let run = until("the index has the grant", PATIENCE, async || {
        let run = listed().await;
        assert_eq!(run.code, 0, "{run:?}");
        run.out.contains(&id).then_some(run)
    })
    .await;
    assert_says(&run.out, &[&person.email, "reader", "acme", approval.ticket_id(), "active", "1 grant live"]);
    let listed = viewer.run(&["grants", "--ticket", approval.ticket_id(), "--json"]).await.json();
    assert_eq!(listed["grants"][0]["grant_id"], id, "{listed}");

    let run = viewer.run(&["show", &id]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(&run.out, &["Requested", "Opened", "Activated", "3 events, each sealed", "unbroken"]);
    let unknown = viewer.run(&["show", "g-abcdefghijklmnopqrstuvwxyz"]).await;
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""), "{unknown:?}");

    for act in [&["revoke", &id, "--reason", "r"][..], &["extend", &id, "--for", "1h", "--reason", "r"]] {
        let run = viewer.run(act).await;
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
        assert_says(&run.err, &["AWS does not let you do this", "`lambda:InvokeFunction`"]);
    }
    person.keys.object(&world.acme().bucket()).await.expect("it is as it was");
}

#[tokio::test]
async fn an_operator_extends_and_ends_access() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let ids = [
        curfew.grant(&Approval::of(&person, "acme", "reader")).await,
        curfew.grant(&Approval::of(&person, "acme", "reader")).await,
    ];
    let operator = Terminal::of(world, curfew, Rights::Operator).await;

    let before = curfew.record(&ids[0]).await.expect("a grant").item["expires_at"].clone();
    let extend = ["extend", &ids[0], "--for", "10m", "--reason", "not done yet", "--operator", APPROVER];
    let run = operator.run(&[&extend[..], &["--json"]].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    let extended = curfew.record(&ids[0]).await.expect("a grant");
    assert_ne!(extended.item["expires_at"], before);
    assert_eq!(run.json()["expires_at"], extended.item["expires_at"]);
    let stranger = operator.run(&["extend", &ids[0], "--for", "10m", "--reason", "r"]).await;
    assert_eq!(
        (stranger.code, stranger.out.as_str()),
        (1, ""),
        "an ARN is nobody in the catalog: {stranger:?}"
    );

    let revoke = ["revoke", "--person", &person.email, "--reason", "laptop stolen"];
    let (both, dry) = until("the index has both grants", PATIENCE, async || {
        let dry = operator.run(&[&revoke[..], &["--dry-run"]].concat()).await;
        assert_eq!(dry.code, 0, "{dry:?}");
        ids.iter().all(|id| dry.out.contains(id)).then_some((true, dry))
    })
    .await;
    assert!(both, "{dry:?}");
    let refused = operator.run(&revoke).await;
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    assert_says(&refused.err, &["2 grants would end", "`--yes`"]);
    person.keys.object(&world.acme().bucket()).await.expect("nothing was ended");

    let run = operator.run(&[&revoke[..], &["--yes"]].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(&run.out, &["of 2 grant(s): 2 removed, as AWS confirmed"]);
    assert_denied(person.keys.object(&world.acme().bucket()).await);
    for id in &ids {
        let record = curfew.record(id).await.expect("a grant");
        assert_ended(curfew, &record, "revoked").await;
        let asked = record.events.iter().find(|event| event.fact.name() == "RevocationRequested");
        let actor = asked.expect("an event").actor.to_string();
        assert_eq!(actor, format!("operator arn:aws:iam::{ACCOUNT}:user/operator-at-a-terminal"));
    }
    let again = operator.run(&["revoke", &ids[0], "--reason", "again", "--json"]).await;
    assert_eq!(
        (again.code, &again.json()["grants"][0]["result"]),
        (0, &json!("already-closed")),
        "{again:?}"
    );
}

#[tokio::test]
async fn an_auditor_copies_the_archive_and_proves_it() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    let sealed = curfew.invoke(Function::Audit, &json!({ "checkpoint": true })).await;
    assert_eq!(sealed.error, None, "{}", sealed.payload);
    let auditor = Terminal::of(world, curfew, Rights::Auditor).await;

    let copy = auditor.folder.join("copy-of-the-archive");
    until("the archive has the grant's events", PATIENCE, async || {
        let run = auditor.run(&["export", "--to", "copy-of-the-archive"]).await;
        assert_eq!(run.code, 0, "{run:?}");
        assert_says(&run.out, &["prove that it is whole: curfew verify copy-of-the-archive --as-of "]);
        // One object of records may hold them all, or each its own.
        let records = ["000001", "000002", "000003"].map(|seq| format!("{id}#{seq}"));
        records.iter().all(|id| object_with(&copy.join("events"), id).is_some()).then_some(())
    })
    .await;
    let key = ["--key-arn", curfew.output("CheckpointKeyArn")];
    let verify = async || auditor.run(&[&["verify", "copy-of-the-archive"], &key[..]].concat()).await;
    let run = verify().await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_says(&run.out, &["INTACT", "key       given: "]);

    let today = now().strftime("%Y-%m-%d").to_string();
    let report =
        ["report", "--from", &today, "--to", &today, "--archive", "copy-of-the-archive", "--out", "report"];
    let run = auditor.run(&[&report[..], &key[..]].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    let rows = std::fs::read_to_string(auditor.folder.join("report/grants.csv")).expect("rows");
    let row = rows.lines().find(|line| line.starts_with(&id)).expect("a row");
    assert_says(row, &[&person.email, &person.principal, APPROVER]);

    let request = object_with(&copy.join("events"), &format!("{id}#000001")).expect("the request");
    let body = std::fs::read_to_string(&request).expect("an object");
    let changed = body.replace("the orders of last night", "nothing in particular");
    assert_ne!(changed, body, "there is something to be changed");
    std::fs::write(&request, changed).expect("an object");
    let run = verify().await;
    assert_eq!(run.code, 1, "{run:?}");
    assert_says(&run.out, &["TAMPERED WITH", "\nfirst: "]);
    let denied = auditor.run(&["grants"]).await;
    assert_eq!((denied.code, denied.out.as_str()), (1, ""), "{denied:?}");
}

/// The first file below a folder that has a text in it.
fn object_with(folder: &Path, text: &str) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).expect("text").contains(text) {
                return Some(path);
            }
        }
    }
    None
}
