//! EventBridge: the bus, and who may put on it.

use super::{Entry, Making, Rule, Table};
use crate::cloudformation::Node;
use crate::language::{Block, Expr};

pub(super) const TABLES: &[Table] = &[
    Table::new("AWS::Events::EventBus", "aws_cloudwatch_event_bus", BUS),
    Table::new("AWS::Events::EventBusPolicy", "aws_cloudwatch_event_bus_policy", POLICY),
];

const BUS: &[Entry] = &[("Name", Rule::As("name")), ("Description", Rule::As("description"))];

const POLICY: &[Entry] = &[
    ("EventBusName", Rule::As("event_bus_name")),
    // In the template each statement is a resource; in Terraform the policy is one. `Statement` makes all of it.
    ("StatementId", Rule::Own(|_, _, _| {})),
    ("Statement", Rule::Own(statement)),
];

fn statement(making: &mut Making<'_>, statement: &Node, into: &mut Block) {
    let template = making.scope.template;
    let policies: Vec<_> = template
        .section("Resources")
        .iter()
        .filter(|(_, resource)| {
            resource.get("Type").and_then(Node::text) == Some("AWS::Events::EventBusPolicy")
        })
        .collect();
    let [(_, resource)] = policies.as_slice() else {
        panic!("several policies of a bus would be one in Terraform: say how they are joined")
    };
    let id = resource.get("Properties").and_then(|properties| properties.get("StatementId"));
    let sid = ("Sid".to_owned(), id.cloned().expect("a statement has an id"));
    let fields = std::iter::once(sid).chain(making.fields(statement).iter().cloned()).collect();
    let document = Node::Map(vec![
        ("Version".to_owned(), Node::Text("2012-10-17".to_owned())),
        ("Statement".to_owned(), Node::List(vec![Node::Map(fields)])),
    ]);
    let policy: Expr = making.policy(&document);
    into.set("policy", policy);
}
