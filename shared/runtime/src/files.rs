//! Reading the files of one kind out of a folder of the function's package.
//!
//! Only finds and reads them; what they mean is for whoever asked.

use std::io;
use std::path::{Path, PathBuf};

/// A file of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Its name, without the folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A file or the folder could not be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` could not be read")]
pub struct ReadError {
    /// Which.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub error: io::Error,
}

/// The files in `folder` with the ending `extension`, by name. What lies deeper, is hidden or is named otherwise is
/// left out.
///
/// # Errors
/// [`ReadError`] for the first that can't be read.
pub fn read(folder: &Path, extension: &str) -> Result<Vec<PackageFile>, ReadError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| ReadError { path, error }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|found| found == extension) && !name.starts_with('.') {
            let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
            files.push(PackageFile { name: name.to_owned(), text });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
