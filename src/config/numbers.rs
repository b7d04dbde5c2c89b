//! `numbers.toml`: inbound numbers, services, the way out; with the phones, the number plan.

use std::collections::HashMap;

use super::applications;
use super::files::{Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::phones::Phones;
use super::report::Problem;
use super::section::{At, Section};
use super::source::Place;
use super::whisper::Uses;
use super::words::remedy;
use crate::base::Timestamp;
use crate::flow::{FlowType, NumberProfile};
use crate::trunk::{
    Destination, Entry, Meaning, NumberKind, NumberOverride, Numbers, Origin, Pattern, Reach,
    Service, Site, Strip, TrunkReach,
};
use crate::twiml::Terms;
use crate::webhook;

/// The entries as they are read, each with its place.
struct Plan<'n> {
    notes: &'n Notes,
    site: Option<&'n Site>,
    /// Trunk of emergency calls.
    emergency: Option<String>,
    entries: Vec<Entry>,
    places: Vec<Place>,
    sounds: Vec<At<String>>,
    /// Flows and whispers of inbound numbers.
    uses: Uses,
    /// Profiles of inbound numbers, by number.
    profiles: HashMap<String, NumberProfile>,
    /// Members of groups, to be looked up when all numbers are known.
    members: Vec<At<String>>,
    /// How URLs are asked.
    urls: &'n webhook::Terms,
    applications: HashMap<String, Terms>,
}

/// What is read of numbers.
pub(super) struct Read {
    /// The plan.
    pub(super) numbers: Numbers,
    /// Sounds that its services play.
    pub(super) sounds: Vec<At<String>>,
    /// Applications, by the first form of the number that leads there.
    pub(super) applications: HashMap<String, Terms>,
    /// Flows and whispers of inbound numbers.
    pub(super) uses: Uses,
    /// Profiles of inbound numbers, by number.
    pub(super) profiles: HashMap<String, NumberProfile>,
}

/// Reads the numbers and joins them with the phones' own; notes every overlap.
pub(super) fn read(
    files: &Files,
    phones: &Phones,
    (trunks, calendars): (&Names, &Names),
    (site, urls): (Option<&Site>, &webhook::Terms),
    notes: &Notes,
) -> Read {
    let mut plan = Plan {
        notes,
        site,
        emergency: None,
        entries: Vec::new(),
        places: Vec::new(),
        sounds: Vec::new(),
        uses: Uses::default(),
        profiles: HashMap::new(),
        members: Vec::new(),
        urls,
        applications: HashMap::new(),
    };
    for number in phones.names.iter() {
        if let (Ok(pattern), Some(place)) = (Pattern::parse(number), phones.place(number)) {
            plan.add(pattern, Reach::PHONES, Meaning::Phone, place);
        }
    }
    for file in files.of(Kind::Numbers) {
        let top = Section::new(notes, &file.table, "numbers.toml");
        for inbound in top.sections("inbound", "an inbound number") {
            plan.read_inbound(inbound, trunks, calendars);
        }
        for group in top.sections("group", "a group") {
            plan.read_group(group);
        }
        for service in top.sections("service", "a service") {
            plan.read_service(service);
        }
        for outbound in top.sections("outbound", "a way out") {
            plan.read_outbound(outbound, trunks);
        }
        if let Some(emergency) = top.section("emergency", "[emergency]") {
            plan.read_emergency(emergency, trunks);
        }
        top.close();
    }
    let members = std::mem::take(&mut plan.members);
    let sounds = std::mem::take(&mut plan.sounds);
    let applications = std::mem::take(&mut plan.applications);
    let uses = std::mem::take(&mut plan.uses);
    let profiles = std::mem::take(&mut plan.profiles);
    let numbers = plan.finish();
    check_members(&numbers, &members, notes);
    Read {
        numbers,
        sounds,
        applications,
        uses,
        profiles,
    }
}

/// Whoever a group names must be a phone, or somebody outside: a group of groups may have no end,
/// and a flow rings nobody.
fn check_members(numbers: &Numbers, members: &[At<String>], notes: &Notes) {
    for member in members {
        match numbers.dialled(Origin::Flow, &member.value) {
            Some(Destination::Phone(_) | Destination::Trunk { .. }) => {}
            _ => {
                let message = format!("{} is no phone and no number outside", member.value);
                let help = "a group has phones and numbers outside, as phones dial them";
                notes.error(&member.place, message, help);
            }
        }
    }
}

