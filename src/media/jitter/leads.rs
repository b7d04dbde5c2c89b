//! How far ahead of its tick each of the latest packets came.

/// Microseconds between ticks.
const TICK: i64 = 20_000;

/// Packets looked at: a pattern of packets that are no whole frames repeats within them.
const PACKETS: usize = 4;

/// The latest packets of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leads {
    packets: [Lead; PACKETS],
    count: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lead {
    /// Time of the tick after it came less its media time, microseconds: at least and at most.
    tick: (i64, i64),
    /// Samples to be played before its own.
    ahead: i64,
}

impl Leads {
    /// Forgets all packets.
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// A packet came.
    pub(super) fn note(&mut self, tick: (i64, i64), ahead: i64) {
        self.packets.rotate_right(1);
        self.packets[0] = Lead { tick, ahead };
        self.count = PACKETS.min(self.count + 1);
    }

    /// So many samples were put in before what they brought; below 0 taken out.
    pub(super) fn moved(&mut self, by: i64) {
        self.packets.iter_mut().for_each(|lead| lead.ahead += by);
    }

    /// The tick at which packets must be there less their media time, microseconds: at least and
    /// at most. A packet is needed whole at the tick that plays its first sample.
    pub(super) fn needed(&self, frame: usize) -> Option<(i64, i64)> {
        let packets = &self.packets[..self.count];
        let ticks = |lead: &Lead| lead.ahead.div_euclid(frame as i64) * TICK;
        let least = packets.iter().map(|lead| lead.tick.0 + ticks(lead)).min()?;
        let most = packets.iter().map(|lead| lead.tick.1 + ticks(lead)).min()?;
        Some((least, most))
    }

    /// Samples by which packets are played later than their tick would need: of no use.
    pub(super) fn waste(&self, frame: usize) -> usize {
        let packets = &self.packets[..self.count];
        let parts = packets
            .iter()
            .map(|lead| lead.ahead.rem_euclid(frame as i64) as usize);
        parts.min().unwrap_or(0)
    }
}
