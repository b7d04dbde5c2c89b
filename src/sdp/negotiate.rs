//! Offer and answer (RFC 3264): one audio stream, one codec at a time.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::OtherMedia;
use super::crypto::{Crypto, LocalCrypto, SecureMedia, SrtpPolicy};
use super::{AudioCodec, AudioMedia, Description, Direction, Error, Format, Media, Origin};

/// Our side of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// Where we receive RTP, as others see it.
    pub address: SocketAddr,
    /// Where we receive RTCP when it is not the next port.
    pub rtcp: Option<SocketAddr>,
    /// Codecs we take; an offer lists them in this order.
    pub codecs: Vec<AudioCodec>,
    /// Packet length we ask for, ms; ours is 20 whatever this says.
    pub ptime_ms: u32,
    /// Payload type we offer for telephone events; `None` to do without.
    pub telephone_event: Option<u8>,
    /// What we are willing to do.
    pub direction: Direction,
    /// Whether it is secured, and by which keys.
    #[serde(default)]
    pub crypto: LocalCrypto,
    /// Session id of our descriptions, the same for the life of the dialog.
    pub session_id: u64,
    /// Version, one more for each description that differs from the last.
    pub session_version: u64,
}

/// What both sides agreed upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Codec, both ways.
    pub codec: AudioCodec,
    /// Payload type to send it with.
    pub payload_type: u8,
    /// Payload type to expect it with.
    pub receive_payload_type: u8,
    /// Payload type to send telephone events with.
    pub telephone_event: Option<u8>,
    /// Payload type to expect telephone events with.
    pub receive_telephone_event: Option<u8>,
    /// Where to send RTP; `None` when there is nowhere, such as on hold by address.
    pub remote: Option<SocketAddr>,
    /// Where to send RTCP; the same as `remote` when multiplexed.
    pub remote_rtcp: Option<SocketAddr>,
    /// Whether RTCP shares the RTP port.
    pub rtcp_mux: bool,
    /// Length of the packets to send, milliseconds; a multiple of 20.
    pub ptime_ms: u32,
    /// What we may send and will receive.
    pub direction: Direction,
    /// Whether the other side put us on hold.
    pub held_by_remote: bool,
    /// What packets are protected with; plain when `None`.
    #[serde(default)]
    pub secure: Option<SecureMedia>,
}

impl Negotiated {
    /// Whether our key must be another than in what was agreed before: the far end may be a new
    /// one that does not know how far our packets have counted (RFC 4568 §7.1.4), or the key was
    /// used already.
    pub fn wants_new_key(&self, before: &Negotiated) -> bool {
        match (&self.secure, &before.secure) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(now), Some(before_it)) => {
                let is_moved = now.theirs != before_it.theirs && self.remote != before.remote;
                now.suite != before_it.suite || is_moved
            }
        }
    }
}

/// Our offer: one audio stream, secure when it must be.
pub fn offer(local: &LocalMedia) -> Description {
    let crypto = match local.crypto.policy {
        SrtpPolicy::Required => local.crypto.offered(None),
        SrtpPolicy::No | SrtpPolicy::Optional => Vec::new(),
    };
    offer_with(local, crypto)
}

/// Our offer in a dialog that has agreed on something before: what is secure stays so, under the
/// key that is in use.
pub fn reoffer(local: &LocalMedia, before: Option<&Negotiated>) -> Description {
    match before.and_then(|before| before.secure.as_ref()) {
        Some(secure) => offer_with(local, local.crypto.offered(Some(secure.suite))),
        None => offer(local),
    }
}

fn offer_with(local: &LocalMedia, crypto: Vec<Crypto>) -> Description {
    let mut formats: Vec<Format> = local.codecs.iter().copied().map(Format::of).collect();
    formats.extend(local.telephone_event.map(Format::telephone_event));
    let protocol = if crypto.is_empty() {
        "RTP/AVP"
    } else {
        "RTP/SAVP"
    };
    let mut audio = describe(local, protocol, formats, local.direction);
    audio.crypto = crypto;
    Description {
        origin: origin(local),
        time: (0, 0),
        media: vec![Media::Audio(audio)],
    }
}

