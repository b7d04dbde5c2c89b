//! Time passing, and transports failing.

use crate::base::Timestamp;
use crate::sip::transaction::Reaction;
use crate::sip::{Failure, Flow, Protocol};

use super::session::{Deadline, Phase};
use super::{EndWhy, Owner, SessionId, UserAgent};

impl UserAgent {
    /// Fires all timers due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while self
            .transactions
            .next_timeout()
            .is_some_and(|next| next <= now)
        {
            if let Some(reaction) = self.transactions.handle_timeout(now) {
                self.react(now, &reaction);
            }
        }
        while let Some((_, (session, deadline))) = self.timers.pop_due(now) {
            self.expire(now, session, deadline);
        }
        if self.seeker.next_timeout().is_some_and(|next| next <= now) {
            self.seek_timeout(now);
        }
    }

    /// A stream broke or could not be opened.
    pub fn handle_transport_error(&mut self, now: Timestamp, flow: &Flow) {
        for reaction in self.transactions.handle_transport_error(now, flow) {
            if flow.protocol.is_stream() && reaction.flow.protocol == Protocol::Udp {
                self.note_deaf(now, &reaction.flow);
            }
            self.react(now, &reaction);
        }
        if flow.connection.is_some() {
            // What these sessions send next goes to the Contact over a connection of its own.
            for session in self.sessions.values_mut() {
                if session.flow.connection == flow.connection {
                    session.flow.connection = None;
                }
            }
        }
    }

    fn react(&mut self, now: Timestamp, reaction: &Reaction<Owner>) {
        self.send_again(reaction);
        if let Some(failure) = reaction.step.failure {
            match reaction.owner {
                Owner::Bye(session) => self.bye_failed(session),
                Owner::Invite(session) => self.invite_failed(now, session, failure),
                Owner::Notify(session, refer) => self.notify_settled(now, (session, refer), false),
                Owner::OurRefer(session, refer) => {
                    let status = match failure {
                        Failure::Timeout => 408,
                        Failure::Transport => 503,
                    };
                    self.refer_settled((session, refer), status);
                }
                Owner::OurRequest(request) => self.request_failed(now, request, failure),
                Owner::Reoffer(session) => self.reoffer_failed(now, session, reaction.id, failure),
                Owner::Abandoned(_)
                | Owner::Incoming(_)
                | Owner::Info(_)
                | Owner::Nobody
                | Owner::Parting(_)
                | Owner::Prack(_)
                | Owner::TheirRefer(_)
                | Owner::TheirReoffer(_)
                | Owner::TheirRequest => {}
            }
        }
        if reaction.over {
            self.forget(now, reaction);
        }
    }

    /// What was kept for the sake of a transaction goes with it.
    fn forget(&mut self, now: Timestamp, reaction: &Reaction<Owner>) {
        self.trials.remove(&reaction.id);
        match reaction.owner {
            Owner::Invite(id) | Owner::Reoffer(id) => {
                if let Some(session) = self.sessions.get_mut(&id)
                    && let Some(ack) = &session.ack
                    && ack.transaction == reaction.id
                    && ack.sent.is_some()
                {
                    session.ack = None;
                }
            }
            Owner::TheirRequest => {
                self.unanswered.remove(&reaction.id);
            }
            Owner::Parting(number) => self.parted(number, reaction.id),
            Owner::TheirRefer(id) => self.forget_refer(id),
            // An UPDATE or PRACK the call never answered: its sender has given up by now.
            Owner::TheirReoffer(id) => {
                self.take_reoffer(id);
                self.next_provisional(now, id);
                self.settle(now, id);
            }
            Owner::Abandoned(_)
            | Owner::Bye(_)
            | Owner::Incoming(_)
            | Owner::Info(_)
            | Owner::Nobody
            | Owner::Notify(..)
            | Owner::OurRefer(..)
            | Owner::OurRequest(_)
            | Owner::Prack(_) => {}
        }
    }

    fn expire(&mut self, now: Timestamp, id: SessionId, deadline: Deadline) {
        match deadline {
            Deadline::Answer => self.give_up(now, id, 408),
            Deadline::Expire => self.expired(now, id),
            Deadline::NoAck => self.never_acknowledged(now, id),
            Deadline::NoPrack => self.never_pracked(now, id),
            Deadline::Provisional => self.repeat_provisional(now, id),
            Deadline::Refresh => self.refresh_ringing(now, id),
            Deadline::Renew => self.renew(now, id),
            Deadline::Repeat => self.repeat_accept(now, id),
            Deadline::Retry => self.retry_reoffer(now, id),
            Deadline::Unsubscribe => self.subscriptions_due(now, id),
        }
    }

    /// RFC 3261 §13.3.1.4.
    fn never_acknowledged(&mut self, now: Timestamp, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id)
            && matches!(session.phase, Phase::Confirmed)
            && session.accepted.take().is_some()
        {
            self.end_failed(now, id, EndWhy::NoAck);
        }
    }

    pub(super) fn stop_session_timers(&mut self, id: SessionId) {
        for deadline in Deadline::ALL {
            self.timers.stop(&(id, deadline));
        }
    }
}
