//! What operators type: the fields of a JSON object, read by hand and not by `serde`, because an operator under
//! pressure needs all that is wrong in one reply, in words.
//!
//! It is typed into the Lambda console's Test tab, after `--payload`, or into the form of a CloudWatch custom widget,
//! which puts it under `widgetContext` and calls with its viewer's own credentials
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html>). Must not
//! know what any of it is for.

use curfew_domain::event::OperatorName;
use curfew_domain::ids::{IdError, shown};
use curfew_domain::operator::WORDS_MAX;
use curfew_domain::request::deceptive_character;
use serde_json::{Map, Value};

/// Where a widget puts what it knows. Of it only the form is read, and what its own parameters are: see [`Fields::new`].
const WIDGET: &str = "widgetContext";

/// The fields of an input, and everything that was found wrong with them so far.
#[derive(Debug)]
pub struct Fields<'a> {
    fields: &'a Map<String, Value>,
    form: Option<&'a Map<String, Value>>,
    problems: Vec<String>,
}

impl<'a> Fields<'a> {
    /// The fields of an input. Those that are not `known` are problems: a misspelt one must not go unnoticed. So are those
    /// that a widget has for its own parameters: a dashboard calls with them whenever somebody opens it, with that person's
    /// credentials, and whoever may edit dashboards could give orders in other people's names. A button's are its own.
    #[must_use]
    pub fn new(fields: &'a Map<String, Value>, known: &[&str]) -> Self {
        let unknown = fields.keys().filter(|name| *name != WIDGET && !known.contains(&name.as_str()));
        let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let problem =
            |name: &String| format!("{} is not known here; known are {}", shown(name), names.join(", "));
        let mut problems: Vec<String> = unknown.map(problem).collect();
        let parameters = fields.get(WIDGET).and_then(|widget| widget.get("params")?.as_object());
        let by_itself = fields.keys().filter(|name| parameters.is_some_and(|all| all.contains_key(*name)));
        problems.extend(by_itself.map(|name| {
            format!(
                "{} is a parameter of the dashboard's widget: nothing is done because somebody opened a dashboard; click a \
                 button of the widget, or type it by hand",
                shown(name)
            )
        }));
        let form = fields.get(WIDGET).and_then(|widget| widget.get("forms")?.get("all")?.as_object());
        Self { fields, form, problems }
    }

    /// Everything that is wrong.
    #[must_use]
    pub fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// Adds a problem.
    pub fn problem<T>(&mut self, problem: impl Into<String>) -> Option<T> {
        self.problems.push(problem.into());
        None
    }

