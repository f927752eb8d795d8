//! Tests of the markup: whatever people write, it is exactly the markup of the templates, and their words arrive in it
//! unchanged. A real browser looks at it in `tests/tests/console`.

use curfew_app::console::{AccessKind, Listed, LiveGrant, LiveState, Overview, ReviewOwed, Standing};
use curfew_app::open::{Opened, open};
use curfew_app::ports::Ledger as _;
use curfew_app::revoke::revoke_all;
use curfew_domain::event::{Actor, Fact, OperatorName};
use curfew_domain::grant::{Cause, Outcome};
use curfew_domain::ids::{Email, GrantId, RoleName, Source, TenantId, TicketId};
use curfew_domain::transition::BeginClosing;
use curfew_domain::window::plus;
use curfew_testkit::fixtures;
use curfew_testkit::guardrails::permissive;
use html5gum::{DefaultEmitter, Token, Tokenizer};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A tag as a browser reads it, its attributes with their values.
#[derive(Debug, Clone, PartialEq)]
enum Tag {
    Open(String, Vec<(String, String)>),
    Close(String),
    Other(String),
}

/// What a browser reads: tags, texts, and what it finds wrong.
fn read(html: &str) -> (Vec<Tag>, String, Vec<String>) {
    let (mut tags, mut text, mut errors) = (Vec::new(), String::new(), Vec::new());
    let mut emitter: DefaultEmitter<()> = DefaultEmitter::default();
    // As a browser does where an element's content is no markup: `<style>`, `<script>`.
    emitter.naively_switch_states(true);
    let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        match token {
            Token::StartTag(tag) => {
                let attributes = tag.attributes.iter();
                let attributes = attributes.map(|(name, value)| (string(name), string(value))).collect();
                tags.push(Tag::Open(string(&tag.name), attributes));
            }
            Token::EndTag(tag) => tags.push(Tag::Close(string(&tag.name))),
            Token::String(words) => text.push_str(&string(&words)),
            Token::Comment(words) => tags.push(Tag::Other(string(&words))),
            Token::Doctype(_) => tags.push(Tag::Other("doctype".to_owned())),
            Token::Error(error) => errors.push(error.to_string()),
        }
    }
    (tags, text, errors)
}

/// The markup alone: which tags with which attributes, and the values of those that are never anybody's words.
fn markup(html: &str) -> Vec<Tag> {
    let words = ["title", "aria-label", "value", "confirmation", "endpoint"];
    let blank = |(name, value): (String, String)| {
        let value = if words.contains(&name.as_str()) { String::new() } else { value };
        (name, value)
    };
    let tags = read(html).0.into_iter();
    tags.map(|tag| match tag {
        Tag::Open(name, attributes) => Tag::Open(name, attributes.into_iter().map(blank).collect()),
        other => other,
    })
    .collect()
}

/// Everything that anybody may have written.
#[derive(Debug, Clone)]
struct Words([String; 12]);

impl Words {
    fn plain() -> Self {
        Self(std::array::from_fn(|n| format!("word{n}")))
    }

    fn get(&self, n: usize) -> String {
        self.0[n].clone()
    }
}

