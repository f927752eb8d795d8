//! Keys, index names and shared attribute names of the ledger's one table.
//!
//! | `pk` | `sk` | item |
//! |---|---|---|
//! | `GRANT#<grant id>` | `STATE` | the grant |
//! | `GRANT#<grant id>` | `EVENT#<6 digits>` | one of its events |
//! | `TICKET#<ticket>` | `<source>#GRANT#<grant id>` | a grant that the ticket justifies |
//! | `TICKET#<ticket>` | `<source>#CLOSED` | the ticket was closed for good |
//! | `TICKET#<ticket>` | `<source>#DENIED#<request digest>#<code>` | a request on it was denied |
//! | `ATTACHMENT#<principal ARN>#<policy ARN>` | `HOLDERS` | who holds a shared attachment, who is leaving it, and marks of removals under way |
//! | `DRIFT#<account>` | `LAP` | how far the drift lap over an account is |
//! | `ARCHIVE` | `CHECKPOINT` | the newest checkpoint of the archive |
//! | `DRIFT#<principal ARN>` | `STRAY#<policy name or ARN>` | something there that no grant accounts for |
//!
//! No identifier may contain `#` (the domain's constructors see to it), so no key can be mistaken for
//! another. A ticket's source is in the sort key, so that an operator who knows only the ticket's id
//! finds it with one query.

use curfew_app::ports::{DueItem, Stray};
use curfew_domain::access::Attachment;
use curfew_domain::ids::{GrantId, Source, TicketId};
use curfew_domain::window::{plus, whole_second};
use jiff::{SignedDuration, Timestamp};

/// The partition key's attribute.
pub(super) const PK: &str = "pk";
/// The sort key's attribute.
pub(super) const SK: &str = "sk";

/// The sort key of a grant's state.
pub(super) const STATE: &str = "STATE";
/// The sort key of an attachment's holders.
pub(super) const HOLDERS: &str = "HOLDERS";

/// The partition of what is remembered of the archive.
pub(super) const ARCHIVE: &str = "ARCHIVE";
/// The sort key of its newest checkpoint.
pub(super) const CHECKPOINT: &str = "CHECKPOINT";

/// The sort key of an account's drift lap.
pub(super) const LAP: &str = "LAP";

/// The index of what owes work: `due_shard`, `due_order`.
pub(super) const DUE_INDEX: &str = "due";
/// The index of grants that have not ended, by person: `live_person`, `live_tenant`.
pub(super) const LIVE_BY_PERSON_INDEX: &str = "live_by_person";
/// The index of grants that have not ended, by tenant: `live_tenant`, `principal`.
pub(super) const LIVE_BY_TENANT_INDEX: &str = "live_by_tenant";

/// The index of grants that somebody owes a review: `review_owed`, `review_since`.
pub(super) const REVIEWS_INDEX: &str = "reviews";

/// The one partition of the index of reviews. Emergencies are rare: no more than what one partition takes.
pub(super) const REVIEW_OWED: &str = "owed";

/// A grant's place in the index of reviews: by since when it owes one.
pub(super) fn review_since(since: Timestamp, id: &GrantId) -> String {
    format!("{}#{id}", time(since))
}

/// Since when a review is owed, from its place in the index.
pub(super) fn since_of_review(place: &str) -> Option<Timestamp> {
    place.split_once('#')?.0.parse().ok()
}

/// Into how many partitions of its index the due items of each rank (privileged, normal) are spread: one
/// partition takes 1,000 writes a second
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).
pub(super) const DUE_SHARDS_OF_A_RANK: u8 = 4;

/// The partition of a grant and its events.
pub(super) fn grant_pk(id: &GrantId) -> String {
    format!("GRANT#{id}")
}

/// The grant that a partition belongs to, if it is a grant's.
pub(super) fn grant_of_pk(pk: &str) -> Option<GrantId> {
    GrantId::new(pk.strip_prefix("GRANT#")?).ok()
}

/// The sort key of an event. Six digits keep the order of 999,999 events: a removal that is retried
/// every 15 minutes writes 35,000 a year.
pub(super) fn event_sk(seq: u32) -> String {
    format!("{EVENT_PREFIX}{seq:06}")
}

/// How the sort keys of events begin.
pub(super) const EVENT_PREFIX: &str = "EVENT#";

