//! Calls that are never answered, in an invocation that has little time left.

use curfew_cli::artifacts::Function;
use curfew_domain::effect::TimerKind;
use curfew_tests::proxy::{Fault, Gate, Rule};
use curfew_tests::wait::later;
use curfew_tests::{Flavour, now, world};
use jiff::SignedDuration;

use super::stage::run_out;
use crate::support::{Wired, assert_gone, timer};

/// Less than the two calls that hang would take, one after the other, if each took the time that it may.
const SECONDS: i64 = 5;

/// The SDK's own tries end with the invocation, so its failure is told and not cut off.
#[tokio::test]
async fn calls_are_given_up_before_the_invocation_ends() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Scheduler).await;
    let person = world.person().await;
    let timers = (TimerKind::Scheduler, SignedDuration::from_hours(1));
    let (id, _) = run_out(world, curfew, &person, "reader", timers).await;
    let mut revoke = Wired::start(curfew, Function::Revoke).await;
    let gate = Gate::new();
    for hanging in ["DeleteUserPolicy", "TransactWriteItems"] {
        revoke.proxy.add(Rule::on(hanging, Fault::Hold(gate.clone())));
    }
    let told = revoke.lambda.run(&timer(&id), later(now(), SECONDS)).await.expect("a process");
    let told = told.expect("whoever waits is answered");
    // So Lambda tries again.
    assert_eq!(told.payload["errorType"], "Retryable", "{told:?}");
    assert_eq!(curfew.record(&id).await.expect("a grant").state(), "closing");
    gate.open();

    let again = curfew.invoke(Function::Revoke, &timer(&id)).await;
    assert_eq!(again.payload["ok"], true, "{again:?}");
    assert_gone("in time", curfew, &person, &id, "expired").await;
}