impl Plan<'_> {
    fn read_inbound(&mut self, inbound: Section<'_>, trunks: &Names, calendars: &Names) {
        let number = inbound.required("number", "+81312345678");
        let also = inbound.texts("also").unwrap_or_default();
        let from_phones = inbound.texts("from_phones").unwrap_or_default();
        let named = inbound.texts("trunks");
        let phones = inbound.flag("phones").is_none_or(|at| at.value);
        let application = applications::read(&inbound, self.urls, self.notes);
        let flow = match inbound.has("url") {
            false => inbound.required("flow", "main"),
            true => inbound.text("flow"),
        };
        if let (Some(flow), true) = (&flow, inbound.has("url")) {
            let message = "both `flow` and `url`";
            let help = "keep the one that says what becomes of the number's calls";
            self.notes.error(&flow.place, message, help);
        }
        let mut attributes = inbound.attributes("attributes");
        let calendar = inbound.text("calendar");
        let greeting = inbound.texts("greeting").unwrap_or_default();
        let language = inbound.text("language");
        let uses = &mut self.uses;
        let whisper = uses.read_whisper(&inbound, "whisper", FlowType::AgentWhisper, self.notes);
        let disconnect = uses.read_flow(&inbound, "disconnect_flow", FlowType::Disconnect);
        let instead = read_override(&inbound, &mut self.uses);
        inbound.close();
        if let Some(language) = language {
            if attributes.contains_key("language") {
                let message = "`language` is also one of the number's attributes";
                self.notes
                    .error(&language.place, message, "keep one of the two");
            }
            attributes.insert("language".to_owned(), language.value.into());
        }
        let profile = NumberProfile {
            greeting: greeting.iter().map(|at| at.value.clone()).collect(),
            whisper,
            disconnect,
            instead,
        };
        if let Some(number) = number
            .as_ref()
            .filter(|_| profile != NumberProfile::default())
        {
            self.profiles.insert(number.value.clone(), profile);
        }
        self.sounds.extend(greeting);
        if let Some(calendar) = &calendar {
            calendars.refer(self.notes, calendar);
        }
        for trunk in named.iter().flatten() {
            trunks.refer(self.notes, trunk);
        }
        if let Some(flow) = &flow {
            self.uses.flows.push((flow.clone(), FlowType::Inbound));
        }
        let Some(number) = number else {
            return;
        };
        let meaning = match (flow, application) {
            (_, Some(terms)) => {
                if let Some(calendar) = &calendar {
                    let message = "a number with a `url` asks no calendar";
                    let help = "delete the line: the application knows when it is open";
                    self.notes.error(&calendar.place, message, help);
                }
                self.applications.insert(number.value.clone(), terms);
                Meaning::Application {
                    number: number.value.clone(),
                    attributes,
                }
            }
            (Some(flow), None) => Meaning::Flow {
                name: flow.value,
                number: number.value.clone(),
                attributes,
                calendar: calendar.map(|at| at.value),
            },
            (None, None) => return,
        };
        let trunks = match named {
            None => TrunkReach::All,
            Some(named) => TrunkReach::Named(named.into_iter().map(|at| at.value).collect()),
        };
        let reach = Reach { phones, trunks };
        for text in std::iter::once(&number).chain(&also) {
            self.add_text(text, reach.clone(), meaning.clone());
        }
        for text in &from_phones {
            self.add_text(text, Reach::PHONES, meaning.clone());
        }
    }

    fn read_group(&mut self, group: Section<'_>) {
        let number = group.required("number", "700");
        group.demand("members", "[\"1001\", \"1002\"]");
        let members = group.texts("members").unwrap_or_default();
        group.close();
        let Some(number) = number else { return };
        if members.is_empty() || members.len() > MOST_MEMBERS {
            let message = format!("a group has 1 to {MOST_MEMBERS} members");
            let help = "a queue serves more: docs/routing.md";
            self.notes.error(&number.place, message, help);
        }
        let names = members.iter().map(|at| at.value.clone()).collect();
        self.members.extend(members);
        self.add_text(&number, Reach::PHONES, Meaning::Group(names));
    }

    fn read_service(&mut self, service: Section<'_>) {
        let number = service.required("number", "600");
        service.demand("service", "\"echo\"");
        let kind = service.one_of("service", &Service::WORDS);
        service.close();
        if let (Some(number), Some(kind)) = (number, kind) {
            let sounds = kind.value.sounds().iter();
            self.sounds.extend(sounds.map(|sound| At {
                value: (*sound).to_owned(),
                place: kind.place.clone(),
            }));
            let meaning = Meaning::Service(kind.value);
            self.add_text(&number, Reach::PHONES, meaning.clone());
            if let (true, Ok(Pattern::Exact(text))) =
                (kind.value.takes_digits(), Pattern::parse(&number.value))
            {
                let longer = Pattern::Prefix(text);
                self.add(longer, Reach::PHONES, meaning, &number.place);
            }
        }
    }

    fn read_emergency(&mut self, emergency: Section<'_>, trunks: &Names) {
        let trunk = emergency.required("trunk", "demo");
        let place = emergency.place().clone();
        emergency.close();
        if self.site.is_none() {
            let message = "emergency numbers are not known without a numbering plan";
            let help = "set country = \"jp\" in [site] of node.toml";
            self.notes.error(&place, message, help);
        }
        if let Some(trunk) = trunk {
            trunks.refer(self.notes, &trunk);
            if self.emergency.replace(trunk.value).is_some() {
                let message = "there are two [emergency] sections";
                self.notes.error(&place, message, "delete one of them");
            }
        }
    }

    /// Kinds of numbers that an outbound rule names.
    fn read_kinds(&self, outbound: &Section<'_>) -> Option<Vec<NumberKind>> {
        let mut kinds = Vec::new();
        for text in outbound.texts("kinds")? {
            let known = NumberKind::WORDS.iter();
            match known.into_iter().find(|(word, _)| *word == text.value) {
                Some((_, kind)) => kinds.push(*kind),
                None => {
                    let words: Vec<&str> =
                        NumberKind::WORDS.iter().map(|(word, _)| *word).collect();
                    let message = format!("there is no kind of number \"{}\"", text.value);
                    let help = remedy(&text.value, &words, "kinds are");
                    self.notes.error(&text.place, message, help);
                }
            }
            if self.site.is_none() {
                let message = "numbers have no kinds without a numbering plan";
                let help = "set country = \"jp\" in [site] of node.toml";
                self.notes.error(&text.place, message, help);
            }
        }
        Some(kinds)
    }

    fn read_outbound(&mut self, outbound: Section<'_>, trunks: &Names) {
        let kinds = self.read_kinds(&outbound);
        // Kinds say by themselves which numbers go out.
        let prefix = match kinds {
            None => outbound.required("prefix", "0"),
            Some(_) => outbound.text("prefix"),
        };
        let prefix = prefix.or_else(|| {
            kinds.is_some().then(|| At {
                value: String::new(),
                place: outbound.place().clone(),
            })
        });
        let ways = read_ways(self.notes, &outbound, trunks);
        let keeps = outbound.flag("keep_prefix").is_some_and(|at| at.value);
        let prepend = outbound.text("prepend");
        outbound.close();
        if let Some(prepend) = &prepend
            && !prepend
                .value
                .bytes()
                .all(|c| c.is_ascii_digit() || c == b'+')
        {
            let message = format!("\"{}\" is no beginning of a number", prepend.value);
            self.notes.error(
                &prepend.place,
                message,
                "write digits or +, such as \"+81\"",
            );
        }
        let (Some(prefix), Some(trunks)) = (prefix, ways) else {
            return;
        };
        let pattern = match prefix.value.is_empty() {
            true => Ok(Pattern::Exact(String::new())),
            false => Pattern::parse(&prefix.value),
        };
        match pattern {
            Ok(Pattern::Exact(text)) => {
                let meaning = Meaning::Outbound {
                    trunks,
                    strip: if keeps { Strip::Keep } else { Strip::TakeOff },
                    prepend: prepend.map(|at| at.value).unwrap_or_default(),
                    kinds: kinds.unwrap_or_default(),
                };
                self.add(Pattern::Prefix(text), Reach::PHONES, meaning, &prefix.place);
            }
            _ => {
                let message = format!("\"{}\" is no prefix", prefix.value);
                self.notes
                    .error(&prefix.place, message, "write the digits before the number");
            }
        }
    }

    fn add_text(&mut self, text: &At<String>, reach: Reach, meaning: Meaning) {
        let is_service = matches!(meaning, Meaning::Service(_));
        match Pattern::parse(&text.value) {
            Ok(Pattern::Range { .. }) if !is_service => {
                let message = format!("{} is a range; one number leads to a flow", text.value);
                self.notes
                    .error(&text.place, message, "write every number by itself");
            }
            Ok(pattern) => self.add(pattern, reach, meaning, &text.place),
            Err(error) => self
                .notes
                .error(&text.place, error.to_string(), NUMBER_HELP),
        }
    }

    fn add(&mut self, pattern: Pattern, reach: Reach, meaning: Meaning, place: &Place) {
        if let (Pattern::Exact(number), Some(site)) = (&pattern, self.site)
            && site.is_emergency(number)
        {
            let message = format!("{number} calls for help: nothing else can have it");
            let help = "choose another number; emergency calls go out by [emergency]";
            self.notes.error(place, message, help);
        }
        self.entries.push(Entry {
            pattern,
            reach,
            meaning,
        });
        self.places.push(place.clone());
    }

    fn finish(self) -> Numbers {
        let what: Vec<String> = self.entries.iter().map(describe).collect();
        let (site, emergency) = (self.site.cloned(), self.emergency);
        let numbers = Numbers::new(self.entries);
        match numbers.and_then(|numbers| numbers.for_site(site, emergency)) {
            Ok(numbers) => numbers,
            Err(overlaps) => {
                for overlap in overlaps {
                    let (first, second) = (overlap.first, overlap.second);
                    let message = format!(
                        "{} overlaps {}: both claim {}",
                        what[second], what[first], overlap.number
                    );
                    let help = "give one of them another number";
                    let problem = Problem::error(&self.places[second], message, help);
                    self.notes
                        .push(problem.with(&self.places[first], "the other is at"));
                }
                Numbers::default()
            }
        }
    }
}

