//! Tests of what is asked: by widgets, whose every part may be anybody's; by the terminal, which is told all its mistakes.

use serde_json::json;

use super::*;

const ID: &str = "g-abcdefghijklmnopqrstuvwxyz";

fn filter(tenant: &str, person: &str, ticket: &str) -> Filter {
    Filter {
        tenant: TenantId::new(tenant).ok(),
        person: Email::new(person).ok(),
        ticket: TicketId::new(ticket).ok(),
    }
}

fn widget_of(input: &Value) -> Widget {
    match parse(input) {
        Ok(Input::Widget(widget)) => *widget,
        other => panic!("no widget's: {other:?}"),
    }
}

#[test]
fn a_widget_without_parameters_shows_everything_in_light_colours() {
    for input in [json!({}), json!({ "widgetContext": {} }), json!({ "widgetContext": null })] {
        assert_eq!(widget_of(&input), Widget::default(), "{input}");
    }
}

#[test]
fn what_was_typed_counts_before_what_the_call_says_and_that_before_the_widgets_own_parameters() {
    let ask = |typed: Value, said: Value, own: Value| {
        let mut input = said;
        input["widgetContext"] = json!({ "forms": { "all": typed }, "params": own });
        widget_of(&input)
    };
    let (acme, globex, initech) =
        (json!({ "tenant": "acme" }), json!({ "tenant": "globex" }), json!({ "tenant": "initech" }));
    for (typed, said, own, expected) in [
        (json!({}), json!({}), initech.clone(), "initech"),
        (json!({}), globex.clone(), initech.clone(), "globex"),
        (acme.clone(), globex.clone(), initech.clone(), "acme"),
        // Somebody emptied the field: nothing is filtered, whatever the widget began with.
        (json!({ "tenant": " " }), globex, initech, ""),
    ] {
        let widget = ask(typed, said, own);
        assert_eq!(widget.look, Look::Grants(filter(expected, "", "")));
        assert_eq!(widget.typed.tenant.trim(), expected, "the field says what is filtered");
    }
    let typed =
        json!({ "person": "Ana@Example.com ", "ticket": "CHG0030192", "operator": "olga", "reason": "over" });
    let widget = ask(typed, json!({}), acme);
    assert_eq!(widget.look, Look::Grants(filter("acme", "ana@example.com", "CHG0030192")));
    assert_eq!((widget.typed.operator.as_str(), widget.typed.reason.as_str()), ("olga", "over"));
    assert_eq!(widget.typed.person, "Ana@Example.com ");
}

#[test]
fn who_acts_is_what_is_typed_and_no_parameter() {
    let input = json!({ "operator": "mallory", "widgetContext": { "params": { "operator": "mallory" } } });
    let widget = widget_of(&input);
    assert_eq!(widget.typed.operator, "");
    assert_eq!(widget.notices.len(), 1, "{:?}", widget.notices);
}

#[test]
fn only_a_dashboard_that_says_so_is_dark() {
    for (theme, expected) in [
        (json!("dark"), Theme::Dark),
        (json!("light"), Theme::Light),
        (json!("Dark"), Theme::Light),
        (json!("dark\"><script>"), Theme::Light),
        (json!(["dark"]), Theme::Light),
        (json!(null), Theme::Light),
    ] {
        assert_eq!(widget_of(&json!({ "widgetContext": { "theme": theme } })).theme, expected, "{theme}");
    }
}

#[test]
fn a_filter_that_cannot_be_understood_shows_nothing_and_says_why() {
    let input = json!({
        "tenant": 7,
        "widgetContext": { "forms": { "all": { "person": "ana", "ticket": "<b>" } } }
    });
    let widget = widget_of(&input);
    let Look::Unclear(problems) = &widget.look else { panic!("{widget:?}") };
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, part) in problems.iter().zip(["`tenant` must be a text", "person `ana`", "ticket `<b>`"]) {
        assert!(problem.contains(part), "{problem}");
    }
    assert_eq!(widget.typed.ticket, "<b>", "to be put right");
    let Look::Unclear(problems) = widget_of(&json!({ "show": "g-1" })).look else { panic!("a look") };
    assert!(problems.concat().contains("grant id `g-1`"), "{problems:?}");
}

#[test]
fn a_parameter_that_is_not_known_is_told_and_the_rest_shown() {
    let widget = widget_of(&json!({ "tennant": "acme", "tenant": "acme" }));
    assert_eq!(widget.look, Look::Grants(filter("acme", "", "")));
    let [notice] = widget.notices.as_slice() else { panic!("{:?}", widget.notices) };
    assert!(notice.starts_with("`tennant` is not known here; known are `tenant`, `person`"), "{notice}");
}

#[test]
fn what_was_typed_is_given_back_up_to_a_bound() {
    let long = "é".repeat(5_000);
    let input = json!({ "widgetContext": { "forms": { "all": { "reason": long, "operator": 7 } } } });
    let typed = widget_of(&input).typed;
    assert_eq!(typed.reason.chars().count(), TYPED_CHARS_MAX);
    assert_eq!(typed.operator, "");
}

#[test]
fn a_story_and_the_description_are_asked_for_by_name() {
    let id = GrantId::new(ID).unwrap();
    let widget = widget_of(&json!({ "show": ID, "widgetContext": { "theme": "dark" } }));
    assert_eq!((widget.look, widget.theme), (Look::Story(id), Theme::Dark));
    assert_eq!(parse(&json!({ "describe": true })), Ok(Input::Describe));
    assert_eq!(parse(&json!({ "describe": "true", "widgetContext": {} })), Ok(Input::Describe));
    assert_eq!(widget_of(&json!({ "describe": false })), Widget::default());
}

#[test]
fn the_terminal_lists_and_shows() {
    let list = |list: Value| parse(&json!({ "format": "json", "list": list }));
    assert_eq!(list(json!({})), Ok(Input::List(Filter::default())));
    assert_eq!(list(json!({ "tenant": "", "person": " " })), Ok(Input::List(Filter::default())));
    assert_eq!(
        list(json!({ "tenant": "acme", "person": "ana@example.com", "ticket": "CHG0030192" })),
        Ok(Input::List(filter("acme", "ana@example.com", "CHG0030192")))
    );
    let show = parse(&json!({ "format": "json", "show": format!(" {ID}\n") }));
    assert_eq!(show, Ok(Input::Show(GrantId::new(ID).unwrap())));
}

#[test]
fn the_terminal_is_told_everything_that_is_wrong_at_once() {
    for (input, expected) in [
        (json!("list"), &["not a JSON object"][..]),
        (json!(null), &["not a JSON object"]),
        (json!({ "format": "json" }), &["one of `list` and `show`"]),
        (json!({ "format": "json", "list": {}, "show": ID }), &["one of `list` and `show`"]),
        (json!({ "list": {} }), &["`format` can be `json`"]),
        (json!({ "format": "xml", "list": true }), &["`format` can be `json`", "`list` must be an object"]),
        (json!({ "format": "json", "show": 1 }), &["`show` must be a text"]),
        (
            json!({ "format": "json", "all": 1, "list": { "role": "ops", "tenant": "A B", "person": ["ana"] } }),
            &["`all` is not known", "`role` is not known", "tenant `A B`", "`person` must be a text"],
        ),
        (json!({ "format": "json", "list": {}, "widgetContext": {} }), &["`widgetContext` is not known"]),
    ] {
        let Err(problems) = parse(&input) else { panic!("{input}") };
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, part) in problems.iter().zip(expected) {
            assert!(problem.contains(part), "`{problem}` does not say `{part}`");
        }
    }
}
