//! From a template's resources to Terraform's, by explicit tables: a type that has none, or a property that its table does
//! not name, is an error, so that nothing is lost in silence.
//!
//! The tables are in the files beside this one, each for a few services. Must not know: files, parameters, outputs.

mod audit;
mod events;
mod functions;
mod ledger;
mod permissions;
mod timers;
mod watch;
mod webhooks;

use crate::cloudformation::{Node, Template};
use crate::expression::{Scope, snake};
use crate::language::{Block, Expr, Item, Part};

/// What becomes of a property.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// The argument of this name, with the same value.
    As(&'static str),
    /// The argument of this name: a policy document, as JSON.
    Json(&'static str),
    /// One block; what is in it by a table of its own.
    Block(&'static str, &'static [Entry]),
    /// A list: one block for each item.
    Blocks(&'static str, &'static [Entry]),
    /// What is in it, as if it stood outside.
    Inline(&'static [Entry]),
    /// A list of pairs of the two named fields, as one mapping.
    Pairs(&'static str, &'static str, &'static str),
    /// Only this value is understood, and Terraform does not want to be told.
    Only(&'static str),
    /// Not carried over. README.md of the module says it by the same name; the text here says why.
    Left(&'static str),
    /// More than an argument: given the block that is being filled.
    Own(fn(&mut Making<'_>, &Node, &mut Block)),
}

/// A property's name and what becomes of it.
pub(crate) type Entry = (&'static str, Rule);

/// How resources of one type are made.
pub(crate) struct Table {
    /// CloudFormation's name of the type.
    pub(crate) kind: &'static str,
    /// The resource that stands for it.
    pub(crate) resource: &'static str,
    /// The argument for the name that CloudFormation makes up where the template gives none.
    pub(crate) name: Option<&'static str>,
    pub(crate) entries: &'static [Entry],
    /// What is to be done when all properties are through.
    pub(crate) finish: fn(&mut Making<'_>),
}

impl Table {
    const fn new(kind: &'static str, resource: &'static str, entries: &'static [Entry]) -> Self {
        Self { kind, resource, name: None, entries, finish: |_| {} }
    }

    /// CloudFormation makes the name up from the stack's and the resource's, and so does the module.
    const fn named(mut self, argument: &'static str) -> Self {
        self.name = Some(argument);
        self
    }

    const fn then(mut self, finish: fn(&mut Making<'_>)) -> Self {
        self.finish = finish;
        self
    }
}

/// All tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static Table> {
    [
        audit::TABLES,
        events::TABLES,
        functions::TABLES,
        ledger::TABLES,
        permissions::TABLES,
        timers::TABLES,
        watch::TABLES,
        webhooks::TABLES,
    ]
    .into_iter()
    .flatten()
}

/// The properties that a table does not carry over, and why.
pub(crate) fn left(table: &Table) -> Vec<(&'static str, &'static str)> {
    let left = table.entries.iter().filter_map(|(property, rule)| match rule {
        Rule::Left(reason) => Some((*property, *reason)),
        _ => None,
    });
    left.collect()
}

/// A resource of the module, and the one of the template that it is made from.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) block: Block,
}

impl Resource {
    /// `aws_sqs_queue.dead_letters`
    pub(crate) fn address(&self) -> String {
        self.block.labels.join(".")
    }
}

/// The resources that one resource of the template becomes, as they are made.
pub(crate) struct Making<'a> {
    pub(crate) scope: Scope<'a>,
    pub(crate) id: &'a str,
    /// The one that stands for it: first, and what others of it refer to.
    pub(crate) main: Block,
    pub(crate) others: Vec<Block>,
    /// Where in the template the hand is.
    path: Vec<String>,
}

impl<'a> Making<'a> {
    fn place(&self) -> String {
        self.path.join(".")
    }

    pub(crate) fn value(&self, node: &Node) -> Expr {
        self.scope.expression(node)
    }

    /// The text that a value must be.
    pub(crate) fn literal<'n>(&self, node: &'n Node) -> &'n str {
        node.text().unwrap_or_else(|| panic!("{}: must be a text: {node:?}", self.place()))
    }

    pub(crate) fn fields<'n>(&self, node: &'n Node) -> &'n [(String, Node)] {
        node.map().unwrap_or_else(|| panic!("{}: must be a mapping: {node:?}", self.place()))
    }

    pub(crate) fn items<'n>(&self, node: &'n Node) -> &'n [Node] {
        node.list().unwrap_or_else(|| panic!("{}: must be a list: {node:?}", self.place()))
    }

    pub(crate) fn name(&self) -> String {
        snake(self.id)
    }

    /// Puts an argument of the main resource before all others.
    pub(crate) fn lead(&mut self, argument: &str, value: Expr) {
        self.main.items.insert(0, Item::Argument(argument.to_owned(), value));
    }

    /// An attribute of the main resource.
    pub(crate) fn own(&self, attribute: &str) -> Expr {
        let each = if self.scope.condition.is_some() { "[0]" } else { "" };
        Expr::name(format!("{}{each}.{attribute}", self.main.labels.join(".")))
    }

    /// A further resource, there whenever the main one is.
    pub(crate) fn another(&self, kind: &str, name: &str) -> Block {
        let mut block = Block::new("resource", &[kind, name]);
        if let Some(condition) = self.scope.condition {
            block.set("count", count(&self.scope, condition));
        }
        block
    }

    /// Applies a table to properties. The block that is being filled is `into`.
    pub(crate) fn apply(&mut self, entries: &[Entry], properties: &Node, into: &mut Block) {
        for (property, value) in self.fields(&distributed(properties)) {
            self.path.push(property.clone());
            let entry = entries.iter().find(|(name, _)| name == property);
            let Some((_, rule)) = entry else {
                panic!("{}: has no translation; say in its table what becomes of it", self.place())
            };
            self.one(*rule, value, into);
            self.path.pop();
        }
    }

    fn one(&mut self, rule: Rule, value: &Node, into: &mut Block) {
        match rule {
            Rule::As(argument) => into.set(argument, self.value(value)),
            Rule::Json(argument) => into.set(argument, self.policy(value)),
            Rule::Block(kind, entries) => {
                let mut block = Block::new(kind, &[]);
                self.apply(entries, value, &mut block);
                into.add(block);
            }
            Rule::Blocks(kind, entries) => {
                for item in self.items(value) {
                    let mut block = Block::new(kind, &[]);
                    self.apply(entries, item, &mut block);
                    into.add(block);
                }
            }
            Rule::Inline(entries) => self.apply(entries, value, into),
            Rule::Pairs(argument, key, of) => {
                let pair = |item: &Node| match self.fields(item) {
                    [(a, name), (b, value)] if a == key && b == of => {
                        (self.literal(name).to_owned(), self.value(value))
                    }
                    _ => panic!("{}: must be `{key}` and `{of}`: {item:?}", self.place()),
                };
                into.set(argument, Expr::Object(self.items(value).iter().map(pair).collect()));
            }
            Rule::Only(expected) => assert_eq!(self.literal(value), expected, "{}", self.place()),
            Rule::Left(reason) => assert!(!reason.is_empty()),
            Rule::Own(make) => make(self, value, into),
        }
    }

    /// A policy document as JSON. AWS keeps the values of conditions as texts, so they are texts from the beginning:
    /// otherwise every plan would show a difference.
    pub(crate) fn policy(&self, document: &Node) -> Expr {
        Expr::Call("jsonencode", vec![self.value(&with_textual_conditions(document))])
    }

    /// The name for what the template leaves to CloudFormation: of the same form as its own,
    /// `<stack>-<logical id>-<something>`, because policies go by that (the boundary in tenant.yaml).
    pub(crate) fn made_up_name(&self) -> Expr {
        let stack = Part::Value(Expr::name("var.stack_name"));
        Expr::join(vec![stack, Part::Literal(format!("-{}-tf", self.id))])
    }
}

fn count(scope: &Scope<'_>, condition: &str) -> Expr {
    let number = |n: &str| Box::new(Expr::Number(n.to_owned()));
    Expr::If(Box::new(scope.condition(condition)), number("1"), number("0"))
}

/// An `!If` between two mappings as a mapping of `!If`s: blocks cannot be chosen between, what is in them can.
fn distributed(node: &Node) -> Node {
    let Some((condition, then, otherwise)) = node.choice() else { return node.clone() };
    let (Some(a), Some(b)) = (then.map(), otherwise.map()) else { return node.clone() };
    let mut fields: Vec<(String, Node)> = Vec::new();
    for (key, _) in a.iter().chain(b) {
        if fields.iter().any(|(name, _)| name == key) {
            continue;
        }
        let side = |side: &Node| side.get(key).cloned().unwrap_or_else(Node::no_value);
        let (then, otherwise) = (side(then), side(otherwise));
        let value = if then == otherwise {
            then
        } else {
            let choice = vec![Node::Text(condition.to_owned()), then, otherwise];
            distributed(&Node::Call("If".to_owned(), Box::new(Node::List(choice))))
        };
        fields.push((key.clone(), value));
    }
    Node::Map(fields)
}

fn with_textual_conditions(node: &Node) -> Node {
    fn texts(node: &Node) -> Node {
        match node {
            Node::Bool(value) => Node::Text(value.to_string()),
            Node::Number(value) => Node::Text(value.clone()),
            other => through(other, texts),
        }
    }
    fn through(node: &Node, each: fn(&Node) -> Node) -> Node {
        match node {
            Node::List(items) => Node::List(items.iter().map(each).collect()),
            Node::Map(fields) => {
                Node::Map(fields.iter().map(|(key, value)| (key.clone(), each(value))).collect())
            }
            Node::Call(name, of) => Node::Call(name.clone(), Box::new(each(of))),
            other => other.clone(),
        }
    }
    match node {
        Node::Map(fields) => Node::Map(
            fields
                .iter()
                .map(|(key, value)| {
                    let value =
                        if key == "Condition" { texts(value) } else { with_textual_conditions(value) };
                    (key.clone(), value)
                })
                .collect(),
        ),
        other => through(other, with_textual_conditions),
    }
}

/// What a resource of the template may say beside its type and properties.
const ATTRIBUTES: [&str; 7] =
    ["Type", "Condition", "Metadata", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties"];

/// All resources of a template.
pub(crate) fn resources(template: &Template) -> Vec<Resource> {
    let mut all: Vec<Resource> = Vec::new();
    for (id, resource) in template.section("Resources") {
        all.extend(translated(template, id, resource));
    }
    let mut addresses: Vec<String> = all.iter().map(Resource::address).collect();
    addresses.sort_unstable();
    for pair in addresses.windows(2) {
        assert_ne!(pair[0], pair[1], "two resources of one name");
    }
    functions::after_their_permissions(&mut all);
    all
}

fn translated(template: &Template, id: &str, resource: &Node) -> Vec<Resource> {
    for (attribute, _) in resource.map().unwrap_or_default() {
        assert!(ATTRIBUTES.contains(&attribute.as_str()), "{id}: `{attribute}` has no translation");
    }
    let (kind, condition) = template.resource(id).unwrap_or_else(|| panic!("{id} has no type"));
    let table =
        tables().find(|table| table.kind == kind).unwrap_or_else(|| panic!("{id}: {kind} has no table"));
    let mut making = Making {
        scope: Scope::new(template, condition),
        id,
        main: Block::new("resource", &[table.resource, &snake(id)]),
        others: Vec::new(),
        path: vec![id.to_owned()],
    };
    let mut body = Block::new("", &[]);
    let empty = Node::Map(Vec::new());
    let properties = resource.get("Properties").unwrap_or(&empty);
    making.apply(table.entries, &functions::with_globals(template, kind, properties), &mut body);
    making.main.items = body.items;
    if let Some(argument) = table.name
        && making.main.argument(argument).is_none()
    {
        let name = making.made_up_name();
        making.lead(argument, name);
    }
    (table.finish)(&mut making);
    if let Some(condition) = condition {
        let count = count(&making.scope, condition);
        making.lead("count", count);
    }
    if let Some(after) = resource.get("DependsOn") {
        making.main.set("depends_on", depends_on(template, after));
    }
    if kept(id, resource) {
        let mut lifecycle = Block::new("lifecycle", &[]);
        lifecycle.set("prevent_destroy", Expr::Bool(true));
        making.main.add(lifecycle);
    }
    let made = std::iter::once(making.main).chain(making.others);
    made.map(|mut block| {
        block.comment.get_or_insert_with(|| id.to_owned());
        Resource { id: id.to_owned(), block }
    })
    .collect()
}

fn depends_on(template: &Template, after: &Node) -> Expr {
    let ids: Vec<&str> = match after {
        Node::Text(one) => vec![one],
        _ => after.list().unwrap_or_default().iter().filter_map(Node::text).collect(),
    };
    let addresses = ids.iter().map(|id| {
        let (kind, _) = template.resource(id).unwrap_or_else(|| panic!("there is no `{id}`"));
        let table =
            tables().find(|table| table.kind == kind).unwrap_or_else(|| panic!("{kind} has no table"));
        Expr::name(format!("{}.{}", table.resource, snake(id)))
    });
    Expr::List(addresses.collect())
}

/// Whether the template keeps a resource from being deleted with its stack.
fn kept(id: &str, resource: &Node) -> bool {
    let policy = |name: &str| resource.get(name).map(|policy| policy.text().unwrap_or_default());
    match (policy("DeletionPolicy"), policy("UpdateReplacePolicy")) {
        (None, None) => false,
        (Some("Retain" | "RetainExceptOnCreate"), Some("Retain")) => true,
        other => panic!("{id}: {other:?} has no translation"),
    }
}
