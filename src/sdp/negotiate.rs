//! Offer and answer (RFC 3264): one audio stream, one codec at a time.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::crypto::{Crypto, SecureMedia, SrtpPolicy};
use super::{AudioCodec, AudioMedia, CodecOrder, Description, Direction, Error, Format};
use super::{ExtendedReports, LocalMedia, Media, OpusParameters, Origin, OtherMedia};

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
    /// Clock of the telephone events, Hz; the codec's, but for far ends that have one clock only.
    #[serde(default = "usual_clock")]
    pub telephone_event_hz: u32,
    /// Payload type of comfort noise, both ways (RFC 3389).
    #[serde(default)]
    pub comfort_noise: Option<u8>,
    /// What the far end wants of Opus, when that is the codec.
    #[serde(default)]
    pub opus: OpusParameters,
    /// Where to send RTP; `None` when there is nowhere, such as on hold by address.
    pub remote: Option<SocketAddr>,
    /// Where to send RTCP; the same as `remote` when multiplexed.
    pub remote_rtcp: Option<SocketAddr>,
    /// Whether RTCP shares the RTP port.
    pub rtcp_mux: bool,
    /// Extended reports to send.
    #[serde(default)]
    pub extended_reports: ExtendedReports,
    /// Length of the packets to send, milliseconds: of those the codec can have, the one that is
    /// wished for, or the next shorter.
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
    let formats = local.formats();
    let protocol = if crypto.is_empty() {
        "RTP/AVP"
    } else {
        "RTP/SAVP"
    };
    let mut audio = describe(local, protocol, formats, local.direction);
    audio.crypto = crypto;
    audio.rtcp_mux = local.reports.mux;
    if local.reports.extended {
        audio.extended_reports = ExtendedReports::ALL;
    }
    Description {
        origin: origin(local),
        time: (0, 0),
        media: vec![Media::Audio(audio)],
    }
}

/// Our answer to an offer: the first audio stream with a codec of ours that is as secure as it must
/// be, everything else refused in place.
///
/// Of the codecs both have, `preferred` is chosen: the one the other leg of the call uses, or this
/// one used so far. Without it, the offerer's order decides (RFC 3264 §6.1), or ours where that is
/// wished ([`CodecOrder`]). The offerer's payload types are used both ways.
pub fn answer(
    local: &LocalMedia,
    offer: &Description,
    preferred: Option<AudioCodec>,
) -> Result<(Description, Negotiated), Error> {
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
        let choice = choose(local, audio, preferred);
        if choice.is_none() {
            error = Error::NoCommonCodec;
        }
        choice.map(|(codec, format)| (line, audio, (codec, format), secure))
    });
    let (chosen, theirs, (codec, format), secure) = chosen.ok_or(error)?;
    let (line, secure) = secure.unzip();
    let event = theirs.telephone_event(codec.clock_rate());
    let event = event.filter(|_| local.telephone_event.is_some());
    let comfort_noise = local.comfort_noise(codec, theirs);
    let telephone_event = event.map(|event| event.payload_type);
    let negotiated = Negotiated {
        telephone_event,
        receive_telephone_event: telephone_event,
        telephone_event_hz: event.map_or(codec.clock_rate(), |event| event.clock_rate),
        comfort_noise,
        rtcp_mux: theirs.rtcp_mux,
        extended_reports: theirs.extended_reports,
        secure,
        ..agree(local, theirs, codec, format)
    };
    let mut formats = vec![Format::of(codec, format.payload_type)];
    formats.extend(comfort_noise.map(Format::comfort_noise));
    formats.extend(event.map(|event| {
        // In the clock it was offered in.
        Format::telephone_event(event.payload_type, event.clock_rate)
    }));
    let mut ours = describe(local, &theirs.protocol, formats, negotiated.direction);
    ours.rtcp_mux = negotiated.rtcp_mux;
    ours.extended_reports = negotiated.extended_reports;
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
/// RTCP is multiplexed and extended only if we offered it; telephone events and codec may come back on
/// payload types of the answerer's own.
pub fn accept_answer(local: &LocalMedia, answer: &Description) -> Result<Negotiated, Error> {
    let Some(Media::Audio(theirs)) = answer.media.first() else {
        return Err(Error::NoAudio);
    };
    if theirs.port == 0 {
        return Err(Error::NoAudio);
    }
    let secure = secure(local, theirs)?;
    let (codec, format) = choose(local, theirs, None).ok_or(Error::NoCommonCodec)?;
    let event = theirs.telephone_event(codec.clock_rate());
    let receive = event.and_then(|event| local.telephone_event_at(event.clock_rate));
    let event = event.filter(|_| receive.is_some());
    Ok(Negotiated {
        rtcp_mux: local.reports.mux && theirs.rtcp_mux,
        extended_reports: match local.reports.extended {
            true => theirs.extended_reports,
            false => ExtendedReports::default(),
        },
        receive_payload_type: local.payload_type(codec),
        telephone_event: event.map(|event| event.payload_type),
        receive_telephone_event: receive,
        telephone_event_hz: event.map_or(codec.clock_rate(), |event| event.clock_rate),
        comfort_noise: local.comfort_noise(codec, theirs),
        secure: secure.map(|(_, secure)| secure),
        ..agree(local, theirs, codec, format)
    })
}

