//! `tsunagu recording`: prove that recordings are what was published, mix one, keep one from being
//! deleted. Works on files; needs no running switch.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use owo_colors::Style;

use super::table::{Align, Table};
use super::text::{faint, length, paint, print, strong};
use crate::recording::{Format, Sidecar, SidecarError, mix};

/// Do something with recordings
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Say whether recordings are what was published, and which seconds are not
    ///
    /// Ends with 1 when one was changed or cannot be read.
    Verify(Which),
    /// Write all channels of a recording into a mono WAV file
    Mix(MixArgs),
    /// Keep recordings from being deleted, however old they get
    Hold(Which),
    /// Let recordings go when their time has come
    Release(Which),
}

#[derive(Clone, Debug, clap::Args)]
struct Which {
    /// Sound files or sidecars, directories of them, or ids of recordings
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,

    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Debug, clap::Args)]
struct Place {
    /// Where ids are looked for
    #[arg(
        long,
        env = "TSUNAGU_RECORDINGS",
        default_value = "var/recordings",
        value_name = "DIRECTORY"
    )]
    directory: PathBuf,
}

#[derive(Clone, Debug, clap::Args)]
struct MixArgs {
    /// A sound file, or the id of a recording
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,

    /// The WAV file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    place: Place,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Verify(which) => verify(&which),
        Command::Mix(args) => {
            let sidecars = find(&args.recording, &args.place.directory)?;
            let [sidecar] = &sidecars[..] else {
                bail!(
                    "{} recordings in {}",
                    sidecars.len(),
                    args.recording.display()
                );
            };
            let sound = sound_of(sidecar)?;
            let cut = mix(&sound, &args.output).with_context(|| sound.display().to_string())?;
            let note = match cut {
                0 => String::new(),
                cut => faint(format!(", {cut} samples were too loud together")),
            };
            print(&format!("{}{note}\n", args.output.display()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Hold(which) => mark(&which, |hold| {
            std::fs::write(hold, b"")?;
            Ok("is kept")
        }),
        Command::Release(which) => mark(&which, |hold| {
            if hold.exists() {
                std::fs::remove_file(hold)?;
            }
            Ok("goes when its time has come")
        }),
    }
}

fn verify(which: &Which) -> anyhow::Result<ExitCode> {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("recording", Align::Left),
        ("length", Align::Right),
        ("what was found", Align::Left),
    ]);
    let (mut good, mut bad) = (0, 0);
    for sidecar in which.sidecars()? {
        let shown = sidecar.with_extension("");
        let shown = strong(shown.display());
        match Sidecar::verify(&sidecar) {
            Ok(found) => {
                good += 1;
                let mut words = format!("seal {}", found.seal.get(..16).unwrap_or_default());
                if let Some(defect) = &found.defect {
                    words.push_str(&format!("; {defect}"));
                }
                let cells = vec![
                    green("whole"),
                    shown,
                    length(found.duration_ms),
                    faint(words),
                ];
                table.row(cells);
            }
            Err(error) => {
                bad += 1;
                let (verdict, words) = match error {
                    SidecarError::Changed {
                        is_sealed, damages, ..
                    } => ("changed", told(is_sealed, &damages)),
                    error => ("unread", error.to_string()),
                };
                table.row(vec![red(verdict), shown, faint("-"), words]);
            }
        }
    }
    let verdict = match (good, bad) {
        (0, 0) => bail!("there are no recordings"),
        (_, 0) => green(format!("{good} as they were published")),
        _ => red(format!(
            "{bad} of {} are not what was published",
            good + bad
        )),
    };
    print(&format!("{}\n{verdict}\n", table.render()));
    Ok(match bad {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn told(is_sealed: bool, damages: &[crate::recording::Damage]) -> String {
    let mut words = Vec::new();
    if !is_sealed {
        words.push("the sidecar".to_owned());
    }
    for damage in damages.iter().take(SHOWN) {
        let (bytes, ms) = (&damage.bytes, &damage.ms);
        words.push(format!(
            "{} to {} (bytes {} to {})",
            length(ms.start),
            length(ms.end),
            bytes.start,
            bytes.end
        ));
    }
    if damages.len() > SHOWN {
        words.push(format!("and {} more", damages.len() - SHOWN));
    }
    words.join(", ")
}

fn mark(
    which: &Which,
    change: impl Fn(&Path) -> std::io::Result<&'static str>,
) -> anyhow::Result<ExitCode> {
    for sidecar in which.sidecars()? {
        let hold = sidecar.with_extension("hold");
        let done = change(&hold).with_context(|| hold.display().to_string())?;
        print(&format!(
            "{} {done}\n",
            strong(sidecar.with_extension("").display())
        ));
    }
    Ok(ExitCode::SUCCESS)
}

impl Which {
    fn sidecars(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for wanted in &self.recordings {
            found.extend(find(wanted, &self.place.directory)?);
        }
        Ok(found)
    }
}

/// The sidecars of what was asked for. A sound file without one is asked for by the name it would
/// have, and cannot be read then.
fn find(wanted: &Path, place: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if wanted.is_dir() {
        let mut found = below(wanted, |_| true)?;
        found.sort();
        return Ok(found);
    }
    if wanted.exists() {
        return Ok(vec![wanted.with_extension("json")]);
    }
    let found = below(place, |sidecar| {
        sidecar.file_stem() == Some(wanted.as_os_str())
    })?;
    if found.is_empty() {
        bail!(
            "{}: neither a file nor a recording below {}",
            wanted.display(),
            place.display()
        );
    }
    Ok(found)
}

/// Sidecars, and those that sound files should have, wherever below a directory.
fn below(directory: &Path, is_wanted: impl Fn(&Path) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = std::fs::read_dir(&directory);
        let entries = entries.with_context(|| directory.display().to_string())?;
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(path);
            } else if Format::of(&path).is_some() && is_wanted(&path) {
                found.push(path.with_extension("json"));
            }
        }
    }
    Ok(found)
}

