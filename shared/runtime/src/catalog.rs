//! Reading the catalog's files out of the function's package.
//!
//! Only finds and reads them; what they mean, and whether they are right, is the domain's.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use curfew_app::ports::{Vouch, Vouching};
use curfew_domain::catalog::{Catalog, CatalogFile, Finding, Findings, Severity};
use curfew_domain::decision::given_by;

use crate::error::chain;
use crate::files::{self, ReadError};

/// The catalog can't be used. Nothing is granted then.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file or the folder could not be read.
    #[error("the catalog could not be read")]
    Read(#[source] ReadError),
    /// The folder holds no `.toml` file.
    #[error(
        "the catalog folder `{folder}` holds no `.toml` file; deploy the function with its `catalog/` folder"
    )]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// What the files say does not check.
    #[error("the catalog does not check")]
    Check(#[source] Findings),
    /// What the files say does not fit the account that Curfew runs in.
    #[error("the catalog does not fit account `{account}`: {findings}")]
    Account {
        /// Curfew's own account.
        account: String,
        /// What does not fit.
        findings: String,
    },
}

/// Reads and checks the catalog in `folder` for a Curfew that runs in `own_account`.
///
/// # Errors
/// [`CatalogError`], with the file and line of everything that is wrong.
pub fn load(folder: &Path, own_account: &str) -> Result<Catalog, CatalogError> {
    let files = read(folder)?;
    if files.is_empty() {
        return Err(CatalogError::Empty { folder: folder.to_owned() });
    }
    let catalog = Catalog::parse(&files).map_err(CatalogError::Check)?;
    let findings = catalog.check_own_account(own_account);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        let findings = findings.iter().map(Finding::to_string).collect::<Vec<_>>().join(" | ");
        return Err(CatalogError::Account { account: own_account.to_owned(), findings });
    }
    Ok(catalog)
}

/// Asks the catalog in `folder` whether it gives what the ledger says. It is read when first asked, once: a package does
/// not change, so neither does what came of reading it.
#[must_use]
pub fn vouching(folder: PathBuf, own_account: String) -> Vouching {
    let read = OnceLock::new();
    Vouching::by(move |grant| {
        let catalog = read.get_or_init(|| load(&folder, &own_account).map_err(|error| chain(&error)));
        match catalog {
            Ok(catalog) => match given_by(catalog, &own_account, grant) {
                Ok(()) => Vouch::Given,
                Err(why) => Vouch::Otherwise(why),
            },
            Err(error) => Vouch::Unknown(error.clone()),
        }
    })
}

/// The `.toml` files in `folder`, by name. What lies deeper or is named otherwise is not the catalog's.
///
/// # Errors
/// [`CatalogError::Read`].
pub fn read(folder: &Path) -> Result<Vec<CatalogFile>, CatalogError> {
    let files = files::read(folder, "toml").map_err(CatalogError::Read)?;
    Ok(files.into_iter().map(|file| CatalogFile { name: file.name, text: file.text }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_is_the_toml_files_of_its_folder_by_name() {
        let folder = std::env::temp_dir().join(format!("curfew-catalog-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deeper.toml.d")).unwrap();
        for name in ["b.toml", "a.toml", ".hidden.toml", "README.md", "deeper.toml.d/c.toml"] {
            std::fs::write(folder.join(name), name).unwrap();
        }
        let files = read(&folder).unwrap();
        let found: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
        assert_eq!(found, [("a.toml", "a.toml"), ("b.toml", "b.toml")]);

        for name in ["a.toml", "b.toml"] {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
        assert!(matches!(load(&folder, "111122223333"), Err(CatalogError::Empty { .. })));
        std::fs::remove_dir_all(&folder).unwrap();
        let missing = load(&folder, "111122223333").unwrap_err();
        let told = crate::error::chain(&missing);
        assert!(told.contains("curfew-catalog-"), "{told}");
    }
}
