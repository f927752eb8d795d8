//! The demo's world: the local stack with Curfew deployed, one tenant, and one person who has no access yet.
//!
//! Its catalog is `infra/local/catalog/`; names here and there must agree.
//!
//! Must not know: what is then played in it.

use jiff::Timestamp;
use serde_json::json;

use crate::artifacts::Artifacts;
use crate::aws::Aws;
use crate::deploy::{Contents, Deployment, Plan};
use crate::edge;
use crate::failure::Failure;
use crate::progress::say;
use crate::python::Python;
use crate::seed::{Person, Tenant, webhook_secrets};
use crate::stack::{ACCOUNT, LocalStack};
use crate::webhook::{Delivery, SigningSecret};
use crate::workspace::Workspace;

/// The tenant.
pub const TENANT: &str = "acme-prod";
/// Who asks, and has an IAM user.
pub const REQUESTER: &str = "dana@example.com";
/// That user.
pub const USER: &str = "dana";
/// Who approves.
pub const APPROVER: &str = "carlos@example.com";
/// What is asked for.
pub const ROLE: &str = "prod-readonly";
/// The ITSM tool, as Curfew knows it.
pub const SOURCE: &str = "itsm";

/// Everything up and ready. Dropping it stops it.
#[derive(Debug)]
pub struct Playground {
    /// The emulator.
    pub stack: LocalStack,
    /// Curfew in it.
    pub deployment: Deployment,
    /// The tenant.
    pub tenant: Tenant,
    /// The person without access.
    pub person: Person,
    secret: SigningSecret,
}

impl Playground {
    /// Provisions, builds, starts, deploys and seeds: minutes the first time, seconds later.
    ///
    /// # Errors
    /// See [`Failure`]; whatever was started is stopped.
    pub async fn raise(port: Option<u16>) -> Result<Self, Failure> {
        let workspace = Workspace::find()?;
        let python = Python::provision(&workspace).await?;
        // First of all the port: nobody should wait for a build to hear that it is in use.
        let stack = LocalStack::start(&workspace, &python, port).await?;
        say(format_args!("the local stack runs at {}", stack.endpoint()));
        let artifacts = Artifacts::build(&workspace, &python).await?;
        say(format_args!("deploying infra/template.yaml"));
        let tenant = Tenant::new(TENANT, ACCOUNT);
        let root = stack.root();
        tenant.make(&root).await?;
        let boundary = tenant.boundary_arn();
        let plan = Plan {
            name: "curfew",
            contents: Contents {
                catalog: &workspace.infra_local("catalog"),
                guardrails: &workspace.infra("guardrails"),
                senders: &workspace.infra("senders"),
            },
            parameters: &[("TenantBoundaryArns", &boundary), ("TenantIds", TENANT)],
        };
        let deployment = Deployment::make(&workspace, &stack, &artifacts, &plan).await?;
        let secret = SigningSecret::generate()?;
        let secret_id = deployment.output("WebhookSecretName")?;
        webhook_secrets(&stack, secret_id, &[(SOURCE, &secret)]).await?;
        let person = tenant.person(&root, USER).await?;
        Ok(Self { stack, deployment, tenant, person, secret })
    }

    /// The `aws` command line with the person's own key.
    #[must_use]
    pub fn as_person(&self) -> Aws {
        self.stack.aws(self.person.credentials.clone())
    }

    /// Where the ITSM tool posts.
    ///
    /// # Errors
    /// The template has no output for it.
    pub fn webhook_url(&self) -> Result<String, Failure> {
        self.deployment.webhook_url(SOURCE)
    }

    /// The ITSM tool's webhook for an approved ticket, signed now.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn approval(&self, ticket: &str, ends_at: Timestamp) -> Result<Delivery, Failure> {
        let now = edge::now();
        let body = json!({
            "type": "access.approved",
            "ticket": ticket,
            "requester": REQUESTER,
            "tenant": TENANT,
            "role": ROLE,
            "approvals": [{ "approver": APPROVER, "at": now.to_string() }],
            "window": { "end": ends_at.to_string() },
            "justification": "Find out why order order-1 was not shipped.",
        });
        self.secret.sign(&format!("msg_{ticket}"), now, body.to_string().as_bytes())
    }
}
