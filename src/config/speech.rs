//! `speech.toml`: programs and services that say texts.

use std::env;
use std::path::Path;
use std::time::Duration;

use super::files::{Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::section::{At, Section};
use crate::speech::{Settings, Speaker, Voice};
use crate::webhook::Target;

/// Voices as read.
#[derive(Debug)]
pub(super) struct Voices {
    /// What the threads are to know.
    pub(super) settings: Settings,
    /// Names.
    pub(super) names: Names,
    /// Web applications that are named.
    pub(super) endpoints: Vec<At<String>>,
}

/// Reads the voices.
pub(super) fn read(files: &Files, notes: &Notes) -> Voices {
    let mut voices = Voices {
        settings: Settings::default(),
        names: Names::new("voice", files.is_complete(Kind::Speech)),
        endpoints: Vec::new(),
    };
    for file in files.of(Kind::Speech) {
        let top = Section::new(notes, &file.table, "speech.toml");
        if let Some(megabytes) = top.integer("keep_megabytes", 1..=1_000_000) {
            voices.settings.keep = megabytes.value.unsigned_abs() << 20;
        }
        if let Some(at_once) = top.integer("at_once", 1..=64) {
            voices.settings.at_once = usize::try_from(at_once.value).unwrap_or(1);
        }
        for voice in top.sections("voice", "a voice") {
            voices.read_voice(&voice, notes);
            voice.close();
        }
        top.close();
    }
    voices
}

impl Voices {
    fn read_voice(&mut self, voice: &Section<'_>, notes: &Notes) {
        let name = voice.required("name", "slt");
        let language = voice.required("language", "en");
        let timeout = voice.duration("timeout", Duration::from_millis(100)..=LONGEST);
        let speaker = self.read_speaker(voice, notes);
        let (Some(name), Some(language)) = (name, language) else {
            return;
        };
        let Some(speaker) = speaker else {
            return;
        };
        self.names.declare(notes, &name);
        self.settings.voices.push(Voice {
            name: name.value,
            language: language.value,
            timeout: timeout.map_or(Duration::from_secs(5), |at| at.value),
            speaker,
        });
    }

    fn read_speaker(&mut self, voice: &Section<'_>, notes: &Notes) -> Option<Speaker> {
        let command = voice.texts("command").filter(|command| !command.is_empty());
        let (endpoint, url) = (voice.text("endpoint"), voice.text("url"));
        let web: Vec<_> = [&endpoint, &url].into_iter().flatten().collect();
        if let Some(other) = web.get(usize::from(command.is_none())) {
            let message = "a voice is a program, or a service of the web";
            let help = "keep one of `command`, `endpoint` and `url`";
            notes.error(&other.place, message, help);
            return None;
        }
        if let Some(endpoint) = endpoint {
            let speaker = Speaker::Endpoint(endpoint.value.clone());
            self.endpoints.push(endpoint);
            return Some(speaker);
        }
        if let Some(url) = url {
            return match Target::parse_strict(&url.value) {
                Ok((target, _)) if !target.has_password() => Some(Speaker::Url(url.value)),
                Ok(_) => {
                    notes.hide(&url.place);
                    let message = "a password cannot stand here in plain text";
                    let help = "name an `endpoint` of webhooks.toml, which has a `secret`";
                    notes.error(&url.place, message, help);
                    None
                }
                Err(error) => {
                    notes.error(&url.place, error.to_string(), "write https://HOST/PATH");
                    None
                }
            };
        }
        let Some(command) = command else {
            voice.demand("command", "[\"espeak-ng\", \"--stdout\"]");
            return None;
        };
        let program = &command[0];
        if !is_there(&program.value) {
            let message = format!("there is no program \"{}\" on this machine", program.value);
            let help = "until it is installed nothing is said by this voice";
            notes.warning(&program.place, message, help);
        }
        let words = command.into_iter().map(|word| word.value);
        Some(Speaker::Program(words.collect()))
    }
}

/// Longest that one text may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether a program can be found as it will be looked for.
fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use crate::config::{Environment, load};
    use crate::speech::Speaker;

    #[test]
    fn voices_are_read_and_a_program_that_is_missing_is_told() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("node.toml", "name = \"a\"\nregion = \"b\"\n");
        let voices = "keep_megabytes = 50\n\
            [[voice]]\nname = \"mei\"\nlanguage = \"ja\"\n\
            command = [\"sh\", \"-c\", \"cat\"]\ntimeout = \"3s\"\n\
            [[voice]]\nname = \"slt\"\nlanguage = \"en\"\ncommand = [\"no-such-program\"]\n";
        write("speech.toml", voices);
        let none = Environment::from_iter::<[(&str, String); 0]>([]);
        let office = load(folder.path(), &none).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(office.speech.keep, 50 << 20);
        let names = office.speech.voices.iter().map(|voice| voice.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["mei", "slt"]);
        assert_eq!(office.speech.voices[0].timeout.as_secs(), 3);
        let warnings = office.warnings.to_string();
        assert!(
            warnings.contains("no program \"no-such-program\""),
            "{warnings}"
        );
        let web =
            "[[voice]]\nname = \"cloud\"\nlanguage = \"ja\"\nurl = \"https://voice.test/say\"\n";
        write("speech.toml", web);
        let office = load(folder.path(), &none).unwrap_or_else(|report| panic!("{report}"));
        let url = Speaker::Url("https://voice.test/say".to_owned());
        assert_eq!(office.speech.voices[0].speaker, url);
        for (wrong, told) in [
            ("endpoint = \"tts\"\n", "keep one of"),
            ("command = [\"cat\"]\n", "keep one of"),
        ] {
            write("speech.toml", &format!("{web}{wrong}"));
            let report = load(folder.path(), &none).expect_err(told).to_string();
            assert!(report.contains(told), "{report}");
        }
        for (url, told) in [
            ("voice.test", "https://HOST"),
            ("https://a:secret@voice.test/", "plain text"),
        ] {
            write("speech.toml", &web.replace("https://voice.test/say", url));
            let report = load(folder.path(), &none).expect_err(told).to_string();
            assert!(
                report.contains(told) && !report.contains("secret@"),
                "{report}"
            );
        }
        write(
            "speech.toml",
            &web.replace("url = \"https://voice.test/say\"", "endpoint = \"tts\""),
        );
        let report = load(folder.path(), &none).expect_err("unknown").to_string();
        assert!(report.contains("tts"), "{report}");
        write(
            "speech.toml",
            "[[voice]]\nname = \"mei\"\nlanguage = \"ja\"\n",
        );
        let report = load(folder.path(), &none)
            .expect_err("no program")
            .to_string();
        assert!(report.contains("espeak-ng"), "{report}");
    }
}
