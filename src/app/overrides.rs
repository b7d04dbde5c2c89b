//! Numbers that lead elsewhere by hand: what of their files hangs on the board, and what the log says.

use std::collections::BTreeMap;

use super::lookout::{Lookout, Posted};
use crate::base::Timestamp;
use crate::trunk::{NumberOverride, OverrideBoard};

/// Who leads numbers elsewhere, and back.
pub(super) type Overrider = Lookout<NumberOverride>;

impl Posted for NumberOverride {
    type Board = OverrideBoard;

    const THREAD: &'static str = "overrides";

    fn holds(&self, now: Timestamp) -> bool {
        NumberOverride::holds(self, now)
    }

    fn hang(board: &OverrideBoard, holding: BTreeMap<String, Self>) {
        board.set(holding.into_iter().collect());
    }

    fn say_on(&self, number: &str) {
        let until = self.until.map(Timestamp::to_rfc3339);
        tracing::info!(
            number,
            flow = self.flow,
            until,
            reason = self.reason,
            "number.overridden"
        );
    }

    fn say_off(number: &str) {
        tracing::info!(number, "number.restored");
    }

    fn say_doubtful(doubt: &str) {
        tracing::warn!(doubt, "number.override_doubtful");
    }

    fn say_unread(error: &str) {
        // Numbers lead where they led.
        tracing::error!(error, "number.overrides_unread");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::base::Clock;
    use crate::store::OverrideFiles;
    use crate::trunk::NumberOverrides;

    struct Turned(Mutex<Timestamp>);

    impl Clock for Turned {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn an_override_outlives_the_process_and_ends_by_itself() {
        let data = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_000);
        let clock = Arc::new(Turned(Mutex::new(now)));
        let begin = || {
            let board = OverrideBoard::default();
            let files = OverrideFiles::of(data.path());
            let (overrider, watch) = Overrider::start(files, board.clone(), clock.clone()).unwrap();
            watch.stop();
            (board, overrider)
        };
        let (board, overrider) = begin();
        assert_eq!(*board.read(), NumberOverrides::default());
        let it = NumberOverride {
            flow: "test".to_owned(),
            until: Some(Timestamp::from_millis(5_000)),
            reason: None,
        };
        overrider.write("100", &it).unwrap();
        assert_eq!(board.read().of("100", now), Some(&it));
        // By a script, meanwhile.
        std::fs::write(data.path().join("overrides/200"), "flow: test").unwrap();
        overrider.look_again();
        assert!(board.read().of("200", now).is_some());

        let (board, overrider) = begin();
        assert_eq!(board.read().of("100", now), Some(&it));
        *clock.0.lock().unwrap() = Timestamp::from_millis(5_000);
        overrider.look_again();
        assert!(!data.path().join("overrides/100").exists());
        assert_eq!(board.read().iter().count(), 1);
        assert!(overrider.remove("200").unwrap() && !overrider.remove("200").unwrap());
    }
}