    /// Whether the input itself has a field.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// A field as it stands in the input.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name)
    }

    /// A field's text, trimmed: what was copied into the console often carries a blank.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text.trim().to_owned()),
            _ => self.problem(format!("`{name}` must be a text in quotes")),
        }
    }

    /// A field's text as an identifier.
    pub fn id<T>(&mut self, name: &str, new: impl Fn(String) -> Result<T, IdError>) -> Option<T> {
        match new(self.text(name)?) {
            Ok(id) => Some(id),
            Err(error) => self.problem(error.to_string()),
        }
    }

    /// A field in somebody's own words; if the input has none, the first of `in_form` that the widget's form has.
    /// `wanted` is the problem if there are none.
    pub fn words(&mut self, name: &str, in_form: &[&str], wanted: &str) -> Option<String> {
        let words = self.typed(name, in_form, wanted)?;
        if words.chars().count() > WORDS_MAX {
            return self.problem(format!("`{name}` has more than {WORDS_MAX} characters"));
        }
        if words.chars().any(char::is_control) {
            return self.problem(format!("`{name}` holds control characters, such as line breaks"));
        }
        if let Some(deceptive) = deceptive_character(&words) {
            return self.problem(format!(
                "`{name}` holds the character U+{:04X}, which changes how the text around it is shown",
                u32::from(deceptive)
            ));
        }
        Some(words)
    }

    /// Who the operator says they are: `operator`, or what stands in the widget's form under that name.
    pub fn operator<T>(&mut self, new: impl Fn(String) -> Result<T, IdError>) -> Option<T> {
        let wanted = "say who you are in `operator`, for example your email address";
        match new(self.typed("operator", &["operator"], wanted)?) {
            Ok(operator) => Some(operator),
            Err(error) => self.problem(error.to_string()),
        }
    }

    /// The operator's name.
    pub fn operator_name(&mut self) -> Option<OperatorName> {
        self.operator(OperatorName::new)
    }

    /// Whether only to say what would be done.
    pub fn dry_run(&mut self) -> Option<bool> {
        match self.fields.get("dry_run") {
            None => Some(false),
            Some(Value::Bool(dry_run)) => Some(*dry_run),
            // Not guessed: "false" in quotes must not be taken for true, nor the other way round.
            Some(_) => self.problem("`dry_run` must be true or false, without quotes"),
        }
    }

    /// A text that may stand in the input or in the form, and is not blank. Two that differ are refused: it is for the
    /// record, and nobody knows which one was meant.
    fn typed(&mut self, name: &str, in_form: &[&str], wanted: &str) -> Option<String> {
        let problems = self.problems.len();
        let given = self.text(name).filter(|text| !text.is_empty());
        let form = in_form.iter().find_map(|name| self.of_form(name));
        if self.problems.len() > problems {
            return None;
        }
        match (given, form) {
            (Some(given), Some(form)) if given != form => self.problem(format!(
                "`{name}` is {} in the input and {} in the form: say one of them",
                shown(&given),
                shown(&form)
            )),
            (Some(text), _) | (None, Some(text)) => Some(text),
            (None, None) => self.problem(wanted),
        }
    }

    /// What stands in a field of the form: a text, or a list of one where several may be chosen.
    fn of_form(&mut self, name: &str) -> Option<String> {
        let typed = match self.form?.get(name)? {
            Value::Array(items) if items.len() > 1 => {
                return self.problem(format!("`{name}` stands {} times in the form", items.len()));
            }
            Value::Array(items) => items.first()?,
            other => other,
        };
        match typed {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            _ => self.problem(format!("`{name}` in the form is not a text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is read of an input: reason, operator, and what is wrong.
    fn read(input: &Value) -> (Option<String>, Option<String>, Vec<String>) {
        let mut fields = Fields::new(input.as_object().unwrap(), &["reason", "operator"]);
        let reason = fields.words("reason", &["note", "reason"], "say why");
        let operator = fields.operator_name().map(String::from);
        (reason, operator, fields.into_problems())
    }

    fn from_form(form: &Value) -> Value {
        json!({ "widgetContext": { "dashboardName": "Curfew", "params": { "tenant": "acme" }, "forms": { "all": form } } })
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_is_missing_stands_in_the_widgets_form() {
        for (input, reason, operator) in [
            (json!({ "reason": " over\n", "operator": "olga" }), "over", "olga"),
            (from_form(&json!({ "reason": "over ", "operator": "olga" })), "over", "olga"),
            (from_form(&json!({ "reason": ["over"], "operator": ["olga"] })), "over", "olga"),
            (
                from_form(&json!({ "note": "seen", "reason": "over", "operator": "olga", "days": 3 })),
                "seen",
                "olga",
            ),
            (from_form(&json!({ "note": " ", "reason": "over", "operator": "olga" })), "over", "olga"),
        ] {
            assert_eq!(read(&input), (some(reason), some(operator), vec![]), "{input}");
        }
        // What the input says itself goes before the form, which may be empty or say the same.
        for form in [
            json!({}),
            json!({ "reason": "", "operator": [] }),
            json!({ "reason": "over", "operator": "olga" }),
        ] {
            let mut input = from_form(&form);
            input["reason"] = json!("over");
            input["operator"] = json!("olga");
            assert_eq!(read(&input), (some("over"), some("olga"), vec![]), "{input}");
        }
        // A blank one says nothing.
        let mut input = from_form(&json!({ "reason": "over", "operator": "olga" }));
        input["operator"] = json!(" ");
        assert_eq!(read(&input).1, some("olga"));
    }

    #[test]
    fn two_that_differ_are_refused() {
        let mut input = from_form(&json!({ "reason": "laptop stolen", "operator": "carl" }));
        input["reason"] = json!("over");
        input["operator"] = json!("olga");
        let (reason, operator, problems) = read(&input);
        assert_eq!((reason, operator), (None, None));
        assert_eq!(
            problems,
            [
                "`reason` is `over` in the input and `laptop stolen` in the form: say one of them",
                "`operator` is `olga` in the input and `carl` in the form: say one of them",
            ]
        );
    }

    #[test]
    fn a_form_is_read_with_the_same_care() {
        for (form, expected) in [
            (json!({}), &["say why", "say who you are"][..]),
            (
                json!({ "reason": 7, "operator": { "name": "olga" } }),
                &["`reason` in the form", "`operator` in the form"],
            ),
            (json!({ "reason": ["a", "b"], "operator": "olga" }), &["`reason` stands 2 times"]),
            (json!({ "reason": [null], "operator": "olga" }), &["`reason` in the form is not a text"]),
            (
                json!({ "reason": "a\nb", "operator": "olga\u{7}" }),
                &["`reason` holds control", "operator `olga"],
            ),
            (json!({ "reason": "a\u{202e}b", "operator": "olga" }), &["`reason` holds the character U+202E"]),
            (json!({ "reason": "x".repeat(1001), "operator": "olga" }), &["`reason` has more than 1000"]),
        ] {
            let problems = read(&from_form(&form)).2;
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            for (problem, expected) in problems.iter().zip(expected) {
                assert!(problem.contains(expected), "{problem} does not say {expected}");
            }
        }
    }

    #[test]
    fn what_a_dashboard_asks_when_it_is_opened_is_not_done() {
        let order = json!({ "reason": "over", "operator": "olga" });
        let mut opened = order.clone();
        opened["widgetContext"] = json!({ "params": order, "forms": { "all": {} } });
        let mut problems = read(&opened).2;
        problems.sort();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].starts_with("`operator` is a parameter of the dashboard's widget"),
            "{problems:?}"
        );
        // The widget's filter beside what its button says.
        let mut clicked = order;
        clicked["widgetContext"] =
            json!({ "params": { "tenant": "acme", "show": "x" }, "forms": { "all": {} } });
        assert_eq!(read(&clicked).2, Vec::<String>::new());
    }

    #[test]
    fn a_context_that_is_none_is_no_form() {
        for context in
            [json!(null), json!("forms"), json!({ "forms": [] }), json!({ "forms": { "all": "operator" } })]
        {
            let input = json!({ "reason": "over", "operator": "olga", "widgetContext": context });
            assert_eq!(read(&input).2, Vec::<String>::new(), "{input}");
        }
    }
}
