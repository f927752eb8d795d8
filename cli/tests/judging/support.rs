//! Running `curfew` on rules of a test's own: those in `cli/tests/rules`, changed as the test says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The time of all requests and checks: a Tuesday.
pub(crate) const NOW: &str = "2026-11-24T10:00:00Z";

/// A folder with rules of its own.
pub(crate) struct Rules {
    folder: PathBuf,
}

/// What a run came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

impl Rules {
    /// The rules as they are in `cli/tests/rules`.
    pub(crate) fn sound(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("an old folder goes");
        }
        for part in ["catalog", "guardrails", "senders", "cases"] {
            std::fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        let rules = Self { folder };
        for (from, to) in [
            ("catalog.toml", "catalog/catalog.toml"),
            ("guardrails.cedar", "guardrails/guardrails.cedar"),
            ("boundary.json", "boundary.json"),
            ("parameters.json", "parameters.json"),
            ("request.json", "request.json"),
        ] {
            let text = std::fs::read_to_string(own("tests/rules").join(from)).expect("a fixture");
            rules.write(to, &text);
        }
        rules.write(
            "template.yaml",
            &std::fs::read_to_string(own("../infra/template.yaml")).expect("a template"),
        );
        rules
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).expect("a file");
    }

    /// Copies the files of a folder of the repository, beside those that are there.
    pub(crate) fn take_over(&self, from: &str, to: &str) {
        for entry in std::fs::read_dir(own(from)).expect("a folder") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), self.path(to).join(entry.file_name())).expect("a copy");
        }
    }

    /// Replaces a text that must be there.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(file)).expect("a file");
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(file, &text.replace(from, to));
    }

    pub(crate) fn append(&self, file: &str, more: &str) {
        let text = std::fs::read_to_string(self.path(file)).unwrap_or_default();
        self.write(file, &format!("{text}\n{more}"));
    }

    /// Runs a command in the folder, on its rules.
    pub(crate) fn curfew(&self, arguments: &[&str]) -> Run {
        let rules = ["--catalog", "catalog", "--guardrails", "guardrails", "--senders", "senders"];
        run(&self.folder, &[arguments, &rules].concat())
    }

    /// Runs a command on its rules, whose output nobody reads: its exit code, and what it says on standard error.
    pub(crate) fn unread(&self, arguments: &[&str]) -> (i32, String) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let rules = ["--catalog", "catalog", "--guardrails", "guardrails", "--senders", "senders"];
        let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_curfew"))
            .args([arguments, &rules].concat())
            .current_dir(&self.folder)
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .output()
            .expect("curfew runs");
        (status.code().expect("an exit code"), String::from_utf8(stderr).expect("text"))
    }

    /// Checks everything, with template, parameters and boundary.
    pub(crate) fn check(&self, more: &[&str]) -> Run {
        let given = [
            "check",
            "--now",
            NOW,
            "--template",
            "template.yaml",
            "--parameters",
            "parameters.json",
            "--boundary",
            "arn:aws:iam::111122223333:policy/acme-boundary=boundary.json",
        ];
        self.curfew(&[&given, more].concat())
    }
}

/// A path of this crate's.
pub(crate) fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs `curfew` in a folder.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Run {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_curfew"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("curfew runs");
    Run {
        code: status.code().expect("an exit code"),
        out: String::from_utf8(stdout).expect("text"),
        err: String::from_utf8(stderr).expect("text"),
    }
}