/// The codec of an answer, and how they have it.
fn choose<'a>(
    local: &LocalMedia,
    theirs: &'a AudioMedia,
    preferred: Option<AudioCodec>,
) -> Option<(AudioCodec, &'a Format)> {
    let with_format = |codec: &AudioCodec| Some((*codec, theirs.format_of(*codec)?));
    let preferred = preferred.filter(|codec| local.codecs.contains(codec));
    let first = || match local.order {
        CodecOrder::Ours => local.codecs.iter().find_map(with_format),
        CodecOrder::Theirs => theirs.formats.iter().find_map(|format| {
            let codec = local.codecs.iter().find(|codec| format.is(**codec))?;
            Some((*codec, format))
        }),
    };
    preferred.as_ref().and_then(with_format).or_else(first)
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
    let opus = match (codec, &format.fmtp) {
        (AudioCodec::Opus, Some(fmtp)) => OpusParameters::read(fmtp),
        _ => OpusParameters::default(),
    };
    Negotiated {
        codec,
        opus,
        payload_type: format.payload_type,
        receive_payload_type: format.payload_type,
        telephone_event: None,
        receive_telephone_event: None,
        telephone_event_hz: codec.clock_rate(),
        comfort_noise: None,
        remote,
        remote_rtcp: theirs.remote_rtcp(),
        rtcp_mux: false,
        extended_reports: ExtendedReports::default(),
        ptime_ms: packet_length(theirs, codec, opus),
        direction,
        held_by_remote: is_held,
        secure: None,
    }
}

