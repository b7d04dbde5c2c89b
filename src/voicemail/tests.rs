//! The shelf and its keeper, on a folder of their own.

mod post;
mod session;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::base::patience::{PATIENCE, until};
use crate::base::{CallId, Clock, RecordingId, ShardId, Timestamp};
use crate::media::recorder::{Disk, DiskConfig, Heard, News, Opening, recover};
use crate::media::rtp::Header;
use crate::media::{Rate, Sound};
use crate::recording::{Channel, Closed, Format};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_136_523_000) + Duration::from_secs(seconds)
}

fn shelf(folder: &Path) -> Shelf {
    Shelf::open(folder, Arc::default()).expect("a folder that can be read")
}

/// A recorder without threads, and what it published.
pub(crate) struct Recorder {
    disk: Disk,
    closed: Arc<Mutex<Vec<Closed>>>,
    /// To whom messages are to be mailed.
    email: Vec<String>,
}

impl Recorder {
    pub(crate) fn new(folder: &Path, format: Format) -> Self {
        let closed = Arc::new(Mutex::new(Vec::new()));
        let told = closed.clone();
        let config = DiskConfig {
            directory: folder.to_owned(),
            max_recordings: 8,
            format,
        };
        let disk = Disk::inline(config, move |news| {
            if let News::Closed(closed) = news {
                told.lock().expect("whole").push(*closed);
            }
        });
        let disk = disk.expect("a folder");
        Self {
            disk,
            closed,
            email: Vec::new(),
        }
    }

    /// Speaks `frames` of 20 ms into a file; published unless it is left as it is.
    fn record(&self, stem: String, id: &str, frames: u16, is_ended: bool) -> Option<Closed> {
        let labels = [("from", "+819012345678"), ("call", "c-1")];
        let labels = labels.map(|(name, text)| (name.to_owned(), text.into()));
        let opening = Opening {
            recording: RecordingId::new(id),
            stem,
            started: at(0),
            channels: vec!["caller".to_owned()],
            rate: Rate::Narrow,
            format: None,
            labels: labels
                .into_iter()
                .chain([(EMAIL_LABEL.to_owned(), self.email.clone().into())])
                .collect(),
        };
        let mut tap = self.disk.open(opening).expect("opened");
        let source = tap.add_source(Channel::LEFT).expect("a place");
        for frame in 0..frames {
            let header = Header {
                marker: false,
                payload_type: 0,
                sequence: frame,
                timestamp: u32::from(frame) * 160,
                ssrc: 7,
            };
            let heard = Heard {
                header: &header,
                clock_hz: 8000,
                rate: Rate::Narrow,
                samples: &[4000; 160],
            };
            let now = at(0) + Duration::from_millis(u64::from(frame) * 20);
            tap.packet(source, now, heard);
            tap.tick(now);
            self.disk.pump();
        }
        if !is_ended {
            // As kill -9 leaves it: nobody ends it, and nothing more is written.
            std::mem::forget(tap);
            return None;
        }
        tap.stop(at(0) + Duration::from_millis(u64::from(frames) * 20));
        self.disk.pump();
        self.closed.lock().expect("whole").pop()
    }

    /// A message of so many frames in mailbox 1010.
    pub(crate) fn message(&self, id: &str, frames: u16) -> Closed {
        let stem = stem("1010", &RecordingId::new(id));
        self.record(stem, id, frames, true).expect("published")
    }

    /// A greeting of two seconds, of the same mailbox.
    fn greeting(&self, id: &str) -> Closed {
        let stem = greeting_stem("1010", &RecordingId::new(id));
        self.record(stem, id, 100, true).expect("published")
    }
}

/// What takes long to read: a file becomes a pipe, and comes back as it was.
pub(crate) fn becomes_a_pipe(path: &Path) -> Vec<u8> {
    let octets = std::fs::read(path).expect("readable");
    std::fs::remove_file(path).expect("there");
    let (kind, mode) = (FileType::Fifo, Mode::from(0o600));
    rustix::fs::mknodat(CWD, path, kind, mode, 0).expect("a pipe");
    octets
}

