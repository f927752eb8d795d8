//! An AWS client in a few lines: signs by SigV4 and sends once. A call costs milliseconds, where the `aws` command
//! line takes half a second of processor time, and no retry hides what was answered.
//!
//! Must not know: Curfew.

use std::time::SystemTime;

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use curfew_cli::aws::Credentials;
use curfew_cli::http::{Reply, send};
use curfew_cli::seed::OBJECT;
use curfew_cli::stack::REGION;
use http::Method;
use serde_json::{Value, json};

use crate::wait::now;

/// A caller of AWS.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: String,
    credentials: Credentials,
}

/// AWS answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// AWS's code.
    pub code: String,
    /// The whole answer.
    pub message: String,
}

impl Refused {
    /// Whether the caller was not allowed to.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.code.as_str(), "AccessDenied" | "AccessDeniedException")
    }
}

impl Client {
    /// A caller with these credentials.
    #[must_use]
    pub fn new(endpoint: String, credentials: Credentials) -> Self {
        Self { endpoint, credentials }
    }

    /// Whose it is.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Calls a service with JSON (`DynamoDB_20120810.GetItem`).
    ///
    /// # Errors
    /// AWS refused.
    pub async fn json(&self, service: &str, target: &str, body: &Value) -> Result<Value, Refused> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let reply = self.rest(service, Method::POST, "/", &headers, body.to_string().as_bytes()).await?;
        Ok(reply.json())
    }

    /// Calls a service of the query protocol (IAM, STS); the answer's XML.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn query(
        &self,
        service: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, Refused> {
        let version = if service == "sts" { "2011-06-15" } else { "2010-05-08" };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", version).extend_pairs(parameters);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = self.rest(service, Method::POST, "/", &headers, form.finish().as_bytes()).await?;
        Ok(reply.text())
    }

    /// Sends a signed request.
    ///
    /// # Errors
    /// AWS refused.
    ///
    /// # Panics
    /// There was no answer.
    pub async fn rest(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, Refused> {
        let url = format!("{}{path}", self.endpoint);
        let mut sent: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        sent.extend(self.signature(service, &method, &url, headers, body));
        let reply = send(method, &url, &sent, body).await.expect("an answer of the local stack");
        if reply.status < 300 { Ok(reply) } else { Err(refused(&reply)) }
    }

    fn signature(
        &self,
        service: &str,
        method: &Method,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<(String, String)> {
        let Credentials { access_key_id, secret_access_key, session_token } = self.credentials.clone();
        let identity =
            SigningCredentials::new(access_key_id, secret_access_key, session_token, None, "curfew-tests")
                .into();
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(service)
            .time(SystemTime::from(now()))
            .settings(settings)
            .build()
            .expect("everything that is signed with")
            .into();
        let request =
            SignableRequest::new(method.as_str(), url, headers.iter().copied(), SignableBody::Bytes(body));
        let (instructions, _) =
            sign(request.expect("a request"), &parameters).expect("a signature").into_parts();
        instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Reads the object in a tenant's bucket.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn object(&self, bucket: &str) -> Result<(), Refused> {
        self.rest("s3", Method::GET, &format!("/{bucket}/{OBJECT}"), &[], b"").await.map(drop)
    }

    /// Lists a tenant's bucket.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn listing(&self, bucket: &str) -> Result<(), Refused> {
        self.rest("s3", Method::GET, &format!("/{bucket}"), &[], b"").await.map(drop)
    }

    /// Reads the item in a tenant's table.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn item(&self, table: &str) -> Result<(), Refused> {
        let body = json!({ "TableName": table, "Key": { "id": { "S": "order-1" } } });
        self.json("dynamodb", "DynamoDB_20120810.GetItem", &body).await.map(drop)
    }

    /// The names of the inline policies on a user or role.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn inline_policies(&self, principal_arn: &str) -> Result<Vec<String>, Refused> {
        let (kind, name) = kind_and_name(principal_arn);
        let action = format!("List{kind}Policies");
        let said = self.query("iam", &action, &[(&format!("{kind}Name"), name)]).await?;
        Ok(tags(&said, "member"))
    }

    /// The document of an inline policy, URL-encoded as IAM gives it.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn inline_policy(&self, principal_arn: &str, policy: &str) -> Result<Value, Refused> {
        let (kind, name) = kind_and_name(principal_arn);
        let parameters = [(&*format!("{kind}Name"), name), ("PolicyName", policy)];
        let said = self.query("iam", &format!("Get{kind}Policy"), &parameters).await?;
        let encoded = format!("d={}", tag(&said, "PolicyDocument"));
        let decoded = form_urlencoded::parse(encoded.as_bytes()).next().map(|(_, text)| text.into_owned());
        Ok(decoded.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// The ARNs of the managed policies on a user or role.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn attached_policies(&self, principal_arn: &str) -> Result<Vec<String>, Refused> {
        let (kind, name) = kind_and_name(principal_arn);
        let action = format!("ListAttached{kind}Policies");
        let said = self.query("iam", &action, &[(&format!("{kind}Name"), name)]).await?;
        Ok(tags(&said, "PolicyArn"))
    }

    /// A session of a role.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn assume(&self, role_arn: &str) -> Result<Self, Refused> {
        self.assume_with(role_arn, &[]).await
    }

    /// A session of a role, with more of `AssumeRole`'s parameters.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn assume_with(&self, role_arn: &str, more: &[(&str, &str)]) -> Result<Self, Refused> {
        let mut parameters = vec![("RoleArn", role_arn), ("RoleSessionName", "test-session")];
        parameters.extend_from_slice(more);
        let said = self.query("sts", "AssumeRole", &parameters).await?;
        let credentials = Credentials {
            access_key_id: tag(&said, "AccessKeyId"),
            secret_access_key: tag(&said, "SecretAccessKey"),
            session_token: Some(tag(&said, "SessionToken")),
        };
        Ok(Self { endpoint: self.endpoint.clone(), credentials })
    }
}

/// `User` or `Role`, as IAM's calls have it, and the principal's name.
fn kind_and_name(principal_arn: &str) -> (&'static str, &str) {
    let name = principal_arn.rsplit('/').next().unwrap_or(principal_arn);
    (if principal_arn.contains(":role/") { "Role" } else { "User" }, name)
}

/// The text of an XML element that the answer must have.
///
/// # Panics
/// It has none.
#[must_use]
pub fn tag(xml: &str, name: &str) -> String {
    tags(xml, name).into_iter().next().unwrap_or_else(|| panic!("no <{name}> in {xml}"))
}

/// The texts of all XML elements of a name. Enough for what IAM and STS answer: no attributes, no nesting.
#[must_use]
pub fn tags(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let elements = xml.split(&open).skip(1);
    elements.filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

fn refused(reply: &Reply) -> Refused {
    let (text, json) = (reply.text(), reply.json());
    let named =
        ["__type", "code", "Code", "Type"].iter().find_map(|key| json[*key].as_str().map(str::to_owned));
    let header =
        reply.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let code = tags(&text, "Code").into_iter().next().or(named).or(header).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    Refused { status: reply.status, code, message: text }
}
