//! Lambda by SAM's shorthand: a function with its events, and what the template says of all functions.
//!
//! What SAM makes of an event is told in
//! <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources-function.html>.

use super::{Entry, Making, Resource, Rule, Table, permissions, webhooks};
use crate::cloudformation::{Node, Template};
use crate::expression::{camel, snake};
use crate::language::{Block, Expr, Item, Part};

pub(super) const TABLES: &[Table] = &[
    Table::new(SAM, "aws_lambda_function", FUNCTION).then(package),
    Table::new("AWS::Lambda::EventSourceMapping", "aws_lambda_event_source_mapping", MAPPING),
];

const SAM: &str = "AWS::Serverless::Function";

const FUNCTION: &[Entry] = &[
    ("FunctionName", Rule::As("function_name")),
    ("Description", Rule::As("description")),
    ("Role", Rule::As("role")),
    ("Runtime", Rule::As("runtime")),
    ("Handler", Rule::As("handler")),
    ("CodeUri", Rule::Left("the packages are built beforehand: `package_directory`")),
    ("Architectures", Rule::As("architectures")),
    ("MemorySize", Rule::As("memory_size")),
    ("Timeout", Rule::As("timeout")),
    ("ReservedConcurrentExecutions", Rule::As("reserved_concurrent_executions")),
    ("LoggingConfig", Rule::Own(logging)),
    ("Environment", Rule::Block("environment", &[("Variables", Rule::As("variables"))])),
    ("EventInvokeConfig", Rule::Own(invocations)),
    ("Events", Rule::Own(events)),
];

/// A function's properties with those that hold for all functions, as SAM merges them: mappings by their fields,
/// anything else replaced.
pub(super) fn with_globals(template: &Template, kind: &str, properties: &Node) -> Node {
    for (of, _) in template.section("Globals") {
        assert_eq!(of, "Function", "what is said of every {of} has no translation");
    }
    if kind != SAM {
        return properties.clone();
    }
    let globals = template.section("Globals").first().map(|(_, of)| of.clone());
    merged(&globals.unwrap_or(Node::Map(Vec::new())), properties)
}

fn merged(under: &Node, over: &Node) -> Node {
    match (under, over) {
        (Node::Map(under), Node::Map(over)) => {
            let replaced = under.iter().map(|(key, value)| {
                let of = over.iter().find(|(name, _)| name == key);
                (key.clone(), of.map_or_else(|| value.clone(), |(_, of)| merged(value, of)))
            });
            let added = over.iter().filter(|(key, _)| !under.iter().any(|(name, _)| name == key));
            Node::Map(replaced.chain(added.cloned()).collect())
        }
        (Node::List(_), Node::List(_)) => panic!("SAM joins lists of `Globals` and a function's own"),
        (_, over) => over.clone(),
    }
}

/// The package: what `package_directory` holds under the last part of the function's name.
fn package(making: &mut Making<'_>) {
    let name = match making.main.argument("function_name") {
        Some(Expr::Text(parts)) => match parts.as_slice() {
            [Part::Value(Expr::Name(stack)), Part::Literal(name)] if stack == "var.stack_name" => {
                name.trim_start_matches('-').to_owned()
            }
            other => panic!("{}: which package is it: {other:?}", making.id),
        },
        other => panic!("{}: which package is it: {other:?}", making.id),
    };
    let directory = Part::Value(Expr::name("var.package_directory"));
    let path = Expr::Text(vec![directory, Part::Literal(format!("/{name}.zip"))]);
    let hash = Expr::Call("filebase64sha256", vec![path.clone()]);
    let after = making.main.items.iter().take_while(|item| matches!(item, Item::Argument(..))).count();
    making.main.items.insert(after, Item::Argument("source_code_hash".to_owned(), hash));
    making.main.items.insert(after, Item::Argument("filename".to_owned(), path));
}

const MAPPING: &[Entry] = &[
    ("FunctionName", Rule::As("function_name")),
    ("EventSourceArn", Rule::As("event_source_arn")),
    ("Tags", Rule::Pairs("tags", "Key", "Value")),
    ("StartingPosition", Rule::As("starting_position")),
    ("BatchSize", Rule::As("batch_size")),
    ("MaximumBatchingWindowInSeconds", Rule::As("maximum_batching_window_in_seconds")),
    ("ParallelizationFactor", Rule::As("parallelization_factor")),
    ("FunctionResponseTypes", Rule::As("function_response_types")),
    ("BisectBatchOnFunctionError", Rule::As("bisect_batch_on_function_error")),
    ("MaximumRetryAttempts", Rule::As("maximum_retry_attempts")),
    ("MaximumRecordAgeInSeconds", Rule::As("maximum_record_age_in_seconds")),
    (
        "FilterCriteria",
        Rule::Block(
            "filter_criteria",
            &[("Filters", Rule::Blocks("filter", &[("Pattern", Rule::As("pattern"))]))],
        ),
    ),
    (
        "DestinationConfig",
        Rule::Block(
            "destination_config",
            &[("OnFailure", Rule::Block("on_failure", &[("Destination", Rule::As("destination_arn"))]))],
        ),
    ),
];

