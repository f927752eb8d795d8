//! Buttons: an element, and after it the `cwdb-action` that CloudWatch hangs on it
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html>).
//!
//! CloudWatch calls the endpoint as whoever looks at the dashboard, with the payload and everything that was typed into
//! the widget's fields.

use std::fmt;

use askama::filters::HtmlSafe;
use curfew_app::console::{LiveGrant, ReviewOwed, Standing};
use curfew_domain::ids::GrantId;
use serde_json::{Value, json};

use super::Links;

/// By how many minutes a grant can be extended with one click.
pub(super) const EXTENSIONS: [u32; 2] = [30, 60];

/// A button.
#[derive(Debug)]
pub(super) struct Action<'a> {
    /// What is on it.
    pub(super) label: String,
    /// What it does, for those who can't see what it stands beside.
    pub(super) title: String,
    /// Its looks.
    pub(super) class: &'static str,
    /// The ARN of the function that it calls.
    pub(super) endpoint: &'a str,
    /// Where the answer is shown: `popup`, or `widget` in its own place.
    pub(super) display: &'static str,
    /// What to ask before.
    pub(super) confirmation: Option<String>,
    /// What it calls the function with.
    pub(super) payload: Payload,
}

/// JSON as the text of an element.
#[derive(Debug)]
pub(super) struct Payload(Value);

/// It writes none of `<`, `>`, `&` and `'`, and JSON is an element's text and nothing else.
impl HtmlSafe for Payload {}

impl fmt::Display for Payload {
    /// In JSON's own escapes and not in HTML's: it is the same JSON to whoever reads the element's text and to whoever
    /// reads its HTML, and which of both CloudWatch does, it does not say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '<' | '>' | '&' | '\'' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// What can be done about a live grant.
pub(super) fn of_grant<'a>(grant: &LiveGrant, standing: Standing, links: &Links<'a>) -> Vec<Action<'a>> {
    let LiveGrant { grant_id, person, tenant, role, .. } = grant;
    let access = format!("{role} of {person} in {tenant}");
    let mut actions = vec![Action {
        label: if standing == Standing::RemovalFails { "Try removal now" } else { "Revoke now" }.to_owned(),
        title: format!("End {access} now"),
        class: "cf-end",
        endpoint: links.revoke,
        display: "popup",
        confirmation: Some(format!(
            "End {access} now? Your name and your reason, as typed into the widget, go on record."
        )),
        payload: Payload(json!({ "grant_id": grant_id })),
    }];
    if matches!(standing, Standing::Active | Standing::Waiting) {
        actions.extend(EXTENSIONS.map(|minutes| Action {
            label: format!("+{minutes} min"),
            title: format!("Extend {access} by {minutes} minutes"),
            class: "cf-plain",
            endpoint: links.grant,
            display: "popup",
            confirmation: Some(format!(
                "Extend {access} by {minutes} minutes? Limits and guardrails are asked as for every approval. Your name \
                 and your reason, as typed into the widget, go on record."
            )),
            payload: Payload(json!({ "extend": grant_id, "minutes": minutes })),
        }));
    }
    actions.push(story(grant_id, &access, links));
    actions
}

/// What can be done about a review. One can be given once the access has ended.
pub(super) fn of_review<'a>(review: &ReviewOwed, links: &Links<'a>) -> Vec<Action<'a>> {
    let ReviewOwed { grant_id, person, tenant, role, .. } = review;
    let access = format!("{role} of {person} in {tenant}");
    let mut actions = Vec::new();
    if review.outcome.is_some() {
        actions.push(Action {
            label: "Reviewed".to_owned(),
            title: format!("Record that you reviewed {access}"),
            class: "cf-plain",
            endpoint: links.revoke,
            display: "popup",
            confirmation: Some(format!(
                "Record that you reviewed {access}? Your name, and as what you found your reason, as typed into the \
                 widget, go on record."
            )),
            payload: Payload(json!({ "reviewed": grant_id })),
        });
    }
    actions.push(story(grant_id, &access, links));
    actions
}

fn story<'a>(grant_id: &GrantId, access: &str, links: &Links<'a>) -> Action<'a> {
    Action {
        label: "Story".to_owned(),
        title: format!("Show all that happened to {access}"),
        class: "cf-plain",
        endpoint: links.console,
        display: "popup",
        confirmation: None,
        payload: Payload(json!({ "show": grant_id })),
    }
}

/// Shows what the filter says: what is typed into it comes with the call.
pub(super) fn filter<'a>(links: &Links<'a>) -> Action<'a> {
    Action {
        label: "Show".to_owned(),
        title: "Show what fits the filter; all of it, if the fields are empty".to_owned(),
        class: "cf-main",
        endpoint: links.console,
        display: "widget",
        confirmation: None,
        payload: Payload(json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_the_same_json_with_no_character_that_html_gives_a_meaning() {
        for text in ["</cwdb-action><script>", "a & b &quot; 'c'", "\"\\\u{2028}\n", "]]>", "<!--"] {
            let value = json!({ "text": text });
            let written = Payload(value.clone()).to_string();
            assert!(!written.contains(['<', '>', '&', '\'']), "{written}");
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
