//! One HTTP request and its reply: the only file that speaks HTTP.
//!
//! Every read has its limit of time, the body one of octets: what is longer is cut off, and its
//! connection closed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, header, request, response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};

use super::connection::{Connector, Destination, Trouble};
use super::pool::{Pool, PoolKey, Sender};
use super::reply::FailureKind;

/// What a request is waiting for, as it is told when the budget is spent.
#[derive(Debug, Default)]
pub(super) struct Doing(AtomicU8);

impl Doing {
    fn is(&self, step: usize) {
        self.0.store(step as u8, Ordering::Relaxed);
    }

    pub(super) fn words(&self) -> &'static str {
        let step = usize::from(self.0.load(Ordering::Relaxed));
        STEPS.get(step).copied().unwrap_or(STEPS[PAUSE])
    }

    pub(super) fn pausing(&self) {
        self.is(PAUSE);
    }
}

const PAUSE: usize = 0;
const CONNECT: usize = 1;
const HEAD: usize = 2;
const BODY: usize = 3;
const STEPS: [&str; 4] = [
    "it was about to be tried again",
    "a connection was waited for",
    "the reply was waited for",
    "the reply was being read",
];

/// How a request is carried out.
pub(super) struct Exchange<'a> {
    pub(super) connector: &'a Connector,
    pub(super) pool: &'a Mutex<Pool>,
    pub(super) key: PoolKey,
    pub(super) destination: Destination<'a>,
    /// How long the endpoint may be silent.
    pub(super) read: Duration,
    /// Octets of the longest body.
    pub(super) limit: usize,
    /// Whether a longer one is cut off there instead of refused: nobody reads it.
    pub(super) cuts: bool,
    pub(super) doing: &'a Doing,
}

impl Exchange<'_> {
    /// Sends a request and reads the whole reply.
    pub(super) async fn run(
        &self,
        parts: &request::Parts,
        body: &Bytes,
    ) -> Result<(response::Parts, Bytes), Trouble> {
        let resting = self.pool().take(&self.key, Instant::now());
        if let Some(sender) = resting {
            match self.send(sender, parts, body).await {
                // It was closed just as it was taken: every request has a token, so that one that
                // did arrive is known when it comes again.
                Err((_, Fate::Unheard)) => {}
                Err((trouble, Fate::Heard)) => return Err(trouble),
                Ok(done) => return Ok(done),
            }
        }
        self.doing.is(CONNECT);
        let stream = self.connector.connect(&self.destination).await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(LONGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        tokio::spawn(async move {
            // Whoever waits for a reply hears of it.
            let _ = connection.await;
        });
        let sent = self.send(sender, parts, body).await;
        sent.map_err(|(trouble, _)| trouble)
    }

    async fn send(
        &self,
        mut sender: Sender,
        parts: &request::Parts,
        body: &Bytes,
    ) -> Result<(response::Parts, Bytes), (Trouble, Fate)> {
        self.doing.is(HEAD);
        let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
        let response = match timeout(self.read, sender.send_request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err((broken(&error), Fate::Unheard)),
            Err(_) => {
                let words = format!("no reply within {:?}", self.read);
                return Err(((FailureKind::ReadTimeout, words), Fate::Heard));
            }
        };
        self.doing.is(BODY);
        let (head, incoming) = response.into_parts();
        let read = self.read_body(&head, incoming).await;
        let (body, is_whole) = read.map_err(|trouble| (trouble, Fate::Heard))?;
        if is_whole {
            self.pool().put(self.key.clone(), sender, Instant::now());
        }
        Ok((head, body))
    }

    /// The body, and whether it is all of it.
    async fn read_body(
        &self,
        head: &response::Parts,
        mut incoming: Incoming,
    ) -> Result<(Bytes, bool), Trouble> {
        let too_large = || {
            let words = format!("the reply is longer than {} octets", self.limit);
            (FailureKind::TooLarge, words)
        };
        if incoming.size_hint().lower() > self.limit as u64 {
            return match self.cuts {
                true => Ok((Bytes::new(), false)),
                false => Err(too_large()),
            };
        }
        let mut body = BytesMut::new();
        loop {
            let frame = match timeout(self.read, incoming.frame()).await {
                Ok(None) => break,
                Ok(Some(frame)) => frame.map_err(|error| broken(&error))?,
                Err(_) => {
                    let words = format!("the reply fell silent for {:?}", self.read);
                    return Err((FailureKind::ReadTimeout, words));
                }
            };
            let Some(data) = frame.data_ref() else {
                continue;
            };
            if body.len() + data.len() > self.limit {
                return match self.cuts {
                    true => Ok((body.freeze(), false)),
                    false => Err(too_large()),
                };
            }
            body.extend_from_slice(data);
        }
        match head.headers.get(header::CONTENT_ENCODING) {
            Some(coding) if coding != "identity" && !body.is_empty() && !self.cuts => {
                let words = "the reply is compressed, which was not asked for".to_owned();
                Err((FailureKind::BadContent, words))
            }
            _ => Ok((body.freeze(), true)),
        }
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        let pool = self.pool.lock();
        pool.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether a failed request may have been heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Heard,
    /// Nothing at all came back.
    Unheard,
}

fn broken(error: &hyper::Error) -> Trouble {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        // A server that wants a certificate says so after the handshake (RFC 8446 §4.4.2.4).
        let io = cause.downcast_ref::<std::io::Error>();
        let inner = io.and_then(std::io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<TlsError>()) {
            return (FailureKind::Tls, format!("TLS: {tls}"));
        }
        source = cause.source();
    }
    if error.is_parse_too_large() {
        return (
            FailureKind::TooLarge,
            "the reply's head is too long".to_owned(),
        );
    }
    if error.is_parse() {
        return (FailureKind::BrokenOff, "what came is no HTTP".to_owned());
    }
    (
        FailureKind::BrokenOff,
        "the connection broke off".to_owned(),
    )
}

type TlsError = tokio_rustls::rustls::Error;

/// Octets of a reply's head.
const LONGEST_HEAD: usize = 64 << 10;
/// Lines of a reply's head.
const MOST_HEADERS: usize = 100;
