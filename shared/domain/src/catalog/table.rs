//! Reading one table of a catalog file, key by key, without stopping at the first mistake.
//!
//! Knows TOML and positions; does not know what any key means.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::{Place, Report};
use crate::document::{PolicyError, ScopeError};
use crate::ids::{IdError, shown};
use crate::principal::PrincipalError;

/// A file's text, to turn byte offsets into lines and columns.
pub(super) struct Source<'a> {
    name: Arc<str>,
    text: &'a str,
    /// Where each line begins. Counted once: a catalog of thousands of entries asks for thousands of places.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &str, text: &'a str) -> Self {
        let after_newline = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self { name: Arc::from(name), text, lines: std::iter::once(0).chain(after_newline).collect() }
    }

    /// The place of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place { file: Arc::clone(&self.name), line, column: column.saturating_add(1) }
    }
}

/// Something read, with the place where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// What is wrong with a text, and what to do about it.
pub(super) struct Problem {
    message: String,
    remedy: String,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

impl From<IdError> for Problem {
    fn from(error: IdError) -> Self {
        Self::new(format!("{} {} is not valid", error.kind, error.shown), format!("use {}", error.rule))
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        Self::new(error.to_string(), error.remedy())
    }
}

impl From<ScopeError> for Problem {
    fn from(error: ScopeError) -> Self {
        let remedy = match error {
            ScopeError::Account(_) => "write the twelve digits in quotes, like \"111122223333\"",
            ScopeError::Region(_) => "write it like \"eu-central-1\"",
        };
        Self::new(error.to_string(), remedy)
    }
}

impl From<PrincipalError> for Problem {
    fn from(error: PrincipalError) -> Self {
        let text = error.to_string();
        match text.split_once("; ") {
            Some((message, remedy)) => Self::new(message, remedy),
            None => Self::new(text, "copy the ARN from the IAM console"),
        }
    }
}

impl Located<String> {
    /// Reads the text as a `T`; what is wrong with it is reported at its place.
    pub(super) fn read<T, E: Into<Problem>>(
        &self,
        report: &mut Report,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(&self.value).map_err(|error| self.refuse(report, error)).ok()
    }

    /// Reports what is wrong with the text.
    pub(super) fn refuse(&self, report: &mut Report, problem: impl Into<Problem>) {
        let Problem { message, remedy } = problem.into();
        report.error(&self.place, message, remedy);
    }
}

/// A table of a file, for example a role.
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    subject: String,
    at: usize,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// `subject` is what messages call it, for example ``role `prod-ops` ``; `at` is its byte offset.
    pub(super) fn new(source: &'a Source<'a>, subject: String, at: usize, entries: &'a DeTable<'a>) -> Self {
        Self { source, subject, at, entries }
    }

    /// What messages call it.
    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Where it begins.
    pub(super) fn place(&self) -> Place {
        self.source.place(self.at)
    }

    /// Whether the key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where a key stands; where the table begins, if it is not there.
    pub(super) fn key_place(&self, key: &str) -> Place {
        let at = self.entries.get_key_value(key).map_or(self.at, |(key, _)| key.span().start);
        self.source.place(at)
    }

