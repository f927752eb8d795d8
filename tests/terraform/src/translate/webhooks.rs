//! What is called from outside: the HTTP API by SAM's shorthand, the function's URL, and the webhooks' secrets.

use super::{Entry, Making, Rule, Table};
use crate::cloudformation::Node;
use crate::expression::{camel, snake};
use crate::language::{Block, Expr, Part};

pub(super) const TABLES: &[Table] = &[
    Table::new("AWS::Serverless::HttpApi", "aws_apigatewayv2_api", API).then(stage),
    Table::new("AWS::Lambda::Url", "aws_lambda_function_url", URL),
    Table::new("AWS::Lambda::Permission", "aws_lambda_permission", PERMISSION).then(statement),
    Table::new("AWS::SecretsManager::Secret", "aws_secretsmanager_secret", SECRET).then(prefix),
];

const API: &[Entry] = &[
    ("Description", Rule::As("description")),
    ("FailOnWarnings", Rule::Left("it is about importing an OpenAPI document; there is none")),
    ("Tags", Rule::As("tags")),
    ("DefaultRouteSettings", Rule::Own(|_, _, _| {})),
    ("AccessLogSettings", Rule::Own(|_, _, _| {})),
];

/// SAM names the API after the stack, and serves it by the stage `$default`, which deploys what is changed.
fn stage(making: &mut Making<'_>) {
    making.lead("protocol_type", Expr::text("HTTP"));
    making.lead("name", Expr::name("var.stack_name"));

    const SETTINGS: &[Entry] = &[
        ("ThrottlingRateLimit", Rule::As("throttling_rate_limit")),
        ("ThrottlingBurstLimit", Rule::As("throttling_burst_limit")),
    ];
    const LOGS: &[Entry] = &[("DestinationArn", Rule::Own(destination)), ("Format", Rule::As("format"))];
    let resources = making.scope.template.section("Resources");
    let api = resources.iter().find(|(id, _)| id == making.id).map(|(_, api)| api);
    let properties = api.and_then(|api| api.get("Properties")).expect("the API has properties");
    let mut stage = making.another("aws_apigatewayv2_stage", &making.name());
    stage.set("api_id", making.own("id"));
    stage.set("name", Expr::text("$default"));
    stage.set("auto_deploy", Expr::Bool(true));
    // SAM tags the stage as it tags the API.
    if let Some(tags) = properties.get("Tags") {
        stage.set("tags", making.value(tags));
    }
    for (property, block, entries) in [
        ("DefaultRouteSettings", "default_route_settings", SETTINGS),
        ("AccessLogSettings", "access_log_settings", LOGS),
    ] {
        if let Some(value) = properties.get(property) {
            let mut block = Block::new(block, &[]);
            making.apply(entries, value, &mut block);
            stage.add(block);
        }
    }
    making.others.push(stage);
}

/// API Gateway takes the group's own ARN, and cuts off what stands for its streams.
fn destination(making: &mut Making<'_>, arn: &Node, into: &mut Block) {
    match making.value(arn) {
        Expr::Text(parts) => match parts.as_slice() {
            [Part::Value(group), Part::Literal(streams)] if streams == ":*" => {
                into.set("destination_arn", group.clone());
            }
            other => panic!("{}: no log group: {other:?}", making.id),
        },
        other => panic!("{}: no log group: {other:?}", making.id),
    }
}

/// What SAM makes of a function's event `HttpApi`.
pub(super) fn route(making: &mut Making<'_>, name: &str, properties: &Node) {
    let known = ["ApiId", "Method", "Path", "PayloadFormatVersion", "TimeoutInMillis"];
    for (property, _) in making.fields(properties) {
        assert!(known.contains(&property.as_str()), "{}: `{property}` has no translation", making.id);
    }
    let field = |name: &str| properties.get(name).unwrap_or_else(|| panic!("{}: no `{name}`", making.id));
    let api = match field("ApiId") {
        Node::Call(function, of) if function == "Ref" => snake(making.literal(of)),
        other => panic!("{}: an API that is not the template's: {other:?}", making.id),
    };
    let api = |attribute: &str| Expr::name(format!("aws_apigatewayv2_api.{api}.{attribute}"));
    let (method, path) = (making.literal(field("Method")), making.literal(field("Path")));

    let mut integration = making.another("aws_apigatewayv2_integration", name);
    integration.set("api_id", api("id"));
    integration.set("integration_type", Expr::text("AWS_PROXY"));
    integration.set("integration_method", Expr::text("POST"));
    integration.set("integration_uri", making.own("invoke_arn"));
    integration.set("payload_format_version", making.value(field("PayloadFormatVersion")));
    integration.set("timeout_milliseconds", making.value(field("TimeoutInMillis")));

    let mut route = making.another("aws_apigatewayv2_route", name);
    route.set("api_id", api("id"));
    route.set("route_key", Expr::text(format!("{method} {path}")));
    let target = Part::Value(Expr::name(format!("aws_apigatewayv2_integration.{name}.id")));
    route.set("target", Expr::Text(vec![Part::Literal("integrations/".to_owned()), target]));

    let any: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "*" } else { part }).collect();
    let behind = format!("/*/{method}{}", any.join("/"));
    let mut permission = making.another("aws_lambda_permission", name);
    permission.set("statement_id", Expr::text(camel(name)));
    permission.set("function_name", making.own("function_name"));
    permission.set("action", Expr::text("lambda:InvokeFunction"));
    permission.set("principal", Expr::text("apigateway.amazonaws.com"));
    let source = vec![Part::Value(api("execution_arn")), Part::Literal(behind)];
    permission.set("source_arn", Expr::Text(source));
    making.others.extend([integration, route, permission]);
}

const URL: &[Entry] =
    &[("TargetFunctionArn", Rule::As("function_name")), ("AuthType", Rule::As("authorization_type"))];

const PERMISSION: &[Entry] = &[
    ("FunctionName", Rule::As("function_name")),
    ("Action", Rule::As("action")),
    ("Principal", Rule::As("principal")),
    ("SourceAccount", Rule::As("source_account")),
    ("SourceArn", Rule::As("source_arn")),
    ("FunctionUrlAuthType", Rule::As("function_url_auth_type")),
    ("InvokedViaFunctionUrl", Rule::As("invoked_via_function_url")),
];

fn statement(making: &mut Making<'_>) {
    let name = Expr::text(making.id);
    making.lead("statement_id", name);
}

const SECRET: &[Entry] = &[
    ("Description", Rule::As("description")),
    ("KmsKeyId", Rule::As("kms_key_id")),
    (
        "SecretString",
        // Terraform would write it again once AWS has forgotten the version, over the secrets that were set meanwhile.
        Rule::Left(
            "the secret is born without a value, which refuses all webhooks as well as one without sources does",
        ),
    ),
];

/// A deleted secret keeps its name for a while: a new one must be able to have another. CloudFormation begins the name
/// of a secret with the resource's, and the boundary in tenant.yaml goes by that.
fn prefix(making: &mut Making<'_>) {
    let stack = Part::Value(Expr::name("var.stack_name"));
    let around = |text: String| Part::Literal(text);
    let name = Expr::Text(vec![around(format!("{}-", making.id)), stack, around("-".to_owned())]);
    making.lead("name_prefix", name);
}
