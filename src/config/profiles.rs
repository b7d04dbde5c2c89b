//! `profiles.toml`: channels, and the routing profiles that say which queues an agent serves, in
//! which order and after which wait.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::agents::Agents;
use super::files::{Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::queues::Queues;
use super::report::Problem;
use super::section::{At, Section};
use crate::expr::{Expression, Scope};
use crate::router::{
    ChannelSpec, OtherChannels, Plan, ProfileChannel, ProfileEntry, ProfileSpec, QueueSpec, VOICE,
    WorkerSpec,
};

/// Channels and profiles as read.
#[derive(Debug)]
pub(super) struct Profiles {
    /// Profiles.
    pub(super) specs: Vec<ProfileSpec>,
    /// Channels that are written.
    pub(super) channels: Vec<ChannelSpec>,
    names: Names,
    channel_names: Names,
}

/// Reads channels and profiles, and checks what agents say of them.
pub(super) fn read(files: &Files, agents: &Agents, queues: &Queues, notes: &Notes) -> Profiles {
    let is_complete = files.is_complete(Kind::Profiles);
    let mut profiles = Profiles {
        specs: Vec::new(),
        channels: Vec::new(),
        names: Names::new("profile", is_complete),
        channel_names: Names::new("channel", is_complete),
    };
    let tops: Vec<Section<'_>> = files
        .of(Kind::Profiles)
        .iter()
        .map(|file| Section::new(notes, &file.table, "profiles.toml"))
        .collect();
    for channel in tops
        .iter()
        .flat_map(|top| top.sections("channel", "a channel"))
    {
        profiles.read_channel(channel, notes);
    }
    if profiles.channel_names.place(VOICE).is_none() {
        let built_in = At {
            value: VOICE.to_owned(),
            place: super::files::nowhere("profiles.toml"),
        };
        profiles.channel_names.declare(notes, &built_in);
    }
    for profile in tops
        .iter()
        .flat_map(|top| top.sections("profile", "a profile"))
    {
        profiles.read_profile(profile, queues, notes);
    }
    tops.into_iter().for_each(Section::close);
    for profile in &agents.profiles {
        profiles.names.refer(notes, profile);
    }
    for channel in &agents.channels {
        profiles.channel_names.refer(notes, channel);
    }
    if is_complete {
        profiles.check_served(agents, queues, notes);
    }
    profiles
}

impl Profiles {
    fn read_channel(&mut self, channel: Section<'_>, notes: &Notes) {
        let name = channel.required("name", "chat");
        let capacity = channel.integer("capacity", CAPACITY);
        channel.close();
        if let Some(name) = name {
            self.channel_names.declare(notes, &name);
            self.channels.push(ChannelSpec {
                name: name.value,
                capacity: capacity.map_or(1, |at| as_capacity(at.value)),
            });
        }
    }

    fn read_profile(&mut self, profile: Section<'_>, queues: &Queues, notes: &Notes) {
        let name = profile.required("name", "sales");
        let mut entries = Vec::new();
        let mut listed = HashSet::new();
        for serves in profile.sections("serves", "a queue of a profile") {
            let Some((queue, entry)) = self.read_entry(serves, queues, notes) else {
                continue;
            };
            if !listed.insert((entry.queue.clone(), entry.channel.clone())) {
                let message = format!("\"{}\" is listed twice for {}", entry.queue, entry.channel);
                notes.error(&queue.place, message, "delete one of the two");
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            let message = "a profile without queues: its agents are offered nothing";
            let help = "add serves = [{ queue = \"sales\" }]";
            notes.warning(profile.place(), message, help);
        }
        let mut channels = BTreeMap::new();
        for (channel, section) in profile.named_sections("channels", "a channel of a profile") {
            self.channel_names.refer(notes, &channel);
            let others = [
                ("allowed", OtherChannels::Allowed),
                ("barred", OtherChannels::Barred),
            ];
            let of = ProfileChannel {
                capacity: section.integer("capacity", CAPACITY).map_or_else(
                    || self.capacity_of(&channel.value),
                    |at| as_capacity(at.value),
                ),
                others: section
                    .one_of("others", &others)
                    .map_or(OtherChannels::Allowed, |at| at.value),
            };
            section.close();
            channels.insert(channel.value, of);
        }
        profile.close();
        if let Some(name) = name {
            self.names.declare(notes, &name);
            self.specs.push(ProfileSpec {
                name: name.value,
                entries,
                channels,
            });
        }
    }

    fn read_entry(
        &self,
        serves: Section<'_>,
        queues: &Queues,
        notes: &Notes,
    ) -> Option<(At<String>, ProfileEntry)> {
        let queue = serves.required("queue", "sales");
        let channel = serves.text("channel");
        let priorities = ProfileSpec::PRIORITIES;
        let priorities = i64::from(*priorities.start())..=i64::from(*priorities.end());
        let priority = serves.integer("priority", priorities);
        let delay = serves.duration("delay", Duration::ZERO..=ProfileSpec::LONGEST_DELAY);
        serves.close();
        if let Some(channel) = &channel {
            self.channel_names.refer(notes, channel);
        }
        let queue = queue?;
        queues.names.refer(notes, &queue);
        let entry = ProfileEntry {
            queue: queue.value.clone(),
            channel: channel.map_or_else(|| VOICE.to_owned(), |at| at.value),
            priority: priority
                .and_then(|at| u8::try_from(at.value).ok())
                .unwrap_or(1),
            delay: delay.map_or(Duration::ZERO, |at| at.value),
        };
        Some((queue, entry))
    }

    fn capacity_of(&self, channel: &str) -> u32 {
        let spec = self.channels.iter().find(|spec| spec.name == channel);
        spec.map_or(1, |spec| spec.capacity)
    }

    /// A queue that only agents match whose profiles leave it out is served by nobody.
    fn check_served(&self, agents: &Agents, queues: &Queues, notes: &Notes) {
        for queue in &queues.specs {
            let Ok(target) = Expression::parse(&queue.target) else {
                continue;
            };
            let nothing = serde_json::Map::new();
            let matches = |seen| {
                target.uses_task()
                    || target.looks_at_state()
                    || target.eval(&Scope::new(seen, &nothing))
            };
            let mut matching = agents
                .workers
                .iter()
                .zip(&agents.seen)
                .filter(|(_, seen)| matches(seen))
                .map(|(worker, _)| worker)
                .peekable();
            // That nobody matches is told where the expression stands.
            if matching.peek().is_none() || matching.any(|worker| self.serves(worker, queue)) {
                continue;
            }
            if let Some(place) = queues.names.place(&queue.name) {
                let message = "no agent's profile has this queue, so nobody serves it";
                let help = "add it to `serves` of a profile in profiles.toml";
                let first = self.names.iter().next();
                let problem = Problem::warning(place, message, help);
                notes.push(match first.and_then(|name| self.names.place(name)) {
                    Some(place) => problem.with(place, "the first profile is at"),
                    None => problem,
                });
            }
        }
    }

    fn serves(&self, worker: &WorkerSpec, queue: &QueueSpec) -> bool {
        let Some(profile) = worker.profile.as_ref().filter(|_| !queue.agent) else {
            return true;
        };
        let spec = self.specs.iter().find(|spec| spec.name == *profile);
        // One that is not there is an error of its own.
        spec.is_none_or(|spec| spec.entries.iter().any(|entry| entry.queue == queue.name))
    }
}

fn as_capacity(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(Plan::MOST_CAPACITY)
}

const CAPACITY: std::ops::RangeInclusive<i64> = 0..=Plan::MOST_CAPACITY as i64;
