//! JSON, read more strictly than `serde_json` does by itself: a field that appears twice is refused
//! (two readers of one document must never see two different things), and so is deep nesting.

use std::fmt;

use curfew_domain::ids::shown;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::{MAX_FOREIGN_JSON_DEPTH, MAX_JSON_DEPTH};

/// Parses a whole document.
///
/// # Errors
/// What is wrong and where (line and column). Apart from the name of a repeated field, escaped and cut,
/// the message quotes nothing of the document, so it is safe for documents that hold secrets.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    parse_to(MAX_JSON_DEPTH, text)
}

/// Parses another sender's document.
pub(crate) fn parse_foreign(text: &str) -> Result<Value, serde_json::Error> {
    parse_to(MAX_FOREIGN_JSON_DEPTH, text)
}

fn parse_to(limit: usize, text: &str) -> Result<Value, serde_json::Error> {
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Strict { depth_left: limit, limit }.deserialize(&mut source)?;
    source.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth_left: usize,
    limit: usize,
}

impl Strict {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(E::custom(format_args!("nested deeper than {} levels", self.limit))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the field {} appears twice", shown(&name))));
            }
            let value = fields.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_json_reads_is_read_the_same() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,1.5,"ü\u0000"],"b":{"c":{}}}"#;
        assert_eq!(parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn a_field_twice_is_refused_at_every_level() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"a":3}}]"#, r#"{"a":1,"\u0061":2}"#] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("the field `a` appears twice at line 1"), "{error}");
        }
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_JSON_DEPTH)).is_ok());
        for depth in [MAX_JSON_DEPTH + 1, 10_000] {
            let error = parse(&nested(depth)).unwrap_err().to_string();
            assert!(error.contains("nested deeper than 8 levels"), "{error}");
        }
        assert!(parse(&r#"{"a":"#.repeat(10_000)).is_err());
    }

    #[test]
    fn broken_documents_are_refused_with_their_place() {
        for (text, cause) in [
            ("", "EOF"),
            ("{", "EOF"),
            (r#"{"a":"b"#, "EOF"),
            ("{} {}", "trailing characters"),
            ("\u{feff}{}", "expected value"),
            ("{\"a\":\"\u{1}\"}", "control character"),
            (r#"{"a":"\ud800"}"#, "hex escape"),
            ("1e999", "out of range"),
            ("NaN", "expected"),
            ("{'a':1}", "key must be a string"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(cause) && error.contains(" at line 1 column "), "{text:?}: {error}");
        }
    }
}
