//! Addresses: which hosts are spoken to, and how.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

use crate::{ItsmError, SLACK};

/// An address that may be called.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) uri: Uri,
    /// The host and, if it is given, the port: what errors name.
    pub(crate) host: String,
}

impl Address {
    /// Any host by https, loopback hosts by http too.
    pub(crate) fn of_site(url: &str) -> Result<Self, ItsmError> {
        let refused = |rule| ItsmError::Address { rule };
        let uri: Uri = url.parse().map_err(|_| refused("it must be a URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused("it must begin with `https://` and a host"));
        };
        // A name in front of the host is a credential, and one in the wrong place.
        if authority.as_str().contains('@') {
            return Err(refused(
                "it must not hold a user; credentials belong into the webhook secrets, under `api`",
            ));
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(authority.host()) => {}
            _ => {
                return Err(refused("it must begin with `https://` (`http://` is for loopback hosts alone)"));
            }
        }
        let host = authority.as_str().to_owned();
        Ok(Self { uri, host })
    }

    /// Slack, or a loopback host in its place.
    pub(crate) fn of_slack(url: &str) -> Result<Self, ItsmError> {
        let address = Self::of_site(url)?;
        if address.host.eq_ignore_ascii_case(SLACK) || is_loopback(address.uri.host().unwrap_or_default()) {
            Ok(address)
        } else {
            Err(ItsmError::Address { rule: "answers go to `https://hooks.slack.com` alone" })
        }
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.uri.scheme_str() == Some("http")
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_https_or_loopback() {
        for url in [
            "https://example.atlassian.net/rest/x?y=1",
            "https://jira.example.com:8443/",
            "http://127.0.0.1:8080/x",
            "http://127.9.9.9/",
            "http://localhost:1/",
            "http://[::1]:80/",
        ] {
            assert!(Address::of_site(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "/rest",
            "example.atlassian.net",
            "example.atlassian.net:443",
            "http://example.atlassian.net/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://0.0.0.0/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::ffff:127.0.0.1]/",
            "http://2130706433/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "https://user:hidden@example.com/",
            "http://127.0.0.1@example.com/",
            "https://",
            "https://exa mple.com/",
        ] {
            let error = Address::of_site(url).unwrap_err();
            assert!(!error.is_retryable() && error.reason() == "address", "{url}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }

    #[test]
    fn answers_go_to_slack() {
        for url in
            ["https://hooks.slack.com/actions/T1/2/3", "https://HOOKS.slack.com/a", "http://127.0.0.1:9/a"]
        {
            assert!(Address::of_slack(url).is_ok(), "{url}");
        }
        for url in [
            "https://hooks.slack.com.example.com/actions",
            "https://example.com/hooks.slack.com",
            "https://slack.com/actions",
            "https://hooks.slack.com@example.com/",
            "https://hooks.slack.com:8443/",
            "http://hooks.slack.com/actions",
            "https://hooks-slack.com/",
        ] {
            assert!(Address::of_slack(url).is_err(), "{url}");
        }
    }
}
