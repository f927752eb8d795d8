//! `curfew revoke`: ends access now. First without effect, to see what would end; then for real.

use std::process::ExitCode;

use curfew_cli::operate::reach::{Reach, Reached, Role};
use curfew_cli::operate::reply::{Ended, Revoked, read, refusal};
use curfew_cli::operate::trouble::Trouble;
use curfew_cli::operate::words::{count, json, safe};
use curfew_cli::operate::{confirm, listing, operator};
use curfew_cli::progress::say;
use curfew_domain::event::OperatorName;
use curfew_domain::ids::{Email, GrantId, Source, TenantId, TicketId};
use serde_json::{Value, json};

use super::{Judged, tell};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Of a ticket: where it lives, if two sources have one of that id.
    #[arg(long, value_name = "SOURCE", requires = "ticket", conflicts_with_all = ["grant", "person", "tenant"], value_parser = |text: &str| Source::new(text))]
    source: Option<Source>,
    /// Why, in your words: kept in each grant's record.
    #[arg(long, value_name = "WORDS")]
    reason: String,
    /// Who you are, for the record; as AWS knows you, if not given.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| OperatorName::new(text))]
    operator: Option<OperatorName>,
    /// Only say what would end.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many grants end.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Which access to end.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// One grant, by its id.
    #[arg(value_parser = |text: &str| GrantId::new(text))]
    grant: Option<GrantId>,
    /// All grants of a ticket.
    #[arg(long, value_name = "TICKET", value_parser = |text: &str| TicketId::new(text))]
    ticket: Option<TicketId>,
    /// All access of a person.
    #[arg(long, value_name = "EMAIL", value_parser = Email::new)]
    person: Option<Email>,
    /// All access in a tenant.
    #[arg(long, value_name = "TENANT", value_parser = |text: &str| TenantId::new(text))]
    tenant: Option<TenantId>,
}

impl Arguments {
    fn order(&self, operator: &OperatorName, dry_run: bool) -> Value {
        let Which { grant, ticket, person, tenant } = &self.which;
        let named = [
            ("grant_id", grant.as_ref().map(GrantId::as_str)),
            ("ticket", ticket.as_ref().map(TicketId::as_str)),
            ("source", self.source.as_ref().map(Source::as_str)),
            ("person", person.as_ref().map(Email::as_str)),
            ("tenant", tenant.as_ref().map(TenantId::as_str)),
        ];
        let mut order = json!({ "reason": self.reason, "operator": operator, "dry_run": dry_run });
        if let Some(fields) = order.as_object_mut() {
            let selected =
                named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
            fields.extend(selected);
        }
        order
    }
}

/// Ends it, after having asked where more than one grant would end.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let reached = arguments.reach.reached()?;
    let operator = operator::named(arguments.operator.clone(), &reached).await?;
    let (would, answer) = invoke(&reached, &arguments.order(&operator, true)).await?;
    let ending = would.grants.iter().filter(|grant| grant.result == "would-end").count();
    if !would.ok || arguments.dry_run || ending == 0 {
        return done(&would, &answer, arguments.json);
    }
    // Standard output is for what became of it.
    say(format_args!("{} would end:", count(ending, "grant")));
    for line in listing::ended(&would.grants, arguments.reach.now()) {
        say(format_args!("  {line}"));
    }
    if ending > 1 && !arguments.yes {
        confirm::to_end(ending).await?;
    }
    say(format_args!("ending {}", count(ending, "grant")));
    let (ended, answer) = invoke(&reached, &arguments.order(&operator, false)).await?;
    let shown = |grant: &Ended| would.grants.iter().any(|other| other.grant_id == grant.grant_id);
    let others = ended.grants.iter().filter(|grant| !shown(grant)).count();
    if others > 0 {
        say(format_args!("{} more than shown above: given or found in the meantime", count(others, "grant")));
    }
    done(&ended, &answer, arguments.json)
}

async fn invoke(reached: &Reached, order: &Value) -> Result<(Revoked, Value), Trouble> {
    let answer = reached.invoke(Role::Revoke, order).await?;
    Ok((read("revoke", &answer)?, answer))
}

/// Tells what became of it. What is not proven is no success.
fn done(revoked: &Revoked, answer: &Value, as_json: bool) -> Judged {
    if as_json {
        tell(&json(answer)?)?;
    } else if revoked.ok {
        tell(&in_words(revoked))?;
    } else if revoked.grants.is_empty() {
        return Err(Trouble::Refused(refusal(&revoked.message, &revoked.problems)).into());
    } else {
        tell(&in_words(revoked))?;
    }
    Ok(if revoked.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_words(revoked: &Revoked) -> String {
    let mut lines = vec![safe(&revoked.message)];
    // Of one grant the sentence for the whole is its own.
    if let [_, _, ..] = revoked.grants.as_slice() {
        lines.extend(revoked.grants.iter().map(|grant| {
            format!("  {}  {}: {}", safe(&grant.grant_id), safe(&grant.result), safe(&grant.message))
        }));
    }
    lines.join("\n")
}
