//! What the revoke function is told: by a timer, or by an operator in their own hand.
//!
//! Read by hand and not by `serde`, because an operator under pressure needs all that is wrong in one
//! reply, in words and with an example.

use curfew_app::revoke::Selector;
use curfew_domain::event::OperatorName;
use curfew_domain::ids::{Email, GrantId, IdError, Source, TenantId, TicketId, shown};
use serde_json::{Map, Value};

/// The longest reason, in characters. It is written into each grant's record.
pub const REASON_CHARS_MAX: usize = 1000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A grant's timer fired.
    Timer(GrantId),
    /// An operator asks.
    Operator(OperatorInput),
}

/// What an operator asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorInput {
    /// Which grants to end.
    pub selector: Selector,
    /// Why.
    pub reason: String,
    /// Who, as they named themselves.
    pub operator: OperatorName,
    /// Whether only to say what would be ended.
    pub dry_run: bool,
}

/// Why an input can't be acted on. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadInput {
    /// It says that it is a timer's, but names no grant. No person can put that right by typing.
    Timer(String),
    /// An operator's, with everything that is wrong with it.
    Operator(Vec<String>),
}

const SELECTORS: [&str; 4] = ["grant_id", "ticket", "person", "tenant"];
const OTHERS: [&str; 4] = ["source", "reason", "operator", "dry_run"];

/// Reads an input.
///
/// # Errors
/// [`BadInput`].
pub fn parse(input: &Value) -> Result<Input, BadInput> {
    let Some(fields) = input.as_object() else {
        return Err(BadInput::Operator(vec!["the input is not a JSON object".to_owned()]));
    };
    if fields.get("trigger").is_some_and(|trigger| trigger == "timer") {
        return timer(fields).map(Input::Timer).map_err(BadInput::Timer);
    }
    operator(fields).map(Input::Operator).map_err(BadInput::Operator)
}

fn timer(fields: &Map<String, Value>) -> Result<GrantId, String> {
    let id = fields.get("grant_id").and_then(Value::as_str).ok_or("a timer's input names no `grant_id`")?;
    GrantId::new(id).map_err(|error| error.to_string())
}

fn operator(fields: &Map<String, Value>) -> Result<OperatorInput, Vec<String>> {
    let mut problems = Vec::new();
    for name in fields.keys() {
        if !SELECTORS.contains(&name.as_str()) && !OTHERS.contains(&name.as_str()) {
            problems.push(format!("{} is not known here; known are {}", shown(name), known()));
        }
    }
    let mut read = Read { fields, problems };
    let source = read.id("source", Source::new);
    let selector = read.selector(source);
    let reason = read.reason();
    let operator = read.operator();
    let dry_run = read.dry_run();
    match (selector, reason, operator, dry_run, read.problems) {
        (Some(selector), Some(reason), Some(operator), Some(dry_run), problems) if problems.is_empty() => {
            Ok(OperatorInput { selector, reason, operator, dry_run })
        }
        (.., problems) => Err(problems),
    }
}

