//! `curfew extend`: moves a live grant's end back. First without effect, to learn the new end; then with that very end,
//! so that an extension that is sent twice is one.

use curfew_cli::operate::operator;
use curfew_cli::operate::reach::{Reach, Role};
use curfew_cli::operate::reply::{Extended, good};
use curfew_cli::operate::trouble::Trouble;
use curfew_cli::operate::words::{safe, when};
use curfew_cli::progress::say;
use curfew_cli::simulate::time;
use curfew_domain::event::OperatorName;
use curfew_domain::ids::GrantId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Judged, answered};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The grant's id.
    #[arg(value_parser = |text: &str| GrantId::new(text))]
    grant: GrantId,
    #[command(flatten)]
    end: End,
    /// Why, in your words: kept in the grant's record.
    #[arg(long, value_name = "WORDS")]
    reason: String,
    /// Who you are: your address in the catalog. As AWS knows you, if not given.
    #[arg(long, value_name = "EMAIL", value_parser = |text: &str| OperatorName::new(text))]
    operator: Option<OperatorName>,
    /// Only say what would become of it.
    #[arg(long)]
    dry_run: bool,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// The new end.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct End {
    /// So much longer, in whole minutes, like `1h` or `1h 30m`.
    #[arg(long = "for", value_name = "LENGTH", value_parser = minutes)]
    minutes: Option<i64>,
    /// Until this time, like `2026-11-24T10:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

fn minutes(text: &str) -> Result<i64, String> {
    let length: SignedDuration = text.parse().map_err(|_| "write it like `45m` or `1h 30m`".to_owned())?;
    let minutes = length.as_mins();
    if minutes < 1 || length != SignedDuration::from_mins(minutes) {
        return Err("whole minutes, and at least one".to_owned());
    }
    Ok(minutes)
}

/// Extends it.
pub(crate) async fn run(arguments: Arguments) -> Judged {
    let reached = arguments.reach.reached()?;
    let operator = operator::named(arguments.operator, &reached).await?;
    let order = |end: (&str, Value), dry_run: bool| {
        let (name, end) = end;
        let mut order =
            json!({ "extend": arguments.grant, "reason": arguments.reason, "operator": operator });
        if let Some(fields) = order.as_object_mut() {
            fields.insert(name.to_owned(), end);
            fields.insert("dry_run".to_owned(), Value::Bool(dry_run));
        }
        order
    };
    let wanted = match (arguments.end.minutes, arguments.end.until) {
        (Some(minutes), _) => ("minutes", json!(minutes)),
        (None, until) => ("until", json!(until)),
    };
    let would = reached.invoke(Role::Grant, &order(wanted, true)).await?;
    let in_words = |extended: &Extended| safe(&extended.message);
    let end = match good::<Extended>("grant", &would) {
        Ok(extended) if !arguments.dry_run => extended.expires_at.or(arguments.end.until),
        _ => return answered("grant", &would, arguments.json, in_words),
    };
    let end = end.ok_or_else(|| Trouble::unreadable("grant", "it does not say until when it would last"))?;
    say(format_args!("extending until {}", when(end, arguments.reach.now())));
    let answer = reached.invoke(Role::Grant, &order(("until", json!(end)), false)).await?;
    answered("grant", &answer, arguments.json, in_words)
}

#[cfg(test)]
mod tests {
    use super::minutes;

    #[test]
    fn a_length_is_whole_minutes() {
        for (text, expected) in
            [("1h", 60), ("45m", 45), ("1h 30m", 90), ("1h30m", 90), ("PT2H", 120), ("60s", 1)]
        {
            assert_eq!(minutes(text), Ok(expected), "{text}");
        }
        for text in ["", "0m", "-1h", "90s", "1", "soon", "1d"] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
