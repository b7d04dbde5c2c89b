//! What one party hears alone before he is joined with the other: who is on the line, for which shop.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::document::{Document, HANG_UP, RETURN};
use super::flow_type::FlowType;
use super::step::{Mention, Menu, Patience, Sayable, Saying, See, Speech, Step};
use super::{Part, Template};
use crate::ivr::BargeIn;

/// A whisper. However it is written, it is a flow in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whisper {
    /// A flow of its own, by name.
    Flow(String),
    /// A flow made of [`Words`].
    Said(Arc<Document>),
}

/// A whisper in few words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Sounds, heard after the text.
    pub sounds: Vec<String>,
    /// Said by a voice.
    pub text: Option<Template>,
    /// The voice; the first of the language when `None`.
    pub voice: Option<String>,
    /// The key with which the call is taken: whoever presses it is joined, whoever does not is let
    /// go, such as the mailbox of a mobile telephone.
    pub accept: Option<char>,
}

impl Whisper {
    /// A whisper in few words, as a flow of this type.
    pub fn said(words: Words, flow_type: FlowType) -> Self {
        let mut steps = IndexMap::new();
        let last = match words.accept {
            Some(_) => "accept",
            None if words.sounds.is_empty() => RETURN,
            None => "sounds",
        };
        if let Some(text) = words.text {
            let what = Sayable::Text {
                voice: words.voice,
                otherwise: Vec::new(),
            };
            let saying = Saying {
                what,
                value: text,
                before: Vec::new(),
                after: Vec::new(),
                barge_in: BargeIn::Ignored,
                next: last.to_owned(),
            };
            steps.insert("text".to_owned(), Step::Say(saying));
        }
        if let Some(key) = words.accept {
            let menu = Menu {
                patience: Patience {
                    prompt: words.sounds,
                    barge_in: BargeIn::Interrupts,
                    timeout: ACCEPTED_WITHIN,
                    digit_timeout: ACCEPTED_WITHIN,
                    tries: 2,
                    no_input: Vec::new(),
                    no_match: Vec::new(),
                    failed: HANG_UP.to_owned(),
                },
                choices: IndexMap::from_iter([(key.to_string(), RETURN.to_owned())]),
            };
            steps.insert("accept".to_owned(), Step::Menu(menu));
        } else if !words.sounds.is_empty() {
            let speech = Speech {
                sounds: words.sounds,
                barge_in: BargeIn::Ignored,
                next: RETURN.to_owned(),
                ..Speech::default()
            };
            steps.insert("sounds".to_owned(), Step::Play(speech));
        }
        let start = steps.keys().next().map_or(RETURN, String::as_str);
        Self::Said(Arc::new(Document {
            start: start.to_owned(),
            flow_type,
            steps,
            ..Document::new(NAME)
        }))
    }

    /// The flow it is; one that is told by name comes from `flow`.
    pub fn document(
        &self,
        flow: impl FnOnce(&str) -> Option<Arc<Document>>,
    ) -> Option<Arc<Document>> {
        match self {
            Self::Flow(name) => flow(name),
            Self::Said(document) => Some(Arc::clone(document)),
        }
    }

    /// The name of its flow, when it has one of its own.
    pub fn flow(&self) -> Option<&str> {
        match self {
            Self::Flow(name) => Some(name),
            Self::Said(_) => None,
        }
    }

    /// Tells everything it names, at the key that says it.
    pub(super) fn mentions<'a>(&'a self, key: &'static str, see: See<'_, 'a>) {
        match self {
            Self::Flow(name) => see(key, Part::Whole, Mention::Whisper(name)),
            Self::Said(document) => {
                for (_, mention) in document.mentions() {
                    if let Mention::Sound(_) | Mention::Text(_) | Mention::Voice(_) = mention {
                        see(key, Part::Whole, mention);
                    }
                }
            }
        }
    }
}

impl Document {
    /// Whether whoever hears it may be asked something, and so may turn out not to want the call.
    pub fn may_decline(&self) -> bool {
        let mut steps = self.steps.values();
        let asks = |step: &Step| matches!(step, Step::Menu(_) | Step::Collect(_) | Step::Hangup(_));
        steps.any(asks) || self.flows.values().any(|part| part.may_decline())
    }
}

/// What the flow of a whisper in few words is called in records.
const NAME: &str = "whisper";
/// How long whoever answers may take to press the key.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(5);
