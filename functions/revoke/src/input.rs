//! What the revoke function is told: by a timer, or by an operator in their own hand, who ends access or sees to the
//! reviews of what was had in an emergency.
//!
//! What an operator types may stand in the form of a CloudWatch widget, whose button names the grant.

use curfew_app::revoke::Selector;
use curfew_domain::event::OperatorName;
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use curfew_runtime::typed::Fields;
use serde_json::{Map, Value};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A grant's timer fired.
    Timer(GrantId),
    /// An operator asks.
    Operator(OperatorInput),
    /// Somebody asks which reviews are owed.
    ReviewsOwed,
    /// Somebody has reviewed a grant.
    Reviewed(ReviewInput),
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

/// What somebody says of a grant that they reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewInput {
    /// Which.
    pub grant_id: GrantId,
    /// What they found.
    pub note: String,
    /// Who, as they named themselves.
    pub operator: OperatorName,
}

/// Why an input can't be acted on. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadInput {
    /// It says that it is a timer's, but names no grant. No person can put that right by typing.
    Timer(String),
    /// An operator's, with everything that is wrong with it.
    Operator(Vec<String>),
    /// One on reviews, with everything that is wrong with it.
    Review(Vec<String>),
}

const SELECTORS: [&str; 4] = ["grant_id", "ticket", "person", "tenant"];
const OTHERS: [&str; 4] = ["source", "reason", "operator", "dry_run"];
const REVIEWS: &str = "reviews";
const OF_A_REVIEW: [&str; 3] = ["reviewed", "note", "operator"];

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
    if fields.contains_key(REVIEWS) {
        return owed(fields).map(|()| Input::ReviewsOwed).map_err(BadInput::Review);
    }
    if fields.contains_key("reviewed") {
        return reviewed(fields).map(Input::Reviewed).map_err(BadInput::Review);
    }
    operator(fields).map(Input::Operator).map_err(BadInput::Operator)
}

fn timer(fields: &Map<String, Value>) -> Result<GrantId, String> {
    let id = fields.get("grant_id").and_then(Value::as_str).ok_or("a timer's input names no `grant_id`")?;
    GrantId::new(id).map_err(|error| error.to_string())
}

fn operator(fields: &Map<String, Value>) -> Result<OperatorInput, Vec<String>> {
    let known: Vec<&str> = SELECTORS.into_iter().chain(OTHERS).collect();
    let mut read = Fields::new(fields, &known);
    let source = read.id("source", Source::new);
    let selector = selector(&mut read, source);
    let reason = read.words("reason", &["reason"], "say why in `reason`: it is kept in the grant's record");
    let operator = read.operator_name();
    let dry_run = read.dry_run();
    match (selector, reason, operator, dry_run, read.into_problems()) {
        (Some(selector), Some(reason), Some(operator), Some(dry_run), problems) if problems.is_empty() => {
            Ok(OperatorInput { selector, reason, operator, dry_run })
        }
        (.., problems) => Err(problems),
    }
}

