//! What stands beside the modules and is not made: the README, the script that builds the packages, and the plans that
//! whoever has Terraform can try. They speak of what is there.

use std::collections::BTreeSet;

use hcl::Body;

use crate::cloudformation::workspace;
use crate::module::MODULES;
use crate::translate::{left, tables};

fn text(file: &str) -> String {
    let path = workspace().join("infra/terraform").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All of a module's files, parsed.
fn body(folder: &str) -> Body {
    let files = MODULES.iter().find(|module| module.folder == folder).unwrap().files();
    hcl::parse(&files.into_values().collect::<String>()).unwrap()
}

/// The variables of a module: all of them, or those without a default.
fn variables(folder: &str, needed_alone: bool) -> BTreeSet<String> {
    let body = body(folder);
    let variables = body.blocks().filter(|block| block.identifier() == "variable");
    let asked = variables.filter(|block| {
        !needed_alone || !block.body().attributes().any(|attribute| attribute.key() == "default")
    });
    asked.map(|block| block.labels()[0].as_str().to_owned()).collect()
}

#[test]
fn what_is_not_carried_over_is_told() {
    let readme = text("README.md");
    let left: Vec<(&str, &str)> = tables().flat_map(left).collect();
    assert!(!left.is_empty(), "the rule looks at nothing");
    for (property, reason) in left {
        assert!(
            readme.contains(&format!("`{property}`")),
            "README.md does not tell of `{property}`: {reason}"
        );
    }
}

#[test]
fn packages_are_built_for_every_function() {
    let script = text("packages");
    let files = MODULES[0].files();
    let named = regex::Regex::new(r"var\.package_directory\}/(\w+)\.zip").unwrap();
    let wanted: BTreeSet<String> =
        named.captures_iter(&files["functions.tf"]).map(|found| found[1].to_owned()).collect();
    let line = script.lines().find(|line| line.starts_with("for function in ")).unwrap();
    let built = line.trim_start_matches("for function in ").trim_end_matches("; do");
    let built: BTreeSet<String> = built.split_whitespace().map(str::to_lowercase).collect();
    assert_eq!(built, wanted);
    for name in wanted {
        let stand_in = workspace().join(format!("infra/terraform/tests/packages/{name}.zip"));
        assert!(stand_in.is_file(), "the plans need a file for the package of {name}");
    }
}

#[test]
fn the_plans_give_what_must_be_given() {
    let plans = hcl::parse(&text("tests/plan.tftest.hcl")).unwrap();
    let given = |body: &Body| -> BTreeSet<String> {
        let blocks = body.blocks().filter(|block| block.identifier() == "variables");
        blocks
            .flat_map(|block| block.body().attributes())
            .map(|attribute| attribute.key().to_owned())
            .collect()
    };
    let everywhere = given(&plans);
    let runs: Vec<_> = plans.blocks().filter(|block| block.identifier() == "run").collect();
    assert!(runs.len() > 3, "the rule looks at nothing");
    for run in runs {
        let name = run.labels()[0].as_str();
        let tenant = run.body().blocks().any(|block| block.identifier() == "module");
        let folder = if tenant { "terraform/tenant" } else { "terraform" };
        let own = given(run.body());
        let unknown: Vec<_> = own.difference(&variables(folder, false)).cloned().collect();
        assert!(unknown.is_empty(), "{name}: infra/{folder} has no variable {unknown:?}");
        let all: BTreeSet<String> = own.union(&everywhere).cloned().collect();
        let missing: Vec<_> = variables(folder, true).difference(&all).cloned().collect();
        assert!(missing.is_empty(), "{name}: infra/{folder} must be given {missing:?}");
    }
    let unknown: Vec<_> = everywhere.difference(&variables("terraform", false)).cloned().collect();
    assert!(unknown.is_empty(), "infra/terraform has no variable {unknown:?}");
}

#[test]
fn the_readmes_root_module_gives_what_must_be_given() {
    let readme = text("README.md");
    let example = readme.split("```hcl\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let example: String =
        example.lines().map(|line| format!("{}\n", line.trim_start_matches("   "))).collect();
    let root = hcl::parse(&example).unwrap_or_else(|error| panic!("the README's root module: {error}"));
    let modules: Vec<_> = root.blocks().filter(|block| block.identifier() == "module").collect();
    assert_eq!(modules.len(), 3);
    for module in modules {
        let name = module.labels()[0].as_str();
        let given: BTreeSet<String> = module
            .body()
            .attributes()
            .map(|attribute| attribute.key().to_owned())
            .filter(|key| key != "source" && key != "providers")
            .collect();
        let folder = if name == "curfew" { "terraform" } else { "terraform/tenant" };
        let unknown: Vec<_> = given.difference(&variables(folder, false)).cloned().collect();
        assert!(unknown.is_empty(), "{name}: infra/{folder} has no variable {unknown:?}");
        let missing: Vec<_> = variables(folder, true).difference(&given).cloned().collect();
        assert!(missing.is_empty(), "{name}: infra/{folder} must be given {missing:?}");
    }
}
