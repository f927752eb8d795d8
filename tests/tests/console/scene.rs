//! What the widget shows in these tests: a grant in each standing, owed reviews, and a story whose people write markup.

use curfew_app::console::{AccessKind, LiveGrant, LiveState, LiveView, Page, ReviewOwed};
use curfew_app::open::{Opened, open};
use curfew_app::ports::{Clock, LedgerError, Story};
use curfew_app::revoke::revoke_all;
use curfew_domain::event::{Actor, OperatorName};
use curfew_domain::grant::{Cause, Outcome};
use curfew_domain::ids::{Email, GrantId, RoleName, Source, TenantId, TicketId};
use curfew_domain::transition::BeginClosing;
use curfew_domain::window::plus;
use curfew_fn_console::{ConsoleFunction, Reply};
use curfew_runtime::Invocation;
use curfew_runtime::config::ConsoleConfig;
use curfew_testkit::fixtures::{self, request};
use curfew_testkit::guardrails::permissive;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// When the widget is looked at: 2026-11-21T10:31:05Z.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_795_257_065, 0);

/// The functions that buttons call.
pub(crate) const CONSOLE: &str = "arn:aws:lambda:eu-central-1:111122223333:function:curfew-console";
/// Ends access.
pub(crate) const REVOKE: &str = "arn:aws:lambda:eu-central-1:111122223333:function:curfew-revoke";
/// Extends it.
pub(crate) const GRANT: &str = "arn:aws:lambda:eu-central-1:111122223333:function:curfew-grant";

/// Words of people, who would run this if they could.
pub(crate) const HOSTILE: &str = "disk full</cwdb-action><script>window.owned=1</script><img src=x onerror=window.owned=2> \
                           \" onmouseover=\"window.owned=3 '><svg/onload=window.owned=4>&lt;b&gt;{{ 7*7 }}";

/// What the widget is looked at through.
pub(crate) struct Scene {
    /// Live grants.
    pub(crate) live: Page<LiveGrant>,
    /// Reviews.
    pub(crate) reviews: Page<ReviewOwed>,
    /// The story of any grant.
    pub(crate) story: Option<Story>,
}

impl LiveView for &Scene {
    async fn live(&self, tenant: Option<&TenantId>) -> Result<Page<LiveGrant>, LedgerError> {
        let mut page = self.live.clone();
        page.entries.retain(|grant| tenant.is_none_or(|tenant| *tenant == grant.tenant));
        Ok(page)
    }

    async fn reviews(&self) -> Result<Page<ReviewOwed>, LedgerError> {
        Ok(self.reviews.clone())
    }

    async fn story(&self, _: &GrantId) -> Result<Option<Story>, LedgerError> {
        Ok(self.story.clone())
    }
}

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// The answer of the real function to `input`.
///
/// # Panics
/// It has none.
pub(crate) fn answer(scene: &Scene, input: &Value) -> Reply {
    let config = ConsoleConfig {
        table: "curfew-ledger".to_owned(),
        stack: "curfew".to_owned(),
        revoke_function_arn: REVOKE.to_owned(),
        grant_function_arn: GRANT.to_owned(),
    };
    let function = ConsoleFunction::new(|_| scene, StillClock, config);
    let invocation = Invocation { request_id: "r-1".to_owned(), deadline: minutes(1) };
    let answered = function.handle(input, &invocation, CONSOLE).now_or_never();
    answered.expect("an answer at once").expect("an answer")
}

/// The HTML that a widget gets.
///
/// # Panics
/// It gets none.
pub(crate) fn html(scene: &Scene, input: &Value) -> String {
    match answer(scene, input) {
        Reply::Text(html) => html,
        Reply::Json(other) => panic!("not HTML: {other}"),
    }
}

/// So many minutes from when the widget is looked at.
pub(crate) fn minutes(from_now: i64) -> Timestamp {
    plus(NOW, SignedDuration::from_mins(from_now))
}

/// The id of the scene's nth grant.
pub(crate) fn id(n: u8) -> GrantId {
    GrantId::new(format!("g-nmbnncxapbq6imoal6luqenky{}", char::from(b'a' + n))).expect("an id")
}

