//! What is not even begun: messages at the door, and new work when there is too much of it.
//!
//! Refused without a transaction, before anybody is asked: a refusal costs a fraction of a call.
//! Preferred, in this order: what belongs to calls that live, emergency calls, phones that refresh
//! their registration, new registrations, new calls.

use std::net::IpAddr;
use std::sync::PoisonError;

use super::arrival::user_of;
use super::exchange::Exchange;
use super::load::SHORT;
use crate::base::Timestamp;
use crate::sip::guard::{Admission, Attack};
use crate::sip::{Flow, HeaderName, Message, Method};

impl Exchange {
    /// What is to be done with a datagram or message that begins with `head`, by its source.
    pub(crate) fn screen(&mut self, now: Timestamp, flow: &Flow, head: &[u8]) -> Admission {
        self.load.taken(now);
        let generation = self.generation();
        self.guard.admit(now, flow, head, |user| {
            generation.numbers.is_emergency(user)
        })
    }

    /// Refuses a message that was not let in.
    pub(crate) fn turn_away(
        &mut self,
        now: Timestamp,
        flow: Flow,
        message: &Message,
        (status, seconds): (u16, u32),
    ) {
        if message.is_request() {
            self.refuse_for(now, flow, message, status, seconds);
            self.pump(now);
        }
    }

    /// The sockets are empty.
    pub(crate) fn caught_up(&mut self, now: Timestamp) {
        self.load.caught_up(now);
    }

    /// Whether the shard turns new work away because it cannot keep up.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.load.is_overloaded()
    }

    /// Refuses, keeping nothing, what must not be begun now; whether it did.
    pub(super) fn shed(&mut self, now: Timestamp, flow: Flow, message: &Message) -> bool {
        if !message.is_request() {
            return false;
        }
        let method = message.method();
        if !matches!(method, Method::Invite | Method::Options | Method::Register) {
            return false;
        }
        let closed = match method {
            Method::Invite => {
                let most = self.generation().max_calls;
                let is_able = self.can_serve(self.generation());
                self.gate.check(most, is_able).err()
            }
            _ => None,
        };
        let patience = match method {
            Method::Register if self.is_refresh(flow.remote.ip(), message) => SHORT * 20,
            Method::Register => SHORT * 2,
            _ => SHORT,
        };
        let seconds = match closed {
            Some(closed) => closed.retry_after(),
            None if self.load.is_too_much(now, patience) => OVERLOAD_RETRY,
            None => return false,
        };
        let is_in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
        if is_in_dialog || self.is_emergency(message) || self.ua.is_repeat(message) {
            return false;
        }
        self.gate.refused();
        self.refuse_for(now, flow, message, 503, seconds);
        true
    }

    /// Whether a request calls an emergency number.
    pub(super) fn is_emergency(&self, message: &Message) -> bool {
        let uri = message.request_uri().and_then(Result::ok);
        uri.and_then(user_of)
            .is_some_and(|number| self.generation().numbers.is_emergency(&number))
    }

    /// Tells the door what a message looked like that belonged to nothing.
    pub(super) fn tell_stray(&mut self, now: Timestamp, from: IpAddr) {
        if let Some(attack) = self.ua.take_stray() {
            self.guard.stray(now, attack, from);
        }
    }

    /// Looks for escaped line breaks, which become headers where somebody is careless: we write
    /// what we pass on anew and never unescape into a header.
    pub(super) fn look_for_injection(&self, now: Timestamp, from: IpAddr, message: &Message) {
        let bytes = message.bytes();
        let head = bytes.len() - message.body().len().min(bytes.len());
        let head = bytes.get(..head).unwrap_or_default();
        let is_break = |at: usize| {
            let escaped = head.get(at + 1..at + 3);
            escaped.is_some_and(|two| {
                two.eq_ignore_ascii_case(b"0d") || two.eq_ignore_ascii_case(b"0a")
            })
        };
        if memchr::memchr_iter(b'%', head).any(is_break) {
            self.guard.note(now, Attack::HeaderInjection, from);
        }
    }

    /// Seconds are drawn between once and twice what is said: who was refused together shall not
    /// come back together.
    fn refuse_for(
        &mut self,
        now: Timestamp,
        flow: Flow,
        message: &Message,
        status: u16,
        seconds: u32,
    ) {
        let more = self.entropy.below(u64::from(seconds) + 1);
        let retry = (u64::from(seconds) + more).to_string();
        let headers = [(HeaderName::RetryAfter, retry)];
        self.ua.refuse(now, flow, message, status, &headers);
    }

    /// Whether a REGISTER comes from where the phone is registered already.
    fn is_refresh(&self, from: IpAddr, message: &Message) -> bool {
        let Some(phone) = message.to().ok().and_then(|to| user_of(&to.uri)) else {
            return false;
        };
        let registrar = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bindings = registrar.bindings(&phone);
        bindings
            .iter()
            .any(|binding| binding.flow.remote.ip() == from)
    }
}

/// Seconds after which a shard that cannot keep up may be asked again, at least.
const OVERLOAD_RETRY: u32 = 2;