/// Comes back when somebody reads a pipe: he has it open then.
pub(crate) fn as_it_is_read(pipe: &Path) -> File {
    // Opened as usual it would wait for ever for a reader who has failed.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut opened = None;
    until("somebody reads it", || {
        opened = rustix::fs::open(pipe, flags, Mode::empty()).ok();
        opened.is_some()
    });
    let opened = opened.expect("a reader");
    rustix::fs::fcntl_setfl(&opened, OFlags::empty()).expect("a pipe that waits");
    opened.into()
}

/// What comes of something that another thread does.
fn apart<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || drop(tell.send(act())));
    told
}

/// A sound of mailbox 1010.
fn load(shelf: &Shelf, clip: Clip) -> Option<Arc<Sound>> {
    files::load(shelf.find("1010", &clip)?).ok()
}

fn ids(shelf: &Shelf) -> Vec<(&str, bool, bool)> {
    let messages = shelf.messages("1010").iter();
    messages
        .map(|one| (one.id.as_str(), one.heard, one.saved))
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("voicemail/1010")).expect("readable");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_known_of_messages_is_read_from_the_disk() {
    for format in Format::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let recorder = Recorder::new(folder.path(), format);
        let mut before = shelf(folder.path());
        for id in ["a", "b", "c"] {
            let closed = recorder.message(id, 200);
            let filed = before.file(&Finished::of(&closed, false));
            assert!(matches!(filed, Filed::Kept(_)), "{filed:?}");
        }
        assert_eq!(before.counts("1010"), Counts { new: 3, old: 0 });
        assert!(before.mark("1010", "a", true, None).expect("written"));
        assert!(before.mark("1010", "b", true, Some(true)).expect("written"));
        assert!(!before.mark("1010", "x", true, None).expect("none"));
        assert!(before.delete("1010", "c").expect("deleted"));
        assert!(!before.delete("1010", "c").expect("gone"));
        let kinds: Vec<ChangeKind> = before.take_changes().iter().map(|one| one.kind).collect();
        use ChangeKind::{Deleted, Left, Marked};
        assert_eq!(kinds, [Left, Left, Left, Marked, Marked, Deleted]);

        let after = shelf(folder.path());
        assert_eq!(ids(&after), [("a", true, false), ("b", true, true)]);
        let message = after.message("1010", "a").expect("there");
        assert_eq!(message.from, "+819012345678");
        assert_eq!((message.at, message.length_ms), (at(0), 4000));
        let sound = load(&after, Clip::Message("a".to_owned())).expect("it plays");
        assert_eq!(sound.samples().len() as u64, u64::from(sound.hz()) * 4);
        // What is said here is no speech, and Opus keeps nothing of it.
        let loud = sound.samples()[4000..8000].iter();
        let is_kept = loud.into_iter().all(|sample| (2000..6000).contains(sample));
        assert!(is_kept || format == Format::Opus, "{format:?}");
    }
}

#[test]
fn a_message_that_a_crash_interrupted_is_there_and_plays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    // In a process that ends without a word; here, a recorder that is never dropped.
    let recorder = Recorder::new(&path, Format::Wav);
    let kept = recorder.message("whole", 150);
    let cut = stem("1010", &RecordingId::new("cut"));
    assert_eq!(recorder.record(cut, "cut", 250, false), None);
    let short = stem("1010", &RecordingId::new("short"));
    assert_eq!(recorder.record(short, "short", 30, false), None);
    let mut shelf = shelf(&path);
    assert_eq!(ids(&shelf), [("whole", false, false)]);
    assert!(kept.path.is_file());
    // The lock of the files goes with the process.
    std::mem::forget(recorder);
    let copy = tempfile::tempdir().expect("a folder");
    copy_all(&path, copy.path());
    let mut repaired = Shelf::open(copy.path(), Arc::default()).expect("readable");
    for closed in recover(copy.path()) {
        let filed = repaired.file(&Finished::of(&closed, false));
        match closed.recording.as_str() {
            "cut" => assert!(matches!(filed, Filed::Kept(_)), "{filed:?}"),
            _ => assert_eq!(filed, Filed::TooShort),
        }
    }
    let cut = repaired.message("1010", "cut").expect("recovered");
    assert!((4400..=5000).contains(&cut.length_ms), "{}", cut.length_ms);
    assert!(cut.defect.is_some());
    assert!(load(&repaired, Clip::Message("cut".to_owned())).is_some());
    assert!(repaired.message("1010", "short").is_none());
    assert!(shelf.take_changes().is_empty());
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("readable") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("named"));
        match path.is_dir() {
            true => {
                std::fs::create_dir(&target).expect("made");
                copy_all(&path, &target);
            }
            false => drop(std::fs::copy(&path, &target).expect("copied")),
        }
    }
}

