//! A module as Terraform would deploy it: the committed files, read by a parser of the language and evaluated.
//!
//! What is only known after a deployment (an ARN, a generated id) is a sign that says whose and which it is: `⟨Ledger.Arn⟩`,
//! by the resource's name in the template. Must not know: how the files were made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hcl::eval::{Context, Evaluate as _, FuncArgs, FuncDef, ParamType};
use hcl::expr::{Expression, Traversal};
use hcl::{Block, Body};
use serde_json::{Map, Value, json};

use super::{ACCOUNT, PARTITION, REGION};

/// What is deployed: a resource's arguments by its type and its name without hyphens.
pub(super) type Resources = BTreeMap<String, Value>;

/// A module's blocks.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) blocks: Vec<Block>,
}

impl Source {
    pub(super) fn read(folder: &Path) -> Self {
        crate::committed::renewed();
        let mut blocks = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "tf") {
                blocks.extend(Self::parse(&std::fs::read_to_string(&path).unwrap()).blocks);
            }
        }
        Self { blocks }
    }

    pub(super) fn parse(text: &str) -> Self {
        let body = hcl::parse(text).unwrap_or_else(|error| panic!("not Terraform's language: {error}"));
        assert_eq!(body.attributes().count(), 0, "an argument outside of a block");
        Self { blocks: body.into_blocks().collect() }
    }

    /// The blocks of a kind, with their labels.
    pub(super) fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (Vec<&'a str>, &'a Block)> {
        let blocks = self.blocks.iter().filter(move |block| block.identifier() == kind);
        blocks.map(|block| (block.labels().iter().map(|label| label.as_str()).collect(), block))
    }
}

/// A name without what sets its words apart.
pub(super) fn squashed(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

/// The argument of a block.
pub(super) fn argument<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    body.attributes().find(|attribute| attribute.key() == name).map(|attribute| attribute.expr())
}

/// Everything that may be named in a module, with its value.
pub(super) struct Known {
    context: Context<'static>,
}

/// What of a resource may be named, and what the template calls it.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("api_endpoint", "ApiEndpoint"),
    ("arn", "Arn"),
    ("bucket", "Name"),
    ("dashboard_name", "Name"),
    ("execution_arn", "ExecutionArn"),
    ("function_name", "Name"),
    ("function_url", "FunctionUrl"),
    ("id", "Id"),
    ("invoke_arn", "InvokeArn"),
    ("key_id", "Id"),
    ("name", "Name"),
    ("stream_arn", "StreamArn"),
    ("url", "Url"),
];

fn sign(kind: &str, name: &str, attribute: &str, called: &str, ids: &[String]) -> String {
    let called = match (kind, attribute) {
        // Without its streams, which CloudFormation means.
        ("aws_cloudwatch_log_group", "arn") => "GroupArn",
        _ => called,
    };
    match ids.iter().find(|id| squashed(id) == squashed(name)) {
        Some(id) => format!("⟨{id}.{called}⟩"),
        None => format!("⟨{kind}.{}.{called}⟩", squashed(name)),
    }
}

fn array(values: &FuncArgs, n: usize) -> Vec<hcl::Value> {
    values.get(n).and_then(hcl::Value::as_array).cloned().unwrap_or_default()
}

fn text(values: &FuncArgs, n: usize) -> String {
    values.get(n).and_then(hcl::Value::as_str).unwrap_or_default().to_owned()
}

fn joined(values: FuncArgs) -> Result<hcl::Value, String> {
    let parts: Vec<String> =
        array(&values, 1).iter().map(|part| part.as_str().unwrap_or_default().to_owned()).collect();
    Ok(parts.join(&text(&values, 0)).into())
}

fn encoded(values: FuncArgs) -> Result<hcl::Value, String> {
    let value = values.first().ok_or("no value")?;
    serde_json::to_string(value).map(hcl::Value::from).map_err(|error| error.to_string())
}

impl Known {
    /// With a template's `ids`, under `variables`; those that are not given have their defaults.
    pub(super) fn of(
        source: &Source,
        variables: &Map<String, Value>,
        ids: &[String],
    ) -> Result<Self, String> {
        let mut context = Context::new();
        let any = || FuncDef::builder().param(ParamType::Any);
        context.declare_func("jsonencode", any().build(encoded));
        context.declare_func(
            "join",
            FuncDef::builder().param(ParamType::String).param(ParamType::Any).build(joined),
        );
        let chomp = |values: FuncArgs| Ok(text(&values, 0).trim_end_matches('\n').into());
        context.declare_func("chomp", any().build(chomp));
        let hash = |values: FuncArgs| Ok(format!("⟨hash of {}⟩", text(&values, 0)).into());
        context.declare_func("filebase64sha256", any().build(hash));

        let mut values = Map::new();
        for (labels, block) in source.all("variable") {
            let [name] = labels.as_slice() else { return Err(format!("a variable {labels:?}")) };
            let value = match (variables.get(*name), argument(block.body(), "default")) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => json_of(default, &context)?,
                (None, None) => return Err(format!("the variable {name} has no value")),
            };
            values.insert((*name).to_owned(), value);
        }
        declare(&mut context, "var", Value::Object(values))?;

        let data = json!({
            "aws_caller_identity": { "current": { "account_id": ACCOUNT } },
            "aws_partition": { "current": { "partition": PARTITION } },
            "aws_region": { "current": { "region": REGION } },
        });
        declare(&mut context, "data", data)?;
        let mut locals = Map::new();
        let mut left: Vec<_> =
            source.all("locals").flat_map(|(_, block)| block.body().attributes()).collect();
        loop {
            declare(&mut context, "local", Value::Object(locals.clone()))?;
            let before = left.len();
            left.retain(|local| match json_of(local.expr(), &context) {
                Ok(value) => locals.insert(local.key().to_owned(), value).is_some(),
                Err(_) => true,
            });
            match left.first() {
                None => break,
                Some(local) if left.len() == before => {
                    json_of(local.expr(), &context)?;
                }
                Some(_) => {}
            }
        }
        declare(&mut context, "local", Value::Object(locals))?;

