//! The parts of a grant's life that one invocation lives through, and what comes after it: whoever tries again, and the
//! person's own keys.

use curfew_app::Ports as _;
use curfew_app::ports::{AccessPort as _, Commit, CommitWrite, Ledger as _, OpenWrite, TimerPort as _};
use curfew_cli::artifacts::Function;
use curfew_domain::effect::TimerKind;
use curfew_domain::event::Actor;
use curfew_domain::transition::{Command, Opening, open, transition};
use curfew_domain::window::Window;
use curfew_tests::catalog::Kind;
use curfew_tests::ports::{approval_of, permitted, plan, ports};
use curfew_tests::wait::later;
use curfew_tests::{Approval, Client, Curfew, Invoked, Person, Record, World, now, ticket_closed, world};
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{Heard, Wired, approval_event, grants_of, operator, signed_event, timer};

/// How long after the end of a window the sweep waits: the timer's turn comes first.
const GRACE: SignedDuration = SignedDuration::from_secs(300 + 40);

/// What an invocation is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Open a grant.
    Open,
    /// End one whose window is over.
    Expire,
    /// End one early, for an operator.
    Revoke,
    /// End one early, because its ticket was closed.
    CloseTicket,
}

/// An act, and what is special about the grant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) act: Act,
    pub(crate) curfew: &'static Curfew,
    pub(crate) timers: TimerKind,
    pub(crate) kind: Kind,
    pub(crate) role: &'static str,
}

/// Somebody, a function's process, and what it will be asked.
pub(crate) struct Stage {
    pub(crate) wired: Wired,
    pub(crate) event: Value,
    pub(crate) case: Case,
}

/// What is left of a stage when its function is gone.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) part: Part,
    pub(crate) person: Person,
    pub(crate) approval: Approval,
    /// Whether its schedule was made by a request that nobody waited for any more.
    pub(crate) timer_landed_late: bool,
}

impl Stage {
    /// Brings everything to where the part begins. `n` is whose turn it is.
    pub(crate) async fn set(part: Part, name: String, n: usize) -> Self {
        let world = world().await;
        let curfew = part.curfew;
        let tenant = if part.kind == Kind::Abroad { world.globex() } else { world.acme() };
        let person = match part.kind {
            // In the catalog of the deployment that all tests share.
            Kind::Abroad => world.person_abroad().await,
            kind => Person::make(&world.root(), world.stack().endpoint(), kind, n, tenant).await,
        };
        let approval = Approval::of(&person, tenant.name(), part.role);
        let (function, approval, event) = match part.act {
            Act::Open => {
                let event = approval_event(curfew, &approval);
                (Function::Grant, approval, event)
            }
            Act::Expire => {
                let (id, approval) = run_out(world, curfew, &person, part.role, (part.timers, GRACE)).await;
                (Function::Revoke, approval, timer(&id))
            }
            Act::Revoke => {
                let id = curfew.grant(&approval).await;
                (Function::Revoke, approval, operator(&id))
            }
            Act::CloseTicket => {
                curfew.grant(&approval).await;
                let event = signed_event(curfew, &ticket_closed(approval.ticket_id()));
                (Function::Grant, approval, event)
            }
        };
        let wired = Wired::start(curfew, function).await;
        Self { wired, event, case: Case { name, part, person, approval, timer_landed_late: false } }
    }
}

/// Writes a grant in effect down whose window was over five minutes ago, with past times, so that nobody has to wait for
/// them. Its schedule has fired. A sweep finds it due so long after.
pub(crate) async fn run_out(
    world: &World,
    curfew: &Curfew,
    person: &Person,
    role: &str,
    (timers, sweep_grace): (TimerKind, SignedDuration),
) -> (String, Approval) {
    let ports = ports(world, curfew);
    let opened_at = later(now(), -900);
    let window = Window::new(opened_at, later(now(), -300)).expect("a window");
    let plan = plan(world, curfew, person, role, window, opened_at);
    // No sweep takes it for abandoned while it is written down.
    let lease_until = later(now(), 60);
    let opening = Opening { attempt: 0, timer: timers, lease_until, sweep_grace };
    let approval = approval_of(&plan, person);
    let opened = open(permitted(plan), opening, opened_at);
    assert_eq!(ports.ledger().open(&opened.grant, &opened.events).await, Ok(OpenWrite::Written));
    let grant = opened.grant;
    let attached = ports.access().attach(&grant.access_change()).await.expect("an attached policy");
    let timer_set = match timers {
        TimerKind::Scheduler => attached.clone(),
        TimerKind::Rule => ports.timers().set(grant.id(), grant.timer()).await.expect("a rule"),
    };
    let command = Command::Activate { by: Actor::GrantFunction, attached, timer_set };
    let active = transition(&grant, command, later(opened_at, 2)).expect("a grant in effect");
    let commit = Commit { grant: &active.grant, events: &active.events, shared: None };
    assert_eq!(ports.ledger().commit(commit).await, Ok(CommitWrite::Written));
    (grant.id().to_string(), approval)
}

