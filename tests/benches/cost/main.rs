//! What a grant costs: `cargo cost`.
//!
//! Plays whole lives (an approval's webhook, the expiry by its timer, the delivery to archive and bus) on the local stack,
//! with the real functions behind proxies that record every call, and charges them by AWS's price list (`prices.toml`):
//! calls are counted, the ledger's units are computed from what was written by DynamoDB's rules, log bytes are those of
//! the lines that were written. Taken for granted are only how long AWS takes, and how many lives a month there are, which
//! says how full the archive's batches are (`prices.rs`). What does not depend on grants (the sweep, alarms) is not in it:
//! docs/costs.md.
//!
//! Options: `--json` prints the same as one JSON object. Exit codes: 0, within the budget; 1, not; 2, could not
//! be played.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench on the tests' harness: what can't be had ends it"
)]

#[path = "../../tests/wire_faults/support.rs"]
#[expect(dead_code, clippy::panic, reason = "the tests' own; a bench needs a part of it")]
mod support;

mod bill;
mod life;
mod prices;

use std::io::Write as _;
use std::process::ExitCode;

use curfew_cli::artifacts::Function;
use curfew_tests::charges::Table;
use curfew_tests::proxy::Call;
use curfew_tests::{Curfew, World, world};
use http::Method;
use serde_json::{Value, json};

use crate::bill::{BUDGET_USD, Bill};
use crate::life::{ASKED, Act, Stage};
use crate::prices::{
    IAM_MS, LINE_OVERHEAD_BYTES, LIVES_A_MONTH, MONTH_SECONDS, OTHER_MS, OWN_MS, PLATFORM_LINES, Prices,
};