        let mut kinds: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for (labels, block) in source.all("resource") {
            let [kind, name] = labels.as_slice() else { return Err(format!("a resource {labels:?}")) };
            let signs = ATTRIBUTES.iter().map(|(attribute, called)| {
                ((*attribute).to_owned(), sign(kind, name, attribute, called, ids).into())
            });
            let mut signs = Value::Object(signs.collect());
            if argument(block.body(), "count").is_some() {
                signs = json!([signs]);
            }
            kinds.entry(kind).or_default().insert((*name).to_owned(), signs);
        }
        for (kind, resources) in kinds {
            declare(&mut context, kind, Value::Object(resources))?;
        }
        Ok(Self { context })
    }

    /// What a resource is deployed with; none if there are to be none of it.
    pub(super) fn resource(&self, block: &Block) -> Result<Option<Value>, String> {
        if let Some(count) = argument(block.body(), "count") {
            match json_of(count, &self.context)?.as_u64() {
                Some(0) => return Ok(None),
                Some(1) => {}
                other => return Err(format!("{other:?} of a resource")),
            }
        }
        let mut arguments = self.arguments(block.body())?;
        arguments.remove("count");
        Ok(Some(Value::Object(arguments)))
    }

    /// Arguments, and blocks as if they were: one as a mapping, several as a list of them.
    fn arguments(&self, body: &Body) -> Result<Map<String, Value>, String> {
        let mut arguments = Map::new();
        for attribute in body.attributes() {
            let value = match attribute.key() {
                "depends_on" => names(attribute.expr())?,
                key => {
                    let value = json_of(attribute.expr(), &self.context)?;
                    let document = value.is_string() && (key.ends_with("policy") || key == "dashboard_body");
                    if document { read(value)? } else { value }
                }
            };
            if !value.is_null() {
                arguments.insert(attribute.key().to_owned(), value);
            }
        }
        let kinds: BTreeSet<&str> = body.blocks().map(Block::identifier).collect();
        for kind in kinds {
            let blocks = body.blocks().filter(|block| block.identifier() == kind);
            let mut each = Vec::new();
            for block in blocks {
                each.push(Value::Object(self.arguments(block.body())?));
            }
            let value = if each.len() == 1 { each.remove(0) } else { Value::Array(each) };
            arguments.insert(kind.to_owned(), value);
        }
        Ok(arguments)
    }

    pub(super) fn resources(&self, source: &Source) -> Result<Resources, String> {
        let mut resources = Resources::new();
        for (labels, block) in source.all("resource") {
            let address = address(&labels);
            if let Some(arguments) = self.resource(block).map_err(|error| format!("{address}: {error}"))? {
                let twice = resources.insert(address.clone(), arguments);
                if twice.is_some() {
                    return Err(format!("{address} is there twice"));
                }
            }
        }
        Ok(resources)
    }

    /// The outputs' values, null where there is none.
    pub(super) fn outputs(&self, source: &Source) -> Result<BTreeMap<String, Value>, String> {
        let outputs = source.all("output").map(|(labels, block)| {
            let value = argument(block.body(), "value").ok_or_else(|| format!("{labels:?} has no value"))?;
            Ok((squashed(&labels.concat()), json_of(value, &self.context)?))
        });
        outputs.collect()
    }
}

/// `aws_sqs_queue.deadletters`
pub(super) fn address(labels: &[&str]) -> String {
    match labels {
        [kind, name] => format!("{kind}.{}", squashed(name)),
        other => panic!("a resource has a type and a name: {other:?}"),
    }
}

fn declare(context: &mut Context<'static>, name: &str, value: Value) -> Result<(), String> {
    let value = hcl::to_value(value).map_err(|error| error.to_string())?;
    context.declare_var(name, value);
    Ok(())
}

fn json_of(expression: &Expression, context: &Context<'_>) -> Result<Value, String> {
    let value = expression.evaluate(context).map_err(|error| error.to_string())?;
    let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
    Ok(streams(value))
}

/// What stands for a log group's streams, with the group before it.
fn streams(value: Value) -> Value {
    match value {
        Value::String(text) => text.replace(".GroupArn⟩:*", ".Arn⟩").into(),
        Value::Array(items) => items.into_iter().map(streams).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, streams(value))).collect(),
        other => other,
    }
}

/// A policy or a dashboard, read.
fn read(value: Value) -> Result<Value, String> {
    match &value {
        Value::String(text) => {
            serde_json::from_str(text).map_err(|error| format!("no JSON: {error}: {text}"))
        }
        _ => Err(format!("no JSON: {value}")),
    }
}

/// Names that are meant, not their values.
fn names(expression: &Expression) -> Result<Value, String> {
    let Expression::Array(items) = expression else { return Err(format!("no list: {expression:?}")) };
    let name = |item: &Expression| match item {
        Expression::Traversal(traversal) => path(traversal),
        other => Err(format!("no name: {other:?}")),
    };
    let mut names = items.iter().map(name).collect::<Result<Vec<String>, String>>()?;
    names.sort_unstable();
    Ok(json!(names))
}

fn path(traversal: &Traversal) -> Result<String, String> {
    let written = hcl::format::to_string(traversal).map_err(|error| error.to_string())?;
    match written.split('.').collect::<Vec<_>>().as_slice() {
        [kind, name] => Ok(address(&[kind, name])),
        _ => Err(format!("no resource: {written}")),
    }
}
