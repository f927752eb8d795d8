//! Reading the catalogs that ship with Curfew.

use std::path::Path;

use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::ids::{Label, RoleName};

/// The root of the repository, seen from this crate.
pub(super) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Every file of a folder with this ending: its name and its text.
fn read(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == ending) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

/// The texts of every file of a folder with this ending.
pub(super) fn texts(folder: &str, ending: &str) -> Vec<String> {
    read(folder, ending).into_iter().map(|(_, text)| text).collect()
}

/// Every `*.toml` in a folder, as the functions read it.
fn files(folder: &str) -> Vec<CatalogFile> {
    read(folder, "toml").into_iter().map(|(name, text)| CatalogFile { name, text }).collect()
}

fn catalog(folder: &str) -> Catalog {
    Catalog::parse(&files(folder)).unwrap_or_else(|findings| panic!("{folder}:\n{findings}"))
}

/// What people start from.
pub(super) fn shipped() -> Catalog {
    catalog("infra/catalog")
}

/// The demo's.
pub(super) fn local() -> Catalog {
    catalog("infra/local/catalog")
}

/// Whether a role is for emergencies: those are held to other rules.
pub(super) fn is_break_glass(catalog: &Catalog, role: &RoleName) -> bool {
    catalog.role(role).unwrap().labels().contains(&Label::new("break-glass").unwrap())
}