/// The number of the event that a sort key belongs to, if it is an event's.
pub(super) fn seq_of_sk(sk: &str) -> Option<u32> {
    let seq = sk.strip_prefix(EVENT_PREFIX)?.parse().ok()?;
    (event_sk(seq) == sk).then_some(seq)
}

/// The partition of a ticket, whatever its source.
pub(super) fn ticket_pk(ticket: &TicketId) -> String {
    format!("{TICKET_PREFIX}{ticket}")
}

/// How the partition keys of tickets begin.
pub(super) const TICKET_PREFIX: &str = "TICKET#";

/// The sort key of a ticket's link to a grant.
pub(super) fn link_sk(source: &Source, id: &GrantId) -> String {
    format!("{source}{LINK}{id}")
}

/// How the sort keys of a source's links begin.
pub(super) fn link_prefix(source: &Source) -> String {
    format!("{source}{LINK}")
}

/// The source and the grant that a sort key links to, if it is a link's.
pub(super) fn link_of_sk(sk: &str) -> Option<(Source, GrantId)> {
    let (source, id) = sk.split_once(LINK)?;
    Some((Source::new(source).ok()?, GrantId::new(id).ok()?))
}

const LINK: &str = "#GRANT#";

/// The sort key of the mark that a ticket was closed.
pub(super) fn tombstone_sk(source: &Source) -> String {
    format!("{source}{CLOSED}")
}

const CLOSED: &str = "#CLOSED";

/// The sort key of a denial: the same request denied by another rule is another denial.
pub(super) fn denial_sk(source: &Source, request_digest: &str, code: &str) -> String {
    format!("{source}{DENIED}{request_digest}#{code}")
}

/// How the sort keys of a source's denials begin.
pub(super) fn denial_prefix(source: &Source) -> String {
    format!("{source}{DENIED}")
}

/// What a denial's sort key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DenialKey {
    /// Where the request came from.
    pub(super) source: Source,
    /// The digest of what was asked.
    pub(super) request_digest: String,
    /// The rule that denied it.
    pub(super) code: String,
}

/// What a sort key says, if it is a denial's.
pub(super) fn denial_of_sk(sk: &str) -> Option<DenialKey> {
    let (source, rest) = sk.split_once(DENIED)?;
    let (request_digest, code) = rest.split_once('#')?;
    let source = Source::new(source).ok()?;
    Some(DenialKey { source, request_digest: request_digest.to_owned(), code: code.to_owned() })
}

const DENIED: &str = "#DENIED#";

/// The partition of a shared attachment.
pub(super) fn attachment_pk(attachment: &Attachment) -> String {
    format!("ATTACHMENT#{}#{}", attachment.principal.arn(), attachment.policy_arn)
}

/// The partition of what was found out about an account by looking for drift.
pub(super) fn drift_pk(account: &str) -> String {
    format!("DRIFT#{account}")
}

/// The partition key of a stray. Its principal and policy together could be too long for a sort key
/// (1,024 bytes: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
pub(super) fn stray_pk(stray: &Stray) -> String {
    format!("DRIFT#{}", stray.principal)
}

/// The sort key of a stray.
pub(super) fn stray_sk(stray: &Stray) -> String {
    format!("STRAY#{}", stray.policy)
}

/// All partitions of the due index, each with whether what it holds is privileged.
pub(super) fn due_shards() -> impl Iterator<Item = (bool, String)> {
    [true, false]
        .into_iter()
        .flat_map(|privileged| (0..DUE_SHARDS_OF_A_RANK).map(move |n| (privileged, shard(privileged, n))))
}

fn shard(privileged: bool, n: u8) -> String {
    format!("due#{}#{n}", if privileged { "privileged" } else { "normal" })
}

/// The partition of the due index that an item is in as long as its rank stays.
pub(super) fn due_shard(item: &DueItem, privileged: bool) -> String {
    let n = match item {
        // An id's characters are uniform base32 digits, so two bits of the last one spread grants evenly.
        DueItem::Grant(id) => match id.as_str().bytes().last() {
            Some(letter @ b'a'..=b'z') => letter - b'a',
            Some(number @ b'2'..=b'7') => number - b'2' + 26,
            _ => 0,
        },
        // Tickets are numbered.
        DueItem::Ticket(_, ticket) => ticket.as_str().bytes().last().unwrap_or_default(),
    };
    shard(privileged, n % DUE_SHARDS_OF_A_RANK)
}

