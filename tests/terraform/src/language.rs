//! Terraform's language as it is written: expressions and blocks, laid out as `terraform fmt` leaves them.
//!
//! Two spaces a level; the equals signs of neighbouring lines stand below each other, a value of several lines being
//! nobody's neighbour. Must not know: CloudFormation, or what any argument means.

/// Lists that fit are written on one line.
const WIDTH: usize = 110;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Null,
    Bool(bool),
    Number(String),
    Text(Vec<Part>),
    /// `var.a`, `local.b`, `aws_sqs_queue.c.arn`: as it is written.
    Name(String),
    List(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    Call(&'static str, Vec<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Equal(Box<Expr>, Box<Expr>),
    NotEqual(Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// A list without those of its items that are null.
    Present(Vec<Expr>),
    /// `[for <name> in <list> : <each>]`
    Each(&'static str, Box<Expr>, Box<Expr>),
}

/// What a quoted text consists of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Literal(String),
    Value(Expr),
}

impl Expr {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(vec![Part::Literal(text.into())])
    }

    pub(crate) fn name(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }

    /// A text of parts; a value alone is that value.
    pub(crate) fn join(parts: Vec<Part>) -> Self {
        match <[Part; 1]>::try_from(parts) {
            Ok([Part::Value(value)]) => value,
            Ok([literal]) => Self::Text(vec![literal]),
            Err(parts) => Self::Text(parts),
        }
    }

    /// As it is written at `indent` spaces; further lines begin there or deeper.
    fn write(&self, indent: usize) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) | Self::Name(value) => value.clone(),
            Self::Text(parts) => text(parts, indent),
            Self::List(items) => list(items, indent),
            Self::Object(fields) => object(fields, indent),
            Self::Call(name, arguments) => call(name, arguments, indent),
            Self::If(condition, then, otherwise) => {
                format!("{} ? {} : {}", condition.write(indent), then.write(indent), otherwise.write(indent))
            }
            Self::Equal(one, other) => format!("{} == {}", one.write(indent), other.write(indent)),
            Self::NotEqual(one, other) => format!("{} != {}", one.write(indent), other.write(indent)),
            Self::And(all) => operands(all, " && ", indent),
            Self::Or(any) => operands(any, " || ", indent),
            Self::Not(what) => format!("!{}", what.operand(indent)),
            Self::Present(items) => {
                format!("[for item in {} : item if item != null]", spread(items, indent))
            }
            Self::Each(name, of, each) => {
                format!("[for {name} in {} : {}]", of.write(indent), each.write(indent))
            }
        }
    }

    fn operand(&self, indent: usize) -> String {
        match self {
            Self::If(..) | Self::Equal(..) | Self::NotEqual(..) | Self::And(_) | Self::Or(_) => {
                format!("({})", self.write(indent))
            }
            _ => self.write(indent),
        }
    }
}

fn operands(all: &[Expr], operator: &str, indent: usize) -> String {
    all.iter().map(|one| one.operand(indent)).collect::<Vec<_>>().join(operator)
}

fn call(name: &str, arguments: &[Expr], indent: usize) -> String {
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.write(indent)).collect();
    // What ends with a heredoc's last line ends with a line.
    let end = if arguments.last().is_some_and(|last| last.ends_with(HEREDOC)) {
        format!("\n{}", " ".repeat(indent))
    } else {
        String::new()
    };
    format!("{name}({}{end})", arguments.join(", "))
}

/// On one line if it fits.
fn list(items: &[Expr], indent: usize) -> String {
    let line = format!("[{}]", items.iter().map(|item| item.write(indent)).collect::<Vec<_>>().join(", "));
    let objects = items.iter().any(|item| matches!(item, Expr::Object(_)));
    if line.contains('\n') || objects || indent + line.len() > WIDTH { spread(items, indent) } else { line }
}

/// One item a line.
fn spread(items: &[Expr], indent: usize) -> String {
    let inner = indent + 2;
    let lines: String =
        items.iter().map(|item| format!("{}{},\n", " ".repeat(inner), item.write(inner))).collect();
    format!("[\n{lines}{}]", " ".repeat(indent))
}

fn object(fields: &[(String, Expr)], indent: usize) -> String {
    if fields.is_empty() {
        return "{}".to_owned();
    }
    let inner = indent + 2;
    let rows: Vec<(String, String)> =
        fields.iter().map(|(key, value)| (quoted_if_needed(key), value.write(inner))).collect();
    format!("{{\n{}{}}}", rows_of(&rows, inner), " ".repeat(indent))
}

fn quoted_if_needed(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    // `null` and its like would be read as the value.
    let word = ["null", "true", "false", "for", "if", "in"].contains(&key);
    if !word && key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(plain) {
        key.to_owned()
    } else {
        format!("\"{}\"", escaped(key))
    }
}

/// `key = value` lines, equals signs below each other.
fn rows_of(rows: &[(String, String)], indent: usize) -> String {
    let mut text = String::new();
    let mut rest = rows;
    while let Some((first, _)) = rest.split_first() {
        let neighbours = rest.iter().take_while(|(_, value)| !value.contains('\n')).count();
        let (group, after) = rest.split_at(neighbours.max(1));
        let width = group.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        let width = if neighbours == 0 { first.0.len() } else { width };
        for (key, value) in group {
            text.push_str(&format!("{}{key:width$} = {value}\n", " ".repeat(indent)));
        }
        rest = after;
    }
    text
}

const HEREDOC: &str = "EOT";

