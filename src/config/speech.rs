//! `speech.toml`: programs that say texts.

use std::env;
use std::path::Path;
use std::time::Duration;

use super::files::{Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::section::Section;
use crate::speech::{Settings, Voice};

/// Voices as read.
#[derive(Debug)]
pub(super) struct Voices {
    /// What the threads are to know.
    pub(super) settings: Settings,
    /// Names.
    pub(super) names: Names,
}

/// Reads the voices.
pub(super) fn read(files: &Files, notes: &Notes) -> Voices {
    let mut voices = Voices {
        settings: Settings::default(),
        names: Names::new("voice", files.is_complete(Kind::Speech)),
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
        let command = voice.texts("command").unwrap_or_default();
        let Some(program) = command.first() else {
            return voice.demand("command", "[\"espeak-ng\", \"--stdout\"]");
        };
        if !is_there(&program.value) {
            let message = format!("there is no program \"{}\" on this machine", program.value);
            let help = "until it is installed nothing is said by this voice";
            notes.warning(&program.place, message, help);
        }
        let (Some(name), Some(language)) = (name, language) else {
            return;
        };
        self.names.declare(notes, &name);
        self.settings.voices.push(Voice {
            name: name.value,
            language: language.value,
            timeout: timeout.map_or(Duration::from_secs(5), |at| at.value),
            command: command.into_iter().map(|word| word.value).collect(),
        });
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
