//! What media counts: plain numbers for metrics; workers add to them once a tick.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters and gauges of the whole engine. Counters only grow.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Stats {
            /// Names and values, in declaration order.
            pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

stats! {
    /// RTP packets received, refused ones included.
    packets_in,
    /// RTP packets sent.
    packets_out,
    /// Packets that never came, by sequence number; added when a leg closes.
    lost,
    /// Packets refused: wrong source, wrong payload type, not RTP.
    refused,
    /// Packets that could not be handed to the network.
    send_failed,
    /// SRTP packets refused, for their tag is of no key of ours; counted in `refused` as well.
    srtp_forged,
    /// Packets refused that are no SRTP at all; counted in `refused` as well.
    srtp_malformed,
    /// SRTP packets refused that were there before, or may have been; counted in `refused` as well.
    srtp_replayed,
    /// Packets not sent, for their number was used under the same key: a relayed talker repeated
    /// itself, or came too late.
    srtp_unsent,
    /// RTCP packets received.
    rtcp_in,
    /// RTCP packets sent.
    rtcp_out,
    /// Ticks that began more than 5 ms after their time.
    late_ticks,
    /// Ticks that were not played at all, because a worker stood still for longer than it may
    /// catch up.
    skipped_ticks,
    /// Ticks, on all workers.
    ticks,
    /// Workers that have too much to do and leave something out (gauge).
    late_workers,
    /// Notices dropped because a shard does not read them.
    notices_dropped,
    /// Legs whose sockets the system did not let us watch.
    deaf_legs,
    /// Legs that are open (gauge).
    legs,
    /// Rooms that are open (gauge).
    rooms,
    /// Recordings that run (gauge).
    recordings,
    /// Port pairs in use (gauge).
    ports_in_use,
    /// Port pairs resting after use (gauge).
    ports_quarantined,
    /// Recorder blocks waiting for the disk (gauge).
    recorder_backlog,
    /// Samples the recorder lost because the disk was too slow.
    recorder_missed_samples,
    /// Recordings that cannot be written at the moment (gauge).
    recordings_failing,
    /// Recordings that are over and could not be published (gauge).
    recordings_unpublished,
    /// Writes of recordings that failed.
    recorder_failed_writes,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64, more: u64) {
        if more > 0 {
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(crate) fn take(gauge: &AtomicU64, less: u64) {
        gauge.fetch_sub(less, Ordering::Relaxed);
    }
}
