//! People under several addresses and accounts, and what roles and tenants tell guardrails: as written, and every
//! mistake at its line.

use super::mistakes::{GOOD, added, replaced, warned};
use super::*;
use crate::ids::{DeliveryId, Label, Source, TicketId};
use crate::request::{Approval, Basis, TicketFacts, WindowRequest};

fn email(name: &str) -> Email {
    Email::new(&format!("{name}@example.com")).unwrap()
}

fn account(text: &str) -> SourceAccount {
    SourceAccount::new(text).unwrap()
}

fn good_and(more: &str) -> Catalog {
    parse(&[("c.toml", &format!("{GOOD}{more}"))]).unwrap()
}

const BEN: &str = "[person.\"ben@example.com\"]\naliases = [\"b.smith@example.com\", \"BEN@corp.example.com\"]\n\
                   accounts = [\"slack:U024BE7LH\", \"pagerduty:PX1\"]\n";

#[test]
fn a_person_is_found_by_every_address_and_account() {
    let catalog = good_and(BEN);
    let ben = email("ben");
    for address in ["ben@example.com", "b.smith@example.com", "ben@corp.example.com", "B.Smith@Example.com"] {
        let address = Email::new(address).unwrap();
        assert_eq!(catalog.person(&address).map(Person::email), Some(&ben), "{address}");
        assert!(catalog.is_same_person(&address, &ben) && catalog.is_same_person(&ben, &address));
        assert!(!catalog.is_same_person(&address, &email("ana")));
    }
    for known in ["slack:U024BE7LH", "pagerduty:PX1"] {
        assert_eq!(catalog.person_by_account(&account(known)).map(Person::email), Some(&ben));
    }
    // Accounts differ in case, and an account of one source says nothing about another's.
    for unknown in ["slack:u024be7lh", "slack:PX1", "pagerduty:U024BE7LH", "jira:PX1"] {
        assert!(catalog.person_by_account(&account(unknown)).is_none(), "{unknown}");
    }
    // Whom nobody knows is the same as themselves alone.
    assert!(catalog.is_same_person(&email("eve"), &email("eve")));
    assert!(!catalog.is_same_person(&email("eve"), &email("mallory")));
}

#[test]
fn a_request_names_everybody_by_the_address_that_the_catalog_has_them_under() {
    let catalog = good_and(BEN);
    let at = "2026-11-21T10:00:00Z".parse().unwrap();
    let request = |requester: &str, approvers: [&str; 3]| AccessRequest {
        source: Source::new("itsm").unwrap(),
        ticket: TicketId::new("CHG-1").unwrap(),
        requester: Email::new(requester).unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        role: RoleName::new("ops").unwrap(),
        principal: None,
        window: WindowRequest::default(),
        approvals: approvers.map(|who| Approval { approver: Email::new(who).unwrap(), at }).to_vec(),
        basis: Basis::Approvals,
        ticket_facts: TicketFacts::default(),
        justification: "disk full".to_owned(),
        delivery: DeliveryId::new("msg_1").unwrap(),
    };
    let sent =
        request("b.smith@example.com", ["ben@corp.example.com", "ana@example.com", "eve@elsewhere.example"]);
    let main = request("ben@example.com", ["ben@example.com", "ana@example.com", "eve@elsewhere.example"]);
    assert_eq!(catalog.with_main_addresses(sent.clone()), main);
    assert_eq!(catalog.with_main_addresses(main.clone()), main);
    // Or the same approval, delivered again after the sender learnt another address, would be another one.
    assert_ne!(sent.digest(), main.digest());
}

#[test]
fn addresses_and_accounts_are_one_persons() {
    let ben = |more: &str| format!("[person.\"ben@example.com\"]\n{more}\n");
    added(
        &ben("aliases = [\"Ana@example.com\"]"),
        1,
        12,
        &[
            "address `ana@example.com` is person `ana@example.com`'s already, at c.toml:18",
            "keep it with the one human being",
        ],
    );
    added(&ben("aliases = [\"ben@example.com\"]"), 1, 12, &["is person `ben@example.com`'s already"]);
    added(&ben("aliases = [\"b@example.com\", \"B@example.com\"]"), 1, 29, &["`b@example.com`"]);
    let cleo = "[person.\"cleo@example.com\"]\naliases = [\"b@example.com\"]\n";
    added(
        &format!("{}{cleo}", ben("aliases = [\"b@example.com\"]")),
        3,
        12,
        &["address `b@example.com` is person `ben@example.com`'s already, at c.toml:22"],
    );
    // A main address that another person has as an alias.
    let taken = "[person.\"aaron@example.com\"]\naliases = [\"ben@example.com\"]\n";
    added(
        &format!("{}{taken}", ben("")),
        3,
        12,
        &["address `ben@example.com` is person `ben@example.com`'s"],
    );
    let cleo = "[person.\"cleo@example.com\"]\naccounts = [\"slack:U1\"]\n";
    added(
        &format!("{}{cleo}", ben("accounts = [\"slack:U1\"]")),
        3,
        13,
        &[
            "account `slack:U1` is person `ben@example.com`'s already, at c.toml:22",
            "keep it with the one human being",
        ],
    );
    good_and(&format!("{}{}", ben("accounts = [\"slack:U1\"]"), cleo.replace("slack", "github")));
}

