//! A session at rest, written down; and taken up again, by this process or another.

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::sip::Flow;
use crate::sip::auth::Credentials;
use crate::sip::dialog::Dialog;

use super::session::{Session, Side};
use super::subscription::{Served, Subscriptions};
use super::{SessionId, UserAgent};

/// A session in a stable state: everything its dialog needs to go on. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCheckpoint {
    dialog: Dialog,
    flow: Flow,
    contact: String,
    side: Side,
    /// Subscriptions that REFERs have made.
    #[serde(default)]
    subscriptions: Vec<Served>,
}

impl SessionCheckpoint {
    /// Call-ID of the dialog.
    pub fn call_id(&self) -> &str {
        &self.dialog.call_id
    }
}

impl UserAgent {
    /// The session as it stands, when it is confirmed and nothing is under way in it.
    pub fn checkpoint(&self, session: SessionId) -> Option<SessionCheckpoint> {
        let session = self.sessions.get(&session)?;
        session.is_stable().then(|| SessionCheckpoint {
            dialog: session.dialog.clone(),
            flow: session.flow,
            contact: session.contact.clone(),
            side: session.side,
            subscriptions: session
                .subscriptions
                .as_ref()
                .map_or_else(Vec::new, |all| all.theirs.clone()),
        })
    }

    /// Takes a session up where it stood. Connections of an earlier process are gone: its requests
    /// go to the other side's Contact.
    pub fn restore(&mut self, _now: Timestamp, checkpoint: SessionCheckpoint) -> SessionId {
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
        self.add_session(session)
    }

    /// Gives a restored session what to answer challenges with.
    pub fn set_credentials(&mut self, session: SessionId, credentials: Credentials) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.credentials = Some(Box::new(credentials));
        }
    }
}
