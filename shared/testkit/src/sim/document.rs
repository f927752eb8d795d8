//! Reads the window out of a policy document, as IAM would understand it: independent of the code that writes
//! documents. What it does not understand has no bound, because a judge must not overlook access.

use jiff::Timestamp;
use serde_json::Value;

/// Over which time a document allows anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// From when; always, if none.
    pub(crate) from: Option<Timestamp>,
    /// Until when; for ever, if none.
    pub(crate) until: Option<Timestamp>,
}

/// The span from the first to the last moment at which some `Allow` statement holds.
pub(crate) fn span(document: &str) -> Span {
    const ALWAYS: Span = Span { from: None, until: None };
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return ALWAYS;
    };
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement) => vec![statement],
        None => return ALWAYS,
    };
    statements
        .into_iter()
        .filter(|statement| statement.get("Effect").and_then(Value::as_str) != Some("Deny"))
        .map(of_statement)
        .reduce(|a, b| Span {
            from: a.from.zip(b.from).map(|(a, b)| a.min(b)),
            until: a.until.zip(b.until).map(|(a, b)| a.max(b)),
        })
        .unwrap_or(ALWAYS)
}

fn of_statement(statement: &Value) -> Span {
    let bound = |operator: &str| {
        let keys = statement.get("Condition")?.get(operator)?.as_object()?;
        let (_, value) = keys.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:CurrentTime"))?;
        value.as_str()?.parse::<Timestamp>().ok()
    };
    Span { from: bound("DateGreaterThanEquals"), until: bound("DateLessThan") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_statement_counts() {
        let statement = |from: &str, until: &str| {
            format!(
                r#"{{"Effect":"Allow","Condition":{{"DateGreaterThanEquals":{{"aws:CurrentTime":"{from}"}},
                "DateLessThan":{{"aws:currenttime":"{until}"}}}}}}"#
            )
        };
        let [ten, eleven, noon] = ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"];
        let document = format!(r#"{{"Statement":[{},{}]}}"#, statement(ten, eleven), statement(eleven, noon));
        assert_eq!(span(&document), Span { from: ten.parse().ok(), until: noon.parse().ok() });
    }

    #[test]
    fn what_is_not_understood_has_no_bound() {
        for document in ["", "{}", r#"{"Statement":{"Effect":"Allow"}}"#, r#"{"Statement":[]}"#] {
            assert_eq!(span(document), Span { from: None, until: None }, "{document}");
        }
    }
}
