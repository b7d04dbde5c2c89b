//! What an engine needs to know before it starts.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::recorder::Format;

/// Settings of the `Engine`.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Worker threads, 2 or more.
    pub workers: usize,
    /// Processor cores the workers' threads are bound to, in turn; empty leaves them to the system.
    pub cores: Vec<usize>,
    /// Address media sockets are bound to.
    pub bind: IpAddr,
    /// Address that goes into SDP; differs from `bind` behind a 1:1 NAT.
    pub advertised: IpAddr,
    /// The same two of the other address family, for the legs whose far end speaks that one.
    pub other_family: Option<(IpAddr, IpAddr)>,
    /// Ports to use: pairs of an even RTP and the odd RTCP port above, both inside.
    pub ports: RangeInclusive<u16>,
    /// How long a pair rests after a leg before it is used again.
    pub quarantine: Duration,
    /// Where recordings are written.
    pub recordings: PathBuf,
    /// What their files are.
    pub recording_format: Format,
    /// Legs open at once, on all workers.
    pub max_legs: usize,
    /// Pairs of ports that may rest with their sockets open; two descriptors each.
    pub max_spares: usize,
    /// Signalling shards that receive notices.
    pub shards: usize,
}

impl Default for EngineConfig {
    /// Two workers on loopback, ports 16384-32767, 1000 legs and as many spares, one shard.
    fn default() -> Self {
        Self {
            workers: 2,
            cores: Vec::new(),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            advertised: IpAddr::V4(Ipv4Addr::LOCALHOST),
            other_family: None,
            ports: 16384..=32767,
            quarantine: Duration::from_secs(5),
            recordings: PathBuf::from("recordings"),
            recording_format: Format::Wav,
            max_legs: 1000,
            max_spares: 1000,
            shards: 1,
        }
    }
}

impl EngineConfig {
    /// What is bound and what is told for a far end at `remote`.
    pub(crate) fn place_toward(&self, remote: Option<IpAddr>) -> (IpAddr, IpAddr) {
        let own = (self.bind, self.advertised);
        let fits = |place: &(IpAddr, IpAddr)| {
            remote.is_some_and(|remote| place.1.is_ipv4() == remote.is_ipv4())
        };
        match self.other_family {
            Some(other) if fits(&other) && !fits(&own) => other,
            _ => own,
        }
    }
}
