//! What the function brings along: senders' configuration, catalog and guardrails, read out of its package.
//!
//! Each is read at the first delivery that needs it, and once: a package does not change, so neither does what came of
//! reading it. What they mean is decided where they are parsed; here they are found, and their mistakes told.

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use curfew_app::Rules;
use curfew_domain::catalog::{Catalog, Finding};
use curfew_guard::{CedarGuardrails, GuardrailFile};
use curfew_intake::{SenderFile, Senders};
use curfew_runtime::error::chain;
use curfew_runtime::{catalog, files};

/// Where the package has what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFolders {
    /// The catalog's files (`.toml`).
    pub catalog: PathBuf,
    /// The guardrails' files (`.cedar`).
    pub guardrails: PathBuf,
    /// The senders' configuration (`.toml`). It need not be there: then every source speaks Curfew's own JSON.
    pub senders: PathBuf,
}

/// Something that the function brings along can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// The problem's code, for the reply, the metric and the record.
    pub(crate) code: &'static str,
    /// What can't be used, for the reply.
    pub(crate) what: &'static str,
    /// What is wrong, with file and line, for the log.
    pub(crate) cause: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

/// The package, read as far as it was needed.
#[derive(Debug)]
pub(crate) struct Package {
    account_id: String,
    folders: PackageFolders,
    senders: OnceLock<Result<Senders, Unusable>>,
    catalog: OnceLock<Result<Catalog, Unusable>>,
    guardrails: OnceLock<Result<CedarGuardrails, Unusable>>,
}

impl Package {
    pub(crate) fn new(account_id: String, folders: PackageFolders) -> Self {
        Self {
            account_id,
            folders,
            senders: OnceLock::new(),
            catalog: OnceLock::new(),
            guardrails: OnceLock::new(),
        }
    }

    /// The senders' configuration.
    pub(crate) fn senders(&self) -> Result<&Senders, &Unusable> {
        let unusable = |cause| Unusable {
            code: "senders-invalid",
            what: "the senders' configuration of this Curfew is not usable, so nobody can be verified",
            cause,
        };
        let read = || {
            if !self.folders.senders.is_dir() {
                return Ok(Senders::default());
            }
            let files =
                files::read(&self.folders.senders, "toml").map_err(|error| unusable(chain(&error)))?;
            let files: Vec<SenderFile> =
                files.into_iter().map(|file| SenderFile { name: file.name, text: file.text }).collect();
            Senders::parse(&files).map_err(|findings| unusable(told(&findings)))
        };
        self.senders.get_or_init(read).as_ref()
    }

    /// The catalog alone: to know people by.
    pub(crate) fn catalog(&self) -> Result<&Catalog, &Unusable> {
        let unusable = |cause| Unusable {
            code: "catalog-invalid",
            what: "the catalog of this Curfew is not usable, so nothing can be granted",
            cause,
        };
        let read = || {
            let catalog = catalog::load(&self.folders.catalog, &self.account_id)
                .map_err(|error| unusable(chain(&error)))?;
            for warning in catalog.warnings() {
                tracing::warn!("catalog: {warning}");
            }
            Ok(catalog)
        };
        self.catalog.get_or_init(read).as_ref()
    }

    /// What decides.
    pub(crate) fn rules(&self) -> Result<Rules<'_>, &Unusable> {
        Ok(Rules { catalog: self.catalog()?, guardrails: self.guardrails()? })
    }

    fn guardrails(&self) -> Result<&CedarGuardrails, &Unusable> {
        let unusable = |cause| Unusable {
            code: "guardrails-invalid",
            what: "the guardrails of this Curfew are not usable, so nothing can be granted",
            cause,
        };
        let read = || {
            let files =
                files::read(&self.folders.guardrails, "cedar").map_err(|error| unusable(chain(&error)))?;
            let files: Vec<GuardrailFile> =
                files.into_iter().map(|file| GuardrailFile { name: file.name, text: file.text }).collect();
            let guardrails = CedarGuardrails::parse(&files).map_err(|error| unusable(error.to_string()))?;
            for warning in guardrails.warnings() {
                tracing::warn!("guardrails: {warning}");
            }
            Ok(guardrails)
        };
        self.guardrails.get_or_init(read).as_ref()
    }
}

fn told(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join(" | ")
}
