//! Questions: a request in Curfew's own form, with what its webhook does not say.

use curfew_app::guard::HeldRole;
use curfew_domain::ids::Source;
use curfew_domain::request::{AccessRequest, Notice};
use curfew_domain::window::Window;
use curfew_intake::{Body, read_unsigned};
use jiff::Timestamp;

/// What is around a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// When it comes.
    pub now: Timestamp,
    /// From where.
    pub source: Source,
    /// The kind of sender that this is.
    pub sender: String,
    /// What the requester holds by other tickets.
    pub held: Vec<HeldRole>,
    /// The window of the live grant that it is to change, if there is one.
    pub current: Option<Window>,
    /// The account that Curfew runs in; the tenant's own, if not said.
    pub own_account: Option<String>,
}

/// A request to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The request.
    pub request: AccessRequest,
    /// When it comes.
    pub now: Timestamp,
    /// What the requester holds by other tickets.
    pub held: Vec<HeldRole>,
    /// The window of the live grant that it is to change, if there is one.
    pub current: Option<Window>,
    /// The account that Curfew runs in; the tenant's own, if not said.
    pub own_account: Option<String>,
}

impl Question {
    /// Reads a request in Curfew's own format (`docs/webhook.schema.json`), by the rules of the function.
    ///
    /// # Errors
    /// What is wrong with the body, in words.
    pub fn read(body: &str, around: Circumstances) -> Result<Self, String> {
        let body = Body::decode(body, false).map_err(|error| error.to_string())?;
        let notice = read_unsigned(&around.source, body).map_err(|error| error.to_string())?;
        let Notice::Approved(mut request) = notice else {
            return Err(
                "it closes a ticket: that ends access and is always obeyed, so there is nothing to decide; \
                        give a body of type `access.approved`"
                    .to_owned(),
            );
        };
        request.ticket_facts.sender = around.sender;
        Ok(Self {
            request: *request,
            now: around.now,
            held: around.held,
            current: around.current,
            own_account: around.own_account,
        })
    }
}
