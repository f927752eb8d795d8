//! EventBridge Scheduler, and the queues for what could not be delivered.

use super::{Entry, Making, Rule, Table};
use crate::cloudformation::Node;
use crate::language::Block;

pub(super) const TABLES: &[Table] = &[
    Table::new(
        "AWS::Scheduler::ScheduleGroup",
        "aws_scheduler_schedule_group",
        &[("Name", Rule::As("name"))],
    ),
    Table::new("AWS::SQS::Queue", "aws_sqs_queue", QUEUE).named("name"),
    Table::new("AWS::SQS::QueuePolicy", "aws_sqs_queue_policy", POLICY),
];

const QUEUE: &[Entry] = &[
    ("QueueName", Rule::As("name")),
    ("MessageRetentionPeriod", Rule::As("message_retention_seconds")),
    ("VisibilityTimeout", Rule::As("visibility_timeout_seconds")),
    ("SqsManagedSseEnabled", Rule::As("sqs_managed_sse_enabled")),
];

const POLICY: &[Entry] = &[("Queues", Rule::Own(queue)), ("PolicyDocument", Rule::Json("policy"))];

fn queue(making: &mut Making<'_>, queues: &Node, into: &mut Block) {
    let [queue] = making.items(queues) else {
        panic!("a policy of several queues would be several resources")
    };
    into.set("queue_url", making.value(queue));
}
