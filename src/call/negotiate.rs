//! Where SIP and media meet: what SDP agreed on becomes what a media leg does.

use crate::media::srtp::{Keys, MasterKey, Suite};
use crate::media::{Codec, LegFlow, LegPorts};
use crate::sdp::{
    AudioCodec, CryptoSuite, Direction, LocalCrypto, LocalMedia, Negotiated, SecureMedia,
};
use crate::trunk::profile::MediaTerms;

/// Our side of a leg: both codecs, µ-law first, and telephone events.
pub fn local_media(ports: LegPorts, session_id: u64) -> LocalMedia {
    LocalMedia {
        address: ports.rtp,
        rtcp: Some(ports.rtcp),
        codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
        ptime_ms: 20,
        telephone_event: Some(TELEPHONE_EVENT),
        direction: Direction::SendRecv,
        crypto: LocalCrypto::default(),
        session_id,
        session_version: 1,
    }
}

/// Our side of a leg through a trunk, as its profile wants it.
pub(super) fn trunk_media(ports: LegPorts, session_id: u64, terms: &MediaTerms) -> LocalMedia {
    LocalMedia {
        codecs: terms.codecs.clone(),
        ptime_ms: terms.ptime_ms,
        telephone_event: terms.telephone_event,
        ..local_media(ports, session_id)
    }
}

/// Payload type we offer for RFC 4733; 101 is what nearly every phone and trunk uses.
const TELEPHONE_EVENT: u8 = 101;

/// The media leg's orders for what was negotiated.
pub fn leg_flow(agreed: &Negotiated) -> LegFlow {
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
        AudioCodec::Pcma => Codec::Pcma,
        AudioCodec::Pcmu => Codec::Pcmu,
    }
}
