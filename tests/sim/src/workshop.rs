//! A copy of the code in which every mutation is built in, each behind a switch that is thrown when the copy runs:
//! one build for all of them, and no switch of sabotage in the real sources.
//!
//! The copy lies below the workspace's `target`. Only what changed is written, so that building it again is quick.
//!
//! Must not know: what is simulated, or what counts as caught.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::edge;
use crate::failure::{Failure, at};
use crate::mutations::{Edit, Mutation};

/// The members that are copied: the code that is mutated, and what simulates it.
const MEMBERS: [&str; 4] = ["shared/app", "shared/domain", "shared/testkit", "tests/sim"];

/// The members in which there may be mutations, and which are given the switch.
const MUTATED: [&str; 3] = ["shared/app", "shared/domain", "shared/testkit"];

/// The variable that throws a mutation's switch, by its name.
pub const SWITCH: &str = "CURFEW_MUTANT";

/// What a run of the copy says on standard error when it first comes to the code whose switch is thrown.
pub const REACHED: &str = "curfew: the mutant was reached";

/// What every mutated crate is given: `crate::mutant("name")` is true if that mutation is the one to be tried.
const MUTANT: &str = r#"
/// Whether this mutation's switch is thrown.
pub(crate) fn mutant(name: &str) -> bool {
    static THROWN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    static SAID: std::sync::Once = std::sync::Once::new();
    let thrown = THROWN.get_or_init(|| std::env::var("{SWITCH}").ok());
    let is_thrown = thrown.as_deref() == Some(name);
    if is_thrown {
        SAID.call_once(|| eprintln!("{REACHED}"));
    }
    is_thrown
}
"#;

/// The files of a workspace by their path from its root, with `/` between folders.
pub type Files = BTreeMap<String, String>;

/// Why a mutation can't be built into the code as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// There is no such file.
    NoFile(&'static str),
    /// Its file has no such text.
    Missing(&'static str),
    /// Its file has that text more than once.
    Ambiguous(&'static str, usize),
    /// It changes a piece that another one changes too.
    Overlaps(&'static str),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile(file) => write!(f, "there is no `{file}`"),
            Self::Missing(file) => write!(f, "`{file}` has no such text any more"),
            Self::Ambiguous(file, times) => write!(f, "`{file}` has that text {times} times"),
            Self::Overlaps(other) => write!(f, "it changes what `{other}` changes too"),
        }
    }
}

/// The files that [`MEMBERS`] consist of.
///
/// # Errors
/// [`Failure::Io`].
pub fn sources(root: &Path) -> Result<Files, Failure> {
    let mut files = Files::new();
    for member in MEMBERS {
        read_folder(root, &root.join(member), &mut files)?;
    }
    Ok(files)
}

fn read_folder(root: &Path, folder: &Path, files: &mut Files) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(at("list", folder))? {
        let path = entry.map_err(at("list", folder))?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                read_folder(root, &path, files)?;
            }
            continue;
        }
        let text = fs::read_to_string(&path).map_err(at("read", &path))?;
        files.insert(name_below(root, &path), text);
    }
    Ok(())
}