/// The nth grant, from some minutes ago for some more.
fn grant(n: u8, who: &str, role: &str, tenant: &str, from: i64, until: i64) -> LiveGrant {
    LiveGrant {
        grant_id: id(n),
        person: Email::new(&format!("{who}@example.com")).expect("a person"),
        tenant: TenantId::new(tenant).expect("a tenant"),
        role: RoleName::new(role).expect("a role"),
        principal: format!("arn:aws:iam::111122223333:user/engineering/{who}"),
        source: Source::new("servicenow").expect("a source"),
        ticket: TicketId::new(format!("CHG00301{:02}", 90 + n)).expect("a ticket"),
        state: LiveState::Active,
        starts_at: minutes(from),
        expires_at: minutes(until),
        due_at: minutes(until + 2),
        access_kind: Some(AccessKind::Inline),
        privileged: false,
        failures: 0,
        closing_since: None,
        in_aws_until: None,
    }
}

fn owed(n: u8, who: &str, outcome: Option<Outcome>, minutes_ago: i64) -> ReviewOwed {
    let of = grant(n, who, "prod-breakglass", "payments", -minutes_ago, 60 - minutes_ago);
    ReviewOwed {
        grant_id: of.grant_id,
        since: of.starts_at,
        person: of.person,
        tenant: of.tenant,
        role: of.role,
        principal: of.principal,
        source: Source::new("pagerduty").expect("a source"),
        ticket: TicketId::new("INC0010023").expect("a ticket"),
        starts_at: of.starts_at,
        expires_at: of.expires_at,
        outcome,
    }
}

/// A scene with something of everything.
pub(crate) fn scene() -> Scene {
    let closing = |grant: LiveGrant, since: i64, failures: u32| LiveGrant {
        state: LiveState::Closing,
        closing_since: Some(minutes(since)),
        due_at: minutes(since + 1),
        failures,
        ..grant
    };
    let live = vec![
        grant(0, "ana", "prod-readonly", "acme", -20, 100),
        LiveGrant { privileged: true, ..grant(1, "ben.okafor", "prod-ops", "payments", -50, 10) },
        LiveGrant {
            access_kind: Some(AccessKind::Managed),
            due_at: minutes(4),
            ..closing(grant(2, "carl", "prod-audit", "acme", -90, -12), -12, 3)
        },
        grant(3, "dora", "prod-readonly", "globex", -65, -5),
        closing(grant(4, "emil", "prod-ops", "acme", -30, 30), -1, 0),
        LiveGrant {
            state: LiveState::Opening,
            due_at: minutes(1),
            ..grant(5, "fay.lindqvist", "prod-readonly", "acme", 0, 60)
        },
        grant(6, "gus", "prod-ops", "globex", 90, 210),
        LiveGrant {
            in_aws_until: Some(minutes(150)),
            ..grant(7, "hana", "prod-readonly", "payments", -30, 40)
        },
    ];
    let page = |entries| Page { entries, unreadable: Vec::new(), truncated: false };
    Scene {
        live: page(live),
        reviews: Page {
            entries: vec![owed(8, "ines", Some(Outcome::Expired), 26 * 60), owed(9, "jon", None, 15)],
            unreadable: Vec::new(),
            truncated: false,
        },
        story: Some(story()),
    }
}

/// A grant that was asked for and ended in hostile words, played by the real use cases.
///
/// # Panics
/// It can't be played.
pub(crate) fn story() -> Story {
    let world = fixtures::world();
    let catalog = fixtures::catalog();
    let mut asked = request("CHG0030192");
    asked.justification = HOSTILE.to_owned();
    let ports = world.invocation();
    let opened = world.finish(open(&ports, permissive(&catalog), asked, fixtures::settings()));
    let Ok(Ok(Opened::Activated(grant))) = opened else { panic!("not activated: {opened:?}") };
    let begin = BeginClosing {
        cause: Cause::Revoked,
        actor: Actor::Operator(OperatorName::new("<b onclick=window.owned=5>olga</b>").expect("a name")),
        reason: HOSTILE.to_owned(),
        settled: false,
    };
    let ports = world.invocation();
    let stop_at = plus(world.now(), SignedDuration::from_secs(60));
    let ended = world.finish(revoke_all(&ports, vec![grant.id().clone()], &begin, stop_at));
    ended.expect("a revocation");
    let ports = world.invocation();
    let story = world.finish(curfew_app::ports::Ledger::story(&ports, grant.id()));
    story.expect("a read").expect("no fault").expect("a story")
}
