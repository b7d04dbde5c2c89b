//! The pump: puts questions and tells what came of them. It has a runtime of its own, so that
//! neither a slow endpoint nor a TLS handshake holds up a shard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{header, request, response};
use tokio::runtime::{self, Handle, Runtime};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::admission::{Admission, Permit};
use super::ask::{Ask, To};
use super::attempts::{Attempts, Figures as Pace};
use super::cache::{Cache, Found};
use super::connection::{Connector, Destination, SystemNames, Tcp, Trouble};
use super::delivery::Delivery;
use super::exchange::{Doing, Exchange};
use super::figures::{Counters, Figures};
use super::jars::Jars;
use super::letters::Shelf;
use super::pool::{Pool, PoolKey, SameTerms};
use super::question::Question;
use super::reply::{Expects, Failure, FailureKind, Reply};
use super::settings::{Method, Settings, Terms};
use super::target::Target;
use crate::base::{CallId, Clock, Entropy, Timestamp};

/// Asks endpoints; cheap to clone.
#[derive(Clone)]
pub struct Web {
    pub(super) inner: Arc<Inner>,
}

/// The runtime behind every [`Web`]; dropping it ends all that is under way.
#[derive(Debug)]
pub struct WebTask {
    web: Web,
    runtime: Option<Runtime>,
}

/// A question under way. Dropping it gives the question up: nothing will be told.
#[derive(Debug)]
#[must_use = "a question that is dropped is given up"]
pub struct Asked(Option<AbortHandle>);

pub(super) struct Inner {
    pub(super) settings: ArcSwap<Settings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Mutex<Entropy>,
    pub(super) handle: Handle,
    pub(super) counters: Counters,
    pub(super) delivery: Delivery,
    connector: Connector,
    admission: Admission,
    pool: Mutex<Pool>,
    cache: Mutex<Cache>,
    jars: Mutex<Jars>,
}

/// An endpoint with the terms of this question.
struct Addressed {
    /// What its counts and connections go by.
    key: String,
    target: Target,
    method: Method,
    terms: Arc<Terms>,
}

/// One question being asked.
struct Asking<'a> {
    inner: &'a Inner,
    key: String,
    terms: Arc<Terms>,
    question: Question,
    call: Option<CallId>,
    permit: Permit,
    limit: usize,
    cache_octets: usize,
    expects: Expects,
    doing: Doing,
}

/// A failure with the status that it came with.
type Failed = (FailureKind, Option<u16>, String);

impl WebTask {
    /// Starts the runtime and, on it, the delivery of notices.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn start(
        settings: Settings,
        clock: Arc<dyn Clock>,
        chance: Entropy,
        shelf: Arc<dyn Shelf>,
    ) -> std::io::Result<Self> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("web")
            .enable_all()
            .build()?;
        let connector = Connector {
            names: {
                // Reads the system's configuration, which the resolver does inside a runtime.
                let _inside = runtime.enter();
                Arc::new(SystemNames::new())
            },
            dial: Arc::new(Tcp),
        };
        let handle = runtime.handle().clone();
        let web = Web::new(settings, (clock, chance), shelf, connector, handle);
        web.deliver();
        Ok(Self {
            web,
            runtime: Some(runtime),
        })
    }

    /// Whom questions are put to.
    pub fn web(&self) -> Web {
        self.web.clone()
    }

    /// Ends all questions. Notices have `patience` to arrive, then they become dead letters.
    pub fn stop(mut self, patience: Duration) {
        self.end(patience);
    }

    fn end(&mut self, patience: Duration) {
        if let Some(runtime) = self.runtime.take() {
            runtime.block_on(async {
                let web = &self.web;
                let _ = timeout(patience, web.delivered()).await;
            });
            self.web.keep_undelivered();
            runtime.shutdown_timeout(LAST_WORDS);
        }
    }
}

