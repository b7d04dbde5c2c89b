//! `Calls`: create, fetch, list, modify.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;

use super::fault::{Fault, code};
use super::leg::PublicLeg;
use super::page::{Page, Wanted};
use super::parameters::wrong;
use super::{Asked, shown};
use crate::call::{Control, ControlError, PlaceError, Placing};
use crate::events::CallRecord;
use crate::http::answer::answer;
use crate::twiml::{CallStatus, Document, Link, Modification, Sid, SidKind, Source, Terms};

impl Asked<'_> {
    /// A page of calls and of those they dialled, newest first.
    pub(super) fn list_calls(&self) -> Result<Response, Fault> {
        let said = &self.said;
        let wanted = Wanted::read(said)?;
        let (started, ended) = (said.span("StartTime")?, said.span("EndTime")?);
        let status = match said.get("Status") {
            None => None,
            Some(word) => Some(status(word)?),
        };
        let (to, from) = (said.get("To"), said.get("From"));
        let is_wanted = |leg: &PublicLeg| {
            let is_ended = || leg.ended.is_some_and(|at| ended.has(at));
            to.is_none_or(|to| is_same(&leg.to, to))
                && from.is_none_or(|from| is_same(&leg.from, from))
                && status.is_none_or(|status| leg.status == status)
                && started.has(leg.answered.unwrap_or(leg.started))
                && (ended == Default::default() || is_ended())
        };
        let entries = |record: &CallRecord| {
            let legs = PublicLeg::all_of(record, self.account);
            let legs = legs.into_iter().filter(&is_wanted);
            legs.map(|leg| leg.shown(self)).collect()
        };
        let page = match said.get("ParentCallSid") {
            Some(parent) => {
                let of_parent = |record: CallRecord| {
                    let legs = PublicLeg::all_of(&record, self.account).into_iter();
                    let is_child = |leg: &PublicLeg| {
                        leg.parent.as_ref().is_some_and(|it| it.as_str() == parent)
                    };
                    let legs = legs.filter(|leg| is_child(leg) && is_wanted(leg));
                    legs.map(|leg| leg.shown(self)).collect()
                };
                let record = match parent.parse() {
                    Ok(sid) => self.record_of(&sid)?,
                    Err(_) => None,
                };
                Page::of_few(record.map(of_parent).unwrap_or_default(), &wanted)
            }
            None => {
                // A leg may have been dialled long after its call began.
                let span = super::parameters::Span {
                    since: started.since.map(|since| since - LONGEST),
                    before: started.before,
                };
                let lives = matches!(
                    status,
                    Some(CallStatus::InProgress | CallStatus::Queued | CallStatus::Ringing)
                );
                Page::of_records(self.sources, &wanted, span, !lives, entries)?
            }
        };
        Ok(page.answer("calls", &self.uri("Calls"), &wanted, said))
    }

    /// One call.
    pub(super) fn fetch_call(&self, sid: &str) -> Result<Response, Fault> {
        let (_, leg) = self.call(sid)?;
        Ok(shown(&leg.shown(self)))
    }

    /// Calls somebody; who answers hears a document.
    pub(super) fn create_call(&self) -> Result<Response, Fault> {
        let source = self.source()?;
        let leg = self.place_call(source)?;
        Ok(answer(StatusCode::CREATED, &leg.shown(self)))
    }

    /// The same with a document of our own, in place of `Url` or `Twiml`.
    pub(super) fn placed(&self, document: &str) -> Result<PublicLeg, Fault> {
        let read = Document::parse(document);
        let document = read.map_err(|fault| Fault::bad(fault.code.into(), fault.to_string()))?;
        if let Some(wrong) = document.remarks.first() {
            return Err(Fault::bad(wrong.code.into(), wrong.to_string()));
        }
        self.place_call(Some(Source::Document(Box::new(document))))
    }

    /// Places a call as `To`, `From` and the rest say.
    fn place_call(&self, source: Option<Source>) -> Result<PublicLeg, Fault> {
        let said = &self.said;
        let Some(to) = said.get("To") else {
            let words = "No 'To' number is specified";
            return Err(Fault::bad(code::NO_TO, words));
        };
        let from = said.get("From").or(said.get("CallerId"));
        let Some(from) = from else {
            let words = "A 'From' phone number is required";
            return Err(Fault::bad(code::NO_FROM, words));
        };
        let source = source.ok_or_else(|| {
            let words = "Url or Twiml is required; applications by SID are not known here";
            Fault::bad(code::URL, words)
        })?;
        let limit = said.seconds("TimeLimit", 1..=86_400, code::PARAMETER)?;
        let terms = Terms {
            source,
            fallback: said.link("FallbackUrl", "FallbackMethod", code::URL)?,
            status: said.status_callback()?,
            time_limit: limit.unwrap_or(Terms::LONGEST),
            caller_ids: Vec::new(),
            api: String::new(),
        };
        let digits = said.get("SendDigits").unwrap_or_default();
        if digits.len() > MOST_DIGITS || !digits.bytes().all(|key| DIGITS.contains(&key)) {
            let words = format!("SendDigits has up to {MOST_DIGITS} of 0-9 A-D * # w W");
            return Err(Fault::bad(code::SEND_DIGITS, words));
        }
        let timeout = said.seconds("Timeout", 1..=600, code::TIMEOUT)?;
        let placing = Placing {
            from: from.to_owned(),
            to: to.to_owned(),
            terms,
            timeout: timeout.unwrap_or(USUAL_TIMEOUT),
            digits: digits.to_owned(),
            record: said.flag("Record")? == Some(true),
            recording: said.recording_callback()?,
        };
        let placed = self
            .sources
            .live
            .place(placing)
            .map_err(|error| match error {
                PlaceError::From(from) => {
                    let words = format!("The 'From' number {from} is none of this account's");
                    Fault::bad(code::FROM_NOT_OURS, words)
                }
                PlaceError::To(to) => Fault::bad(
                    code::TO,
                    format!("The 'To' number {to} is not a valid phone number"),
                ),
                PlaceError::Full => Fault::unavailable("The switch takes no more calls now"),
            })?;
        let leg = PublicLeg::all_of(&placed, self.account).into_iter().next();
        leg.ok_or_else(|| Fault::internal("the call has no record"))
    }

    /// Ends a living call, lets it go on elsewhere, or changes what holds for it.
    pub(super) fn modify_call(&self, sid: &str) -> Result<Response, Fault> {
        let said = &self.said;
        let (record, leg) = self.call(sid)?;
        let mut wishes = Vec::new();
        // Who is to be told is told of what follows.
        if let Some(callback) = said.status_callback()? {
            wishes.push(Modification::StatusCallback(callback));
        }
        if let Some(link) = said.link("FallbackUrl", "FallbackMethod", code::URL)? {
            wishes.push(Modification::Fallback(link));
        }
        if let Some(limit) = said.seconds("TimeLimit", 1..=86_400, code::PARAMETER)? {
            wishes.push(Modification::TimeLimit(limit));
        }
        match said.get("Status") {
            None => {}
            Some("completed") => wishes.push(Modification::Complete),
            Some("canceled") => wishes.push(Modification::Cancel),
            Some(_) => return Err(wrong("Status", "completed or canceled")),
        }
        match self.source()? {
            Some(Source::Document(document)) => wishes.push(Modification::Document(document)),
            Some(Source::Url(link)) => wishes.push(Modification::Redirect(link)),
            None => {}
        }
        if wishes.is_empty() {
            return Err(Fault::bad(
                code::URL,
                "Url, Twiml, Status, TimeLimit, StatusCallback or FallbackUrl is required",
            ));
        }
        // All of them or none.
        for wish in &wishes {
            can_carry_out(&leg, wish)?;
        }
        for wish in wishes {
            self.carry_out(&record, &leg, wish)?;
        }
        let (_, leg) = self.call(sid)?;
        Ok(shown(&leg.shown(self)))
    }

    fn carry_out(
        &self,
        record: &CallRecord,
        leg: &PublicLeg,
        wish: Modification,
    ) -> Result<(), Fault> {
        let state = |words: &str| Err(Fault::bad(code::STATE, words));
        let live = &self.sources.live;
        let id = record.id.as_str();
        let hang_up = |wish: Control| live.control(id, wish).map(|_| ());
        let is_end = matches!(wish, Modification::Complete | Modification::Cancel);
        let done = match (&leg.parent, leg.leg) {
            (None, _) => match live.modify(id, wish) {
                // Whatever has the call, it can be ended.
                Err(ControlError::NoApplication) if is_end => hang_up(Control::HangUp),
                done => done,
            },
            (Some(_), Some(leg)) if is_end => hang_up(Control::DropParty { leg }),
            (Some(_), _) => {
                return state("A leg that was dialled hears no documents of its own here.");
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(ControlError::NoApplication) => state("No application has this call."),
            Err(ControlError::NoCall | ControlError::NoLeg) => {
                state("Call is not in-progress. Cannot redirect.")
            }
            Err(error) => Err(Fault::bad(code::STATE, error.to_string())),
        }
    }

    /// `Twiml`, or `Url` with `Method`.
    fn source(&self) -> Result<Option<Source>, Fault> {
        if let Some(text) = self.said.get("Twiml") {
            if self.said.get("Url").is_some() {
                return Err(Fault::bad(code::URL, "Url and Twiml exclude each other"));
            }
            let document = Document::parse_inline(text)
                .map_err(|fault| Fault::bad(fault.code.into(), format!("Twiml: {fault}")))?;
            return Ok(Some(Source::Document(Box::new(document))));
        }
        let link: Option<Link> = self.said.link("Url", "Method", code::URL)?;
        Ok(link.map(Source::Url))
    }

    /// A call by its SID.
    pub(super) fn call(&self, sid: &str) -> Result<(CallRecord, PublicLeg), Fault> {
        let gone = || self.gone();
        let sid: Sid = sid.parse().map_err(|_| gone())?;
        if !sid.is(SidKind::Call) {
            return Err(gone());
        }
        let record = self.record_of(&sid)?.ok_or_else(gone)?;
        let leg = PublicLeg::find(&record, self.account, &sid).ok_or_else(gone)?;
        Ok((record, leg))
    }

    /// The call that has, or had, something with this SID: itself, a leg, a recording.
    pub(super) fn record_of(&self, sid: &Sid) -> Result<Option<CallRecord>, Fault> {
        if let Some(live) = self.sources.live.call_by_sid(sid) {
            return Ok(Some(live.as_of(self.sources.live.now())));
        }
        let archive = &self.sources.archive;
        if let Some(record) = archive.find_by_sid(sid.as_str())? {
            return Ok(Some(record));
        }
        // It may have ended this moment.
        archive.catch_up(WRITTEN_BY);
        Ok(archive.find_by_sid(sid.as_str())?)
    }
}

