//! Field mapping: where a sender's payload holds what Curfew asks for.
//!
//! Each field is a JSON pointer into the payload (`"/issue/fields/customfield_10050/value"`) or, after an equals sign,
//! a fixed text (`"=prod-readonly"`). What is not found where it should be is told by the field's name, its place, and
//! what stands there. Fixed texts are configuration, so nobody who writes tickets can change them.

use curfew_domain::ids::{Email, RoleName, Source, TenantId, shown};
use curfew_domain::principal::Principal;
use curfew_domain::request::{WindowEnd, WindowRequest};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::People;
use super::standard::{duration, text, time};
use crate::problems::Problems;

/// Where the fields of an access request are. What a kind of sender knows by itself need not be mapped.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    /// The tenant.
    pub(crate) tenant: Option<Field>,
    /// The role.
    pub(crate) role: Option<Field>,
    /// The requester: an address, or an account in the source.
    pub(crate) requester: Option<Field>,
    /// Which of the requester's principals.
    pub(crate) principal: Option<Field>,
    /// When access begins.
    pub(crate) start: Option<Field>,
    /// When access ends.
    pub(crate) end: Option<Field>,
    /// How long access lasts; not used if there is an end.
    pub(crate) duration: Option<Field>,
    /// Why.
    pub(crate) justification: Option<Field>,
}

/// Where one field is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Field {
    /// In the payload, at a JSON pointer (RFC 6901).
    At(String),
    /// Always this.
    Fixed(String),
}

impl TryFrom<String> for Field {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix('=') {
            Some(fixed) if !fixed.is_empty() => Ok(Self::Fixed(fixed.to_owned())),
            None if text.starts_with('/') => Ok(Self::At(text)),
            _ => Err(format!(
                "{} is not a field: write a JSON pointer like `/issue/key`, or `=` and a fixed text",
                shown(&text)
            )),
        }
    }
}

/// A payload with its mapping.
pub(crate) struct Mapped<'a> {
    pub(crate) source: &'a Source,
    pub(crate) body: &'a Value,
}

impl<'a> Mapped<'a> {
    /// The text of a field that must be there. Numbers and truth values are taken as they are written.
    pub(crate) fn required(&self, name: &str, field: &Field, problems: &mut Problems) -> Option<String> {
        match self.find(field) {
            Found::Text(text) => Some(text),
            found => {
                problems.add(self.pointer(field), self.told(name, field, &found));
                None
            }
        }
    }

    /// The text of a field that may be missing, `null` or empty. `None` means that it is there and is no text.
    pub(crate) fn optional(
        &self,
        name: &str,
        field: Option<&Field>,
        problems: &mut Problems,
    ) -> Option<Option<String>> {
        let Some(field) = field else { return Some(None) };
        match self.find(field) {
            Found::Text(text) => Some(Some(text)),
            Found::Nothing(_) => Some(None),
            found @ Found::Other(_) => {
                problems.add(self.pointer(field), self.told(name, field, &found));
                None
            }
        }
    }

