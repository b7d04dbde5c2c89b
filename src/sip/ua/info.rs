//! INFO in a dialog (RFC 6086), without Info Packages: the legacy usage of §9.1.

use crate::base::Timestamp;
use crate::sip::{HeaderName, Method};

use super::reply::Reply;
use super::screen::Arrived;
use super::session::Phase;
use super::settings::Body;
use super::{Event, Owner, SessionId, UserAgent};

impl UserAgent {
    /// Sends an INFO in a confirmed dialog; nothing follows but silence, whatever is answered.
    /// Does nothing when the dialog is not confirmed.
    pub fn info(&mut self, now: Timestamp, id: SessionId, body: Body) {
        let room = self.transactions.len() < self.identity.settings.limits.transactions;
        let Some(session) = self.sessions.get_mut(&id).filter(|_| room) else {
            return;
        };
        if !matches!(session.phase, Phase::Confirmed) {
            return;
        }
        let contact = session.contact.clone();
        let flow = session.dialog.next_hop(session.flow);
        let via = self.identity.via(&flow);
        let request = session.dialog.request(Method::Info, &via);
        let builder = request
            .header(HeaderName::Contact, contact)
            .body(&body.content_type, body.bytes);
        let builder = self.identity.name(builder);
        let branch = via.branch().unwrap_or_default();
        let sent = (flow, builder.build());
        self.start(now, (&Method::Info, branch), sent, Owner::Info(id));
    }

    /// Takes an INFO: 200 to any of the legacy usage, 469 to a package, for we know none.
    pub(super) fn handle_info(&mut self, now: Timestamp, session: SessionId, arrived: Arrived) {
        if arrived.request.header(HeaderName::InfoPackage).is_some() {
            // RFC 6086 §4.2.2: the packages we would take, of which there are none.
            let headers = [(HeaderName::RecvInfo, String::new())];
            return self.refuse_in(now, session, &arrived, Reply::with_headers(469, &headers));
        }
        self.confirm(now, session, &arrived);
        let request = arrived.request;
        self.tell(Event::Info { session, request });
    }
}
