//! Values of a template as Terraform expressions: the intrinsic functions, and what can be known of a resource.

use crate::cloudformation::{Node, Template};
use crate::language::{Expr, Part};

/// What `Ref` and `Fn::GetAtt` of each type give, as Terraform has it: the type's resource, its attribute, and what
/// CloudFormation puts behind it.
///
/// From the "Return values" of each type in
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/> and the attributes in arguments.toml.
const KNOWN: &[(&str, &str, &str, &str, &str)] = &[
    ("AWS::CloudWatch::Alarm", "Arn", "aws_cloudwatch_metric_alarm", "arn", ""),
    ("AWS::CloudWatch::Dashboard", "Ref", "aws_cloudwatch_dashboard", "dashboard_name", ""),
    ("AWS::DynamoDB::Table", "Ref", "aws_dynamodb_table", "name", ""),
    ("AWS::DynamoDB::Table", "Arn", "aws_dynamodb_table", "arn", ""),
    ("AWS::DynamoDB::Table", "StreamArn", "aws_dynamodb_table", "stream_arn", ""),
    ("AWS::Events::EventBus", "Ref", "aws_cloudwatch_event_bus", "name", ""),
    ("AWS::Events::EventBus", "Name", "aws_cloudwatch_event_bus", "name", ""),
    ("AWS::Events::EventBus", "Arn", "aws_cloudwatch_event_bus", "arn", ""),
    ("AWS::IAM::ManagedPolicy", "Ref", "aws_iam_policy", "arn", ""),
    ("AWS::IAM::Role", "Ref", "aws_iam_role", "name", ""),
    ("AWS::IAM::Role", "Arn", "aws_iam_role", "arn", ""),
    ("AWS::KMS::Key", "Ref", "aws_kms_key", "key_id", ""),
    ("AWS::KMS::Key", "Arn", "aws_kms_key", "arn", ""),
    ("AWS::Lambda::Url", "FunctionUrl", "aws_lambda_function_url", "function_url", ""),
    ("AWS::Logs::LogGroup", "Ref", "aws_cloudwatch_log_group", "name", ""),
    // CloudFormation's ARN of a log group is that of all its streams; Terraform's is the group's own.
    ("AWS::Logs::LogGroup", "Arn", "aws_cloudwatch_log_group", "arn", ":*"),
    ("AWS::S3::Bucket", "Ref", "aws_s3_bucket", "bucket", ""),
    ("AWS::S3::Bucket", "Arn", "aws_s3_bucket", "arn", ""),
    ("AWS::SQS::Queue", "Ref", "aws_sqs_queue", "url", ""),
    ("AWS::SQS::Queue", "Arn", "aws_sqs_queue", "arn", ""),
    ("AWS::SQS::Queue", "QueueName", "aws_sqs_queue", "name", ""),
    ("AWS::Scheduler::ScheduleGroup", "Ref", "aws_scheduler_schedule_group", "name", ""),
    ("AWS::Scheduler::ScheduleGroup", "Arn", "aws_scheduler_schedule_group", "arn", ""),
    ("AWS::SecretsManager::Secret", "Ref", "aws_secretsmanager_secret", "arn", ""),
    ("AWS::SecretsManager::Secret", "Id", "aws_secretsmanager_secret", "arn", ""),
    ("AWS::Serverless::Function", "Ref", "aws_lambda_function", "function_name", ""),
    ("AWS::Serverless::Function", "Arn", "aws_lambda_function", "arn", ""),
    ("AWS::Serverless::HttpApi", "Ref", "aws_apigatewayv2_api", "id", ""),
    ("AWS::Serverless::HttpApi", "ApiEndpoint", "aws_apigatewayv2_api", "api_endpoint", ""),
];

/// What a template's pseudo parameters are in a module (locals.tf).
const PSEUDO: &[(&str, &str)] = &[
    ("AWS::AccountId", "local.account_id"),
    ("AWS::Partition", "local.partition"),
    ("AWS::Region", "local.region"),
    ("AWS::StackName", "var.stack_name"),
];

