//! What the console function answers.

use serde::Serialize;
use serde_json::{Value, json};

/// An answer: a dashboard takes a text for HTML (of `describe`: Markdown), a terminal takes JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// HTML or Markdown.
    Text(String),
    /// JSON.
    Json(Value),
}

impl Reply {
    /// What was asked for, under `ok`.
    #[must_use]
    pub(crate) fn good(what: &impl Serialize) -> Self {
        // Names, times and numbers: serialising them can't fail.
        let mut reply = serde_json::to_value(what).unwrap_or_default();
        if let Some(fields) = reply.as_object_mut() {
            fields.insert("ok".to_owned(), Value::Bool(true));
        }
        Self::Json(reply)
    }

    /// Why there is nothing.
    #[must_use]
    pub(crate) fn bad(message: &str, problems: &[String]) -> Self {
        let mut reply = json!({ "ok": false, "message": message });
        if let (Some(fields), false) = (reply.as_object_mut(), problems.is_empty()) {
            fields.insert("problems".to_owned(), json!(problems));
        }
        Self::Json(reply)
    }
}
