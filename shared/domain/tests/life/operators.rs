//! An operator's change of a window: the same transition as a source's, but for who did it and why.

use curfew_domain::effect::TimerKind;
use curfew_domain::event::{Actor, Event, Fact, OperatorName, WindowChange};
use curfew_domain::operator::{Invocation, OperatorAct};
use curfew_domain::transition::{Amendment, Command, Transition, transition};
use curfew_testkit::fixtures::{catalog, request};
use serde_json::json;

use crate::commands::{activate, after, amend, approved_again, at, opened, plan};

fn amended(by: Option<OperatorAct>, end: i64) -> Transition {
    let opening = opened(plan(&catalog(), &request("CHG-1")), TimerKind::Scheduler).grant;
    let active = after(&opening, activate(at(5)), at(5));
    let Command::Amend(amendment) = amend(approved_again(&catalog(), at(6), at(end))) else {
        panic!("an amendment")
    };
    transition(&active, Command::Amend(Box::new(Amendment { by, ..*amendment })), at(7)).unwrap()
}

fn act() -> OperatorAct {
    OperatorAct {
        operator: OperatorName::new("olga").unwrap(),
        reason: Invocation::of("r-1").sign("still on it"),
    }
}

fn change(event: &Event) -> &WindowChange {
    match &event.fact {
        Fact::Extended { change } | Fact::Shortened { change } => change,
        other => panic!("no change: {other:?}"),
    }
}

#[test]
fn it_is_the_same_change_by_another_actor_with_a_reason() {
    for end in [5_400, 1_800] {
        let (by_source, by_operator) = (amended(None, end), amended(Some(act()), end));
        assert_eq!(by_operator.effects, by_source.effects);
        let [of_source, of_operator] = [&by_source, &by_operator].map(|made| &made.events[0]);
        assert_eq!(of_source.actor, Actor::Source(curfew_testkit::fixtures::source()));
        assert_eq!(of_operator.actor, Actor::Operator(OperatorName::new("olga").unwrap()));
        assert_eq!(change(of_source).reason, None);
        assert_eq!(change(of_operator).reason.as_deref(), Some("still on it (invocation r-1)"));
        assert_eq!(WindowChange { reason: None, ..change(of_operator).clone() }, *change(of_source));
        let mut grants = [by_source.grant, by_operator.grant].map(|grant| json!(grant));
        assert_ne!(grants[0]["chain"], grants[1]["chain"], "who and why are under the chain");
        for grant in &mut grants {
            grant["chain"] = json!(null);
        }
        assert_eq!(grants[0], grants[1]);
    }
}

#[test]
fn what_was_written_without_a_reason_is_read_and_proves_the_same() {
    let event = &amended(None, 5_400).events[0];
    let kept = event.canonical();
    assert!(!kept.contains("\"reason\""), "{kept}");
    let read: Event = serde_json::from_str(&kept).unwrap();
    assert_eq!((read.digest(), &read), (event.digest(), event));

    let event = &amended(Some(act()), 5_400).events[0];
    let read: Event = serde_json::from_str(&event.canonical()).unwrap();
    assert_eq!((read.digest(), &read), (event.digest(), event));
}
