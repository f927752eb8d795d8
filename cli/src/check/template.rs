//! The template's parameters against the catalog: what a stack may attach, assume and give access under.
//!
//! Which values a stack is deployed with stands in no template: they are compared only if they were given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use curfew_domain::catalog::{Place, RoleAccess};
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

use super::finding::{Grade, Report, Rule};
use super::pattern::covers;
use crate::rulebook::{Rulebook, Unusable, read_text};

const MANAGED_POLICIES: &str = "ManagedPolicyArns";
const AGENT_ROLES: &str = "AgentRoleArns";
const BOUNDARIES: &str = "TenantBoundaryArns";

/// The template, as far as it is needed: the names of its parameters.
#[derive(Debug)]
pub(crate) struct Template {
    path: PathBuf,
    parameters: Result<Vec<String>, String>,
}

impl Template {
    pub(crate) fn read(path: &Path) -> Result<Self, Unusable> {
        Ok(Self { path: path.to_owned(), parameters: names(&read_text(path)?) })
    }

    fn place(&self) -> Place {
        Place { file: Arc::from(self.path.to_string_lossy().as_ref()), line: 1, column: 1 }
    }
}

fn names(text: &str) -> Result<Vec<String>, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("it is not YAML: {error}"))?;
    let parameters = documents.first().and_then(|document| document.as_mapping_get("Parameters"));
    let mapping = parameters.and_then(Yaml::as_mapping).ok_or("it has no `Parameters`")?;
    Ok(mapping.iter().filter_map(|(name, _)| name.as_str().map(ToOwned::to_owned)).collect())
}

/// The values of parameters, as they were given.
#[derive(Debug)]
pub(crate) struct Parameters {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// Reads a JSON file: an object of names and values, one below `Parameters`, or CloudFormation's list of
    /// `ParameterKey` and `ParameterValue`.
    pub(crate) fn read(path: &Path) -> Result<Self, Unusable> {
        let file: Value = serde_json::from_str(&read_text(path)?)
            .map_err(|error| Unusable::input(path, format!("not valid JSON: {error}")))?;
        let wanted = "write an object of the parameters' names and values";
        let values = match file.get("Parameters").unwrap_or(&file) {
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
            }
            Value::Array(items) => items
                .iter()
                .map(|item| {
                    let name = item.get("ParameterKey")?.as_str()?.to_owned();
                    Some((name, text(item.get("ParameterValue")?)?))
                })
                .collect(),
            _ => None,
        };
        let values: Option<BTreeMap<String, String>> = values;
        Ok(Self { path: path.to_owned(), values: values.ok_or_else(|| Unusable::input(path, wanted))? })
    }

    /// The values of a list; empty, if it is not given.
    fn list(&self, name: &str) -> Vec<&str> {
        let given = self.values.get(name).map(String::as_str).unwrap_or_default();
        given.split(',').map(str::trim).filter(|one| !one.is_empty()).collect()
    }
}

/// CloudFormation's lists are texts with commas; here they may be lists.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Array(items) => {
            items.iter().map(text).collect::<Option<Vec<String>>>().map(|items| items.join(","))
        }
        Value::Null | Value::Object(_) => None,
    }
}

pub(crate) fn check(
    rulebook: &Rulebook,
    template: &Template,
    parameters: Option<&Parameters>,
    report: &mut Report,
) {
    // Paths of these two are whole already.
    let here = Path::new("");
    let known = match &template.parameters {
        Ok(known) => known.as_slice(),
        Err(why) => {
            let message = format!("the template can't be read: {why}");
            let remedy = "name the template that is deployed: --template FILE";
            report.add((Rule::Template, Grade::Error), here, &template.place(), message, remedy);
            return;
        }
    };
    for wanted in [BOUNDARIES, AGENT_ROLES, MANAGED_POLICIES].into_iter().filter(|name| !is_in(known, name)) {
        let message = format!("the template has no parameter `{wanted}`, which limits what Curfew may do");
        let remedy = "take it over from the template that comes with Curfew";
        report.add((Rule::Template, Grade::Error), here, &template.place(), message, remedy);
    }
    let Some(parameters) = parameters else { return };
    let at = Place { file: Arc::from(parameters.path.to_string_lossy().as_ref()), line: 1, column: 1 };
    for name in parameters.values.keys().filter(|name| !is_in(known, name)) {
        let message = format!("parameter `{name}` is none of the template's");
        let remedy = format!("correct it; there are {}", known.join(", "));
        report.add((Rule::Template, Grade::Error), here, &at, message, remedy);
    }
    managed_policies(rulebook, parameters, report);
    tenants(rulebook, parameters, report);
}

fn is_in(known: &[String], name: &str) -> bool {
    known.iter().any(|one| one == name)
}

fn managed_policies(rulebook: &Rulebook, parameters: &Parameters, report: &mut Report) {
    let listed = parameters.list(MANAGED_POLICIES);
    for role in rulebook.catalog.roles() {
        let RoleAccess::Managed { policy } = role.access() else { continue };
        let available = rulebook.catalog.tenants().filter(|tenant| role.is_available_in(tenant.id()));
        // What an agent role may attach is said in its own account's stack.
        for tenant in available.filter(|tenant| tenant.route().agent.is_none()) {
            let arn = policy.expand(tenant.scope());
            if !listed.iter().any(|pattern| covers(pattern, &arn)) {
                let message = format!(
                    "role `{}` attaches `{arn}`, which is not in the parameter `{MANAGED_POLICIES}`",
                    role.name()
                );
                let remedy = "add it there: without it every grant of the role fails";
                let what = (Rule::UnlistedManagedPolicy, Grade::Error);
                report.add(what, &rulebook.folders.catalog, role.place(), message, remedy);
            }
        }
    }
}

fn tenants(rulebook: &Rulebook, parameters: &Parameters, report: &mut Report) {
    let folder = &rulebook.folders.catalog;
    let (agents, boundaries) = (parameters.list(AGENT_ROLES), parameters.list(BOUNDARIES));
    for tenant in rulebook.catalog.tenants() {
        match tenant.route().agent {
            Some(agent) if !agents.contains(&agent.role_arn.as_str()) => {
                let message = format!(
                    "tenant `{}` is reached by `{}`, which is not in the parameter `{AGENT_ROLES}`",
                    tenant.id(),
                    agent.role_arn
                );
                let remedy = "add it there: without it nothing can be granted in that tenant, nor taken away";
                report.add((Rule::UnlistedAgentRole, Grade::Error), folder, tenant.place(), message, remedy);
            }
            // The boundaries of another account are parameters of its own stack.
            Some(_) => {}
            None => {
                let Some(arn) = tenant.boundary().filter(|arn| !boundaries.contains(arn)) else { continue };
                let message = format!(
                    "the boundary `{arn}` of tenant `{}` is not in the parameter `{BOUNDARIES}`",
                    tenant.id()
                );
                let remedy = "add it there: who carries a boundary that is not listed is given nothing";
                report.add((Rule::UnlistedBoundary, Grade::Error), folder, tenant.place(), message, remedy);
            }
        }
    }
}
