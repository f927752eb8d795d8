//! Every pair of state and cause, at every time that makes a difference: whether DynamoDB's condition decides as the
//! domain's does (docs/decisions/0002). The condition is the one rule that is written twice.
//!
//! These grants live in the far future, so that no sweep of this world ever finds one due.

use curfew_app::Ports as _;
use curfew_app::ports::{ClaimWrite, Commit, CommitWrite, Ledger as _, OpenWrite};
use curfew_aws::AwsPorts;
use curfew_domain::effect::{Found, Proof, TimerKind};
use curfew_domain::event::{Actor, OperatorName};
use curfew_domain::grant::{Cause, Grant};
use curfew_domain::ids::GrantId;
use curfew_domain::transition::{
    Amendment, BeginClosing, Command, Opening, Removal, Stored, open, transition,
};
use curfew_domain::window::Window;
use curfew_tests::approval::fresh_ticket;
use curfew_tests::ports::{WallClock, permitted, plan_on, ports};
use curfew_tests::wait::later;
use curfew_tests::{Curfew, Flavour, Person, World, world};
use jiff::{SignedDuration, Timestamp};

/// 2096-01-01T00:00:00Z.
const OPENED: Timestamp = Timestamp::constant(3_976_214_400, 0);
const LEASE_SECONDS: i64 = 50;
const WINDOW_SECONDS: i64 = 3600;
const SHORTENED_SECONDS: i64 = 1800;

const CAUSES: [Cause; 4] = [Cause::Expired, Cause::Revoked, Cause::OpeningFailed, Cause::Abandoned];

#[derive(Debug, Clone, Copy)]
enum Stage {
    Opening,
    Active,
    /// Its window was shortened, and AWS has yet to confirm it.
    Changing,
    /// By a claim alone.
    Claimed,
    /// By a claim and a recorded failure.
    Failing,
    Closed,
}

const STAGES: [Stage; 6] =
    [Stage::Opening, Stage::Active, Stage::Changing, Stage::Claimed, Stage::Failing, Stage::Closed];

/// A stage on which grants are put.
struct Theatre<'a> {
    world: &'a World,
    curfew: &'a Curfew,
    person: &'a Person,
    ports: AwsPorts<WallClock>,
}

