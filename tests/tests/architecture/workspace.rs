//! Reads the workspace: its members' manifests, the lock file, and its own text files.
//!
//! By manifests, lock file and what cargo makes of them: neither a network nor a build is needed to know the rules kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

fn read_toml(path: &Path) -> Table {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A member of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its folder, from the root.
    pub(crate) folder: String,
    /// What it is built of.
    pub(crate) dependencies: BTreeSet<String>,
    /// What its tests need besides.
    pub(crate) dev_dependencies: BTreeSet<String>,
}

/// The members by package name.
pub(crate) fn members() -> BTreeMap<String, Member> {
    let root = root();
    let mut members = BTreeMap::new();
    for path in files(&root).into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let manifest = read_toml(&path);
        let Some(name) = manifest.get("package").and_then(|package| package.get("name")) else {
            continue;
        };
        let folder = path.parent().unwrap().strip_prefix(&root).unwrap();
        let mut dependencies = names(&manifest, "dependencies");
        dependencies.extend(names(&manifest, "build-dependencies"));
        for target in manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
            dependencies.extend(names(target.as_table().unwrap(), "dependencies"));
        }
        let member = Member {
            folder: folder.to_str().unwrap().replace('\\', "/"),
            dependencies,
            dev_dependencies: names(&manifest, "dev-dependencies"),
        };
        members.insert(name.as_str().unwrap().to_owned(), member);
    }
    assert!(members.len() > 5, "the members were not found: {:?}", members.keys());
    members
}

/// How the functions are built for AWS.
pub(crate) fn release_profile() -> Table {
    let manifest = read_toml(&root().join("Cargo.toml"));
    let profile = manifest.get("profile").and_then(|profiles| profiles.get("release"));
    profile.and_then(Value::as_table).cloned().unwrap()
}

/// The packages that a section names.
fn names(manifest: &Table, section: &str) -> BTreeSet<String> {
    let section = manifest.get(section).and_then(Value::as_table);
    section
        .into_iter()
        .flatten()
        .map(|(name, how)| how.get("package").and_then(Value::as_str).unwrap_or(name).to_owned())
        .collect()
}

/// Every package that a member brings into a build of its own, of any platform: with the features that it and what it is
/// built of turn on, and not those that somebody else in the workspace does.
pub(crate) fn closure(member: &str) -> BTreeSet<String> {
    let told = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--target", "all", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}", "--package", member])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let lines = String::from_utf8(told.stdout).unwrap();
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Every file that belongs to the project.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let name = name.to_str().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if !matches!(name, "target" | ".git" | ".aws-sam" | "__pycache__" | "node_modules") {
                found.extend(files(&entry.path()));
            }
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// The project's files that hold text, as path from the root and text.
pub(crate) fn texts() -> Vec<(String, String)> {
    let root = root();
    let texts: Vec<(String, String)> = files(&root)
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            Some((path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"), text))
        })
        .collect();
    assert!(texts.len() > 50, "the project's files were not found");
    texts
}

/// The project's Rust files.
pub(crate) fn sources() -> Vec<(String, String)> {
    texts().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect()
}
