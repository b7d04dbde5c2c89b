//! Sends what is traced to a HEP collector, from a thread of its own: signalling never waits.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Traced;
use super::hep::{Agent, encode};
use super::redact::{Numbers, redact};

/// What became of messages for the collector.
#[derive(Debug, Default)]
pub struct ExportStats {
    /// Packets sent.
    pub sent: AtomicU64,
    /// Messages not sent: too many at once, or the network did not take them.
    pub lost: AtomicU64,
}

/// The way to the collector. Clones share it.
#[derive(Clone, Debug)]
pub struct Exporter {
    queue: SyncSender<Traced>,
    stats: Arc<ExportStats>,
    /// Whether telephone numbers are overwritten.
    masks: Arc<AtomicBool>,
}

impl Exporter {
    /// Starts the thread, which ends with the last clone.
    pub fn start(collector: SocketAddr, agent: Agent, numbers: Numbers) -> io::Result<Self> {
        let any: SocketAddr = if collector.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(collector)?;
        let (queue, waiting) = sync_channel(QUEUE);
        let stats = Arc::new(ExportStats::default());
        let masks = Arc::new(AtomicBool::new(numbers == Numbers::Masked));
        let (counted, masked) = (Arc::clone(&stats), Arc::clone(&masks));
        thread::Builder::new()
            .name("hep".to_owned())
            .spawn(move || run(&socket, &waiting, &agent, &masked, &counted))?;
        Ok(Self {
            queue,
            stats,
            masks,
        })
    }

    /// Sends a message some time soon, or counts it as lost.
    pub fn send(&self, traced: &Traced) {
        if self.queue.try_send(traced.clone()).is_err() {
            self.stats.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the collector sees telephone numbers from now on; what waits goes by it too.
    pub fn set_numbers(&self, numbers: Numbers) {
        let masks = numbers == Numbers::Masked;
        self.masks.store(masks, Ordering::Release);
    }

    /// What became of messages.
    pub fn stats(&self) -> Arc<ExportStats> {
        Arc::clone(&self.stats)
    }
}

fn run(
    socket: &UdpSocket,
    waiting: &Receiver<Traced>,
    agent: &Agent,
    masks: &AtomicBool,
    stats: &ExportStats,
) {
    while let Ok(traced) = waiting.recv() {
        let numbers = match masks.load(Ordering::Acquire) {
            true => Numbers::Masked,
            false => Numbers::Shown,
        };
        let packet = encode(agent, &traced, &redact(&traced.bytes, numbers));
        // An ICMP "port unreachable" of an earlier packet shows up here too.
        let count = match socket.send(&packet) {
            Ok(_) => &stats.sent,
            Err(_) => &stats.lost,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Messages that wait at a time; a burst of a second at 300 calls a second.
const QUEUE: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::base::Timestamp;
    use crate::sip::Flow;
    use crate::sip::trace::{Trace, Way};

    #[test]
    fn what_is_noted_reaches_the_collector() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        collector
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let to = collector.local_addr().unwrap();
        let exporter = Exporter::start(to, Agent::default(), Numbers::Shown).unwrap();
        let stats = exporter.stats();
        let mut trace = Trace::new(0, Some(exporter));
        let here = "127.0.0.1:5060".parse().unwrap();
        trace.note(Traced {
            at: Timestamp::ZERO,
            way: Way::Out,
            flow: Flow::udp(here, here),
            bytes: Bytes::from_static(b"OPTIONS sip:a SIP/2.0\r\n\r\n"),
        });
        let mut packet = [0; 2048];
        let length = collector.recv(&mut packet).unwrap();
        let packet = &packet[..length];
        assert!(packet.starts_with(b"HEP3") && packet.ends_with(b"SIP/2.0\r\n\r\n"));
        assert_eq!(stats.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn numbers_are_masked_from_the_moment_they_are_to_be() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        collector
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let to = collector.local_addr().unwrap();
        let exporter = Exporter::start(to, Agent::default(), Numbers::Shown).unwrap();
        let here = "127.0.0.1:5060".parse().unwrap();
        for (numbers, shown) in [(Numbers::Masked, false), (Numbers::Shown, true)] {
            exporter.set_numbers(numbers);
            exporter.send(&Traced {
                at: Timestamp::ZERO,
                way: Way::Out,
                flow: Flow::udp(here, here),
                bytes: Bytes::from_static(b"OPTIONS sip:+819012345678@a SIP/2.0\r\n\r\n"),
            });
            let mut packet = [0; 2048];
            let length = collector.recv(&mut packet).unwrap();
            let has_number = memchr::memmem::find(&packet[..length], b"9012345678").is_some();
            assert_eq!(has_number, shown);
        }
    }
}