/// The sound file of a sidecar.
fn sound_of(sidecar: &Path) -> anyhow::Result<PathBuf> {
    let formats = Format::ALL.into_iter();
    let mut paths = formats.map(|format| sidecar.with_extension(format.extension()));
    let found = paths.find(|path| path.exists());
    found.with_context(|| format!("{}: no sound file beside it", sidecar.display()))
}

fn green(text: impl std::fmt::Display) -> String {
    paint(text, Style::new().green().bold())
}

fn red(text: impl std::fmt::Display) -> String {
    paint(text, Style::new().red().bold())
}

/// Changed stretches named of one recording.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_found_by_file_directory_and_id() {
        let directory = tempfile::tempdir().expect("a directory");
        let day = directory.path().join("2026-11-20");
        std::fs::create_dir(&day).expect("made");
        for name in [
            "a.wav",
            "a.json",
            "b.opus",
            "b.json",
            "c.wav.part",
            "c.json.part",
        ] {
            std::fs::write(day.join(name), "").expect("written");
        }
        let (a, b) = (day.join("a.json"), day.join("b.json"));
        let found = |wanted: &Path| find(wanted, directory.path());
        assert_eq!(
            found(&day.join("a.wav")).expect("there"),
            std::slice::from_ref(&a)
        );
        assert_eq!(found(directory.path()).expect("there"), [a, b.clone()]);
        assert_eq!(
            found(Path::new("b")).expect("there"),
            std::slice::from_ref(&b)
        );
        assert!(found(Path::new("c")).is_err());
        assert_eq!(sound_of(&b).expect("there"), day.join("b.opus"));
        let which = Which {
            recordings: vec![directory.path().to_owned()],
            place: Place {
                directory: directory.path().to_owned(),
            },
        };
        // Empty files are no sidecars.
        assert_eq!(verify(&which).expect("told"), ExitCode::FAILURE);
    }
}
