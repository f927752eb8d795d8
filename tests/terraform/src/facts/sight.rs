//! The comparison sees everything: whatever is altered in a module, or in a template alone, is a difference.
//!
//! So there is no argument and no property that nobody compares, and a mistake of the translator cannot be in one.

use hcl::expr::{Expression, Operation};
use hcl::{Attribute, Block, Body, Structure};
use serde_json::{Map, Value};

use super::deployed::{Known, Resources, Source, address};
use super::differing;
use super::equal::{compared, ids};
use super::expected::expected;
use super::settings::{PAIRS, Pair, template, variables};
use super::wanted::Wanted;
use crate::cloudformation::workspace;

/// Texts for people, which nothing goes by.
const WORDS: [&str; 2] = ["description", "error_message"];

/// A block that is not what it was, and in what.
type Altered = (String, Block);

/// All alterations of a block: each value in it another one, each argument and block taken out, and one put in.
fn alterations(block: &Block, words_count: bool) -> Vec<Altered> {
    let mut all = Vec::new();
    of_body(block.body(), "", words_count, &mut |place, body| {
        let mut altered = block.clone();
        altered.body = body;
        all.push((place, altered));
    });
    all
}

fn of_body(body: &Body, place: &str, words_count: bool, found: &mut dyn FnMut(String, Body)) {
    let with = |n: usize, structure: Option<Structure>| {
        let mut structures: Vec<Structure> = body.iter().cloned().collect();
        structures.splice(n..=n, structure);
        Body::from(structures)
    };
    for (n, structure) in body.iter().enumerate() {
        match structure {
            Structure::Attribute(attribute) => {
                let place = format!("{place}.{}", attribute.key());
                if !words_count && WORDS.contains(&attribute.key()) {
                    continue;
                }
                found(format!("without {place}"), with(n, None));
                of_expression(attribute.expr(), &mut |expression| {
                    let changed = Attribute { key: attribute.key.clone(), expr: expression };
                    found(format!("another value in {place}"), with(n, Some(changed.into())));
                });
            }
            Structure::Block(block) => {
                let place = format!("{place}.{}", block.identifier());
                found(format!("without {place}"), with(n, None));
                of_body(block.body(), &place, words_count, &mut |place, body| {
                    let mut altered = block.clone();
                    altered.body = body;
                    found(place, with(n, Some(altered.into())));
                });
            }
        }
    }
    let mut more: Vec<Structure> = body.iter().cloned().collect();
    more.push(Attribute::new("something", "more").into());
    found(format!("something more in {place}"), Body::from(more));
}

/// An expression once for each value in it, with another one there.
fn of_expression(expression: &Expression, found: &mut dyn FnMut(Expression)) {
    match expression {
        Expression::Null => found("something".into()),
        Expression::Bool(value) => found((!value).into()),
        Expression::Number(value) => found((value.as_i64().unwrap_or_default() + 1).into()),
        Expression::String(text) => found(format!("{text}x").into()),
        Expression::TemplateExpr(_) | Expression::Traversal(_) | Expression::Variable(_) => found("x".into()),
        Expression::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                of_expression(item, &mut |changed| {
                    let mut items = items.clone();
                    items[n] = changed;
                    found(Expression::Array(items));
                });
            }
        }
        Expression::Object(fields) => {
            for (key, value) in fields.iter() {
                of_expression(value, &mut |changed| {
                    let mut fields = fields.clone();
                    fields.insert(key.clone(), changed);
                    found(Expression::Object(fields));
                });
            }
        }
        Expression::FuncCall(call) => {
            for (n, argument) in call.args.iter().enumerate() {
                of_expression(argument, &mut |changed| {
                    let mut call = call.clone();
                    call.args[n] = changed;
                    found(Expression::FuncCall(call));
                });
            }
        }
        Expression::Parenthesis(inner) => of_expression(inner, found),
        Expression::Conditional(choice) => {
            of_expression(&choice.cond_expr, &mut |changed| {
                let mut choice = choice.clone();
                choice.cond_expr = changed;
                found(Expression::Conditional(choice));
            });
            of_expression(&choice.true_expr, &mut |changed| {
                let mut choice = choice.clone();
                choice.true_expr = changed;
                found(Expression::Conditional(choice));
            });
            of_expression(&choice.false_expr, &mut |changed| {
                let mut choice = choice.clone();
                choice.false_expr = changed;
                found(Expression::Conditional(choice));
            });
        }
        Expression::Operation(operation) => match operation.as_ref() {
            Operation::Unary(unary) => of_expression(&unary.expr, found),
            Operation::Binary(binary) => {
                of_expression(&binary.lhs_expr, &mut |changed| {
                    let mut binary = binary.clone();
                    binary.lhs_expr = changed;
                    found(Expression::Operation(Box::new(Operation::Binary(binary))));
                });
                of_expression(&binary.rhs_expr, &mut |changed| {
                    let mut binary = binary.clone();
                    binary.rhs_expr = changed;
                    found(Expression::Operation(Box::new(Operation::Binary(binary))));
                });
            }
        },
        Expression::ForExpr(list) => of_expression(&list.collection_expr, &mut |changed| {
            let mut list = list.clone();
            list.collection_expr = changed;
            found(Expression::ForExpr(list));
        }),
        other => panic!("how is this altered: {other:?}"),
    }
}