impl Theatre<'_> {
    /// A grant of its own in a stage of its life.
    async fn grant(&self, stage: Stage) -> Stored {
        let ticket = fresh_ticket();
        let approved = |seconds, at| {
            let window = Window::new(OPENED, later(OPENED, seconds)).expect("a window");
            plan_on(self.world, self.curfew, self.person, "reader", window, at, &ticket)
        };
        let opening = Opening {
            attempt: 0,
            timer: TimerKind::Scheduler,
            lease_until: later(OPENED, LEASE_SECONDS),
            sweep_grace: SignedDuration::from_secs(60),
        };
        let opened = open(permitted(approved(WINDOW_SECONDS, OPENED)), opening, OPENED);
        assert_eq!(self.ports.ledger().open(&opened.grant, &opened.events).await, Ok(OpenWrite::Written));
        let opened = Stored::settled(opened.grant);
        match stage {
            Stage::Opening => opened,
            Stage::Active => self.activated(opened).await,
            Stage::Changing => {
                let active = self.activated(opened).await;
                let amendment = Amendment {
                    permitted: permitted(approved(SHORTENED_SECONDS, later(OPENED, 5))),
                    by: None,
                    sweep_grace: SignedDuration::from_secs(60),
                    lease_until: later(OPENED, LEASE_SECONDS),
                };
                self.moved(active, Command::Amend(Box::new(amendment))).await
            }
            Stage::Claimed => self.claimed(opened).await,
            Stage::Failing => {
                let failure =
                    Command::RecordFailure { actor: Actor::RevokeFunction, error: "throttled".to_owned() };
                let claimed = self.claimed(opened).await;
                self.moved(claimed, failure).await
            }
            Stage::Closed => {
                let removal = Removal {
                    actor: Actor::RevokeFunction,
                    began_at: later(OPENED, 5),
                    by_lease_holder: false,
                    access: proof(Found::Deleted),
                    timer: Some(proof(Found::Absent)),
                };
                let claimed = self.claimed(opened).await;
                self.moved(claimed, Command::Close(removal)).await
            }
        }
    }

    async fn activated(&self, stored: Stored) -> Stored {
        let command = Command::Activate {
            by: Actor::GrantFunction,
            attached: proof(Found::Applied),
            timer_set: proof(Found::Applied),
        };
        self.moved(stored, command).await
    }

    async fn claimed(&self, opened: Stored) -> Stored {
        let active = self.activated(opened).await.grant;
        let claimed = self.ports.ledger().claim(active.id(), &begin(Cause::Revoked), later(OPENED, 4)).await;
        let Ok(ClaimWrite::Begun(begun)) = claimed else { panic!("{claimed:?}") };
        Stored { grant: begun.grant, unwritten: begun.events }
    }

    async fn moved(&self, stored: Stored, command: Command) -> Stored {
        let next = transition(&stored.grant, command, later(OPENED, 6)).expect("a legal transition");
        let events = [stored.unwritten, next.events].concat();
        let commit = Commit { grant: &next.grant, events: &events, shared: None };
        assert_eq!(self.ports.ledger().commit(commit).await, Ok(CommitWrite::Written));
        Stored::settled(next.grant)
    }

    async fn load(&self, grant: &Grant) -> Stored {
        self.ports.ledger().load(grant.id()).await.expect("a read").expect("a grant")
    }

    /// Claims, and compares what DynamoDB made of it with what the domain says.
    async fn judge(&self, stage: Stage, cause: Cause, at: Timestamp) {
        let case = format!("{stage:?} by {cause:?} at {at}");
        let before = self.grant(stage).await;
        assert_eq!(self.load(&before.grant).await, before, "{case}");
        let expected = transition(&before.grant, Command::BeginClosing(begin(cause)), at);
        let claimed = self.ports.ledger().claim(before.grant.id(), &begin(cause), at).await;
        let after = self.load(&before.grant).await;
        match expected {
            Ok(begun) => {
                assert_eq!(claimed, Ok(ClaimWrite::Begun(Box::new(begun.clone()))), "{case}");
                let stored = Stored { grant: begun.grant.clone(), unwritten: begun.events.clone() };
                assert_eq!(after, stored, "{case}");
                // The SDK's retry of a claim whose answer was lost.
                let again = self.ports.ledger().claim(before.grant.id(), &begin(cause), at).await;
                assert_eq!(again, Ok(ClaimWrite::Begun(Box::new(begun))), "{case}");
            }
            Err(illegal) => {
                let refused = ClaimWrite::Refused { stored: Box::new(before.clone()), illegal };
                assert_eq!(claimed, Ok(refused), "{case}");
                assert_eq!(after, before, "{case}");
            }
        }
    }
}

fn proof(found: Found) -> Proof {
    Proof { found, at: later(OPENED, 3), aws_request_id: None, unsettled: false }
}

fn begin(cause: Cause) -> BeginClosing {
    let actor = Actor::Operator(OperatorName::new("olga@example.test").expect("a name"));
    BeginClosing { cause, actor, reason: "to see what happens".to_owned(), settled: false }
}

#[tokio::test]
async fn the_ledger_judges_every_claim_as_the_domain_does() {
    let world = world().await;
    let curfew = world.curfew(Flavour::Rules).await;
    let person = world.person().await;
    let theatre = Theatre { world, curfew, person: &person, ports: ports(world, curfew) };
    let (lease, end) = (later(OPENED, LEASE_SECONDS), later(OPENED, WINDOW_SECONDS));
    let shortened = later(OPENED, SHORTENED_SECONDS);
    for stage in STAGES {
        for cause in CAUSES {
            for at in [later(lease, -1), lease, later(shortened, -1), shortened, later(end, -1), end] {
                theatre.judge(stage, cause, at).await;
            }
        }
    }
    let nobody = GrantId::new("g-abcdefghijklmnopqrstuvwxyz").expect("an id");
    let absent = theatre.ports.ledger().claim(&nobody, &begin(Cause::Revoked), OPENED).await;
    assert_eq!(absent, Ok(ClaimWrite::Absent));
}
