//! What keeps the command from doing what it was asked, each with its cause and the remedy.
//!
//! Must not know: broken promises. These are results, not failures.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was done to it.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program could not be started or waited for.
    #[error("cannot run `{program}`: {source}")]
    Program {
        /// Which.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// The root manifest has no list of members that could be narrowed.
    #[error("`{path}` has no line `members = […]` any more: the copy of the workspace has to follow it")]
    NoMembers {
        /// The manifest.
        path: PathBuf,
    },
    /// The copy with all mutations in it does not compile.
    #[error(
        "the mutated copy of the code does not build: the list of mutations (`tests/sim/src/mutations/`) has to \
         follow the code:\n{messages}"
    )]
    Build {
        /// The compiler's.
        messages: String,
    },
    /// The build made no program.
    #[error("the build of the mutated copy made no program `sim`: is it still a binary of `curfew-sim`?")]
    NoProgram,
    /// Without a mutation the simulation must be clean, or nothing that it finds tells anything.
    #[error(
        "the code without any mutation breaks a promise with seed {seed}: {violation}; `cargo sim --seed {seed}` tells more"
    )]
    NotClean {
        /// With which seed.
        seed: u64,
        /// What.
        violation: String,
    },
    /// The simulation of the code without any mutation did not end as it should.
    #[error("the simulation of the code without any mutation did not end well: {detail}")]
    Unfinished {
        /// What happened.
        detail: String,
    },
    /// No mutation has that name.
    #[error("no mutation is named `{name}`; `cargo sim --mutations` lists them all")]
    NoSuchMutation {
        /// The name.
        name: String,
    },
}

/// Makes an I/O error name the file and what was done to it.
pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |source| Failure::Io { action, path, source }
}
