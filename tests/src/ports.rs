//! Curfew's own ports on the local stack, for tests that need what no webhook can bring about: a grant in a chosen
//! state, as an invocation that died there would have left it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use curfew_app::ports::{Clock, Invocation, Vouch, Vouching};
use curfew_aws::{Aws, AwsPorts, AwsServices, AwsSettings, May, TimerTarget};
use curfew_cli::stack::REGION;
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::decision::{DecisionFacts, Permit, Permitted, Plan, decide};
use curfew_domain::ids::{DeliveryId, Email, GuardrailId, RoleName, Source, TenantId, TicketId};
use curfew_domain::request::{
    AccessRequest, Approval as DomainApproval, Basis, TicketFacts, WindowEnd, WindowRequest,
};
use curfew_domain::window::Window;
use jiff::Timestamp;

use crate::catalog::APPROVER;
use crate::client::Client;
use crate::curfew::{Curfew, SOURCE, fresh_delivery};
use crate::person::Person;
use crate::wait::{later, now};
use crate::world::World;
use crate::{Approval, approval};

/// The time of this machine, at whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// How long the requests of an invocation that a test plays may be under way.
const LEASE: i64 = 60;

/// Curfew's ports as root of its account, on the table and timers of a deployment, for an invocation of their own.
#[must_use]
pub fn ports(world: &World, curfew: &Curfew) -> AwsPorts<WallClock> {
    ports_of(world, curfew, &world.root())
}

/// The same with somebody else's credentials.
#[must_use]
pub fn ports_of(world: &World, curfew: &Curfew, who: &Client) -> AwsPorts<WallClock> {
    let has = who.credentials();
    let credentials = Credentials::new(
        &has.access_key_id,
        &has.secret_access_key,
        has.session_token.clone(),
        None,
        "curfew-tests",
    );
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .endpoint_url(world.stack().endpoint())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let own = |role: &str| format!("arn:aws:iam::{}:role/{role}", world.acme().account());
    let settings = AwsSettings {
        table: curfew.table().to_owned(),
        schedule_group: curfew.output("ScheduleGroup").to_owned(),
        vouching: Vouching::by(|_| Vouch::Given),
        timer_target: Some(TimerTarget {
            revoke_function_arn: format!(
                "arn:aws:lambda:{REGION}:{}:function:{}",
                world.acme().account(),
                curfew.output("RevokeFunctionName")
            ),
            // Root may pass any role. These timers are not meant to fire.
            scheduler_role_arn: own("nobody"),
            dlq_arn: None,
        }),
        may: May::Give,
    };
    let aws = Arc::new(Aws::from_config(config));
    let services = AwsServices::new(Arc::clone(&aws), settings, Arc::new(WallClock));
    let ports = services.during(Invocation { id: fresh_delivery(), lease_until: later(now(), LEASE) });
    // Nobody ends a test for its invocation's time.
    aws.limit(Arc::new(|| Duration::from_secs(60)));
    ports
}

/// What an approval becomes when it is accepted at `at`, decided by the tests' catalog.
///
/// # Panics
/// It is denied.
#[must_use]
pub fn plan(
    world: &World,
    curfew: &Curfew,
    person: &Person,
    role: &str,
    window: Window,
    at: Timestamp,
) -> Plan {
    plan_on(world, curfew, person, role, window, at, &approval::fresh_ticket())
}

/// As [`plan`], on a chosen ticket.
///
/// # Panics
/// It is denied.
#[must_use]
pub fn plan_on(
    world: &World,
    curfew: &Curfew,
    person: &Person,
    role: &str,
    window: Window,
    at: Timestamp,
    ticket: &str,
) -> Plan {
    let own_account = world.acme().account();
    let catalog = Catalog::parse(&files_of(curfew)).expect("the tests' catalog");
    let request = AccessRequest {
        source: Source::new(SOURCE).expect("a source"),
        ticket: TicketId::new(ticket).expect("a ticket"),
        requester: Email::new(&person.email).expect("a person"),
        tenant: TenantId::new(world.acme().name()).expect("a tenant"),
        role: RoleName::new(role).expect("a role"),
        principal: None,
        window: WindowRequest {
            starts_at: Some(window.starts_at()),
            end: Some(WindowEnd::At(window.expires_at())),
        },
        approvals: vec![DomainApproval { approver: Email::new(APPROVER).expect("a person"), at }],
        basis: Basis::Approvals,
        ticket_facts: TicketFacts::default(),
        justification: "written down by hand".to_owned(),
        delivery: DeliveryId::new(fresh_delivery()).expect("a delivery"),
    };
    let facts = DecisionFacts { now: at, own_account: own_account.to_owned() };
    decide(&catalog, &request, &facts).expect("a plan")
}

/// The catalog's files that a Curfew was deployed with.
fn files_of(curfew: &Curfew) -> Vec<CatalogFile> {
    let folder = std::fs::read_dir(curfew.catalog()).expect("the catalog's folder");
    let file = |path: &Path| {
        let name = path.file_name().and_then(OsStr::to_str).expect("a file's name").to_owned();
        CatalogFile { name, text: std::fs::read_to_string(path).expect("a catalog's file") }
    };
    let paths = folder.map(|entry| entry.expect("a file").path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| file(&path))
        .collect()
}

/// A plan as guardrails would let it pass: what they say is not what these tests are about.
///
/// # Panics
/// Never: the guardrail's name is valid.
#[must_use]
pub fn permitted(plan: Plan) -> Permitted {
    let permitted_by = vec![GuardrailId::new("written-by-hand").expect("a guardrail")];
    plan.permitted(Permit { guardrails_digest: "none".to_owned(), permitted_by, review: None })
}

/// The webhook that says the same as a plan.
#[must_use]
pub fn approval_of(plan: &Plan, person: &Person) -> Approval {
    Approval::of(person, plan.request.tenant.as_str(), plan.request.role.as_str())
        .ticket(plan.request.ticket.as_str())
        .starting(plan.window.starts_at())
        .until(plan.window.expires_at())
}
