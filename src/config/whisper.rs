//! What one party hears alone before he is joined: sounds, or a table of sounds, text, key or flow.

use super::flows::Flows;
use super::names::Names;
use super::notes::Notes;
use super::section::{At, Section};
use super::value::Kind;
use crate::flow::{FlowType, Outside, Template, Whisper, Words};

/// Reads a whisper that may be left out; in few words it becomes a flow of this type.
pub(super) fn read(
    section: &Section<'_>,
    key: &'static str,
    flow_type: FlowType,
    notes: &Notes,
) -> Option<At<Whisper>> {
    let place = section.written().entries.get(key)?.value.place.clone();
    let is_table = section
        .not_text(key)
        .is_some_and(|value| matches!(value.kind, Kind::Table(_)));
    if !is_table {
        let sounds = section.texts(key)?.into_iter().map(|at| at.value).collect();
        let words = Words {
            sounds,
            ..Words::default()
        };
        let value = Whisper::said(words, flow_type);
        return Some(At { value, place });
    }
    let table = section.section(key, "a whisper")?;
    let flow = table.text("flow");
    let sounds = table.texts("sounds");
    let text = table.text("text");
    let voice = table.text("voice");
    let accept = (flow_type == FlowType::OutboundWhisper)
        .then(|| table.text("accept"))
        .flatten();
    table.close();
    if let Some(flow) = flow {
        if sounds.is_some() || text.is_some() || accept.is_some() {
            let message = "a whisper with a flow, and more";
            let help = "delete what stands beside it, or the flow: it can say all that";
            notes.error(&flow.place, message, help);
        }
        let value = Whisper::Flow(flow.value);
        return Some(At { value, place });
    }
    if sounds.is_none() && text.is_none() && accept.is_none() {
        let message = "a whisper that says nothing";
        let help = "add sounds = [\"...\"], text = \"...\" or flow = \"...\"";
        notes.error(&place, message, help);
    }
    let sounds = sounds.unwrap_or_default();
    let words = Words {
        sounds: sounds.into_iter().map(|at| at.value).collect(),
        text: text.map(|at| Template::new(at.value)),
        voice: voice.map(|at| at.value),
        accept: accept.and_then(|at| read_key(&at, notes)),
    };
    let value = Whisper::said(words, flow_type);
    Some(At { value, place })
}

/// Flows and whispers that are named outside flows, each with its place.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Flows, and the type each must be of.
    pub(super) flows: Vec<(At<String>, FlowType)>,
    /// Whispers, and the type of a flow that one may name.
    pub(super) whispers: Vec<(At<Whisper>, FlowType)>,
}

impl Uses {
    /// Reads a flow of this type that may be left out.
    pub(super) fn read_flow(
        &mut self,
        section: &Section<'_>,
        key: &'static str,
        flow_type: FlowType,
    ) -> Option<String> {
        let flow = section.text(key)?;
        let name = flow.value.clone();
        self.flows.push((flow, flow_type));
        Some(name)
    }

    /// Reads a whisper that may be left out.
    pub(super) fn read_whisper(
        &mut self,
        section: &Section<'_>,
        key: &'static str,
        flow_type: FlowType,
        notes: &Notes,
    ) -> Option<Whisper> {
        let whisper = read(section, key, flow_type, notes)?;
        let value = whisper.value.clone();
        self.whispers.push((whisper, flow_type));
        Some(value)
    }

    /// Notes what does not exist, or is not of the type that is asked for. Returns the sounds.
    pub(super) fn check(
        &self,
        flows: &Flows<'_>,
        voices: &Names,
        outside: &Outside,
        notes: &Notes,
    ) -> Vec<At<String>> {
        let mut sounds = Vec::new();
        for (flow, flow_type) in &self.flows {
            flows.check_use(flow, *flow_type, notes);
        }
        for (whisper, flow_type) in &self.whispers {
            let place = &whisper.place;
            let at = |text: &str| At {
                value: text.to_owned(),
                place: place.clone(),
            };
            match &whisper.value {
                Whisper::Flow(name) => flows.check_use(&at(name), *flow_type, notes),
                Whisper::Said(document) => {
                    sounds.extend(document.sounds().map(|(_, sound)| at(sound)));
                    for (_, voice) in document.voices() {
                        voices.refer(notes, &at(voice));
                    }
                    let faults = document.check().into_iter();
                    for fault in faults.chain(document.check_names(outside)) {
                        notes.error(place, fault.message, fault.help);
                    }
                }
            }
        }
        sounds
    }
}

fn read_key(text: &At<String>, notes: &Notes) -> Option<char> {
    let mut keys = text.value.chars();
    match (keys.next(), keys.next()) {
        (Some(key), None) if crate::ivr::is_key(key) => Some(key),
        _ => {
            let message = format!("\"{}\" is no key", text.value);
            notes.error(&text.place, message, "write one, such as accept = \"1\"");
            None
        }
    }
}