/// Whether a call is such that this can be done to it.
fn can_carry_out(leg: &PublicLeg, wish: &Modification) -> Result<(), Fault> {
    let state = |words: &str| Err(Fault::bad(code::STATE, words));
    if leg.is_over() {
        return state("Call is not in-progress. Cannot redirect.");
    }
    let goes_elsewhere = matches!(wish, Modification::Document(_) | Modification::Redirect(_));
    if goes_elsewhere && leg.answered.is_none() {
        return state("Call is not in-progress. Cannot redirect.");
    }
    if *wish == Modification::Cancel && leg.answered.is_some() {
        return state("Call is in-progress. Cannot cancel; complete it instead.");
    }
    Ok(())
}

fn status(word: &str) -> Result<CallStatus, Fault> {
    const ALL: [CallStatus; 8] = [
        CallStatus::Busy,
        CallStatus::Canceled,
        CallStatus::Completed,
        CallStatus::Failed,
        CallStatus::InProgress,
        CallStatus::NoAnswer,
        CallStatus::Queued,
        CallStatus::Ringing,
    ];
    let found = ALL.into_iter().find(|status| status.as_str() == word);
    found.ok_or_else(|| wrong("Status", "queued, ringing, in-progress, completed, ..."))
}

/// Whether a number or address is the one that is asked for.
fn is_same(own: &str, asked: &str) -> bool {
    let user = |text: &str| {
        let text = text
            .strip_prefix("sip:")
            .or(text.strip_prefix("client:"))
            .unwrap_or(text);
        text.split('@').next().unwrap_or_default().to_owned()
    };
    own == asked || user(own) == user(asked)
}

/// How long the record of a call that has just ended is waited for: it takes some 60 ms.
pub(super) const WRITTEN_BY: Duration = Duration::from_millis(500);
/// How long somebody is rung when nothing is said.
/// A call began at most so long before one of its legs was answered.
const LONGEST: Duration = Duration::from_secs(86_400);
const USUAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Most of `SendDigits`.
const MOST_DIGITS: usize = 32;
/// What `SendDigits` is made of.
const DIGITS: &[u8] = b"0123456789ABCD*#wW";
