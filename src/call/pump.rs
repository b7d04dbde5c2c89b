//! What the user agent says and wants: each event goes to the call it is about, or opens one.

use super::exchange::{Exchange, Output};
use crate::base::Timestamp;
use crate::sip::ua::{self, SessionId};

impl Exchange {
    /// Lets the user agent's events and datagrams take effect until there are none.
    pub(super) fn pump(&mut self, now: Timestamp) {
        if let Some(addresses) = self.ua.take_moved() {
            self.guard.set_named(self.ids.origin().shard, addresses);
        }
        while let Some(output) = self.ua.poll_output() {
            match output {
                ua::Output::Query(question) => self.outbox.push_back(Output::Query(question)),
                ua::Output::Transmit { flow, bytes } => {
                    self.outbox.push_back(Output::Transmit { flow, bytes });
                }
                ua::Output::Alias { flow, host, port } => {
                    self.outbox.push_back(Output::Alias { flow, host, port });
                }
                ua::Output::Event(event) => self.on_event(now, event),
            }
        }
    }

    fn on_event(&mut self, now: Timestamp, event: ua::Event) {
        match event {
            ua::Event::Incoming {
                session,
                flow,
                request,
            } => {
                self.on_incoming(now, session, flow, &request);
            }
            ua::Event::Request {
                transaction,
                flow,
                request,
            } => {
                self.on_request(now, transaction, &flow, &request);
            }
            ua::Event::Response { request, response } => {
                self.on_response(now, request, &response);
            }
            ua::Event::Refer {
                session,
                refer,
                request,
            } => self.on_refer(now, session, refer, &request),
            event => {
                if let ua::Event::Failed {
                    session,
                    status: 430,
                    ..
                } = &event
                {
                    self.drop_flow(*session);
                }
                let found = session_of(&event).and_then(|id| self.index.sessions.get(&id).copied());
                if let Some((key, leg)) = found {
                    self.with_call(now, key, |call, hands| call.on_session(hands, leg, event));
                }
            }
        }
    }
}

/// The session an event is about, when it is about one that a call may hold.
fn session_of(event: &ua::Event) -> Option<SessionId> {
    match event {
        ua::Event::Acknowledged { session, .. }
        | ua::Event::Answered { session, .. }
        | ua::Event::Cancelled { session, .. }
        | ua::Event::EarlyAnswer { session, .. }
        | ua::Event::EarlyEnded { session, .. }
        | ua::Event::Ended { session, .. }
        | ua::Event::Failed { session, .. }
        | ua::Event::Info { session, .. }
        | ua::Event::Notified { session, .. }
        | ua::Event::Progress { session, .. }
        | ua::Event::Reanswered { session, .. }
        | ua::Event::Refer { session, .. }
        | ua::Event::ReferAnswered { session, .. }
        | ua::Event::Reoffer { session, .. }
        | ua::Event::ReofferFailed { session, .. } => Some(*session),
        ua::Event::Incoming { .. } | ua::Event::Request { .. } | ua::Event::Response { .. } => None,
    }
}
