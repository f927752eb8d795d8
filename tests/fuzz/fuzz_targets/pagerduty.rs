//! PagerDuty's webhooks: see [`curfew_fuzz::sender`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| curfew_fuzz::sender::deliver("pagerduty", input));