/// Our answer to an offer: the first audio stream with a codec of ours that is as secure as it must
/// be, everything else refused in place.
///
/// Among codecs of ours the offerer's order decides (RFC 3264 §6.1), and its payload types are
/// used both ways.
pub fn answer(local: &LocalMedia, offer: &Description) -> Result<(Description, Negotiated), Error> {
    let mut error = Error::NoAudio;
    let chosen = offer.media.iter().enumerate().find_map(|(line, media)| {
        let Media::Audio(audio) = media else {
            return None;
        };
        if audio.port == 0 {
            return None;
        }
        let Ok(secure) = secure(local, audio) else {
            error = Error::NoCommonSecurity;
            return None;
        };
        let choice = choose(local, audio);
        if choice.is_none() {
            error = Error::NoCommonCodec;
        }
        choice.map(|(codec, format)| (line, audio, (codec, format), secure))
    });
    let (chosen, theirs, (codec, format), secure) = chosen.ok_or(error)?;
    let (line, secure) = secure.unzip();
    let telephone_event = local.telephone_event.and(theirs.telephone_event());
    let negotiated = Negotiated {
        telephone_event,
        receive_telephone_event: telephone_event,
        rtcp_mux: theirs.rtcp_mux,
        secure,
        ..agree(local, theirs, codec, format)
    };
    let mut formats = vec![format.clone()];
    formats.extend(telephone_event.map(Format::telephone_event));
    let mut ours = describe(local, &theirs.protocol, formats, negotiated.direction);
    ours.rtcp_mux = negotiated.rtcp_mux;
    // RFC 4568 §7.1.2: the tag of the line taken, with our key.
    ours.crypto = (negotiated.secure.as_ref().zip(line))
        .map(|(secure, line)| Crypto {
            key: secure.ours.clone(),
            ..line.clone()
        })
        .into_iter()
        .collect();
    let mut ours = Some(ours);
    let media = offer.media.iter().enumerate().map(|(line, media)| {
        let taken = ours.take_if(|_| line == chosen);
        taken.map_or_else(|| refused(media), Media::Audio)
    });
    let description = Description {
        origin: origin(local),
        time: offer.time,
        media: media.collect(),
    };
    Ok((description, negotiated))
}

/// Our answer to an offer that takes every audio stream away (RFC 3264 §8.2: port 0), for a call
/// that had one; `None` when the offer does not.
pub fn answer_removed(local: &LocalMedia, offer: &Description) -> Option<Description> {
    let is_removal = offer.audio().count() > 0 && offer.audio().all(|audio| audio.port == 0);
    is_removal.then(|| Description {
        origin: origin(local),
        time: offer.time,
        media: offer.media.iter().map(refused).collect(),
    })
}

/// What an answer to our offer means.
///
/// RTCP is never multiplexed, for we do not offer it; telephone events and codec may come back on
/// payload types of the answerer's own.
pub fn accept_answer(local: &LocalMedia, answer: &Description) -> Result<Negotiated, Error> {
    let Some(Media::Audio(theirs)) = answer.media.first() else {
        return Err(Error::NoAudio);
    };
    if theirs.port == 0 {
        return Err(Error::NoAudio);
    }
    let secure = secure(local, theirs)?;
    let (codec, format) = choose(local, theirs).ok_or(Error::NoCommonCodec)?;
    let send = theirs.telephone_event();
    Ok(Negotiated {
        receive_payload_type: codec.payload_type(),
        telephone_event: local.telephone_event.and(send),
        receive_telephone_event: local.telephone_event.filter(|_| send.is_some()),
        secure: secure.map(|(_, secure)| secure),
        ..agree(local, theirs, codec, format)
    })
}

/// The first of their formats that is a codec of ours.
fn choose<'a>(local: &LocalMedia, theirs: &'a AudioMedia) -> Option<(AudioCodec, &'a Format)> {
    theirs.formats.iter().find_map(|format| {
        let codec = local.codecs.iter().find(|codec| format.is(**codec))?;
        Some((*codec, format))
    })
}

