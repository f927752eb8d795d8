//! `curfew local`: the local stack stays up, with Curfew deployed, until Ctrl-C.

use curfew_cli::artifacts::Function;
use curfew_cli::aws::Aws;
use curfew_cli::edge;
use curfew_cli::failure::Failure;
use curfew_cli::playground::{Playground, ROLE, TENANT, USER};
use curfew_cli::python::Python;
use curfew_cli::seed::OBJECT;
use curfew_cli::stack::LocalStack;
use curfew_cli::workspace::Workspace;
use jiff::SignedDuration;
use tokio::sync::mpsc;

use super::{Outcome, print};

/// How long the access in the printed webhooks lasts.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The port on 127.0.0.1; a free one, if not given.
    #[arg(long)]
    port: Option<u16>,
    /// Only the emulator, without Curfew.
    #[arg(long)]
    bare: bool,
}

/// Raises the playground, says how to use it, and signs a new webhook at every Enter.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    if arguments.bare {
        return bare(arguments.port).await;
    }
    let playground = Playground::raise(arguments.port).await?;
    print(&guide(&playground)?)?;
    let mut entered = entered();
    for number in 1.. {
        print(&webhook(&playground, number)?)?;
        if entered.recv().await.is_none() {
            // No terminal: there is nothing to wait for but the signal that ends it.
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}

/// One message for each Enter. A thread of its own, because one that reads a terminal can't be stopped, and the
/// runtime would wait for it.
fn entered() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        while std::io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
            if sender.blocking_send(()).is_err() {
                break;
            }
            line.clear();
        }
    });
    receiver
}

async fn bare(port: Option<u16>) -> Outcome {
    let workspace = Workspace::find()?;
    let python = Python::provision(&workspace).await?;
    let stack = LocalStack::start(&workspace, &python, port).await?;
    print(&format!("{}\n# log: {}", exports(&stack.root()), stack.log().display()))?;
    std::future::pending().await
}

fn guide(playground: &Playground) -> Result<String, Failure> {
    let bucket = playground.tenant.bucket();
    let table = playground.deployment.table()?;
    let aws = playground.stack.python().aws();
    let aws = aws.display();
    let grant = playground.deployment.function(Function::Grant)?;
    let revoke = playground.deployment.function(Function::Revoke)?;
    Ok(format!(
        "
Curfew runs at {endpoint}. Ctrl-C stops it and removes everything.

# As {USER}, who has no access to `{TENANT}` before a grant gives it:
{person}
{aws} s3api get-object --bucket {bucket} --key {OBJECT} /dev/stdout

# As the account's root, to look inside:
{root}
{aws} dynamodb scan --table-name {table}
{aws} iam list-user-policies --user-name {USER}
{aws} scheduler list-schedules
{aws} logs tail /aws/lambda/{grant} --follow
{aws} lambda invoke --function-name {revoke} --payload '{{\"ticket\":\"CHG1\",\"reason\":\"done\",\"operator\":\"me\"}}' /dev/stdout
",
        endpoint = playground.stack.endpoint(),
        person = exports(&playground.as_person()),
        root = exports(&playground.stack.root()),
    ))
}

fn exports(aws: &Aws) -> String {
    let words: Vec<String> =
        aws.exports().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("export {}", words.join(" "))
}

fn webhook(playground: &Playground, number: u32) -> Result<String, Failure> {
    let ends_at = edge::now() + WINDOW;
    let delivery = playground.approval(&format!("CHG{number}"), ends_at)?;
    Ok(format!(
        "# {USER} gets `{ROLE}` until {ends_at} (the signature is good for five minutes; Enter: the next one):\n{}\n",
        delivery.curl(&playground.webhook_url()?)
    ))
}
