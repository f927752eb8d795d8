//! Lambda between the stream and the function: what it hands over when, and what it makes of an answer or of none.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html>

use curfew_audit::deliver::{Arrival, Delivered};

/// The function's side of one shard of the stream.
pub(crate) struct Shard {
    stream: Vec<Arrival>,
    /// The first item that was not delivered.
    next: usize,
    /// The end of the part that is being tried: a part that failed is never tried with more behind it.
    trying: Option<usize>,
}

impl Shard {
    pub(crate) fn new(stream: Vec<Arrival>) -> Self {
        Self { stream, next: 0, trying: None }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.next == self.stream.len()
    }

    /// The next part, of at most so many items.
    pub(crate) fn part(&mut self, size: usize) -> Vec<Arrival> {
        let end = self.trying.unwrap_or_else(|| (self.next + size.max(1)).min(self.stream.len()));
        self.trying = Some(end);
        self.stream[self.next..end].to_vec()
    }

    /// The function answered.
    pub(crate) fn answered(&mut self, delivered: &Delivered) {
        let end = self.trying.take().expect("a part is being tried");
        match &delivered.failed_from {
            None => self.next = end,
            Some(sequence) => {
                let place =
                    self.stream[self.next..end].iter().position(|arrival| arrival.sequence == *sequence);
                self.next += place.expect("what failed is of the part");
                self.trying = Some(end);
            }
        }
    }

    /// The function died, or Lambda did not hear it. The part comes again, or the first half of it.
    pub(crate) fn unanswered(&mut self, bisect: bool) {
        let end = self.trying.expect("a part is being tried");
        if bisect && end - self.next > 1 {
            self.trying = Some(self.next + (end - self.next) / 2);
        }
    }
}
