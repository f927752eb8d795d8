//! The modules use nothing that the provider does not have: every argument, block and attribute is in arguments.toml,
//! which is taken from the provider's documentation; and what it requires is there.

use std::collections::BTreeSet;
use std::path::Path;

use hcl::Body;
use hcl::eval::{Context, Evaluate as _};
use toml::{Table, Value};

use crate::cloudformation::workspace;
use crate::committed::renewed;
use crate::module::{MODULES, Module, PROVIDER};

/// What every resource may say, whatever it is.
const OF_ALL: [&str; 2] = ["count", "depends_on"];
const LIFECYCLE: [&str; 1] = ["prevent_destroy"];

fn table() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("arguments.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn texts(files: &Module) -> Vec<(String, String)> {
    renewed();
    let folder = workspace().join("infra").join(files.folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "tf"));
    paths
        .map(|path| {
            let name = format!("{}/{}", files.folder, path.file_name().unwrap().to_string_lossy());
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn names<'a>(of: &'a Table, key: &str) -> BTreeSet<&'a str> {
    let list = of.get(key).and_then(Value::as_array).unwrap_or_else(|| panic!("no `{key}`: {of:?}"));
    list.iter().filter_map(Value::as_str).collect()
}

/// The blocks of a type that were met, so that none stands in the table for nothing.
type Met = BTreeSet<(String, String)>;

fn check(
    place: &str,
    kind: &str,
    path: &str,
    of: &Table,
    blocks: Option<&Table>,
    body: &Body,
    met: &mut Met,
) {
    let (required, optional) = (names(of, "required"), names(of, "optional"));
    let given: BTreeSet<&str> = body.attributes().map(|attribute| attribute.key()).collect();
    for name in &given {
        let general = path.is_empty() && OF_ALL.contains(name);
        assert!(
            general || required.contains(name) || optional.contains(name),
            "{place}: the provider has no argument `{name}` in {kind} {path}, as far as arguments.toml knows"
        );
    }
    for name in required {
        assert!(given.contains(name), "{place}: {kind} {path} requires `{name}`");
    }
    for block in body.blocks() {
        let inner = [path, block.identifier()].join(".").trim_start_matches('.').to_owned();
        if inner == "lifecycle" {
            assert!(
                block.body().attributes().all(|attribute| LIFECYCLE.contains(&attribute.key())),
                "{place}"
            );
            continue;
        }
        let known = blocks.and_then(|blocks| blocks.get(&inner)).and_then(Value::as_table);
        let known = known.unwrap_or_else(|| panic!("{place}: the provider has no block `{inner}` in {kind}"));
        met.insert((kind.to_owned(), inner.clone()));
        check(place, kind, &inner, known, blocks, block.body(), met);
    }
}

#[test]
fn arguments_are_those_of_the_provider() {
    let table = table();
    let data = table["data"].as_table().unwrap();
    let mut met = Met::new();
    for (name, text) in MODULES.iter().flat_map(texts) {
        let body = hcl::parse(&text).unwrap_or_else(|error| panic!("infra/{name}: {error}"));
        for block in body.blocks() {
            let known = match block.identifier() {
                "resource" => &table,
                "data" => data,
                _ => continue,
            };
            let labels: Vec<&str> = block.labels().iter().map(|label| label.as_str()).collect();
            let place = format!("infra/{name}, {}", labels.join("."));
            let of = known.get(labels[0]).and_then(Value::as_table);
            let of = of.unwrap_or_else(|| panic!("{place}: {} is not in arguments.toml", labels[0]));
            let blocks = of.get("blocks").and_then(Value::as_table);
            met.insert((labels[0].to_owned(), String::new()));
            check(&place, labels[0], "", of, blocks, block.body(), &mut met);
        }
    }
    let all = table.iter().filter(|(name, _)| !["version", "data"].contains(&name.as_str())).chain(data);
    for (kind, of) in all {
        let documentation = of["documentation"].as_str().unwrap();
        let version = table["version"].as_str().unwrap();
        assert!(documentation.contains(&format!("/v{version}/")), "{kind}: {documentation}");
        assert!(
            met.contains(&(kind.clone(), String::new())),
            "nothing is a {kind}: take it out of arguments.toml"
        );
        for block in of.get("blocks").and_then(Value::as_table).into_iter().flat_map(Table::keys) {
            assert!(met.contains(&(kind.clone(), block.clone())), "nothing has a {block} in {kind}");
        }
    }
}

#[test]
fn attributes_are_those_of_the_provider() {
    let table = table();
    let data = table["data"].as_table().unwrap();
    let named = regex::Regex::new(r"(data\.)?\b(aws_\w+)\.\w+(?:\[0\])?\.(\w+)").unwrap();
    let mut met = BTreeSet::new();
    for (name, text) in MODULES.iter().flat_map(texts) {
        for found in named.captures_iter(&text) {
            let known = if found.get(1).is_some() { data } else { &table };
            let (kind, attribute) = (&found[2], &found[3]);
            let of = known.get(kind).and_then(Value::as_table);
            let of = of.unwrap_or_else(|| panic!("infra/{name}: {kind} is not in arguments.toml"));
            assert!(
                names(of, "attributes").contains(attribute),
                "infra/{name}: the provider has no attribute `{attribute}` of {kind}, as far as arguments.toml knows"
            );
            met.insert((kind.to_owned(), attribute.to_owned()));
        }
    }
    for (kind, of) in table.iter().chain(data).filter(|(name, _)| name.starts_with("aws_")) {
        for attribute in names(of.as_table().unwrap(), "attributes") {
            assert!(met.contains(&(kind.clone(), attribute.to_owned())), "nobody names {kind}'s {attribute}");
        }
    }
}

#[test]
fn the_provider_asked_for_is_the_one_that_was_looked_up() {
    let table = table();
    let version = table["version"].as_str().unwrap();
    let (major_and_minor, _) = version.rsplit_once('.').unwrap();
    assert_eq!(PROVIDER, format!("~> {major_and_minor}"));
    for module in &MODULES {
        let versions = texts(module).into_iter().find(|(name, _)| name.ends_with("/versions.tf"));
        let (name, text) = versions.unwrap_or_else(|| panic!("infra/{} has no versions.tf", module.folder));
        let body = hcl::parse(&text).unwrap();
        let terraform = body.blocks().find(|block| block.identifier() == "terraform").unwrap();
        let providers =
            terraform.body().blocks().find(|block| block.identifier() == "required_providers").unwrap();
        let aws = providers.body().attributes().find(|attribute| attribute.key() == "aws").unwrap();
        let aws = aws.expr().evaluate(&Context::new()).unwrap();
        let aws = serde_json::to_value(aws).unwrap();
        assert_eq!(aws["source"], "hashicorp/aws", "infra/{name}");
        assert_eq!(aws["version"], PROVIDER, "infra/{name}");
    }
}
