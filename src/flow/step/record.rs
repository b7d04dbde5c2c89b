//! `record`: what the caller says, kept; `voicemail`: a message for a mailbox.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_error, see_sounds};
use crate::base::Timestamp;
use crate::flow::request::{RecordTerms, Reply, Request};

/// Something the caller is to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// How it is recorded.
    #[serde(flatten)]
    pub terms: RecordTerms,
    /// Attribute that takes the name of the recording.
    pub into: String,
    /// Step after it.
    pub next: String,
    /// Step when nothing was recorded; the document's when left out.
    pub error: Option<String>,
}

/// A message for a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messaging {
    /// Mailbox.
    pub mailbox: String,
    /// Said before it; the mailbox's own greeting when empty.
    pub greeting: Vec<String>,
    /// How it is recorded.
    #[serde(flatten)]
    pub terms: RecordTerms,
    /// Step after it.
    pub next: String,
    /// Step when nothing was recorded; the document's when left out.
    pub error: Option<String>,
}

/// Time beyond the longest message until its end is taken for lost: greeting, tone and disk.
const GRACE: Duration = Duration::from_secs(300);

impl Kind for Recording {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("into", Part::Whole, Mention::Sets(&self.into));
        see("next", Part::Whole, Mention::Step(&self.next));
        see_error(self.error.as_deref(), see);
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        run.answer();
        run.forget_keys();
        let budget = self.terms.longest + GRACE;
        run.consult(now, at, Request::Record(self.terms.clone()), budget)
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, _at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Reply(Reply::Recorded { name, .. }) => {
                run.set(&Map::from_iter([(self.into.clone(), json!(name))]));
                Turn::Go(self.next.clone())
            }
            Heard::Reply(_) => run.error(self.error.as_deref()),
            _ => Turn::Stay,
        }
    }
}

impl Kind for Messaging {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("mailbox", Part::Whole, Mention::Mailbox(&self.mailbox));
        see_sounds("greeting", &self.greeting, see);
        see("next", Part::Whole, Mention::Step(&self.next));
        see_error(self.error.as_deref(), see);
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        run.forget_keys();
        if self.greeting.is_empty() {
            return self.take(run, now, at);
        }
        let (sounds, barge_in) = (self.greeting.clone(), crate::ivr::BargeIn::Interrupts);
        run.speak(now, at, sounds, barge_in, super::play::PLAY_LIMIT);
        Turn::Stay
    }

    fn hear(&self, run: &mut Run, now: Timestamp, at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::PlayDone => self.take(run, now, at),
            Heard::Reply(Reply::Recorded { .. }) => Turn::Go(self.next.clone()),
            Heard::Reply(_) => run.error(self.error.as_deref()),
            _ => Turn::Stay,
        }
    }
}

impl Messaging {
    fn take(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        run.answer();
        run.forget_keys();
        let request = Request::Voicemail {
            mailbox: self.mailbox.clone(),
            terms: self.terms.clone(),
            is_greeted: !self.greeting.is_empty(),
        };
        run.consult(now, at, request, self.terms.longest + GRACE)
    }
}
