//! An issue's form: what GitHub makes of it is Markdown, with one third-level heading for each field
//! (<https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms>).
//!
//! The requester writes that Markdown and can edit it. Whoever approves sees it as GitHub shows it, so nothing must be
//! read that GitHub does not show as a heading with a text below, and nothing must look like a section that is none: a
//! section that stands twice, in another form of heading (quoted, underlined, emphasised), or below a line where HTML, a
//! code block or a formula begins (a comment hides what is in it), is refused. So is any other heading with characters
//! that GitHub may show as others, or that look like others (`R&#111;le`): no list of those is ever complete.

use curfew_domain::ids::{Source, shown};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::problems::Problems;
use crate::senders::fields::{Field, Fields, Mapped};
use crate::senders::payload::Wanted;
use crate::senders::standard::text;

/// What GitHub writes where a field was left empty.
const NO_RESPONSE: &str = "_No response_";

/// Which section holds what: its heading, or `=` and a fixed text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sections {
    tenant: String,
    role: String,
    principal: Option<String>,
    start: Option<String>,
    end: Option<String>,
    duration: Option<String>,
    justification: Option<String>,
}

/// What a form asks for.
pub(super) struct Form {
    pub(super) wanted: Wanted,
    pub(super) justification: Option<String>,
}

impl Sections {
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, section) in self.all() {
            if !section.starts_with('=') && (section.trim().is_empty() || section.trim() != section) {
                return Err(format!("section {} for `{name}` is not a heading", shown(section)));
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let always = [("tenant", &self.tenant), ("role", &self.role)];
        let others = [
            ("principal", &self.principal),
            ("start", &self.start),
            ("end", &self.end),
            ("duration", &self.duration),
            ("justification", &self.justification),
        ];
        let others = others.into_iter().filter_map(|(name, section)| Some((name, section.as_ref()?)));
        always.into_iter().chain(others).map(|(name, section)| (name, section.as_str()))
    }

    /// What the body of an issue says.
    pub(super) fn read(&self, source: &Source, body: &str, problems: &mut Problems) -> Option<Form> {
        let sections = self.found_in(body, problems)?;
        let mapped = Mapped { source, body: &sections };
        let fields = Fields {
            tenant: Some(field(&self.tenant)),
            role: Some(field(&self.role)),
            requester: None,
            principal: self.principal.as_deref().map(field),
            start: self.start.as_deref().map(field),
            end: self.end.as_deref().map(field),
            duration: self.duration.as_deref().map(field),
            justification: None,
        };
        let tenant = fields.tenant(&mapped, problems);
        let role = fields.role(&mapped, problems);
        let principal = fields.principal(&mapped, problems);
        let window = fields.window(&mapped, problems);
        let reason = self.justification.as_deref().map(field);
        let reason = mapped.optional("justification", reason.as_ref(), problems);
        let justification = match reason? {
            None => None,
            Some(words) => Some(problems.take("/issue/body", text(words))?),
        };
        let wanted = Wanted { tenant: tenant?, role: role?, principal: principal?, window: window? };
        Some(Form { wanted, justification })
    }

    /// The sections, by their headings.
    fn found_in(&self, body: &str, problems: &mut Problems) -> Option<Value> {
        let mut sections: Map<String, Value> = Map::new();
        let mut current: Option<(&str, String)> = None;
        let mut murky: Option<usize> = None;
        let mut wrong = Vec::new();
        // The lines of a paragraph so far: a line of dashes below makes all of them a heading.
        let mut paragraph: Vec<(usize, &str)> = Vec::new();
        // To Markdown a carriage return alone ends a line too.
        let body = body.replace("\r\n", "\n").replace('\r', "\n");
        for (number, line) in (1_usize..).zip(body.split('\n')) {
            if murky.is_none() && is_murky(line) {
                murky = Some(number);
            }
            let heading = heading(line).unwrap_or_default();
            let is_asked_for = self.all().any(|(_, section)| section == heading);
            let is_section = line.strip_prefix("### ").is_some_and(|name| name.trim() == heading);
            if is_section {
                keep(&mut sections, current.take());
            }
            let inner = uncontained(line);
            if !(is_section && is_asked_for)
                && let Some(shown_heading) = self::heading(inner).or_else(|| emphasised(inner))
            {
                wrong.extend(self.deceives(number, shown_heading));
            }
            if is_underline(line) {
                wrong.extend(paragraph.drain(..).filter_map(|(number, line)| self.deceives(number, line)));
            } else if inner.trim().is_empty() || self::heading(inner).is_some() {
                paragraph.clear();
            } else {
                paragraph.push((number, inner));
            }
            if is_asked_for && !is_section {
                // Told above.
            } else if is_asked_for && sections.contains_key(heading) {
                wrong.push(format!("section {} is there twice", shown(heading)));
            } else if let Some(murky) = murky.filter(|_| is_asked_for) {
                wrong.push(format!(
                    "section {} is below line {murky}, where HTML, a code block or a formula begins, so GitHub may not \
                     show it; put the section above, or leave that out",
                    shown(heading)
                ));
            }
            match &mut current {
                _ if is_section => current = Some((heading, String::new())),
                Some((_, text)) => {
                    text.push_str(line);
                    text.push('\n');
                }
                None => {}
            }
        }
        keep(&mut sections, current);
        let sound = wrong.is_empty();
        wrong.into_iter().for_each(|told| problems.add("/issue/body", told));
        sound.then_some(Value::Object(sections))
    }

    /// Why nobody should have to read this heading, which is not one of the sections as GitHub writes them.
    fn deceives(&self, number: usize, heading: &str) -> Option<String> {
        let sections = || self.all().map(|(_, section)| section).filter(|section| !section.starts_with('='));
        if sections().any(|section| bare(section) == bare(heading)) {
            return Some(format!("line {number} looks like a section and is not written as GitHub does it"));
        }
        let odd = heading.replace("& ", " ").chars().find(|c| !is_plain(*c))?;
        Some(format!(
            "line {number} has a heading with characters that may be shown as others ({}), so it could be taken for a \
             section; write it in plain letters, or, if it is text above a line of dashes, leave a line empty between them",
            shown(&odd.to_string())
        ))
    }
}

