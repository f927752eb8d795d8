//! Tasks: futures polled by hand. A task does nothing unless it is polled, and dropping it is a crash of
//! the invocation at the await point where it stands.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Only calls that are held back are left: the task waits for the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the task waits for a call that nobody delivers")]
pub struct Stalled;

/// One invocation's work under way.
pub struct Task<'a, T> {
    future: Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
}

impl<'a, T> Task<'a, T> {
    /// A task that was not polled yet: it has sent nothing.
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self { future: Some(Box::pin(future)) }
    }

    /// Lets it run as far as it comes without a delivery. Its output, if that was the end; afterwards,
    /// and after a crash, nothing.
    pub fn poll(&mut self) -> Option<T> {
        let future = self.future.as_mut()?;
        // Nobody has to be woken: whoever delivers an answer polls again.
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => {
                self.future = None;
                Some(output)
            }
            Poll::Pending => None,
        }
    }

    /// Ends the invocation where it stands. What it has sent is still under way.
    pub fn crash(&mut self) {
        self.future = None;
    }

    /// Whether it has ended or crashed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.future.is_none()
    }
}
