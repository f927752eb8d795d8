//! Many grants that end in the same minute, under an IAM that lets only so many writes through; and a sweep beside many
//! live grants with nothing due. `cargo bench -p curfew-testkit --bench load` prints the same for the full load.

use curfew_domain::retry::LAP_LIMIT;
use curfew_testkit::load::{Load, Run, idle_lap, run};

/// The calls that one closed grant costs a lap, at most: read to find its turn and again when it comes, claimed, removed
/// with its timer, written down, and read for its lag.
const CALLS_OF_A_GRANT: usize = 7;

/// A load that takes four minutes to drain by itself, at a fifth of the full rate.
fn load() -> Load {
    Load { grants: 1_200, writes_a_second: 4, burst: 8, revoke_concurrency: 100, ..Load::full() }
}

fn assert_kept(load: Load, run: &Run) {
    assert_eq!(run.violations, Vec::<String>::new(), "{run}");
    // Access ends by the documents, whoever is throttled.
    assert_eq!((run.allowed_before, run.allowed_at_end, run.allowed_after), (load.grants, 0, 0), "{run}");
    // Nothing is lost.
    assert_eq!(run.closed, run.grants, "{run}");
    assert!(run.grants >= load.grants + run.opened_after.len());
    // The poison grant fails, until AWS lets it be removed; being asked too often is nobody's failure.
    assert!(run.failures_recorded <= 5, "{run}");
    assert!(run.minutes.iter().all(|minute| !minute.lap_killed), "{run}");
}

#[test]
fn a_backlog_drains_at_the_rate_that_iam_allows_and_nothing_is_lost() {
    let load = load();
    let run = run(load).unwrap();
    assert_kept(load, &run);
    for (n, minute) in run.minutes.iter().enumerate() {
        // What a lap costs is bounded by what it may look at and by what IAM lets it do.
        let worked = minute.lap_closed + minute.throttled;
        assert!(minute.calls() <= LAP_LIMIT + 50 + CALLS_OF_A_GRANT * worked, "minute {n}: {run}");
    }
}

#[test]
fn the_sweep_alone_uses_what_iam_allows_while_a_lap_works_and_keeps_the_order() {
    let load = Load { revoke_concurrency: 1000, ..load() };
    let run = run(load).unwrap();
    assert_kept(load, &run);
    let large = u64::try_from(load.accounts - 1).unwrap();
    // A lap works for 40 s of its minute.
    let allowed = usize::try_from(large * (load.burst + 40 * load.writes_a_second)).unwrap();
    let (mut full, mut inversions) = (0, 0);
    for (n, minute) in run.minutes.iter().enumerate().skip(1) {
        let (privileged, others) = minute.left();
        // What is left besides the poison grant.
        if others > 0 {
            full += 1;
            assert!(
                minute.lap_closed * 100 >= allowed * 80,
                "minute {n}: {} of {allowed}\n{run}",
                minute.lap_closed
            );
        }
        assert!(privileged <= 1 || minute.lap_closed > 0, "{run}");
        inversions += minute.lap_inversions;
    }
    assert!(full >= 2, "there is a backlog: {run}");
    assert_eq!(inversions, 0, "{run}");
    assert!(run.dead_letters <= 1, "only the poison grant's: {run}");
}

#[test]
fn nobody_waits_for_anothers_backlog() {
    let load = load();
    let run = run(load).unwrap();
    // The account with few grants is done long before the others.
    let small = format!("{}", 500_000_000_000_u64 + 2);
    let done = run.minutes.iter().position(|minute| !minute.left.contains_key(&small)).unwrap();
    assert!(done <= 2 && run.minutes[done].left().1 > 0, "{done}: {run}");
    // What is asked for in a throttled account gets its turn, and what is revoked early is not queued behind grants
    // whose windows are over: a minute until the sweep takes it, a lap's pause, and its turn.
    assert!(
        run.opened_after.len() == 10 && run.opened_after.iter().all(|millis| *millis <= 300_000),
        "{:?}",
        run.opened_after
    );
    assert!(
        run.revoked_after.len() == 10 && run.revoked_after.iter().all(|millis| *millis <= 150_000),
        "{:?}",
        run.revoked_after
    );
}

#[test]
fn a_lap_costs_the_same_beside_however_many_live_grants() {
    for due in [0, 10] {
        let few = idle_lap(1_000, due).unwrap();
        let many = idle_lap(50_000, due).unwrap();
        assert_eq!(few.calls, many.calls);
        assert_eq!(few.entries, many.entries);
        // What is due, and the first that is not.
        assert_eq!(few.entries, due as u64 + 1);
        assert_eq!(few.calls.values().sum::<usize>(), 1 + 5 * due);
    }
}
