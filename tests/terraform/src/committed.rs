//! The committed modules are those that the templates make.

use std::collections::BTreeMap;
use std::sync::Once;

use crate::module::{MODULES, Module};

/// The module's own `.tf` files as they are, by name.
fn committed(module: &Module) -> BTreeMap<String, String> {
    let Ok(folder) = std::fs::read_dir(module.path()) else { return BTreeMap::new() };
    let files = folder.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "tf"));
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn write(module: &Module, made: &BTreeMap<String, String>) {
    std::fs::create_dir_all(module.path()).unwrap();
    for (name, text) in made {
        std::fs::write(module.path().join(name), text).unwrap();
    }
    for (name, _) in committed(module).iter().filter(|(name, _)| !made.contains_key(*name)) {
        std::fs::remove_file(module.path().join(name)).unwrap();
    }
}

/// Writes the modules anew if whoever runs the tests asked for it, once, before anybody reads them.
#[expect(
    clippy::disallowed_methods,
    reason = "asks whoever runs the tests whether to write the modules anew"
)]
pub(crate) fn renewed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("CURFEW_UPDATE_DOCS").is_some() {
            for module in &MODULES {
                write(module, &module.files());
            }
        }
    });
}

#[test]
fn the_modules_are_those_of_the_templates() {
    renewed();
    for module in &MODULES {
        let made = module.files();
        let there = committed(module);
        let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
        let hint = "If the change of the template is meant, write the module anew with\n\
                    `CURFEW_UPDATE_DOCS=1 cargo terraform` and read the difference.";
        assert_eq!(names(&made), names(&there), "infra/{}: other files. {hint}", module.folder);
        for (name, text) in &made {
            let there = &there[name];
            let differing =
                text.lines().zip(there.lines().chain(std::iter::repeat(""))).find(|(a, b)| a != b);
            assert!(
                text == there,
                "infra/{}/{name} is not what infra/{} makes. {hint}\n\
                 First difference, template and file: {differing:#?}",
                module.folder,
                module.template
            );
        }
    }
}

#[test]
fn files_are_short_enough_to_be_read() {
    for module in &MODULES {
        for (name, text) in module.files() {
            let lines = text.lines().count();
            assert!(
                lines <= 600,
                "infra/{}/{name}: {lines} lines; split it by topic in module.rs",
                module.folder
            );
        }
    }
}
