//! Reads policy documents as IAM does, as far as time is concerned: independent of the code that writes
//! them. Whatever it does not understand counts as access, because a judge must not overlook any.

use jiff::Timestamp;
use serde_json::Value;

/// Whether any `Allow` statement of the document is in effect at `at`.
#[must_use]
pub(crate) fn in_effect(document: &str, at: Timestamp) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return true;
    };
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement) => vec![statement],
        None => return true,
    };
    statements.into_iter().any(|statement| {
        statement.get("Effect").and_then(Value::as_str) != Some("Deny") && conditions_hold(statement, at)
    })
}

/// All condition operators of a statement have to hold.
fn conditions_hold(statement: &Value, at: Timestamp) -> bool {
    let Some(Value::Object(operators)) = statement.get("Condition") else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        let bound = keys
            .as_object()
            .and_then(|keys| keys.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:CurrentTime")))
            .and_then(|(_, bound)| bound.as_str())
            .and_then(|bound| bound.parse::<Timestamp>().ok());
        let Some(bound) = bound else {
            return true;
        };
        match operator.as_str() {
            "DateGreaterThanEquals" => at >= bound,
            "DateGreaterThan" => at > bound,
            "DateLessThan" => at < bound,
            "DateLessThanEquals" => at <= bound,
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(document: &str, at: &str) -> bool {
        in_effect(document, at.parse().unwrap())
    }

    #[test]
    fn a_statement_holds_inside_its_window_only() {
        let document = r#"{"Statement":[{"Effect":"Allow","Condition":{
            "DateGreaterThanEquals":{"aws:CurrentTime":"2026-01-01T10:00:00Z"},
            "DateLessThan":{"aws:CurrentTime":"2026-01-01T11:00:00Z"}}}]}"#;
        assert!(!allowed(document, "2026-01-01T09:59:59Z"));
        assert!(allowed(document, "2026-01-01T10:00:00Z"));
        assert!(allowed(document, "2026-01-01T10:59:59Z"));
        assert!(!allowed(document, "2026-01-01T11:00:00Z"));
    }

    #[test]
    fn one_statement_without_a_window_is_access_for_ever() {
        let document = r#"{"Statement":[
            {"Effect":"Allow","Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-01T11:00:00Z"}}},
            {"Effect":"Allow"}]}"#;
        assert!(allowed(document, "2030-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_not_understood_counts_as_access() {
        for document in ["", "{}", r#"{"Statement":{"Effect":"Allow","Condition":{"Bool":{"x":"y"}}}}"#] {
            assert!(allowed(document, "2026-01-01T00:00:00Z"), "{document}");
        }
        assert!(!allowed(r#"{"Statement":{"Effect":"Deny"}}"#, "2026-01-01T00:00:00Z"));
    }
}
