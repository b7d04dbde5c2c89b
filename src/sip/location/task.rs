//! The pump: puts questions to name servers. Each question is a task of its own, so that a slow
//! or dead server keeps nobody waiting but who asked.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::cache::MAX_RECORDS;
use super::question::{Answer, Kind, Naptr, Question, Record, Srv};

/// Which name servers are asked, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameServers {
    /// Asked in this order; empty for those of the system (`/etc/resolv.conf`).
    pub servers: Vec<SocketAddr>,
    /// Wait for one answer.
    pub timeout: Duration,
    /// Times a question is put, 1 or more.
    pub attempts: u32,
}

/// Asks name servers. Keeps no cache: the [`super::Locator`] has one.
#[derive(Clone)]
pub struct Resolver {
    /// `None` where the system's configuration cannot be read.
    servers: Option<TokioResolver>,
    patience: Duration,
}

impl Default for NameServers {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: 2,
        }
    }
}

impl NameServers {
    /// How long a question may take in all.
    pub fn patience(&self) -> Duration {
        self.timeout.saturating_mul(self.attempts.max(1))
    }
}

impl Resolver {
    /// A resolver; opens nothing until it is asked.
    pub fn new(servers: &NameServers) -> Self {
        Self {
            servers: open(servers),
            patience: servers.patience(),
        }
    }

    /// Puts a question; `tell` gets the answer, always, within the patience of the settings. Must
    /// be called inside a tokio runtime.
    pub fn ask<T, F>(&self, question: Question, tell: T)
    where
        T: FnOnce(Question, Answer) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let servers = self.servers.clone();
        let patience = self.patience;
        tokio::spawn(async move {
            let answer = match servers {
                Some(servers) => timeout(patience, put(&servers, &question)).await,
                None => Ok(Answer::Failed),
            };
            let answer = answer.unwrap_or(Answer::Failed);
            if answer == Answer::Failed {
                tracing::warn!(%question, "no name server answers");
            }
            tell(question, answer).await;
        });
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

fn open(servers: &NameServers) -> Option<TokioResolver> {
    let mut builder = if servers.servers.is_empty() {
        match TokioResolver::builder_tokio() {
            Ok(builder) => builder,
            Err(error) => {
                tracing::warn!(%error, "the system names no name servers: names lead nowhere");
                return None;
            }
        }
    } else {
        let servers = servers.servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = server.port();
                connection
            });
            // One that does not know a name is believed.
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    tune(builder.options_mut(), servers);
    match builder.build() {
        Ok(resolver) => Some(resolver),
        Err(error) => {
            tracing::error!(%error, "no resolver: names lead nowhere");
            None
        }
    }
}

fn tune(options: &mut ResolverOpts, servers: &NameServers) {
    options.cache_size = 0;
    options.timeout = servers.timeout;
    options.attempts = usize::try_from(servers.attempts.max(1) - 1).unwrap_or(0);
    options.edns0 = true;
    options.preserve_intermediates = false;
    options.max_active_requests = 512;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
}

async fn put(servers: &TokioResolver, question: &Question) -> Answer {
    // Fully qualified: the system's search list is for people.
    let Ok(name) = Name::from_ascii(format!("{}.", question.name)) else {
        return Answer::Nothing(NOT_A_NAME);
    };
    let kind = match question.kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
    };
    match servers.lookup(name, kind).await {
        Ok(found) => {
            let records = found.answers().iter().take(MAX_RECORDS);
            let life = records.clone().map(|record| record.ttl).min().unwrap_or(0);
            let records = records.filter_map(|record| read(&record.data)).collect();
            Answer::Records(records, Duration::from_secs(life.into()))
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none)))
            if matches!(
                none.response_code,
                ResponseCode::NXDomain | ResponseCode::NoError
            ) =>
        {
            let life = none
                .negative_ttl
                .map_or(NO_SOA, |life| Duration::from_secs(life.into()));
            Answer::Nothing(life)
        }
        Err(error) => {
            tracing::debug!(%question, %error, "name not resolved");
            Answer::Failed
        }
    }
}

fn read(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::CNAME(alias) => Record::Alias(text(&alias.0)),
        RData::NAPTR(naptr) => Record::Naptr(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
            service: String::from_utf8_lossy(&naptr.services).into_owned(),
            has_regexp: !naptr.regexp.is_empty(),
            replacement: text(&naptr.replacement),
        }),
        RData::SRV(srv) => Record::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: text(&srv.target),
        }),
        _ => return None,
    })
}

fn text(name: &Name) -> std::sync::Arc<str> {
    let text = name.to_ascii().to_ascii_lowercase();
    text.strip_suffix('.').unwrap_or(&text).into()
}

/// A name that DNS cannot hold will not come to exist.
const NOT_A_NAME: Duration = Duration::from_secs(300);
/// Without an SOA nothing says how long a name does not exist (RFC 2308 §5 would not keep it).
const NO_SOA: Duration = Duration::from_secs(10);
