//! Judging: the guardrails of a slice, each asked, and what their answers come to.

use std::collections::HashMap;

use cedar_policy::{Authorizer, Entity, Response};
use curfew_app::guard::{Case, Guardrails, HeldRole};
use curfew_domain::catalog::{Finding, Findings, Severity};
use curfew_domain::decision::{Denial, Permit};
use curfew_domain::ids::GuardrailId;
use sha2::{Digest, Sha256};

use crate::GuardrailFile;
use crate::check::check;
use crate::denial;
use crate::explain::{self, Explanation};
use crate::facts::{Question, Subject, Translator};
use crate::guardrail::{Effect, Guardrail, Mentions, Resource, Scope, Who};
use crate::prelude::Costly;
use crate::schema::{self, SCHEMA, Types};
use crate::slice::{Bucket, Index};
use crate::statements::Source;

/// Guardrails that were checked, ready to judge.
pub struct CedarGuardrails {
    guardrails: Vec<Guardrail>,
    by_id: HashMap<String, usize>,
    index: Index,
    types: Types,
    actions: Vec<Entity>,
    authorizer: Authorizer,
    warnings: Vec<Finding>,
    digest: String,
}

impl std::fmt::Debug for CedarGuardrails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CedarGuardrails")
            .field("digest", &self.digest)
            .field("guardrails", &self.guardrails.len())
            .finish_non_exhaustive()
    }
}

/// What the guardrails of a slice answer, by their numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) permitting: Vec<usize>,
    pub(crate) forbidding: Vec<usize>,
    /// Those that could not be evaluated, and why.
    pub(crate) failing: Vec<(usize, String)>,
}

impl CedarGuardrails {
    /// Reads and checks files of guardrails. Their order does not matter.
    ///
    /// # Errors
    /// Every [`Finding`], if at least one is an error.
    pub fn parse(files: &[GuardrailFile]) -> Result<Self, Findings> {
        let internal = |error: String| {
            let place = Source::new("schema.cedarschema", "").place(0);
            let message = format!("Curfew's own part of the guardrails is broken: {error}");
            Findings::from(place.finding(Severity::Error, message, "report it: no file is to blame"))
        };
        let validator = schema::validator().map_err(internal)?;
        let types = Types::new().map_err(internal)?;
        let actions = validator.schema().action_entities().map_err(|error| internal(error.to_string()))?;
        let mut sorted: Vec<&GuardrailFile> = files.iter().collect();
        sorted.sort_by(|a, b| (&a.name, &a.text).cmp(&(&b.name, &b.text)));
        let (checked, warnings) = check(&sorted, validator)?;
        let mut all = Self {
            guardrails: Vec::new(),
            by_id: HashMap::new(),
            index: Index::default(),
            types,
            actions: actions.iter().cloned().collect(),
            authorizer: Authorizer::new(),
            warnings,
            digest: digest(&sorted),
        };
        for (number, guardrail) in checked.into_iter().enumerate() {
            all.index.add(number, &guardrail).map_err(internal)?;
            all.by_id.insert(guardrail.id.to_string(), number);
            all.guardrails.push(guardrail);
        }
        Ok(all)
    }

    /// What somebody should know, though the guardrails can be used.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// A digest (hex SHA-256) of the files' names and texts and of the schema: tells which guardrails decided.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Every guardrail, in the order of files and lines.
    pub fn guardrails(&self) -> impl Iterator<Item = &Guardrail> {
        self.guardrails.iter()
    }

    /// A guardrail, by its id.
    #[must_use]
    pub fn guardrail(&self, id: &GuardrailId) -> Option<&Guardrail> {
        self.numbered(*self.by_id.get(id.as_str())?)
    }

    /// The same guardrails, but each one is evaluated for every request. Judges the same and takes longer: for tests
    /// to hold the slices against, and for the bench.
    ///
    /// # Errors
    /// What Cedar says, if it does not take a policy again.
    pub fn unsliced(mut self) -> Result<Self, String> {
        self.index = Index::default();
        for (number, guardrail) in self.guardrails.iter().enumerate() {
            let mut anything = guardrail.clone();
            anything.scope =
                Scope { who: Who::Anybody, resource: Resource::Anything, actions: schema::ACTIONS.to_vec() };
            self.index.add(number, &anything)?;
        }
        Ok(self)
    }

    /// The judgement on a case, with what led to it: each guardrail that is about it, and which of its conditions hold.
    #[must_use]
    pub fn explain(&self, case: &Case<'_>, held: &[HeldRole]) -> Explanation {
        explain::explain(self, case, held)
    }

    pub(crate) fn numbered(&self, number: usize) -> Option<&Guardrail> {
        self.guardrails.get(number)
    }

    pub(crate) fn authorizer(&self) -> &Authorizer {
        &self.authorizer
    }

    pub(crate) fn slice(&self, subject: &Subject<'_>) -> Vec<&Bucket> {
        self.index.slice(&subject.about())
    }

    /// The question of a case, with what its slice looks at.
    pub(crate) fn question(
        &self,
        subject: &Subject<'_>,
        held: &[HeldRole],
        slice: &[&Bucket],
    ) -> Result<Question, String> {
        let translator = Translator { types: &self.types, actions: &self.actions };
        let mentions = mentions(slice);
        let question = translator.question(subject, held, &mentions, false)?;
        if mentions.approves && self.is_come_to(Costly::Approves, &question, slice) {
            return translator.question(subject, held, &mentions, true);
        }
        Ok(question)
    }

