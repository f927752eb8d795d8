//! The files of a report, byte for byte as they were reviewed.

use std::path::Path;

use curfew_audit::report::{columns, csv, html};

use crate::reports::{sampled, whole};

#[test]
#[expect(clippy::disallowed_methods, reason = "asks whoever runs the tests whether to write the files anew")]
fn files_look_as_they_were_reviewed() {
    let (whole, sampled) = (whole(), sampled());
    let eligible = whole.access.eligible.as_ref().expect("a catalog was given");
    let files = [
        ("grants.csv", csv::write(columns::GRANTS, &whole.grants).expect("rows")),
        ("sample.csv", csv::write(columns::GRANTS, sampled.looked_at()).expect("rows")),
        ("denials.csv", csv::write(columns::DENIALS, &whole.denials).expect("rows")),
        ("held.csv", csv::write(columns::HELD, &whole.access.held).expect("rows")),
        ("eligible.csv", csv::write(columns::ELIGIBLE, &eligible.entries).expect("rows")),
        ("report.html", html::page(&whole).expect("a page").into_bytes()),
        ("sample.html", html::page(&sampled).expect("a page").into_bytes()),
        ("report.json", serde_json::to_vec_pretty(&whole).expect("JSON")),
    ];
    for (name, made) in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/golden").join(name);
        if std::env::var_os("CURFEW_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &made).expect("a file");
        }
        let reviewed = std::fs::read(&path).unwrap_or_default();
        assert!(
            made == reviewed,
            "{name} differs from what was reviewed. If that is meant, write it anew with\n\
             CURFEW_UPDATE_GOLDEN=1 cargo test -p curfew-audit --test report\nand read what changed"
        );
    }
}

/// The table of columns as `docs/reports.md` has it.
fn table<T>(columns: &[columns::Column<T>]) -> String {
    let line = |column: &columns::Column<T>| {
        let evidence = if column.evidence.is_empty() { "–".to_owned() } else { column.evidence.join(", ") };
        format!("| `{}` | {} | {evidence} |\n", column.name, column.says)
    };
    columns.iter().map(line).collect()
}

#[test]
fn the_documentation_has_every_column_with_what_it_is_evidence_for() {
    let docs = include_str!("../../../../docs/reports.md");
    for (of, table) in [
        ("grants", table(columns::GRANTS)),
        ("denials", table(columns::DENIALS)),
        ("held", table(columns::HELD)),
        ("eligible", table(columns::ELIGIBLE)),
    ] {
        assert!(
            docs.contains(&table),
            "docs/reports.md does not have the columns of {of} as they are:\n{table}"
        );
    }
}
