//! A template's parameters as a module's variables, its conditions as locals, its outputs as outputs.

use crate::cloudformation::{Node, Template};
use crate::expression::{Scope, snake};
use crate::language::{Block, Expr};

/// What a parameter may say.
const KNOWN: [&str; 11] = [
    "Type",
    "Description",
    "Default",
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
    "NoEcho",
];

/// A variable for each parameter.
pub(crate) fn variables(template: &Template, others: &[&Template]) -> Vec<Block> {
    template.section("Parameters").iter().map(|(name, of)| variable(template, others, name, of)).collect()
}

fn variable(template: &Template, others: &[&Template], name: &str, parameter: &Node) -> Block {
    for (field, _) in parameter.map().unwrap_or_default() {
        assert!(KNOWN.contains(&field.as_str()), "{name}: `{field}` has no translation");
    }
    let text = |field: &str| parameter.get(field).and_then(Node::text);
    let kind = match text("Type") {
        Some("String") => "string",
        Some("Number") => "number",
        Some("CommaDelimitedList") => "list(string)",
        other => panic!("{name}: {other:?} has no translation"),
    };
    let list = kind == "list(string)";
    let mut block = Block::new("variable", &[&snake(name)]);
    let description = text("Description").unwrap_or_else(|| panic!("{name} is not described"));
    let description = if list { without_commas(description) } else { description.to_owned() };
    block.set("description", Expr::text(in_terms_of_variables(&description, template, others)));
    block.set("type", Expr::name(kind));
    if let Some(default) = parameter.get("Default") {
        block.set("default", constant(kind, default));
    }
    block.set("nullable", Expr::Bool(false));
    match parameter.get("NoEcho") {
        None | Some(Node::Bool(false)) => {}
        Some(Node::Bool(true)) => block.set("sensitive", Expr::Bool(true)),
        other => panic!("{name}: {other:?}"),
    }
    let mut hold = |condition: Expr, message: &str| {
        let mut validation = Block::new("validation", &[]);
        validation.set("condition", condition);
        validation.set("error_message", Expr::text(format!("{}: {message}", snake(name))));
        block.add(validation);
    };
    let own = || Expr::name(format!("var.{}", snake(name)));
    if let Some(values) = parameter.get("AllowedValues").and_then(Node::list) {
        let each: Vec<Expr> = values.iter().map(|value| constant(kind, value)).collect();
        let words: Vec<String> = values.iter().map(plain).collect();
        let message = format!("must be one of {}", words.join(", "));
        hold(Expr::Call("contains", vec![Expr::List(each), own()]), &message);
    }
    if let Some(pattern) = text("AllowedPattern") {
        assert!(
            pattern.starts_with('^') && pattern.ends_with('$'),
            "{name}: a pattern is for all of the value"
        );
        let said =
            text("ConstraintDescription").map_or_else(|| format!("must match {pattern}"), str::to_owned);
        let matches =
            |value: Expr| Expr::Call("can", vec![Expr::Call("regex", vec![Expr::text(pattern), value])]);
        if list {
            // Without a default CloudFormation wants at least one: the empty text does not match.
            if parameter.get("Default").is_none() {
                hold(Expr::name(format!("length(var.{}) > 0", snake(name))), "must have at least one");
            }
            let each = Expr::Each("item", Box::new(own()), Box::new(matches(Expr::name("item"))));
            hold(Expr::Call("alltrue", vec![each]), &said);
        } else {
            hold(matches(own()), &said);
        }
    }
    for (least, most, measure, what) in [
        ("MinValue", "MaxValue", format!("var.{}", snake(name)), "must be"),
        ("MinLength", "MaxLength", format!("length(var.{})", snake(name)), "its length must be"),
    ] {
        let bound = |field: &str, sign: &str, words: &str| {
            let value = plain(parameter.get(field)?);
            Some((format!("{measure} {sign} {value}"), format!("{words} {value}")))
        };
        let bounds = [bound(least, ">=", "at least"), bound(most, "<=", "at most")];
        let (conditions, words): (Vec<_>, Vec<_>) = bounds.into_iter().flatten().unzip();
        if !conditions.is_empty() {
            hold(Expr::name(conditions.join(" && ")), &format!("{what} {}", words.join(" and ")));
        }
    }
    block
}

/// How a list is written is CloudFormation's business.
fn without_commas(description: &str) -> String {
    description.replace(" (comma-separated)", "").replace(", comma-separated", "")
}

