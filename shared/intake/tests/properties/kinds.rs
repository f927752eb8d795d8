//! Every kind of sender, configured and with a secret, and how it signs: in a few lines that owe nothing to the code
//! under test.
//!
//! The fuzz targets (`tests/fuzz`) use this file too, so it knows the crate from outside alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curfew_domain::ids::Source;
use curfew_intake::{
    Body, Malformed, Nobody, Reading, Secrets, Sender, SenderFile, Senders, Unverified, VerifiedDelivery,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::holds;

/// When everything is sent and received, in seconds since 1970: 2026-11-21T09:00:00Z.
pub(crate) const NOW: i64 = 1_795_251_600;

/// How a kind of sender signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Standard Webhooks: id, time and body.
    Standard,
    /// Slack: time and body.
    Slack,
    /// The body alone: the header, and what stands in front of the signature in it.
    Body(&'static str, &'static str),
}

/// A kind of sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Its name, and that of its source here.
    pub(crate) name: &'static str,
    /// How it signs.
    pub(crate) scheme: Scheme,
}

/// Every kind.
pub(crate) const KINDS: [Kind; 7] = [
    Kind { name: "standard", scheme: Scheme::Standard },
    Kind { name: "servicenow", scheme: Scheme::Standard },
    Kind { name: "jira", scheme: Scheme::Body("x-hub-signature", "sha256=") },
    Kind { name: "pagerduty", scheme: Scheme::Body("x-pagerduty-signature", "v1=") },
    Kind { name: "slack", scheme: Scheme::Slack },
    Kind { name: "github", scheme: Scheme::Body("x-hub-signature-256", "sha256=") },
    Kind { name: "gitlab", scheme: Scheme::Standard },
];

/// Fits the recorded payloads, so that most of them ask for something. A source that is not in it is standard.
const CONFIGURATION: &str = r#"
[source.servicenow]
kind = "servicenow"

[source.jira]
kind = "jira"
site = "https://example.atlassian.net"
[source.jira.fields]
tenant = "/issue/fields/customfield_10050/value"
role = "/issue/fields/customfield_10051/value"
end = "/issue/fields/customfield_10052"

[source.pagerduty]
kind = "pagerduty"
[source.pagerduty.services.PSVC4ON]
tenant = "example"
role = "prod-ops"
duration = "2h"

[source.slack]
kind = "slack"

[source.github]
kind = "github"
repositories = ["acme/orders", "acme/access"]
[source.github.environments.production]
tenant = "example"
role = "prod-deploy"
duration = "45m"
[source.github.environments.staging]
tenant = "example"
role = "prod-readonly"
[source.github.sections]
tenant = "Tenant"
role = "Role"
duration = "How long"
justification = "Why"

[source.gitlab]
kind = "gitlab"
[source.gitlab.projects."platform/access"]
tenant = "example"
role = "prod-ops"
[source.gitlab.projects."platform/orders".environments.production]
tenant = "example"
role = "prod-deploy"
"#;

/// Where questions and answers of the configured sources may go.
pub(crate) const ORIGINS: [&str; 2] = ["https://example.atlassian.net/", "https://hooks.slack.com/"];

/// The sources and their secrets.
pub(crate) struct Bench {
    senders: Senders,
    secrets: Secrets,
}

/// What came of a delivery: everything that anything further on can see of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The delivery, as it was verified, and what was asked for on the way, as text to be compared.
    pub(crate) seen: String,
    /// What it says in the end.
    pub(crate) reading: Result<Reading, Malformed>,
}

