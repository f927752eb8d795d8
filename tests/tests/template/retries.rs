//! Retry discipline: `infra/template.yaml` is set to the numbers of `curfew_domain::retry`, and `docs/retries.md` is
//! made of them. Whatever the page says that an operator sees is looked up: in the functions' sources, their metrics,
//! the template's alarms and the events.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use curfew_domain::retry::{self, Retrier, Trouble};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::document::{resources, template};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seconds(value: &Value) -> SignedDuration {
    SignedDuration::from_secs(value.as_i64().unwrap_or_else(|| panic!("{value} is not a number of seconds")))
}

#[test]
fn the_template_is_set_to_the_numbers_of_the_code() {
    let template = template("template.yaml");
    let function = |name: &str| template["Resources"][name]["Properties"].clone();
    let (grant, revoke, sweep) =
        (function("GrantFunction"), function("RevokeFunction"), function("SweepFunction"));
    for (function, timeout) in
        [(&grant, retry::GRANT_TIMEOUT), (&revoke, retry::REVOKE_TIMEOUT), (&sweep, retry::SWEEP_TIMEOUT)]
    {
        assert_eq!(seconds(&function["Timeout"]), timeout, "{function}");
    }
    let api = grant["Events"]["Webhook"]["Properties"]["TimeoutInMillis"].as_i64().expect("a time limit");
    assert_eq!(SignedDuration::from_millis(api), retry::API_TIMEOUT);
    let every = format!("rate({} minute)", retry::SWEEP_EVERY.as_mins());
    assert_eq!(sweep["Events"]["EveryMinute"]["Properties"]["Schedule"], every);

    for (function, retries, age) in [
        (&revoke, retry::TIMER_INVOCATION_RETRIES, retry::TIMER_INVOCATION_AGE),
        (&sweep, retry::SWEEP_INVOCATION_RETRIES, retry::SWEEP_INVOCATION_AGE),
    ] {
        let invoked = &function["EventInvokeConfig"];
        assert_eq!(invoked["MaximumRetryAttempts"], retries, "{invoked}");
        assert_eq!(seconds(&invoked["MaximumEventAgeInSeconds"]), age, "{invoked}");
        // What is given up is kept, and somebody is told.
        let failed = &invoked["DestinationConfig"]["OnFailure"];
        assert_eq!(failed["Destination"], json!({ "Fn::GetAtt": "FailedInvocations.Arn" }), "{invoked}");
    }
    // API Gateway waits for its answer, so Lambda never tries a webhook again: the sender does.
    assert!(grant["EventInvokeConfig"].is_null());
}

/// A timer's own policy is in each timer (`shared/aws`); the queue for what it gives up is given to the function.
#[test]
fn what_timers_give_up_is_kept_and_told() {
    let template = template("template.yaml");
    let variables = &template["Resources"]["GrantFunction"]["Properties"]["Environment"]["Variables"];
    assert_eq!(variables["CURFEW_TIMER_DLQ_ARN"], json!({ "Fn::GetAtt": "TimerDeadLetters.Arn" }));
    for (alarm, queue) in
        [("TimersUndelivered", "TimerDeadLetters"), ("InvocationsFailed", "FailedInvocations")]
    {
        let alarm = &template["Resources"][alarm]["Properties"];
        let watched = json!({ "Fn::GetAtt": format!("{queue}.QueueName") });
        assert_eq!(alarm["MetricName"], "ApproximateNumberOfMessagesVisible");
        assert_eq!(alarm["Dimensions"][0]["Value"], watched);
        assert_eq!(
            (&alarm["Threshold"], &alarm["EvaluationPeriods"]),
            (&json!(0), &json!(1)),
            "at the first"
        );
    }
    // Delivery attempts outlast the longest window by far less than the queue keeps what failed.
    let kept = seconds(&template["Resources"]["TimerDeadLetters"]["Properties"]["MessageRetentionPeriod"]);
    assert!(kept > retry::TIMER_DELIVERY_AGE);
}

