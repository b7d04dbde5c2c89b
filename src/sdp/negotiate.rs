//! Offer and answer (RFC 3264): one audio stream, one codec at a time.

use std::net::SocketAddr;

use super::crypto::{Crypto, SecureMedia, SrtpPolicy};
use super::negotiated::agree;
use super::{AudioCodec, AudioMedia, CodecOrder, Description, Direction, Error, ExtendedReports};
use super::{Format, LocalMedia, Media, Negotiated, Origin, OtherMedia, Redundancy};

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
    let redundancy = event.and_then(|event| Redundancy::of(theirs, event));
    let comfort_noise = local.comfort_noise(codec, theirs);
    let telephone_event = event.map(|event| event.payload_type);
    let negotiated = Negotiated {
        telephone_event,
        receive_telephone_event: telephone_event,
        telephone_event_hz: event.map_or(codec.clock_rate(), |event| event.clock_rate),
        redundancy,
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
    let redundant = event.zip(redundancy);
    formats
        .extend(redundant.map(|(event, ours)| ours.format(event.payload_type, event.clock_rate)));
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
    let redundancy = event.and_then(|event| {
        let ours = local.redundancy_at(event.clock_rate)?;
        let theirs = Redundancy::of(theirs, event)?;
        Some(Redundancy {
            receive_payload_type: ours.payload_type,
            ..theirs
        })
    });
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
        redundancy,
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
