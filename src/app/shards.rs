//! Starts the signalling shards, one thread each.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::outlets::ShardOutlets;
use crate::base::{Clock, Entropy, IdSource, Origin, ShardId};
use crate::call::task::{Order, Peers, Shard};
use crate::call::{Conferences, Desks, Exchange, Gate, Generation, Lines, Settings};
use crate::config::NodeSettings;
use crate::events::Bus;
use crate::media::Engine;
use crate::registrar::Registrar;
use crate::sip::auth::Challenger;
use crate::sip::guard::Guard;
use crate::sip::location::{self, Resolver};
use crate::sip::trace::{Exporter, Trace};
use crate::sip::transport::{Tls, Transport, TransportLimits, TransportStats};
use crate::sip::{Protocol, Timing, UserAgent, ua};
use crate::trunk::Carriers;

/// What every shard shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) node: Arc<NodeSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) engine: Engine,
    pub(super) registrar: Arc<Mutex<Registrar>>,
    pub(super) conferences: Arc<Mutex<Conferences>>,
    pub(super) lines: Arc<Mutex<Lines>>,
    pub(super) challenger: Arc<Mutex<Challenger>>,
    pub(super) gate: Gate,
    pub(super) guard: Guard,
    pub(super) carriers: Carriers,
    pub(super) desks: Desks,
    pub(super) bus: Bus,
    pub(super) generation: Arc<Generation>,
    /// The way to the HEP collector.
    pub(super) exporter: Option<Exporter>,
    pub(super) tls: Tls,
}

/// What one shard counts.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub(super) sip: Arc<crate::sip::Stats>,
    pub(super) transport: Arc<TransportStats>,
}

/// A shard that runs.
pub(super) struct Running {
    pub(super) listeners: Vec<(Protocol, SocketAddr)>,
    pub(super) counters: Counters,
    pub(super) thread: JoinHandle<()>,
}

/// Starts one shard; returns when its sockets are bound.
pub(super) fn start(
    shared: Shared,
    own: ShardId,
    listeners: Vec<(Protocol, SocketAddr)>,
    orders: (mpsc::Receiver<Order>, Vec<mpsc::Sender<Order>>),
    outlets: ShardOutlets,
) -> anyhow::Result<Running> {
    let (report, reported) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(format!("shard-{}", own.0))
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(report.send(Err(error))),
            };
            runtime.block_on(async move {
                match open(shared, own, &listeners, orders, outlets).await {
                    Ok((shard, bound, counters)) => {
                        // Whoever started us waits for this.
                        let _ = report.send(Ok((bound, counters)));
                        shard.run().await;
                    }
                    Err(error) => drop(report.send(Err(error))),
                }
            });
        })?;
    let (listeners, counters) = reported.recv().context("the shard's thread ended")??;
    Ok(Running {
        listeners,
        counters,
        thread,
    })
}

type Opened = (Shard<ShardOutlets>, Vec<(Protocol, SocketAddr)>, Counters);

async fn open(
    shared: Shared,
    own: ShardId,
    listeners: &[(Protocol, SocketAddr)],
    (orders, peers): (mpsc::Receiver<Order>, Vec<mpsc::Sender<Order>>),
    outlets: ShardOutlets,
) -> io::Result<Opened> {
    let limits = TransportLimits {
        reuse_port: peers.len() > 1,
        shard: own,
        ..TransportLimits::default()
    };
    let mut transport = Transport::bind(listeners, limits).await.map_err(|error| {
        let wanted: Vec<String> = listeners
            .iter()
            .map(|(protocol, at)| format!("{} {at}", protocol.as_str()))
            .collect();
        io::Error::new(
            error.kind(),
            format!("cannot listen on {}: {error}", wanted.join(", ")),
        )
    })?;
    transport.set_tls(shared.tls);
    transport.set_guard(shared.guard.clone(), shared.clock.clone());
    let bound = transport.local_addrs();
    let advertised = bound
        .iter()
        .map(|(protocol, at)| {
            let ip = shared.node.sip.advertised_for(at.ip());
            (*protocol, SocketAddr::new(ip, at.port()))
        })
        .collect();
    let mut entropy = Entropy::from_os();
    let settings = ua::Settings {
        shard: own,
        timing: Timing::of(shared.node.sip.t1),
        user_agent: concat!("tsunagu/", env!("CARGO_PKG_VERSION")).to_owned(),
        advertised,
        longest_datagram: shared.node.sip.longest_datagram,
        listeners: bound.clone(),
        location: location::Settings {
            patience: shared.node.sip.dns.patience() + Duration::from_millis(500),
            ..location::Settings::default()
        },
        try_for: shared.node.sip.try_for,
        ..ua::Settings::default()
    };
    let user_agent = UserAgent::new(settings, entropy.fork());
    let counters = Counters {
        sip: user_agent.stats(),
        transport: transport.stats(),
    };
    let origin = Origin {
        region: shared.node.region.as_str().into(),
        node: shared.node.name.as_str().into(),
        shard: own,
    };
    let notices = shared.engine.notices(own);
    let room = shared.node.trace.octets / peers.len().max(1);
    let exchange = Exchange::new(Settings {
        ids: IdSource::new(origin),
        entropy,
        user_agent,
        media: shared.engine,
        registrar: shared.registrar,
        conferences: shared.conferences,
        lines: shared.lines,
        challenger: shared.challenger,
        gate: shared.gate.clone(),
        guard: shared.guard,
        carriers: shared.carriers,
        desks: shared.desks,
        listeners: bound.clone(),
        generation: shared.generation,
    });
    let shard = Shard {
        exchange,
        transport,
        resolver: Resolver::new(&shared.node.sip.dns),
        notices,
        orders,
        peers: Peers { own, orders: peers },
        outlets,
        bus: shared.bus,
        clock: shared.clock,
        gate: shared.gate,
        tests: HashMap::new(),
        trace: Trace::new(room, shared.exporter),
    };
    Ok((shard, bound, counters))
}
