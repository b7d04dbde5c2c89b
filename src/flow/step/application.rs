//! `twiml`: the documents of a web application say what becomes of the caller, to the end of the call.

use serde::{Deserialize, Serialize};

use super::{Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::Template;
use crate::flow::run::{Action, Application, Position};
use crate::webhook::Method;

/// An application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applying {
    /// URL of the first document.
    pub url: Template,
    /// How it is asked.
    pub method: Method,
    /// URL asked when a document cannot be had or is none, and how.
    #[serde(default)]
    pub fallback: Option<(Template, Method)>,
    /// URL that is told how the call goes, and how.
    #[serde(default)]
    pub status: Option<(Template, Method)>,
    /// What it is told of: `initiated`, `ringing`, `answered`, `completed`; the last when empty.
    #[serde(default)]
    pub events: Vec<String>,
}

impl Kind for Applying {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("url", Part::Whole, Mention::Text(self.url.text()));
        let others = [
            ("fallback_url", &self.fallback),
            ("status_callback", &self.status),
        ];
        for (key, link) in others {
            if let Some((url, _)) = link {
                see(key, Part::Whole, Mention::Text(url.text()));
            }
        }
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let fill_in = |url: &Template| run.fill_in(now, url).trim().to_owned();
        let link = |link: &(Template, Method)| (fill_in(&link.0), link.1);
        let application = Application {
            first: (fill_in(&self.url), self.method),
            fallback: self.fallback.as_ref().map(link),
            status: self.status.as_ref().map(link),
            events: self.events.clone(),
        };
        run.forget_keys();
        run.push(Action::Application(Box::new(application)));
        run.stay(Position::Talking {
            step: at.to_owned(),
        })
    }

    fn hear(&self, _run: &mut Run, _now: Timestamp, _at: &str, heard: super::Heard) -> Turn {
        match heard {
            super::Heard::TalkEnded => Turn::Go(crate::flow::HANG_UP.to_owned()),
            _ => Turn::Stay,
        }
    }
}
