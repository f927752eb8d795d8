//! Requests, and what the shipped guardrails make of them.

use crate::support::Ask;

/// What a request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Permitted,
    /// Permitted, and somebody has to look at it afterwards.
    Reviewed,
    Forbidden,
    NotPermitted,
}
use Expected::{Forbidden, NotPermitted, Permitted, Reviewed};

/// A request with what it comes to.
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    /// The guardrails that permit or forbid it.
    pub(crate) by: &'static [&'static str],
    change: fn(&mut Ask),
}

impl Trial {
    pub(crate) fn ask(&self) -> Ask {
        let mut ask = Ask::default();
        (self.change)(&mut ask);
        ask
    }
}

const fn trial(
    name: &'static str,
    expected: Expected,
    by: &'static [&'static str],
    change: fn(&mut Ask),
) -> Trial {
    Trial { name, expected, by, change }
}

const ELIGIBLE: &[&str] = &["eligible-and-approved"];

/// Somebody on call asks for `pager`, for an open incident.
fn on_call(ask: &mut Ask) {
    ask.role = "pager";
    ask.basis = "on-call";
    ask.approvers.clear();
    (ask.sender, ask.kind, ask.state) = ("pagerduty", "incident", "open");
}

/// An incident commander breaks the glass, on a Saturday of the freeze.
fn break_glass(ask: &mut Ask) {
    ask.who = "ben";
    ask.role = "glass";
    ask.basis = "break-glass";
    ask.now = "2026-12-26T22:00:00Z";
    ask.approvers.clear();
    (ask.sender, ask.kind, ask.state) = ("slack", "", "");
}

fn by_two(ask: &mut Ask) {
    ask.approvers = vec!["mia", "sam"];
}

