//! `curfew grants`: who has what now.

use curfew_cli::operate::listing;
use curfew_cli::operate::reach::{Reach, Role};
use curfew_cli::operate::reply::Overview;
use curfew_domain::ids::{Email, TenantId, TicketId};
use serde_json::{Value, json};

use super::{Judged, answered};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Which grants to list; all that are live, if nothing is named.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Filter {
    /// Only those in this tenant.
    #[arg(long, value_name = "TENANT", value_parser = |text: &str| TenantId::new(text))]
    tenant: Option<TenantId>,
    /// Only those of this person.
    #[arg(long, value_name = "EMAIL", value_parser = Email::new)]
    person: Option<Email>,
    /// Only those on this ticket.
    #[arg(long, value_name = "TICKET", value_parser = |text: &str| TicketId::new(text))]
    ticket: Option<TicketId>,
}

impl Filter {
    /// What to ask the console for.
    pub(crate) fn question(&self) -> Value {
        let named = [
            ("tenant", self.tenant.as_ref().map(TenantId::as_str)),
            ("person", self.person.as_ref().map(Email::as_str)),
            ("ticket", self.ticket.as_ref().map(TicketId::as_str)),
        ];
        let list: serde_json::Map<String, Value> =
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
        json!({ "format": "json", "list": list })
    }
}

/// Lists what is live.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let answer = arguments.reach.reached()?.invoke(Role::Console, &arguments.filter.question()).await?;
    answered::<Overview>("console", &answer, arguments.json, listing::overview)
}