/// A path from the root, with `/` between folders.
fn name_below(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// A piece of a file that a mutation changes.
struct Piece {
    start: usize,
    edit: &'static Edit,
    of: &'static str,
}

impl Piece {
    fn end(&self) -> usize {
        self.start + self.edit.find.len()
    }

    /// Whether both change the same text, each in its own way. Mutations may share an edit.
    fn overlaps(&self, other: &Self) -> bool {
        self.edit != other.edit
            && self.edit.file == other.edit.file
            && self.start < other.end()
            && other.start < self.end()
    }
}

/// Builds the mutations into `files`. Those that do not fit are left out, and returned by name.
pub fn mutate(files: &mut Files, mutations: &[Mutation]) -> Vec<(&'static str, Misfit)> {
    let mut misfits = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for mutation in mutations {
        match pieces_of(files, mutation, &pieces) {
            Ok(of_it) => pieces.extend(of_it),
            Err(misfit) => misfits.push((mutation.name, misfit)),
        }
    }
    // From the end, so that the earlier places stay where they are.
    pieces.sort_by_key(|piece| (piece.edit.file, std::cmp::Reverse(piece.start)));
    pieces.dedup_by_key(|piece| (piece.edit.file, piece.start));
    for piece in pieces {
        if let Some(text) = files.get_mut(piece.edit.file) {
            text.replace_range(piece.start..piece.end(), piece.edit.replace);
        }
    }
    misfits
}

/// Where a mutation changes the code as it is: no mutation sees another one's changes.
fn pieces_of(files: &Files, mutation: &Mutation, taken: &[Piece]) -> Result<Vec<Piece>, Misfit> {
    let mut pieces: Vec<Piece> = Vec::new();
    for edit in mutation.edits {
        let piece = Piece { start: place(files, edit)?, edit, of: mutation.name };
        if let Some(other) = taken.iter().chain(&pieces).find(|other| piece.overlaps(other)) {
            return Err(Misfit::Overlaps(other.of));
        }
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Where an edit's text begins in its file.
fn place(files: &Files, edit: &'static Edit) -> Result<usize, Misfit> {
    let text = files.get(edit.file).ok_or(Misfit::NoFile(edit.file))?;
    let mut found = text.match_indices(edit.find).map(|(start, _)| start);
    let first = found.next().ok_or(Misfit::Missing(edit.file))?;
    match found.count() {
        0 => Ok(first),
        more => Err(Misfit::Ambiguous(edit.file, more + 1)),
    }
}

/// The simulation with all mutations in it, built. Nobody else changes the copy while this lives.
#[derive(Debug)]
pub struct Workshop {
    program: PathBuf,
    misfits: Vec<(&'static str, Misfit)>,
    _lock: File,
}

/// Copies the code, builds the mutations in, and builds it.
///
/// # Errors
/// [`Failure`], for example if what the mutations put into the code does not compile.
pub fn open(root: &Path, mutations: &[Mutation]) -> Result<Workshop, Failure> {
    let copy = root.join("target").join("mutants");
    fs::create_dir_all(&copy).map_err(at("make", &copy))?;
    let lock_path = copy.join(".lock");
    let lock = File::create(&lock_path).map_err(at("make", &lock_path))?;
    lock.lock().map_err(at("lock", &lock_path))?;

    let mut files = sources(root)?;
    let misfits = mutate(&mut files, mutations);
    let mutant = MUTANT.replace("{SWITCH}", SWITCH).replace("{REACHED}", REACHED);
    for member in MUTATED {
        if let Some(text) = files.get_mut(&format!("{member}/src/lib.rs")) {
            text.push_str(&mutant);
        }
    }
    let manifest = root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(at("read", &manifest))?;
    files.insert("Cargo.toml".to_owned(), narrowed(&text).ok_or(Failure::NoMembers { path: manifest })?);
    let lock_file = root.join("Cargo.lock");
    files.insert("Cargo.lock".to_owned(), fs::read_to_string(&lock_file).map_err(at("read", &lock_file))?);
    write(&copy, &files)?;
    let program = build(&copy)?;
    Ok(Workshop { program, misfits, _lock: lock })
}

/// The root manifest with [`MEMBERS`] alone.
fn narrowed(manifest: &str) -> Option<String> {
    let members = manifest.lines().find(|line| line.starts_with("members = [") && line.ends_with(']'))?;
    Some(manifest.replacen(members, &format!("members = {MEMBERS:?}"), 1))
}

/// Writes what is not there yet as it should be, and removes what no longer should.
fn write(copy: &Path, files: &Files) -> Result<(), Failure> {
    for (name, text) in files {
        let path = copy.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == *text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at("make", folder))?;
        }
        fs::write(&path, text).map_err(at("write", &path))?;
    }
    let mut there = Files::new();
    for member in MEMBERS {
        read_folder(copy, &copy.join(member), &mut there)?;
    }
    let wanted: BTreeSet<&String> = files.keys().collect();
    for name in there.keys().filter(|name| !wanted.contains(name)) {
        let path = copy.join(name);
        fs::remove_file(&path).map_err(at("remove", &path))?;
    }
    Ok(())
}

/// Builds the copy's simulation.
fn build(copy: &Path) -> Result<PathBuf, Failure> {
    let mut output = cargo_build(copy, true)?;
    if !output.status.success() && finished(&output).is_none() {
        // It did not come to compiling: something is not there that only the network has.
        output = cargo_build(copy, false)?;
    }
    if !output.status.success() {
        return Err(Failure::Build { messages: String::from_utf8_lossy(&output.stderr).trim().to_owned() });
    }
    messages(&output)
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .ok_or(Failure::NoProgram)
}

fn cargo_build(copy: &Path, offline: bool) -> Result<Output, Failure> {
    let cargo = edge::cargo();
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--quiet", "--package", "curfew-sim", "--bin", "sim"])
        .args(["--profile", "sim", "--message-format=json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(copy.join("Cargo.toml"))
        // A folder of its own: whoever runs this may hold the lock of the usual one.
        .arg("--target-dir")
        .arg(copy.join("target"))
        .current_dir(copy)
        // Code that was broken on purpose may look odd to the compiler.
        .env("RUSTFLAGS", "-Awarnings")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    if offline {
        command.arg("--offline");
    }
    command
        .output()
        .map_err(|source| Failure::Program { program: cargo.to_string_lossy().into_owned(), source })
}

/// What cargo says of the build, message by message.
fn messages(output: &Output) -> impl Iterator<Item = Value> {
    output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// Whether the compilation was a success; none, if there was none.
fn finished(output: &Output) -> Option<bool> {
    messages(output)
        .find(|message| message.get("reason").and_then(Value::as_str) == Some("build-finished"))?
        .get("success")?
        .as_bool()
}

impl Workshop {
    /// Why a mutation is not in it; nothing, if it is.
    #[must_use]
    pub fn misfit(&self, mutation: &Mutation) -> Option<&Misfit> {
        self.misfits.iter().find(|(name, _)| *name == mutation.name).map(|(_, misfit)| misfit)
    }

    /// The simulation, with a mutation's switch thrown.
    #[must_use]
    pub fn simulation(&self, mutation: Option<&Mutation>) -> Command {
        let mut command = Command::new(&self.program);
        match mutation {
            Some(mutation) => command.env(SWITCH, mutation.name),
            None => command.env_remove(SWITCH),
        };
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mutation(name: &'static str, edits: &'static [Edit]) -> Mutation {
        Mutation { name, what: "changes something", promise: "P1", stands_for_aws: false, edits }
    }

    const fn edit(find: &'static str, replace: &'static str) -> Edit {
        Edit { file: "a.rs", find, replace }
    }

    const ONE: Mutation = mutation("one", &[edit("one()", "two()")]);

    fn files(text: &str) -> Files {
        [("a.rs".to_owned(), text.to_owned())].into()
    }

    #[test]
    fn every_mutation_sees_the_code_as_it_is() {
        const THREE: Mutation = mutation("three", &[edit("three()", "one() + 1"), edit("x(", "y(")]);
        let mutations = [THREE, ONE];
        let mut files = files("x(one(), three(), four())");
        assert_eq!(mutate(&mut files, &mutations), []);
        assert_eq!(files["a.rs"], "y(two(), one() + 1, four())");
    }

    #[test]
    fn two_mutations_may_share_an_edit() {
        const SHARED: &[Edit] = &[edit("one()", "one() + one()")];
        let mutations = [mutation("this", SHARED), mutation("that", SHARED)];
        let mut files = files("one()");
        assert_eq!(mutate(&mut files, &mutations), []);
        assert_eq!(files["a.rs"], "one() + one()");
    }

    #[test]
    fn what_does_not_fit_exactly_once_is_left_out_as_a_whole_and_told() {
        const MUTATIONS: [Mutation; 5] = [
            ONE,
            mutation("around", &[edit("four()", "5"), edit("x(one", "")]),
            mutation("gone", &[edit("nine()", "")]),
            mutation("twice", &[edit("()", "")]),
            mutation("elsewhere", &[Edit { file: "b.rs", find: "x", replace: "y" }]),
        ];
        let mut files = files("x(one(), four())");
        assert_eq!(
            mutate(&mut files, &MUTATIONS),
            [
                ("around", Misfit::Overlaps("one")),
                ("gone", Misfit::Missing("a.rs")),
                ("twice", Misfit::Ambiguous("a.rs", 2)),
                ("elsewhere", Misfit::NoFile("b.rs")),
            ]
        );
        assert_eq!(files["a.rs"], "x(two(), four())");
    }

    #[test]
    fn the_copy_has_only_the_members_it_needs() {
        let root = fs::read_to_string(edge::workspace().join("Cargo.toml")).unwrap();
        let manifest = narrowed(&root).unwrap();
        assert!(
            manifest.contains(r#"members = ["shared/app", "shared/domain", "shared/testkit", "tests/sim"]"#)
        );
        assert!(!manifest.contains("shared/*"));
        assert_eq!(narrowed("[workspace]\n"), None);
    }
}
