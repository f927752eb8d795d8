//! What decides, read from a working copy: the catalog, the guardrails and the senders' configuration.
//!
//! The same files, under the same names, as the function's package holds, so that digests and decisions are the
//! function's. Must not know: what is done with them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use curfew_app::Rules;
use curfew_domain::catalog::{Catalog, CatalogFile, Finding, Findings, Place};
use curfew_guard::{CedarGuardrails, GuardrailFile};
use curfew_intake::{SenderFile, Senders};

/// Where the files are.
#[derive(Debug, Clone, clap::Args)]
pub struct Folders {
    /// The folder of the catalog (`*.toml`).
    #[arg(long, value_name = "DIR", default_value = "infra/catalog")]
    pub catalog: PathBuf,
    /// The folder of the guardrails (`*.cedar`).
    #[arg(long, value_name = "DIR", default_value = "infra/guardrails")]
    pub guardrails: PathBuf,
    /// The folder of the senders' configuration (`*.toml`); `infra/senders`, if there is one, if not given.
    #[arg(long, value_name = "DIR")]
    pub senders: Option<PathBuf>,
}

/// Where the senders' configuration is, if nobody says otherwise.
const SENDERS: &str = "infra/senders";

impl Folders {
    /// The folder of the senders' configuration.
    #[must_use]
    pub fn senders(&self) -> &Path {
        self.senders.as_deref().unwrap_or(Path::new(SENDERS))
    }
}

/// Why rules could not be had, or something to be judged by them.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file or folder could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The rules have errors, each with its place and its remedy.
    #[error("the rules can't be used:\n{}", .0.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n"))]
    Rules(Vec<Finding>),
    /// What was given is not what is expected there.
    #[error("`{path}`: {message}")]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        message: String,
    },
}

impl Unusable {
    /// A file is not what is expected.
    pub(crate) fn input(path: &Path, message: impl Into<String>) -> Self {
        Self::Input { path: path.to_owned(), message: message.into() }
    }
}

/// Reads a file as text.
///
/// # Errors
/// [`Unusable::Read`].
pub fn read_text(path: &Path) -> Result<String, Unusable> {
    std::fs::read_to_string(path).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Unusable {
    let path = path.to_owned();
    move |source| Unusable::Read { path, source }
}

/// The files in `folder` with the ending `extension`, as name and text, by name: those that a package is made of.
pub(crate) fn read_folder(folder: &Path, extension: &str) -> Result<Vec<(String, String)>, Unusable> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|found| found == extension) && !name.starts_with('.') {
            files.push((name.to_owned(), read_text(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

fn parse_catalog(folder: &Path) -> Result<Result<Catalog, Findings>, Unusable> {
    let files = read_folder(folder, "toml")?;
    let files: Vec<CatalogFile> = files.into_iter().map(|(name, text)| CatalogFile { name, text }).collect();
    Ok(Catalog::parse(&files))
}

/// Reads a catalog alone.
///
/// # Errors
/// [`Unusable`], with all findings if some are errors.
pub fn read_catalog(folder: &Path) -> Result<Catalog, Unusable> {
    parse_catalog(folder)?.map_err(|findings| {
        Unusable::Rules(findings.as_slice().iter().cloned().map(|finding| below(folder, finding)).collect())
    })
}

/// Rules as they were read: each part, or what is wrong with it.
#[derive(Debug)]
pub struct Draft {
    /// Where they were read from.
    pub folders: Folders,
    /// The catalog.
    pub catalog: Result<Catalog, Findings>,
    /// The guardrails.
    pub guardrails: Result<CedarGuardrails, Findings>,
    /// The senders' configuration.
    pub senders: Result<Senders, Vec<Finding>>,
}

impl Draft {
    /// Reads and parses everything. A senders' folder that is not there is empty, as in the function; but not if it was
    /// named.
    ///
    /// # Errors
    /// [`Unusable::Read`]; what is wrong with the files' texts is in the parts.
    pub fn read(folders: &Folders) -> Result<Self, Unusable> {
        let catalog = parse_catalog(&folders.catalog)?;
        let guardrails: Vec<GuardrailFile> = read_folder(&folders.guardrails, "cedar")?
            .into_iter()
            .map(|(name, text)| GuardrailFile { name, text })
            .collect();
        let senders = match &folders.senders {
            None if !folders.senders().exists() => Vec::new(),
            _ => read_folder(folders.senders(), "toml")?,
        };
        let senders: Vec<SenderFile> =
            senders.into_iter().map(|(name, text)| SenderFile { name, text }).collect();
        Ok(Self {
            folders: folders.clone(),
            catalog,
            guardrails: CedarGuardrails::parse(&guardrails),
            senders: Senders::parse(&senders),
        })
    }

    /// The rules, if they can be used.
    ///
    /// # Errors
    /// [`Unusable::Rules`] with everything that is wrong.
    pub fn finish(self) -> Result<Rulebook, Unusable> {
        let Self { folders, catalog, guardrails, senders } = self;
        match (catalog, guardrails, senders) {
            (Ok(catalog), Ok(guardrails), Ok(senders)) => {
                Ok(Rulebook { folders, catalog, guardrails, senders })
            }
            (catalog, guardrails, senders) => {
                let mut findings = Vec::new();
                let mut add = |folder: &Path, found: Vec<Finding>| {
                    findings.extend(found.into_iter().map(|finding| below(folder, finding)));
                };
                add(&folders.catalog, catalog.err().map_or_else(Vec::new, |found| found.as_slice().to_vec()));
                add(
                    &folders.guardrails,
                    guardrails.err().map_or_else(Vec::new, |found| found.as_slice().to_vec()),
                );
                add(folders.senders(), senders.err().unwrap_or_default());
                Err(Unusable::Rules(findings))
            }
        }
    }
}

/// A finding with its file's path in place of its name.
#[must_use]
pub fn below(folder: &Path, finding: Finding) -> Finding {
    Finding { file: folder.join(&finding.file).display().to_string(), ..finding }
}

/// Rules that can be used.
pub struct Rulebook {
    /// Where they were read from.
    pub folders: Folders,
    /// Who and what there is.
    pub catalog: Catalog,
    /// Who may have what.
    pub guardrails: CedarGuardrails,
    /// Where requests come from.
    pub senders: Senders,
}

impl fmt::Debug for Rulebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rulebook").field("rules", &self.rules()).finish_non_exhaustive()
    }
}

impl Rulebook {
    /// Reads rules.
    ///
    /// # Errors
    /// [`Unusable`], with all findings if some are errors.
    pub fn load(folders: &Folders) -> Result<Self, Unusable> {
        Draft::read(folders)?.finish()
    }

    /// What the use cases decide by.
    #[must_use]
    pub fn rules(&self) -> Rules<'_> {
        Rules { catalog: &self.catalog, guardrails: &self.guardrails }
    }

    /// Where a guardrail stands, as `path:line`.
    #[must_use]
    pub fn guardrail_at(&self, place: &Place) -> String {
        format!("{}:{}", self.folders.guardrails.join(&*place.file).display(), place.line)
    }
}
