//! The facts of a case in Cedar's terms: a request, its context and the entities that the slice can look at.
//!
//! Only what the request is about and what the slice names: an organisation of thousands costs a judgement no more than
//! one of ten.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Display;

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression as Expr};
use curfew_app::guard::{Case, HeldRole};
use curfew_domain::catalog::{Catalog, Person, Role, RoleAccess, Tenant};
use curfew_domain::decision::missing_approvals;
use curfew_domain::ids::{Email, GroupName, Label, RoleName, TenantId};
use jiff::civil::Weekday;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::guardrail::Mentions;
use crate::schema::{Kind, Types, action};
use crate::slice::{About, access_id};

/// A case, with what the catalog says of it.
#[derive(Debug, Clone)]
pub(crate) struct Subject<'a> {
    pub(crate) case: &'a Case<'a>,
    pub(crate) requester: &'a Person,
    pub(crate) tenant: &'a Tenant,
    pub(crate) role: &'a Role,
    pub(crate) approvers: Vec<&'a Person>,
}

impl<'a> Subject<'a> {
    /// Looks the case up in its catalog. A plan was made with one, so nothing can be missing, but for a mistake.
    pub(crate) fn new(case: &'a Case<'a>) -> Result<Self, String> {
        let (catalog, request) = (case.catalog, &case.plan.request);
        let absent = |kind: &str, name: &dyn Display| format!("{kind} `{name}` is not in the catalog");
        let person = |email: &Email| catalog.person(email).ok_or_else(|| absent("person", email));
        Ok(Self {
            case,
            requester: person(&request.requester)?,
            tenant: catalog.tenant(&request.tenant).ok_or_else(|| absent("tenant", &request.tenant))?,
            role: catalog.role(&request.role).ok_or_else(|| absent("role", &request.role))?,
            approvers: case.plan.approvers.iter().map(person).collect::<Result<_, _>>()?,
        })
    }

    /// Whether the requester is in a group.
    pub(crate) fn is_member(&self, group: &str) -> bool {
        self.requester.groups().iter().any(|own| own.as_str() == group)
    }

    pub(crate) fn about(&self) -> About {
        About::new(
            self.tenant.id().as_str(),
            self.role.name().as_str(),
            self.requester.email().as_str(),
            self.requester.groups().iter().map(GroupName::as_str),
            action(self.case.plan.request.basis),
        )
    }
}

/// What Cedar is asked.
pub(crate) struct Question {
    pub(crate) request: Request,
    pub(crate) entities: Entities,
}

/// Turns facts into Cedar's terms.
pub(crate) struct Translator<'a> {
    pub(crate) types: &'a Types,
    /// The actions, with their groups.
    pub(crate) actions: &'a [Entity],
}