fn live(principal: String, standing: Standing) -> Listed {
    let grant = LiveGrant {
        grant_id: GrantId::new("g-aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap(),
        person: Email::new("ana@example.com").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        role: RoleName::new("prod-ops").unwrap(),
        principal,
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG0030192").unwrap(),
        state: LiveState::Closing,
        starts_at: at("2026-11-21T10:00:00Z"),
        expires_at: at("2026-11-21T11:00:00Z"),
        due_at: at("2026-11-21T10:31:00Z"),
        access_kind: Some(AccessKind::Managed),
        privileged: true,
        failures: 2,
        closing_since: Some(at("2026-11-21T10:20:00Z")),
        in_aws_until: None,
    };
    Listed { standing, grant }
}

fn owed(principal: String) -> ReviewOwed {
    let Listed { grant, .. } = live(principal, Standing::Active);
    ReviewOwed {
        grant_id: grant.grant_id,
        since: grant.starts_at,
        person: grant.person,
        tenant: grant.tenant,
        role: grant.role,
        principal: grant.principal,
        source: grant.source,
        ticket: grant.ticket,
        starts_at: grant.starts_at,
        expires_at: grant.expires_at,
        outcome: Some(Outcome::Revoked),
    }
}

fn overview(words: &Words) -> Overview {
    Overview {
        as_of: at("2026-11-21T10:30:00Z"),
        grants: vec![live(words.get(0), Standing::RemovalFails), live(words.get(0), Standing::Active)],
        reviews_owed: vec![owed(words.get(1))],
        unreadable: vec![words.get(2)],
        truncated: true,
        reviews_truncated: true,
    }
}

fn asked(words: &Words) -> Widget {
    Widget {
        typed: Typed {
            tenant: words.get(3),
            person: words.get(4),
            ticket: words.get(5),
            operator: words.get(6),
            reason: words.get(7),
        },
        notices: vec![words.get(8)],
        ..Widget::default()
    }
}

/// The story of a grant that was asked for and ended in these words. What its makers refuse of them is put in afterwards.
fn told(words: &Words) -> Shown {
    let (world, catalog) = (fixtures::world(), fixtures::catalog());
    let ports = world.invocation();
    let opening = open(&ports, permissive(&catalog), fixtures::request("CHG-1"), fixtures::settings());
    let Ok(Ok(Opened::Activated(grant))) = world.finish(opening) else { panic!("not activated") };
    let begin = BeginClosing {
        cause: Cause::Revoked,
        actor: Actor::Operator(OperatorName::new("<b>olga</b> \"'&").unwrap()),
        reason: words.get(10),
        settled: false,
    };
    let stop_at = plus(world.now(), SignedDuration::from_secs(60));
    world.finish(revoke_all(&ports, vec![grant.id().clone()], &begin, stop_at)).unwrap();
    let mut story = world.finish(ports.story(grant.id())).unwrap().unwrap().unwrap();
    for event in &mut story.events {
        if let Fact::Requested { request, .. } = &mut event.fact {
            request.justification = words.get(9);
        }
    }
    let mut shown = Shown::of(story, world.now());
    shown.chain_problem = Some(words.get(11));
    shown.grant.document = Some(words.get(9));
    shown.grant.principal = words.get(0);
    shown
}

/// Every page, all of whose words are these.
fn pages(words: &Words) -> [String; 4] {
    let (widget, arn) = (asked(words), words.get(11));
    let links = Links { stack: &words.get(2), console: &arn, revoke: &arn, grant: &arn };
    [
        grants(&overview(words), &Filter::default(), &widget, &links).unwrap(),
        problem(&[words.get(9), words.get(10)], &widget, &links).unwrap(),
        story(&told(words), &widget).unwrap(),
        alert(&words.get(9), &widget).unwrap(),
    ]
}

fn assert_safe(words: &Words, may_be_odd: bool) {
    for (page, plain) in pages(words).iter().zip(pages(&Words::plain())) {
        assert_eq!(markup(page), markup(&plain), "{words:?}");
        let (tags, text, errors) = read(page);
        assert!(may_be_odd || errors.is_empty(), "{errors:?}");
        assert_eq!(page.matches("</cwdb-action>").count(), plain.matches("</cwdb-action>").count());
        let is_whole = |tag: &Tag| match tag {
            Tag::Open(name, attributes) => {
                !["script", "iframe", "object", "embed", "link", "meta", "base"].contains(&name.as_str())
                    && attributes.iter().all(|(name, value)| {
                        !name.starts_with("on")
                            && !["href", "src", "srcdoc", "formaction"].contains(&name.as_str())
                            && (name != "style" || value.starts_with("width:"))
                    })
            }
            Tag::Close(_) => true,
            Tag::Other(_) => false,
        };
        assert!(tags.iter().all(is_whole), "{tags:?}");
        assert!(!text.is_empty());
    }
}

const NASTY: [&str; 16] = [
    "<script>alert(1)</script>",
    "</cwdb-action><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "</title></textarea></bdi></td></table><svg/onload=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "\"><a href=javascript:alert(1)>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "&quot; onclick=&quot;alert(1)",
    "<!-- <script>",
    "--><script>alert(1)</script>",
    "<![CDATA[<script>]]>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "\u{202e}\u{2066}evil\u{200b}\u{feff}",
    "`><'\"&/=\\\u{2028}\u{2029}",
];

#[test]
fn each_nasty_text_is_shown_as_it_is_and_is_nothing_but_text() {
    for nasty in NASTY {
        let words = Words(std::array::from_fn(|_| nasty.to_owned()));
        assert_safe(&words, false);
        let [grants, problem, story, alert] = pages(&words);
        for (page, times) in [(&grants, 3), (&problem, 4), (&story, 3), (&alert, 1)] {
            let (tags, text, _) = read(page);
            // A stack's name, notices and unreadable items; a justification, a reason, a document.
            assert!(text.matches(nasty).count() >= times, "{nasty}: {text}");
            let values = tags.iter().filter_map(|tag| match tag {
                Tag::Open(name, attributes) if name == "input" => {
                    attributes.iter().find(|(name, _)| name == "value").map(|(_, value)| value.as_str())
                }
                _ => None,
            });
            assert!(values.into_iter().all(|value| value == nasty), "{nasty}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_words_of_anybody_become_markup(
        words in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    3 => proptest::sample::select(NASTY.to_vec()).prop_map(str::to_owned),
                    2 => proptest::sample::select(vec!["<", ">", "\"", "'", "&", "/", "=", "-", " ", ";", "!", "\0", "\r", "\n"])
                        .prop_map(str::to_owned),
                    1 => any::<char>().prop_map(String::from),
                ],
                1..6,
            ).prop_map(|parts| parts.concat()),
            12,
        )
    ) {
        assert_safe(&Words(words.try_into().unwrap()), true);
    }
}

fn empty() -> Overview {
    Overview {
        as_of: at("2026-11-21T10:30:00Z"),
        grants: Vec::new(),
        reviews_owed: Vec::new(),
        unreadable: Vec::new(),
        truncated: false,
        reviews_truncated: false,
    }
}

