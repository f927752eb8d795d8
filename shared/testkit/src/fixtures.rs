//! A small catalog, people and requests for tests; and a world in which its principals exist.

use curfew_app::open::OpenSettings;
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::effect::TimerKind;
use curfew_domain::ids::{DeliveryId, Email, RoleName, Source, TenantId, TicketId};
use curfew_domain::principal::Principal;
use curfew_domain::request::{
    AccessRequest, Approval, Basis, TicketClosed, TicketFacts, WindowEnd, WindowRequest,
};
use jiff::{SignedDuration, Timestamp};

use crate::world::World;

/// Curfew's own account, which is the tenant `acme`'s too.
pub const OWN_ACCOUNT: &str = "111122223333";

/// A second tenant's account, reached by an agent role.
pub const OTHER_ACCOUNT: &str = "444455556666";

/// Ana's user in the tenant `acme`.
pub const ANA: &str = "arn:aws:iam::111122223333:user/ana";

/// Ana's role in the tenant `globex`.
pub const ANA_IN_GLOBEX: &str = "arn:aws:iam::444455556666:role/ana";

/// Ben's role in the tenant `acme`.
pub const BEN: &str = "arn:aws:iam::111122223333:role/eng/ben";

/// The standing policy of the role `audit` in the tenant `acme`.
pub const AUDIT_POLICY: &str = "arn:aws:iam::111122223333:policy/acme-audit";

/// The catalog's only file.
pub const CATALOG: &str = include_str!("../catalog.toml");

/// When the tests' worlds begin: 2026-11-21T10:00:00Z.
pub const START: Timestamp = Timestamp::constant(1_795_255_200, 0);

/// How long the opening invocation's lease is, from [`START`].
pub const LEASE: SignedDuration = SignedDuration::from_secs(50);

/// The sample catalog.
#[must_use]
#[expect(clippy::panic, reason = "a sample that does not check has to fail every test that uses it")]
pub fn catalog() -> Catalog {
    match Catalog::parse(&[CatalogFile { name: "catalog.toml".to_owned(), text: CATALOG.to_owned() }]) {
        Ok(catalog) => catalog,
        Err(findings) => panic!("the sample catalog does not check:\n{findings}"),
    }
}

/// A world at [`START`] with the principals and policies of the sample catalog.
#[must_use]
pub fn world() -> World {
    let world = World::new(START);
    world.change(|aws| {
        for arn in [ANA, ANA_IN_GLOBEX, BEN] {
            aws.iam.create(&principal(arn));
        }
        aws.iam.create_policy(AUDIT_POLICY);
    });
    world
}

/// What an opening invocation brings along.
#[must_use]
pub fn settings() -> OpenSettings<'static> {
    OpenSettings {
        own_account: OWN_ACCOUNT,
        timer: TimerKind::Scheduler,
        sweep_grace: SignedDuration::from_secs(60),
    }
}

/// A principal by its ARN.
#[must_use]
#[expect(clippy::panic, reason = "a literal in a test that is not valid has to fail the test")]
pub fn principal(arn: &str) -> Principal {
    match Principal::parse(arn) {
        Ok(principal) => principal,
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::panic, reason = "a literal in a test that is not valid has to fail the test")]
pub(crate) fn valid<T, E: std::fmt::Display>(made: Result<T, E>) -> T {
    match made {
        Ok(made) => made,
        Err(error) => panic!("{error}"),
    }
}

/// A person at `example.com`.
#[must_use]
pub fn person(name: &str) -> Email {
    valid(Email::new(&format!("{name}@example.com")))
}

/// The source of all sample requests.
#[must_use]
pub fn source() -> Source {
    valid(Source::new("itsm"))
}

/// A ticket.
#[must_use]
pub fn ticket(id: &str) -> TicketId {
    valid(TicketId::new(id))
}

/// Ana asks for `ops` (inline) in `acme` for an hour from now; Carl approved.
#[must_use]
pub fn request(ticket_id: &str) -> AccessRequest {
    request_of("ana", "acme", "ops", ticket_id)
}

/// Ana asks for `audit` (managed, shared) in `acme` for an hour from now; Carl approved.
#[must_use]
pub fn managed_request(ticket_id: &str) -> AccessRequest {
    request_of("ana", "acme", "audit", ticket_id)
}

/// Somebody asks for a role in a tenant for an hour from [`START`]; Carl approved.
#[must_use]
pub fn request_of(who: &str, tenant: &str, role: &str, ticket_id: &str) -> AccessRequest {
    AccessRequest {
        source: source(),
        ticket: ticket(ticket_id),
        requester: person(who),
        tenant: valid(TenantId::new(tenant)),
        role: valid(RoleName::new(role)),
        principal: None,
        window: WindowRequest { starts_at: None, end: Some(WindowEnd::After(SignedDuration::from_hours(1))) },
        approvals: vec![Approval { approver: person("carl"), at: START }],
        basis: Basis::Approvals,
        ticket_facts: TicketFacts::default(),
        justification: "disk full on db-3".to_owned(),
        delivery: valid(DeliveryId::new(format!("msg_{ticket_id}"))),
    }
}

/// The ticket's source says that it was closed.
#[must_use]
pub fn ticket_closed(ticket_id: &str) -> TicketClosed {
    TicketClosed {
        source: source(),
        ticket: ticket(ticket_id),
        closed_by: Some(person("dora")),
        reason: Some("solved".to_owned()),
        delivery: valid(DeliveryId::new(format!("msg_closed_{ticket_id}"))),
    }
}
