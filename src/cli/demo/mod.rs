//! `tsunagu demo`: one call through the demo office from beginning to end, on this machine alone.
//!
//! The switch, the caller and two agents are processes of this same program. The plot decides what
//! they do from what they tell and from the live record; the screen shows it; the proof looks at
//! what is left.

mod cast;
mod plot;
mod proof;
mod screen;
mod voices;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use super::api::{Connection, parse};
use crate::config;
use crate::events::CallRecord;
use crate::runtime::Signals;

use cast::{Cast, Told};
use plot::{Act, Plot};
use screen::Screen;

/// Watch one call go through the demo office: about half a minute, on free loopback ports
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The demo office's configuration; ./config, then /etc/tsunagu when not given
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Where to leave the recordings and the record; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "var/demo")]
    keep: PathBuf,
}

/// Runs the command. Exit code 1 when the story did not go as it should, 130 after Ctrl-C.
///
/// # Errors
///
/// What went wrong, in words.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let keep = &args.keep;
    std::fs::create_dir_all(keep).with_context(|| format!("--keep {}", keep.display()))?;
    let keep = keep.canonicalize()?;
    let (sender, told) = mpsc::channel();
    watch_signals(sender.clone())?;
    let mut cast = Cast::new(keep, config::directory(args.config.as_deref()), sender)?;
    let mut screen = Screen::new();
    screen.title();
    let played = play(&mut cast, &mut screen, &told);
    // Whatever happened: nobody stays behind.
    cast.dismiss();
    let mut record = match played {
        Ok(Some(record)) => record,
        Ok(None) => {
            screen.interrupted();
            return Ok(ExitCode::from(130));
        }
        Err(error) => {
            screen.log_tail(&cast.log());
            return Err(error);
        }
    };
    let files = proof::Files::collect(&mut record, &cast)?;
    screen.record(&record);
    let findings = proof::look(&record, &files);
    let is_good = findings.iter().all(|finding| finding.is_good);
    screen.findings(&findings);
    screen.files(&files);
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Lets the story happen; the settled record, or `None` when somebody has seen enough.
fn play(
    cast: &mut Cast,
    screen: &mut Screen,
    told: &mpsc::Receiver<Told>,
) -> anyhow::Result<Option<CallRecord>> {
    let begun = Instant::now();
    cast.open_office()?;
    let mut plot = Plot::default();
    let mut office: Option<Connection> = None;
    let mut looked = begun;
    loop {
        let mut acts = Vec::new();
        match told.recv_timeout(LOOK_EVERY) {
            Ok(Told::Interrupted) => return Ok(None),
            Ok(Told::Office(welcome)) => {
                let api = welcome["api"]
                    .as_str()
                    .context("the switch does not say where it is")?;
                office = Some(Connection::to(api));
                cast.server = welcome["sip"][0]["address"].as_str().map(str::to_owned);
                screen.office(&welcome);
                acts = plot.office_opens();
            }
            Ok(Told::News(who, news)) => {
                screen.news(who, &news);
                acts = plot
                    .news(begun.elapsed(), who, &news)
                    .map_err(|why| anyhow!(why))?;
            }
            Ok(Told::Ended(who)) => bail!("{} ended too early", cast.describe_end(who)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("everybody is gone"),
        }
        if let Some(office) = office.as_ref().filter(|_| looked.elapsed() >= LOOK_EVERY) {
            looked = Instant::now();
            let mut answer = office
                .get("/v1/calls?limit=1")
                .context("the switch is gone")?;
            let calls: Vec<CallRecord> = parse(answer["calls"].take())?;
            if let Some(record) = calls.into_iter().next() {
                screen.live(&record);
                acts.extend(plot.record(begun.elapsed(), &record));
                if plot.is_over() && record.is_settled() {
                    return Ok(Some(record));
                }
            }
        }
        if begun.elapsed() > PATIENCE {
            bail!(
                "after {} s it still {}",
                PATIENCE.as_secs(),
                plot.waits_for()
            );
        }
        for act in acts {
            perform(cast, screen, act)?;
        }
    }
}

fn perform(cast: &mut Cast, screen: &mut Screen, act: Act) -> anyhow::Result<()> {
    match act {
        Act::Enter(who) => cast.enter(who),
        Act::Order(who, order) => cast.order(who, &order),
        Act::Say(line) => {
            screen.says(&line);
            let path = cast.voice(&line)?;
            cast.order(line.who, &format!("play {}", path.display()))
        }
    }
}

/// Ctrl-C, a closed terminal and SIGTERM end the demo, and everybody in it first.
fn watch_signals(sender: mpsc::Sender<Told>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::listen()?
    };
    std::thread::spawn(move || {
        loop {
            runtime.block_on(signals.next());
            if sender.send(Told::Interrupted).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Often enough that nobody sees the steps.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The story takes half a minute; a machine that needs twice as long has something wrong.
const PATIENCE: Duration = Duration::from_secs(60);
