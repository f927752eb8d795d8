//! DynamoDB.

use super::{Entry, Making, Rule, Table};
use crate::cloudformation::Node;
use crate::language::{Block, Expr};

pub(super) const TABLES: &[Table] =
    &[Table::new("AWS::DynamoDB::Table", "aws_dynamodb_table", LEDGER).named("name")];

const LEDGER: &[Entry] = &[
    ("TableName", Rule::As("name")),
    ("BillingMode", Rule::As("billing_mode")),
    ("DeletionProtectionEnabled", Rule::As("deletion_protection_enabled")),
    (
        "PointInTimeRecoverySpecification",
        Rule::Block(
            "point_in_time_recovery",
            &[
                ("PointInTimeRecoveryEnabled", Rule::As("enabled")),
                ("RecoveryPeriodInDays", Rule::As("recovery_period_in_days")),
            ],
        ),
    ),
    (
        "SSESpecification",
        Rule::Block(
            "server_side_encryption",
            &[
                ("SSEEnabled", Rule::As("enabled")),
                ("SSEType", Rule::Only("KMS")),
                ("KMSMasterKeyId", Rule::As("kms_key_arn")),
            ],
        ),
    ),
    (
        "AttributeDefinitions",
        Rule::Blocks(
            "attribute",
            &[("AttributeName", Rule::As("name")), ("AttributeType", Rule::As("type"))],
        ),
    ),
    ("KeySchema", Rule::Own(keys)),
    ("StreamSpecification", Rule::Own(stream)),
    (
        "GlobalSecondaryIndexes",
        Rule::Blocks(
            "global_secondary_index",
            &[
                ("IndexName", Rule::As("name")),
                (
                    "KeySchema",
                    Rule::Blocks(
                        "key_schema",
                        &[("AttributeName", Rule::As("attribute_name")), ("KeyType", Rule::As("key_type"))],
                    ),
                ),
                (
                    "Projection",
                    Rule::Inline(&[
                        ("ProjectionType", Rule::As("projection_type")),
                        ("NonKeyAttributes", Rule::As("non_key_attributes")),
                    ]),
                ),
            ],
        ),
    ),
];

/// The table's own keys are arguments, not blocks.
fn keys(making: &mut Making<'_>, schema: &Node, into: &mut Block) {
    for key in making.items(schema) {
        let field = |name: &str| key.get(name).map(|of| making.literal(of)).unwrap_or_default();
        let argument = match field("KeyType") {
            "HASH" => "hash_key",
            "RANGE" => "range_key",
            other => panic!("`{other}` is no kind of key"),
        };
        into.set(argument, Expr::text(field("AttributeName")));
    }
}

fn stream(making: &mut Making<'_>, specification: &Node, into: &mut Block) {
    into.set("stream_enabled", Expr::Bool(true));
    making.apply(&[("StreamViewType", Rule::As("stream_view_type"))], specification, into);
}
