//! The slow lap, by the sweep: when it runs, what it costs, what an operator is told.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use curfew_domain::access::Access;
use curfew_domain::catalog::Catalog;
use curfew_domain::event::DriftResponse;
use curfew_domain::principal::Principal;
use curfew_runtime::catalog::CatalogError;
use curfew_runtime::config::DriftConfig;

use super::*;
use crate::{DriftSummary, DriftWatch};

const MARGIN: SignedDuration = SignedDuration::from_mins(5);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn config(response: DriftResponse) -> DriftConfig {
    DriftConfig { every: HOUR, margin: MARGIN, response }
}

fn watch(response: DriftResponse) -> DriftWatch {
    DriftWatch::new(config(response), || Ok(fixtures::catalog()))
}

fn unreadable() -> Result<Catalog, CatalogError> {
    Err(CatalogError::Empty { folder: PathBuf::from("/var/task/catalog") })
}

impl Bench {
    /// A lap of a process that has just started.
    fn look(&self, response: DriftResponse) -> Summary {
        self.lap(&SweepFunction::new(self.ports(), self.metrics(), Some(watch(response))))
    }

    fn lap<F: Fn(ports::Invocation) -> MemoryPorts + Send + Sync>(
        &self,
        sweep: &SweepFunction<F>,
    ) -> Summary {
        self.world.finish(sweep.handle(&self.invocation(LAP))).unwrap().unwrap()
    }
}

fn policy(grant: &Grant) -> (Principal, String, String) {
    let Access::Inline { principal, policy_name, document } = grant.access().clone() else {
        unreachable!("{grant:?}")
    };
    (principal, policy_name, document)
}

fn take_away(bench: &Bench, grant: &Grant) {
    let (principal, name, _) = policy(grant);
    assert!(bench.world.change(|aws| aws.iam.delete_inline(&principal, &name)));
}

fn is_there(bench: &Bench, grant: &Grant) -> bool {
    let (principal, name, _) = policy(grant);
    bench.world.look(|aws| aws.iam.has_inline(&principal, &name))
}

#[test]
fn what_is_as_the_ledger_says_is_compared_and_nothing_is_told() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(MARGIN);
    let drift = bench.look(DriftResponse::Close).drift;
    assert!(drift.pages > 0, "{drift:?}");
    assert_eq!(drift, DriftSummary { pages: drift.pages, ..DriftSummary::default() });
    for metric in ["DriftFound", "DriftRemoved", "DriftUnchecked"] {
        assert_eq!(bench.told(metric), Vec::<Value>::new(), "{metric}");
    }
}

#[test]
fn a_live_grant_whose_policy_was_taken_away_is_ended_or_restored_as_configured() {
    for (response, is_back) in [(DriftResponse::Close, false), (DriftResponse::Restore, true)] {
        let bench = Bench::new();
        let grant = bench.open("CHG-1");
        take_away(&bench, &grant);
        bench.world.advance(MARGIN);
        let summary = bench.look(response);
        assert_eq!((summary.drift.found, summary.drift.removed, summary.drift.unchecked), (1, 0, 0));
        assert_eq!(bench.told("DriftFound"), [json!(1)]);
        assert_eq!(is_there(&bench, &grant), is_back);
    }
}

#[test]
fn what_somebody_put_back_under_an_ended_grants_name_is_removed() {
    let bench = Bench::new();
    let grant = bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(62));
    assert_eq!(bench.sweep(LAP).unwrap().expired, 1);
    let (principal, name, document) = policy(&grant);
    bench.world.change(|aws| aws.iam.put_inline(&principal, &name, &document));
    bench.world.advance(MARGIN);
    let drift = bench.look(DriftResponse::Close).drift;
    assert_eq!((drift.found, drift.removed, drift.unchecked), (1, 1, 0));
    assert_eq!((bench.told("DriftFound"), bench.told("DriftRemoved")), (vec![json!(1)], vec![json!(1)]));
    assert!(!is_there(&bench, &grant));
}

