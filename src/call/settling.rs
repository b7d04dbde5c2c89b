//! A call's way out of the exchange: after each event it is looked whether that was the last; its
//! record goes out when all is counted, at the latest after a while.

use super::exchange::{Alarm, Exchange, Output};
use super::machine::Call;

impl Exchange {
    /// Sets a call's timer; looks whether it is done.
    pub(super) fn look_after(&mut self, call: Box<Call>) {
        let key = call.core.key;
        match call.poll_timeout() {
            Some(at) => self.timers.set(Alarm::Stage(key), at),
            None => {
                self.timers.stop(&Alarm::Stage(key));
            }
        }
        self.settle(call);
    }

    /// Looks whether an event was a call's last: publishes what is known, keeps what is not over.
    fn settle(&mut self, mut call: Box<Call>) {
        let key = call.core.key;
        let Some(ended) = call.core.ended else {
            self.calls.insert(key, call);
            return;
        };
        if !std::mem::replace(&mut call.core.exited, true) {
            self.gate.exit();
        }
        if !call.core.is_complete() || call.is_parting() {
            self.timers.set(Alarm::Publish(key), ended + PUBLISH_WAIT);
            self.calls.insert(key, call);
            return;
        }
        self.timers.stop(&Alarm::Publish(key));
        if call.core.wrapping.is_empty() {
            return self.publish(call);
        }
        self.timers
            .set(Alarm::Publish(key), ended + LONGEST_WRAP + PUBLISH_WAIT);
        // After-call work may take minutes; nobody should wait for the record so long. It goes
        // out again, with the agent's timeline whole, when the router ends the work.
        if !std::mem::replace(&mut call.core.published, true) {
            self.gate.tell();
            let record = Box::new(call.core.record.clone());
            self.outbox.push_back(Output::Record(record));
        }
        self.calls.insert(key, call);
    }

    /// The call is over and counted: its record goes out, the call goes.
    fn publish(&mut self, call: Box<Call>) {
        let key = call.core.key;
        self.timers.stop(&Alarm::Stage(key));
        self.timers.stop(&Alarm::Publish(key));
        self.index.calls.remove(&call.core.id);
        for id in &call.core.also {
            // The tasks may have gone over to yet another call.
            if self.index.heirs.get(id) == Some(&key) {
                self.index.heirs.remove(id);
            }
        }
        for leg in &call.core.legs {
            self.index.sessions.remove(&leg.session);
            self.index.legs.remove(&leg.id);
        }
        for recording in &call.core.recordings {
            self.index.recordings.remove(recording);
        }
        if !call.core.published {
            self.gate.tell();
        }
        self.outbox
            .push_back(Output::Record(Box::new(call.core.record)));
        self.forget_generations();
    }
}

/// How long an ended call waits for its legs' counts and its recordings. Both normally come
/// within a second; a slow disk is given this long before the record says "not published".
const PUBLISH_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// How long after its end a call waits for after-call work: the longest a queue may have of itself.
/// Open or prolonged work may last longer; its code is then in the journal, not in the record.
const LONGEST_WRAP: std::time::Duration = std::time::Duration::from_secs(3600);
