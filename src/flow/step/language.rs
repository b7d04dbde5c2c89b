//! `language`: what is said from here on is said in it. It is the attribute `language` of the call.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::Template;

/// Another language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaking {
    /// Its tag (BCP 47), such as `ja`; empty changes nothing.
    pub language: Template,
    /// Step after it.
    pub next: String,
}

impl Kind for Speaking {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("language", Part::Whole, Mention::Text(self.language.text()));
        see("language", Part::Whole, Mention::Sets("language"));
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, _at: &str) -> Turn {
        let language = run.fill_in(now, &self.language);
        let language = language.trim();
        // A name of sounds' folder: nothing that leads out of it.
        let is_tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !language.is_empty() && language.len() <= 35 && language.chars().all(is_tag) {
            run.set(&Map::from_iter([("language".to_owned(), language.into())]));
        }
        Turn::Go(self.next.clone())
    }
}
