//! The last row of a trunk test: what of our tone came back, by the recording of its call.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::call::{TestOutcome, TestReport};
use crate::recording::{Format, Hearing, hear_tone};

/// Waits for the recording and listens to it; nothing to do when the call was never answered.
pub(super) fn listen(report: &mut TestReport, recordings: &Path) {
    let Some(stem) = &report.recording else {
        return;
    };
    let at = |format: Format| recordings.join(format!("{stem}.{}", format.extension()));
    let paths = Format::ALL.map(at);
    let published = || paths.iter().find(|path| path.exists());
    let patience = Instant::now() + PUBLISHING;
    while published().is_none() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    let path = published().unwrap_or(&paths[0]);
    let (outcome, words) = match hear_tone(path, TONE_HZ) {
        Err(error) => (
            TestOutcome::Failed,
            format!("the recording cannot be heard: {error}"),
        ),
        Ok(Hearing { sent_ms: 0, .. }) => {
            (TestOutcome::Failed, "our own tone never left".to_owned())
        }
        Ok(Hearing {
            heard_ms,
            delay_ms,
            sent_ms,
            ..
        }) if heard_ms >= sent_ms / 2 => {
            let words = format!(
                "{} ms of our tone came back, {} ms later",
                heard_ms,
                delay_ms.unwrap_or(0)
            );
            (TestOutcome::Passed, words)
        }
        Ok(Hearing {
            heard_ms: 0,
            heard_any_ms: 0,
            ..
        }) => (
            TestOutcome::Failed,
            "nothing was heard at all: the carrier's audio does not reach us, or ours does not \
             reach it"
                .to_owned(),
        ),
        Ok(Hearing { heard_ms: 0, .. }) => (
            TestOutcome::Failed,
            "something was heard, but not our tone: the number called does not send back what it \
             hears"
                .to_owned(),
        ),
        Ok(hearing) => (
            TestOutcome::Failed,
            format!(
                "of {} ms of our tone only {} ms came back",
                hearing.sent_ms, hearing.heard_ms
            ),
        ),
    };
    report.row("two-way audio", outcome, words, None);
}

/// The tone a test plays.
const TONE_HZ: f64 = 1004.0;
/// Publishing takes a moment after the call's end; a slow disk is given this long.
const PUBLISHING: Duration = Duration::from_secs(5);
