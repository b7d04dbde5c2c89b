//! The subscription a REFER makes (RFC 3515 §2.4, RFC 6665): NOTIFY with a sipfrag (RFC 3420), one
//! under way at a time; and SUBSCRIBE, which may only refresh or end it.
//!
//! It outlives the session it came in (RFC 5057): whoever hangs up after a REFER still hears how it
//! ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::reason::phrase;
use crate::base::{OwnMap, Timestamp};
use crate::sip::auth::Credentials;
use crate::sip::dialog::Dialog;
use crate::sip::transaction::Reaction;
use crate::sip::{Flow, HeaderName, Message, Method};

use super::refer::{Asked, ReferId};
use super::referral::Sent;
use super::reply::Reply;
use super::screen::Arrived;
use super::session::{Deadline, Session};
use super::{Manners, Owner, SessionId, UserAgent};

/// What REFERs have left in one dialog.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// Their REFER, not answered yet.
    pub(super) asked: Option<Asked>,
    /// Theirs, accepted.
    pub(super) theirs: Vec<Served>,
    /// Ours.
    pub(super) ours: Vec<Sent>,
    /// Whether the dialog has seen an accepted REFER: later ones are named by number.
    had_one: bool,
}

/// One subscription of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Served {
    pub(super) refer: ReferId,
    /// The first REFER of a dialog needs no `id`, and old phones stumble over one.
    is_numbered: bool,
    /// When it ends by itself.
    until: Timestamp,
    /// What was said last.
    said: u16,
    /// What is to be said when the NOTIFY under way is answered.
    #[serde(skip)]
    next: Option<u16>,
    #[serde(skip)]
    is_under_way: bool,
    /// Nobody is to hear more of it than that it is over.
    #[serde(skip)]
    is_ended: bool,
}

/// A dialog whose call is over while a subscription in it goes on.
#[derive(Debug)]
pub(super) struct Departed {
    dialog: Dialog,
    flow: Flow,
    contact: String,
    credentials: Option<Box<Credentials>>,
    pub(super) manners: Option<Arc<Manners>>,
    subscriptions: Box<Subscriptions>,
}

/// What a NOTIFY is made with: the dialog of a session, or of one that is over.
struct Line<'a> {
    dialog: &'a mut Dialog,
    flow: Flow,
    contact: &'a str,
    subscriptions: &'a mut Subscriptions,
}

impl Served {
    pub(super) fn new(refer: ReferId, is_numbered: bool, now: Timestamp) -> Self {
        Self {
            refer,
            is_numbered,
            until: now + LIFE,
            said: 100,
            next: None,
            is_under_way: false,
            is_ended: false,
        }
    }

    fn is_over(&self) -> bool {
        (self.said >= 200 || self.is_ended) && self.next.is_none()
    }

    /// Whether its last word is said, or is the next one.
    fn is_closed(&self) -> bool {
        self.is_ended || self.said >= 200 || self.next.is_some_and(|next| next >= 200)
    }

    /// Says once more what was said last, and that this is the end.
    fn end(&mut self) {
        if !self.is_closed() {
            self.is_ended = true;
            self.next.get_or_insert(self.said);
        }
    }
}

impl Subscriptions {
    pub(super) fn begin(&mut self, now: Timestamp, refer: ReferId) {
        let is_numbered = std::mem::replace(&mut self.had_one, true);
        self.theirs.push(Served::new(refer, is_numbered, now));
    }

    pub(super) fn restored(mut theirs: Vec<Served>) -> Self {
        let had_one = !theirs.is_empty();
        // Nobody will answer the last NOTIFY any more.
        theirs.retain(|one| !one.is_closed());
        Self {
            had_one,
            theirs,
            ..Self::default()
        }
    }

    fn served(&mut self, refer: ReferId) -> Option<&mut Served> {
        self.theirs.iter_mut().find(|one| one.refer == refer)
    }

    /// Whether a NOTIFY waits for its answer.
    pub(super) fn is_under_way(&self) -> bool {
        self.theirs.iter().any(|one| one.is_under_way)
    }

    fn is_empty(&self) -> bool {
        self.theirs.is_empty()
    }
}

impl Session {
    pub(super) fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        self.subscriptions.get_or_insert_default()
    }

    /// Whether a NOTIFY waits for its answer: a BYE would overtake it.
    pub(super) fn is_notifying(&self) -> bool {
        self.subscriptions
            .as_ref()
            .is_some_and(|all| all.is_under_way())
    }
}