    /// A required field as one of the domain's types.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &self,
        name: &str,
        field: &Field,
        problems: &mut Problems,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.required(name, field, problems)?;
        let at = self.pointer(field);
        let told = |error: E| format!("the field `{name}` of source `{}`: {error}", self.source);
        parse(text).map_err(|error| problems.add(at, told(error))).ok()
    }

    fn find(&self, field: &Field) -> Found<'a> {
        match field {
            Field::Fixed(text) => Found::Text(text.clone()),
            Field::At(pointer) => match self.body.pointer(pointer) {
                Some(Value::String(text)) if !text.trim().is_empty() => Found::Text(text.trim().to_owned()),
                Some(Value::Number(number)) => Found::Text(number.to_string()),
                Some(Value::Bool(truth)) => Found::Text(truth.to_string()),
                None => Found::Nothing("nothing"),
                Some(Value::Null) => Found::Nothing("`null`"),
                Some(Value::String(_)) => Found::Nothing("an empty text"),
                Some(other) => Found::Other(other),
            },
        }
    }

    fn pointer(&self, field: &Field) -> String {
        match field {
            Field::At(pointer) => pointer.clone(),
            Field::Fixed(_) => String::new(),
        }
    }

    /// Names the field, its place, what is there, and what is beside it.
    fn told(&self, name: &str, field: &Field, found: &Found<'_>) -> String {
        let place = match field {
            Field::At(pointer) => format!("`{pointer}`"),
            Field::Fixed(_) => "a fixed text".to_owned(),
        };
        let there = match found {
            Found::Text(text) => shown(text),
            Found::Nothing(what) => (*what).to_owned(),
            Found::Other(value) => shown(&value.to_string()),
        };
        let beside = match field {
            Field::At(pointer) => self.beside(pointer),
            Field::Fixed(_) => String::new(),
        };
        let source = self.source;
        format!(
            "the field `{name}` of source `{source}` is mapped to {place}, where there is {there}{beside}; fill it in in \
             the ticket, or correct the mapping in the senders' configuration"
        )
    }

    /// The names that do exist at the deepest part of a pointer that does.
    fn beside(&self, pointer: &str) -> String {
        let mut at = pointer;
        while let Some((parent, _)) = at.rsplit_once('/') {
            if let Some(Value::Object(map)) = self.body.pointer(parent) {
                // Sorted here: whether a map is depends on what else is built (serde_json's `preserve_order`).
                let mut names: Vec<String> = map.keys().map(|key| shown(key)).collect();
                names.sort();
                names.truncate(12);
                let more = if map.len() > names.len() { ", …" } else { "" };
                let parent = if parent.is_empty() { "the body" } else { parent };
                return format!(" (`{parent}` holds {}{more})", names.join(", "));
            }
            at = parent;
        }
        String::new()
    }
}

enum Found<'a> {
    Text(String),
    Nothing(&'static str),
    Other(&'a Value),
}

impl Fields {
    /// The tenant.
    pub(crate) fn tenant(&self, mapped: &Mapped<'_>, problems: &mut Problems) -> Option<TenantId> {
        mapped.parsed("tenant", self.tenant.as_ref()?, problems, |text| {
            TenantId::new(text.to_ascii_lowercase())
        })
    }

    /// The role.
    pub(crate) fn role(&self, mapped: &Mapped<'_>, problems: &mut Problems) -> Option<RoleName> {
        mapped.parsed("role", self.role.as_ref()?, problems, |text| RoleName::new(text.to_ascii_lowercase()))
    }

    /// The principal, if one is named.
    pub(crate) fn principal(
        &self,
        mapped: &Mapped<'_>,
        problems: &mut Problems,
    ) -> Option<Option<Principal>> {
        match mapped.optional("principal", self.principal.as_ref(), problems)? {
            None => Some(None),
            Some(arn) => {
                let told = |error| format!("the field `principal` of source `{}`: {error}", mapped.source);
                let parsed = Principal::parse(&arn).map_err(told);
                problems.take("", parsed).map(Some)
            }
        }
    }

    /// The window. An end beats a duration; without either the role's default holds.
    pub(crate) fn window(&self, mapped: &Mapped<'_>, problems: &mut Problems) -> Option<WindowRequest> {
        let start = mapped.optional("start", self.start.as_ref(), problems);
        let end = mapped.optional("end", self.end.as_ref(), problems);
        let span = mapped.optional("duration", self.duration.as_ref(), problems);
        let mut named = |name: &str, text: &str, read: &dyn Fn(&str) -> Result<Timestamp, String>| {
            let told = |error| format!("the field `{name}` of source `{}`: {error}", mapped.source);
            problems.take("", read(text).map_err(told))
        };
        let starts_at = match start? {
            None => None,
            Some(text) => Some(named("start", &text, &time)?),
        };
        let end = match (end?, span?) {
            (Some(text), _) => Some(WindowEnd::At(named("end", &text, &time)?)),
            (None, Some(text)) => {
                let told = |error| format!("the field `duration` of source `{}`: {error}", mapped.source);
                Some(WindowEnd::After(problems.take("", duration(&text).map_err(told))?))
            }
            (None, None) => None,
        };
        Some(WindowRequest { starts_at, end })
    }

    /// Why, in the requester's words.
    pub(crate) fn justification(
        &self,
        mapped: &Mapped<'_>,
        default: &Field,
        problems: &mut Problems,
    ) -> Option<String> {
        mapped.parsed("justification", self.justification.as_ref().unwrap_or(default), problems, text)
    }
}

/// A person by an address, or by an account in the source.
pub(crate) fn person(source: &Source, people: &dyn People, text: &str) -> Email {
    Email::new(text).unwrap_or_else(|_| people.address_of(source, text))
}
