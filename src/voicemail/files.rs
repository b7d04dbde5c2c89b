//! The files of a mailbox: how they are named, read, and written so that they survive.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EMAIL_LABEL, Mailing, Message};
use crate::base::{CallId, Timestamp};
use crate::media::Sound;
use crate::recording::{Reader, Sidecar};

/// What the names of greetings begin with.
pub(super) const GREETING: &str = "greeting-";
/// Ending of what is remembered of a message: `ID.state`.
pub(super) const STATE: &str = "state";
/// Ending of what came of its e-mail: `ID.mail`.
pub(super) const MAIL: &str = "mail";
/// File of what is remembered of a mailbox.
pub(super) const MAILBOX: &str = "mailbox.state";
/// Longest sound that is played: half an hour at 16 kHz.
const MOST_SAMPLES: usize = 1800 * 16_000;

/// What is remembered of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) heard: bool,
    pub(super) saved: bool,
}

/// What is remembered of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct MailboxState {
    /// File of the greeting in use.
    pub(super) greeting: Option<String>,
}

/// A message as its files tell it; `None` without a sidecar that can be read.
pub(super) fn read_message(mailbox: &str, sound: &Path) -> Option<Message> {
    let sidecar = Sidecar::read(&sound.with_extension("json")).ok()?;
    let label = |name: &str| sidecar.labels.get(name).and_then(Value::as_str);
    let remembered = read_state(&sound.with_extension(STATE));
    let state = match remembered {
        Ok(state) => state.unwrap_or_default(),
        // It may have been saved: nothing deletes it by itself.
        Err(error) => {
            tracing::error!(path = %sound.display(), %error, "voicemail.state_unreadable");
            State {
                heard: false,
                saved: true,
            }
        }
    };
    let to = sidecar.labels.get(EMAIL_LABEL).and_then(Value::as_array);
    let to = to.into_iter().flatten().filter_map(Value::as_str);
    let mailed = read_state(&sound.with_extension(MAIL)).unwrap_or_else(|error| {
        tracing::error!(path = %sound.display(), %error, "voicemail.state_unreadable");
        None
    });
    let mailing = Mailing {
        to: to.map(str::to_owned).collect(),
        ends: mailed.unwrap_or_default(),
    };
    Some(Message {
        id: sound.file_stem()?.to_string_lossy().into_owned(),
        mailbox: mailbox.to_owned(),
        from: label("from").unwrap_or_default().to_owned(),
        from_name: label("from_name").map(str::to_owned),
        call: CallId::new(label("call").unwrap_or_default()),
        at: began(&sidecar, sound),
        length_ms: sidecar.duration_ms,
        bytes: sidecar.bytes,
        heard: state.heard,
        saved: state.saved,
        path: sound.to_owned(),
        mailing: Box::new(mailing),
        defect: sidecar.defect,
    })
}

/// What was remembered; `None` when nothing was.
///
/// # Errors
///
/// When there is a file and it cannot be read: what it says is not known then, not nothing.
pub(super) fn read_state<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a message must not be deleted, by nobody.
pub(super) fn is_held(sound: &Path) -> bool {
    sound.with_extension("hold").exists()
}

/// When a recording began; when its file was written last, where its sidecar no longer knows.
fn began(sidecar: &Sidecar, sound: &Path) -> Timestamp {
    let told = Timestamp::parse_rfc3339(&sidecar.started);
    if let Some(told) = told.filter(|told| *told != Timestamp::ZERO) {
        return told;
    }
    let written = std::fs::metadata(sound).and_then(|data| data.modified());
    let since = written
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(Timestamp::ZERO, |since| Timestamp::ZERO + since)
}

/// Writes a small file whole or not at all, on the disk when it returns.
pub(super) fn write_state(path: &Path, state: &impl Serialize) -> io::Result<()> {
    let draft = path.with_extension("state-part");
    let mut file = File::create(&draft)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    sync_folder(path)
}

/// What was renamed or deleted beside `path` stays so.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Deletes a sound and all beside it. The sidecar goes after the sound: should we die in between it
/// still says what there was, and the next start takes it away.
pub(super) fn delete(sound: &Path) -> io::Result<()> {
    std::fs::remove_file(sound)?;
    for beside in ["json", STATE, MAIL] {
        match std::fs::remove_file(sound.with_extension(beside)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_folder(sound)
}

/// The samples of a file as a sound.
pub(super) fn load(sound: &Path) -> io::Result<Arc<Sound>> {
    let mut reader = Reader::open(sound)?;
    let (hz, channels) = (reader.hz(), reader.channels().max(1));
    let mut samples = Vec::new();
    while samples.len() < MOST_SAMPLES * channels && reader.read(&mut samples)? {}
    let first = samples.into_iter().step_by(channels).collect();
    let name = sound.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Arc::new(Sound::at(hz, name.into_owned(), first)))
}
