//! `agents.toml`: agents with their phones and attributes, and the activities they can be in.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Map, Value};

use super::desk::{self, Desk};
use super::environment::Environment;
use super::files::{Files, Kind};
use super::heartbeat::{self, Heartbeat};
use super::names::Names;
use super::notes::Notes;
use super::report::Problem;
use super::section::{At, Section};
use super::source::Place;
use crate::expr::Schema;
use crate::router::{ActivitySpec, NOT_ANSWERING, Plan, WorkerSpec};

/// Agents and activities as read.
#[derive(Debug)]
pub(super) struct Agents {
    /// Agents.
    pub(super) workers: Vec<WorkerSpec>,
    /// What expressions see of each of them.
    pub(super) seen: Vec<Map<String, Value>>,
    /// The attributes there are; nothing is said of them when there is no agent at all.
    pub(super) schema: Schema,
    /// Activities; `available` and `away` when none is written.
    pub(super) activities: Vec<ActivitySpec>,
    /// Names of activities, with the built-in one.
    pub(super) activity_names: Names,
    /// What holds for those who work by phone.
    pub(super) desk: Desk,
    /// Every routing profile named, with its place.
    pub(super) profiles: Vec<At<String>>,
    /// Every channel named, with its place.
    pub(super) channels: Vec<At<String>>,
    /// What holds for agents' programs.
    pub(super) heartbeat: Heartbeat,
}

/// Reads agents and activities; each agent's phone must be among `phones`.
pub(super) fn read(
    files: &Files,
    phones: &Names,
    secrets: (&Path, &Environment),
    notes: &Notes,
) -> Agents {
    let is_complete = files.is_complete(Kind::Agents);
    let mut agents = Agents {
        workers: Vec::new(),
        seen: Vec::new(),
        schema: Schema::default(),
        activities: Vec::new(),
        activity_names: Names::new("activity", is_complete),
        desk: Desk::default(),
        profiles: Vec::new(),
        channels: Vec::new(),
        heartbeat: Heartbeat::default(),
    };
    let mut names = Names::new("agent", is_complete);
    let mut rung: HashMap<String, Place> = HashMap::new();
    let mut starts: Vec<At<String>> = Vec::new();
    for file in files.of(Kind::Agents) {
        let top = Section::new(notes, &file.table, "agents.toml");
        agents.desk.read(&top, notes);
        agents.heartbeat.read(&top, notes);
        for activity in top.sections("activity", "an activity") {
            let name = activity.required("name", "lunch");
            let available = activity.flag("available").is_some_and(|at| at.value);
            let written = desk::of_activity(&activity);
            activity.close();
            if let Some(name) = name {
                agents
                    .desk
                    .add_activity(&name.value, available, written, notes);
                agents.activity_names.declare(notes, &name);
                agents.activities.push(ActivitySpec {
                    name: name.value,
                    available,
                });
            }
        }
        for agent in top.sections("agent", "an agent") {
            let name = agent.required("name", "sato");
            let phone = agent.required("phone", "1001");
            let display_name = agent.text("display_name");
            let activity = agent.text("activity");
            let attributes = agent.attributes("attributes");
            let written = desk::of_agent(&agent, secrets, notes);
            let profile = agent.text("profile");
            let capacity = agents.read_capacity(&agent);
            let heartbeat = heartbeat::of_agent(&agent);
            agent.close();
            agents.profiles.extend(profile.clone());
            if let Some(name) = &name {
                names.declare(notes, name);
            }
            if let Some(phone) = phone.clone() {
                phones.refer(notes, &phone);
                if let Some(other) = rung.get(&phone.value) {
                    let message = format!("phone {} already has an agent", phone.value);
                    let problem = Problem::error(&phone.place, message, "one agent, one phone");
                    notes.push(problem.with(other, "the other is at"));
                } else {
                    rung.insert(phone.value, phone.place);
                }
            }
            starts.extend(activity.clone());
            let (Some(name), Some(phone)) = (name, phone) else {
                continue;
            };
            agents.desk.add_agent((&name, &phone), written, notes);
            agents.heartbeat.add_agent(&name.value, heartbeat);
            agents.workers.push(WorkerSpec {
                display_name: display_name.map_or_else(|| name.value.clone(), |at| at.value),
                name: name.value,
                phone: phone.value,
                attributes,
                activity: activity.map(|at| at.value),
                profile: profile.map(|at| at.value),
                capacity,
            });
        }
        top.close();
    }
    agents.finish_activities(notes, &starts);
    agents.desk.finish(notes);
    agents.heartbeat.finish(&agents.activities, notes);
    agents.seen = agents.workers.iter().map(WorkerSpec::seen).collect();
    if !agents.seen.is_empty() {
        agents.schema = Schema::default().workers(&agents.seen);
    }
    agents
}

impl Agents {
    /// Tasks an agent takes at a time, by channel.
    fn read_capacity(&mut self, agent: &Section<'_>) -> BTreeMap<String, u32> {
        let capacities = agent.integer_table("capacity", 0..=i64::from(Plan::MOST_CAPACITY));
        let capacities = capacities.into_iter().map(|(channel, capacity)| {
            self.channels.push(channel.clone());
            let capacity = u32::try_from(capacity.value).unwrap_or(Plan::MOST_CAPACITY);
            (channel.value, capacity)
        });
        capacities.collect()
    }

    fn finish_activities(&mut self, notes: &Notes, starts: &[At<String>]) {
        let built_in = |name: &str| At {
            value: name.to_owned(),
            place: super::files::nowhere("agents.toml"),
        };
        if self.activities.is_empty() {
            self.activities = vec![
                ActivitySpec::available("available"),
                ActivitySpec::unavailable("away"),
            ];
            for name in ["available", "away"] {
                self.activity_names.declare(notes, &built_in(name));
            }
        }
        if self.activity_names.place(NOT_ANSWERING).is_none() {
            self.activity_names.declare(notes, &built_in(NOT_ANSWERING));
        }
        for start in starts {
            self.activity_names.refer(notes, start);
        }
        for (wanted, available) in [("an available", true), ("an unavailable", false)] {
            if !self
                .activities
                .iter()
                .any(|activity| activity.available == available)
            {
                let first = self
                    .activities
                    .first()
                    .map(|activity| activity.name.as_str());
                let place = first.and_then(|name| self.activity_names.place(name));
                let place = place.cloned().unwrap_or_else(|| built_in("").place);
                let message = format!("agents have no way into {wanted} activity");
                let help = format!("add [[activity]] with available = {available}");
                notes.error(&place, message, help);
            }
        }
    }
}
