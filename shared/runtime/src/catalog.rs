//! Reading the catalog's files out of the function's package.
//!
//! Only finds and reads them; what they mean, and whether they are right, is the domain's.

use std::io;
use std::path::{Path, PathBuf};

use curfew_domain::catalog::{Catalog, CatalogFile, Finding, Findings, Severity};

/// The catalog can't be used. Nothing is granted then.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file or the folder could not be read.
    #[error("`{path}` of the catalog could not be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
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

/// The `.toml` files in `folder`, by name. What lies deeper or is named otherwise is not the catalog's.
///
/// # Errors
/// [`CatalogError::Read`].
pub fn read(folder: &Path) -> Result<Vec<CatalogFile>, CatalogError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CatalogError::Read { path, error }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|extension| extension == "toml") && !name.starts_with('.') {
            let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
            files.push(CatalogFile { name: name.to_owned(), text });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
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
        assert!(missing.to_string().contains("curfew-catalog-"), "{missing}");
    }
}
