//! The module's variables against the template's parameters: the same values by default, and the same values refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use hcl::eval::{Context, Evaluate as _, FuncArgs, FuncDef, ParamType};
use hcl::{Block, Body};
use serde_json::{Value, json};

use super::deployed::{Source, argument, squashed};
use super::settings::{PAIRS, Pair, template};
use crate::cloudformation::workspace;

/// What a parameter may be given: of each kind that the templates ask for, and near to it.
const SAMPLES: &[&str] = &[
    "",
    "x",
    "X",
    " ",
    "0",
    "7",
    "0099",
    "9999",
    "12345",
    "-1",
    "true",
    "yes",
    "info",
    "curfew_app=debug,info",
    "info;debug",
    "curfew",
    "curfew-g",
    "curfew-prod",
    "payments",
    "payments/eu",
    "a-role@example.com",
    "s3:*",
    "s3:Get*,logs:*",
    "s3:",
    "0123456789abcde",
    "0123456789abcdef",
    "arn:aws:iam::111122223333:policy/p",
    "arn:aws:iam::111122223333:policy/p,arn:aws-cn:iam::111122223333:policy/q/r",
    "arn:aws:iam::111122223333:policy/p,x",
    "arn:aws:iam::111122223333:role/r",
    "arn:aws:iam::111122223333:role/r,arn:aws:iam::111122223333:role/s",
    "arn:aws:iam::1111:role/r",
    "arn:aws:kms:eu-central-1:111122223333:key/k",
    "arn:aws:kms:eu-central-1:111122223333:alias/k",
    "arn:aws:sns:eu-central-1:111122223333:t",
    "https://example.com",
];