impl Translator<'_> {
    /// The question whether the subject may have what the plan says. What the requester may approve is found out only
    /// if asked for.
    pub(crate) fn question(
        &self,
        subject: &Subject<'_>,
        held: &[HeldRole],
        mentions: &Mentions,
        with_approves: bool,
    ) -> Result<Question, String> {
        let context = self.context(subject, held, with_approves)?;
        let request = Request::new(
            self.types.uid(Kind::Person, subject.requester.email().as_str()),
            self.types.uid(Kind::Action, action(subject.case.plan.request.basis)),
            self.access_uid(subject.tenant.id(), subject.role.name()),
            Context::from_pairs(context).map_err(|error| error.to_string())?,
            // What it is built of has the types of the schema; the tests hold it against it.
            None,
        )
        .map_err(|error| error.to_string())?;
        let entities = Entities::from_entities(self.entities(subject, held, mentions)?, None)
            .map_err(|error| error.to_string())?;
        Ok(Question { request, entities })
    }

    fn access_uid(&self, tenant: &TenantId, role: &RoleName) -> EntityUid {
        self.types.uid(Kind::Access, &access_id(tenant.as_str(), role.as_str()))
    }

    fn entities(
        &self,
        subject: &Subject<'_>,
        held: &[HeldRole],
        mentions: &Mentions,
    ) -> Result<Vec<Entity>, String> {
        let catalog = subject.case.catalog;
        let mut found = Found::default();
        found.add(self.person(subject.requester)?);
        found.add(self.tenant(subject.tenant)?);
        found.add(self.role(subject.role)?);
        found.add(self.access(subject.tenant.id(), subject.role.name())?);
        found.add(self.source(subject)?);
        for group in &mentions.groups {
            found.add(self.group(group, subject)?);
        }
        let known = |email: &String| Email::new(email).ok().and_then(|email| catalog.person(&email));
        for person in mentions.people.iter().filter_map(known) {
            found.add(self.person(person)?);
        }
        let known = |name: &String| TenantId::new(name.as_str()).ok().and_then(|id| catalog.tenant(&id));
        for tenant in mentions.tenants.iter().filter_map(known) {
            found.add(self.tenant(tenant)?);
        }
        let known = |name: &String| RoleName::new(name.as_str()).ok().and_then(|name| catalog.role(&name));
        for role in mentions.roles.iter().filter_map(known) {
            found.add(self.role(role)?);
        }
        let known = |id: &String| {
            let (tenant, role) = id.split_once('/')?;
            Some((TenantId::new(tenant).ok()?, RoleName::new(role).ok()?))
        };
        for (tenant, role) in mentions.access.iter().filter_map(known) {
            found.add(self.access(&tenant, &role)?);
        }
        for other in held {
            found.add(self.access(&other.tenant, &other.role)?);
        }
        let mut entities: Vec<Entity> = found.0.into_values().collect();
        entities.extend(self.actions.iter().cloned());
        Ok(entities)
    }

    fn group(&self, name: &str, subject: &Subject<'_>) -> Result<Entity, String> {
        let is_member = |person: &&&Person| person.groups().iter().any(|group| group.as_str() == name);
        let count = subject.approvers.iter().filter(is_member).count();
        let attributes = [("approvals", long(count))];
        entity(self.types.uid(Kind::Group, name), attributes, HashSet::new())
    }

    fn person(&self, person: &Person) -> Result<Entity, String> {
        let groups = person.groups().iter().map(|group| self.types.uid(Kind::Group, group.as_str()));
        let attributes = [("email", text(person.email().as_str()))];
        entity(self.types.uid(Kind::Person, person.email().as_str()), attributes, groups.collect())
    }

    fn tenant(&self, tenant: &Tenant) -> Result<Entity, String> {
        let attributes = [
            ("account", text(tenant.account())),
            ("region", text(tenant.region())),
            ("environment", text(tenant.environment().map_or("", Label::as_str))),
            ("labels", labels(tenant.labels())),
        ];
        entity(self.types.uid(Kind::Tenant, tenant.id().as_str()), attributes, HashSet::new())
    }

    fn role(&self, role: &Role) -> Result<Entity, String> {
        let approvers = role.approvals().iter().filter_map(|quorum| quorum.group.as_ref());
        let attributes = [
            ("privileged", Expr::new_bool(role.privileged())),
            ("managed", Expr::new_bool(matches!(role.access(), RoleAccess::Managed { .. }))),
            ("max_duration", duration(role.max_duration())),
            ("eligible", self.uids(Kind::Group, role.eligible().iter().map(GroupName::as_str))),
            ("approvers", self.uids(Kind::Group, approvers.map(GroupName::as_str))),
            ("labels", labels(role.labels())),
            ("permissions", Expr::new_set(role.permissions().iter().map(|name| text(name.as_str())))),
        ];
        entity(self.types.uid(Kind::Role, role.name().as_str()), attributes, HashSet::new())
    }

    fn access(&self, tenant: &TenantId, role: &RoleName) -> Result<Entity, String> {
        let (tenant_uid, role_uid) =
            (self.types.uid(Kind::Tenant, tenant.as_str()), self.types.uid(Kind::Role, role.as_str()));
        let attributes = [
            ("tenant", Expr::new_entity_uid(tenant_uid.clone())),
            ("role", Expr::new_entity_uid(role_uid.clone())),
        ];
        entity(self.access_uid(tenant, role), attributes, HashSet::from([tenant_uid, role_uid]))
    }

    fn source(&self, subject: &Subject<'_>) -> Result<Entity, String> {
        let request = &subject.case.plan.request;
        let attributes = [("kind", text(&request.ticket_facts.sender))];
        entity(self.types.uid(Kind::Source, request.source.as_str()), attributes, HashSet::new())
    }

    fn context(
        &self,
        subject: &Subject<'_>,
        held: &[HeldRole],
        with_approves: bool,
    ) -> Result<Vec<(String, Expr)>, String> {
        let Subject { case, requester, role, approvers, .. } = subject;
        let (plan, request) = (case.plan, &case.plan.request);
        let window = plan.window;
        let (starts, ends) =
            (Offset::UTC.to_datetime(window.starts_at()), Offset::UTC.to_datetime(window.expires_at()));
        let extends = case.current.is_some_and(|current| {
            window.starts_at() < current.starts_at() || window.expires_at() > current.expires_at()
        });
        let justification = request.justification.trim();
        let complete = missing_approvals(role.approvals(), approvers).is_empty();
        let approving = approvers.iter().map(|person| person.email().as_str());
        let source = self.types.uid(Kind::Source, request.source.as_str());
        let pairs = [
            ("now", datetime(case.now)),
            ("starts_at", datetime(window.starts_at())),
            ("ends_at", datetime(window.expires_at())),
            ("duration", duration(window.length())),
            ("start_day", text(day(starts.weekday()))),
            ("one_day", Expr::new_bool(starts.date() == ends.date())),
            ("change", Expr::new_bool(case.current.is_some())),
            ("extends", Expr::new_bool(extends)),
            ("source", Expr::new_entity_uid(source)),
            (
                "ticket",
                record([
                    ("id", text(request.ticket.as_str())),
                    ("kind", text(&request.ticket_facts.kind)),
                    ("state", text(&request.ticket_facts.state)),
                ])?,
            ),
            (
                "approvals",
                record([
                    ("count", long(approvers.len())),
                    ("complete", Expr::new_bool(complete)),
                    ("by_requester", Expr::new_bool(plan.self_approved)),
                ])?,
            ),
            ("approvers", self.uids(Kind::Person, approving)),
            (
                "justification",
                record([("length", long(justification.chars().count())), ("text", text(justification))])?,
            ),
            ("holds", self.holds(subject, held)?),
            ("approves", self.approves(case.catalog, requester, with_approves)?),
        ];
        Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn holds(&self, subject: &Subject<'_>, held: &[HeldRole]) -> Result<Expr, String> {
        let catalog = subject.case.catalog;
        let access = held.iter().map(|other| self.access_uid(&other.tenant, &other.role));
        let here = held.iter().filter(|other| other.tenant == *subject.tenant.id());
        record([
            ("access", Expr::new_set(access.map(Expr::new_entity_uid))),
            ("anywhere", self.roles(catalog, held.iter().map(|other| &other.role))?),
            ("here", self.roles(catalog, here.map(|other| &other.role))?),
        ])
    }

    fn approves(&self, catalog: &Catalog, requester: &Person, is_asked: bool) -> Result<Expr, String> {
        let is_called = |role: &&Role| {
            let mut groups = role.approvals().iter().filter_map(|quorum| quorum.group.as_ref());
            groups.any(|group| requester.groups().contains(group))
        };
        let roles = catalog.roles().filter(|_| is_asked).filter(is_called);
        self.roles(catalog, roles.map(Role::name))
    }

    /// Roles and their labels. One that the catalog has no more (of a grant that is older) is there without labels.
    fn roles<'a>(
        &self,
        catalog: &Catalog,
        names: impl Iterator<Item = &'a RoleName>,
    ) -> Result<Expr, String> {
        let names: BTreeSet<&RoleName> = names.collect();
        let roles = names.iter().filter_map(|name| catalog.role(name));
        let all: BTreeSet<Label> = roles.flat_map(|role| role.labels().iter().cloned()).collect();
        record([
            ("roles", self.uids(Kind::Role, names.into_iter().map(RoleName::as_str))),
            ("labels", labels(&all)),
        ])
    }

    fn uids<'a>(&self, kind: Kind, ids: impl Iterator<Item = &'a str>) -> Expr {
        Expr::new_set(ids.map(|id| Expr::new_entity_uid(self.types.uid(kind, id))))
    }
}

