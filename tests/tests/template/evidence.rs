//! How the evidence is kept: the stream that it comes by, the archive, the bus, and the key that seals it.

use std::collections::BTreeSet;

use curfew_domain::retry;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::document::{listed, possibilities, resources, template};
use crate::policy::statements;

fn archive(template: &Value) -> &Value {
    let [(name, bucket)] = resources(template, "AWS::S3::Bucket").try_into().expect("one bucket");
    assert_eq!(name, "Archive");
    bucket
}

#[test]
fn what_is_in_the_archive_can_not_be_changed_by_anybody_until_its_time_is_over() {
    let template = template("template.yaml");
    let bucket = archive(&template);
    let properties = &bucket["Properties"];
    assert_eq!(properties["ObjectLockEnabled"], true);
    let lock = json!({
        "ObjectLockEnabled": "Enabled",
        "Rule": { "DefaultRetention": { "Mode": "COMPLIANCE", "Days": { "Ref": "ArchiveRetentionDays" } } },
    });
    assert_eq!(properties["ObjectLockConfiguration"], lock);
    assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
    let days = &template["Parameters"]["ArchiveRetentionDays"];
    assert!(days["Default"].as_u64().is_some_and(|days| days >= 2_555), "seven years, unless said otherwise");
    assert_eq!(days["MinValue"], 1);
    // It outlives the software that wrote it, and so does what guards it.
    for kept in ["Archive", "ArchivePolicy", "CheckpointKey"] {
        let resource = &template["Resources"][kept];
        assert_eq!(
            (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
            (&json!("RetainExceptOnCreate"), &json!("Retain")),
            "{kept}"
        );
    }
}

#[test]
fn the_archive_is_encrypted_and_nobodys_but_this_accounts() {
    let template = template("template.yaml");
    let properties = &archive(&template)["Properties"];
    let rules = listed(&properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]);
    let defaults: Vec<_> = rules.iter().map(|rule| &rule["ServerSideEncryptionByDefault"]).collect();
    let own = json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": { "Ref": "KmsKeyArn" } });
    assert_eq!(
        defaults,
        [&own, &json!({ "SSEAlgorithm": "AES256" })],
        "with a key of one's own, and without"
    );
    let public = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
    for setting in public {
        assert_eq!(properties["PublicAccessBlockConfiguration"][setting], true, "{setting}");
    }
    let ownership = &properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"];
    assert_eq!(ownership, "BucketOwnerEnforced", "no lists of access beside policies");
}

/// Evidence is not tidied up.
#[test]
fn nothing_in_the_archive_expires_by_itself() {
    let template = template("template.yaml");
    let rules = &archive(&template)["Properties"]["LifecycleConfiguration"]["Rules"];
    for rule in rules.as_array().expect("rules") {
        let keys: BTreeSet<&str> = rule.as_object().expect("a rule").keys().map(String::as_str).collect();
        assert_eq!(keys, ["AbortIncompleteMultipartUpload", "Id", "Status"].into(), "{rule}");
    }
}

#[test]
fn nobody_writes_the_archive_but_the_audit_function_and_nobody_deletes_from_it() {
    let template = template("template.yaml");
    let [(_, policy)] = resources(&template, "AWS::S3::BucketPolicy").try_into().expect("one policy");
    assert_eq!(policy["Properties"]["Bucket"], json!({ "Ref": "Archive" }));
    let all = statements(&policy["Properties"]["PolicyDocument"]);
    for statement in &all {
        // Denials for everybody: what an identity's own policies allow does not count.
        assert_eq!((&statement.body["Effect"], &statement.body["Principal"]), (&json!("Deny"), &json!("*")));
    }
    let find = |sid: &str| {
        let found = all.iter().find(|statement| statement.sid == sid);
        found.unwrap_or_else(|| panic!("no statement {sid}")).body
    };
    let everything = json!([{ "Fn::GetAtt": "Archive.Arn" }, { "Fn::Sub": "${Archive.Arn}/*" }]);
    let encrypted = find("EncryptedConnectionsOnly");
    assert_eq!(encrypted["Action"], "s3:*");
    assert_eq!(encrypted["Resource"], everything);
    assert_eq!(encrypted["Condition"], json!({ "Bool": { "aws:SecureTransport": false } }));
    let written = find("WrittenByTheAuditFunctionOnly");
    assert_eq!(written["Action"], "s3:PutObject");
    assert_eq!(written["Resource"], json!({ "Fn::Sub": "${Archive.Arn}/*" }));
    let but_audit = json!({ "ArnNotEquals": { "aws:PrincipalArn": { "Fn::GetAtt": "AuditRole.Arn" } } });
    assert_eq!(written["Condition"], but_audit);
    let deleted = find("DeletedByNobody");
    assert!(deleted["Condition"].is_null(), "nobody is nobody");
    assert_eq!(deleted["Resource"], everything);
    for action in [
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:BypassGovernanceRetention",
        "s3:PutObjectRetention",
        "s3:DeleteBucket",
        "s3:ReplicateObject",
        "s3:ReplicateDelete",
        "s3:ReplicateTags",
    ] {
        assert!(listed(&deleted["Action"]).contains(&&json!(action)), "{action}");
    }
    // A rule of the bucket's can delete and hide as well as a call can.
    let settled = find("SettledByNobody");
    assert!(settled["Condition"].is_null(), "nobody is nobody");
    assert_eq!(settled["Resource"], json!({ "Fn::GetAtt": "Archive.Arn" }));
    for action in [
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutReplicationConfiguration",
    ] {
        assert!(listed(&settled["Action"]).contains(&&json!(action)), "{action}");
    }
}

