//! What is kept: the table, the archive and its key, queues, secrets.

use serde_json::{Value, json};

use super::{Left, Made, blocks, policy};
use crate::facts::STACK;
use crate::facts::deployed::squashed;

pub(super) fn table(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let key = |schema: &mut Vec<Left>, kind: &str| -> Result<Value, String> {
        let mut found = Value::Null;
        for key in schema.iter_mut().filter(|key| key.fields["KeyType"] == kind) {
            if !found.is_null() {
                return Err(format!("two keys of kind {kind}"));
            }
            found = key.take("AttributeName");
        }
        Ok(found)
    };
    let mut schema = left.list("KeySchema")?;
    let (hash, range) = (key(&mut schema, "HASH")?, key(&mut schema, "RANGE")?);
    for mut key in schema {
        key.take("KeyType");
        key.done()?;
    }
    let mut attributes = Vec::new();
    for mut attribute in left.list("AttributeDefinitions")? {
        let of = json!({ "name": attribute.take("AttributeName"), "type": attribute.take("AttributeType") });
        attributes.push(of);
        attribute.done()?;
    }
    let mut indexes = Vec::new();
    for mut index in left.list("GlobalSecondaryIndexes")? {
        let mut keys = Vec::new();
        for mut key in index.list("KeySchema")? {
            let of = json!({ "attribute_name": key.take("AttributeName"), "key_type": key.take("KeyType") });
            keys.push(of);
            key.done()?;
        }
        let mut projection = index.nested("Projection")?;
        indexes.push(json!({
            "name": index.take("IndexName"),
            "key_schema": blocks(keys),
            "projection_type": projection.take("ProjectionType"),
            "non_key_attributes": projection.take("NonKeyAttributes"),
        }));
        projection.done()?;
        index.done()?;
    }
    let mut recovery = left.nested("PointInTimeRecoverySpecification")?;
    let mut encryption = left.nested("SSESpecification")?;
    encryption.is("SSEType", "KMS")?;
    let mut stream = left.nested("StreamSpecification")?;
    let arguments = json!({
        "name": made.made_up_name(),
        "billing_mode": left.take("BillingMode"),
        "deletion_protection_enabled": left.take("DeletionProtectionEnabled"),
        "hash_key": hash,
        "range_key": range,
        "attribute": blocks(attributes),
        "global_secondary_index": blocks(indexes),
        "point_in_time_recovery": { "enabled": recovery.take("PointInTimeRecoveryEnabled") },
        "server_side_encryption": {
            "enabled": encryption.take("SSEEnabled"),
            "kms_key_arn": encryption.take("KMSMasterKeyId"),
        },
        "stream_enabled": true,
        "stream_view_type": stream.take("StreamViewType"),
    });
    recovery.done()?;
    encryption.done()?;
    stream.done()?;
    made.main("aws_dynamodb_table", arguments);
    Ok(())
}

