//! Codecs, packets, ports and keys of a trunk or phone.

use std::ops::RangeInclusive;

use crate::media::dtmf::Method;
use crate::sdp::{AudioCodec, CodecOrder, ReportTerms, SrtpPolicy};

/// What we offer and take of media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTerms {
    /// In the order offered; the others are neither offered nor taken.
    pub codecs: Vec<AudioCodec>,
    /// Whose order of codecs decides in an answer of ours.
    pub order: CodecOrder,
    /// Packet length we ask for, ms.
    pub ptime_ms: u32,
    /// UDP ports the carrier wants our RTP on; the node's when `None`.
    pub ports: Option<RangeInclusive<u16>>,
    /// Payload type offered for keys (RFC 4733); none when `None`.
    pub telephone_event: Option<u8>,
    /// Whether redundancy of those is offered (RFC 2198).
    pub dtmf_redundancy: bool,
    /// How keys are pressed, and told.
    pub dtmf: Method,
    /// Whether silence may be left out and described instead (RFC 3389).
    pub comfort_noise: bool,
    /// What is offered of RTCP beyond plain reports.
    pub reports: ReportTerms,
    /// Whether media is secure (SDES); phones say so elsewhere.
    pub srtp: SrtpPolicy,
}

impl MediaTerms {
    /// What a phone has that says nothing else: the widest sound it knows. Trunks lead into networks
    /// of G.711, where a wider codec would only be transcoded further on.
    pub fn of_phone() -> Self {
        let codecs = vec![
            AudioCodec::Opus,
            AudioCodec::G722,
            AudioCodec::Pcmu,
            AudioCodec::Pcma,
        ];
        Self {
            codecs,
            ..Self::default()
        }
    }
}

impl Default for MediaTerms {
    /// What every trunk has: G.711 in packets of 20 ms; keys as 101, the payload type
    /// that nearly all use.
    fn default() -> Self {
        Self {
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            order: CodecOrder::Theirs,
            ptime_ms: 20,
            ports: None,
            telephone_event: Some(101),
            dtmf_redundancy: false,
            dtmf: Method::Auto,
            comfort_noise: false,
            reports: ReportTerms::default(),
            srtp: SrtpPolicy::No,
        }
    }
}
