//! The threads that have texts said, and who waits for which.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::command::Groups;
use super::{
    Failure, MOST_CHARACTERS, Order, Reach, Settings, Speaker, Voice, Wish, command, level,
};
use crate::media::{Kept, Place, Sound};

/// Texts that may wait for a program.
const MOST_WAITING: usize = 64;
/// Texts that may wait for the disk, which takes milliseconds.
const MOST_READ: usize = 1024;

/// Has texts said. Cheap to clone; its threads end with the last clone.
#[derive(Clone, Debug)]
pub struct Speech(Arc<Door>);

/// What is told whoever asked: the name of the sound, or why there is none.
type Tell = Box<dyn FnOnce(Result<String, Failure>) + Send>;

#[derive(Debug)]
struct Door {
    inner: Arc<Inner>,
}

struct Inner {
    kept: Kept,
    state: Mutex<State>,
    more: Condvar,
    /// Rings when there is something to read.
    to_read: Condvar,
    groups: Groups,
    /// The way to services of the web.
    web: OnceLock<Box<dyn Reach>>,
}

struct State {
    settings: Arc<Settings>,
    /// Texts nobody works on yet, oldest first.
    waiting: VecDeque<Job>,
    /// Texts that were said before and have to be read, oldest first. They wait for no program.
    kept: VecDeque<Job>,
    /// Who waits for which text, worked on or not.
    asked: HashMap<String, Vec<Tell>>,
    is_over: bool,
}

struct Job {
    key: String,
    voice: Voice,
    text: String,
}

impl Speech {
    /// Starts the threads; as many programs run at once for as long as they live.
    ///
    /// # Errors
    ///
    /// A thread that cannot be started.
    pub fn start(settings: Settings, kept: Kept) -> io::Result<Self> {
        let at_once = settings.at_once;
        let inner = Arc::new(Inner {
            kept,
            state: Mutex::new(State {
                settings: Arc::new(settings),
                waiting: VecDeque::new(),
                kept: VecDeque::new(),
                asked: HashMap::new(),
                is_over: false,
            }),
            more: Condvar::new(),
            to_read: Condvar::new(),
            groups: Groups::new(),
            web: OnceLock::new(),
        });
        let speech = Self(Arc::new(Door {
            inner: Arc::clone(&inner),
        }));
        let reader = Arc::clone(&inner);
        thread::Builder::new()
            .name("speech-kept".to_owned())
            .spawn(move || reader.read())?;
        for number in 0..at_once {
            let inner = Arc::clone(&inner);
            thread::Builder::new()
                .name(format!("speech-{number}"))
                .spawn(move || inner.work())?;
        }
        Ok(speech)
    }

    /// Services of the web are reached this way, from now on; the first one told stays.
    pub fn reach(&self, web: impl Reach + 'static) {
        // There is one web.
        let _ = self.0.inner.web.set(Box::new(web));
    }

    /// Other voices from now on; how many run at once stays.
    pub fn set(&self, settings: Settings) {
        self.0.inner.state().settings = Arc::new(settings);
    }

    /// Whether there is a voice for a wish.
    pub fn has_voice(&self, wish: &Wish) -> bool {
        let settings = Arc::clone(&self.0.inner.state().settings);
        settings
            .voice(wish.voice.as_deref(), &wish.language)
            .is_some()
    }