impl UserAgent {
    /// Says how far what a REFER asked for has come: `SIP/2.0 <status>`. A status from 200 ends the
    /// subscription. Nothing happens where none was made, or when it is over.
    pub fn notify(&mut self, now: Timestamp, session: SessionId, refer: ReferId, status: u16) {
        let Some(line) = self.line(session) else {
            return;
        };
        let Some(served) = line.subscriptions.served(refer) else {
            return;
        };
        if served.is_closed() {
            return;
        }
        served.next = Some(status.clamp(100, 699));
        self.notify_next(now, session, refer);
    }

    /// Sends what is to be said, when nothing is under way.
    fn notify_next(&mut self, now: Timestamp, id: SessionId, refer: ReferId) {
        // Two ways to a dialog share the rest of the user agent: looked up by hand.
        let Some(line) = line(&mut self.sessions, &mut self.departed, id) else {
            return;
        };
        let Some(served) = line.subscriptions.served(refer) else {
            return;
        };
        if served.is_under_way {
            return;
        }
        let Some(status) = served.next.take() else {
            return;
        };
        served.said = status;
        served.is_under_way = true;
        let event = match served.is_numbered {
            true => format!("refer;id={refer}"),
            false => "refer".to_owned(),
        };
        let state = match status {
            200.. => "terminated;reason=noresource".to_owned(),
            _ if served.is_ended => "terminated;reason=timeout".to_owned(),
            _ => format!(
                "active;expires={}",
                served.until.since(now).as_secs().max(1)
            ),
        };
        let flow = line.dialog.next_hop(line.flow);
        let via = self.identity.via(&flow);
        let mut builder = line
            .dialog
            .request(Method::Notify, &via)
            .header(HeaderName::Contact, line.contact)
            .header(HeaderName::Event, event)
            .header(HeaderName::SubscriptionState, state);
        builder = self.identity.name(builder);
        let fragment = format!("SIP/2.0 {status} {}\r\n", phrase(status));
        let request = builder.body(SIPFRAG, Bytes::from(fragment)).build();
        let branch = via.branch().unwrap_or_default();
        let owner = Owner::Notify(id, refer);
        self.start(now, (&Method::Notify, branch), (flow, request), owner);
    }

    pub(super) fn notify_answered(
        &mut self,
        now: Timestamp,
        (id, refer): (SessionId, ReferId),
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(500);
        if status < 200 || self.try_again(now, reaction, response).is_some() {
            return;
        }
        self.notify_settled(now, (id, refer), (200..300).contains(&status));
    }

    /// A NOTIFY has its answer, or never will.
    pub(super) fn notify_settled(
        &mut self,
        now: Timestamp,
        (id, refer): (SessionId, ReferId),
        goes_on: bool,
    ) {
        let Some(line) = self.line(id) else {
            return;
        };
        if let Some(served) = line.subscriptions.served(refer) {
            served.is_under_way = false;
            // RFC 6665 §4.2.2: whoever refuses a NOTIFY is no longer subscribed.
            if !goes_on || served.is_over() {
                line.subscriptions.theirs.retain(|one| one.refer != refer);
            }
        }
        if line.subscriptions.is_empty() {
            self.departed.remove(&id);
            self.timers.stop(&(id, Deadline::Unsubscribe));
        }
        self.notify_next(now, id, refer);
        self.settle(now, id);
    }

    /// Takes a SUBSCRIBE in a dialog: it may refresh or end what a REFER has made (RFC 3515
    /// §2.4.4).
    pub(super) fn handle_subscribe(&mut self, now: Timestamp, id: SessionId, arrived: &Arrived) {
        let event = arrived.request.header_text(HeaderName::Event);
        let (package, number) = event.as_deref().map_or(("", None), event_of);
        if !package.eq_ignore_ascii_case("refer") {
            let headers = [(HeaderName::AllowEvents, "refer".to_owned())];
            return self.refuse_in(now, id, arrived, Reply::with_headers(489, &headers));
        }
        let session = self.sessions.get_mut(&id);
        let all = session.and_then(|session| session.subscriptions.as_mut());
        let served = all.and_then(|all| match number {
            Some(number) => all.theirs.iter_mut().find(|one| one.refer == number),
            None => all.theirs.first_mut(),
        });
        let Some(served) = served.filter(|one| !one.is_ended) else {
            return self.refuse_in(now, id, arrived, Reply::status(481));
        };
        let refer = served.refer;
        // RFC 6665 §4.2.1.4: each SUBSCRIBE has a NOTIFY, one that ends it too.
        let wanted = arrived.request.expires().unwrap_or(LIFE.as_secs() as u32);
        let granted = wanted.min(LIFE.as_secs() as u32);
        served.until = now + Duration::from_secs(u64::from(granted));
        if granted == 0 {
            served.end();
        } else if !served.is_closed() {
            served.next.get_or_insert(served.said);
        }
        self.watch_subscriptions(id);
        self.serve(now, arrived, None, Owner::Nobody);
        let headers = [(HeaderName::Expires, granted.to_string())];
        let request = (arrived.id, &arrived.request);
        self.reply_with_contact(now, id, request, Reply::with_headers(200, &headers));
        self.notify_next(now, id, refer);
    }

