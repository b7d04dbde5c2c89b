//! All sounds of an office: its files, in the languages they are there in, and the tones that need
//! none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Sound;
use super::import::SoundError;
use super::shelf::Shelf;

/// All sounds of the office. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Library(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Earlier ones go before later ones; the last has the built-in sounds.
    shelves: Vec<Shelf>,
    /// The language of whoever has none of his own.
    language: String,
}

/// The language of prompts that are there in no other.
const LAST_LANGUAGE: &str = "en";

impl Library {
    /// The sounds that need no file: `tone-1004` and the call progress tones of some countries
    /// (`ringback-jp`, ITU-T E.180), one second or some whole cadences each, made to be looped.
    /// `ringback`, `busy`, `congestion`, `call-waiting` and `special` are those of Japan.
    pub fn built_in() -> Self {
        Self::from_sounds([])
    }

    /// The built-in sounds and these; later ones replace earlier ones of the same name.
    pub fn from_sounds(sounds: impl IntoIterator<Item = Sound>) -> Self {
        Self(Arc::new(Inner {
            shelves: vec![Shelf::of(sounds), Shelf::built_in()],
            language: LAST_LANGUAGE.to_owned(),
        }))
    }

    /// The WAV, MP3, FLAC and Ogg files of directories, and the built-in sounds; a file in an earlier
    /// directory replaces what is later. A file in a folder named like a language (`ja`) is what is
    /// said in that language. `language` is spoken where nobody says which.
    ///
    /// No file is read yet: see [`Library::warm`].
    ///
    /// # Errors
    ///
    /// Directories that cannot be read, and files that have one name.
    pub fn open(directories: &[PathBuf], language: &str) -> Result<Self, Vec<SoundError>> {
        let (mut shelves, mut errors) = (Vec::new(), Vec::new());
        for directory in directories {
            match Shelf::list(directory) {
                Ok(shelf) => shelves.push(shelf),
                Err(problems) => errors.extend(problems),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        shelves.push(Shelf::built_in());
        let language = language.to_owned();
        Ok(Self(Arc::new(Inner { shelves, language })))
    }

    /// Reads the files of these sounds, in every language they are there in, so that nobody waits for
    /// that when they are first played; the others are read then. With 10 minutes of MP3 at
    /// 44.1 kHz, the longest there may be, that is seconds of work, with a prompt of 5 s some ms.
    ///
    /// # Errors
    ///
    /// Every file of these that cannot be used.
    pub fn warm<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), Vec<SoundError>> {
        let mut errors = Vec::new();
        for name in names {
            for shelf in &self.0.shelves {
                let is_it = |known: &&str| *known == name || bare(known) == name;
                for known in shelf.names().filter(is_it) {
                    errors.extend(shelf.warm(known).err());
                }
            }
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(errors),
        }
    }

    /// Reads every file once and keeps nothing.
    ///
    /// # Errors
    ///
    /// Every file that cannot be used.
    pub fn check(&self) -> Result<(), Vec<SoundError>> {
        let shelves = self.0.shelves.iter();
        let checked = shelves.flat_map(|shelf| shelf.names().map(|name| shelf.check(name)));
        let errors: Vec<SoundError> = checked.filter_map(Result::err).collect();
        match errors.is_empty() {
            true => Ok(()),
            false => Err(errors),
        }
    }

    /// The names that can be played in some language, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.all().into_iter().map(bare).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every sound, those of a language with its folder before the name (`ja/greeting`), sorted.
    pub fn all(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.shelves.iter().flat_map(Shelf::names).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The sound of that name in the office's language.
    pub fn sound(&self, name: &str) -> Option<Arc<Sound>> {
        self.spoken(name, None)
    }

    /// The sound of that name in a language, else in the office's, else in English. A file of no
    /// language stands for all of them: in an earlier directory it replaces what later ones say in
    /// any. A name with a folder (`ja/greeting`) is just that sound.
    ///
    /// Reads the file when it was not read before: a millisecond or two for a prompt.
    pub fn spoken(&self, name: &str, language: Option<&str>) -> Option<Arc<Sound>> {
        let (shelf, key) = self.find(name, language)?;
        shelf.sound(&key)
    }

    /// The file that [`Library::spoken`] plays; `None` too for a sound that needs none.
    pub fn file(&self, name: &str, language: Option<&str>) -> Option<&Path> {
        let (shelf, key) = self.find(name, language)?;
        shelf.path(&key)
    }

    /// Whether there is such a sound, in any language.
    pub fn has(&self, name: &str) -> bool {
        self.find(name, None).is_some() || self.all().into_iter().any(|known| bare(known) == name)
    }

    fn find(&self, name: &str, language: Option<&str>) -> Option<(&Shelf, String)> {
        let on_shelves = |keys: &[String]| {
            let mut shelves = self.0.shelves.iter();
            shelves.find_map(|shelf| {
                let key = keys.iter().find(|key| shelf.has(key))?;
                Some((shelf, key.clone()))
            })
        };
        if name.contains('/') {
            return on_shelves(&[name.to_owned()]);
        }
        let language = language.unwrap_or(&self.0.language);
        // `ja` will do for `ja-JP`.
        let primary = language.split('-').next().unwrap_or(language);
        let in_language = |language: &str| format!("{language}/{name}");
        on_shelves(&[in_language(language), in_language(primary), name.to_owned()])
            .or_else(|| on_shelves(&[in_language(&self.0.language)]))
            .or_else(|| on_shelves(&[in_language(LAST_LANGUAGE)]))
    }
}

/// A name without its language's folder.
fn bare(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use hound::{SampleFormat, WavSpec, WavWriter};

    use super::*;
    use crate::media::Codec;
    use crate::media::sound::Studio;

    fn write(path: &Path, rate: u32, samples: &[i16]) {
        let spec = WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut writer = WavWriter::create(path, spec).unwrap();
        samples
            .iter()
            .for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
    }

    fn open(directories: &[&Path], language: &str) -> Result<Library, Vec<SoundError>> {
        let directories: Vec<PathBuf> = directories.iter().map(|path| path.into()).collect();
        Library::open(&directories, language)
    }

    #[test]
    fn loads_every_file_beside_the_built_in_tones() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory.path().join("hello.wav"), 8000, &[1000; 200]);
        let library = open(&[directory.path()], "en").unwrap();
        library.warm(["hello", "unknown"]).unwrap();
        let hello = library.sound("hello").unwrap();
        assert_eq!(hello.frame(Codec::Pcmu, 0), None, "nobody listens yet");
        Studio::Inline.order(&hello, Codec::Pcmu);
        assert_eq!(hello.frames(), 2);
        assert_eq!(hello.samples()[199..201], [1000, 0]);
        let last = hello.frame(Codec::Pcmu, 1).unwrap();
        assert_eq!((last.len(), last[40]), (160, Codec::Pcmu.silence()));
        let names = library.names();
        assert!(
            ["busy", "hello", "ringback-gb"]
                .iter()
                .all(|name| names.contains(name))
        );
        assert!(library.sound("bye").is_none() && !library.has("bye"));
        assert!(library.sound("ringback").is_some());
    }