#[test]
fn a_deletion_that_was_cut_off_is_finished_and_what_is_none_of_ours_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let closed = recorder.message("a", 150);
    recorder.message("b", 150);
    std::fs::remove_file(&closed.path).expect("deleted");
    std::fs::write(folder.path().join("voicemail/1010/note.txt"), "x").expect("written");
    let after = shelf(folder.path());
    assert_eq!(ids(&after), [("b", false, false)]);
    assert_eq!(names(folder.path()), ["b.json", "b.wav", "note.txt"]);
}

#[test]
fn too_short_or_empty_is_no_message_and_twice_told_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let mut shelf = shelf(folder.path());
    let short = recorder.message("short", 99);
    assert_eq!(shelf.file(&Finished::of(&short, false)), Filed::TooShort);
    let empty = recorder.message("empty", 300);
    assert_eq!(shelf.file(&Finished::of(&empty, true)), Filed::TooShort);
    assert_eq!(names(folder.path()), [""; 0]);
    let whole = Finished::of(&recorder.message("whole", 100), false);
    assert_eq!(shelf.file(&whole), shelf.file(&whole));
    assert_eq!(shelf.counts("1010").new, 1);
    assert_eq!(shelf.take_changes().len(), 1);
    let gone = Finished {
        path: PathBuf::from("voicemail/1010/gone.wav"),
        ..whole
    };
    assert!(matches!(shelf.file(&gone), Filed::Failed(_)));
}

#[test]
fn a_greeting_takes_the_place_of_the_one_before_and_an_unused_one_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let mut before = shelf(folder.path());
    let greet = |id: &str| recorder.greeting(id);
    for id in ["one", "two"] {
        let filed = before.file(&Finished::of(&greet(id), false));
        assert_eq!(filed, Filed::Greeting);
    }
    // Recorded, and then the switch died.
    greet("three");
    let mut after = shelf(folder.path());
    assert!(after.has_greeting("1010") && load(&after, Clip::Greeting).is_some());
    let own = ["greeting-two.json", "greeting-two.wav", "mailbox.state"];
    assert_eq!(names(folder.path()), own);
    assert_eq!(after.messages("1010"), []);
    after.drop_greeting("1010").expect("dropped");
    assert!(!shelf(folder.path()).has_greeting("1010"));
    assert_eq!(names(folder.path()), ["mailbox.state"]);
}

#[test]
fn old_messages_go_and_saved_ones_stay_and_a_full_mailbox_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let terms = VoicemailTerms {
        keep: Some(Duration::from_secs(3600)),
        messages: 2,
        ..VoicemailTerms::default()
    };
    let mut shelf = Shelf::open(folder.path(), Arc::new(terms)).expect("a folder");
    for id in ["a", "b"] {
        assert!(!shelf.is_full("1010"));
        shelf.file(&Finished::of(&recorder.message(id, 150), false));
    }
    assert!(shelf.is_full("1010") && !shelf.is_full("1011"));
    shelf.mark("1010", "b", true, Some(true)).expect("written");
    shelf.sweep(at(3600));
    assert_eq!(shelf.messages("1010").len(), 2);
    shelf.sweep(at(3605));
    assert_eq!(ids(&shelf), [("b", true, true)]);
    shelf.set_terms(Arc::new(VoicemailTerms {
        bytes: Some(1000),
        ..VoicemailTerms::default()
    }));
    assert!(shelf.is_full("1011"));
}

