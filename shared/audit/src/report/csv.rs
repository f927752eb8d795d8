//! Rows as CSV (RFC 4180), for whatever program an auditor opens it with.
//!
//! A spreadsheet takes a cell that begins with certain characters for a formula, and words of people stand in cells: such
//! a cell gets an apostrophe in front (<https://owasp.org/www-community/attacks/CSV_Injection>). Where a comma is a decimal
//! sign, a spreadsheet cuts lines at semicolons, whatever is quoted: so what would begin a cell there gets one too.

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
        writer.write_record(columns.iter().map(|column| harmless(&(column.cell)(row))))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Behind these a spreadsheet that does not cut at commas may begin a cell.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// A cell that is no formula, wherever it is cut.
fn harmless(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    if cell.starts_with(FORMULAS) {
        out.push('\'');
    }
    for part in cell.split_inclusive(SEPARATORS) {
        // Quotes around what begins there are none to a spreadsheet that has cut the line, or empty.
        let begins = part.trim_start_matches('"');
        if out.ends_with(SEPARATORS) && begins.starts_with(FORMULAS) && !begins.starts_with(SEPARATORS) {
            out.push('\'');
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\u{ff1d}1"] {
            assert_eq!(harmless(bad), format!("'{bad}"));
        }
        for (bad, begin) in [("\t=1", "'\t'"), ("\r=1", "'\r'"), ("\n=1", "'\n'")] {
            assert_eq!(harmless(bad), format!("{begin}=1"));
        }
        for good in ["", "a=1", "2026-11-21", "'=1", " =1", "a;b", "a; b\nc", "a;'=1", ";"] {
            assert_eq!(harmless(good), good);
        }
    }

    #[test]
    fn no_part_of_a_cell_is_a_formula_where_semicolons_part_cells() {
        for (bad, good) in [
            ("ok;=1+cmd|' /C calc'!A0;x", "ok;'=1+cmd|' /C calc'!A0;x"),
            ("a;\"=1\"", "a;'\"=1\""),
            (";=1", ";'=1"),
            ("a\t@b", "a\t'@b"),
            ("a\r\n-b", "a\r\n'-b"),
        ] {
            assert_eq!(harmless(bad), good);
        }
    }

    #[test]
    fn a_cell_can_not_break_out_of_its_place() {
        let column = Column::<String> { name: "a", title: "", says: "", evidence: &[], cell: String::clone };
        let rows = ["x\",\"=1".to_owned(), "line\r\n=2".to_owned()];
        let written = write(&[column], &rows).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "a\r\n\"x\"\",\"\"=1\"\r\n\"line\r\n'=2\"\r\n");
    }
}