/// An item's place in its partition of the due index: by time, and at one time in the order of
/// [`DueItem`]. No two items have the same, so whoever read up to one can go on after it.
pub(super) fn due_order(due_at: Timestamp, item: &DueItem) -> String {
    let due_at = time(due_at);
    match item {
        DueItem::Grant(id) => format!("{due_at}#{id}"),
        // `g` comes before `t`. `#` comes before every character of an identifier, so that a source comes
        // before those whose names begin like its own.
        DueItem::Ticket(source, ticket) => format!("{due_at}#ticket#{source}#{ticket}"),
    }
}

/// The time in a place of the due index.
pub(super) fn time_of_due_order(order: &str) -> Option<Timestamp> {
    order.split_once('#')?.0.parse().ok()
}

/// The lowest key after a place of the due index: `!` comes before every character of an identifier and
/// before `#`.
pub(super) fn after_due_order(due_at: Timestamp, item: &DueItem) -> String {
    format!("{}!", due_order(due_at, item))
}

/// The highest key of what is due at a time: `~` comes after every character of an identifier.
pub(super) fn last_due_order(at: Timestamp) -> String {
    format!("{}#~", time(at))
}

/// The item that a base key of the due index belongs to, if it can be due at all.
pub(super) fn due_item(pk: &str, sk: &str) -> Option<DueItem> {
    if sk == STATE {
        return grant_of_pk(pk).map(DueItem::Grant);
    }
    let ticket = TicketId::new(pk.strip_prefix(TICKET_PREFIX)?).ok()?;
    let source = Source::new(sk.strip_suffix(CLOSED)?).ok()?;
    Some(DueItem::Ticket(source, ticket))
}

/// A time as the ledger writes and compares it: `2026-11-21T01:02:03Z`. One fixed width, so that the
/// order of the texts is the order of the times; a fraction of a second would break it.
pub(super) fn time(at: Timestamp) -> String {
    whole_second(at).to_string()
}

