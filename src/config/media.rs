//! Keys about media that trunks and phones have alike: codecs, packets, keys.

use super::notes::Notes;
use super::section::Section;
use crate::media::dtmf::Method;
use crate::sdp::{AudioCodec, CodecOrder};
use crate::trunk::profile::MediaTerms;

/// Reads what the section says over what `media` has.
pub(super) fn read(section: &Section<'_>, media: &mut MediaTerms, notes: &Notes) {
    read_codecs(section, media, notes);
    let orders = [("theirs", CodecOrder::Theirs), ("ours", CodecOrder::Ours)];
    if let Some(order) = section.one_of("codec_order", &orders) {
        media.order = order.value;
    }
    if let Some(ptime) = section.integer("ptime_ms", 10..=60) {
        if ptime.value % 10 != 0 {
            let message = format!("no packets of {} ms are made", ptime.value);
            notes.error(&ptime.place, message, "write 10, 20, 30, 40, 50 or 60");
        }
        media.ptime_ms = u32::try_from(ptime.value).unwrap_or(media.ptime_ms);
    }
    if let Some(payload) = section.integer("telephone_event", 0..=127) {
        let number = u8::try_from(payload.value).ok();
        media.telephone_event = number.filter(|number| *number >= 96);
        if payload.value != 0 && media.telephone_event.is_none() {
            let message = format!("`telephone_event` cannot be {}", payload.value);
            let help = "dynamic payload types go from 96 to 127; 0 offers none";
            notes.error(&payload.place, message, help);
        }
    }
    if let Some(method) = section.one_of("dtmf", &Method::WORDS) {
        media.dtmf = method.value;
    }
    if let Some(redundancy) = section.flag("dtmf_redundancy") {
        media.dtmf_redundancy = redundancy.value;
    }
    if let Some(noise) = section.flag("comfort_noise") {
        media.comfort_noise = noise.value;
    }
}

fn read_codecs(section: &Section<'_>, media: &mut MediaTerms, notes: &Notes) {
    let Some(texts) = section.texts("codecs") else {
        return;
    };
    let place = texts.first().map(|text| text.place.clone());
    media.codecs.clear();
    for text in texts {
        match CODECS.iter().find(|(name, _)| *name == text.value) {
            Some((_, codec)) if !media.codecs.contains(codec) => media.codecs.push(*codec),
            Some(_) => notes.error(&text.place, "a codec twice", "name each once"),
            None => {
                // Not the nearest: G.722 is none to who means G.729.
                let names = CODECS.map(|(name, _)| format!("`{name}`"));
                let message = format!("there is no codec \"{}\"", text.value);
                notes.error(
                    &text.place,
                    message,
                    format!("we have {}", names.join(", ")),
                );
            }
        }
    }
    if let (true, Some(place)) = (media.codecs.is_empty(), place) {
        notes.error(&place, "no codec is left", "name one at least");
    }
}

const CODECS: [(&str, AudioCodec); 4] = [
    ("g722", AudioCodec::G722),
    ("opus", AudioCodec::Opus),
    ("pcma", AudioCodec::Pcma),
    ("pcmu", AudioCodec::Pcmu),
];
