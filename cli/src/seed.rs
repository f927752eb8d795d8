//! What stands in a tenant's account before Curfew comes: data, a permissions boundary, people with keys.
//!
//! Made with the account's root. The people have no permissions at all: whatever they can do, a grant gave them.
//!
//! Must not know: grants.

use std::fs::{OpenOptions, remove_file};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use crate::aws::{Aws, Credentials};
use crate::edge;
use crate::failure::{Failure, at};
use crate::stack::{LocalStack, REGION};
use crate::webhook::SigningSecret;

/// The object in every tenant's bucket.
pub const OBJECT: &str = "orders/2026-11.csv";

/// The tag by which users and roles say whose they are. Without it Curfew may give them nothing.
pub const TENANT_TAG: &str = "curfew:tenant";

/// A tenant and what is made for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    name: String,
    account: String,
}

impl Tenant {
    /// A tenant of which nothing is made yet. Its name is lower-case letters, digits and hyphens (it is part of
    /// a bucket's name), its account twelve digits.
    #[must_use]
    pub fn new(name: &str, account: &str) -> Self {
        Self { name: name.to_owned(), account: account.to_owned() }
    }

    /// Its name in the catalog.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its AWS account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Its bucket.
    #[must_use]
    pub fn bucket(&self) -> String {
        format!("{}-data", self.name)
    }

    /// Its table.
    #[must_use]
    pub fn table(&self) -> String {
        format!("{}-orders", self.name)
    }

    /// The permissions boundary of everyone who may get access to it. Known before it is made, because the
    /// template's `TenantBoundaryArns` wants it.
    #[must_use]
    pub fn boundary_arn(&self) -> String {
        format!("arn:aws:iam::{}:policy/{}-boundary", self.account, self.name)
    }

    /// Makes its bucket with an object in it, its table with an item, and its boundary.
    ///
    /// # Errors
    /// An AWS call failed, be it because it was made before.
    pub async fn make(&self, root: &Aws) -> Result<(), Failure> {
        let (bucket, table) = (self.bucket(), self.table());
        root.run(["s3api", "create-bucket", "--bucket", &bucket]).await?;
        root.run(["s3api", "put-object", "--bucket", &bucket, "--key", OBJECT]).await?;
        let key = "AttributeName=id,AttributeType=S";
        let schema = "AttributeName=id,KeyType=HASH";
        root.run(
            ["dynamodb", "create-table", "--table-name", &table]
                .into_iter()
                .chain(["--attribute-definitions", key, "--key-schema", schema])
                .chain(["--billing-mode", "PAY_PER_REQUEST"]),
        )
        .await?;
        let item = json!({ "id": { "S": "order-1" }, "status": { "S": "shipped" } }).to_string();
        root.run(["dynamodb", "put-item", "--table-name", &table, "--item", &item]).await?;
        let name = format!("{}-boundary", self.name);
        let document = self.boundary().to_string();
        root.run(
            ["iam", "create-policy", "--policy-name", &name]
                .into_iter()
                .chain(["--policy-document", &document]),
        )
        .await?;
        Ok(())
    }

    /// The most that any grant can give here: the tenant's own data, logs and metrics. Nothing of IAM.
    fn boundary(&self) -> Value {
        let (bucket, table, account) = (self.bucket(), self.table(), &self.account);
        json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
                    "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
                },
                {
                    "Effect": "Allow",
                    "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem"],
                    "Resource": format!("arn:aws:dynamodb:{REGION}:{account}:table/{table}"),
                },
                {
                    "Effect": "Allow",
                    "Action": ["logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "cloudwatch:*"],
                    "Resource": "*",
                },
            ],
        })
    }

    /// Makes a person of this tenant: an IAM user without permissions, with its boundary and tag and an access key.
    ///
    /// # Errors
    /// An AWS call failed, be it because the user exists.
    pub async fn person(&self, root: &Aws, user: &str) -> Result<Person, Failure> {
        let boundary = self.boundary_arn();
        let tag = format!("Key={TENANT_TAG},Value={}", self.name);
        let made = root
            .call(["iam", "create-user", "--user-name", user].into_iter().chain([
                "--permissions-boundary",
                &boundary,
                "--tags",
                &tag,
            ]))
            .await?;
        let key = root.call(["iam", "create-access-key", "--user-name", user]).await?;
        Ok(Person {
            arn: text(&made, "/User/Arn")?,
            credentials: Credentials {
                access_key_id: text(&key, "/AccessKey/AccessKeyId")?,
                secret_access_key: text(&key, "/AccessKey/SecretAccessKey")?,
                session_token: None,
            },
        })
    }
}

/// A person of a tenant: an IAM user with a key.
#[derive(Debug, Clone)]
pub struct Person {
    /// The IAM user's ARN.
    pub arn: String,
    /// Its key.
    pub credentials: Credentials,
}

/// Sets the signing secrets of the webhook sources, each with one secret.
///
/// # Errors
/// The call failed. The secrets are handed over in a file that only this user can read, and that is removed.
pub async fn webhook_secrets(
    stack: &LocalStack,
    secret_id: &str,
    sources: &[(&str, &SigningSecret)],
) -> Result<(), Failure> {
    let value: Map<String, Value> = sources
        .iter()
        .map(|(source, secret)| ((*source).to_owned(), json!({ "current": secret.reveal() })))
        .collect();
    webhook_secret_value(stack, secret_id, &Value::Object(value).to_string()).await
}

/// Sets the value of the webhook secret as it is, valid or not.
///
/// # Errors
/// As [`webhook_secrets`].
pub async fn webhook_secret_value(stack: &LocalStack, secret_id: &str, value: &str) -> Result<(), Failure> {
    // Not an argument: those are in the process list.
    let random = edge::random().map_err(at("read", "/dev/urandom".as_ref()))?;
    let path = stack.folder().join(HEXLOWER.encode(&random));
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(at("write", &path))?;
    let address = format!("file://{}", path.display());
    let call = ["secretsmanager", "put-secret-value", "--secret-id", secret_id, "--secret-string", &address];
    let put = stack.root().run(call).await;
    remove_file(&path).map_err(at("remove", &path))?;
    Ok(put?)
}

fn text(answer: &Value, pointer: &str) -> Result<String, Failure> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(ToOwned::to_owned).ok_or_else(|| Failure::NoAnswer { member: pointer.to_owned() })
}
