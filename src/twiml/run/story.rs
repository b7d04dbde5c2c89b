//! Where a run has been: which verbs of which document, for the record of the call.

use serde::{Deserialize, Serialize};
use url::Url;

use super::super::verb::Verb;
use super::{Role, Run};

/// A verb that was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// URL of its document without query, fragment and password; `document` when it was handed over.
    pub document: String,
    /// Its name.
    pub verb: String,
}

/// Most verbs that wait to be told: whoever does not ask is not told.
const MAX_UNTOLD: usize = 1_000;

impl Run {
    /// The next verb that was executed since the last time. Of documents that are heard while the
    /// caller waits nothing is told: they may go on for hours.
    pub fn poll_visit(&mut self) -> Option<Visit> {
        self.visits.pop_front()
    }

    pub(super) fn note_visit(&mut self, verb: &Verb) {
        if matches!(self.role, Role::Call | Role::Whisper) && self.visits.len() < MAX_UNTOLD {
            let document = self.base_url().map_or_else(|| INLINE.to_owned(), shown);
            let verb = verb.name().to_owned();
            self.visits.push_back(Visit { document, verb });
        }
    }
}

/// A document without a URL.
const INLINE: &str = "document";

/// A URL as it may stand in a record: the query may hold what is nobody's business.
fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return INLINE.to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    // Neither fails for `http` and `https`, and nothing else is a document's.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.into()
}
