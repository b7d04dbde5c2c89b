//! `tsunagu sounds`: which sounds there are and what is said in them; and one of them to the ear or
//! into a file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};

use super::table::{Align, Table};
use super::text::{clean, faint, print, strong};
use crate::config::{self, Environment};
use crate::media::{Library, Sound};

/// List sounds with their texts and lengths; play one
#[derive(Clone, Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  tsunagu sounds agent\n  tsunagu sounds --language ja\n  \
                  tsunagu sounds play greeting --language ja\n  \
                  tsunagu sounds play busy-us --to busy.wav"
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only sounds whose name begins so
    #[arg(value_name = "NAME")]
    beginning: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Play a sound, or write it to a WAV file
    Play {
        /// Its name; `ja/greeting` is the Japanese one, whatever the office speaks
        name: String,
        /// Write it there instead of playing it
        #[arg(long, value_name = "FILE.wav")]
        to: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Place {
    /// Directory of configuration files; ./config, then /etc/tsunagu when not given
    #[arg(long, value_name = "DIR", env = "TSUNAGU_CONFIG")]
    config: Option<PathBuf>,
    /// The language, such as `ja`; the office's when not given. A list without it has all
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
}

/// Runs the command; exit code 1 when a file cannot be read or there is no such sound.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        None => list(args),
        Some(Action::Play { name, to, place }) => play(name, to.as_deref(), place),
    }
}

/// What is there, and where.
struct Office {
    library: Library,
    directories: Vec<PathBuf>,
}

impl Place {
    fn open(&self) -> anyhow::Result<Office> {
        let directory = config::directory(self.config.as_deref());
        let office = config::load(&directory, &Environment::of_process())
            .map_err(|report| anyhow::anyhow!("{report}"))?;
        let directories = office.node.sounds;
        let library = Library::open(&directories, &office.node.language).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow::anyhow!(errors.join("\n"))
        })?;
        Ok(Office {
            library,
            directories,
        })
    }
}

fn list(args: &Args) -> anyhow::Result<ExitCode> {
    let Office {
        library,
        directories,
    } = args.place.open()?;
    let beginning = args.beginning.as_deref().unwrap_or_default();
    let mut texts = Texts::default();
    let mut table = Table::new(&[
        ("SOUND", Align::Left),
        ("", Align::Left),
        ("SECONDS", Align::Right),
        ("TEXT", Align::Left),
    ]);
    let (mut count, mut seconds, mut broken) = (0, 0.0, 0);
    for key in library.all() {
        let (language, name) = key.rsplit_once('/').unwrap_or(("", key));
        let wanted = args.place.language.as_deref();
        if !name.starts_with(beginning) || wanted.is_some_and(|wanted| wanted != language) {
            continue;
        }
        let Some(sound) = library.sound(key) else {
            broken += 1;
            let why = strong("cannot be read: tsunagu check says why");
            table.row(vec![clean(name), clean(language), String::new(), why]);
            continue;
        };
        let length = length(&sound);
        (count, seconds) = (count + 1, seconds + length);
        let text = match library.file(key, None) {
            Some(_) => texts.of(&directories, language, name).unwrap_or_default(),
            None => faint("computed"),
        };
        table.row(vec![
            strong(clean(name)),
            faint(clean(language)),
            format!("{length:.1}"),
            text,
        ]);
    }
    if count + broken == 0 {
        bail!("there is no such sound: tsunagu sounds lists all");
    }
    print(&table.render());
    print(&faint(format!(
        "{count} sounds, {:.1} min\n",
        seconds / 60.0
    )));
    Ok(match broken {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn length(sound: &Sound) -> f64 {
    sound.samples().len() as f64 / f64::from(sound.hz())
}

/// What is said in sounds, by directory and language.
#[derive(Default)]
struct Texts(BTreeMap<PathBuf, BTreeMap<String, Text>>);

/// As it is written; and as it is read, where a voice would read it wrongly.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Read { text: String },
}

impl Texts {
    /// What is said in a sound: `ja.toml` beside the folder `ja` has it.
    fn of(&mut self, directories: &[PathBuf], language: &str, name: &str) -> Option<String> {
        directories.iter().find_map(|directory| {
            let path = directory.join(format!("{language}.toml"));
            let texts = self.0.entry(path).or_insert_with_key(|path| {
                let text = fs::read_to_string(path).unwrap_or_default();
                toml::from_str(&text).unwrap_or_default()
            });
            Some(match texts.get(name)? {
                Text::Plain(text) | Text::Read { text } => clean(text),
            })
        })
    }
}

fn play(name: &str, to: Option<&Path>, place: &Place) -> anyhow::Result<ExitCode> {
    let Office { library, .. } = place.open()?;
    let Some(sound) = library.spoken(name, place.language.as_deref()) else {
        let nearest = library
            .names()
            .into_iter()
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        match nearest {
            Some((_, known)) => bail!(
                "there is no sound \"{}\": did you mean {known}?",
                clean(name)
            ),
            None => bail!(
                "there is no sound \"{}\": tsunagu sounds lists all",
                clean(name)
            ),
        }
    };
    if let Some(path) = to {
        write(&sound, path).with_context(|| path.display().to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = std::env::temp_dir().join(format!("tsunagu-sound-{}.wav", std::process::id()));
    write(&sound, &file).with_context(|| file.display().to_string())?;
    let played = play_file(&file);
    let _ = fs::remove_file(&file);
    played
}

/// Plays a WAV file with whatever program there is.
pub(super) fn play_file(file: &Path) -> anyhow::Result<ExitCode> {
    match hear(file)? {
        true => Ok(ExitCode::SUCCESS),
        false => bail!(
            "nothing here plays sound ({}): write it with --to FILE.wav",
            PLAYERS.map(|(program, _)| program).join(", ")
        ),
    }
}

/// Programs that play a file, and how they do it without a word.
const PLAYERS: [(&str, &[&str]); 5] = [
    ("aplay", &["-q"]),
    ("pw-play", &[]),
    ("afplay", &[]),
    ("play", &["-q"]),
    ("ffplay", &["-nodisp", "-autoexit", "-loglevel", "error"]),
];

/// Has the first program that is there play a file; says whether there was one.
fn hear(file: &Path) -> anyhow::Result<bool> {
    for (program, options) in PLAYERS {
        let mut player = Command::new(program);
        player.args(options).arg(file).stdin(Stdio::null());
        match player.status() {
            Ok(status) if status.success() => return Ok(true),
            Ok(status) => bail!("{program} cannot play it ({status}): write it with --to FILE.wav"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| program.to_owned()),
        }
    }
    Ok(false)
}

fn write(sound: &Sound, path: &Path) -> Result<(), hound::Error> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: sound.hz(),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in sound.samples() {
        writer.write_sample(*sample)?;
    }
    writer.finalize()
}
