//! Reading a CloudFormation template: YAML, with the intrinsic functions' short forms written out as JSON has them.

use std::path::Path;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// A template of `infra/`.
pub(crate) fn template(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("infra").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parsed(&text)
}

/// A template's text.
pub(crate) fn parsed(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("no YAML: {error}"));
    let [document] = documents.as_slice() else { panic!("a template is one document") };
    json_of(document)
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(values) => values.iter().map(json_of).collect(),
        Yaml::Mapping(fields) => {
            let fields = fields.iter().map(|(key, value)| {
                let key = key.as_str().unwrap_or_else(|| panic!("a key that is no text: {key:?}"));
                (key.to_owned(), json_of(value))
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        // `!Ref x` is {"Ref": "x"}, every other `!Name x` is {"Fn::Name": x}.
        Yaml::Tagged(tag, value) => {
            let name = if tag.suffix == "Ref" { "Ref".to_owned() } else { format!("Fn::{}", tag.suffix) };
            json!({ name: json_of(value) })
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => panic!("not to be read: {yaml:?}"),
    }
}

/// The resources of a type, by name.
pub(crate) fn resources<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let all = template["Resources"].as_object().expect("a template has resources");
    let found: Vec<_> = all
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(name, of)| (name.as_str(), of))
        .collect();
    assert!(!found.is_empty(), "the template has no {kind}");
    found
}

/// What a value may be, whatever the template's conditions: both branches of each `Fn::If`, without `AWS::NoValue`.
pub(crate) fn possibilities(value: &Value) -> Vec<&Value> {
    match value["Fn::If"].as_array().map(Vec::as_slice) {
        Some([_, then, otherwise]) => [possibilities(then), possibilities(otherwise)].concat(),
        _ if value["Ref"] == "AWS::NoValue" => Vec::new(),
        _ => vec![value],
    }
}

/// A list or a single value, as IAM takes both.
pub(crate) fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().flat_map(possibilities).collect(),
        one => possibilities(one),
    }
}

#[test]
fn short_forms_are_written_out() {
    let documents =
        Yaml::load_from_str("{a: !Ref B, c: !If [D, !GetAtt e.F, !Ref AWS::NoValue], g: 7, h: !Sub '${i}'}");
    let read = json_of(&documents.expect("YAML")[0]);
    let expected = json!({
        "a": { "Ref": "B" },
        "c": { "Fn::If": ["D", { "Fn::GetAtt": "e.F" }, { "Ref": "AWS::NoValue" }] },
        "g": 7,
        "h": { "Fn::Sub": "${i}" },
    });
    assert_eq!(read, expected);
    assert_eq!(possibilities(&read["c"]), [&json!({ "Fn::GetAtt": "e.F" })]);
}
