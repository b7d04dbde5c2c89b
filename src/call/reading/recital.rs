//! What is to be heard, one thing after the other: what must be said by a voice or fetched is asked
//! for at once, all of it, and waited for when its turn has come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::core::Core;
use super::super::hands::Hands;
use super::super::inquiry::Subject;
use super::ask;
use crate::base::{LegId, Pii, Timestamp};
use crate::media::dtmf::Generator;
use crate::media::{PlayId, Rate, Sound};
use crate::speech::{MOST_CHARACTERS, Wish};
use crate::twiml::{Prompt, Say, Utterance};

/// Prompts under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recital {
    /// The run's number of it.
    number: u64,
    /// What is still to be heard.
    parts: VecDeque<Part>,
    /// What is heard, and its play.
    heard: Option<(PlayId, Vec<Part>)>,
    /// When what is waited for is given up.
    until: Option<Timestamp>,
    /// The first thing that could not be heard.
    fault: Option<(u16, String)>,
}

/// Something to be heard, so many times.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    what: What,
    times: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum What {
    /// It is asked for, by this ticket.
    Awaited(u64, Wanted),
    Digits(String),
    /// A sound by its name.
    Named(String),
    Silence(Duration),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Wanted {
    Text {
        text: String,
        voice: Option<String>,
        language: String,
    },
    Url(String),
}

/// How far it is.
pub(super) enum Recited {
    Done,
    /// To its end, but something could not be heard: number and words.
    Failed(u16, String),
    NotYet,
}

/// How long a voice or a sound may take when its turn has come; the web client's budget is shorter.
const PATIENCE: Duration = Duration::from_secs(20);
/// Sounds of one play: more follow in the next.
const MOST_SOUNDS: usize = 2_000;
/// What is heard in the place of a text that nobody says, and when the application failed.
const TROUBLE: &str = "error-technical";
/// A key as a tone.
const KEY_MS: u32 = 100;
/// How long a key and the silence after it take in samples, more than enough.
const KEY_SAMPLES: usize = 8 * 200;

impl Recital {
    /// Of these prompts; those that take a voice or the web are asked for.
    pub(super) fn new(
        core: &mut Core,
        hands: &mut Hands<'_>,
        number: u64,
        prompts: Vec<Prompt>,
    ) -> Self {
        let mut recital = Self {
            number,
            parts: VecDeque::new(),
            heard: None,
            until: None,
            fault: None,
        };
        for Prompt { what, times } in prompts {
            for what in parts_of(core, hands, what) {
                recital.parts.push_back(Part { what, times });
            }
        }
        recital.ask_all(core, hands);
        recital
    }

    /// The run's number of it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether anything of it plays.
    pub(super) fn is_heard(&self) -> bool {
        self.heard.is_some()
    }

    fn ask_all(&self, core: &Core, hands: &mut Hands<'_>) {
        for part in &self.parts {
            let What::Awaited(ticket, wanted) = &part.what else {
                continue;
            };
            let subject = match wanted {
                Wanted::Url(url) => Subject::Sound(url.clone()),
                Wanted::Text {
                    text,
                    voice,
                    language,
                } => Subject::Text(Wish {
                    text: Pii(text.clone()),
                    voice: voice.clone(),
                    language: language.clone(),
                }),
            };
            ask(core, hands, *ticket, subject);
        }
    }

    /// Plays what is there, when nothing plays.
    pub(super) fn go_on(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Recited {
        if self.heard.is_some() {
            return Recited::NotYet;
        }
        loop {
            let (mut sounds, mut heard) = (Vec::new(), Vec::new());
            while let Some(part) = self.parts.front()
                && !matches!(part.what, What::Awaited(..))
                && sounds.len() < MOST_SOUNDS
                && let Some(part) = self.parts.pop_front()
            {
                sounds.extend(self.sounds_of(core, hands, &part));
                heard.push(part);
            }
            if !sounds.is_empty() {
                self.until = None;
                self.heard = Some((core.play_sounds(hands, leg, sounds), heard));
                return Recited::NotYet;
            }
            if heard.is_empty() {
                break;
            }
        }
        if self.parts.is_empty() {
            return match self.fault.take() {
                Some((code, words)) => Recited::Failed(code, words),
                None => Recited::Done,
            };
        }
        self.until.get_or_insert(hands.now + PATIENCE);
        Recited::NotYet
    }

    /// What a part sounds like; nothing when its sound is not there.
    fn sounds_of(&mut self, core: &Core, hands: &Hands<'_>, part: &Part) -> Vec<Arc<Sound>> {
        let once = match &part.what {
            What::Awaited(..) => Vec::new(),
            What::Digits(digits) => vec![tones(digits)],
            What::Named(name) => match core.sound(hands, name, core.language()) {
                Some(sound) => vec![sound],
                None => {
                    tracing::warn!(call = %core.id, name, "no such sound");
                    self.note_fault(0, format!("there is no sound {name}"));
                    Vec::new()
                }
            },
            What::Silence(length) => silence(*length),
        };
        let times = usize::try_from(part.times).unwrap_or(1).max(1);
        let most = MOST_SOUNDS.checked_div(once.len()).unwrap_or(0).max(1);
        (0..times.min(most)).flat_map(|_| once.clone()).collect()
    }

    /// A play of the call came to its natural end: whether it was this one's.
    pub(super) fn on_play_done(&mut self, play: PlayId) -> bool {
        self.heard.take_if(|(mine, _)| *mine == play).is_some()
    }

    /// What was asked for is there, or will not be: whether it was this one's.
    pub(super) fn supply(&mut self, ticket: u64, sound: Result<String, (u16, String)>) -> bool {
        let is_it = |part: &Part| matches!(&part.what, What::Awaited(asked, _) if *asked == ticket);
        let Some(place) = self.parts.iter().position(is_it) else {
            return false;
        };
        match sound {
            Ok(name) => {
                if let Some(part) = self.parts.get_mut(place) {
                    part.what = What::Named(name);
                }
            }
            Err((code, words)) => self.go_without(place, code, words),
        }
        true
    }

    /// What was to be heard is not: in the place of words there are others, in that of a sound nothing.
    fn go_without(&mut self, place: usize, code: u16, words: String) {
        let Some(part) = self.parts.get_mut(place) else {
            return;
        };
        let is_text = matches!(&part.what, What::Awaited(_, Wanted::Text { .. }));
        part.what = match is_text {
            true => What::Named(TROUBLE.to_owned()),
            false => What::Silence(Duration::ZERO),
        };
        part.times = 1;
        self.note_fault(code, words);
    }

    fn note_fault(&mut self, code: u16, words: String) {
        self.fault.get_or_insert((code, words));
    }

    /// When to call [`Recital::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.until
    }

    /// Time has passed: whether something is waited for no longer.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) -> bool {
        let is_late = self.until.take_if(|until| *until <= now).is_some();
        if is_late {
            self.go_without(0, LATE, "it did not come in time".to_owned());
        }
        is_late
    }

    /// The call was rebuilt: what was heard begins again, what was asked for is asked for again.
    pub(super) fn restored(&mut self, core: &Core, hands: &mut Hands<'_>) {
        if let Some((_, heard)) = self.heard.take() {
            for part in heard.into_iter().rev() {
                self.parts.push_front(part);
            }
        }
        self.until = None;
        self.ask_all(core, hands);
    }
}