#[test]
fn what_must_not_be_deleted_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let terms = VoicemailTerms {
        keep: Some(Duration::from_secs(3600)),
        ..VoicemailTerms::default()
    };
    let mut shelf = Shelf::open(folder.path(), Arc::new(terms)).expect("a folder");
    shelf.file(&Finished::of(&recorder.message("a", 150), false));
    let hold = folder.path().join("voicemail/1010/a.hold");
    std::fs::write(&hold, "").expect("written");
    shelf.sweep(at(9000));
    assert_eq!(ids(&shelf), [("a", false, false)]);
    let refused = shelf.delete("1010", "a").expect_err("held");
    assert_eq!(refused.to_string(), "the message is on legal hold");
    std::fs::remove_file(hold).expect("there");
    assert!(shelf.delete("1010", "a").expect("deleted"));
}

#[test]
fn what_is_remembered_and_cannot_be_read_deletes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let mut first = shelf(folder.path());
    let greeting = greeting_stem("1010", &RecordingId::new("g"));
    let greeting = recorder
        .record(greeting, "g", 150, true)
        .expect("published");
    assert_eq!(first.file(&Finished::of(&greeting, false)), Filed::Greeting);
    first.file(&Finished::of(&recorder.message("a", 150), false));
    first.mark("1010", "a", true, Some(true)).expect("written");
    drop(first);
    for state in ["mailbox.state", "a.state"] {
        let path = folder.path().join("voicemail/1010").join(state);
        std::fs::write(path, "{").expect("written");
    }
    let second = shelf(folder.path());
    assert_eq!(ids(&second), [("a", false, true)]);
    assert!(greeting.path.exists(), "the greeting is still there");
}

#[test]
fn a_message_whose_sidecar_does_not_say_when_is_as_old_as_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let closed = recorder.message("a", 150);
    let sidecar = closed.path.with_extension("json");
    let text = std::fs::read_to_string(&sidecar).expect("readable");
    let told = at(0).to_rfc3339();
    assert!(text.contains(&told), "{text}");
    std::fs::write(&sidecar, text.replace(&told, "1970-01-01T00:00:00Z")).expect("written");
    let shelf = shelf(folder.path());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = Timestamp::ZERO + now.expect("after 1970");
    assert!(age.since(shelf.messages("1010")[0].at) < Duration::from_secs(3600));
}

#[test]
fn a_greeting_that_its_speaker_did_not_end_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let mut shelf = shelf(folder.path());
    let stem = |id: &str| greeting_stem("1010", &RecordingId::new(id));
    let good = recorder
        .record(stem("good"), "good", 150, true)
        .expect("published");
    assert!(is_greeting(&good.path) && !is_greeting(&recorder.message("m", 150).path));
    shelf.file(&Finished::of(&good, false));
    // Too short to have been meant.
    let short = recorder
        .record(stem("short"), "short", 10, true)
        .expect("published");
    assert_eq!(shelf.file(&Finished::of(&short, false)), Filed::TooShort);
    assert!(good.path.exists() && shelf.has_greeting("1010"));
}

#[test]
fn wrong_pins_lock_a_mailbox_for_a_while_and_not_its_own_phone() {
    let folder = tempfile::tempdir().expect("a folder");
    let keeper = Keeper::new(shelf(folder.path()), |_, _| {});
    let open = |seconds, pin| {
        let mailbox = "1010".to_owned();
        match keeper.answer(at(seconds), Wish::Open { mailbox, pin }) {
            Word::Opened { .. } => "open",
            Word::Refused { is_locked: true } => "locked",
            _ => "wrong",
        }
    };
    for _ in 0..4 {
        assert_eq!(open(0, Some(false)), "wrong");
    }
    assert_eq!(open(1, Some(false)), "locked");
    assert_eq!(open(2, Some(true)), "locked");
    assert_eq!(open(2, None), "open");
    assert_eq!(open(302, Some(true)), "open");
    assert_eq!(open(303, Some(false)), "wrong");
}

