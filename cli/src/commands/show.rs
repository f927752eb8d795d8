//! `curfew show`: one grant's story. Exit code 1 also if its events are not what was written.

use std::process::ExitCode;

use curfew_cli::operate::reach::{Reach, Role};
use curfew_cli::operate::reply::{Shown, good};
use curfew_cli::operate::show::{chain, told};
use curfew_domain::ids::GrantId;
use serde_json::json;

use super::{Judged, answered};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The grant's id, as `curfew grants` and Curfew's replies show it.
    #[arg(value_parser = |text: &str| GrantId::new(text))]
    grant: GrantId,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Tells the story.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let question = json!({ "format": "json", "show": arguments.grant });
    let answer = arguments.reach.reached()?.invoke(Role::Console, &question).await?;
    let code = answered::<Shown>("console", &answer, arguments.json, told)?;
    // Whoever reads only the exit code shall hear of a story that was tampered with.
    let is_broken = good::<Shown>("console", &answer).is_ok_and(|shown| chain(&shown).is_err());
    Ok(if is_broken { ExitCode::FAILURE } else { code })
}
