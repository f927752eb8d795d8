//! Who is believed, and who is not.

use http::HeaderValue;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::Unverified;

const BODY: &str = r#"{"type":"ticket.closed","ticket":"CHG0030192"}"#;

fn check(source: &str, headers: &HeaderMap, body: &str) -> Result<VerifiedDelivery, Unverified> {
    Sender::Standard.verify(source, headers, Body::decode(body, false).unwrap(), &secrets(), now())
}

fn reason(result: Result<VerifiedDelivery, Unverified>) -> &'static str {
    result.unwrap_err().reason()
}

#[test]
fn a_signed_delivery_is_believed() {
    // Computed apart from this code:
    //   python3 -c 'import hmac,base64; print(base64.b64encode(hmac.digest(base64.b64decode(
    //     "q9sQXKTxRqM1vZ2rGm8b7H4yYwN0cJdLfPZ3aVtEoUk="), b"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.1795251600."
    //     b"{\"type\":\"ticket.closed\",\"ticket\":\"CHG0030192\"}", "sha256")).decode())'
    let known = headers(ID, "1795251600", "v1,okZH8LWz/vwPdFKWwqAtxfcdZwuJ6kfbN0Qdr3pDq2s=");
    let delivery = check("itsm", &known, BODY).unwrap();
    assert_eq!(delivery.source().as_str(), "itsm");
    assert_eq!(delivery.id().as_str(), ID);
    assert_eq!(delivery.sent_at(), Some(now()));
    assert_eq!(delivery.body().as_str(), BODY);
    assert_eq!(known, signed(BODY));
    assert!(!format!("{delivery:?}").contains("CHG"));
}

