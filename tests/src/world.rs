//! The world that all tests of one binary share: the local stack, two tenants, and Curfew in several flavours.
//!
//! Everything is made when the first test asks for it and shared from then on; what a test changes is its own:
//! its people, its tickets. The local stack ends with the process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use curfew_cli::artifacts::Artifacts;
use curfew_cli::aws::{Aws, Credentials};
use curfew_cli::deploy::{Contents, Deployment, Plan};
use curfew_cli::python::Python;
use curfew_cli::seed::{Tenant, webhook_secrets};
use curfew_cli::stack::{ACCOUNT, LocalStack, REGION};
use curfew_cli::webhook::SigningSecret;
use curfew_cli::workspace::Workspace;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::catalog::{self, ACME, EXTERNAL_ID, GLOBEX, Kind, OTHER_ACCOUNT, PEOPLE};
use crate::client::Client;
use crate::curfew::{Curfew, SOURCE};
use crate::person::Person;

/// A Curfew that tests share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Timers by EventBridge Scheduler; the default.
    Scheduler,
    /// Timers by EventBridge rules; and the grant function has a URL of its own.
    Rules,
    /// Timers by EventBridge Scheduler, and a sweep that takes over at the timer's time without grace.
    Eager,
    /// A sweep that compares AWS with the ledger every minute, and ends what was tampered with.
    Watchful,
    /// As [`Self::Watchful`], but it restores what was tampered with.
    Restoring,
}

impl Flavour {
    fn deployment(self) -> &'static str {
        match self {
            Self::Scheduler => "curfew",
            Self::Rules => "curfew-rules",
            Self::Eager => "curfew-eager",
            Self::Watchful => "curfew-watchful",
            Self::Restoring => "curfew-restoring",
        }
    }

    fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Scheduler => &[],
            Self::Rules => &[("TimerKind", "rules"), ("FunctionUrl", "public")],
            Self::Eager => &[("SweepGraceSeconds", "0")],
            // The emulator's IAM is not behind, so a margin of seconds is enough.
            Self::Watchful => &[("DriftMinutes", "1"), ("DriftMarginSeconds", "5")],
            Self::Restoring => {
                &[("DriftMinutes", "1"), ("DriftMarginSeconds", "5"), ("DriftResponse", "restore")]
            }
        }
    }
}

/// What the tests of one binary share.
#[derive(Debug)]
pub struct World {
    workspace: Workspace,
    artifacts: Artifacts,
    stack: LocalStack,
    acme: Tenant,
    globex: Tenant,
    curfews: [OnceCell<Curfew>; 5],
    agents: [OnceCell<()>; 5],
    people: Mutex<HashMap<Kind, usize>>,
    catalogs: AtomicUsize,
}

static WORLD: OnceCell<World> = OnceCell::const_new();

/// The world, made for the first test that asks.
pub async fn world() -> &'static World {
    WORLD.get_or_init(World::make).await
}

impl World {
    async fn make() -> Self {
        let workspace = Workspace::find().expect("the repository");
        let python = Python::provision(&workspace).await.expect("a Python environment");
        let artifacts = Artifacts::build(&workspace, &python).await.expect("the functions' packages");
        let stack = LocalStack::start(&workspace, &python, None).await.expect("a running local stack");
        let world = Self {
            workspace,
            artifacts,
            stack,
            acme: Tenant::new(ACME, ACCOUNT),
            globex: Tenant::new(GLOBEX, OTHER_ACCOUNT),
            curfews: Default::default(),
            agents: Default::default(),
            people: Mutex::default(),
            catalogs: AtomicUsize::new(0),
        };
        tokio::join!(world.furnish(&world.acme), world.furnish(&world.globex));
        world
    }

