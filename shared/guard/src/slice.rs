//! Slices: of all guardrails, those whose scope fits a request.
//!
//! The engine looks at each policy that it is given, so it is given few. The policies are sorted into buckets by what
//! their scope names; a request's slice is the buckets of what it is about. That leaves out only policies whose scope
//! does not fit, so the judgement is that of the whole set.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::PolicySet;

use crate::guardrail::{Guardrail, Mentions, Resource, Who};
use crate::prelude::{Costly, prelude};

/// Policies with one scope.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Ready for the engine.
    pub(crate) policies: PolicySet,
    /// Which they are.
    pub(crate) members: Vec<usize>,
    pub(crate) mentions: Mentions,
    /// What its policies ask before they look at what is held, and before what may be approved.
    holds: PolicySet,
    approves: PolicySet,
}

impl Bucket {
    /// The preludes of those of its policies that look at something costly.
    pub(crate) fn preludes(&self, costly: Costly) -> &PolicySet {
        match costly {
            Costly::Holds => &self.holds,
            Costly::Approves => &self.approves,
        }
    }
}

type ByWho = HashMap<Who, HashMap<&'static str, Bucket>>;

/// Every guardrail, by its scope. One that is about several actions is in as many buckets.
#[derive(Debug, Default)]
pub(crate) struct Index(HashMap<Resource, ByWho>);

/// What a request is about.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) resources: Vec<Resource>,
    pub(crate) who: Vec<Who>,
    pub(crate) action: &'static str,
}

impl About {
    pub(crate) fn new<'a>(
        tenant: &str,
        role: &str,
        person: &str,
        groups: impl Iterator<Item = &'a str>,
        action: &'static str,
    ) -> Self {
        let resources = vec![
            Resource::Anything,
            Resource::Tenant(tenant.to_owned()),
            Resource::Role(role.to_owned()),
            Resource::Access(access_id(tenant, role)),
        ];
        let mut who = vec![Who::Anybody, Who::Person(person.to_owned())];
        who.extend(groups.map(|group| Who::Group(group.to_owned())));
        Self { resources, who, action }
    }
}

/// The id of a role in a tenant. Neither can contain the slash.
pub(crate) fn access_id(tenant: &str, role: &str) -> String {
    format!("{tenant}/{role}")
}

impl Index {
    pub(crate) fn add(&mut self, number: usize, guardrail: &Guardrail) -> Result<(), String> {
        let policy = &guardrail.policy;
        let preludes =
            [Costly::Holds, Costly::Approves].map(|costly| prelude(policy, &guardrail.names, costly));
        let by_who = self.0.entry(guardrail.scope.resource.clone()).or_default();
        let by_action = by_who.entry(guardrail.scope.who.clone()).or_default();
        for action in &guardrail.scope.actions {
            let bucket = by_action.entry(action).or_default();
            let [holds, approves] = preludes.clone();
            let sets = [
                (&mut bucket.policies, Some(policy.clone())),
                (&mut bucket.holds, holds),
                (&mut bucket.approves, approves),
            ];
            for (set, policy) in sets {
                let Some(policy) = policy else { continue };
                set.add(policy).map_err(|error| error.to_string())?;
            }
            bucket.members.push(number);
            bucket.mentions.add(&guardrail.names);
        }
        Ok(())
    }

    pub(crate) fn slice(&self, about: &About) -> Vec<&Bucket> {
        let mut slice = Vec::new();
        for by_who in about.resources.iter().filter_map(|resource| self.0.get(resource)) {
            let found = about.who.iter().filter_map(|who| by_who.get(who));
            slice.extend(found.filter_map(|by_action| by_action.get(about.action)));
        }
        slice
    }
}

impl Mentions {
    pub(crate) fn add(&mut self, other: &Self) {
        let extend = |to: &mut BTreeSet<String>, from: &BTreeSet<String>| to.extend(from.iter().cloned());
        extend(&mut self.groups, &other.groups);
        extend(&mut self.people, &other.people);
        extend(&mut self.tenants, &other.tenants);
        extend(&mut self.roles, &other.roles);
        extend(&mut self.access, &other.access);
        extend(&mut self.sources, &other.sources);
        extend(&mut self.labels, &other.labels);
        extend(&mut self.environments, &other.environments);
        self.held |= other.held;
        self.approves |= other.approves;
    }
}
