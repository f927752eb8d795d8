//! What the check finds: rules with stable ids, and findings with their places.

use std::fmt;
use std::path::Path;

use curfew_domain::catalog::{Finding, Place, Severity};

/// How grave a finding is. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// For whoever reads it: nothing needs to be done.
    Note,
    /// Somebody should look at it.
    Warning,
    /// It must not go live.
    Error,
}

impl Grade {
    /// The word, which is also SARIF's.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl From<Severity> for Grade {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
        }
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $name:ident => $id:literal,)*) => {
        /// The rules of the check. Their ids are stable: pipelines and suppressions go by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])* $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The id, in kebab case.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// What it finds, in a sentence.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

rules! {
    /// Whatever the catalog's own check says: what stands there stops all grants, or somebody should know.
    Catalog => "catalog",
    /// Whatever the guardrails' own check says: syntax, types, ids, reasons.
    Guardrails => "guardrails",
    /// Whatever the check of the senders' configuration says.
    Senders => "senders",
    /// The template or its parameters can't be read, or do not belong together.
    Template => "template",
    /// A guardrail names a tenant, role, person, group, source, label or environment that there is not.
    UnknownReference => "unknown-reference",
    /// A guardrail is about nobody, or about a role that may not be had where it says.
    NeverMatches => "never-matches",
    /// A condition of a guardrail is the same for every request.
    ConstantCondition => "constant-condition",
    /// A guardrail changes no decision, because another one says as much for every request that it is about.
    ShadowedGuardrail => "shadowed-guardrail",
    /// Nobody can get a role in a tenant, whatever they ask for and whoever approves.
    UnobtainableRole => "unobtainable-role",
    /// An approval by the requester makes up for one that is missing.
    SelfApproval => "self-approval",
    /// A role is permitted without every approval that the catalog says that it takes.
    ApprovalsNotEnforced => "approvals-not-enforced",
    /// Access without approval is permitted, and nobody has to look at it afterwards.
    UnreviewedEmergency => "unreviewed-emergency",
    /// A statement is not kept to its tenant: neither its resources nor its conditions name the tenant's.
    UnscopedStatement => "unscoped-statement",
    /// A statement is the same for two tenants of one account, so what is had in one is had in the other.
    SharedStatement => "shared-statement",
    /// A pattern with one tenant's name matches another tenant's too.
    TenantsOverlap => "tenants-overlap",
    /// A role allows what the tenant's permissions boundary does not.
    ExceedsBoundary => "exceeds-boundary",
    /// A tenant's permissions boundary was not given, or one was that is no tenant's, so nothing was compared with it.
    BoundaryNotChecked => "boundary-not-checked",
    /// A managed role's policy is not among those that the stack may attach.
    UnlistedManagedPolicy => "unlisted-managed-policy",
    /// A tenant's agent role is not among those that the stack may assume.
    UnlistedAgentRole => "unlisted-agent-role",
    /// A tenant's permissions boundary is not among those that the stack knows.
    UnlistedBoundary => "unlisted-boundary",
    /// A tenant is in another account than Curfew, and has no agent role.
    UnreachableTenant => "unreachable-tenant",
}

/// Something found, shown as `file:line:column: severity: message; remedy [rule]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// By which rule.
    pub rule: Rule,
    /// How grave it is.
    pub grade: Grade,
    /// The file's path.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, grade, file, line, column, message, remedy } = self;
        write!(f, "{file}:{line}:{column}: {}: {message}; {remedy} [{}]", grade.as_str(), rule.id())
    }
}

/// Findings as they come in.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Told>);

impl Report {
    /// Takes findings of a parser over.
    pub(crate) fn take(&mut self, rule: Rule, folder: &Path, found: &[Finding]) {
        for finding in found {
            self.0.push(Told {
                rule,
                grade: finding.severity.into(),
                file: folder.join(&finding.file).display().to_string(),
                line: finding.line,
                column: finding.column,
                message: finding.message.clone(),
                remedy: finding.remedy.clone(),
            });
        }
    }

    /// Adds a finding at a place in a file of `folder`.
    pub(crate) fn add(
        &mut self,
        (rule, grade): (Rule, Grade),
        folder: &Path,
        place: &Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(Told {
            rule,
            grade,
            file: folder.join(&*place.file).display().to_string(),
            line: place.line,
            column: place.column,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// Everything found, by file and line, the gravest first where there are several.
    pub(crate) fn finish(mut self) -> Vec<Told> {
        self.0.sort_by(|a, b| {
            let key = |told: &Told| {
                (told.file.clone(), told.line, told.column, std::cmp::Reverse(told.grade), told.rule)
            };
            key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
        });
        self.0.dedup();
        self.0
    }
}