fn known() -> String {
    let names: Vec<String> = SELECTORS.iter().chain(&OTHERS).map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

struct Read<'a> {
    fields: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl Read<'_> {
    fn problem<T>(&mut self, problem: impl Into<String>) -> Option<T> {
        self.problems.push(problem.into());
        None
    }

    /// A field's text, trimmed: what was copied into the console often carries a blank.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text.trim().to_owned()),
            _ => self.problem(format!("`{name}` must be a text in quotes")),
        }
    }

    fn id<T>(&mut self, name: &str, new: impl Fn(String) -> Result<T, IdError>) -> Option<T> {
        match new(self.text(name)?) {
            Ok(id) => Some(id),
            Err(error) => self.problem(error.to_string()),
        }
    }

    fn selector(&mut self, source: Option<Source>) -> Option<Selector> {
        let named: Vec<&str> = SELECTORS.into_iter().filter(|name| self.fields.contains_key(*name)).collect();
        if self.fields.contains_key("source") && named != ["ticket"] {
            self.problems
                .push("`source` says where a `ticket` is from, and goes with nothing else".to_owned());
        }
        match named.as_slice() {
            ["grant_id"] => self.id("grant_id", GrantId::new).map(Selector::Grant),
            ["ticket"] => self.id("ticket", TicketId::new).map(|ticket| Selector::Ticket(source, ticket)),
            ["person"] => self.id("person", |text| Email::new(&text)).map(Selector::Person),
            ["tenant"] => self.id("tenant", TenantId::new).map(Selector::Tenant),
            [] => self.problem("say which access to end: one of `grant_id`, `ticket`, `person`, `tenant`"),
            _ => self.problem(format!(
                "say which access to end by one of `grant_id`, `ticket`, `person`, `tenant`, not by {}",
                named.len()
            )),
        }
    }

    fn reason(&mut self) -> Option<String> {
        const WANTED: &str = "say why in `reason`: it is kept in the grant's record";
        if !self.fields.contains_key("reason") {
            return self.problem(WANTED);
        }
        let reason = self.text("reason")?;
        if reason.is_empty() {
            return self.problem(WANTED);
        }
        if reason.chars().count() > REASON_CHARS_MAX {
            return self.problem(format!("`reason` has more than {REASON_CHARS_MAX} characters"));
        }
        if reason.chars().any(char::is_control) {
            return self.problem("`reason` holds control characters, such as line breaks");
        }
        Some(reason)
    }

    fn operator(&mut self) -> Option<OperatorName> {
        if !self.fields.contains_key("operator") {
            return self.problem("say who you are in `operator`, for example your email address");
        }
        self.id("operator", OperatorName::new)
    }

    fn dry_run(&mut self) -> Option<bool> {
        match self.fields.get("dry_run") {
            None => Some(false),
            Some(Value::Bool(dry_run)) => Some(*dry_run),
            // Not guessed: "false" in quotes must not be taken for true, nor the other way round.
            Some(_) => self.problem("`dry_run` must be true or false, without quotes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "g-abcdefghijklmnopqrstuvwxyz";

    fn asked(selector: Selector) -> Result<Input, BadInput> {
        Ok(Input::Operator(OperatorInput {
            selector,
            reason: "incident over".to_owned(),
            operator: OperatorName::new("ops@example.com").unwrap(),
            dry_run: false,
        }))
    }

    fn with_selector(more: Value) -> Result<Input, BadInput> {
        let mut input = json!({ "reason": "incident over", "operator": "ops@example.com" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(&input)
    }

    #[test]
    fn a_timer_names_its_grant() {
        let id = GrantId::new(ID).unwrap();
        assert_eq!(parse(&json!({ "grant_id": ID, "trigger": "timer" })), Ok(Input::Timer(id)));
        for bad in [json!({ "trigger": "timer" }), json!({ "trigger": "timer", "grant_id": "g-1" })] {
            assert!(matches!(parse(&bad), Err(BadInput::Timer(_))), "{bad}");
        }
    }

    #[test]
    fn an_operator_selects_in_one_of_four_ways() {
        let id = GrantId::new(ID).unwrap();
        let ticket = || TicketId::new("CHG0030192").unwrap();
        assert_eq!(with_selector(json!({ "grant_id": ID })), asked(Selector::Grant(id.clone())));
        assert_eq!(with_selector(json!({ "grant_id": format!(" {ID}\n") })), asked(Selector::Grant(id)));
        assert_eq!(with_selector(json!({ "ticket": "CHG0030192" })), asked(Selector::Ticket(None, ticket())));
        assert_eq!(
            with_selector(json!({ "ticket": "CHG0030192", "source": "servicenow" })),
            asked(Selector::Ticket(Some(Source::new("servicenow").unwrap()), ticket()))
        );
        assert_eq!(
            with_selector(json!({ "person": "Ana@Example.com" })),
            asked(Selector::Person(Email::new("ana@example.com").unwrap()))
        );
        assert_eq!(
            with_selector(json!({ "tenant": "acme" })),
            asked(Selector::Tenant(TenantId::new("acme").unwrap()))
        );
    }

    #[test]
    fn a_dry_run_is_said_without_quotes() {
        let Ok(Input::Operator(input)) = with_selector(json!({ "tenant": "acme", "dry_run": true })) else {
            unreachable!("it is an operator's input")
        };
        assert!(input.dry_run);
        assert_problems(
            with_selector(json!({ "tenant": "acme", "dry_run": "false" })),
            &["`dry_run` must be true or false"],
        );
    }

    fn assert_problems(result: Result<Input, BadInput>, expected: &[&str]) {
        let Err(BadInput::Operator(problems)) = result else { unreachable!("{result:?}") };
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, part) in problems.iter().zip(expected) {
            assert!(problem.contains(part), "`{problem}` does not say `{part}`");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        for (input, expected) in [
            (json!("revoke"), &["not a JSON object"][..]),
            (json!([]), &["not a JSON object"]),
            (json!({}), &["say which access to end", "say why", "say who you are"]),
            (
                json!({ "key1": "value1" }),
                &["`key1` is not known here", "say which access to end", "say why", "say who you are"],
            ),
            (
                json!({ "grant_id": 7, "reason": 1, "operator": null }),
                &["`grant_id` must", "`reason` must", "`operator` must"],
            ),
            (
                json!({ "grant_id": "g-1", "reason": " ", "operator": "" }),
                &["grant id `g-1`", "say why", "operator"],
            ),
            (
                json!({ "ticket": "CHG 1", "reason": "a\nb", "operator": "ana\u{1b}" }),
                &["ticket `CHG 1`", "control characters", "operator `ana\\u{1b}`"],
            ),
        ] {
            assert_problems(parse(&input), expected);
        }
        assert_problems(
            with_selector(json!({ "reason": "x".repeat(1001), "tenant": "acme" })),
            &["more than 1000"],
        );
        assert_problems(with_selector(json!({ "person": "ana", "tenant": "acme" })), &["not by 2"]);
        assert_problems(with_selector(json!({ "tenant": "acme", "source": "jira" })), &["`source` says"]);
        assert_problems(with_selector(json!({ "ticket": "A-1", "source": "Jira" })), &["source `Jira`"]);
        assert_problems(
            with_selector(json!({ "tenant": "acme", "trigger": "Timer" })),
            &["`trigger` is not known"],
        );
    }
}
