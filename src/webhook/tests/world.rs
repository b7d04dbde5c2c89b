//! A web without sockets: names, addresses and servers are the test's, time is tokio's and turned
//! by it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use crate::base::{Clock, Entropy, Timestamp};
use crate::webhook::connection::{Connector, Dial, Names, Promise, Stream};
use crate::webhook::{
    AddressRule, Ask, Content, DeadLetter, Endpoint, Expects, Failure, Method, NoticeTerms, Reply,
    Settings, Shelf, ShelfError, Target, Terms, To, Web,
};

/// Tokio's time as switch time.
pub(super) struct Turned(Instant);

impl Turned {
    /// Time as it passes, or as it is turned.
    pub(super) fn real() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000) + self.0.elapsed()
    }
}

/// What one server does with one connection.
type Script = Arc<dyn Fn(DuplexStream) -> Promise<'static, ()> + Send + Sync>;

/// Names, and who answers at which address.
#[derive(Clone, Default)]
pub(super) struct World {
    names: Arc<Mutex<HashMap<String, Vec<Vec<IpAddr>>>>>,
    servers: Arc<Mutex<HashMap<SocketAddr, Script>>>,
    /// Connections that were tried.
    pub(super) dialled: Arc<Mutex<Vec<SocketAddr>>>,
    /// Requests as they were heard, head and body.
    pub(super) heard: Arc<Mutex<Vec<String>>>,
    resolved: Arc<AtomicUsize>,
    pub(super) shelf: MemoryShelf,
}

impl Names for World {
    fn addresses<'a>(&'a self, name: &'a str) -> Promise<'a, Result<Vec<IpAddr>, String>> {
        Box::pin(async move {
            self.resolved.fetch_add(1, Ordering::Relaxed);
            if name == "silent.test" {
                std::future::pending::<()>().await;
            }
            let mut names = self.names.lock().unwrap();
            let Some(answers) = names.get_mut(name) else {
                return Err("the name leads nowhere".to_owned());
            };
            Ok(match answers.len() {
                1 => answers[0].clone(),
                _ => answers.remove(0),
            })
        })
    }
}

