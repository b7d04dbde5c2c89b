//! A session at rest, written down; and taken up again, by this process or another.

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::sip::Flow;
use crate::sip::auth::Credentials;
use crate::sip::dialog::Dialog;

use super::ability::Peer;
use super::renewal::Renewal;
use super::session::{Deadline, Session, Side};
use super::settings::Body;
use super::subscription::{Served, Subscriptions};
use super::terms::Terms;
use super::{SessionId, UserAgent};

/// A session in a stable state: everything its dialog needs to go on. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCheckpoint {
    dialog: Dialog,
    flow: Flow,
    contact: String,
    side: Side,
    #[serde(default = "plain")]
    terms: Terms,
    #[serde(default)]
    peer: Peer,
    #[serde(default)]
    renewal: Renewal,
    /// When a refresh is due, and when the session ends without one.
    #[serde(default)]
    renews: [Option<Timestamp>; 2],
    /// Our last session description.
    #[serde(default)]
    said: Option<String>,
    /// Subscriptions that REFERs have made.
    #[serde(default)]
    subscriptions: Vec<Served>,
}

fn plain() -> Terms {
    Terms::PLAIN
}

impl SessionCheckpoint {
    /// Call-ID of the dialog.
    pub fn call_id(&self) -> &str {
        &self.dialog.call_id
    }
}

impl UserAgent {
    /// The session as it stands, when it is confirmed and nothing is under way in it.
    pub fn checkpoint(&self, id: SessionId) -> Option<SessionCheckpoint> {
        let session = self.sessions.get(&id)?;
        session.is_stable().then(|| SessionCheckpoint {
            dialog: session.dialog.clone(),
            flow: session.flow,
            contact: session.contact.clone(),
            side: session.side,
            terms: session.terms,
            peer: session.peer,
            renewal: session.renewal,
            renews: RENEWS.map(|deadline| self.timers.deadline(&(id, deadline))),
            said: session
                .said
                .as_ref()
                .map(|body| String::from_utf8_lossy(&body.bytes).into_owned()),
            subscriptions: session
                .subscriptions
                .as_ref()
                .map_or_else(Vec::new, |all| all.theirs.clone()),
        })
    }

    /// Takes a session up where it stood. Connections of an earlier process are gone: its requests
    /// go to the other side's Contact.
    ///
    /// Its timer goes on: what came due meanwhile is done at once.
    pub fn restore(&mut self, now: Timestamp, checkpoint: SessionCheckpoint) -> SessionId {
        let flow = Flow {
            connection: None,
            ..checkpoint.flow
        };
        let (dialog, contact) = (checkpoint.dialog, checkpoint.contact);
        let mut session = Session::new(dialog, flow, contact, checkpoint.side);
        if !checkpoint.subscriptions.is_empty() {
            let restored = Subscriptions::restored(checkpoint.subscriptions);
            session.subscriptions = Some(Box::new(restored));
        }
        session.terms = checkpoint.terms;
        session.peer = checkpoint.peer;
        session.renewal = checkpoint.renewal;
        session.said = checkpoint.said.map(Body::sdp);
        let id = self.add_session(session);
        self.watch_subscriptions(id);
        for (deadline, at) in RENEWS.into_iter().zip(checkpoint.renews) {
            if let Some(at) = at {
                self.timers.set((id, deadline), at.max(now));
            }
        }
        id
    }

    /// Gives a restored session what to answer challenges with.
    pub fn set_credentials(&mut self, session: SessionId, credentials: Credentials) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.credentials = Some(Box::new(credentials));
        }
    }
}

const RENEWS: [Deadline; 2] = [Deadline::Renew, Deadline::Expire];
