//! What a request says: names and values of a query or a form. A name may come several times; what
//! no resource knows is passed over, as the public platform does.

use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, code};
use crate::base::Timestamp;
use crate::twiml::{
    Link, Method, ProgressEvent, RecordingCallback, RecordingEvent, StatusCallback,
};

/// Names and values in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// From a query, or from the body of a form.
    pub(super) fn read(text: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(text);
        let pairs = pairs.take(MOST).map(|(name, value)| {
            let (name, value) = (name.into_owned(), value.into_owned());
            (name, value)
        });
        Self(pairs.collect())
    }

    /// Every name with its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    /// The value of a name; one that is empty counts as not said.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All values of a name that comes several times, or once with blanks between.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        values
            .flat_map(|(_, value)| value.split_ascii_whitespace())
            .collect()
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let value = self.get(name).map(str::to_ascii_lowercase);
        match value.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// One of some words.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Result<Option<&str>, Fault> {
        match self.get(name) {
            Some(word) if !words.contains(&word) => {
                Err(wrong(name, &format!("one of {}", words.join(", "))))
            }
            word => Ok(word),
        }
    }

    /// Whole seconds within a range.
    pub(super) fn seconds(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
        code: u32,
    ) -> Result<Option<Duration>, Fault> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(seconds) if range.contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
            _ => {
                let (least, most) = (range.start(), range.end());
                let words = format!("{name} is a number of seconds from {least} to {most}");
                Err(Fault::bad(code, words))
            }
        }
    }

    /// GET or POST; POST when nothing is said.
    pub(super) fn method(&self, name: &str) -> Result<Method, Fault> {
        match self.get(name) {
            None => Ok(Method::Post),
            Some(text) => Method::from_str(&text.to_ascii_uppercase())
                .map_err(|_| Fault::bad(code::HTTP_METHOD, format!("{name} is GET or POST"))),
        }
    }

    /// An absolute URL with the method of another name.
    pub(super) fn link(&self, name: &str, method: &str, code: u32) -> Result<Option<Link>, Fault> {
        let Some(url) = self.get(name) else {
            return Ok(None);
        };
        let method = self.method(method)?;
        let link = Link {
            url: url.to_owned(),
            method,
        };
        let resolved = link.resolve(None);
        let resolved = resolved.map_err(|fault| Fault::bad(code, format!("{name}: {fault}")));
        resolved.map(Some)
    }

    /// Who is told how a call goes.
    pub(super) fn status_callback(&self) -> Result<Option<StatusCallback>, Fault> {
        let (name, method) = ("StatusCallback", "StatusCallbackMethod");
        let Some(link) = self.link(name, method, code::STATUS_CALLBACK)? else {
            return Ok(None);
        };
        let mut events = Vec::new();
        for word in self.all("StatusCallbackEvent") {
            let event = ProgressEvent::from_str(word).map_err(|_| {
                wrong(
                    "StatusCallbackEvent",
                    "initiated, ringing, answered or completed",
                )
            })?;
            if !events.contains(&event) {
                events.push(event);
            }
        }
        if events.is_empty() {
            events.push(ProgressEvent::Completed);
        }
        Ok(Some(StatusCallback { link, events }))
    }

    /// Who is told what becomes of a recording.
    pub(super) fn recording_callback(&self) -> Result<Option<RecordingCallback>, Fault> {
        let (name, method) = ("RecordingStatusCallback", "RecordingStatusCallbackMethod");
        let Some(link) = self.link(name, method, code::STATUS_CALLBACK)? else {
            return Ok(None);
        };
        let mut events = Vec::new();
        for word in self.all("RecordingStatusCallbackEvent") {
            events.push(word.parse::<RecordingEvent>().map_err(|_| {
                wrong(
                    "RecordingStatusCallbackEvent",
                    "in-progress, completed or absent",
                )
            })?);
        }
        if events.is_empty() {
            events.push(RecordingEvent::Completed);
        }
        Ok(Some(RecordingCallback { link, events }))
    }

    /// When something was, by three names: the day of `name`, and before and after with `<` and `>`.
    pub(super) fn span(&self, name: &str) -> Result<Span, Fault> {
        let mut span = Span::default();
        if let Some(text) = self.get(name) {
            let (from, until) = day(name, text)?;
            span.since = Some(from);
            span.before = Some(until);
        }
        if let Some(text) = self.get(&format!("{name}>")) {
            let (from, _) = day(name, text)?;
            span.since = Some(span.since.map_or(from, |since| since.max(from)));
        }
        if let Some(text) = self.get(&format!("{name}<")) {
            // A day counts in.
            let (from, until) = day(name, text)?;
            let end = if text.len() == DAY { until } else { from };
            span.before = Some(span.before.map_or(end, |before| before.min(end)));
        }
        Ok(span)
    }
}

