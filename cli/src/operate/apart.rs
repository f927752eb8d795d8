//! Work that can't be interrupted, in a thread of its own: reading a terminal, or a large archive. Ctrl-C ends the program all
//! the same, because nobody waits for such a thread.
//!
//! Must not know: which work.

use tokio::sync::oneshot;

use super::trouble::Trouble;

/// Does it, and gives what came of it.
///
/// # Errors
/// It came to no end.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Trouble> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits any more, if it was interrupted.
        let _ = sender.send(work());
    });
    receiver.await.map_err(|_| Trouble::BrokeOff)
}
