//! `revoke`, `extend` and `review` with a grant: tried first, shown, asked about, then done.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use crate::support::{Desk, NOW, Run, assert_says};

const ID: &str = "g-abcdefghijklmnopqrstuvwxyz";
const OTHER: &str = "g-bcdefghijklmnopqrstuvwxyza";
const ANA: &str =
    "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Ops_0123456789abcdef/ana@example.com";

fn ended(id: &str, result: &str) -> Value {
    json!({
        "grant_id": id, "result": result, "message": format!("access of ben@example.com is {result}"), "state": "active",
        "person": "ben@example.com", "tenant": "acme", "role": "prod-readonly", "ticket": "CHG1",
        "principal": "arn:aws:iam::111122223333:user/ben", "source": "itsm", "expires_at": "2026-11-21T11:00:00Z",
    })
}

fn reply(ok: bool, message: &str, grants: Vec<Value>) -> Value {
    json!({ "ok": ok, "message": message, "grants": grants })
}

fn would(grants: Vec<Value>) -> Value {
    reply(true, "dry run, nothing was changed", grants)
}

/// Runs `curfew` at a terminal of its own, and types `answer` once it is asked.
fn at_a_terminal(desk: &Desk, arguments: &[&str], answer: &str) -> Run {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("it is ours");
    unlockpt(&ours).expect("it can be opened");
    let name = ptsname(&ours, Vec::new()).expect("it has a name").into_string().expect("text");
    let theirs = || File::options().read(true).write(true).open(&name).expect("its other end");
    let mut child = desk
        .command(arguments)
        .stdin(theirs())
        .stderr(theirs())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curfew runs");
    let mut ours = File::from(ours);
    let mut reader = BufReader::new(ours.try_clone().expect("a second handle"));
    let mut err = Vec::new();
    // Ends with the question; or, if it is never asked, with the terminal's other end.
    while !err.ends_with(b"does not: ") && reader.read_until(b' ', &mut err).is_ok_and(|read| read > 0) {}
    ours.write_all(answer.as_bytes()).expect("an answer");
    let mut out = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    let status = child.wait().expect("it ends");
    // The rest, until Linux says that nobody is at the other end (EIO).
    let _ = reader.read_to_end(&mut err);
    Run { code: status.code().expect("an exit code"), out, err: String::from_utf8_lossy(&err).into_owned() }
}

#[test]
fn one_grant_is_ended_without_a_question() {
    let done = reply(
        true,
        "access of ben@example.com has been removed: AWS confirmed it",
        vec![ended(ID, "removed")],
    );
    let desk =
        Desk::new("revoke-one").caller(ANA).function(&would(vec![ended(ID, "would-end")])).function(&done);
    let run = desk.run(&["revoke", ID, "--reason", "incident over", "--now", NOW]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (0, "access of ben@example.com has been removed: AWS confirmed it\n"),
        "{run:?}"
    );
    assert_says(
        &run.err,
        &["1 grant would end", "ben@example.com", "2026-11-21 11:00:00Z  in 32m", "ending 1 grant"],
    );
    let [who, tried, done] = desk.calls().try_into().expect("three calls");
    assert_eq!(who.line(), "--output json sts get-caller-identity");
    assert_says(&tried.line(), &["--function-name curfew-revoke"]);
    let order = |dry_run: bool| json!({ "grant_id": ID, "reason": "incident over", "operator": "ana@example.com", "dry_run": dry_run });
    assert_eq!((tried.payload, done.payload), (order(true), order(false)));
}

#[test]
fn a_payload_is_no_argument() {
    let desk = Desk::new("revoke-secret").function(&would(vec![]));
    desk.run(&["revoke", "--person", "ben@example.com", "--reason", "about Ben", "--operator", "ana"]);
    let [call] = desk.calls().try_into().expect("one call: who gives a name is not looked up");
    assert!(!call.line().contains("Ben") && !call.line().contains("ben@"), "{}", call.line());
    assert_eq!(
        call.payload,
        json!({ "person": "ben@example.com", "reason": "about Ben", "operator": "ana", "dry_run": true })
    );
}

#[test]
fn all_of_a_ticket_a_person_or_a_tenant_are_selected_as_the_function_reads_it() {
    for (number, (arguments, selector)) in [
        (&["--ticket", "CHG1", "--source", "itsm"][..], json!({ "ticket": "CHG1", "source": "itsm" })),
        (&["--ticket", "CHG1"], json!({ "ticket": "CHG1" })),
        (&["--tenant", "acme"], json!({ "tenant": "acme" })),
    ]
    .into_iter()
    .enumerate()
    {
        let desk = Desk::new(&format!("revoke-selector-{number}")).function(&would(vec![]));
        let run = desk.run(&[&["revoke", "--reason", "r", "--operator", "o"], arguments].concat());
        assert_eq!(run.code, 0, "{run:?}");
        let mut payload = desk.calls()[0].payload.clone();
        for (name, value) in selector.as_object().expect("fields") {
            assert_eq!(payload.as_object_mut().expect("fields").remove(name).as_ref(), Some(value));
        }
        assert_eq!(payload, json!({ "reason": "r", "operator": "o", "dry_run": true }));
    }
}

