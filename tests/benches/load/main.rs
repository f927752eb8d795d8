//! A load on the wire, scaled to this machine: `cargo bench -p curfew-tests --bench load`.
//!
//! Grants that end in the same minute, given by the real grant function on the local stack; then the real revoke
//! and sweep functions end them through a proxy that lets only so many of IAM's removals through a second. Who may do
//! what is asked with the people's own keys. The stack's own timers and sweep are taken away, so that every call is the
//! bench's. Printed are counts; no time is measured or judged, but it takes some minutes, since minutes have to pass.
//!
//! Options, after `--`: `--grants <n>` instead of 100. Exit code 0, if every grant ended on time and nothing is left.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench on the tests' harness: what can't be had ends it"
)]

#[path = "../../tests/wire_faults/support.rs"]
#[expect(dead_code, clippy::panic, reason = "the tests' own; a bench needs a part of it")]
mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use curfew_cli::artifacts::Function;
use curfew_cli::edge::pause;
use curfew_tests::proxy::{Calls, Fault, Rule};
use curfew_tests::wait::later;
use curfew_tests::{Approval, Curfew, Person, World, minute_after, now, reached, world};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::{Wired, is_allowed, timer};

/// How many grants a person has at once: what fits into a user's inline policies.
const GRANTS_OF_A_PERSON: usize = 2;

/// What IAM lets through: one removal a second, and ten after a pause.
const BETWEEN_REMOVALS: Duration = Duration::from_secs(1);
const BURST: usize = 10;

/// How many invocations of timers run side by side.
const TIMERS: usize = 6;

/// How long the template lets a sweep and a revocation take.
const SWEEP_SECONDS: i64 = 55;
const REVOKE_SECONDS: i64 = 60;

/// After how many laps something is wrong.
const LAPS_MAX: usize = 8;

const REMOVAL: &str = "DeleteUserPolicy";

