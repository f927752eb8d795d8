//! Verifying a copy of the archive: with what is known from elsewhere, and told so that the first bad record and what it
//! means is understood.
//!
//! Must not know: how an archive is verified.

use std::path::{Path, PathBuf};

use curfew_audit::checkpoint::PublicKey;
use curfew_audit::verify::{Code, Expectations, Finding, KeyUsed, Report};
use data_encoding::BASE64;
use jiff::Timestamp;

use super::reach::Reached;
use super::trouble::Trouble;
use super::words::{count, safe, utc};
use crate::simulate::time;

/// How many findings are told one by one.
const TOLD_MAX: usize = 20;

/// What is known of the archive from elsewhere.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "What is known of the archive from elsewhere")]
pub struct Known {
    /// The public key (PEM) that checkpoints must be signed with; several in one file, if it was ever replaced.
    #[arg(long, value_name = "FILE", conflicts_with = "key_arn")]
    key: Option<PathBuf>,
    /// The same, asked of KMS: output `CheckpointKeyArn` of the stack.
    #[arg(long, value_name = "ARN")]
    key_arn: Option<String>,
    /// A checkpoint that must be there, as an earlier run told it.
    #[arg(long, value_name = "NUMBER:DIGEST", value_parser = anchor)]
    anchor: Option<(u64, String)>,
    /// When copying the archive began: it must be sealed until shortly before. Now, if not given; of a report, the end of its
    /// period, if that is over.
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<Timestamp>,
    /// When copying it was over: nothing in it can be of a later time. Now, if not given.
    #[arg(long, value_name = "TIME", value_parser = time)]
    copied_by: Option<Timestamp>,
    /// What was archived before then may be missing: its retention is over, or it was not copied.
    #[arg(long, value_name = "TIME", value_parser = time)]
    expired_until: Option<Timestamp>,
}

fn anchor(text: &str) -> Result<(u64, String), String> {
    let parsed =
        text.split_once(':').and_then(|(number, digest)| Some((number.parse().ok()?, digest.to_owned())));
    parsed.ok_or_else(|| "write it as `<number>:<digest>`".to_owned())
}

impl Known {
    /// Until when the copy tells what happened, as far as that was said.
    #[must_use]
    pub fn known_until(&self, now: Timestamp) -> Timestamp {
        self.copied_by.or(self.as_of).unwrap_or(now)
    }

    /// What to expect of the archive; if nothing else was said, it must be sealed until `sealed_until`, and nothing in it is
    /// later than `now`. Asks KMS only if the key is to come from there.
    ///
    /// # Errors
    /// The key could not be had.
    pub async fn expectations(
        &self,
        reached: &Reached,
        sealed_until: Timestamp,
        now: Timestamp,
    ) -> Result<Expectations, Trouble> {
        let public_key_pem = match (&self.key, &self.key_arn) {
            (Some(file), _) => Some(std::fs::read_to_string(file).map_err(Trouble::file("read", file))?),
            (None, Some(arn)) => Some(of_kms(reached, arn).await?),
            (None, None) => None,
        };
        Ok(Expectations {
            public_key_pem,
            anchor: self.anchor.clone(),
            as_of: Some(self.as_of.unwrap_or(sealed_until)),
            copied_by: Some(self.copied_by.unwrap_or(now)),
            expired_until: self.expired_until,
            ..Expectations::default()
        })
    }
}

async fn of_kms(reached: &Reached, arn: &str) -> Result<String, Trouble> {
    let der = reached.public_key(arn).await?;
    let unusable =
        |error: String| Trouble::Refused(format!("`{arn}` is no key that signs checkpoints: {error}"));
    let der = BASE64.decode(der.as_bytes()).map_err(|error| unusable(error.to_string()))?;
    let key = PublicKey::from_der(&der).map_err(|error| unusable(error.to_string()))?;
    Ok(key.pem().to_owned())
}

/// What came of it, for people.
#[must_use]
pub fn told(report: &Report, folder: &Path) -> String {
    let mut lines = match report.findings.as_slice() {
        [] => vec!["INTACT: nothing in this archive was changed, removed, reordered or cut off".to_owned()],
        // Nobody need have done anything to a stack's archive in its first hour.
        [only] if only.code == Code::NeverSealed && report.checkpoints == 0 => {
            vec![
                "NOT PROVEN: no checkpoint is there".to_owned(),
                format!("this means: {}", meaning(only.code)),
            ]
        }
        [first, others @ ..] => tampered(first, others, report.more_findings),
    };
    lines.push(String::new());
    lines.extend(facts(report, folder).into_iter().map(|(name, what)| format!("{name:<8}  {what}")));
    lines.extend(doubts(report));
    lines.join("\n")
}

fn tampered(first: &Finding, others: &[Finding], more: usize) -> Vec<String> {
    let all = others.len() + more + 1;
    let mut lines = vec![
        format!("TAMPERED WITH: {}", count(all, "finding")),
        format!("first: {}", safe(&first.to_string())),
    ];
    lines.push(format!("this means: {}", meaning(first.code)));
    let shown = others.len().min(TOLD_MAX);
    lines.extend(others.iter().take(shown).map(|finding| format!("  {}", safe(&finding.to_string()))));
    if all > shown + 1 {
        lines.push(format!("  and {} more: `--json` lists them", all - shown - 1));
    }
    lines
}