    /// Whether one of a slice's policies comes to the point where it looks at something costly.
    fn is_come_to(&self, costly: Costly, question: &Question, slice: &[&Bucket]) -> bool {
        slice.iter().map(|bucket| bucket.preludes(costly)).any(|preludes| {
            let response = self.authorizer.is_authorized(&question.request, preludes, &question.entities);
            let diagnostics = response.diagnostics();
            diagnostics.reason().next().is_some() || diagnostics.errors().next().is_some()
        })
    }

    pub(crate) fn answers(&self, question: &Question, slice: &[&Bucket]) -> Answers {
        let mut answers = Answers::default();
        for bucket in slice {
            let response =
                self.authorizer.is_authorized(&question.request, &bucket.policies, &question.entities);
            self.collect(&response, &mut answers);
        }
        answers.sort();
        answers
    }

    fn collect(&self, response: &Response, answers: &mut Answers) {
        for policy in response.diagnostics().reason() {
            let id: &str = policy.as_ref();
            let Some(number) = self.by_id.get(id).copied() else { continue };
            match self.guardrails.get(number).map(Guardrail::effect) {
                Some(Effect::Permit) => answers.permitting.push(number),
                Some(Effect::Forbid) | None => answers.forbidding.push(number),
            }
        }
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            let id: &str = error.policy_id().as_ref();
            let number = self.by_id.get(id).copied().unwrap_or(usize::MAX);
            answers.failing.push((number, error.inner().to_string()));
        }
    }

    /// The guardrails that permit such a request, those first that are about this requester: of use to somebody who was
    /// denied for want of one, and so it may take a while.
    fn permits_about(&self, subject: &Subject<'_>) -> Vec<&Guardrail> {
        let about = subject.about();
        let is_about = |one: &&Guardrail| {
            one.effect == Effect::Permit
                && one.scope.actions.contains(&about.action)
                && about.resources.contains(&one.scope.resource)
        };
        let mut found: Vec<&Guardrail> = self.guardrails.iter().filter(is_about).collect();
        found.sort_by_key(|one| !about.who.contains(&one.scope.who));
        found
    }

    /// What answers come to. One that failed denies whatever the others say: nobody knows what it would have said.
    fn conclude(&self, subject: &Subject<'_>, answers: &Answers) -> Result<Permit, Denial> {
        let of = |numbers: &[usize]| -> Vec<&Guardrail> {
            numbers.iter().filter_map(|number| self.guardrails.get(*number)).collect()
        };
        if !answers.failing.is_empty() {
            let failed =
                answers.failing.iter().map(|(number, why)| (self.guardrails.get(*number), why.as_str()));
            return Err(denial::failed(&failed.collect::<Vec<_>>()));
        }
        if !answers.forbidding.is_empty() {
            return Err(denial::forbidden(subject, &of(&answers.forbidding)));
        }
        let permitting = of(&answers.permitting);
        if permitting.is_empty() {
            return Err(denial::not_permitted(subject, &self.permits_about(subject)));
        }
        let reviews: Option<Vec<&str>> = permitting.iter().map(|one| one.review()).collect();
        Ok(Permit {
            guardrails_digest: self.digest.clone(),
            permitted_by: permitting.iter().map(|one| one.id().clone()).collect(),
            // What another guardrail permits without it owes nobody a review.
            review: reviews.and_then(|reviews| reviews.first().map(|why| (*why).to_owned())),
        })
    }
}

impl Answers {
    fn sort(&mut self) {
        self.permitting.sort_unstable();
        self.forbidding.sort_unstable();
        self.failing.sort();
    }
}

fn mentions(slice: &[&Bucket]) -> Mentions {
    let mut all = Mentions::default();
    for bucket in slice {
        all.add(&bucket.mentions);
    }
    all
}

impl Guardrails for CedarGuardrails {
    fn digest(&self) -> &str {
        &self.digest
    }

    fn asks_what_is_held(&self, case: &Case<'_>) -> bool {
        // Of a case that can't be judged nothing is asked: judging it says why.
        let Ok(subject) = Subject::new(case) else { return false };
        let slice = self.slice(&subject);
        if !slice.iter().any(|bucket| bucket.mentions.held) {
            return false;
        }
        let question = self.question(&subject, &[], &slice);
        question.is_ok_and(|question| self.is_come_to(Costly::Holds, &question, &slice))
    }

    fn judge(&self, case: &Case<'_>, held: &[HeldRole]) -> Result<Permit, Denial> {
        let subject = Subject::new(case).map_err(|why| denial::failed(&[(None, &why)]))?;
        let slice = self.slice(&subject);
        let question =
            self.question(&subject, held, &slice).map_err(|why| denial::failed(&[(None, &why)]))?;
        let answers = self.answers(&question, &slice);
        self.conclude(&subject, &answers)
    }
}

fn digest(sorted: &[&GuardrailFile]) -> String {
    let mut hash = Sha256::new();
    let files = sorted.iter().flat_map(|file| [file.name.as_str(), file.text.as_str()]);
    for part in [SCHEMA].into_iter().chain(files) {
        // The length in front keeps ("ab","c") and ("a","bc") apart.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}
