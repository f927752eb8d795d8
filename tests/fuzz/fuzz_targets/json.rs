//! JSON: see [`curfew_fuzz::json`].
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| curfew_fuzz::json::read(text));
