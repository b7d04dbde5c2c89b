//! The story: what each of the cast does next, decided from what was told and from the record.
//!
//! Pure: the time goes in, acts come out. Nothing hangs on how long a prompt or a ring takes.

use std::time::Duration;

use serde_json::Value;

use super::voices::{LINES, Line};
use crate::events::{CallRecord, Stretch};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A customer on the public network.
    Caller,
    /// The agent who is busy.
    Sato,
    /// The agent who takes the call.
    Suzuki,
    /// The switch.
    Switch,
}

impl Who {
    /// How he is called on the screen.
    pub(super) fn name(self) -> &'static str {
        match self {
            Who::Caller => "the caller",
            Who::Sato => "Yuki Sato",
            Who::Suzuki => "Ken'ichi Suzuki",
            Who::Switch => "the switch",
        }
    }
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// A phone begins.
    Enter(Who),
    /// A phone is told to do something (see `tsunagu phone --commands`).
    Order(Who, String),
    /// Somebody speaks.
    Say(Line),
}

/// How far the story is.
#[derive(Debug, Default)]
pub(super) struct Plot {
    stage: Stage,
    /// When the caller pressed the key last, or the switch answered.
    pressed: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing runs yet.
    #[default]
    Closed,
    /// The first agent registers; he has been idle for longest then.
    SatoComes,
    /// The second one registers.
    SuzukiComes,
    /// The caller dials.
    Dialling,
    /// The caller listens, and presses 1.
    Listening,
    /// In line, music, agents are rung.
    Waiting,
    /// The conversation; how many lines have begun.
    Talking(usize),
    /// The caller hangs up.
    Leaving,
    /// The caller is gone.
    Over,
}

/// The caller presses after so much of the greeting and the menu; again when it had no effect
/// (the greeting may take longer).
const LISTENS: Duration = Duration::from_millis(4500);

impl Plot {
    /// The switch takes calls.
    pub(super) fn office_opens(&mut self) -> Vec<Act> {
        self.stage = Stage::SatoComes;
        vec![Act::Enter(Who::Sato)]
    }

    /// A phone tells something.
    ///
    /// # Errors
    ///
    /// Why the story cannot go on.
    pub(super) fn news(
        &mut self,
        now: Duration,
        who: Who,
        news: &Value,
    ) -> Result<Vec<Act>, String> {
        let event = news["event"].as_str().unwrap_or_default();
        if event == "done" && news["exit_code"] != 0 {
            let why = news["outcome"].as_str().unwrap_or("no reason given");
            return Err(format!("the phone of {}: {why}", who.name()));
        }
        let acts = match (self.stage, who, event) {
            (Stage::SatoComes, Who::Sato, "registered") => {
                self.stage = Stage::SuzukiComes;
                vec![Act::Enter(Who::Suzuki)]
            }
            (Stage::SuzukiComes, Who::Suzuki, "registered") => {
                self.stage = Stage::Dialling;
                vec![Act::Enter(Who::Caller)]
            }
            (Stage::Dialling, Who::Caller, "answered") => {
                self.stage = Stage::Listening;
                self.pressed = now;
                Vec::new()
            }
            (Stage::Talking(said), speaker, "played")
                if said > 0 && LINES[said - 1].who == speaker =>
            {
                self.next_line(said)
            }
            (Stage::Leaving, Who::Caller, "done") => {
                self.stage = Stage::Over;
                Vec::new()
            }
            (_, Who::Caller, "done") => {
                return Err(format!(
                    "the call was over while it still {}",
                    self.waits_for()
                ));
            }
            _ => Vec::new(),
        };
        Ok(acts)
    }

    /// The record as it stands.
    pub(super) fn record(&mut self, now: Duration, record: &CallRecord) -> Vec<Act> {
        match self.stage {
            Stage::Listening if !record.queues.is_empty() => self.stage = Stage::Waiting,
            Stage::Listening if now >= self.pressed + LISTENS => {
                self.pressed = now;
                return vec![Act::Order(Who::Caller, "press 1".to_owned())];
            }
            Stage::Waiting if record.stretch() == Some(Stretch::Talk) => return self.next_line(0),
            _ => {}
        }
        Vec::new()
    }