fn plain(node: &Node) -> String {
    match node {
        Node::Text(value) | Node::Number(value) => value.clone(),
        Node::Bool(value) => value.to_string(),
        other => panic!("no constant: {other:?}"),
    }
}

fn constant(kind: &str, node: &Node) -> Expr {
    match kind {
        "number" => Expr::Number(plain(node)),
        "string" => Expr::text(plain(node)),
        _ => {
            let text = plain(node);
            Expr::List(text.split(',').filter(|one| !one.is_empty()).map(Expr::text).collect())
        }
    }
}

/// A description says the names of parameters and outputs; here they are those of variables and outputs.
fn in_terms_of_variables(text: &str, template: &Template, others: &[&Template]) -> String {
    let named = |word: &str| {
        std::iter::once(template)
            .chain(others.iter().copied())
            .any(|of| of.has("Parameters", word) || of.has("Outputs", word))
    };
    let mut result = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(std::iter::once(' ')) {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        // A word with one hump may be a word.
        let humps = word.chars().filter(char::is_ascii_uppercase).count() > 1;
        result.push_str(&if humps && named(&word) { snake(&word) } else { std::mem::take(&mut word) });
        word.clear();
        result.push(letter);
    }
    result.trim_end().to_owned()
}

/// A local for each condition.
pub(crate) fn conditions(template: &Template) -> Block {
    let scope = Scope::new(template, None);
    let mut block = Block::new("locals", &[]);
    for (name, condition) in template.section("Conditions") {
        block.set(snake(name), scope.expression(condition));
    }
    block
}

/// An output for each output; null where the template has none.
pub(crate) fn outputs(template: &Template, others: &[&Template]) -> Vec<Block> {
    let output = |(name, output): &(String, Node)| {
        let mut block = Block::new("output", &[&snake(name)]);
        for (field, _) in output.map().unwrap_or_default() {
            let known = ["Description", "Condition", "Value"].contains(&field.as_str());
            assert!(known, "{name}: `{field}` has no translation");
        }
        let condition = output.get("Condition").and_then(Node::text);
        if let Some(description) = output.get("Description").and_then(Node::text) {
            block.set("description", Expr::text(in_terms_of_variables(description, template, others)));
        }
        let scope = Scope::new(template, condition);
        let value = scope.expression(output.get("Value").unwrap_or_else(|| panic!("{name} has no value")));
        let value = match condition {
            None => value,
            Some(name) => Expr::If(Box::new(scope.condition(name)), Box::new(value), Box::new(Expr::Null)),
        };
        block.set("value", value);
        block
    };
    template.section("Outputs").iter().map(output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parameter: &str) -> String {
        let template = Template::parse(&format!("Parameters: {{ KeyArns: {parameter} }}"));
        variables(&template, &[])[0].write(0)
    }

    #[test]
    fn what_a_parameter_wants_its_variable_wants() {
        let list = r#"{ Type: CommaDelimitedList, Description: "See KeyArns (ARNs, comma-separated).", AllowedPattern: ^a\d$ }"#;
        let expected = r#"variable "key_arns" {
  description = "See key_arns (ARNs)."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.key_arns) > 0
    error_message = "key_arns: must have at least one"
  }

  validation {
    condition     = alltrue([for item in var.key_arns : can(regex("^a\\d$", item))])
    error_message = "key_arns: must match ^a\\d$"
  }
}
"#;
        assert_eq!(written(list), expected);
        let number =
            "{ Type: Number, Description: N, Default: 5, MinValue: 0, MaxValue: 9, AllowedValues: [5, 6] }";
        let expected = r#"variable "key_arns" {
  description = "N"
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = contains([5, 6], var.key_arns)
    error_message = "key_arns: must be one of 5, 6"
  }

  validation {
    condition     = var.key_arns >= 0 && var.key_arns <= 9
    error_message = "key_arns: must be at least 0 and at most 9"
  }
}
"#;
        assert_eq!(written(number), expected);
        let text = "{ Type: String, Description: T, NoEcho: true, MinLength: 16, Default: 7 }";
        let expected = r#"variable "key_arns" {
  description = "T"
  type        = string
  default     = "7"
  nullable    = false
  sensitive   = true

  validation {
    condition     = length(var.key_arns) >= 16
    error_message = "key_arns: its length must be at least 16"
  }
}
"#;
        assert_eq!(written(text), expected);
    }

    #[test]
    #[should_panic(expected = "KeyArns: `Color` has no translation")]
    fn a_wish_that_nobody_knows_is_an_error() {
        written("{ Type: String, Description: T, Color: red }");
    }
}
