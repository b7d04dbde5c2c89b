//! `twiml`: the documents of a web application say what becomes of the caller, to the end of the call.

use serde::{Deserialize, Serialize};

use super::{Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::Template;
use crate::flow::run::{Action, Position};
use crate::webhook::Method;

/// An application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applying {
    /// URL of the first document.
    pub url: Template,
    /// How it is asked.
    pub method: Method,
}

impl Kind for Applying {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("url", Part::Whole, Mention::Text(self.url.text()));
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let url = run.fill_in(now, &self.url);
        run.forget_keys();
        run.push(Action::Application {
            url: url.trim().to_owned(),
            method: self.method,
        });
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
