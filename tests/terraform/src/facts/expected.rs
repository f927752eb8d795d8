//! What Terraform has to deploy for each resource of a template, said once more and independently of the translator: by
//! type, all arguments with their values, no more and no less.
//!
//! A property that is read by nobody here is an error, as is a type.

mod functions;
mod storage;
mod watch;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::deployed::{Resources, squashed};
use super::wanted::Wanted;
use super::{ACCOUNT, STACK};

/// Properties that are yet to be read.
pub(super) struct Left {
    place: String,
    fields: Map<String, Value>,
}

impl Left {
    fn of(place: &str, value: &Value) -> Result<Self, String> {
        match value {
            Value::Object(fields) => Ok(Self { place: place.to_owned(), fields: fields.clone() }),
            Value::Null => Ok(Self { place: place.to_owned(), fields: Map::new() }),
            other => Err(format!("{place}: no mapping: {other}")),
        }
    }

    /// A property's value, null if there is none.
    fn take(&mut self, name: &str) -> Value {
        self.fields.remove(name).unwrap_or_default()
    }

    fn nested(&mut self, name: &str) -> Result<Self, String> {
        let place = format!("{}.{name}", self.place);
        Self::of(&place, &self.take(name))
    }

    fn list(&mut self, name: &str) -> Result<Vec<Self>, String> {
        let place = format!("{}.{name}", self.place);
        match self.take(name) {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => items.iter().map(|item| Self::of(&place, item)).collect(),
            other => Err(format!("{place}: no list: {other}")),
        }
    }

    fn is(&mut self, name: &str, expected: &str) -> Result<(), String> {
        match self.take(name) {
            Value::String(text) if text == expected => Ok(()),
            other => Err(format!("{}.{name} is {other}, and not {expected}", self.place)),
        }
    }

    fn done(self) -> Result<(), String> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{}.{name} is compared with nothing", self.place)),
        }
    }
}

/// What one resource of the template makes of Terraform's.
pub(super) struct Made<'a> {
    id: &'a str,
    resources: Vec<(String, Value)>,
}

impl Made<'_> {
    /// The one that stands for it.
    fn main(&mut self, kind: &str, arguments: Value) {
        self.resources.insert(0, (format!("{kind}.{}", squashed(self.id)), present(arguments)));
    }

    /// One beside it, of the same name and something more.
    fn beside(&mut self, kind: &str, more: &str, arguments: Value) {
        let name = format!("{}{}", squashed(self.id), squashed(more));
        self.resources.push((format!("{kind}.{name}"), present(arguments)));
    }

    /// `⟨Ledger.Arn⟩`
    fn own(&self, called: &str) -> String {
        format!("⟨{}.{called}⟩", self.id)
    }

    /// Of the form of CloudFormation's own names.
    fn made_up_name(&self) -> String {
        format!("{STACK}-{}-tf", self.id)
    }
}

/// Without fields that are null: arguments that are not given.
fn present(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, present(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(present).collect(),
        plain => plain,
    }
}

/// Blocks: none, one, or a list.
fn blocks(mut blocks: Vec<Value>) -> Value {
    match blocks.len() {
        0 => Value::Null,
        1 => blocks.remove(0),
        _ => Value::Array(blocks),
    }
}

/// Tags: a list of pairs in CloudFormation, a mapping in Terraform.
fn tags(left: &mut Left) -> Result<Value, String> {
    let mut tags = Map::new();
    for mut tag in left.list("Tags")? {
        let key = tag.take("Key").as_str().ok_or("a tag without a key")?.to_owned();
        tags.insert(key, tag.take("Value"));
        tag.done()?;
    }
    Ok(if tags.is_empty() { Value::Null } else { tags.into() })
}

/// A policy as IAM keeps it: the values of its conditions are texts.
fn policy(document: &Value) -> Value {
    fn texts(value: &Value) -> Value {
        match value {
            Value::Bool(_) | Value::Number(_) => value.to_string().into(),
            Value::Array(items) => items.iter().map(texts).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), texts(value))).collect::<Map<_, _>>().into()
            }
            text => text.clone(),
        }
    }
    let mut document = document.clone();
    for statement in document["Statement"].as_array_mut().into_iter().flatten() {
        if let Some(condition) = statement.get_mut("Condition") {
            *condition = texts(condition);
        }
    }
    document
}

