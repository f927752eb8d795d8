//! Findings as SARIF 2.1.0, for code scanning.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use serde_json::{Value, json};

use super::finding::{Rule, Told};

/// One run of the check, as a SARIF log.
#[must_use]
pub fn log(findings: &[Told]) -> Value {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| json!({ "id": rule.id(), "shortDescription": { "text": rule.summary() } }))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "curfew",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(told: &Told) -> Value {
    json!({
        "ruleId": told.rule.id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == told.rule),
        "level": told.grade.as_str(),
        "message": { "text": format!("{}; {}", told.message, told.remedy) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&told.file) },
            "region": { "startLine": told.line, "startColumn": told.column },
        } }],
    })
}

/// A path as a URI reference: with slashes, and percent-encoded where RFC 3986 wants it.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    if path.starts_with('/') { format!("file://{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        for (path, is) in [
            ("infra/catalog/roles.toml", "infra/catalog/roles.toml"),
            ("a b/ü.cedar", "a%20b/%C3%BC.cedar"),
            ("/srv/x.toml", "file:///srv/x.toml"),
        ] {
            assert_eq!(uri(path), is);
        }
    }
}