/// A keeper of a mailbox with the greeting `one`, which takes long to read; what it reads to a caller,
/// the pipe it reads from, and what was in it.
fn greets_slowly(
    folder: &Path,
    recorder: &Recorder,
) -> (Keeper, mpsc::Receiver<Word>, File, Vec<u8>) {
    let mut shelf = shelf(folder);
    let one = recorder.greeting("one");
    shelf.file(&Finished::of(&one, false));
    shelf.file(&Finished::of(&recorder.message("a", 150), false));
    let octets = becomes_a_pipe(&one.path);
    let keeper = Keeper::new(shelf, |_, _| {});
    let (reader, mailbox) = (keeper.clone(), "1010".to_owned());
    let heard = apart(move || reader.answer(at(0), Wish::Arrive { mailbox }));
    let pipe = as_it_is_read(&one.path);
    (keeper, heard, pipe, octets)
}

#[test]
fn nobody_waits_while_a_sound_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let (keeper, heard, mut pipe, octets) = greets_slowly(folder.path(), &recorder);
    let opened = apart(move || {
        let (mailbox, pin) = ("1010".to_owned(), None);
        keeper.answer(at(1), Wish::Open { mailbox, pin })
    });
    match opened
        .recv_timeout(PATIENCE)
        .expect("while another hears it")
    {
        Word::Opened { messages, .. } => assert_eq!(messages.len(), 1),
        word => panic!("{word:?}"),
    }
    pipe.write_all(&octets).expect("read");
    drop(pipe);
    match heard.recv_timeout(PATIENCE).expect("read to its end") {
        Word::Arrived { greeting, .. } => {
            assert_eq!(greeting.expect("it plays").samples().len(), 100 * 160);
        }
        word => panic!("{word:?}"),
    }
}

#[test]
fn no_call_waits_while_a_sound_is_read_for_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let mut shelf = shelf(folder.path());
    let one = recorder.greeting("one");
    shelf.file(&Finished::of(&one, false));
    let octets = becomes_a_pipe(&one.path);
    let (tell, told) = mpsc::channel();
    let sink = move |_, call: CallId, _| drop(tell.send(call.to_string()));
    let keeper = Keeper::new(shelf, |_, _| {});
    let (wishes, task) = keeper.start(Arc::new(Still), sink).expect("threads");
    let mailbox = || "1010".to_owned();
    let ask = |call: &str, wish| {
        let letter = (ShardId(0), Some(CallId::new(call)), wish);
        wishes.send(letter).expect("taken");
    };
    ask("first", Wish::Arrive { mailbox: mailbox() });
    let mut pipe = as_it_is_read(&one.path);
    let (mailbox, pin) = (mailbox(), None);
    ask("second", Wish::Open { mailbox, pin });
    let next = || told.recv_timeout(PATIENCE).expect("told");
    assert_eq!(next(), "second");
    pipe.write_all(&octets).expect("read");
    drop(pipe);
    assert_eq!(next(), "first");
    drop(wishes);
    task.stop();
}

/// A clock that stands.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(0)
    }
}

#[test]
fn who_reads_a_greeting_that_is_replaced_meanwhile_gets_the_one_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::new(folder.path(), Format::Wav);
    let (keeper, heard, mut pipe, _) = greets_slowly(folder.path(), &recorder);
    let two = Finished::of(&recorder.greeting("two"), false);
    let filed = apart(move || keeper.answer(at(1), Wish::File(two)));
    let filed = filed
        .recv_timeout(PATIENCE)
        .expect("while another hears it");
    assert!(matches!(
        filed,
        Word::Filed {
            filed: Filed::Greeting,
            ..
        }
    ));
    pipe.write_all(b"no sound").expect("read");
    drop(pipe);
    match heard.recv_timeout(PATIENCE).expect("read to its end") {
        Word::Arrived { greeting, .. } => {
            assert_eq!(greeting.expect("it plays").name(), "greeting-two");
        }
        word => panic!("{word:?}"),
    }
}