impl Drop for WebTask {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl Asked {
    /// Lets the question go on by itself: what comes of it is told in any case.
    pub fn detach(mut self) {
        self.0 = None;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

impl Web {
    pub(super) fn new(
        settings: Settings,
        (clock, chance): (Arc<dyn Clock>, Entropy),
        shelf: Arc<dyn Shelf>,
        connector: Connector,
        handle: Handle,
    ) -> Self {
        let inner = Inner {
            settings: ArcSwap::from_pointee(settings),
            clock,
            chance: Mutex::new(chance),
            handle,
            counters: Counters::default(),
            delivery: Delivery::new(shelf),
            connector,
            admission: Admission::default(),
            pool: Mutex::default(),
            cache: Mutex::default(),
            jars: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Takes other settings from the next question on; those under way keep theirs.
    pub fn set(&self, settings: Settings) {
        self.inner.settings.store(Arc::new(settings));
        // Connections were made, and replies let in, by the old terms.
        lock(&self.inner.pool).clear();
        lock(&self.inner.cache).clear();
    }

    /// Whether an endpoint has this name.
    pub fn knows(&self, endpoint: &str) -> bool {
        self.inner.settings.load().endpoints.contains_key(endpoint)
    }

    /// Puts a question and waits, never longer than its budget. Given up when dropped.
    ///
    /// # Errors
    ///
    /// Of which kind the failure is.
    pub async fn ask(&self, ask: Ask) -> Result<Reply, Failure> {
        let web = self.clone();
        let asked = self
            .inner
            .handle
            .spawn(async move { web.inner.ask(ask).await });
        let _given_up = Asked(Some(asked.abort_handle()));
        asked.await.unwrap_or_else(|_| {
            Err(Failure {
                kind: FailureKind::BrokenOff,
                words: "the question was ended with the switch".to_owned(),
                attempts: 0,
                took: Duration::ZERO,
            })
        })
    }

    /// Puts a question for somebody who cannot wait: `tell` gets what came of it, always and within
    /// the budget, unless the returned value is dropped before. Callable from any thread.
    pub fn put<T, F>(&self, ask: Ask, tell: T) -> Asked
    where
        T: FnOnce(Result<Reply, Failure>) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let web = self.clone();
        let task = self.inner.handle.spawn(async move {
            let came = web.ask(ask).await;
            tell(came).await;
        });
        Asked(Some(task.abort_handle()))
    }

    /// A call is over: its cookies are forgotten.
    pub fn forget(&self, call: &CallId) {
        lock(&self.inner.jars).forget(call);
    }

    /// The figures of this moment.
    pub fn figures(&self) -> Figures {
        let inner = &self.inner;
        Figures {
            running: inner.admission.running() as u64,
            resting: lock(&inner.pool).len() as u64,
            notices_waiting: inner.delivery.waiting() as u64,
            ..inner
                .counters
                .figures(inner.admission.breakers(inner.now()))
        }
    }
}

impl Inner {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Asks, and counts and logs what came of it.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Reply, Failure> {
        let began = self.now();
        let to = ask.to.redacted();
        let came = self.put(ask).await;
        let took = self.now().since(began);
        let outcome = match &came {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.kind),
        };
        self.counters.asked(took, outcome);
        match &came {
            Ok(reply) => tracing::debug!(
                to,
                status = reply.status,
                attempts = reply.attempts,
                took_ms = took.as_millis() as u64,
                "web_reply"
            ),
            Err(failure) => tracing::warn!(
                to,
                kind = failure.kind.as_str(),
                why = failure.words,
                attempts = failure.attempts,
                took_ms = took.as_millis() as u64,
                "web_failure"
            ),
        }
        came
    }

    async fn put(&self, mut ask: Ask) -> Result<Reply, Failure> {
        let failed = |(kind, words): Trouble| Failure {
            kind,
            words,
            attempts: 0,
            took: Duration::ZERO,
        };
        let settings = self.settings.load_full();
        let addressed = address(&settings, &ask).map_err(failed)?;
        let Addressed {
            key,
            target,
            method,
            terms,
        } = addressed;
        let entered = self
            .admission
            .enter(&key, &terms, &settings.limits, ask.is_notice);
        let permit = entered.map_err(failed)?;
        ask.token
            .get_or_insert_with(|| lock(&self.chance).token(TOKEN));
        let pace = Pace::new(&terms, target.overrides(), ask.budget);
        let question = Question::new(&ask, target, method, &terms).map_err(failed)?;
        let (first, method) = (question.target.clone(), question.method);
        let mut attempts = Attempts::new(pace, first, method, self.now());
        let limit = match ask.expects {
            Expects::Status => LONGEST_STATUS.min(terms.reply_limit),
            _ => terms.reply_limit,
        };
        let asking = Asking {
            inner: self,
            key,
            terms,
            question,
            call: ask.call,
            permit,
            limit: ask.reply_limit.map_or(limit, |most| most.min(limit)),
            cache_octets: settings.limits.cache,
            expects: ask.expects,
            doing: Doing::default(),
        };
        asking.run(&mut attempts).await
    }
}

impl Asking<'_> {
    async fn run(&self, attempts: &mut Attempts) -> Result<Reply, Failure> {
        loop {
            let now = self.inner.now();
            let begun = self.permit.begin(&self.terms, now);
            let one = begun.map_err(|(kind, words)| self.failure(attempts, kind, words, 1))?;
            let came = match timeout(attempts.left(now), self.one_try(attempts)).await {
                Ok(came) => came,
                Err(_) => {
                    let budget = attempts.figures.budget;
                    let words = format!("{budget:?} were over: {}", self.doing.words());
                    Err((FailureKind::BudgetSpent, None, words))
                }
            };
            let now = self.inner.now();
            let (kind, status, words) = match came {
                Ok(mut reply) => {
                    one.end(now, true);
                    reply.took = attempts.took(now);
                    return Ok(reply);
                }
                Err(failed) => failed,
            };
            one.end(now, !kind.is_trouble(status));
            let pause = {
                let mut chance = lock(&self.inner.chance);
                attempts.again(now, kind, status, &mut chance)
            };
            let Some(pause) = pause else {
                return Err(self.failure(attempts, kind, words, 0));
            };
            tracing::debug!(
                to = self.key,
                kind = kind.as_str(),
                why = words,
                "web_retry"
            );
            self.doing.pausing();
            sleep(pause).await;
        }
    }

    fn failure(
        &self,
        attempts: &Attempts,
        kind: FailureKind,
        words: String,
        unsent: u32,
    ) -> Failure {
        Failure {
            kind,
            words,
            attempts: attempts.tries().saturating_sub(unsent),
            took: attempts.took(self.inner.now()),
        }
    }

    /// One try with all its redirects.
    async fn one_try(&self, attempts: &mut Attempts) -> Result<Reply, Failed> {
        loop {
            let plain = |(kind, words): Trouble| (kind, None, words);
            let (head, body, was_sent) = self.hop(attempts).await.map_err(plain)?;
            let status = head.status.as_u16();
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                let location = head.headers.get(header::LOCATION);
                let location =
                    location.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
                attempts.redirect(status, location).map_err(plain)?;
                continue;
            }
            if !head.status.is_success() {
                let words = format!("the status is {status}");
                return Err((FailureKind::BadStatus, Some(status), words));
            }
            let content_type = head.headers.get(header::CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            let checked = self.expects.check(status, content_type, &body);
            checked.map_err(|words| (FailureKind::BadContent, Some(status), words))?;
            return Ok(Reply {
                status,
                content_type: content_type.map(str::to_owned),
                body,
                url: attempts.led_to().map(str::to_owned),
                took: Duration::ZERO,
                attempts: if was_sent { attempts.tries() } else { 0 },
            });
        }
    }

    /// One request, or what the cache has for it; whether it was sent.
    async fn hop(&self, attempts: &Attempts) -> Result<(response::Parts, Bytes, bool), Trouble> {
        let (inner, hop) = (self.inner, attempts.hop());
        let url = hop.target.url();
        let cookies = self
            .call
            .as_ref()
            .and_then(|call| lock(&inner.jars).cookies(call, url));
        let now = inner.now();
        let request = self.question.request(hop, &self.terms, cookies, now);
        let (mut parts, body) = request.map_err(|words| (FailureKind::NoEndpoint, words))?;
        let kept = (hop.method == Method::Get).then(|| {
            let key = (self.key.clone(), hop.target.as_str().to_owned());
            (key, whole(&parts, hop.target.as_str()))
        });
        if let Some((key, asked)) = &kept {
            match lock(&inner.cache).look(key, asked, now) {
                Found::Fresh(head, body) => return Ok((head, body, false)),
                Found::Nothing => {}
                Found::Stale(headers) => {
                    for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
                        if let Some(value) = headers.get(&name) {
                            parts.headers.insert(name, value.clone());
                        }
                    }
                }
            }
        }
        let origin = hop.target.origin();
        let exchange = Exchange {
            connector: &inner.connector,
            pool: &inner.pool,
            key: PoolKey {
                endpoint: self.key.clone(),
                terms: SameTerms(self.terms.clone()),
                origin: origin.clone(),
                sni: attempts.figures.sni,
                is_foreign: hop.is_foreign,
            },
            destination: Destination {
                origin: &origin,
                terms: &self.terms,
                sni: attempts.figures.sni,
                is_foreign: hop.is_foreign,
                patience: attempts.figures.connect,
            },
            read: attempts.figures.read,
            limit: self.limit,
            cuts: self.expects == Expects::Status,
            doing: &self.doing,
        };
        let (head, body) = exchange.run(&parts, &body).await?;
        if let Some(call) = &self.call {
            lock(&inner.jars).take(call, url, &head.headers);
        }
        let Some((key, _)) = kept else {
            // RFC 9111 §4.4: what was changed is not as it was kept.
            let key = (self.key.clone(), hop.target.as_str().to_owned());
            lock(&inner.cache).forget(&key);
            return Ok((head, body, true));
        };
        let (now, asked) = (inner.now(), whole(&parts, hop.target.as_str()));
        let mut cache = lock(&inner.cache);
        if head.status == http::StatusCode::NOT_MODIFIED {
            let renewed = cache.renew(&key, &asked, &head, now);
            let renewed = renewed.map(|(head, body)| (head, body, true));
            return Ok(renewed.unwrap_or((head, body, true)));
        }
        if head.status == http::StatusCode::OK {
            cache.keep(key, &asked, &head, &body, (self.cache_octets, now));
        }
        Ok((head, body, true))
    }
}

/// The request as a cache knows it: with its whole URL.
fn whole(parts: &request::Parts, url: &str) -> request::Parts {
    let mut whole = parts.clone();
    if let Ok(uri) = url.parse() {
        whole.uri = uri;
    }
    whole
}

/// Who is meant.
fn address(settings: &Settings, ask: &Ask) -> Result<Addressed, Trouble> {
    match &ask.to {
        To::Endpoint(name) => {
            let endpoint = settings.endpoints.get(name).ok_or_else(|| {
                let words = format!("no endpoint of webhooks.toml has the name \"{name}\"");
                (FailureKind::NoEndpoint, words)
            })?;
            Ok(Addressed {
                key: name.clone(),
                target: endpoint.target.clone(),
                method: ask.method.unwrap_or(endpoint.method),
                terms: endpoint.terms.clone(),
            })
        }
        To::Url(url) => {
            let target = Target::parse_strict(url);
            let (target, wrong) =
                target.map_err(|error| (FailureKind::NoEndpoint, error.to_string()))?;
            for error in wrong {
                let to = target.redacted();
                tracing::warn!(to, %error, "web_fragment");
            }
            Ok(Addressed {
                key: target.origin().to_string(),
                target,
                method: ask.method.unwrap_or_default(),
                terms: settings.urls.clone(),
            })
        }
    }
}

pub(super) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Characters of an idempotency token: 160 bits.
pub(super) const TOKEN: usize = 32;
/// Octets of a body that nobody reads: so much may come for the connection to be used again.
const LONGEST_STATUS: usize = 64 << 10;
/// How long what is under way may take to end with the switch.
const LAST_WORDS: Duration = Duration::from_millis(200);
