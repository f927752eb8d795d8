//! Lambda's Runtime API as far as a cold start sees it: hears requests and never answers, as if no event came.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::start::now;

/// The request by which a function asks for its next event.
pub(crate) const POLL: &str = "GET /2018-06-01/runtime/invocation/next ";

/// The most of a request's first line that is read.
const LINE_BYTES_MAX: u64 = 4096;

/// A request that was heard.
pub(crate) struct Heard {
    /// When its first line was there.
    pub(crate) at: Instant,
    /// Its first line.
    pub(crate) line: String,
}

/// Listens on the loopback interface as long as the bench runs.
pub(crate) struct Stub {
    address: SocketAddr,
    heard: Receiver<Heard>,
}

impl Stub {
    /// Takes a free port.
    pub(crate) fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (sender, heard) = mpsc::channel();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let sender = sender.clone();
                thread::spawn(move || hear(connection, &sender));
            }
        });
        Ok(Self { address, heard })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request, or nothing if none comes within `patience`.
    pub(crate) fn next(&self, patience: Duration) -> Option<Heard> {
        // The listening thread ends with the process only, so an error is the time that is up.
        self.heard.recv_timeout(patience).ok()
    }
}

/// Passes on the request that comes over `connection`, then holds the connection open until the other side is gone.
fn hear(connection: TcpStream, heard: &Sender<Heard>) {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    if reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        // The bench is over if nobody listens any more.
        drop(heard.send(Heard { at: now(), line: line.trim_end().to_owned() }));
        drop(io::copy(&mut reader, &mut io::sink()));
    }
}
