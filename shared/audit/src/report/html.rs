//! The report as one HTML page to be printed: no scripts, nothing fetched, everything escaped.
//!
//! Must not know what the columns say.

use askama::Template;

use super::columns::Column;
use super::grant::GrantRow;
use super::{Report, columns};
use crate::verify::KeyUsed;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[error("the page can't be written: {0}")]
pub struct Unwritten(#[from] askama::Error);

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    numbers: Vec<(&'static str, String)>,
    key: String,
    grants: Vec<&'a GrantRow>,
    cards: Vec<Card<'a>>,
    denials: Sheet,
    held: Sheet,
    eligible: Option<Sheet>,
}

/// One grant, column by column.
struct Card<'a> {
    row: &'a GrantRow,
    cells: Vec<Cell>,
}

struct Cell {
    title: &'static str,
    text: String,
    evidence: String,
}

/// A table.
struct Sheet {
    head: Vec<Head>,
    rows: Vec<Vec<String>>,
}

struct Head {
    title: &'static str,
    evidence: String,
}

impl Sheet {
    fn new<'a, T: 'a>(columns: &[Column<T>], rows: impl IntoIterator<Item = &'a T>) -> Self {
        let head = |column: &Column<T>| Head { title: column.title, evidence: column.evidence.join(", ") };
        let row = |row: &'a T| columns.iter().map(|column| (column.cell)(row)).collect();
        Self { head: columns.iter().map(head).collect(), rows: rows.into_iter().map(row).collect() }
    }
}

/// Writes the page. With a sample, it shows the sample's grants one by one and only counts the others.
///
/// # Errors
/// [`Unwritten`].
pub fn page(report: &Report) -> Result<String, Unwritten> {
    let card = |row| {
        let cell = |column: &Column<GrantRow>| {
            let text = (column.cell)(row);
            let is_told = !text.is_empty() && column.name != "sampled";
            is_told.then(|| Cell { title: column.title, text, evidence: column.evidence.join(", ") })
        };
        Card { row, cells: columns::GRANTS.iter().filter_map(cell).collect() }
    };
    let page = Page {
        report,
        numbers: report.numbers.in_words(),
        key: match &report.verification.key {
            KeyUsed::Given { ids } => format!("given ({})", ids.join(", ")),
            KeyUsed::Archive { id } => format!("from the archive itself ({id})"),
            KeyUsed::Nothing {} => "none".to_owned(),
        },
        grants: report.looked_at().collect(),
        cards: report.looked_at().map(card).collect(),
        denials: Sheet::new(columns::DENIALS, &report.denials),
        held: Sheet::new(columns::HELD, &report.access.held),
        eligible: report
            .access
            .eligible
            .as_ref()
            .map(|eligible| Sheet::new(columns::ELIGIBLE, &eligible.entries)),
    };
    Ok(page.render()?)
}
