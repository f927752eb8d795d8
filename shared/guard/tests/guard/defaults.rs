//! The shipped guardrails, one by one: for each there is a request that it alone decides, so that a change of it turns
//! a test red; and for each limit a request that just keeps it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use curfew_app::guard::Guardrails as _;
use curfew_domain::decision::{Denial, DenialCode};
use curfew_guard::{CedarGuardrails, Effect, GuardrailFile};

use crate::support::{Ask, organisation};
use crate::table::{Expected, TABLE, Trial};

fn shipped() -> Vec<GuardrailFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/guardrails");
    let mut files: Vec<GuardrailFile> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "cedar"))
        .map(|path| GuardrailFile {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            text: fs::read_to_string(path).unwrap(),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn parsed(files: &[GuardrailFile]) -> CedarGuardrails {
    CedarGuardrails::parse(files).unwrap_or_else(|findings| panic!("{findings}"))
}

/// The files without one guardrail. Each of the shipped ones ends in a condition.
fn without(id: &str) -> Vec<GuardrailFile> {
    let mut files = shipped();
    let annotation = format!("@id(\"{id}\")");
    let file = files.iter_mut().find(|file| file.text.contains(&annotation)).unwrap();
    let start = file.text.find(&annotation).unwrap();
    let end = start + file.text[start..].find("};").unwrap() + 2;
    file.text.replace_range(start..end, "");
    files
}

/// What they come to: the ids that permit, with whether a review is owed; or the denial.
fn judged(guardrails: &CedarGuardrails, ask: &Ask) -> Result<(BTreeSet<String>, bool), Denial> {
    let catalog = organisation();
    let plan = ask.plan(&catalog)?;
    let case = ask.case(&catalog, &plan);
    let held = if guardrails.asks_what_is_held(&case) { ask.held() } else { Vec::new() };
    let permit = guardrails.judge(&case, &held)?;
    assert_eq!(permit.guardrails_digest, guardrails.digest());
    Ok((permit.permitted_by.iter().map(ToString::to_string).collect(), permit.review.is_some()))
}

fn told(judged: &Result<(BTreeSet<String>, bool), Denial>) -> String {
    match judged {
        Ok((ids, review)) => format!("permitted by {ids:?}{}", if *review { ", to be reviewed" } else { "" }),
        Err(denial) => {
            let ids: BTreeSet<String> = denial.guardrails.iter().map(ToString::to_string).collect();
            format!("{} {ids:?}", denial.code)
        }
    }
}

fn expected(trial: &Trial) -> String {
    let ids: BTreeSet<&str> = trial.by.iter().copied().collect();
    match trial.expected {
        Expected::Permitted => format!("permitted by {ids:?}"),
        Expected::Reviewed => format!("permitted by {ids:?}, to be reviewed"),
        Expected::Forbidden => format!("{} {ids:?}", DenialCode::Forbidden),
        Expected::NotPermitted => format!("{} {ids:?}", DenialCode::NotPermitted),
    }
}

#[test]
fn they_have_no_findings() {
    assert_eq!(parsed(&shipped()).warnings(), []);
}

#[test]
fn each_request_is_decided_by_the_guardrails_that_are_to_decide_it() {
    let guardrails = parsed(&shipped());
    let wrong: Vec<String> = TABLE
        .iter()
        .filter_map(|trial| {
            let (found, wanted) = (told(&judged(&guardrails, &trial.ask())), expected(trial));
            (found != wanted).then(|| format!("{}: {found}, not {wanted}", trial.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_guardrail_alone_decides_a_request() {
    let guardrails = parsed(&shipped());
    let mut deciding = BTreeSet::new();
    for trial in TABLE.iter().filter(|trial| trial.by.len() == 1) {
        let id = trial.by[0];
        let broken = parsed(&without(id));
        let (with, without) = (judged(&guardrails, &trial.ask()), judged(&broken, &trial.ask()));
        if with.is_ok() != without.is_ok() {
            deciding.insert(id.to_owned());
        }
    }
    let all: BTreeSet<String> = guardrails.guardrails().map(|one| one.id().to_string()).collect();
    assert_eq!(deciding, all, "a guardrail that the table's requests can do without");
    assert_eq!(all.len(), shipped().iter().map(|file| file.text.matches("\n@id(").count()).sum::<usize>());
}

#[test]
fn each_says_why_and_what_helps() {
    for guardrail in parsed(&shipped()).guardrails() {
        assert!(guardrail.reason().is_some() && guardrail.remedy().is_some(), "{}", guardrail.id());
        assert!(guardrail.effect() == Effect::Permit || guardrail.review().is_none(), "{}", guardrail.id());
    }
}

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guardrails.md")).unwrap()
}

#[test]
fn the_documents_list_each_of_them() {
    let document = document();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: BTreeSet<&str> = rows.map(|(id, _)| id).collect();
    let guardrails = parsed(&shipped());
    let absent: Vec<&str> =
        guardrails.guardrails().map(|one| one.id().as_str()).filter(|id| !rows.contains(id)).collect();
    assert!(absent.is_empty(), "docs/guardrails.md does not list {absent:?}");
}

#[test]
fn the_documents_examples_are_sound() {
    let document = document();
    let examples = document.split("```cedar\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let whole: Vec<&str> = examples.filter(|example| example.contains("@id(")).collect();
    assert_eq!(whole.len(), 2);
    for example in whole {
        let permit = "@id(\"permit\") permit (principal, action, resource);";
        let text = format!("{example}\n{permit}");
        assert_eq!(parsed(&[GuardrailFile { name: "example.cedar".to_owned(), text }]).warnings(), []);
    }
}

/// Nobody approves their own request, nor under another address: that is the domain's, before any guardrail.
#[test]
fn a_second_identity_approves_nothing() {
    let guardrails = parsed(&shipped());
    for approver in ["ana", "ana@home.example"] {
        let denial = judged(&guardrails, &Ask { approvers: vec![approver], ..Ask::default() }).unwrap_err();
        assert_eq!(denial.code, DenialCode::SelfApproval, "{approver}");
    }
}

/// The ledger is read for those requests alone that a guardrail needs it for.
#[test]
fn what_is_held_is_asked_only_where_it_matters() {
    let (guardrails, catalog) = (parsed(&shipped()), organisation());
    for (role, asks) in [
        ("plain", false),
        ("root", false),
        ("data", false),
        ("deploy", true),
        ("sign-off", true),
        ("rare", true),
    ] {
        let ask = Ask { role, ..Ask::default() };
        let plan = ask.plan(&catalog).unwrap();
        assert_eq!(guardrails.asks_what_is_held(&ask.case(&catalog, &plan)), asks, "{role}");
    }
}
