//! A table for a terminal: columns as wide as what is in them, two blanks apart.
//!
//! No crate for it: everything shown in tables is an identifier or a time, in ASCII, so that a character is a column wide.
//! Must not know: what is in it.

use super::words::safe;

/// Rows under headings.
#[derive(Debug, Clone)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; what a terminal could act on is taken out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| safe(&cell)).collect());
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, without white space at their ends.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let head: Vec<String> = self.head.iter().map(|&name| name.to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| {
            all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let padded: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        all.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(&["GRANT", "WHO"]);
        table.row(["g-1".to_owned(), "ana@example.com".to_owned()]);
        table.row(["g-22222".to_owned(), "b\u{1b}".to_owned()]);
        assert_eq!(
            table.lines(),
            ["GRANT    WHO", "g-1      ana@example.com", "g-22222  b\\u{1b}"].map(str::to_owned)
        );
    }
}
