//! Nobody's words run, and nobody's words pass for markup.

use serde_json::{Value, json};

use crate::browser::{Seen, WIDE, play, trust};
use crate::scene::{HOSTILE, html, id, scene};

/// Every page that the function shows, each with hostile words wherever somebody can put any.
fn pages() -> Vec<(&'static str, String)> {
    let typed = json!({ "tenant": "", "operator": HOSTILE, "reason": HOSTILE, "ticket": "" });
    let context = json!({ "theme": HOSTILE, "title": HOSTILE, "forms": { "all": typed } });
    let mut scene = scene();
    scene.live.unreadable.push(format!("item `{HOSTILE}` has no readable attribute"));
    if let Some(grant) = scene.live.entries.first_mut() {
        grant.principal = HOSTILE.to_owned();
    }
    let unclear = json!({ "forms": { "all": { "person": HOSTILE, "ticket": HOSTILE } } });
    vec![
        ("grants", html(&scene, &json!({ "widgetContext": context }))),
        ("an unknown parameter", html(&scene, &json!({ HOSTILE: HOSTILE, "widgetContext": context }))),
        ("an unclear filter", html(&scene, &json!({ "widgetContext": unclear }))),
        ("a story", html(&scene, &json!({ "show": id(0), "widgetContext": context }))),
        ("an unknown grant", html(&scene, &json!({ "show": HOSTILE, "widgetContext": context }))),
    ]
}

fn assert_clean(name: &str, seen: &Seen) {
    assert_eq!(seen["owned"], Value::Null, "{name}: somebody's words ran");
    assert_eq!(seen["problems"], json!([]), "{name}");
}

#[test]
fn nothing_runs_even_where_nothing_is_cleaned_away() {
    for (name, page) in pages() {
        assert_clean(name, &trust(&page));
    }
}

#[test]
fn there_is_nothing_for_a_dashboard_to_clean_away() {
    for (name, page) in pages() {
        let seen = play(&page, "light", WIDE, &json!([]));
        assert_clean(name, &seen);
        assert_eq!(seen["removed"], json!([]), "{name}");
        assert_eq!(seen["ambiguous"], json!([]), "{name}: JSON that is other JSON as HTML");
        assert_eq!(seen["visible_json"], 0, "{name}");
        let told = seen["text"].as_str().expect("a text").to_owned() + &seen["fields"].to_string();
        assert!(told.contains("window.owned=1"), "{name}: the words are there to be read");
    }
}

/// Were the harness blind, the tests above would hold whatever the function writes.
#[test]
fn the_harness_notices_what_runs_and_what_would_be_cleaned_away() {
    let unescaped = format!("<p>{HOSTILE}</p>");
    assert_ne!(trust(&unescaped)["owned"], Value::Null);
    let seen = play(&unescaped, "light", WIDE, &json!([]));
    assert_eq!(seen["removed"], json!(["script", "onerror", "onload"]));
    let ambiguous = r#"<a class="btn">x</a><cwdb-action action="call">{"a":"&lt;b&gt;"}</cwdb-action>"#;
    assert_eq!(play(ambiguous, "light", WIDE, &json!([]))["ambiguous"], json!([r#"{"a":"<b>"}"#]));
}
