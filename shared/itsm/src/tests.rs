//! Tests against a small server on the loopback interface.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use curfew_intake::ApiCredential;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::{Client, ItsmError, MAX_ANSWER_BYTES};

/// Long enough for a loopback call on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server was asked.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    authorization: Option<String>,
    content_type: Option<String>,
    body: String,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// Serves one connection after the other, each with the same answer.
async fn serve(
    answer: impl Fn() -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
) -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let log = Log::default();
    let asked = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, asked) = (answer.clone(), asked.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let (answer, asked) = (answer.clone(), asked.clone());
                async move {
                    let header = |name: &str| {
                        request.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
                    };
                    let (authorization, content_type) = (header("authorization"), header("content-type"));
                    let line = format!("{} {}", request.method(), request.uri());
                    let bytes = request.into_body().collect().await.unwrap().to_bytes();
                    let body = String::from_utf8(bytes.to_vec()).unwrap();
                    asked.lock().unwrap().push(Asked { line, authorization, content_type, body });
                    Ok::<_, Infallible>(answer())
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (address, log)
}

fn answer(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

fn basic() -> ApiCredential {
    ApiCredential::Basic { user: "bot@example.com".to_owned(), token: "hidden-token".to_owned() }
}

/// An error tells nothing that is secret, whatever it is.
fn checked(error: ItsmError) -> ItsmError {
    let told = format!("{error} {error:?}");
    for secret in ["hidden", "SECRET", "aGlkZGVu", "Ym90QG", "hide-me"] {
        assert!(!told.contains(secret), "{told}");
    }
    error
}

async fn error_of(address: SocketAddr, credential: Option<&ApiCredential>) -> ItsmError {
    let url = format!("http://{address}/hide-me?x=hide-me");
    checked(Client::new().get(&url, credential, PATIENCE).await.unwrap_err())
}

#[tokio::test]
async fn an_answer_is_the_text_that_was_sent() {
    let (address, log) = serve(|| answer(200, r#"{"values":["ü"]}"#)).await;
    let client = Client::new();
    let url = format!("http://{address}/rest/x?start=0&limit=100");
    let bearer = ApiCredential::Bearer { token: "hidden-token".to_owned() };
    for credential in [None, Some(basic()), Some(bearer)] {
        let text = client.get(&url, credential.as_ref(), PATIENCE).await.unwrap();
        assert_eq!(text, r#"{"values":["ü"]}"#);
    }
    let asked = log.lock().unwrap().clone();
    assert!(asked.iter().all(|asked| asked.line == "GET /rest/x?start=0&limit=100" && asked.body.is_empty()));
    let shown: Vec<Option<&str>> = asked.iter().map(|asked| asked.authorization.as_deref()).collect();
    // base64 of `bot@example.com:hidden-token`, by python3's base64.
    let basic = "Basic Ym90QGV4YW1wbGUuY29tOmhpZGRlbi10b2tlbg==";
    assert_eq!(shown, [None, Some(basic), Some("Bearer hidden-token")]);
}

#[tokio::test]
async fn a_status_says_what_to_do() {
    for (status, reason, retryable, told) in [
        (401, "refused", false, "may have expired"),
        (403, "refused", false, "may not see this"),
        (404, "refused", false, "it is not there"),
        (400, "unexpected-status", false, "400"),
        (204, "unexpected-status", false, "204"),
        (429, "throttled", true, "more calls than it allows"),
        (500, "unavailable", true, "not available now"),
        (503, "unavailable", true, "not available now"),
    ] {
        let (address, _) = serve(move || answer(status, "SECRET")).await;
        let error = error_of(address, Some(&basic())).await;
        assert_eq!((error.reason(), error.is_retryable()), (reason, retryable), "{status}");
        assert!(error.to_string().contains(told), "{status}: {error}");
        assert!(error.to_string().contains(&format!("`{address}`")), "{error}");
    }
    for status in [401, 403, 404] {
        let (address, _) = serve(move || answer(status, "SECRET")).await;
        let error = error_of(address, None).await.to_string();
        assert!(error.contains("no credential was shown"), "{status}: {error}");
    }
}

#[tokio::test]
async fn how_long_to_wait_is_told_if_it_is_a_number() {
    for (header, wait) in [
        ("7", Some(Duration::from_secs(7))),
        ("99999999999", Some(Duration::from_secs(86_400))),
        ("-1", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ] {
        let (address, _) = serve(move || {
            let mut answer = answer(429, "");
            answer.headers_mut().insert("retry-after", header.parse().unwrap());
            answer
        })
        .await;
        assert_eq!(error_of(address, None).await.retry_after(), wait, "{header}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, log) = serve(|| answer(200, "{}")).await;
    for status in [301, 302, 303, 307, 308] {
        let (address, _) = serve(move || {
            let mut answer = answer(status, "");
            let location = format!("http://{elsewhere}/SECRET").parse().unwrap();
            answer.headers_mut().insert("location", location);
            answer
        })
        .await;
        let error = error_of(address, Some(&basic())).await;
        assert_eq!(error.reason(), "unexpected-status", "{status}: {error}");
    }
    assert!(log.lock().unwrap().is_empty(), "somebody else was shown the credential");
}

#[tokio::test]
async fn an_answer_is_bounded_and_text() {
    let (address, _) = serve(|| answer(200, vec![b'a'; MAX_ANSWER_BYTES])).await;
    let url = format!("http://{address}/");
    assert_eq!(Client::new().get(&url, None, PATIENCE).await.unwrap().len(), MAX_ANSWER_BYTES);

    let (address, _) = serve(|| answer(200, vec![b'a'; MAX_ANSWER_BYTES + 1])).await;
    assert_eq!(error_of(address, None).await.reason(), "too-large");

    let (address, _) = serve(|| answer(200, vec![b'{', 0xff, b'}'])).await;
    assert_eq!(error_of(address, None).await.reason(), "not-text");
}

/// Reads a request's head and writes `reply`; then closes the connection, or holds it until it is told.
async fn raw(reply: &'static [u8], hold: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte).await {
                    Ok(1) => head.extend(byte),
                    _ => break,
                }
            }
            let _ = stream.write_all(reply).await;
            if hold {
                held.push(stream);
            }
        }
    });
    address
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    // Chunks of 65,536 bytes, one after the other.
    const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x1_0000));
    let reply = format!("{HEAD}{}", chunk.repeat(5)).into_bytes().leak();
    let address = raw(reply, true).await;
    assert_eq!(error_of(address, None).await.reason(), "too-large");
}

#[tokio::test]
async fn whoever_is_slow_is_given_up() {
    let replies: [&'static [u8]; 3] =
        [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"];
    for reply in replies {
        let address = raw(reply, true).await;
        let within = Duration::from_millis(50);
        let error =
            Client::new().get(&format!("http://{address}/"), Some(&basic()), within).await.unwrap_err();
        assert_eq!(checked(error), ItsmError::TimedOut { host: address.to_string(), within });
    }
}

#[tokio::test]
async fn whoever_breaks_off_was_not_reached() {
    let replies: [&'static [u8]; 4] = [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ];
    for reply in replies {
        let address = raw(reply, false).await;
        let error = error_of(address, Some(&basic())).await;
        assert_eq!((error.reason(), error.is_retryable()), ("unreachable", true), "{error}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = error_of(address, Some(&basic())).await;
    assert_eq!((error.reason(), error.is_retryable()), ("unreachable", true), "{error}");
}

#[tokio::test]
async fn a_credential_is_shown_to_nobody_without_tls() {
    let (address, log) = serve(|| answer(200, "{}")).await;
    let url = format!("https://{address}/hide-me");
    let error = checked(Client::new().get(&url, Some(&basic()), PATIENCE).await.unwrap_err());
    // Where the machine has no root certificates, nobody is called at all.
    assert!(["unreachable", "no-trust"].contains(&error.reason()), "{error}");
    let error = Client::new().get("http://example.com/", Some(&basic()), PATIENCE).await.unwrap_err();
    assert_eq!(error.reason(), "address");
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_credential_that_breaks_a_header_is_not_sent() {
    let (address, log) = serve(|| answer(200, "{}")).await;
    let broken = ApiCredential::Bearer { token: "hidden\r\nx: y".to_owned() };
    assert_eq!(error_of(address, Some(&broken)).await.reason(), "credential");
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn slack_is_told_without_a_credential() {
    let (address, log) = serve(|| answer(200, "ok")).await;
    let url = format!("http://{address}/actions/T1/2/3");
    Client::new().post_json(&url, r#"{"text":"ü"}"#, PATIENCE).await.unwrap();
    let asked = log.lock().unwrap().pop().unwrap();
    assert_eq!(asked.line, "POST /actions/T1/2/3");
    assert_eq!(asked.body, r#"{"text":"ü"}"#);
    assert_eq!(asked.content_type.as_deref(), Some("application/json; charset=utf-8"));
    assert_eq!(asked.authorization, None);

    for (status, reason) in [(404, "unexpected-status"), (410, "unexpected-status"), (500, "unavailable")] {
        let (address, _) = serve(move || answer(status, "used_url")).await;
        let url = format!("http://{address}/hide-me");
        let error = checked(Client::new().post_json(&url, "{}", PATIENCE).await.unwrap_err());
        assert_eq!(error.reason(), reason);
    }
    let error = Client::new().post_json("https://example.com/", "{}", PATIENCE).await.unwrap_err();
    assert_eq!(error.reason(), "address");
}

#[test]
fn a_client_is_not_shown() {
    assert_eq!(format!("{:?}", Client::new()), "Client");
}
