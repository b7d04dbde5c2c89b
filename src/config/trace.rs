//! `[trace]` of `node.toml`: which SIP messages are kept for ladders and captures, and where they
//! are exported to.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::node::parse_address;
use super::notes::Notes;
use super::section::Section;
use crate::sip::trace::{Agent, Numbers};

/// What is kept of the signalling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceSettings {
    /// Octets of SIP messages kept in memory, for all shards together. Default 16 MiB; with 0
    /// nothing is kept.
    pub octets: usize,
    /// Whether telephone numbers are shown. Default shown.
    pub numbers: Numbers,
    /// Collector of HEP packets, and who we are to it.
    pub hep: Option<(SocketAddr, Agent)>,
}

/// Reads the section.
pub(super) fn read(trace: &Section<'_>, node: &str, notes: &Notes) -> TraceSettings {
    let megabytes = trace
        .integer("megabytes", 0..=4096)
        .map_or(16, |at| at.value);
    let numbers = trace.parsed(
        "numbers",
        "write \"shown\" or \"masked\"",
        |text| match text {
            "masked" => Ok(Numbers::Masked),
            "shown" => Ok(Numbers::Shown),
            other => Err(format!("`numbers` cannot be \"{other}\"")),
        },
    );
    let hep = trace.parsed("hep", HEP_HELP, |text| {
        parse_address(text.strip_prefix("udp:").unwrap_or(text))
    });
    let agent = trace.integer("hep_agent", 1..=i64::from(u32::MAX));
    let password = trace.text("hep_password");
    if hep.is_none()
        && let Some(place) = agent
            .as_ref()
            .map(|at| &at.place)
            .or(password.as_ref().map(|at| &at.place))
    {
        let help = "add hep = \"192.0.2.9:9060\", or delete this line";
        notes.error(place, "a HEP agent without a collector", help);
    }
    let agent = Agent {
        id: agent
            .and_then(|at| u32::try_from(at.value).ok())
            .unwrap_or(DEFAULT_AGENT),
        node: node.to_owned(),
        password: password.map_or_else(String::new, |at| at.value),
    };
    TraceSettings {
        octets: usize::try_from(megabytes).unwrap_or(0) << 20,
        numbers: numbers.map_or(Numbers::Shown, |at| at.value),
        hep: hep.map(|at| (at.value, agent)),
    }
}

/// The number that examples of collectors use.
const DEFAULT_AGENT: u32 = 2001;

const HEP_HELP: &str = "write the collector's IP address and port, such as \"192.0.2.9:9060\"";
