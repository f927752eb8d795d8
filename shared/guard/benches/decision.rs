//! What a decision costs: `cargo bench -p curfew-guard --bench decision`.
//!
//! Organisations of several sizes, with the guardrails that grow with them: some for each tenant, each role and each
//! team, besides the shipped ones. Each line is the time of one thread for one judgement, with the question whether
//! what is held matters, over the slice and, for comparison, over all guardrails; and what it takes to parse and
//! validate them, once a process. The median of many rounds: a machine that does other things makes it no faster.

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use curfew_app::guard::{Case, Guardrails as _};
use curfew_domain::catalog::{Catalog, CatalogFile};
use curfew_domain::decision::{DecisionFacts, decide};
use curfew_domain::ids::{Email, RoleName, TenantId};
use curfew_domain::request::AccessRequest;
use curfew_guard::{CedarGuardrails, GuardrailFile};
use curfew_testkit::fixtures;

/// What a decision may cost at [`SIZE_OF_BUDGET`] guardrails. Told, and nothing fails: times are the machine's.
const BUDGET: Duration = Duration::from_millis(1);
const SIZE_OF_BUDGET: usize = 1_000;

fn main() -> ExitCode {
    match tell() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            drop(writeln!(io::stderr(), "decision: {error}"));
            ExitCode::from(2)
        }
    }
}

fn tell() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if !std::env::args().any(|argument| argument == "--bench") {
        writeln!(
            out,
            "nothing is measured in a test run; use `cargo bench -p curfew-guard --bench decision`"
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "{:>10} {:>8} {:>6} {:>11} {:>14} {:>14}",
        "guardrails", "tenants", "roles", "parse", "judge, slice", "judge, all"
    )?;
    for size in [0, 5, 100, 1_000, 10_000] {
        let organisation = Organisation::new(size)?;
        let plan = {
            let facts = DecisionFacts { now: fixtures::START, own_account: fixtures::OWN_ACCOUNT.to_owned() };
            decide(&organisation.catalog, &organisation.request, &facts)?
        };
        let case = Case { catalog: &organisation.catalog, plan: &plan, now: fixtures::START, current: None };
        let parse =
            median(if size > 1_000 { 3 } else { 15 }, || CedarGuardrails::parse(&organisation.files).is_ok());
        let sliced = CedarGuardrails::parse(&organisation.files)?;
        let count = sliced.guardrails().count();
        sliced.judge(&case, &[])?;
        let judge = |guardrails: &CedarGuardrails, rounds| {
            median(rounds, || (guardrails.asks_what_is_held(&case), guardrails.judge(&case, &[]).is_ok()))
        };
        let slice = judge(&sliced, 2_000);
        let whole = CedarGuardrails::parse(&organisation.files)?.unsliced()?;
        let all = judge(&whole, if size > 1_000 { 20 } else { 200 });
        let (tenants, roles) = (organisation.catalog.tenants().count(), organisation.catalog.roles().count());
        writeln!(out, "{count:>10} {tenants:>8} {roles:>6} {parse:>11.1?} {slice:>14.1?} {all:>14.1?}")?;
        if count <= SIZE_OF_BUDGET + 100 && slice > BUDGET {
            writeln!(out, "over the budget of {BUDGET:?}")?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time; nothing is decided by it")]
fn median<T>(rounds: usize, mut run: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A catalog, its guardrails, and a request in it.
struct Organisation {
    catalog: Catalog,
    files: Vec<GuardrailFile>,
    request: AccessRequest,
}

impl Organisation {
    /// With so many guardrails besides the shipped ones: of five, two are about a tenant, one about a role, one about a
    /// role in a tenant, and one about a team.
    fn new(guardrails: usize) -> Result<Self, Box<dyn Error>> {
        let units = guardrails / 5;
        let (mut toml, mut cedar) = (fixtures::CATALOG.to_owned(), String::new());
        let about = |of: &str| format!("@reason(\"{of}\") @remedy(\"ask otherwise\")");
        for n in 0..units.max(1) {
            write!(
                toml,
                "[tenant.t{n}]\naccount = \"{}\"\nregion = \"eu-central-1\"\nenvironment = \"production\"\n\
                 [role.r{n}]\ndescription = \"r\"\npermissions = [\"read_data\"]\nmax_duration = \"4h\"\n\
                 default_duration = \"1h\"\neligible = [\"engineering\", \"team-{n}\"]\n\
                 approvals = [\"approvers\"]\nlabels = [\"on-call\"]\n",
                fixtures::OWN_ACCOUNT
            )?;
        }
        for n in 0..units {
            let (tenant, role, access, team) =
                (about("tenant"), about("role"), about("access"), about("team"));
            write!(
                cedar,
                "@id(\"tenant-{n}-short\") {tenant} forbid (principal, action, resource in Tenant::\"t{n}\") \
                 when {{ context.duration > duration(\"3h\") }};\n\
                 @id(\"tenant-{n}-tickets\") {tenant} forbid (principal, action, resource in Tenant::\"t{n}\") \
                 when {{ context.ticket.kind == \"problem\" && context.approvals.count < 2 }};\n\
                 @id(\"role-{n}\") {role} forbid (principal, action, resource in Role::\"r{n}\") \
                 unless {{ Group::\"approvers\".approvals >= 1 }};\n\
                 @id(\"access-{n}\") {access} forbid (principal, action, resource == Access::\"t{n}/r{n}\") \
                 when {{ context.start_day == \"sunday\" && !context.one_day }};\n\
                 @id(\"team-{n}\") {team} permit (principal in Group::\"team-{n}\", action, resource) \
                 when {{ context.approvals.complete && resource.role.labels.contains(\"team-{n}\") }};\n"
            )?;
        }
        let mut files = shipped()?;
        files.push(GuardrailFile { name: "organisation.cedar".to_owned(), text: cedar });
        let last = units.max(1) / 2;
        let request = AccessRequest {
            tenant: TenantId::new(format!("t{last}"))?,
            role: RoleName::new(format!("r{last}"))?,
            requester: Email::new("ana@example.com")?,
            ..fixtures::request("CHG1")
        };
        let catalog = Catalog::parse(&[CatalogFile { name: "catalog.toml".to_owned(), text: toml }])?;
        Ok(Self { catalog, files, request })
    }
}

fn shipped() -> Result<Vec<GuardrailFile>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/guardrails");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "cedar") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push(GuardrailFile { name, text: std::fs::read_to_string(&path)? });
        }
    }
    Ok(files)
}
