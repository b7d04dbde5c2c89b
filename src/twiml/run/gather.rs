//! `<Gather>` under way: keys and speech, whichever is noticed first.

use serde::{Deserialize, Serialize};

use super::super::action::{Action, Prompt, SpeechNews, Utterance};
use super::super::facts::Form;
use super::super::link::Link;
use super::super::notice::{add, notice};
use super::super::verb::{Gather, Nested};
use super::{Position, Run, Turn, spoken};
use crate::base::Timestamp;
use crate::ivr::is_key;

/// A question being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Question {
    gather: Gather,
    keys: String,
    /// What plays.
    prompt: Option<u64>,
    /// Who listens.
    listen: Option<u64>,
    /// Counts what was told of speech so far.
    partials: u32,
}

/// Most keys of one answer, when the document says no fewer.
const MAX_KEYS: usize = 1_000;

impl Question {
    pub(super) fn plays(&self, play: u64) -> bool {
        self.prompt == Some(play)
    }
}

impl Run {
    pub(super) fn gather(&mut self, now: Timestamp, gather: Gather) -> Turn {
        self.answer(now);
        let prompts: Vec<Prompt> = gather
            .nested
            .iter()
            .filter_map(|nested| self.prompt(nested))
            .collect();
        let prompt = match prompts.is_empty() {
            true => None,
            false => Some(self.play(prompts)),
        };
        let listen = gather.detect.hears_speech().then(|| {
            self.numbers.listens += 1;
            self.numbers.listens
        });
        if let Some(listen) = listen {
            let terms = gather.speech.clone();
            self.push(Action::Listen { listen, terms });
        }
        self.deadline = prompt.is_none().then_some(now + gather.timeout);
        self.position = Position::Gathering(Box::new(Question {
            gather,
            keys: String::new(),
            prompt,
            listen,
            partials: 0,
        }));
        Turn::Stay
    }

    fn prompt(&self, nested: &Nested) -> Option<Prompt> {
        match nested {
            Nested::Pause(pause) => Some(Prompt {
                what: Utterance::Silence(pause.length),
                times: 1,
            }),
            Nested::Play(play) => self.sound(play.clone()),
            Nested::Say(say) => spoken(say.clone()),
        }
    }

    pub(super) fn gather_prompt_done(&mut self, now: Timestamp, play: u64) {
        if let Position::Gathering(question) = &mut self.position
            && question.plays(play)
        {
            question.prompt = None;
            self.deadline = Some(now + question.gather.timeout);
        }
    }

    pub(super) fn gather_key(&mut self, now: Timestamp, key: char) {
        let Position::Gathering(question) = &mut self.position else {
            return;
        };
        let is_heard = question.prompt.is_none() || question.gather.barge_in;
        if !is_key(key) || !question.gather.detect.hears_keys() || !is_heard {
            return;
        }
        let stopped = question.prompt.take().is_some();
        let silenced = question.listen.take().is_some();
        let is_last = question.gather.finish_on_key.contains(key);
        if !is_last {
            question.keys.push(key);
        }
        let most = question
            .gather
            .num_digits
            .map_or(MAX_KEYS, |most| usize::try_from(most).unwrap_or(MAX_KEYS));
        let is_full = question.keys.len() >= most.min(MAX_KEYS);
        self.deadline = Some(now + question.gather.timeout);
        if stopped {
            self.push(Action::StopPlay);
        }
        if silenced {
            self.push(Action::StopListening);
        }
        if is_last || is_full {
            self.answered_by_keys(now);
        }
    }

    pub(super) fn gather_timed_out(&mut self, now: Timestamp) {
        self.answered_by_keys(now);
    }

    /// The keys so far are the answer; without any there is none.
    fn answered_by_keys(&mut self, now: Timestamp) {
        let Position::Gathering(question) = std::mem::replace(&mut self.position, Position::Idle)
        else {
            return;
        };
        self.put_down_question(&question);
        let gather = question.gather;
        let mut form = Form::new();
        if question.keys.is_empty() {
            if !gather.action_on_empty_result {
                return self.advance(now);
            }
            if gather.detect.hears_speech() {
                add(&mut form, "SpeechResult", "");
            }
        }
        if gather.detect.hears_keys() {
            add(&mut form, "Digits", question.keys);
        }
        self.submit(now, gather.action.as_ref(), form);
    }

    pub(super) fn handle_speech(&mut self, now: Timestamp, listen: u64, news: SpeechNews) {
        let Position::Gathering(question) = &mut self.position else {
            return;
        };
        if question.listen != Some(listen) {
            return;
        }
        match news {
            SpeechNews::Began => self.speech_began(now),
            SpeechNews::Partial { text, stability } => {
                self.speech_began(now);
                self.tell_partial(&text, stability);
            }
            SpeechNews::Final { text, .. } if text.trim().is_empty() => self.answered_by_keys(now),
            SpeechNews::Final { text, confidence } => {
                question.listen = None;
                let question = question.clone();
                self.put_down_question(&question);
                let mut form = Form::new();
                add(&mut form, "SpeechResult", text);
                add(&mut form, "Confidence", share(confidence));
                self.submit(now, question.gather.action.as_ref(), form);
            }
        }
    }

    /// Speech is an answer already, and has its own limit.
    fn speech_began(&mut self, now: Timestamp) {
        let Position::Gathering(question) = &mut self.position else {
            return;
        };
        if question.prompt.is_some() && !question.gather.barge_in {
            return;
        }
        // The first word; afterwards the limit stands.
        if question.partials == 0 {
            question.partials = 1;
            self.deadline = Some(now + question.gather.speech.longest);
            if question.prompt.take().is_some() {
                self.push(Action::StopPlay);
            }
        }
    }

    fn tell_partial(&mut self, text: &str, stability: f64) {
        let Position::Gathering(question) = &mut self.position else {
            return;
        };
        let Some(link) = question.gather.speech.partial.clone() else {
            return;
        };
        let number = question.partials.saturating_sub(1);
        question.partials += 1;
        let Some(link) = self.absolute(Some(&link)) else {
            return;
        };
        let mut form = self.facts.form(self.status);
        add(&mut form, "UnstableSpeechResult", text);
        add(&mut form, "Stability", share(stability));
        add(&mut form, "SequenceNumber", number.to_string());
        self.push(Action::Notify(notice(&link, form, "speech so far")));
    }

    fn submit(&mut self, now: Timestamp, action: Option<&Link>, form: Form) {
        self.deadline = None;
        self.transfer(now, action, form);
    }

    pub(super) fn put_down_question(&mut self, question: &Question) {
        if question.prompt.is_some() {
            self.push(Action::StopPlay);
        }
        if question.listen.is_some() {
            self.push(Action::StopListening);
        }
    }
}

/// A number from 0 to 1, as parameters have it.
fn share(value: f64) -> String {
    let value = if value.is_finite() {
        value.clamp(0.0, 1.0)
    } else {
        0.0
    };
    format!("{value:.3}")
}
