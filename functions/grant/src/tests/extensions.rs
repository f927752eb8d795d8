//! Operators: a live grant is extended by whoever may invoke the function, and never by what is posted to it.

use curfew_domain::grant::Grant;
use curfew_runtime::Invocation;
use curfew_testkit::{CallName, Delivery, Fault};
use jiff::SignedDuration;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::{Bench, CATALOG, approval, with};
use crate::extended::ExtendReply;

const UNKNOWN: &str = "g-abcdefghijklmnopqrstuvwxyz";

impl Bench {
    fn granted(&self) -> Grant {
        assert_eq!(self.send(&approval("CHG-1")).status, 201);
        self.world.advance(SignedDuration::from_mins(30));
        self.grant()
    }

    fn grant(&self) -> Grant {
        self.world.look(|aws| aws.ledger.rows().next().unwrap().stored().unwrap().grant)
    }

    fn invocation(&self, request_id: &str) -> Invocation {
        let deadline = curfew_domain::window::plus(self.world.now(), super::LEASE);
        Invocation { request_id: request_id.to_owned(), deadline }
    }

    fn order(&self, input: &Value) -> ExtendReply {
        self.world.finish(self.function.order(input, &self.invocation("r-2"))).unwrap()
    }

    /// Carl's order on a grant.
    fn extend(&self, grant: &Grant, more: Value) -> ExtendReply {
        let mut input =
            json!({ "extend": grant.id(), "reason": "not over yet", "operator": "carl@example.com" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.order(&input)
    }

    /// The answer to an event as Lambda gives it.
    fn serve(&self, event: Value) -> Value {
        let mut context = Context::default();
        let deadline = self.invocation("r-2").deadline;
        context.request_id = "r-2".to_owned();
        context.deadline = u64::try_from(deadline.as_millisecond()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let served = self.function.serve(LambdaEvent::new(event, context));
        let Ok(answer) = self.world.finish(served).unwrap();
        json!(answer)
    }
}

#[test]
fn an_operator_extends_a_grant_and_hears_until_when() {
    let bench = Bench::new();
    let grant = bench.granted();
    let before = bench.calls().len();
    let reply = json!(bench.extend(&grant, json!({ "minutes": 60 })));
    assert_eq!(
        reply,
        json!({
            "ok": true,
            "message": "access of ana@example.com to ops in acme lasts until 2026-11-21T12:00:00Z now, and not until \
                        2026-11-21T11:00:00Z; AWS confirmed it",
            "grant_id": grant.id(),
            "expires_at": "2026-11-21T12:00:00Z",
            "problems": [],
        })
    );
    assert_eq!(
        bench.calls()[before..],
        [
            CallName::Story,
            CallName::ClosedTicket,
            CallName::Commit,
            CallName::Attach,
            CallName::SetTimer,
            CallName::Commit
        ]
    );
    assert_eq!(bench.told(), ["Requested", "Activated", "Requested", "Extended"]);
    let story = bench.world.look(|aws| aws.ledger.row(grant.id()).unwrap().story().unwrap());
    let extended = json!(story.events[3]);
    assert_eq!(extended["actor"], json!({ "kind": "operator", "name": "carl@example.com" }));
    assert_eq!(extended["fact"]["type"], "Extended");
    assert_eq!(extended["fact"]["reason"], "not over yet (invocation r-2)");
    assert_eq!(extended["fact"]["request"]["delivery"], "operator:r-2");

    // Once more: an answer that was lost, or a second click.
    let again = bench.extend(&grant, json!({ "minutes": 60 }));
    assert!(
        again.ok && again.message.starts_with("this was done at 2026-11-21T10:30:00Z"),
        "{}",
        again.message
    );
    assert_eq!(json!(again.expires_at), "2026-11-21T12:00:00Z");
    bench.assert_promises_kept();
}

#[test]
fn an_operator_shortens_a_grant() {
    let bench = Bench::new();
    let grant = bench.granted();
    let reply = bench.extend(&grant, json!({ "until": "2026-11-21T10:45:00Z" }));
    assert!(reply.ok, "{}", reply.message);
    assert_eq!(bench.grant().window().expires_at().to_string(), "2026-11-21T10:45:00Z");
    assert_eq!(bench.told()[2..], ["Requested", "Shortened"]);
    let same = bench.extend(&grant, json!({ "until": "2026-11-21T10:45:00Z" }));
    assert!(same.ok && same.message.starts_with("this was done at"), "{}", same.message);
    let input = json!({ "extend": grant.id(), "until": "2026-11-21T10:45:00Z", "reason": "r", "operator": "dora@example.com" });
    let same = bench.world.finish(bench.function.order(&input, &bench.invocation("r-3"))).unwrap();
    assert!(same.ok && same.message.contains("until 2026-11-21T10:45:00Z already"), "{}", same.message);
    assert_eq!(bench.grant().version(), 4, "changed once, and confirmed");
    bench.assert_promises_kept();
}

#[test]
fn a_dry_run_says_what_would_be_and_is_not_counted() {
    let bench = Bench::new();
    let grant = bench.granted();
    let told = bench.told();
    let reply = bench.extend(&grant, json!({ "minutes": 60, "dry_run": true }));
    assert!(reply.ok);
    assert!(
        reply.message.starts_with(
            "dry run, nothing was changed: access of ana@example.com to ops in acme would last until 2026-11-21T12:00:00Z"
        ),
        "{}",
        reply.message
    );
    assert_eq!(json!(reply.expires_at), "2026-11-21T12:00:00Z");
    let refused = bench.extend(&grant, json!({ "minutes": 600, "dry_run": true }));
    assert!(!refused.ok && refused.message.starts_with("denied, "), "{}", refused.message);
    assert_eq!((bench.grant(), bench.written(), bench.told()), (grant, (1, 0), told));
}

#[test]
fn what_is_refused_is_said_with_what_would_help_and_the_grant_is_as_it_was() {
    let two = CATALOG.replacen("[role.ops]\n", "[role.ops]\napprovals = [\"2 of anybody\"]\n", 1);
    let locked = "@id(\"everybody\") permit (principal, action, resource);\n@id(\"no-more\") @reason(\"no more today\") \
                  @remedy(\"ask tomorrow\") forbid (principal, action, resource) when { context.extends };";
    let everybody = super::EVERYBODY;
    let as_before =
        "denied, access of ana@example.com to ops in acme lasts until 2026-11-21T11:00:00Z as before: ";
    for (catalog, guardrails, more, code, said) in [
        (
            CATALOG,
            everybody,
            json!({ "minutes": 60, "operator": "ana@example.com" }),
            "self-approval",
            &[as_before, "nobody but the requester", "by somebody else"][..],
        ),
        (
            CATALOG,
            everybody,
            json!({ "minutes": 60, "operator": "mallory@example.com" }),
            "unknown-approver",
            &[as_before, "approver `mallory@example.com` is not in the catalog"],
        ),
        (
            &two,
            everybody,
            json!({ "minutes": 60 }),
            "operator-not-entitled",
            &[as_before, "the approvals of 2 people", "approved on ticket `CHG-1`"],
        ),
        (
            CATALOG,
            everybody,
            json!({ "minutes": 600 }),
            "window-too-long",
            &[as_before, "4h", "a shorter window"],
        ),
        (
            CATALOG,
            everybody,
            json!({ "until": "2026-11-21T10:30:00Z" }),
            "window-over",
            &[as_before, "; to end it at once, revoke it"],
        ),
        (
            CATALOG,
            locked,
            json!({ "minutes": 60 }),
            "forbidden-by-guardrail",
            &[as_before, "no more today (guardrail `no-more`); ask tomorrow"],
        ),
    ] {
        let bench = Bench::of(Some(catalog), guardrails, Ok(()), 600);
        let grant = bench.granted();
        let reply = bench.extend(&grant, more);
        assert!(!reply.ok, "{}", reply.message);
        for said in said {
            assert!(reply.message.contains(said), "`{}` does not say `{said}`", reply.message);
        }
        assert_eq!(
            (reply.grant_id.as_ref(), json!(reply.expires_at)),
            (Some(grant.id()), json!("2026-11-21T11:00:00Z"))
        );
        assert_eq!(bench.grant(), grant);
        assert_eq!(bench.written(), (1, 1), "the denial is on record");
        assert_eq!(bench.told()[2..], ["Requested".to_owned(), format!("Denied:{code}")]);
    }
}

#[test]
fn what_can_not_be_extended_any_more_is_said_with_what_became_of_it() {
    let bench = Bench::new();
    let grant = bench.granted();
    let unknown = bench.extend(&grant, json!({ "extend": UNKNOWN, "minutes": 60 }));
    assert!(!unknown.ok && unknown.message.contains("there is no grant g-abc"), "{}", unknown.message);

    bench.world.advance(SignedDuration::from_mins(30));
    let over = bench.extend(&grant, json!({ "minutes": 60 }));
    assert!(!over.ok && over.message.contains("ended at 2026-11-21T11:00:00Z"), "{}", over.message);
    assert!(
        over.message.contains("approved on a new ticket") && over.expires_at.is_none(),
        "{}",
        over.message
    );

    let bench = Bench::new();
    let grant = bench.granted();
    let closing = json!({ "type": "ticket.closed", "ticket": "CHG-1" });
    bench.world.plan(Fault::once(CallName::Detach, Delivery::LostRequest));
    assert_eq!(bench.send(&closing).status, 200);
    let removed = bench.extend(&grant, json!({ "minutes": 60 }));
    assert!(!removed.ok && removed.message.contains("is being removed"), "{}", removed.message);
    assert_eq!(bench.send(&closing).status, 200);
    let closed = bench.extend(&grant, json!({ "minutes": 60 }));
    assert!(!closed.ok && closed.message.contains("was closed (revoked) at"), "{}", closed.message);
    assert_eq!(bench.written(), (1, 0));
    bench.assert_promises_kept();
}

#[test]
fn what_is_not_known_is_not_called_done_and_may_be_said_again() {
    for (name, skipped) in
        [(CallName::Story, 0), (CallName::Commit, 0), (CallName::Attach, 0), (CallName::Commit, 1)]
    {
        let bench = Bench::new();
        let grant = bench.granted();
        bench.world.plan(Fault::once(name, Delivery::LostAnswer).after(skipped));
        let reply = bench.extend(&grant, json!({ "minutes": 60 }));
        assert!(!reply.ok, "{name:?}: {}", reply.message);
        assert!(reply.message.contains("send the same again"), "{}", reply.message);
        assert_eq!(reply.expires_at, None);
        bench.world.advance(SignedDuration::from_mins(2));
        let again = bench.extend(&grant, json!({ "minutes": 60 }));
        assert!(again.ok, "{name:?} {skipped}: {}", again.message);
        assert_eq!(json!(again.expires_at), "2026-11-21T12:00:00Z", "once, and not twice");
        bench.assert_promises_kept();
    }
}

#[test]
fn an_extension_that_aws_refuses_is_said_to_have_ended_the_grant() {
    let bench = Bench::new();
    let grant = bench.granted();
    bench.world.plan(Fault::once(CallName::Attach, Delivery::Refused));
    let reply = bench.extend(&grant, json!({ "minutes": 60 }));
    assert!(!reply.ok && reply.message.starts_with("AWS refused it ("), "{}", reply.message);
    assert!(reply.message.contains("is being ended") && reply.expires_at.is_none(), "{}", reply.message);
    assert!(bench.told().contains(&"OpeningFailures".to_owned()), "{:?}", bench.told());
}

#[test]
fn without_usable_rules_nothing_is_extended() {
    let bench = Bench::guarded_by("permit (");
    let reply = bench
        .order(&json!({ "extend": UNKNOWN, "minutes": 60, "reason": "r", "operator": "carl@example.com" }));
    assert!(
        !reply.ok && reply.message.contains("the guardrails of this Curfew are not usable"),
        "{}",
        reply.message
    );
    assert_eq!(
        (bench.calls(), bench.told()),
        (vec![], vec!["Requested".to_owned(), "Denied:guardrails-invalid".to_owned()])
    );
}

#[test]
fn a_bad_input_is_answered_with_all_problems_and_an_example() {
    let bench = Bench::new();
    for input in [json!({ "extend": 7 }), json!({ "key1": "value1" }), json!("extend"), json!(null)] {
        let reply = bench.serve(input.clone());
        assert_eq!((&reply["ok"], reply.get("statusCode")), (&json!(false), None), "{input}");
        assert!(!reply["problems"].as_array().unwrap().is_empty(), "{reply}");
        assert!(crate::order::parse(&reply["example"]).is_ok(), "the example must itself be good: {reply}");
    }
    assert_eq!((bench.calls(), bench.told()), (vec![], vec![]));
}

#[test]
fn lambda_hands_an_operator_their_answer_and_a_sender_theirs() {
    let bench = Bench::new();
    let sent = json!(bench.signed(&approval("CHG-1").to_string()));
    let answer = bench.serve(sent);
    assert_eq!(answer["statusCode"], 201, "{answer}");
    bench.world.advance(SignedDuration::from_mins(30));
    let grant = bench.grant();
    let form = json!({ "operator": "carl@example.com", "reason": ["not over yet"] });
    let widget = json!({ "dashboardName": "Curfew", "forms": { "all": form }, "params": {} });
    let answer = bench.serve(json!({ "extend": grant.id(), "minutes": 60, "widgetContext": widget }));
    assert_eq!((&answer["ok"], &answer["grant_id"]), (&json!(true), &json!(grant.id())), "{answer}");
    assert_eq!(bench.grant().window().expires_at().to_string(), "2026-11-21T12:00:00Z");
    bench.assert_promises_kept();
}

#[test]
fn an_order_that_is_posted_is_a_webhook_and_a_bad_one() {
    let bench = Bench::new();
    let grant = bench.granted();
    let order = json!({ "extend": grant.id(), "minutes": 60, "reason": "not over yet", "operator": "carl@example.com" });
    // Signed or not, as the whole body or beside a good one, and wherever else a sender may write.
    let signed = json!(bench.signed(&order.to_string()));
    let mut unsigned = signed.clone();
    unsigned["headers"]["webhook-signature"] = json!("v1,AAAA");
    let mut in_query = signed.clone();
    in_query["queryStringParameters"] = order.clone();
    in_query["pathParameters"] = order.clone();
    in_query["headers"]["extend"] = json!(grant.id());
    let mut beside = approval("CHG-2");
    beside.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
    let beside = json!(bench.signed(&beside.to_string()));
    for (event, status) in [(signed, 400), (unsigned, 401), (in_query, 400), (beside, 400)] {
        let answer = bench.serve(event);
        assert_eq!(answer["statusCode"], status, "{answer}");
        assert!(answer.get("ok").is_none(), "{answer}");
    }
    // Whoever may invoke the function gains nothing by making it look like a webhook with an order.
    let mut both = order.clone();
    both["requestContext"] = json!({ "http": { "method": "POST", "path": "/webhooks/itsm" } });
    assert_eq!(bench.serve(both)["statusCode"], 404);
    let mut both = order;
    both["version"] = json!("2.0");
    assert!(bench.serve(both)["statusCode"].as_i64().is_some_and(|status| status >= 400));
    assert_eq!((bench.grant(), bench.written()), (grant, (1, 0)));
    assert!(!bench.told().contains(&"Extended".to_owned()), "{:?}", bench.told());
}

#[tokio::test]
async fn an_operator_who_waits_gets_an_answer_before_lambda_ends_the_function() {
    let bench = Bench::new();
    let mut context = Context::default();
    context.deadline = u64::try_from(bench.world.now().as_millisecond()).unwrap();
    let order = json!({ "extend": UNKNOWN, "minutes": 60, "reason": "r", "operator": "carl@example.com" });
    let Ok(answer) =
        bench.function.serve(LambdaEvent::new(with(order, "dry_run", json!(true)), context)).await;
    let answer = json!(answer);
    assert_eq!((&answer["ok"], &answer["grant_id"]), (&json!(false), &json!(UNKNOWN)));
    assert!(answer["message"].as_str().unwrap().contains("it took too long"), "{answer}");
}