/// `GrantFunction` is `grant_function`.
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (n, letter) in letters.iter().enumerate() {
        let after_lower = n > 0 && !letters[n - 1].is_uppercase();
        let before_lower = letters.get(n + 1).is_some_and(|next| next.is_lowercase());
        if n > 0 && letter.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `grant_function` is `GrantFunction`.
pub(crate) fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

/// Where a value stands: what it may name, and under which condition.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) template: &'a Template,
    /// The condition of the resource or output that the value belongs to.
    pub(crate) condition: Option<&'a str>,
    /// The condition of the `!If` whose first value this is.
    branch: Option<&'a str>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(template: &'a Template, condition: Option<&'a str>) -> Self {
        Self { template, condition, branch: None }
    }

    pub(crate) fn expression(self, node: &'a Node) -> Expr {
        match node {
            Node::Null => panic!("an empty value"),
            Node::Bool(value) => Expr::Bool(*value),
            Node::Number(value) => Expr::Number(value.clone()),
            Node::Text(text) => Expr::text(text),
            Node::List(items) => self.list(items),
            Node::Map(fields) => Expr::Object(
                fields
                    .iter()
                    .map(|(key, value)| {
                        let absent =
                            value.choice().is_some_and(|(_, a, b)| a.is_no_value() || b.is_no_value());
                        assert!(
                            !absent && !value.is_no_value(),
                            "`{key}` may be absent, which JSON cannot say"
                        );
                        (key.clone(), self.expression(value))
                    })
                    .collect(),
            ),
            Node::Call(function, of) => self.call(function, of),
        }
    }

    fn list(self, items: &'a [Node]) -> Expr {
        let may_be_absent =
            |item: &Node| item.choice().is_some_and(|(_, a, b)| a.is_no_value() || b.is_no_value());
        let written = items.iter().map(|item| self.expression(item)).collect();
        if items.iter().any(may_be_absent) { Expr::Present(written) } else { Expr::List(written) }
    }

    fn call(self, function: &str, of: &'a Node) -> Expr {
        let text = || of.text().unwrap_or_else(|| panic!("`!{function}` of {of:?} has no translation"));
        let list = || of.list().unwrap_or_else(|| panic!("`!{function}` of {of:?} has no translation"));
        match (function, list_of(of)) {
            ("Ref", _) => self.reference(text()),
            ("GetAtt", _) => {
                let (id, attribute) = text().split_once('.').expect("`!GetAtt` of `resource.attribute`");
                self.attribute(id, attribute)
            }
            ("Sub", []) => self.substitute(text(), &[]),
            ("Sub", [text, values]) => {
                let text = text.text().unwrap_or_else(|| panic!("`!Sub` in {text:?}"));
                self.substitute(text, values.map().unwrap_or_default())
            }
            ("Condition", _) => self.condition(text()),
            ("If", [condition, then, otherwise]) => {
                self.choice(condition.text().expect("`!If` names a condition"), then, otherwise)
            }
            ("Equals", [one, other]) => {
                Expr::Equal(Box::new(self.expression(one)), Box::new(self.expression(other)))
            }
            ("Not", [what]) => match self.expression(what) {
                Expr::Equal(one, other) => Expr::NotEqual(one, other),
                other => Expr::Not(Box::new(other)),
            },
            ("And", _) => Expr::And(list().iter().map(|one| self.expression(one)).collect()),
            ("Or", _) => Expr::Or(list().iter().map(|one| self.expression(one)).collect()),
            ("Join", [between, what]) => {
                Expr::Call("join", vec![self.expression(between), self.expression(what)])
            }
            _ => panic!("`!{function}` of {of:?} has no translation"),
        }
    }

    fn choice(self, condition: &'a str, then: &'a Node, otherwise: &'a Node) -> Expr {
        let value =
            |scope: Self, node| if Node::is_no_value(node) { Expr::Null } else { scope.expression(node) };
        let then = value(Self { branch: Some(condition), ..self }, then);
        let condition = self.condition(condition);
        match (then, value(self, otherwise)) {
            (Expr::Bool(true), Expr::Bool(false)) => condition,
            (then, otherwise) => Expr::If(Box::new(condition), Box::new(then), Box::new(otherwise)),
        }
    }

    pub(crate) fn condition(self, name: &str) -> Expr {
        assert!(self.template.has("Conditions", name), "there is no condition `{name}`");
        Expr::name(format!("local.{}", snake(name)))
    }

    /// What a name stands for: a parameter, a pseudo parameter, a resource.
    fn reference(self, name: &str) -> Expr {
        if let Some((_, pseudo)) = PSEUDO.iter().find(|(of, _)| *of == name) {
            Expr::name(*pseudo)
        } else if self.template.has("Parameters", name) {
            Expr::name(format!("var.{}", snake(name)))
        } else {
            self.attribute(name, "Ref")
        }
    }

    pub(crate) fn attribute(self, id: &str, attribute: &str) -> Expr {
        let (kind, condition) =
            self.template.resource(id).unwrap_or_else(|| panic!("`{id}` is no parameter and no resource"));
        let known = KNOWN.iter().find(|(of, name, ..)| *of == kind && *name == attribute);
        let Some((.., resource, name, behind)) = known else {
            panic!("`{id}`: `{attribute}` of {kind} has no translation; say in expression.rs what it is")
        };
        let each = match condition {
            None => "",
            Some(condition) => {
                let holds = [self.condition, self.branch].contains(&Some(condition));
                assert!(holds, "`{id}` may not be there where it is named");
                "[0]"
            }
        };
        let value = Expr::name(format!("{resource}.{}{each}.{name}", snake(id)));
        if behind.is_empty() {
            value
        } else {
            Expr::Text(vec![Part::Value(value), Part::Literal((*behind).to_owned())])
        }
    }

    /// A text with the values of what it names; those given with it come first.
    fn substitute(self, text: &str, values: &'a [(String, Node)]) -> Expr {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap_or_else(|| panic!("`{text}` does not end"));
            literal(&mut parts, before);
            if let Some(verbatim) = name.strip_prefix('!') {
                literal(&mut parts, &format!("${{{verbatim}}}"));
            } else {
                let given = values.iter().find(|(of, _)| of == name);
                let value = match (given, name.split_once('.')) {
                    (Some((_, value)), _) => self.expression(value),
                    (None, Some((id, attribute))) => self.attribute(id, attribute),
                    (None, None) => self.reference(name),
                };
                match value {
                    Expr::Text(of) => parts.extend(of),
                    value => parts.push(Part::Value(value)),
                }
            }
            rest = after;
        }
        literal(&mut parts, rest);
        Expr::join(parts)
    }
}

