//! The number plan: what a dialled number means, to a phone and to a trunk.
//!
//! Numbers are dialled whole (RFC 3261 has no overlap dialling here), so a number never hides a
//! longer one. An exact number outranks a range or an outbound prefix it lies in only where the
//! plan says so: exact numbers and ranges must not meet, and both outrank prefixes; among
//! prefixes the longest wins, and of equal ones that which names kinds of numbers.
//!
//! With a [`Site`] a number is known in whatever form it is dialled, and calls for help outrank
//! everything.

mod entry;
mod overlap;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use entry::{AgentService, ClosingService, Entry, MailboxService, Meaning, Service, Strip};
pub use overlap::Overlap;
pub use reach::{Reach, TrunkReach};

use overlap::overlaps;

use super::pattern::{Pattern, normalise};
use super::{NumberKind, Site};

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A flow's `dial` step: what phones may dial, but for agents' own services.
    Flow,
    /// A registered phone, by number.
    Phone(&'a str),
    /// A trunk, by name.
    Trunk(&'a str),
}

/// Where a dialled number leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// What the agent on the dialling phone tells or asks, with the digits he dialled after it.
    Agent(AgentService, String),
    /// An application of the user's.
    Application {
        /// The number that leads to it, in its first form.
        number: String,
        /// Attributes the number gives to its calls.
        attributes: Map<String, Value>,
    },
    /// A conference room, by its number.
    Conference(String),
    /// What is said comes back.
    Echo,
    /// A flow.
    Flow {
        /// Name of the flow.
        name: String,
        /// The number that leads to it, in its first form.
        number: String,
        /// Attributes the number gives to its calls.
        attributes: Map<String, Value>,
        /// Name of the number's calendar.
        #[serde(default)]
        calendar: Option<String>,
    },
    /// A calendar to be closed or opened by hand, with the digits dialled after the code.
    Closing(ClosingService, String),
    /// Phones and numbers that ring together, as phones would dial them.
    Group(Vec<String>),
    /// Hold music.
    HoldMusic,
    /// A mailbox, with the digits dialled after the code.
    Mailbox(MailboxService, String),
    /// A phone, by number.
    Phone(String),
    /// A steady tone of 1004 Hz.
    Tone,
    /// Out by a trunk.
    Trunk {
        /// Names of the trunks, in the order they are tried.
        trunks: Vec<String>,
        /// Number as the trunk shall get it.
        number: String,
    },
}

/// The whole plan, ready for look-ups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    entries: Vec<Entry>,
    exact: HashMap<String, Vec<usize>>,
    ranges: Vec<usize>,
    /// Longest first.
    prefixes: Vec<usize>,
    /// Inbound numbers by E.164.
    inbound: HashMap<String, Vec<usize>>,
    /// The plan by which numbers are read; without one they are only what is written.
    site: Option<Site>,
    /// Trunk of emergency calls; they go the way of other numbers without one.
    emergency: Option<String>,
}

