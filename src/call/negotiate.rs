//! Where SIP and media meet: what SDP agreed on becomes what a media leg does.

use std::net::IpAddr;

use crate::media::rtcp::Asked;
use crate::media::srtp::{Keys, MasterKey, Suite};
use crate::media::{Codec, LegFlow, LegPorts, OpusTerms, Redundancy};
use crate::sdp::{AudioCodec, CryptoSuite, Direction, LocalCrypto, LocalMedia, Negotiated};
use crate::sdp::{OpusParameters, SecureMedia};
use crate::trunk::profile::MediaTerms;

/// Our side of a leg to somebody of whom we know nothing.
pub fn local_media(ports: LegPorts, session_id: u64) -> LocalMedia {
    media_on(ports, session_id, &MediaTerms::default())
}

/// Our side of a leg to a phone or through a trunk, as its settings say.
pub(super) fn media_on(ports: LegPorts, session_id: u64, terms: &MediaTerms) -> LocalMedia {
    LocalMedia {
        address: ports.rtp,
        rtcp: Some(ports.rtcp),
        codecs: terms.codecs.clone(),
        ptime_ms: terms.ptime_ms,
        telephone_event: terms.telephone_event.filter(|_| terms.dtmf.offers_events()),
        dtmf_redundancy: terms.dtmf_redundancy,
        comfort_noise: terms.comfort_noise,
        order: terms.order,
        direction: Direction::SendRecv,
        reports: terms.reports,
        crypto: LocalCrypto::default(),
        session_id,
        session_version: 1,
    }
}

/// The media leg's orders for what was negotiated with a far end whose signalling comes from
/// `signalled`.
pub fn leg_flow(agreed: &Negotiated, signalled: Option<IpAddr>) -> LegFlow {
    LegFlow {
        remote: agreed.remote,
        remote_rtcp: agreed.remote_rtcp,
        signalled,
        rtcp_mux: agreed.rtcp_mux,
        extended_reports: Asked {
            round_trip: agreed.extended_reports.round_trip,
            voip_metrics: agreed.extended_reports.voip_metrics,
        },
        codec: codec(agreed.codec),
        send_payload_type: agreed.payload_type,
        receive_payload_type: agreed.receive_payload_type,
        send_telephone_event: agreed.telephone_event,
        receive_telephone_event: agreed.receive_telephone_event,
        telephone_event_hz: agreed.telephone_event_hz,
        redundancy: agreed.redundancy.map(|red| Redundancy {
            send_payload_type: red.payload_type,
            receive_payload_type: red.receive_payload_type,
            depth: red.depth,
        }),
        comfort_noise: agreed.comfort_noise,
        opus: opus_terms(&agreed.opus),
        ptime_ms: agreed.ptime_ms,
        tones: false,
        sending: agreed.direction.sends(),
        receiving: agreed.direction.receives(),
        srtp: agreed.secure.as_ref().and_then(keys),
    }
}

/// The same keys, as media knows them.
fn keys(secure: &SecureMedia) -> Option<Keys> {
    let suite = match secure.suite {
        CryptoSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        CryptoSuite::AeadAes256Gcm => Suite::AeadAes256Gcm,
        CryptoSuite::AesCm128HmacSha1_32 => Suite::AesCm128HmacSha1_32,
        CryptoSuite::AesCm128HmacSha1_80 => Suite::AesCm128HmacSha1_80,
    };
    Some(Keys {
        send: MasterKey::new(suite, secure.ours.octets())?,
        receive: MasterKey::new(suite, secure.theirs.octets())?,
    })
}

/// The codec's name as records show it.
pub(crate) fn codec_name(agreed: &Negotiated) -> &'static str {
    agreed.codec.as_str()
}

fn codec(codec: AudioCodec) -> Codec {
    match codec {
        AudioCodec::G722 => Codec::G722,
        AudioCodec::Opus => Codec::Opus,
        AudioCodec::Pcma => Codec::Pcma,
        AudioCodec::Pcmu => Codec::Pcmu,
    }
}

fn opus_terms(parameters: &OpusParameters) -> OpusTerms {
    OpusTerms {
        in_band_fec: parameters.in_band_fec,
        dtx: parameters.dtx,
        max_playback_hz: parameters.max_playback_hz,
        max_bitrate: parameters.max_bitrate,
        constant_bitrate: parameters.constant_bitrate,
    }
}