/// From an instant until before another; open where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since: Option<Timestamp>,
    pub(super) before: Option<Timestamp>,
}

impl Span {
    /// Whether an instant is in it.
    pub(super) fn has(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.before.is_none_or(|before| at < before)
    }
}

/// A parameter makes no sense.
pub(super) fn wrong(name: &str, wanted: &str) -> Fault {
    Fault::bad(code::PARAMETER, format!("{name} is {wanted}"))
}

/// A day of UTC as its begin and end, or an instant as that and one second more.
fn day(name: &str, text: &str) -> Result<(Timestamp, Timestamp), Fault> {
    let instant = |text: &str| Timestamp::parse_rfc3339(text);
    if text.len() == DAY
        && let Some(begin) = instant(&format!("{text}T00:00:00Z"))
    {
        return Ok((begin, begin + Duration::from_secs(86_400)));
    }
    match instant(text) {
        Some(at) => Ok((at, at + Duration::from_secs(1))),
        None => Err(wrong(
            name,
            "a day such as 2026-11-20, or an instant such as 2026-11-20T01:02:03Z",
        )),
    }
}

/// Octets of `2026-11-20`.
const DAY: usize = 10;

/// Most names and values that are read.
const MOST: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Parameters {
        Parameters::read(text.as_bytes())
    }

    #[test]
    fn names_may_come_several_times_and_empty_values_are_none() {
        let said = read("StatusCallbackEvent=ringing&StatusCallbackEvent=answered&To=&From=%2B81");
        assert_eq!(said.all("StatusCallbackEvent"), ["ringing", "answered"]);
        assert_eq!(said.get("To"), None);
        assert_eq!(said.get("From"), Some("+81"));
    }

    #[test]
    fn a_callback_is_told_of_the_end_when_nothing_is_said() {
        let said = read("StatusCallback=http%3A%2F%2Fa.example%2Fs&StatusCallbackMethod=get");
        let callback = said.status_callback().unwrap().unwrap();
        assert_eq!(callback.events, [ProgressEvent::Completed]);
        assert_eq!(callback.link.method, Method::Get);
        let all = "StatusCallback=http://a.example/&StatusCallbackEvent=initiated%20ringing";
        let callback = read(all).status_callback().unwrap().unwrap();
        assert_eq!(callback.events.len(), 2);
        for (text, number) in [
            ("StatusCallback=nowhere", code::STATUS_CALLBACK),
            (
                "StatusCallback=http://a/&StatusCallbackEvent=ended",
                code::PARAMETER,
            ),
            (
                "StatusCallback=http://a/&StatusCallbackMethod=PUT",
                code::HTTP_METHOD,
            ),
        ] {
            assert_eq!(
                read(text).status_callback().unwrap_err().code(),
                number,
                "{text}"
            );
        }
    }

    #[test]
    fn spans_are_of_days_or_of_instants() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let span = read("StartTime%3E=2026-11-20&StartTime%3C=2026-11-21")
            .span("StartTime")
            .unwrap();
        assert!(span.has(at("2026-11-20T00:00:00Z")) && span.has(at("2026-11-21T23:59:59Z")));
        assert!(!span.has(at("2026-11-22T00:00:00Z")) && !span.has(at("2026-11-19T23:59:59Z")));
        let day = read("StartTime=2026-11-20").span("StartTime").unwrap();
        assert!(day.has(at("2026-11-20T12:00:00Z")) && !day.has(at("2026-11-21T00:00:00Z")));
        let instant = read("StartTime%3C=2026-11-20T12:00:00Z")
            .span("StartTime")
            .unwrap();
        assert!(!instant.has(at("2026-11-20T12:00:00Z")));
        assert!(read("StartTime=yesterday").span("StartTime").is_err());
    }

    #[test]
    fn numbers_have_their_bounds() {
        let seconds = |text: &str| read(text).seconds("Timeout", 1..=600, code::TIMEOUT);
        assert_eq!(
            seconds("Timeout=600").unwrap(),
            Some(Duration::from_secs(600))
        );
        assert_eq!(seconds("").unwrap(), None);
        for text in ["Timeout=0", "Timeout=601", "Timeout=1.5", "Timeout=-1"] {
            assert_eq!(seconds(text).unwrap_err().code(), code::TIMEOUT, "{text}");
        }
    }
}
