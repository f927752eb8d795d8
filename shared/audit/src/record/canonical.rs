//! Canonical JSON, strictly: the only bytes that a value may be written in. Nothing else is read as evidence, because
//! what one program reads out of odd JSON another might not.

use curfew_domain::event::canonical_json;
use serde_json::Value;

/// How deep evidence may be nested. What Curfew writes is far from it.
const DEPTH_MAX: usize = 32;

/// Reads canonical JSON without fractions.
pub(super) fn parse(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    (is_plain(&value, DEPTH_MAX) && canonical_json(&value).as_bytes() == bytes).then_some(value)
}

/// Whether every number is a whole one that fits into 64 bits, and nothing is nested too deeply. How fractions are
/// written differs between programs.
fn is_plain(value: &Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::Array(items) => items.iter().all(|item| is_plain(item, depth)),
        Value::Object(map) => map.values().all(|item| is_plain(item, depth)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_write_a_value() {
        for good in [
            r#"{"a":1,"b":[null,true,"\u001f\n\\ü/"]}"#,
            "18446744073709551615",
            "-9223372036854775808",
            "{}",
        ] {
            assert!(parse(good.as_bytes()).is_some(), "{good}");
        }
        let deep = "[".repeat(40) + &"]".repeat(40);
        for bad in [
            r#"{"b":1,"a":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{ "a":1}"#,
            r#"{"a":1} "#,
            "{\"a\":1}\n",
            "1.0",
            "1e3",
            "-0",
            "18446744073709551616",
            r#""\u00fc""#,
            r#""\/""#,
            r#""\u001F""#,
            r#""\ud800""#,
            "",
            "nan",
            &deep,
        ] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(parse(b"\"\xff\"").is_none());
    }
}
