//! One call as a capture file: raw IP packets made around what was kept of its signalling and
//! captured of its media, so that any analyser opens it. What went over a stream is shown as
//! datagrams, one a message: there are no segments to show.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};

use crate::base::Timestamp;

/// One packet of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) at: Timestamp,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: Vec<u8>,
}

/// The file's octets, its packets in the order of time.
pub(super) fn write(mut packets: Vec<Shown>) -> Result<Vec<u8>, PcapError> {
    packets.sort_by_key(|packet| packet.at);
    let header = PcapHeader {
        datalink: DataLink::RAW,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header)?;
    for packet in packets {
        let octets = datagram(packet.from, packet.to, &packet.payload);
        let micros = u64::try_from(packet.at.as_micros()).unwrap_or(0);
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let packet = PcapPacket::new_owned(Duration::from_micros(micros), length, octets);
        writer.write_packet(&packet)?;
    }
    Ok(writer.into_writer())
}

/// An IP packet with a UDP datagram in it; a payload longer than a datagram can be is cut.
fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let payload = payload.get(..MAX_PAYLOAD).unwrap_or(payload);
    let length = (UDP_HEADER + payload.len()) as u16;
    let mut udp = Vec::with_capacity(usize::from(length));
    udp.extend_from_slice(&from.port().to_be_bytes());
    udp.extend_from_slice(&to.port().to_be_bytes());
    udp.extend_from_slice(&length.to_be_bytes());
    udp.extend_from_slice(&[0; 2]);
    udp.extend_from_slice(payload);
    let (from, to) = (from.ip().to_canonical(), to.ip().to_canonical());
    let mut pseudo = Vec::with_capacity(40);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            pseudo.extend_from_slice(&from.octets());
            pseudo.extend_from_slice(&to.octets());
        }
        (from, to) => {
            pseudo.extend_from_slice(&sixth(from));
            pseudo.extend_from_slice(&sixth(to));
        }
    }
    let sum = checksum(&[
        &pseudo,
        &u32::from(length).to_be_bytes(),
        &[0, 0, 0, UDP],
        &udp,
    ]);
    // RFC 768: a sum of zero is written as all ones, for zero means "none".
    let sum = if sum == 0 { u16::MAX } else { sum };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    let mut packet = match pseudo.len() {
        8 => header_v4(&pseudo, length),
        _ => header_v6(&pseudo, length),
    };
    packet.extend_from_slice(&udp);
    packet
}

fn header_v4(addresses: &[u8], length: u16) -> Vec<u8> {
    let total = 20 + length;
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&total.to_be_bytes());
    // Identification 0, don't fragment, 64 hops.
    header.extend_from_slice(&[0, 0, 0x40, 0, 64, UDP, 0, 0]);
    header.extend_from_slice(addresses);
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn header_v6(addresses: &[u8], length: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&[UDP, 64]);
    header.extend_from_slice(addresses);
    header
}

fn sixth(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// RFC 1071 over parts laid end to end; all but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
/// What fits beside both headers into 65,535 octets.
const MAX_PAYLOAD: usize = 65_535 - 20 - UDP_HEADER;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ms: i64, from: &str, to: &str, payload: &[u8]) -> Shown {
        Shown {
            at: Timestamp::from_millis(ms),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            payload: payload.to_vec(),
        }
    }

    #[test]
    fn packets_are_in_the_order_of_time_with_true_sums() {
        let file = write(vec![
            shown(2, "[2001:db8::1]:5060", "[2001:db8::2]:5070", b"second"),
            shown(1, "192.0.2.1:5060", "192.0.2.2:5070", b"first"),
        ])
        .unwrap();
        let mut reader = pcap_file::pcap::PcapReader::new(&file[..]).unwrap();
        assert_eq!(reader.header().datalink, DataLink::RAW);
        let first = reader.next_packet().unwrap().unwrap().into_owned();
        assert_eq!(first.timestamp, Duration::from_millis(1));
        assert!(first.data.ends_with(b"first"));
        assert_eq!(checksum(&[&first.data[..20]]), 0, "the header's sum");
        let pseudo = &first.data[12..20];
        let udp = &first.data[20..];
        let length = (udp.len() as u32).to_be_bytes();
        assert_eq!(
            checksum(&[pseudo, &length, &[0, 0, 0, UDP], udp]),
            0,
            "the datagram's"
        );
        let second = reader.next_packet().unwrap().unwrap();
        assert_eq!((second.data[0] >> 4, second.data.len()), (6, 40 + 8 + 6));
        assert!(reader.next_packet().is_none());
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = vec![0; 100_000];
        let file = write(vec![shown(1, "192.0.2.1:1", "192.0.2.2:2", &long)]).unwrap();
        assert!(file.len() < 66_000);
    }
}