#[test]
fn header_names_are_those_of_any_case() {
    let signature = sign(CURRENT, ID, now(), BODY);
    let mut mixed = HeaderMap::new();
    for (name, value) in
        [("Webhook-Id", ID), ("WEBHOOK-TIMESTAMP", "1795251600"), ("webhook-Signature", &signature)]
    {
        mixed.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    assert!(check("itsm", &mixed, BODY).is_ok());
}

#[test]
fn both_secrets_of_a_rotation_are_good_and_no_others() {
    let by = |secret| headers(ID, "1795251600", &sign(secret, ID, now(), BODY));
    assert!(check("itsm", &by(CURRENT), BODY).is_ok());
    assert!(check("itsm", &by(PREVIOUS), BODY).is_ok());
    assert_eq!(reason(check("itsm", &by(OTHER), BODY)), "signature-mismatch");
    // A source is bound to its own secret.
    assert!(check("chat", &by(OTHER), BODY).is_ok());
    assert_eq!(reason(check("chat", &by(CURRENT), BODY)), "signature-mismatch");
}

#[test]
fn one_good_signature_of_several_is_enough() {
    let good = sign(CURRENT, ID, now(), BODY);
    let wrong = sign(OTHER, ID, now(), BODY);
    for several in [
        format!("{wrong} {good}"),
        format!("{good} {wrong}"),
        format!("v1a,c2lnbmF0dXJl  {good} "),
        format!("v2,x {wrong} {good} v1,x"),
    ] {
        assert!(check("itsm", &headers(ID, "1795251600", &several), BODY).is_ok(), "{several}");
    }
    for none in
        [wrong.clone(), format!("{wrong} {wrong}"), good[..good.len() - 1].to_owned(), format!("{good}=")]
    {
        assert_eq!(
            reason(check("itsm", &headers(ID, "1795251600", &none), BODY)),
            "signature-mismatch",
            "{none}"
        );
    }
    // The right bytes under another version's name are not a signature of ours.
    for odd in [
        good.replace("v1,", "v1a,"),
        good.replace("v1,", "V1,"),
        "v1,".into(),
        "v1".into(),
        good[3..].to_owned(),
        String::new(),
        ",".into(),
        format!(",{}", &good[3..]),
    ] {
        assert_eq!(reason(check("itsm", &headers(ID, "1795251600", &odd), BODY)), "header-invalid", "{odd}");
    }
}

#[test]
fn a_missing_or_repeated_header_is_refused() {
    for name in [HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE] {
        let mut missing = signed(BODY);
        missing.remove(name);
        assert_eq!(check("itsm", &missing, BODY).unwrap_err(), Unverified::HeaderMissing(name));
        let mut repeated = signed(BODY);
        let value = repeated.get(name).unwrap().clone();
        repeated.append(name, value.clone());
        assert_eq!(check("itsm", &repeated, BODY).unwrap_err(), Unverified::HeaderRepeated(name));
        // The same, as API Gateway and function URLs pass it on.
        let mut joined = signed(BODY);
        let text = value.to_str().unwrap();
        joined.insert(name, format!("{text},{text}").parse().unwrap());
        assert!(matches!(
            check("itsm", &joined, BODY).unwrap_err(),
            Unverified::HeaderRepeated(_) | Unverified::HeaderInvalid { .. }
        ));
        let mut not_ascii = signed(BODY);
        not_ascii.insert(name, HeaderValue::from_bytes(b"v1,\xff").unwrap());
        assert_eq!(reason(check("itsm", &not_ascii, BODY)), "header-invalid");
    }
}

#[test]
fn only_the_canonical_form_of_a_timestamp_is_read() {
    let signature = sign(CURRENT, ID, now(), BODY);
    for odd in [
        "+1795251600",
        "01795251600",
        "1795251600.0",
        "-1795251600",
        "1795251600 ",
        "0x6b0",
        "2026-11-21T09:00:00Z",
        "1795251600000",
        "99999999999999999999",
        "",
    ] {
        let result = check("itsm", &headers(ID, odd, &signature), BODY);
        let reason = reason(result);
        assert!(
            reason == "header-invalid" || (odd == "1795251600000" && reason == "in-future"),
            "{odd:?}: {reason}"
        );
    }
    assert_eq!(reason(check("itsm", &headers("", "1795251600", &signature), BODY)), "header-invalid");
    assert_eq!(reason(check("itsm", &headers("a b", "1795251600", &signature), BODY)), "header-invalid");
}

#[test]
fn age_is_limited_both_ways_to_the_second() {
    for (offset, expect) in [
        (0, None),
        (300, None),
        (-300, None),
        (301, Some("in-future")),
        (-301, Some("too-old")),
        (-400_000, Some("too-old")),
    ] {
        let sent_at = now() + SignedDuration::from_secs(offset);
        let headers = headers(ID, &sent_at.as_second().to_string(), &sign(CURRENT, ID, sent_at, BODY));
        assert_eq!(check("itsm", &headers, BODY).err().map(|error| error.reason()), expect, "{offset}");
    }
    let error = Unverified::TooOld { seconds: 412 }.to_string();
    assert!(error.contains("412 s in the past") && error.contains("300 s"), "{error}");
}

#[test]
fn a_caller_learns_nothing_about_sources_and_secrets() {
    let forged = headers(ID, "1795251600", &sign(OTHER, ID, now(), BODY));
    let wrong = check("itsm", &forged, BODY).unwrap_err();
    for unknown in ["nobody", "", "ITSM", "it/sm", "a\nb", "../itsm"] {
        let error = check(unknown, &forged, BODY).unwrap_err();
        assert_eq!(error.reason(), "unknown-source", "{unknown:?}");
        assert_eq!(error.to_string(), wrong.to_string());
    }
}

#[test]
fn an_empty_key_signs_nothing() {
    // What a library with an empty key would accept from anybody.
    let empty = standardwebhooks::Webhook::from_bytes(Vec::new()).unwrap();
    let signature = empty.sign(ID, now().as_second(), BODY.as_bytes()).unwrap();
    let by_nobody = headers(ID, "1795251600", &signature);
    assert_eq!(reason(check("itsm", &by_nobody, BODY)), "signature-mismatch");
    assert_eq!(reason(check("nobody", &by_nobody, BODY)), "unknown-source");
    assert!(Secrets::parse(r#"{"itsm":{"current":""}}"#, &Senders::default()).is_err());
}

proptest! {
    #[test]
    fn whatever_is_changed_after_signing_is_refused(at in 0..BODY.len(), to in any::<char>(), seconds in -300_i64..=300, tail in "[a-zA-Z0-9]{1,8}") {
        let mut body: Vec<char> = BODY.chars().collect();
        prop_assume!(body[at] != to);
        body[at] = to;
        let body: String = body.into_iter().collect();
        prop_assert_eq!(reason(check("itsm", &signed(BODY), &body)), "signature-mismatch");
        prop_assert_eq!(reason(check("itsm", &signed(BODY), &BODY[..at])), "signature-mismatch");

        let signature = sign(CURRENT, ID, now(), BODY);
        if seconds != 0 {
            let other_time = (now().as_second() + seconds).to_string();
            prop_assert_eq!(reason(check("itsm", &headers(ID, &other_time, &signature), BODY)), "signature-mismatch");
        }
        let other_id = format!("{ID}{tail}");
        prop_assert_eq!(reason(check("itsm", &headers(&other_id, "1795251600", &signature), BODY)), "signature-mismatch");
    }

    #[test]
    fn no_header_makes_it_panic(id in "\\PC{0,40}", timestamp in "[-+0-9a-z. ]{0,30}", signature in "[ -~]{0,200}") {
        let mut headers = HeaderMap::new();
        for (name, value) in [(HEADER_ID, id), (HEADER_TIMESTAMP, timestamp), (HEADER_SIGNATURE, signature)] {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name, value);
            }
        }
        prop_assert!(check("itsm", &headers, BODY).is_err());
    }
}