/// What a stream is secured with and the line of theirs that says so; `None` when it is plain.
fn secure<'a>(
    local: &LocalMedia,
    theirs: &'a AudioMedia,
) -> Result<Option<(&'a Crypto, SecureMedia)>, Error> {
    match (theirs.is_secure(), local.crypto.policy) {
        (false, SrtpPolicy::Required) => Err(Error::NoCommonSecurity),
        (false, SrtpPolicy::No | SrtpPolicy::Optional) => Ok(None),
        (true, _) => {
            let chosen = local.crypto.choose(&theirs.crypto);
            chosen.map(Some).ok_or(Error::NoCommonSecurity)
        }
    }
}

/// What follows from their description alone, whoever offered.
fn agree(
    local: &LocalMedia,
    theirs: &AudioMedia,
    codec: AudioCodec,
    format: &Format,
) -> Negotiated {
    let is_held = theirs.is_held_by_address() || !theirs.direction.receives();
    let mut direction = local.direction.and(theirs.direction.reversed());
    if theirs.is_held_by_address() {
        direction = direction.and(Direction::RecvOnly);
    }
    let remote = theirs.remote();
    Negotiated {
        codec,
        payload_type: format.payload_type,
        receive_payload_type: format.payload_type,
        telephone_event: None,
        receive_telephone_event: None,
        remote,
        remote_rtcp: theirs.remote_rtcp(),
        rtcp_mux: false,
        ptime_ms: packet_length(theirs),
        direction,
        held_by_remote: is_held,
        secure: None,
    }
}

/// Theirs, when it is a multiple of our frame that every receiver buffers; 20 otherwise.
fn packet_length(theirs: &AudioMedia) -> u32 {
    let longest = theirs.max_ptime_ms.unwrap_or(LONGEST_PACKET_MS);
    match theirs.ptime_ms {
        Some(wished @ (40 | 60)) if wished <= longest => wished,
        _ => FRAME_MS,
    }
}

fn describe(
    local: &LocalMedia,
    protocol: &str,
    formats: Vec<Format>,
    direction: Direction,
) -> AudioMedia {
    let next_port = local.address.port().checked_add(1);
    let is_next =
        |rtcp: &SocketAddr| rtcp.ip() == local.address.ip() && Some(rtcp.port()) == next_port;
    AudioMedia {
        address: Some(local.address.ip()),
        port: local.address.port(),
        protocol: protocol.to_owned(),
        rtcp: local.rtcp.filter(|rtcp| !is_next(rtcp)),
        rtcp_mux: false,
        direction,
        formats,
        ptime_ms: Some(local.ptime_ms),
        max_ptime_ms: None,
        crypto: Vec::new(),
    }
}

/// A media line of the answer that takes no part (RFC 3264 §6).
fn refused(media: &Media) -> Media {
    Media::Other(match media {
        Media::Other(other) => OtherMedia {
            port: 0,
            ..other.clone()
        },
        Media::Audio(audio) => OtherMedia {
            kind: "audio".to_owned(),
            port: 0,
            protocol: audio.protocol.clone(),
            formats: audio.numbers(),
        },
    })
}

fn origin(local: &LocalMedia) -> Origin {
    Origin {
        user: "-".to_owned(),
        session_id: local.session_id.to_string(),
        session_version: local.session_version,
        address: local.address.ip().to_string(),
    }
}

/// The frame of the media room, milliseconds.
const FRAME_MS: u32 = 20;

