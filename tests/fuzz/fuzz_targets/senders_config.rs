//! The senders' configuration: taken, or refused with findings that have a place in the file.
#![no_main]

use curfew_intake::{SenderFile, Senders};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = SenderFile { name: "senders.toml".to_owned(), text: text.to_owned() };
    match Senders::parse(&[file]) {
        Ok(senders) => {
            assert_eq!(senders.digest().len(), 64);
            assert!(
                senders.iter().all(|(source, sender)| senders.of(source.as_str()).kind() == sender.kind())
            );
        }
        Err(findings) => curfew_fuzz::findings::check(&findings, "senders.toml", text),
    }
});
