//! Where the policies of a file begin, and which line and column an offset is on.
//!
//! Cedar's own parser says where a mistake stands, but not where a sound policy does.

use std::sync::Arc;

use curfew_domain::catalog::Place;

/// One file, for telling places in it.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    name: Arc<str>,
    text: &'a str,
    /// The byte offsets at which its lines begin.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(name: &str, text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(offset, _)| offset.saturating_add(1));
        Self { name: Arc::from(name), text, lines: std::iter::once(0).chain(after).collect() }
    }

    /// The place of a byte offset.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).or(self.text.get(start..)).unwrap_or_default();
        let column = before.chars().count().saturating_add(1);
        Place { file: Arc::clone(&self.name), line, column }
    }

    /// The byte offsets at which its policies begin, in order: their first annotation or their effect.
    pub(crate) fn statements(&self) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut is_inside = false;
        let mut rest = self.text.char_indices().peekable();
        while let Some((offset, c)) = rest.next() {
            if c.is_whitespace() {
                continue;
            }
            if c == '/' && rest.peek().is_some_and(|(_, next)| *next == '/') {
                for (_, c) in rest.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
                continue;
            }
            if !is_inside {
                is_inside = true;
                starts.push(offset);
            }
            match c {
                '"' => {
                    while let Some((_, c)) = rest.next() {
                        if c == '\\' {
                            rest.next();
                        } else if c == '"' {
                            break;
                        }
                    }
                }
                ';' => is_inside = false,
                _ => {}
            }
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let source = Source::new("a.cedar", "ä b\n  c");
        for (offset, line, column) in [(0, 1, 1), (2, 1, 2), (4, 1, 4), (5, 2, 1), (7, 2, 3), (99, 2, 4)] {
            let place = source.place(offset);
            assert_eq!((place.line, place.column), (line, column), "offset {offset}");
        }
    }

    #[test]
    fn policies_begin_after_comments_and_not_inside_strings() {
        let text = "// permit (;\n@id(\"a;b\\\";\")\npermit(p,a,r); // ;\n\n  forbid(p,a,r)\nwhen { \"//\" == \";\" };\n";
        let source = Source::new("a.cedar", text);
        let lines: Vec<_> = source
            .statements()
            .into_iter()
            .map(|at| (source.place(at).line, source.place(at).column))
            .collect();
        assert_eq!(lines, [(2, 1), (5, 3)]);
        assert_eq!(Source::new("b.cedar", " // nothing").statements(), Vec::<usize>::new());
    }
}
