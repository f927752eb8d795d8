//! What was called, and in which order: the calls as the wire saw them.
//!
//! The protocols: <https://smithy.io/2.0/aws/protocols/>.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, header};
use hyper::body::Bytes;

/// One AWS call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service, as signatures name it: `iam`, `dynamodb`.
    pub service: String,
    /// The operation, as AWS names it: `PutUserPolicy`.
    pub operation: String,
    /// What was sent.
    pub body: Bytes,
    /// Whether a rule made it go wrong.
    pub struck: bool,
    /// The status that was answered; none (yet), if there was no answer.
    pub status: Option<u16>,
    path: String,
    began: u64,
    ended: Option<u64>,
}

impl Call {
    /// Reads off a request what it calls.
    pub(super) fn read(method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> Self {
        let service = service_of(headers).unwrap_or_else(|| "unknown".to_owned());
        let operation =
            operation_of(method, path, headers, body).unwrap_or_else(|| format!("{method} {path}"));
        let (body, path) = (body.clone(), path.to_owned());
        Self { service, operation, body, struck: false, status: None, path, began: 0, ended: None }
    }

    /// Whether its path or its body names something.
    #[must_use]
    pub fn names(&self, text: &str) -> bool {
        self.path.contains(text) || String::from_utf8_lossy(&self.body).contains(text)
    }
}

/// The scope in `Authorization: AWS4-HMAC-SHA256 Credential=<key>/<day>/<region>/<service>/aws4_request, …`.
fn service_of(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, scope) = authorization.split_once("Credential=")?;
    scope.split(',').next()?.split('/').nth(3).map(str::to_owned)
}

fn operation_of(method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> Option<String> {
    // AWS JSON.
    if let Some(target) = headers.get("x-amz-target") {
        return target.to_str().ok()?.rsplit('.').next().map(str::to_owned);
    }
    // AWS Query.
    let form = std::str::from_utf8(body).ok()?;
    if let Some(action) = form.split('&').find_map(|field| field.strip_prefix("Action=")) {
        return Some(action.to_owned());
    }
    // REST JSON: of these services only Scheduler speaks it.
    path.strip_prefix("/schedules/")?;
    let operation = match *method {
        Method::POST => "CreateSchedule",
        Method::GET => "GetSchedule",
        Method::PUT => "UpdateSchedule",
        Method::DELETE => "DeleteSchedule",
        _ => return None,
    };
    Some(operation.to_owned())
}

/// The calls so far. Beginnings and ends are numbered together, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Log {
    moments: u64,
    taken: u64,
    calls: Vec<Call>,
}

/// A call of a log, also after others were taken out of it.
pub(super) struct Number(u64);

impl Log {
    fn moment(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }

    pub(super) fn begin(&mut self, mut call: Call) -> Number {
        call.began = self.moment();
        self.calls.push(call);
        Number(self.taken + self.calls.len() as u64 - 1)
    }

    pub(super) fn end(&mut self, number: Number, status: Option<u16>) {
        let moment = self.moment();
        let place = number.0.checked_sub(self.taken).and_then(|place| usize::try_from(place).ok());
        if let Some(call) = place.and_then(|place| self.calls.get_mut(place)) {
            call.ended = Some(moment);
            call.status = status;
        }
    }

    pub(super) fn take(&mut self) -> Calls {
        self.taken += self.calls.len() as u64;
        Calls(std::mem::take(&mut self.calls))
    }
}

/// Some calls, in the order in which they began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls(pub Vec<Call>);

impl Calls {
    /// The names of their operations.
    #[must_use]
    pub fn operations(&self) -> Vec<&str> {
        self.0.iter().map(|call| call.operation.as_str()).collect()
    }

    /// How many of them went wrong on purpose.
    #[must_use]
    pub fn struck(&self) -> usize {
        self.0.iter().filter(|call| call.struck).count()
    }

    /// The serial rounds they were made in: a call is in a later round than every call that had been answered before
    /// it was made, since it may have waited for it. Within a round by name.
    ///
    /// Two calls that could have gone side by side but happened not to overlap count as two rounds; where that
    /// matters, [`super::Fault::meet`] makes them meet.
    #[must_use]
    pub fn rounds(&self) -> Vec<Vec<&str>> {
        let mut depths: Vec<usize> = Vec::with_capacity(self.0.len());
        let mut rounds: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for call in &self.0 {
            let waited_for = self
                .0
                .iter()
                .zip(&depths)
                .filter(|(other, _)| other.ended.is_some_and(|end| end < call.began));
            let depth = waited_for.map(|(_, depth)| depth + 1).max().unwrap_or(0);
            depths.push(depth);
            rounds.entry(depth).or_default().push(&call.operation);
        }
        rounds
            .into_values()
            .map(|mut round| {
                round.sort_unstable();
                round
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, began: u64, ended: u64) -> Call {
        Call {
            service: String::new(),
            operation: operation.to_owned(),
            body: Bytes::new(),
            struck: false,
            status: Some(200),
            path: String::new(),
            began,
            ended: Some(ended),
        }
    }

    #[test]
    fn calls_that_overlap_are_one_round() {
        let calls = Calls(vec![call("a", 1, 2), call("c", 3, 6), call("b", 4, 5), call("d", 7, 8)]);
        assert_eq!(calls.rounds(), [vec!["a"], vec!["b", "c"], vec!["d"]]);
    }

    #[test]
    fn a_chain_beside_a_long_call_counts_its_own_length() {
        let calls = Calls(vec![call("long", 1, 8), call("x", 2, 3), call("y", 4, 5), call("z", 6, 7)]);
        assert_eq!(calls.rounds().len(), 3);
    }

    #[test]
    fn operations_are_read_in_each_protocol() {
        let mut json = HeaderMap::new();
        json.insert("x-amz-target", "DynamoDB_20120810.UpdateItem".parse().unwrap());
        json.insert(
            header::AUTHORIZATION,
            "AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host"
                .parse()
                .unwrap(),
        );
        let read = Call::read(&Method::POST, "/", &json, &Bytes::from_static(b"{}"));
        assert_eq!((read.service.as_str(), read.operation.as_str()), ("dynamodb", "UpdateItem"));
        let none = HeaderMap::new();
        let form = Bytes::from_static(b"Action=PutUserPolicy&Version=2010-05-08");
        assert_eq!(Call::read(&Method::POST, "/", &none, &form).operation, "PutUserPolicy");
        let rest = Call::read(&Method::DELETE, "/schedules/curfew-g-x", &none, &Bytes::new());
        assert_eq!((rest.service.as_str(), rest.operation.as_str()), ("unknown", "DeleteSchedule"));
        assert_eq!(Call::read(&Method::GET, "/x", &none, &Bytes::new()).operation, "GET /x");
    }

    #[test]
    fn an_end_finds_its_call_also_after_others_were_taken() {
        let mut log = Log::default();
        let first = log.begin(call("a", 0, 0));
        assert_eq!(log.take().0.len(), 1);
        let second = log.begin(Call { ended: None, ..call("b", 0, 0) });
        log.end(first, None);
        log.end(second, Some(204));
        let taken = log.take();
        assert_eq!(taken.0.first().and_then(|call| call.status), Some(204));
        assert!(taken.0.first().is_some_and(|call| call.ended.is_some()));
    }
}
