//! What is told if `aws`, AWS or a function says no: the cause, the remedy, and exit code 1.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Desk, assert_says, run};

const ID: &str = "g-abcdefghijklmnopqrstuvwxyz";

#[test]
fn without_the_program_its_place_is_named() {
    let desk = Desk::new("no-program");
    let run = run(desk.command(&["grants"]).env("PATH", "/nowhere"));
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert_says(
        &run.err,
        &["curfew: there is no `aws` program on the PATH", "https://docs.aws.amazon.com/cli/"],
    );
}

#[test]
fn what_aws_refuses_is_told_with_what_to_do() {
    for (number, (said, code, parts)) in [
        ("Unable to locate credentials. You can configure credentials by", 253, &["not signed in", "`aws sso login"][..]),
        (
            "An error occurred (AccessDeniedException) when calling the Invoke operation: not authorized",
            254,
            &["AWS does not let you do this", "`lambda:InvokeFunction` on `curfew-console`"],
        ),
        (
            "An error occurred (ResourceNotFoundException) when calling the Invoke operation: Function not found",
            254,
            &["there is no function `curfew-console`"],
        ),
        ("usage: aws\n\nUnknown options: --payload", 252, &["install a newer one"]),
    ]
    .into_iter()
    .enumerate()
    {
        let desk = Desk::new(&format!("refused-{number}")).error(said, code);
        let run = desk.run(&["grants"]);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{said}");
        assert_says(&run.err, parts);
    }
}

#[test]
fn a_function_that_failed_says_whether_to_try_again() {
    for (number, (failure, parts)) in [
        (
            json!({ "errorType": "Retryable", "errorMessage": "the ledger\u{1b} did not answer" }),
            &["`curfew-revoke` failed (Retryable): the ledger\\u{1b} did not answer", "send the same again"]
                [..],
        ),
        (
            json!({ "errorType": "NeedsOperator", "errorMessage": "no key" }),
            &["no key", "put right what it names"],
        ),
        (
            json!({ "errorMessage": "2026 Task timed out after 60.00 seconds" }),
            &["timed out", "its log says more"],
        ),
        (json!("?"), &["failed (without a type): it said nothing"]),
    ]
    .into_iter()
    .enumerate()
    {
        let desk = Desk::new(&format!("failed-{number}")).failure(&failure);
        let run = desk.run(&["revoke", ID, "--reason", "r", "--operator", "o", "--json"]);
        assert_eq!((run.code, run.out.as_str()), (1, ""));
        assert_says(&run.err, parts);
    }
}

#[test]
fn an_answer_that_can_not_be_read_is_no_success() {
    for (number, out) in ["", "{", "null", "{}{}", "\"<p>no</p>\"{}", "{\"ok\":true}{}", "{\"ok\":true}"]
        .into_iter()
        .enumerate()
    {
        let desk = Desk::new(&format!("unreadable-{number}")).answers(out, "", 0);
        let run = desk.run(&["grants"]);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{out}");
        assert_says(&run.err, &["can't be read"]);
    }
}

#[test]
fn whoever_is_nameless_is_asked_for_a_name() {
    let desk = Desk::new("nameless").caller("");
    let run = desk.run(&["revoke", ID, "--reason", "r"]);
    assert_eq!(run.code, 1);
    assert_says(&run.err, &["say who you are by `--operator`"]);
    assert_eq!(desk.calls().len(), 1);
}

#[test]
fn whoever_waits_for_long_is_told_for_what() {
    // Answers once it is told to go on, and not before.
    let desk = Desk::new("waiting").does("read line < \"$here/go\"");
    let made = Command::new("mkfifo").arg(desk.path("go")).status().expect("mkfifo runs");
    assert!(made.success());
    let mut child = desk
        .command(&["grants"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curfew runs");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert_eq!(line, "curfew: waiting for curfew-console\n");
    fs::write(desk.path("go"), "go\n").expect("it goes on");
    said.read_to_string(&mut line).expect("the rest");
    assert!(!child.wait().expect("it ends").success(), "nothing was answered: {line}");
}
