//! `infra/template.yaml` deployed to the local stack by CloudFormation, as `sam deploy` does on AWS.
//!
//! The template is not changed but for where the packages are. Several deployments stand side by side in one
//! local stack, each under its own name.
//!
//! Must not know: what the functions do with their parameters.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::artifacts::{Artifacts, Function, run};
use crate::aws::{Aws, AwsError};
use crate::failure::Failure;
use crate::stack::LocalStack;
use crate::workspace::Workspace;

/// Where packages are uploaded to.
const BUCKET: &str = "curfew-packages";

/// What is deployed.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The CloudFormation stack's name: letters, digits, hyphens. All names are made from it.
    pub name: &'a str,
    /// What the functions decide by.
    pub contents: Contents<'a>,
    /// The template's parameters. `Architecture` is set to this machine's.
    pub parameters: &'a [(&'a str, &'a str)],
}

/// What the functions decide by: folders whose files go into their packages.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The catalog's TOML files.
    pub catalog: &'a Path,
    /// The guardrails' Cedar files.
    pub guardrails: &'a Path,
    /// The senders' configuration in TOML files; there may be none.
    pub senders: &'a Path,
}

impl Contents<'_> {
    fn folder(&self, name: &str) -> Option<&Path> {
        match name {
            "catalog" => Some(self.catalog),
            "guardrails" => Some(self.guardrails),
            "senders" => Some(self.senders),
            _ => None,
        }
    }
}

/// A deployed stack.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    outputs: BTreeMap<String, String>,
}

impl Deployment {
    /// Deploys the plan, or updates what stands under its name (about two seconds).
    ///
    /// # Errors
    /// CloudFormation refused: the first resource that failed, and why.
    pub async fn make(
        workspace: &Workspace,
        stack: &LocalStack,
        artifacts: &Artifacts,
        plan: &Plan<'_>,
    ) -> Result<Self, Failure> {
        let root = stack.root();
        let template = stack.folder().join(format!("{}.yaml", plan.name));
        upload(workspace, stack, artifacts, plan, &template).await?;
        let mut arguments: Vec<OsString> =
            ["cloudformation", "deploy", "--no-fail-on-empty-changeset"].map(OsString::from).to_vec();
        arguments.extend(["--stack-name".into(), plan.name.into()]);
        arguments.extend(["--template-file".into(), template.into_os_string()]);
        // CloudFormation takes a template of more than 51,200 bytes from a bucket only.
        arguments.extend(["--s3-bucket", BUCKET].map(OsString::from));
        arguments.extend(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"].map(OsString::from));
        arguments.push("--parameter-overrides".into());
        arguments.push(format!("Architecture={}", architecture()).into());
        for (name, value) in plan.parameters {
            arguments.push(format!("{name}={value}").into());
        }
        if let Err(error) = root.run(arguments).await {
            return Err(Failure::DeployFailed {
                stack: plan.name.to_owned(),
                reason: first_failure(&root, plan.name).await.unwrap_or_else(|| error.to_string()),
            });
        }
        Ok(Self { name: plan.name.to_owned(), outputs: outputs(&root, plan.name).await? })
    }

    /// An output of the template.
    ///
    /// # Errors
    /// The template has none of this name.
    pub fn output(&self, name: &str) -> Result<&str, Failure> {
        self.outputs
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| Failure::NoOutput { output: name.to_owned() })
    }

    /// Where a source posts its webhooks.
    ///
    /// # Errors
    /// The template has no output `WebhookUrl`.
    pub fn webhook_url(&self, source: &str) -> Result<String, Failure> {
        Ok(format!("{}{source}", self.output("WebhookUrl")?))
    }

    /// The ledger's table.
    ///
    /// # Errors
    /// The template has no output `TableName`.
    pub fn table(&self) -> Result<&str, Failure> {
        self.output("TableName")
    }

    /// A function's name on Lambda.
    ///
    /// # Errors
    /// The template has no output for it.
    pub fn function(&self, function: Function) -> Result<&str, Failure> {
        self.output(&format!("{}Name", function.logical_id()))
    }

    /// The lines a function wrote to its log so far, oldest first, START and REPORT lines included.
    ///
    /// # Errors
    /// The log could not be read. A function that was not invoked yet has an empty log.
    pub async fn log(&self, stack: &LocalStack, function: Function) -> Result<Vec<String>, Failure> {
        let group = format!("/aws/lambda/{}", self.function(function)?);
        let arguments = ["logs", "filter-log-events", "--log-group-name", &group];
        let said = match stack.root().call(arguments).await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(Vec::new()),
            said => said?,
        };
        let events = said.get("events").and_then(Value::as_array);
        let lines = events.into_iter().flatten().filter_map(|event| {
            let line = event.get("message")?.as_str()?;
            Some(line.trim_end().to_owned())
        });
        Ok(lines.collect())
    }
}

/// What Lambda calls this machine's architecture.
#[must_use]
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

async fn upload(
    workspace: &Workspace,
    stack: &LocalStack,
    artifacts: &Artifacts,
    plan: &Plan<'_>,
    template: &Path,
) -> Result<(), Failure> {
    let script = workspace.infra_local("package.py");
    let mut command = Command::new(stack.python().interpreter());
    command
        .args(["-B".as_ref(), script.as_os_str(), "upload".as_ref()])
        .args([workspace.template().as_path(), template])
        .arg(BUCKET);
    for function in Function::ALL {
        let package = artifacts.package(function);
        let mut contents = Map::from_iter([("package".to_owned(), json!(package.to_string_lossy()))]);
        for name in function.reads() {
            let folder = plan.contents.folder(name).map(Path::to_string_lossy);
            contents.insert((*name).to_owned(), json!(folder));
        }
        command.arg(function.logical_id()).arg(Value::Object(contents).to_string());
    }
    command.env_clear().envs(stack.root().environment());
    run(command, "package.py upload").await.map(drop)
}

async fn outputs(root: &Aws, name: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let described = root.call(["cloudformation", "describe-stacks", "--stack-name", name]).await?;
    let outputs = described.pointer("/Stacks/0/Outputs").and_then(Value::as_array);
    let text = |output: &Value, key: &str| Some(output.get(key)?.as_str()?.to_owned());
    Ok(outputs
        .into_iter()
        .flatten()
        .filter_map(|output| Some((text(output, "OutputKey")?, text(output, "OutputValue")?)))
        .collect())
}

/// The first resource CloudFormation gave up on, and why. Later ones failed because of it.
async fn first_failure(root: &Aws, name: &str) -> Option<String> {
    let events = root.call(["cloudformation", "describe-stack-events", "--stack-name", name]).await.ok()?;
    // Newest first.
    events.get("StackEvents")?.as_array()?.iter().rev().find_map(|event| {
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        text("ResourceStatus")?.ends_with("_FAILED").then(|| {
            let resource = text("LogicalResourceId").unwrap_or("a resource");
            let reason = text("ResourceStatusReason").unwrap_or("no reason given");
            format!("`{resource}`: {reason}")
        })
    })
}
