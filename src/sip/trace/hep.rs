//! HEP version 3, the encapsulation that Homer and its like collect (HEP3 protocol reference,
//! rev. 36): a header, then chunks of vendor, type, length and value, all in network order.

use std::net::IpAddr;

use super::{Traced, Way};
use crate::sip::Protocol;

/// Who we are to the collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Agent {
    /// Number of this capture agent.
    pub id: u32,
    /// Name of the node.
    pub node: String,
    /// Key the collector asks for; empty for none.
    pub password: String,
}

/// One message as a HEP packet. `payload` is what is shown of it.
pub(super) fn encode(agent: &Agent, traced: &Traced, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = match traced.way {
        Way::In => (traced.flow.remote, traced.flow.local),
        Way::Out => (traced.flow.local, traced.flow.remote),
    };
    let mut packet = Packet::new(payload.len());
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.chunk(FAMILY, &[AF_INET]);
            packet.chunk(SOURCE_V4, &from.octets());
            packet.chunk(DESTINATION_V4, &to.octets());
        }
        (from, to) => {
            packet.chunk(FAMILY, &[AF_INET6]);
            packet.chunk(SOURCE_V6, &mapped(from));
            packet.chunk(DESTINATION_V6, &mapped(to));
        }
    }
    let transport = match traced.flow.protocol {
        Protocol::Udp => IPPROTO_UDP,
        _ => IPPROTO_TCP,
    };
    packet.chunk(TRANSPORT, &[transport]);
    packet.chunk(SOURCE_PORT, &source.port().to_be_bytes());
    packet.chunk(DESTINATION_PORT, &destination.port().to_be_bytes());
    let micros = traced.at.as_micros().max(0);
    // Seconds since 1970 in 32 bits, as the format has it: until 2106.
    let seconds = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
    packet.chunk(SECONDS, &seconds.to_be_bytes());
    let rest = u32::try_from(micros % 1_000_000).unwrap_or(0);
    packet.chunk(MICROSECONDS, &rest.to_be_bytes());
    packet.chunk(PAYLOAD_TYPE, &[SIP]);
    packet.chunk(AGENT_ID, &agent.id.to_be_bytes());
    if !agent.password.is_empty() {
        packet.chunk(AUTH_KEY, agent.password.as_bytes());
    }
    if let Some(call_id) = traced.call_id() {
        packet.chunk(CORRELATION_ID, call_id.as_bytes());
    }
    packet.chunk(NODE_NAME, agent.node.as_bytes());
    packet.chunk(PAYLOAD, payload);
    packet.finish()
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

struct Packet(Vec<u8>);

impl Packet {
    fn new(payload: usize) -> Self {
        let mut octets = Vec::with_capacity(payload + 256);
        octets.extend_from_slice(b"HEP3\0\0");
        Self(octets)
    }

    /// A chunk of the generic vendor; what does not fit into its length is left out.
    fn chunk(&mut self, kind: u16, value: &[u8]) {
        let room = usize::from(u16::MAX) - HEAD;
        let value = value.get(..value.len().min(room)).unwrap_or_default();
        let length = u16::try_from(value.len() + HEAD).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&GENERIC.to_be_bytes());
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        if let Some(place) = self.0.get_mut(4..6) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        self.0
    }
}

/// Octets of a chunk before its value.
const HEAD: usize = 6;

const GENERIC: u16 = 0x0000;

const FAMILY: u16 = 0x0001;
const TRANSPORT: u16 = 0x0002;
const SOURCE_V4: u16 = 0x0003;
const DESTINATION_V4: u16 = 0x0004;
const SOURCE_V6: u16 = 0x0005;
const DESTINATION_V6: u16 = 0x0006;
const SOURCE_PORT: u16 = 0x0007;
const DESTINATION_PORT: u16 = 0x0008;
const SECONDS: u16 = 0x0009;
const MICROSECONDS: u16 = 0x000a;
const PAYLOAD_TYPE: u16 = 0x000b;
const AGENT_ID: u16 = 0x000c;
const AUTH_KEY: u16 = 0x000e;
const PAYLOAD: u16 = 0x000f;
const CORRELATION_ID: u16 = 0x0011;
const NODE_NAME: u16 = 0x0013;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const SIP: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::sip::Flow;
    use bytes::Bytes;
    use std::collections::HashMap;

    /// Reads a packet back by the reference, apart from what wrote it.
    fn chunks(packet: &[u8]) -> HashMap<u16, Vec<u8>> {
        assert_eq!(&packet[..4], b"HEP3");
        let length = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
        assert_eq!(length, packet.len());
        let (mut at, mut found) = (6, HashMap::new());
        while at < length {
            assert_eq!(&packet[at..at + 2], &[0, 0], "generic vendor");
            let kind = u16::from_be_bytes([packet[at + 2], packet[at + 3]]);
            let size = usize::from(u16::from_be_bytes([packet[at + 4], packet[at + 5]]));
            found.insert(kind, packet[at + 6..at + size].to_vec());
            at += size;
        }
        assert_eq!(at, length);
        found
    }

    fn traced(way: Way, local: &str, remote: &str) -> Traced {
        let text = "BYE sip:a SIP/2.0\r\nCall-ID: abc\r\n\r\n";
        Traced {
            at: Timestamp::from_micros(1_700_000_000_123_456),
            way,
            flow: Flow::udp(local.parse().unwrap(), remote.parse().unwrap()),
            bytes: Bytes::from(text),
        }
    }

    #[test]
    fn a_packet_says_who_to_whom_when_and_what() {
        let agent = Agent {
            id: 2001,
            node: "tokyo1".to_owned(),
            password: "secret".to_owned(),
        };
        let traced = traced(Way::In, "192.0.2.1:5060", "192.0.2.7:5070");
        let chunks = chunks(&encode(&agent, &traced, &traced.bytes));
        assert_eq!(chunks[&1], [2]);
        assert_eq!(chunks[&2], [17]);
        assert_eq!(chunks[&3], [192, 0, 2, 7], "from them");
        assert_eq!(chunks[&4], [192, 0, 2, 1], "to us");
        assert_eq!(chunks[&7], 5070u16.to_be_bytes());
        assert_eq!(chunks[&8], 5060u16.to_be_bytes());
        assert_eq!(chunks[&9], 1_700_000_000u32.to_be_bytes());
        assert_eq!(chunks[&10], 123_456u32.to_be_bytes());
        assert_eq!(chunks[&11], [1]);
        assert_eq!(chunks[&12], 2001u32.to_be_bytes());
        assert_eq!(chunks[&14], b"secret");
        assert_eq!(chunks[&15], &traced.bytes[..]);
        assert_eq!(chunks[&17], b"abc");
        assert_eq!(chunks[&19], b"tokyo1");
    }

    #[test]
    fn addresses_of_the_sixth_version_have_their_own_chunks() {
        let traced = traced(Way::Out, "[2001:db8::1]:5060", "[2001:db8::7]:5070");
        let chunks = chunks(&encode(&Agent::default(), &traced, b"x"));
        assert_eq!(chunks[&1], [10]);
        assert_eq!(chunks[&5][15], 1, "from us");
        assert_eq!(chunks[&6][15], 7);
        assert!(!chunks.contains_key(&3) && !chunks.contains_key(&14));
    }
}