    /// Every key with its place and value.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Located<String>, &'a Spanned<DeValue<'a>>)> {
        self.entries.iter().map(|(key, value)| {
            let place = self.source.place(key.span().start);
            (Located { value: key.get_ref().to_string(), place }, value)
        })
    }

    /// Reports every key that is not one of `known`. Those in `refused` are told why.
    pub(super) fn only(&self, known: &[&str], refused: &[(&str, &str)], report: &mut Report) {
        for (key, _) in self.entries().filter(|(key, _)| !known.contains(&key.value.as_str())) {
            let message = format!("{} can't have the key {}", self.subject, shown(&key.value));
            match refused.iter().find(|(name, _)| *name == key.value) {
                Some((_, reason)) => report.error(&key.place, message, *reason),
                None => report.error(&key.place, message, format!("its keys are {}", quoted(known))),
            }
        }
    }

    /// Reports that a key is missing.
    pub(super) fn missing(&self, key: &str, example: &str, report: &mut Report) {
        report.error(
            &self.place(),
            format!("{} has no `{key}`", self.subject),
            format!("add it, like `{key} = {example}`"),
        );
    }

    /// A text that may be left out.
    pub(super) fn text(&self, key: &str, report: &mut Report) -> Option<Located<String>> {
        let value = self.entries.get(key)?;
        self.as_text(key, value, report)
    }

    /// A yes or no that may be left out, which is a no.
    pub(super) fn flag(&self, key: &str, report: &mut Report) -> bool {
        match self.entries.get(key).map(|value| (value, value.get_ref())) {
            None => false,
            Some((_, DeValue::Boolean(flag))) => *flag,
            Some((value, other)) => {
                self.wrong_type(key, value, other, "`true` or `false`", report);
                false
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(
        &self,
        key: &str,
        example: &str,
        report: &mut Report,
    ) -> Option<Located<String>> {
        if !self.has(key) {
            self.missing(key, example, report);
        }
        self.text(key, report)
    }

    /// A list of texts that may be left out, but not be empty, nor name anything twice.
    pub(super) fn list(&self, key: &str, report: &mut Report) -> Option<Vec<Located<String>>> {
        let value = self.entries.get(key)?;
        match value.get_ref() {
            DeValue::Array(items) => {
                let texts = items.iter().map(|item| self.as_text(key, item, report)).collect();
                Some(self.as_list(key, texts, report))
            }
            other => {
                self.wrong_type(key, value, other, "a list of strings", report);
                None
            }
        }
    }

    /// Like [`Self::list`], but a single text needs no brackets, as in IAM.
    pub(super) fn one_or_many(&self, key: &str, report: &mut Report) -> Option<Vec<Located<String>>> {
        let value = self.entries.get(key)?;
        match value.get_ref() {
            DeValue::Array(items) => {
                let texts = items.iter().map(|item| self.as_scalar(key, item, report)).collect();
                Some(self.as_list(key, texts, report))
            }
            _ => self.as_scalar(key, value, report).map(|one| vec![one]),
        }
    }

    /// A table below this one.
    pub(super) fn table(&self, key: &str, subject: String, report: &mut Report) -> Option<Self> {
        let value = self.entries.get(key)?;
        match value.get_ref() {
            DeValue::Table(entries) => {
                let at = self.entries.get_key_value(key).map_or(self.at, |(key, _)| key.span().start);
                Some(Self::new(self.source, subject, at, entries))
            }
            other => {
                self.wrong_type(key, value, other, "a table", report);
                None
            }
        }
    }

    /// An array of tables below this one; `subject` names each by its number.
    pub(super) fn tables(
        &self,
        key: &str,
        subject: impl Fn(usize) -> String,
        report: &mut Report,
    ) -> Vec<Self> {
        let Some(value) = self.entries.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, value, value.get_ref(), "an array of tables (`[[…]]`)", report);
            return Vec::new();
        };
        if items.is_empty() {
            self.empty(key, report);
        }
        let mut tables = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.get_ref() {
                DeValue::Table(entries) => {
                    let subject = subject(index.saturating_add(1));
                    tables.push(Self::new(self.source, subject, item.span().start, entries));
                }
                other => self.wrong_type(key, item, other, "an array of tables (`[[…]]`)", report),
            }
        }
        tables
    }

    fn as_text(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        report: &mut Report,
    ) -> Option<Located<String>> {
        let place = self.source.place(value.span().start);
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                report.error(&place, format!("{} of {} is blank", shown(key), self.subject), "fill it in");
                None
            }
            DeValue::String(text) => Some(Located { value: text.to_string(), place }),
            other => {
                self.wrong_type(key, value, other, "a string", report);
                None
            }
        }
    }

    /// A string; or a number or truth value, which IAM reads as strings too.
    fn as_scalar(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        report: &mut Report,
    ) -> Option<Located<String>> {
        let text = match value.get_ref() {
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.to_string(),
            _ => return self.as_text(key, value, report),
        };
        Some(Located { value: text, place: self.source.place(value.span().start) })
    }

    /// The items that could be read, each once. A list without any item is reported.
    fn as_list(
        &self,
        key: &str,
        items: Vec<Option<Located<String>>>,
        report: &mut Report,
    ) -> Vec<Located<String>> {
        if items.is_empty() {
            self.empty(key, report);
        }
        let mut list = Vec::<Located<String>>::new();
        for text in items.into_iter().flatten() {
            if list.iter().any(|earlier| earlier.value == text.value) {
                let message = format!("{} of {} has {} twice", shown(key), self.subject, shown(&text.value));
                report.error(&text.place, message, "remove one of the two");
            } else {
                list.push(text);
            }
        }
        list
    }

    /// Reports that a key's value is empty.
    pub(super) fn empty(&self, key: &str, report: &mut Report) {
        let message = format!("{} of {} is empty", shown(key), self.subject);
        report.error(&self.key_place(key), message, "fill it in, or remove the key if it may be left out");
    }

    fn wrong_type(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        found: &DeValue<'_>,
        wanted: &str,
        report: &mut Report,
    ) {
        let found = match found {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let place = self.source.place(value.span().start);
        report.error(
            &place,
            format!("{} of {} is {found}", shown(key), self.subject),
            format!("make it {wanted}"),
        );
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