fn main() -> ExitCode {
    let mut grants = 100;
    let mut asked = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), argument == "--grants") {
            ("--bench", _) => asked = true,
            (_, true) => {
                let number = arguments.next().and_then(|text| text.parse().ok());
                grants = number.filter(|grants| *grants > 0).expect("`--grants` needs a number");
            }
            (other, _) => {
                say(&format!("load: no option `{other}`; use `--grants <n>`"));
                return ExitCode::from(2);
            }
        }
    }
    if !asked {
        say("nothing is measured in a test run; use `cargo bench -p curfew-tests --bench load`");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if runtime.block_on(run(grants)) { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn say(line: &str) {
    // Nobody is left to tell if the output is gone.
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// A grant of the load.
struct Member {
    id: String,
    privileged: bool,
}

/// The functions, all behind limits of the same removals.
struct Functions {
    revoke: Vec<Wired>,
    sweep: Wired,
}

async fn run(grants: usize) -> bool {
    say("building and deploying; the first time, this takes minutes");
    let world = world().await;
    let parameters = [("DriftMinutes", "0"), ("SweepGraceSeconds", "60")];
    let curfew = world.deploy("load", &parameters, &[("admin.toml", ADMIN)]).await;
    take_the_sweep_away(world).await;
    let permits = Arc::new(Semaphore::new(BURST));
    let functions = start(&curfew, &permits).await;
    let (people, ends, members) = open(world, &curfew, grants).await;

    idle(
        "no live grant is due",
        &functions.sweep,
        curfew.indexed("live_by_tenant", "live_tenant", "acme").await.len(),
    )
    .await;
    let allowed_before = allowed(world, &people).await;
    let in_time = now() < ends;
    reached(ends).await;
    // Before anything was removed, and whatever is throttled: the documents alone.
    let allowed_after = allowed(world, &people).await;
    say(&format!(
        "{grants} grants of {} people, all over at {ends}; who may still read the bucket: just before {allowed_before}, \
         at the end {allowed_after}",
        people.len()
    ));
    let filling = tokio::spawn(fill(Arc::clone(&permits)));
    say(&format!(
        "IAM lets {BURST} removals through at once, then one a second\n{:>8}  {:>6}  {:>10} {:>6}  {:>8} {:>9}  {:>9}",
        "", "closed", "privileged", "others", "removals", "throttled", "all calls"
    ));
    let mut left = members.len();
    let timers_began = now();
    fire(&functions.revoke, &members).await;
    let calls = functions.revoke.iter().flat_map(|revoke| revoke.proxy.take_calls().0).collect();
    left = row("timers", &curfew, &members, left, &Calls(calls)).await;
    let mut laps = 0;
    let mut lap_at = later(timers_began, 60);
    while left > 0 && laps < LAPS_MAX {
        laps += 1;
        reached(lap_at.max(now())).await;
        lap_at = later(lap_at, 60);
        invoke(&functions.sweep, &json!({}), SWEEP_SECONDS).await;
        left =
            row(&format!("lap {laps}"), &curfew, &members, left, &functions.sweep.proxy.take_calls()).await;
    }
    filling.abort();
    functions.sweep.proxy.heal();
    let policies = policies_left(world, &people).await;
    say(&format!("left: {left} grants that are not closed, {policies} policies of grants"));

    let one = Approval::of(&people[0], "acme", "reader").until(later(now(), 3600));
    let one = curfew.grant(&one).await;
    idle("nothing is due", &functions.sweep, 1).await;
    crowd(world, &curfew, &one, 499).await;
    idle("nothing is due", &functions.sweep, 500).await;
    in_time && allowed_before == people.len() && allowed_after == 0 && left == 0 && policies == 0
}

/// A role like `reader`, but privileged.
const ADMIN: &str = "[role.admin]\ndescription = \"Reads, and comes first\"\nincludes = [\"reader\"]\n\
                     max_duration = \"4h\"\ndefault_duration = \"1h\"\nprivileged = true\n\
                     eligible = [\"engineering\"]\n";

async fn start(curfew: &Curfew, permits: &Arc<Semaphore>) -> Functions {
    let mut revoke = Vec::new();
    for _ in 0..TIMERS {
        revoke.push(Wired::start(curfew, Function::Revoke).await);
    }
    let functions = Functions { revoke, sweep: Wired::start(curfew, Function::Sweep).await };
    for wired in functions.revoke.iter().chain([&functions.sweep]) {
        wired.proxy.add(Rule::on(REMOVAL, Fault::Limit(Arc::clone(permits))));
    }
    functions
}

/// The stack calls no sweep of its own: all that is called is called by the bench.
async fn take_the_sweep_away(world: &World) {
    let root = world.root();
    let said = root.json("events", "AWSEvents.ListRules", &json!({})).await.expect("the stack's rules");
    for rule in said["Rules"].as_array().into_iter().flatten() {
        if rule["ScheduleExpression"] == "rate(1 minute)" {
            let name = json!({ "Name": rule["Name"] });
            root.json("events", "AWSEvents.DisableRule", &name).await.expect("a rule that is disabled");
        }
    }
}

/// Gives the grants, every fifth privileged, all for the same end; and takes their timers away.
async fn open(world: &World, curfew: &Curfew, grants: usize) -> (Vec<Person>, Timestamp, Vec<Member>) {
    let grant = Wired::start(curfew, Function::Grant).await;
    let mut people = Vec::new();
    for _ in 0..grants.div_ceil(GRANTS_OF_A_PERSON) {
        people.push(world.person().await);
    }
    // A grant takes some tens of milliseconds; this is for a machine that is busy.
    let ends = minute_after(30 + i64::try_from(grants / 4).unwrap_or(i64::MAX));
    let mut members = Vec::new();
    for (n, person) in people.iter().cycle().take(grants).enumerate() {
        let privileged = n % 5 == 4;
        let approval = Approval::of(person, "acme", if privileged { "admin" } else { "reader" }).until(ends);
        let heard = grant.approve(curfew, &approval).await;
        let id = heard.body["grant_id"].as_str().expect("a grant").to_owned();
        curfew.lose_schedule(&id).await;
        members.push(Member { id, privileged });
    }
    (people, ends, members)
}

/// How many of the people may read what their grants allowed.
async fn allowed(world: &World, people: &[Person]) -> usize {
    let mut allowed = 0;
    for person in people {
        allowed += usize::from(is_allowed(world, person).await);
    }
    allowed
}

/// Lets a removal more through, again and again, up to the burst.
async fn fill(permits: Arc<Semaphore>) {
    loop {
        pause(BETWEEN_REMOVALS).await;
        if permits.available_permits() < BURST {
            permits.add_permits(1);
        }
    }
}

/// Calls a function with as much time as the template gives it.
async fn invoke(wired: &Wired, event: &Value, seconds: i64) -> Value {
    wired.answered(wired.lambda.begin(event, later(now(), seconds))).await.payload
}

/// The timers, all at once; so many run side by side. None comes again.
async fn fire(revoke: &[Wired], members: &[Member]) {
    let turns = revoke.iter().enumerate().map(|(n, wired)| async move {
        for member in members.iter().skip(n).step_by(TIMERS) {
            invoke(wired, &timer(&member.id), REVOKE_SECONDS).await;
        }
    });
    futures_util::future::join_all(turns).await;
}

/// Tells what a phase did. How many grants are left.
async fn row(name: &str, curfew: &Curfew, members: &[Member], before: usize, calls: &Calls) -> usize {
    let (mut privileged, mut others) = (0, 0);
    for member in members {
        let record = curfew.record(&member.id).await.expect("a grant");
        record.verify();
        if record.state() != "closed" {
            *(if member.privileged { &mut privileged } else { &mut others }) += 1;
        }
        assert!(!record.story().contains(&"RevocationFailed"), "being asked too often is nobody's failure");
    }
    let left = privileged + others;
    let removals: Vec<_> = calls.0.iter().filter(|call| call.operation == REMOVAL).collect();
    let throttled = removals.iter().filter(|call| call.status == Some(400)).count();
    say(&format!(
        "{name:>8}  {:>6}  {privileged:>10} {others:>6}  {:>8} {throttled:>9}  {:>9}",
        before - left,
        removals.len() - throttled,
        calls.0.len()
    ));
    left
}

/// What a lap with nothing due costs.
async fn idle(what: &str, sweep: &Wired, live: usize) {
    drop(sweep.proxy.take_calls());
    invoke(sweep, &json!({}), SWEEP_SECONDS).await;
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in sweep.proxy.take_calls().0 {
        *calls.entry(call.operation).or_default() += 1;
    }
    say(&format!("a lap beside {live} live grants, {what}: {calls:?}"));
}

async fn policies_left(world: &World, people: &[Person]) -> usize {
    let mut left = 0;
    for person in people {
        left += world.root().inline_policies(&person.principal).await.expect("a user's policies").len();
    }
    left
}

/// Puts so many live grants into the ledger, as copies of one that is there.
async fn crowd(world: &World, curfew: &Curfew, one: &str, others: usize) {
    let root = world.root();
    let key = json!({ "pk": { "S": format!("GRANT#{one}") }, "sk": { "S": "STATE" } });
    let get = json!({ "TableName": curfew.table(), "Key": key });
    let said = root.json("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an item");
    let due_at = said["Item"]["due_order"]["S"].as_str().and_then(|order| order.split('#').next());
    let due_at = due_at.expect("when it is due").to_owned();
    let letter = |digit: usize| char::from(b'a' + u8::try_from(digit % 26).expect("a letter"));
    let copy = |n: usize| {
        let id = format!("g-{}{}{}", "z".repeat(24), letter(n / 26), letter(n));
        let mut item = said["Item"].clone();
        item["pk"] = json!({ "S": format!("GRANT#{id}") });
        item["due_order"] = json!({ "S": format!("{due_at}#{id}") });
        json!({ "PutRequest": { "Item": item } })
    };
    let writes: Vec<Value> = (0..others).map(copy).collect();
    for batch in writes.chunks(25) {
        let write = json!({ "RequestItems": { curfew.table(): batch } });
        root.json("dynamodb", "DynamoDB_20120810.BatchWriteItem", &write).await.expect("written");
    }
}
