//! A template as CloudFormation would deploy it: its intrinsic functions carried out under given parameters.
//!
//! What is only known after a deployment is a sign, as in `deployed`. Must not know: Terraform.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ACCOUNT, PARTITION, REGION, STACK};

/// What `Ref` gives of a type, by the name that `Fn::GetAtt` or common sense has for it. What is not here is no name.
const REFS: &[(&str, &str)] = &[
    ("AWS::CloudWatch::Dashboard", "Name"),
    ("AWS::DynamoDB::Table", "Name"),
    ("AWS::Events::EventBus", "Name"),
    ("AWS::IAM::ManagedPolicy", "Arn"),
    ("AWS::IAM::Role", "Name"),
    ("AWS::KMS::Key", "Id"),
    ("AWS::Logs::LogGroup", "Name"),
    ("AWS::S3::Bucket", "Name"),
    ("AWS::SQS::Queue", "Url"),
    ("AWS::Scheduler::ScheduleGroup", "Name"),
    ("AWS::SecretsManager::Secret", "Arn"),
    ("AWS::Serverless::Function", "Name"),
    ("AWS::Serverless::HttpApi", "Id"),
];

/// A template under parameters.
pub(super) struct Wanted<'a> {
    template: &'a Value,
    parameters: Map<String, Value>,
    conditions: BTreeMap<String, bool>,
}

/// A value, or none for `AWS::NoValue`.
type Carried = Result<Option<Value>, String>;

impl<'a> Wanted<'a> {
    /// Under `given` parameters; those that are not given have their defaults.
    pub(super) fn of(template: &'a Value, given: &Map<String, Value>) -> Result<Self, String> {
        let mut parameters = Map::new();
        for (name, parameter) in fields(&template["Parameters"])? {
            let value = given.get(name).or_else(|| parameter.get("Default"));
            let value = value.ok_or_else(|| format!("the parameter {name} has no value"))?;
            parameters.insert(name.clone(), typed(parameter, value)?);
        }
        let mut wanted = Self { template, parameters, conditions: BTreeMap::new() };
        for (name, condition) in fields(&template["Conditions"])? {
            let holds = wanted.holds(condition)?;
            wanted.conditions.insert(name.clone(), holds);
        }
        Ok(wanted)
    }

    /// Which conditions hold.
    pub(super) fn conditions(&self) -> &BTreeMap<String, bool> {
        &self.conditions
    }

    /// Resources that are made, by name: the whole entry, with its properties carried out.
    pub(super) fn resources(&self) -> Result<BTreeMap<String, Map<String, Value>>, String> {
        let mut made = BTreeMap::new();
        for (id, resource) in fields(&self.template["Resources"])? {
            if self.is_made(resource)? {
                let mut resource = resource.as_object().cloned().unwrap_or_default();
                let properties = resource.get("Properties").cloned().unwrap_or_else(|| json!({}));
                let properties = self.carried(&properties).map_err(|error| format!("{id}: {error}"))?;
                resource.insert("Properties".to_owned(), properties.ok_or("no properties")?);
                made.insert(id.clone(), resource);
            }
        }
        Ok(made)
    }

    /// What holds for every function.
    pub(super) fn of_all_functions(&self) -> Result<Value, String> {
        Ok(self.carried(&self.template["Globals"]["Function"])?.unwrap_or_default())
    }

    /// The outputs' values; null where there is none.
    pub(super) fn outputs(&self) -> Result<BTreeMap<String, Value>, String> {
        let mut outputs = BTreeMap::new();
        for (name, output) in fields(&self.template["Outputs"])? {
            let value = if self.is_made(output)? { self.carried(&output["Value"])? } else { None };
            outputs.insert(name.clone(), value.unwrap_or_default());
        }
        Ok(outputs)
    }

    fn is_made(&self, of: &Value) -> Result<bool, String> {
        match &of["Condition"] {
            Value::Null => Ok(true),
            Value::String(name) => self.condition(name),
            other => Err(format!("no condition: {other}")),
        }
    }

    fn condition(&self, name: &str) -> Result<bool, String> {
        self.conditions.get(name).copied().ok_or_else(|| format!("no condition {name}"))
    }

    fn holds(&self, condition: &Value) -> Result<bool, String> {
        let (function, of) = single(condition).ok_or_else(|| format!("no condition: {condition}"))?;
        let list = || of.as_array().ok_or_else(|| format!("no list: {of}"));
        match function {
            "Fn::Equals" => {
                let sides = list()?.iter().map(|side| self.carried(side)).collect::<Result<Vec<_>, _>>()?;
                match sides.as_slice() {
                    [one, other] => Ok(one == other),
                    _ => Err(format!("two sides: {of}")),
                }
            }
            "Fn::Not" => {
                Ok(!list()?.iter().map(|one| self.holds(one)).collect::<Result<Vec<_>, _>>()?.contains(&true))
            }
            "Fn::And" => Ok(!list()?
                .iter()
                .map(|one| self.holds(one))
                .collect::<Result<Vec<_>, _>>()?
                .contains(&false)),
            "Fn::Or" => {
                Ok(list()?.iter().map(|one| self.holds(one)).collect::<Result<Vec<_>, _>>()?.contains(&true))
            }
            "Fn::Condition" | "Condition" => self.condition(of.as_str().unwrap_or_default()),
            _ => Err(format!("no condition: {condition}")),
        }
    }