    /// Whether the caller is gone; the record may still need a moment.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// What the story stands still for, after "it still".
    pub(super) fn waits_for(&self) -> &'static str {
        match self.stage {
            Stage::Closed => "waited for the switch to open",
            Stage::SatoComes | Stage::SuzukiComes => "waited for the agents' phones to register",
            Stage::Dialling => "waited for the switch to answer the caller",
            Stage::Listening => "waited for the menu to take the key",
            Stage::Waiting => "waited for an agent to answer",
            Stage::Talking(_) => "waited for the conversation to end",
            Stage::Leaving => "waited for the caller's phone to hang up",
            Stage::Over => "waited for the recording and the record",
        }
    }

    fn next_line(&mut self, said: usize) -> Vec<Act> {
        match LINES.get(said) {
            Some(line) => {
                self.stage = Stage::Talking(said + 1);
                vec![Act::Say(*line)]
            }
            None => {
                self.stage = Stage::Leaving;
                vec![Act::Order(Who::Caller, "hang_up".to_owned())]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::{CallId, TaskId, Timestamp};
    use crate::events::{Event, Fact};

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn record(facts: &[Fact]) -> CallRecord {
        let event = |fact: &Fact| Event {
            at: Timestamp::from_millis(1),
            call: CallId::new("c"),
            fact: fact.clone(),
        };
        CallRecord::fold(&facts.iter().map(event).collect::<Vec<_>>())
    }

    fn told(plot: &mut Plot, now: Duration, who: Who, event: &str) -> Vec<Act> {
        plot.news(now, who, &json!({"event": event, "exit_code": 0}))
            .unwrap()
    }

    #[test]
    fn the_story_goes_from_one_end_to_the_other() {
        let mut plot = Plot::default();
        assert_eq!(plot.office_opens(), [Act::Enter(Who::Sato)]);
        let acts = told(&mut plot, at(1), Who::Sato, "registered");
        assert_eq!(acts, [Act::Enter(Who::Suzuki)]);
        assert_eq!(
            told(&mut plot, at(1), Who::Suzuki, "registered"),
            [Act::Enter(Who::Caller)]
        );
        assert_eq!(told(&mut plot, at(2), Who::Caller, "answered"), []);

        let flow = record(&[Fact::CallerEntered {
            stretch: Stretch::Ivr,
            with: "main".into(),
        }]);
        let press = Act::Order(Who::Caller, "press 1".into());
        assert_eq!(plot.record(at(3), &flow), []);
        assert_eq!(plot.record(at(7), &flow), std::slice::from_ref(&press));
        assert_eq!(plot.record(at(8), &flow), []);
        assert_eq!(
            plot.record(at(12), &flow),
            [press],
            "once more when it had no effect"
        );

        let task = TaskId::new("t");
        let queued = Fact::Queued {
            queue: "sales".into(),
            task,
        };
        assert_eq!(
            plot.record(at(13), &record(std::slice::from_ref(&queued))),
            []
        );
        let talk = Fact::CallerEntered {
            stretch: Stretch::Talk,
            with: "sato".into(),
        };
        let talk = record(&[queued, talk]);
        let mut acts = plot.record(at(20), &talk);
        for line in LINES {
            assert_eq!(acts, [Act::Say(line)]);
            assert_eq!(plot.record(at(21), &talk), []);
            acts = told(&mut plot, at(22), line.who, "played");
        }
        assert_eq!(acts, [Act::Order(Who::Caller, "hang_up".into())]);
        assert!(!plot.is_over());
        told(&mut plot, at(30), Who::Caller, "done");
        assert!(plot.is_over());
    }

    #[test]
    fn what_goes_wrong_is_said() {
        let mut plot = Plot::default();
        plot.office_opens();
        let news = json!({"event": "done", "exit_code": 3, "outcome": "not registered: 403"});
        let why = plot.news(at(1), Who::Suzuki, &news).unwrap_err();
        assert_eq!(why, "the phone of Ken'ichi Suzuki: not registered: 403");
        let news = json!({"event": "done", "exit_code": 0});
        let why = plot.news(at(1), Who::Caller, &news).unwrap_err();
        assert!(why.contains("still waited for the agents' phones"), "{why}");
    }
}
