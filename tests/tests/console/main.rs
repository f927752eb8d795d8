//! The console's widget in a real browser: that nobody's words run or pass for markup, that buttons call what they say with
//! what the called function understands, and that people can read it.
//!
//! Needs Chromium: `cargo test -p curfew-tests --test console --features browser`. A page of our own plays the dashboard
//! (harness.html); what AWS's does beyond its documentation is not known here.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod looks;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod words;
#[cfg(test)]
mod work;
