//! A module deploys what its template deploys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::deployed::{Known, Source, squashed};
use super::differing;
use super::expected::{expected, looks_like_something};
use super::settings::{PAIRS, Pair, template, variables};
use super::wanted::Wanted;
use crate::cloudformation::workspace;

/// The names of a template's resources.
pub(super) fn ids(template: &Value) -> Vec<String> {
    template["Resources"].as_object().into_iter().flatten().map(|(id, _)| id.clone()).collect()
}

/// Where a module and a template differ under a setting.
pub(super) fn compared(source: &Source, template: &Value, setting: &Value) -> Result<Vec<String>, String> {
    let wanted = Wanted::of(template, setting.as_object().ok_or("no setting")?)?;
    let known = Known::of(source, &variables(template, setting), &ids(template))?;
    let outputs: BTreeMap<String, Value> =
        wanted.outputs()?.into_iter().map(|(name, value)| (squashed(&name), value)).collect();
    let mut all = differing(&known.resources(source)?, &expected(&wanted)?);
    all.extend(differing(&known.outputs(source)?, &outputs));
    Ok(all)
}

#[test]
fn the_modules_deploy_what_the_templates_deploy() {
    for Pair { template: file, folder, settings } in &PAIRS {
        let template = template(file);
        let source = Source::read(&workspace().join(folder));
        for setting in settings() {
            let differences = compared(&source, &template, &setting).unwrap_or_else(|error| vec![error]);
            assert!(
                differences.is_empty(),
                "infra/{file} and {folder}, under {setting}:\n{}",
                differences.join("\n")
            );
        }
    }
}

/// Otherwise what is under a condition would be compared with nothing.
#[test]
fn every_condition_holds_once_and_once_does_not() {
    for Pair { template: file, settings, .. } in &PAIRS {
        let template = template(file);
        let mut seen: BTreeSet<(String, bool)> = BTreeSet::new();
        for setting in settings() {
            let wanted = Wanted::of(&template, setting.as_object().unwrap()).unwrap();
            seen.extend(wanted.conditions().iter().map(|(name, holds)| (name.clone(), *holds)));
            assert!(looks_like_something(&expected(&wanted).unwrap()));
        }
        let conditions = template["Conditions"].as_object().unwrap();
        for name in conditions.keys() {
            for holds in [true, false] {
                assert!(seen.contains(&(name.clone(), holds)), "{file}: {name} is never {holds}");
            }
        }
    }
}
