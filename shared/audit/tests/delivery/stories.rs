//! What the stream brings: real events of grants that were opened and ended in a world in memory.

use curfew_app::open::{Opened, open};
use curfew_app::ports::{DeniedRequest, Ledger as _};
use curfew_app::revoke::revoke;
use curfew_audit::deliver::{Arrival, Content, Settings};
use curfew_audit::ports::Story;
use curfew_audit::record::{Mapping, Origin, Record, Subject};
use curfew_domain::event::{Actor, OperatorName};
use curfew_domain::grant::Cause;
use curfew_domain::transition::BeginClosing;
use curfew_testkit::fixtures::{self, request};
use curfew_testkit::guardrails::permissive;
use jiff::SignedDuration;
use serde_json::json;

/// What the tests' records say of their origin.
pub(crate) fn settings() -> Settings {
    Settings {
        origin: Origin {
            stack: "curfew".to_owned(),
            account: fixtures::OWN_ACCOUNT.to_owned(),
            region: "eu-central-1".to_owned(),
            version: "0.1.0",
        },
        mapping: Mapping::V1_8,
    }
}

/// Whole lives of so many grants: five events each.
pub(crate) fn lives(count: usize) -> Vec<Story> {
    let (world, catalog) = (fixtures::world(), fixtures::catalog());
    let mut stories = Vec::new();
    for n in 0..count {
        let ports = world.invocation();
        let opening = open(&ports, permissive(&catalog), request(&format!("CHG-{n}")), fixtures::settings());
        let opened = world.finish(opening).unwrap().unwrap();
        let Opened::Activated(grant) = opened else { panic!("{opened:?}") };
        world.advance(SignedDuration::from_secs(7));
        let begin = BeginClosing {
            cause: Cause::Revoked,
            actor: Actor::Operator(OperatorName::new("ops@example.com").unwrap()),
            reason: "incident \"over\"\n".to_owned(),
            settled: true,
        };
        world.finish(revoke(&world.invocation(), grant.id(), begin)).unwrap().unwrap();
        let ports = world.invocation();
        let story = world.finish(ports.ledger().story(grant.id())).unwrap().unwrap().unwrap();
        assert_eq!((story.events.len(), story.stored.unwritten.len()), (5, 0));
        stories.push(Story { subject: Subject::from(&story.stored.grant), events: story.events });
    }
    stories
}

use curfew_app::Ports as _;

/// The event of a story, as the stream brings it. Numbers in the stream are given later.
pub(crate) fn arrival_of(story: &Story, seq: u32) -> Arrival {
    let event = story.events.iter().find(|event| event.seq == seq).unwrap();
    arrival(Ok(Content::Event { grant_id: event.grant_id.clone(), seq, body: event.canonical() }))
}

/// A denied request, as the stream brings it.
pub(crate) fn denied(ticket: &str) -> Arrival {
    let denied =
        DeniedRequest::of(&request(ticket), "self-approval", "nobody else approved", fixtures::START);
    arrival(Ok(Content::Denial(Box::new(denied))))
}

/// Something that can't be read.
pub(crate) fn poison(why: &str) -> Arrival {
    arrival(Err(why.to_owned()))
}

fn arrival(content: Result<Content, String>) -> Arrival {
    Arrival { sequence: String::new(), content, raw: json!({ "dynamodb": {} }) }
}

/// Gives arrivals their numbers in the stream.
pub(crate) fn in_stream(arrivals: impl IntoIterator<Item = Arrival>) -> Vec<Arrival> {
    let numbered = |(n, arrival): (usize, Arrival)| {
        let sequence = format!("{:021}", n + 100);
        let raw = json!({ "dynamodb": { "SequenceNumber": sequence } });
        Arrival { sequence, raw, ..arrival }
    };
    arrivals.into_iter().enumerate().map(numbered).collect()
}

/// What is told of an arrival; none, if it can't be read.
pub(crate) fn detail(arrival: &Arrival, stories: &[Story]) -> Option<String> {
    let settings = settings();
    match arrival.content.as_ref().ok()? {
        Content::Denial(denied) => {
            Some(Record::of_denial(settings.mapping, &settings.origin, denied).detail())
        }
        Content::Event { grant_id, body, .. } => {
            let of = |story: &&Story| story.events.iter().any(|event| event.grant_id == *grant_id);
            let subject = &stories.iter().find(of)?.subject;
            Some(Record::of_event(settings.mapping, &settings.origin, subject, body).ok()?.detail())
        }
    }
}
