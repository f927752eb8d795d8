//! `curfew demo`: the main job, with real waits. It fails at the first step that is not as it must be.

use std::time::Duration;

use curfew_cli::aws::AwsError;
use curfew_cli::edge;
use curfew_cli::playground::{APPROVER, Playground, ROLE, TENANT, USER};
use curfew_cli::progress::say;
use curfew_cli::seed::OBJECT;
use curfew_cli::story::Story;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Outcome, print};

/// The ticket that is played.
const TICKET: &str = "CHG0030192";

/// The access lasts at least so long, and until the next whole minute: that is when timers fire.
const WINDOW_AT_LEAST: SignedDuration = SignedDuration::from_secs(35);

/// How long the removal may take after the window's end: the timer, its function, and if that were lost the sweep.
const REMOVAL_WITHIN: SignedDuration = SignedDuration::from_mins(3);

const POLL: Duration = Duration::from_secs(1);
const TOLD_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The port on 127.0.0.1; a free one, if not given.
    #[arg(long)]
    port: Option<u16>,
    /// Print the grant's events as JSON, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// A step was not as it must be.
#[derive(Debug, thiserror::Error)]
#[error("the demo failed: {expected}, but {found}")]
struct StepError {
    expected: &'static str,
    found: String,
}

/// Plays the main job once.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let playground = Playground::raise(arguments.port).await?;
    let demo = Demo { playground, quiet: arguments.json };
    let story = match demo.play().await {
        Ok(story) => story,
        Err(error) => {
            let log = demo.playground.stack.keep_log()?;
            say(format_args!("what the local stack did is in {}", log.display()));
            return Err(error);
        }
    };
    if arguments.json {
        print(&serde_json::to_string_pretty(&json!(story.events()))?)?;
    } else {
        print(&format!("\nThe grant's story, as the ledger tells it:\n{story}"))?;
    }
    Ok(())
}

struct Demo {
    playground: Playground,
    quiet: bool,
}

impl Demo {
    async fn play(&self) -> Result<Story, Box<dyn std::error::Error>> {
        let bucket = self.playground.tenant.bucket();
        let object = format!("s3://{bucket}/{OBJECT}");

        self.tell(&format!("\n1. {USER} reads {object} with their own key"))?;
        self.must_be_refused("before any approval the call must be refused").await?;

        let ends_at = end_of_window(edge::now());
        self.tell(&format!(
            "2. ticket {TICKET}: {APPROVER} approved `{ROLE}` in `{TENANT}` until {ends_at}; its webhook is posted"
        ))?;
        let grant = self.approve(ends_at).await?;

        self.tell(&format!("3. {USER} reads {object} with the same key"))?;
        self.read().await.map_err(|error| StepError {
            expected: "with the grant the call must be allowed",
            found: error.to_string(),
        })?;
        self.tell("   allowed")?;

        self.tell(&format!("4. the window passes ({ends_at})"))?;
        wait_until(ends_at).await;

        self.tell(&format!("5. {USER} reads {object} with the same key"))?;
        self.must_be_refused("after the window the call must be refused").await?;

        self.tell("6. the timer fires, and the access is removed")?;
        let story = self.until_removed(&grant, ends_at).await?;
        self.nothing_may_be_left().await?;
        self.tell("   removed, and AWS confirmed it")?;
        Ok(story)
    }

    fn tell(&self, line: &str) -> std::io::Result<()> {
        if self.quiet {
            say(format_args!("{}", line.trim_start()));
            Ok(())
        } else {
            print(line)
        }
    }

    /// What the person wants to do.
    async fn read(&self) -> Result<(), AwsError> {
        let bucket = self.playground.tenant.bucket();
        let target = self.playground.stack.folder().join("read");
        let target = target.to_string_lossy();
        self.playground
            .as_person()
            .run(["s3api", "get-object", "--bucket", &bucket, "--key", OBJECT, &target])
            .await
    }

