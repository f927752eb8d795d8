//! Templates of policies: whatever is taken expands to one text, in which no placeholder of Curfew's is left.
#![no_main]

use curfew_domain::document::{Scope, Template};
use curfew_domain::ids::TenantId;
use libfuzzer_sys::fuzz_target;

const TENANT: &str = "acme";
const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";

fuzz_target!(|text: &str| {
    let Ok(template) = Template::parse(text) else { return };
    let scope = Scope::new(TenantId::new(TENANT).unwrap(), ACCOUNT, REGION).unwrap();
    let expanded = template.expand(&scope);
    let by_hand =
        text.replace("${tenant}", TENANT).replace("${account}", ACCOUNT).replace("${region}", REGION);
    assert_eq!(expanded, by_hand);
    // What was filled in is never read again, so it is what it is.
    let again = Template::parse(&expanded).map(|template| template.expand(&scope));
    assert_eq!(again.as_deref(), Ok(expanded.as_str()));
});
