//! The ledger as a lever: `revoke` writes it, and the sweep, which may give, goes by what stands there.

use curfew_app::ports::{Commit, CommitWrite, Ledger as _, Ports as _};
use curfew_cli::artifacts::Function;
use curfew_domain::grant::Grant;
use curfew_domain::ids::GrantId;
use curfew_tests::ports::ports_of;
use curfew_tests::wait::later;
use curfew_tests::{Approval, now};

use super::*;

/// A grant's item, rewritten as a change that was decided and cut short: everything, for ever.
#[tokio::test]
async fn what_revoke_writes_into_the_ledger_is_not_given_by_the_sweep() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Eager).await;
    let person = world.person().await;
    let id = curfew.grant(&Approval::of(&person, "acme", "reader")).await;
    let revoke = world.root().assume(curfew.output("RevokeRoleArn")).await.expect("a session");
    let ports = ports_of(world, curfew, &revoke);
    let id = GrantId::new(id).expect("a grant's id");
    let stored = ports.ledger().load(&id).await.expect("a reading").expect("a grant");
    let mut forged = json!(stored.grant);
    forged["access"]["document"] = json!(EVERYTHING);
    forged["state"]["changing"] = json!({ "previous_end": stored.grant.window().expires_at() });
    forged["state"]["unsettled_until"] = json!(later(now(), -1));
    forged["version"] = json!(stored.grant.version() + 1);
    let forged: Grant = serde_json::from_value(forged).expect("a grant, to whoever reads it");
    let written = ports.ledger().commit(Commit { grant: &forged, events: &[], shared: None }).await;
    assert_eq!(written, Ok(CommitWrite::Written), "revoke may write the ledger");

    let swept = curfew.invoke(Function::Sweep, &json!({})).await;
    assert_eq!(swept.error, None, "{}", swept.payload);
    let record = curfew.record(id.as_str()).await.expect("a grant");
    let story = ["Requested", "Opened", "Activated", "RevocationRequested", "Revoked"];
    assert_eq!((record.state(), &*record.story()), ("closed", &story[..]), "{}", swept.payload);
    let asked = json!(record.events[3].fact)["reason"].as_str().expect("words").to_owned();
    assert!(asked.contains("gives something else"), "{asked}");
    assert_eq!(world.root().inline_policies(&person.principal).await, Ok(vec![]));
}
