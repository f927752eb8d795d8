//! Routing: which source an HTTP event is for, if it is for Curfew at all.
//!
//! API Gateway's HTTP API and Lambda function URLs send the same event (payload format 2.0,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
//! Judged before anything is read, fetched or verified.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use http::{Method, header};

/// The path of webhooks, in front of the source's name.
const WEBHOOKS: &str = "/webhooks/";

/// Why a request is not for Curfew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misrouted {
    /// Another path than `/webhooks/<source>`.
    Path,
    /// Another method than `POST`.
    Method,
    /// Another content type than the source's.
    ContentType(&'static str),
}

/// The source whose webhook this is, as the path names it: not verified, nor known to exist.
///
/// # Errors
/// [`Misrouted`].
pub fn source_of(request: &ApiGatewayV2httpRequest) -> Result<&str, Misrouted> {
    let path = request.raw_path.as_deref().unwrap_or_default();
    let stage = request.request_context.stage.as_deref().unwrap_or_default();
    let Some(source) = [path, without_stage(path, stage)].into_iter().find_map(named_source) else {
        return Err(Misrouted::Path);
    };
    if request.request_context.http.method != Method::POST {
        return Err(Misrouted::Method);
    }
    Ok(source)
}

/// Whether the content type is the source's, or not said: some senders leave the header out, and the body is
/// checked anyway.
///
/// # Errors
/// [`Misrouted::ContentType`] with the one that is wanted.
pub fn check_content_type(request: &ApiGatewayV2httpRequest, wanted: &'static str) -> Result<(), Misrouted> {
    let is_wanted = request.headers.get_all(header::CONTENT_TYPE).iter().all(|value| {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(wanted)
    });
    if is_wanted { Ok(()) } else { Err(Misrouted::ContentType(wanted)) }
}

fn named_source(path: &str) -> Option<&str> {
    path.strip_prefix(WEBHOOKS).filter(|source| !source.is_empty() && !source.contains('/'))
}

/// A named stage stands in front of the path; the stage `$default` does not.
fn without_stage<'a>(path: &'a str, stage: &str) -> &'a str {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    match rest {
        Some(rest) if rest.starts_with('/') && !stage.is_empty() => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(method: &str, path: &str, stage: &str, content_type: Option<&str>) -> Result<String, Misrouted> {
        let mut headers = serde_json::Map::new();
        if let Some(content_type) = content_type {
            headers.insert("content-type".to_owned(), json!(content_type));
        }
        let event = json!({
            "version": "2.0",
            "rawPath": path,
            "headers": headers,
            "requestContext": { "stage": stage, "http": { "method": method, "path": path } },
            "isBase64Encoded": false,
        });
        let request: ApiGatewayV2httpRequest = serde_json::from_value(event).unwrap();
        let source = source_of(&request)?;
        check_content_type(&request, "application/json")?;
        Ok(source.to_owned())
    }

    #[test]
    fn a_webhooks_path_names_its_source() {
        let json = Some("application/json");
        assert_eq!(route("POST", "/webhooks/servicenow", "$default", json), Ok("servicenow".to_owned()));
        assert_eq!(route("POST", "/prod/webhooks/servicenow", "prod", json), Ok("servicenow".to_owned()));
        assert_eq!(route("POST", "/webhooks/webhooks/jira", "webhooks", json), Ok("jira".to_owned()));
        // Behind a domain of its own, the stage is not in the path.
        assert_eq!(route("POST", "/webhooks/jira", "prod", json), Ok("jira".to_owned()));
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "",
            "/",
            "/webhooks",
            "/webhooks/",
            "/webhooks/a/b",
            "/Webhooks/a",
            "/x/webhooks/a",
            "/webhooks/a/",
        ] {
            assert_eq!(route("POST", path, "$default", None), Err(Misrouted::Path), "{path}");
        }
        assert_eq!(route("POST", "/production/webhooks/a", "prod", None), Err(Misrouted::Path));
    }

    #[test]
    fn only_what_is_posted_with_the_content_type_of_the_source_is_read() {
        for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"] {
            assert_eq!(route(method, "/webhooks/a", "$default", None), Err(Misrouted::Method), "{method}");
        }
        for good in [None, Some("application/json"), Some("Application/JSON; charset=utf-8")] {
            assert!(route("POST", "/webhooks/a", "$default", good).is_ok(), "{good:?}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "application/json-seq", ""] {
            assert_eq!(
                route("POST", "/webhooks/a", "$default", Some(bad)),
                Err(Misrouted::ContentType("application/json")),
                "{bad}"
            );
        }
    }
}