#[test]
fn addresses_and_accounts_have_their_form() {
    let ben = |more: &str| format!("[person.\"ben@example.com\"]\n{more}\n");
    added(&ben("aliases = [\"b at example.com\"]"), 1, 12, &["b at example.com"]);
    for wrong in ["U024BE7LH", "slack:", ":U1", "Slack:U1", "slack:U 1", "slack:U#1"] {
        added(&ben(&format!("accounts = [\"{wrong}\"]")), 1, 13, &[wrong, "`<source>:<account>`"]);
    }
    added(&ben("aliases = \"b@example.com\""), 1, 11, &["`aliases`"]);
}

#[test]
fn nobody_is_called_what_stands_for_an_unknown_account() {
    let source = Source::new("slack").unwrap();
    let unknown = Email::of_unknown_account(&source, "U1");
    assert_eq!(unknown.as_str(), "slack.u1@unknown-account.invalid");
    assert!(unknown.is_unknown_account() && !email("ana").is_unknown_account());
    // Whatever a sender calls somebody, it is an address that is nobody's.
    for odd in ["", "a@example.com", "ana@example.com\n", "\u{0430}na", &"x".repeat(500), "U1#GRANT#"] {
        let made = Email::of_unknown_account(&source, odd);
        assert!(made.is_unknown_account(), "{made}");
        assert_eq!(Email::new(made.as_str()).as_ref(), Ok(&made), "{odd:?}");
        assert!(good_and(BEN).person(&made).is_none());
    }
    added(&format!("[person.\"{unknown}\"]\n"), 0, 9, &["stands for accounts that nobody has", "`accounts`"]);
    let alias = format!("[person.\"ben@example.com\"]\naliases = [\"{unknown}\"]\n");
    added(&alias, 1, 12, &["stands for accounts that nobody has"]);
}

#[test]
fn what_guardrails_go_by_is_read_as_it_is_written() {
    let text = GOOD
        .replace("region =", "environment = \"production\"\nlabels = [\"pci\", \"eu\"]\nregion =")
        .replace(
            "description = \"Operate\"",
            "description = \"Operate\"\neligible = [\"eng\"]\napprovals = [\"eng\", \"2 of anybody\"]\nlabels = [\"data\"]",
        );
    let catalog = parse(&[("c.toml", &text)]).unwrap();
    assert_eq!(catalog.warnings(), []);
    let label = |text: &str| Label::new(text).unwrap();
    let group = |text: &str| GroupName::new(text).unwrap();
    let tenant = catalog.tenants().next().unwrap();
    assert_eq!(tenant.environment(), Some(&label("production")));
    assert_eq!(tenant.labels(), &["eu", "pci"].map(label).into());
    assert_eq!((tenant.place().line, tenant.place().column), (1, 9));
    let role = role_of(&catalog, "ops");
    assert_eq!(role.eligible(), &[group("eng")].into());
    assert_eq!(role.labels(), &[label("data")].into());
    let wanted = [Quorum { group: Some(group("eng")), count: 1 }, Quorum { group: None, count: 2 }];
    assert_eq!(role.approvals(), wanted);
    assert_eq!(role.place().file.as_ref(), "c.toml");
    // Without any of it, nothing is said.
    let bare = parse(&[("c.toml", GOOD)]).unwrap();
    let role = role_of(&bare, "ops");
    assert!(role.eligible().is_empty() && role.approvals().is_empty() && role.labels().is_empty());
    assert_eq!(bare.tenants().next().unwrap().environment(), None);
}

#[test]
fn what_guardrails_go_by_has_its_form() {
    let ops = |line: &str| format!("description = \"Operate\"\n{line}");
    for (line, column, fragments) in [
        ("approvals = [\"eng\", \"0 of eng\"]", 21, ["0 of eng", "no count from 1 to 9"]),
        ("approvals = [\"10 of eng\"]", 14, ["10 of eng", "no count from 1 to 9"]),
        ("approvals = [\"two of eng\"]", 14, ["two of eng", "no count from 1 to 9"]),
        ("approvals = [\"2 of \"]", 14, ["group", "2 of security"]),
        ("approvals = [\"Eng Managers\"]", 14, ["Eng Managers", "2 of security"]),
        ("approvals = \"eng\"", 13, ["`approvals`", "list"]),
        ("eligible = [\"Eng!\"]", 13, ["Eng!", "group"]),
        ("labels = [\"Top Secret\"]", 11, ["Top Secret", "label"]),
    ] {
        replaced("description = \"Operate\"", &ops(line), 14, column, &fragments);
    }
    let tenant = |line: &str| format!("region = \"eu-central-1\"\n{line}");
    replaced("region = \"eu-central-1\"", &tenant("environment = \"Prod!\""), 4, 15, &["Prod!", "label"]);
    replaced("region = \"eu-central-1\"", &tenant("labels = [\"a b\"]"), 4, 11, &["a b", "label"]);
}

#[test]
fn a_group_that_a_role_names_and_nobody_is_in_is_told() {
    let role = |line: &str| {
        format!(
            "[role.x]\ndescription = \"d\"\npermissions = [\"read\"]\nmax_duration = \"4h\"\n\
             default_duration = \"1h\"\n{line}\n"
        )
    };
    warned(&role("eligible = [\"egn\"]"), 0, 7, &["role `x` is for group `egn`", "nobody is in it"]);
    warned(
        &role("approvals = [\"managers\"]"),
        0,
        7,
        &["group `managers`", "0 member(s)", "nobody can get the role"],
    );
    warned(&role("approvals = [\"2 of eng\"]"), 0, 7, &["2 approval(s) of group `eng`", "1 member(s)"]);
    assert_eq!(good_and(&role("eligible = [\"eng\"]\napprovals = [\"eng\"]")).warnings(), []);
}