    /// Has a text said. `tell` is called once: at once where it was said before or cannot be said,
    /// else by a thread of ours when it is; it must not wait for anything.
    ///
    /// The name it is told is that of a sound in a [`crate::media::Library`] that has the same
    /// [`Kept`].
    pub fn say(&self, wish: &Wish, tell: impl FnOnce(Result<String, Failure>) + Send + 'static) {
        match self.0.inner.accept(wish) {
            Ok(job) => self.0.inner.order(job, Box::new(tell)),
            Err(failure) => tell(Err(failure)),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.is_over = true;
        // Nobody is left to be told.
        state.asked.clear();
        drop(state);
        self.inner.groups.end();
        self.inner.more.notify_all();
        self.inner.to_read.notify_all();
    }
}

impl Inner {
    fn accept(&self, wish: &Wish) -> Result<Job, Failure> {
        let text: Vec<&str> = wish
            .text
            .0
            .split(is_gap)
            .filter(|it| !it.is_empty())
            .collect();
        let text = text.join(" ");
        if text.is_empty() {
            return Err(Failure::Text("there is nothing to say"));
        }
        if text.chars().count() > MOST_CHARACTERS {
            return Err(Failure::Text("the text is longer than 1500 characters"));
        }
        let settings = Arc::clone(&self.state().settings);
        let voice = settings.voice(wish.voice.as_deref(), &wish.language);
        let voice = voice.ok_or(Failure::Voice)?.clone();
        let key = key(&voice, &text);
        Ok(Job { key, voice, text })
    }

    fn order(&self, job: Job, tell: Tell) {
        // Whoever orders may have calls to serve: the disk is read by the thread.
        let place = self.kept.place(&job.key);
        if place == Place::Memory {
            return tell(Ok(Kept::name(&job.key)));
        }
        let mut state = self.state();
        if let Some(others) = state.asked.get_mut(&job.key) {
            return others.push(tell);
        }
        let key = job.key.clone();
        let is_taken = match place {
            Place::Disk => state.read_later(job),
            Place::Memory | Place::Nowhere => state.make_later(job),
        };
        if !is_taken {
            drop(state);
            return tell(Err(Failure::Busy));
        }
        state.asked.insert(key, vec![tell]);
        drop(state);
        match place {
            Place::Disk => self.to_read.notify_one(),
            Place::Memory | Place::Nowhere => self.more.notify_one(),
        }
    }

    /// Reads what was said before. What is there no more after all is said anew.
    fn read(&self) {
        while let Some(job) = self.next(&self.to_read, |state| &mut state.kept) {
            if self.kept.sound(&job.key).is_some() {
                self.tell_of(&job.key, &Ok(()));
                continue;
            }
            let key = job.key.clone();
            let is_taken = self.state().make_later(job);
            match is_taken {
                true => self.more.notify_one(),
                false => self.tell_of(&key, &Err(Failure::Busy)),
            }
        }
    }

    fn work(&self) {
        while let Some(job) = self.next(&self.more, |state| &mut state.waiting) {
            let said = self.make(&job);
            if let Err(failure) = &said {
                tracing::warn!(voice = %job.voice.name, %failure, "a text was not said");
            }
            self.tell_of(&job.key, &said);
        }
    }

    /// The next text of a queue, when there is one; `None` when it is over.
    fn next(
        &self,
        bell: &Condvar,
        queue: impl Fn(&mut State) -> &mut VecDeque<Job>,
    ) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(job) = queue(&mut state).pop_front() {
                return Some(job);
            }
            state = bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells all who asked.
    fn tell_of(&self, key: &str, said: &Result<(), Failure>) {
        let asked = self.state().asked.remove(key);
        for tell in asked.into_iter().flatten() {
            tell(said.clone().map(|()| Kept::name(key)));
        }
    }

    fn make(&self, job: &Job) -> Result<(), Failure> {
        if self.kept.sound(&job.key).is_some() {
            return Ok(());
        }
        let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
        let file = self.kept.unfinished(&format!("{}-said", job.key));
        let said = match &job.voice.speaker {
            Speaker::Program(command) => {
                command::run((&job.voice, command), &job.text, &file, &self.groups)
            }
            Speaker::Endpoint(_) | Speaker::Url(_) => self.ask_web(job, &file),
        };
        let sound = said.and_then(|()| Sound::read_wav(&file).map_err(|error| broken(&error)));
        // A program may have written nothing.
        let _ = std::fs::remove_file(&file);
        let sound = sound?;
        let samples = level::settle(sound.hz(), sound.samples());
        if samples.is_empty() {
            return Err(Failure::Broken("the voice said nothing".to_owned()));
        }
        let kept = self.kept.put(&job.key, sound.hz(), &samples);
        kept.map_err(|error| broken(&error))
    }

