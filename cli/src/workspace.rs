//! Where things are: the repository this was built from, and the folder below `target/` that holds the local stack.
//!
//! Must not know: what is in the files.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::edge;
use crate::failure::{Failure, at};
use crate::progress::say;

/// The repository and its `target/` folder.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The workspace this crate was built in. `CARGO_TARGET_DIR` is honoured.
    ///
    /// # Errors
    /// The folder has been moved or removed since, or `target/` cannot be written.
    pub fn find() -> Result<Self, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.join("..");
        let root = root.canonicalize().map_err(at("find the repository", &root))?;
        let target =
            edge::variable("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        let found = Self { root, target };
        let local = found.local();
        std::fs::create_dir_all(&local).map_err(at("create", &local))?;
        Ok(found)
    }

    /// The repository's root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The deployed template.
    #[must_use]
    pub fn template(&self) -> PathBuf {
        self.root.join("infra").join("template.yaml")
    }

    /// A folder of `infra/`.
    #[must_use]
    pub fn infra(&self, name: &str) -> PathBuf {
        self.root.join("infra").join(name)
    }

    /// A file of `infra/local/`.
    #[must_use]
    pub fn infra_local(&self, name: &str) -> PathBuf {
        self.root.join("infra").join("local").join(name)
    }

    /// Everything of the local stack: `target/local/`. Removing it costs only the time to make it again.
    #[must_use]
    pub fn local(&self) -> PathBuf {
        self.target.join("local")
    }

    /// Waits until no other process (a parallel test) works on `what`. Given back when the value is dropped,
    /// by the operating system if need be.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub async fn lock(&self, what: &str) -> Result<File, Failure> {
        let path = self.local().join(format!("{what}.lock"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(at("open", &path))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(at("lock", &path)(source)),
            Err(TryLockError::WouldBlock) => {
                say(format_args!("waiting for another process that prepares the {what}"));
            }
        }
        let waiting = path.clone();
        tokio::task::spawn_blocking(move || file.lock().map(|()| file))
            .await
            .map_err(|stopped| at("wait for", &waiting)(std::io::Error::other(stopped)))?
            .map_err(at("lock", &path))
    }
}