fn literal(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(before)) => before.push_str(text),
        _ => parts.push(Part::Literal(text.to_owned())),
    }
}

fn list_of(node: &Node) -> &[Node] {
    node.list().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Parameters: { KmsKeyArn: { Type: String }, Arns: { Type: CommaDelimitedList } }
Conditions: { HasKey: !Not [!Equals [!Ref KmsKeyArn, ""]], HasUrl: !Equals [a, b] }
Resources:
  TimerDLQ: { Type: AWS::SQS::Queue }
  Logs: { Type: AWS::Logs::LogGroup }
  Url: { Type: AWS::Lambda::Url, Condition: HasUrl }
"#;

    fn written(value: &str, condition: Option<&str>) -> String {
        let text = format!("{TEMPLATE}\nOutputs: {{ V: {value} }}");
        let template = Template::parse(&text);
        let scope = Scope::new(&template, condition);
        let mut block = crate::language::Block::new("b", &[]);
        block.set("v", scope.expression(&template.section("Outputs")[0].1));
        block.write(0).trim_start_matches("b {\n  v = ").trim_end_matches("\n}\n").to_owned()
    }

    #[test]
    fn intrinsic_functions_are_expressions() {
        for (value, expected) in [
            ("!Ref KmsKeyArn", "var.kms_key_arn"),
            ("!Ref AWS::Region", "local.region"),
            ("!Ref TimerDLQ", "aws_sqs_queue.timer_dlq.url"),
            ("!GetAtt Logs.Arn", "\"${aws_cloudwatch_log_group.logs.arn}:*\""),
            (
                "!Sub 'a:${AWS::AccountId}/${Logs.Arn}/${!x}'",
                "\"a:${local.account_id}/${aws_cloudwatch_log_group.logs.arn}:*/$${x}\"",
            ),
            ("!Sub '${TimerDLQ.Arn}'", "aws_sqs_queue.timer_dlq.arn"),
            (
                "!Sub ['a${b}c', { b: !If [HasUrl, !Sub '-${Url.FunctionUrl}', ''] }]",
                "\"a${local.has_url ? \"-${aws_lambda_function_url.url[0].function_url}\" : \"\"}c\"",
            ),
            ("!If [HasKey, !Ref KmsKeyArn, !Ref AWS::NoValue]", "local.has_key ? var.kms_key_arn : null"),
            ("!If [HasKey, true, false]", "local.has_key"),
            ("!Not [!Equals [!Join ['', !Ref Arns], '']]", "join(\"\", var.arns) != \"\""),
            ("!Not [!Condition HasKey]", "!local.has_key"),
            ("!And [!Condition HasKey, !Equals [a, b]]", "local.has_key && (\"a\" == \"b\")"),
            (
                "[a, !If [HasKey, b, !Ref AWS::NoValue]]",
                "[for item in [\n    \"a\",\n    local.has_key ? \"b\" : null,\n  ] : item if item != null]",
            ),
        ] {
            assert_eq!(written(value, None), expected, "{value}");
        }
        assert_eq!(
            written("!GetAtt Url.FunctionUrl", Some("HasUrl")),
            "aws_lambda_function_url.url[0].function_url"
        );
    }

    #[test]
    #[should_panic(expected = "`Url` may not be there where it is named")]
    fn what_may_not_be_there_is_named_by_its_own_kind_alone() {
        written("!GetAtt Url.FunctionUrl", None);
    }

    #[test]
    #[should_panic(expected = "`QueueUrl` of AWS::SQS::Queue has no translation")]
    fn an_attribute_that_nobody_knows_is_an_error() {
        written("!GetAtt TimerDLQ.QueueUrl", None);
    }

    #[test]
    #[should_panic(expected = "`!Select` of")]
    fn a_function_that_nobody_knows_is_an_error() {
        written("!Select [0, [a]]", None);
    }

    #[test]
    #[should_panic(expected = "`b` may be absent")]
    fn a_field_that_may_be_absent_is_an_error() {
        written("{ a: 1, b: !If [HasKey, x, !Ref AWS::NoValue] }", None);
    }
}