fn owed(fields: &Map<String, Value>) -> Result<(), Vec<String>> {
    let mut read = Fields::new(fields, &[REVIEWS]);
    if fields.get(REVIEWS).is_none_or(|reviews| reviews != "owed") {
        read.problem::<()>("`reviews` can be `owed` and nothing else");
    }
    let problems = read.into_problems();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn reviewed(fields: &Map<String, Value>) -> Result<ReviewInput, Vec<String>> {
    let mut read = Fields::new(fields, &OF_A_REVIEW);
    let grant_id = read.id("reviewed", GrantId::new);
    let wanted = "say what you found in `note`: it is kept in the grant's record";
    let note = read.words("note", &["note", "reason"], wanted);
    let operator = read.operator_name();
    match (grant_id, note, operator, read.into_problems()) {
        (Some(grant_id), Some(note), Some(operator), problems) if problems.is_empty() => {
            Ok(ReviewInput { grant_id, note, operator })
        }
        (.., problems) => Err(problems),
    }
}

/// Which access to end.
fn selector(read: &mut Fields<'_>, source: Option<Source>) -> Option<Selector> {
    let named: Vec<&str> = SELECTORS.into_iter().filter(|name| read.has(name)).collect();
    if read.has("source") && named != ["ticket"] {
        read.problem::<()>("`source` says where a `ticket` is from, and goes with nothing else");
    }
    match named.as_slice() {
        ["grant_id"] => read.id("grant_id", GrantId::new).map(Selector::Grant),
        ["ticket"] => read.id("ticket", TicketId::new).map(|ticket| Selector::Ticket(source, ticket)),
        ["person"] => read.id("person", |text| Email::new(&text)).map(Selector::Person),
        ["tenant"] => read.id("tenant", TenantId::new).map(Selector::Tenant),
        [] => read.problem("say which access to end: one of `grant_id`, `ticket`, `person`, `tenant`"),
        _ => read.problem(format!(
            "say which access to end by one of `grant_id`, `ticket`, `person`, `tenant`, not by {}",
            named.len()
        )),
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
    fn reviews_are_listed_or_one_is_done() {
        assert_eq!(parse(&json!({ "reviews": "owed" })), Ok(Input::ReviewsOwed));
        let done = |note: &str, operator: &str| {
            parse(&json!({ "reviewed": format!(" {ID}"), "note": note, "operator": operator }))
        };
        let expected = ReviewInput {
            grant_id: GrantId::new(ID).unwrap(),
            note: "as it should be".to_owned(),
            operator: OperatorName::new("carl@example.com").unwrap(),
        };
        assert_eq!(done("as it should be ", "carl@example.com"), Ok(Input::Reviewed(expected)));
        for (input, expected) in [
            (json!({ "reviews": "all" }), &["`reviews` can be `owed`"][..]),
            (
                json!({ "reviews": true, "tenant": "acme" }),
                &["`tenant` is not known here", "`reviews` can be"],
            ),
            (json!({ "reviewed": "g-1" }), &["grant id `g-1`", "say what you found", "say who you are"]),
            (
                json!({ "reviewed": ID, "note": "a\nb", "operator": "", "reason": "x" }),
                &["`reason` is not known here; known are `reviewed`", "`note` holds control", "operator"],
            ),
        ] {
            let Err(BadInput::Review(problems)) = parse(&input) else { unreachable!("{input}") };
            assert_told(&problems, expected);
        }
        let Err(BadInput::Review(problems)) = done(&"x".repeat(1001), "carl") else {
            unreachable!("too long")
        };
        assert_told(&problems, &["`note` has more than 1000"]);
    }

    /// What a widget's button sends: its own parameters, and what stands in the form.
    fn from_widget(button: Value, form: Value) -> Value {
        let mut input = json!({ "widgetContext": { "dashboardName": "Curfew", "forms": { "all": form } } });
        input.as_object_mut().unwrap().extend(button.as_object().unwrap().clone());
        input
    }

    #[test]
    fn a_widgets_button_names_the_grant_and_its_form_the_rest() {
        let id = || GrantId::new(ID).unwrap();
        for form in [
            json!({ "reason": "incident over", "operator": "ops@example.com" }),
            json!({ "reason": ["incident over"], "operator": ["ops@example.com"], "minutes": "60" }),
        ] {
            let input = from_widget(json!({ "grant_id": ID }), form);
            assert_eq!(parse(&input), asked(Selector::Grant(id())), "{input}");
        }
        let reviewed = ReviewInput {
            grant_id: id(),
            note: "as it should be".to_owned(),
            operator: OperatorName::new("carl@example.com").unwrap(),
        };
        for note in ["note", "reason"] {
            let form = json!({ note: "as it should be", "operator": "carl@example.com" });
            let input = from_widget(json!({ "reviewed": ID }), form);
            assert_eq!(parse(&input), Ok(Input::Reviewed(reviewed.clone())), "{note}");
        }
        assert_problems(parse(&from_widget(json!({ "grant_id": ID }), json!({}))), &["say why", "say who"]);
        // Nobody's form makes a timer of a call, selects, or asks for less than it says.
        let form = json!({ "trigger": "timer", "tenant": "acme", "dry_run": "true", "reason": "incident over",
                           "operator": "ops@example.com" });
        assert_eq!(parse(&from_widget(json!({ "grant_id": ID }), form)), asked(Selector::Grant(id())));
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
        assert_told(&problems, expected);
    }

    fn assert_told(problems: &[String], expected: &[&str]) {
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