/// Another flow for a while; one without end is the number's flow.
fn read_override(inbound: &Section<'_>, uses: &mut Uses) -> Option<NumberOverride> {
    let section = inbound.section("override", "an override")?;
    section.demand("flow", "\"maintenance\"");
    let flow = uses.read_flow(&section, "flow", FlowType::Inbound);
    section.demand("until", "\"2026-12-01T08:00:00+09:00\"");
    let help = "write a day, a time and its zone: until = \"2026-12-01T08:00:00+09:00\"";
    let until = section.parsed("until", help, |text| {
        Timestamp::parse_rfc3339(text).ok_or("this is no time")
    });
    let reason = section.text("reason").map(|at| at.value);
    section.close();
    Some(NumberOverride {
        flow: flow?,
        until: Some(until?.value),
        reason,
    })
}

/// `trunk`, or `trunks` in the order they are tried.
fn read_ways(notes: &Notes, outbound: &Section<'_>, trunks: &Names) -> Option<Vec<String>> {
    let listed = outbound.texts("trunks");
    let ways = match listed {
        None => vec![outbound.required("trunk", "demo")?],
        Some(ways) => {
            if let Some(one) = outbound.text("trunk") {
                let message = "both `trunk` and `trunks`";
                notes.error(
                    &one.place,
                    message,
                    "keep `trunks`, in the order they are tried",
                );
            }
            ways
        }
    };
    for (index, way) in ways.iter().enumerate() {
        trunks.refer(notes, way);
        if ways[..index].iter().any(|before| before.value == way.value) {
            let message = format!("the trunk \"{}\" is there twice", way.value);
            notes.error(&way.place, message, "name each trunk once");
        }
    }
    if ways.is_empty() {
        outbound.demand("trunk", "\"demo\"");
        return None;
    }
    Some(ways.into_iter().map(|way| way.value).collect())
}

fn describe(entry: &Entry) -> String {
    let pattern = &entry.pattern;
    match &entry.meaning {
        Meaning::Application { .. } | Meaning::Flow { .. } => format!("inbound number {pattern}"),
        Meaning::Group(_) => format!("group {pattern}"),
        Meaning::Outbound { kinds, .. } if !kinds.is_empty() => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            format!("outbound prefix {pattern} for {}", kinds.join(", "))
        }
        Meaning::Outbound { .. } => format!("outbound prefix {pattern}"),
        Meaning::Phone => format!("phone {pattern}"),
        Meaning::Service(_) => format!("service {pattern}"),
    }
}

/// Most members of a group.
const MOST_MEMBERS: usize = 50;
const NUMBER_HELP: &str = "write digits with + in front if need be, or a range such as 3000-3999";
