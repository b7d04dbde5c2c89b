//! One caller's wait, from entering the line to leaving it.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, LeaveWhy, LineConfig};
use crate::base::Timestamp;

/// Longest an announcement may play before its end is taken for lost: music must come back.
const ANNOUNCEMENT_LIMIT: Duration = Duration::from_secs(60);

/// One caller's wait. Serialisable at any moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    config: LineConfig,
    hears: Hears,
    position: Option<usize>,
    announce_at: Option<Timestamp>,
    leave_at: Option<Timestamp>,
    #[serde(skip)]
    actions: VecDeque<Action>,
}

/// What the caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Hears {
    Announcement { until: Timestamp },
    Farewell { until: Timestamp },
    Music,
    Nothing,
    Over,
}

impl Line {
    /// A line nobody has entered.
    pub fn new(config: LineConfig) -> Self {
        Self {
            config,
            hears: Hears::Nothing,
            position: None,
            announce_at: None,
            leave_at: None,
            actions: VecDeque::new(),
        }
    }

    /// The caller enters: music begins. He may come back from an agent who did not take him: the
    /// longest wait counts from `since`, when he first came.
    pub fn entered(&mut self, now: Timestamp, since: Timestamp) {
        if self.hears != Hears::Nothing {
            return;
        }
        self.announce_at = self.config.first_announce.map(|after| now + after);
        self.leave_at = self.config.max_wait.map(|longest| since + longest);
        self.play_music();
    }

    /// The place in line is known or has changed; it is said at the next announcement.
    pub fn position(&mut self, _now: Timestamp, position: usize, _waiting: usize) {
        self.position = Some(position);
    }

    /// A play has ended. `finished` is false when another play replaced it.
    pub fn play_done(&mut self, now: Timestamp, finished: bool) {
        if finished {
            self.after_sound(now);
        }
    }

    /// The router says that nobody can take the call.
    pub fn nobody(&mut self, now: Timestamp) {
        if matches!(self.hears, Hears::Over | Hears::Farewell { .. }) {
            return;
        }
        match self.config.nobody_sound.clone() {
            Some(sound) => {
                let until = now + ANNOUNCEMENT_LIMIT;
                self.hears = Hears::Farewell { until };
                self.announce_at = None;
                self.actions.push_back(Action::Announce(vec![sound]));
            }
            None => self.leave(LeaveWhy::Nobody),
        }
    }

    /// An agent has answered, the caller has hung up, or the flow took the caller out: the line
    /// says nothing more.
    pub fn left(&mut self) {
        self.hears = Hears::Over;
        self.announce_at = None;
        self.leave_at = None;
        self.actions.clear();
    }