impl Case {
    /// Whoever began it does it again, as they would: the sender because it was not told that it is done, Lambda
    /// because a timer's invocation failed, the operator.
    pub(crate) async fn again(&self) {
        let curfew = self.part.curfew;
        match self.part.act {
            Act::Open => {
                let reply = curfew.approve(&self.approval).await;
                let status = reply.status;
                assert!([200, 201, 503].contains(&status), "{}: {status}: {}", self.name, reply.text());
            }
            Act::Expire => {
                let id = self.only_grant().await;
                // It may fail: a grant that nobody can prove anything of yet.
                drop(curfew.invoke(Function::Revoke, &timer(&id)).await);
            }
            Act::Revoke => {
                let id = self.only_grant().await;
                let again = curfew.invoke(Function::Revoke, &operator(&id)).await;
                assert_eq!(again.error, None, "{}: {again:?}", self.name);
            }
            Act::CloseTicket => self.close_ticket().await,
        }
    }

    /// Its ticket is closed.
    pub(crate) async fn close_ticket(&self) {
        let reply = self.part.curfew.post(&ticket_closed(self.approval.ticket_id())).await;
        assert_eq!(reply.status, 200, "{}: {}", self.name, reply.text());
    }

    /// That nobody was told more than is true.
    pub(crate) async fn check_told(&self, told: &Invoked) {
        let name = &self.name;
        match self.part.act {
            Act::Open => {
                let heard = Heard::of(told);
                assert!([201, 503].contains(&heard.status), "{name}: {heard:?}");
                if heard.status == 201 {
                    assert!(self.holds().await, "{name}: what was granted is refused");
                    assert_eq!(self.state().await.as_deref(), Some("active"), "{name}");
                } else {
                    assert_eq!(heard.headers["retry-after"], "30", "{name}: {heard:?}");
                }
            }
            Act::Expire | Act::Revoke => match &told.error {
                Some(_) => assert_eq!(told.payload["errorType"], "Retryable", "{name}: {told:?}"),
                None if told.payload["ok"] == true => self.assert_removed().await,
                // What can't be proven yet, or was asked too often, is the sweep's; whatever else is not done is an
                // error to a timer.
                None => {
                    let grant = &told.payload["grants"][0];
                    let throttled =
                        grant["message"].as_str().is_some_and(|said| said.contains("asked too often"));
                    let left = grant["result"] == "settling" || throttled;
                    assert!(left || self.part.act == Act::Revoke, "{name}: {told:?}");
                }
            },
            Act::CloseTicket => {
                let heard = Heard::of(told);
                assert!([200, 503].contains(&heard.status), "{name}: {heard:?}");
                if heard.status == 200 {
                    let state = self.state().await;
                    assert!(state.is_some_and(|state| ["closing", "closed"].contains(&&*state)), "{name}");
                    if heard.body["grants"][0]["result"] == "removed" {
                        self.assert_removed().await;
                    }
                }
            }
        }
    }

    async fn assert_removed(&self) {
        let name = &self.name;
        assert_eq!(self.state().await.as_deref(), Some("closed"), "{name}: it was told that it is over");
        assert!(!self.holds().await, "{name}: it was told that it is over");
    }

    /// Its grants: one, or none if its opening never got so far, or one for each try.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for id in grants_of(self.part.curfew, &self.approval).await {
            records.push(self.part.curfew.record(&id).await.expect("a linked grant"));
        }
        records.sort_by_key(|record| record.grant.attempt());
        records
    }

    /// Whether the ledger knows that its ticket was closed.
    pub(crate) async fn ticket_is_closed(&self) -> bool {
        let items = self.part.curfew.items(&format!("TICKET#{}", self.approval.ticket_id())).await;
        items.iter().any(|item| item["sk"].as_str().is_some_and(|sk| sk.ends_with("#CLOSED")))
    }

    /// The state of the last of them.
    pub(crate) async fn state(&self) -> Option<String> {
        self.records().await.last().map(|record| record.state().to_owned())
    }

    /// Whether it has not ended yet, although somebody will see to it that it does.
    pub(crate) async fn must_end(&self) -> bool {
        match self.state().await.as_deref() {
            None | Some("closed") => false,
            // An opening may have gone well, and an order may not have arrived.
            Some("active") => self.part.act == Act::Expire,
            _ => true,
        }
    }

    pub(crate) async fn only_grant(&self) -> String {
        let ids = grants_of(self.part.curfew, &self.approval).await;
        let [id] = ids.as_slice() else { panic!("{}: one grant: {ids:?}", self.name) };
        id.clone()
    }

    /// Whether the person's own keys have access.
    pub(crate) async fn holds(&self) -> bool {
        let world = world().await;
        let tenant = if self.part.kind == Kind::Abroad { world.globex() } else { world.acme() };
        match self.person.caller().await.object(&tenant.bucket()).await {
            Ok(()) => true,
            Err(refused) => {
                assert!(refused.is_denied(), "{}: {refused:?}", self.name);
                false
            }
        }
    }

    /// Root of the person's account.
    pub(crate) async fn root(&self) -> Client {
        let world = world().await;
        if self.part.kind == Kind::Abroad { world.root_of(world.globex().account()) } else { world.root() }
    }
}
