//! How the files have to look.

use crate::workspace::{sources, texts};

/// Longer files are split by topic.
const LINES_MAX: usize = 600;

/// Fails with every offender at once, so that one run shows all that is to be done.
fn nobody(rule: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{rule}:\n{}", offenders.join("\n"));
}

fn is_below(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    nobody(
        "a file begins with `//!`: what it is for and what it must not know",
        silent.map(|(path, _)| path).collect(),
    );
}

#[test]
fn no_file_is_long() {
    let long = sources().into_iter().map(|(path, text)| (path, text.lines().count()));
    let long =
        long.filter(|(_, lines)| *lines > LINES_MAX).map(|(path, lines)| format!("{path}: {lines} lines"));
    nobody("files have at most 600 lines", long.collect());
}

/// Lines outside `folders` that contain one of `words`.
fn lines_with(files: Vec<(String, String)>, words: &[&str], folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files.into_iter().filter(|(path, _)| !is_below(path, folders)) {
        for (n, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    found
}

/// The files of these rules name what they forbid.
const RULES: &str = "tests/tests/architecture/";

#[test]
fn the_sdk_is_named_in_shared_aws_alone() {
    let words = ["aws_sdk_"];
    assert!(!lines_with(sources(), &words, &[RULES]).is_empty(), "the rule looks at nothing");
    nobody("AWS is behind ports", lines_with(sources(), &words, &["shared/aws/", RULES]));
}

#[test]
fn the_clock_is_read_where_a_process_meets_the_world_and_nowhere_else() {
    let words = ["Timestamp::now(", "Zoned::now(", "SystemTime::now("];
    // The functions' clock, and the command line's.
    let edges = ["shared/runtime/src/clock.rs", "cli/src/edge.rs", RULES];
    assert!(!lines_with(sources(), &words, &[RULES]).is_empty(), "the rule looks at nothing");
    nobody("the time is handed in", lines_with(sources(), &words, &edges));
}

/// A body that nobody signed is good for a dry run, and for nothing that is deployed.
#[test]
fn only_the_command_line_reads_what_nobody_signed() {
    let words = ["read_unsigned"];
    let may = ["cli/src/simulate/", "shared/intake/src/", RULES];
    assert!(!lines_with(sources(), &words, &[RULES]).is_empty(), "the rule looks at nothing");
    nobody("what is acted on was signed", lines_with(sources(), &words, &may));
}

#[test]
fn nothing_knows_the_machine_it_was_written_on() {
    let words = ["/root/", "/home/", "/Users/", "/work/", "C:\\Users"];
    nobody("no paths of a machine", lines_with(texts(), &words, &[RULES]));
}

#[test]
fn no_test_is_switched_off() {
    nobody("a test runs, or goes", lines_with(sources(), &["#[ignore"], &[RULES]));
}
