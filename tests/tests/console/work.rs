//! Buttons: what is clicked is asked once more, and calls the right function with what that function understands.

use curfew_app::extend::NewEnd;
use curfew_app::revoke::Selector;
use curfew_fn_console::Reply;
use curfew_fn_revoke::input::{Input, parse};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::browser::{Seen, WIDE, play};
use crate::scene::{CONSOLE, GRANT, REVOKE, answer, html, id, scene};

const OPERATOR: &str = "olga@example.com";
const REASON: &str = "incident \"INC0010023\" is <over> & done";

/// Types who acts and why, and then does `steps`.
fn act(steps: &[Value]) -> Seen {
    let page = html(&scene(), &json!({}));
    let typed =
        [json!({ "fill": "operator", "with": OPERATOR }), json!({ "fill": "reason", "with": REASON })];
    let steps: Vec<&Value> = typed.iter().chain(steps).collect();
    let seen = play(&page, "light", WIDE, &json!(steps));
    assert_eq!(seen["problems"], json!([]));
    seen
}

/// The one call that was made: its endpoint, where its answer is shown, and the event that the function gets.
fn only_call(seen: &Seen) -> (String, String, Value) {
    let calls = seen["calls"].as_array().expect("calls");
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(call["action"], "call");
    let text = |name: &str| call[name].as_str().expect("a text").to_owned();
    (text("endpoint"), text("display"), call["event"].clone())
}

#[test]
fn revoke_now_asks_and_then_sends_what_the_revoke_function_takes() {
    for (who, label, grant) in [("ben.okafor", "Revoke now", id(1)), ("carl", "Try removal now", id(2))] {
        let seen = act(&[json!({ "click": label, "in": who })]);
        let asked = seen["asked"].as_array().expect("what was asked");
        assert_eq!(asked.len(), 1);
        assert!(
            asked[0].as_str().is_some_and(|asked| asked.contains(&format!("{who}@example.com"))),
            "{asked:?}"
        );
        let (endpoint, display, event) = only_call(&seen);
        assert_eq!((endpoint.as_str(), display.as_str()), (REVOKE, "popup"));
        assert_eq!(event["grant_id"], json!(grant));
        match parse(&event) {
            Ok(Input::Operator(order)) => {
                assert_eq!(order.selector, Selector::Grant(grant));
                assert_eq!((order.operator.as_str(), order.reason.as_str()), (OPERATOR, REASON));
                assert!(!order.dry_run);
            }
            other => panic!("not an operator's order: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_confirmed_calls_nothing() {
    let seen = act(&[
        json!({ "answer": false }),
        json!({ "click": "Revoke now", "in": "ben.okafor" }),
        json!({ "click": "+60 min", "in": "ben.okafor" }),
        json!({ "click": "Reviewed", "in": "ines" }),
    ]);
    assert_eq!(seen["asked"].as_array().map(Vec::len), Some(3));
    assert_eq!(seen["calls"], json!([]));
}

#[test]
fn without_a_name_or_a_reason_nothing_is_revoked() {
    let page = html(&scene(), &json!({}));
    let steps = json!([{ "fill": "reason", "with": " " }, { "click": "Revoke now", "in": "ben.okafor" }]);
    let (_, _, event) = only_call(&play(&page, "light", WIDE, &steps));
    let refused = parse(&event).expect_err("an order of nobody for no reason");
    let told = format!("{refused:?}");
    assert!(told.contains("say why") && told.contains("say who you are"), "{told}");
}

#[test]
fn reviewed_sends_the_reason_as_the_note() {
    let seen = act(&[json!({ "click": "Reviewed", "in": "ines" })]);
    assert_eq!(seen["asked"].as_array().map(Vec::len), Some(1));
    let (endpoint, _, event) = only_call(&seen);
    assert_eq!(endpoint, REVOKE);
    match parse(&event) {
        Ok(Input::Reviewed(review)) => {
            assert_eq!(review.grant_id, id(8));
            assert_eq!((review.operator.as_str(), review.note.as_str()), (OPERATOR, REASON));
        }
        other => panic!("not a review: {other:?}"),
    }
}

#[test]
fn extend_asks_and_then_sends_what_the_grant_function_takes() {
    for (label, minutes) in [("+30 min", 30), ("+60 min", 60)] {
        let seen = act(&[json!({ "click": label, "in": "engineering/ana" })]);
        assert_eq!(seen["asked"].as_array().map(Vec::len), Some(1));
        let (endpoint, display, event) = only_call(&seen);
        assert_eq!((endpoint.as_str(), display.as_str()), (GRANT, "popup"));
        let order = curfew_fn_grant::order::parse(&event).expect("an order");
        let to = NewEnd::Later(SignedDuration::from_mins(minutes));
        assert_eq!((order.grant_id, order.to, order.dry_run), (id(0), to, false));
        assert_eq!((order.operator.as_str(), order.reason.as_str()), (OPERATOR, REASON));
    }
}

#[test]
fn a_story_is_one_click_and_comes_from_the_console_itself() {
    let seen = act(&[json!({ "click": "Story", "in": "dora" })]);
    assert_eq!(seen["asked"], json!([]), "looking needs no confirmation");
    let (endpoint, display, event) = only_call(&seen);
    assert_eq!((endpoint.as_str(), display.as_str()), (CONSOLE, "popup"));
    let story = play(&html(&scene(), &event), "light", WIDE, &json!([]));
    let text = story["text"].as_str().expect("a text");
    for told in ["ops of ana@example.com in acme", "RevocationRequested", "deleted", "unbroken"] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn the_filter_shows_what_fits_and_keeps_what_was_typed() {
    let seen = act(&[json!({ "fill": "tenant", "with": "globex" }), json!({ "click": "Show" })]);
    let (endpoint, display, event) = only_call(&seen);
    assert_eq!((endpoint.as_str(), display.as_str()), (CONSOLE, "widget"));
    let Reply::Text(page) = answer(&scene(), &event) else { panic!("not HTML") };
    // A dashboard that refreshes sends the same fields, now without the button's call.
    let refreshed = json!({ "tenant": "acme", "widgetContext": event["widgetContext"] });
    for page in [page, html(&scene(), &refreshed)] {
        let seen = play(&page, "light", WIDE, &json!([]));
        let people: Vec<&str> = seen["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row["cells"][1][0].as_str())
            .collect();
        assert_eq!(people, ["dora@example.com", "gus@example.com"]);
        let fields = &seen["fields"];
        assert_eq!((&fields["tenant"], &fields["operator"]), (&json!("globex"), &json!(OPERATOR)));
        assert_eq!(fields["reason"], json!(REASON));
    }
}