/// What shows as itself and looks like nothing else. Emphasis is shown as nothing, and is left out by [`bare`].
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || " \t?!.,'\"()/:;+-%=#*_`".contains(c)
}

/// A heading as somebody remembers it who skims the page: letters and digits.
fn bare(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A line without the marks of the quotations and lists that it stands in.
fn uncontained(line: &str) -> &str {
    let mut rest = line.trim_start();
    loop {
        let marked = rest.strip_prefix('>').or_else(|| {
            let numbered = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let marks: &[char] = if numbered.len() < rest.len() { &['.', ')'] } else { &['-', '*', '+'] };
            numbered.strip_prefix(marks).filter(|inner| inner.starts_with([' ', '\t']))
        });
        match marked {
            Some(inner) => rest = inner.trim_start(),
            None => return rest,
        }
    }
}

/// The text of a line that is emphasised from its start, as people write headings by hand.
fn emphasised(line: &str) -> Option<&str> {
    let text = line.trim().trim_end_matches([':', ' ']);
    let strong = |mark| text.strip_prefix(mark)?.strip_suffix(mark).filter(|inner| !inner.contains(mark));
    strong("**").or_else(|| strong("__"))
}

/// Whether a line makes a heading of the paragraph above, also in a quotation or list.
fn is_underline(line: &str) -> bool {
    let marks = line.trim_start_matches(|c: char| c == '>' || c.is_whitespace()).trim_end();
    !marks.is_empty() && (marks.chars().all(|c| c == '=') || marks.chars().all(|c| c == '-'))
}

/// The text of a heading of any level.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start().trim_start_matches('#');
    // Another kind of space makes no heading on GitHub, and looks much like one.
    let is_heading = line.trim_start().starts_with('#') && text.starts_with(char::is_whitespace);
    is_heading.then(|| text.trim().trim_end_matches('#').trim_end())
}

fn keep(sections: &mut Map<String, Value>, section: Option<(&str, String)>) {
    if let Some((heading, text)) = section {
        let text = text.trim();
        let text = if text == NO_RESPONSE { "" } else { text };
        sections.insert(heading.to_owned(), Value::String(text.to_owned()));
    }
}

/// Whether from this line on GitHub may show something else than what stands there.
fn is_murky(line: &str) -> bool {
    let start = line.trim_start();
    let tag = |(at, _): (usize, &str)| {
        let next = line.get(at.saturating_add(1)..).and_then(|rest| rest.chars().next());
        next.is_some_and(|c| c.is_ascii_alphabetic() || "!/?".contains(c))
    };
    start.starts_with("```")
        || start.starts_with("~~~")
        || line.contains("$$")
        || line.match_indices('<').any(tag)
}

/// A section as a field of the object that the sections make.
fn field(section: &str) -> Field {
    match section.strip_prefix('=') {
        Some(fixed) => Field::Fixed(fixed.to_owned()),
        None => Field::At(format!("/{}", section.replace('~', "~0").replace('/', "~1"))),
    }
}
