//! One RTP packet: a checked view of received bytes, and a writer (RFC 3550 §5.1).

use rtp_rs::{RtpReader, RtpReaderError};

/// Bytes of the header we write: no CSRC, no extension.
pub const HEADER_BYTES: usize = 12;

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A block of a redundant payload ends behind the payload, or has no header's end (RFC 2198 §3).
    #[error("redundant RTP payload cut short")]
    BlockShort,
    /// Padding longer than the payload, or zero.
    #[error("impossible RTP padding")]
    Padding,
    /// Payload type in the range RTCP packet types take on a shared port (RFC 5761 §4).
    #[error("an RTCP packet")]
    Rtcp,
    /// Ends inside the header, its CSRC list or its extension.
    #[error("RTP packet cut short")]
    Short,
    /// More redundant blocks than [`MAX_EARLIER`](super::MAX_EARLIER).
    #[error("more redundant blocks than a packet may have")]
    TooManyBlocks,
    /// A version other than 2.
    #[error("RTP version {0}")]
    Version(u8),
}

/// The fields of the fixed header that a telephone switch lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// First packet after silence, or of an event.
    pub marker: bool,
    /// Payload type, 0..=127.
    pub payload_type: u8,
    /// Sequence number; wraps.
    pub sequence: u16,
    /// Sampling instant of the first sample on the sender's clock; wraps.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Writes the 12 bytes of the header.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = 0x80;
        bytes[1] = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// A received packet, checked: every accessor is total.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: Header,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks and takes apart a datagram; CSRC list, extension and padding are left out of the
    /// payload.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Error> {
        let reader = RtpReader::new(datagram).map_err(Error::from)?;
        if is_rtcp(datagram) {
            return Err(Error::Rtcp);
        }
        let header = Header {
            marker: reader.mark(),
            payload_type: reader.payload_type(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
        };
        Ok(Self {
            header,
            payload: reader.payload(),
        })
    }

    /// A packet that another one carries.
    pub(super) fn carried(header: Header, payload: &'a [u8]) -> Self {
        Self { header, payload }
    }

    /// The fixed header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload without padding; may be empty.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

impl From<RtpReaderError> for Error {
    fn from(error: RtpReaderError) -> Self {
        match error {
            RtpReaderError::BufferTooShort(_) | RtpReaderError::HeadersTruncated { .. } => {
                Self::Short
            }
            RtpReaderError::UnsupportedVersion(version) => Self::Version(version),
            RtpReaderError::PaddingLengthInvalid(_) => Self::Padding,
        }
    }
}

/// Writes header and payload to the start of `buffer`; returns the packet's length, or `None` when
/// the buffer is too small.
pub fn write(buffer: &mut [u8], header: Header, payload: &[u8]) -> Option<usize> {
    let length = HEADER_BYTES.checked_add(payload.len())?;
    let packet = buffer.get_mut(..length)?;
    packet[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    packet[HEADER_BYTES..].copy_from_slice(payload);
    Some(length)
}

/// Whether a datagram on a shared port is RTCP: packet types 192..=223 (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|byte| byte >> 6 == 2)
        && matches!(datagram.get(1), Some(192..=223))
}

/// How far timestamp `later` is after `earlier` on the wrapping clock; negative when before.
pub fn distance(later: u32, earlier: u32) -> i32 {
    later.wrapping_sub(earlier) as i32
}

/// How far sequence number `later` is after `earlier`; negative when before.
pub fn sequence_distance(later: u16, earlier: u16) -> i16 {
    later.wrapping_sub(earlier) as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_past_csrcs_extension_and_padding() {
        let mut bytes = vec![0b1011_0010, 0x80 | 101, 0, 7, 0, 0, 0, 9, 1, 2, 3, 4];
        bytes.extend([0; 8]); // two CSRCs
        bytes.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend([1, 2, 3, 0, 0, 3]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.payload(), [1, 2, 3]);
        let header = packet.header();
        assert!(header.marker);
        assert_eq!(
            (
                header.payload_type,
                header.sequence,
                header.timestamp,
                header.ssrc
            ),
            (101, 7, 9, 0x0102_0304)
        );
    }

    #[test]
    fn refuses_what_is_not_rtp() {
        let refuse = |bytes: &[u8]| Packet::parse(bytes).unwrap_err();
        assert_eq!(refuse(&[]), Error::Short);
        assert_eq!(refuse(&[0x80; 11]), Error::Short);
        assert_eq!(refuse(&[0x40; 12]), Error::Version(1));
        assert_eq!(
            refuse(&[0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Error::Short
        );
        assert_eq!(
            refuse(&[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]),
            Error::Short
        );
        assert_eq!(
            refuse(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]),
            Error::Padding
        );
        assert_eq!(
            refuse(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Error::Padding
        );
        assert_eq!(
            refuse(&[0x80, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]),
            Error::Rtcp
        );
    }

    #[test]
    fn distances_survive_the_wrap() {
        assert_eq!(distance(5, u32::MAX - 4), 10);
        assert_eq!(distance(u32::MAX, 0), -1);
        assert_eq!(sequence_distance(1, u16::MAX), 2);
        assert_eq!(sequence_distance(u16::MAX, 1), -2);
    }

    #[test]
    fn a_packet_that_does_not_fit_is_not_written() {
        assert_eq!(write(&mut [0; 171], Header::default(), &[0; 160]), None);
        assert_eq!(
            write(&mut [0; 172], Header::default(), &[0; 160]),
            Some(172)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_without_panic(bytes: Vec<u8>) {
            let _ = Packet::parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(
            marker: bool, payload_type in 0u8..64, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let mut buffer = [0; 512];
            let length = write(&mut buffer, header, &payload).unwrap();
            let packet = Packet::parse(&buffer[..length]).unwrap();
            prop_assert_eq!(packet.header(), &header);
            prop_assert_eq!(packet.payload(), &payload[..]);
        }
    }
}