pub(crate) const TABLE: &[Trial] = &[
    // Eligibility.
    trial("a plain request", Permitted, ELIGIBLE, |_| {}),
    trial("of nobody's kind of sender", Permitted, ELIGIBLE, |ask| {
        (ask.sender, ask.kind, ask.state) = ("", "", "")
    }),
    trial("by somebody in none of the groups", NotPermitted, &[], |ask| ask.who = "mia"),
    trial("of a role that is for nobody", NotPermitted, &[], |ask| ask.role = "unclaimed"),
    trial("with the approvals that the role asks for", Permitted, ELIGIBLE, |ask| {
        ask.role = "two";
        by_two(ask);
    }),
    trial("with one approval of two", NotPermitted, &[], |ask| {
        ask.role = "two";
        ask.approvers = vec!["mia"];
    }),
    trial("with one human being for two", NotPermitted, &[], |ask| {
        ask.role = "two";
        ask.approvers = vec!["max", "ben"];
    }),
    trial("with one who is both, and another", Permitted, ELIGIBLE, |ask| {
        ask.role = "two";
        ask.approvers = vec!["max", "sam"];
    }),
    // Approvals.
    trial("approved by the requester too", Forbidden, &["no-self-approval"], |ask| ask.approvers.push("ana")),
    trial("approved by the requester's other address too", Forbidden, &["no-self-approval"], |ask| {
        ask.approvers.push("ana@home.example");
    }),
    trial("privileged, by one", Forbidden, &["privileged-takes-two"], |ask| ask.role = "root"),
    trial("privileged, by one twice", Forbidden, &["privileged-takes-two"], |ask| {
        ask.role = "root";
        ask.approvers = vec!["ben", "ben"];
    }),
    trial("privileged, by two", Permitted, ELIGIBLE, |ask| {
        ask.role = "root";
        by_two(ask);
    }),
    trial("data, by manager and security", Permitted, ELIGIBLE, |ask| {
        ask.role = "data";
        by_two(ask);
    }),
    trial("data, by one who is both", Forbidden, &["data-takes-managers-and-security"], |ask| {
        ask.role = "data";
        ask.approvers = vec!["max"];
    }),
    trial("data, the role asks for too little", Forbidden, &["data-takes-managers-and-security"], |ask| {
        ask.role = "data-loose";
        by_two(ask);
    }),
    trial("data, on call", Forbidden, &["data-takes-managers-and-security"], |ask| {
        on_call(ask);
        ask.role = "data-loose";
    }),
    // Limits.
    trial("production, 8 h", Permitted, ELIGIBLE, |ask| (ask.tenant, ask.minutes) = ("shop", 480)),
    trial("production, over 8 h", Forbidden, &["production-eight-hours"], |ask| {
        (ask.tenant, ask.minutes) = ("shop", 481);
    }),
    trial("elsewhere, over 8 h", Permitted, ELIGIBLE, |ask| ask.minutes = 481),
    trial("privileged in production, 4 h", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.tenant, ask.minutes) = ("root", "shop", 240);
        by_two(ask);
    }),
    trial("privileged in production, over 4 h", Forbidden, &["privileged-production-four-hours"], |ask| {
        (ask.role, ask.tenant, ask.minutes) = ("root", "shop", 241);
        by_two(ask);
    }),
    trial("privileged elsewhere, over 4 h", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.minutes) = ("root", 241);
        by_two(ask);
    }),
    trial(
        "privileged in production, over 8 h",
        Forbidden,
        &["privileged-production-four-hours", "production-eight-hours"],
        |ask| {
            (ask.role, ask.tenant, ask.minutes) = ("root", "shop", 481);
            by_two(ask);
        },
    ),
    trial("data, 2 h", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.minutes) = ("data", 120);
        by_two(ask);
    }),
    trial("data, over 2 h", Forbidden, &["data-two-hours"], |ask| {
        (ask.role, ask.minutes) = ("data", 121);
        by_two(ask);
    }),
    trial("sensitive, 2 h", Permitted, ELIGIBLE, |ask| (ask.tenant, ask.minutes) = ("vault", 120)),
    trial("sensitive, over 2 h", Forbidden, &["sensitive-tenant-two-hours"], |ask| {
        (ask.tenant, ask.minutes) = ("vault", 121);
    }),
    trial("an extension counts as a whole", Forbidden, &["sensitive-tenant-two-hours"], |ask| {
        (ask.tenant, ask.minutes) = ("vault", 61);
        ask.current = Some(("2026-11-24T09:00:00Z", 120));
    }),
    // On call.
    trial("on call, 4 h", Permitted, &["on-call"], |ask| {
        on_call(ask);
        ask.minutes = 240;
    }),
    trial("on call, over 4 h", NotPermitted, &[], |ask| {
        on_call(ask);
        ask.minutes = 241;
    }),
    trial("on call, privileged, 2 h", Permitted, &["on-call"], |ask| {
        on_call(ask);
        (ask.role, ask.minutes) = ("pager-root", 120);
    }),
    trial("on call, privileged, over 2 h", NotPermitted, &[], |ask| {
        on_call(ask);
        (ask.role, ask.minutes) = ("pager-root", 121);
    }),
    trial("on call, in production, 2 h", Permitted, &["on-call"], |ask| {
        on_call(ask);
        (ask.tenant, ask.minutes) = ("shop", 120);
    }),
    trial("on call, in production, over 2 h", NotPermitted, &[], |ask| {
        on_call(ask);
        (ask.tenant, ask.minutes) = ("shop", 121);
    }),
    trial("on call, another role", NotPermitted, &[], |ask| {
        on_call(ask);
        ask.role = "plain";
    }),
    trial("on call, not eligible", NotPermitted, &[], |ask| {
        on_call(ask);
        ask.who = "mia";
    }),
    trial("on call, the incident is resolved", NotPermitted, &[], |ask| {
        on_call(ask);
        ask.state = "resolved";
    }),
    trial("on call, no incident", NotPermitted, &[], |ask| {
        on_call(ask);
        ask.kind = "change";
    }),
    trial("on call, as another sender says", NotPermitted, &[], |ask| {
        on_call(ask);
        ask.sender = "standard";
    }),
    // Break-glass.
    trial("commander, 120 minutes", Reviewed, &["break-glass-incident-commander"], |ask| {
        break_glass(ask);
        ask.minutes = 120;
    }),
    trial("commander, over 120 minutes", NotPermitted, &[], |ask| {
        break_glass(ask);
        ask.minutes = 121;
    }),
    trial("senior, 60 minutes", Reviewed, &["break-glass-senior-engineer"], |ask| {
        break_glass(ask);
        ask.who = "cid";
    }),
    trial("senior, over 60 minutes", NotPermitted, &[], |ask| {
        break_glass(ask);
        (ask.who, ask.minutes) = ("cid", 61);
    }),
    trial("anybody else", NotPermitted, &[], |ask| {
        break_glass(ask);
        ask.who = "ana";
    }),
    trial("commander, another role", NotPermitted, &[], |ask| {
        break_glass(ask);
        ask.role = "plain";
    }),
    trial("commander, 20 characters", Reviewed, &["break-glass-incident-commander"], |ask| {
        break_glass(ask);
        ask.justification = "12345678901234567890";
    }),
    trial("commander, 19 characters and spaces", Forbidden, &["break-glass-says-why"], |ask| {
        break_glass(ask);
        ask.justification = "1234567890123456789  ";
    }),
    // Separation of duties.
    trial("deploys", Permitted, ELIGIBLE, |ask| (ask.role, ask.approvers) = ("deploy", vec!["rob"])),
    trial("deploys, holds the approval", Forbidden, &["who-approves-deploys-does-not-deploy"], |ask| {
        (ask.role, ask.approvers) = ("deploy", vec!["rob"]);
        ask.held = vec![("lab", "sign-off")];
    }),
    trial("deploys, holds the approval elsewhere", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.approvers) = ("deploy", vec!["rob"]);
        ask.held = vec![("shop", "sign-off"), ("lab", "plain")];
    }),
    trial("approves deployments", Permitted, ELIGIBLE, |ask| ask.role = "sign-off"),
    trial("approves deployments, deploys", Forbidden, &["who-deploys-does-not-approve-deploys"], |ask| {
        ask.role = "sign-off";
        ask.held = vec![("lab", "deploy")];
    }),
    trial("deploys what they approve", Forbidden, &["who-releases-deploys-does-not-deploy"], |ask| {
        (ask.who, ask.role, ask.approvers) = ("rob", "deploy", vec!["rex"]);
    }),
    // Change windows.
    trial("a change, on a Tuesday from 10 to 18", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.minutes) = ("delicate", 480);
    }),
    trial("a minute past 18", Forbidden, &["change-window-hours"], |ask| {
        (ask.role, ask.minutes) = ("delicate", 481);
    }),
    trial("on a Thursday from 6", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.start) = ("delicate", Some("2026-11-26T06:00:00Z"));
    }),
    trial("on a Thursday before 6", Forbidden, &["change-window-hours"], |ask| {
        (ask.role, ask.start) = ("delicate", Some("2026-11-26T05:59:59Z"));
    }),
    trial("on a Friday", Forbidden, &["change-window-hours"], |ask| {
        (ask.role, ask.start) = ("delicate", Some("2026-11-27T10:00:00Z"));
    }),
    trial("on a Monday", Forbidden, &["change-window-hours"], |ask| {
        (ask.role, ask.start) = ("delicate", Some("2026-11-30T10:00:00Z"));
    }),
    trial("over midnight", Forbidden, &["change-window-hours"], |ask| {
        (ask.role, ask.minutes) = ("delicate", 720);
        ask.start = Some("2026-11-25T17:00:00Z");
    }),
    trial("no change", Forbidden, &["change-window-takes-a-change"], |ask| {
        (ask.role, ask.kind) = ("delicate", "request");
    }),
    trial("shortened at night", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.now, ask.minutes) = ("delicate", "2026-11-24T20:00:00Z", 30);
        ask.current = Some(("2026-11-24T17:00:00Z", 300));
    }),
    trial("extended at night", Forbidden, &["change-window-hours"], |ask| {
        (ask.role, ask.now, ask.minutes) = ("delicate", "2026-11-24T17:30:00Z", 60);
        ask.current = Some(("2026-11-24T17:00:00Z", 60));
    }),
    // Freezes.
    trial("until the freeze", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.now) = ("change", "2026-12-18T23:00:00Z");
    }),
    trial("into the freeze", Forbidden, &["freeze-turn-of-the-year-2026"], |ask| {
        (ask.role, ask.now, ask.minutes) = ("change", "2026-12-18T23:00:00Z", 61);
    }),
    trial("out of the freeze", Forbidden, &["freeze-turn-of-the-year-2026"], |ask| {
        (ask.role, ask.now) = ("change", "2027-01-03T23:59:59Z");
    }),
    trial("after the freeze", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.now) = ("change", "2027-01-04T00:00:00Z");
    }),
    trial("in the freeze, what does not change", Permitted, ELIGIBLE, |ask| ask.now = "2026-12-26T10:00:00Z"),
    trial("in the freeze, shortened", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.now, ask.minutes) = ("change", "2026-12-19T01:00:00Z", 30);
        ask.current = Some(("2026-12-18T23:00:00Z", 240));
    }),
    trial("moved forward into the freeze", Forbidden, &["freeze-turn-of-the-year-2026"], |ask| {
        (ask.role, ask.now, ask.start) = ("change", "2026-12-18T23:00:00Z", Some("2026-12-28T10:00:00Z"));
        ask.current = Some(("2027-01-05T10:00:00Z", 60));
    }),
    // Never standing.
    trial("rare, for a change", Permitted, ELIGIBLE, |ask| ask.role = "rare"),
    trial("rare, for an incident", Permitted, ELIGIBLE, |ask| (ask.role, ask.kind) = ("rare", "incident")),
    trial("rare, for no such ticket", Forbidden, &["never-standing-takes-a-ticket"], |ask| {
        (ask.role, ask.kind) = ("rare", "request");
    }),
    trial("rare, extended", Forbidden, &["never-standing-is-not-extended"], |ask| {
        (ask.role, ask.minutes) = ("rare", 60);
        ask.current = Some(("2026-11-24T09:30:00Z", 60));
    }),
    trial("rare, shortened", Permitted, ELIGIBLE, |ask| {
        (ask.role, ask.minutes) = ("rare", 20);
        ask.current = Some(("2026-11-24T09:30:00Z", 60));
    }),
    trial("rare, held already", Forbidden, &["never-standing-is-not-had-twice"], |ask| {
        ask.role = "rare";
        ask.held = vec![("lab", "rare")];
    }),
    trial("rare, held elsewhere", Permitted, ELIGIBLE, |ask| {
        ask.role = "rare";
        ask.held = vec![("shop", "rare"), ("lab", "plain")];
    }),
    trial("rare, as a standing policy", Forbidden, &["never-standing-is-time-boxed"], |ask| {
        ask.role = "rare-managed";
    }),
];
