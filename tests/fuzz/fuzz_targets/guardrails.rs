//! Guardrails: taken, or refused with findings that have a place in the file.
#![no_main]

use curfew_guard::{CedarGuardrails, GuardrailFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = GuardrailFile { name: "guardrails.cedar".to_owned(), text: text.to_owned() };
    match CedarGuardrails::parse(&[file]) {
        Ok(guardrails) => {
            assert_eq!(guardrails.digest().len(), 64);
            assert!(
                guardrails.guardrails().all(|one| guardrails.guardrail(one.id()).is_some()),
                "one is lost"
            );
        }
        Err(findings) => {
            assert!(findings.errors().next().is_some(), "refused without an error");
            curfew_fuzz::findings::check(findings.as_slice(), "guardrails.cedar", text);
        }
    }
});