/// Of one parameter: those, its own, and what lies at its bounds.
fn samples(parameter: &Value) -> Vec<String> {
    let mut all: Vec<String> = SAMPLES.iter().map(|&sample| sample.to_owned()).collect();
    all.extend(parameter["AllowedValues"].as_array().into_iter().flatten().map(plain));
    all.extend(parameter.get("Default").map(plain));
    for bound in ["MinValue", "MaxValue"].iter().filter_map(|bound| parameter[*bound].as_i64()) {
        all.extend([bound - 1, bound, bound + 1].map(|value| value.to_string()));
    }
    for bound in ["MinLength", "MaxLength"].iter().filter_map(|bound| parameter[*bound].as_u64()) {
        all.extend([bound - 1, bound, bound + 1].map(|length| "a".repeat(length as usize)));
    }
    // One more than a repeated letter's bound is a long one.
    all.extend([27, 28, 55, 56, 64, 65].map(|length| "a".repeat(length)));
    all
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value in the type of a variable; none if it has none in it.
fn typed(kind: &str, text: &str) -> Option<Value> {
    match kind {
        "Number" => text.parse::<i64>().ok().map(Value::from),
        "CommaDelimitedList" => {
            Some(text.split(',').filter(|one| !one.is_empty()).map(Value::from).collect())
        }
        _ => Some(text.into()),
    }
}

/// What CloudFormation says of a value.
fn accepted_by_template(parameter: &Value, text: &str) -> bool {
    let one = |text: &str| {
        let allowed = parameter["AllowedValues"].as_array();
        let length = text.chars().count() as u64;
        let number = || text.parse::<i64>().unwrap_or_default();
        allowed.is_none_or(|allowed| allowed.iter().any(|value| plain(value) == text))
            && parameter["AllowedPattern"].as_str().is_none_or(|pattern| matches(pattern, text))
            && parameter["MinLength"].as_u64().is_none_or(|bound| length >= bound)
            && parameter["MaxLength"].as_u64().is_none_or(|bound| length <= bound)
            && parameter["MinValue"].as_i64().is_none_or(|bound| number() >= bound)
            && parameter["MaxValue"].as_i64().is_none_or(|bound| number() <= bound)
    };
    match parameter["Type"].as_str() {
        Some("CommaDelimitedList") => text.split(',').all(one),
        _ => one(text),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    // Built once: building takes far longer than asking, and there are many samples.
    static BUILT: Mutex<BTreeMap<String, regex::Regex>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = built
        .entry(pattern.to_owned())
        .or_insert_with(|| regex::Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")));
    regex.is_match(text)
}

/// `regex` fails where nothing matches, and `can` asks whether something failed. Here null is what failed.
fn regex(values: FuncArgs) -> Result<hcl::Value, String> {
    let text = |n: usize| values.get(n).and_then(hcl::Value::as_str).map(str::to_owned).ok_or("no text");
    Ok(if matches(&text(0)?, &text(1)?) { text(1)?.into() } else { hcl::Value::Null })
}

fn can(values: FuncArgs) -> Result<hcl::Value, String> {
    Ok((!values.first().is_none_or(hcl::Value::is_null)).into())
}

fn length(values: FuncArgs) -> Result<hcl::Value, String> {
    match values.first() {
        Some(hcl::Value::String(text)) => Ok((text.chars().count() as u64).into()),
        Some(hcl::Value::Array(items)) => Ok((items.len() as u64).into()),
        other => Err(format!("the length of {other:?}")),
    }
}

fn contains(values: FuncArgs) -> Result<hcl::Value, String> {
    let list = values.first().and_then(hcl::Value::as_array).ok_or("no list")?;
    Ok(values.get(1).is_some_and(|value| list.contains(value)).into())
}

fn alltrue(values: FuncArgs) -> Result<hcl::Value, String> {
    let list = values.first().and_then(hcl::Value::as_array).ok_or("no list")?;
    Ok(list.iter().all(|value| value.as_bool() == Some(true)).into())
}

fn startswith(values: FuncArgs) -> Result<hcl::Value, String> {
    let text = |n: usize| values.get(n).and_then(hcl::Value::as_str).map(str::to_owned).ok_or("no text");
    Ok(text(0)?.starts_with(&text(1)?).into())
}

/// What Terraform says of a value.
fn accepted_by_module(name: &str, variable: &Body, value: &Value) -> Result<bool, String> {
    let mut context = Context::new();
    let functions: [(&str, hcl::eval::Func); 6] = [
        ("regex", regex),
        ("can", can),
        ("length", length),
        ("contains", contains),
        ("alltrue", alltrue),
        ("startswith", startswith),
    ];
    for (function, of) in functions {
        context.declare_func(function, FuncDef::builder().variadic_param(ParamType::Any).build(of));
    }
    let values = hcl::to_value(json!({ name: value })).map_err(|error| error.to_string())?;
    context.declare_var("var", values);
    for validation in variable.blocks().filter(|block| block.identifier() == "validation") {
        let condition = argument(validation.body(), "condition").ok_or("a validation without a condition")?;
        match condition.evaluate(&context).map_err(|error| error.to_string())? {
            hcl::Value::Bool(true) => {}
            hcl::Value::Bool(false) => return Ok(false),
            other => return Err(format!("{name}: {other}")),
        }
    }
    Ok(true)
}

/// What a deployment of Curfew is named, and what it must not be.
const STACK_NAMES: &[(&str, bool)] = &[
    ("curfew", true),
    ("a", true),
    ("curfew-2", true),
    ("abcdefghijklmnopqrstuvwxyz0", true),
    ("abcdefghijklmnopqrstuvwxyz01", false),
    ("", false),
    ("2curfew", false),
    ("Curfew", false),
    ("curfew_a", false),
    ("curfew-g", false),
    ("curfew-g-", false),
    ("curfew-g-prod", false),
    ("curfew-gate", true),
];

/// Where a module's variables differ from its template's parameters.
pub(super) fn compared(source: &Source, template: &Value) -> Result<Vec<String>, String> {
    let mut differences = Vec::new();
    let mut left: BTreeSet<String> = parameters(template).map(|(name, _)| squashed(name)).collect();
    for (_, block) in source.all("variable") {
        differences.extend(of_one(block, template)?);
        left.remove(&squashed(name_of(block)));
    }
    differences.extend(left.iter().map(|name| format!("{name}: only the template has it")));
    Ok(differences)
}

fn parameters(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    template["Parameters"].as_object().into_iter().flatten()
}

fn name_of(variable: &Block) -> &str {
    variable.labels().first().map_or("", |label| label.as_str())
}

/// Where one variable differs from its parameter.
pub(super) fn of_one(variable: &Block, template: &Value) -> Result<Vec<String>, String> {
    let name = name_of(variable);
    let mut differences = Vec::new();
    let mut expect = |what: &str, holds: bool| {
        if !holds {
            differences.push(format!("{name}: {what}"));
        }
    };
    let body = variable.body();
    let Some((_, of)) = parameters(template).find(|(parameter, _)| squashed(parameter) == squashed(name))
    else {
        match name {
            "stack_name" => {
                for (sample, wanted) in STACK_NAMES {
                    let there = accepted_by_module(name, body, &json!(sample))?;
                    expect(&format!("`{sample}` is accepted: {there}"), there == *wanted);
                }
            }
            "package_directory" => {}
            _ => expect("only the module has it", false),
        }
        of_its_kind(body, "string", &mut expect)?;
        expect("must be given", argument(body, "default").is_none());
        return Ok(differences);
    };
    let kind = of["Type"].as_str().unwrap_or_default();
    let expected = match kind {
        "String" => "string",
        "Number" => "number",
        "CommaDelimitedList" => "list(string)",
        other => return Err(format!("{name}: {other}")),
    };
    of_its_kind(body, expected, &mut expect)?;
    let default = argument(body, "default").map(serde_json::to_value).transpose();
    let default = default.map_err(|error| error.to_string())?;
    let wanted = of.get("Default").and_then(|default| typed(kind, &plain(default)));
    expect(&format!("by default {default:?}, and not {wanted:?}"), default == wanted);
    let sensitive = written(body, "sensitive")?.as_deref() == Some("true");
    expect("kept secret or not", sensitive == (of["NoEcho"] == true));

    let mut verdicts = [false, false];
    for sample in samples(of) {
        let Some(value) = typed(kind, &sample) else { continue };
        let wanted = accepted_by_template(of, &sample);
        let there = accepted_by_module(name, body, &value)?;
        expect(&format!("`{sample}` is accepted: {there}, and not {wanted}"), there == wanted);
        verdicts[usize::from(wanted)] = true;
    }
    let constraints = ["AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue"];
    let bound = constraints.iter().any(|constraint| of.get(*constraint).is_some());
    expect("no sample is accepted, or none is refused", verdicts == [bound, true]);
    Ok(differences)
}

fn of_its_kind(variable: &Body, kind: &str, expect: &mut impl FnMut(&str, bool)) -> Result<(), String> {
    let known = ["description", "type", "default", "nullable", "sensitive"];
    for attribute in variable.attributes() {
        expect(&format!("`{}`", attribute.key()), known.contains(&attribute.key()));
    }
    for validation in variable.blocks() {
        let keys: BTreeSet<&str> = validation.body().attributes().map(|attribute| attribute.key()).collect();
        let both = keys == BTreeSet::from(["condition", "error_message"]);
        expect("is validated in another way", validation.identifier() == "validation" && both);
    }
    let described = argument(variable, "description").and_then(|of| match of {
        hcl::Expression::String(text) => Some(text.len()),
        _ => None,
    });
    expect("is not described", described.is_some_and(|length| length > 10));
    expect(&format!("is no {kind}"), written(variable, "type")?.as_deref() == Some(kind));
    // Null would get around the validation.
    expect("may be null", written(variable, "nullable")?.as_deref() == Some("false"));
    Ok(())
}

fn written(body: &Body, name: &str) -> Result<Option<String>, String> {
    argument(body, name)
        .map(|expression| hcl::format::to_string(expression).map_err(|error| error.to_string()))
        .transpose()
}

#[test]
fn variables_take_what_parameters_take_and_nothing_else() {
    for Pair { template: file, folder, .. } in &PAIRS {
        let source = Source::read(&workspace().join(folder));
        let differences = compared(&source, &template(file)).unwrap_or_else(|error| vec![error]);
        assert!(differences.is_empty(), "infra/{file} and {folder}:\n{}", differences.join("\n"));
    }
}
