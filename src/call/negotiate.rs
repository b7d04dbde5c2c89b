//! Where SIP and media meet: what SDP agreed on becomes what a media leg does.

use crate::media::{Codec, LegFlow};
use crate::sdp::{AudioCodec, Direction, Negotiated};

/// The media leg's orders for what was negotiated.
pub(crate) fn leg_flow(agreed: &Negotiated) -> LegFlow {
    LegFlow {
        remote: agreed.remote,
        remote_rtcp: agreed.remote_rtcp,
        rtcp_mux: agreed.rtcp_mux,
        codec: codec(agreed.codec),
        send_payload_type: agreed.payload_type,
        receive_payload_type: agreed.receive_payload_type,
        send_telephone_event: agreed.telephone_event,
        receive_telephone_event: agreed.receive_telephone_event,
        ptime_ms: agreed.ptime_ms,
        sending: matches!(agreed.direction, Direction::SendRecv | Direction::SendOnly),
        receiving: matches!(agreed.direction, Direction::SendRecv | Direction::RecvOnly),
    }
}

/// The codec's name as records show it.
pub(crate) fn codec_name(agreed: &Negotiated) -> &'static str {
    match agreed.codec {
        AudioCodec::Pcma => "PCMA",
        AudioCodec::Pcmu => "PCMU",
    }
}

fn codec(codec: AudioCodec) -> Codec {
    match codec {
        AudioCodec::Pcma => Codec::Pcma,
        AudioCodec::Pcmu => Codec::Pcmu,
    }
}
