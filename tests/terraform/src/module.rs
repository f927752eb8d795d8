//! The files of a module: which resource stands in which, and what stands around them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cloudformation::{Template, workspace};
use crate::language::{Block, Expr};
use crate::parameters;
use crate::translate::{Resource, resources};

/// A module and the template that it is made from.
pub(crate) struct Module {
    /// In `infra/`.
    pub(crate) template: &'static str,
    /// In `infra/`.
    pub(crate) folder: &'static str,
    /// Templates whose parameters and outputs its descriptions speak of.
    others: &'static [&'static str],
    /// The file for a resource, by its name in the template and its type in Terraform.
    topic: fn(&str, &str) -> &'static str,
}

/// All modules.
pub(crate) const MODULES: [Module; 2] = [
    Module { template: "template.yaml", folder: "terraform", others: &[], topic: of_curfew },
    Module {
        template: "tenant.yaml",
        folder: "terraform/tenant",
        others: &["template.yaml"],
        topic: |id, _| if id == "Boundary" { "boundary.tf" } else { "agent_role.tf" },
    },
];

/// The newest major of the provider, and the version whose documentation arguments.toml has.
pub(crate) const PROVIDER: &str = "~> 6.66";

/// Nothing in here is younger.
const TERRAFORM: &str = ">= 1.5";

fn of_curfew(id: &str, kind: &str) -> &'static str {
    match (id, kind) {
        ("FailedInvocations" | "TimerDeadLetters" | "TimerDeadLettersPolicy" | "RuleTimersPermission", _) => {
            "timers.tf"
        }
        ("WebhookApi" | "WebhookAccessLogs" | "WebhookSecret", _) => "webhooks.tf",
        ("GrantFunctionUrl" | "GrantFunctionUrlPermission" | "GrantFunctionUrlInvokePermission", _) => {
            "webhooks.tf"
        }
        ("UnreadableRecords", _) => "audit.tf",
        (_, "aws_dynamodb_table") => "ledger.tf",
        (_, "aws_scheduler_schedule_group") => "timers.tf",
        (_, "aws_iam_role" | "aws_iam_role_policy" | "aws_iam_role_policy_attachment") => "permissions.tf",
        (_, "aws_iam_policy") => "policies.tf",
        (_, "aws_kms_key" | "aws_cloudwatch_event_bus" | "aws_cloudwatch_event_bus_policy") => "audit.tf",
        (_, kind) if kind.starts_with("aws_s3_") => "audit.tf",
        (_, kind) if kind.starts_with("aws_apigatewayv2_") => "webhooks.tf",
        (_, "aws_cloudwatch_metric_alarm") => "alarms.tf",
        (_, "aws_cloudwatch_dashboard" | "aws_cloudwatch_query_definition") => "console.tf",
        (_, "aws_lambda_event_source_mapping") => "functions.tf",
        (_, kind) if kind.starts_with("aws_lambda_") && id.ends_with("Function") => "functions.tf",
        (_, "aws_cloudwatch_event_rule" | "aws_cloudwatch_event_target") => "functions.tf",
        (_, "aws_cloudwatch_log_group") => "functions.tf",
        _ => panic!("in which file does {id} ({kind}) stand? Say it in module.rs"),
    }
}

impl Module {
    pub(crate) fn path(&self) -> PathBuf {
        workspace().join("infra").join(self.folder)
    }

    /// The files' texts by their names.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let template = Template::read(self.template);
        let others: Vec<Template> = self.others.iter().map(|file| Template::read(file)).collect();
        let others: Vec<&Template> = others.iter().collect();
        let made = resources(&template);
        let body: Vec<Block> = made.iter().map(|resource| resource.block.clone()).collect();
        let outputs = parameters::outputs(&template, &others);
        let conditions = parameters::conditions(&template);

        let mut blocks: BTreeMap<&str, Vec<Block>> = BTreeMap::new();
        blocks.insert("versions.tf", vec![versions()]);
        let used: String = body.iter().chain(&outputs).map(|block| block.write(0)).collect();
        blocks.insert(
            "variables.tf",
            [own_variables(&used), parameters::variables(&template, &others)].concat(),
        );
        blocks.insert("locals.tf", locals(&used, conditions));
        blocks.insert("outputs.tf", outputs);
        for Resource { id, block } in made {
            let topic = (self.topic)(&id, &block.labels[0]);
            blocks.entry(topic).or_default().push(block);
        }
        blocks.into_iter().map(|(file, blocks)| (file.to_owned(), self.text(&blocks))).collect()
    }

    fn text(&self, blocks: &[Block]) -> String {
        let written: Vec<String> = blocks.iter().map(|block| block.write(0)).collect();
        format!(
            "# Made by the tests from infra/{}. Don't edit it by hand:\n\
             #   CURFEW_UPDATE_DOCS=1 cargo terraform\n\n{}",
            self.template,
            written.join("\n")
        )
    }
}

fn versions() -> Block {
    let mut block = Block::new("terraform", &[]);
    block.set("required_version", Expr::text(TERRAFORM));
    let mut providers = Block::new("required_providers", &[]);
    let aws = [("source", "hashicorp/aws"), ("version", PROVIDER)];
    let aws = aws.map(|(key, value)| (key.to_owned(), Expr::text(value)));
    providers.set("aws", Expr::Object(aws.to_vec()));
    block.add(providers);
    block
}

/// What CloudFormation and SAM know by themselves.
fn own_variables(used: &str) -> Vec<Block> {
    let mut all = Vec::new();
    if used.contains("var.stack_name") {
        let mut block = Block::new("variable", &["stack_name"]);
        block.set(
            "description",
            Expr::text(
                "What all names begin with, so that several deployments can stand side by side in one account and region.",
            ),
        );
        block.set("type", Expr::name("string"));
        block.set("nullable", Expr::Bool(false));
        for (condition, message) in [
            (
                r#"can(regex("^[a-z][a-z0-9-]{0,26}$", var.stack_name))"#,
                "stack_name: must be at most 27 lower-case letters, digits and hyphens, a letter first (the archive's bucket is named after it)",
            ),
            (
                r#"!startswith("${var.stack_name}-", "curfew-g-")"#,
                "stack_name: must not begin with curfew-g-, because the names of timers do, and Curfew may delete what is named so",
            ),
        ] {
            let mut validation = Block::new("validation", &[]);
            validation.set("condition", Expr::name(condition));
            validation.set("error_message", Expr::text(message));
            block.add(validation);
        }
        all.push(block);
    }
    if used.contains("var.package_directory") {
        let mut block = Block::new("variable", &["package_directory"]);
        let description = "The folder with the functions' packages: a zip file for each function (README.md says how they are built).";
        block.set("description", Expr::text(description));
        block.set("type", Expr::name("string"));
        block.set("nullable", Expr::Bool(false));
        all.push(block);
    }
    all
}

/// Where the module is applied, as far as it wants to know, and the template's conditions.
fn locals(used: &str, conditions: Block) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut block = Block::new("locals", &[]);
    for (local, source, attribute) in [
        ("account_id", "aws_caller_identity", "account_id"),
        ("partition", "aws_partition", "partition"),
        ("region", "aws_region", "region"),
    ] {
        if used.contains(&format!("local.{local}")) {
            blocks.push(Block::new("data", &[source, "current"]));
            block.set(local, Expr::name(format!("data.{source}.current.{attribute}")));
        }
    }
    blocks.push(block);
    blocks.push(conditions);
    blocks
}
