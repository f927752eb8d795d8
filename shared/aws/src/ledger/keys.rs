//! Keys, index names and shared attribute names of the ledger's one table.
//!
//! | `pk` | `sk` | item |
//! |---|---|---|
//! | `GRANT#<grant id>` | `STATE` | the grant |
//! | `GRANT#<grant id>` | `EVENT#<6 digits>` | one of its events |
//! | `TICKET#<ticket>` | `<source>#GRANT#<grant id>` | a grant that the ticket justifies |
//! | `TICKET#<ticket>` | `<source>#CLOSED` | the ticket was closed for good |
//! | `TICKET#<ticket>` | `<source>#DENIED#<request digest>#<code>` | a request on it was denied |
//! | `ATTACHMENT#<principal ARN>#<policy ARN>` | `HOLDERS` | who holds a shared attachment |
//!
//! No identifier may contain `#` (the domain's constructors see to it), so no key can be mistaken for
//! another. A ticket's source is in the sort key, so that an operator who knows only the ticket's id
//! finds it with one query.

use curfew_domain::access::Attachment;
use curfew_domain::ids::{GrantId, Source, TicketId};
use curfew_domain::window::whole_second;
use jiff::Timestamp;

/// The partition key's attribute.
pub(super) const PK: &str = "pk";
/// The sort key's attribute.
pub(super) const SK: &str = "sk";

/// The sort key of a grant's state.
pub(super) const STATE: &str = "STATE";
/// The sort key of an attachment's holders.
pub(super) const HOLDERS: &str = "HOLDERS";

/// The index of grants that owe work: `due_shard`, `due_at`.
pub(super) const DUE_INDEX: &str = "due";
/// The index of grants that have not ended, by person: `live_person`, `live_tenant`.
pub(super) const LIVE_BY_PERSON_INDEX: &str = "live_by_person";
/// The index of grants that have not ended, by tenant: `live_tenant`, `live_person`.
pub(super) const LIVE_BY_TENANT_INDEX: &str = "live_by_tenant";

/// Into how many partitions of its index the due grants are spread: one partition takes 1,000 writes a
/// second (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).
pub(super) const DUE_SHARDS: u8 = 8;

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

/// The partition of a ticket, whatever its source.
pub(super) fn ticket_pk(ticket: &TicketId) -> String {
    format!("TICKET#{ticket}")
}

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
    format!("{source}#CLOSED")
}

/// The sort key of a denial: the same request denied by another rule is another denial.
pub(super) fn denial_sk(source: &Source, request_digest: &str, code: &str) -> String {
    format!("{source}#DENIED#{request_digest}#{code}")
}

/// The partition of a shared attachment.
pub(super) fn attachment_pk(attachment: &Attachment) -> String {
    format!("ATTACHMENT#{}#{}", attachment.principal.arn(), attachment.policy_arn)
}

/// All partitions of the due index.
pub(super) fn due_shards() -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(|shard| format!("due#{shard}"))
}

/// The partition of the due index that a grant is in, for its whole life. An id's characters are
/// uniform base32 digits, so three bits of the last one spread grants evenly.
pub(super) fn due_shard(id: &GrantId) -> String {
    let digit = match id.as_str().bytes().last() {
        Some(letter @ b'a'..=b'z') => letter - b'a',
        Some(number @ b'2'..=b'7') => number - b'2' + 26,
        _ => 0,
    };
    format!("due#{}", digit % DUE_SHARDS)
}

/// A time as the ledger writes and compares it: `2026-11-21T01:02:03Z`. One fixed width, so that the
/// order of the texts is the order of the times; a fraction of a second would break it.
pub(super) fn time(at: Timestamp) -> String {
    whole_second(at).to_string()
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
    fn every_digit_has_a_shard_and_every_shard_the_same_number_of_digits() {
        let mut count = std::collections::BTreeMap::new();
        for digit in "abcdefghijklmnopqrstuvwxyz234567".chars() {
            *count.entry(due_shard(&id(&digit.to_string()))).or_insert(0) += 1;
        }
        let expected: std::collections::BTreeMap<_, _> = due_shards().map(|shard| (shard, 4)).collect();
        assert_eq!(count, expected);
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