/// What an operator sees of a failure.
enum Seen {
    /// A reply's code and status.
    Reply(&'static str),
    /// A part of a log's message.
    Log(&'static str),
    /// A metric.
    Metric(&'static str),
    /// An alarm of the template.
    Alarm(&'static str),
    /// An event of the grant's record.
    Event(&'static str),
    /// In words.
    Words(&'static str),
}

use Seen::{Alarm, Event, Log, Metric, Reply, Words};

struct Row {
    what: &'static str,
    seen: &'static [Seen],
}

fn row(trouble: Trouble) -> Row {
    let (what, seen): (_, &'static [Seen]) = match trouble {
        Trouble::WebhookUnanswered => (
            "A webhook was not answered, or with 5xx",
            &[Words("the sender's own log"), Alarm("WebhooksUnanswered"), Alarm("FunctionUrlUnanswered")],
        ),
        Trouble::SecretUnavailable => (
            "Secrets Manager throttles, fails or refuses",
            &[
                Log("the webhook secret could not be fetched again; the last one is served on"),
                Log("the webhook secrets could not be fetched"),
                Reply("try-again"),
                Alarm("WebhooksUnanswered"),
            ],
        ),
        Trouble::LedgerBusy => (
            "DynamoDB throttles, or another write was on the same item",
            &[Words("nothing, unless all tries are used up: then as *DynamoDB is down*")],
        ),
        Trouble::LedgerDown => (
            "DynamoDB does not answer, fails or refuses",
            &[
                Log("the ledger could not"),
                Reply("try-again"),
                Reply("ledger-failed"),
                Log("the sweep could not find out what is due"),
                Alarm("WebhooksUnanswered"),
                Alarm("InvocationsFailed"),
            ],
        ),
        Trouble::OpeningThrottled => (
            "IAM, STS or Scheduler throttles an opening or a change",
            &[Reply("try-again"), Event("OpeningFailed"), Alarm("WebhooksUnanswered")],
        ),
        Trouble::OpeningUnanswered => (
            "A call of an opening or a change times out or breaks off",
            &[
                Reply("try-again"),
                Event("OpeningFailed"),
                Words("the removal proves nothing before the lease is over: `closing` for so long"),
                Alarm("WebhooksUnanswered"),
            ],
        ),
        Trouble::OpeningRefused => (
            "AWS refuses an opening for good, or does not permit it",
            &[
                Reply("refused-by-aws"),
                Reply("not-permitted"),
                Metric("OpeningFailures"),
                Event("OpeningFailed"),
            ],
        ),
        Trouble::TimerNotSet => (
            "The timer can't be set",
            &[
                Words("access is taken back"),
                Reply("try-again"),
                Event("OpeningFailed"),
                Alarm("WebhooksUnanswered"),
            ],
        ),
        Trouble::OpeningKilled => (
            "The function that opened or changed a grant was killed",
            &[
                Words("Lambda's own line `Task timed out` or `signal: killed`"),
                Alarm("WebhooksUnanswered"),
                Log("its opening did not finish within its lease"),
                Log("the sweep closed"),
            ],
        ),
        Trouble::TimerUnpunctual => (
            "A timer comes early, late, twice or never",
            &[
                Log("this timer came early and changed nothing"),
                Metric("RevocationLagSeconds"),
                Log("the sweep closed"),
            ],
        ),
        Trouble::TimerUndelivered => (
            "A timer can't be delivered",
            &[Words("queue `TimerDeadLetters`"), Alarm("TimersUndelivered"), Log("the sweep closed")],
        ),
        Trouble::ExpiryKilled => (
            "The function that a timer called is killed or fails",
            &[
                Words("queue `FailedInvocations`, after the last try"),
                Alarm("InvocationsFailed"),
                Log("the sweep closed"),
            ],
        ),
        Trouble::RevocationKilled => (
            "A revocation by an operator is cut short",
            &[
                Words("the operator gets no answer, or one whose `errorType` is `Retryable`"),
                Log("it is not known whether the removal of grant"),
                Metric("RevocationFailures"),
            ],
        ),
        Trouble::TicketClosingKilled => (
            "The closing of a ticket is cut short",
            &[
                Reply("removal-not-begun"),
                Alarm("WebhooksUnanswered"),
                Log("the sweep began to end what was left of"),
            ],
        ),
        Trouble::RemovalThrottled => (
            "IAM, STS or Scheduler throttles a removal",
            &[
                Log("AWS is asked too often to finish"),
                Metric("SweepBacklog"),
                Alarm("GrantsOverdue"),
                Words("no `RevocationFailed`, and no longer pause: nothing is wrong with this grant"),
            ],
        ),
        Trouble::RemovalFailed => (
            "A removal times out, breaks off, is refused or not permitted",
            &[
                Event("RevocationFailed"),
                Log("AWS did not confirm it yet"),
                Log("the sweep could not finish"),
                Metric("RevocationFailures"),
                Metric("OldestUnprovenSeconds"),
                Alarm("AccessNotRemoved"),
                Alarm("RemovalUnproven"),
            ],
        ),
        Trouble::LapLost => (
            "A lap of the sweep is killed, fails or does not begin",
            &[Alarm("InvocationsFailed"), Alarm("SweepSilent"), Alarm("GrantsOverdue")],
        ),
        Trouble::Poison => (
            "Something that is due can't be read",
            &[
                Log("the sweep could not finish"),
                Log("a due item is unreadable"),
                Metric("RevocationFailures"),
                Alarm("AccessNotRemoved"),
                Alarm("RemovalUnproven"),
                Words(
                    "each minute until somebody has put the item right; all others are worked on meanwhile",
                ),
            ],
        ),
        Trouble::DriftUnchecked => (
            "An account can't be compared with the ledger",
            &[Metric("DriftUnchecked"), Alarm("DriftUnchecked")],
        ),
        Trouble::RecordNotDelivered => (
            "The ledger, the archive or the bus does not take part in carrying an event on",
            &[
                Log("records were not delivered and have to come again"),
                Metric("DeliveryFailures"),
                Alarm("ArchiveBehind"),
                Words("at last, queue `FailedInvocations`"),
                Alarm("InvocationsFailed"),
            ],
        ),
        Trouble::RecordUnreadable => (
            "An event can't be read, or is refused for what it is",
            &[
                Log("records that can't be delivered are in the queue of unreadable records"),
                Metric("RecordsSetAside"),
                Alarm("RecordsUnreadable"),
            ],
        ),
        Trouble::CheckpointMissed => (
            "The archive can't be sealed",
            &[
                Log("the archive could not be sealed"),
                Metric("CheckpointAgeSeconds"),
                Alarm("CheckpointsMissing"),
                Alarm("InvocationsFailed"),
            ],
        ),
    };
    Row { what, seen }
}

/// A duration as people say it.
fn said(duration: SignedDuration) -> String {
    match duration.as_secs() {
        seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn who(retrier: Retrier) -> (&'static str, String) {
    let sdk = |tries: u32, backoff: std::time::Duration| {
        format!(
            "{tries} tries, each {} s at most, in {} s altogether and never beyond its invocation; first pause up to \
             {} ms, doubling",
            retry::ATTEMPT_TIMEOUT.as_secs(),
            retry::CALL_TIMEOUT.as_secs(),
            backoff.as_millis()
        )
    };
    match retrier {
        Retrier::Sdk => ("the AWS SDK", sdk(retry::CALL_TRIES, retry::CALL_BACKOFF)),
        Retrier::LedgerSdk => {
            ("the SDK's client of DynamoDB", sdk(retry::LEDGER_CALL_TRIES, retry::LEDGER_CALL_BACKOFF))
        }
        Retrier::Invocation => {
            ("the invocation", format!("from what the ledger says by now, {} rounds", retry::ROUNDS_MAX))
        }
        Retrier::Sender => (
            "the sender",
            format!(
                "told 503 and `retry-after: {}`; as often as it likes, but an approval that failed before it took \
                 effect is tried {} times at most",
                retry::SENDER_RETRY_AFTER.as_secs(),
                retry::OPENING_TRIES_MAX
            ),
        ),
        Retrier::TimerService => (
            "EventBridge",
            format!(
                "{} tries in {}, then the queue `TimerDeadLetters`",
                retry::TIMER_DELIVERY_TRIES,
                said(retry::TIMER_DELIVERY_AGE)
            ),
        ),
        Retrier::Lambda => (
            "Lambda",
            format!(
                "timers: {} more tries, after one minute and two, within {}; checkpoints: {}, within {}; then the queue \
                 `FailedInvocations`",
                retry::TIMER_INVOCATION_RETRIES,
                said(retry::TIMER_INVOCATION_AGE),
                retry::CHECKPOINT_INVOCATION_RETRIES,
                said(retry::CHECKPOINT_INVOCATION_AGE)
            ),
        ),
        Retrier::Stream => (
            "the stream",
            format!(
                "hands over again what was not delivered, for {}; then the queue `FailedInvocations`",
                said(retry::STREAM_RECORD_AGE)
            ),
        ),
        Retrier::NextCheckpoint => (
            "the next checkpoint",
            format!("every {}: it goes on where the last seal ended", said(retry::CHECKPOINT_EVERY)),
        ),
        Retrier::NextLap => (
            "the next lap",
            format!(
                "every {} the sweep looks at what is due, up to {} items; what somebody else has begun, {} later. Never \
                 gives up",
                said(retry::SWEEP_EVERY),
                retry::LAP_LIMIT,
                said(retry::CLOSER_HEADSTART)
            ),
        ),
        Retrier::SweepWithPauses => (
            "the sweep, with pauses",
            format!(
                "as the next lap, but {} after the first failure, doubling up to {}. Never gives up",
                said(retry::RETRY_PAUSE_FIRST),
                said(retry::RETRY_PAUSE_MAX)
            ),
        ),
        Retrier::Operator => ("a person", "once the cause is put right".to_owned()),
    }
}

const RETRIERS: [Retrier; 11] = [
    Retrier::Sdk,
    Retrier::LedgerSdk,
    Retrier::Invocation,
    Retrier::Sender,
    Retrier::TimerService,
    Retrier::Lambda,
    Retrier::NextLap,
    Retrier::SweepWithPauses,
    Retrier::Stream,
    Retrier::NextCheckpoint,
    Retrier::Operator,
];

fn page() -> String {
    let mut page = "\
<!-- Made by the tests from shared/domain/src/retry.rs. Don't edit it by hand:
     CURFEW_UPDATE_DOCS=1 cargo test -p curfew-tests --test template retries -->

# Who tries what again

What can fail, who tries it again, how often and for how long, and what an operator sees of it. The numbers are those of
`shared/domain/src/retry.rs`; functions and adapters take theirs from there, and tests hold the template to them.

Nobody waits in an invocation for what may take longer than the invocation: whoever comes next goes on from the ledger.
Everybody gives up some day, but for the sweep: as long as a grant owes work it is in the index of what is due. And
whoever fails, *inline* access ends by the dates in its policy.

## Who

| who | how often, how long |
|---|---|
"
    .to_owned();
    for retrier in RETRIERS {
        let (name, bounds) = who(retrier);
        writeln!(page, "| {name} | {bounds} |").unwrap();
    }
    page.push_str(
        "
## What

*Who tries again* is in the order in which they come to it. What an operator does about an alarm is in its
[runbook](runbooks/README.md).

| failure | who tries again | what an operator sees |
|---|---|---|
",
    );
    for trouble in Trouble::ALL {
        let Row { what, seen } = row(trouble);
        let retriers: Vec<&str> = trouble.retried_by().iter().map(|retrier| who(*retrier).0).collect();
        let seen: Vec<String> = seen
            .iter()
            .map(|seen| match seen {
                Reply(code) => format!("reply `{code}`"),
                Log(message) => format!("log *{message} …*"),
                Metric(name) => format!("metric `{name}`"),
                Alarm(name) => format!("**{name}**"),
                Event(name) => format!("event `{name}`"),
                Words(words) => (*words).to_owned(),
            })
            .collect();
        writeln!(page, "| {what} | {} | {} |", retriers.join(", then "), seen.join("; ")).unwrap();
    }
    let limits = [
        ("the grant function", retry::GRANT_TIMEOUT),
        ("the HTTP API's patience with it", retry::API_TIMEOUT),
        ("the revoke function", retry::REVOKE_TIMEOUT),
        ("a lap of the sweep", retry::SWEEP_TIMEOUT),
        ("the audit function", retry::AUDIT_TIMEOUT),
        ("no more work is begun, before an invocation's end", retry::WIND_DOWN),
        ("calls of AWS are given up, before it", retry::CALL_MARGIN),
        ("the caller is answered, before it", retry::ANSWER_MARGIN),
        ("a request may still land, after it: the rest of a lease", retry::LEASE_GRACE),
        ("a closed ticket is the sweep's, after its webhook", retry::TICKET_DUE_AFTER),
        ("a webhook secret that can't be fetched is served on", retry::SECRET_SERVED_FOR),
        ("what was just archived is left to the next checkpoint", retry::CHECKPOINT_MARGIN),
    ];
    page.push_str("\n## Time limits\n\n| what | how long |\n|---|---|\n");
    for (what, limit) in limits {
        writeln!(page, "| {what} | {} |", said(limit)).unwrap();
    }
    writeln!(
        page,
        "\nAn account whose IAM answers \"too often\" {} times in a row is left alone until the next lap.",
        retry::LAP_THROTTLES_MAX
    )
    .unwrap();
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "asks whoever runs the tests whether to write the page anew")]
fn the_documented_discipline_is_that_of_the_code() {
    let path = root().join("docs/retries.md");
    let made = page();
    if std::env::var_os("CURFEW_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = made.lines().zip(documented.lines().chain(std::iter::repeat(""))).find(|(a, b)| a != b);
    assert!(
        made == documented,
        "docs/retries.md is not what the code does. If the change is meant, write the page anew with\n\
         `CURFEW_UPDATE_DOCS=1 cargo test -p curfew-tests --test template retries` and read the difference.\n\
         First difference, code and page: {differing:#?}"
    );
}

/// The text of all sources, without their tests, each line's end and the escapes of continued strings taken out.
fn sources() -> String {
    fn read(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                read(&path, text);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                text.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut text = String::new();
    for folder in ["functions", "shared/app/src", "shared/aws/src", "shared/runtime/src", "shared/domain/src"]
    {
        read(&root().join(folder), &mut text);
    }
    let continued = text.split("\\\n").map(str::trim_start).collect::<String>();
    assert!(continued.len() > 100_000, "the rule looks at nothing");
    continued
}

#[test]
fn what_an_operator_is_said_to_see_is_there_to_be_seen() {
    let (template, sources) = (template("template.yaml"), sources());
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    let runbooks = std::fs::read_to_string(root().join("docs/runbooks/README.md")).unwrap();
    for trouble in Trouble::ALL {
        let Row { what, seen } = row(trouble);
        assert!(!seen.is_empty(), "{what}");
        for seen in seen {
            match seen {
                Reply(code) | Metric(code) | Event(code) => {
                    assert!(sources.contains(&format!("\"{code}\"")), "{what}: there is no {code}");
                }
                Log(message) => assert!(sources.contains(message), "{what}: nobody logs: {message}"),
                Alarm(name) => {
                    assert!(
                        alarms.iter().any(|(alarm, _)| alarm == name),
                        "{what}: there is no alarm {name}"
                    );
                    // And a page says what to do.
                    assert!(runbooks.contains(&format!("| {name} |")), "{what}: what to do about {name}?");
                }
                Words(words) => assert!(!words.is_empty()),
            }
        }
    }
}
