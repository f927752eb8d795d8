//! `curfew review`: which reviews are owed, or one is done.

use curfew_cli::operate::reach::{Reach, Role};
use curfew_cli::operate::reply::{Overview, Revoked};
use curfew_cli::operate::words::safe;
use curfew_cli::operate::{listing, operator};
use curfew_domain::event::OperatorName;
use curfew_domain::ids::GrantId;
use serde_json::json;

use super::grants::Filter;
use super::{Judged, answered};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The grant that you reviewed; without it, what is owed is listed.
    #[arg(requires = "note", value_parser = |text: &str| GrantId::new(text))]
    grant: Option<GrantId>,
    /// What you found, in your words: kept in the grant's record.
    #[arg(long, value_name = "WORDS", requires = "grant")]
    note: Option<String>,
    /// Who you are, for the record: not who had the access. As AWS knows you, if not given.
    #[arg(long, value_name = "NAME", requires = "grant", value_parser = |text: &str| OperatorName::new(text))]
    operator: Option<OperatorName>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Lists what is owed, or records what was found.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let reached = arguments.reach.reached()?;
    match (&arguments.grant, &arguments.note) {
        (Some(grant), Some(note)) => {
            let operator = operator::named(arguments.operator, &reached).await?;
            let order = json!({ "reviewed": grant, "note": note, "operator": operator });
            let answer = reached.invoke(Role::Revoke, &order).await?;
            answered::<Revoked>("revoke", &answer, arguments.json, |done| safe(&done.message))
        }
        _ => {
            let mut answer = reached.invoke(Role::Console, &Filter::default().question()).await?;
            // Live grants are not what was asked for.
            if let Some(fields) = answer.as_object_mut() {
                fields.retain(|name, _| name != "truncated");
                fields.insert("grants".to_owned(), json!([]));
            }
            answered::<Overview>("console", &answer, arguments.json, listing::reviews)
        }
    }
}
