//! `curfew simulate`: what would become of a request.

use std::path::PathBuf;
use std::process::ExitCode;

use curfew_app::guard::HeldRole;
use curfew_cli::edge;
use curfew_cli::rulebook::{Folders, Rulebook, Unusable, read_text};
use curfew_cli::simulate::{
    Circumstances, Question, account, ask, held, in_words, offered, sender_kind, time, to_json,
};
use curfew_domain::ids::Source;
use curfew_domain::window::Window;
use jiff::Timestamp;

use super::{Judged, tell};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The request: a body in Curfew's own format (docs/webhook.schema.json).
    request: PathBuf,
    #[command(flatten)]
    folders: Folders,
    /// When the request comes, like `2026-11-24T10:00:00Z`; now, if not given.
    #[arg(long, value_name = "TIME", value_parser = time)]
    now: Option<Timestamp>,
    /// Something that the requester holds by another ticket.
    #[arg(long, value_name = "TENANT/ROLE", value_parser = held)]
    holds: Vec<HeldRole>,
    /// The source that the request comes from.
    #[arg(long, value_name = "NAME", default_value = "simulation", value_parser = |text: &str| Source::new(text))]
    source: Source,
    /// The kind of sender that the source is; as the senders' configuration says, if not given.
    #[arg(long, value_name = "KIND", value_parser = sender_kind)]
    sender: Option<String>,
    /// The window of a live grant that the request is to change.
    #[arg(long, value_name = "START/END", value_parser = window)]
    current: Option<Window>,
    /// The account that Curfew runs in; the tenant's own, if not given.
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

fn window(text: &str) -> Result<Window, String> {
    let (start, end) = text.split_once('/').ok_or("write it as `<start>/<end>`")?;
    Window::new(time(start)?, time(end)?).map_err(|error| error.to_string())
}

/// Decides, and says why.
pub(crate) fn run(arguments: Arguments) -> Judged {
    let rulebook = Rulebook::load(&arguments.folders)?;
    for held in &arguments.holds {
        offered(&rulebook.catalog, held).map_err(|message| format!("--holds: {message}"))?;
    }
    let body = read_text(&arguments.request)?;
    let sender =
        arguments.sender.unwrap_or_else(|| rulebook.senders.of(arguments.source.as_str()).kind().to_owned());
    let around = Circumstances {
        now: arguments.now.unwrap_or_else(edge::now),
        source: arguments.source,
        sender,
        held: arguments.holds,
        current: arguments.current,
        own_account: arguments.account,
    };
    let question = Question::read(&body, around)
        .map_err(|message| Unusable::Input { path: arguments.request.clone(), message })?;
    let answer = ask(&rulebook, &question);
    let told = if arguments.json {
        serde_json::to_string_pretty(&to_json(&rulebook, &answer))?
    } else {
        in_words(&rulebook, &answer)
    };
    tell(&told)?;
    Ok(if answer.verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
