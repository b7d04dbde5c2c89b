//! Which session a Replaces header means (RFC 3891 §3).

use std::collections::VecDeque;

use crate::sip::Replaces;

use super::session::{Phase, Session};
use super::{SessionId, UserAgent};

/// What a Replaces header was found to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// A session of ours.
    Found(SessionId),
    /// A dialog that is over: to be declined (603).
    Over,
    /// Nothing here (481).
    Unknown,
}

/// Our tags of dialogs that ended lately.
#[derive(Debug, Default)]
pub(super) struct Ended(VecDeque<Box<str>>);

impl Ended {
    pub(super) fn note(&mut self, tag: Box<str>) {
        if self.0.len() >= MOST_ENDED {
            self.0.pop_front();
        }
        self.0.push_back(tag);
    }

    fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|known| **known == *tag)
    }
}

impl UserAgent {
    /// The dialog that is to be replaced. Both tags and the Call-ID must fit; an early dialog of an
    /// INVITE of ours, which may have forked, is known by our tag.
    pub fn find_replaced(&self, replaces: &Replaces) -> Replaced {
        let Some(id) = self.by_tag.get(replaces.to_tag.as_str()).copied() else {
            return match self.ended.has(&replaces.to_tag) {
                true => Replaced::Over,
                false => Replaced::Unknown,
            };
        };
        match self.sessions.get(&id) {
            Some(session) if is_meant(session, replaces) => match session.phase {
                Phase::Ending { .. } => Replaced::Over,
                _ => Replaced::Found(id),
            },
            _ => Replaced::Unknown,
        }
    }
}

fn is_meant(session: &Session, replaces: &Replaces) -> bool {
    let dialog = &session.dialog;
    let is_forking = matches!(session.phase, Phase::Calling(_)) && dialog.remote_tag.is_empty();
    // RFC 3891 §6.1: a peer without a tag is written as 0.
    let has_no_tag = dialog.remote_tag.is_empty() && replaces.from_tag == "0";
    dialog.call_id == replaces.call_id
        && (is_forking || has_no_tag || dialog.remote_tag == replaces.from_tag)
}

/// Ended dialogs remembered; only a late Replaces asks for them.
const MOST_ENDED: usize = 256;