/// Only who changes the settings leaves the denial out, and says so.
#[test]
fn the_archives_settings_are_kept_unless_a_deployment_says_otherwise() {
    let template = template("template.yaml");
    assert_eq!(template["Parameters"]["ArchiveSettings"]["Default"], "kept");
    let holds = json!({ "Fn::Equals": [{ "Ref": "ArchiveSettings" }, "kept"] });
    assert_eq!(template["Conditions"]["KeepsArchiveSettings"], holds);
    let [(_, policy)] = resources(&template, "AWS::S3::BucketPolicy").try_into().expect("one policy");
    let all = policy["Properties"]["PolicyDocument"]["Statement"].as_array().expect("statements");
    let conditional: Vec<&Value> = all.iter().filter(|statement| statement["Sid"].is_null()).collect();
    let [only] = conditional.as_slice() else { panic!("one depends on a parameter: {conditional:?}") };
    assert_eq!(only["Fn::If"][0], "KeepsArchiveSettings");
    assert_eq!(only["Fn::If"][1]["Sid"], "SettledByNobody");
    assert_eq!(only["Fn::If"][2], json!({ "Ref": "AWS::NoValue" }));
}

#[test]
fn what_is_on_the_bus_comes_from_the_audit_function_of_this_account() {
    let template = template("template.yaml");
    let [(_, policy)] = resources(&template, "AWS::Events::EventBusPolicy").try_into().expect("one policy");
    let wanted = json!({
        "Effect": "Deny",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": { "Fn::GetAtt": "EventsBus.Arn" },
        "Condition": { "ArnNotEquals": { "aws:PrincipalArn": { "Fn::GetAtt": "AuditRole.Arn" } } },
    });
    // Nothing is allowed in here, so no other account is.
    assert_eq!(policy["Properties"]["Statement"], wanted);
    assert_eq!(policy["Properties"]["EventBusName"], json!({ "Ref": "EventsBus" }));
}

/// A key's own policy is what counts for it. Whoever it does not let delegate can be allowed by no policy of IAM.
#[test]
fn the_checkpoint_key_signs_for_the_audit_function_and_administrators_can_not_make_it_sign_for_them() {
    let template = template("template.yaml");
    let [(_, key)] = resources(&template, "AWS::KMS::Key").try_into().expect("one key");
    let properties = &key["Properties"];
    assert_eq!(
        (&properties["KeySpec"], &properties["KeyUsage"]),
        (&json!("ECC_NIST_P256"), &json!("SIGN_VERIFY"))
    );
    assert_eq!(properties["PendingWindowInDays"], 30, "time to notice, and to cancel");
    let audit = json!({ "AWS": { "Fn::GetAtt": "AuditRole.Arn" } });
    let mut signers = Vec::new();
    for statement in statements(&properties["KeyPolicy"]) {
        assert_eq!(statement.body["Effect"], "Allow");
        for action in statement.actions() {
            assert!(!action.contains('*'), "{}: {action}", statement.sid);
            if action == "kms:Sign" {
                signers.push(statement.body["Principal"].clone());
                let algorithm = json!({ "StringEquals": { "kms:SigningAlgorithm": "ECDSA_SHA_256" } });
                assert_eq!(statement.body["Condition"], algorithm);
            }
            // Who may grant may hand the signing on.
            assert_ne!(action, "kms:CreateGrant");
        }
    }
    assert_eq!(signers, [audit]);
}