    #[test]
    fn reports_every_file_that_cannot_be_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name| directory.path().join(name);
        write(&path("a.wav"), 2000, &[0; 10]);
        std::fs::write(path("b.wav"), b"not a wav").unwrap();
        std::fs::write(path("notes.txt"), b"nothing").unwrap();
        std::fs::create_dir_all(path("ja")).unwrap();
        std::fs::write(path("ja/b.flac"), b"neither").unwrap();
        let library = open(&[directory.path()], "en").unwrap();
        assert_eq!(library.check().unwrap_err().len(), 3);
        assert_eq!(library.warm(["b"]).unwrap_err().len(), 2);
        assert!(library.sound("b").is_none(), "and nothing panics");

        write(&path("c.wav"), 44_100, &[0; 10]);
        std::fs::write(path("c.MP3"), b"another one").unwrap();
        let errors = open(&[directory.path()], "en").unwrap_err();
        assert!(
            errors[0].to_string().contains("both the sound \"c\""),
            "{errors:?}"
        );
        assert!(open(&[&path("none")], "en").is_err());
    }

    /// The level of each file says which one was found.
    #[test]
    fn a_language_has_its_folder_and_an_earlier_directory_comes_first() {
        let (own, shipped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (own, shipped) = (own.path(), shipped.path());
        for (path, level) in [
            (shipped.join("en/greeting.wav"), 1),
            (shipped.join("ja/greeting.wav"), 2),
            (shipped.join("en/bye.wav"), 3),
            (shipped.join("ja/bye.wav"), 4),
            (shipped.join("en/rare.wav"), 5),
            (shipped.join("ja/menu.wav"), 6),
            (shipped.join("music.wav"), 7),
            (shipped.join("demo/agent-1.wav"), 8),
            (own.join("greeting.wav"), 9),
            (own.join("ja/bye.wav"), 10),
            (own.join("pt-BR/bye.wav"), 11),
        ] {
            write(&path, 8000, &[level * 100; 160]);
        }
        let library = open(&[own, shipped], "ja").unwrap();
        let level = |name, language| {
            let sound = library.spoken(name, language)?;
            Some(sound.samples()[0] / 100)
        };
        assert_eq!(level("greeting", Some("ja")), Some(9), "of all languages");
        assert_eq!(level("greeting", Some("en")), Some(9));
        assert_eq!(level("ja/greeting", None), Some(2), "just that");
        assert_eq!(level("bye", None), Some(10), "the office speaks Japanese");
        assert_eq!(level("bye", Some("ja-JP")), Some(10));
        assert_eq!(level("bye", Some("en-GB")), Some(3));
        assert_eq!(
            level("bye", Some("pt-BR")),
            Some(11),
            "a language by a folder"
        );
        assert_eq!(level("rare", Some("pt-BR")), Some(5), "English at last");
        assert_eq!(
            level("menu", Some("en")),
            Some(6),
            "the office's before that"
        );
        assert_eq!(level("music", Some("fr")), Some(7));
        assert_eq!(level("agent-1", None), None, "demo is no language");
        assert!(library.names().contains(&"menu"));
        assert!(library.all().contains(&"pt-BR/bye"));
        let file = library.file("bye", Some("en")).unwrap();
        assert_eq!(file, shipped.join("en/bye.wav"));
    }

    #[test]
    fn what_comes_with_the_switch_can_be_read_and_its_music_loops() {
        let library = open(
            &[&Path::new(env!("CARGO_MANIFEST_DIR")).join("sounds")],
            "en",
        )
        .unwrap();
        assert!(library.check().is_ok(), "{:?}", library.check());
        for key in library.all() {
            let Some(path) = library.file(key, None) else {
                continue;
            };
            let sound = Sound::read(path).unwrap();
            let samples = sound.samples().iter().map(|sample| sample.unsigned_abs());
            let loudest = samples.max().unwrap();
            assert!((2000..25_000).contains(&loudest), "{key}: {loudest}");
            if key.starts_with("music") {
                let music = sound.samples();
                assert!(music.len() >= 90 * sound.hz() as usize, "{key} is short");
                let step = |a: i16, b: i16| (i32::from(a) - i32::from(b)).abs();
                let seam = step(music[0], *music.last().unwrap());
                let steps = music.windows(2).map(|pair| step(pair[0], pair[1]));
                assert!(seam <= steps.max().unwrap() / 2, "{key}: {seam}");
            }
        }
    }
}