/// Why something could not be played, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let (mut json, mut asked) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bench" => asked = true,
            "--json" => json = true,
            other => {
                say(&format!("cost: no option `{other}`; use `--json`"));
                return ExitCode::from(2);
            }
        }
    }
    if !asked {
        say("nothing is reckoned in a test run; use `cargo cost`");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run()) {
        Ok(bills) => tell(&bills, json),
        Err(failure) => {
            say(&format!("cost: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// To standard error: standard output is the bill's.
fn say(line: &str) {
    // Nobody is left to tell if standard error is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}

fn tell(bills: &[Bill], json: bool) -> ExitCode {
    let usual = bills.first().map_or(f64::MAX, Bill::total);
    let mut text = if json {
        let bills: Vec<Value> = bills.iter().map(Bill::json).collect();
        format!("{:#}\n", json!({ "budget_usd_per_million": BUDGET_USD, "lives": bills }))
    } else {
        bills.iter().map(|bill| format!("{bill}\n")).collect()
    };
    if !json {
        text.push_str(&format!("budget for the first: US$ {BUDGET_USD:.2} for a million lives\n"));
    }
    // Nobody is left to tell if the output is gone.
    drop(write!(std::io::stdout(), "{text}"));
    ExitCode::from(u8::from(usual > BUDGET_USD))
}

async fn run() -> Result<Vec<Bill>, Failure> {
    let prices = Prices::read()?;
    say("building and deploying; the first time, this takes minutes");
    let world = world().await;
    let curfew = life::deploy(world).await;
    let stack = Stack::read(world, &curfew).await?;
    say("playing the lives; each takes some seconds, because its window has to pass");
    let mut stage = Stage::set(world, &curfew).await?;
    let mut bills = Vec::new();
    for asked in ASKED {
        let acts = stage.play(asked).await?;
        bills.push(bill(&prices, &stack, asked.role, &acts)?);
    }
    Ok(bills)
}

/// What the deployed stack says of itself.
struct Stack {
    table: Value,
    /// Memory of each function, in MB.
    memory: Vec<(Function, f64)>,
    /// How many events the stream hands over at once, at so many lives a month.
    batch: f64,
    /// A line of the HTTP API's own log.
    access_line: String,
}

impl Stack {
    async fn read(world: &World, curfew: &Curfew) -> Result<Self, Failure> {
        let root = world.root();
        let name = json!({ "TableName": curfew.table() });
        let said = root.json("dynamodb", "DynamoDB_20120810.DescribeTable", &name).await;
        let table = said.map_err(|refused| refused.message)?["Table"].clone();
        let get = async |service: &str, path: String| -> Result<Value, Failure> {
            let said = root.rest(service, Method::GET, &path, &[], b"").await;
            Ok(said.map_err(|refused| refused.message)?.json())
        };
        let mut memory = Vec::new();
        for function in Function::ALL {
            let name = curfew.deployment().function(function)?;
            let said = get("lambda", format!("/2015-03-31/functions/{name}/configuration")).await?;
            memory.push((function, said["MemorySize"].as_f64().ok_or("a function without a memory size")?));
        }
        let audit = curfew.deployment().function(Function::Audit)?;
        let mappings =
            get("lambda", format!("/2015-03-31/event-source-mappings?FunctionName={audit}")).await?;
        let mapping = &mappings["EventSourceMappings"][0];
        let number = |name: &str| mapping[name].as_f64().ok_or_else(|| format!("no {name} in {mappings}"));
        // Five events a life, evenly over the month, for as long as the stream waits for a batch to fill.
        let arriving = 5.0 * LIVES_A_MONTH / MONTH_SECONDS * number("MaximumBatchingWindowInSeconds")?;
        let batch = arriving.clamp(1.0, number("BatchSize")?);
        let api = curfew.output("WebhookApiId");
        let stage = get("apigateway", format!("/v2/apis/{api}/stages/$default")).await?;
        let format = stage["accessLogSettings"]["format"].as_str();
        let access_line = access_line(format.ok_or("the HTTP API has no log of its own")?);
        Ok(Self { table, memory, batch, access_line })
    }

    fn memory_gb(&self, function: Function) -> f64 {
        let found = self.memory.iter().find(|(of, _)| *of == function);
        found.map_or(0.0, |(_, mb)| mb / 1024.0)
    }
}

/// A line as the format would write it.
fn access_line(format: &str) -> String {
    let mut line = String::new();
    for (n, part) in format.split("$context.").enumerate() {
        let name_ends = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(part.len());
        let (name, rest) = if n == 0 { ("", part) } else { part.split_at(name_ends) };
        line.push_str(match name {
            "" => "",
            "requestId" => "JKJaXmPLvHcESHA=",
            "requestTimeEpoch" => "1795258442358",
            "identity.sourceIp" => "203.0.113.174",
            "routeKey" => "POST /webhooks/{source}",
            "error.responseType" => "-",
            _ => "200",
        });
        line.push_str(rest);
    }
    line
}

fn bill(prices: &Prices, stack: &Stack, role: &'static str, acts: &[Act]) -> Result<Bill, Failure> {
    let mut bill = Bill::new(role);
    let mut table = Table::described(&stack.table)?;
    let (mut events, mut puts) = (0.0, 0.0);
    let mut log_bytes = (stack.access_line.len() + LINE_OVERHEAD_BYTES) as f64;
    let mut compute = Vec::new();
    for act in acts {
        // A batch holds events of many lives: a life has its share of the invocation and of what is done once in it.
        let share = act.delivered.map_or(1.0, |events| events as f64 / stack.batch);
        for call in &act.calls.0 {
            match call.service.as_str() {
                "dynamodb" => {
                    let body: Value = serde_json::from_slice(&call.body)?;
                    bill.keep(act.name, table.charge(&call.operation, &body)?);
                }
                "events" => events += entries(call)?,
                "s3" => puts += share,
                // IAM and STS cost nothing; the timer is paid for when it fires.
                "iam" | "sts" | "scheduler" => {}
                other => return Err(format!("no price for {other}: {}", call.operation).into()),
            }
        }
        let own: usize = act.log.lines().map(|line| line.len() + LINE_OVERHEAD_BYTES).sum();
        let platform: usize = PLATFORM_LINES.iter().map(|line| line.len() + LINE_OVERHEAD_BYTES).sum();
        // A batch writes one line, whatever is in it, and its metrics.
        log_bytes += (own + platform) as f64 * share;
        let gb_seconds = (waited(act) + OWN_MS) / 1000.0 * stack.memory_gb(act.function);
        compute.push((act, share, gb_seconds * share));
    }
    let webhooks = acts.iter().filter(|act| act.function == Function::Grant).count() as f64;
    let timers = acts.iter().filter(|act| act.function == Function::Revoke).count() as f64;
    bill.add(prices, "API Gateway", "webhooks", "http_api", webhooks)?;
    for (act, share, gb_seconds) in compute {
        bill.add(
            prices,
            "Lambda",
            format!("{} ({})", act.name, act.function.name()),
            "lambda_request",
            share,
        )?;
        bill.add(prices, "", format!("{:.0} ms", waited(act) + OWN_MS), "lambda_compute", gb_seconds)?;
    }
    let (writes, reads) = bill.ledger_units();
    bill.add(prices, "DynamoDB", "writes of the ledger and its indexes", "dynamodb_write", writes)?;
    bill.add(prices, "", "reads", "dynamodb_read", reads)?;
    bill.add(prices, "Scheduler", "timers that fire", "scheduler", timers)?;
    bill.add(prices, "EventBridge", "events on the bus", "event_bus", events)?;
    bill.add(prices, "S3", format!("objects, {:.0} events each", stack.batch), "s3_put", puts)?;
    bill.add(prices, "", "read again to be sealed", "s3_get", puts)?;
    bill.add(prices, "KMS", "checkpoints, one an hour", "kms_sign", 730.0 / LIVES_A_MONTH)?;
    bill.add(prices, "CloudWatch", "log lines", "logs", log_bytes / 1e9)?;
    Ok(bill)
}

/// How many events a call puts on the bus, each in pieces of 64 KB.
fn entries(call: &Call) -> Result<f64, Failure> {
    const PIECE: usize = 64 * 1024;
    let body: Value = serde_json::from_slice(&call.body)?;
    let entries = body["Entries"].as_array().into_iter().flatten();
    let pieces: usize = entries.map(|entry| entry.to_string().len().div_ceil(PIECE)).sum();
    Ok(pieces as f64)
}

/// How long an invocation waits for AWS: the longest call of each round, one round after the other.
fn waited(act: &Act) -> f64 {
    let is_of_iam = |name: &str| name.contains("RolePolicy") || name.contains("UserPolicy");
    let rounds = act.calls.rounds();
    rounds.iter().map(|round| if round.iter().any(|name| is_of_iam(name)) { IAM_MS } else { OTHER_MS }).sum()
}
