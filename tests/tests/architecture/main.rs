//! The rules of the architecture (ARCHITECTURE.md) that no compiler checks: who may depend on whom, who
//! may know AWS, and how a file has to look.

#[cfg(test)]
mod crates;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod workspace;