/// What they wish for, 20 when they wish for nothing; and never more than they take or we make.
fn packet_length(theirs: &AudioMedia, codec: AudioCodec, opus: OpusParameters) -> u32 {
    let shortest = match codec {
        AudioCodec::Opus => opus.min_ptime_ms,
        _ => 0,
    };
    let wished = theirs.ptime_ms.filter(|wished| *wished > 0);
    let longest = theirs.max_ptime_ms.filter(|longest| *longest > 0);
    let wished = wished.unwrap_or(FRAME_MS).max(shortest);
    let wished = wished.min(longest.unwrap_or(u32::MAX));
    let mut lengths = codec.packet_lengths_ms().iter().rev();
    let fits = lengths.find(|length| **length <= wished);
    fits.copied().unwrap_or(SHORTEST_MS)
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
        extended_reports: ExtendedReports::default(),
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

/// Shortest packet of every codec.
const SHORTEST_MS: u32 = 10;

fn usual_clock() -> u32 {
    8000
}

#[cfg(test)]
mod tests {
    use super::super::ReportTerms;
    use super::*;
    use crate::sdp::LocalCrypto;

    fn local() -> LocalMedia {
        LocalMedia {
            address: "198.51.100.5:40000".parse().unwrap(),
            rtcp: Some("198.51.100.5:40001".parse().unwrap()),
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            ptime_ms: 20,
            telephone_event: Some(101),
            comfort_noise: false,
            order: CodecOrder::Theirs,
            direction: Direction::SendRecv,
            reports: ReportTerms::default(),
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
        let (answer, agreed) = answer(&local(), &offer, None).unwrap();
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
        let (answer, agreed) = answer(&local(), &offer, None).unwrap();
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
            let (answer, agreed) = answer(&local(), &offer, None).unwrap();
            assert_eq!((agreed.direction, agreed.held_by_remote), (ours, held));
            assert_eq!(answer.audio().next().unwrap().direction, ours);
        }
        let old = parse("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
        let (_, agreed) = answer(&local(), &old, None).unwrap();
        assert_eq!((agreed.direction, agreed.remote), (RecvOnly, None));
        assert!(agreed.held_by_remote);
        let holding = LocalMedia {
            direction: SendOnly,
            ..local()
        };
        let offer = parse("m=audio 4000 RTP/AVP 0\r\n");
        assert_eq!(
            answer(&holding, &offer, None).unwrap().1.direction,
            SendOnly
        );
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
            let refused = answer(&local(), &parse(media), None).unwrap_err();
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
        let (answered, at_callee) = answer(&local(), &offered, None).unwrap();
        let answered = Description::parse(&answered.to_bytes()).unwrap();
        let at_caller = accept_answer(&caller, &answered).unwrap();
        assert_eq!(at_caller.codec, at_callee.codec);
        assert_eq!(at_caller.remote, Some(local().address));
        assert_eq!(at_callee.remote, Some(caller.address));
        assert_eq!(at_caller.remote_rtcp, local().rtcp);
    }

    fn wide() -> LocalMedia {
        use AudioCodec::{G722, Opus, Pcma, Pcmu};
        LocalMedia {
            codecs: vec![Opus, G722, Pcmu, Pcma],
            comfort_noise: true,
            ..local()
        }
    }

    const BROWSERS: &str = "m=audio 9 RTP/AVPF 96 9 0 8 13 126 97\r\na=rtpmap:96 opus/48000/2\r\n\
        a=fmtp:96 minptime=10;useinbandfec=1;maxplaybackrate=16000\r\n\
        a=rtpmap:97 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

    #[test]
    fn a_wide_offer_lists_every_codec_and_clock() {
        let text = String::from_utf8(offer(&wide()).to_bytes()).unwrap();
        let (_, media) = text.split_once("m=").unwrap();
        let wanted = "audio 40000 RTP/AVP 111 9 0 8 13 101 110\r\nc=IN IP4 198.51.100.5\r\n\
            a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
            a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
            a=rtpmap:13 CN/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
            a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n\
            a=ptime:20\r\na=sendrecv\r\n";
        assert_eq!(media, wanted);
    }

    #[test]
    fn payload_types_never_collide() {
        for event in [None, Some(101), Some(109), Some(110), Some(111), Some(112)] {
            let local = LocalMedia {
                telephone_event: event,
                ..wide()
            };
            let mut numbers: Vec<u8> = local.formats().iter().map(|f| f.payload_type).collect();
            let offered = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), offered, "{event:?}");
            assert_eq!(offered, if event.is_some() { 7 } else { 5 });
        }
    }

    #[test]
    fn opus_is_answered_with_its_own_clock_for_keys() {
        let (answer, agreed) = answer(&wide(), &parse(BROWSERS), None).unwrap();
        assert_eq!((agreed.codec, agreed.payload_type), (AudioCodec::Opus, 96));
        assert_eq!(agreed.telephone_event, Some(97));
        assert_eq!(
            (agreed.telephone_event_hz, agreed.comfort_noise),
            (48_000, None)
        );
        assert!(agreed.opus.in_band_fec);
        assert_eq!(agreed.opus.max_playback_hz, 16_000);
        let text = String::from_utf8(answer.to_bytes()).unwrap();
        assert!(text.contains("m=audio 40000 RTP/AVPF 96 97\r\n"), "{text}");
        assert!(
            text.contains("a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1\r\n")
        );
        assert!(
            text.contains("a=rtpmap:97 telephone-event/48000\r\n"),
            "{text}"
        );
    }

    #[test]
    fn keys_at_the_only_clock_there_is_are_better_than_none() {
        let offer = parse(
            "m=audio 9 RTP/AVP 96 101\r\na=rtpmap:96 OPUS/48000/2\r\n\
            a=rtpmap:101 telephone-event/8000\r\n",
        );
        let (answer, agreed) = answer(&wide(), &offer, None).unwrap();
        assert_eq!(
            (agreed.telephone_event, agreed.telephone_event_hz),
            (Some(101), 8000)
        );
        let text = String::from_utf8(answer.to_bytes()).unwrap();
        assert!(
            text.contains("a=rtpmap:101 telephone-event/8000\r\n"),
            "{text}"
        );
    }

    #[test]
    fn the_codec_of_the_other_leg_is_preferred_and_ours_where_we_decide() {
        use AudioCodec::{G722, Opus, Pcma, Pcmu};
        let offer = parse(BROWSERS);
        for (preferred, order, codec) in [
            (None, CodecOrder::Theirs, Opus),
            (Some(Pcma), CodecOrder::Theirs, Pcma),
            (Some(Pcma), CodecOrder::Ours, Pcma),
            (None, CodecOrder::Ours, Pcmu),
            (Some(Opus), CodecOrder::Ours, Pcmu),
        ] {
            let local = LocalMedia {
                codecs: match order {
                    CodecOrder::Ours => vec![Pcmu, G722, Pcma],
                    CodecOrder::Theirs => vec![Pcmu, Opus, G722, Pcma],
                },
                order,
                ..wide()
            };
            let (_, agreed) = answer(&local, &offer, preferred).unwrap();
            assert_eq!(agreed.codec, codec, "{preferred:?} {order:?}");
        }
        let (_, agreed) = answer(&wide(), &offer, Some(G722)).unwrap();
        assert_eq!((agreed.payload_type, agreed.comfort_noise), (9, Some(13)));
        assert_eq!(
            (agreed.telephone_event, agreed.telephone_event_hz),
            (Some(126), 8000)
        );
        let mut local = wide();
        local.prefer(&[Pcma, G722]);
        assert_eq!(local.codecs, [G722, Pcma, Opus, Pcmu]);
    }

    #[test]
    fn an_answer_with_opus_is_understood() {
        let theirs = parse(
            "m=audio 6000 RTP/AVP 120 121\r\na=rtpmap:120 opus/48000/2\r\n\
            a=fmtp:120 usedtx=1; maxaveragebitrate=20000\r\na=rtpmap:121 telephone-event/48000\r\n\
            a=ptime:40\r\n",
        );
        let agreed = accept_answer(&wide(), &theirs).unwrap();
        assert_eq!(
            (agreed.payload_type, agreed.receive_payload_type),
            (120, 111)
        );
        assert_eq!(agreed.telephone_event, Some(121));
        assert_eq!(agreed.receive_telephone_event, Some(110));
        assert_eq!((agreed.telephone_event_hz, agreed.ptime_ms), (48_000, 40));
        assert!(agreed.opus.dtx && !agreed.opus.in_band_fec);
        assert_eq!(agreed.opus.max_bitrate, Some(20_000));
        let json = serde_json::to_string(&agreed).unwrap();
        assert_eq!(serde_json::from_str::<Negotiated>(&json).unwrap(), agreed);
    }

    #[test]
    fn packets_are_as_long_as_the_far_end_wishes_and_the_codec_can() {
        for (wishes, g711, opus) in [
            ("", 20, 20),
            ("a=ptime:10\r\n", 10, 10),
            ("a=ptime:30\r\n", 30, 20),
            ("a=ptime:40\r\n", 40, 40),
            ("a=ptime:50\r\n", 50, 40),
            ("a=ptime:60\r\n", 60, 60),
            ("a=ptime:120\r\n", 60, 60),
            ("a=ptime:25\r\n", 20, 20),
            ("a=ptime:5\r\n", 10, 10),
            ("a=ptime:0\r\n", 20, 20),
            ("a=ptime:60\r\na=maxptime:30\r\n", 30, 20),
            ("a=maxptime:10\r\n", 10, 10),
            ("a=maxptime:100\r\n", 20, 20),
        ] {
            for (number, ptime) in [(0, g711), (96, opus)] {
                let offer = parse(&format!(
                    "m=audio 9 RTP/AVP {number}\r\na=rtpmap:96 opus/48000/2\r\n{wishes}"
                ));
                let (_, agreed) = answer(&wide(), &offer, None).unwrap();
                assert_eq!(agreed.ptime_ms, ptime, "{number}, {wishes}");
                assert_eq!(accept_answer(&wide(), &offer).unwrap().ptime_ms, ptime);
            }
        }
        let offer =
            parse("m=audio 9 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=40\r\n");
        assert_eq!(answer(&wide(), &offer, None).unwrap().1.ptime_ms, 40);
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
            let (answered, at_callee) = answer(&callee, &offered, None).unwrap();
            let answered = again(&answered);
            assert_eq!(answered.audio().next().unwrap().crypto[0].tag, 1);
            let at_caller = accept_answer(&required, &answered).unwrap();
            let (a, b) = (at_caller.secure.unwrap(), at_callee.secure.unwrap());
            assert_eq!((&a.ours, &a.theirs), (&b.theirs, &b.ours));
            assert_eq!(a.suite, lines[0].suite);
            assert_ne!(a.ours, a.theirs);
        }
        let refused = answer(&local(), &offered, None).unwrap_err();
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
        assert_eq!(
            answer(&required, &plain, None),
            Err(Error::NoCommonSecurity)
        );
        assert_eq!(
            accept_answer(&required, &plain),
            Err(Error::NoCommonSecurity)
        );
        assert_eq!(answer(&optional, &plain, None).unwrap().1.secure, None);
        let offered = offer(&optional);
        assert_eq!(offered.audio().next().unwrap().protocol, "RTP/AVP");
        assert_eq!(offered.audio().next().unwrap().crypto, []);
        // Two lines of one stream, as phones offer that would do either.
        let either = parse(
            "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/SAVPF 0\r\na=crypto:8 F8_128_HMAC_SHA1_80 \
            inline:x\r\na=crypto:9 AES_CM_128_HMAC_SHA1_32 \
            inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n",
        );
        let (answered, agreed) = answer(&required, &either, None).unwrap();
        assert_eq!(agreed.remote.unwrap().port(), 4002);
        let text = String::from_utf8(answered.to_bytes()).unwrap();
        assert!(text.contains("m=audio 0 RTP/AVP 0\r\nm=audio 40000 RTP/SAVPF 0\r\n"));
        assert!(
            text.contains("a=crypto:9 AES_CM_128_HMAC_SHA1_32 inline:"),
            "{text}"
        );
        assert!(!text.contains("WVNfX19z"), "their key is not ours: {text}");
        assert_eq!(answer(&optional, &either, None).unwrap().1.secure, None);
    }

    #[test]
    fn what_is_secure_stays_so_in_our_next_offer_and_keys_change_with_the_far_end() {
        let optional = secured(SrtpPolicy::Optional, 1);
        let mut theirs = secured(SrtpPolicy::Required, 2);
        let (_, agreed) = answer(&optional, &again(&offer(&theirs)), None).unwrap();
        let next = reoffer(&optional, Some(&agreed));
        let lines = &next.audio().next().unwrap().crypto;
        let in_use = agreed.secure.as_ref().unwrap();
        assert_eq!(
            (lines.len(), lines[0].suite, &lines[0].key),
            (1, in_use.suite, &in_use.ours)
        );
        assert_eq!(reoffer(&optional, None).audio().next().unwrap().crypto, []);
        let agree =
            |theirs: &LocalMedia| answer(&optional, &again(&offer(theirs)), None).unwrap().1;
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
            if let Ok((answer, _)) = answer(&local(), &offer, None) {
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
