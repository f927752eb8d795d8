//! Guardrails for tests of the use cases: what they say is what the test wants said. The real ones are tested
//! where they are, in `shared/guard`.

use curfew_app::guard::{Case, Guardrails, HeldRole, Rules};
use curfew_domain::catalog::Catalog;
use curfew_domain::decision::{Denial, Permit};
use curfew_domain::ids::GuardrailId;

use crate::fixtures::valid;

/// Permits whatever the catalog allows, and asks for nothing.
#[derive(Debug, Clone, Copy)]
pub struct Permissive;

/// The rules of a catalog, with nothing forbidden by guardrails.
#[must_use]
pub fn permissive(catalog: &Catalog) -> Rules<'_> {
    Rules { catalog, guardrails: &Permissive }
}

/// The permit that [`Permissive`] gives.
#[must_use]
pub fn permit() -> Permit {
    Permit {
        guardrails_digest: Permissive.digest().to_owned(),
        permitted_by: vec![valid(GuardrailId::new("everybody"))],
        review: None,
    }
}

impl Guardrails for Permissive {
    fn digest(&self) -> &str {
        "permissive"
    }

    fn asks_what_is_held(&self, _: &Case<'_>) -> bool {
        false
    }

    fn judge(&self, _: &Case<'_>, _: &[HeldRole]) -> Result<Permit, Denial> {
        Ok(permit())
    }
}

type Judge = dyn Fn(&Case<'_>, &[HeldRole]) -> Result<Permit, Denial> + Send + Sync;

/// Judges as a test says, and asks what is held.
pub struct Scripted(Box<Judge>);

impl Scripted {
    /// Guardrails that judge by a function.
    #[must_use]
    pub fn new(
        judge: impl Fn(&Case<'_>, &[HeldRole]) -> Result<Permit, Denial> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(judge))
    }
}

impl Guardrails for Scripted {
    fn digest(&self) -> &str {
        "scripted"
    }

    fn asks_what_is_held(&self, _: &Case<'_>) -> bool {
        true
    }

    fn judge(&self, case: &Case<'_>, held: &[HeldRole]) -> Result<Permit, Denial> {
        (self.0)(case, held)
    }
}
