//! Recorded HTTP events: the same webhook through API Gateway and through a function URL.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use serde_json::{Value, json};

use super::{Bench, approval, assert_problem};

const API_GATEWAY: &str = include_str!("../../../../tests/payloads/apigw-v2-post.json");
const API_GATEWAY_STAGE: &str = include_str!("../../../../tests/payloads/apigw-v2-named-stage.json");
const FUNCTION_URL: &str = include_str!("../../../../tests/payloads/function-url-base64.json");

/// A recorded event that carries `body`, signed now.
fn recorded(bench: &Bench, event: &str, body: &str) -> ApiGatewayV2httpRequest {
    let mut event: Value = serde_json::from_str(event).unwrap();
    let signed = bench.signed(body);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        event["headers"][name] = json!(signed.headers[name].to_str().unwrap());
    }
    event["body"] = if event["isBase64Encoded"] == true { json!(base64(body)) } else { json!(body) };
    serde_json::from_value(event).unwrap()
}

/// RFC 4648, as the services encode bodies.
fn base64(text: &str) -> String {
    data_encoding::BASE64.encode(text.as_bytes())
}

#[test]
fn every_way_in_leads_to_the_same_grant() {
    for event in [API_GATEWAY, API_GATEWAY_STAGE, FUNCTION_URL] {
        let bench = Bench::new();
        let reply = bench.post(&recorded(&bench, event, &approval("CHG-1").to_string()));
        assert_eq!(reply.status, 201, "{}", reply.body);
        assert!(bench.ana_has_access());
    }
}

#[test]
fn a_large_body_is_refused_before_anything_is_verified() {
    let large = "x".repeat(1024 * 1024);
    for event in [API_GATEWAY, FUNCTION_URL] {
        let bench = Bench::new();
        assert_problem(&bench.post(&recorded(&bench, event, &large)), 413, "too-large");
        assert_eq!(bench.told(), Vec::<String>::new());
    }
}

#[test]
fn a_body_that_is_not_base64_or_not_there_is_refused() {
    let bench = Bench::new();
    let mut event = recorded(&bench, FUNCTION_URL, "{}");
    event.body = Some("***".to_owned());
    assert_problem(&bench.post(&event), 400, "malformed");
    let mut event = recorded(&bench, API_GATEWAY, "");
    event.body = None;
    assert_problem(&bench.post(&event), 400, "malformed");
}

#[test]
fn what_is_no_webhook_is_told_what_one_is() {
    let bench = Bench::new();
    let mut event = recorded(&bench, API_GATEWAY, "{}");
    event.raw_path = Some("/".to_owned());
    assert_problem(&bench.post(&event), 404, "not-found");
    let mut event = recorded(&bench, API_GATEWAY, "{}");
    event.request_context.http.method = http::Method::GET;
    let reply = bench.post(&event);
    assert_problem(&reply, 405, "method-not-allowed");
    assert_eq!(reply.headers["allow"], "POST");
    let mut event = recorded(&bench, API_GATEWAY, "{}");
    event.headers.insert("content-type", http::HeaderValue::from_static("text/plain"));
    assert_problem(&bench.post(&event), 415, "unsupported-media-type");
    assert_eq!(bench.calls(), []);
}

#[tokio::test]
async fn whoever_waits_gets_an_answer_before_lambda_ends_the_function() {
    let bench = Bench::new();
    let payload = bench.signed(&approval("CHG-1").to_string());
    let mut context = lambda_runtime::Context::default();
    // The time is over, and nobody delivers the call to the ledger that the handler waits for.
    context.deadline = u64::try_from(bench.world.now().as_millisecond()).unwrap();
    let event = lambda_runtime::LambdaEvent::new(json!(payload), context);
    let Ok(answer) = bench.function.serve(event).await;
    let response = json!(answer);
    assert_eq!(response["statusCode"], 503, "{response}");
    assert_eq!(response["headers"]["retry-after"], "30");
    assert_eq!(bench.calls(), [curfew_testkit::CallName::Open]);
}
