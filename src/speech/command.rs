//! One run of a voice's program: no shell, a deadline, bounds on what it writes; whatever it started
//! ends with it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

use super::Voice;

/// Octets of the longest sound: ten minutes at 48 kHz.
pub(super) const MOST_OCTETS: u64 = 58 << 20;
/// Octets of its complaints that are told.
const MOST_WORDS: usize = 300;

/// Why a text was not said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// As many texts wait as may.
    #[error("too many texts wait to be said")]
    Busy,
    /// The program ended with an error, or could not be run.
    #[error("{0}")]
    Broken(String),
    /// The program took too long.
    #[error("took longer than {0:?}")]
    Late(Duration),
    /// There is nothing to say, or too much.
    #[error("{0}")]
    Text(&'static str),
    /// No voice speaks the language, or there is none of that name.
    #[error("there is no voice for it")]
    Voice,
}

/// Programs under way, by their groups, so that none outlives the switch.
#[derive(Debug)]
pub(super) struct Groups(Mutex<Option<Vec<Pid>>>);

impl Groups {
    /// Nothing runs yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Kills all, and from now on whatever begins.
    pub(super) fn end(&self) {
        for group in self.lock().take().into_iter().flatten() {
            // It may be over already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn begin(&self, group: Pid) -> bool {
        let mut groups = self.lock();
        groups.as_mut().map(|groups| groups.push(group)).is_some()
    }

    fn over(&self, group: Pid) {
        if let Some(groups) = self.lock().as_mut() {
            groups.retain(|known| *known != group);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Pid>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a text said into `file`, a WAV file.
pub(super) fn run(
    (voice, command): (&Voice, &[String]),
    text: &str,
    file: &Path,
    groups: &Groups,
) -> Result<(), Failure> {
    let deadline = Instant::now() + voice.timeout;
    let [program, arguments @ ..] = command else {
        return Err(Failure::Voice);
    };
    let file_name = file.to_string_lossy();
    let is_given = |what| arguments.iter().any(|argument| argument.contains(what));
    let (by_argument, into_file) = (is_given("{text}"), is_given("{file}"));
    let arguments = arguments.iter().map(|argument| {
        // The text last: what stands in it is no placeholder.
        let text = match text.starts_with('-') && argument.starts_with("{text}") {
            // What a caller or an application wrote is no option of the program.
            true => &format!(" {text}"),
            false => text,
        };
        argument
            .replace("{file}", &file_name)
            .replace("{text}", text)
    });
    let child = Command::new(program)
        .args(arguments)
        .stdin(if by_argument {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(if into_file {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::Broken(format!("{program}: {error}")))?;
    let mut running = Running { child, groups };
    if !running.id().is_none_or(|group| groups.begin(group)) {
        return Err(Failure::Broken("the switch stops".to_owned()));
    }
    running.bound(voice.timeout);
    let input = (!by_argument).then(|| text.to_owned());
    let (sound, complaints) = running.attend(input);
    let sound = wait(&sound, deadline).ok_or(Failure::Late(voice.timeout))?;
    let complaints = wait(&complaints, deadline).unwrap_or_default();
    let status = running
        .end_by(deadline)
        .ok_or(Failure::Late(voice.timeout))?;
    if !status.success() {
        let words = String::from_utf8_lossy(&complaints);
        let last = words.lines().rev().find(|line| !line.trim().is_empty());
        let why = last.map_or_else(|| status.to_string(), |line| format!("{status}: {line}"));
        return Err(Failure::Broken(format!("{program}: {why}")));
    }
    if !into_file {
        if sound.len() as u64 > MOST_OCTETS {
            return Err(Failure::Broken(format!(
                "{program}: more than {MOST_OCTETS} octets"
            )));
        }
        fs::write(file, sound).map_err(|error| Failure::Broken(error.to_string()))?;
    }
    match fs::metadata(file) {
        Ok(about) if about.len() > 0 => Ok(()),
        _ => Err(Failure::Broken(format!("{program}: wrote no sound"))),
    }
}

/// What a stream brings until its end.
fn wait(stream: &Receiver<Vec<u8>>, deadline: Instant) -> Option<Vec<u8>> {
    match stream.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(octets) => Some(octets),
        Err(RecvTimeoutError::Timeout) => None,
        // There was no such stream.
        Err(RecvTimeoutError::Disconnected) => Some(Vec::new()),
    }
}

/// A program under way; it and what it started are killed with this.
struct Running<'g> {
    child: Child,
    groups: &'g Groups,
}

impl Running<'_> {
    /// No more disk and no more processor than it can need.
    fn bound(&self, timeout: Duration) {
        let at_most = |most| Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        for (resource, most) in [
            (Resource::Fsize, MOST_OCTETS),
            (Resource::Cpu, timeout.as_secs() + 1),
        ] {
            if let Err(error) = prlimit(self.id(), resource, at_most(most)) {
                // It may be over already.
                tracing::debug!(%error, "a voice cannot be bounded");
            }
        }
    }

    /// Gives it its input; what it writes, and what it complains of, come when it is through.
    fn attend(&mut self, input: Option<String>) -> (Receiver<Vec<u8>>, Receiver<Vec<u8>>) {
        if let (Some(input), Some(mut stdin)) = (input, self.child.stdin.take()) {
            // A program that does not read fails by its own words.
            thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        }
        let collect = |stream: Option<Box<dyn io::Read + Send>>, most: u64| {
            let (tell, told) = channel();
            if let Some(mut stream) = stream {
                thread::spawn(move || {
                    let mut octets = Vec::new();
                    // What it wrote before a fault is worth as much as nothing.
                    let _ = stream.by_ref().take(most).read_to_end(&mut octets);
                    let _ = io::copy(&mut stream, &mut io::sink());
                    let _ = tell.send(octets);
                });
            }
            told
        };
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        (
            collect(stdout.map(|it| Box::new(it) as _), MOST_OCTETS + 1),
            collect(stderr.map(|it| Box::new(it) as _), MOST_WORDS as u64),
        )
    }

    /// How it ended; `None` when it has not by then.
    fn end_by(&mut self, deadline: Instant) -> Option<std::process::ExitStatus> {
        // Its streams are closed: it is over but for the moments that takes.
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn id(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id() {
            self.groups.over(id);
        }
        // Its group, which has its number: a script's children, too. None is left after a good end.
        if let Some(id) = self.id() {
            let _ = kill_process_group(id, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(command: &[&str], timeout: Duration) -> (Result<(), Failure>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("said.wav");
        let voice = Voice {
            name: "test".to_owned(),
            language: "en".to_owned(),
            speaker: crate::speech::Speaker::Url("http://nobody.test".to_owned()),
            timeout,
        };
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let result = run(
            (&voice, &command),
            "to be {file} or -x $(id)",
            &file,
            &Groups::new(),
        );
        (result, fs::read(&file).unwrap_or_default())
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_text_comes_by_standard_input_or_argument_and_no_shell_reads_it() {
        let text = b"to be {file} or -x $(id)";
        assert_eq!(say(&["cat"], LONG), (Ok(()), text.to_vec()));
        let by_argument = ["printf", "%s", "{text}"];
        assert_eq!(say(&by_argument, LONG), (Ok(()), text.to_vec()));
        assert_eq!(
            say(&["cp", "/dev/stdin", "{file}"], LONG),
            (Ok(()), text.to_vec())
        );
    }

    #[test]
    fn a_program_that_fails_is_told_by_its_last_words() {
        let broken = |command: &[&str]| match say(command, LONG).0 {
            Err(Failure::Broken(words)) => words,
            other => panic!("{other:?}"),
        };
        assert!(broken(&["sh", "-c", "echo no dictionary >&2; exit 3"]).ends_with("no dictionary"));
        assert!(broken(&["no-such-program"]).starts_with("no-such-program: No such file"));
        assert!(broken(&["true"]).ends_with("wrote no sound"));
        assert!(broken(&["sh", "-c", "yes | head -c 70000000"]).contains("octets"));
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_it_started() {
        let marker = format!("{}", 30_000 + std::process::id() % 1000);
        let script = format!("sleep {marker} & sleep {marker}");
        let (result, _) = say(&["sh", "-c", &script], Duration::from_millis(300));
        assert_eq!(result, Err(Failure::Late(Duration::from_millis(300))));
        let is_left = || {
            let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
            let mut lines = processes
                .filter_map(|it| fs::read(it.path().join("cmdline")).ok())
                .map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
            lines.any(|line| line.contains(&format!("sleep {marker}")))
        };
        let given_up = Instant::now() + LONG;
        while is_left() {
            assert!(Instant::now() < given_up, "something goes on");
            thread::yield_now();
        }
    }
}
