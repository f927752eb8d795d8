//! The console function from input to reply, on an AWS in memory.

use curfew_app::open::{self, Opened};
use curfew_app::ports;
use curfew_domain::event::{Actor, Event, Fact};
use curfew_domain::grant::Grant;
use curfew_domain::window::plus;
use curfew_runtime::Invocation;
use curfew_runtime::config::ConsoleConfig;
use curfew_testkit::fixtures::{self, request_of};
use curfew_testkit::guardrails::permissive;
use curfew_testkit::{CallName, Delivery, Fault, MemoryPorts, VirtualClock, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::shown::Shown;
use crate::{ConsoleFunction, Reply};

const OWN: &str = "arn:aws:lambda:eu-west-1:111122223333:function:curfew-console:live";

type View = Box<dyn Fn(ports::Invocation) -> MemoryPorts + Send + Sync>;

struct Bench {
    world: World,
    ports: MemoryPorts,
    function: ConsoleFunction<View, VirtualClock>,
}

impl Bench {
    fn new() -> Self {
        let world = fixtures::world();
        let ports = world.invocation();
        let same = ports.clone();
        let view: View = Box::new(move |invocation| same.clone().leased(invocation.lease_until));
        let config = ConsoleConfig {
            table: "ledger".to_owned(),
            stack: "curfew".to_owned(),
            revoke_function_arn: "arn:aws:lambda:eu-west-1:111122223333:function:curfew-revoke".to_owned(),
            grant_function_arn: "arn:aws:lambda:eu-west-1:111122223333:function:curfew-grant".to_owned(),
        };
        let clock = curfew_app::Ports::clock(&ports).clone();
        Self { world, ports, function: ConsoleFunction::new(view, clock, config) }
    }

    fn open(&self, who: &str, tenant: &str, ticket: &str) -> Grant {
        let (ports, catalog) = (self.world.invocation(), fixtures::catalog());
        let asked = request_of(who, tenant, "ops", ticket);
        let opening = open::open(&ports, permissive(&catalog), asked, fixtures::settings());
        let Ok(Ok(Opened::Activated(grant))) = self.world.finish(opening) else { panic!("not activated") };
        *grant
    }

    fn call(&self, input: &Value) -> Reply {
        let deadline = plus(self.world.now(), SignedDuration::from_secs(15));
        let invocation = Invocation { request_id: "r-1".to_owned(), deadline };
        self.world.finish(self.function.handle(input, &invocation, OWN)).unwrap().unwrap()
    }

    fn json(&self, input: &Value) -> Value {
        match self.call(input) {
            Reply::Json(reply) => reply,
            Reply::Text(text) => panic!("no JSON: {text}"),
        }
    }

    fn text(&self, input: &Value) -> String {
        match self.call(input) {
            Reply::Text(text) => text,
            Reply::Json(reply) => panic!("no text: {reply}"),
        }
    }
}

#[test]
fn the_terminal_gets_who_has_what_in_two_reads_however_many_they_are() {
    let bench = Bench::new();
    for n in 0..10 {
        bench.open(if n % 2 == 0 { "ana" } else { "ben" }, "acme", &format!("CHG-{n}"));
    }
    let reply = bench.json(&json!({ "format": "json", "list": {} }));
    assert_eq!(bench.world.calls(&bench.ports), [CallName::Live, CallName::ReviewsOwed]);
    assert_eq!(reply["grants"].as_array().map(Vec::len), Some(10));
    assert_eq!((&reply["ok"], &reply["truncated"]), (&json!(true), &json!(false)));
    assert_eq!((&reply["as_of"], &reply["reviews_owed"]), (&json!("2026-11-21T10:00:00Z"), &json!([])));
    let first = &reply["grants"][0];
    let grant = json!({
        "standing": "active", "grant_id": first["grant_id"], "person": first["person"], "tenant": "acme",
        "role": "ops", "principal": first["principal"], "source": "itsm", "ticket": first["ticket"],
        "state": "active", "starts_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T11:00:00Z",
        "due_at": "2026-11-21T11:01:00Z", "access_kind": "inline", "privileged": false, "failures": 0,
    });
    assert_eq!(*first, grant);
    let of_ana = bench.json(&json!({ "format": "json", "list": { "person": "ana@example.com" } }));
    assert_eq!(of_ana["grants"].as_array().map(Vec::len), Some(5));
}

#[test]
fn a_widget_gets_html_whose_buttons_call_the_right_functions() {
    let bench = Bench::new();
    let grant = bench.open("ana", "acme", "CHG-1");
    let page = bench.text(&json!({ "widgetContext": { "theme": "dark" } }));
    assert!(page.contains("class=\"cwdb-no-default-styles cf cf-dark\""), "{page}");
    let revoke = format!(
        "endpoint=\"arn:aws:lambda:eu-west-1:111122223333:function:curfew-revoke\" confirmation=\"End ops of \
         ana@example.com in acme now? Your name and your reason, as typed into the widget, go on record.\">\
         {{\"grant_id\":\"{}\"}}</cwdb-action>",
        grant.id()
    );
    assert!(page.contains(&revoke), "{page}");
    // As it was called, with its alias: what the dashboard may call, it may call again.
    assert!(page.contains(&format!("endpoint=\"{OWN}\">{{\"show\":")), "{page}");
    let other = bench.text(&json!({ "tenant": "globex" }));
    assert!(other.contains("fits the filter") && other.contains("value=\"globex\""), "{other}");
    let unclear = bench.text(&json!({ "person": "ana" }));
    assert!(unclear.contains("person `ana` is not valid") && !unclear.contains("prod"), "{unclear}");
}

#[test]
fn a_grant_is_shown_with_its_story() {
    let bench = Bench::new();
    let grant = bench.open("ana", "acme", "CHG-1");
    let reply = bench.json(&json!({ "format": "json", "show": grant.id() }));
    assert_eq!(bench.world.calls(&bench.ports), [CallName::Story]);
    assert_eq!((&reply["ok"], &reply["events_left_out"]), (&json!(true), &json!(0)));
    assert_eq!(reply["chain_problem"], Value::Null);
    let events: Vec<Event> = serde_json::from_value(reply["events"].clone()).unwrap();
    assert_eq!(
        events.iter().map(|event| event.fact.name()).collect::<Vec<_>>(),
        ["Requested", "Opened", "Activated"]
    );
    let shown = &reply["grant"];
    for (field, expected) in [
        ("grant_id", json!(grant.id())),
        ("state", json!("active")),
        ("standing", json!("active")),
        ("person", json!("ana@example.com")),
        ("account", json!("111122223333")),
        ("access_kind", json!("inline")),
        ("policy", json!(grant.id().object_name())),
        ("justification", json!("disk full on db-3")),
        ("approvals", json!([{ "approver": "carl@example.com", "at": "2026-11-21T10:00:00Z" }])),
        ("chain", json!(grant.chain())),
        ("outcome", Value::Null),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert!(shown["document"].as_str().is_some_and(|document| document.contains("DateLessThan")), "{shown}");
    assert!(bench.text(&json!({ "show": grant.id() })).contains("disk full on db-3"));
}

#[test]
fn a_grant_that_is_not_there_is_said_so_in_both() {
    let bench = Bench::new();
    let id = "g-abcdefghijklmnopqrstuvwxyz";
    let reply = bench.json(&json!({ "format": "json", "show": id }));
    let message = format!("there is no grant {id} in the ledger; check its id");
    assert_eq!(reply, json!({ "ok": false, "message": message }));
    assert!(bench.text(&json!({ "show": id })).contains(&message));
}

#[test]
fn what_cannot_be_read_is_said_and_never_shown_as_nothing() {
    for (call, input) in [
        (CallName::Live, json!({ "format": "json", "list": {} })),
        (CallName::ReviewsOwed, json!({ "format": "json", "list": {} })),
        (CallName::Story, json!({ "format": "json", "show": "g-abcdefghijklmnopqrstuvwxyz" })),
    ] {
        for (delivery, remedy) in [
            (Delivery::LostRequest, "look again in a moment"),
            (Delivery::Forbidden, "see the console function's log"),
        ] {
            let bench = Bench::new();
            bench.open("ana", "acme", "CHG-1");
            bench.world.plan(Fault::once(call, delivery));
            let reply = bench.json(&input);
            assert_eq!(reply["ok"], false, "{call:?}");
            let message = reply["message"].as_str().unwrap();
            assert!(message.contains("the ledger could not") && message.contains(remedy), "{message}");
            assert_eq!(reply["grants"], Value::Null);

            let mut asked = input.clone();
            asked.as_object_mut().unwrap().retain(|name, _| name == "show");
            bench.world.plan(Fault::once(call, delivery));
            let page = bench.text(&asked);
            assert!(page.contains("the ledger could not") && page.contains("role=\"alert\""), "{page}");
            assert!(!page.contains("Nobody has access"), "{page}");
        }
    }
}

#[test]
fn a_bad_input_is_told_with_everything_that_is_wrong() {
    let bench = Bench::new();
    let reply = bench.json(&json!({ "format": "json", "list": { "tenant": "A B" }, "x": 1 }));
    assert_eq!(reply["ok"], false);
    assert_eq!(reply["problems"].as_array().map(Vec::len), Some(2), "{reply}");
    assert!(bench.world.calls(&bench.ports).is_empty());
}

#[test]
fn the_description_is_markdown_whose_parameters_the_widget_takes() {
    let bench = Bench::new();
    let markdown = bench.text(&json!({ "describe": true }));
    assert!(bench.world.calls(&bench.ports).is_empty());
    let (_, rest) = markdown.split_once("``` yaml\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    // CloudWatch puts them into every new widget.
    let parameters: serde_json::Map<String, Value> = block
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), json!(value.trim_matches('\''))))
        .collect();
    let names: std::collections::BTreeSet<_> = parameters.keys().map(String::as_str).collect();
    assert_eq!(names, ["person", "tenant", "ticket"].into());
    let page = bench.text(&Value::Object(parameters));
    assert!(page.contains("Nobody has access now.") && !page.contains("role=\"alert\""), "{page}");
}