/// What must be deployed.
pub(super) fn expected(wanted: &Wanted<'_>) -> Result<Resources, String> {
    let of_all = wanted.of_all_functions()?;
    let all = wanted.resources()?;
    let mut resources = Resources::new();
    for (id, resource) in &all {
        let mut made = Made { id, resources: Vec::new() };
        let mut left = Left::of(id, &resource["Properties"])?;
        let kind = resource["Type"].as_str().unwrap_or_default();
        match kind {
            "AWS::Serverless::Function" => functions::function(&mut made, &mut left, &of_all)?,
            "AWS::Serverless::HttpApi" => functions::http_api(&mut made, &mut left)?,
            "AWS::Lambda::EventSourceMapping" => functions::mapping(&mut made, &mut left)?,
            "AWS::Lambda::Url" => functions::url(&mut made, &mut left),
            "AWS::Lambda::Permission" => functions::permission(&mut made, &mut left),
            "AWS::DynamoDB::Table" => storage::table(&mut made, &mut left)?,
            "AWS::S3::Bucket" => storage::bucket(&mut made, &mut left)?,
            "AWS::S3::BucketPolicy" => storage::bucket_policy(&mut made, &mut left),
            "AWS::KMS::Key" => storage::key(&mut made, &mut left)?,
            "AWS::SQS::Queue" => storage::queue(&mut made, &mut left),
            "AWS::SQS::QueuePolicy" => storage::queue_policy(&mut made, &mut left)?,
            "AWS::SecretsManager::Secret" => storage::secret(&mut made, &mut left)?,
            "AWS::IAM::Role" => role(&mut made, &mut left)?,
            "AWS::IAM::ManagedPolicy" => managed_policy(&mut made, &mut left),
            "AWS::Scheduler::ScheduleGroup" => {
                made.main("aws_scheduler_schedule_group", json!({ "name": left.take("Name") }));
            }
            "AWS::Events::EventBus" => watch::bus(&mut made, &mut left),
            "AWS::Events::EventBusPolicy" => watch::bus_policy(&mut made, &mut left),
            "AWS::Logs::LogGroup" => watch::logs(&mut made, &mut left),
            "AWS::Logs::QueryDefinition" => watch::query(&mut made, &mut left),
            "AWS::CloudWatch::Alarm" => watch::alarm(&mut made, &mut left)?,
            "AWS::CloudWatch::Dashboard" => watch::dashboard(&mut made, &mut left)?,
            other => return Err(format!("{id}: {other} is compared with nothing")),
        }
        left.done()?;
        keep(resource, &mut made)?;
        for (address, arguments) in made.resources {
            if resources.insert(address.clone(), arguments).is_some() {
                return Err(format!("{address} twice"));
            }
        }
    }
    after_permissions(&mut resources);
    Ok(resources)
}

/// What is kept when its stack goes is not to be destroyed.
fn keep(resource: &Map<String, Value>, made: &mut Made<'_>) -> Result<(), String> {
    let known = ["Type", "Condition", "Metadata", "Properties", "DeletionPolicy", "UpdateReplacePolicy"];
    if let Some(other) = resource.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("{}: {other} is compared with nothing", made.id));
    }
    let policies = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"));
    match (policies, made.resources.first_mut()) {
        ((None, None), _) => Ok(()),
        ((Some(deletion), Some(replacement)), Some((_, arguments)))
            if ["Retain", "RetainExceptOnCreate"].map(Some).contains(&deletion.as_str())
                && replacement == "Retain" =>
        {
            arguments["lifecycle"] = json!({ "prevent_destroy": true });
            Ok(())
        }
        other => Err(format!("{}: {other:?}", made.id)),
    }
}

/// A function comes after all that its role may do.
fn after_permissions(resources: &mut Resources) {
    let mut of_roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (address, arguments) in &*resources {
        if address.starts_with("aws_iam_role_policy")
            && let Some(role) = arguments["role"].as_str()
        {
            of_roles.entry(role.replace(".Name⟩", ".Arn⟩")).or_default().push(address.clone());
        }
    }
    for (address, arguments) in resources {
        if address.starts_with("aws_lambda_function.")
            && let Some(needed) = arguments["role"].as_str().and_then(|role| of_roles.get(role))
        {
            arguments["depends_on"] = json!(needed);
        }
    }
}

fn role(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let name = match left.take("RoleName") {
        Value::Null => made.made_up_name().into(),
        name => name,
    };
    let arguments = json!({
        "name": name,
        "description": left.take("Description"),
        "max_session_duration": left.take("MaxSessionDuration"),
        "assume_role_policy": policy(&left.take("AssumeRolePolicyDocument")),
    });
    made.main("aws_iam_role", arguments);
    for arn in left.take("ManagedPolicyArns").as_array().into_iter().flatten() {
        let attached = arn.as_str().and_then(|arn| arn.strip_prefix('⟨')?.strip_suffix(".Arn⟩"));
        let attached = attached.ok_or_else(|| format!("{}: {arn}", made.id))?;
        let arguments = json!({ "role": made.own("Name"), "policy_arn": arn });
        made.beside("aws_iam_role_policy_attachment", attached, arguments);
    }
    for mut inline in left.list("Policies")? {
        let name = inline.take("PolicyName");
        let document = policy(&inline.take("PolicyDocument"));
        inline.done()?;
        let arguments = json!({ "role": made.own("Name"), "name": name, "policy": document });
        made.beside("aws_iam_role_policy", name.as_str().unwrap_or_default(), arguments);
    }
    Ok(())
}

fn managed_policy(made: &mut Made<'_>, left: &mut Left) {
    let name = match left.take("ManagedPolicyName") {
        Value::Null => made.made_up_name().into(),
        name => name,
    };
    let arguments = json!({
        "name": name,
        "description": left.take("Description"),
        "policy": policy(&left.take("PolicyDocument")),
    });
    made.main("aws_iam_policy", arguments);
}

/// A check of what is compared itself: there is something, and it is of the account.
pub(super) fn looks_like_something(resources: &Resources) -> bool {
    !resources.is_empty() && format!("{resources:?}").contains(ACCOUNT)
}