fn logging(making: &mut Making<'_>, configuration: &Node, into: &mut Block) {
    let mut block = Block::new("logging_config", &[]);
    if configuration.get("LogFormat").is_none() {
        // What Lambda does where nothing is said; Terraform wants to hear it.
        block.set("log_format", Expr::text("Text"));
    }
    const LOGGING: &[Entry] = &[("LogFormat", Rule::As("log_format")), ("LogGroup", Rule::As("log_group"))];
    making.apply(LOGGING, configuration, &mut block);
    into.add(block);
}

/// Where to what fails for good goes. Terraform is not told of what kind it is.
const ON_FAILURE: &[Entry] = &[(
    "OnFailure",
    Rule::Block("on_failure", &[("Type", Rule::Only("SQS")), ("Destination", Rule::As("destination"))]),
)];

fn invocations(making: &mut Making<'_>, configuration: &Node, _: &mut Block) {
    const INVOCATIONS: &[Entry] = &[
        ("MaximumRetryAttempts", Rule::As("maximum_retry_attempts")),
        ("MaximumEventAgeInSeconds", Rule::As("maximum_event_age_in_seconds")),
        ("DestinationConfig", Rule::Block("destination_config", ON_FAILURE)),
    ];
    let mut block = making.another("aws_lambda_function_event_invoke_config", &making.name());
    block.set("function_name", making.own("function_name"));
    making.apply(INVOCATIONS, configuration, &mut block);
    making.others.push(block);
}

fn events(making: &mut Making<'_>, events: &Node, _: &mut Block) {
    for (name, event) in making.fields(events) {
        let make = match event.get("Type").and_then(Node::text) {
            Some("HttpApi") => webhooks::route,
            Some("Schedule") => schedule,
            other => panic!("{}: an event of type {other:?} has no translation", making.id),
        };
        let others = making.others.len();
        let properties = event.get("Properties").expect("an event has properties");
        make(making, &format!("{}_{}", making.name(), snake(name)), properties);
        for block in &mut making.others[others..] {
            block.comment = Some(format!("{}, event {name}", making.id));
        }
    }
}

fn schedule(making: &mut Making<'_>, name: &str, properties: &Node) {
    const RULE: &[Entry] = &[
        ("Schedule", Rule::As("schedule_expression")),
        ("Description", Rule::As("description")),
        // The target's.
        ("Input", Rule::Own(|_, _, _| {})),
    ];
    let mut rule = making.another("aws_cloudwatch_event_rule", name);
    let stack = Part::Value(Expr::name("var.stack_name"));
    rule.set("name", Expr::Text(vec![stack, Part::Literal(format!("-{}-tf", camel(name)))]));
    making.apply(RULE, properties, &mut rule);

    let mut target = making.another("aws_cloudwatch_event_target", name);
    target.set("rule", Expr::name(format!("aws_cloudwatch_event_rule.{name}.name")));
    target.set("arn", making.own("arn"));
    if let Some(input) = properties.get("Input") {
        target.set("input", making.value(input));
    }

    let mut permission = making.another("aws_lambda_permission", name);
    permission.set("statement_id", Expr::text(camel(name)));
    permission.set("function_name", making.own("function_name"));
    permission.set("action", Expr::text("lambda:InvokeFunction"));
    permission.set("principal", Expr::text("events.amazonaws.com"));
    permission.set("source_arn", Expr::name(format!("aws_cloudwatch_event_rule.{name}.arn")));
    making.others.extend([rule, target, permission]);
}

/// A function is made when its role can do what it is for: a mapping or a destination is refused while the role may not
/// read the one or write to the other. CloudFormation makes a role and its policies as one.
pub(super) fn after_their_permissions(all: &mut [Resource]) {
    let mut after = Vec::new();
    for (n, resource) in all.iter().enumerate() {
        let role = match (resource.block.labels.first(), resource.block.argument("role")) {
            (Some(kind), Some(Expr::Name(role))) if kind == "aws_lambda_function" => role,
            _ => continue,
        };
        let role = role.strip_prefix("aws_iam_role.").and_then(|role| role.strip_suffix(".arn"));
        let role = role.unwrap_or_else(|| panic!("{}: a role that is not the template's", resource.id));
        let needed = all.iter().filter(|other| permissions::of_role(&other.block, role));
        let needed: Vec<Expr> = needed.map(|other| Expr::name(other.address())).collect();
        assert!(!needed.is_empty(), "{}: its role can do nothing", resource.id);
        after.push((n, needed));
    }
    for (n, needed) in after {
        let block = &mut all[n].block;
        assert_eq!(block.argument("depends_on"), None, "{}: say how both are joined", block.labels.join("."));
        block.set("depends_on", Expr::List(needed));
    }
}
