//! Lambda and API Gateway, with what SAM makes of its shorthand.

use serde_json::{Map, Value, json};

use super::{Left, Made, blocks};
use crate::facts::STACK;
use crate::facts::deployed::squashed;

/// A function, with what holds for all of them.
pub(super) fn function(made: &mut Made<'_>, left: &mut Left, of_all: &Value) -> Result<(), String> {
    let mut of_all = Left::of("Globals.Function", of_all)?;
    let mut variables: Map<String, Value> = Map::new();
    for environment in [of_all.nested("Environment")?, left.nested("Environment")?] {
        let mut environment = environment;
        variables.extend(environment.take("Variables").as_object().cloned().unwrap_or_default());
        environment.done()?;
    }
    let name = left.take("FunctionName");
    let package = name.as_str().and_then(|name| name.strip_prefix(STACK)?.strip_prefix('-'));
    let package = format!("{}/{}.zip", crate::facts::PACKAGES, package.ok_or("a function of another stack")?);
    let mut logging = left.nested("LoggingConfig")?;
    let mut either = |property: &str| match left.take(property) {
        Value::Null => of_all.take(property),
        own => own,
    };
    let arguments = json!({
        "function_name": name,
        "description": either("Description"),
        "role": either("Role"),
        "runtime": either("Runtime"),
        "handler": either("Handler"),
        "architectures": either("Architectures"),
        "memory_size": either("MemorySize"),
        "timeout": either("Timeout"),
        "reserved_concurrent_executions": either("ReservedConcurrentExecutions"),
        "filename": package,
        "source_code_hash": format!("⟨hash of {package}⟩"),
        "logging_config": { "log_format": "Text", "log_group": logging.take("LogGroup") },
        "environment": { "variables": variables },
    });
    logging.done()?;
    // Of the packages, and that `sam` builds them in the template's folder.
    if either("CodeUri") != "." {
        return Err(format!("{}: its code is somewhere else", made.id));
    }
    of_all.done()?;
    made.main("aws_lambda_function", arguments);

    let mut invocations = left.nested("EventInvokeConfig")?;
    if !invocations.fields.is_empty() {
        let destination = failed(&mut invocations)?;
        let arguments = json!({
            "function_name": made.own("Name"),
            "maximum_retry_attempts": invocations.take("MaximumRetryAttempts"),
            "maximum_event_age_in_seconds": invocations.take("MaximumEventAgeInSeconds"),
            "destination_config": { "on_failure": { "destination": destination } },
        });
        invocations.done()?;
        made.beside("aws_lambda_function_event_invoke_config", "", arguments);
    }
    for (event, of) in left.take("Events").as_object().into_iter().flatten() {
        let mut of = Left::of(&format!("{}.Events.{event}", made.id), of)?;
        let kind = of.take("Type");
        let mut properties = of.nested("Properties")?;
        of.done()?;
        match kind.as_str() {
            Some("HttpApi") => webhook(made, event, &mut properties)?,
            Some("Schedule") => schedule(made, event, &mut properties),
            other => return Err(format!("{event}: {other:?} is compared with nothing")),
        }
        properties.done()?;
    }
    Ok(())
}

/// The queue for what fails for good.
fn failed(of: &mut Left) -> Result<Value, String> {
    let mut config = of.nested("DestinationConfig")?;
    let mut failure = config.nested("OnFailure")?;
    failure.is("Type", "SQS")?;
    let destination = failure.take("Destination");
    failure.done()?;
    config.done()?;
    Ok(destination)
}

fn webhook(made: &mut Made<'_>, event: &str, properties: &mut Left) -> Result<(), String> {
    let api = properties.take("ApiId");
    let path = properties.take("Path");
    let path = path.as_str().ok_or("no path")?;
    let method = properties.take("Method");
    let method = method.as_str().ok_or("no method")?;
    let arguments = json!({
        "api_id": api,
        "integration_type": "AWS_PROXY",
        // Lambda is always called by POST.
        "integration_method": "POST",
        "integration_uri": made.own("InvokeArn"),
        "payload_format_version": properties.take("PayloadFormatVersion"),
        "timeout_milliseconds": properties.take("TimeoutInMillis"),
    });
    made.beside("aws_apigatewayv2_integration", event, arguments);
    let integration = format!("{}{}", squashed(made.id), squashed(event));
    let arguments = json!({
        "api_id": api,
        "route_key": format!("{method} {path}"),
        "target": format!("integrations/⟨aws_apigatewayv2_integration.{integration}.Id⟩"),
    });
    made.beside("aws_apigatewayv2_route", event, arguments);
    let execution = api.as_str().unwrap_or_default().replace(".Id⟩", ".ExecutionArn⟩");
    let (before, parameter) = path.split_once('{').ok_or("a path without a parameter")?;
    let after = parameter.split_once('}').map(|(_, after)| after).ok_or("no end")?;
    let from = format!("{execution}/*/{method}{before}*{after}");
    let arguments = may_be_called(made, event, "apigateway.amazonaws.com", &from);
    made.beside("aws_lambda_permission", event, arguments);
    Ok(())
}

