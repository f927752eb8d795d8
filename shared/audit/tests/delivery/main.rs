//! Delivering and sealing, on an archive, a bus and a ledger in memory: what goes wrong with one call, and histories in
//! which much goes wrong at once.

#[cfg(test)]
mod archiving_again;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod lambda;
#[cfg(test)]
mod races;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stories;