    /// Lets passed deadlines act.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if due(self.leave_at) && !matches!(self.hears, Hears::Farewell { .. }) {
            self.leave(LeaveWhy::MaxWait);
        }
        match self.hears {
            Hears::Announcement { until } | Hears::Farewell { until } if until <= now => {
                self.after_sound(now);
            }
            Hears::Music if due(self.announce_at) => self.announce(now),
            _ => {}
        }
    }

    /// When [`Line::handle_timeout`] is wanted next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let sound = match self.hears {
            Hears::Announcement { until } | Hears::Farewell { until } => Some(until),
            Hears::Music => self.announce_at,
            Hears::Nothing | Hears::Over => None,
        };
        let leave = match self.hears {
            Hears::Announcement { .. } | Hears::Music => self.leave_at,
            _ => None,
        };
        [sound, leave].into_iter().flatten().min()
    }

    /// What should happen next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the caller has left.
    pub fn is_over(&self) -> bool {
        self.hears == Hears::Over
    }

    fn announce(&mut self, now: Timestamp) {
        let sounds = self.position.and_then(|p| self.config.announcement(p));
        self.announce_at = self.config.announce_position_every.map(|every| now + every);
        if let Some(sounds) = sounds {
            let until = now + ANNOUNCEMENT_LIMIT;
            self.hears = Hears::Announcement { until };
            self.actions.push_back(Action::Announce(sounds));
        }
    }

    fn after_sound(&mut self, now: Timestamp) {
        match self.hears {
            Hears::Announcement { .. } => {
                self.announce_at = self.config.announce_position_every.map(|every| now + every);
                self.play_music();
            }
            Hears::Farewell { .. } => self.leave(LeaveWhy::Nobody),
            Hears::Music | Hears::Nothing | Hears::Over => {}
        }
    }

    fn play_music(&mut self) {
        self.hears = Hears::Music;
        self.actions
            .push_back(Action::Music(self.config.music.clone()));
    }

    fn leave(&mut self, why: LeaveWhy) {
        self.left();
        self.actions.push_back(Action::Leave(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn entered(config: LineConfig) -> Line {
        let mut line = Line::new(config);
        line.entered(at(0), at(0));
        assert_eq!(line.poll_action(), Some(Action::Music("music".to_owned())));
        line
    }

    fn said(number: &str) -> Option<Action> {
        Some(Action::Announce(vec![
            "queue-position".to_owned(),
            number.to_owned(),
        ]))
    }

    #[test]
    fn says_the_place_it_has_when_it_speaks_and_returns_to_music() {
        let mut line = entered(LineConfig::default());
        line.position(at(0), 3, 3);
        line.position(at(4), 2, 2);
        assert_eq!(line.poll_timeout(), Some(at(10)));
        line.handle_timeout(at(10));
        assert_eq!(line.poll_action(), said("number-2"));
        line.play_done(at(10), false);
        assert_eq!(
            line.poll_action(),
            None,
            "the replaced music is not the announcement's end"
        );
        line.play_done(at(13), true);
        assert_eq!(line.poll_action(), Some(Action::Music("music".to_owned())));
        assert_eq!(line.poll_timeout(), Some(at(43)));
    }

    #[test]
    fn an_unknown_or_nameless_place_is_not_said() {
        let mut line = entered(LineConfig::default());
        line.handle_timeout(at(10));
        assert_eq!(line.poll_action(), None);
        line.position(at(11), 21, 30);
        line.handle_timeout(at(40));
        assert_eq!(line.poll_action(), None);
        assert_eq!(line.poll_timeout(), Some(at(70)));
    }

    #[test]
    fn music_returns_when_the_end_of_an_announcement_is_lost() {
        let mut line = entered(LineConfig::default());
        line.position(at(0), 1, 1);
        line.handle_timeout(at(10));
        assert_eq!(line.poll_action(), said("number-1"));
        line.handle_timeout(at(70));
        assert_eq!(line.poll_action(), Some(Action::Music("music".to_owned())));
    }

    #[test]
    fn leaves_after_the_longest_wait_even_in_an_announcement() {
        let mut line = entered(LineConfig {
            max_wait: Some(seconds(12)),
            ..LineConfig::default()
        });
        line.position(at(0), 1, 1);
        line.handle_timeout(at(10));
        line.poll_action();
        assert_eq!(line.poll_timeout(), Some(at(12)));
        line.handle_timeout(at(12));
        assert_eq!(line.poll_action(), Some(Action::Leave(LeaveWhy::MaxWait)));
        assert!(line.is_over() && line.poll_timeout().is_none());
        line.nobody(at(13));
        assert_eq!(line.poll_action(), None);
    }

    #[test]
    fn who_comes_back_has_waited_as_long_as_before() {
        let mut line = Line::new(LineConfig {
            max_wait: Some(seconds(30)),
            ..LineConfig::default()
        });
        line.entered(at(22), at(0));
        line.position(at(22), 1, 1);
        assert_eq!(line.poll_timeout(), Some(at(30)));
        line.handle_timeout(at(30));
        assert_eq!(line.poll_action(), Some(Action::Leave(LeaveWhy::MaxWait)));
        // What is announced begins anew.
        let mut line = Line::new(LineConfig::default());
        line.entered(at(22), at(0));
        assert_eq!(line.poll_timeout(), Some(at(32)));
    }

    #[test]
    fn says_goodbye_when_nobody_can_come() {
        let mut line = entered(LineConfig {
            nobody_sound: Some("closed".to_owned()),
            max_wait: Some(seconds(5)),
            ..LineConfig::default()
        });
        line.nobody(at(4));
        assert_eq!(
            line.poll_action(),
            Some(Action::Announce(vec!["closed".to_owned()]))
        );
        line.handle_timeout(at(6));
        line.nobody(at(6));
        assert_eq!(line.poll_action(), None);
        line.play_done(at(8), true);
        assert_eq!(line.poll_action(), Some(Action::Leave(LeaveWhy::Nobody)));

        let mut line = entered(LineConfig::default());
        line.nobody(at(0));
        assert_eq!(line.poll_action(), Some(Action::Leave(LeaveWhy::Nobody)));
    }

    #[test]
    fn nothing_is_heard_from_a_line_that_was_left() {
        let mut line = entered(LineConfig::default());
        line.position(at(0), 1, 1);
        line.handle_timeout(at(10));
        line.left();
        assert_eq!(line.poll_action(), None);
        line.play_done(at(12), true);
        line.handle_timeout(at(100));
        assert_eq!((line.poll_action(), line.poll_timeout()), (None, None));
    }

    #[test]
    fn every_sound_that_may_be_heard_is_listed() {
        let config = LineConfig::default();
        let sounds = config.sounds();
        let said = (1..=20).filter_map(|n| config.announcement(n)).flatten();
        for sound in said {
            assert!(sounds.contains(&sound), "{sound}");
        }
    }
}
