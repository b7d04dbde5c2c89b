//! Documents of a run: asked for, read, followed by others, or replaced by the fallback.

use std::time::Duration;

use super::super::action::{Action, Fetch, Fetched, Prompt, Utterance};
use super::super::document::Document;
use super::super::facts::Form;
use super::super::fault::{Fault, code};
use super::super::link::{Link, without_password};
use super::super::notice::add;
use super::{MAX_HURRIED, Position, Role, Run};
use crate::base::{Cause, Timestamp};

/// Longest a document may be on its way. The web client's own budget is shorter: this only
/// guards against a client that says nothing.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// Documents closer to each other than this count as hurried.
const HURRIED: Duration = Duration::from_secs(1);

impl Run {
    /// Hands over to another document; to the same once more when none is named.
    pub(super) fn transfer(&mut self, now: Timestamp, link: Option<&Link>, form: Form) {
        let again = || self.base.clone().unwrap_or_else(|| Link::post(""));
        let link = link.cloned().unwrap_or_else(again);
        match link.resolve(self.base_url()) {
            Ok(link) => self.fetch(now, link, form),
            Err(fault) => self.fail(now, fault, &link.url, false),
        }
    }

    /// Asks for a document by its absolute URL.
    pub(super) fn fetch(&mut self, now: Timestamp, link: Link, form: Form) {
        if self.is_hurried(now) {
            let words =
                format!("{MAX_HURRIED} documents in a row took no time: they go in a circle");
            self.remark(Fault::new(code::REDIRECTS, words));
            return self.give_up(now);
        }
        self.ask(now, link, form, false);
    }

    fn is_hurried(&mut self, now: Timestamp) -> bool {
        let slow = self.pace.took_time && now.since(self.pace.last) >= HURRIED;
        self.pace.hurried = match slow {
            true => 0,
            false => self.pace.hurried + 1,
        };
        self.pace.last = now;
        self.pace.took_time = false;
        self.pace.hurried > MAX_HURRIED
    }

    fn ask(&mut self, now: Timestamp, link: Link, form: Form, is_fallback: bool) {
        self.numbers.requests += 1;
        let request = self.numbers.requests;
        let mut all = self.facts.form(self.status);
        all.extend(self.more.iter().cloned());
        all.extend(form);
        self.push(Action::Fetch(Fetch {
            request,
            url: link.url.clone(),
            method: link.method,
            form: all,
        }));
        self.deadline = Some(now + FETCH_LIMIT);
        self.position = Position::Fetching {
            request,
            link,
            is_fallback,
        };
    }

    pub(super) fn fetch_is_late(&mut self, now: Timestamp, request: u64) {
        let result = Fetched::Failed {
            code: code::RETRIEVAL,
            words: "no reply in time".to_owned(),
        };
        self.handle_fetched(now, request, result);
    }

    pub(super) fn handle_fetched(&mut self, now: Timestamp, request: u64, result: Fetched) {
        let Position::Fetching {
            request: mine,
            link,
            is_fallback,
        } = &self.position
        else {
            return;
        };
        if *mine != request {
            return;
        }
        let (link, is_fallback) = (link.clone(), *is_fallback);
        match result {
            Fetched::Failed { code, words } => {
                self.fail(now, Fault::new(code, words), &link.url, is_fallback);
            }
            Fetched::Reply {
                content_type,
                body,
                url,
            } => {
                // An empty address of the reply is that of the request.
                let url = if url.is_empty() {
                    link.url.clone()
                } else {
                    url
                };
                match Document::read(content_type.as_deref(), &body, &url) {
                    Ok(document) => {
                        let method = link.method;
                        self.execute_document(now, document, Some(Link { url, method }));
                    }
                    Err(fault) => self.fail(now, fault, &link.url, is_fallback),
                }
            }
        }
    }

    /// Begins a document.
    pub(super) fn execute_document(
        &mut self,
        now: Timestamp,
        document: Document,
        base: Option<Link>,
    ) {
        for remark in &document.remarks {
            self.remark(remark.clone());
        }
        self.document = document;
        self.base = base;
        self.next = 0;
        self.advance(now);
    }

    /// A document could not be had, or is none: the fallback's turn.
    pub(super) fn fail(&mut self, now: Timestamp, fault: Fault, url: &str, is_fallback: bool) {
        let mut form = Form::new();
        add(&mut form, "ErrorCode", fault.code.to_string());
        // The fallback may be somebody else's.
        add(&mut form, "ErrorUrl", without_password(url));
        self.remark(fault);
        match self.terms.fallback.clone() {
            Some(fallback) if !is_fallback && !self.is_hurried(now) => {
                self.ask(now, fallback, form, true);
            }
            _ => self.give_up(now),
        }
    }

    /// Nothing says any more what becomes of the leg.
    fn give_up(&mut self, now: Timestamp) {
        self.deadline = None;
        match self.role {
            Role::Call => {
                self.answer(now);
                let play = self.play(vec![Prompt {
                    what: Utterance::Trouble,
                    times: 1,
                }]);
                self.position = Position::Playing {
                    play,
                    is_last: true,
                };
            }
            // The place in the line is worth more than what is heard there.
            Role::ConferenceWait | Role::Hold | Role::QueueWait => self.position = Position::Idle,
            Role::Announcement => self.fall_silent(),
            // Whoever waits behind it is not to be lost.
            Role::QueueWhisper | Role::Whisper => self.finish(),
        }
    }

    /// The last verb is done.
    pub(super) fn end_of_document(&mut self, now: Timestamp) {
        match self.role {
            Role::Call => {
                self.answer(now);
                self.hang_up(now, Cause::normal());
            }
            Role::Announcement => self.fall_silent(),
            Role::ConferenceWait => self.position = Position::Idle,
            Role::Hold | Role::QueueWait => self.begin(now),
            Role::QueueWhisper | Role::Whisper => self.finish(),
        }
    }

    /// What the link of a verb is when the URL is made absolute. One that leads nowhere is a
    /// remark, and none.
    pub(super) fn absolute(&mut self, link: Option<&Link>) -> Option<Link> {
        match link?.resolve(self.base_url()) {
            Ok(link) => Some(link),
            Err(fault) => {
                self.remark(fault);
                None
            }
        }
    }
}
