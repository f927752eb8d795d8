//! S3 and KMS: where the evidence is kept, and what seals it.

use super::{Entry, Making, Rule, Table};
use crate::cloudformation::Node;
use crate::language::{Block, Expr, Item};

pub(super) const TABLES: &[Table] = &[
    Table::new("AWS::S3::Bucket", "aws_s3_bucket", BUCKET),
    Table::new("AWS::S3::BucketPolicy", "aws_s3_bucket_policy", POLICY).then(after_the_settings),
    Table::new("AWS::KMS::Key", "aws_kms_key", KEY),
];

/// Most of what a bucket has is a resource of its own.
const BUCKET: &[Entry] = &[
    ("BucketName", Rule::As("bucket")),
    ("ObjectLockEnabled", Rule::As("object_lock_enabled")),
    ("ObjectLockConfiguration", Rule::Own(object_lock)),
    ("VersioningConfiguration", Rule::Own(versioning)),
    ("BucketEncryption", Rule::Own(encryption)),
    ("PublicAccessBlockConfiguration", Rule::Own(public_access)),
    ("OwnershipControls", Rule::Own(ownership)),
    ("LifecycleConfiguration", Rule::Own(lifecycle)),
];

/// A resource beside the bucket, by a table.
fn beside(making: &mut Making<'_>, kind: &str, entries: &[Entry], value: &Node) -> Block {
    let mut block = making.another(kind, &making.name());
    block.set("bucket", making.own("bucket"));
    making.apply(entries, value, &mut block);
    block
}

fn object_lock(making: &mut Making<'_>, value: &Node, _: &mut Block) {
    const RETENTION: &[Entry] = &[("Mode", Rule::As("mode")), ("Days", Rule::As("days"))];
    const LOCK: &[Entry] = &[
        ("ObjectLockEnabled", Rule::Only("Enabled")),
        ("Rule", Rule::Block("rule", &[("DefaultRetention", Rule::Block("default_retention", RETENTION))])),
    ];
    let mut block = beside(making, "aws_s3_bucket_object_lock_configuration", LOCK, value);
    // AWS takes a lock for a bucket with versions alone.
    let versioning = format!("aws_s3_bucket_versioning.{}", making.name());
    block.set("depends_on", Expr::List(vec![Expr::name(versioning)]));
    making.others.push(block);
}

fn versioning(making: &mut Making<'_>, value: &Node, _: &mut Block) {
    let mut block = making.another("aws_s3_bucket_versioning", &making.name());
    block.set("bucket", making.own("bucket"));
    let mut configuration = Block::new("versioning_configuration", &[]);
    making.apply(&[("Status", Rule::As("status"))], value, &mut configuration);
    block.add(configuration);
    making.others.push(block);
}

fn encryption(making: &mut Making<'_>, value: &Node, _: &mut Block) {
    const DEFAULT: &[Entry] =
        &[("SSEAlgorithm", Rule::As("sse_algorithm")), ("KMSMasterKeyID", Rule::As("kms_master_key_id"))];
    const ENCRYPTION: &[Entry] = &[(
        "ServerSideEncryptionConfiguration",
        Rule::Blocks(
            "rule",
            &[
                ("BucketKeyEnabled", Rule::As("bucket_key_enabled")),
                (
                    "ServerSideEncryptionByDefault",
                    Rule::Block("apply_server_side_encryption_by_default", DEFAULT),
                ),
            ],
        ),
    )];
    let block = beside(making, "aws_s3_bucket_server_side_encryption_configuration", ENCRYPTION, value);
    making.others.push(block);
}

fn public_access(making: &mut Making<'_>, value: &Node, _: &mut Block) {
    const ACCESS: &[Entry] = &[
        ("BlockPublicAcls", Rule::As("block_public_acls")),
        ("BlockPublicPolicy", Rule::As("block_public_policy")),
        ("IgnorePublicAcls", Rule::As("ignore_public_acls")),
        ("RestrictPublicBuckets", Rule::As("restrict_public_buckets")),
    ];
    let block = beside(making, "aws_s3_bucket_public_access_block", ACCESS, value);
    making.others.push(block);
}

fn ownership(making: &mut Making<'_>, value: &Node, _: &mut Block) {
    const RULES: &[Entry] =
        &[("Rules", Rule::Blocks("rule", &[("ObjectOwnership", Rule::As("object_ownership"))]))];
    let block = beside(making, "aws_s3_bucket_ownership_controls", RULES, value);
    making.others.push(block);
}

fn lifecycle(making: &mut Making<'_>, value: &Node, _: &mut Block) {
    const ABORT: &[Entry] = &[("DaysAfterInitiation", Rule::As("days_after_initiation"))];
    const RULES: &[Entry] = &[(
        "Rules",
        Rule::Blocks(
            "rule",
            &[
                ("Id", Rule::As("id")),
                ("Status", Rule::As("status")),
                ("AbortIncompleteMultipartUpload", Rule::Block("abort_incomplete_multipart_upload", ABORT)),
            ],
        ),
    )];
    let mut block = beside(making, "aws_s3_bucket_lifecycle_configuration", RULES, value);
    // For all objects. CloudFormation is silent about it, Terraform wants to hear it.
    for item in &mut block.items {
        if let Item::Block(rule) = item {
            rule.add(Block::new("filter", &[]));
        }
    }
    making.others.push(block);
}

const POLICY: &[Entry] = &[("Bucket", Rule::As("bucket")), ("PolicyDocument", Rule::Json("policy"))];

/// The policy keeps the bucket's settings from being made, too. In CloudFormation they are the bucket's, and made before.
fn after_the_settings(making: &mut Making<'_>) {
    let bucket = match making.main.argument("bucket") {
        Some(Expr::Name(name)) => name.split('.').nth(1).map(str::to_owned),
        other => panic!("{}: a bucket that is not the template's: {other:?}", making.id),
    };
    let bucket = bucket.unwrap_or_else(|| panic!("{}: no bucket", making.id));
    let settings = ["lifecycle", "object_lock", "server_side_encryption"]
        .map(|what| Expr::name(format!("aws_s3_bucket_{what}_configuration.{bucket}")));
    let versioning = Expr::name(format!("aws_s3_bucket_versioning.{bucket}"));
    let all = settings.into_iter().chain([versioning]).collect();
    making.main.set("depends_on", Expr::List(all));
}

const KEY: &[Entry] = &[
    ("Description", Rule::As("description")),
    ("KeySpec", Rule::As("customer_master_key_spec")),
    ("KeyUsage", Rule::As("key_usage")),
    ("PendingWindowInDays", Rule::As("deletion_window_in_days")),
    ("EnableKeyRotation", Rule::As("enable_key_rotation")),
    ("Tags", Rule::Pairs("tags", "Key", "Value")),
    ("KeyPolicy", Rule::Json("policy")),
];
