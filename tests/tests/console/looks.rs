//! That people can read it: urgent things first and in words, in both of a dashboard's colours, also where there is little
//! room.

use serde_json::{Value, json};

use crate::browser::{Seen, Size, WIDE, picture, pictures, play};
use crate::scene::{html, id, scene};

fn shown(theme: &str, size: Size) -> Seen {
    play(&html(&scene(), &json!({ "widgetContext": { "theme": theme } })), theme, size, &json!([]))
}

fn story(theme: &str, size: Size) -> Seen {
    let asked = json!({ "show": id(0), "widgetContext": { "theme": theme } });
    play(&html(&scene(), &asked), theme, size, &json!([]))
}

#[test]
fn failed_and_overdue_ones_are_at_the_top_in_words_and_colour() {
    let seen = shown("light", WIDE);
    let rows = seen["rows"].as_array().expect("rows");
    let told: Vec<(&str, &str, &str)> = rows
        .iter()
        .map(|row| {
            let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            (text("/class"), text("/cells/0/0"), text("/cells/1/0"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("cf-bad", "Removal fails", "carl@example.com"),
            ("cf-bad", "Overdue", "dora@example.com"),
            ("cf-warn", "Ending", "emil@example.com"),
            ("cf-good", "Active", "ben.okafor@example.com"),
            ("cf-good", "Active", "hana@example.com"),
            ("cf-calm", "Opening", "fay.lindqvist@example.com"),
            ("cf-good", "Active", "ana@example.com"),
            ("cf-calm", "Not begun", "gus@example.com"),
            ("", "1 d 2 h", "ines@example.com"),
            ("", "15 min", "jon@example.com"),
        ]
    );
    let papers: Vec<&Value> = rows.iter().map(|row| &row["paper"]).collect();
    assert_eq!(papers[0], papers[1]);
    assert_ne!(papers[1], papers[2]);
    assert_ne!(papers[2], papers[3]);
    let first = seen["text"].as_str().expect("a text").trim_start();
    assert!(first.starts_with("8 live grants · 2 failed or overdue · 2 reviews owed"), "{first}");
}

#[test]
fn the_time_that_is_left_is_a_bar_as_long_as_it_says() {
    let seen = shown("light", WIDE);
    let rows = seen["rows"].as_array().expect("rows");
    let bars: Vec<(&str, Option<u64>)> = rows
        .iter()
        .take(8)
        .map(|row| (row["cells"][4][0].as_str().unwrap_or_default(), row["bar"].as_u64()))
        .collect();
    assert_eq!(
        bars,
        [
            ("over for 12 min", Some(0)),
            ("over for 5 min", Some(0)),
            ("30 min", Some(50)),
            ("10 min", Some(16)),
            ("40 min", Some(57)),
            ("1 h", Some(100)),
            ("1 h 40 min", Some(83)),
            ("begins in 1 h 30 min", None),
        ]
    );
}

#[test]
fn what_can_be_done_depends_on_how_it_stands() {
    let seen = shown("light", WIDE);
    let rows = seen["rows"].as_array().expect("rows");
    let buttons: Vec<&Value> = rows.iter().map(|row| &row["buttons"]).collect();
    let all = json!(["Revoke now", "+30 min", "+60 min", "Story"]);
    let (end, again) = (json!(["Revoke now", "Story"]), json!(["Try removal now", "Story"]));
    let (reviewed, live) = (json!(["Reviewed", "Story"]), json!(["Story"]));
    assert_eq!(buttons, [&again, &end, &end, &all, &all, &end, &all, &all, &reviewed, &live]);
}

#[test]
fn every_text_stands_out_from_its_paper_in_both_themes() {
    let mut papers = Vec::new();
    for theme in ["light", "dark"] {
        for seen in [shown(theme, WIDE), story(theme, WIDE)] {
            assert_eq!(seen["low_contrast"], json!([]), "{theme}");
            assert!(
                seen["contrasts"].as_u64().is_some_and(|texts| texts > 20),
                "{theme}: nothing was measured"
            );
            papers.push(seen["paper"].clone());
        }
    }
    assert_eq!(papers[0], papers[1]);
    assert_ne!(papers[0], papers[2], "two themes, two papers");
}

#[test]
fn every_field_button_bar_and_table_has_a_name() {
    for seen in [shown("light", WIDE), story("light", WIDE)] {
        assert_eq!(seen["unnamed"], json!([]));
    }
}

#[test]
fn a_narrow_widget_scrolls_its_tables_and_nothing_else() {
    for width in [320, 600, 860] {
        for seen in [shown("light", Size(width, 600)), story("light", Size(width, 600))] {
            assert_eq!(seen["wider_than_window"], false, "{width}");
        }
    }
}

/// The pictures of docs/console.md are made by this test: `CURFEW_PICTURES=$PWD/docs/images cargo test -p curfew-tests \
/// --test console --features browser pictures`.
#[test]
fn pictures_of_both_themes_can_be_taken() {
    let typed = json!({ "operator": "olga@example.com", "reason": "incident INC0010023 is over" });
    // As much as there is room for.
    let mut some = scene();
    some.live.entries.retain(|grant| [0, 1, 2, 3, 6].map(id).contains(&grant.grant_id));
    let [light, dark] = ["light", "dark"].map(|theme| {
        let asked = json!({ "widgetContext": { "theme": theme, "forms": { "all": typed } } });
        let bytes = picture(&html(&some, &asked), theme, Size(1080, 850));
        // https://www.w3.org/TR/png-3/#3PNGsignature
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
        // What a documentation may carry.
        assert!(bytes.len() < 200 * 1024, "{}", bytes.len());
        if let Some(folder) = pictures() {
            std::fs::write(folder.join(format!("console-{theme}.png")), &bytes)
                .expect("a folder for pictures");
        }
        bytes
    });
    assert_ne!(light, dark);
}