fn facts(report: &Report, folder: &Path) -> Vec<(&'static str, String)> {
    let mut facts = vec![("archive", folder.display().to_string())];
    if let Some(stack) = &report.stack {
        facts.push(("stack", safe(stack)));
    }
    let twice = match report.duplicates {
        0 => String::new(),
        again => format!(", {again} of them more than once"),
    };
    facts.push((
        "records",
        format!(
            "{} in {}, of {} and {}{twice}",
            count(report.records, "record"),
            count(report.objects, "object"),
            count(report.grants, "grant"),
            count(report.denials, "denied request")
        ),
    ));
    if let Some(until) = report.sealed_until {
        let later = match report.unsealed_records {
            0 => String::new(),
            unsealed => format!("; {} later than that: chained, not signed yet", count(unsealed, "record")),
        };
        facts.push((
            "sealed",
            format!("until {} by {}{later}", utc(until), count(report.checkpoints, "checkpoint")),
        ));
    }
    if let Some(beginning) = &report.begins_later {
        let cut = match beginning.grants {
            0 => String::new(),
            grants => format!("; {} began before", count(grants, "grant")),
        };
        facts.push(("begins", format!("{}: what was before is not in this copy{cut}", utc(beginning.from))));
    }
    if let KeyUsed::Given { ids } = &report.key {
        facts.push(("key", format!("given: {}", ids.join(", "))));
    }
    if let Some(newest) = &report.newest {
        facts.push(("anchor", format!("{}:{}", newest.number, newest.digest)));
    }
    facts
}

/// What a reader must not overlook, whatever was found.
fn doubts(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    match &report.key {
        KeyUsed::Given { .. } if report.newest.is_none() => lines.push(
            "NOTHING SIGNED WAS CHECKED: no checkpoint holds by the key that was given; whose archive this is, nothing shows".to_owned(),
        ),
        KeyUsed::Given { .. } => {}
        KeyUsed::Archive { id } => lines.push(format!(
            "NOT PROVEN WHOSE: the key ({id}) came from the archive itself, and whoever could write there could have put it there. \
             Pass `--key <file>` with a key that you have from elsewhere, or `--key-arn`"
        )),
        KeyUsed::Nothing {} => lines.push("NOTHING SIGNED WAS CHECKED: there is no key; pass `--key <file>` or `--key-arn`".to_owned()),
    }
    if report.newest.is_some() && report.is_whole() {
        lines.push(
            "keep the anchor where this archive can't be written: passed as `--anchor` next time, it proves that nothing up to it was \
             replaced since"
                .to_owned(),
        );
    }
    lines
}

/// What a finding means, and what to do about it.
fn meaning(code: Code) -> &'static str {
    match code {
        Code::RecordChanged => {
            "somebody edited a record after it was written; the locked version in the bucket has it as it was"
        }
        Code::RecordRemoved => "a record that was sealed is gone; the locked version in the bucket has it",
        Code::RecordInserted => {
            "a record is there that Curfew did not seal: it was put there afterwards, or exists in two versions"
        }
        Code::RecordsReordered => "records were moved: they no longer tell in which order things happened",
        Code::RecordUnreadable => {
            "this line was no record when it was sealed: look at what wrote it, it is not proof of tampering afterwards"
        }
        Code::GrantCutOff => "the last events of a grant are gone: how it ended can't be seen any more",
        Code::ObjectChanged => {
            "an object has other contents than were sealed; the locked version in the bucket has it as it was"
        }
        Code::ObjectRemoved => {
            "a sealed object is gone: deleted, or not copied; the locked version in the bucket has it"
        }
        Code::ObjectInserted => "an object was put into a period that was sealed without it",
        Code::ObjectMoved => "an object lies under another name than it was sealed under",
        Code::CheckpointChanged => {
            "a checkpoint says something else than was signed, or the next one does not know it so"
        }
        Code::CheckpointRemoved => "a checkpoint is gone, and with it the seal of its period",
        Code::CheckpointInserted => "something lies among the checkpoints that is none",
        Code::CheckpointsBroken => {
            "the checkpoints do not follow from each other: a part of them was replaced"
        }
        Code::SignatureForged => "a checkpoint was not signed by the key that it names",
        Code::WrongKey => {
            "a checkpoint is signed by a key that you do not trust: forged, or the key was replaced (then give both)"
        }
        Code::KeyChanged => "a key in the archive is not the one that its name says, or is gone",
        Code::ArchiveCutOff => {
            "the newest part is gone, or nothing was sealed lately; if the copy was simply made earlier, say when by `--as-of`"
        }
        Code::BeginsLater => {
            "the oldest part is gone; if its retention is over or it was not copied, say until when by `--expired-until`"
        }
        Code::AnchorMissing => {
            "this is not the archive that the anchor was taken from, or its history was replaced"
        }
        Code::NeverSealed => {
            "no checkpoint that holds is there, and nothing here is proven: a stack makes its first one within the hour; an archive \
             that is older has lost them, or was never Curfew's"
        }
    }
}
