//! What the console function is asked: by a dashboard, whose widget and whose viewers say what they want to see; or by
//! the terminal, in JSON.
//!
//! A widget's call (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html>)
//! brings the widget's parameters beside `widgetContext`, and in it what was typed into the widget's own fields. All of it
//! is somebody's word: a theme that is not known is the light one, a filter that can't be understood shows nothing and
//! says why.

use curfew_app::console::Filter;
use curfew_domain::ids::{Email, GrantId, IdError, TenantId, TicketId, shown};
use serde_json::{Map, Value};

/// How much of what was typed into a field is given back, in characters.
const TYPED_CHARS_MAX: usize = 1000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// How the widget is used.
    Describe,
    /// HTML for a widget.
    Widget(Box<Widget>),
    /// JSON: who has what now.
    List(Filter),
    /// JSON: one grant with its story.
    Show(GrantId),
}

/// What a widget asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Widget {
    /// What to show.
    pub look: Look,
    /// In which colours.
    pub theme: Theme,
    /// What was typed into its fields.
    pub typed: Typed,
    /// What is wrong with its parameters, in words, where it can be shown all the same.
    pub notices: Vec<String>,
}

/// What a widget shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Who has what now.
    Grants(Filter),
    /// One grant's story.
    Story(GrantId),
    /// What is asked can't be understood: nothing but this. Shown as if nothing were filtered, it would mislead.
    Unclear(Vec<String>),
}

impl Default for Look {
    fn default() -> Self {
        Self::Grants(Filter::default())
    }
}

/// A dashboard's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Dark on light.
    #[default]
    Light,
    /// Light on dark.
    Dark,
}

/// What stands in the widget's fields. Hostile text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Typed {
    /// In the filter.
    pub tenant: String,
    /// In the filter.
    pub person: String,
    /// In the filter.
    pub ticket: String,
    /// Who acts.
    pub operator: String,
    /// Why.
    pub reason: String,
}

const FILTERS: [&str; 3] = ["tenant", "person", "ticket"];
const SHOW: &str = "show";
const CONTEXT: &str = "widgetContext";

/// Reads an input.
///
/// # Errors
/// Everything that is wrong with an input in JSON, in words. A widget is always answered with a widget.
pub fn parse(input: &Value) -> Result<Input, Vec<String>> {
    let Some(fields) = input.as_object() else {
        return Err(vec!["the input is not a JSON object".to_owned()]);
    };
    if fields.get("describe").is_some_and(|describe| *describe != false) {
        return Ok(Input::Describe);
    }
    if fields.contains_key("format") || fields.contains_key("list") {
        return json(fields);
    }
    Ok(Input::Widget(Box::new(widget(fields))))
}

fn json(fields: &Map<String, Value>) -> Result<Input, Vec<String>> {
    let mut problems = unknown(fields, &["format", "list", SHOW]);
    if fields.get("format").is_none_or(|format| format != "json") {
        problems.push("`format` can be `json` and nothing else".to_owned());
    }
    let asked = match (fields.get("list"), fields.get(SHOW)) {
        (Some(Value::Object(list)), None) => {
            problems.extend(unknown(list, &FILTERS));
            let text = |name: &str| list.get(name).map_or(Ok(""), |value| text_of(name, value));
            filter(text, &mut problems).map(Input::List)
        }
        (Some(_), None) => {
            problems
                .push("`list` must be an object: `{}`, or one with `tenant`, `person`, `ticket`".to_owned());
            None
        }
        (None, Some(show)) => grant(show, &mut problems).map(Input::Show),
        (None, None) | (Some(_), Some(_)) => {
            problems.push("say what you want by one of `list` and `show`".to_owned());
            None
        }
    };
    match asked {
        Some(asked) if problems.is_empty() => Ok(asked),
        _ => Err(problems),
    }
}

fn widget(fields: &Map<String, Value>) -> Widget {
    let context = fields.get(CONTEXT);
    let within = |path: &str| context.and_then(|context| context.pointer(path));
    let typed = |name: &str| within("/forms/all").and_then(|all| all.get(name));
    // What was typed counts, also if it is nothing; else what the call says (a button's does not repeat the widget's
    // own parameters), else those.
    let said = |name: &str| {
        let parameter = || within("/params").and_then(|params| params.get(name));
        typed(name).or_else(|| fields.get(name)).or_else(parameter)
    };
    let clipped = |value: Option<&Value>| -> String {
        value.and_then(Value::as_str).unwrap_or_default().chars().take(TYPED_CHARS_MAX).collect()
    };
    let mut problems = Vec::new();
    let look = match fields.get(SHOW) {
        Some(show) => grant(show, &mut problems).map(Look::Story),
        None => {
            let text = |name: &str| said(name).map_or(Ok(""), |value| text_of(name, value));
            filter(text, &mut problems).map(Look::Grants)
        }
    };
    let known: Vec<&str> = FILTERS.into_iter().chain([SHOW, CONTEXT, "describe"]).collect();
    Widget {
        look: match look {
            Some(look) if problems.is_empty() => look,
            _ => Look::Unclear(problems),
        },
        theme: if within("/theme").is_some_and(|theme| theme == "dark") { Theme::Dark } else { Theme::Light },
        typed: Typed {
            tenant: clipped(said("tenant")),
            person: clipped(said("person")),
            ticket: clipped(said("ticket")),
            operator: clipped(typed("operator")),
            reason: clipped(typed("reason")),
        },
        notices: unknown(fields, &known),
    }
}

fn unknown(fields: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    unknown.map(|name| format!("{} is not known here; known are {}", shown(name), names.join(", "))).collect()
}

fn text_of<'a>(name: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().map(str::trim).ok_or_else(|| format!("`{name}` must be a text in quotes"))
}

/// A grant's id, whose absence is a problem.
fn grant(value: &Value, problems: &mut Vec<String>) -> Option<GrantId> {
    let id = text_of(SHOW, value).and_then(|id| GrantId::new(id).map_err(|error| error.to_string()));
    id.map_err(|problem| problems.push(problem)).ok()
}

/// A filter from texts; an empty one filters nothing.
fn filter<'a>(text: impl Fn(&str) -> Result<&'a str, String>, problems: &mut Vec<String>) -> Option<Filter> {
    let filter = Filter {
        tenant: one(text("tenant"), |text| TenantId::new(text), problems),
        person: one(text("person"), Email::new, problems),
        ticket: one(text("ticket"), |text| TicketId::new(text), problems),
    };
    problems.is_empty().then_some(filter)
}

fn one<T>(
    text: Result<&str, String>,
    new: impl Fn(&str) -> Result<T, IdError>,
    problems: &mut Vec<String>,
) -> Option<T> {
    match text {
        Ok("") => None,
        Ok(text) => new(text).map_err(|error| problems.push(error.to_string())).ok(),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

#[cfg(test)]
#[path = "tests/input.rs"]
mod tests;