    /// A value with its functions carried out.
    fn carried(&self, value: &Value) -> Carried {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.carried(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Some(items.into_iter().flatten().collect()))
            }
            Value::Object(all) => match single(value) {
                Some((function, of)) if function == "Ref" || function.starts_with("Fn::") => {
                    self.function(function, of)
                }
                _ => {
                    let mut fields = Map::new();
                    for (key, value) in all {
                        if let Some(value) = self.carried(value)? {
                            fields.insert(key.clone(), value);
                        }
                    }
                    Ok(Some(Value::Object(fields)))
                }
            },
            plain => Ok(Some(plain.clone())),
        }
    }

    fn function(&self, function: &str, of: &Value) -> Carried {
        let text = || of.as_str().ok_or_else(|| format!("{function} of {of}"));
        match (function, of.as_array().map(Vec::as_slice)) {
            ("Ref", _) => self.reference(text()?),
            ("Fn::GetAtt", _) => self.attribute(text()?).map(Some),
            ("Fn::Sub", None) => self.substituted(text()?, &Value::Null).map(|text| Some(text.into())),
            ("Fn::Sub", Some([text, values])) => {
                let values = self.carried(values)?.unwrap_or_default();
                self.substituted(text.as_str().unwrap_or_default(), &values).map(|text| Some(text.into()))
            }
            ("Fn::If", Some([condition, then, otherwise])) => {
                let holds = self.condition(condition.as_str().unwrap_or_default())?;
                self.carried(if holds { then } else { otherwise })
            }
            ("Fn::Join", Some([between, parts])) => {
                let parts = self.carried(parts)?.unwrap_or_default();
                let parts: Vec<&str> =
                    parts.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                Ok(Some(parts.join(between.as_str().unwrap_or_default()).into()))
            }
            _ => Err(format!("{function} of {of}")),
        }
    }

    fn reference(&self, name: &str) -> Carried {
        let known = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::StackName" => STACK,
            "AWS::AccountId" => ACCOUNT,
            "AWS::Partition" => PARTITION,
            "AWS::Region" => REGION,
            _ => match self.parameters.get(name) {
                Some(value) => return Ok(Some(value.clone())),
                None => {
                    let kind = self.kind(name)?;
                    let called = REFS.iter().find(|(of, _)| *of == kind);
                    let (_, called) = called.ok_or_else(|| format!("what is a {kind} named by?"))?;
                    return Ok(Some(format!("⟨{name}.{called}⟩").into()));
                }
            },
        };
        Ok(Some(known.into()))
    }

    fn kind(&self, id: &str) -> Result<&str, String> {
        self.template["Resources"][id]["Type"].as_str().ok_or_else(|| format!("there is no {id}"))
    }

    fn attribute(&self, path: &str) -> Result<Value, String> {
        let (id, attribute) = path.split_once('.').ok_or_else(|| format!("no attribute: {path}"))?;
        let called = match (self.kind(id)?, attribute) {
            ("AWS::SecretsManager::Secret", "Id") => "Arn",
            ("AWS::SQS::Queue", "QueueName") => "Name",
            _ => attribute,
        };
        Ok(format!("⟨{id}.{called}⟩").into())
    }

    fn substituted(&self, text: &str, values: &Value) -> Result<String, String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("no end: {text}"))?;
            result.push_str(before);
            let value = if let Some(verbatim) = name.strip_prefix('!') {
                format!("${{{verbatim}}}")
            } else if let Some(value) = values.get(name) {
                plain(value)
            } else if name.contains('.') {
                plain(&self.attribute(name)?)
            } else {
                plain(&self.reference(name)?.unwrap_or_default())
            };
            result.push_str(&value);
            rest = after;
        }
        Ok(result + rest)
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A parameter's value in its type.
fn typed(parameter: &Value, value: &Value) -> Result<Value, String> {
    match parameter["Type"].as_str() {
        Some("String") => Ok(plain(value).into()),
        Some("Number") => serde_json::from_str(&plain(value)).map_err(|error| format!("{value}: {error}")),
        Some("CommaDelimitedList") if plain(value).is_empty() => Ok(json!([])),
        Some("CommaDelimitedList") => Ok(plain(value).split(',').map(Value::from).collect()),
        other => Err(format!("a parameter of type {other:?}")),
    }
}

/// The fields of a mapping; none if there is no mapping.
fn fields(value: &Value) -> Result<Vec<(&String, &Value)>, String> {
    match value {
        Value::Object(fields) => Ok(fields.iter().collect()),
        Value::Null => Ok(Vec::new()),
        other => Err(format!("no mapping: {other}")),
    }
}

/// The only field of a mapping.
fn single(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object()?;
    if fields.len() == 1 { fields.iter().next().map(|(key, value)| (key.as_str(), value)) } else { None }
}