const LINKS: Links<'_> = Links { stack: "curfew", console: "arn:c", revoke: "arn:r", grant: "arn:g" };

fn shown(seen: &Overview, filter: &Filter) -> String {
    grants(seen, filter, &Widget::default(), &LINKS).unwrap()
}

#[test]
fn nobody_is_said_and_what_the_filter_has_to_do_with_it() {
    assert!(shown(&empty(), &Filter::default()).contains("Nobody has access now."));
    let filter = Filter { tenant: TenantId::new("acme").ok(), ..Filter::default() };
    assert!(shown(&empty(), &filter).contains("Nobody has access that fits the filter."));
    let unread = problem(&["no ledger".to_owned()], &Widget::default(), &LINKS).unwrap();
    assert!(!unread.contains("Nobody"), "nothing is known of anybody: {unread}");
    assert!(!unread.contains("name=\"operator\""), "there is nothing to act on");
}

#[test]
fn what_is_urgent_is_said_in_the_first_line() {
    let calm = Overview { grants: vec![live("p".to_owned(), Standing::Active)], ..empty() };
    let page = shown(&calm, &Filter::default());
    assert!(page.contains("<strong>1 live grant</strong>"), "{page}");
    let urgent = Overview {
        grants: vec![live("p".to_owned(), Standing::Overdue), live("p".to_owned(), Standing::RemovalFails)],
        reviews_owed: vec![owed("p".to_owned())],
        ..empty()
    };
    let page = shown(&urgent, &Filter::default());
    let line = "<strong class=\"cf-urgent\">2 live grants · 2 failed or overdue · 1 review owed</strong>";
    assert!(page.contains(line), "{page}");
}

#[test]
fn what_is_left_out_is_told() {
    let many = Overview {
        grants: vec![live("p".to_owned(), Standing::Active); ROWS_MAX + 3],
        reviews_owed: vec![owed("p".to_owned()); REVIEWS_MAX + 1],
        truncated: true,
        ..empty()
    };
    let page = shown(&many, &Filter::default());
    assert_eq!(page.matches("<tr class=").count(), ROWS_MAX);
    for told in ["3 more, less urgent", "1 more, owed for less long", "overdue ones too"] {
        assert!(page.contains(told), "{told}");
    }
    let few = Overview { grants: vec![live("p".to_owned(), Standing::Active); ROWS_MAX], ..empty() };
    assert!(!shown(&few, &Filter::default()).contains(" more, "));
}

/// What Lambda lets a function answer
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const REPLY_BYTES: usize = 6 * 1_048_576;

#[test]
fn the_largest_page_fits_into_a_reply() {
    // Longer than any name can be, and of what takes most room once it is escaped.
    let arn = "&".repeat(600);
    let mut grant = live(arn.clone(), Standing::Active);
    grant.grant.person = Email::new(&format!("{}@{}.example", "p".repeat(120), "h".repeat(120))).unwrap();
    grant.grant.ticket = TicketId::new("T".repeat(100)).unwrap();
    let slug = "s".repeat(64);
    grant.grant.tenant = TenantId::new(&slug).unwrap();
    grant.grant.role = RoleName::new(&slug).unwrap();
    grant.grant.source = Source::new(&slug).unwrap();
    let mut review = owed(arn);
    (review.person, review.ticket) = (grant.grant.person.clone(), grant.grant.ticket.clone());
    (review.tenant, review.role) = (grant.grant.tenant.clone(), grant.grant.role.clone());
    let seen = Overview {
        grants: vec![grant; 4_000],
        reviews_owed: vec![review; 4_000],
        unreadable: vec!["&".repeat(700); 22],
        ..empty()
    };
    let nasty = Words(std::array::from_fn(|_| "&".repeat(1_000)));
    let links = Links { console: &"&".repeat(200), ..LINKS };
    let page = grants(&seen, &Filter::default(), &asked(&nasty), &links).unwrap();
    let reply = serde_json::to_string(&page).unwrap().len();
    assert!(reply < REPLY_BYTES, "{reply}");
}

#[test]
fn a_story_tells_what_happened_and_that_it_hangs_together() {
    let (world, catalog) = (fixtures::world(), fixtures::catalog());
    let ports = world.invocation();
    let opening = open(&ports, permissive(&catalog), fixtures::request("CHG-1"), fixtures::settings());
    let Ok(Ok(Opened::Activated(grant))) = world.finish(opening) else { panic!("not activated") };
    let read = world.finish(ports.story(grant.id())).unwrap().unwrap().unwrap();
    let page = story(&Shown::of(read.clone(), world.now()), &Widget::default()).unwrap();
    for told in ["ops of ana@example.com in acme", "disk full on db-3", "Requested", "Activated", "unbroken"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    let mut torn = read;
    torn.events.remove(1);
    let page = story(&Shown::of(torn, world.now()), &Widget::default()).unwrap();
    assert!(page.contains("The events are not what was written") && !page.contains("unbroken"), "{page}");
    // The gap shows where it is.
    assert!(page.contains("1 more events"), "{page}");
}
