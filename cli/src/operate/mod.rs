//! Operating a deployed Curfew from a terminal: who has what, ending and extending access, reviews, the archive.
//!
//! Everything is asked of the deployed functions, by the operator's own `aws` command line ([`reach`]): what an operator may do
//! is what AWS lets their credentials invoke, and CloudTrail knows who did it. What the functions answer is read leniently
//! ([`reply`]), so that an older `curfew` understands a newer stack. Why it is so: docs/decisions/0017.
//!
//! Must not know: an AWS SDK, the ledger's items, what the functions do with what they are asked.

pub mod apart;
pub mod archive;
pub mod audit;
pub mod confirm;
pub mod gone;
pub mod listing;
pub mod operator;
pub mod reach;
pub mod reply;
pub mod show;
pub mod table;
pub mod trouble;
pub mod words;
