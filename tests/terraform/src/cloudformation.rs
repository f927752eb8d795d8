//! A CloudFormation template as the translator reads it: YAML with its order kept, and the intrinsic functions as calls.
//!
//! Must not know: Terraform.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};

/// A value in a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    /// As it is written: what is read is never calculated with.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// An intrinsic function by its short name (`Ref`, `Sub`, `If`), and what it is applied to.
    Call(String, Box<Node>),
}

impl Node {
    /// `!Ref AWS::NoValue`: as if the property were not there.
    pub(crate) fn is_no_value(&self) -> bool {
        matches!(self, Self::Call(name, of) if name == "Ref" && of.text() == Some("AWS::NoValue"))
    }

    pub(crate) fn no_value() -> Self {
        Self::Call("Ref".to_owned(), Box::new(Self::Text("AWS::NoValue".to_owned())))
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// A field of a mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.map()?.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The three parts of an `!If`.
    pub(crate) fn choice(&self) -> Option<(&str, &Self, &Self)> {
        let Self::Call(name, of) = self else { return None };
        match of.list() {
            Some([condition, then, otherwise]) if name == "If" => Some((condition.text()?, then, otherwise)),
            _ => None,
        }
    }
}

/// A template of `infra/`.
pub(crate) struct Template {
    root: Node,
}

/// The folder that `infra` is in.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Template {
    pub(crate) fn read(file: &str) -> Self {
        let path = workspace().join("infra").join(file);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Self {
        let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("no YAML: {error}"));
        let [document] = documents.as_slice() else { panic!("a template is one document") };
        let template = Self { root: node(document) };
        let known = [
            "AWSTemplateFormatVersion",
            "Transform",
            "Description",
            "Metadata",
            "Parameters",
            "Conditions",
            "Globals",
            "Resources",
            "Outputs",
        ];
        for (section, _) in template.root.map().unwrap_or_default() {
            assert!(known.contains(&section.as_str()), "the section `{section}` has no translation");
        }
        template
    }

    /// A section's entries in the template's order; none if there is no such section.
    pub(crate) fn section(&self, name: &str) -> &[(String, Node)] {
        self.root.get(name).and_then(Node::map).unwrap_or_default()
    }

    /// The type of a resource and, if it is not always made, its condition.
    pub(crate) fn resource(&self, id: &str) -> Option<(&str, Option<&str>)> {
        let (_, resource) = self.section("Resources").iter().find(|(name, _)| name == id)?;
        Some((resource.get("Type")?.text()?, resource.get("Condition").and_then(Node::text)))
    }

    pub(crate) fn has(&self, section: &str, name: &str) -> bool {
        self.section(section).iter().any(|(key, _)| key == name)
    }
}

fn node(yaml: &Yaml<'_>) -> Node {
    match yaml {
        Yaml::Value(Scalar::Null) => Node::Null,
        Yaml::Value(Scalar::Boolean(value)) => Node::Bool(*value),
        Yaml::Value(Scalar::Integer(value)) => Node::Number(value.to_string()),
        Yaml::Value(Scalar::FloatingPoint(value)) => Node::Number(value.to_string()),
        Yaml::Value(Scalar::String(value)) => Node::Text(value.to_string()),
        Yaml::Sequence(values) => Node::List(values.iter().map(node).collect()),
        Yaml::Mapping(fields) => Node::Map(
            fields
                .iter()
                .map(|(key, value)| {
                    let key = key.as_str().unwrap_or_else(|| panic!("a key that is no text: {key:?}"));
                    (key.to_owned(), node(value))
                })
                .collect(),
        ),
        Yaml::Tagged(tag, value) => Node::Call(tag.suffix.clone(), Box::new(node(value))),
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => panic!("not to be read: {yaml:?}"),
    }
}

#[test]
fn order_and_functions_are_kept() {
    let template = Template::parse("Outputs: {z: !Ref B, a: !If [D, !GetAtt e.F, !Ref AWS::NoValue], m: 7}");
    let outputs = template.section("Outputs");
    let names: Vec<&str> = outputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["z", "a", "m"]);
    let (condition, then, otherwise) = outputs[1].1.choice().unwrap();
    assert_eq!((condition, otherwise.is_no_value()), ("D", true));
    assert_eq!(*then, Node::Call("GetAtt".to_owned(), Box::new(Node::Text("e.F".to_owned()))));
    assert_eq!(outputs[2].1, Node::Number("7".to_owned()));
}

#[test]
#[should_panic(expected = "the section `Mappings` has no translation")]
fn a_section_that_nobody_translates_is_not_passed_over() {
    Template::parse("Mappings: {}");
}