/// Entities, each once.
#[derive(Default)]
struct Found(BTreeMap<EntityUid, Entity>);

impl Found {
    fn add(&mut self, entity: Entity) {
        self.0.entry(entity.uid()).or_insert(entity);
    }
}

fn entity<const N: usize>(
    uid: EntityUid,
    attributes: [(&str, Expr); N],
    parents: HashSet<EntityUid>,
) -> Result<Entity, String> {
    let attributes: HashMap<String, Expr> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(uid, attributes, parents).map_err(|error| error.to_string())
}

fn record<const N: usize>(fields: [(&str, Expr); N]) -> Result<Expr, String> {
    Expr::new_record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)))
        .map_err(|error| error.to_string())
}

fn text(value: &str) -> Expr {
    Expr::new_string(value.to_owned())
}

fn long(value: usize) -> Expr {
    Expr::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}

fn labels(labels: &BTreeSet<Label>) -> Expr {
    Expr::new_set(labels.iter().map(|label| text(label.as_str())))
}

/// Whole seconds, in the one form that Cedar takes with a zone.
fn datetime(at: Timestamp) -> Expr {
    Expr::new_datetime(curfew_domain::window::whole_second(at).to_string())
}

fn duration(length: SignedDuration) -> Expr {
    Expr::new_duration(format!("{}s", length.as_secs()))
}

