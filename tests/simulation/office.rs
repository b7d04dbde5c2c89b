//! The demo office of the repository, as it is or with a few words changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use tsunagu::config::{self, Environment, Office};
use tsunagu::media::{Codec, FRAME_SAMPLES, Library, Sound};

/// The demo office.
pub(crate) fn demo() -> Office {
    static DEMO: OnceLock<Office> = OnceLock::new();
    DEMO.get_or_init(|| load(&root().join("config"))).clone()
}

/// The demo office with texts of its files replaced: file, what stands there, what is to.
pub(crate) fn changed(changes: &[(&str, &str, &str)]) -> Office {
    let directory = tempfile::tempdir().expect("a directory");
    copy(&root().join("config"), directory.path());
    for (file, before, after) in changes {
        let path = directory.path().join(file);
        let text = std::fs::read_to_string(&path).expect("a file of the office");
        assert!(text.contains(before), "{file} does not say {before:?}");
        std::fs::write(&path, text.replace(before, after)).expect("written");
    }
    load(directory.path())
}

/// The sounds of the repository, read once.
pub(crate) fn sounds() -> Library {
    static SOUNDS: OnceLock<Library> = OnceLock::new();
    SOUNDS
        .get_or_init(|| {
            Library::open(&[root().join("sounds")], "en").expect("sounds that can be read")
        })
        .clone()
}

/// A sound of the repository as a phone with G.711 hears it: samples at 8 kHz. Rendered once: a
/// minute of music takes a build without optimisation seconds.
pub(crate) fn spoken(name: &str) -> Arc<[i16]> {
    type Rendered = HashMap<String, Arc<OnceLock<Arc<[i16]>>>>;
    static RENDERED: LazyLock<Mutex<Rendered>> = LazyLock::new(Mutex::default);
    let mut rendered = RENDERED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Arc::clone(rendered.entry(name.to_owned()).or_default());
    drop(rendered);
    Arc::clone(place.get_or_init(|| render(name)))
}

fn render(name: &str) -> Arc<[i16]> {
    let sound = sounds()
        .sound(name)
        .unwrap_or_else(|| panic!("no sound {name}"));
    // Rendered here, for it may be that nobody has listened yet.
    let sound = Sound::at(sound.hz(), name, sound.samples().to_vec());
    let mut samples = vec![0; sound.frames() * FRAME_SAMPLES];
    for (frame, samples) in samples.chunks_mut(FRAME_SAMPLES).enumerate() {
        assert!(sound.linear(Codec::Pcmu, frame, samples));
    }
    samples.into()
}

fn load(directory: &Path) -> Office {
    let sounds = root().join("sounds").display().to_string();
    let line = ("LINE", "secret".to_owned());
    let pin = ("CLINIC_PIN", "2468".to_owned());
    let environment = Environment::from_iter([("TSUNAGU_SOUNDS", sounds), line, pin]);
    config::load(directory, &environment).unwrap_or_else(|report| panic!("{report}"))
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("made");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