/// Number in Twilio's error dictionary of what did not come in time.
const LATE: u16 = 11_205;

fn parts_of(core: &mut Core, hands: &Hands<'_>, what: Utterance) -> Vec<What> {
    match what {
        Utterance::Digits(digits) => vec![What::Digits(digits)],
        Utterance::Silence(length) => vec![What::Silence(length)],
        Utterance::Speech(say) => texts_of(core, hands, say),
        Utterance::Trouble => vec![What::Named(TROUBLE.to_owned())],
        Utterance::Url(url) => vec![What::Awaited(core.ticket(), Wanted::Url(url))],
    }
}

/// A long text is said in pieces.
fn texts_of(core: &mut Core, hands: &Hands<'_>, say: Say) -> Vec<What> {
    let language = say.language.clone().or_else(|| {
        let office = || Some(hands.generations.get(&core.generation)?.sounds.language());
        core.language().or_else(office).map(str::to_owned)
    });
    let language = language.unwrap_or_default();
    let pieces = pieces(&say.text, MOST_CHARACTERS).into_iter();
    pieces
        .map(|text| {
            let wanted = Wanted::Text {
                text: text.to_owned(),
                voice: say.voice.clone(),
                language: language.clone(),
            };
            What::Awaited(core.ticket(), wanted)
        })
        .collect()
}