#[test]
fn every_event_and_denial_comes_by_the_stream_and_whatever_is_done_to_it_afterwards() {
    let template = template("template.yaml");
    let [(_, ledger)] = resources(&template, "AWS::DynamoDB::Table").try_into().expect("one table");
    assert_eq!(ledger["Properties"]["StreamSpecification"], json!({ "StreamViewType": "NEW_IMAGE" }));
    let [(_, mapping)] = resources(&template, "AWS::Lambda::EventSourceMapping").try_into().expect("one");
    let stream = &mapping["Properties"];
    assert_eq!(stream["FunctionName"], json!({ "Ref": "AuditFunction" }));
    assert_eq!(stream["EventSourceArn"], json!({ "Fn::GetAtt": "Ledger.StreamArn" }));
    assert_eq!(stream["StartingPosition"], "TRIM_HORIZON", "what was written meanwhile is not lost");
    let patterns: Vec<Value> = stream["FilterCriteria"]["Filters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|filter| serde_json::from_str(filter["Pattern"].as_str().expect("a text")).expect("JSON"))
        .collect();
    let wanted = [
        // Whatever is done to an event.
        json!({ "dynamodb": { "Keys": { "sk": { "S": [{ "prefix": "EVENT#" }] } } } }),
        json!({ "eventName": ["INSERT"], "dynamodb": { "NewImage": { "type": { "S": ["Denied"] } } } }),
        // A denial may be changed to be called something else.
        json!({ "eventName": ["MODIFY"], "dynamodb": { "Keys": { "pk": { "S": [{ "prefix": "TICKET#" }] } } } }),
        // Nothing is ever deleted.
        json!({ "eventName": ["REMOVE"] }),
    ];
    assert_eq!(patterns, wanted);
    // https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert!(patterns.len() <= 5, "more than a mapping takes");
    // One invocation at a time for a shard, which a grant's events are in one of: they come in order.
    assert_eq!(stream["ParallelizationFactor"], 1);
    assert_eq!(stream["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(stream["BisectBatchOnFunctionError"], true);
    let failed = json!({ "Destination": { "Fn::GetAtt": "FailedInvocations.Arn" } });
    assert_eq!(stream["DestinationConfig"]["OnFailure"], failed, "what is given up is kept");
    let seconds = |value: &Value| SignedDuration::from_secs(value.as_i64().expect("seconds"));
    assert_eq!(stream["MaximumRetryAttempts"], retry::STREAM_RETRIES);
    assert_eq!(seconds(&stream["MaximumRecordAgeInSeconds"]), retry::STREAM_RECORD_AGE);
    // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    assert!(retry::STREAM_RECORD_AGE < SignedDuration::from_hours(24), "longer than the stream keeps it");
}

#[test]
fn the_archive_is_sealed_every_hour() {
    let template = template("template.yaml");
    let audit = &template["Resources"]["AuditFunction"]["Properties"];
    let seconds = |value: &Value| SignedDuration::from_secs(value.as_i64().expect("seconds"));
    assert_eq!(seconds(&audit["Timeout"]), retry::AUDIT_TIMEOUT);
    let hourly = &audit["Events"]["EveryHour"]["Properties"];
    assert_eq!(hourly["Schedule"], format!("rate({} hour)", retry::CHECKPOINT_EVERY.as_hours()));
    let input: Value = serde_json::from_str(hourly["Input"].as_str().expect("a text")).expect("JSON");
    assert_eq!(input, json!({ "checkpoint": true }));
    let invoked = &audit["EventInvokeConfig"];
    assert_eq!(invoked["MaximumRetryAttempts"], retry::CHECKPOINT_INVOCATION_RETRIES);
    assert_eq!(seconds(&invoked["MaximumEventAgeInSeconds"]), retry::CHECKPOINT_INVOCATION_AGE);
    let margin = &template["Parameters"]["CheckpointMarginSeconds"];
    assert_eq!(seconds(&margin["Default"]), retry::CHECKPOINT_MARGIN);
    // With less, what an invocation is still about to write comes after the seal: an honest archive convicts itself.
    assert_eq!(seconds(&margin["MinValue"]), retry::AUDIT_TIMEOUT + retry::LEASE_GRACE);
}

/// What an intruder at the API could choose the words of stays out of the access log, and so does what is secret.
#[test]
fn the_access_log_tells_who_knocked_and_nothing_that_they_said() {
    let template = template("template.yaml");
    let settings = &template["Resources"]["WebhookApi"]["Properties"]["AccessLogSettings"];
    let group = &template["Resources"]["WebhookAccessLogs"]["Properties"];
    assert_eq!(settings["DestinationArn"], json!({ "Fn::GetAtt": "WebhookAccessLogs.Arn" }));
    assert_eq!(possibilities(&group["RetentionInDays"]), [&json!({ "Ref": "LogRetentionDays" })]);
    let format: Value = serde_json::from_str(settings["Format"].as_str().expect("a text")).expect("JSON");
    let told: BTreeSet<&str> = format
        .as_object()
        .expect("an object")
        .values()
        .map(|value| value.as_str().expect("a text"))
        .collect();
    let wanted = [
        "$context.error.responseType",
        "$context.identity.sourceIp",
        "$context.integrationLatency",
        "$context.integrationStatus",
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.responseLatency",
        "$context.responseLength",
        "$context.routeKey",
        "$context.status",
    ];
    assert_eq!(told, wanted.into());
}
