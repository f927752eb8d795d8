//! What a request rests on: approvals, counted on human beings and not on addresses; or being on call, or an emergency.

use super::*;

/// The same catalog, with second addresses for Ana and Ben.
fn with_aliases() -> Catalog {
    let text = CATALOG
        .replace(
            "[person.\"ana@example.com\"]\n",
            "[person.\"ana@example.com\"]\naliases = [\"a.root@example.com\"]\n",
        )
        .replace(
            "[person.\"ben@example.com\"]\n",
            "[person.\"ben@example.com\"]\naliases = [\"ben@corp.example.com\"]\n",
        );
    Catalog::parse(&[CatalogFile { name: "c.toml".into(), text }]).unwrap()
}

fn email(text: &str) -> Email {
    Email::new(text).unwrap()
}

fn on_call(since: &str) -> Basis {
    Basis::OnCall { since: at(since) }
}

fn break_glass(since: &str) -> Basis {
    Basis::BreakGlass { since: at(since) }
}

#[test]
fn the_basis_is_what_was_approved_and_what_the_ticket_says_besides_is_not() {
    let digest = |change: fn(&mut AccessRequest)| with(change).digest();
    let facts = |r: &mut AccessRequest| {
        r.ticket_facts =
            TicketFacts { sender: "servicenow".into(), kind: "change".into(), state: "approved".into() };
    };
    // A ticket may change its state between two deliveries of one approval.
    assert_eq!(digest(facts), good().digest());
    let digests = [
        good().digest(),
        digest(|r| r.basis = on_call(NOW)),
        digest(|r| r.basis = on_call("2026-11-21T10:00:01Z")),
        digest(|r| r.basis = break_glass(NOW)),
        // No approval can be written so that it stands for a basis.
        digest(|r| {
            r.basis = on_call(NOW);
            r.approvals.clear();
        }),
        digest(|r| r.approvals.clear()),
    ];
    let different: std::collections::BTreeSet<&String> = digests.iter().collect();
    assert_eq!(different.len(), digests.len(), "{digests:#?}");
}

#[test]
fn what_was_written_without_a_basis_rests_on_approvals() {
    let kept = serde_json::to_value(good()).unwrap();
    // Grants of earlier versions have neither, and their digests have to stay.
    assert!(kept.get("basis").is_none() && kept.get("ticket_facts").is_none(), "{kept}");
    assert_eq!(serde_json::from_value::<AccessRequest>(kept).unwrap(), good());
    let other = with(|r| {
        r.basis = break_glass(NOW);
        r.ticket_facts.kind = "incident".into();
    });
    let kept = serde_json::to_value(&other).unwrap();
    assert_eq!(kept["basis"]["kind"], "break-glass");
    assert_eq!(serde_json::from_value::<AccessRequest>(kept).unwrap(), other);
    assert_eq!(
        [Basis::Approvals, on_call(NOW), break_glass(NOW)].map(Basis::name),
        ["approvals", "on-call", "break-glass"]
    );
}

#[test]
fn an_emergency_takes_no_approval_but_has_to_be_fresh() {
    for (basis, name) in [(on_call as fn(&str) -> Basis, "on-call"), (break_glass, "break-glass")] {
        let asked = |since: &str| {
            decided(&with(|r| {
                r.basis = basis(since);
                r.approvals.clear();
            }))
        };
        for since in ["2026-11-20T10:00:00Z", NOW, "2026-11-21T10:05:00Z"] {
            let plan = asked(since).unwrap();
            assert_eq!((plan.approved_at, plan.approvers.len(), plan.self_approved), (at(since), 0, false));
        }
        for (since, code) in [
            ("2026-11-20T09:59:59Z", DenialCode::ApprovalTooOld),
            ("2026-11-21T10:05:01Z", DenialCode::ApprovalInFuture),
        ] {
            let denial = asked(since).unwrap_err();
            assert_eq!(denial.code, code);
            assert!(denial.reason.contains(name) && denial.reason.contains(since), "{denial}");
        }
    }
}

#[test]
fn the_newest_of_basis_and_approvals_gives_the_order() {
    let newest = |approved: &str| {
        let request = with(|r| {
            r.basis = on_call("2026-11-21T09:30:00Z");
            r.approvals = vec![approval("ben@example.com", approved)];
        });
        let plan = decided(&request).unwrap();
        assert_eq!(plan.approvers, [email("ben@example.com")]);
        (plan.approved_at, newest_approval_that_counts(&catalog(), &request))
    };
    let (earlier, later) = (at("2026-11-21T09:30:00Z"), at("2026-11-21T09:45:00Z"));
    assert_eq!(newest("2026-11-21T09:00:00Z"), (earlier, Some(earlier)));
    assert_eq!(newest("2026-11-21T09:45:00Z"), (later, Some(later)));
    // What is dated ahead of time would put everything that comes after it in the past.
    let ahead = with(|r| {
        r.basis = on_call("2026-11-21T09:30:00Z");
        r.approvals = vec![approval("ben@example.com", "2026-12-24T00:00:00Z")];
    });
    assert_eq!(decided(&ahead).unwrap_err().code, DenialCode::ApprovalInFuture);
}

