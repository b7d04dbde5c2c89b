//! The thread that serves HTTP.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use tokio::runtime::{self, Runtime};
use tokio::sync::{Semaphore, watch};

use super::account;
use super::api::{self, Sources};
use super::ask::{MOST_APART, MOST_LONG};
use super::events::MOST_STREAMS;
use super::listener::Bounded;
use super::live::Live;
use super::metrics::Metrics;
use super::routing::Routing;
use crate::events::record::Archive;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Everything; must be a loopback address.
    pub api: SocketAddr,
    /// Figures and health alone; any address.
    pub metrics: Option<SocketAddr>,
    /// The REST API of programs written for the public platform; any address.
    pub rest: Option<SocketAddr>,
}

/// The running server; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    api: SocketAddr,
    metrics: Option<SocketAddr>,
    rest: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Why HTTP cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, not ours or not permitted.
    #[error("cannot listen for HTTP on {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The API would be reachable from other machines, and it asks for no password.
    #[error(
        "the API at {0} would be open to other machines; use 127.0.0.1 or [::1], and the \
             metrics listener for scrapers"
    )]
    NotLoopback(SocketAddr),
    /// No thread could be started.
    #[error("cannot start the HTTP thread: {0}")]
    Thread(io::Error),
}

impl Server {
    /// Binds and starts to serve; when it returns, connections are accepted.
    pub fn start(
        settings: Settings,
        live: Arc<dyn Live>,
        archive: Arc<dyn Archive>,
        metrics: Arc<Metrics>,
        routing: Routing,
    ) -> Result<Self, Error> {
        if !settings.api.ip().is_loopback() {
            return Err(Error::NotLoopback(settings.api));
        }
        let (stop, stopped) = watch::channel(false);
        let sources = Sources {
            live,
            archive,
            metrics,
            routing: Arc::new(routing),
            long: Arc::new(Semaphore::new(MOST_LONG)),
            apart: Arc::new(Semaphore::new(MOST_APART)),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
            stopped: stopped.clone(),
        };
        let (api, api_address) = bind(settings.api)?;
        let mut sites = vec![(api, api::whole(sources.clone()))];
        let mut metrics_address = None;
        if let Some(address) = settings.metrics {
            let (figures, bound) = bind(address)?;
            metrics_address = Some(bound);
            sites.push((figures, api::figures(sources.clone())));
        }
        let mut rest_address = None;
        if let Some(address) = settings.rest {
            let (rest, bound) = bind(address)?;
            rest_address = Some(bound);
            sites.push((rest, account::site(sources)));
        }
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MOST_QUESTIONS)
            .thread_name("http-ask")
            .build()
            .map_err(Error::Thread)?;
        let thread = thread::Builder::new()
            .name("http".into())
            .spawn(move || serve(runtime, sites, &stopped))
            .map_err(Error::Thread)?;
        Ok(Self {
            api: api_address,
            metrics: metrics_address,
            rest: rest_address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where the API listens, with the port the system chose if 0 was asked for.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Where figures and health alone are served.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Where the REST API of programs is served.
    pub fn rest(&self) -> Option<SocketAddr> {
        self.rest
    }

    /// Stops to listen and waits, two seconds at most, for answers under way.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bind().map_err(|source| Error::Bind { address, source })
}

fn serve(runtime: Runtime, sites: Vec<(TcpListener, Router)>, stopped: &watch::Receiver<bool>) {
    runtime.block_on(async {
        let mut servers = Vec::new();
        for (listener, site) in sites {
            let mut stopped = stopped.clone();
            let stop = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            servers.push(tokio::spawn(async move {
                let listener = Bounded::new(tokio::net::TcpListener::from_std(listener)?);
                axum::serve(listener, site)
                    .with_graceful_shutdown(stop)
                    .await
            }));
        }
        let mut stopped = stopped.clone();
        let _ = stopped.wait_for(|stop| *stop).await;
        let all = async {
            for server in servers {
                if let Ok(Err(error)) = server.await {
                    tracing::error!(%error, "http server");
                }
            }
        };
        let _ = tokio::time::timeout(LAST_ANSWERS, all).await;
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
}

/// Questions that wait at the same time.
const MOST_QUESTIONS: usize = 8;

const LAST_ANSWERS: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
