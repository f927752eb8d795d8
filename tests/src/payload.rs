//! Senders' payloads: the files of `tests/payloads/`, with what a test needs put into them.

use std::path::Path;

use serde_json::Value;

/// A payload of `tests/payloads/`, by its name there without `.json`.
///
/// # Panics
/// There is none, or it is not JSON.
#[must_use]
pub fn payload(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Changes a payload without changing its form.
pub trait Edit {
    /// With another value at a JSON pointer.
    ///
    /// # Panics
    /// There is nothing: then the payload has another form than the test thinks.
    #[must_use]
    fn put(self, pointer: &str, value: impl Into<Value>) -> Self;
}

impl Edit for Value {
    fn put(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let place = self.pointer_mut(pointer);
        *place.unwrap_or_else(|| panic!("the payload has nothing at `{pointer}`")) = value.into();
        self
    }
}
