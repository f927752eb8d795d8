//! The bodies of webhooks, as an ITSM tool would write them.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::catalog::APPROVER;
use crate::person::Person;
use crate::wait::now;

static TICKETS: AtomicUsize = AtomicUsize::new(1);

/// A ticket's id that no other test uses.
#[must_use]
pub fn fresh_ticket() -> String {
    format!("CHG{:07}", TICKETS.fetch_add(1, Ordering::Relaxed))
}

/// An approval: a fresh ticket, approved a moment ago by [`APPROVER`], from now for the role's default duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval(Value);

impl Approval {
    /// An approval of a role in a tenant.
    #[must_use]
    pub fn of(person: &Person, tenant: &str, role: &str) -> Self {
        Self(json!({
            "type": "access.approved",
            "ticket": fresh_ticket(),
            "requester": person.email,
            "tenant": tenant,
            "role": role,
            "approvals": [{ "approver": APPROVER, "at": now() }],
            "window": {},
            "justification": "the orders of last night are missing",
        }))
    }

    /// With another ticket.
    #[must_use]
    pub fn ticket(self, ticket: &str) -> Self {
        self.with("ticket", json!(ticket))
    }

    /// With a window that starts then, and not now.
    #[must_use]
    pub fn starting(mut self, at: Timestamp) -> Self {
        self.0["window"]["start"] = json!(at);
        self
    }

    /// With a window that ends then.
    #[must_use]
    pub fn until(mut self, at: Timestamp) -> Self {
        self.0["window"]["end"] = json!(at);
        self
    }

    /// With another value of a field.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }

    /// Without a field.
    #[must_use]
    pub fn without(mut self, field: &str) -> Self {
        if let Some(fields) = self.0.as_object_mut() {
            fields.remove(field);
        }
        self
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Value {
        &self.0
    }

    /// Its ticket.
    ///
    /// # Panics
    /// It has none.
    #[must_use]
    pub fn ticket_id(&self) -> &str {
        self.0["ticket"].as_str().expect("a ticket")
    }
}

/// The body that says that a ticket was closed.
#[must_use]
pub fn ticket_closed(ticket: &str) -> Value {
    json!({ "type": "ticket.closed", "ticket": ticket, "closed_by": APPROVER, "reason": "solved" })
}
