//! The two doors: an HTTP event is a webhook, anything else is what an operator invokes the function with.
//!
//! They can't be confused. The members of an HTTP event are API Gateway's (or the function URL's) own, and what a sender
//! writes stands inside of them as text: no body, header or path makes an event that is not one. And whoever may invoke
//! the function directly and makes up an HTTP event has it judged as one, by its signature.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use serde::Serialize;
use serde_json::Value;

use crate::extended::ExtendReply;

/// Members that every HTTP event of payload format 2.0 has, and no operator's input
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
const OF_HTTP: [&str; 2] = ["requestContext", "version"];

/// By which door an event came.
#[derive(Debug)]
pub enum Door {
    /// As a webhook.
    Http(Box<ApiGatewayV2httpRequest>),
    /// As a webhook that can't be read.
    BrokenHttp(String),
    /// By an operator.
    Direct(Value),
}

impl Door {
    /// The door of an event.
    #[must_use]
    pub fn of(event: Value) -> Self {
        if !OF_HTTP.iter().any(|member| event.get(member).is_some()) {
            return Self::Direct(event);
        }
        match serde_json::from_value(event) {
            Ok(request) => Self::Http(Box::new(request)),
            Err(error) => Self::BrokenHttp(error.to_string()),
        }
    }
}

/// What the function answers, by the door that was taken.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a webhook.
    Http(Box<ApiGatewayV2httpResponse>),
    /// To an operator.
    Direct(Box<ExtendReply>),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORDER: &str =
        r#"{"extend":"g-abcdefghijklmnopqrstuvwxyz","minutes":60,"reason":"r","operator":"o@example.com"}"#;

    #[test]
    fn what_is_http_is_never_an_operators() {
        let order: Value = serde_json::from_str(ORDER).unwrap();
        assert!(matches!(Door::of(order.clone()), Door::Direct(_)));
        let http = json!({
            "version": "2.0",
            "rawPath": "/webhooks/itsm",
            "headers": { "extend": "g-abcdefghijklmnopqrstuvwxyz" },
            "queryStringParameters": { "extend": "g-abcdefghijklmnopqrstuvwxyz", "minutes": "60" },
            "requestContext": { "http": { "method": "POST", "path": "/webhooks/itsm" } },
            "body": ORDER,
            "isBase64Encoded": false,
        });
        let Door::Http(request) = Door::of(http.clone()) else { panic!("a webhook") };
        assert_eq!(request.body.as_deref(), Some(ORDER));
        // Whoever invokes with both is taken for a webhook, which takes a signature.
        for members in [&["version", "requestContext"][..], &["version"], &["requestContext"]] {
            let mut both = order.clone();
            for member in members {
                both[*member] = http[*member].clone();
            }
            assert!(!matches!(Door::of(both), Door::Direct(_)), "{members:?}");
        }
    }

    #[test]
    fn what_is_neither_is_for_an_operator_to_put_right() {
        for event in [json!(null), json!("extend"), json!([]), json!({}), json!({ "key1": "value1" })] {
            assert!(matches!(Door::of(event.clone()), Door::Direct(_)), "{event}");
        }
        let broken = Door::of(json!({ "version": 2, "requestContext": "none" }));
        assert!(matches!(broken, Door::BrokenHttp(_)), "{broken:?}");
    }
}