pub(super) fn bucket(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let bucket = made.own("Name");
    let arguments =
        json!({ "bucket": left.take("BucketName"), "object_lock_enabled": left.take("ObjectLockEnabled") });
    made.main("aws_s3_bucket", arguments);

    let mut lock = left.nested("ObjectLockConfiguration")?;
    lock.is("ObjectLockEnabled", "Enabled")?;
    let mut rule = lock.nested("Rule")?;
    let mut retention = rule.nested("DefaultRetention")?;
    let of = json!({ "mode": retention.take("Mode"), "days": retention.take("Days") });
    let versioned = format!("aws_s3_bucket_versioning.{}", made.id.to_lowercase());
    let arguments =
        json!({ "bucket": bucket, "rule": { "default_retention": of }, "depends_on": [versioned] });
    retention.done()?;
    rule.done()?;
    lock.done()?;
    made.beside("aws_s3_bucket_object_lock_configuration", "", arguments);

    let mut versioning = left.nested("VersioningConfiguration")?;
    let of = json!({ "status": versioning.take("Status") });
    versioning.done()?;
    let arguments = json!({ "bucket": bucket, "versioning_configuration": of });
    made.beside("aws_s3_bucket_versioning", "", arguments);

    let mut encryption = left.nested("BucketEncryption")?;
    let mut rules = Vec::new();
    for mut rule in encryption.list("ServerSideEncryptionConfiguration")? {
        let mut by_default = rule.nested("ServerSideEncryptionByDefault")?;
        rules.push(json!({
            "bucket_key_enabled": rule.take("BucketKeyEnabled"),
            "apply_server_side_encryption_by_default": {
                "sse_algorithm": by_default.take("SSEAlgorithm"),
                "kms_master_key_id": by_default.take("KMSMasterKeyID"),
            },
        }));
        by_default.done()?;
        rule.done()?;
    }
    encryption.done()?;
    let arguments = json!({ "bucket": bucket, "rule": blocks(rules) });
    made.beside("aws_s3_bucket_server_side_encryption_configuration", "", arguments);

    let mut access = left.nested("PublicAccessBlockConfiguration")?;
    let arguments = json!({
        "bucket": bucket,
        "block_public_acls": access.take("BlockPublicAcls"),
        "block_public_policy": access.take("BlockPublicPolicy"),
        "ignore_public_acls": access.take("IgnorePublicAcls"),
        "restrict_public_buckets": access.take("RestrictPublicBuckets"),
    });
    access.done()?;
    made.beside("aws_s3_bucket_public_access_block", "", arguments);

    let mut ownership = left.nested("OwnershipControls")?;
    let mut rules = Vec::new();
    for mut rule in ownership.list("Rules")? {
        rules.push(json!({ "object_ownership": rule.take("ObjectOwnership") }));
        rule.done()?;
    }
    ownership.done()?;
    made.beside("aws_s3_bucket_ownership_controls", "", json!({ "bucket": bucket, "rule": blocks(rules) }));

    let mut lifecycle = left.nested("LifecycleConfiguration")?;
    let mut rules = Vec::new();
    for mut rule in lifecycle.list("Rules")? {
        let mut abort = rule.nested("AbortIncompleteMultipartUpload")?;
        rules.push(json!({
            "id": rule.take("Id"),
            "status": rule.take("Status"),
            "filter": {},
            "abort_incomplete_multipart_upload": { "days_after_initiation": abort.take("DaysAfterInitiation") },
        }));
        abort.done()?;
        rule.done()?;
    }
    lifecycle.done()?;
    let arguments = json!({ "bucket": bucket, "rule": blocks(rules) });
    made.beside("aws_s3_bucket_lifecycle_configuration", "", arguments);
    Ok(())
}

pub(super) fn bucket_policy(made: &mut Made<'_>, left: &mut Left) {
    let bucket = left.take("Bucket");
    let of = bucket.as_str().and_then(|name| name.strip_prefix('⟨')?.strip_suffix(".Name⟩")).map(squashed);
    let of = of.unwrap_or_default();
    // It denies what these do, so they come first.
    let after = [
        format!("aws_s3_bucket_lifecycle_configuration.{of}"),
        format!("aws_s3_bucket_object_lock_configuration.{of}"),
        format!("aws_s3_bucket_server_side_encryption_configuration.{of}"),
        format!("aws_s3_bucket_versioning.{of}"),
    ];
    let document = policy(&left.take("PolicyDocument"));
    let arguments = json!({ "bucket": bucket, "policy": document, "depends_on": after });
    made.main("aws_s3_bucket_policy", arguments);
}

pub(super) fn key(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let arguments = json!({
        "tags": super::tags(left)?,
        "description": left.take("Description"),
        "customer_master_key_spec": left.take("KeySpec"),
        "key_usage": left.take("KeyUsage"),
        "deletion_window_in_days": left.take("PendingWindowInDays"),
        "policy": policy(&left.take("KeyPolicy")),
    });
    made.main("aws_kms_key", arguments);
    Ok(())
}

pub(super) fn queue(made: &mut Made<'_>, left: &mut Left) {
    let arguments = json!({
        "name": made.made_up_name(),
        "message_retention_seconds": left.take("MessageRetentionPeriod"),
        "sqs_managed_sse_enabled": left.take("SqsManagedSseEnabled"),
    });
    made.main("aws_sqs_queue", arguments);
}

pub(super) fn queue_policy(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    let queues = left.take("Queues");
    let [queue] = queues.as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Err(format!("{}: one queue: {queues}", made.id));
    };
    let arguments = json!({ "queue_url": queue, "policy": policy(&left.take("PolicyDocument")) });
    made.main("aws_sqs_queue_policy", arguments);
    Ok(())
}

pub(super) fn secret(made: &mut Made<'_>, left: &mut Left) -> Result<(), String> {
    // No source, and in the module no value: the same to whoever knocks. Anything else would have to be there.
    left.is("SecretString", "{}")?;
    let arguments = json!({
        "name_prefix": format!("{}-{STACK}-", made.id),
        "description": left.take("Description"),
        "kms_key_id": left.take("KmsKeyId"),
    });
    made.main("aws_secretsmanager_secret", arguments);
    Ok(())
}