    /// Wakes up when the next subscription of a dialog ends by itself.
    pub(super) fn watch_subscriptions(&mut self, id: SessionId) {
        let Some(line) = self.line(id) else { return };
        let open = line
            .subscriptions
            .theirs
            .iter()
            .filter(|one| !one.is_closed());
        match open.map(|one| one.until).min() {
            Some(next) => self.timers.set((id, Deadline::Unsubscribe), next),
            None => {
                self.timers.stop(&(id, Deadline::Unsubscribe));
            }
        }
    }

    /// Ends those whose time is over.
    pub(super) fn subscriptions_due(&mut self, now: Timestamp, id: SessionId) {
        let Some(line) = self.line(id) else { return };
        let is_due = |one: &&mut Served| one.until <= now && !one.is_closed();
        let due = line.subscriptions.theirs.iter_mut().filter(is_due);
        let due: Vec<ReferId> = due
            .map(|one| {
                one.end();
                one.refer
            })
            .collect();
        for refer in due {
            self.notify_next(now, id, refer);
        }
        self.watch_subscriptions(id);
    }

    /// Keeps the dialog of a session that is over for as long as somebody waits for a NOTIFY.
    pub(super) fn keep_subscriptions(&mut self, id: SessionId, session: &mut Session) {
        let waits = |all: &Subscriptions| !all.theirs.is_empty();
        if let Some(subscriptions) = session.subscriptions.take().filter(|all| waits(all)) {
            let departed = Departed {
                dialog: session.dialog.clone(),
                flow: session.flow,
                contact: session.contact.clone(),
                credentials: session.credentials.take(),
                manners: session.manners.take(),
                subscriptions,
            };
            self.departed.insert(id, departed);
            self.watch_subscriptions(id);
        }
    }

    pub(super) fn departed_credentials(&self, id: SessionId) -> Option<&Credentials> {
        self.departed.get(&id)?.credentials.as_deref()
    }

    pub(super) fn departed_cseq(&mut self, id: SessionId) -> Option<u32> {
        let dialog = &mut self.departed.get_mut(&id)?.dialog;
        dialog.local_cseq += 1;
        Some(dialog.local_cseq)
    }

    fn line(&mut self, id: SessionId) -> Option<Line<'_>> {
        line(&mut self.sessions, &mut self.departed, id)
    }
}

fn line<'a>(
    sessions: &'a mut OwnMap<SessionId, Session>,
    departed: &'a mut OwnMap<SessionId, Departed>,
    id: SessionId,
) -> Option<Line<'a>> {
    if let Some(session) = sessions.get_mut(&id) {
        return Some(Line {
            dialog: &mut session.dialog,
            flow: session.flow,
            contact: &session.contact,
            subscriptions: session.subscriptions.as_mut()?,
        });
    }
    let departed = departed.get_mut(&id)?;
    Some(Line {
        dialog: &mut departed.dialog,
        flow: departed.flow,
        contact: &departed.contact,
        subscriptions: &mut departed.subscriptions,
    })
}

/// The package and the `id` of an Event header.
pub(super) fn event_of(text: &str) -> (&str, Option<ReferId>) {
    let mut parts = text.split(';').map(str::trim);
    let package = parts.next().unwrap_or("");
    let number = parts
        .filter_map(|param| param.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("id"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .map(ReferId);
    (package, number)
}

/// How long a subscription lives: longer than anything may ring.
const LIFE: Duration = Duration::from_secs(600);

/// A piece of a SIP message (RFC 3420).
pub(super) const SIPFRAG: &str = "message/sipfrag;version=2.0";
