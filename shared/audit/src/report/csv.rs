//! Rows as CSV (RFC 4180), for whatever program an auditor opens it with.
//!
//! A spreadsheet takes a cell that begins with certain characters for a formula, and words of people stand in cells: such
//! a cell gets an apostrophe in front (<https://owasp.org/www-community/attacks/CSV_Injection>).

use super::columns::Column;

/// With these a formula begins, in some spreadsheet.
const FORMULAS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A heading, and one line for each row.
///
/// # Errors
/// What the writer says; into memory it has nothing to say.
pub fn write<'a, T: 'a>(
    columns: &[Column<T>],
    rows: impl IntoIterator<Item = &'a T>,
) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(columns.iter().map(|column| column.name))?;
    for row in rows {
        writer.write_record(columns.iter().map(|column| harmless((column.cell)(row))))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A cell that is no formula.
fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULAS) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\u{ff1d}1"] {
            let cell = harmless(bad.to_owned());
            assert_eq!(cell, format!("'{bad}"));
        }
        for good in ["", "a=1", "2026-11-21", "'=1", " =1"] {
            assert_eq!(harmless(good.to_owned()), good);
        }
    }

    #[test]
    fn a_cell_can_not_break_out_of_its_place() {
        let column = Column::<String> { name: "a", title: "", says: "", evidence: &[], cell: String::clone };
        let rows = ["x\",\"=1".to_owned(), "line\r\n=2".to_owned()];
        let written = write(&[column], &rows).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "a\r\n\"x\"\",\"\"=1\"\r\n\"line\r\n=2\"\r\n");
    }
}
