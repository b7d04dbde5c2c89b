//! Speech out: a text becomes a sound by a voice, which is a program of this machine such as
//! `open_jtalk` or `flite`, or a service of the web. What was said once is kept by voice and text, and
//! said again from there.
//!
//! Nobody waits for a voice longer than he says: whoever asked goes on without, and what comes too
//! late is kept for the next caller.

mod command;
mod level;
mod pump;

use std::time::Duration;

pub use command::Failure;
pub use pump::Speech;

use crate::base::Pii;

/// Characters of the longest text; at five a second some five minutes.
pub const MOST_CHARACTERS: usize = 1500;

/// A voice of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Name, unique in the office.
    pub name: String,
    /// Language it speaks (BCP 47), such as `ja`.
    pub language: String,
    /// Whose it is.
    pub speaker: Speaker,
    /// Longest that one text may take.
    pub timeout: Duration,
}

/// Whose voice it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// An endpoint of the configuration's web applications, by name.
    Endpoint(String),
    /// Program and arguments. `{text}` in an argument stands for the text, which else comes by
    /// standard input; `{file}` for the WAV file to write, which else is read from standard output.
    Program(Vec<String>),
    /// A service of the web.
    Url(String),
}

/// What a service of the web is asked.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// By whom it is to be said.
    pub voice: &'a Voice,
    /// What is to be said, without line breaks and control characters.
    pub text: &'a str,
    /// Octets of the longest reply.
    pub limit: usize,
}

/// The way to voices that are services of the web.
pub trait Reach: Send + Sync {
    /// Has a text said: a WAV file. Waits, no longer than the voice's `timeout`.
    ///
    /// # Errors
    ///
    /// Why it was not said.
    fn say(&self, order: Order<'_>) -> Result<Vec<u8>, Failure>;
}

/// The voices of an office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// All of them; the first of a language is its voice.
    pub voices: Vec<Voice>,
    /// Octets of disk for what was said.
    pub keep: u64,
    /// Texts that may be said at once.
    pub at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            voices: Vec::new(),
            keep: 200 << 20,
            at_once: 2,
        }
    }
}

impl Settings {
    /// The voice of that name, else the first that speaks the language: `ja` will do for `ja-JP`.
    /// Nobody speaks a foreign language for want of a better one: that is what prompts are for.
    pub fn voice(&self, name: Option<&str>, language: &str) -> Option<&Voice> {
        if let Some(name) = name {
            return self.voices.iter().find(|voice| voice.name == name);
        }
        let primary = |language: &str| language.split('-').next().map(str::to_owned);
        let exact = self.voices.iter().find(|voice| voice.language == language);
        let wanted = primary(language);
        exact.or_else(|| {
            let mut voices = self.voices.iter();
            voices.find(|voice| primary(&voice.language) == wanted)
        })
    }
}

/// A text to be said.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What is to be said; line breaks and control characters count as spaces.
    pub text: Pii<String>,
    /// By whom; the first of the language when `None`.
    pub voice: Option<String>,
    /// In which language (BCP 47).
    pub language: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(name: &str, language: &str) -> Voice {
        Voice {
            name: name.to_owned(),
            language: language.to_owned(),
            speaker: Speaker::Program(vec!["true".to_owned()]),
            timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_voice_is_chosen_by_name_else_by_language() {
        let settings = Settings {
            voices: vec![
                voice("slt", "en-US"),
                voice("bob", "en-GB"),
                voice("mei", "ja"),
            ],
            ..Settings::default()
        };
        let name = |name, language| Some(settings.voice(name, language)?.name.as_str());
        assert_eq!(name(None, "ja-JP"), Some("mei"));
        assert_eq!(name(None, "en-GB"), Some("bob"), "the very language first");
        assert_eq!(name(None, "en"), Some("slt"));
        assert_eq!(name(None, "de"), None, "nobody reads German as English");
        assert_eq!(
            name(Some("mei"), "en"),
            Some("mei"),
            "who is named is meant"
        );
        assert_eq!(name(Some("mai"), "ja"), None);
    }
}
