//! Requests outside calls: phones register (RFC 3261 §10), peers ask with OPTIONS (§11).

use std::sync::PoisonError;

use super::arrival::{Refusal, user_of};
use super::exchange::{Exchange, Output};
use crate::base::{Pii, Timestamp};
use crate::registrar::{Change, Closed};
use crate::router;
use crate::sip::guard::Attack;
use crate::sip::ua::{ServerTransactionId, SessionId};
use crate::sip::{Flow, HeaderName, Message, Method};

impl Exchange {
    pub(super) fn on_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransactionId,
        flow: &Flow,
        request: &Message,
    ) {
        let (status, headers) = match request.method() {
            Method::Options => (200, options_headers()),
            Method::Register => match self.register(now, flow, request) {
                Ok(done) => done,
                Err(Refusal { status, headers }) => (status, headers),
            },
            _ => (405, Vec::new()),
        };
        self.ua.respond(now, transaction, status, &headers, None);
    }

    fn register(
        &mut self,
        now: Timestamp,
        flow: &Flow,
        request: &Message,
    ) -> Result<(u16, Vec<(HeaderName, String)>), Refusal> {
        let generation = self.generation().clone();
        let proven = self.authenticate(now, &generation, flow, request)?;
        let phone = request
            .to()
            .ok()
            .and_then(|to| user_of(&to.uri))
            .ok_or(Refusal::from(400))?;
        if phone != proven.user {
            // RFC 3261 §10.3 step 4: authenticated, but not for this address-of-record.
            return Err(Refusal::from(403));
        }
        if !generation.may_be_at(&phone, flow) {
            // The password is right, the place is not: whoever has it learns nothing more.
            tracing::warn!(phone = %Pii(&phone), from = %Pii(flow.remote.ip()), "phone elsewhere");
            return Err(Refusal::from(403));
        }
        if request
            .values(HeaderName::Contact)
            .nth(MOST_CONTACTS)
            .is_some()
        {
            self.guard.note(now, Attack::ContactFlood, flow.remote.ip());
            return Err(Refusal::from(403));
        }
        let reply = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .register(now, request, flow, &phone);
        if let Some(until) = self.registered_until(&phone) {
            let source = flow.remote.ip();
            self.guard.welcome(now, source, &phone, Some(until));
        }
        self.tell_changes(&reply.changes);
        if reply.is_news && reply.changes.is_empty() {
            self.outbox.push_back(Output::Bindings);
        }
        if let Some(longest) = reply.silence {
            let flow = *flow;
            self.outbox.push_back(Output::Silence { flow, longest });
        }
        let mut headers = reply.headers;
        headers.extend(proven.headers);
        Ok((reply.status, headers))
    }

    /// When the phone's last binding ends.
    fn registered_until(&self, phone: &str) -> Option<Timestamp> {
        let registrar = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bindings = registrar.bindings(phone);
        bindings.iter().map(|binding| binding.expires_at).max()
    }

    /// Bindings ran out: agents on those phones can no longer be reached.
    pub(super) fn expire_bindings(&mut self, now: Timestamp) {
        let changes = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle_timeout(now);
        self.tell_changes(&changes);
    }

    /// A connection is gone, and with it what was registered over it.
    pub(super) fn drop_connection(&mut self, flow: &Flow) {
        let Some(connection) = flow.connection else {
            return;
        };
        let closed = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle_closed(connection);
        self.tell_closed(&closed);
    }

    /// A proxy before a phone says that the phone's flow is gone (RFC 5626 §5.3.1): nothing more
    /// goes that way.
    pub(super) fn drop_flow(&mut self, session: SessionId) {
        let found = self.index.sessions.get(&session);
        let leg = found.and_then(|(key, leg)| self.calls.get(key)?.core.leg(*leg));
        let Some((phone, dead)) = leg.and_then(|leg| Some((&leg.party, leg.binding.as_ref()?)))
        else {
            return;
        };
        let closed = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle_dead_flow(phone, dead);
        self.tell_closed(&closed);
    }

    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .poll_timeout()
    }

    /// A flow that went is to be forgotten on disk too when its phone is still registered by another.
    fn tell_closed(&mut self, closed: &Closed) {
        self.tell_changes(&closed.changes);
        if closed.is_news && closed.changes.is_empty() {
            self.outbox.push_back(Output::Bindings);
        }
    }

    fn tell_changes(&mut self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let generation = self.generation().clone();
        for change in changes {
            let (phone, reachable) = match change {
                Change::Registered { phone } => (phone, true),
                Change::Unregistered { phone } => (phone, false),
            };
            tracing::info!(phone = %Pii(phone), reachable, "phone");
            let agent = self.desks.agent_at(&generation.desk, phone);
            self.outbox.extend(agent.map(Output::Reachable));
        }
        self.outbox.push_back(Output::Bindings);
    }

    /// Tells whether an agent can be reached, as it is now; what `tell` does must not wait.
    pub fn tell_reachable(&self, agent: &str, tell: impl FnMut(router::Command)) {
        let terms = &self.generation().desk;
        self.desks.reachable(terms, &self.registrar, [agent], tell);
    }
}

/// Contacts one REGISTER may carry: twice what a phone may have.
const MOST_CONTACTS: usize = 20;

fn options_headers() -> Vec<(HeaderName, String)> {
    vec![(HeaderName::Accept, "application/sdp".to_owned())]
}
