//! Golden documents, and properties that hold for any document.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ids::TenantId;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window() -> Window {
    Window::new(at("2026-11-21T01:02:03Z"), at("2026-11-21T03:02:03Z")).unwrap()
}

fn scope() -> Scope {
    Scope::new(TenantId::new("acme").unwrap(), "111122223333", "eu-central-1").unwrap()
}

type Condition<'a> = (&'a str, &'a str, &'a [&'a str]);

fn statement(
    effect: PolicyEffect,
    actions: &[&str],
    resources: &[&str],
    when: &[Condition<'_>],
) -> Statement {
    let mut conditions = Conditions::default();
    for (operator, key, values) in when {
        let values = values.iter().map(|value| Template::parse(value).unwrap());
        conditions.insert(operator, key, values).unwrap();
    }
    let actions = actions.iter().map(|a| Action::parse(a).unwrap());
    let resources = resources.iter().map(|r| Resource::parse(r).unwrap());
    Statement::new(effect, actions, resources, conditions).unwrap()
}

fn allow(actions: &[&str], resources: &[&str], when: &[Condition<'_>]) -> Statement {
    statement(PolicyEffect::Allow, actions, resources, when)
}

#[track_caller]
fn check(statements: &[Statement], expected: &str) {
    assert_eq!(render(statements, &scope(), window()), expected);
}

#[test]
fn one_statement() {
    check(
        &[allow(&["s3:GetObject"], &["arn:aws:s3:::data-${tenant}/*"], &[])],
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data-acme/*","Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-21T01:02:03Z"},"DateLessThan":{"aws:CurrentTime":"2026-11-21T03:02:03Z"}}}]}"#,
    );
}

#[test]
fn several_values_are_sorted_lists() {
    check(
        &[allow(
            &["logs:Get*", "logs:Describe*"],
            &[
                "arn:aws:logs:${region}:${account}:log-group:/b:*",
                "arn:aws:logs:${region}:${account}:log-group:/a:*",
            ],
            &[],
        )],
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:Describe*","logs:Get*"],"Resource":["arn:aws:logs:eu-central-1:111122223333:log-group:/a:*","arn:aws:logs:eu-central-1:111122223333:log-group:/b:*"],"Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-21T01:02:03Z"},"DateLessThan":{"aws:CurrentTime":"2026-11-21T03:02:03Z"}}}]}"#,
    );
}

#[test]
fn a_permissions_own_conditions_stay_beside_the_window() {
    check(
        &[allow(
            &["s3:ListBucket"],
            &["*"],
            &[
                ("StringLike", "s3:prefix", &["${tenant}/*", "${aws:username}/*"]),
                ("DateLessThan", "aws:TokenIssueTime", &["2030-01-01T00:00:00Z"]),
                ("DateLessThanIfExists", "aws:TokenIssueTime", &["2031-01-01T00:00:00Z"]),
            ],
        )],
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-21T01:02:03Z"},"DateLessThan":{"aws:CurrentTime":"2026-11-21T03:02:03Z","aws:TokenIssueTime":"2030-01-01T00:00:00Z"},"DateLessThanIfExists":{"aws:TokenIssueTime":"2031-01-01T00:00:00Z"},"StringLike":{"s3:prefix":["${aws:username}/*","acme/*"]}}}]}"#,
    );
}

#[test]
fn statements_that_differ_in_actions_alone_become_one_and_no_others_do() {
    check(
        &[
            allow(&["s3:PutObject"], &["arn:aws:s3:::a"], &[]),
            allow(&["s3:GetObject"], &["arn:aws:s3:::a"], &[]),
            allow(&["s3:GetObject"], &["arn:aws:s3:::a"], &[]),
            allow(&["s3:GetObject"], &["arn:aws:s3:::a"], &[("Bool", "aws:SecureTransport", &["true"])]),
            statement(PolicyEffect::Deny, &["s3:DeleteObject"], &["arn:aws:s3:::a"], &[]),
        ],
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a","Condition":{"Bool":{"aws:SecureTransport":"true"},"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-21T01:02:03Z"},"DateLessThan":{"aws:CurrentTime":"2026-11-21T03:02:03Z"}}},{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::a","Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-21T01:02:03Z"},"DateLessThan":{"aws:CurrentTime":"2026-11-21T03:02:03Z"}}},{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::a","Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-21T01:02:03Z"},"DateLessThan":{"aws:CurrentTime":"2026-11-21T03:02:03Z"}}}]}"#,
    );
}

#[test]
fn text_that_looks_like_json_stays_text() {
    let hostile = r#"x","Effect":"Allow\"#;
    let rendered = render(
        &[allow(&["s3:GetObject"], &["*"], &[("StringEquals", "aws:PrincipalTag/x", &[hostile])])],
        &scope(),
        window(),
    );
    let parsed: Value = serde_json::from_str(&rendered).unwrap();
    assert_eq!(parsed["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalTag/x"], hostile);
}

#[test]
fn a_document_fits_up_to_the_quota_and_no_further() {
    for (kind, quota) in [(PrincipalKind::User, 2_048), (PrincipalKind::Role, 10_240)] {
        assert_eq!(fits(kind, &"é".repeat(quota)), Ok(()));
        let error = fits(kind, &"é".repeat(quota + 1)).unwrap_err();
        assert_eq!(error, TooLarge { kind, size: quota + 1, quota });
        assert!(error.to_string().contains(&(quota + 1).to_string()), "{error}");
    }
}

/// A string or a list of strings, as IAM writes either.
#[test]
fn two_texts_are_the_same_document_whatever_their_spacing_and_order() {
    let document =
        render(&[allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::a/*"], &[])], &scope(), window());
    let value: Value = serde_json::from_str(&document).unwrap();
    assert!(same_document(&document, &serde_json::to_string_pretty(&value).unwrap()));
    assert!(same_document(r#"{"a":1,"b":[1,2]}"#, r#"{ "b" : [1, 2], "a" : 1 }"#));
    for other in [
        document.replace("GetObject", "DeleteObject"),
        document.replace("Allow", "Deny"),
        document.replace("2012-10-17", "2008-10-17"),
        String::new(),
        "not json".to_owned(),
    ] {
        assert!(!same_document(&document, &other), "{other}");
    }
    // What is no JSON is nothing, and not the same as itself either.
    assert!(!same_document("not json", "not json"));
}

fn values(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(one) => BTreeSet::from([one.clone()]),
        Value::Array(many) => many.iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
        other => panic!("neither string nor list: {other}"),
    }
}

/// A statement read back: effect, actions, resources, conditions without the window.
type Flat = (String, BTreeSet<String>, BTreeSet<String>, BTreeSet<(String, String, BTreeSet<String>)>);

/// Reads a rendered statement back and takes the window out, which must be there.
fn read_back(statement: &Value) -> Flat {
    let mut conditions = BTreeSet::new();
    let mut times = Vec::new();
    for (operator, keys) in statement["Condition"].as_object().unwrap() {
        for (key, found) in keys.as_object().unwrap() {
            if key == "aws:CurrentTime" {
                times.push((operator.clone(), found.clone()));
            } else {
                conditions.insert((operator.clone(), key.clone(), values(found)));
            }
        }
    }
    times.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        times,
        [
            ("DateGreaterThanEquals".to_owned(), Value::from("2026-11-21T01:02:03Z")),
            ("DateLessThan".to_owned(), Value::from("2026-11-21T03:02:03Z")),
        ],
        "the window of {statement}"
    );
    let effect = statement["Effect"].as_str().unwrap().to_owned();
    (effect, values(&statement["Action"]), values(&statement["Resource"]), conditions)
}

/// What a statement means for a tenant, without the window.
fn meaning(statement: &Statement) -> Flat {
    let scope = scope();
    (
        format!("{:?}", statement.effect()),
        statement.actions().map(|a| a.as_str().to_owned()).collect(),
        statement.resources().map(|r| r.template().expand(&scope)).collect(),
        statement
            .conditions()
            .iter()
            .map(|(o, k, v)| (o.to_owned(), k.to_owned(), v.iter().map(|t| t.expand(&scope)).collect()))
            .collect(),
    )
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let effect = prop::sample::select(vec![PolicyEffect::Allow, PolicyEffect::Deny]);
    let actions = prop::collection::vec("(s3|logs):[A-C][a-z]{0,2}\\*?", 1..4);
    let resources = prop::collection::vec(
        "arn:aws:s3:::(a|b|\\$\\{tenant\\}|\\$\\{account\\}|\\$\\{aws:username\\})/\\*?",
        1..3,
    );
    let operator = prop::sample::select(vec!["DateLessThan", "DateGreaterThanEquals", "StringLike", "Bool"]);
    let key = prop::sample::select(vec!["aws:TokenIssueTime", "aws:username", "s3:prefix"]);
    let value = prop::collection::vec("[ -#%-~]{1,6}|\\$\\{region\\}", 1..3);
    let conditions = prop::collection::vec((operator, key, value), 0..4);
    (effect, actions, resources, conditions).prop_map(|(effect, actions, resources, when)| {
        let mut conditions = Conditions::default();
        for (operator, key, values) in when {
            let values: Vec<_> = values.iter().map(|v| Template::parse(v).unwrap()).collect();
            // The same key drawn twice is refused, and the first stays.
            let _already_there = conditions.insert(operator, key, values);
        }
        let actions = actions.iter().map(|a| Action::parse(a).unwrap());
        let resources = resources.iter().map(|r| Resource::parse(r).unwrap());
        Statement::new(effect, actions, resources, conditions).unwrap()
    })
}

proptest! {
    #[test]
    fn a_document_means_its_statements_within_the_window(
        statements in prop::collection::vec(any_statement(), 1..6)
    ) {
        let rendered = render(&statements, &scope(), window());
        let parsed: Value = serde_json::from_str(&rendered).unwrap();
        prop_assert_eq!(&parsed["Version"], "2012-10-17");
        // `read_back` fails where the window is missing.
        let found: Vec<Flat> = parsed["Statement"].as_array().unwrap().iter().map(read_back).collect();

        // Per effect, resources and conditions: exactly the actions that went in, each shape once.
        let mut wanted: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (effect, actions, resources, conditions) in statements.iter().map(meaning) {
            wanted.entry((effect, resources, conditions)).or_default().extend(actions);
        }
        prop_assert_eq!(found.len(), wanted.len());
        for (effect, actions, resources, conditions) in found {
            prop_assert_eq!(wanted.get(&(effect, resources, conditions)), Some(&actions));
        }
    }

    #[test]
    fn a_document_does_not_depend_on_the_order_of_its_statements(
        statements in prop::collection::vec(any_statement(), 1..6)
    ) {
        let reversed: Vec<_> = statements.iter().rev().collect();
        prop_assert_eq!(render(&statements, &scope(), window()), render(reversed, &scope(), window()));
    }
}