/// Fails with all that nobody saw.
fn nothing_unseen(what: &str, unseen: &[String], tried: usize) {
    assert!(tried > 100, "{what}: only {tried} alterations were tried");
    assert!(unseen.is_empty(), "{what}: nobody sees\n{}", unseen.join("\n"));
}

#[test]
fn whatever_is_altered_in_a_resource_of_a_module_is_seen() {
    let mut tried = 0;
    let mut unseen = Vec::new();
    for Pair { template: file, folder, settings } in &PAIRS {
        let template = template(file);
        let source = Source::read(&workspace().join(folder));
        let sides: Vec<(Known, Resources)> = settings()
            .iter()
            .map(|setting| {
                let wanted = Wanted::of(&template, setting.as_object().unwrap()).unwrap();
                let known = Known::of(&source, &variables(&template, setting), &ids(&template)).unwrap();
                (known, expected(&wanted).unwrap())
            })
            .collect();
        for (labels, block) in source.all("resource") {
            let address = address(&labels);
            for (what, altered) in alterations(block, true) {
                tried += 1;
                let seen = sides.iter().any(|(known, wanted)| match known.resource(&altered) {
                    Ok(there) => there.as_ref() != wanted.get(&address),
                    Err(_) => true,
                });
                if !seen {
                    unseen.push(format!("{folder}: {address} {what}"));
                }
            }
        }
    }
    nothing_unseen("resources", &unseen, tried);
}

#[test]
fn whatever_is_altered_around_the_resources_is_seen() {
    let mut tried = 0;
    let mut unseen = Vec::new();
    for Pair { template: file, folder, settings } in &PAIRS {
        let template = template(file);
        let source = Source::read(&workspace().join(folder));
        for (n, block) in source.blocks.iter().enumerate() {
            let kind = block.identifier();
            // Resources have a test of their own, as have the provider's version and what data sources are asked.
            if ["resource", "terraform", "data"].contains(&kind) {
                continue;
            }
            for (what, altered) in alterations(block, false) {
                tried += 1;
                let seen = if kind == "variable" {
                    super::variables::of_one(&altered, &template) != Ok(Vec::new())
                } else {
                    let mut source = source.clone();
                    source.blocks[n] = altered;
                    settings().iter().any(|setting| compared(&source, &template, setting) != Ok(Vec::new()))
                };
                // An output may say more of itself than its value, and a local that nothing names does nothing.
                let more = what.starts_with("something more") && ["output", "locals"].contains(&kind);
                if !seen && !more {
                    unseen.push(format!("{folder}: {kind} {:?} {what}", block.labels()));
                }
            }
        }
    }
    nothing_unseen("variables, locals and outputs", &unseen, tried);
}

/// Values of a template that nothing in the module comes from, and why.
const WITHOUT_A_COUNTERPART: &[(&str, &str)] = &[
    ("/Metadata/", "how `sam build` makes the packages"),
    ("/FailOnWarnings", "of importing OpenAPI documents"),
];

fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                places(value, &format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                places(value, &format!("{place}/{n}"), found);
            }
        }
        _ => found.push(place.to_owned()),
    }
}

fn another(value: &Value) -> Value {
    match value {
        Value::Bool(value) => (!value).into(),
        Value::Number(value) => (value.as_i64().unwrap_or_default() + 1).into(),
        Value::String(text) => format!("{text}x").into(),
        _ => "x".into(),
    }
}

#[test]
fn whatever_is_altered_in_a_template_alone_is_seen() {
    let mut tried = 0;
    let mut unseen = Vec::new();
    for Pair { template: file, folder, settings } in &PAIRS {
        let mut template = template(file);
        let source = Source::read(&workspace().join(folder));
        let names = ids(&template);
        let settings: Vec<(Map<String, Value>, Resources, Resources)> = settings()
            .iter()
            .map(|setting| {
                let known = Known::of(&source, &variables(&template, setting), &names).unwrap();
                let outputs = known.outputs(&source).unwrap();
                (setting.as_object().unwrap().clone(), known.resources(&source).unwrap(), outputs)
            })
            .collect();
        let mut all = Vec::new();
        for section in ["Conditions", "Globals", "Resources", "Outputs"] {
            if let Some(of) = template.get(section) {
                places(of, &format!("/{section}"), &mut all);
            }
        }
        all.retain(|place| !WITHOUT_A_COUNTERPART.iter().any(|(part, _)| place.contains(part)));
        // What an output is for is said to people.
        all.retain(|place| !(place.starts_with("/Outputs/") && place.ends_with("/Description")));
        for place in all {
            tried += 1;
            let was = template.pointer(&place).unwrap().clone();
            *template.pointer_mut(&place).unwrap() = another(&was);
            let seen = settings.iter().any(|(setting, resources, outputs)| {
                let wanted = Wanted::of(&template, setting);
                let wanted = wanted.and_then(|wanted| Ok((expected(&wanted)?, wanted.outputs()?)));
                let Ok((wanted, values)) = wanted else { return true };
                let values =
                    values.into_iter().map(|(name, of)| (super::deployed::squashed(&name), of)).collect();
                !differing(resources, &wanted).is_empty() || !differing(outputs, &values).is_empty()
            });
            *template.pointer_mut(&place).unwrap() = was;
            if !seen {
                unseen.push(format!("infra/{file}: {place}"));
            }
        }
    }
    nothing_unseen("templates", &unseen, tried);
}
