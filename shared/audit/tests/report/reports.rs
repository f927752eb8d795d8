//! What a report says, and what it says of itself.

use curfew_audit::report::{Order, Period, Report, SampleOf, columns, csv, html, report};
use curfew_audit::verify::{Expectations, Source, Unreadable, verify};
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::ids::GrantId;

use crate::archive::{Archive, CATALOG, id, quarter, time};

impl Source for Archive {
    fn list(&self, prefix: &str) -> Result<Vec<String>, Unreadable> {
        // In no order that means anything.
        Ok(self.objects.keys().rev().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn read(&self, key: &str) -> Result<Vec<u8>, Unreadable> {
        let missing = || Unreadable { key: key.to_owned(), message: "it is not there".to_owned() };
        self.objects.get(key).cloned().ok_or_else(missing)
    }
}

fn catalog() -> Catalog {
    let file = CatalogFile { name: "catalog.toml".to_owned(), text: CATALOG.to_owned() };
    Catalog::parse(&[file]).expect("a catalog")
}

fn period(from: &str, until: &str) -> Period {
    Period { from: time(from), until: time(until) }
}

fn fourth_quarter() -> Period {
    period("2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z")
}

fn expected(archive: &Archive) -> Expectations {
    Expectations {
        public_key_pem: Some(archive.public().pem().to_owned()),
        as_of: Some(time("2027-01-01T00:00:00Z")),
        ..Expectations::default()
    }
}

fn of(archive: &Archive, expected: &Expectations, period: Period, sample: Option<SampleOf>) -> Report {
    let verification = verify(archive, expected).expect("an archive");
    let catalog = catalog();
    let made_at = time("2027-01-05T12:00:00Z");
    let order = Order { period, made_at, known_until: made_at, catalog: Some(&catalog), sample };
    report(archive, verification, &order).expect("an archive")
}

/// The quarter, all of it.
pub(crate) fn whole() -> Report {
    let archive = quarter();
    of(&archive, &expected(&archive), fourth_quarter(), None)
}

/// The quarter, with a sample of two.
pub(crate) fn sampled() -> Report {
    let archive = quarter();
    let sample = SampleOf { size: 2, seed: "audit 2026".to_owned() };
    of(&archive, &expected(&archive), fourth_quarter(), Some(sample))
}

fn ids(report: &Report) -> Vec<GrantId> {
    report.grants.iter().map(|row| row.grant_id.clone()).collect()
}

#[test]
fn a_report_of_a_whole_archive_has_no_reservations() {
    let report = whole();
    assert_eq!(report.reservations, Vec::<String>::new());
    assert!(report.is_proven());
}

#[test]
fn what_something_happened_to_in_the_period_is_in_it_and_nothing_else() {
    // `g` ended before the quarter, and was found changed in it; `f` ended before, `h` began after.
    assert_eq!(ids(&whole()), ['g', 'a', 'b', 'c', 'd', 'e'].map(id));
    let archive = quarter();
    let at = |from, until| ids(&of(&archive, &expected(&archive), period(from, until), None));
    // Alive all through it, though nothing happened.
    assert_eq!(at("2026-11-10T10:00:00Z", "2026-11-10T11:00:00Z"), [id('c')]);
    assert_eq!(at("2026-09-01T11:00:01Z", "2026-09-01T11:00:02Z"), [id('f')]);
    assert_eq!(at("2026-09-01T11:00:02Z", "2026-09-01T11:00:03Z"), []);
    assert_eq!(at("2026-09-01T09:00:00Z", "2026-09-01T10:00:00Z"), []);
}

#[test]
fn a_row_tells_a_grants_whole_life_in_whatever_order_it_was_archived() {
    let report = whole();
    let row = |letter: char| report.grants.iter().find(|row| row.grant_id == id(letter)).expect("a row");
    let extended = row('a');
    assert_eq!(
        extended.effective_at,
        Some(time("2026-10-05T09:00:00Z")),
        "not the confirmation of its change"
    );
    assert_eq!(extended.ends_at(), Some(time("2026-10-05T11:00:00Z")));
    assert_eq!(extended.records.count, 7, "what is there twice counts once");
    let removal = extended.removal.as_ref().expect("it is gone");
    assert_eq!(removal.seconds, Some(2), "from the end that was in force");
    let broken_glass = row('b');
    assert_eq!((broken_glass.removal_failures, broken_glass.records.last), (1, 8));
    assert!(!broken_glass.owes_review() && broken_glass.emergency().is_some());
    let revoked = row('c').removal.as_ref().expect("it is gone");
    assert_eq!(revoked.seconds, Some(7), "from when somebody asked, and not from its window's end");
    assert_eq!(row('d').effective_at, None);
    assert!(row('e').removal.is_none() && row('e').owes_review());
}

#[test]
fn what_an_event_says_counts_and_not_what_stands_beside_it() {
    let mut archive = quarter();
    for body in archive.objects.values_mut() {
        let text = String::from_utf8(body.clone()).expect("text");
        let forged = text
            .replace(r#""requester":"ben@example.com""#, r#""requester":"eve@example.com""#)
            .replace(
                r#""uid":"arn:aws:iam::111122223333:user/ben""#,
                r#""uid":"arn:aws:iam::111122223333:user/eve""#,
            )
            .replace(r#""role":"admin""#, r#""role":"reader""#);
        *body = forged.into_bytes();
    }
    let report = of(&archive, &expected(&archive), fourth_quarter(), None);
    assert!(!report.is_proven());
    let row = report.grants.iter().find(|row| row.grant_id == id('b')).expect("a row");
    assert_eq!(
        (row.requester.as_str(), row.principal.as_str(), row.role.as_str()),
        ("ben@example.com", "arn:aws:iam::111122223333:user/ben", "admin")
    );
}

#[test]
fn an_archive_that_fails_its_verification_is_reported_on_and_says_so_first() {
    let mut archive = quarter();
    let key = archive.objects.keys().find(|key| key.contains("2026-11-10T12")).expect("an object").clone();
    let body = String::from_utf8(archive.objects[&key].clone()).expect("text");
    archive.objects.insert(key, body.replace("2026-11-10T12:00:07Z", "2026-11-10T12:00:01Z").into_bytes());
    let report = of(&archive, &expected(&archive), fourth_quarter(), None);
    assert!(!report.is_proven());
    let first = &report.reservations[0];
    assert!(
        first.starts_with("THE ARCHIVE FAILED ITS VERIFICATION") && first.contains("2026-11-10T12"),
        "{first}"
    );
    let page = html::page(&report).expect("a page");
    assert!(page.contains("THE ARCHIVE FAILED") && !page.contains("is whole"), "on the page too");
}

#[test]
fn what_limits_the_proof_is_said() {
    let archive = quarter();
    let says = |expected: &Expectations, period: Period, part: &str| {
        let report = of(&archive, expected, period, None);
        assert!(
            report.reservations.iter().any(|one| one.contains(part)),
            "{part}: {:?}",
            report.reservations
        );
    };
    says(
        &Expectations { public_key_pem: None, ..expected(&archive) },
        fourth_quarter(),
        "a key that lies in the archive itself",
    );
    says(
        &expected(&archive),
        period("2026-10-01T00:00:00Z", "2027-02-01T00:00:00Z"),
        "sealed until 2027-01-01T00:30:00Z",
    );

    // Copied from October on, so that of `g` only what was found in October is there.
    let mut cut = quarter();
    cut.objects.retain(|key, _| !key.contains("day=2026-09"));
    let expected = Expectations { expired_until: Some(time("2026-10-01T00:00:00Z")), ..expected(&archive) };
    let report = of(&cut, &expected, fourth_quarter(), None);
    assert!(report.is_proven(), "{:?}", report.verification.findings);
    let told: Vec<&String> =
        report.reservations.iter().filter(|one| one.contains("of 1 grant(s) some events")).collect();
    assert_eq!(told.len(), 1, "{:?}", report.reservations);
    let row = report.grants.iter().find(|row| row.grant_id == id('g')).expect("a row");
    assert!(row.records.is_missing_some());
    assert_eq!(
        (row.requester.as_str(), row.requested_at),
        ("ana@example.com", None),
        "as far as it is known"
    );
}

#[test]
fn a_sample_depends_on_seed_and_population_alone() {
    let chosen = |seed: &str, size: usize| {
        let archive = quarter();
        let sample = SampleOf { size, seed: seed.to_owned() };
        let report = of(&archive, &expected(&archive), fourth_quarter(), Some(sample));
        let marked: Vec<GrantId> = report.looked_at().map(|row| row.grant_id.clone()).collect();
        let chosen = report.sample.expect("a sample");
        let mut sorted = chosen.grants.clone();
        sorted.sort_by_key(|id| report.grants.iter().position(|row| row.grant_id == *id));
        assert_eq!(marked, sorted, "those that are chosen are marked");
        assert_eq!(chosen.population, 6);
        chosen.grants
    };
    let one = chosen("audit 2026", 2);
    assert_eq!(one, chosen("audit 2026", 2));
    assert_eq!(one, chosen("audit 2026", 6)[..2], "a larger sample holds the smaller one");
    assert_ne!(chosen("audit 2026", 3), chosen("audit 2027", 3));
    assert_eq!(chosen("audit 2026", 100).len(), 6);
}

#[test]
fn nothing_breaks_out_of_the_page() {
    let page = html::page(&whole()).expect("a page");
    for bad in ["<script", "<img", "onerror=alert(1)>", "\u{202e}", "http-equiv=\"refresh\"", "href=\"http"] {
        assert!(!page.contains(bad), "{bad}");
    }
    for shown in [
        "&#60;script&#62;",
        "&#60;img src=x onerror=alert(1)&#62;",
        "\\u{202e}txt.exe",
        "ops &#60;ops@example.com&#62;",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
}

#[test]
fn no_cell_of_any_table_is_a_formula() {
    let report = whole();
    let tables = [
        csv::write(columns::GRANTS, &report.grants).expect("rows"),
        csv::write(columns::DENIALS, &report.denials).expect("rows"),
    ];
    let mut neutralised = 0;
    for table in tables {
        let mut reader = ::csv::Reader::from_reader(table.as_slice());
        for record in reader.records() {
            for cell in &record.expect("a row") {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
                neutralised += usize::from(cell.starts_with('\''));
            }
        }
    }
    assert_eq!(neutralised, 2, "the justification of `c`, and one denial's reason");
}

#[test]
fn the_access_review_says_who_could_and_who_did() {
    let report = whole();
    let held: Vec<(&str, &str, &str, usize, Option<bool>)> = report
        .access
        .held
        .iter()
        .map(|one| {
            (one.person.as_str(), one.tenant.as_str(), one.role.as_str(), one.grants, one.still_eligible)
        })
        .collect();
    assert_eq!(
        held,
        [
            ("ana@example.com", "acme", "reader", 1, Some(true)),
            ("ben@example.com", "acme", "admin", 1, Some(true)),
            ("ben@example.com", "acme", "reader", 1, Some(true)),
            // By her address of today; and she may not ask for it any more.
            ("eva@example.com", "acme", "reader", 1, Some(false)),
        ]
    );
    let eligible = report.access.eligible.as_ref().expect("a catalog was given");
    let could: Vec<(&str, &str, &str, usize)> = eligible
        .entries
        .iter()
        .map(|one| (one.person.as_str(), one.tenant.as_str(), one.role.as_str(), one.grants))
        .collect();
    assert_eq!(
        could,
        [
            ("ana@example.com", "acme", "reader", 1),
            ("ana@example.com", "globex", "reader", 0),
            ("ben@example.com", "acme", "admin", 1),
            ("ben@example.com", "acme", "reader", 1),
            ("fay@example.com", "acme", "admin", 0),
        ]
    );
    assert_eq!(eligible.unused_roles, [("globex".to_owned(), "reader".to_owned())]);
    assert_eq!(
        eligible.unused_people.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
        ["fay@example.com"]
    );
    assert_eq!(report.access.emergencies, ['b', 'e'].map(id));
    assert_eq!(report.access.open_reviews, [id('e')]);
    // `e` was had for the last hour of the quarter; what comes after it does not count.
    assert_eq!(report.access.held[3].seconds, 3_600);
}

#[test]
fn numbers_are_counted_over_the_population() {
    let numbers = whole().numbers;
    assert_eq!((numbers.grants, numbers.requested, numbers.took_effect), (6, 5, 5));
    assert_eq!((numbers.expired, numbers.revoked, numbers.failed, numbers.not_ended), (3, 1, 1, 1));
    assert_eq!((numbers.emergencies, numbers.privileged, numbers.extended, numbers.drifted), (2, 1, 1, 1));
    assert_eq!((numbers.reviews_owed, numbers.reviews_open, numbers.removal_failed), (2, 1, 1));
    assert_eq!(numbers.denials, 2, "what was denied before the quarter does not count");
    let removal = numbers.removal_seconds.expect("some were removed");
    assert_eq!((removal.count, removal.median, removal.max, removal.max_of), (4, 2, 90, id('b')));
}
