//! People: each has IAM principals without any permission, the tenant's boundary and tag on them, and keys of their own.

use curfew_cli::aws::Credentials;
use curfew_cli::seed::{TENANT_TAG, Tenant};

use crate::catalog::Kind;
use crate::client::{Client, Refused, tag};

/// A person, made for one test.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who they are to the ITSM tool.
    pub email: String,
    /// The ARN of the principal that access is given to; the user's, if there are both.
    pub principal: String,
    /// The ARN of the role, if they have one.
    pub role: Option<String>,
    /// They themselves, with the keys of their IAM user.
    pub keys: Client,
}

impl Person {
    /// Makes the principals of the `n`-th person of a kind in a tenant. `root` is that of its account.
    ///
    /// # Panics
    /// IAM refused.
    pub async fn make(root: &Client, endpoint: String, kind: Kind, n: usize, tenant: &Tenant) -> Self {
        let (name, account) = (kind.name(n), tenant.account());
        // A role's owner needs a user to assume it with: one that may do that and nothing else, and that is in
        // nobody's catalog.
        let user = if kind == Kind::Role { format!("{name}-login") } else { name.clone() };
        let tenant_of_user = (kind != Kind::Role).then_some(tenant);
        let keys = user_with_keys(root, endpoint, &user, tenant_of_user).await.expect("an IAM user");
        let user_arn = format!("arn:aws:iam::{account}:user/{user}");
        let role = match kind {
            Kind::Role | Kind::Both => {
                Some(role_of(root, &name, tenant, &user_arn).await.expect("an IAM role"))
            }
            Kind::User | Kind::Abroad => None,
        };
        if kind == Kind::Role {
            let role = role.as_deref().unwrap_or_default();
            allow_to_assume(root, &user, role).await.expect("a policy to assume the role");
        }
        let principal = match (kind, &role) {
            (Kind::Role, Some(role)) => role.clone(),
            _ => user_arn,
        };
        Self { email: format!("{name}@example.test"), principal, role, keys }
    }

    /// The caller whom access is given to: they themselves, or a fresh session of their role.
    ///
    /// # Panics
    /// The role can't be assumed.
    pub async fn caller(&self) -> Client {
        if self.principal.contains(":role/") {
            self.keys.assume(&self.principal).await.expect("a session of their own role")
        } else {
            self.keys.clone()
        }
    }
}

async fn user_with_keys(
    root: &Client,
    endpoint: String,
    user: &str,
    tenant: Option<&Tenant>,
) -> Result<Client, Refused> {
    let boundary = tenant.map(Tenant::boundary_arn).unwrap_or_default();
    let mut parameters = vec![("UserName", user)];
    parameters.extend(tenant.map(|tenant| of_tenant(tenant, &boundary)).into_iter().flatten());
    root.query("iam", "CreateUser", &parameters).await?;
    let key = root.query("iam", "CreateAccessKey", &[("UserName", user)]).await?;
    let credentials = Credentials {
        access_key_id: tag(&key, "AccessKeyId"),
        secret_access_key: tag(&key, "SecretAccessKey"),
        session_token: None,
    };
    Ok(Client::new(endpoint, credentials))
}

/// What makes a user or role one of a tenant.
fn of_tenant<'a>(tenant: &'a Tenant, boundary: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("PermissionsBoundary", boundary),
        ("Tags.member.1.Key", TENANT_TAG),
        ("Tags.member.1.Value", tenant.name()),
    ]
}

async fn allow_to_assume(root: &Client, user: &str, role: &str) -> Result<(), Refused> {
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role }],
    });
    let document = document.to_string();
    let parameters = [("UserName", user), ("PolicyName", "login"), ("PolicyDocument", &document)];
    root.query("iam", "PutUserPolicy", &parameters).await.map(drop)
}

async fn role_of(root: &Client, name: &str, tenant: &Tenant, user_arn: &str) -> Result<String, Refused> {
    let trust = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "AWS": user_arn }, "Action": "sts:AssumeRole" }],
    });
    let trust = trust.to_string();
    let boundary = tenant.boundary_arn();
    let mut parameters = vec![("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
    parameters.extend(of_tenant(tenant, &boundary));
    root.query("iam", "CreateRole", &parameters).await?;
    Ok(format!("arn:aws:iam::{}:role/{name}", tenant.account()))
}