#[test]
fn of_a_long_story_the_beginning_and_the_end_are_shown() {
    let bench = Bench::new();
    let grant = bench.open("ana", "acme", "CHG-1");
    let ports = bench.world.invocation();
    let mut story = bench.world.finish(ports::Ledger::story(&ports, grant.id())).unwrap().unwrap().unwrap();
    let last = story.events.last().unwrap().clone();
    for seq in 4..=10_003 {
        let fact = Fact::RevocationFailed { error: "Timeout".to_owned(), failures: seq, retry_at: last.at };
        story.events.push(Event { seq, fact, actor: Actor::Sweep, ..last.clone() });
    }
    let shown = Shown::of(story, bench.world.now());
    assert_eq!((shown.events.len(), shown.events_left_out), (500, 9_503));
    assert_eq!(shown.events.first().map(|event| event.seq), Some(1));
    assert_eq!(shown.events.last().map(|event| event.seq), Some(10_003));
    assert!(shown.chain_problem.is_some(), "those left out are checked as well");
    let page = crate::html::story(&shown, &crate::input::Widget::default()).unwrap();
    assert_eq!(page.matches("9503 more events").count(), 1);
    assert_eq!(page.matches(" more events").count(), 1);
}

#[test]
fn the_handler_can_only_look() {
    // Whatever is asked, the ledger, IAM and the timers are as they were.
    let bench = Bench::new();
    let grant = bench.open("ana", "acme", "CHG-1");
    for input in [
        json!({}),
        json!({ "show": grant.id() }),
        json!({ "grant_id": grant.id(), "reason": "x", "operator": "y" }),
        json!({ "extend": grant.id(), "minutes": 60 }),
        json!({ "format": "json", "list": {} }),
        json!({ "format": "json", "show": grant.id() }),
    ] {
        bench.call(&input);
    }
    let reads = [CallName::Live, CallName::ReviewsOwed, CallName::Story];
    assert!(bench.world.calls(&bench.ports).iter().all(|call| reads.contains(call)));
    assert_eq!(bench.world.violations(), []);
}
