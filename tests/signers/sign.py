"""Signs webhooks as their senders do, with other implementations than Curfew's.

Reads one JSON object on standard input and writes the headers of the request as a JSON object:

    {"sender": "github", "secret": "...", "body": "...", "id": "...", "at": 1795248000, "event": "issues"}

`id` is the delivery, `at` the time of signing in seconds since 1970, `event` what the sender calls it in a header.
The secret comes by standard input because arguments are in the process list.

Whose implementation signs, and whose checks the result before it is handed out:

  standard    `standardwebhooks`, the scheme's own library, signs and checks
  servicenow  as `standard`: Curfew's business rule signs by that scheme (ServiceNow has no signature of its own)
  gitlab      as `standard`: GitLab's signing tokens are that scheme
  slack       `slack_sdk`, Slack's own library, signs and checks
  github      Python's `hmac` signs; `gidgethub` checks the whole request. GitHub's own library
              (`@octokit/webhooks-methods`) is for Node, which these tests do not ask for. GitHub's documented example
              is checked too
  jira        Python's `hmac` signs: Atlassian has no library for it. Its documented example is checked
  pagerduty   Python's `hmac` signs: PagerDuty's library (`pagerduty`) does not know webhooks

The headers are those that the senders document, with the content type that they send.
"""

import hashlib
import hmac
import json
import sys
from datetime import datetime, timezone


def hex_mac(secret, body, digest="sha256"):
    return hmac.new(secret.encode(), body.encode(), digest).hexdigest()


# From the senders' documentation:
# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
# https://developer.atlassian.com/cloud/jira/platform/webhooks/
DOCUMENTED = [
    (
        "It's a Secret to Everybody",
        "Hello, World!",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    ),
    (
        "It's a Secret to Everybody",
        "Hello World!",
        "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
    ),
]


def check_documented():
    for secret, body, expected in DOCUMENTED:
        if hex_mac(secret, body) != expected:
            sys.exit("the signature is not that of the sender's documentation")


def standard(asked):
    from standardwebhooks import Webhook

    webhook = Webhook(asked["secret"])
    at = datetime.fromtimestamp(asked["at"], tz=timezone.utc)
    headers = {
        "content-type": "application/json",
        "webhook-id": asked["id"],
        "webhook-timestamp": str(asked["at"]),
        "webhook-signature": webhook.sign(asked["id"], at, asked["body"]),
    }
    if asked.get("check", True):
        webhook.verify(asked["body"], headers, json_parse=False)
    return headers


def servicenow(asked):
    return {**standard(asked), "accept": "application/json", "user-agent": "ServiceNow/1.0"}


def gitlab(asked):
    return {
        **standard(asked),
        "user-agent": "GitLab/19.5.0",
        "x-gitlab-event": asked["event"],
        "x-gitlab-event-uuid": asked["id"],
        "x-gitlab-instance": "https://gitlab.example.com",
        "idempotency-key": asked["id"],
    }


def slack(asked):
    from slack_sdk.signature import SignatureVerifier

    verifier = SignatureVerifier(asked["secret"])
    at = str(asked["at"])
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "x-slack-request-timestamp": at,
        "x-slack-signature": verifier.generate_signature(timestamp=at, body=asked["body"]),
    }
    if asked.get("check", True) and not verifier.is_valid_request(asked["body"], headers):
        sys.exit("Slack's library does not accept what it signed")
    return headers


def github(asked):
    from gidgethub.sansio import Event

    headers = {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/5b0c3f1",
        "x-github-delivery": asked["id"],
        "x-github-event": asked["event"],
        "x-github-hook-id": "487213601",
        "x-github-hook-installation-target-id": "912345678",
        "x-github-hook-installation-target-type": "repository",
        "x-hub-signature": "sha1=" + hex_mac(asked["secret"], asked["body"], hashlib.sha1),
        "x-hub-signature-256": "sha256=" + hex_mac(asked["secret"], asked["body"]),
    }
    # It prefers the header of the newer signature, and raises if that is not right.
    Event.from_http(headers, asked["body"].encode(), secret=asked["secret"])
    return headers


def jira(asked):
    return {
        "content-type": "application/json; charset=UTF-8",
        "user-agent": "Atlassian Webhook HTTP Client",
        "x-atlassian-webhook-flow": "Primary",
        "x-atlassian-webhook-identifier": asked["id"],
        "x-hub-signature": "sha256=" + hex_mac(asked["secret"], asked["body"]),
    }


def pagerduty(asked):
    return {
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": "PagerDuty-Webhook/V3.0",
        "x-pagerduty-signature": "v1=" + hex_mac(asked["secret"], asked["body"]),
        "x-webhook-id": asked["id"],
        "x-webhook-subscription": "PSUBSC1",
    }


SENDERS = {
    "standard": standard,
    "servicenow": servicenow,
    "gitlab": gitlab,
    "slack": slack,
    "github": github,
    "jira": jira,
    "pagerduty": pagerduty,
}


if __name__ == "__main__":
    check_documented()
    request = json.load(sys.stdin)
    json.dump(SENDERS[request["sender"]](request), sys.stdout)