#[test]
fn an_old_approval_lends_nobody_its_word() {
    let by_two = |first: &str, second: &str, starts_at: Option<&str>| {
        let request = with(|r| {
            r.approvals = vec![approval("ben@example.com", first), approval("carla@example.com", second)];
            r.window.starts_at = starts_at.map(at);
        });
        decided(&request).map(|plan| plan.approvers)
    };
    let both = [email("ben@example.com"), email("carla@example.com")];
    assert_eq!(by_two("2026-11-21T09:00:00Z", "2026-11-21T09:30:00Z", None).unwrap(), both);
    // Three months ago Ben approved something; today it is Carla alone.
    let carla = [email("carla@example.com")];
    assert_eq!(by_two("2026-08-21T09:00:00Z", "2026-11-21T09:30:00Z", None).unwrap(), carla);
    // What has a start of its own was approved for that.
    assert_eq!(
        by_two("2026-11-11T09:00:00Z", "2026-11-21T09:30:00Z", Some("2026-11-21T11:00:00Z")).unwrap(),
        both
    );
}

#[test]
fn more_time_takes_the_word_of_everybody_again() {
    let current = Current {
        window: Window::new(at("2026-11-21T09:00:00Z"), at("2026-11-21T11:00:00Z")).unwrap(),
        approved_at: at("2026-11-21T09:00:00Z"),
    };
    let approvers = |end: &str| {
        let request = with(|r| {
            r.approvals = vec![
                approval("ben@example.com", "2026-11-21T09:00:00Z"),
                approval("carla@example.com", "2026-11-21T09:45:00Z"),
            ];
            r.window = WindowRequest { starts_at: None, end: Some(WindowEnd::At(at(end))) };
        });
        decide_change(&catalog(), &request, &facts(), current).unwrap().approvers
    };
    assert_eq!(approvers("2026-11-21T12:00:00Z"), [email("carla@example.com")], "Ben approved less");
    assert_eq!(approvers("2026-11-21T10:30:00Z"), [email("ben@example.com"), email("carla@example.com")]);
}

#[test]
fn a_second_address_makes_nobody_their_own_approver() {
    let catalog = with_aliases();
    let by = |requester: &str, approver: &str| {
        let request = with(|r| {
            r.requester = email(requester);
            r.approvals = vec![approval(approver, NOW)];
        });
        decide(&catalog, &request, &facts()).map_err(|denial| denial.code)
    };
    let (main, alias) = ("ana@example.com", "a.root@example.com");
    for (requester, approver) in [(main, alias), (alias, main), (alias, alias), (main, "A.Root@Example.com")]
    {
        assert_eq!(by(requester, approver), Err(DenialCode::SelfApproval), "{requester} by {approver}");
    }
    let plan = by(alias, "ben@corp.example.com").unwrap();
    assert_eq!(plan.approvers, [email("ben@example.com")]);
    assert!(!plan.self_approved);
}

#[test]
fn approvers_are_human_beings_each_once() {
    let catalog = with_aliases();
    let request = with(|r| {
        r.approvals = vec![
            approval("ben@corp.example.com", "2026-11-21T09:50:00Z"),
            approval("ben@example.com", "2026-11-21T09:51:00Z"),
            approval("carla@example.com", "2026-11-21T09:52:00Z"),
            approval("eve@elsewhere.example", "2026-11-21T09:53:00Z"),
            approval("a.root@example.com", "2026-11-21T09:54:00Z"),
        ];
    });
    let plan = decide(&catalog, &request, &facts()).unwrap();
    assert_eq!(plan.approvers, [email("ben@example.com"), email("carla@example.com")]);
    assert!(plan.self_approved, "Ana approved under another address");
    // Neither her own approval nor a stranger's gives the order.
    assert_eq!(plan.approved_at, at("2026-11-21T09:52:00Z"));
}

#[test]
fn what_only_takes_time_away_may_rest_on_an_approval_of_any_age() {
    let old = |end: Option<WindowEnd>| {
        changed(current(), move |r| {
            r.approvals = vec![approval("ben@example.com", "2026-11-01T00:00:00Z")];
            set_window(r, None, end);
        })
        .map_err(|denial| denial.code)
    };
    let shortened = Window::new(current().starts_at(), at("2026-11-21T10:30:00Z")).unwrap();
    assert_eq!(old(until("2026-11-21T10:30:00Z")), Ok(shortened));
    assert!(shortened.shortens(current()));
    for end in [until("2026-11-21T11:00:00Z"), until("2026-11-21T11:00:01Z"), lasting(60), None] {
        assert_eq!(old(end), Err(DenialCode::ApprovalTooOld), "{end:?}");
    }
    // A window that has not begun is moved as a whole: only what lies in it is less of it.
    let ahead = Window::new(at("2026-11-21T12:00:00Z"), at("2026-11-21T14:00:00Z")).unwrap();
    for (start, end, less) in [
        (Some("2026-11-21T12:00:00Z"), "2026-11-21T13:00:00Z", true),
        (Some("2026-11-21T12:30:00Z"), "2026-11-21T13:00:00Z", true),
        (Some("2026-11-21T12:30:00Z"), "2026-11-21T14:00:00Z", false),
        (Some("2026-11-21T11:59:59Z"), "2026-11-21T13:00:00Z", false),
        (None, "2026-11-21T13:00:00Z", false),
    ] {
        let request = with(|r| set_window(r, start, until(end)));
        assert_eq!(takes_away(&request, ahead, at(NOW)), less, "{start:?} {end}");
        let window = changed(ahead, |r| set_window(r, start, until(end))).unwrap();
        assert_eq!(window.shortens(ahead), less, "{start:?} {end}");
    }
}
