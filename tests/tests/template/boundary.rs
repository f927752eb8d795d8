//! Whoever carries a tenant's boundary reaches nothing of what `infra/template.yaml` makes, in Curfew's own account as
//! elsewhere; and the boundary is a policy that IAM takes.

use serde_json::{Value, json};

use crate::document::{resources, template};
use crate::policy::{Statement, statements};

const STACK: &str = "prod-curfew";

/// The tag by which the boundary knows what has no name of the stack's.
const TAG: &str = "curfew:stack";

/// Types that no ARN is looked for of, and why.
const BESIDE: [(&str, &str); 8] = [
    ("AWS::Events::EventBusPolicy", "part of the bus"),
    ("AWS::IAM::ManagedPolicy", "nobody who carries the boundary changes IAM, whatever its name"),
    ("AWS::IAM::Role", "the same; and nobody else than the services trusts them"),
    ("AWS::Lambda::Permission", "part of the function"),
    ("AWS::Lambda::Url", "part of the function"),
    ("AWS::Logs::QueryDefinition", "IAM knows no resource for it; a text that is looked for in logs"),
    ("AWS::S3::BucketPolicy", "part of the bucket"),
    ("AWS::SQS::QueuePolicy", "part of the queue"),
];

/// What CloudFormation makes of a text of the template.
fn written(text: &str) -> String {
    let known = [
        ("${AWS::Partition}", "aws"),
        ("${AWS::StackName}", STACK),
        ("${CurfewStackName}", STACK),
        ("${AWS::AccountId}", "111122223333"),
        ("${AWS::Region}", "eu-central-1"),
        ("${RoleName}", "acme-prod"),
    ];
    let text = known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!text.contains("${"), "{text}");
    text
}

/// A resource's name: the template's, or the one that CloudFormation makes up.
fn name(id: &str, property: &Value) -> String {
    match property {
        Value::Null => format!("{STACK}-{id}-1ABCDEFGHIJKL"),
        Value::String(text) => text.clone(),
        _ if property["Ref"] == "AWS::StackName" => STACK.to_owned(),
        _ => written(property["Fn::Sub"].as_str().unwrap_or_else(|| panic!("{id}: {property}"))),
    }
}

/// The ARN, where it holds a name; otherwise, none.
fn arn(id: &str, kind: &str, properties: &Value) -> Option<String> {
    let in_region = |service: &str, what: &str, property: &str| {
        Some(format!("arn:aws:{service}:eu-central-1:111122223333:{what}{}", name(id, &properties[property])))
    };
    match kind {
        "AWS::CloudWatch::Alarm" => in_region("cloudwatch", "alarm:", "AlarmName"),
        "AWS::CloudWatch::Dashboard" => {
            let name = name(id, &properties["DashboardName"]);
            Some(format!("arn:aws:cloudwatch::111122223333:dashboard/{name}"))
        }
        "AWS::DynamoDB::Table" => in_region("dynamodb", "table/", "TableName"),
        "AWS::Events::EventBus" => in_region("events", "event-bus/", "Name"),
        "AWS::Events::Rule" => in_region("events", "rule/", "Name"),
        "AWS::Logs::LogGroup" => in_region("logs", "log-group:", "LogGroupName"),
        "AWS::S3::Bucket" => Some(format!("arn:aws:s3:::{}", name(id, &properties["BucketName"]))),
        "AWS::Scheduler::ScheduleGroup" => in_region("scheduler", "schedule-group/", "Name"),
        // CloudFormation leaves the stack out of this one's name.
        "AWS::SecretsManager::Secret" => {
            Some(format!("arn:aws:secretsmanager:eu-central-1:111122223333:secret:{id}-1ABCDEFGHIJKL-a1b2c3"))
        }
        "AWS::Serverless::Function" => in_region("lambda", "function:", "FunctionName"),
        "AWS::SQS::Queue" => in_region("sqs", "", "QueueName"),
        _ => None,
    }
}

/// Whether a resource carries the stack's name as a tag of Curfew's own: in a mapping, or in a list of pairs.
fn is_tagged(properties: &Value) -> bool {
    let stack = json!({ "Ref": "AWS::StackName" });
    let pair = json!({ "Key": TAG, "Value": stack });
    properties["Tags"][TAG] == stack || properties["Tags"].as_array().is_some_and(|tags| tags.contains(&pair))
}

/// Whether IAM takes `text` for what the pattern means: `*` is any letters, slashes and colons too.
fn is_meant(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| is_meant(&text[at..], rest))
        }),
    }
}

fn boundary(template: &Value) -> Vec<Statement<'_>> {
    let [(_, boundary)] = resources(template, "AWS::IAM::ManagedPolicy").try_into().expect("one policy");
    statements(&boundary["Properties"]["PolicyDocument"])
}

fn denied(template: &Value) -> Vec<String> {
    let all = boundary(template);
    let found = all.iter().find(|statement| statement.sid == "ReachesNothingOfCurfew").expect("the denial");
    found.patterns().into_iter().map(written).collect()
}

