//! What is under load: accounts, people, grants that end in the same minute, and how much each service gives.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use curfew_app::open::{OpenSettings, Opened, open};
use curfew_app::ports::LedgerError;
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::effect::TimerKind;
use curfew_domain::grant::Grant;
use curfew_domain::ids::GrantId;
use curfew_domain::principal::Principal;
use curfew_domain::request::{AccessRequest, WindowEnd};
use curfew_domain::retry::LAP_LIMIT;
use curfew_domain::window::plus;
use jiff::{SignedDuration, Timestamp};

use crate::fixtures::{self, OWN_ACCOUNT, START};
use crate::guardrails::permissive;
use crate::world::World;

/// How many grants each person has: what fits into a role's inline policies.
const GRANTS_OF_A_PERSON: usize = 10;

/// Every so many grants one is privileged.
const PRIVILEGED_EVERY: usize = 5;

/// The last account has so many times fewer grants than each of the others: what should not wait for them.
const SMALL_ACCOUNT: usize = 20;

/// When all windows are over, and all timers fire: an hour after [`START`].
pub(super) const END: Timestamp = Timestamp::constant(1_795_258_800, 0);

/// Why a load could not be set up or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The catalog does not check.
    #[error("the catalog of the load does not check: {0}")]
    Catalog(String),
    /// Something was not granted.
    #[error("a grant of the load was not opened: {0}")]
    NotOpened(String),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An invocation waits for what nobody delivers.
    #[error(transparent)]
    Stalled(#[from] crate::task::Stalled),
}

/// A load, and what the services give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many grants end in the same minute.
    pub grants: usize,
    /// In how many accounts. The last one has twenty times fewer than each other.
    pub accounts: usize,
    /// How many writes a second IAM lets through in each account.
    pub writes_a_second: u64,
    /// How many it lets through at once after a pause.
    pub burst: u64,
    /// How many invocations of the revoke function run at once.
    pub revoke_concurrency: usize,
    /// How many items one lap of the sweep looks at, at most.
    pub lap_limit: usize,
    /// Of what the SDK's pauses are made.
    pub seed: u64,
}

/// A grant of the load, as it was made.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) account: String,
    pub(super) privileged: bool,
    pub(super) principal: Principal,
    pub(super) policy: String,
    pub(super) ends_at: Timestamp,
}

/// A world with the load in it, just before its end.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) catalog: Catalog,
    pub(super) members: BTreeMap<GrantId, Member>,
}

impl Load {
    /// The issue's: 10,000 grants in three accounts, and an IAM that lets 20 writes a second through in each.
    #[must_use]
    pub fn full() -> Self {
        Self {
            grants: 10_000,
            accounts: 3,
            writes_a_second: 20,
            burst: 40,
            revoke_concurrency: 100,
            lap_limit: LAP_LIMIT,
            seed: 1,
        }
    }

    /// The account of the `n`-th tenant.
    pub(super) fn account(n: usize) -> String {
        if n == 0 { OWN_ACCOUNT.to_owned() } else { format!("{}", 500_000_000_000_u64 + n as u64) }
    }

    fn tenant_of(self, n: usize) -> usize {
        let large = self.accounts.saturating_sub(1).max(1);
        // So many that the small account has a twentieth of what each other has.
        if n.checked_rem(large * SMALL_ACCOUNT + 1) == Some(large * SMALL_ACCOUNT) {
            self.accounts.saturating_sub(1)
        } else {
            n.checked_rem(large).unwrap_or_default()
        }
    }

    fn person(n: usize) -> usize {
        n / GRANTS_OF_A_PERSON
    }

    /// People of their own stand after the load's, for what is asked for meanwhile.
    pub(super) fn someone_else(self) -> usize {
        Self::person(self.grants) + 1
    }

    fn catalog(self) -> Result<Catalog, LoadError> {
        let mut text = String::from(
            "[permission.read_data]\ndescription = \"Read\"\n[[permission.read_data.statement]]\n\
             Effect = \"Allow\"\nAction = \"s3:GetObject\"\nResource = \"arn:aws:s3:::${tenant}-data/*\"\n",
        );
        for (role, privileged) in [("ops", false), ("admin", true)] {
            let _ = writeln!(
                text,
                "[role.{role}]\ndescription = \"{role}\"\npermissions = [\"read_data\"]\n\
                 max_duration = \"4h\"\ndefault_duration = \"1h\"\nprivileged = {privileged}"
            );
        }
        for tenant in 0..self.accounts {
            let account = Self::account(tenant);
            let _ = writeln!(text, "[tenant.t{tenant}]\naccount = \"{account}\"\nregion = \"us-east-1\"");
            if tenant > 0 {
                let _ = writeln!(
                    text,
                    "agent_role = \"arn:aws:iam::{account}:role/curfew-agent\"\nexternal_id = \"t{tenant}-x\""
                );
            }
        }
        for person in 0..=self.someone_else() {
            let roles: Vec<String> =
                (0..self.accounts).map(|tenant| role_of(&Self::account(tenant), person)).collect();
            let _ = writeln!(text, "[person.\"p{person}@example.com\"]\nprincipals = {roles:?}");
        }
        text.push_str("[person.\"carl@example.com\"]\n");
        Catalog::parse(&[CatalogFile { name: "load.toml".to_owned(), text }])
            .map_err(|findings| LoadError::Catalog(findings.to_string()))
    }

    /// Who asks for what in the `n`-th grant.
    fn request(self, n: usize) -> AccessRequest {
        let privileged = n.is_multiple_of(PRIVILEGED_EVERY);
        let role = if privileged { "admin" } else { "ops" };
        let who = format!("p{}", Self::person(n));
        let tenant = format!("t{}", self.tenant_of(n));
        let mut request = fixtures::request_of(&who, &tenant, role, &format!("CHG-{n}"));
        // All over the last minute.
        let early = i64::try_from(n % 60).unwrap_or_default();
        request.window.end = Some(WindowEnd::At(plus(END, -SignedDuration::from_secs(early))));
        request
    }

    /// Opens all of them, by the application and without limits: what is tested is how they end.
    pub(super) fn scene(self) -> Result<Scene, LoadError> {
        let world = World::new(START).unchecked();
        let catalog = self.catalog()?;
        world.change(|aws| {
            for person in 0..=self.someone_else() {
                for tenant in 0..self.accounts {
                    if let Ok(role) = Principal::parse(&role_of(&Self::account(tenant), person)) {
                        aws.iam.create(&role);
                    }
                }
            }
        });
        let mut members = BTreeMap::new();
        for n in 0..self.grants {
            let ports = world.invocation();
            let opened = world.finish(open(&ports, permissive(&catalog), self.request(n), settings()))??;
            let Opened::Activated(grant) = opened else {
                return Err(LoadError::NotOpened(format!("{opened:?}")));
            };
            members.insert(grant.id().clone(), Member::of(&grant));
        }
        Ok(Scene { world, catalog, members })
    }
}

impl Member {
    pub(super) fn of(grant: &Grant) -> Self {
        Self {
            account: grant.route().account.clone(),
            privileged: grant.privileged(),
            principal: grant.access().principal().clone(),
            policy: grant.id().object_name(),
            ends_at: grant.window().expires_at(),
        }
    }
}

/// As the template sets them.
pub(super) fn settings() -> OpenSettings<'static> {
    OpenSettings {
        own_account: OWN_ACCOUNT,
        timer: TimerKind::Scheduler,
        sweep_grace: SignedDuration::from_secs(60),
    }
}

fn role_of(account: &str, person: usize) -> String {
    format!("arn:aws:iam::{account}:role/p{person}")
}
