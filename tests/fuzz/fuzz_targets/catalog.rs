//! Catalogs: taken, or refused with findings that have a place in the file.
#![no_main]

use curfew_domain::catalog::{Catalog, CatalogFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = CatalogFile { name: "catalog.toml".to_owned(), text: text.to_owned() };
    match Catalog::parse(&[file]) {
        Ok(catalog) => assert_eq!(catalog.digest().len(), 64),
        Err(findings) => {
            assert!(findings.errors().next().is_some(), "refused without an error");
            curfew_fuzz::findings::check(findings.as_slice(), "catalog.toml", text);
        }
    }
});
