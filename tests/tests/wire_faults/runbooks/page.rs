//! The pages of `docs/runbooks/`, and their commands as an operator would type them.

use std::path::{Path, PathBuf};

use curfew_cli::artifacts::Function;
use curfew_cli::stack::ACCOUNT;
use curfew_tests::{Curfew, now, world};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::watch::is_found_by;

/// A runbook.
pub(crate) struct Page {
    name: String,
    text: String,
}

/// The pages' folder.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks")
}

/// The page's name of an alarm: `SweepSilent` has `sweep-silent`.
pub(crate) fn page_name(alarm: &str) -> String {
    let mut name = String::new();
    for letter in alarm.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

impl Page {
    /// The page of an alarm.
    pub(crate) fn of(alarm: &str) -> Self {
        let path = folder().join(format!("{}.md", page_name(alarm)));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: alarm.to_owned(), text }
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands under a heading.
    pub(crate) fn section(&self, heading: &str) -> &str {
        let begins = format!("\n## {heading}\n");
        let (_, rest) =
            self.text.split_once(&begins).unwrap_or_else(|| panic!("{}: no `{heading}`", self.name));
        rest.split_once("\n## ").map_or(rest, |(section, _)| section)
    }

    /// The commands under a heading, word by word. Blocks marked `sh` are commands; whatever else stands there is not.
    pub(crate) fn commands(&self, heading: &str) -> Vec<Vec<String>> {
        let mut commands = Vec::new();
        let mut inside = false;
        for line in self.section(heading).lines().map(str::trim) {
            match line {
                "```sh" => inside = true,
                "```" => inside = false,
                _ if inside && !line.is_empty() => commands.push(words(line)),
                _ => {}
            }
        }
        commands
    }

    /// The lines of a log that the page's first look at a log shows.
    pub(crate) fn first_look<'a>(&self, log: &'a str) -> Vec<&'a str> {
        let commands = self.commands("First look");
        let pattern = commands.iter().find_map(|command| option(command, "--filter-pattern"));
        let pattern = pattern.unwrap_or_else(|| panic!("{}: no look at a log", self.name));
        log.lines().filter(|line| is_found_by(pattern, line)).collect()
    }

    /// Runs all commands under a heading, one after the other. `filled`: what stands for the page's own placeholders.
    pub(crate) async fn run(&self, heading: &str, curfew: &Curfew, filled: &[(&str, &str)]) -> Vec<Value> {
        let mut answers = Vec::new();
        for command in self.commands(heading) {
            answers.push(self.run_one(&command, curfew, filled).await);
        }
        assert!(!answers.is_empty(), "{}: no command under `{heading}`", self.name);
        answers
    }

    async fn run_one(&self, command: &[String], curfew: &Curfew, filled: &[(&str, &str)]) -> Value {
        let command: Vec<String> = command.iter().map(|word| self.fill(word, curfew, filled)).collect();
        let shown = command.join(" ");
        let option = |name: &str| option(&command, name);
        if command.starts_with(&["aws", "lambda", "invoke"].map(str::to_owned)) {
            let name = option("--function-name").unwrap_or_else(|| panic!("{}: {shown}", self.name));
            let payload = option("--payload").unwrap_or_else(|| panic!("{}: {shown}", self.name));
            let function = Function::ALL
                .into_iter()
                .find(|function| curfew.deployment().function(*function).is_ok_and(|of| of == name));
            let function = function.unwrap_or_else(|| panic!("{}: no function `{name}`", self.name));
            let payload = serde_json::from_str(payload).unwrap_or_else(|error| panic!("{shown}: {error}"));
            let invoked = curfew.invoke(function, &payload).await;
            assert_eq!(invoked.error, None, "{}: {shown}: {invoked:?}", self.name);
            return invoked.payload;
        }
        assert_eq!(command.first().map(String::as_str), Some("aws"), "{}: {shown}", self.name);
        let world = world().await;
        // Version 1 of the command line takes SQS's endpoint from nowhere else.
        let here = ["--endpoint-url".to_owned(), world.stack().endpoint()];
        // What patterns mean the local stack does not know.
        let pattern = option("--filter-pattern");
        let sent =
            command.iter().skip(1).filter(|word| *word != "--filter-pattern" && Some(*word) != pattern);
        let called = world.command_line(ACCOUNT).call(sent.chain(&here)).await;
        let mut answer = called.unwrap_or_else(|error| panic!("{}: {shown}: {error}", self.name));
        let events = answer.get_mut("events").and_then(Value::as_array_mut);
        if let (Some(pattern), Some(events)) = (pattern, events) {
            let found =
                |event: &Value| event["message"].as_str().is_some_and(|line| is_found_by(pattern, line));
            events.retain(found);
        }
        answer
    }

    /// A word with the stack, its outputs and what is given put in for the placeholders.
    fn fill(&self, word: &str, curfew: &Curfew, filled: &[(&str, &str)]) -> String {
        let mut full = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once('<') {
            let (name, after) = after.split_once('>').unwrap_or_else(|| panic!("{}: {word}", self.name));
            let (since, today) =
                (now() - SignedDuration::from_hours(1), now().to_zoned(TimeZone::UTC).date());
            let (since, today) = (since.as_millisecond().to_string(), today.to_string());
            let value = match filled.iter().find(|(of, _)| *of == name) {
                Some((_, value)) => *value,
                None if name == "stack" => &curfew.deployment().name,
                None if name == "since" => &since,
                None if name == "today" => &today,
                None if name.starts_with(|letter: char| letter.is_ascii_uppercase()) => curfew.output(name),
                None => panic!("{}: nothing is known for <{name}> in {word}", self.name),
            };
            full.push_str(before);
            full.push_str(value);
            rest = after;
        }
        full + rest
    }
}

/// What stands after an option.
fn option<'a>(command: &'a [String], name: &str) -> Option<&'a String> {
    command.iter().position(|word| word == name).and_then(|at| command.get(at + 1))
}

/// Words as a shell reads them, as far as the pages go: blanks between them, single quotes around what has blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn a_page_is_read_as_it_is_typed() {
    assert_eq!(page_name("FunctionUrlUnanswered"), "function-url-unanswered");
    assert_eq!(
        words("aws x --y '{\"a\": \"b c\"}' /dev/stdout"),
        ["aws", "x", "--y", "{\"a\": \"b c\"}", "/dev/stdout"]
    );
}