#[test]
fn nothing_that_the_stack_is_made_of_is_within_reach() {
    let (curfew, tenant) = (template("template.yaml"), template("tenant.yaml"));
    let denied = denied(&tenant);
    let is_denied = |arn: &str| denied.iter().any(|pattern| is_meant(arn, pattern));
    let mut used = Vec::new();
    for (id, resource) in curfew["Resources"].as_object().expect("resources") {
        let kind = resource["Type"].as_str().expect("a type");
        if BESIDE.iter().any(|(of, _)| *of == kind) {
            used.push(kind);
            continue;
        }
        match arn(id, kind, &resource["Properties"]) {
            Some(arn) => assert!(is_denied(&arn), "{id}: {arn} is within reach"),
            None => {
                assert!(is_tagged(&resource["Properties"]), "{id} ({kind}) has no name, and no tag {TAG}")
            }
        }
        // The rules that SAM makes of a function's schedules.
        for (event, of) in resource["Properties"]["Events"].as_object().into_iter().flatten() {
            match of["Type"].as_str().expect("a type") {
                "Schedule" => {
                    let arn = arn(&format!("{id}{event}"), "AWS::Events::Rule", &of["Properties"]);
                    assert!(is_denied(&arn.expect("a name")), "{id}: the rule of {event} is within reach");
                }
                "HttpApi" => {}
                other => panic!("{id}: what is it that SAM makes of {other}?"),
            }
        }
    }
    for (kind, reason) in BESIDE {
        assert!(used.contains(&kind), "{kind} ({reason}) is excused and not there");
    }
}

/// What stands in the template as somebody's right, and is made by the functions or by who listens.
#[test]
fn nor_is_what_hangs_on_it() {
    let tenant = template("tenant.yaml");
    let denied = denied(&tenant);
    for arn in [
        "arn:aws:scheduler:eu-central-1:111122223333:schedule/prod-curfew/curfew-g-aaaa",
        "arn:aws:events:eu-central-1:111122223333:rule/curfew-g-aaaa",
        "arn:aws:events:eu-central-1:111122223333:rule/prod-curfew/siem-Rule-1ABCDEFGHIJKL",
        "arn:aws:dynamodb:eu-central-1:111122223333:table/prod-curfew-Ledger-1ABC/stream/2026-11-21T01:02:03.456",
        "arn:aws:s3:::prod-curfew-archive-111122223333-eu-central-1/checkpoints/0000000001.json",
        "arn:aws:cloudformation:eu-central-1:111122223333:stack/prod-curfew/11111111-2222-3333-4444-555555555555",
        "arn:aws:iam::111122223333:role/acme-prod",
    ] {
        assert!(denied.iter().any(|pattern| is_meant(arn, pattern)), "{arn} is within reach");
    }
    // Of others whose names only begin alike, nothing is denied.
    for arn in [
        "arn:aws:lambda:eu-central-1:111122223333:function:prod-curfewish-grant",
        "arn:aws:events:eu-central-1:111122223333:rule/prod-curfewish",
        "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/another-function",
        "arn:aws:cloudwatch::111122223333:dashboard/prod-curfew-and-more",
    ] {
        assert!(!denied.iter().any(|pattern| is_meant(arn, pattern)), "{arn} is not Curfew's");
    }
}

#[test]
fn what_is_tagged_as_curfews_is_out_of_reach_for_every_action() {
    let tenant = template("tenant.yaml");
    let all = boundary(&tenant);
    let tagged =
        all.iter().find(|statement| statement.sid == "NorWhatIsTaggedAsCurfews").expect("the denial");
    let wanted = json!({
        "Sid": "NorWhatIsTaggedAsCurfews", "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": { "StringEquals": { format!("aws:ResourceTag/{TAG}"): { "Ref": "CurfewStackName" } } },
    });
    assert_eq!(*tagged.body, wanted);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>: 6,144 characters, white space not counted.
#[test]
fn the_boundary_leaves_room_for_what_may_be_granted() {
    /// Half of it is for the lists that the owner of the account gives.
    const ROOM: usize = 6_144 / 2;
    let tenant = template("tenant.yaml");
    let [(_, policy)] = resources(&tenant, "AWS::IAM::ManagedPolicy").try_into().expect("one policy");
    let text = policy["Properties"]["PolicyDocument"].to_string();
    // Longer than what CloudFormation makes of it: each text still stands in its `Fn::Sub`.
    let longest = text
        .replace("${AWS::Partition}", "aws-us-gov")
        .replace("${AWS::AccountId}", "111122223333")
        .replace("${CurfewStackName}", &"c".repeat(27))
        .replace("${RoleName}", &"r".repeat(55));
    let count = longest.chars().filter(|letter| !letter.is_whitespace()).count();
    assert!(count <= 6_144 - ROOM, "{count} characters, before anything is granted");
}