    async fn must_be_refused(&self, expected: &'static str) -> Outcome {
        match self.read().await {
            Err(error) if error.is_denied() => Ok(self.tell(&format!("   refused: {}", error_code(&error)))?),
            Err(error) => Err(StepError { expected, found: error.to_string() }.into()),
            Ok(()) => Err(StepError { expected, found: "it was allowed".into() }.into()),
        }
    }

    /// Posts the approval; the grant's id.
    async fn approve(&self, ends_at: Timestamp) -> Result<String, Box<dyn std::error::Error>> {
        let delivery = self.playground.approval(TICKET, ends_at)?;
        let reply = delivery.post(&self.playground.webhook_url()?).await?;
        let body = reply.json();
        let text = |name: &str| body.get(name).and_then(serde_json::Value::as_str).map(ToOwned::to_owned);
        match (reply.status, text("grant_id"), text("state")) {
            (201, Some(grant), Some(state)) if state == "active" => {
                self.tell(&format!("   201: grant {grant} is {state}"))?;
                Ok(grant)
            }
            (status, _, _) => Err(StepError {
                expected: "the approval must become an active grant",
                found: format!("the reply was {status}: {}", reply.text()),
            }
            .into()),
        }
    }

    /// The story, once it ends with AWS's proof. Says how long it has been waiting for.
    async fn until_removed(
        &self,
        grant: &str,
        ends_at: Timestamp,
    ) -> Result<Story, Box<dyn std::error::Error>> {
        let deadline = ends_at + REMOVAL_WITHIN;
        let mut tell_at = edge::now() + TOLD_EVERY;
        let table = self.playground.deployment.table()?;
        let root = self.playground.stack.root();
        loop {
            let story = Story::read(&root, table, grant).await?;
            if story.removal().is_some_and(|proof| proof.found.proves_removal()) {
                return Ok(story);
            }
            let now = edge::now();
            if now > deadline {
                return Err(StepError {
                    expected: "the access must be removed soon after its window",
                    found: format!("the ledger has no proof of it by {deadline}:\n{story}"),
                }
                .into());
            }
            if now >= tell_at {
                say(format_args!(
                    "  not yet, {} s after the window's end",
                    now.duration_since(ends_at).as_secs()
                ));
                tell_at = now + TOLD_EVERY;
            }
            edge::pause(POLL).await;
        }
    }

    /// Not the ledger's word but IAM's own.
    async fn nothing_may_be_left(&self) -> Outcome {
        let left =
            self.playground.stack.root().call(["iam", "list-user-policies", "--user-name", USER]).await?;
        match left.get("PolicyNames").and_then(serde_json::Value::as_array) {
            Some(names) if names.is_empty() => Ok(()),
            _ => Err(StepError {
                expected: "the user must be left without any policy",
                found: format!("IAM lists {left}"),
            }
            .into()),
        }
    }
}

fn error_code(error: &AwsError) -> &str {
    error.code().unwrap_or("no answer")
}

/// The first whole minute that leaves time to use the access.
fn end_of_window(now: Timestamp) -> Timestamp {
    let earliest = (now + WINDOW_AT_LEAST).as_second();
    let minutes = earliest.div_euclid(60) + i64::from(earliest.rem_euclid(60) > 0);
    Timestamp::from_second(minutes * 60).unwrap_or(now + WINDOW_AT_LEAST)
}

/// Waits for the window's end, and says how long it still is.
async fn wait_until(ends_at: Timestamp) {
    let mut told_at = None;
    loop {
        let now = edge::now();
        if now >= ends_at {
            return;
        }
        if told_at.is_none_or(|at: Timestamp| now.duration_since(at) >= TOLD_EVERY) {
            say(format_args!("  {} s left", ends_at.duration_since(now).as_secs()));
            told_at = Some(now);
        }
        edge::pause(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_ends_with_a_minute_and_leaves_time() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let cases = [
            ("2026-11-21T01:00:00Z", "2026-11-21T01:01:00Z"),
            ("2026-11-21T01:00:25Z", "2026-11-21T01:01:00Z"),
            ("2026-11-21T01:00:26Z", "2026-11-21T01:02:00Z"),
        ];
        for (now, end) in cases {
            assert_eq!(end_of_window(at(now)), at(end), "{now}");
        }
    }
}