    fn ask_web(&self, job: &Job, file: &Path) -> Result<(), Failure> {
        let web = self.web.get();
        let web = web.ok_or_else(|| Failure::Broken("there is no web yet".to_owned()))?;
        let order = Order {
            voice: &job.voice,
            text: &job.text,
            limit: usize::try_from(command::MOST_OCTETS).unwrap_or(usize::MAX),
        };
        let sound = web.say(order)?;
        std::fs::write(file, sound).map_err(|error| Failure::Broken(error.to_string()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a program can be asked for it later.
    fn make_later(&mut self, job: Job) -> bool {
        let has_room = self.waiting.len() < MOST_WAITING;
        if has_room {
            self.waiting.push_back(job);
        }
        has_room
    }

    /// Whether it can be read later.
    fn read_later(&mut self, job: Job) -> bool {
        let has_room = self.kept.len() < MOST_READ;
        if has_room {
            self.kept.push_back(job);
        }
        has_room
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Speech").finish_non_exhaustive()
    }
}

fn is_gap(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

/// A voice that is set up otherwise is another one.
fn key(voice: &Voice, text: &str) -> String {
    let mut hash = Sha256::new();
    let speaker: Vec<&str> = match &voice.speaker {
        Speaker::Endpoint(name) => vec!["endpoint", &voice.name, &voice.language, name],
        Speaker::Program(command) => command.iter().map(String::as_str).collect(),
        Speaker::Url(url) => vec!["url", &voice.name, &voice.language, url],
    };
    for word in speaker.into_iter().chain([text]) {
        hash.update(word);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use hound::{SampleFormat, WavSpec, WavWriter};

    use super::*;
    use crate::base::Pii;
    use crate::base::patience::{self, PATIENCE, until};
    use crate::media::Library;

    /// A WAV file for a voice that is no more than `cat`.
    fn sound(path: &Path) {
        let spec = WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(path, spec).unwrap();
        for place in 0..16_000 {
            let sample = (f64::from(place) * 0.3).sin() * 3000.0;
            writer.write_sample(sample as i16).unwrap();
        }
        writer.finalize().unwrap();
    }

    struct Scene {
        folder: tempfile::TempDir,
        kept: Kept,
        speech: Speech,
    }

    impl Scene {
        /// Every run leaves a line in `runs`, waits for the file `go` where `waits`, and writes a sound.
        fn set(waits: bool) -> Self {
            let folder = tempfile::tempdir().unwrap();
            sound(&folder.path().join("sound.wav"));
            let wait = if waits {
                "while [ ! -e go ]; do sleep 0.01; done;"
            } else {
                ""
            };
            let script = format!(
                "cd {}; cat >> runs; echo >> runs; {wait} cat sound.wav",
                folder.path().display()
            );
            let voice = Voice {
                name: "test".to_owned(),
                language: "en".to_owned(),
                speaker: Speaker::Program(vec!["sh".to_owned(), "-c".to_owned(), script]),
                timeout: PATIENCE,
            };
            let settings = Settings {
                voices: vec![voice],
                ..Settings::default()
            };
            let kept = Kept::open(&folder.path().join("kept"), 1 << 20).unwrap();
            let speech = Speech::start(settings, kept.clone()).unwrap();
            Self {
                folder,
                kept,
                speech,
            }
        }

        fn say(&self, text: &str) -> Receiver<Result<String, Failure>> {
            let (tell, told) = channel();
            let wish = Wish {
                text: Pii(text.to_owned()),
                voice: None,
                language: "en".to_owned(),
            };
            self.speech.say(&wish, move |said| drop(tell.send(said)));
            told
        }

        fn runs(&self) -> Vec<String> {
            let runs = fs::read_to_string(self.folder.path().join("runs")).unwrap_or_default();
            runs.lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn a_text_is_said_once_and_kept() {
        let scene = Scene::set(false);
        let name = scene
            .say("Hello,\n caller")
            .recv_timeout(PATIENCE)
            .unwrap()
            .unwrap();
        assert_eq!(
            patience::told(&scene.say("Hello, caller ")),
            Ok(name.clone())
        );
        assert_eq!(scene.runs(), ["Hello, caller"]);
        let library = Library::built_in().with_kept(scene.kept.clone());
        let heard = library.spoken(&name, Some("ja")).unwrap();
        assert_eq!(heard.hz(), 16_000);
        assert!((40..=66).contains(&heard.frames()), "{}", heard.frames());
        assert!(library.sound("speech/none").is_none() && library.has(&name));
    }

    #[test]
    fn who_asks_for_the_same_meanwhile_waits_for_the_same_run() {
        let scene = Scene::set(true);
        let told: Vec<_> = (0..5).map(|_| scene.say("Please wait")).collect();
        fs::write(scene.folder.path().join("go"), b"").unwrap();
        for told in told {
            assert!(told.recv_timeout(PATIENCE).unwrap().is_ok());
        }
        assert_eq!(scene.runs(), ["Please wait"]);
    }

    #[test]
    fn what_is_kept_waits_for_no_program_and_is_made_anew_when_it_is_spoilt() {
        let mut scene = Scene::set(true);
        let go = scene.folder.path().join("go");
        fs::write(&go, b"").unwrap();
        let [name, spoilt] =
            ["Welcome", "Spoilt"].map(|it| patience::told(&scene.say(it)).unwrap());
        fs::remove_file(go).unwrap();
        // The next process has nothing in memory yet.
        let settings = (*scene.speech.0.inner.state().settings).clone();
        let folder = scene.folder.path().join("kept");
        let file = spoilt.strip_prefix("speech/").unwrap();
        fs::write(folder.join(format!("{file}.wav")), b"no sound").unwrap();
        scene.kept = Kept::open(&folder, 1 << 20).unwrap();
        scene.speech = Speech::start(settings, scene.kept.clone()).unwrap();
        // Every program hangs, and there is no room to wait for one.
        let texts = (0..2 + MOST_WAITING).map(|number| format!("Number {number}"));
        let _hanging: Vec<_> = texts.map(|text| scene.say(&text)).collect();
        until("all programs hang", || scene.runs().len() == 4);
        let mut more = 0;
        until("no room is left", || {
            more += 1;
            let told = scene.say(&format!("{more} more")).try_recv();
            matches!(told, Ok(Err(Failure::Busy)))
        });
        assert_eq!(patience::told(&scene.say("Welcome")), Ok(name));
        let told = patience::told(&scene.say("Spoilt"));
        assert_eq!(told, Err(Failure::Busy), "it would have to be made");
        fs::write(scene.folder.path().join("go"), b"").unwrap();
        until("it is made", || {
            patience::told(&scene.say("Spoilt")) == Ok(spoilt.clone())
        });
    }

    #[test]
    fn what_is_longer_than_all_that_may_be_kept_is_told_so() {
        let mut scene = Scene::set(false);
        let settings = (*scene.speech.0.inner.state().settings).clone();
        scene.kept = Kept::open(&scene.folder.path().join("kept"), 1_000).unwrap();
        scene.speech = Speech::start(settings, scene.kept.clone()).unwrap();
        let told = patience::told(&scene.say("Hello"));
        let is_told =
            matches!(&told, Err(Failure::Broken(words)) if words.contains("1000 are kept"));
        assert!(is_told, "{told:?}");
    }

    #[test]
    fn too_many_texts_are_refused_and_what_cannot_be_said_at_once() {
        let scene = Scene::set(true);
        let told: Vec<_> = (0..2 + MOST_WAITING + 10)
            .map(|number| scene.say(&format!("Number {number}")))
            .collect();
        let refused = |told: &Receiver<_>| matches!(told.try_recv(), Ok(Err(Failure::Busy)));
        let count = told.iter().filter(|told| refused(told)).count();
        assert!((10..=12).contains(&count), "{count}");
        let long = "a".repeat(MOST_CHARACTERS + 1);
        for text in ["", " \n", &long] {
            assert!(matches!(
                patience::told(&scene.say(text)),
                Err(Failure::Text(_))
            ));
        }
        fs::write(scene.folder.path().join("go"), b"").unwrap();
    }

    #[test]
    fn no_program_outlives_the_switch() {
        let scene = Scene::set(true);
        let told = scene.say("Wait for ever");
        until("it runs", || !scene.runs().is_empty());
        let folder = scene.folder.path().display().to_string();
        drop((scene.speech, told));
        let is_left = || {
            let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
            let mut lines = processes.filter_map(|it| fs::read(it.path().join("cmdline")).ok());
            lines.any(|line| String::from_utf8_lossy(&line).contains(&folder))
        };
        until("it is ended", || !is_left());
    }

    struct Service {
        reply: Result<Vec<u8>, Failure>,
        asked: std::sync::mpsc::Sender<String>,
    }

    impl Reach for Service {
        fn say(&self, order: Order<'_>) -> Result<Vec<u8>, Failure> {
            let to = match &order.voice.speaker {
                Speaker::Url(url) => url.clone(),
                other => panic!("{other:?}"),
            };
            let asked = self.asked.send(format!("{to} {}", order.text));
            asked.expect("somebody counts");
            self.reply.clone()
        }
    }

    /// What comes of two equal texts said by a service with this reply, and what it was asked.
    fn say_by_web(
        reply: Option<Result<Vec<u8>, Failure>>,
    ) -> (Vec<Result<String, Failure>>, Vec<String>) {
        let scene = Scene::set(false);
        let mut settings = (*scene.speech.0.inner.state().settings).clone();
        settings.voices[0].speaker = Speaker::Url("https://voice.test/say".to_owned());
        scene.speech.set(settings);
        let (asked, questions) = channel();
        if let Some(reply) = reply {
            scene.speech.reach(Service { reply, asked });
        }
        let say = || scene.say("Hello\ncaller").recv_timeout(PATIENCE).unwrap();
        let said = vec![say(), say()];
        drop(scene.speech);
        (said, questions.try_iter().collect())
    }

    #[test]
    fn a_service_of_the_web_is_asked_once_and_what_it_said_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sound.wav");
        sound(&file);
        let reply = fs::read(&file).unwrap();
        let (said, asked) = say_by_web(Some(Ok(reply)));
        assert!(said[0].is_ok() && said[0] == said[1], "{said:?}");
        assert_eq!(asked, ["https://voice.test/say Hello caller"]);
    }

    #[test]
    fn a_service_that_fails_or_sends_no_sound_is_asked_again_next_time() {
        let late = Failure::Late(Duration::from_secs(1));
        let (said, asked) = say_by_web(Some(Err(late.clone())));
        assert_eq!(said, [Err(late.clone()), Err(late)]);
        assert_eq!(asked.len(), 2);
        let (said, _) = say_by_web(Some(Ok(b"<html>".to_vec())));
        assert!(matches!(said[0], Err(Failure::Broken(_))), "{said:?}");
        let (said, _) = say_by_web(None);
        assert!(matches!(said[0], Err(Failure::Broken(_))), "{said:?}");
    }

    #[test]
    fn a_voice_that_says_nothing_is_told_so() {
        let scene = Scene::set(false);
        fs::write(scene.folder.path().join("sound.wav"), b"RIFF no sound").unwrap();
        let told = scene.say("Hello").recv_timeout(PATIENCE).unwrap();
        assert!(matches!(told, Err(Failure::Broken(_))), "{told:?}");
        assert!(scene.kept.sound("Hello").is_none());
    }
}