fn day(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}

#[cfg(test)]
mod tests {
    use curfew_domain::decision::{DecisionFacts, decide};
    use curfew_domain::request::Basis;
    use curfew_testkit::fixtures;

    use super::*;
    use crate::schema;

    /// Requests are not validated when they are made: that they fit the schema is held here.
    #[test]
    fn what_cedar_is_asked_fits_the_schema() {
        let schema = schema::validator().unwrap().schema();
        let types = Types::new().unwrap();
        let actions: Vec<Entity> = schema.action_entities().unwrap().iter().cloned().collect();
        let translator = Translator { types: &types, actions: &actions };
        let catalog = fixtures::catalog();
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let mentions = Mentions {
            groups: names(&["engineering", "unheard-of"]),
            people: names(&["ben@example.com", "nobody@example.com", "no address"]),
            tenants: names(&["globex", "nowhere"]),
            roles: names(&["audit", "none"]),
            access: names(&["globex/ops", "nowhere/none", "neither"]),
            ..Mentions::default()
        };
        let held = |tenant: &str, role: &str| HeldRole {
            tenant: TenantId::new(tenant).unwrap(),
            role: RoleName::new(role).unwrap(),
        };
        let held = [held("acme", "audit"), held("globex", "ops"), held("gone", "gone")];
        let since = fixtures::START;
        for basis in [Basis::Approvals, Basis::OnCall { since }, Basis::BreakGlass { since }] {
            for mut request in [fixtures::request("CHG1"), fixtures::managed_request("CHG1")] {
                request.basis = basis;
                let facts = DecisionFacts { now: since, own_account: fixtures::OWN_ACCOUNT.to_owned() };
                let plan = decide(&catalog, &request, &facts).unwrap();
                let case = Case { catalog: &catalog, plan: &plan, now: since, current: Some(plan.window) };
                let subject = Subject::new(&case).unwrap();
                for (held, approves) in [(&held[..], true), (&[], false)] {
                    let question = translator.question(&subject, held, &mentions, approves).unwrap();
                    let context = translator.context(&subject, held, approves).unwrap();
                    Request::new(
                        question.request.principal().unwrap().clone(),
                        question.request.action().unwrap().clone(),
                        question.request.resource().unwrap().clone(),
                        Context::from_pairs(context).unwrap(),
                        Some(schema),
                    )
                    .unwrap();
                    let entities = question.entities.iter().cloned();
                    assert!(question.entities.len() > 10);
                    Entities::from_entities(entities, Some(schema)).unwrap();
                }
            }
        }
    }
}
