//! The auditor's report: what the archive says of a period, one row for each grant, and who had and could get what.
//!
//! Made of an archive that was verified first ([`crate::verify`]); the verification stands in the report, and what it found
//! stands on top. Times come out of the records, and the time of the report from the caller, so that the same archive
//! makes the same report. Must not know where the archive is kept, nor where a report is written to.
//!
//! What each column is and what it can be evidence of: [`columns`], and `docs/reports.md`.

mod access;
pub mod columns;
pub mod csv;
mod fold;
mod grant;
mod history;
pub mod html;
mod numbers;
mod plain;
mod sample;

use curfew_app::ports::DeniedRequest;
use curfew_domain::catalog::Catalog;
use jiff::Timestamp;
use serde::Serialize;

use crate::verify::{self, KeyUsed, Source, Unreadable};

pub use access::{AccessReview, Eligibility, Eligible, Held};
pub use grant::{
    Change, Confirmed, Direction, DriftSeen, Ending, GrantRow, Removal, RemovalMeasure, ReviewDone,
    ReviewRow, Span,
};
pub use numbers::{Numbers, Spread};
pub use sample::{Chosen, SampleOf};

use history::History;

/// From when until when: the first instant that counts, and the first that does not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl Period {
    /// Whether a time lies in it.
    #[must_use]
    pub fn contains(self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }
}

/// What to report.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// Over which time.
    pub period: Period,
    /// When the report is made.
    pub made_at: Timestamp,
    /// Until when the archive tells what happened: not later than it was copied. Whatever still holds then is counted until
    /// then.
    pub known_until: Timestamp,
    /// The catalog of today, to say who can get what.
    pub catalog: Option<&'a Catalog>,
    /// How many grants to choose, and by which seed.
    pub sample: Option<SampleOf>,
}

/// A denied request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DenialRow {
    /// The id of its record.
    pub record: String,
    /// What was denied, why, and by which rules.
    #[serde(flatten)]
    pub denied: DeniedRequest,
}

/// The report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Over which time.
    pub period: Period,
    /// When it was made.
    pub made_at: Timestamp,
    /// By which version of Curfew.
    pub made_by: &'static str,
    /// What whoever reads it has to know before they rely on it; nothing, if the archive proves all of it.
    pub reservations: Vec<String>,
    /// What verifying the archive came to.
    pub verification: verify::Report,
    /// What the columns are.
    pub columns: columns::All,
    /// Counts and times.
    pub numbers: Numbers,
    /// Which grants were chosen, and how.
    pub sample: Option<Chosen>,
    /// Every grant that something happened to in the period or that was alive all through it, by when it was asked for.
    pub grants: Vec<GrantRow>,
    /// Every request that was denied in the period, by when.
    pub denials: Vec<DenialRow>,
    /// Who could get what, who had what, and what was never used.
    pub access: AccessReview,
}

impl Report {
    /// Whether the archive proved to be whole.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.verification.is_whole()
    }

    /// The grants that a reader looks at one by one: the sample, or all of them.
    pub fn looked_at(&self) -> impl Iterator<Item = &GrantRow> {
        self.grants.iter().filter(|row| self.sample.is_none() || row.sampled)
    }
}

/// Makes a report of an archive that was verified with `verification` as its outcome. It is made even if that found
/// something, because whoever looks for what was done needs it; and says so.
///
/// # Errors
/// [`Unreadable`], if the archive does not answer.
pub fn report(
    source: &dyn Source,
    verification: verify::Report,
    order: &Order<'_>,
) -> Result<Report, Unreadable> {
    let History { mut grants, denials, unreadable, unknown } = History::read(source, order.period)?;
    // A window that has not begun yet.
    for row in &mut grants {
        row.effective_at = row.effective_at.filter(|begins| *begins < order.known_until);
    }
    let sample = order.sample.as_ref().map(|sample| sample::choose(&mut grants, sample));
    let numbers = Numbers::of(&grants, &denials, order.period);
    let access = access::review(&grants, order);
    let mut reservations = of_verification(&verification, order.period);
    if unreadable > 0 {
        reservations
            .push(format!("{unreadable} line(s) of the archive are no records and are not in this report"));
    }
    if unknown > 0 {
        reservations.push(format!(
            "{unknown} record(s) are of a later version of Curfew and are not in this report: make it with that version"
        ));
    }
    let missing = grants.iter().filter(|row| row.records.is_missing_some()).count();
    if missing > 0 {
        reservations.push(format!(
            "of {missing} grant(s) some events are not in the archive: column `records` says which are"
        ));
    }
    Ok(Report {
        period: order.period,
        made_at: order.made_at,
        made_by: env!("CARGO_PKG_VERSION"),
        reservations,
        verification,
        columns: columns::All::new(),
        numbers,
        sample,
        grants,
        denials,
        access,
    })
}

/// What the verification takes away from what the report says. The gravest first.
fn of_verification(verification: &verify::Report, period: Period) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(first) = verification.findings.first() {
        told.push(format!(
            "THE ARCHIVE FAILED ITS VERIFICATION ({} finding(s)): nothing below is proven; the first: {first}",
            verification.findings.len()
        ));
    }
    match &verification.key {
        KeyUsed::Given { .. } => {}
        KeyUsed::Archive { id } => told.push(format!(
            "the signatures were checked by a key that lies in the archive itself ({id}): that shows that the archive agrees \
             with itself, and not whose it is"
        )),
        KeyUsed::Nothing {} => told.push("no signature was checked: there was no key".to_owned()),
    }
    match verification.sealed_until {
        None => told.push("nothing of the archive is sealed: no checkpoint holds".to_owned()),
        Some(until) if until < period.until => told.push(format!(
            "the archive is sealed until {until}, and the period goes on until {}: what was archived after that is chained and \
             not signed, and the end of it may be missing",
            period.until
        )),
        Some(_) => {}
    }
    if let Some(beginning) =
        verification.begins_later.as_ref().filter(|beginning| beginning.from > period.from)
    {
        told.push(format!(
            "the archive begins at {}, after the beginning of the period: {} grant(s) lack their first events",
            beginning.from, beginning.grants
        ));
    }
    told
}
