//! Running `curfew` with a stand-in for the `aws` program, which is outside of it: what it is called with is written down,
//! and it answers what the test laid ready, one answer for each call, in order.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// The time that times are told from.
pub(crate) const NOW: &str = "2026-11-21T10:28:00Z";

const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
number=$(( $(ls "$here/calls" | wc -l) + 1 ))
mkdir "$here/calls/$number"
printf '%s\n' "$@" > "$here/calls/$number/arguments"
case "$*" in *fileb:///dev/stdin*) cat > "$here/calls/$number/payload";; esac
[ -d "$here/answers/$number" ] || { echo "nothing was laid ready for call $number" >&2; exit 99; }
[ -f "$here/answers/$number/do" ] && . "$here/answers/$number/do"
cat "$here/answers/$number/out"
cat "$here/answers/$number/err" >&2
exit "$(cat "$here/answers/$number/code")"
"#;

/// A folder with a stand-in of its own.
pub(crate) struct Desk {
    folder: PathBuf,
    answers: usize,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// One call of the stand-in.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) arguments: Vec<String>,
    pub(crate) payload: Value,
}

impl Call {
    /// The arguments in one line.
    pub(crate) fn line(&self) -> String {
        self.arguments.join(" ")
    }
}

impl Desk {
    /// A desk with a stand-in that has no answers yet.
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("operating-{name}"));
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("an old folder goes");
        }
        for part in ["calls", "answers"] {
            fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        let program = folder.join("aws");
        fs::write(&program, PROGRAM).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be run");
        Self { folder, answers: 0 }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The next call is answered so.
    pub(crate) fn answers(mut self, out: &str, err: &str, code: i32) -> Self {
        self.answers += 1;
        let folder = self.folder.join("answers").join(self.answers.to_string());
        fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in [("out", out), ("err", err), ("code", &code.to_string())] {
            fs::write(folder.join(name), text).expect("an answer");
        }
        self
    }

    /// The next call runs these lines of shell first.
    pub(crate) fn does(self, lines: &str) -> Self {
        let this = self.answers("", "", 0);
        fs::write(this.folder.join(format!("answers/{}/do", this.answers)), lines).expect("an answer");
        this
    }

    /// The next call is an invocation, and the function answers so.
    pub(crate) fn function(self, answer: &Value) -> Self {
        let out = format!("{answer}{}", json!({ "StatusCode": 200, "ExecutedVersion": "$LATEST" }));
        self.answers(&out, "", 0)
    }

    /// The next call is an invocation, and the function fails so.
    pub(crate) fn failure(self, answer: &Value) -> Self {
        let out = format!("{answer}{}", json!({ "StatusCode": 200, "FunctionError": "Unhandled" }));
        self.answers(&out, "", 0)
    }

    /// The next call asks who is calling.
    pub(crate) fn caller(self, arn: &str) -> Self {
        self.answers(&json!({ "UserId": "A", "Account": "1", "Arn": arn }).to_string(), "", 0)
    }

    /// The next call is refused by AWS or by the program.
    pub(crate) fn error(self, said: &str, code: i32) -> Self {
        self.answers("", said, code)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_curfew"));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.folder.display()));
        command
    }

    /// Runs `curfew` without a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        run(self.command(arguments).stdin(Stdio::null()))
    }

    /// What the stand-in was called with.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let count = fs::read_dir(self.folder.join("calls")).expect("a folder").count();
        let read = |number: usize| {
            let call = self.folder.join("calls").join(number.to_string());
            let arguments = fs::read_to_string(call.join("arguments")).expect("arguments");
            let payload = fs::read(call.join("payload")).unwrap_or_else(|_| b"null".to_vec());
            Call {
                arguments: arguments.lines().map(str::to_owned).collect(),
                payload: serde_json::from_slice(&payload).expect("a payload"),
            }
        };
        (1..=count).map(read).collect()
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().expect("curfew runs");
    Run {
        code: status.code().expect("an exit code"),
        out: String::from_utf8(stdout).expect("text"),
        err: String::from_utf8(stderr).expect("text"),
    }
}

/// That each part is said.
#[track_caller]
pub(crate) fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{text}` does not say `{part}`");
    }
}