fn text(parts: &[Part], indent: usize) -> String {
    let lines =
        |part: &Part| matches!(part, Part::Literal(text) if text.trim_end_matches('\n').contains('\n'));
    if parts.iter().any(lines) {
        return heredoc(parts, indent);
    }
    let inner: String = parts
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => escaped(literal),
            Part::Value(value) => format!("${{{}}}", value.write(indent)),
        })
        .collect();
    format!("\"{inner}\"")
}

/// Several lines, as they are. The language takes the least indentation off, and ends the text with a line's end.
fn heredoc(parts: &[Part], indent: usize) -> String {
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => literal.replace("${", "$${").replace("%{", "%%{"),
            Part::Value(value) => format!("${{{}}}", value.write(indent)),
        })
        .collect();
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let flush = lines.iter().any(|line| !line.is_empty() && !line.starts_with(' '));
    assert!(flush && !lines.contains(&HEREDOC), "cannot be written as lines: {text:?}");
    let inner = " ".repeat(indent + 2);
    let body: String = lines
        .iter()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{inner}{line}\n") })
        .collect();
    let here = format!("<<-{HEREDOC}\n{body}{}{HEREDOC}", " ".repeat(indent));
    match text.len() - text.trim_end_matches('\n').len() {
        0 => format!("chomp({here}\n{})", " ".repeat(indent)),
        1 => here,
        _ => panic!("ends with empty lines: {text:?}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace("${", "$${")
        .replace("%{", "%%{")
}

/// A block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    /// What stands above it.
    pub(crate) comment: Option<String>,
    pub(crate) kind: String,
    pub(crate) labels: Vec<String>,
    pub(crate) items: Vec<Item>,
}

/// What a block holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Argument(String, Expr),
    Block(Block),
}

impl Block {
    pub(crate) fn new(kind: impl Into<String>, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        Self { comment: None, kind: kind.into(), labels, items: Vec::new() }
    }

    pub(crate) fn set(&mut self, argument: impl Into<String>, value: Expr) {
        self.items.push(Item::Argument(argument.into(), value));
    }

    pub(crate) fn add(&mut self, block: Self) {
        self.items.push(Item::Block(block));
    }

    /// The value of an argument.
    pub(crate) fn argument(&self, name: &str) -> Option<&Expr> {
        self.items.iter().find_map(|item| match item {
            Item::Argument(argument, value) if argument == name => Some(value),
            _ => None,
        })
    }

    pub(crate) fn write(&self, indent: usize) -> String {
        let margin = " ".repeat(indent);
        let comment = self.comment.iter().map(|comment| format!("{margin}# {comment}\n")).collect::<String>();
        let labels: String = self.labels.iter().map(|label| format!(" \"{label}\"")).collect();
        if self.items.is_empty() {
            return format!("{comment}{margin}{}{labels} {{}}\n", self.kind);
        }
        format!("{comment}{margin}{}{labels} {{\n{}{margin}}}\n", self.kind, self.body(indent + 2))
    }

    fn body(&self, indent: usize) -> String {
        let mut text = String::new();
        let mut rows: Vec<(String, String)> = Vec::new();
        for item in &self.items {
            match item {
                Item::Argument(name, value) => {
                    // Whether and after what, apart from what.
                    if name == "depends_on" && !(rows.is_empty() && text.is_empty()) {
                        text.push_str(&rows_of(&std::mem::take(&mut rows), indent));
                        text.push('\n');
                    }
                    rows.push((name.clone(), value.write(indent)));
                    if name == "count" {
                        text.push_str(&rows_of(&std::mem::take(&mut rows), indent));
                        text.push('\n');
                    }
                }
                Item::Block(block) => {
                    text.push_str(&rows_of(&std::mem::take(&mut rows), indent));
                    if !text.is_empty() && !text.ends_with("\n\n") {
                        text.push('\n');
                    }
                    text.push_str(&block.write(indent));
                }
            }
        }
        if !rows.is_empty() && text.ends_with("}\n") {
            text.push('\n');
        }
        text.push_str(&rows_of(&rows, indent));
        text
    }
}

#[test]
fn equals_signs_of_neighbours_stand_below_each_other() {
    let mut block = Block::new("resource", &["aws_sqs_queue", "q"]);
    block.comment = Some("Q".to_owned());
    block.set("count", Expr::Number("1".to_owned()));
    block.set("name", Expr::text("a \"b\" ${c} \\S"));
    block.set("kms_key_id", Expr::Null);
    block.set(
        "tags",
        Expr::Object(vec![("aws:x".to_owned(), Expr::Bool(true)), ("y".to_owned(), Expr::Null)]),
    );
    block.set("z", Expr::List(vec![Expr::text("1"), Expr::name("var.b")]));
    let mut inner = Block::new("lifecycle", &[]);
    inner.set("prevent_destroy", Expr::Bool(true));
    block.add(inner);
    let written = r#"# Q
resource "aws_sqs_queue" "q" {
  count = 1

  name       = "a \"b\" $${c} \\S"
  kms_key_id = null
  tags = {
    "aws:x" = true
    y       = null
  }
  z = ["1", var.b]

  lifecycle {
    prevent_destroy = true
  }
}
"#;
    assert_eq!(block.write(0), written);
}

#[test]
fn lines_stay_lines() {
    let mut block = Block::new("a", &[]);
    block.set("b", Expr::text("fields x\n| limit ${1}\n"));
    block.set("c", Expr::text("one\n\n  two"));
    let written = "a {\n  b = <<-EOT\n    fields x\n    | limit $${1}\n  EOT\n  c = chomp(<<-EOT\n    one\n\n      two\n  EOT\n  )\n}\n";
    assert_eq!(block.write(0), written);
}