#[test]
fn more_than_one_grant_is_not_ended_without_being_asked_for() {
    let desk =
        Desk::new("revoke-many").function(&would(vec![ended(ID, "would-end"), ended(OTHER, "would-end")]));
    let run = desk.run(&["revoke", "--person", "ben@example.com", "--reason", "r", "--operator", "o"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert_says(&run.err, &["2 grants would end", ID, OTHER, "nothing was changed", "`--yes`"]);
    assert_eq!(desk.calls().len(), 1, "only the dry run");
}

#[test]
fn with_yes_nobody_is_asked_and_each_grant_is_told() {
    let two = vec![
        ended(ID, "would-end"),
        ended(OTHER, "would-end"),
        ended(&ID.replace('z', "a"), "already-closed"),
    ];
    let done = reply(true, "of 2 grant(s): 2 removed", vec![ended(ID, "removed"), ended(OTHER, "removed")]);
    let desk = Desk::new("revoke-yes").function(&would(two)).function(&done);
    let run = desk.run(&["revoke", "--tenant", "acme", "--reason", "r", "--operator", "o", "--yes"]);
    let expected = format!(
        "of 2 grant(s): 2 removed\n  {ID}  removed: access of ben@example.com is removed\n  {OTHER}  removed: access \
         of ben@example.com is removed\n"
    );
    assert_eq!((run.code, run.out), (0, expected));
    assert_says(&run.err, &["2 grants would end", "already-closed"]);
}

#[test]
fn at_a_terminal_only_yes_is_yes() {
    let arguments = ["revoke", "--person", "ben@example.com", "--reason", "r", "--operator", "o"];
    let two = || would(vec![ended(ID, "would-end"), ended(OTHER, "would-end")]);
    for (number, answer) in ["\n", "no\n", "yes!\n"].into_iter().enumerate() {
        let desk = Desk::new(&format!("revoke-no-{number}")).function(&two());
        let run = at_a_terminal(&desk, &arguments, answer);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
        assert_says(&run.err, &["end these 2 grants?", "nothing was changed"]);
        assert_eq!(desk.calls().len(), 1, "{answer:?}");
    }
    let done = reply(true, "of 2 grant(s): 2 removed", vec![]);
    let desk = Desk::new("revoke-typed-yes").function(&two()).function(&done);
    let run = at_a_terminal(&desk, &arguments, "yes\n");
    assert_eq!((run.code, run.out.as_str()), (0, "of 2 grant(s): 2 removed\n"), "{run:?}");
    assert_eq!(desk.calls()[1].payload["dry_run"], false);
}

#[test]
fn a_dry_run_ends_nothing() {
    let desk =
        Desk::new("revoke-dry").function(&would(vec![ended(ID, "would-end"), ended(OTHER, "would-end")]));
    let run = desk.run(&["revoke", "--ticket", "CHG1", "--reason", "r", "--operator", "o", "--dry-run"]);
    assert_eq!(run.code, 0);
    assert_says(&run.out, &["dry run", ID, OTHER]);
    assert_eq!(desk.calls().len(), 1);
}

#[test]
fn what_is_not_proven_is_no_success() {
    let open = reply(false, "it has begun, but AWS did not confirm it", vec![ended(ID, "unproven")]);
    let desk = Desk::new("revoke-unproven").function(&would(vec![ended(ID, "would-end")])).function(&open);
    let run = desk.run(&["revoke", ID, "--reason", "r", "--operator", "o"]);
    assert_eq!((run.code, run.out.as_str()), (1, "it has begun, but AWS did not confirm it\n"));

    let desk =
        Desk::new("revoke-unproven-json").function(&would(vec![ended(ID, "would-end")])).function(&open);
    let run = desk.run(&["revoke", ID, "--reason", "r", "--operator", "o", "--json"]);
    assert_eq!((run.code, serde_json::from_str(&run.out).ok()), (1, Some(open)));
}

#[test]
fn what_was_given_meanwhile_is_told() {
    let done = reply(true, "of 2 grant(s): 2 removed", vec![ended(ID, "removed"), ended(OTHER, "removed")]);
    let desk = Desk::new("revoke-more").function(&would(vec![ended(ID, "would-end")])).function(&done);
    let run = desk.run(&["revoke", "--tenant", "acme", "--reason", "r", "--operator", "o"]);
    assert_eq!(run.code, 0);
    assert_says(&run.err, &["1 grant more than shown above"]);
}

#[test]
fn what_is_wrong_with_an_order_is_told_at_once() {
    let bad = json!({
        "ok": false, "message": "nothing was changed, because the input can't be acted on", "grants": [],
        "problems": ["`reason` holds control characters"], "example": {},
    });
    let desk = Desk::new("revoke-bad").function(&bad);
    let run = desk.run(&["revoke", ID, "--reason", "a\u{1b}b", "--operator", "o"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert_says(&run.err, &["nothing was changed, because", "\n  `reason` holds control characters"]);
}

#[test]
fn wrong_usage_calls_nothing() {
    for (number, arguments) in [
        &["revoke", "--reason", "r"][..],
        &["revoke", ID, "--ticket", "CHG1", "--reason", "r"],
        &["revoke", ID],
        &["revoke", "g-1", "--reason", "r"],
        &["revoke", "--person", "ben", "--reason", "r"],
        &["revoke", "--tenant", "acme", "--source", "itsm", "--reason", "r"],
        &["extend", ID, "--reason", "r"],
        &["extend", ID, "--reason", "r", "--for", "1h", "--until", NOW],
        &["extend", ID, "--reason", "r", "--for", "90s"],
        &["review", ID],
        &["review", "--note", "n"],
        &["show"],
        &["grants", "--profile", "--yes"],
        &["grants", "--stack", "a/b"],
    ]
    .into_iter()
    .enumerate()
    {
        let desk = Desk::new(&format!("usage-{number}"));
        let run = desk.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(desk.calls().is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_extension_is_sent_with_the_end_that_its_dry_run_named() {
    let end = "2026-11-21T12:00:00Z";
    let would =
        json!({ "ok": true, "message": "would last", "grant_id": ID, "expires_at": end, "problems": [] });
    let done = json!({ "ok": true, "message": "it lasts until 12:00", "grant_id": ID, "expires_at": end });
    let desk = Desk::new("extend").caller(ANA).function(&would).function(&done);
    let run = desk.run(&["extend", ID, "--for", "1h", "--reason", "not done yet", "--now", NOW]);
    assert_eq!((run.code, run.out.as_str()), (0, "it lasts until 12:00\n"), "{run:?}");
    assert_says(&run.err, &["extending until 2026-11-21 12:00:00Z (in 1h 32m)"]);
    let [_, tried, sent] = desk.calls().try_into().expect("three calls");
    assert_says(&sent.line(), &["--function-name curfew-grant"]);
    let mut order =
        json!({ "extend": ID, "minutes": 60, "reason": "not done yet", "operator": "ana@example.com" });
    order["dry_run"] = json!(true);
    assert_eq!(tried.payload, order);
    assert_eq!(
        sent.payload,
        json!({
            "extend": ID, "until": end, "reason": "not done yet", "operator": "ana@example.com", "dry_run": false,
        })
    );
}

#[test]
fn an_extension_that_is_refused_is_not_sent() {
    let no = json!({ "ok": false, "message": "nothing was changed", "problems": ["the role may be had for 4h at most"] });
    let arguments =
        ["extend", ID, "--until", "2026-11-22T12:00:00Z", "--reason", "r", "--operator", "ana@example.com"];
    let desk = Desk::new("extend-no").function(&no);
    let run = desk.run(&arguments);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert_says(&run.err, &["nothing was changed\n  the role may be had for 4h at most"]);
    let [call] = desk.calls().try_into().expect("one call");
    assert_eq!(call.payload["until"], "2026-11-22T12:00:00Z");

    let desk = Desk::new("extend-no-json").function(&no);
    let run = desk.run(&[&arguments[..], &["--json"]].concat());
    assert_eq!((run.code, serde_json::from_str(&run.out).ok()), (1, Some(no)));

    let yes =
        json!({ "ok": true, "message": "would last until 12:00", "expires_at": "2026-11-22T12:00:00Z" });
    let desk = Desk::new("extend-dry").function(&yes);
    let run = desk.run(&[&arguments[..], &["--dry-run"]].concat());
    assert_eq!((run.code, run.out.as_str()), (0, "would last until 12:00\n"));
    assert_eq!(desk.calls().len(), 1);
}

#[test]
fn a_review_goes_on_record() {
    let done = json!({ "ok": true, "message": "the review is on its record", "grants": [] });
    let desk = Desk::new("review").caller("arn:aws:iam::111122223333:user/carl").function(&done);
    let run = desk.run(&["review", ID, "--note", "as INC7 says"]);
    assert_eq!((run.code, run.out.as_str()), (0, "the review is on its record\n"), "{run:?}");
    assert_eq!(
        desk.calls()[1].payload,
        json!({ "reviewed": ID, "note": "as INC7 says", "operator": "arn:aws:iam::111122223333:user/carl" })
    );
    let no = json!({ "ok": false, "message": "nothing was recorded: it is live", "grants": [] });
    let run = Desk::new("review-no").function(&no).run(&["review", ID, "--note", "n", "--operator", "c"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert_says(&run.err, &["nothing was recorded: it is live"]);
}