    /// Makes what a tenant has: data, a boundary, and a standing policy for the role `auditor`.
    async fn furnish(&self, tenant: &Tenant) {
        tenant.make(&self.command_line(tenant.account())).await.expect("a tenant's data");
        let objects = format!("arn:aws:s3:::{}/*", tenant.bucket());
        let document = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": objects }],
        });
        let name = format!("{}-auditor", tenant.name());
        let parameters = [("PolicyName", &*name), ("PolicyDocument", &document.to_string())];
        let made = self.root_of(tenant.account()).query("iam", "CreatePolicy", &parameters).await;
        made.expect("a standing policy");
    }

    /// The local stack.
    #[must_use]
    pub fn stack(&self) -> &LocalStack {
        &self.stack
    }

    /// The tenant in Curfew's own account.
    #[must_use]
    pub fn acme(&self) -> &Tenant {
        &self.acme
    }

    /// The tenant in another account.
    #[must_use]
    pub fn globex(&self) -> &Tenant {
        &self.globex
    }

    /// The ARN of the standing policy that the role `auditor` attaches.
    #[must_use]
    pub fn auditor_policy(&self, tenant: &Tenant) -> String {
        format!("arn:aws:iam::{}:policy/{}-auditor", tenant.account(), tenant.name())
    }

    /// Root of Curfew's own account.
    #[must_use]
    pub fn root(&self) -> Client {
        self.root_of(ACCOUNT)
    }

    /// Root of an account.
    #[must_use]
    pub fn root_of(&self, account: &str) -> Client {
        self.client(Credentials::emulator_root(if account == ACCOUNT { "test" } else { account }))
    }

    /// A client with these credentials.
    #[must_use]
    pub fn client(&self, credentials: Credentials) -> Client {
        Client::new(self.stack.endpoint(), credentials)
    }

    /// The `aws` command line of an account's root.
    #[must_use]
    pub fn command_line(&self, account: &str) -> Aws {
        if account == ACCOUNT { self.stack.root() } else { self.stack.root_of(account) }
    }

    /// A person with an IAM user in Curfew's own account.
    pub async fn person(&self) -> Person {
        self.somebody(Kind::User).await
    }

    /// A person with an IAM role in Curfew's own account.
    pub async fn person_with_role(&self) -> Person {
        self.somebody(Kind::Role).await
    }

    /// A person with an IAM user in the account of [`GLOBEX`].
    pub async fn person_abroad(&self) -> Person {
        self.somebody(Kind::Abroad).await
    }

    /// A person whom no other test gets.
    ///
    /// # Panics
    /// There are no more, or IAM refused.
    pub async fn somebody(&self, kind: Kind) -> Person {
        let n = {
            let mut people = self.people.lock().expect("no test panics while it counts");
            let n = people.entry(kind).or_default();
            *n += 1;
            *n
        };
        assert!(n <= PEOPLE, "more people are needed: raise `catalog::PEOPLE`");
        let tenant = if kind == Kind::Abroad { &self.globex } else { &self.acme };
        Person::make(&self.root_of(tenant.account()), self.stack.endpoint(), kind, n, tenant).await
    }

    /// A Curfew that tests share.
    pub async fn curfew(&self, flavour: Flavour) -> &Curfew {
        let cell = &self.curfews[flavour as usize];
        cell.get_or_init(|| self.deploy(flavour.deployment(), flavour.parameters(), &[])).await
    }

    /// A Curfew that tests share, with its agent role in the account of [`GLOBEX`].
    pub async fn curfew_with_agent(&self, flavour: Flavour) -> &Curfew {
        let curfew = self.curfew(flavour).await;
        self.agents[flavour as usize].get_or_init(|| self.deploy_agent(curfew)).await;
        curfew
    }

    /// Deploys a Curfew of one's own. Later files of `catalog` replace the tests' ones of the same name; those named
    /// `guardrails/…` and `senders/…` go there.
    ///
    /// # Panics
    /// CloudFormation refused.
    pub async fn deploy(&self, name: &str, parameters: &[(&str, &str)], catalog: &[(&str, &str)]) -> Curfew {
        let boundary = self.acme.boundary_arn();
        let agent = catalog::agent_role_arn(name);
        let managed = self.auditor_policy(&self.acme);
        let tenants = format!("{ACME},{}", catalog::INITECH);
        let mut all = vec![
            ("TenantBoundaryArns", &*boundary),
            ("TenantIds", &*tenants),
            ("AgentRoleArns", &*agent),
            ("ManagedPolicyArns", &*managed),
            ("DeletionProtection", "false"),
            ("ArchiveRetentionDays", "1"),
            ("AuditBatchSeconds", "1"),
        ];
        all.extend_from_slice(parameters);
        let (deployment, folder) = self.stand(name, &all, catalog).await;
        let secret = SigningSecret::generate().expect("a secret");
        let secret_id = deployment.output("WebhookSecretName").expect("an output of the template");
        webhook_secrets(&self.stack, secret_id, &[(SOURCE, &secret)]).await.expect("a webhook secret");
        Curfew { deployment, secret, root: self.root(), catalog: folder }
    }

    /// Updates a Curfew in place, as whoever deploys the next version does: with another catalog in its packages, and
    /// other values for these parameters; the others stay.
    ///
    /// # Panics
    /// CloudFormation refused.
    pub async fn update(
        &self,
        curfew: &Curfew,
        parameters: &[(&str, &str)],
        catalog: &[(&str, &str)],
    ) -> Curfew {
        let (deployment, folder) = self.stand(&curfew.deployment.name, parameters, catalog).await;
        Curfew { deployment, secret: curfew.secret.clone(), root: self.root(), catalog: folder }
    }

    /// Has CloudFormation make or update a stack; the folder that its packages were filled from.
    async fn stand(
        &self,
        name: &str,
        parameters: &[(&str, &str)],
        catalog: &[(&str, &str)],
    ) -> (Deployment, PathBuf) {
        let folder = self.write_package(name, catalog);
        let (guardrails, senders) = (folder.join("guardrails"), folder.join("senders"));
        let contents = Contents { catalog: &folder, guardrails: &guardrails, senders: &senders };
        let plan = Plan { name, contents, parameters };
        let made = Deployment::make(&self.workspace, &self.stack, &self.artifacts, &plan).await;
        (made.expect("a deployed template"), folder)
    }

    /// The catalog, with the shipped guardrails in `guardrails/` and the senders' configuration in `senders/`.
    fn write_package(&self, deployment: &str, more: &[(&str, &str)]) -> PathBuf {
        let n = self.catalogs.fetch_add(1, Ordering::Relaxed);
        let folder = self.stack.folder().join(format!("catalog-{n}"));
        for name in ["guardrails", "senders"] {
            std::fs::create_dir_all(folder.join(name)).expect("a folder for the package");
        }
        let shipped = self.workspace.root().join("infra").join("guardrails");
        for entry in std::fs::read_dir(&shipped).expect("the shipped guardrails") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "cedar") {
                let name = path.file_name().expect("a name");
                std::fs::copy(&path, folder.join("guardrails").join(name)).expect("a copy");
            }
        }
        let files = catalog::files(deployment, ACCOUNT, REGION);
        let more = more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        for (name, text) in files.into_iter().chain(more) {
            std::fs::write(folder.join(name), text).expect("a catalog's file");
        }
        folder
    }

    /// Deploys `infra/tenant.yaml` in the account of [`GLOBEX`], for one Curfew. Its people carry the boundary that they
    /// were made with; the one of the template counts beside it.
    async fn deploy_agent(&self, curfew: &Curfew) {
        let name = &curfew.deployment.name;
        let template = self.workspace.root().join("infra").join("tenant.yaml");
        let role = |output: &str| format!("{output}={}", curfew.output(output));
        let parameters = [
            format!("RoleName={}", catalog::agent_role_name(name)),
            role("GrantRoleArn"),
            role("RevokeRoleArn"),
            role("SweepRoleArn"),
            format!("CurfewStackName={name}"),
            format!("TenantId={GLOBEX}"),
            format!("ExternalId={EXTERNAL_ID}"),
            // More than anybody should list: what the boundary denies, it has to deny by itself.
            "GrantableActions=s3:*,dynamodb:*,iam:*,sts:*,events:*,kms:*,logs:*,scheduler:*".to_owned(),
            format!("AnotherBoundaryArn={}", self.globex.boundary_arn()),
            format!("ManagedPolicyArns={}", self.auditor_policy(&self.globex)),
        ];
        let (template, stack) = (template.display().to_string(), catalog::agent_role_name(name));
        let command = ["cloudformation", "deploy", "--stack-name", &stack, "--template-file", &template];
        let arguments = command.into_iter().map(str::to_owned);
        let capabilities =
            ["--capabilities", "CAPABILITY_NAMED_IAM", "--parameter-overrides"].map(str::to_owned);
        let deployed =
            self.command_line(OTHER_ACCOUNT).run(arguments.chain(capabilities).chain(parameters)).await;
        deployed.expect("a deployed agent role");
    }
}
