//! The auditor's report of a quarter: what is in it, as it was reviewed, and what it does with what tries to break it.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod goldens;
#[cfg(test)]
mod reports;