fn may_be_called(made: &Made<'_>, event: &str, by: &str, from: &str) -> Value {
    json!({
        "statement_id": format!("{}{event}", made.id),
        "function_name": made.own("Name"),
        "action": "lambda:InvokeFunction",
        "principal": by,
        "source_arn": from,
    })
}

fn schedule(made: &mut Made<'_>, event: &str, properties: &mut Left) {
    let arguments = json!({
        "name": format!("{STACK}-{}{event}-tf", made.id),
        "schedule_expression": properties.take("Schedule"),
        "description": properties.take("Description"),
    });
    made.beside("aws_cloudwatch_event_rule", event, arguments);
    let rule = format!("aws_cloudwatch_event_rule.{}{}", squashed(made.id), squashed(event));
    let arguments = json!({
        "rule": format!("⟨{rule}.Name⟩"),
        "arn": made.own("Arn"),
        "input": properties.take("Input"),
    });
    made.beside("aws_cloudwatch_event_target", event, arguments);
    let arguments = may_be_called(made, event, "events.amazonaws.com", &format!("⟨{rule}.Arn⟩"));
    made.beside("aws_lambda_permission", event, arguments);
}

/// What calls a function for what is written to a stream.
pub(super) fn mapping(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let mut config = left.nested("DestinationConfig")?;
    let mut failure = config.nested("OnFailure")?;
    let destination = failure.take("Destination");
    failure.done()?;
    config.done()?;
    let mut criteria = left.nested("FilterCriteria")?;
    let mut filters = Vec::new();
    for mut filter in criteria.list("Filters")? {
        filters.push(json!({ "pattern": filter.take("Pattern") }));
        filter.done()?;
    }
    criteria.done()?;
    let arguments = json!({
        "function_name": left.take("FunctionName"),
        "event_source_arn": left.take("EventSourceArn"),
        "tags": super::tags(left)?,
        "starting_position": left.take("StartingPosition"),
        "batch_size": left.take("BatchSize"),
        "maximum_batching_window_in_seconds": left.take("MaximumBatchingWindowInSeconds"),
        "parallelization_factor": left.take("ParallelizationFactor"),
        "function_response_types": left.take("FunctionResponseTypes"),
        "bisect_batch_on_function_error": left.take("BisectBatchOnFunctionError"),
        "maximum_retry_attempts": left.take("MaximumRetryAttempts"),
        "maximum_record_age_in_seconds": left.take("MaximumRecordAgeInSeconds"),
        "filter_criteria": { "filter": blocks(filters) },
        "destination_config": { "on_failure": { "destination_arn": destination } },
    });
    made.main("aws_lambda_event_source_mapping", arguments);
    Ok(())
}

pub(super) fn http_api(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    // Of importing OpenAPI documents alone.
    left.take("FailOnWarnings");
    let tags = left.take("Tags");
    let arguments = json!({
        "name": STACK,
        "protocol_type": "HTTP",
        "description": left.take("Description"),
        "tags": tags,
    });
    made.main("aws_apigatewayv2_api", arguments);
    let mut settings = left.nested("DefaultRouteSettings")?;
    let mut logs = left.nested("AccessLogSettings")?;
    // The group itself, not its streams.
    let group = logs.take("DestinationArn").as_str().unwrap_or_default().replace(".Arn⟩", ".GroupArn⟩");
    let arguments = json!({
        "api_id": made.own("Id"),
        "name": "$default",
        "auto_deploy": true,
        "tags": tags,
        "default_route_settings": {
            "throttling_rate_limit": settings.take("ThrottlingRateLimit"),
            "throttling_burst_limit": settings.take("ThrottlingBurstLimit"),
        },
        "access_log_settings": { "destination_arn": group, "format": logs.take("Format") },
    });
    settings.done()?;
    logs.done()?;
    made.beside("aws_apigatewayv2_stage", "", arguments);
    Ok(())
}

pub(super) fn url(made: &mut Made<'_>, left: &mut Left) {
    let arguments = json!({
        "function_name": left.take("TargetFunctionArn"),
        "authorization_type": left.take("AuthType"),
    });
    made.main("aws_lambda_function_url", arguments);
}

pub(super) fn permission(made: &mut Made<'_>, left: &mut Left) {
    let arguments = json!({
        "statement_id": made.id,
        "function_name": left.take("FunctionName"),
        "action": left.take("Action"),
        "principal": left.take("Principal"),
        "source_account": left.take("SourceAccount"),
        "source_arn": left.take("SourceArn"),
        "function_url_auth_type": left.take("FunctionUrlAuthType"),
        "invoked_via_function_url": left.take("InvokedViaFunctionUrl"),
    });
    made.main("aws_lambda_permission", arguments);
}
