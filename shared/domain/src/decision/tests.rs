//! Every rule of a decision, one line each, and what holds whatever the request.

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

mod basis;
mod operator;

use super::*;
use crate::catalog::CatalogFile;
use crate::ids::{DeliveryId, Email, RoleName, Source, TenantId, TicketId};
use crate::request::{Approval, Basis, TicketFacts, WindowEnd, WindowRequest};

const NOW: &str = "2026-11-21T10:00:00Z";

const CATALOG: &str = r#"
[tenant.acme]
account = "111122223333"
region = "eu-central-1"
[tenant.far]
account = "222233334444"
region = "eu-central-1"
agent_role = "arn:aws:iam::222233334444:role/agent"
external_id = "ext-1"
[tenant.cut-off]
account = "333344445555"
region = "eu-central-1"

[permission.read]
description = "Read"
statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::${tenant}/*" }]
[permission.large]
description = "More than a user holds"
[[permission.large.statement]]
Effect = "Allow"
Action = "s3:GetObject"
Resource = ["arn:aws:s3:::REPEATED"]

[role.ops]
description = "Operate"
permissions = ["read"]
max_duration = "4h"
default_duration = "1h"
[role.acme-only]
description = "Operate acme"
permissions = ["read"]
max_duration = "4h"
default_duration = "1h"
tenants = ["acme"]
[role.large]
description = "Large"
permissions = ["large"]
max_duration = "4h"
default_duration = "1h"
[role.audit]
description = "Audit"
access = "managed"
managed_policy = "arn:aws:iam::${account}:policy/${tenant}-audit"
max_duration = "4h"
default_duration = "1h"

[person."ana@example.com"]
principals = [
    "arn:aws:iam::111122223333:user/ana",
    "arn:aws:iam::222233334444:role/ana",
    "arn:aws:iam::333344445555:role/ana",
]
[person."ben@example.com"]
principals = ["arn:aws:iam::111122223333:user/ben", "arn:aws:iam::111122223333:role/ben"]
[person."carla@example.com"]
"#;

fn catalog() -> Catalog {
    let repeated: Vec<String> = (0..100).map(|n| format!("arn:aws:s3:::bucket-{n:03}")).collect();
    let text = CATALOG.replace("arn:aws:s3:::REPEATED", &repeated.join("\", \""));
    Catalog::parse(&[CatalogFile { name: "c.toml".into(), text }]).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn facts() -> DecisionFacts {
    DecisionFacts { now: at(NOW), own_account: "111122223333".into() }
}

fn approval(approver: &str, time: &str) -> Approval {
    Approval { approver: Email::new(approver).unwrap(), at: at(time) }
}

/// A request that is granted. Tests change one thing about it.
fn good() -> AccessRequest {
    AccessRequest {
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG-1").unwrap(),
        requester: Email::new("ana@example.com").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        role: RoleName::new("ops").unwrap(),
        principal: None,
        window: WindowRequest::default(),
        approvals: vec![approval("ben@example.com", "2026-11-21T09:59:00Z")],
        basis: Basis::Approvals,
        ticket_facts: TicketFacts::default(),
        justification: "Incident 7: look at the objects".into(),
        delivery: DeliveryId::new("msg-1").unwrap(),
    }
}

fn with(change: impl FnOnce(&mut AccessRequest)) -> AccessRequest {
    let mut request = good();
    change(&mut request);
    request
}

fn decided(request: &AccessRequest) -> Result<Plan, Denial> {
    decide(&catalog(), request, &facts())
}

#[track_caller]
fn denied(code: DenialCode, named: &[&str], change: impl FnOnce(&mut AccessRequest)) {
    let denial = decided(&with(change)).unwrap_err();
    assert_eq!(denial.code, code, "{denial}");
    for text in named {
        assert!(denial.reason.contains(text), "{denial} does not name {text}");
    }
    assert!(!denial.remedy.is_empty());
}

#[track_caller]
fn granted(change: impl FnOnce(&mut AccessRequest)) -> Plan {
    decided(&with(change)).unwrap()
}

fn set_window(request: &mut AccessRequest, starts_at: Option<&str>, end: Option<WindowEnd>) {
    request.window = WindowRequest { starts_at: starts_at.map(at), end };
}

fn until(text: &str) -> Option<WindowEnd> {
    Some(WindowEnd::At(at(text)))
}

fn lasting(seconds: i64) -> Option<WindowEnd> {
    Some(WindowEnd::After(SignedDuration::from_secs(seconds)))
}

#[test]
fn a_good_request_becomes_a_plan() {
    let plan = decided(&good()).unwrap();
    assert_eq!(plan.request, good());
    assert_eq!(plan.principal.arn(), "arn:aws:iam::111122223333:user/ana");
    assert_eq!(plan.route, Route { account: "111122223333".into(), agent: None });
    assert_eq!(plan.window, Window::new(at(NOW), at("2026-11-21T11:00:00Z")).unwrap());
    assert_eq!(plan.catalog_digest, catalog().digest());
    let id = plan.grant_id(0);
    assert_ne!(id, plan.grant_id(1));
    let Access::Inline { principal, policy_name, document } = plan.access(&id) else { panic!("{plan:?}") };
    assert_eq!(principal, plan.principal);
    assert_eq!(policy_name, format!("curfew-{id}"));
    assert_eq!(
        document,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme/*","Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-21T10:00:00Z"},"DateLessThan":{"aws:CurrentTime":"2026-11-21T11:00:00Z"}}}]}"#
    );
}

#[test]
fn a_managed_role_is_planned_by_its_policys_arn() {
    let plan = granted(|r| {
        r.role = RoleName::new("audit").unwrap();
        r.tenant = TenantId::new("far").unwrap();
    });
    let Access::Managed { principal, policy_arn } = plan.access(&plan.grant_id(0)) else {
        panic!("{plan:?}")
    };
    assert_eq!(principal.arn(), "arn:aws:iam::222233334444:role/ana");
    assert_eq!(policy_arn, "arn:aws:iam::222233334444:policy/far-audit");
    assert_eq!(plan.route.agent.unwrap().external_id, "ext-1");
}

#[test]
fn who_and_what_must_be_known() {
    use DenialCode as C;
    denied(C::UnknownTenant, &["`nowhere`"], |r| r.tenant = TenantId::new("nowhere").unwrap());
    denied(C::UnknownRole, &["`root`"], |r| r.role = RoleName::new("root").unwrap());
    denied(C::UnknownPerson, &["`eve@example.com`"], |r| {
        r.requester = Email::new("eve@example.com").unwrap()
    });
    denied(C::RoleNotInTenant, &["`acme-only`", "`far`"], |r| {
        r.role = RoleName::new("acme-only").unwrap();
        r.tenant = TenantId::new("far").unwrap();
    });
    denied(C::TenantUnreachable, &["`cut-off`", "`333344445555`", "`111122223333`"], |r| {
        r.tenant = TenantId::new("cut-off").unwrap();
    });
}

#[test]
fn the_principal_is_the_requesters_own_in_the_tenants_account() {
    use DenialCode as C;
    let principal = |arn: &str| Some(Principal::parse(arn).unwrap());
    let ben = |r: &mut AccessRequest| {
        r.requester = Email::new("ben@example.com").unwrap();
        r.approvals = vec![approval("carla@example.com", NOW)];
    };
    denied(C::NoPrincipal, &["`ben@example.com`", "`222233334444`", "`far`"], |r| {
        ben(r);
        r.tenant = TenantId::new("far").unwrap();
    });
    denied(C::AmbiguousPrincipal, &["`ben@example.com`", "user/ben`", "role/ben`"], ben);
    let named = granted(|r| {
        ben(r);
        r.principal = principal("arn:aws:iam::111122223333:role/ben");
    });
    assert_eq!(named.principal.arn(), "arn:aws:iam::111122223333:role/ben");
    denied(C::PrincipalNotTheirs, &["user/ben`", "`ana@example.com`"], |r| {
        r.principal = principal("arn:aws:iam::111122223333:user/ben");
    });
    denied(C::PrincipalElsewhere, &["222233334444:role/ana`", "`111122223333`"], |r| {
        r.principal = principal("arn:aws:iam::222233334444:role/ana");
    });
}

#[test]
fn somebody_else_approved_in_time() {
    use DenialCode as C;
    let (ana, ben, eve) = ("ana@example.com", "ben@example.com", "eve@example.com");
    denied(C::NoApproval, &["`ana@example.com`"], |r| r.approvals.clear());
    denied(C::SelfApproval, &["`ana@example.com`"], |r| r.approvals = vec![approval(ana, NOW)]);
    denied(C::SelfApproval, &["`ana@example.com`"], |r| r.approvals = vec![approval("ANA@example.com", NOW)]);
    denied(C::UnknownApprover, &["`eve@example.com`"], |r| r.approvals = vec![approval(eve, NOW)]);
    denied(C::UnknownApprover, &["`eve@example.com`"], |r| {
        r.approvals = vec![approval(ana, NOW), approval(eve, NOW)];
    });
    granted(|r| r.approvals = vec![approval(ana, NOW), approval(eve, NOW), approval(ben, NOW)]);

    let tomorrow = "2026-11-21T10:05:01Z";
    denied(C::ApprovalInFuture, &["`ben@example.com`", tomorrow, NOW], |r| {
        r.approvals = vec![approval(ben, tomorrow)]
    });
    denied(C::ApprovalInFuture, &["`eve@example.com`"], |r| r.approvals.push(approval(eve, tomorrow)));
    granted(|r| r.approvals = vec![approval(ben, "2026-11-21T10:05:00Z")]);

    let yesterday = "2026-11-20T09:59:59Z";
    denied(C::ApprovalTooOld, &["`ben@example.com`", yesterday, "24h"], |r| {
        r.approvals = vec![approval(ben, yesterday)]
    });
    granted(|r| r.approvals = vec![approval(ben, "2026-11-20T10:00:00Z")]);
    granted(|r| {
        r.approvals = vec![approval(ben, yesterday)];
        set_window(r, Some(NOW), None);
    });
}

#[test]
fn a_justification_is_given_short_and_readable() {
    use DenialCode as C;
    for blank in ["", " \n\t"] {
        denied(C::NoJustification, &["blank"], |r| r.justification = blank.into());
    }
    denied(C::JustificationTooLong, &["1001 characters"], |r| r.justification = "ä".repeat(1_001));
    granted(|r| r.justification = "ä".repeat(1_000));
    for (text, named) in [
        ("a\u{0}b", "U+0000"),
        ("a\u{1b}[2K", "U+001B"),
        ("a\rb", "U+000D"),
        ("a\u{85}b", "U+0085"),
        ("a\u{202e}b", "U+202E"),
        ("a\u{2066}b", "U+2066"),
        ("a\u{200f}b", "U+200F"),
        ("a\u{2028}b", "U+2028"),
    ] {
        denied(C::JustificationUnreadable, &[named], |r| r.justification = text.into());
    }
    granted(|r| r.justification = "line 1\nline 2\r\n\tindented: Fehler in Zürich, 日本".into());
}

#[test]
fn the_window_lies_ahead_and_within_the_limits() {
    use DenialCode as C;
    let day = "2026-11-21T";
    let time = |clock: &str| format!("{day}{clock}Z");
    for seconds in [0, -1] {
        denied(C::WindowEmpty, &["not after its start at 2026-11-21T10:00:00Z"], |r| {
            set_window(r, None, lasting(seconds))
        });
    }
    denied(C::WindowEmpty, &["2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z"], |r| {
        set_window(r, Some(&time("12:00:00")), until(&time("11:00:00")));
    });
    denied(C::WindowEmpty, &["ends at"], |r| {
        set_window(r, None, Some(WindowEnd::After(SignedDuration::MIN)))
    });
    for end in ["09:30:00", "10:00:00", "10:00:01", "10:00:01.9"] {
        denied(C::WindowOver, &["ends at", NOW], |r| {
            set_window(r, Some(&time("09:00:00")), until(&time(end)))
        });
    }
    granted(|r| set_window(r, None, lasting(2)));
    granted(|r| set_window(r, None, lasting(4 * 3600)));
    denied(C::WindowTooLong, &["4h 1s", "`ops`", "4h"], |r| set_window(r, None, lasting(4 * 3600 + 1)));
    denied(C::WindowTooLong, &["`ops`"], |r| {
        set_window(r, None, Some(WindowEnd::After(SignedDuration::MAX)))
    });
    // The past part of a window counts, too.
    let past = granted(|r| set_window(r, Some(&time("08:00:00")), until(&time("12:00:00"))));
    assert_eq!(past.window.starts_at(), at("2026-11-21T08:00:00Z"));
    denied(C::WindowTooLong, &["4h 1s"], |r| {
        set_window(r, Some(&time("07:59:59")), until(&time("12:00:00")))
    });
    granted(|r| set_window(r, Some("2026-12-21T10:00:00Z"), None));
    denied(C::WindowTooFarAhead, &["2026-12-21T10:00:01Z", "30 days"], |r| {
        set_window(r, Some("2026-12-21T10:00:01Z"), None)
    });
}

#[test]
fn a_managed_role_is_had_from_now_on_or_not_at_all() {
    let starting = |role: &str, start: &str| {
        let (role, start) = (RoleName::new(role).unwrap(), start.to_owned());
        move |r: &mut AccessRequest| {
            r.role = role;
            set_window(r, Some(&start), lasting(3600));
        }
    };
    let next = "2026-11-21T10:00:01Z";
    denied(DenialCode::ManagedNotYet, &[next, NOW, "`audit`", "managed"], starting("audit", next));
    let denial = decided(&with(starting("audit", "2026-12-01T10:00:00Z"))).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "the window starts at 2026-12-01T10:00:00Z, it is 2026-11-21T10:00:00Z, and role `audit` is managed: \
         AWS would let it begin at once; \
         ask again when it starts, or have the catalog offer the role as `inline`"
    );
    // Less than a second ahead is now: windows have whole seconds.
    for begun in ["2026-11-21T09:30:00Z", NOW, "2026-11-21T10:00:00.9Z"] {
        granted(starting("audit", begun));
    }
    granted(|r| r.role = RoleName::new("audit").unwrap());
    // The document of an inline role says itself when it starts.
    assert_eq!(granted(starting("ops", next)).window.starts_at(), at(next));
    // What is wrong with the window itself is told first.
    let far = "2026-12-21T10:00:01Z";
    denied(DenialCode::WindowTooFarAhead, &[far], starting("audit", far));
}

/// Ana's window from nine to eleven, as it stands at ten.
fn current() -> Window {
    Window::new(at("2026-11-21T09:00:00Z"), at("2026-11-21T11:00:00Z")).unwrap()
}

fn changed(current: Window, change: impl FnOnce(&mut AccessRequest)) -> Result<Window, Denial> {
    decide_change(
        &catalog(),
        &with(change),
        &facts(),
        Current { window: current, approved_at: Timestamp::MIN },
    )
    .map(|plan| plan.window)
}

#[test]
fn a_change_keeps_the_start_that_is_past_and_moves_the_end() {
    let time = |clock: &str| format!("2026-11-21T{clock}Z");
    let window = |end: &str| Window::new(current().starts_at(), at(&time(end))).unwrap();
    let until_noon = until(&time("12:00:00"));
    assert_eq!(changed(current(), |r| set_window(r, None, until_noon)), Ok(window("12:00:00")));
    // Spans count from now, not from the start; the document is rendered for the whole window.
    assert_eq!(changed(current(), |r| set_window(r, None, lasting(600))), Ok(window("10:10:00")));
    assert_eq!(changed(current(), |r| set_window(r, None, None)), Ok(window("11:00:00")));
    let plan = decide_change(
        &catalog(),
        &with(|r| set_window(r, None, until_noon)),
        &facts(),
        Current { window: current(), approved_at: Timestamp::MIN },
    )
    .unwrap();
    let PlannedAccess::Inline { document } = plan.planned else { panic!("not inline") };
    assert!(document.contains(&time("09:00:00")) && document.contains(&time("12:00:00")), "{document}");
}

#[test]
fn a_change_is_limited_as_a_whole() {
    let code = |end: &str| {
        let end = until(&format!("2026-11-21T{end}Z"));
        changed(current(), |r| set_window(r, None, end)).map_err(|denial| denial.code)
    };
    assert!(code("13:00:00").is_ok());
    assert_eq!(code("13:00:01"), Err(DenialCode::WindowTooLong));
    assert_eq!(code("10:00:01"), Err(DenialCode::WindowOver));
    assert_eq!(code("09:00:00"), Err(DenialCode::WindowEmpty));
    // The start that is asked for is not taken, but a window that ends before it is none.
    let backward = changed(current(), |r| {
        set_window(r, Some("2026-11-21T10:45:00Z"), until("2026-11-21T10:30:00Z"));
    });
    assert_eq!(backward.map_err(|denial| denial.code), Err(DenialCode::WindowEmpty));
}

#[test]
fn a_change_that_would_add_time_that_nobody_approved_is_denied() {
    let starting = |clock: &str| {
        let start = format!("2026-11-21T{clock}Z");
        changed(current(), move |r| set_window(r, Some(&start), until("2026-11-21T12:30:00Z")))
    };
    for clock in ["09:30:00", "10:30:00", "11:00:00"] {
        assert_eq!(starting(clock).map(Window::starts_at), Ok(current().starts_at()), "{clock}");
    }
    let denial = starting("11:00:01").unwrap_err();
    assert_eq!(denial.code, DenialCode::WindowTooFarAhead);
    assert!(denial.reason.contains("2026-11-21T11:00:01Z"), "{denial}");
    // What is over has no access to keep up: it may go on from now.
    let over = Window::new(at("2026-11-21T08:00:00Z"), at("2026-11-21T09:00:00Z")).unwrap();
    assert!(changed(over, |r| set_window(r, Some(NOW), lasting(3600))).is_ok());
    assert!(changed(over, |r| set_window(r, Some("2026-11-21T10:00:01Z"), lasting(3600))).is_err());
}

#[test]
fn a_window_that_has_not_begun_is_replaced_as_a_whole() {
    let ahead = Window::new(at("2026-11-21T12:00:00Z"), at("2026-11-21T13:00:00Z")).unwrap();
    let start = "2026-11-21T15:00:00Z";
    let window = changed(ahead, |r| set_window(r, Some(start), lasting(3600))).unwrap();
    assert_eq!((window.starts_at(), window.length()), (at(start), SignedDuration::from_hours(1)));
    assert_eq!(changed(ahead, |r| set_window(r, None, lasting(3600))).map(Window::starts_at), Ok(at(NOW)));
}

#[test]
fn a_change_of_a_managed_role_that_has_begun_is_no_window_ahead() {
    let audit = RoleName::new("audit").unwrap();
    let extended = changed(current(), |r| {
        r.role = audit;
        set_window(r, None, lasting(3600));
    });
    assert_eq!(extended, Ok(current()));
}

#[test]
fn now_is_a_whole_second() {
    let facts = DecisionFacts { now: at("2026-11-21T10:00:00.999Z"), ..facts() };
    let plan = decide(&catalog(), &good(), &facts).unwrap();
    assert_eq!(plan.window.starts_at(), at(NOW));
}

#[test]
fn a_policy_fits_its_principal() {
    let large = |r: &mut AccessRequest| r.role = RoleName::new("large").unwrap();
    denied(DenialCode::PolicyTooLarge, &["`large`", "user/ana`", "2048"], large);
    granted(|r| {
        large(r);
        r.tenant = TenantId::new("far").unwrap();
    });
}

#[test]
fn codes_are_kebab_case_unlike_each_other_and_the_same_in_json() {
    let mut seen = std::collections::BTreeSet::new();
    for code in DenialCode::ALL {
        let text = code.as_str();
        assert!(text.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{text}");
        assert!(seen.insert(text), "{text} twice");
        assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{text}\""));
    }
    let denial = decided(&with(|r| r.approvals.clear())).unwrap_err();
    let json = serde_json::to_string(&denial).unwrap();
    assert_eq!(serde_json::from_str::<Denial>(&json).unwrap(), denial);
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    let now = at(NOW).as_second();
    // Mostly around now, where the limits are; and anywhere at all.
    prop_oneof![
        8 => (now - 200_000..now + 200_000, 0..1_000_000_000_i32).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap()),
        2 => (now - 20_000..now + 20_000).prop_map(|s| Timestamp::from_second(s).unwrap()),
        1 => (Timestamp::MIN.as_second()..Timestamp::MAX.as_second()).prop_map(|s| Timestamp::from_second(s).unwrap()),
    ]
}

fn any_request() -> impl Strategy<Value = AccessRequest> {
    let person = || {
        prop::sample::select(vec![
            "ana@example.com",
            "ben@example.com",
            "carla@example.com",
            "eve@example.com",
        ])
    };
    let tenant = prop::sample::select(vec!["acme", "acme", "far", "cut-off", "nowhere"]);
    let role = prop::sample::select(vec!["ops", "ops", "acme-only", "large", "audit", "root"]);
    let principal = prop::option::weighted(
        0.3,
        prop::sample::select(vec!["111122223333:user/ana", "111122223333:role/ben", "222233334444:role/ana"]),
    );
    let earlier =
        (at(NOW).as_second() - 90_000..at(NOW).as_second()).prop_map(|s| Timestamp::from_second(s).unwrap());
    let approved_at = prop_oneof![9 => earlier, 1 => any_time()];
    let approvals = prop::collection::vec((person(), approved_at), 0..5);
    let span = prop_oneof![9 => -1_000..20_000_i64, 1 => any::<i64>()];
    let end = prop_oneof![
        Just(None),
        any_time().prop_map(|time| Some(WindowEnd::At(time))),
        span.prop_map(|seconds| Some(WindowEnd::After(SignedDuration::from_secs(seconds)))),
    ];
    let window = (prop::option::weighted(0.4, any_time()), end);
    let justification = prop_oneof![9 => Just("Incident".to_owned()), 1 => "[a-z\u{0}-\u{20}]{0,6}"];
    let requester = prop_oneof![2 => Just("ana@example.com"), 1 => person()];
    (requester, tenant, role, principal, approvals, window, justification).prop_map(
        |(requester, tenant, role, principal, approvals, (starts_at, end), justification)| AccessRequest {
            requester: Email::new(requester).unwrap(),
            tenant: TenantId::new(tenant).unwrap(),
            role: RoleName::new(role).unwrap(),
            principal: principal.map(|p| Principal::parse(&format!("arn:aws:iam::{p}")).unwrap()),
            window: WindowRequest { starts_at, end },
            approvals: approvals
                .into_iter()
                .map(|(approver, at)| Approval { approver: Email::new(approver).unwrap(), at })
                .collect(),
            basis: Basis::Approvals,
            ticket_facts: TicketFacts::default(),
            justification,
            ..good()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn whatever_the_request_a_plan_is_limited_and_approved(request in any_request()) {
        let catalog = CATALOG_ONCE.with(Clone::clone);
        let Ok(plan) = decide(&catalog, &request, &facts()) else { return Ok(()) };
        let now = at(NOW);
        let role = catalog.role(&request.role).unwrap();
        let tenant = catalog.tenant(&request.tenant).unwrap();
        let requester = catalog.person(&request.requester).unwrap();
        prop_assert!(plan.window.length() <= role.max_duration());
        prop_assert!(plan.window.expires_at() > now);
        prop_assert!(request.approvals.iter().any(|approval| approval.approver != request.requester
            && catalog.person(&approval.approver).is_some()));
        prop_assert!(requester.principals().contains(&plan.principal));
        prop_assert_eq!(plan.principal.account(), tenant.account());
        prop_assert_eq!(&plan.route.account, tenant.account());
        prop_assert!(role.is_available_in(tenant.id()));
        match &plan.planned {
            PlannedAccess::Inline { document } => {
                prop_assert!(fits(plan.principal.kind(), document).is_ok());
                let end = format!(r#""DateLessThan":{{"aws:CurrentTime":"{}"}}"#, plan.window.expires_at());
                prop_assert!(document.contains(&end), "{document}");
            }
            PlannedAccess::Managed { .. } => prop_assert!(plan.window.starts_at() <= now),
        }
    }
}

thread_local! {
    /// The property looks at it thousands of times.
    static CATALOG_ONCE: Catalog = catalog();
}

#[test]
fn the_property_sees_plans_and_denials_alike() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut plans, catalog) = (0, catalog());
    for _ in 0..2_000 {
        let request = any_request().new_tree(&mut runner).unwrap().current();
        plans += i32::from(decide(&catalog, &request, &facts()).is_ok());
    }
    assert!((20..1_900).contains(&plans), "{plans} plans of 2000 requests");
}