impl Dial for World {
    fn open(&self, address: SocketAddr) -> Promise<'static, io::Result<Box<dyn Stream>>> {
        self.dialled.lock().unwrap().push(address);
        let script = self.servers.lock().unwrap().get(&address).cloned();
        Box::pin(async move {
            // A network where nobody says no.
            if address.port() == 9 {
                std::future::pending::<()>().await;
            }
            let script = script.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (ours, theirs) = duplex(64 << 10);
            tokio::spawn(script(theirs));
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

/// A public address of the test's.
pub(super) const PUBLIC: &str = "11.0.0.1";

impl World {
    /// The name `x.test` leads to [`PUBLIC`].
    pub(super) fn new() -> Self {
        let world = Self::default();
        world.name("x.test", &[&[PUBLIC]]);
        world
    }

    /// What a name leads to, at each look.
    pub(super) fn name(&self, name: &str, answers: &[&[&str]]) {
        let parse = |answer: &&[&str]| answer.iter().map(|one| one.parse().unwrap()).collect();
        let answers = answers.iter().map(parse).collect();
        self.names.lock().unwrap().insert(name.to_owned(), answers);
    }

    /// Who answers at an address; port 80 unless it is written.
    pub(super) fn server<F>(
        &self,
        address: &str,
        script: impl Fn(DuplexStream) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = match address.parse() {
            Ok(address) => address,
            Err(_) => SocketAddr::new(address.parse().unwrap(), 80),
        };
        let script: Script = Arc::new(move |stream| Box::pin(script(stream)));
        self.servers.lock().unwrap().insert(address, script);
    }

    /// At [`PUBLIC`], one request after the other is answered as `answer` says.
    pub(super) fn answering(&self, answer: impl Fn(&str) -> String + Send + Sync + 'static) {
        self.answering_at(PUBLIC, answer);
    }

    pub(super) fn answering_at(
        &self,
        address: &str,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) {
        let (answer, heard) = (Arc::new(answer), self.heard.clone());
        self.server(address, move |mut stream| {
            let (answer, heard) = (answer.clone(), heard.clone());
            async move {
                while let Some(request) = read_request(&mut stream).await {
                    let reply = answer(&request);
                    heard.lock().unwrap().push(request);
                    if reply.is_empty() || stream.write_all(reply.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
    }

    pub(super) fn web(&self, settings: Settings) -> Web {
        let connector = Connector {
            names: Arc::new(self.clone()),
            dial: Arc::new(self.clone()),
        };
        let clock = Arc::new(Turned::real());
        let handle = tokio::runtime::Handle::current();
        let chance = Entropy::from_seed(7);
        let shelf = Arc::new(self.shelf.clone());
        let web = Web::new(settings, (clock, chance), shelf, connector, handle);
        web.deliver();
        web
    }

    /// Asks for JSON by the terms of a URL, with a small limit of octets.
    pub(super) async fn ask(&self, url: &str) -> Result<Reply, Failure> {
        self.web(settings()).ask(json(url)).await
    }

    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// A question of a call.
pub(super) fn json(url: &str) -> Ask {
    Ask::new(
        To::Url(url.to_owned()),
        Content::Json(serde_json::json!({"a": 1})),
        Expects::Json,
    )
}

/// Terms of URLs as the tests want them.
pub(super) fn settings() -> Settings {
    let terms = Terms {
        reply_limit: 1000,
        ..Terms::default()
    };
    with_terms(terms)
}

pub(super) fn with_terms(terms: Terms) -> Settings {
    Settings {
        urls: Arc::new(terms),
        ..Settings::default()
    }
}

/// Settings with an endpoint `crm` at this URL.
pub(super) fn with_endpoint(url: &str, method: Method, terms: Terms) -> Settings {
    let endpoint = Endpoint {
        name: "crm".to_owned(),
        target: Target::parse(url).unwrap(),
        method,
        terms: Arc::new(terms),
    };
    Settings {
        endpoints: [("crm".to_owned(), Arc::new(endpoint))].into(),
        ..Settings::default()
    }
}

/// Terms by which loopback may be reached.
pub(super) fn at_home() -> Terms {
    Terms {
        addresses: AddressRule::new(vec!["127.0.0.0/8".parse().unwrap()]),
        ..Terms::default()
    }
}

/// A whole reply.
pub(super) fn reply(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

pub(super) fn ok_json(body: &str) -> String {
    reply(200, "Content-Type: application/json\r\n", body)
}

/// Reads one request with its body; `None` at the end of the stream.
pub(super) async fn read_request<S: tokio::io::AsyncRead + Unpin>(
    stream: &mut S,
) -> Option<String> {
    let mut text = Vec::new();
    let mut octet = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).await.ok()?;
        text.push(octet[0]);
    }
    let head = String::from_utf8(text).ok()?;
    let length = header(&head, "content-length").and_then(|value| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}

/// A header of a request.
pub(super) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// How long a question took, and what came of it.
pub(super) async fn timed<T>(asked: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let came = asked.await;
    (came, began.elapsed())
}

/// Dead letters in memory; refuses all when it is told to.
#[derive(Clone, Default)]
pub(super) struct MemoryShelf(pub(super) Arc<Mutex<Vec<DeadLetter>>>);

impl Shelf for MemoryShelf {
    fn keep(
        &self,
        letters: &[DeadLetter],
        _terms: &NoticeTerms,
        _now: Timestamp,
    ) -> Result<(), ShelfError> {
        let mut kept = self.0.lock().unwrap();
        for letter in letters {
            kept.retain(|known| known.id != letter.id);
            kept.insert(0, letter.clone());
        }
        Ok(())
    }

    fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, ShelfError> {
        Ok(self.0.lock().unwrap().iter().take(limit).cloned().collect())
    }

    fn find(&self, id: &str) -> Result<Option<DeadLetter>, ShelfError> {
        Ok(self
            .0
            .lock()
            .unwrap()
            .iter()
            .find(|one| one.id == id)
            .cloned())
    }

    fn remove(&self, id: &str) -> Result<bool, ShelfError> {
        let mut kept = self.0.lock().unwrap();
        let before = kept.len();
        kept.retain(|one| one.id != id);
        Ok(kept.len() < before)
    }
}