#[test]
fn what_curfew_did_not_make_is_told_once_and_left_alone() {
    let bench = Bench::new();
    let grant = bench.open("CHG-1");
    let (principal, _, _) = policy(&grant);
    let foreign = format!("curfew-g-{}", "z".repeat(26));
    bench.world.change(|aws| {
        aws.iam.put_inline(&principal, &foreign, "{}");
        aws.iam.put_inline(&principal, "their-own", "{}");
    });
    bench.world.advance(MARGIN);
    // The grant itself ends before the next comparison.
    for (found, why) in
        [(0, "what is seen once may be a page that is behind"), (1, "it is told"), (0, "once")]
    {
        assert_eq!(bench.look(DriftResponse::Close).drift.found, found, "{why}");
        bench.world.advance(HOUR);
    }
    for name in [foreign.as_str(), "their-own"] {
        assert!(bench.world.look(|aws| aws.iam.has_inline(&principal, name)), "{name}");
    }
}

#[test]
fn between_two_comparisons_it_is_not_asked_every_minute_whether_one_is_due() {
    let bench = Bench::new();
    let sweep = SweepFunction::new(bench.ports(), bench.metrics(), Some(watch(DriftResponse::Close)));
    assert!(bench.lap(&sweep).drift.pages > 0);
    let asks = || {
        let calls = || bench.world.history().lines().count();
        let before = calls();
        bench.lap(&sweep);
        calls() - before
    };
    // Once, to see that nothing is due; then not for a tenth of the hour.
    let with_a_look = asks();
    for _ in 0..5 {
        bench.world.advance(SignedDuration::from_mins(1));
        assert!(asks() < with_a_look);
    }
    bench.world.advance(SignedDuration::from_mins(1));
    assert_eq!(asks(), with_a_look);
    // And when the hour is over, the next one begins.
    bench.world.advance(HOUR);
    assert!(bench.lap(&sweep).drift.pages > 0);
}

#[test]
fn a_sweep_without_a_usable_catalog_still_sweeps_and_says_that_drift_is_not_looked_for() {
    let bench = Bench::new();
    bench.open("CHG-1");
    bench.world.advance(SignedDuration::from_mins(62));
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let watch = DriftWatch::new(config(DriftResponse::Close), move || {
        counted.fetch_add(1, Ordering::Relaxed);
        unreadable()
    });
    let sweep = SweepFunction::new(bench.ports(), bench.metrics(), Some(watch));
    for due in [1, 0] {
        let summary = bench.lap(&sweep);
        assert_eq!((summary.due, summary.expired), (due, due));
        assert_eq!(summary.drift, DriftSummary { unchecked: 1, ..DriftSummary::default() });
        bench.world.advance(SignedDuration::from_mins(1));
    }
    assert_eq!(
        bench.told("DriftUnchecked"),
        [json!(1), json!(1)],
        "every minute, so that an alarm can hear it"
    );
    assert_eq!(reads.load(Ordering::Relaxed), 1, "a package does not change");
}

#[test]
fn an_account_that_can_not_be_read_is_told_and_tried_again_in_a_minute() {
    let bench = Bench::new();
    let sweep = SweepFunction::new(bench.ports(), bench.metrics(), Some(watch(DriftResponse::Close)));
    bench.world.plan(Fault::once(CallName::Inventory, Delivery::Forbidden));
    let drift = bench.lap(&sweep).drift;
    assert_eq!(drift.unchecked, 1, "{drift:?}");
    assert_eq!(bench.told("DriftUnchecked"), [json!(1)]);
    bench.world.advance(SignedDuration::from_mins(1));
    let drift = bench.lap(&sweep).drift;
    assert!(drift.pages > 0 && drift.unchecked == 0, "{drift:?}");
}

#[test]
fn no_page_is_begun_that_could_not_be_finished_in_time() {
    let bench = Bench::new();
    let sweep = SweepFunction::new(bench.ports(), bench.metrics(), Some(watch(DriftResponse::Close)));
    let short = bench.invocation(SignedDuration::from_secs(25));
    assert_eq!(bench.world.finish(sweep.handle(&short)).unwrap().unwrap().drift, DriftSummary::default());
    // That was no answer to whether one is due.
    assert!(bench.lap(&sweep).drift.pages > 0);
}