impl Numbers {
    /// The plan of these entries; every pair that claims the same number for the same dialler.
    pub fn new(entries: Vec<Entry>) -> Result<Self, Vec<Overlap>> {
        let overlaps = overlaps(&entries);
        if !overlaps.is_empty() {
            return Err(overlaps);
        }
        let mut plan = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            match &entry.pattern {
                Pattern::Exact(number) => {
                    plan.exact.entry(number.clone()).or_default().push(index);
                }
                Pattern::Prefix(_) => plan.prefixes.push(index),
                Pattern::Range { .. } => plan.ranges.push(index),
            }
        }
        plan.prefixes
            .sort_by_key(|&index| match &entries[index].pattern {
                Pattern::Prefix(prefix) => {
                    let all_kinds = entries[index].meaning.kinds().is_empty();
                    (std::cmp::Reverse(prefix.len()), all_kinds)
                }
                _ => (std::cmp::Reverse(0), true),
            });
        plan.entries = entries;
        Ok(plan)
    }

    /// The same plan for a site: inbound numbers are known in every form, numbers have kinds, and
    /// emergency calls go out by `emergency`. Two inbound numbers that are one in E.164 and lead to
    /// different flows are overlaps.
    pub fn for_site(
        mut self,
        site: Option<Site>,
        emergency: Option<String>,
    ) -> Result<Self, Vec<Overlap>> {
        let mut overlaps = Vec::new();
        for (second, entry) in self.entries.iter().enumerate() {
            let (Pattern::Exact(text), Meaning::Application { .. } | Meaning::Flow { .. }) =
                (&entry.pattern, &entry.meaning)
            else {
                continue;
            };
            let Some(e164) = site.as_ref().and_then(|site| site.e164(text)) else {
                continue;
            };
            let same = self.inbound.entry(e164.clone()).or_default();
            for &first in same.iter() {
                let other = &self.entries[first];
                if other.meaning != entry.meaning && other.reach.meets(&entry.reach) {
                    overlaps.push(Overlap {
                        first,
                        second,
                        number: e164.clone(),
                    });
                }
            }
            same.push(second);
        }
        (self.site, self.emergency) = (site, emergency);
        if overlaps.is_empty() {
            Ok(self)
        } else {
            Err(overlaps)
        }
    }

    /// The plan by which numbers are read.
    pub fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// Name of the trunk of emergency calls; `None` when they go the way of other numbers.
    pub fn emergency_trunk(&self) -> Option<&str> {
        self.emergency.as_deref()
    }

    /// Whether a phone that dials `text` calls for help: by the number itself, or behind an
    /// outbound prefix. Such calls are exempt from every limit.
    pub fn is_emergency(&self, text: &str) -> bool {
        normalise(text).is_some_and(|number| self.emergency_number(&number).is_some())
    }

    /// The short number behind whatever stands before it.
    fn emergency_number(&self, number: &str) -> Option<String> {
        let site = self.site.as_ref()?;
        let read = |text: &str| {
            let read = site.read(text).ok()?;
            (read.kind == NumberKind::Emergency).then_some(read.written)
        };
        if let Some(found) = read(number) {
            return Some(found);
        }
        if self.exact.contains_key(number) {
            return None;
        }
        self.prefixes.iter().find_map(|&index| {
            let entry = self.entries.get(index)?;
            match (&entry.pattern, &entry.meaning) {
                (
                    Pattern::Prefix(prefix),
                    Meaning::Outbound {
                        strip: Strip::TakeOff,
                        ..
                    },
                ) => read(number.strip_prefix(prefix.as_str())?),
                _ => None,
            }
        })
    }

    fn emergency_call(&self, origin: Origin<'_>, number: &str) -> Option<Destination> {
        if matches!(origin, Origin::Trunk(_)) {
            return None;
        }
        let trunk = self.emergency.clone()?;
        let number = self.emergency_number(number)?;
        Some(Destination::Trunk {
            trunks: vec![trunk],
            number,
        })
    }

    fn covers(&self, index: usize, number: &str) -> bool {
        let entry = self.entries.get(index);
        entry.is_some_and(|entry| entry.pattern.covers(number))
    }

    /// Where `text`, dialled by `origin`, leads; `None` when the number is not assigned.
    pub fn dialled(&self, origin: Origin<'_>, text: &str) -> Option<Destination> {
        let number = normalise(text)?;
        if let Some(emergency) = self.emergency_call(origin, &number) {
            return Some(emergency);
        }
        let site = self.site.as_ref();
        let e164 = site.and_then(|site| site.e164(&number));
        let inbound = e164.and_then(|e164| self.inbound.get(&e164));
        let exact = self.exact.get(&number).into_iter().flatten();
        let written = exact
            .chain(&self.ranges)
            .filter(|index| self.covers(**index, &number));
        written
            .chain(inbound.into_iter().flatten())
            .chain(
                self.prefixes
                    .iter()
                    .filter(|index| self.covers(**index, &number)),
            )
            .filter_map(|&index| self.entries.get(index))
            .filter(|entry| entry.reach.includes(origin))
            .find_map(|entry| entry.destination(origin, &number, site))
    }

    /// Entries that `text` is a form of, whatever they mean.
    fn forms_of(&self, text: &str) -> impl Iterator<Item = &Entry> {
        let number = normalise(text);
        let e164 = || self.site.as_ref()?.e164(number.as_ref()?);
        let inbound = e164().and_then(|e164| self.inbound.get(&e164));
        let exact = number.as_ref().and_then(|number| self.exact.get(number));
        let places = exact.into_iter().chain(inbound).flatten();
        places.filter_map(|&index| self.entries.get(index))
    }

    /// The calendar of the inbound number that `text` is a form of, the first where several have one.
    pub fn calendar_of(&self, text: &str) -> Option<&str> {
        self.forms_of(text).find_map(|entry| match &entry.meaning {
            Meaning::Flow { calendar, .. } => calendar.as_deref(),
            _ => None,
        })
    }

    /// The inbound number that `text` is a form of, in its first form.
    pub fn inbound_number(&self, text: &str) -> Option<&str> {
        self.forms_of(text).find_map(|entry| match &entry.meaning {
            Meaning::Application { number, .. } | Meaning::Flow { number, .. } => {
                Some(number.as_str())
            }
            _ => None,
        })
    }

    /// Every entry, in the order given.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