impl Outcome {
    /// All of it, as text to be compared.
    pub(crate) fn told(&self) -> String {
        format!("{} {:?}", self.seen, self.reading)
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let file = SenderFile { name: "senders.toml".to_owned(), text: CONFIGURATION.to_owned() };
        let senders = Senders::parse(&[file]).unwrap();
        let entries: Vec<String> = KINDS
            .iter()
            .map(|kind| format!(r#""{}":{{"current":"{}"}}"#, kind.name, kind.secret()))
            .collect();
        let secrets = Secrets::parse(&format!("{{{}}}", entries.join(",")), &senders).unwrap();
        for kind in KINDS {
            assert_eq!(senders.of(kind.name).kind(), kind.name);
        }
        Self { senders, secrets }
    }

    fn sender(&self, kind: Kind) -> &Sender {
        self.senders.of(kind.name)
    }

    /// Verifies what comes in on a source's path.
    pub(crate) fn verify(
        &self,
        kind: Kind,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<VerifiedDelivery, Unverified> {
        let body = Body::decode(body, false).unwrap();
        let now = Timestamp::from_second(NOW).unwrap();
        self.sender(kind).verify(kind.name, headers, body, &self.secrets, now)
    }

    /// Verifies and reads, with `answers` to whatever has to be asked, in their order and then none.
    ///
    /// Checks on the way what holds of any delivery.
    pub(crate) fn deliver(
        &self,
        kind: Kind,
        headers: &HeaderMap,
        body: &str,
        answers: &[&str],
    ) -> Result<Outcome, Unverified> {
        let delivery = self.verify(kind, headers, body)?;
        assert_eq!(delivery.body().as_str(), body);
        let mut seen = format!("{delivery:?}");
        if let Some(to) = self.sender(kind).reply_to(&delivery) {
            holds::of_address(to.url(), &ORIGINS);
            seen.push_str(to.url());
        }
        let mut reading = self.sender(kind).read(&delivery, &Nobody);
        let mut answers = answers.iter();
        while let Ok(Reading::Lookup(lookup)) = reading {
            holds::of_address(lookup.url(), &ORIGINS);
            assert_eq!(lookup.source(), delivery.source());
            seen.push_str(lookup.url());
            let Some(answer) = answers.next() else {
                return Ok(Outcome { seen, reading: Ok(Reading::Lookup(lookup)) });
            };
            reading = lookup.answer(answer, &Nobody);
        }
        let source = Source::new(kind.name).unwrap();
        holds::of_reading(&reading, kind.name, &source);
        Ok(Outcome { seen, reading })
    }
}

impl Kind {
    /// What the source sends when it says `payload`.
    pub(crate) fn body(self, payload: &str) -> String {
        match self.scheme {
            Scheme::Slack => {
                form_urlencoded::Serializer::new(String::new()).append_pair("payload", payload).finish()
            }
            _ => payload.to_owned(),
        }
    }

    fn key(self) -> Vec<u8> {
        let digest = Sha256::digest(format!("a secret of {} in tests", self.name));
        match self.scheme {
            Scheme::Standard => digest.to_vec(),
            _ => data_encoding::HEXLOWER.encode(&digest).into_bytes(),
        }
    }

    /// As the source's signing secret is written.
    fn secret(self) -> String {
        match self.scheme {
            Scheme::Standard => format!("whsec_{}", STANDARD.encode(self.key())),
            _ => String::from_utf8(self.key()).unwrap(),
        }
    }

    fn mac(self, signed: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key()).unwrap();
        mac.update(signed.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    /// The headers that the source sends with a body: those that it signs, and the signature.
    pub(crate) fn sign(self, body: &str) -> Vec<(&'static str, String)> {
        match self.scheme {
            Scheme::Standard => {
                let id = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
                let signature = STANDARD.encode(self.mac(&format!("{id}.{NOW}.{body}")));
                vec![
                    ("webhook-id", id.to_owned()),
                    ("webhook-timestamp", NOW.to_string()),
                    ("webhook-signature", format!("v1,{signature}")),
                ]
            }
            Scheme::Slack => {
                let signature = data_encoding::HEXLOWER.encode(&self.mac(&format!("v0:{NOW}:{body}")));
                vec![
                    ("x-slack-request-timestamp", NOW.to_string()),
                    ("x-slack-signature", format!("v0={signature}")),
                ]
            }
            Scheme::Body(header, prefix) => {
                let signature = data_encoding::HEXLOWER.encode(&self.mac(body));
                vec![(header, format!("{prefix}{signature}"))]
            }
        }
    }
}

/// Headers as they come in.
pub(crate) fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// The headers of a delivery of `body`, and no others.
pub(crate) fn signed(kind: Kind, body: &str) -> HeaderMap {
    let pairs = kind.sign(body);
    headers(pairs.iter().map(|(name, value)| (*name, value.as_str())))
}