/// Longest packet we send: 480 octets of G.711.
const LONGEST_PACKET_MS: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> LocalMedia {
        LocalMedia {
            address: "198.51.100.5:40000".parse().unwrap(),
            rtcp: Some("198.51.100.5:40001".parse().unwrap()),
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            ptime_ms: 20,
            telephone_event: Some(101),
            direction: Direction::SendRecv,
            crypto: LocalCrypto::default(),
            session_id: 7,
            session_version: 1,
        }
    }

    fn parse(media: &str) -> Description {
        let text =
            format!("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
        Description::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_offerers_order_and_payload_types_decide() {
        let offer = parse(
            "m=audio 4000 RTP/AVP 18 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:40\r\n",
        );
        let (answer, agreed) = answer(&local(), &offer).unwrap();
        assert_eq!(agreed.codec, AudioCodec::Pcma);
        assert_eq!((agreed.payload_type, agreed.receive_payload_type), (8, 8));
        assert_eq!(agreed.telephone_event, Some(96));
        assert_eq!(agreed.receive_telephone_event, Some(96));
        assert_eq!(agreed.ptime_ms, 40);
        assert_eq!(agreed.remote, Some("192.0.2.1:4000".parse().unwrap()));
        assert_eq!(agreed.remote_rtcp, Some("192.0.2.1:4001".parse().unwrap()));
        let text = String::from_utf8(answer.to_bytes()).unwrap();
        assert_eq!(
            text,
            "v=0\r\no=- 7 1 IN IP4 198.51.100.5\r\ns=-\r\nt=0 0\r\n\
            m=audio 40000 RTP/AVP 8 96\r\nc=IN IP4 198.51.100.5\r\n\
            a=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n\
            a=ptime:20\r\na=sendrecv\r\n"
        );
    }

    #[test]
    fn other_media_are_refused_in_place() {
        let offer = parse(
            "m=video 9 RTP/AVP 31\r\nm=audio 5 RTP/SAVP 0\r\nm=audio 6 RTP/AVP 18\r\n\
            m=audio 7 RTP/AVPF 0\r\na=rtcp-mux\r\nm=audio 8 RTP/AVP 0 8\r\nm=image 9 udptl t38\r\n",
        );
        let (answer, agreed) = answer(&local(), &offer).unwrap();
        assert!(agreed.rtcp_mux);
        let text = String::from_utf8(answer.to_bytes()).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(
            lines,
            [
                "m=video 0 RTP/AVP 31",
                "m=audio 0 RTP/SAVP 0",
                "m=audio 0 RTP/AVP 18",
                "m=audio 40000 RTP/AVPF 0",
                "m=audio 0 RTP/AVP 0 8",
                "m=image 0 udptl t38",
            ]
        );
    }

    #[test]
    fn direction_is_mirrored_and_hold_is_seen() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        for (theirs, ours, held) in [
            ("sendrecv", SendRecv, false),
            ("sendonly", RecvOnly, true),
            ("recvonly", SendOnly, false),
            ("inactive", Inactive, true),
        ] {
            let offer = parse(&format!("m=audio 4000 RTP/AVP 0\r\na={theirs}\r\n"));
            let (answer, agreed) = answer(&local(), &offer).unwrap();
            assert_eq!((agreed.direction, agreed.held_by_remote), (ours, held));
            assert_eq!(answer.audio().next().unwrap().direction, ours);
        }
        let old = parse("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
        let (_, agreed) = answer(&local(), &old).unwrap();
        assert_eq!((agreed.direction, agreed.remote), (RecvOnly, None));
        assert!(agreed.held_by_remote);
        let holding = LocalMedia {
            direction: SendOnly,
            ..local()
        };
        let offer = parse("m=audio 4000 RTP/AVP 0\r\n");
        assert_eq!(answer(&holding, &offer).unwrap().1.direction, SendOnly);
    }

    #[test]
    fn what_cannot_be_agreed_is_488() {
        for (media, error) in [
            ("m=video 9 RTP/AVP 31\r\n", Error::NoAudio),
            ("m=audio 0 RTP/AVP 0\r\n", Error::NoAudio),
            ("m=audio 9 RTP/AVP 18 9\r\n", Error::NoCommonCodec),
            (
                "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n",
                Error::NoCommonCodec,
            ),
            ("", Error::NoAudio),
        ] {
            let refused = answer(&local(), &parse(media)).unwrap_err();
            assert_eq!(refused, error);
            assert_eq!(refused.status(), 488);
        }
    }

    #[test]
    fn a_removed_stream_is_answered_in_place() {
        let offer = parse("m=audio 0 RTP/AVP 0 8\r\nm=image 9 udptl t38\r\n");
        let text = answer_removed(&local(), &offer).unwrap().to_bytes();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(lines, ["m=audio 0 RTP/AVP 0 8", "m=image 0 udptl t38"]);
        for other in ["m=audio 9 RTP/AVP 0\r\n", "m=video 0 RTP/AVP 31\r\n", ""] {
            assert_eq!(answer_removed(&local(), &parse(other)), None, "{other}");
        }
    }

    #[test]
    fn an_answer_may_bring_its_own_payload_types() {
        let offered = offer(&local());
        let text = String::from_utf8(offered.to_bytes()).unwrap();
        assert!(text.contains("m=audio 40000 RTP/AVP 0 8 101\r\n"));
        let theirs = parse(
            "m=audio 6000 RTP/AVP 96 97\r\na=rtpmap:96 PCMA/8000\r\n\
            a=rtpmap:97 telephone-event/8000\r\na=recvonly\r\n",
        );
        let agreed = accept_answer(&local(), &theirs).unwrap();
        assert_eq!((agreed.payload_type, agreed.receive_payload_type), (96, 8));
        assert_eq!(agreed.telephone_event, Some(97));
        assert_eq!(agreed.receive_telephone_event, Some(101));
        assert_eq!(agreed.direction, Direction::SendOnly);
        assert!(!agreed.held_by_remote);
        let json = serde_json::to_string(&agreed).unwrap();
        assert_eq!(serde_json::from_str::<Negotiated>(&json).unwrap(), agreed);
    }

    #[test]
    fn both_ends_agree_on_what_was_agreed() {
        let caller = LocalMedia {
            address: "192.0.2.77:2000".parse().unwrap(),
            rtcp: None,
            codecs: vec![AudioCodec::Pcma],
            ..local()
        };
        let offered = Description::parse(&offer(&caller).to_bytes()).unwrap();
        let (answered, at_callee) = answer(&local(), &offered).unwrap();
        let answered = Description::parse(&answered.to_bytes()).unwrap();
        let at_caller = accept_answer(&caller, &answered).unwrap();
        assert_eq!(at_caller.codec, at_callee.codec);
        assert_eq!(at_caller.remote, Some(local().address));
        assert_eq!(at_callee.remote, Some(caller.address));
        assert_eq!(at_caller.remote_rtcp, local().rtcp);
    }

    fn secured(policy: SrtpPolicy, seed: u64) -> LocalMedia {
        LocalMedia {
            crypto: LocalCrypto::new(policy, &mut crate::base::Entropy::from_seed(seed)),
            ..local()
        }
    }

    fn again(description: &Description) -> Description {
        Description::parse(&description.to_bytes()).unwrap()
    }

    #[test]
    fn both_ends_agree_on_keys() {
        let required = secured(SrtpPolicy::Required, 1);
        let offered = again(&offer(&required));
        let lines = &offered.audio().next().unwrap().crypto;
        assert_eq!(lines.len(), 4);
        assert_eq!(offered.audio().next().unwrap().protocol, "RTP/SAVP");
        for policy in [SrtpPolicy::Optional, SrtpPolicy::Required] {
            let callee = secured(policy, 2);
            let (answered, at_callee) = answer(&callee, &offered).unwrap();
            let answered = again(&answered);
            assert_eq!(answered.audio().next().unwrap().crypto[0].tag, 1);
            let at_caller = accept_answer(&required, &answered).unwrap();
            let (a, b) = (at_caller.secure.unwrap(), at_callee.secure.unwrap());
            assert_eq!((&a.ours, &a.theirs), (&b.theirs, &b.ours));
            assert_eq!(a.suite, lines[0].suite);
            assert_ne!(a.ours, a.theirs);
        }
        let refused = answer(&local(), &offered).unwrap_err();
        assert_eq!(
            (refused.clone(), refused.status()),
            (Error::NoCommonSecurity, 488)
        );
    }

    #[test]
    fn who_requires_security_takes_nothing_plain_and_offers_nothing_plain() {
        let plain = parse("m=audio 4000 RTP/AVP 0\r\n");
        let (required, optional) = (
            secured(SrtpPolicy::Required, 1),
            secured(SrtpPolicy::Optional, 1),
        );
        assert_eq!(answer(&required, &plain), Err(Error::NoCommonSecurity));
        assert_eq!(
            accept_answer(&required, &plain),
            Err(Error::NoCommonSecurity)
        );
        assert_eq!(answer(&optional, &plain).unwrap().1.secure, None);
        let offered = offer(&optional);
        assert_eq!(offered.audio().next().unwrap().protocol, "RTP/AVP");
        assert_eq!(offered.audio().next().unwrap().crypto, []);
        // Two lines of one stream, as phones offer that would do either.
        let either = parse(
            "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/SAVPF 0\r\na=crypto:8 F8_128_HMAC_SHA1_80 \
            inline:x\r\na=crypto:9 AES_CM_128_HMAC_SHA1_32 \
            inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n",
        );
        let (answered, agreed) = answer(&required, &either).unwrap();
        assert_eq!(agreed.remote.unwrap().port(), 4002);
        let text = String::from_utf8(answered.to_bytes()).unwrap();
        assert!(text.contains("m=audio 0 RTP/AVP 0\r\nm=audio 40000 RTP/SAVPF 0\r\n"));
        assert!(
            text.contains("a=crypto:9 AES_CM_128_HMAC_SHA1_32 inline:"),
            "{text}"
        );
        assert!(!text.contains("WVNfX19z"), "their key is not ours: {text}");
        assert_eq!(answer(&optional, &either).unwrap().1.secure, None);
    }

    #[test]
    fn what_is_secure_stays_so_in_our_next_offer_and_keys_change_with_the_far_end() {
        let optional = secured(SrtpPolicy::Optional, 1);
        let mut theirs = secured(SrtpPolicy::Required, 2);
        let (_, agreed) = answer(&optional, &again(&offer(&theirs))).unwrap();
        let next = reoffer(&optional, Some(&agreed));
        let lines = &next.audio().next().unwrap().crypto;
        let in_use = agreed.secure.as_ref().unwrap();
        assert_eq!(
            (lines.len(), lines[0].suite, &lines[0].key),
            (1, in_use.suite, &in_use.ours)
        );
        assert_eq!(reoffer(&optional, None).audio().next().unwrap().crypto, []);
        let agree = |theirs: &LocalMedia| answer(&optional, &again(&offer(theirs))).unwrap().1;
        assert!(!agree(&theirs).wants_new_key(&agreed));
        theirs.crypto.renew(&mut crate::base::Entropy::from_seed(3));
        assert!(!agree(&theirs).wants_new_key(&agreed), "a rekeying far end");
        theirs.address.set_port(2222);
        assert!(agree(&theirs).wants_new_key(&agreed), "another far end");
        let plain = agree(&local());
        assert!(!plain.wants_new_key(&agreed));
        assert!(agreed.wants_new_key(&plain));
        let json = serde_json::to_string(&agreed).unwrap();
        assert_eq!(serde_json::from_str::<Negotiated>(&json).unwrap(), agreed);
        assert!(!format!("{agreed:?}").contains(&format!("{:?}", in_use.ours.octets())));
    }

    #[test]
    fn no_mutation_of_an_offer_panics_and_answers_stay_well_formed() {
        let seed = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\n\
            a=sendonly\r\nm=audio 65535 RTP/AVP 0 8 101 97\r\na=rtpmap:101 telephone-event/8000\r\n\
            a=rtpmap:97 opus/48000/2\r\na=rtcp:4001 IN IP6 ::1\r\na=ptime:20\r\na=rtcp-mux\r\n\
            m=video 5 RTP/AVP 31\r\nm=audio 7/2 RTP/AVP 8\r\na=inactive\r\n\
            m=audio 9 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 \
            inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n";
        let mut entropy = crate::base::Entropy::from_seed(3264);
        let mut agreed = 0;
        for _ in 0..5000 {
            let mut octets = seed.as_bytes().to_vec();
            for _ in 0..=entropy.below(3) {
                let at = entropy.below(octets.len() as u64) as usize;
                match entropy.below(4) {
                    0 => octets.truncate(at.max(9)),
                    1 => drop(octets.remove(at)),
                    2 => octets.insert(at, b"\r\n 0:/=a9\0\xff"[entropy.below(11) as usize]),
                    _ => octets[at] ^= 1 << entropy.below(8),
                }
            }
            let Ok(offer) = Description::parse(&octets) else {
                continue;
            };
            let again = Description::parse(&offer.to_bytes()).unwrap();
            assert_eq!(again.media.len(), offer.media.len());
            if let Ok((answer, _)) = answer(&local(), &offer) {
                let read = Description::parse(&answer.to_bytes()).unwrap();
                assert_eq!(read.media.len(), offer.media.len());
                assert!(accept_answer(&local(), &read).is_ok() || offer.audio().count() > 0);
                agreed += 1;
            }
            let _ = accept_answer(&local(), &offer);
        }
        assert!(agreed > 500, "{agreed}");
    }
}
