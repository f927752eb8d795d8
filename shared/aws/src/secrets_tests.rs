//! Tests of the webhook secret's cache.

use serde_json::json;

use super::*;
use crate::wire::{Reply, Script, StillClock, aws};

fn secret(
    replies: impl IntoIterator<Item = Reply>,
) -> (WebhookSecret<StillClock>, Arc<Script>, Arc<StillClock>) {
    let clock = StillClock::at("2026-11-21T01:00:00Z");
    let (aws, script) = aws(replies);
    (WebhookSecret::new(aws, "curfew/webhooks".to_owned(), Arc::clone(&clock)), script, clock)
}

fn text(text: &str) -> Reply {
    Reply::json(200, &json!({ "Name": "curfew/webhooks", "SecretString": text }))
}

fn down() -> Reply {
    Reply::json_error(500, "InternalServiceError")
}

#[tokio::test]
async fn a_secret_is_fetched_once_in_five_minutes() {
    let (secret, script, clock) = secret([text("one"), text("two")]);
    assert_eq!(secret.fetch().await.unwrap().expose(), "one");
    clock.pass(FRESH_FOR - SignedDuration::from_secs(1));
    assert_eq!(secret.fetch().await.unwrap().expose(), "one");
    assert_eq!(script.one().json(), json!({ "SecretId": "curfew/webhooks" }));
    clock.pass(SignedDuration::from_secs(1));
    assert_eq!(secret.fetch().await.unwrap().expose(), "two");
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_fetches() {
    let (secret, script, _) = secret([text("one")]);
    let (a, b, c) = tokio::join!(secret.fetch(), secret.fetch(), secret.fetch());
    assert_eq!([a, b, c].map(|text| text.unwrap().expose().to_owned()), ["one", "one", "one"]);
    assert_eq!(script.calls(), ["GetSecretValue"]);
}

#[tokio::test]
async fn while_secrets_manager_is_down_the_last_secret_serves_on_but_not_for_ever() {
    let (secret, script, clock) = secret([text("one"), down()]);
    secret.fetch().await.unwrap();
    clock.pass(FRESH_FOR);
    assert_eq!(secret.fetch().await.unwrap().expose(), "one");
    let tried = script.calls().len();
    // Not every delivery waits for another failing try.
    assert_eq!(secret.fetch().await.unwrap().expose(), "one");
    assert_eq!(script.calls().len(), tried);
    clock.pass(RETRY_AFTER);
    assert_eq!(secret.fetch().await.unwrap().expose(), "one");
    assert!(script.calls().len() > tried);
    clock.pass(SERVED_FOR - FRESH_FOR - RETRY_AFTER);
    assert!(secret.fetch().await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_secret_that_is_refused_is_not_served_on() {
    for code in ["ResourceNotFoundException", "AccessDeniedException"] {
        let (secret, _, clock) = secret([text("one"), Reply::json_error(400, code), down()]);
        secret.fetch().await.unwrap();
        clock.pass(FRESH_FOR);
        let error = secret.fetch().await.unwrap_err();
        assert!(!error.is_retryable());
        let said =
            format!("secret `curfew/webhooks` can't be read: GetSecretValue failed: {code}: said {code}");
        assert_eq!(error.to_string(), said);
        // Nor does it come back when Secrets Manager stops answering.
        assert!(secret.fetch().await.is_err());
    }
}

#[tokio::test]
async fn a_binary_secret_is_no_secret() {
    let (secret, _, _) = secret([Reply::json(200, &json!({ "SecretBinary": "AAAA" }))]);
    assert_eq!(
        secret.fetch().await.unwrap_err(),
        SecretError::NotText { secret_id: "curfew/webhooks".to_owned() }
    );
}

#[tokio::test]
async fn a_secret_is_not_shown() {
    let (secret, _, _) = secret([text("whsec_dG9wIHNlY3JldA==")]);
    let text = secret.fetch().await.unwrap();
    let shown = format!("{text:?} {secret:?}");
    assert!(!shown.contains("whsec"), "{shown}");
}