/// As [`time`], with a fraction of a second rounded up: the ledger must never believe that something is
/// over which the domain still reckons with.
pub(super) fn time_up(at: Timestamp) -> String {
    time(plus(at, SignedDuration::from_nanos(999_999_999)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(tail: &str) -> GrantId {
        GrantId::new(format!("g-{}{tail}", "a".repeat(26 - tail.len()))).unwrap()
    }

    #[test]
    fn a_link_is_read_as_it_was_written_and_nothing_else_is_a_link() {
        let source = Source::new("itsm-prod").unwrap();
        assert_eq!(link_of_sk(&link_sk(&source, &id("z7"))), Some((source.clone(), id("z7"))));
        assert!(link_sk(&source, &id("z7")).starts_with(&link_prefix(&source)));
        for other in [
            tombstone_sk(&source),
            denial_sk(&source, "00ff", "self-approval"),
            "#GRANT#".to_owned(),
            STATE.to_owned(),
        ] {
            assert_eq!(link_of_sk(&other), None, "{other}");
        }
    }

    #[test]
    fn one_source_name_that_begins_like_another_does_not_see_its_links() {
        let (short, long) = (Source::new("itsm").unwrap(), Source::new("itsm-prod").unwrap());
        assert!(!link_sk(&long, &id("")).starts_with(&link_prefix(&short)));
    }

    #[test]
    fn events_and_denials_are_known_by_their_keys() {
        for seq in [1, 7, 999_999, 1_000_000] {
            assert_eq!(seq_of_sk(&event_sk(seq)), Some(seq));
        }
        for other in ["EVENT#7", "EVENT#+00007", "EVENT#", "EVENT#0000007", "STATE"] {
            assert_eq!(seq_of_sk(other), None, "{other}");
        }
        let source = Source::new("itsm-prod").unwrap();
        let expected = DenialKey {
            source: source.clone(),
            request_digest: "00ff".to_owned(),
            code: "self-approval".to_owned(),
        };
        assert_eq!(denial_of_sk(&denial_sk(&source, "00ff", "self-approval")), Some(expected));
        for other in
            [tombstone_sk(&source), link_sk(&source, &id("7")), event_sk(1), "itsm#DENIED#00ff".to_owned()]
        {
            assert_eq!(denial_of_sk(&other), None, "{other}");
        }
    }

    fn ticket(source: &str, id: &str) -> DueItem {
        DueItem::Ticket(Source::new(source).unwrap(), TicketId::new(id).unwrap())
    }

    #[test]
    fn every_digit_has_a_shard_and_every_shard_of_a_rank_the_same_number_of_digits() {
        for privileged in [true, false] {
            let mut count = std::collections::BTreeMap::new();
            for digit in "abcdefghijklmnopqrstuvwxyz234567".chars() {
                let item = DueItem::Grant(id(&digit.to_string()));
                *count.entry(due_shard(&item, privileged)).or_insert(0) += 1;
            }
            let shards = due_shards().filter(|(of, _)| *of == privileged);
            let expected: std::collections::BTreeMap<_, _> = shards.map(|(_, shard)| (shard, 8)).collect();
            assert_eq!(count, expected);
        }
        let shards: std::collections::BTreeSet<_> =
            (10..20).map(|n| due_shard(&ticket("itsm", &format!("CHG{n}")), true)).collect();
        assert_eq!(shards.len(), usize::from(DUE_SHARDS_OF_A_RANK), "numbers spread as well");
    }

    #[test]
    fn the_order_in_the_index_is_the_order_of_work() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (first, second) = (at("2026-11-21T01:02:03Z"), at("2026-11-21T01:02:04Z"));
        let items = [
            DueItem::Grant(id("")),
            DueItem::Grant(id("7")),
            DueItem::Grant(id("z")),
            ticket("itsm", "1"),
            ticket("itsm", "1+"),
            ticket("itsm", "10"),
            ticket("itsm", "CHG1"),
            ticket("itsm", "a"),
            ticket("itsm-prod", "A1"),
            ticket("itsm2", "A1"),
            ticket("itsm_prod", "A1"),
        ];
        for (at, a) in [first, second].into_iter().flat_map(|at| items.iter().map(move |item| (at, item))) {
            assert_eq!(time_of_due_order(&due_order(at, a)), Some(at));
            assert!(due_order(at, a) <= last_due_order(at));
            assert_eq!(due_order(at, a) <= last_due_order(first), at == first);
            assert!(due_order(at, a) > time(at), "a bare time comes before all that is due at it");
            for b in &items {
                assert_eq!(due_order(at, a).cmp(&due_order(at, b)), a.cmp(b), "{a:?} {b:?}");
                assert_eq!(due_order(at, b) >= after_due_order(at, a), b > a, "{a:?} {b:?}");
                assert!(due_order(first, a) < due_order(second, b));
            }
        }
    }

    #[test]
    fn what_is_due_is_read_from_its_base_key_and_nothing_else_is_due() {
        let source = Source::new("itsm").unwrap();
        let change = TicketId::new("CHG:1/2").unwrap();
        assert_eq!(due_item(&grant_pk(&id("7")), STATE), Some(DueItem::Grant(id("7"))));
        let found = due_item(&ticket_pk(&change), &tombstone_sk(&source));
        assert_eq!(found, Some(DueItem::Ticket(source.clone(), change.clone())));
        for (pk, sk) in [
            (grant_pk(&id("7")), event_sk(1)),
            (ticket_pk(&change), link_sk(&source, &id("7"))),
            (ticket_pk(&change), denial_sk(&source, "00ff", "self-approval")),
            (drift_pk("111122223333"), LAP.to_owned()),
        ] {
            assert_eq!(due_item(&pk, &sk), None, "{pk} {sk}");
        }
    }

    #[test]
    fn times_sort_as_texts() {
        let texts: Vec<String> = [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T00:00:01Z",
            "2026-11-21T01:02:03Z",
        ]
        .iter()
        .map(|text| time(text.parse().unwrap()))
        .collect();
        assert!(texts.is_sorted(), "{texts:?}");
        assert!(texts.iter().all(|text| text.len() == 20), "{texts:?}");
    }

    #[test]
    fn events_sort_by_number_and_before_the_state() {
        assert!(event_sk(9) < event_sk(10));
        assert!(event_sk(99_999) < event_sk(100_000));
        assert!(event_sk(999_999).as_str() < STATE);
    }
}