/// A text in pieces of at most so many characters, cut after a sentence or between words where that
/// can be.
fn pieces(mut text: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while let Some((end, _)) = text.char_indices().nth(most) {
        let head = text.get(..end).unwrap_or(text);
        let after = |ends: &[char]| {
            let (at, mark) = head.rmatch_indices(ends).next()?;
            Some(at + mark.len())
        };
        let cut = after(&['.', '!', '?', '。', '！', '？']);
        let cut = cut.or_else(|| after(&[' ', '、', ','])).unwrap_or(end);
        let (piece, rest) = text.split_at(cut);
        pieces.push(piece);
        text = rest;
    }
    pieces.push(text);
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// Keys as tones, with their pauses.
fn tones(digits: &str) -> Arc<Sound> {
    let mut samples = Vec::new();
    for digit in digits.chars() {
        match digit {
            'w' => samples.resize(samples.len() + 4_000, 0),
            'W' => samples.resize(samples.len() + 8_000, 0),
            digit => {
                let mut generator = Generator::new();
                let mut key = vec![0; KEY_SAMPLES];
                if generator.push(digit, KEY_MS) && generator.fill(&mut key, Rate::Narrow) {
                    samples.extend(key);
                }
            }
        }
    }
    Arc::new(Sound::new("digits", samples))
}

/// Silence, a second at a time: an hour of it is not to take memory.
fn silence(length: Duration) -> Vec<Arc<Sound>> {
    let samples = |millis: u128| vec![0; usize::try_from(millis * 8).unwrap_or(0)];
    let millis = length.as_millis();
    let second = Arc::new(Sound::new("silence", samples(1000)));
    let whole = usize::try_from(millis / 1000).unwrap_or(0).min(MOST_SOUNDS);
    let mut sounds = vec![second; whole];
    if !millis.is_multiple_of(1000) {
        sounds.push(Arc::new(Sound::new("silence", samples(millis % 1000))));
    }
    sounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_where_a_speaker_would_breathe() {
        assert_eq!(pieces("short", 10), ["short"]);
        assert_eq!(
            pieces("One two. Three four", 12),
            ["One two.", " Three four"]
        );
        assert_eq!(pieces("一二三。四五六七八", 6), ["一二三。", "四五六七八"]);
        assert_eq!(pieces("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(pieces("   ", 10), [""; 0]);
    }

    #[test]
    fn keys_last_as_long_as_they_should() {
        let seconds = |digits: &str| tones(digits).samples().len() as f64 / 8000.0;
        assert!((seconds("1") - 0.2).abs() < 0.01);
        assert!((seconds("w1W") - 1.7).abs() < 0.01);
        assert!(
            tones("5")
                .samples()
                .iter()
                .any(|sample| sample.abs() > 5000)
        );
        let frames: usize = silence(Duration::from_millis(2500))
            .iter()
            .map(|sound| sound.frames())
            .sum();
        assert_eq!(frames, 125);
    }
}
