//! The senders' configuration: which source is what kind of sender, and where its payload holds what.
//!
//! TOML files, deployed with the function. Checked as a whole, like the catalog: with a mistake in any of them no
//! source is believed, because one that is left out in silence looks like an attack.

use std::collections::BTreeMap;
use std::sync::Arc;

use curfew_domain::catalog::{Finding, Place, Severity};
use curfew_domain::ids::Source;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use toml::Spanned;

use super::{Sender, github, gitlab, jira, pagerduty, servicenow, slack};

/// One file of the senders' configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderFile {
    /// Its name, as findings shall show it.
    pub name: String,
    /// Its text, TOML.
    pub text: String,
}

/// The sources that are configured.
#[derive(Debug, Clone, Default)]
pub struct Senders {
    sources: BTreeMap<Source, Sender>,
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    source: BTreeMap<Spanned<String>, Spanned<toml::Table>>,
}

impl Senders {
    /// Reads and checks the configuration's files. None is fine: then every source speaks Curfew's own JSON.
    ///
    /// # Errors
    /// Everything that is wrong, with file and line; never empty.
    pub fn parse(files: &[SenderFile]) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut sources: BTreeMap<Source, Sender> = BTreeMap::new();
        let mut sorted: Vec<&SenderFile> = files.iter().collect();
        sorted.sort_by_key(|file| &file.name);
        let mut digest = Sha256::new();
        for file in sorted {
            for part in [&file.name, &file.text] {
                digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(part);
            }
            let document = match toml::from_str::<Document>(&file.text) {
                Ok(document) => document,
                Err(error) => {
                    let at = error.span().map_or(0, |span| span.start);
                    findings.push(place(file, at).finding(
                        Severity::Error,
                        format!("the senders' configuration can't be read: {}", error.message()),
                        "write each source as `[source.<name>]` with a `kind`; see docs/senders.md",
                    ));
                    continue;
                }
            };
            for (name, table) in document.source {
                let at = place(file, name.span().start);
                let error = |message: String, remedy: &str| at.finding(Severity::Error, message, remedy);
                match Source::new(name.get_ref().as_str()) {
                    Err(wrong) => {
                        findings.push(error(wrong.to_string(), "name it as its webhook's path does"))
                    }
                    Ok(source) if sources.contains_key(&source) => {
                        findings.push(error(
                            format!("source `{source}` is defined twice"),
                            "keep one of the two",
                        ));
                    }
                    Ok(source) => match sender(table.into_inner()) {
                        Ok(sender) => {
                            sources.insert(source, sender);
                        }
                        Err(message) => findings.push(error(
                            format!("source `{source}`: {message}"),
                            "see docs/senders.md for its kind",
                        )),
                    },
                }
            }
        }
        if findings.is_empty() {
            Ok(Self { sources, digest: data_encoding::HEXLOWER.encode(&digest.finalize()) })
        } else {
            Err(findings)
        }
    }

    /// What kind of sender a source is.
    #[must_use]
    pub fn of(&self, source: &str) -> &Sender {
        let source = Source::new(source).ok();
        source.and_then(|source| self.sources.get(&source)).unwrap_or(&Sender::Standard)
    }

    /// Every source that is configured.
    pub fn iter(&self) -> impl Iterator<Item = (&Source, &Sender)> {
        self.sources.iter()
    }

    /// A digest (hex SHA-256) of the files' names and texts.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn sender(mut table: toml::Table) -> Result<Sender, String> {
    const KINDS: &str = "`standard`, `servicenow`, `jira`, `pagerduty`, `slack`, `github`, `gitlab`";
    let kind = match table.remove("kind") {
        Some(toml::Value::String(kind)) => kind,
        Some(_) => return Err(format!("`kind` is not a string; use one of {KINDS}")),
        None => return Err(format!("`kind` is missing; use one of {KINDS}")),
    };
    match kind.as_str() {
        "standard" if table.is_empty() => Ok(Sender::Standard),
        "standard" => Err("a standard sender has nothing to be configured".to_owned()),
        "servicenow" => read::<servicenow::Config>(table).map(Sender::ServiceNow),
        "jira" => read::<jira::Config>(table).map(Sender::Jira),
        "pagerduty" => read::<pagerduty::Config>(table).map(Sender::PagerDuty),
        "slack" => read::<slack::Config>(table).map(Sender::Slack),
        "github" => read::<github::Config>(table).map(Sender::GitHub),
        "gitlab" => read::<gitlab::Config>(table).map(Sender::GitLab),
        other => Err(format!("kind {} is not known; use one of {KINDS}", curfew_domain::ids::shown(other))),
    }
}

/// A kind's configuration, and its own check of it.
pub(crate) trait Configuration: DeserializeOwned {
    /// What is wrong with it beyond its form, if anything.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

fn read<C: Configuration>(table: toml::Table) -> Result<C, String> {
    let config = C::deserialize(table).map_err(|error| error.message().to_owned())?;
    config.check()?;
    Ok(config)
}

fn place(file: &SenderFile, at: usize) -> Place {
    let before = file.text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
    Place { file: Arc::from(file.name.as_str()), line, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let file = SenderFile { name: "senders.toml".to_owned(), text: text.to_owned() };
        match Senders::parse(&[file]) {
            Ok(_) => Vec::new(),
            Err(findings) => findings.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_source_that_is_not_configured_is_standard() {
        let senders = Senders::parse(&[]).unwrap();
        assert_eq!(senders.of("anything").kind(), "standard");
        assert_eq!(senders.of("Not A Source").kind(), "standard");
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        for (text, line, told) in [
            ("[source.a]\n", 1, "`kind` is missing"),
            ("\n[source.a]\nkind = 1\n", 2, "`kind` is not a string"),
            ("[source.a]\nkind = \"fax\"\n", 1, "kind `fax` is not known"),
            ("[source.A]\nkind = \"standard\"\n", 1, "source `A` is not valid"),
            ("[source.a]\nkind = \"standard\"\nx = 1\n", 1, "nothing to be configured"),
            ("[sauce.a]\n", 1, "unknown field `sauce`"),
            ("[source.a\n", 1, "can't be read"),
        ] {
            let found = findings(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            let start = format!("senders.toml:{line}:");
            assert!(found[0].starts_with(&start) && found[0].contains(told), "{text}: {found:?}");
        }
    }
}
