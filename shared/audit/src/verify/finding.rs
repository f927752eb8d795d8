//! Findings: what is wrong with an archive, as codes and in words, in the order of the archive.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::archive::EVENTS;

/// How many findings a report lists. Whoever has that many looks at the first.
const LISTED_MAX: usize = 1_000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A record is not what it was.
    RecordChanged,
    /// A record is gone.
    RecordRemoved,
    /// A record is there that was not, or another one of the same id.
    RecordInserted,
    /// Records of an object are there, but not in their order.
    RecordsReordered,
    /// A line was no record when it was sealed.
    RecordUnreadable,
    /// The last records of a grant are gone.
    GrantCutOff,
    /// An object is not what it was.
    ObjectChanged,
    /// An object is gone.
    ObjectRemoved,
    /// An object is there that was not.
    ObjectInserted,
    /// What was sealed under one name stands under another.
    ObjectMoved,
    /// A checkpoint is not what it was.
    CheckpointChanged,
    /// A checkpoint is gone.
    CheckpointRemoved,
    /// Something is there in place of a checkpoint that is none.
    CheckpointInserted,
    /// A checkpoint does not follow from the one before it, or contradicts what it seals.
    CheckpointsBroken,
    /// A checkpoint's signature is not one of what it says.
    SignatureForged,
    /// A checkpoint is signed by a key that is not trusted.
    WrongKey,
    /// A key in the archive is not what it was, or not there.
    KeyChanged,
    /// The newest part of the archive is gone.
    ArchiveCutOff,
    /// The oldest part of the archive is gone.
    BeginsLater,
    /// A checkpoint that is known from elsewhere is not there.
    AnchorMissing,
    /// Nothing in the archive is sealed.
    NeverSealed,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// The object that it is about, by its key.
    pub object: Option<String>,
    /// The line in the object, from 1.
    pub line: Option<usize>,
    /// The record that it is about, by its id.
    pub record: Option<String>,
    /// What is wrong, in words.
    pub words: String,
}

impl Finding {
    /// Something about the whole archive.
    pub(super) fn new(code: Code, words: impl Into<String>) -> Self {
        Self { code, object: None, line: None, record: None, words: words.into() }
    }

    /// Something about an object.
    pub(super) fn at(code: Code, object: impl Into<String>, words: impl Into<String>) -> Self {
        Self { object: Some(object.into()), ..Self::new(code, words) }
    }

    pub(super) fn line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    pub(super) fn record(self, record: Option<String>) -> Self {
        Self { record, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code)?;
        match (&self.object, self.line) {
            (Some(object), Some(line)) => write!(f, "`{object}` line {line}: ")?,
            (Some(object), None) => write!(f, "`{object}`: ")?,
            (None, _) => {}
        }
        if let Some(record) = &self.record {
            write!(f, "record `{record}`: ")?;
        }
        f.write_str(&self.words)
    }
}

/// Findings, as they come.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<(Timestamp, Finding)>);

impl Findings {
    /// Adds one, with the time in the archive that it is about.
    pub(super) fn add(&mut self, time: Timestamp, finding: Finding) {
        self.0.push((time, finding));
    }

    /// In the order of the archive: by time; of what was written at one time, the records before the checkpoints that
    /// seal them, and last what is nowhere; in an object, what can be told of a line before what can be told of the whole. And how many more
    /// there are than a report lists.
    pub(super) fn finish(mut self) -> (Vec<Finding>, usize) {
        self.0.sort_by_cached_key(|(time, finding)| {
            let kind = match &finding.object {
                Some(object) if object.starts_with(EVENTS) => 0,
                Some(_) => 1,
                None => 2,
            };
            let line = finding.line.unwrap_or(usize::MAX);
            (*time, kind, finding.object.clone(), line, finding.code, finding.record.clone())
        });
        let more = self.0.len().saturating_sub(LISTED_MAX);
        (self.0.into_iter().take(LISTED_MAX).map(|(_, finding)| finding).collect(), more)
    }
}
